"""From Keras layers without nonlinearity to the linear maps they compute."""

import numpy as np
import scipy.sparse

from nengo_tactile import stack
from nengo_tactile.errors import ConversionError
from nengo_tactile.networks.linear_maps import Convolution, Sparse, same_padding


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
    Convolution or Sparse

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
        return Convolution.matrix_of(kernel)
    # applied to the last axis: a convolution with windows of one pixel
    *size, channels = input_shape
    flat = (int(np.prod(size)), 1, channels)
    return Convolution(kernel[None, None], flat, (*flat[:2], kernel.shape[1]))


def _convolution(layer, input_shape, output_shape):
    kernel, dilation = layer.kernel.numpy(), _each_axis(layer.dilation_rate, input_shape)
    return _padded(layer, kernel, input_shape, output_shape, dilation, layer.groups)


def _depthwise(layer, input_shape, output_shape):
    kernel = layer.depthwise_kernel.numpy()
    *sides, channels, multiplier = kernel.shape
    if multiplier == 1 and all(n == 1 for n in (*sides, *_each_axis(layer.strides, input_shape))):
        return _one_each(kernel.reshape(channels), input_shape)
    kernel = kernel.reshape(*sides, 1, channels * multiplier)
    dilation = _each_axis(layer.dilation_rate, input_shape)
    return _padded(layer, kernel, input_shape, output_shape, dilation, channels)


def _transposed(layer, input_shape, output_shape):
    kernel = layer.kernel.numpy().swapaxes(-1, -2)  # Keras has the filters first
    return _padded(layer, kernel, input_shape, output_shape, transposed=True)


def _padded(layer, kernel, input_shape, output_shape, dilation=(), groups=1, transposed=False):
    """A convolution with the padding that a layer's word stands for."""
    strides = _each_axis(layer.strides, input_shape)
    padding = ()
    if layer.padding == "same":
        steps = dilation or (1,) * len(strides)
        sides = [(side - 1) * step + 1 for side, step in zip(kernel.shape, steps)]
        shapes = (output_shape, input_shape) if transposed else (input_shape, output_shape)
        padding = same_padding(*shapes, sides, strides)
    return Convolution(
        kernel, input_shape, output_shape, strides, padding, dilation, groups, transposed
    )


def _each_axis(numbers, shape):
    """Numbers for each axis of a shape with channels, of which Keras may give one for all."""
    given = tuple(numbers) if isinstance(numbers, (tuple, list)) else (numbers,)
    return given * (len(shape) - 1) if len(given) == 1 else given


def _channelwise(layer, input_shape, output_shape):
    return Sparse(channelwise_matrix(layer, input_shape))


def _rescaling(layer, input_shape, output_shape):
    return _one_each(np.asarray(layer.scale, np.float32), input_shape)


def _one_each(weights, shape):
    return Convolution.diagonal_of(np.broadcast_to(weights, shape).reshape(-1))


def channelwise_matrix(layer, input_shape):
    """The matrix of a layer that treats each channel alike: average pooling, interpolation.

    Parameters
    ----------
    layer : tf.keras.layers.Layer
        Linear, without weights.
    input_shape : tuple of int
        (size..., channels).

    Returns
    -------
    scipy.sparse.csr_matrix of shape (n_out, n_in)
    """
    *size, channels = input_shape
    n_pixels = int(np.prod(size))
    columns, chunk = [], 1024
    for start in range(0, n_pixels, chunk):
        n = min(chunk, n_pixels - start)
        images = np.zeros((n, n_pixels, 1), np.float32)
        images[np.arange(n), start + np.arange(n)] = 1
        response = np.asarray(layer(images.reshape(n, *size, 1))).reshape(n, -1)
        columns.append(scipy.sparse.csr_matrix(response).T)
    matrix = scipy.sparse.hstack(columns)
    return scipy.sparse.kron(matrix, scipy.sparse.identity(channels, np.float32)).tocsr()


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
