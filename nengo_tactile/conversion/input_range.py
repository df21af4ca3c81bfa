"""Samples in another range than a network was made for are refused: its output would be nonsense.

Two things tell. A layer at the beginning that rescales or standardises the input tells what the
model was trained on; the range of the calibration samples, which is kept with the network, tells
what it was converted for.
"""

import numpy as np

from nengo_tactile import arguments, stack
from nengo_tactile.conversion.folding import standardisation
from nengo_tactile.errors import DataError

#: Least spread of samples behind a first layer of these types. 0..1 instead of 0..255 leaves 1/255
#: with Rescaling(1/255) and 1/62 with the standard deviation of CIFAR's pixels. Normalization has
#: seen the training data; BatchNormalization's statistics come near theirs slowly.
LEAST_SPREAD = {"Rescaling": 0.02, "BatchNormalization": 0.02, "Normalization": 0.2}
#: Standard deviations that one value in a hundred may be away from the mean. By Chebyshev's
#: inequality it is at most 10 for the data that mean and deviation were taken from; after a single
#: training step on 0..255 BatchNormalization is 40 away. 0..255 instead of 0..1 comes to 800.
FARTHEST = 100.0
#: How far samples may go beyond the calibration range, in its widths, and the share of samples
#: that may go further. Of data like those of calibration few go beyond it at all.
MARGIN, SHARE_BEYOND = 0.5, 0.25
#: Least share of the calibration range that samples fill: 0..1 fills 1/255 of 0..255.
LEAST_FILLED = 0.02


def check_input(layers, x, name="calibration samples"):
    """Refuse calibration samples that are empty, of another shape or range, NaN or infinite.

    The range is checked where the model begins with a layer that rescales its input, so give the
    model as it came (see above).

    Raises
    ------
    DataError
        Naming the first bad value and its index.
    """
    x = check_samples(layers, x, name)
    check_first_layer(layers, x, name)
    return x


def check_samples(layers, x, name="input"):
    """Refuse samples that are empty, of another shape, NaN or infinite, whatever their range.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
    x : (n_samples, ...) array
    name : str
        What ``x`` is.

    Raises
    ------
    DataError
        Naming the first bad value and its index.
    """
    x = arguments.array(name, x)
    wanted = layers.input_shape
    if x.ndim != len(wanted) + 1 or x.shape[1:] != wanted:
        raise DataError(
            f"{name}: shape {x.shape}, the model '{layers.name}' takes (n_samples, "
            f"{', '.join(map(str, wanted))}): reshape or encode the samples"
        )
    if not len(x):
        raise DataError(f"{name}: no samples; give at least one, better 500")
    if x.dtype.kind not in "fiub":
        raise DataError(f"{name}: values are {x.dtype}: give real numbers")
    if not np.isfinite(x).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise DataError(f"{name}: value {x[first]} at index {first}: remove or repair that sample")
    return x


def range_of(x):
    """Least and largest value, (float, float)."""
    return float(np.min(x)), float(np.max(x))


def check_against(known, x, name="input"):
    """Refuse samples that most likely were prepared in another way than the calibration samples.

    A few samples far outside, and all a little outside, are let through. So are samples that are
    all of one value.

    Parameters
    ----------
    known : (float, float) or None
        Range of the calibration samples; None lets everything through.
    x : (n_samples, ...) array
    name : str
        What ``x`` is.

    Raises
    ------
    DataError
        Naming both ranges and the remedy.
    """
    if known is None or known[0] == known[1]:
        return
    least, largest = range_of(x)
    width = known[1] - known[0]
    flat = np.reshape(x, (len(x), -1))
    low, high = known[0] - MARGIN * width, known[1] + MARGIN * width
    beyond = np.count_nonzero((flat.min(axis=1) < low) | (flat.max(axis=1) > high))
    told = (
        f"{name}: values from {least:.4g} to {largest:.4g}, the network was calibrated on "
        f"{known[0]:.4g} to {known[1]:.4g}"
    )
    remedy = (
        "prepare the samples like the calibration samples (same offset and scale), or convert the "
        "model again with calibration samples like these"
    )
    if beyond > SHARE_BEYOND * len(x):
        raise DataError(
            f"{told}; {beyond} of {len(x)} samples go beyond that by more than half: {remedy}"
        )
    if 0 < largest - least < LEAST_FILLED * width:
        raise DataError(f"{told}, of which they fill {(largest - least) / width:.2%}: {remedy}")


def check_first_layer(layers, x, name="calibration samples"):
    """Refuse samples that a model's first layer was not made for.

    The first layer may be a Rescaling, Normalization or BatchNormalization; others tell nothing.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        As it came: conversion folds such layers.
    x : (n_samples, ...) array
    name : str
        What ``x`` is.

    Raises
    ------
    DataError
        Naming the layer, its values and the remedy.
    """
    for layer in layers.first:
        if layer.kind in LEAST_SPREAD:
            _check_behind(layer, x, name)


def _check_behind(layer, x, name):
    found = _standardisation(layer)
    if found is None or any(part.size not in (1, x.shape[-1]) for part in found):
        return
    mean, deviation = found
    least, largest = range_of(x)
    axes = tuple(range(x.ndim - 1))
    # uint8 would wrap around
    spreads = x.max(axes).astype(float) - x.min(axes).astype(float)
    spread = float((spreads / deviation).max())
    told = f"{name}: values from {least:.4g} to {largest:.4g}"
    if 0 < spread < LEAST_SPREAD[layer.kind]:
        raise DataError(
            f"{told} differ by {spread:.2g} after layer '{layer.name}' ({layer.kind}, "
            f"{_told(layer)}): the model rescales its input itself; give the images as they were "
            "before any rescaling, often 0..255"
        )
    if layer.kind == "Rescaling":
        return
    some = x[:: -(-len(x) // 256)]
    off = float(np.percentile(np.abs(some - mean) / deviation, 99))
    if off > FARTHEST:
        raise DataError(
            f"{told} are up to {off:.3g} standard deviations away from the mean of layer "
            f"'{layer.name}' ({layer.kind}, {_told(layer)}): the model was trained on samples of "
            "another range, often 0..1; rescale these as they were"
        )


def _standardisation(layer):
    """What a layer takes off and divides by, per channel; None if that says nothing of its data."""
    if layer.kind == "Rescaling":
        scale = np.abs(np.ravel(layer.config["scale"]).astype(float))
        with np.errstate(divide="ignore"):
            return np.zeros(1), 1 / scale
    if layer.kind == "BatchNormalization":
        mean, variance = layer.weights[-2:]
        if not mean.any() and (variance == 1).all():  # never trained
            return None
        return mean, np.sqrt(np.maximum(variance, 0) + layer.config["epsilon"])
    if layer.config["invert"]:
        return None
    mean, variance = (np.ravel(value) for value in standardisation(layer).values())
    smallest = stack.tensorflow().keras.backend.epsilon()
    return mean, np.maximum(np.sqrt(variance), smallest)


def _told(layer):
    """The numbers of a first layer, for a message."""
    if layer.kind == "Rescaling":
        return f"scale {layer.config['scale']}"
    mean, deviation = _standardisation(layer)
    return f"mean {_several(mean)}, standard deviation {_several(deviation)}"


def _several(values):
    low, high = f"{values.min():.3g}", f"{values.max():.3g}"
    return low if low == high else f"{low} to {high}"
