"""Blocks of products, in registers: the sums of several outputs side by side, and of their filters.

Whatever is sent stands in an array, zeros for whom does not fire. For each input that an output
reads, the weights of its filters are loaded once and meet the inputs of all outputs of the block,
whose sums are added to memory in the end. That costs the same with few spikes and with many, and is
what a processor is quickest at.
"""

import itertools

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from nengo_tactile.lanes import LANES, ZEROS, data_of, load, spread, store

#: Outputs of a block: as many as there are left for.
OUTPUTS = (8, 4, 1)
#: Most vectors of filters.
VECTORS = 2
#: Of filters: how many vectors, and whether each reads a channel of its own.
TILES = (1, True), *((vectors, False) for vectors in range(1, VECTORS + 1))

_WORD, _FLOAT = ir.IntType(64), ir.FloatType()


def _number(value):
    return ir.Constant(_WORD, value)


@intrinsic
def add_tile(
    typing, tile, sums, goal, goal_row, goal_column, weights, weight, values, place, place_row,
    place_column, offsets, first, n_offsets, length, n_rows, n_columns,
):  # fmt: skip
    """Add to all outputs of a tile of filters what their inputs bring.

    An output reads the ``length`` values that follow ``place + offsets[k]``, for ``n_offsets``
    offsets from ``first`` on; where filters read a channel of their own that is one vector. From
    one row of outputs to the next the place moves by ``place_row``, and the sums of its filters, at
    ``sums[goal]``, by ``goal_row``; and so for columns. Weights follow one another from ``weight``
    on. ``tile`` is the number of one of `TILES`.
    """

    def code(context, builder, signature, arguments):
        kinds = signature.args
        tile, sums, goal, goal_row, goal_column, weights, weight, values, place = arguments[:9]
        place_row, place_column, offsets, first = arguments[9:13]
        sums, weights, values, offsets = (
            data_of(context, builder, kinds[k], arguments[k]) for k in (1, 5, 7, 11)
        )
        moved = [(sums, goal), (weights, weight), (values, place), (offsets, first)]
        pointers = [builder.gep(data, [index]) for data, index in moved]
        steps = [goal_row, goal_column, place_row, place_column, *arguments[13:]]
        end = builder.append_basic_block("end")
        switch = builder.switch(tile, end)
        for number, kind in enumerate(TILES):
            case = builder.append_basic_block(f"tile_{number}")
            switch.add_case(_number(number), case)
            builder.position_at_end(case)
            builder.call(_function(builder.module, *kind), [*pointers, *steps])
            builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    n = types.intp
    arrays = n, sums, n, n, n, weights, n, values, n, n, n, offsets
    return types.void(*arrays, *[n] * 5), code


def _function(module, vectors, apart):
    """The function of a kind of tile, apart from what calls it, whose numbers fill registers."""
    name = f"nengo_tactile_tile_{vectors}_{int(apart)}"
    if name in module.globals:
        return module.globals[name]
    pointers = [_FLOAT.as_pointer()] * 3 + [_WORD.as_pointer()]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [*pointers, *[_WORD] * 8]), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    sums, weights, values, offsets, *steps = function.args
    goal_row, goal_column, place_row, place_column, n_offsets, length, n_rows, n_columns = steps
    with cgutils.for_range(builder, n_rows) as row:
        goal, place = (
            builder.gep(data, [builder.mul(row.index, step)])
            for data, step in ((sums, goal_row), (values, place_row))
        )
        begin = _number(0)
        for n in OUTPUTS:
            left = builder.sub(n_columns, begin)
            end = builder.add(begin, builder.and_(left, _number(-n)))
            column_range = cgutils.for_range_slice(builder, begin, end, _number(n), _WORD)
            with column_range as (column, _):
                _block(
                    builder, n, vectors, apart,
                    builder.gep(goal, [builder.mul(column, goal_column)]), goal_column, weights,
                    builder.gep(place, [builder.mul(column, place_column)]), place_column,
                    offsets, n_offsets, length,
                )  # fmt: skip
            begin = end
    builder.ret_void()
    return function


def _block(
    builder, rows, vectors, apart, sums, goal_step, weights, values, place_step, offsets, n_offsets,
    length,
):  # fmt: skip
    """Code that adds what some outputs, side by side, read."""
    sizes = list(itertools.product(range(rows), range(vectors)))
    totals = {key: cgutils.alloca_once(builder, ZEROS.type) for key in sizes}
    for total in totals.values():
        builder.store(ZEROS, total)
    weight = cgutils.alloca_once(builder, weights.type)
    builder.store(weights, weight)
    steps = [builder.mul(place_step, _number(row)) for row in range(rows)]

    def add(here):
        """What the inputs from ``here`` on bring, with the next weights."""
        at = builder.load(weight)
        terms = [load(builder, at, _number(k * LANES)) for k in range(vectors)]
        for row, step in enumerate(steps):
            if apart:
                value = load(builder, here, step)
            else:
                value = spread(builder, builder.load(builder.gep(here, [step])))
            for k, term in enumerate(terms):
                product = builder.fmul(value, term, flags=["contract"])
                total = builder.fadd(builder.load(totals[row, k]), product, flags=["contract"])
                builder.store(total, totals[row, k])
        builder.store(builder.gep(at, [_number(vectors * LANES)]), weight)

    with cgutils.for_range(builder, n_offsets) as tap:
        begin = builder.gep(values, [builder.load(builder.gep(offsets, [tap.index]))])
        if apart:
            add(begin)
        else:
            with cgutils.for_range(builder, length) as inner:
                add(builder.gep(begin, [inner.index]))
    for (row, k), total in totals.items():
        target = builder.gep(sums, [builder.mul(goal_step, _number(row))])
        before = load(builder, target, _number(k * LANES))
        store(builder, target, _number(k * LANES), builder.fadd(before, builder.load(total)))
