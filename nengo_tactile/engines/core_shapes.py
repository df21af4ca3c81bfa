"""What layers take of Loihi's neuron cores, from their shapes alone: nothing is built.

The counts are those of nengo-loihi's blocks; a test compares them with what it builds.
"""

import functools
import itertools
import math
import re

import numpy as np

from nengo_tactile.engines.chip_host import layers_on_host
from nengo_tactile.engines.chip_stages import chip_graph, chip_problems
from nengo_tactile.engines.placement import CORE_LIMITS
from nengo_tactile.errors import EngineError

#: nengo-loihi's formats (block.py): bits of an index, and of a weight with its exponent shared.
_INDEX_BITS = (0, 6, 7, 8, 9, 10, 11, 12)
_WEIGHT_BITS = 8
#: A unit of synapse memory holds up to 64 weights behind a header, in words of 64 bits.
_UNIT, _HEADER, _WORD = 64, 10, 64
#: Reach of the compartment base of an axon: 8 bits.
_BASES = 256


def block_shapes(shape):
    """Ways to cut a layer into equal blocks, fewest blocks first.

    Parameters
    ----------
    shape : tuple of int
        (neurons,) or (height, width, channels).

    Returns
    -------
    list of tuple of int
        Each has at most 1,024 neurons. Of several with the same number of blocks the one
        that splits fewer axes comes first: a convolution's inputs then reach fewer blocks.
    """
    sides = [sorted({math.ceil(n / k) for k in range(1, n + 1)}) for n in shape]
    most = CORE_LIMITS["compartments"]
    candidates = {block for block in itertools.product(*sides) if math.prod(block) <= most}

    def cost(block):
        counts = [math.ceil(n / b) for n, b in zip(shape, block)]
        return math.prod(counts), sum(c > 1 for c in counts), max(counts), block

    # of the shapes that make the same number of blocks one is enough to try
    best = {}
    for block in sorted(candidates, key=cost):
        best.setdefault(cost(block)[:2], block)
    return sorted(best.values(), key=cost)


def cut_stages(graph, host):
    """Choose blocks with which every core keeps its limits.

    Parameters
    ----------
    graph : Graph
        As `chip_graph` makes it.
    host : collection of str
        Spiking stages on the host.

    Returns
    -------
    dict of str to tuple of int
        Shape of the blocks of each stage on the chip.

    Raises
    ------
    EngineError
        If a layer fits in no way, naming the layer, what it needs, the limit and the remedy.
    """
    problem, blocks = _cut(graph, host)
    if problem is None:
        return blocks
    layer, limit, value = problem
    spiking = [stage.name for stage in graph if stage.spikes]
    more = [name for name in spiking if name in host or spiking.index(name) <= spiking.index(layer)]
    remedy = "use fewer neurons or filters in it and before it, or strides"
    if len(more) < len(spiking) and _cut(graph, more)[0] is None:
        names = ",".join(more)
        remedy += f", or let it run on the host: on_host='{names}' (--on-host {names})"
    raise EngineError(
        f"layer '{layer}' does not fit Loihi's cores however it is cut: {limit} is at least "
        f"{value:,} on a core, the limit {CORE_LIMITS[limit]:,}; {remedy}"
    )


def chip_refusals(graph):
    """Why the chip refuses a network, with layers on the host as conversion leaves it.

    Parameters
    ----------
    graph : Graph
        Only shapes and kinds matter, not the numbers.

    Returns
    -------
    dict of str to str
        By stage: reason and remedy.
    """
    spiking = [stage.name for stage in graph if stage.spikes]
    try:
        host = layers_on_host(graph, () if len(spiking) == 1 else None)
    except EngineError as error:
        return {spiking[-1]: str(error)}
    problems = {name: str(error) for name, error in chip_problems(graph, host).items()}
    if problems:
        return problems
    try:
        cut_stages(chip_graph(graph, host), host)
    except EngineError as error:
        return {re.search("'([^']+)'", str(error))[1]: str(error)}
    return {}


