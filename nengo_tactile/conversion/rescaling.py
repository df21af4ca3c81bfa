"""Changing units: factors in the weights of a layer, or as a layer of their own."""

import numpy as np

from nengo_tactile.ann.layers import layer


def per_channel(unit):
    """The (channels,) values of an array that is the same at every position, else None."""
    flat = unit.reshape(-1, unit.shape[-1])
    return flat[0] if (flat == flat[:1]).all() else None


def rescaled_weights(layer, unit_in, unit_out):
    """Weights that compute the same in other units.

    Parameters
    ----------
    layer : nengo_tactile.ann.layers.Layer
        Dense, or a convolution of any kind.
    unit_in : (n_in,) array or None
        What counts as 1 in each input channel; None leaves the kernel as it is.
    unit_out : (n_out,) array
        What counts as 1 in each output channel.

    Returns
    -------
    list of array
        In the order of ``layer.weights``: ``kernel * unit_in / unit_out``,
        ``bias / unit_out`` (Spiking ResNet paper, section 3.1).
    """
    kind = layer.kind
    kernels = [np.asarray(weight, float) for weight in layer.weights]
    bias = [kernels.pop() / unit_out] if layer.config["use_bias"] else []
    if unit_in is not None:
        first, last = kernels[0], kernels[-1]
        if kind.startswith(("Depthwise", "Separable")):
            kernels[0] = first * np.reshape(unit_in, (-1, 1))  # (..., channels, multiplier)
        elif kind.endswith("Transpose"):
            kernels[0] = first * unit_in  # (..., filters, channels)
        else:
            groups = layer.config.get("groups", 1)  # a filter reads the channels of its group
            factor = np.reshape(unit_in, (groups, -1)).T
            kernels[0] = first * np.repeat(factor, last.shape[-1] // groups, axis=1)
        last = kernels[-1]
        if kind.startswith("Depthwise"):
            kernels[-1] = last / np.reshape(unit_out, last.shape[-2:])
        elif kind.endswith("Transpose"):
            kernels[-1] = last / np.reshape(unit_out, (-1, 1))
        else:
            kernels[-1] = last / unit_out
    return [weight.astype(np.float32) for weight in (*kernels, *bias)]


def rescale(x, factor, name, names=str):
    """Layers that multiply the output of one by constants; a 1 x 1 `DepthwiseConv2D` does it.

    Parameters
    ----------
    x : nengo_tactile.ann.layers.Layer
    factor : array of the shape of a sample
        Where it differs between positions, every value becomes a channel of its own.
    name : str
    names : callable, optional
        Gives free names: see `nengo_tactile.ann.layers.Layers.names`.

    Returns
    -------
    list of Layer
        In order; the last gives the product.
    """
    name = names(name)
    shape = factor.shape
    factors = per_channel(factor)
    factors = factor.ravel() if factors is None else factors
    as_map = shape if len(shape) == 3 and len(factors) == shape[-1] else (-1, 1, len(factors))
    made = [x]
    if as_map != shape:
        made.append(layer("Reshape", names(f"{name}_map"), [x], target_shape=as_map))
    weights = [np.reshape(factors, (1, 1, -1, 1))]
    made.append(layer("DepthwiseConv2D", name, made[-1:], weights, kernel_size=1, use_bias=False))
    if as_map != shape:
        made.append(layer("Reshape", names(f"{name}_back"), made[-1:], target_shape=shape))
    return made[1:]
