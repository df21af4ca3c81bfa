"""Eight neurons at a time: what numba has no words for, as LLVM's vector instructions.

Indices are not checked and must not be negative. LLVM makes of the vectors what the processor has
(AVX, SSE, NEON).
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

#: Neurons that one instruction takes.
LANES = 8
#: Neurons whose spikes are the bits of a word.
WORD = 64

_FLOATS = ir.VectorType(ir.FloatType(), LANES)
#: Bytes: rows of weights begin anywhere.
_ALIGNMENT = 4


def _data(context, builder, kind, array):
    return context.make_array(kind)(context, builder, array).data


def _lanes(builder, data, index):
    """Where the eight floats from ``index`` are."""
    return builder.bitcast(builder.gep(data, [index]), _FLOATS.as_pointer())


def _load(builder, data, index):
    return builder.load(_lanes(builder, data, index), align=_ALIGNMENT)


def _store(builder, data, index, value):
    builder.store(value, _lanes(builder, data, index), align=_ALIGNMENT)


def _constant(number):
    return ir.Constant(_FLOATS, [number] * LANES)


def _spread(builder, scalar):
    """Eight times the same float."""
    word = ir.IntType(32)
    one = builder.insert_element(ir.Constant(_FLOATS, ir.Undefined), scalar, ir.Constant(word, 0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(word, LANES), [0] * LANES))


def _bits(builder, lanes, first):
    """Eight truth values as the bits of a word from ``first`` on."""
    word = ir.IntType(64)
    bits = builder.zext(builder.bitcast(lanes, ir.IntType(LANES)), word)
    return builder.shl(bits, ir.Constant(word, first))


@intrinsic
def at(typing, array, i):
    """``array[i]``, without a look at the sign of ``i``."""

    def code(context, builder, signature, arguments):
        data = _data(context, builder, signature.args[0], arguments[0])
        return builder.load(builder.gep(data, [arguments[1]]))

    return array.dtype(array, types.intp), code


@intrinsic
def put(typing, array, i, value):
    """``array[i] = value``, likewise."""

    def code(context, builder, signature, arguments):
        data = _data(context, builder, signature.args[0], arguments[0])
        builder.store(arguments[2], builder.gep(data, [arguments[1]]))
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), code


def _add_rows(count):
    def add_rows(typing, sums, i, weights, a, width, events, values, e, limit):
        def code(context, builder, signature, arguments):
            kinds = signature.args
            sums, i, weights, a, width, events, values, e, limit = arguments
            sums = builder.gep(_data(context, builder, kinds[0], sums), [i])
            weights = builder.gep(_data(context, builder, kinds[2], weights), [a])
            events = _data(context, builder, kinds[5], events)
            values = _data(context, builder, kinds[6], values)
            steps = [context.get_constant(types.intp, LANES * k) for k in range(count)]
            before = builder.block
            begin = [_load(builder, sums, step) for step in steps]
            first = builder.load(builder.gep(events, [e]))
            loop = builder.append_basic_block("rows")
            builder.branch(loop)
            builder.position_at_end(loop)
            index, event = builder.phi(e.type), builder.phi(first.type)
            totals = [builder.phi(_FLOATS) for _ in steps]
            row = builder.gep(weights, [builder.mul(builder.sext(event, e.type), width)])
            value = _spread(builder, builder.load(builder.gep(values, [index])))
            terms = [builder.fmul(_load(builder, row, step), value) for step in steps]
            sums_now = [builder.fadd(total, term) for total, term in zip(totals, terms)]
            following = builder.add(index, context.get_constant(types.intp, 1))
            next_event = builder.load(builder.gep(events, [following]))
            for phi, old, new in (
                (index, e, following),
                (event, first, next_event),
                *zip(totals, begin, sums_now),
            ):
                phi.add_incoming(old, before)
                phi.add_incoming(new, loop)
            end = builder.append_basic_block("sums")
            builder.cbranch(builder.icmp_signed("<", next_event, limit), loop, end)
            builder.position_at_end(end)
            for step, total in zip(steps, sums_now):
                _store(builder, sums, step, total)
            return following

        n = types.intp
        return n(sums, n, weights, n, n, events, values, n, types.int32), code

    add_rows.__doc__ = f"""Add to {LANES * count} sums what the events of a pixel bring.

    ``sums[i + k] += values[e] * weights[a + events[e] * width + k]`` for the event ``e`` and those
    behind it that are less than ``limit``, in this order; returns the first that is not. The sums
    stay in registers, of which processors with AVX have 16.
    """
    return intrinsic(add_rows)


add_12, add_8, add_6, add_4, add_2, add_1 = (_add_rows(count) for count in (12, 8, 6, 4, 2, 1))


def _fire(reset_to_zero):
    def fire(typing, potentials, i, currents, j, rest, k):
        def code(context, builder, signature, arguments):
            kinds, (potentials, i, currents, j, rest, k) = signature.args, arguments
            potentials = _data(context, builder, kinds[0], potentials)
            currents = _data(context, builder, kinds[2], currents)
            rest = _data(context, builder, kinds[4], rest)
            word = ir.Constant(ir.IntType(64), 0)
            for first in range(0, WORD, LANES):
                step = context.get_constant(types.intp, first)
                at, here = builder.add(i, step), builder.add(j, step)
                value = builder.fadd(_load(builder, potentials, at), _load(builder, currents, here))
                over = builder.fcmp_ordered(">=", value, _constant(1.0))
                lost = builder.select(over, _constant(1.0), _constant(0.0))
                left = builder.fsub(value, lost)
                if reset_to_zero:
                    left = builder.select(over, _constant(0.0), value)
                _store(builder, potentials, at, left)
                _store(builder, currents, here, _load(builder, rest, builder.add(k, step)))
                word = builder.or_(word, _bits(builder, over, first))
            return word

        n = types.intp
        return types.uint64(potentials, n, currents, n, rest, n), code

    fire.__doc__ = f"""Let {WORD} neurons integrate: who fires, as bits of a word.

    Potentials from ``i`` on gain the currents from ``j`` on; at one or above they
    {"go to zero" if reset_to_zero else "lose one"}. The currents become ``rest`` from ``k`` on.
    """
    return intrinsic(fire)


fire, fire_to_zero = _fire(False), _fire(True)


def _least(builder, one, other):
    return builder.select(builder.fcmp_ordered("<", one, other), one, other)


def _of_lanes(builder, name):
    """LLVM's own function of eight floats."""
    name = f"llvm.{name}.v{LANES}f32"
    known = builder.module.globals.get(name)
    return known or ir.Function(builder.module, ir.FunctionType(_FLOATS, [_FLOATS]), name)


