"""Links as products: a layer that costs the same whoever fires.

What is sent is laid out as an image, with zeros around it where windows reach over its edges, and
all outputs are computed (`blocks.py`). That pays where an event would reach few targets that lie
side by side, as of depthwise convolutions and poolings, from about one spike in a hundred neurons
on; and for what passes on sums, which are hardly ever zero.
"""

from collections import namedtuple

import numpy as np

from nengo_tactile.engines.event.blocks import VECTORS, add_tile
from nengo_tactile.engines.event.columns import aligned, regular
from nengo_tactile.engines.event.layouts import (
    copy,
    copy_vectors,
    lay_bits,
    lay_values,
    put_zeros,
)
from nengo_tactile.engines.event.vectors import WORD
from nengo_tactile.lanes import LANES
from nengo_tactile.lazy import compiled_inner
from nengo_tactile.networks.linear_maps import Convolution

#: Share of neurons from whose spikes on a product is quicker: where channels stay apart, and what
#: laying them out costs besides, divided by the targets of an event; and of what passes on sums.
APART, LAID, SUMS = 0.02, 0.005, 0.5
#: Of each product: the stage it comes from; what that sends in all, rows, columns and floats of a
#: row of it; where its image begins and its size (0: what is sent is read as it is), where its
#: first row is put, and from one row to the next; rows and columns of outputs, from one to the
#: next of either what is read; first target, and the same; first of its offsets, the one after its
#: last, and inputs that follow each; vectors of filters, whether each reads a channel of its own,
#: and where its weights begin; events from which it is used. Last, offsets and weights of all.
Products = namedtuple(
    "Products",
    "source n_in height width row image size first_row image_row n_rows n_columns place_row "
    "place_column goal goal_row goal_column first_offset last_offset length vectors apart weight "
    "least offsets weights",
)


