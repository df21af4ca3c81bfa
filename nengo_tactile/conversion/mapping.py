"""From Keras layers without nonlinearity to the linear maps they compute."""

import numpy as np

from nengo_tactile import stack
from nengo_tactile.conversion import linear_maps as maps
from nengo_tactile.errors import ConversionError


def linear_map(layer, input_shape, output_shape):
    """The map of a Keras layer, without its bias.

    Parameters
    ----------
    layer : tf.keras.layers.Layer
        Without activation.
    input_shape, output_shape : tuple of int
        Without the sample axis.

    Returns
    -------
    Dense, Diagonal, Convolution, TransposedConvolution, Sparse or Routing

    Raises
    ------
    ConversionError
        If the layer is not linear, or of a kind that is not known.
    """
    kind = type(layer).__name__
    makers = {
        "Dense": _dense,
        "Conv1D": _convolution,
        "Conv2D": _convolution,
        "DepthwiseConv1D": _depthwise,
        "DepthwiseConv2D": _depthwise,
        "Conv1DTranspose": _transposed,
        "Conv2DTranspose": _transposed,
        "AveragePooling1D": _channelwise,
        "AveragePooling2D": _channelwise,
        "GlobalAveragePooling1D": _channelwise,
        "GlobalAveragePooling2D": _channelwise,
        "UpSampling2D": _channelwise,  # what interpolates
        "Rescaling": _rescaling,
    }
    if kind not in makers:
        raise ConversionError(
            f"layer '{layer.name}' ({kind}): is no linear layer and no layer of neurons; use a "
            "ReLU for activations, and layers that `nengo_tactile.check` lists for the rest"
        )
    return makers[kind](layer, tuple(input_shape), tuple(output_shape))


def _dense(layer, input_shape, output_shape):
    kernel = layer.kernel.numpy()
    if len(input_shape) == 1:
        return maps.Dense(kernel)
    # applied to the last axis: a convolution with windows of one pixel
    *size, channels = input_shape
    flat = (int(np.prod(size)), 1, channels)
    return maps.Convolution(kernel[None, None], (1, 1), "valid", flat, (*flat[:2], kernel.shape[1]))


def _convolution(layer, input_shape, output_shape):
    kernel = _dilate(layer.kernel.numpy(), layer.dilation_rate)
    if layer.groups > 1:
        kernel = _ungroup(kernel, layer.groups)
    return maps.Convolution(kernel, tuple(layer.strides), layer.padding, input_shape, output_shape)


def _depthwise(layer, input_shape, output_shape):
    kernel = layer.depthwise_kernel.numpy()
    *sides, channels, multiplier = kernel.shape
    strides = layer.strides
    strides = tuple(strides) if isinstance(strides, (tuple, list)) else (strides,) * len(sides)
    if multiplier == 1 and all(n == 1 for n in (*sides, *strides)):
        weights = np.broadcast_to(kernel.reshape(channels), input_shape)
        return maps.Diagonal(weights.reshape(-1), input_shape)
    full = np.zeros((*sides, channels, channels, multiplier), kernel.dtype)
    index = np.arange(channels)
    full[..., index, index, :] = kernel
    full = full.reshape(*sides, channels, channels * multiplier)
    return maps.Convolution(
        _dilate(full, layer.dilation_rate), strides, layer.padding, input_shape, output_shape
    )


def _transposed(layer, input_shape, output_shape):
    kernel = layer.kernel.numpy().swapaxes(-1, -2)  # Keras has the filters first
    return maps.TransposedConvolution(
        kernel, tuple(layer.strides), layer.padding, input_shape, output_shape
    )


def _channelwise(layer, input_shape, output_shape):
    return maps.Sparse(maps.channelwise_matrix(layer, input_shape))


def _rescaling(layer, input_shape, output_shape):
    weights = np.broadcast_to(np.asarray(layer.scale, np.float32), input_shape)
    return maps.Diagonal(weights.reshape(-1), input_shape)


def _dilate(kernel, rates):
    """The kernel with zeros between its entries."""
    rates = tuple(rates) if isinstance(rates, (tuple, list)) else (rates,) * (kernel.ndim - 2)
    if all(rate == 1 for rate in rates):
        return kernel
    sides = [(k - 1) * r + 1 for k, r in zip(kernel.shape, rates)]
    wide = np.zeros((*sides, *kernel.shape[-2:]), kernel.dtype)
    wide[tuple(slice(None, None, rate) for rate in rates)] = kernel
    return wide


def _ungroup(kernel, groups):
    """One kernel over all inputs, zero where a filter does not see them."""
    per_group, n_filters = kernel.shape[-2:]
    full = np.zeros((*kernel.shape[:-2], per_group * groups, n_filters), kernel.dtype)
    step = n_filters // groups
    for group in range(groups):
        inputs = slice(group * per_group, (group + 1) * per_group)
        filters = slice(group * step, (group + 1) * step)
        full[..., inputs, filters] = kernel[..., filters]
    return full


def routing_indices(layer, input_shape):
    """Which input each output of a layer copies (cropping, permuting, repeating).

    Returns
    -------
    (n_out,) int array
    """
    tf = stack.tensorflow()
    n = int(np.prod(input_shape))
    # float32 holds whole numbers up to 2**24 exactly; larger layers go through two passes
    numbers = np.arange(n)
    low = layer(tf.constant((numbers % 4096).reshape(1, *input_shape), tf.float32)).numpy()
    high = layer(tf.constant((numbers // 4096).reshape(1, *input_shape), tf.float32)).numpy()
    return (np.rint(low).astype(np.int64) + 4096 * np.rint(high).astype(np.int64)).reshape(-1)
