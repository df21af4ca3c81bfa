"""Counting LIF neurons against Nengo's LIF, spike by spike."""

import nengo
import numpy as np
import pytest

from nengo_tactile import stack

pytestmark = pytest.mark.filterwarnings(
    r"ignore::DeprecationWarning:(nengo|nengo_dl|nengo_loihi)\b"
)

N_NEURONS, N_STEPS, DT = 30, 80, 0.001


def simulate(simulator, neuron_types, currents, **options):
    """Spikes, voltages and last counts of each neuron type under the same currents."""
    with nengo.Network(seed=0) as net:
        node = nengo.Node(nengo.processes.PresentInput(currents, DT), size_out=N_NEURONS)
        probes = []
        for neuron_type in neuron_types:
            neurons = nengo.Ensemble(
                N_NEURONS,
                1,
                neuron_type=neuron_type,
                gain=np.ones(N_NEURONS),
                bias=np.zeros(N_NEURONS),
            ).neurons
            nengo.Connection(node, neurons, synapse=None)
            states = ["output", "voltage"]
            states += ["spike_count"] if "spike_count" in neuron_type.state else []
            probes.append([nengo.Probe(neurons, state) for state in states])
    with stack.quiet_build(), simulator(net, dt=DT, progress_bar=False, **options) as sim:
        sim.run_steps(N_STEPS)
        return [[np.array(sim.data[probe]) for probe in group] for group in probes]


@pytest.mark.parametrize("engine", ["nengo", "nengo_dl"])
@pytest.mark.parametrize("tau_ref", [0.0, 0.0015])
def test_spikes_like_nengos_lif_and_counts(engine, tau_ref, rng):
    from nengo_tactile.neurons.counting_lif import CountingLIF

    settings = {
        "tau_rc": 0.03,
        "tau_ref": tau_ref,
        "min_voltage": -0.5,
        "initial_state": {"voltage": nengo.dists.Choice([0.5])},
    }
    # strong enough for a spike at every other step, and negative at times
    currents = rng.normal(3, 12, (N_STEPS, N_NEURONS))
    neuron_types = [CountingLIF(**settings), nengo.LIF(**settings)]
    simulator = nengo.Simulator if engine == "nengo" else stack.nengo_dl().Simulator
    ours, wanted = simulate(simulator, neuron_types, currents)
    assert wanted[0].any(axis=0).all()
    np.testing.assert_array_equal(ours[0] > 0, wanted[0] > 0)
    np.testing.assert_allclose(ours[1], wanted[1], atol=1e-5)
    np.testing.assert_array_equal(ours[2][-1], (wanted[0] > 0).sum(axis=0))


def test_nengo_dl_merges_neurons_of_different_time_constants(rng):
    from nengo_tactile.neurons.counting_lif import CountingLIF

    currents = rng.normal(3, 12, (N_STEPS, N_NEURONS))
    start = {"voltage": nengo.dists.Choice([0.0])}
    kinds = [CountingLIF(tau, tau_ref=0.0, initial_state=start) for tau in (0.02, 0.1)]
    merged = simulate(stack.nengo_dl().Simulator, kinds, currents)
    for ours, kind in zip(merged, kinds):
        (wanted,) = simulate(nengo.Simulator, [kind], currents)
        np.testing.assert_array_equal(ours[0] > 0, wanted[0] > 0)
