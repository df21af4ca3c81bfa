"""The same network at other firing rates, or with coarser weights."""

import math

import numpy as np

from nengo_tactile.ann.portable import keras_model
from nengo_tactile.arguments import whole
from nengo_tactile.conversion.passes import map_neurons
from nengo_tactile.conversion.reading import plain
from nengo_tactile.errors import ConversionError

#: Of products of factors that make 1.
_ROUNDING = 1e-9
#: Axes of a kernel that number its outputs, each of which has a scale, by the kind of layer.
_OUTPUTS = {
    "Dense": (-1,),
    "Conv1D": (-1,),
    "Conv2D": (-1,),
    "DepthwiseConv1D": (-2, -1),
    "DepthwiseConv2D": (-2, -1),
    "Conv1DTranspose": (-2,),
    "Conv2DTranspose": (-2,),
}
#: Calibration samples that the loss by rounding is measured on at most.
LOSS_SAMPLES = 512


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
    """Layers with weights rounded to so many bits: see `SpikingNetwork.with_weight_bits`.

    Weights that are so already stay what they are, rounding apart.
    """
    bits = whole("bits", bits, least=2, error=ConversionError)
    largest = 2 ** (bits - 1) - 1

    def coarse(layer, inputs):
        if layer.kind not in _OUTPUTS:
            return None
        kernel, *others = layer.weights
        summed = set(range(kernel.ndim)) - {kernel.ndim + axis for axis in _OUTPUTS[layer.kind]}
        tops = np.abs(kernel).max(axis=tuple(summed), keepdims=True, initial=0)
        scales = np.where(tops > 0, tops, 1).astype(float) / largest
        numbers = np.rint(kernel / scales)
        return layer.changed(inputs, [(numbers * scales).astype(kernel.dtype), *others])

    return layers.rebuilt(coarse)


def rounding_loss(exact, bits, x, labels, read_out):
    """What rounding the weights costs on calibration samples, in words.

    Parameters
    ----------
    exact : nengo_tactile.ann.layers.Layers
        Of rectifiers, or of neurons as what they come to.
    bits : int
    x : (n_samples, ...) array
    labels : array or None
    read_out : ReadOut

    Returns
    -------
    str
        Points of accuracy that are lost (without labels: of samples with another winner), and the
        outputs' root mean square error, relative to their spread.
    """
    x = np.asarray(x)[:LOSS_SAMPLES]
    outputs = (each.outputs(x).reshape(len(x), -1) for each in (exact, rounded(exact, bits)))
    wanted, got = outputs
    if labels is None:
        lost, what = 1 - read_out.agreement(got, wanted), "other decisions"
    else:
        labels = np.asarray(labels)[:LOSS_SAMPLES]
        lost = read_out.accuracy(wanted, labels) - read_out.accuracy(got, labels)
        what = "points of accuracy lost"
    spread = read_out.distance(np.broadcast_to(wanted.mean(axis=0), wanted.shape), wanted)
    error = read_out.distance(got, wanted) / max(spread, np.finfo(np.float32).tiny)
    unit = " %" if labels is None else ""
    return (
        f"of {bits} bits: {100 * lost:.2f}{unit} {what} on {len(x)} calibration samples by "
        f"rounding alone, outputs {error:.1%} of their spread off"
    )