def _cut(graph, host):
    """First layer that fits in no way, (name, limit, least value), or None; blocks of the rest."""
    chip = [stage for stage in graph if stage.fires and stage.name not in host]
    cuts = {stage.name: block_shapes(_three(stage)) for stage in chip}
    choice = dict.fromkeys(cuts, 0)
    least, inside = {}, {}
    while True:
        blocks = {name: cuts[name][choice[name]] for name in cuts}
        full = False
        for stage in chip:
            name, block = stage.name, blocks[stage.name]
            if (name, block) not in inside:
                inside[name, block] = _inside(stage, block)
            used = {**inside[name, block], "out_axons": _out_axons(stage, chip, blocks)}
            over = {limit: n for limit, n in used.items() if n > CORE_LIMITS[limit]}
            for limit, n in over.items():
                least[name, limit] = min(n, least.get((name, limit), n))
            if not over:
                continue
            full = True
            choice[name] += 1
            if choice[name] == len(cuts[name]):
                limit = next(iter(over))
                return (name, limit, least[name, limit]), None
        if not full:
            shapes = {stage.name: stage.shape for stage in chip}
            return None, {name: _as_shape(blocks[name], shapes[name]) for name in blocks}


def _three(stage):
    """Shape of a stage as nengo-loihi cuts it: sequences as images of width 1."""
    return stage.shape if len(stage.shape) != 2 else (stage.shape[0], 1, stage.shape[1])


def _as_shape(block, shape):
    return block if len(shape) != 2 else (block[0], block[2])


def _inside(stage, block):
    """Most compartments, input axons and synapse bits of a core."""
    shape = _three(stage)
    most = {"compartments": math.prod(block), "in_axons": 0, "synapse_bits": 0}
    uncut = block == shape
    for corner in itertools.product(*(range(0, n, b) for n, b in zip(shape, block))):
        ranges = tuple((c, min(c + b, n)) for c, b, n in zip(corner, block, shape))
        counts = [_link_inside(link, shape, ranges, uncut) for link in stage.links]
        axons, bits = (sum(values) for values in zip(*counts)) if counts else (0, 0)
        most["in_axons"] = max(most["in_axons"], axons)
        most["synapse_bits"] = max(most["synapse_bits"], bits)
    return most


def _link_inside(link, shape, ranges, uncut):
    """Input axons and synapse bits that a link takes of the core with a part of a layer."""
    found = link.map
    if found.n_axes and not found.pools:
        return _kernel_inside(
            found, ranges if len(ranges) == 3 else ((0, 1), (0, 1), *ranges), uncut
        )
    n_out = math.prod(b - a for a, b in ranges)
    if found.dense:
        return found.n_in, found.n_in * bits_of_axon(n_out)
    matrix = found.matrix()
    numbers = np.arange(math.prod(shape)).reshape(shape)[tuple(slice(*r) for r in ranges)]
    part = matrix[numbers.ravel()].tocsc()
    rows = [
        (part.indices[a:b].tobytes(), part.data[a:b].tobytes(), b - a)
        for a, b in itertools.pairwise(part.indptr)
    ]
    if uncut:
        return len(rows), sum(bits_of_axon(n) for _, _, n in rows)
    rows = [row for row in rows if row[2]]
    return len(rows), sum(bits_of_axon(n) for _, _, n in set(rows))  # equal ones are shared


def _kernel_inside(found, ranges, uncut):
    """Axons are pixels, and pixels that reach a block in the same way share their weights."""
    (rows, cols, channels) = ranges
    ways = [_reached(found, axis, *span) for axis, span in ((0, rows), (1, cols))]
    width, n_channels = cols[1] - cols[0], channels[1] - channels[0]
    used = [way["length"] > 0 for way in ways]
    n_axons = math.prod(found.input_shape[:2]) if uncut else int(used[0].sum() * used[1].sum())
    row, col = ({k: v[keep] for k, v in way.items()} for way, keep in zip(ways, used))
    if not len(row["tap"]) or not len(col["tap"]):
        return n_axons, 0
    base = (row["first"][:, None] * width + col["first"]) * n_channels
    far = base - base % _BASES  # what an 8-bit base cannot say goes into the indices
    taps = [way["tap"] * (way["length"].max() + 1) + way["length"] for way in (row, col)]
    keys = np.stack([a.ravel() for a in np.broadcast_arrays(taps[0][:, None], taps[1], far)])
    lengths = np.stack(
        [a.ravel() for a in np.broadcast_arrays(row["length"][:, None], col["length"], far)]
    )
    _, kinds = np.unique(keys, axis=1, return_index=True)
    height, across, far = lengths[:, kinds]
    last = (far + ((height - 1) * width + across - 1) * n_channels + n_channels - 1).max()
    sizes = found.input_shape[2] * height * across * n_channels
    return n_axons, sum(bits_of_axon(int(n), index_bits(int(last))) for n in sizes)


