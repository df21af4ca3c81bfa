"""From layers without nonlinearity to the linear maps they compute, and the windows of others."""

import numpy as np
import scipy.sparse

from nengo_tactile import stack
from nengo_tactile.errors import ConversionError
from nengo_tactile.networks.linear_maps import Convolution, Sparse, same_padding
from nengo_tactile.neurons.windows import window_indices


def linear_map(layer):
    """The map of a layer, without its bias.

    Parameters
    ----------
    layer : nengo_tactile.ann.layers.Layer
        Without activation.

    Returns
    -------
    Convolution or Sparse

    Raises
    ------
    ConversionError
        If the layer is not linear, or of a kind that is not known.
    """
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
    if layer.kind not in makers:
        raise ConversionError(
            f"{layer.label}: is no linear layer and no layer of neurons; use a "
            "ReLU for activations, and layers that `nengo_tactile.check` lists for the rest"
        )
    return makers[layer.kind](layer)


def _dense(layer):
    kernel = layer.weights[0]
    if len(layer.shape) == 1:
        return Convolution.matrix_of(kernel)
    # applied to the last axis: a convolution with windows of one pixel
    *size, channels = layer.input_shapes[0]
    flat = (int(np.prod(size)), 1, channels)
    return Convolution(kernel[None, None], flat, (*flat[:2], kernel.shape[1]))


def _convolution(layer):
    kernel, dilation = layer.weights[0], _each_axis(layer, "dilation_rate")
    return _padded(layer, kernel, dilation, layer.config["groups"])


def _depthwise(layer):
    kernel, dilation = layer.weights[0], _each_axis(layer, "dilation_rate")
    *sides, channels, multiplier = kernel.shape
    if multiplier == 1 and all(n == 1 for n in (*sides, *_each_axis(layer, "strides"))):
        return Convolution.diagonal_of(_one_each(kernel.reshape(channels), layer.shape))
    return _padded(layer, kernel.reshape(*sides, 1, channels * multiplier), dilation, channels)


def _transposed(layer):
    kernel = layer.weights[0].swapaxes(-1, -2)  # Keras has the filters first
    return _padded(layer, kernel, transposed=True)


def _padded(layer, kernel, dilation=(), groups=1, transposed=False):
    """A convolution with the padding that a layer's word stands for."""
    (before,), after, strides = layer.input_shapes, layer.shape, _each_axis(layer, "strides")
    padding = ()
    if layer.config["padding"] == "same":
        steps = dilation or (1,) * len(strides)
        sides = [(side - 1) * step + 1 for side, step in zip(kernel.shape, steps)]
        shapes = (after, before) if transposed else (before, after)
        padding = same_padding(*shapes, sides, strides)
    return Convolution(kernel, before, after, strides, padding, dilation, groups, transposed)


def _each_axis(layer, setting):
    """Numbers for each axis that a layer goes along, of which Keras may give one for all."""
    numbers = layer.config[setting]
    given = tuple(numbers) if isinstance(numbers, (tuple, list)) else (numbers,)
    return given * (len(layer.shape) - 1) if len(given) == 1 else given


def _channelwise(layer):
    return Sparse(channelwise_matrix(layer))


def _rescaling(layer):
    scale = np.asarray(layer.config["scale"], np.float32)
    return Convolution.diagonal_of(_one_each(scale, layer.shape))


def _one_each(weights, shape):
    return np.broadcast_to(weights, shape).reshape(-1)


def channelwise_matrix(layer):
    """The matrix of a layer that treats each channel alike: average pooling, interpolation.

    Parameters
    ----------
    layer : nengo_tactile.ann.layers.Layer
        Linear, without weights, of an input of shape (size..., channels).

    Returns
    -------
    scipy.sparse.csr_matrix of shape (n_out, n_in)
    """
    *size, channels = layer.input_shapes[0]
    n_pixels = int(np.prod(size))
    columns, chunk = [], 1024
    for start in range(0, n_pixels, chunk):
        n = min(chunk, n_pixels - start)
        images = np.zeros((n, n_pixels, 1), np.float32)
        images[np.arange(n), start + np.arange(n)] = 1
        response = np.asarray(layer.keras(images.reshape(n, *size, 1))).reshape(n, -1)
        columns.append(scipy.sparse.csr_matrix(response).T)
    matrix = scipy.sparse.hstack(columns)
    return scipy.sparse.kron(matrix, scipy.sparse.identity(channels, np.float32)).tocsr()


def routing_indices(layer):
    """Which input each output of a layer copies (cropping, permuting, repeating).

    Returns
    -------
    (n_out,) int array
    """
    tf = stack.tensorflow()
    (shape,) = layer.input_shapes
    n = int(np.prod(shape))
    # float32 holds whole numbers up to 2**24 exactly; larger layers go through two passes
    numbers = np.arange(n)
    low, high = (
        np.rint(layer([tf.constant(part.reshape(1, *shape), tf.float32)])).astype(np.int64)
        for part in (numbers % 4096, numbers // 4096)
    )
    return (low + 4096 * high).reshape(-1)


def pooling_windows(layer):
    """Which inputs each window of max pooling holds: see `neurons.windows.window_indices`.

    Parameters
    ----------
    layer : nengo_tactile.ann.layers.Layer
        MaxPooling1D, MaxPooling2D, GlobalMaxPooling1D or GlobalMaxPooling2D.

    Returns
    -------
    (n_windows, window) int array

    Raises
    ------
    ConversionError
        If the layer's channels are not last, or its sizes do not fit the input.
    """
    (shape,), config = layer.input_shapes, layer.config
    if not layer.channels_last:
        raise ConversionError(
            f"{layer.label}: data_format is {config['data_format']!r}; rebuild the model with "
            "channels_last"
        )
    if layer.kind.startswith("Global"):
        return window_indices(shape, shape[:-1])
    sizes = (config[name] for name in ("pool_size", "strides", "padding"))
    try:
        return window_indices(shape, *sizes)
    except ConversionError as error:
        raise ConversionError(f"{layer.label}: {error}") from None
