"""Links as runs of weights: what the spike of a neuron adds where.

A source neuron ``i`` belongs to the pixel ``i // channels`` and has the channel ``i % channels``.
Its spike adds, for every run of its pixel, ``length`` consecutive weights of its channel's row to
as many consecutive targets. Of a convolution, the outputs that lie side by side and all their
filters make one run.
"""

import dataclasses

import numpy as np

from nengo_tactile.conversion import linear_maps as maps
from nengo_tactile.errors import EngineError


@dataclasses.dataclass(frozen=True)
class Runs:
    """A link.

    Attributes
    ----------
    weights : (channels, row) float32 array
    pointers : (n_pixels + 1,) int array
        Runs of each pixel: from ``pointers[p]`` to ``pointers[p + 1]``.
    targets, offsets, lengths : (n_runs,) int arrays
        First target, first weight in the row, and number of both.
    shifts : (channels,) int array or None
        What a channel adds to its targets' numbers.
    """

    weights: np.ndarray
    pointers: np.ndarray
    targets: np.ndarray
    offsets: np.ndarray
    lengths: np.ndarray
    shifts: np.ndarray | None = None


def runs_of(link, gain):
    """The runs of a link, its weights times ``gain``.

    Parameters
    ----------
    link : nengo_tactile.conversion.stages.Link
    gain : float

    Returns
    -------
    Runs
    """
    linear, target = link.map, link.target
    if isinstance(linear, maps.Convolution | maps.TransposedConvolution):
        return _kernel(linear, np.float32(gain), target)
    if isinstance(linear, maps.Dense):
        weights = linear.kernel * np.float32(gain)
        filters = weights.shape[1]
        return _from_taps(weights[:, None], np.zeros((1, 1), np.int64), filters, target)
    if isinstance(linear, maps.Diagonal):
        return _one_each(linear.weights * np.float32(gain), target)
    if isinstance(linear, maps.Routing):
        factor = np.float32(linear.factor * float(gain))
        if linear.indices is None:
            return _one_each(np.full(linear.n_in, factor, np.float32), target)
        places = np.arange(len(linear.indices)) if target is None else target
        return _entries(
            linear.indices, places, np.full(len(places), factor, np.float32), linear.n_in
        )
    if isinstance(linear, maps.Sparse):
        matrix = (linear.matrix * np.float32(gain)).tocoo()
        places = matrix.row if target is None else target[matrix.row]
        return _entries(matrix.col, places, matrix.data.astype(np.float32), linear.n_in)
    raise EngineError(
        f"what comes from '{link.source}' is a {type(linear).__name__}, which the event engine "
        "does not know: use engine='nengo-dl'"
    )


def _one_each(weights, target):
    """A weight and a target for each source neuron."""
    shifts = np.arange(len(weights)) if target is None else target
    zero = np.zeros(1, np.int64)
    weights = np.ascontiguousarray(weights, np.float32)[:, None]
    return Runs(weights, np.array([0, 1]), zero, zero, zero + 1, shifts)


def _entries(sources, targets, weights, n_in):
    """Weights one by one, each with its source and target."""
    order = np.argsort(sources, kind="stable")
    pointers = np.searchsorted(sources[order], np.arange(n_in + 1))
    ones = np.ones(len(order), np.int64)
    return Runs(weights[order][None], pointers, targets[order], np.arange(len(order)), ones)


def _kernel(linear, gain, target):
    """Runs of a convolution or its transpose."""
    kernel = linear.kernel * gain
    *sides, channels, filters = kernel.shape
    reaches = [
        _reach(linear, axis, side) for axis, side in enumerate(sides)
    ]  # each (taps, n_in) along its axis, -1 where a tap falls outside
    orders = [_neighbours_last(reach, linear, axis) for axis, reach in enumerate(reaches)]
    kernel = kernel[np.ix_(*orders)].reshape(-1, channels, filters)
    reaches = [reach[order] for reach, order in zip(reaches, orders)]
    pixels = reaches[0]
    for reach, size in zip(reaches[1:], linear.output_shape[1:-1]):
        inside = (pixels[:, None, :, None] >= 0) & (reach[None, :, None] >= 0)
        both = np.where(inside, pixels[:, None, :, None] * size + reach[None, :, None], -1)
        pixels = both.reshape(len(pixels) * len(reach), -1)
    used = kernel.any(axis=(1, 2))  # dilated kernels have zeros in between
    kernel, pixels = kernel[used], pixels[used].T
    block = _groups(kernel)
    if block is None:
        return _from_taps(kernel.swapaxes(0, 1), pixels, filters, target)
    first, width = block
    columns = first[None, :, None] + np.arange(width)
    kernel = np.take_along_axis(kernel, columns, axis=2).swapaxes(0, 1)
    return _from_taps(kernel, pixels, filters, target, first)


