"""Sixteen neurons at a time: what numba has no words for, as LLVM's vector instructions.

Indices are not checked and must not be negative. LLVM makes of the vectors what the processor has
(AVX-512, AVX, SSE, NEON).
"""

import functools

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from nengo_tactile.lanes import (
    ALIGNMENT,
    FLOATS,
    INTEGERS,
    LANES,
    ZEROS,
    data_of,
    function,
    has,
    is_wide,
    load,
    of_lanes,
    packed,
    spread,
    store,
)

#: Neurons whose spikes are the bits of a word.
WORD = 64
#: Sums of eight bytes each.
_SUMS = ir.VectorType(ir.IntType(64), 8)


def _constant(number):
    return ir.Constant(FLOATS, [number] * LANES)


def number(builder, data, index, kind, size=ALIGNMENT):
    """A vector of a kind from ``index`` on."""
    place = builder.bitcast(builder.gep(data, [index]), kind.as_pointer())
    return builder.load(place, align=size)


def _bits(builder, lanes, first):
    """Truth values as the bits of a word from ``first`` on."""
    word = ir.IntType(64)
    bits = builder.zext(builder.bitcast(lanes, ir.IntType(LANES)), word)
    return builder.shl(bits, ir.Constant(word, first))


@intrinsic
def at(typing, array, i):
    """``array[i]``, without a look at the sign of ``i``."""

    def code(context, builder, signature, arguments):
        data = data_of(context, builder, signature.args[0], arguments[0])
        return builder.load(builder.gep(data, [arguments[1]]))

    return array.dtype(array, types.intp), code


@intrinsic
def put(typing, array, i, value):
    """``array[i] = value``, likewise."""

    def code(context, builder, signature, arguments):
        data = data_of(context, builder, signature.args[0], arguments[0])
        builder.store(arguments[2], builder.gep(data, [arguments[1]]))
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), code


def _fire(reset_to_zero):
    def fire(typing, potentials, i, drive, j):
        def code(context, builder, signature, arguments):
            kinds, (potentials, i, drive, j) = signature.args, arguments
            potentials = data_of(context, builder, kinds[0], potentials)
            drive = data_of(context, builder, kinds[2], drive)
            word = ir.Constant(ir.IntType(64), 0)
            for first in range(0, WORD, LANES):
                step = context.get_constant(types.intp, first)
                at, here = builder.add(i, step), builder.add(j, step)
                value = builder.fadd(load(builder, potentials, at), load(builder, drive, here))
                over = builder.fcmp_ordered(">=", value, _constant(1.0))
                lost = builder.select(over, _constant(1.0), _constant(0.0))
                left = builder.fsub(value, lost)
                if reset_to_zero:
                    left = builder.select(over, _constant(0.0), value)
                store(builder, potentials, at, left)
                word = builder.or_(word, _bits(builder, over, first))
            return word

        n = types.intp
        return types.uint64(potentials, n, drive, n), code

    fire.__doc__ = f"""Let {WORD} neurons integrate: who fires, as bits of a word.

    Potentials from ``i`` on gain the currents from ``j`` on; at one or above they
    {"go to zero" if reset_to_zero else "lose one"}.
    """
    return intrinsic(fire)


fire, fire_to_zero = _fire(False), _fire(True)


def _least(builder, one, other):
    return builder.select(builder.fcmp_ordered("<", one, other), one, other)


def _largest(builder, one, other):
    return builder.select(builder.fcmp_ordered(">", one, other), one, other)


