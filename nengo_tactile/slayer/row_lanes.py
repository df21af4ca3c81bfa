"""Rows of weights at events, and tiles of products, in float32: what layers do sixteen at a time.

Sums are rounded once for a product and a sum where the processor can.
"""

import contextlib
import itertools

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from nengo_tactile.lanes import (
    INDEX,
    INTEGER,
    INTEGERS,
    LANES,
    ZEROS,
    data_of_all,
    first_lanes,
    is_wide,
    load,
    load_some,
    of_lanes,
    packed,
    spread,
    store,
    store_some,
    variables,
)

#: Steps, and vectors of targets, of a tile of a product: so many sums are in registers.
STEPS, MOST_VECTORS = 8, 3
#: Vectors of a row whose sums are in registers while events pass.
TOGETHER = 4


@intrinsic
def add_row(typing, target, i, row, k, n_vectors, factor):
    """Add to vectors from ``i`` on so many of a row from ``k`` on, times a factor."""

    def code(context, builder, signature, arguments):
        target, i, row, k, n_vectors, factor = data_of_all(context, builder, signature, arguments)
        factor = spread(builder, factor)
        fused = of_lanes(builder, "fmuladd", 3)
        with cgutils.for_range(builder, n_vectors) as loop:
            step = builder.mul(loop.index, ir.Constant(INDEX, LANES))
            here = builder.add(i, step)
            told = factor, load(builder, row, builder.add(k, step)), load(builder, target, here)
            store(builder, target, here, builder.call(fused, told))
        return context.get_dummy_value()

    n = types.intp
    return types.void(target, n, row, n, n, types.float32), code


@intrinsic
def gather(typing, target, i, n_vectors, table, events, n_events, values, first):
    """Add to vectors from ``i`` on the rows of a table that events choose, times their values.

    Event ``e`` is worth ``values[first + e]``.
    """

    def code(context, builder, signature, arguments):
        target, i, n_vectors, table, events, n_events, values, first = data_of_all(
            context, builder, signature, arguments
        )
        fused = of_lanes(builder, "fmuladd", 3)

        def add(begin, width):
            goals = [builder.add(i, _ahead(builder, begin, v)) for v in range(width)]
            sums = variables(builder, [load(builder, target, goal) for goal in goals])
            with _rows(builder, n_events, events, values, first, n_vectors) as (row, value):
                row = builder.add(row, begin)
                for v in range(width):
                    weights = load(builder, table, _ahead(builder, row, v))
                    total = builder.call(fused, (value, weights, builder.load(sums[v])))
                    builder.store(total, sums[v])
            for goal, place in zip(goals, sums):
                store(builder, target, goal, builder.load(place))

        _columns(builder, n_vectors, add)
        return context.get_dummy_value()

    n = types.intp
    return types.void(target, n, n, table, events, n, values, n), code


@intrinsic
def scatter(typing, table, row, k, n_vectors, events, n_events, values, first):
    """Add vectors of a row from ``k`` on to the rows of a table that events choose, as `gather`."""

    def code(context, builder, signature, arguments):
        table, row, k, n_vectors, events, n_events, values, first = data_of_all(
            context, builder, signature, arguments
        )
        fused = of_lanes(builder, "fmuladd", 3)

        def add(begin, width):
            here = builder.add(k, begin)
            known = [load(builder, row, _ahead(builder, here, v)) for v in range(width)]
            with _rows(builder, n_events, events, values, first, n_vectors) as (goal, value):
                goal = builder.add(goal, begin)
                for v in range(width):
                    there = _ahead(builder, goal, v)
                    total = builder.call(fused, (value, known[v], load(builder, table, there)))
                    store(builder, table, there, total)

        _columns(builder, n_vectors, add)
        return context.get_dummy_value()

    n = types.intp
    return types.void(table, row, n, n, events, n, values, n), code


def _ahead(builder, place, n_vectors):
    return builder.add(place, ir.Constant(INDEX, n_vectors * LANES))


def _columns(builder, n_vectors, body):
    """Call for the code of vectors, some at a time: of where they begin, and how many they are."""
    most = ir.Constant(INDEX, TOGETHER)
    with cgutils.for_range(builder, builder.sdiv(n_vectors, most)) as loop:
        body(builder.mul(loop.index, ir.Constant(INDEX, TOGETHER * LANES)), TOGETHER)
    left = builder.srem(n_vectors, most)
    done = builder.mul(builder.sub(n_vectors, left), ir.Constant(INDEX, LANES))
    with cgutils.for_range(builder, left) as loop:
        body(builder.add(done, builder.mul(loop.index, ir.Constant(INDEX, LANES))), 1)


@contextlib.contextmanager
def _rows(builder, n_events, events, values, first, n_vectors):
    """A loop over events: where the row of each begins, and what it is worth."""
    with cgutils.for_range(builder, n_events) as loop:
        number = builder.zext(builder.load(builder.gep(events, [loop.index])), INDEX)
        value = builder.load(builder.gep(values, [builder.add(first, number)]))
        width = builder.mul(n_vectors, ir.Constant(INDEX, LANES))
        yield builder.mul(number, width), spread(builder, value)


