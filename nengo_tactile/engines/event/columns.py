"""Links as slides: convolutions, dense layers too, as `slides.slide_down` takes them.

A kernel of many rows, or one that moves by several, is put together of parts that slide by
themselves: of the rows that meet the same rows of input, at most three at a time. Filters are cut
into tiles of vectors; what the last of these have too much are zeros, which change nothing of what
lies behind.
"""

import functools
from collections import namedtuple

import numpy as np

from nengo_tactile.engines.event.slides import SHAPES
from nengo_tactile.engines.event.vectors import LANES
from nengo_tactile.networks.linear_maps import Convolution

#: Of each slide: the stage it comes from; its channels, and where the table of its pixels begins
#: behind the stage's events; its shape, and where its weights begin; first target, and from one
#: row and column to the next; columns of outputs, the columns of events from one to the next, that
#: of the first and how many the kernel covers; columns of events in all; rows of the slide, the row
#: of events that the first is, how many from one to the next, and rows of outputs; standard
#: deviations of the number of events in a row by which more are added than there are on average.
#: Last, the weights of all.
Slides = namedtuple(
    "Slides",
    "source channels table shape weight goal goal_row goal_column n_columns stride pad side width "
    "first last row row_step n_out spare weights",
)

#: Weights that are zero may be so many times those that are not, where groups and dilation are
#: written out.
MOST_ZEROS = 3
#: Filters of columns that are computed side by side.
TOGETHER = 32
#: See ``spare``, by the vectors of a slide: a row too long costs as much as a few events too many.
SPARE = {n: 1.0 if n <= 4 else 0.8 if n <= 6 else 0.0 for n in range(1, 13)}
_MOST_ROWS = max(rows for rows, _ in SHAPES)


@functools.singledispatch
def slides_of(linear, target):
    """The slides of a map, or None if it is not one of them.

    Parameters
    ----------
    linear : Map
    target : (n_out,) int array or None
        Where outputs go to, if not all to their own number.

    Returns
    -------
    list of dict
        What `Slides` have, but for the source, its table, and where ``weights`` begin.
    """
    return None


@slides_of.register
def _(linear: Convolution, target):
    if linear.transposed or linear.n_axes > 2 or linear.diagonal is not None:
        return None
    plain = linear.plain()
    if plain.kernel.size > MOST_ZEROS * linear.kernel.size:
        return None
    missing, last = 2 - plain.n_axes, plain.kernel.shape[-2:]
    kernel = plain.kernel.reshape(*plain.sides, *[1] * missing, *last)
    shapes = plain.input_shape, plain.output_shape
    there, here = ((*shape[:-1], *[1] * missing, shape[-1]) for shape in shapes)
    strides, padding = (*plain.strides, 1, 1)[:2], (*plain.padding, 0, 0)[:2]
    goals = np.arange(linear.n_out) if target is None else np.asarray(target)
    goals = goals.reshape(here)
    if kernel.shape[:2] == strides == (1, 1) and there[:2] == here[:2]:
        column = goals.reshape(-1, 1, here[2])
        if _steps(column) is not None:  # pixel by pixel, in any order
            goals, here, there = column, column.shape, (len(column), 1, there[2])
    steps = _steps(goals)
    return None if steps is None else _slides(kernel, there, here, strides, padding, steps)


def _steps(goals):
    """First target and steps along rows and columns; None if they are not always the same."""
    n_rows, n_columns, filters = goals.shape
    first = int(goals[0, 0, 0])
    row = int(goals[1, 0, 0]) - first if n_rows > 1 else 0
    column = int(goals[0, 1, 0]) - first if n_columns > 1 else 0
    rows, columns = np.arange(n_rows)[:, None, None], np.arange(n_columns)[:, None]
    same = goals == first + rows * row + columns * column + np.arange(filters)
    return (first, row, column) if same.all() else None


def _slides(kernel, there, here, strides, padding, steps):
    """Slides of a convolution over two axes."""
    kernel, here, strides, steps = _side_by_side(kernel, here, strides, steps)
    result = []
    for phase in range(min(strides[0], len(kernel))):
        rows = np.arange(phase, len(kernel), strides[0])
        for part in np.array_split(rows, -(-len(rows) // _MOST_ROWS)):
            row = int(part[0]) - padding[0]
            first = max(0, -(row // strides[0]))
            last = min((there[0] - 1 - row) // strides[0], here[0] + len(part) - 2) + 1
            for begin, vectors in _tiles(here[2]):
                weights = kernel[part, :, :, begin : begin + vectors * LANES]
                lacking = vectors * LANES - weights.shape[-1]
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
                        "weights": weights.transpose(1, 2, 0, 3),
                    }
                )
    return result


def _side_by_side(kernel, here, strides, steps):
    """The convolution that computes some columns of outputs as filters of one.

    Its kernel is wider, with zeros where a column is not reached; that pays where a column by
    itself is soon done.
    """
    *sides, inputs, filters = kernel.shape
    together = TOGETHER // filters if here[1] > 1 and sides[1] > 1 and steps[2] == filters else 1
    while together > 1 and here[1] % together:
        together -= 1
    if together < 2:
        return kernel, here, strides, steps
    wide = np.zeros(
        (sides[0], sides[1] + strides[1] * (together - 1), inputs, together * filters),
        kernel.dtype,
    )
    for k in range(together):
        columns = slice(k * strides[1], k * strides[1] + sides[1])
        wide[:, columns, :, k * filters : (k + 1) * filters] = kernel
    here = here[0], here[1] // together, together * filters
    return wide, here, (strides[0], strides[1] * together), (*steps[:2], steps[2] * together)


def _tiles(filters):
    """First filter and vectors of each tile."""
    begin, left = 0, -(-filters // LANES)
    while left:
        vectors = max(v for _, v in SHAPES if v <= left)
        yield begin, vectors
        begin, left = begin + vectors * LANES, left - vectors


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
    nothing = np.zeros(LANES * max(rows * vectors for rows, vectors in SHAPES))
    weights = [nothing, *(one["weights"].ravel() for one in every)]
    begins = np.cumsum([0, *map(len, weights)])[1:]
    every = [{**one, "weight": begin} for one, begin in zip(every, begins)]
    columns = {
        name: np.array([one[name] for one in every], float if name == "spare" else np.int64)
        for name in Slides._fields[:-1]
    }
    return Slides(**columns, weights=aligned(np.concatenate(weights).astype(np.float32)))


def aligned(array):
    """A copy whose first entry begins a line of the processor's cache."""
    room = np.empty(array.nbytes + 64, np.uint8)
    first = -room.ctypes.data % 64
    result = room[first : first + array.nbytes].view(array.dtype).reshape(array.shape)
    result[...] = array
    return result