@intrinsic
def fire_graded(typing, potentials, i, drive, j, net, fired, most, most_negative, slope, signed):
    """Let 64 neurons integrate that send several spikes as one, of both signs: who fires.

    Potentials gain currents as in `fire`. Potentials lose, and net counts from ``i`` on gain, the
    whole part of the potential, up to ``most``; below zero up to ``most_negative``, and no more
    than the net count without a ``slope``. ``signed`` neurons round down, others towards zero. What
    that is worth is written to ``fired`` from 0 on: with a ``slope`` a spike is worth that much
    below a net count of zero, and one above, in either direction, so that what a neuron has sent is
    the leaky ReLU of its net count. All four numbers are floats.
    """

    def code(context, builder, signature, arguments):
        kinds, (potentials, i, drive, j, net, fired) = signature.args, arguments[:6]
        potentials = data_of(context, builder, kinds[0], potentials)
        drive = data_of(context, builder, kinds[2], drive)
        net = data_of(context, builder, kinds[4], net)
        fired = data_of(context, builder, kinds[5], fired)
        most, most_negative = (spread(builder, number) for number in arguments[6:8])
        none = ir.Constant(ir.FloatType(), 0.0)
        leaky, signed = (builder.fcmp_ordered("!=", flag, none) for flag in arguments[8:])
        slope, zero = spread(builder, arguments[8]), _constant(0.0)
        down, towards_zero = (of_lanes(builder, name) for name in ("floor", "trunc"))
        word = ir.Constant(ir.IntType(64), 0)
        for first in range(0, WORD, LANES):
            step = context.get_constant(types.intp, first)
            at, here = builder.add(i, step), builder.add(j, step)
            value = builder.fadd(load(builder, potentials, at), load(builder, drive, here))
            lower, nearer = (builder.call(each, [value]) for each in (down, towards_zero))
            whole = builder.select(signed, lower, nearer)
            count = load(builder, net, at)
            limit = _least(builder, builder.select(leaky, most, count), most_negative)
            above = _least(builder, whole, most)
            sent = builder.fneg(_least(builder, builder.fneg(above), limit))
            store(builder, potentials, at, builder.fsub(value, sent))
            after = builder.fadd(count, sent)
            store(builder, net, at, after)
            risen, fell = (_largest(builder, each, zero) for each in (after, count))
            above = builder.fsub(risen, fell)
            below = builder.fmul(slope, builder.fsub(sent, above))
            worth = builder.select(leaky, builder.fadd(above, below), sent)
            store(builder, fired, step, worth)
            fires = builder.fcmp_unordered("!=", sent, _constant(0.0))
            word = builder.or_(word, _bits(builder, fires, first))
        return word

    n, number = types.intp, types.float32
    arrays = (potentials, n, drive, n, net, fired)
    return types.uint64(*arrays, number, number, number, number), code


@intrinsic
def take(typing, array, i, taken):
    """Move 64 floats from ``i`` on to another array, zeros in their place.

    Returns which of them are not zero, as bits of a word.
    """

    def code(context, builder, signature, arguments):
        kinds, (array, i, taken) = signature.args, arguments
        array, taken = (
            data_of(context, builder, kind, each)
            for kind, each in ((kinds[0], array), (kinds[2], taken))
        )
        word = ir.Constant(ir.IntType(64), 0)
        for first in range(0, WORD, LANES):
            step = ir.Constant(ir.IntType(64), first)
            value = load(builder, array, builder.add(i, step))
            store(builder, taken, step, value)
            store(builder, array, builder.add(i, step), ZEROS)
            some = builder.fcmp_unordered("!=", value, ZEROS)
            word = builder.or_(word, _bits(builder, some, first))
        return word

    return types.uint64(array, types.intp, taken), code


def masks(builder, word):
    """The bits of a word as truth values of its lanes, a vector for each group, with their number.

    Yields
    ------
    first, mask, count
    """
    wide, half = ir.IntType(64), ir.IntType(LANES)
    for first in range(0, WORD, LANES):
        part = builder.trunc(builder.lshr(word, ir.Constant(wide, first)), half)
        count = builder.zext(builder.ctpop(part), wide)
        yield first, builder.bitcast(part, ir.VectorType(ir.IntType(1), LANES)), count


def _places_of_bits():
    """Of each byte the numbers of the bits that are set, in order, and zeros behind them."""
    numbers = [[bit for bit in range(8) if byte >> bit & 1] for byte in range(256)]
    return [number for each in numbers for number in each + [0] * (8 - len(each))]