@intrinsic
def fire_graded(
    typing, potentials, i, currents, j, rest, k, net, fired, most, most_negative, leaky, signed
):
    """Let 64 neurons integrate that send several spikes as one, of both signs: who fires.

    Potentials gain currents, which become ``rest``, as in `fire`. Potentials lose, and net counts
    from ``i`` on gain, what is written to ``fired`` from 0 on: the whole part of the potential, up
    to ``most``; below zero up to ``most_negative``, and no more than the net count where not
    ``leaky``. ``signed`` neurons round down, others towards zero. All four numbers are floats.
    """

    def code(context, builder, signature, arguments):
        kinds, (potentials, i, currents, j, rest, k, net, fired) = signature.args, arguments[:8]
        potentials = _data(context, builder, kinds[0], potentials)
        currents = _data(context, builder, kinds[2], currents)
        rest = _data(context, builder, kinds[4], rest)
        net = _data(context, builder, kinds[6], net)
        fired = _data(context, builder, kinds[7], fired)
        most, most_negative = (_spread(builder, number) for number in arguments[8:10])
        none = ir.Constant(ir.FloatType(), 0.0)
        leaky, signed = (builder.fcmp_ordered("!=", flag, none) for flag in arguments[10:])
        down, towards_zero = (_of_lanes(builder, name) for name in ("floor", "trunc"))
        word = ir.Constant(ir.IntType(64), 0)
        for first in range(0, WORD, LANES):
            step = context.get_constant(types.intp, first)
            at, here = builder.add(i, step), builder.add(j, step)
            value = builder.fadd(_load(builder, potentials, at), _load(builder, currents, here))
            lower, nearer = (builder.call(each, [value]) for each in (down, towards_zero))
            whole = builder.select(signed, lower, nearer)
            count = _load(builder, net, at)
            limit = _least(builder, builder.select(leaky, most, count), most_negative)
            above = _least(builder, whole, most)
            sent = builder.fneg(_least(builder, builder.fneg(above), limit))
            _store(builder, potentials, at, builder.fsub(value, sent))
            _store(builder, net, at, builder.fadd(count, sent))
            _store(builder, fired, step, sent)
            _store(builder, currents, here, _load(builder, rest, builder.add(k, step)))
            fires = builder.fcmp_unordered("!=", sent, _constant(0.0))
            word = builder.or_(word, _bits(builder, fires, first))
        return word

    n, number = types.intp, types.float32
    arrays = (potentials, n, currents, n, rest, n, net, fired)
    return types.uint64(*arrays, number, number, number, number), code


@intrinsic
def first_bit(typing, word):
    """Number of the lowest bit that is set, of a word that is not zero."""

    def code(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.intp(types.uint64), code
