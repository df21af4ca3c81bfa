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

#: Largest integers of the chip: of a weight (8 bits and the largest exponent), a threshold (17
#: bits times 64), a bias (12 bits, exponent up to 7). nengo_loihi/builder/discretize.py.
WEIGHT_MOST, THRESHOLD_MOST, BIAS_MOST = 255 * 64, (2**17 - 1) * 64, 4095 * 128
#: Scales of one layer part by no more than this: what is below has no part in what it computes.
WIDEST = 2.0**12


def balanced(graph, chip, synapse, input_weight):
    """The graph with each neuron on the chip at its own scale.

    Parameters
    ----------
    graph : Graph
        As `chip_graph` makes it.
    chip : collection of str
        Stages of neurons on the chip.
    synapse : float or None
        Time constant in steps.
    input_weight : float
        What a spike of an input neuron is worth.

    Returns
    -------
    graph : Graph
        Weights and biases into stages on the chip multiplied.
    thresholds : dict of str to (n_neurons,) array
        What the thresholds of each stage on the chip are to be multiplied with.
    """
    stages, thresholds = [], {}
    for stage in graph:
        if stage.name in chip:
            factors = thresholds[stage.name] = _factors(stage, synapse, input_weight)
            links = [
                dataclasses.replace(link, map=link.map.outputs_scaled(factors))
                for link in stage.links
            ]
            stage = dataclasses.replace(stage, links=links, bias=stage.bias * factors)
        stages.append(stage)
    return dataclasses.replace(graph, stages=stages), thresholds


def decay_gains(stage, synapse):
    """What the integers' decays add up to: of the current, and of the membrane potential."""
    stack.nengo_loihi()
    from nengo_loihi.builder.discretize import decay_magnitude

    current = 1.0 if not synapse else -np.expm1(-1 / synapse)
    current = np.clip(np.round(current * 4095 - 1), 0, 4095)
    membrane = 1.0
    if stage.neuron.leaks:
        decay = np.round(-np.expm1(-1 / stage.neuron.tau_rc) * 4095)
        membrane = float(decay_magnitude(decay, x0=2**21))
    return float(decay_magnitude(current, x0=2**21, offset=1)), membrane


def _alike(values, stage):
    """The largest of a channel for each of its neurons, which share weights in a convolution."""
    if len(stage.shape) == 1:
        return values
    channels = stage.shape[-1]
    return np.tile(values.reshape(-1, channels).max(axis=0), stage.n_neurons // channels)


def _factors(stage, synapse, input_weight):
    """Factor of each neuron, (n_neurons,): the integers that a weight of one may become."""
    largest = np.zeros(stage.n_neurons)
    for link in stage.links:
        worth = input_weight if link.source == "input" else 1.0
        largest = np.maximum(largest, link.map.largest() * worth)
    currents, membrane = decay_gains(stage, synapse)
    biases = _alike(np.abs(stage.bias).astype(float), stage)
    with np.errstate(divide="ignore"):
        room = np.minimum(
            WEIGHT_MOST / _alike(largest, stage), THRESHOLD_MOST / (currents * membrane)
        )
        room = np.minimum(room, BIAS_MOST / (biases * currents))
    room = np.maximum(room, room.max() / WIDEST)
    return (room / np.exp(np.log(room).mean())).astype(np.float32)