@intrinsic
def put_bits(typing, array, i, word, base):
    """Write ``base`` and the number of each bit that is set; returns the place behind the last.

    There has to be room for two vectors more. Hardly with a branch: how many bits a word has, no
    processor foresees.
    """

    def code(context, builder, signature, arguments):
        array, place, word, base = arguments
        data = data_of(context, builder, signature.args[0], array)
        base = builder.trunc(base, ir.IntType(32))
        put = _pack_bits if is_wide(context) else _look_bits_up
        if has(context, "avx512vbmi2"):
            put = _pack_bytes
        return put(builder, data, place, word, base)

    return types.intp(array, types.intp, types.uint64, types.intp), code


def _pack_bytes(builder, data, place, word, base):
    """All at once, as bytes; the second half of a word is hardly ever needed."""
    name, kind = "llvm.x86.avx512.mask.compress.v64i8", ir.VectorType(ir.IntType(8), WORD)
    chosen = builder.bitcast(word, ir.VectorType(ir.IntType(1), WORD))
    pack = function(builder, name, kind, [kind, kind, chosen.type])
    numbers = ir.Constant(kind, list(range(WORD)))
    found = builder.call(pack, [numbers, ir.Constant(kind, None), chosen])
    count, base = builder.ctpop(word), spread(builder, base, INTEGERS)

    def write(first):
        lanes = ir.Constant(INTEGERS, list(range(first, first + LANES)))
        some = builder.zext(builder.shuffle_vector(found, found, lanes), INTEGERS)
        here = builder.gep(data, [builder.add(place, ir.Constant(ir.IntType(64), first))])
        target = builder.bitcast(here, INTEGERS.as_pointer())
        builder.store(builder.add(some, base), target, align=4)

    half = WORD // 2
    for first in range(0, half, LANES):
        write(first)
    many = builder.icmp_unsigned(">", count, ir.Constant(ir.IntType(64), half))
    with builder.if_then(many, likely=False):
        for first in range(half, WORD, LANES):
            write(first)
    return builder.add(place, count)


def _pack_bits(builder, data, place, word, base):
    numbers = ir.VectorType(ir.IntType(32), LANES)
    base = spread(builder, base, numbers)
    for first, mask, count in masks(builder, word):
        here = ir.Constant(numbers, list(range(first, first + LANES)))
        found = packed(builder, builder.add(base, here), mask)
        target = builder.bitcast(builder.gep(data, [place]), numbers.as_pointer())
        builder.store(found, target, align=4)
        place = builder.add(place, count)
    return place


def _look_bits_up(builder, data, place, word, base):
    """Byte by byte, in a table."""
    byte, number, wide = ir.IntType(8), ir.IntType(32), ir.IntType(64)
    numbers, bytes_ = ir.VectorType(number, 8), ir.VectorType(byte, 8)
    table = ir.Constant(ir.ArrayType(byte, 2048), _places_of_bits())
    table = cgutils.global_constant(builder, "places_of_bits", table)
    table = builder.bitcast(table, byte.as_pointer())
    for first in range(0, WORD, 8):
        part = builder.lshr(word, ir.Constant(wide, first))
        part = builder.and_(part, ir.Constant(wide, 255))
        row = builder.gep(table, [builder.shl(part, ir.Constant(wide, 3))])
        found = builder.load(builder.bitcast(row, bytes_.as_pointer()), align=1)
        here = spread(builder, builder.add(base, ir.Constant(number, first)), numbers)
        found = builder.add(builder.zext(found, numbers), here)
        target = builder.bitcast(builder.gep(data, [place]), numbers.as_pointer())
        builder.store(found, target, align=4)
        place = builder.add(place, builder.ctpop(part))
    return place


@intrinsic
def put_values(typing, array, i, word, values):
    """Write those of 64 values whose bits are set, from ``i`` on; room as for `put_bits`."""

    def code(context, builder, signature, arguments):
        array, place, word, values = arguments
        kinds = signature.args
        array, values = (data_of(context, builder, kinds[k], arguments[k]) for k in (0, 3))
        for first, mask, count in masks(builder, word):
            if is_wide(context):
                found = load(builder, values, ir.Constant(ir.IntType(64), first))
                store(builder, array, place, packed(builder, found, mask))
                place = builder.add(place, count)
                continue
            for lane in range(LANES):  # what comes next overwrites what is not chosen
                number_ = ir.Constant(ir.IntType(64), first + lane)
                value = builder.load(builder.gep(values, [number_]))
                builder.store(value, builder.gep(array, [place]))
                bit = builder.extract_element(mask, ir.Constant(ir.IntType(32), lane))
                place = builder.add(place, builder.zext(bit, ir.IntType(64)))
        return context.get_dummy_value()

    return types.void(array, types.intp, types.uint64, values), code