def _reached(found, axis, start, stop):
    """Which outputs of a block each input position reaches along an axis.

    Returns
    -------
    dict of str to (n_positions,) int array
        ``first`` of them, counted from the block's start, ``length``, how many, and ``tap``, where
        in the kernel the first one's weight is.
    """
    reach = found.reach(axis)
    inside = (reach >= start) & (reach < stop)
    first = np.where(inside, reach, stop).min(axis=0)
    tap = np.where(inside, reach, stop).argmin(axis=0)
    return {"first": first - start, "length": inside.sum(axis=0), "tap": tap}


def _out_axons(stage, chip, blocks):
    """Most output axons of a core with a part of a stage."""
    shape, block = _three(stage), blocks[stage.name]
    total = None
    for reader in chip:
        for link in reader.links:
            if link.source == stage.name:
                found = _axons_to(link, shape, block, _three(reader), blocks[reader.name])
                total = found if total is None else total + found
    return 0 if total is None else int(total.max())


def _axons_to(link, shape, block, post_shape, post_block):
    """Output axons of each block of a layer, for one link to another: (n_blocks,) array."""
    found, uncut = link.map, post_block == post_shape
    n_posts = [math.ceil(n / b) for n, b in zip(post_shape, post_block)]
    if found.n_axes and not found.pools:
        if len(post_shape) == 1:  # a dense layer as a convolution
            post_shape, post_block = (1, 1, *post_shape), (1, 1, *post_block)
        counts, corners = [], []
        for axis in (0, 1):
            n = found.input_shape[axis]
            cut = block[axis] if len(shape) == 3 else n
            uses = np.ones((1, n), int)
            if not uncut:
                uses = np.stack(
                    [
                        _reached(found, axis, a, min(a + post_block[axis], post_shape[axis]))[
                            "length"
                        ]
                        > 0
                        for a in range(0, post_shape[axis], post_block[axis])
                    ]
                )
            counts.append([uses[:, a : a + cut].sum() for a in range(0, n, cut)])
            corners.append(n)
        if len(shape) == 1:
            return 2 * n_posts[-1] * _pixels_of(shape[0], block[0], found.input_shape)
        per_block = np.multiply.outer(*counts) * 2 * math.ceil(post_shape[2] / post_block[2])
        return np.repeat(per_block.ravel(), math.ceil(shape[2] / block[2]))
    numbers = np.arange(math.prod(shape)).reshape(shape)
    parts = [
        numbers[tuple(slice(c, c + b) for c, b in zip(corner, block))].ravel()
        for corner in itertools.product(*(range(0, n, b) for n, b in zip(shape, block)))
    ]
    if uncut or found.dense:
        return np.array([len(part) for part in parts]) * math.prod(n_posts)
    matrix, targets = found.matrix().tocsc(), np.arange(math.prod(post_shape)).reshape(post_shape)
    total = np.zeros(matrix.shape[1], int)
    for corner in itertools.product(*(range(0, n, b) for n, b in zip(post_shape, post_block))):
        rows = targets[tuple(slice(c, c + b) for c, b in zip(corner, post_block))].ravel()
        total += np.diff(matrix.tocsr()[rows].tocsc().indptr) > 0
    return np.array([total[part].sum() for part in parts])


def _pixels_of(n_neurons, block, image):
    """Pixels of an image that each block of a flat layer has a part of, (n_blocks,) array."""
    channels = image[2]
    return np.array(
        [
            (min(a + block, n_neurons) - 1) // channels - a // channels + 1
            for a in range(0, n_neurons, block)
        ]
    )


@functools.cache
def bits_of_axon(n_weights, bits_of_index=0):
    """Synapse memory of an axon's weights, as nengo-loihi counts it."""
    bits = 0
    for start in range(0, n_weights, _UNIT):
        n = min(n_weights - start, _UNIT)
        bits += -(-(n * (_WEIGHT_BITS + bits_of_index) + _HEADER) // _WORD) * _WORD
    return bits


def index_bits(largest):
    """Bits that indices up to the largest take in synapse memory."""
    needed = math.ceil(math.log2(largest + 1))
    return next(bits for bits in _INDEX_BITS if bits >= needed)