@intrinsic
def put_row(typing, target, i, row, k, n, factor):
    """Write ``n`` numbers of a row from ``k`` on, times a factor, to ``i`` and behind."""

    def code(context, builder, signature, arguments):
        target, i, row, k, n, factor = data_of_all(context, builder, signature, arguments)
        factor = spread(builder, factor)
        with _vectors(builder, n) as (step, mask):
            value = load_some(builder, row, builder.add(k, step), mask)
            value = builder.fmul(value, factor)
            store_some(builder, target, builder.add(i, step), value, mask)
        return context.get_dummy_value()

    n_ = types.intp
    return types.void(target, n_, row, n_, n_, types.float32), code


@intrinsic
def find(typing, values, i, n, events):
    """Numbers of those of ``n`` values from ``i`` on that are not zero; how many there are.

    Behind the last event there has to be room for a vector.
    """

    def code(context, builder, signature, arguments):
        values, i, n, events = data_of_all(context, builder, signature, arguments)
        place = cgutils.alloca_once_value(builder, ir.Constant(INDEX, 0))
        with _vectors(builder, n) as (step, mask):
            value = load_some(builder, values, builder.add(i, step), mask)
            some = builder.fcmp_unordered("!=", value, ZEROS)
            numbers = spread(builder, builder.trunc(step, INTEGER), INTEGERS)
            numbers = builder.add(numbers, ir.Constant(INTEGERS, list(range(LANES))))
            count = _pack if is_wide(context) else _pack_one_by_one
            count(builder, events, place, numbers, some)
        return builder.load(place)

    return types.intp(values, types.intp, types.intp, events), code


@contextlib.contextmanager
def _vectors(builder, n):
    """A loop over vectors of ``n`` numbers: where each begins, and its lanes that are some."""
    wide = ir.Constant(INDEX, LANES)
    n_vectors = builder.sdiv(builder.add(n, ir.Constant(INDEX, LANES - 1)), wide)
    with cgutils.for_range(builder, n_vectors) as loop:
        step = builder.mul(loop.index, wide)
        yield step, first_lanes(builder, builder.sub(n, step))


def _pack(builder, events, place, numbers, some):
    here = builder.load(place)
    goal = builder.bitcast(builder.gep(events, [here]), INTEGERS.as_pointer())
    builder.store(packed(builder, numbers, some), goal, align=4)
    count = builder.ctpop(builder.bitcast(some, ir.IntType(LANES)))
    builder.store(builder.add(here, builder.zext(count, INDEX)), place)


def _pack_one_by_one(builder, events, place, numbers, some):
    here = builder.load(place)
    for lane in (ir.Constant(INTEGER, n) for n in range(LANES)):
        # what comes next overwrites what is not chosen
        builder.store(builder.extract_element(numbers, lane), builder.gep(events, [here]))
        here = builder.add(here, builder.zext(builder.extract_element(some, lane), INDEX))
    builder.store(here, place)


def _at_once(context, n_vectors):
    """Steps whose sums the processor has registers for."""
    return STEPS if is_wide(context) else max(1, 4 // n_vectors)


def _tile(n_vectors):
    def multiply(typing, target, i, i_step, values, k, k_step, weights, w, n_terms):
        def code(context, builder, signature, arguments):
            target, i, i_step, values, k, k_step, weights, w, n_terms = data_of_all(
                context, builder, signature, arguments
            )
            fused, at_once = of_lanes(builder, "fmuladd", 3), _at_once(context, n_vectors)
            width = ir.Constant(INDEX, n_vectors * LANES)
            for first in range(0, STEPS, at_once):
                steps = [ir.Constant(INDEX, n) for n in range(first, min(first + at_once, STEPS))]
                goals = [
                    _ahead(builder, builder.add(i, builder.mul(step, i_step)), v)
                    for step, v in itertools.product(steps, range(n_vectors))
                ]
                sums = variables(builder, [load(builder, target, goal) for goal in goals])
                rows = [builder.add(k, builder.mul(step, k_step)) for step in steps]
                with cgutils.for_range(builder, n_terms) as loop:
                    begin = builder.add(w, builder.mul(loop.index, width))
                    each = [
                        load(builder, weights, _ahead(builder, begin, v)) for v in range(n_vectors)
                    ]
                    for number, row in enumerate(rows):
                        value = builder.load(builder.gep(values, [builder.add(row, loop.index)]))
                        value = spread(builder, value)
                        for v in range(n_vectors):
                            place = sums[number * n_vectors + v]
                            told = value, each[v], builder.load(place)
                            builder.store(builder.call(fused, told), place)
                for goal, place in zip(goals, sums):
                    store(builder, target, goal, builder.load(place))
            return context.get_dummy_value()

        n = types.intp
        return types.void(target, n, n, values, n, n, weights, n, n), code

    multiply.__name__ = f"multiply_{n_vectors}"
    multiply.__doc__ = f"""Add products of values and weights, for {STEPS} steps.

    To the {n_vectors} vectors at ``target[i + step * i_step]`` it adds ``n_terms`` values from
    ``values[k + step * k_step]`` on times vectors of weights, which lie one after another from
    ``weights[w]`` on.
    """
    return intrinsic(multiply)


multiply_1, multiply_2, multiply_3 = (_tile(n) for n in range(1, MOST_VECTORS + 1))
