"""The same network at other firing rates, or with coarser weights."""

import math

import numpy as np

from nengo_tactile.ann.portable import keras_model
from nengo_tactile.conversion.passes import map_neurons
from nengo_tactile.conversion.reading import plain
from nengo_tactile.errors import ConversionError

#: Of products of factors that make 1.
_ROUNDING = 1e-9


def _check(layer, factor, rates):
    """Refuse rates at which a layer of integrate-and-fire neurons computes something else."""
    if rates > 1:
        raise ConversionError(
            f"{layer.label}: factor on the firing rates is {factor:g}, which makes "
            f"them {rates:g} times those of the conversion, at which the largest activations have "
            f"one spike a step already; all above {1 / rates:.3g} of these would be clipped: give "
            "more n_steps for more spikes, or convert with a lower percentile"
        )
    if rates < 1 and layer.config["clips"]:
        raise ConversionError(
            f"{layer.label}: factor on the firing rates is {factor:g}, and the "
            "model clips this layer where neurons have one spike a step, which slower ones would "
            "not: keep the rates (for the chip chip_settings(network, rate=1)), or train with "
            "plain ReLUs"
        )


def faster(network, factor):
    """What a network becomes at ``factor`` times its firing rates: see `SpikingNetwork.with_rates`.

    Returns
    -------
    dict
        The attributes that change, "ann" and "rate_factor".
    """
    if network.accumulates:
        raise ConversionError(
            "sigma-delta neurons have no firing rates: convert the model with other thresholds"
        )
    if not 0 < factor < math.inf:
        raise ConversionError(f"factor on the firing rates is {factor}: choose one above zero")
    rates = network.rate_factor * factor
    if abs(rates - 1) < _ROUNDING:  # back where it was
        rates = 1.0
    layers = plain(network.ann)
    for layer in layers.of_kinds("RateIF"):
        _check(layer, factor, rates)
    layers = map_neurons(layers, lambda neuron: neuron.faster(factor), shift_factor=factor)
    return {"ann": keras_model(layers), "rate_factor": rates}


def rounded(layers, bits):
    """Layers with weights rounded to so many bits: see `SpikingNetwork.with_weight_bits`."""
    if int(bits) != bits or bits < 2:
        raise ConversionError(f"weights of {bits} bits: give a whole number from 2")
    largest = 2 ** (int(bits) - 1) - 1

    def coarse(array):
        scale = np.abs(array).max(initial=0) / largest
        return np.rint(array / scale) * scale if array.ndim > 1 and scale else array

    return layers.rebuilt(
        lambda layer, inputs: layer.changed(inputs, [coarse(array) for array in layer.weights])
    )