def _groups(kernel):
    """First filter and number of filters that each channel reaches, if these are fewer than all.

    Returns
    -------
    ((channels,) array, int), or None where a channel reaches more than half of the filters
    """
    filters = kernel.shape[-1]
    used = kernel.any(axis=0)
    used[:, 0] |= ~used.any(axis=1)  # a channel without weights
    first, last = used.argmax(axis=1), filters - used[:, ::-1].argmax(axis=1)
    width = int((last - first).max())
    if 2 * width > filters:
        return None
    return np.minimum(first, filters - width), width


def _reach(linear, axis, side):
    """Output position of each kernel position and input position along an axis, (side, n_in)."""
    n_in, n_out = linear.input_shape[axis], linear.output_shape[axis]
    stride = linear.strides[axis]
    tap, place = np.arange(side)[:, None], np.arange(n_in)[None]
    if isinstance(linear, maps.TransposedConvolution):
        before = max((n_in - 1) * stride + side - n_out, 0) // 2 if linear.padding == "same" else 0
        out = place * stride + tap - before
        fits = (out >= 0) & (out < n_out)
    else:
        before = max((n_out - 1) * stride + side - n_in, 0) // 2 if linear.padding == "same" else 0
        out = place + before - tap
        fits = (out >= 0) & (out % stride == 0) & (out < n_out * stride)
        out = out // stride
    return np.where(fits, out, -1)


def _neighbours_last(reach, linear, axis):
    """Order of the kernel positions in which neighbouring outputs follow one another."""
    taps = np.arange(len(reach))
    if isinstance(linear, maps.TransposedConvolution):
        return taps
    return np.lexsort((-taps, taps % linear.strides[axis]))


def _from_taps(weights, pixels, filters, target, first=None):
    """Runs of a map that is the same at all pixels.

    Parameters
    ----------
    weights : (channels, taps, width) array
    pixels : (n_pixels, taps) int array
        Output pixel of each tap, -1 for none.
    filters : int
        Filters of an output pixel.
    target : (n_out,) int array or None
        Where outputs go to, if not all to their own number.
    first : (channels,) int array, optional
        First filter that a channel reaches, where it reaches ``width`` of them.
    """
    channels, taps, width = weights.shape
    shifts = first
    if target is not None:
        by_pixel = target.reshape(-1, filters)
        if (np.diff(by_pixel, axis=1) != 1).any():
            return _scattered(weights, pixels, filters, target, first)
        places = np.where(pixels >= 0, by_pixel[pixels, 0], -1)
    else:
        places = np.where(pixels >= 0, pixels * filters, -1)
    exists = places >= 0
    joined = np.zeros_like(exists)  # continues the run of the tap before
    if first is None:
        joined[:, 1:] = exists[:, 1:] & exists[:, :-1] & (np.diff(places, axis=1) == width)
    begins = exists & ~joined
    counts = begins.sum(axis=1)
    pointers = np.concatenate([[0], np.cumsum(counts)])
    run = np.cumsum(begins.ravel()) - 1
    lengths = np.bincount(run[exists.ravel()], minlength=pointers[-1]) * width
    offsets = np.broadcast_to(np.arange(taps) * width, places.shape)[begins]
    weights = np.ascontiguousarray(weights.reshape(channels, taps * width), np.float32)
    return Runs(weights, pointers, places[begins], offsets, lengths, shifts)


def _scattered(weights, pixels, filters, target, first):
    """Weights one by one, for targets that do not lie side by side."""
    channels, _, width = weights.shape
    first = np.zeros(channels, np.int64) if first is None else first
    pixel, tap = np.nonzero(pixels >= 0)
    shape = (len(pixel), channels, width)
    out = pixels[pixel, tap][:, None, None] * filters + first[:, None] + np.arange(width)
    sources = pixel[:, None, None] * channels + np.arange(channels)[:, None]
    values = weights[:, tap].swapaxes(0, 1)
    sources, out = np.broadcast_to(sources, shape).ravel(), np.broadcast_to(out, shape).ravel()
    return _entries(sources, target[out], values.ravel().astype(np.float32), len(pixels) * channels)
