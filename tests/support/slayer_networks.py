"""Tiny SLAYER networks with random weights, and random spikes to show them."""

import dataclasses
import math

import numpy as np

from nengo_tactile.events.spikes import SpikeLayout
from nengo_tactile.slayer import stages as layers
from nengo_tactile.slayer.classifier import SlayerNetwork
from nengo_tactile.slayer.neurons import CurrentBasedLIF, SpikeResponseModel

SRM = SpikeResponseModel(tau_s=3.3, tau_r=2.1)
CUBA = CurrentBasedLIF(current_decay=0.3, voltage_decay=0.11)
N_STEPS = 40


def drive(neuron):
    """Factor on weights: a current-based neuron gets more potential of each spike."""
    return 0.35 if neuron is CUBA else 1.0


def dense(rng, name, input_shape, n, neuron=SRM, scale=6.0, mean=2.0, **settings):
    weights = rng.normal(mean, scale, (math.prod(input_shape), n)) * drive(neuron)
    return layers.layer_stage(name, layers.dense(weights.astype(np.float32)), neuron, **settings)


def conv(rng, name, input_shape, side, filters, neuron=SRM, stride=1, padding="valid", **settings):
    weights = rng.normal(2, 5, (side, side, input_shape[2], filters)) * drive(neuron)
    linear = layers.conv(weights.astype(np.float32), input_shape, stride, padding)
    return layers.layer_stage(name, linear, neuron, **settings)


def pool(name, input_shape, side, neuron=SRM, weight=11.0, **settings):
    linear = layers.pool(weight * drive(neuron), side, input_shape)
    return layers.layer_stage(name, linear, neuron, **settings)


def with_delays(rng, stage, largest=7):
    return dataclasses.replace(stage, axon=rng.integers(0, largest + 1, stage.n_neurons))


def with_recurrence(rng, stage, scale=3.0):
    weights = rng.normal(0, scale, (stage.n_neurons, stage.n_neurons)).astype(np.float32)
    linear = stage.links[0].map
    return layers.layer_stage(stage.name, linear, stage.neuron, stage.shape, stage.axon, weights)


def networks(rng):
    """{name: graph}: all kinds of stages, of both neurons, with and without delays and loops."""
    found = {}
    for name, neuron in (("srm", SRM), ("cuba", CUBA)):
        first = dense(rng, "hidden", (6,), 8, neuron)
        found[f"{name}-dense"] = (6,), [first, dense(rng, "out", (8,), 3, neuron)]
        image = (7, 8, 2)
        maps = conv(rng, "conv", image, 3, 3, neuron, padding="same", stride=2)
        pooled = pool("pool", maps.shape, 2, neuron)
        valid = conv(rng, "conv2", pooled.shape, 2, 4, neuron)
        last = dense(rng, "out", valid.shape, 3, neuron)
        found[f"{name}-conv"] = image, [maps, pooled, valid, last]
        found[f"{name}-delays"] = (
            image,
            [
                with_delays(rng, maps),
                pooled,
                with_delays(rng, dense(rng, "out", pooled.shape, 4, neuron)),
            ],
        )
        looped = with_recurrence(rng, dense(rng, "hidden", (6,), 9, neuron))
        found[f"{name}-recurrent"] = (
            (6,),
            [looped, with_delays(rng, with_recurrence(rng, dense(rng, "out", (9,), 4, neuron)), 3)],
        )
    return {name: layers.chain(*parts) for name, parts in found.items()}


def spikes_for(rng, graph, n_samples=2, n_steps=N_STEPS, rate=0.15):
    """Random input, (n_samples, n_steps, *input_shape) float32."""
    shape = (n_samples, n_steps, *graph.input_shape)
    return (rng.random(shape) < rate).astype(np.float32)


NAMES = tuple(networks(np.random.default_rng(0)))


def case(name, seed=1, **settings):
    """A graph and its input, by name."""
    rng = np.random.default_rng(seed)
    graph = networks(rng)[name]
    return graph, spikes_for(rng, graph, **settings)


def network_of(graph, dt=0.001, n_steps=N_STEPS):
    """A network of any graph that reads spikes."""
    size = (math.prod(graph.input_shape), 1, 1)
    return SlayerNetwork(graph, SpikeLayout(size, dt * 1e6, n_steps, shape=graph.input_shape))
