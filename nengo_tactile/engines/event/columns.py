"""Links as slides: convolutions, dense layers too, as `slides.slide_down` takes them.

A kernel of many rows, or one that moves by several, is put together of parts that slide by
themselves: of the rows that meet the same rows of input, at most three at a time. So is a
transposed convolution, of the outputs that lie a stride apart. Filters are cut
into tiles of vectors; what the last of these have too much are zeros, which change nothing of what
lies behind.

Weights of 8 bits are found in their values: whole numbers times a scale for each filter. Sums of
whole numbers are exact, in whichever order, and of 16 bits where they fit in all cases.
"""

import functools
import itertools
from collections import namedtuple

import numpy as np

from nengo_tactile.engines.event.slides import NARROW_LANES, SHAPES
from nengo_tactile.lanes import LANES
from nengo_tactile.networks.linear_maps import Convolution

#: Of each slide: the stage it comes from; its channels, and where the table of its pixels begins
#: behind the stage's events; its shape, where its weights begin, whether they and their sums are
#: whole numbers, and where their scales begin; first target, and from one
#: row and column to the next; columns of outputs, the columns of events from one to the next, that
#: of the first and how many the kernel covers; columns of events in all; rows of the slide, the row
#: of events that the first is, how many from one to the next, and rows of outputs; standard
#: deviations of the number of events in a row by which more are added than there are on average;
#: events up to which it is used, if the link is a product too.
#: Last, the weights of all, whole numbers apart, and scales.
Slides = namedtuple(
    "Slides",
    "source channels table shape weight narrow scale goal goal_row goal_column n_columns stride "
    "pad side width first last row row_step n_out spare most weights whole scales",
)

#: Weights that are zero may be so many times those that are not, where groups and dilation are
#: written out.
MOST_ZEROS = 3
#: Filters of columns that are computed side by side: of spikes worth one, and of whole numbers that
#: are multiplied, which are so many that a column is not soon done.
TOGETHER = 32, 64
#: Largest whole number of 8 bits, and largest sum of 16.
BYTE, SUM = 127, 2**15 - 1
#: By how much weights may be off the whole number that they are: rounding.
ROUNDING = 1e-4
#: See ``spare``, by the vectors of a slide: a row too long costs as much as a few events too many.
SPARE = {n: 1.0 if n <= 4 else 0.8 if n <= 6 else 0.0 for n in range(1, 13)}
_MOST_ROWS = max(rows for rows, _ in SHAPES)


@functools.singledispatch
def slides_of(linear, target, worth=None):
    """The slides of a map, or None if it is not one of them.

    Parameters
    ----------
    linear : Map
    target : (n_out,) int array or None
        Where outputs go to, if not all to their own number.
    worth : (int, int) or None
        Least and most that an event is worth, if that is a whole number.

    Returns
    -------
    list of dict
        What `Slides` have, but for the source, its table, and where ``weights`` and ``scales``
        begin.
    """
    return None


