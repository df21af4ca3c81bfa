"""The windows of max pooling, as indices into its input."""

import math

import numpy as np

from nengo_tactile.errors import ConversionError


def window_indices(input_shape, pool_size, strides=None, padding="valid"):
    """Which inputs each pooling window holds.

    Parameters
    ----------
    input_shape : tuple of int
        (..., channels): one or more axes to pool over, channels last.
    pool_size : sequence of int
        Inputs along each axis but the channels'.
    strides : sequence of int, optional
        The pool size by default.
    padding : {"valid", "same"}
        As in TensorFlow. A window that reaches beyond the border holds inputs at the border
        more than once, which does not change their maximum.

    Returns
    -------
    (n_windows, window) int array
        Indices into the input, flattened in C order; windows in the order of the pooled output,
        flattened likewise. Slots within a window are in C order too.

    Raises
    ------
    ConversionError
        If sizes do not fit each other.
    """
    *lengths, channels = input_shape
    pool_size = tuple(pool_size)
    strides = pool_size if strides is None else tuple(strides)
    for name, values in (("pool_size", pool_size), ("strides", strides)):
        if len(values) != len(lengths) or min(values) < 1:
            raise ConversionError(
                f"max pooling: {name} {values} for input of shape {tuple(input_shape)}: give "
                f"{len(lengths)} whole numbers of at least 1"
            )
    positions = [
        _positions(*axis, padding) for axis in zip(lengths, pool_size, strides)
    ]  # each (n_windows, window) along its axis
    index = np.arange(math.prod(input_shape)).reshape(input_shape)
    index = index[np.ix_(*(p.ravel() for p in positions))]
    index = index.reshape(*(n for p in positions for n in p.shape), channels)
    n_axes = len(lengths)
    outer = [*range(0, 2 * n_axes, 2), 2 * n_axes]
    index = index.transpose(*outer, *range(1, 2 * n_axes, 2))
    return index.reshape(-1, math.prod(pool_size))


def _positions(length, size, stride, padding):
    if padding == "valid":
        count, first = (length - size) // stride + 1, 0
        if count < 1:
            raise ConversionError(
                f"max pooling: a window of {size} does not fit into {length} inputs: choose a "
                "smaller pool_size, or padding 'same'"
            )
    elif padding == "same":
        count = -(-length // stride)
        first = -(max((count - 1) * stride + size - length, 0) // 2)
    else:
        raise ConversionError(f"max pooling: padding is {padding!r}: choose 'valid' or 'same'")
    starts = first + stride * np.arange(count)
    return np.clip(starts[:, None] + np.arange(size), 0, length - 1)