@compiled_inner
def surround(products, k, room, tile):
    """Copy what is sent to where zeros are around it; of channels that stay apart a tile."""
    row, width = products.row[k], products.width[k]
    for y in range(products.height[k]):
        target = products.image[k] + products.first_row[k] + y * products.image_row[k]
        if products.apart[k]:
            copy_vectors(room, target, y * row + tile * LANES, row // width, width)
        else:
            copy(room, target, y * row, row)


@compiled_inner
def multiply(products, k, state, start, bits, first, room, values, graded, e):
    """Add to the potentials from ``start`` on what is sent brings over a product.

    Parameters
    ----------
    products : Products
    k : int
    state : float32 array
    start : int
    bits : uint64 array
        Who fires, from the word ``first`` on.
    first : int
    room : float32 array
        For what is sent, laid out: see `room_of`.
    values : float32 array
        What events are worth from ``e`` on, if they are ``graded``.
    graded : bool
    e : int
    """
    for word in range((products.n_in[k] + WORD - 1) // WORD):
        if graded:
            e = lay_values(room, word * WORD, bits[first + word], values, e)
        else:
            lay_bits(room, word * WORD, bits[first + word])
    weight, length, apart = products.weight[k], products.length[k], products.apart[k]
    begin, end = products.first_offset[k], products.last_offset[k]
    tile, shift = 0, products.image[k]
    put_zeros(room, shift, products.size[k])
    while tile < products.vectors[k]:
        vectors = 1 if apart else min(VECTORS, products.vectors[k] - tile)
        if products.size[k] == 0:
            shift = tile * LANES if apart else 0
        elif apart or tile == 0:
            surround(products, k, room, tile)
        add_tile(
            0 if apart else vectors, state, start + products.goal[k] + tile * LANES,
            products.goal_row[k], products.goal_column[k], products.weights, weight,
            room, shift, products.place_row[k], products.place_column[k],
            products.offsets, begin, end - begin, length, products.n_rows[k], products.n_columns[k],
        )  # fmt: skip
        weight += (end - begin) * length * vectors * LANES
        tile += vectors


def _planes(missing, numbers, fill=1):
    """Numbers of rows and of columns, of maps of columns alone too."""
    return [*[fill] * missing, *numbers]


def product_of(linear, target, sums):
    """The product of a map, or None if it has none that pays.

    Parameters
    ----------
    linear : Map
    target : (n_out,) int array or None
        Where outputs go to, if not all to their own number.
    sums : bool
        Whether what sends passes on sums, most of which are not zero.

    Returns
    -------
    dict or None
        What `Products` have, but for the source, and where ``offsets`` and ``weights`` begin.
    """
    if not isinstance(linear, Convolution) or linear.n_axes not in (1, 2) or linear.transposed:
        return None
    channels, filters = linear.input_shape[-1], linear.output_shape[-1]
    apart = linear.groups == channels == filters > 1
    if not apart and not (sums and linear.groups == 1):
        return None
    missing = 2 - linear.n_axes
    kernel = linear.kernel.reshape(*[1] * missing, *linear.kernel.shape)
    height, width = _planes(missing, linear.input_shape[:-1])
    rows, columns = _planes(missing, linear.output_shape[:-1])
    strides, dilation = (_planes(missing, each) for each in (linear.strides, linear.dilation))
    top, left = _planes(missing, linear.padding, fill=0)
    goals = np.arange(linear.n_out) if target is None else np.asarray(target)
    goals = goals.reshape(rows, columns, filters)
    reach = [
        (out - 1) * stride + (side - 1) * step + 1
        for out, stride, side, step in zip((rows, columns), strides, kernel.shape, dilation)
    ]
    image_rows, image_columns = max(top + height, reach[0]), max(left + width, reach[1])
    copied = (image_rows, image_columns) != (height, width)
    depth = LANES if apart and copied else channels
    image_row = image_columns * depth
    if [*kernel.shape[:2]] == strides == [1, 1] and regular(goals.reshape(1, -1, filters)):
        goals, rows, columns = goals.reshape(1, -1, filters), 1, rows * columns
    steps = regular(goals)
    if steps is None:
        return None
    taps = np.indices(kernel.shape[:2]).reshape(2, -1) * np.reshape(dilation, (2, 1))
    offsets = taps[0] * image_row + taps[1] * depth
    vectors = -(-filters // LANES)
    n_in = -(-linear.n_in // WORD) * WORD
    return {
        "n_in": linear.n_in,
        "height": height,
        "width": width,
        "row": width * channels,
        "image": n_in if copied else 0,
        "size": image_rows * image_row if copied else 0,
        "first_row": top * image_row + left * depth,
        "image_row": image_row,
        "n_rows": rows,
        "n_columns": columns,
        "place_row": strides[0] * image_row,
        "place_column": strides[1] * depth,
        "goal": steps[0],
        "goal_row": steps[1],
        "goal_column": steps[2],
        "length": 1 if apart else channels,
        "vectors": vectors,
        "apart": int(apart),
        "least": _least(linear, apart),
        "offsets": offsets,
        "weights": _tiled(kernel.reshape(-1, filters), 1 if apart else VECTORS),
    }


def _tiled(kernel, vectors):
    """Weights tile by tile, zeros for filters that are missing in a vector."""
    kernel = np.pad(kernel, [(0, 0), (0, -kernel.shape[1] % LANES)])
    parts = range(0, kernel.shape[1], vectors * LANES)
    return np.concatenate([kernel[:, part : part + vectors * LANES].ravel() for part in parts])


def _least(linear, apart):
    """Events from which a product is quicker than going over them; one at least."""
    share = SUMS
    if apart:
        share = APART + LAID * linear.n_in / linear.n_out / linear.kernel[..., 0].size
    return max(1, int(share * linear.n_in))


def joined(every):
    """Products as arrays, their offsets and weights one after another.

    Parameters
    ----------
    every : list of dict
        From `product_of`, with ``source``.

    Returns
    -------
    Products
    """
    found, n_offsets, n_weights = [], 0, 0
    for one in every:
        last = n_offsets + len(one["offsets"])
        found.append({**one, "first_offset": n_offsets, "last_offset": last, "weight": n_weights})
        n_offsets, n_weights = last, n_weights + len(one["weights"])
    columns = {
        name: np.array([one[name] for one in found], np.int64) for name in Products._fields[:-2]
    }
    offsets, weights = (
        np.concatenate([np.zeros(0), *(one[name] for one in every)])
        for name in ("offsets", "weights")
    )
    return Products(
        **columns, offsets=offsets.astype(np.int64), weights=aligned(weights.astype(np.float32))
    )


def room_of(products):
    """Floats that what is sent takes, laid out: the image last, and a vector behind."""
    n_in = -(-products.n_in // WORD) * WORD
    return int(np.max(n_in + products.size, initial=0)) + 2 * LANES
