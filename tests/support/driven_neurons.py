"""Neurons of several types under the same currents, in Nengo's simulator or NengoDL's."""

import nengo
import numpy as np

from nengo_tactile import stack


def simulator(engine):
    """The simulator's class; ``engine`` is "nengo" or "dl"."""
    return nengo.Simulator if engine == "nengo" else stack.nengo_dl().Simulator


def simulate(engine, neuron_types, currents, states=("output", "voltage", "spike_count"), *, dt):
    """Each neuron type's states, as far as it has them, step by step: (n_steps, n_neurons) each."""
    n_steps, n_neurons = currents.shape
    with nengo.Network(seed=0) as net:
        node = nengo.Node(nengo.processes.PresentInput(currents, dt), size_out=n_neurons)
        probes = []
        for neuron_type in neuron_types:
            neurons = nengo.Ensemble(
                n_neurons,
                1,
                neuron_type=neuron_type,
                gain=np.ones(n_neurons),
                bias=np.zeros(n_neurons),
            ).neurons
            nengo.Connection(node, neurons, synapse=None)
            there = [state for state in states if state in ("output", *neuron_type.state)]
            probes.append([nengo.Probe(neurons, state) for state in there])
    with stack.quiet_build(), simulator(engine)(net, dt=dt, progress_bar=False) as sim:
        sim.run_steps(n_steps)
        return [[np.array(sim.data[probe]) for probe in group] for group in probes]


def assert_merged(neuron_types, currents, **options):
    """NengoDL, which merges groups of neurons, gives each what Nengo gives it alone."""
    merged = simulate("dl", neuron_types, currents, **options)
    for ours, neuron_type in zip(merged, neuron_types):
        (wanted,) = simulate("nengo", [neuron_type], currents, **options)
        for a, b in zip(ours, wanted):
            np.testing.assert_array_equal(a, b)