@intrinsic
def count_bits(typing, array, i, word):
    """Add one to each of 64 bytes from ``i`` on whose bit is set."""

    def code(context, builder, signature, arguments):
        data = data_of(context, builder, signature.args[0], arguments[0])
        kind, bits = (ir.VectorType(ir.IntType(n), WORD) for n in (8, 1))
        more = builder.zext(builder.bitcast(arguments[2], bits), kind)
        place = builder.bitcast(builder.gep(data, [arguments[1]]), kind.as_pointer())
        builder.store(builder.add(builder.load(place, align=1), more), place, align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.uint64), code


def _summed(builder, first, end, step, terms, kind=INTEGERS):
    """The sum of whole numbers over a loop from ``first`` to ``end``, as a word.

    ``terms(place)`` gives vectors of a kind.
    """
    wide = ir.IntType(64)
    entry = builder.block
    loop, inside, done = (builder.append_basic_block(name) for name in ("loop", "in", "out"))
    builder.branch(loop)
    builder.position_at_end(loop)
    place, total = builder.phi(wide), builder.phi(kind)
    place.add_incoming(first, entry)
    total.add_incoming(ir.Constant(kind, None), entry)
    builder.cbranch(builder.icmp_signed("<", place, end), inside, done)
    builder.position_at_end(inside)
    sums = functools.reduce(builder.add, terms(place), total)
    place.add_incoming(builder.add(place, ir.Constant(wide, step)), inside)
    total.add_incoming(sums, inside)
    builder.branch(loop)
    builder.position_at_end(done)
    lanes = (ir.Constant(ir.IntType(32), lane) for lane in range(kind.count))
    parts = [builder.extract_element(total, lane) for lane in lanes]
    parts = [part if part.type == wide else builder.sext(part, wide) for part in parts]
    return functools.reduce(builder.add, parts)


@intrinsic
def sum_bits(typing, words, some, first, end, numbers, i):
    """The sum of the bytes from ``i`` on whose bits are set in some words.

    These are those whose numbers stand in ``some`` from ``first`` to ``end``.
    """

    def code(context, builder, signature, arguments):
        words, some, first, end, numbers, i = arguments
        words, some, numbers = (
            data_of(context, builder, signature.args[k], arguments[k]) for k in (0, 1, 4)
        )
        wide, byte = ir.IntType(64), ir.IntType(8)
        at_once = has(context, "avx512bw")

        def chosen(place):
            place = builder.load(builder.gep(some, [place]))
            begin = builder.add(i, builder.mul(place, ir.Constant(wide, WORD)))
            word = builder.load(builder.gep(words, [place]))
            if at_once:
                mask = builder.bitcast(word, ir.VectorType(ir.IntType(1), WORD))
                found = number(builder, numbers, begin, ir.VectorType(byte, WORD), 1)
                none = ir.Constant(found.type, None)
                add = function(
                    builder, "llvm.x86.avx512.psad.bw.512", _SUMS, [found.type, found.type]
                )
                yield builder.call(add, [builder.select(mask, found, none), none])
                return
            for lane, mask, _ in masks(builder, word):
                here = builder.add(begin, ir.Constant(wide, lane))
                found = number(builder, numbers, here, ir.VectorType(byte, LANES), 1)
                found = builder.zext(found, INTEGERS)
                yield builder.select(mask, found, ir.Constant(INTEGERS, None))

        return _summed(builder, first, end, 1, chosen, _SUMS if at_once else INTEGERS)

    n = types.intp
    return types.intp(words, some, n, n, numbers, n), code


