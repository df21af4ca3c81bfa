"""Channel maps, ``x * scale + shift`` for each channel, and the weights that take them in."""

import dataclasses

import numpy as np

from nengo_tactile.conversion import support
from nengo_tactile.conversion.pooling import MAX_POOLING

_AVERAGING = (
    "AveragePooling1D",
    "AveragePooling2D",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "Cropping1D",
    "Cropping2D",
    "UpSampling1D",
)


@dataclasses.dataclass(frozen=True)
class ChannelMap:
    """``x * scale + shift`` along the last axis; both (channels,) float64 arrays."""

    scale: np.ndarray
    shift: np.ndarray

    @property
    def is_identity(self):
        """Whether it changes nothing."""
        return bool((self.scale == 1).all()) and not self.shift.any()

    def then(self, other):
        """The map of this one first, the other after it."""
        return ChannelMap(self.scale * other.scale, self.shift * other.scale + other.shift)

    def part_of(self, kind, number, sizes):
        """What input ``number`` of a merging layer gets, for the map to hold behind it.

        Parameters
        ----------
        kind : {"Add", "Subtract", "Average", "Concatenate"}
        number : int
        sizes : list of int
            Channels of each input.
        """
        if kind == "Concatenate":
            first = sum(sizes[:number])
            part = slice(first, first + sizes[number])
            return ChannelMap(self.scale[part], self.shift[part])
        if kind == "Average" or number == 0:
            return self
        return ChannelMap(self.scale, np.zeros_like(self.shift))  # the shift comes in once

    def reshaped(self, shape, other):
        """The same map on data of another shape with the same order of values.

        Parameters
        ----------
        shape, other : tuple of int
            Shapes now and then, without the sample axis.

        Returns
        -------
        ChannelMap or None
            None where positions that become one channel differ.
        """
        scale, shift = (
            np.tile(values, int(np.prod(shape[:-1]))).reshape(-1, other[-1])
            for values in (self.scale, self.shift)
        )
        if (scale != scale[0]).any() or (shift != shift[0]).any():
            return None
        return ChannelMap(scale[0], shift[0])


def commutes(layer, change):
    """Whether a layer gives the same with a channel map before it as with the map behind it.

    Parameters
    ----------
    layer : nengo_tactile.ann.layers.Layer
        Without weights, with one input.
    change : ChannelMap

    Returns
    -------
    bool
    """
    kind = layer.kind
    if not layer.channels_last:
        return False
    if kind in (*support.INACTIVE, *_AVERAGING):  # Keras leaves padding out of averages
        return True
    if kind == "Activation":
        return support.is_linear_activation(layer)
    if kind in MAX_POOLING:
        return bool((change.scale >= 0).all())
    if kind in ("ZeroPadding1D", "ZeroPadding2D"):
        return not change.shift.any()
    if kind == "UpSampling2D":
        return layer.config["interpolation"] in ("nearest", "bilinear")  # averages, too
    return kind == "Permute" and layer.config["dims"][-1] == len(layer.shape)


def with_bias(layer):
    """Weights of a layer as float64 arrays, kernels first, then a bias (zeros without one)."""
    weights = [w.astype(float) for w in layer.weights]
    return weights if layer.config["use_bias"] else [*weights, np.zeros(layer.shape[-1])]


def scale_outputs(layer, weights, change):
    """Weights with which a linear layer gives ``change`` of what it gave.

    Parameters
    ----------
    layer : nengo_tactile.ann.layers.Layer
        Conv, DepthwiseConv, SeparableConv, ConvTranspose or Dense.
    weights : list of arrays
        From `with_bias`.
    change : ChannelMap

    Returns
    -------
    list of arrays
    """
    *first, kernel, bias = weights
    kind = layer.kind
    if kind.startswith("Depthwise"):  # output channel c * multiplier + m
        scale = change.scale.reshape(kernel.shape[-2:])
    elif kind.endswith("Transpose"):  # (..., outputs, inputs)
        scale = change.scale[:, None]
    else:
        scale = change.scale
    return [*first, kernel * scale, bias * change.scale + change.shift]


def scale_inputs(layer, weights, change):
    """Weights with which a layer gives on ``x`` what it gave on ``change`` of ``x``.

    Parameters
    ----------
    layer, weights, change :
        As in `scale_outputs`; the layer may have an activation.

    Returns
    -------
    list of arrays or None
        None where windows overhang the input, whose border would have to be shifted too.
    """
    kernel, *pointwise, bias = weights
    kind = layer.kind
    shifted = bool(change.shift.any())
    if kind.endswith("Transpose"):
        return None if shifted else [kernel * change.scale, bias]
    if kind == "Dense":
        return [kernel * change.scale[:, None], bias + change.shift @ kernel]
    if shifted and _overhangs(layer):
        return None
    window = tuple(range(kernel.ndim - 2))
    if kind.startswith(("Depthwise", "Separable")):
        constant = (kernel.sum(window) * change.shift[:, None]).reshape(-1)
        if pointwise:
            constant = constant @ pointwise[0].reshape(len(constant), -1)
        return [kernel * change.scale[:, None], *pointwise, bias + constant]
    # filter f reads the channels of group f // (filters / groups)
    groups = layer.config["groups"]
    scale, shift = (
        np.repeat(v.reshape(groups, -1).T, kernel.shape[-1] // groups, axis=1)
        for v in (change.scale, change.shift)
    )
    return [kernel * scale, bias + (kernel.sum(window) * shift).sum(0)]


def _overhangs(layer):
    """Whether a convolution's windows reach beyond its input's border."""
    config = layer.config
    if config["padding"] == "valid":
        return False
    sides = (config[name] for name in ("kernel_size", "strides", "dilation_rate"))
    for n, size, step, dilation in zip(layer.input_shapes[0], *sides):
        reach = (size - 1) * dilation + 1
        n_windows = -(-n // step)
        if config["padding"] == "causal":
            return reach > 1
        if (n_windows - 1) * step + reach > n:
            return True
    return False
