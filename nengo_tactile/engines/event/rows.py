"""Rows of weights added to potentials in float64, and which of these are a threshold off.

Eight at a time. The last vector of a row goes beyond its end: nothing is added there, and nobody
there is off. So behind the last row and the last potential there is room for a vector.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from nengo_tactile.engines.event.vectors import WORD, at, first_bit, number, put
from nengo_tactile.lanes import data_of, has, spread
from nengo_tactile.lazy import compiled_inner

#: Potentials that one instruction takes.
LANES = 8

_SUMS = ir.VectorType(ir.DoubleType(), LANES)
_WEIGHTS = ir.VectorType(ir.FloatType(), LANES)
_COUNTS = ir.VectorType(ir.IntType(32), LANES)
_PLACES = ir.VectorType(ir.IntType(64), LANES)


def _inside(builder, left):
    """Which lanes are among the ``left`` ones."""
    lanes = ir.Constant(_PLACES, list(range(LANES)))
    return builder.icmp_signed("<", lanes, spread(builder, left, _PLACES))


def _add(builder, potentials, i, weights, a, left, value):
    """Add to the ``left`` potentials; returns a vector of them."""
    weights = number(builder, weights, a, _WEIGHTS)
    weights = builder.select(_inside(builder, left), weights, ir.Constant(_WEIGHTS, [0.0] * LANES))
    before = number(builder, potentials, i, _SUMS, 8)
    more = builder.fmul(spread(builder, value, _SUMS), builder.fpext(weights, _SUMS))
    after = builder.fadd(before, more)
    place = builder.bitcast(builder.gep(potentials, [i]), _SUMS.as_pointer())
    builder.store(after, place, align=8)
    return after


def _off(context, builder, potentials, sent, i, threshold, least):
    """Whose potentials are a threshold from what they sent."""
    count = number(builder, sent, i, _COUNTS)
    whole, threshold = builder.sitofp(count, _SUMS), spread(builder, threshold, _SUMS)
    if has(context, "fma"):  # rounded once, which is the threshold times one more or less
        kind, name = ir.FunctionType(_SUMS, [_SUMS] * 3), f"llvm.fma.v{LANES}f64"
        fused = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        above, below = (
            builder.call(fused, [threshold, whole, each])
            for each in (threshold, builder.fneg(threshold))
        )
    else:
        one = ir.Constant(_SUMS, [1.0] * LANES)
        above, below = (
            builder.fmul(threshold, each(whole, one)) for each in (builder.fadd, builder.fsub)
        )
    over = builder.fcmp_ordered(">=", potentials, above)
    under = builder.fcmp_ordered("<=", potentials, below)
    may = builder.icmp_signed(">", count, spread(builder, least, _COUNTS))
    return builder.or_(over, builder.and_(under, may))


def _bits(builder, lanes):
    return builder.zext(builder.bitcast(lanes, ir.IntType(LANES)), ir.IntType(64))


@intrinsic
def _add_lanes(typing, potentials, i, weights, a, left, value):
    """Add to a vector of potentials, of which ``left`` count."""

    def code(context, builder, signature, arguments):
        potentials, i, weights, a, left, value = arguments
        kinds = signature.args
        potentials, weights = (
            data_of(context, builder, kinds[k], array)
            for k, array in ((0, potentials), (2, weights))
        )
        _add(builder, potentials, i, weights, a, left, value)
        return context.get_dummy_value()

    n = types.intp
    return types.void(potentials, n, weights, n, n, types.float64), code


@intrinsic
def add_and_compare(typing, potentials, sent, i, weights, a, left, value, threshold, least):
    """The same; who of them is off, as bits, also who was reached by a weight of zero."""

    def code(context, builder, signature, arguments):
        potentials, sent, i, weights, a, left, value, threshold, least = arguments
        kinds = signature.args
        potentials, sent, weights = (
            data_of(context, builder, kinds[k], arguments[k]) for k in (0, 1, 3)
        )
        after = _add(builder, potentials, i, weights, a, left, value)
        off = _off(context, builder, after, sent, i, threshold, least)
        return _bits(builder, builder.and_(off, _inside(builder, left)))

    n = types.intp
    return types.uint64(
        potentials, sent, n, weights, n, n, types.float64, types.float64, types.int32
    ), code


@intrinsic
def _compare(typing, potentials, sent, i, left, threshold, least):
    """Who is off of a vector of potentials, of which ``left`` count, as bits."""

    def code(context, builder, signature, arguments):
        potentials, sent, i, left, threshold, least = arguments
        potentials, sent = (
            data_of(context, builder, signature.args[k], arguments[k]) for k in (0, 1)
        )
        now = number(builder, potentials, i, _SUMS, 8)
        off = _off(context, builder, now, sent, i, threshold, least)
        return _bits(builder, builder.and_(off, _inside(builder, left)))

    n = types.intp
    return types.uint64(potentials, sent, n, n, types.float64, types.int32), code


@compiled_inner
def add_row(potentials, i, weights, a, n, value):
    """Add ``value`` times ``n`` weights from ``a`` on to the potentials from ``i`` on."""
    for j in range(0, n, LANES):
        _add_lanes(potentials, i + j, weights, a + j, n - j, value)


@compiled_inner
def reached(weights, a, bits):
    """The bits of those whose weights, from ``a`` on, are not zero: others are not looked at."""
    found, left = np.uint64(0), bits
    while left:
        lane = first_bit(left)
        if at(weights, a + lane) != 0:
            found |= np.uint64(1) << np.uint64(lane)
        left &= left - np.uint64(1)
    return found


@compiled_inner
def mark(marks, low, high, k, begin, first, bits):
    """Note which of the units of a stage from ``first`` on have changed, at most a word's.

    A stage's marks begin at ``begin``; words in which some are set lie from ``low`` to ``high``.
    """
    word, place = first // WORD, np.uint64(first % WORD)
    last, more = word, bits >> np.uint64(1) >> (np.uint64(WORD - 1) - place)
    put(marks, begin + word, at(marks, begin + word) | bits << place)
    if more:
        last = word + 1
        put(marks, begin + last, at(marks, begin + last) | more)
    put(low, k, min(at(low, k), word))
    put(high, k, max(at(high, k), last))


@compiled_inner
def add_and_mark(
    potentials, sent, i, weights, a, n, value, threshold, least, marks, low, high, k, begin, first,
):  # fmt: skip
    """`add_row`, and mark who was reached and is off.

    The neurons, of stage ``k``, are those from ``first`` on. Off is who has ``sent`` less by a
    ``threshold`` than its potential, or more, if it has sent more than ``least``.
    """
    for j in range(0, n, LANES):
        bits = add_and_compare(
            potentials, sent, i + j, weights, a + j, n - j, value, threshold, least
        )
        if bits:
            bits = reached(weights, a + j, bits)
            mark(marks, low, high, k, begin, first + j, bits)


@compiled_inner
def mark_off(potentials, sent, i, n, threshold, least, marks, low, high, k, begin):
    """Mark all ``n`` neurons of a stage that are off."""
    for j in range(0, n, LANES):
        bits = _compare(potentials, sent, i + j, n - j, threshold, least)
        if bits:
            mark(marks, low, high, k, begin, j, bits)
