"""Links as runs of weights: what the spike of a neuron adds where.

A source neuron ``i`` belongs to the pixel ``i // channels`` and has the channel ``i % channels``.
Its spike adds, for every run of its pixel, ``length`` consecutive weights of its channel's row to
as many consecutive targets. Of a convolution, the outputs that lie side by side and all their
filters make one run.
"""

import dataclasses
import functools

import numpy as np

from nengo_tactile.networks.linear_maps import Convolution, Sparse


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

    @property
    def ahead(self):
        """Target of the first neuron, where each has one and these follow one another, else -1."""
        alone = len(self.pointers) == 2 and self.weights.shape[1] == 1 and self.shifts is not None
        return int(self.shifts[0]) if alone and (np.diff(self.shifts) == 1).all() else -1


def runs_of(link):
    """The runs of a link.

    Parameters
    ----------
    link : nengo_tactile.networks.stages.Link

    Returns
    -------
    Runs
    """
    if link.map.diagonal is not None:
        return _one_each(link.map.diagonal, link.target)
    return _runs(link.map, link.target)


@functools.singledispatch
def _runs(linear, target):
    raise NotImplementedError(type(linear))


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


@_runs.register
def _(linear: Sparse, target):
    matrix = linear.weights.tocoo()
    places = matrix.row if target is None else target[matrix.row]
    return _entries(matrix.col, places, matrix.data.astype(np.float32), linear.n_in)


@_runs.register
def _(linear: Convolution, target):
    inputs, filters = linear.kernel.shape[-2:]
    pixels = np.zeros((1, 1), np.int64)  # output of each tap and input
    orders = []
    for axis, size in enumerate(linear.output_shape[:-1]):
        orders.append(_neighbours_last(linear, axis))
        reach = linear.reach(axis)[orders[-1]]
        inside = (pixels[:, None, :, None] >= 0) & (reach[None, :, None] >= 0)
        both = np.where(inside, pixels[:, None, :, None] * size + reach[None, :, None], -1)
        pixels = both.reshape(len(pixels) * len(reach), -1)
    kernel, groups = linear.kernel[np.ix_(*orders)] if orders else linear.kernel, linear.groups
    width = filters // groups
    # what a channel reaches: the filters of its group
    kernel = kernel.reshape(-1, inputs, groups, width).transpose(2, 1, 0, 3)
    kernel = kernel.reshape(groups * inputs, -1, width)
    first = None if groups == 1 else np.repeat(np.arange(groups) * width, inputs)
    return _from_taps(kernel, pixels.T, filters, target, first)


def _neighbours_last(linear, axis):
    """Order of the kernel positions in which neighbouring outputs follow one another."""
    taps = np.arange(linear.sides[axis]) * linear.dilation[axis]
    if linear.transposed:
        return np.arange(len(taps))
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
