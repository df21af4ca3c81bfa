"""Exact LIF neurons against Nengo's LIF, an event-driven simulation and the closed form."""

import functools
import math

import nengo
import numpy as np
import pytest

from tests.support import driven_neurons

pytestmark = pytest.mark.filterwarnings(
    r"ignore::DeprecationWarning:(nengo|nengo_dl|nengo_loihi)\b"
)

N_NEURONS, N_STEPS, DT = 30, 80, 0.001

simulate = functools.partial(driven_neurons.simulate, dt=DT)


def start_at(voltage):
    return {"voltage": nengo.dists.Choice([voltage])}


@pytest.mark.parametrize("engine", ["nengo", "dl"])
def test_with_refractory_time_it_is_nengos_lif(engine, rng):
    from nengo_tactile.neurons.exact_lif import ExactLIF

    settings = {
        "tau_rc": 0.03,
        "tau_ref": 0.0015,
        "min_voltage": -0.5,
        "initial_state": start_at(0.5),
    }
    # strong enough for a spike at every third step, and negative at times
    currents = rng.normal(3, 12, (N_STEPS, N_NEURONS))
    ours, wanted = simulate(engine, [ExactLIF(**settings), nengo.LIF(**settings)], currents)
    assert wanted[0].any(axis=0).all()
    np.testing.assert_array_equal(ours[0], wanted[0])
    np.testing.assert_allclose(ours[1], wanted[1], atol=1e-5)
    np.testing.assert_array_equal(ours[2][-1], (wanted[0] > 0).sum(axis=0))


def event_driven(currents, tau_rc, voltage, floor):
    """Solve the membrane equation from spike to spike, for one neuron."""
    spikes, voltages = [], []
    for current in currents:
        left, fired = DT, 0
        while True:
            # when V(t) = current + (V - current) exp(-t / tau_rc) passes one
            reach = math.inf
            if current > 1:
                reach = tau_rc * math.log((current - voltage) / (current - 1))
            if reach >= left:
                break
            left -= reach
            voltage, fired = 0.0, fired + 1
        voltage = current + (voltage - current) * math.exp(-left / tau_rc)
        voltage = max(voltage, floor)
        spikes.append(fired)
        voltages.append(voltage)
    return np.array(spikes), np.array(voltages)


@pytest.mark.parametrize("engine", ["nengo", "dl"])
def test_without_refractory_time_it_solves_the_membrane_equation(engine, rng):
    from nengo_tactile.neurons.exact_lif import ExactLIF

    neuron_type = ExactLIF(0.03, 0.0, min_voltage=-0.5, initial_state=start_at(0.5))
    currents = rng.normal(3, 8, (N_STEPS, N_NEURONS)).clip(-20, 25)  # below 1000 Hz
    ((output, voltage, count),) = simulate(engine, [neuron_type], currents)
    for neuron in range(N_NEURONS):
        spikes, voltages = event_driven(currents[:, neuron], 0.03, 0.5, -0.5)
        assert spikes.max() == 1
        np.testing.assert_array_equal(output[:, neuron] > 0, spikes)
        np.testing.assert_allclose(voltage[:, neuron], voltages, atol=1e-4)
        assert count[-1, neuron] == spikes.sum()


def test_fires_at_the_closed_form_rate_where_nengos_lif_does_not():
    from nengo_tactile.neurons.exact_lif import ExactLIF

    start = {"initial_state": start_at(0.5)}
    wanted = np.linspace(20, 900, N_NEURONS)  # hertz
    currents = 1 / -np.expm1(-1 / (wanted * 0.1))
    kinds = [ExactLIF(0.1, 0.0, **start), nengo.LIF(0.1, 0.0, **start)]
    ours, nengos = simulate("nengo", kinds, np.tile(currents, (N_STEPS, 1)))
    seconds = N_STEPS * DT
    assert np.abs(ours[2][-1] - wanted * seconds).max() < 1
    assert ((nengos[0] > 0).sum(axis=0) - wanted * seconds).min() < -10


@pytest.mark.parametrize("engine", ["nengo", "dl"])
def test_too_much_current_fires_every_step_and_leaves_no_debt(engine):
    from nengo_tactile.neurons.exact_lif import ExactLIF

    currents = np.zeros((N_STEPS, N_NEURONS))
    currents[:10] = 1e6
    currents[10:20] = np.linspace(-5, 1, N_NEURONS)
    neuron_type = ExactLIF(0.02, 0.0, initial_state=start_at(0.0))
    ((output, voltage, _),) = simulate(engine, [neuron_type], currents)
    assert (output[:10] > 0).all()
    assert not output[10:].any()
    assert np.isfinite(voltage).all()


def test_nengo_dl_merges_neurons_of_different_time_constants(rng):
    from nengo_tactile.neurons.exact_lif import ExactLIF

    currents = rng.normal(3, 12, (N_STEPS, N_NEURONS))
    kinds = [ExactLIF(tau, 0.0, initial_state=start_at(0.0)) for tau in (0.02, 0.1)]
    merged = simulate("dl", kinds, currents)
    for ours, kind in zip(merged, kinds):
        (wanted,) = simulate("nengo", [kind], currents)
        np.testing.assert_array_equal(ours[0] > 0, wanted[0] > 0)


def test_merging_with_and_without_refractory_time_is_refused(rng):
    from nengo_tactile.errors import EngineError
    from nengo_tactile.neurons.exact_lif import ExactLIF

    kinds = [ExactLIF(0.02, tau, initial_state=start_at(0.0)) for tau in (0.0, 0.001)]
    with pytest.raises(EngineError, match="planner='noop'"):
        simulate("dl", kinds, rng.normal(size=(N_STEPS, N_NEURONS)))
