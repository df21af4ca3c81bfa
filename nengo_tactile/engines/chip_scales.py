"""Each neuron at a scale of its own on the chip, so that eight bits are enough for its weights.

A neuron whose weights, bias and threshold are multiplied by the same number fires the same spikes.
nengo-loihi has one scale for a block, from its largest weight; weights of neurons whose weights
are small would lose their bits. So each neuron (each channel of a convolution, whose neurons share
weights) gets the scale at which its largest weight fills the mantissa, as far as its threshold and
bias have room in their registers.
"""

import dataclasses

import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann.lif import LIFParameters
from nengo_tactile.conversion.build import current_bias, link_gain
from nengo_tactile.conversion.stages import analogue_sources

#: Largest integers of the chip: of a weight (8 bits and the largest exponent), a threshold (17
#: bits times 64), a bias (12 bits, exponent up to 7). nengo_loihi/builder/discretize.py.
WEIGHT_MOST, THRESHOLD_MOST, BIAS_MOST = 255 * 64, (2**17 - 1) * 64, 4095 * 128
#: Scales of one layer part by no more than this: what is below has no part in what it computes.
WIDEST = 2.0**12


def balanced(stages, chip, dt, synapse, input_weight):
    """Stages on the chip with each neuron at its own scale.

    Parameters
    ----------
    stages : list of Stage
        As `chip_stages` makes them.
    chip : collection of str
        Stages of neurons on the chip.
    dt : float
        Time step in seconds.
    synapse : float or None
        Time constant in seconds.
    input_weight : float
        What a spike of an input neuron is worth, times the time step.

    Returns
    -------
    stages : list of Stage
        Weights and biases into stages on the chip multiplied.
    thresholds : dict of str to (n_neurons,) array
        What the thresholds of each stage on the chip are to be multiplied with.
    """
    worth = {stage.name: _worth(stage, dt) for stage in stages if stage.kind == "neurons"}
    worth["input"] = input_weight / dt
    uncompensated, result, thresholds = analogue_sources(stages), [], {}
    for stage in stages:
        if stage.name in chip:
            largest = _largest(stage, worth, uncompensated)
            factors = _factors(stage, largest, dt, synapse)
            thresholds[stage.name] = factors
            stage = _scaled(stage, factors)
        result.append(stage)
    return result, thresholds


def decay_gains(stage, dt, synapse):
    """What the integers' decays add up to: of the current, and of the membrane potential."""
    stack.nengo_loihi()
    from nengo_loihi.builder.discretize import decay_magnitude

    current = 1.0 if not synapse else -np.expm1(-dt / synapse)
    current = np.clip(np.round(current * 4095 - 1), 0, 4095)
    membrane = 1.0
    if isinstance(stage.neuron, LIFParameters):
        decay = np.round(-np.expm1(-dt / stage.neuron.tau_rc) * 4095)
        membrane = float(decay_magnitude(decay, x0=2**21))
    return float(decay_magnitude(current, x0=2**21, offset=1)), membrane


def _worth(stage, dt):
    """What a spike of a neuron weighs, as nengo-loihi multiplies it into the weights."""
    amplitude = stage.neuron.amplitude
    return amplitude / dt if isinstance(stage.neuron, LIFParameters) else amplitude


def _largest(stage, worth, uncompensated):
    """Largest weight into each neuron, (n_neurons,); the same for all of a channel."""
    largest = np.zeros(stage.n_neurons)
    for link in stage.links:
        gain = abs(link_gain(stage, link, uncompensated)) * worth[link.source]
        largest = np.maximum(largest, link.map.largest() * gain)
    if _shared(stage):
        channels = stage.shape[-1]
        largest = np.tile(largest.reshape(-1, channels).max(axis=0), stage.n_neurons // channels)
    return largest


def _shared(stage):
    """Whether neurons share weights with those of other positions, through a convolution."""
    return len(stage.shape) > 1


def _factors(stage, largest, dt, synapse):
    """Factor of each neuron, (n_neurons,): the integers that a weight of one may become."""
    currents, membrane = decay_gains(stage, dt, synapse)
    biases = np.abs(current_bias(stage)).astype(float)
    if _shared(stage):
        channels = stage.shape[-1]
        biases = np.tile(biases.reshape(-1, channels).max(axis=0), stage.n_neurons // channels)
    with np.errstate(divide="ignore"):
        room = np.minimum(WEIGHT_MOST / largest, THRESHOLD_MOST / (currents * membrane))
        room = np.minimum(room, BIAS_MOST / (biases * currents))
    room = np.maximum(room, room.max() / WIDEST)
    return (room / np.exp(np.log(room).mean())).astype(np.float32)


def _scaled(stage, factors):
    """Weights and constant currents of a stage times a factor for each neuron."""
    links = tuple(
        dataclasses.replace(link, map=link.map.outputs_scaled(factors)) for link in stage.links
    )
    current = current_bias(stage)
    constant = current - stage.neuron.gain * stage.bias  # offset or shift, which stay as they are
    bias = (current * factors - constant) / np.float32(stage.neuron.gain)
    return dataclasses.replace(stage, links=links, bias=bias.astype(np.float32))