@slides_of.register
def _(linear: Convolution, target, worth=None):
    if linear.n_axes > 2 or linear.diagonal is not None:
        return None
    plain = linear.plain()
    if plain.kernel.size > MOST_ZEROS * linear.kernel.size:
        return None
    missing, last = 2 - plain.n_axes, plain.kernel.shape[-2:]
    numbers, scales = whole_of(plain.kernel)
    kernel = numbers.reshape(*plain.sides, *[1] * missing, *last)
    shapes = plain.input_shape, plain.output_shape
    there, here = ((*shape[:-1], *[1] * missing, shape[-1]) for shape in shapes)
    strides, padding = (*plain.strides, 1, 1)[:2], (*plain.padding, 0, 0)[:2]
    goals = np.arange(linear.n_out) if target is None else np.asarray(target)
    goals = goals.reshape(here)
    if kernel.shape[:2] == strides == (1, 1) and there[:2] == here[:2]:
        column = goals.reshape(-1, 1, here[2])
        if regular(column) is not None:  # pixel by pixel, in any order
            goals, there = column, (len(column), 1, there[2])
    parts = [(kernel, goals, strides, padding)]
    if linear.transposed:
        parts = _phases(kernel, goals, strides, padding)
    result = []
    for kernel, goals, strides, padding in parts:
        steps = regular(goals)
        if steps is None:
            return None
        fits = numbers.dtype == np.int8 and worth is not None and _largest(kernel, worth) <= SUM
        each = np.tile(scales, kernel.shape[-1] // len(scales))
        most = TOGETHER[bool(fits) and worth[1] > 1]
        sizes = there, goals.shape, strides, padding, steps
        result += _slides(kernel, each, bool(fits), most, *sizes)
    return result


def _phases(kernel, goals, strides, padding):
    """The convolutions that a transposed one is put together of.

    Outputs that lie a stride apart read neighbouring inputs, with every other weight of the kernel.
    Those of a row are filters of one output where they fill it.

    Yields
    ------
    kernel, goals : arrays
    strides, padding : (int, int)
    """
    (n_rows, n_columns, filters), step = goals.shape, strides[1]
    phases = [[phase] for phase in range(min(step, n_columns))]
    if n_columns % step == 0 and regular(goals.reshape(n_rows, -1, step * filters)) is not None:
        phases = [range(step)]
    for row in range(min(strides[0], n_rows)):
        up = _taps(len(kernel), row, strides[0], padding[0])
        for columns in phases:
            every = [_taps(kernel.shape[1], column, step, padding[1]) for column in columns]
            if not up or not any(every):
                continue
            top, left = min(up), min(min(each) for each in every if each)
            width = 1 + max(max(each) for each in every if each) - left
            sizes = 1 + max(up) - top, width, kernel.shape[2], len(every) * filters
            part = np.zeros(sizes, kernel.dtype)
            for place, each in enumerate(every):
                found = slice(place * filters, (place + 1) * filters)
                for (y, tap), (x, other) in itertools.product(up.items(), each.items()):
                    part[y - top, x - left, :, found] = kernel[tap, other]
            found = goals[row :: strides[0], columns[0] :: 1 if len(every) > 1 else step]
            yield part, found.reshape(len(found), -1, sizes[-1]), (1, 1), (-top, -left)


def _taps(side, phase, stride, padding):
    """Of outputs that lie a stride apart: by the input, from one's own number on, the weight."""
    first = (phase + padding) % stride
    ahead = (phase + padding) // stride
    return {ahead - k: tap for k, tap in enumerate(range(first, side, stride))}


def whole_of(kernel):
    """Weights as whole numbers of 8 bits times a scale, where they are so.

    Parameters
    ----------
    kernel : (..., filters) float array

    Returns
    -------
    numbers : int8 array, or ``kernel`` itself
    scales : (filters,) float32 array
        Of a kernel itself ones.
    """
    rows = np.asarray(kernel, float).reshape(-1, kernel.shape[-1])
    tops = np.abs(rows).max(axis=0)
    tops[tops == 0] = 1
    for bits in range(2, 9):
        most = 2 ** (bits - 1) - 1
        numbers = np.rint(rows[:1] * (most / tops))
        if (np.abs(rows[:1] * (most / tops) - numbers) > ROUNDING).any():
            continue
        exact = rows * (most / tops)
        numbers = np.rint(exact)
        if (np.abs(exact - numbers) <= ROUNDING).all():
            shared = np.maximum(np.gcd.reduce(numbers.astype(np.int64), axis=0), 1)
            numbers = (numbers / shared).astype(np.int8).reshape(kernel.shape)
            return numbers, (tops / (most // shared)).astype(np.float32)
    return kernel, np.ones(kernel.shape[-1], np.float32)


def _largest(numbers, worth):
    """Size of the largest sum that events bring to an output."""
    rows = numbers.reshape(-1, numbers.shape[-1]).astype(np.int64)
    least, most = np.minimum(0, worth[0]), np.maximum(0, worth[1])
    above, below = np.maximum(rows * least, rows * most), np.minimum(rows * least, rows * most)
    return max(above.sum(axis=0).max(), -below.sum(axis=0).min())


def regular(goals):
    """First target and steps along rows and columns; None if they are not always the same.

    Parameters
    ----------
    goals : (n_rows, n_columns, filters) int array
    """
    n_rows, n_columns, filters = goals.shape
    first = int(goals[0, 0, 0])
    row = int(goals[1, 0, 0]) - first if n_rows > 1 else 0
    column = int(goals[0, 1, 0]) - first if n_columns > 1 else 0
    rows, columns = np.arange(n_rows)[:, None, None], np.arange(n_columns)[:, None]
    same = goals == first + rows * row + columns * column + np.arange(filters)
    return (first, row, column) if same.all() else None


def _slides(kernel, scales, narrow, most, there, here, strides, padding, steps):
    """Slides of a convolution over two axes, of ``most`` filters of columns side by side."""
    lanes = NARROW_LANES if narrow else LANES
    together = _together(kernel, here, steps, most)
    kernel, here, strides, steps = _side_by_side(kernel, here, strides, steps, together)
    scales = np.tile(scales, together)
    result = []
    for phase in range(min(strides[0], len(kernel))):
        rows = np.arange(phase, len(kernel), strides[0])
        for part in np.array_split(rows, -(-len(rows) // _MOST_ROWS)):
            row = int(part[0]) - padding[0]
            first = max(0, -(row // strides[0]))
            last = min((there[0] - 1 - row) // strides[0], here[0] + len(part) - 2) + 1
            for begin, vectors in _tiles(here[2], lanes):
                filters = slice(begin, begin + vectors * lanes)
                weights = kernel[part, :, :, filters]
                lacking = vectors * lanes - weights.shape[-1]
                weights = np.pad(weights, [*[(0, 0)] * 3, (0, lacking)])
                result.append(
                    {
                        "channels": there[2],
                        "shape": SHAPES.index((len(part), vectors)),
                        "goal": steps[0] + begin,
                        "goal_row": steps[1],
                        "goal_column": steps[2],
                        "n_columns": here[1],
                        "stride": strides[1],
                        "pad": padding[1],
                        "side": kernel.shape[1],
                        "width": there[1],
                        "first": first,
                        "last": last,
                        "row": row,
                        "row_step": strides[0],
                        "n_out": here[0],
                        "spare": SPARE[len(part) * vectors],
                        "narrow": int(narrow),
                        "weights": weights.transpose(1, 2, 0, 3),
                        "scales": np.pad(scales[filters], (0, lacking)),
                    }
                )
    return result


def _together(kernel, here, steps, most):
    """Columns of outputs that are computed side by side: that pays where one is soon done."""
    sides, filters = kernel.shape[:2], kernel.shape[-1]
    together = most // filters if here[1] > 1 and sides[1] > 1 and steps[2] == filters else 1
    while together > 1 and here[1] % together:
        together -= 1
    return max(together, 1)


def _side_by_side(kernel, here, strides, steps, together):
    """The convolution that computes some columns of outputs as filters of one.

    Its kernel is wider, with zeros where a column is not reached.
    """
    *sides, inputs, filters = kernel.shape
    wide = np.zeros(
        (sides[0], sides[1] + strides[1] * (together - 1), inputs, together * filters),
        kernel.dtype,
    )
    for k in range(together):
        columns = slice(k * strides[1], k * strides[1] + sides[1])
        wide[:, columns, :, k * filters : (k + 1) * filters] = kernel
    here = here[0], here[1] // together, together * filters
    return wide, here, (strides[0], strides[1] * together), (*steps[:2], steps[2] * together)


def _tiles(filters, lanes):
    """First filter and vectors of each tile."""
    begin, left = 0, -(-filters // lanes)
    while left:
        vectors = max(v for _, v in SHAPES if v <= left)
        yield begin, vectors
        begin, left = begin + vectors * lanes, left - vectors


def joined(every):
    """Slides as arrays, their weights one after another, zeros in front.

    Parameters
    ----------
    every : list of dict
        From `slides_of`, with ``source`` and ``table``.

    Returns
    -------
    Slides
    """
    room = max(rows * vectors for rows, vectors in SHAPES)
    parts = [np.zeros(room * LANES, np.float32)], [np.zeros(room * NARROW_LANES, np.int16)]
    found, n_scales = [], 0
    for one in every:
        mine = parts[one["narrow"]]
        places = {"weight": sum(map(len, mine)), "scale": n_scales}
        found.append({**one, **places})
        mine.append(one["weights"].ravel())
        n_scales += len(one["scales"])
    columns = {
        name: np.array([one[name] for one in found], float if name == "spare" else np.int64)
        for name in Slides._fields[:-3]
    }
    weights, whole = (np.concatenate(each) for each in parts)
    scales = np.concatenate([np.zeros(0), *(one["scales"] for one in every)])
    return Slides(
        **columns,
        weights=aligned(weights.astype(np.float32)),
        whole=aligned(whole.astype(np.int16)),
        scales=aligned(scales.astype(np.float32)),
    )


def aligned(array):
    """A copy whose first entry begins a line of the processor's cache."""
    room = np.empty(array.nbytes + 64, np.uint8)
    first = -room.ctypes.data % 64
    result = room[first : first + array.nbytes].view(array.dtype).reshape(array.shape)
    result[...] = array
    return result
