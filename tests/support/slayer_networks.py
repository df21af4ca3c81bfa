"""Tiny SLAYER networks with random weights, and random spikes to show them."""

import dataclasses

import numpy as np

from nengo_tactile.slayer.neurons import CurrentBasedLIF, SpikeResponseModel
from nengo_tactile.slayer.stages import Stage

SRM = SpikeResponseModel(tau_s=3.3, tau_r=2.1)
CUBA = CurrentBasedLIF(current_decay=0.3, voltage_decay=0.11)
N_STEPS = 40


def drive(neuron):
    """Factor on weights: a current-based neuron gets more potential of each spike."""
    return 0.35 if neuron is CUBA else 1.0


def dense(rng, name, input_shape, n, neuron=SRM, scale=6.0, mean=2.0, **settings):
    weights = rng.normal(mean, scale, (int(np.prod(input_shape)), n)) * drive(neuron)
    return Stage(
        name, "dense", weights.astype(np.float32), tuple(input_shape), (n,), neuron, **settings
    )


def conv(rng, name, input_shape, side, filters, neuron=SRM, stride=1, padding="valid", **settings):
    height, width, channels = input_shape
    if padding == "same":
        size = -(-height // stride), -(-width // stride)
    else:
        size = (height - side) // stride + 1, (width - side) // stride + 1
    weights = rng.normal(2, 5, (side, side, channels, filters)) * drive(neuron)
    shape = (*size, filters)
    return Stage(
        name,
        "conv",
        weights.astype(np.float32),
        tuple(input_shape),
        shape,
        neuron,
        stride,
        padding,
        **settings,
    )


def pool(name, input_shape, side, neuron=SRM, weight=11.0, **settings):
    height, width, channels = input_shape
    shape = (height // side, width // side, channels)
    return Stage(
        name,
        "pool",
        np.float32(weight * drive(neuron)),
        tuple(input_shape),
        shape,
        neuron,
        side,
        **settings,
    )


def with_delays(rng, stage, largest=7):
    return dataclasses.replace(stage, delays=rng.integers(0, largest + 1, stage.n_neurons))


def with_recurrence(rng, stage, scale=3.0):
    weights = rng.normal(0, scale, (stage.n_neurons, stage.n_neurons)).astype(np.float32)
    return dataclasses.replace(stage, recurrent=weights)


def networks(rng):
    """{name: stages}: all kinds of stages, of both neurons, with and without delays and loops."""
    found = {}
    for name, neuron in (("srm", SRM), ("cuba", CUBA)):
        first = dense(rng, "hidden", (6,), 8, neuron)
        found[f"{name}-dense"] = [first, dense(rng, "out", (8,), 3, neuron)]
        image = (7, 8, 2)
        maps = conv(rng, "conv", image, 3, 3, neuron, padding="same", stride=2)
        pooled = pool("pool", maps.shape, 2, neuron)
        valid = conv(rng, "conv2", pooled.shape, 2, 4, neuron)
        found[f"{name}-conv"] = [maps, pooled, valid, dense(rng, "out", valid.shape, 3, neuron)]
        found[f"{name}-delays"] = [
            with_delays(rng, maps),
            pooled,
            with_delays(rng, dense(rng, "out", pooled.shape, 4, neuron)),
        ]
        looped = with_recurrence(rng, dense(rng, "hidden", (6,), 9, neuron))
        found[f"{name}-recurrent"] = [
            looped,
            with_delays(rng, with_recurrence(rng, dense(rng, "out", (9,), 4, neuron)), 3),
        ]
    return found


def spikes_for(rng, stages, n_samples=2, n_steps=N_STEPS, rate=0.15):
    """Random input, (n_samples, n_steps, *input_shape) float32."""
    shape = (n_samples, n_steps, *stages[0].input_shape)
    return (rng.random(shape) < rate).astype(np.float32)


NAMES = tuple(networks(np.random.default_rng(0)))


def case(name, seed=1, **settings):
    """Stages and their input, by name."""
    rng = np.random.default_rng(seed)
    stages = networks(rng)[name]
    return stages, spikes_for(rng, stages, **settings)