@intrinsic
def sum_units(typing, values, first, end):
    """What values are worth in unit spikes, at least one each; behind them is room for a vector."""

    def code(context, builder, signature, arguments):
        values = data_of(context, builder, signature.args[0], arguments[0])
        _, first, end = arguments
        wide, kind = ir.IntType(64), ir.VectorType(ir.IntType(32), LANES)
        lanes = ir.Constant(ir.VectorType(wide, LANES), list(range(LANES)))
        one = ir.Constant(kind, [1] * LANES)

        def units(place):
            value = load(builder, values, place)
            size = builder.fadd(builder.call(of_lanes(builder, "fabs"), [value]), _constant(0.5))
            size = builder.fptosi(size, kind)
            size = builder.select(builder.icmp_signed(">", size, one), size, one)
            here = builder.add(spread(builder, place, lanes.type), lanes)
            inside = builder.icmp_signed("<", here, spread(builder, end, lanes.type))
            yield builder.select(inside, size, ir.Constant(kind, None))

        return _summed(builder, first, end, LANES, units)

    return types.intp(values, types.intp, types.intp), code


def _spread_out(builder, vector, mask):
    """The first lanes of a vector at the places that a mask chooses, zeros elsewhere."""
    name = f"llvm.x86.avx512.mask.expand.v{LANES}f32"
    kinds = [FLOATS, FLOATS, mask.type]
    return builder.call(function(builder, name, FLOATS, kinds), [vector, _constant(0.0), mask])


def laid_out(context, builder, values, place, mask, count):
    """Values from ``place`` on at the places that a mask chooses; and the place of the next."""
    if is_wide(context):
        value = _spread_out(builder, load(builder, values, place), mask)
        return value, builder.add(place, count)
    value = ZEROS
    for lane in range(LANES):
        lane = ir.Constant(ir.IntType(32), lane)
        bit = builder.extract_element(mask, lane)
        next_ = builder.load(builder.gep(values, [place]))
        next_ = builder.select(bit, next_, ir.Constant(ir.FloatType(), 0.0))
        value = builder.insert_element(value, next_, lane)
        place = builder.add(place, builder.zext(bit, ir.IntType(64)))
    return value, place


@intrinsic
def add_values(typing, array, i, word, weights, k, values, place):
    """Add to each of 64 floats whose bit is set its weight times its value, as `add_bits` does.

    Values are those of set bits alone, from ``place`` on; behind them is room for a vector. Returns
    the place of the next.
    """

    def code(context, builder, signature, arguments):
        array, i, word, weights, k, values, place = arguments
        array, weights, values = (
            data_of(context, builder, signature.args[n], arguments[n]) for n in (0, 3, 5)
        )
        for first, mask, count in masks(builder, word):
            step = ir.Constant(ir.IntType(64), first)
            at, there = builder.add(i, step), builder.add(k, step)
            value, place = laid_out(context, builder, values, place, mask, count)
            more = builder.fmul(value, load(builder, weights, there))
            more = builder.select(mask, more, _constant(0.0))
            store(builder, array, at, builder.fadd(load(builder, array, at), more))
        return place

    n = types.intp
    return types.intp(array, n, types.uint64, weights, n, values, n), code


@intrinsic
def add_bits(typing, array, i, word, weights, k):
    """Add to each of 64 floats from ``i`` on whose bit is set its weight, from ``k`` on."""

    def code(context, builder, signature, arguments):
        array, i, word, weights, k = arguments
        kinds = signature.args
        array = data_of(context, builder, kinds[0], array)
        weights = data_of(context, builder, kinds[3], weights)
        for first, mask, _ in masks(builder, word):
            step = ir.Constant(ir.IntType(64), first)
            at, there = builder.add(i, step), builder.add(k, step)
            more = builder.select(mask, load(builder, weights, there), _constant(0.0))
            store(builder, array, at, builder.fadd(load(builder, array, at), more))
        return context.get_dummy_value()

    n = types.intp
    return types.void(array, n, types.uint64, weights, n), code


@intrinsic
def n_bits(typing, word):
    """How many bits of a word are set."""

    def code(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.intp(types.uint64), code


@intrinsic
def first_bit(typing, word):
    """Number of the lowest bit that is set, of a word that is not zero."""

    def code(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.intp(types.uint64), code
