"""Tiny networks that every engine runs, and Nengo's reference simulator to compare with."""

import dataclasses

import nengo
import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann.notation import build
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.neurons import LIF
from nengo_tactile.networks import nengo_network

N_STEPS = 40
#: What makes input wrong, and what every engine says of it.
BAD_INPUTS = [
    (lambda x: x[:0], "no samples"),
    (lambda x: np.where(x == x.max(), np.nan, x), "nan at index"),
    (lambda x: x[..., :1], "shape"),
]


def make_network(notation="6x6x2-3c3-4c2s2-7-3o", padding="valid", rate=400.0, **settings):
    """Convert a network with random weights; returns it with eight random samples."""
    model = build(notation, seed=3, padding=padding)
    rng = np.random.default_rng(5)
    for layer in model.layers:  # biases of both signs
        if layer.weights:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, rng.normal(0, 0.1, bias.shape)])
    x = rng.random((8, *model.input_shape[1:]), dtype=np.float32)
    neuron = dataclasses.replace(settings.pop("neuron", LIF()), max_rate=rate, synapse=0.005)
    network = convert(model, x, neuron, n_steps=N_STEPS)
    # the emulator shows it as it is, like the others
    return dataclasses.replace(network, **{"chip_rate": 1.0, **settings}), x


def run_reference(network, x, n_steps, on_chip=()):
    """Return (potentials, {layer: spikes}), each (n_samples, n_steps, n), of nengo.Simulator.

    Layers named in ``on_chip`` get Nengo's own LIF, starting at zero.
    """
    potentials, spikes = [], {name: [] for name in network.spiking_layers}
    for sample in x.reshape(len(x), -1):
        present = lambda t, sample=sample: sample  # noqa: E731
        built = nengo_network.build(network.graph, network.dt, present, on_chip=on_chip)
        with (
            stack.quiet_build(),
            nengo.Simulator(built.net, dt=network.dt, progress_bar=False) as sim,
        ):
            sim.run_steps(n_steps)
            potentials.append(sim.data[built.output_probe])
            for name, probe in built.spike_probes.items():
                spikes[name].append(sim.data[probe] > 0)
    return np.array(potentials), {name: np.array(s) for name, s in spikes.items()}
