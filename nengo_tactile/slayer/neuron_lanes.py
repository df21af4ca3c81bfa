"""Sixteen neurons at a time over some steps, their states in registers.

What numba makes of loops over arrays loads and stores each state at every step. Here it is LLVM's
vectors instead, in float32. Arithmetic is that of `dynamics_kernel`, operation by operation.
"""

import functools

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from nengo_tactile.lanes import (
    FLOATS,
    INDEX,
    INTEGER,
    INTEGERS,
    LANES,
    ZEROS,
    data_of_all,
    first_lanes,
    function,
    load,
    load_some,
    of_lanes,
    spread,
    store,
    store_some,
    variables,
)
from nengo_tactile.slayer.dynamics_kernel import HALF_SIGMOID, LINEAR

#: Vectors of neurons side by side, so that one's arithmetic does not wait for its own last result.
TOGETHER = 4
#: Neurons that one call takes.
GROUP = TOGETHER * LANES


class _Lanes:
    """A vector in a builder, with arithmetic."""

    def __init__(self, builder, value):
        self.builder, self.value = builder, value

    def _other(self, other):
        return other.value if isinstance(other, _Lanes) else ir.Constant(FLOATS, [other] * LANES)

    def __add__(self, other):
        return _Lanes(self.builder, self.builder.fadd(self.value, self._other(other)))

    def __sub__(self, other):
        return _Lanes(self.builder, self.builder.fsub(self.value, self._other(other)))

    def __mul__(self, other):
        return _Lanes(self.builder, self.builder.fmul(self.value, self._other(other)))

    def __truediv__(self, other):
        return _Lanes(self.builder, self.builder.fdiv(self.value, self._other(other)))

    def fused(self, factor, other):
        """Times a factor, plus another, rounded once where the processor can."""
        call = of_lanes(self.builder, "fmuladd", 3)
        told = self.value, self._other(factor), self._other(other)
        return _Lanes(self.builder, self.builder.call(call, told))

    def chosen(self, word, other, one, two):
        """Lanes of one vector where a comparison with another holds, else of a second."""
        truth = self.builder.fcmp_ordered(word, self.value, self._other(other))
        return _Lanes(self.builder, self.builder.select(truth, self._other(one), self._other(two)))

    def call(self, name):
        """LLVM's own function of a vector."""
        return _Lanes(
            self.builder, self.builder.call(of_lanes(self.builder, name, 1), [self.value])
        )


def _fetch(builder, data, index, writes):
    """Ask for what the loop over the next neurons reads or writes: no processor foresees it."""
    byte = ir.IntType(8).as_pointer()
    kinds = [byte, INTEGER, INTEGER, INTEGER]
    call = function(builder, "llvm.prefetch.p0i8", ir.VoidType(), kinds)
    place = builder.gep(data, [builder.add(index, ir.Constant(INDEX, GROUP))])
    told = [ir.Constant(INTEGER, n) for n in (int(writes), 3, 1)]
    builder.call(call, [builder.bitcast(place, byte), *told])


def _of(builder, places):
    return [_Lanes(builder, builder.load(place)) for place in places]


def _constants(builder, data, numbers):
    for n in numbers:
        value = builder.load(builder.gep(data, [ir.Constant(INDEX, n)]))
        yield _Lanes(builder, spread(builder, value))


def _parts(builder, s, s_step, count, n_states):
    """Of each vector of a group: how far ahead it is, its lanes that are some, homes of states."""
    for first in range(0, GROUP, LANES):
        ahead = ir.Constant(INDEX, first)
        begin = builder.add(s, ahead)
        steps = (builder.mul(s_step, ir.Constant(INDEX, n)) for n in range(n_states))
        homes = [builder.add(begin, step) for step in steps]
        yield ahead, first_lanes(builder, builder.sub(count, ahead)), homes


def _responded(states, drive, constants):
    """`dynamics_kernel._respond`: states, potential, spikes."""
    decayed, rising, fired, falling = states
    kept, height, kept_back, depth, threshold = constants
    rising = kept * (rising + decayed)
    decayed = kept * decayed + drive
    falling = kept_back * (falling + fired)
    potential = height * rising - depth * falling
    spikes = potential.chosen(">=", threshold, 1.0, 0.0)
    fired = kept_back * fired + spikes
    return (decayed, rising, fired, falling), potential, spikes


def _leaked(states, drive, constants):
    """`dynamics_kernel._leak`: states, potential, spikes."""
    currents, voltages, *others = states
    kept_current, kept_voltage, *_, threshold = constants
    currents = kept_current * currents + drive
    potential = kept_voltage * voltages + currents
    spikes = potential.chosen(">=", threshold, 1.0, 0.0)
    voltages = potential.chosen(">=", threshold, 0.0, potential)
    return (currents, voltages, *others), potential, spikes


def _forward(step, name):
    def run(
        typing, drive, d, d_step, states, s, s_step, potential, spikes, p, p_step, n_steps, count,
        constants,
    ):  # fmt: skip
        def code(context, builder, signature, arguments):
            (
                drive, d, d_step, states, s, s_step, potential, spikes, p, p_step, n_steps, count,
                constants,
            ) = data_of_all(context, builder, signature, arguments)  # fmt: skip
            known = list(_constants(builder, constants, range(5)))
            parts = list(_parts(builder, s, s_step, count, 4))
            own = [variables(builder, [load(builder, states, x) for x in h]) for _, _, h in parts]
            sent = variables(builder, [ZEROS] * TOGETHER)
            with cgutils.for_range(builder, n_steps) as loop:
                for number, (ahead, mask, _) in enumerate(parts):
                    begin = builder.add(d, builder.mul(loop.index, d_step))
                    here = _Lanes(builder, load(builder, drive, builder.add(begin, ahead)))
                    found, level, fired = step(_of(builder, own[number]), here, known)
                    for place, value in zip(own[number], found):
                        builder.store(value.value, place)
                    goal = builder.add(p, builder.mul(loop.index, p_step))
                    goal = builder.add(goal, ahead)
                    for data, value in ((potential, level), (spikes, fired)):
                        _fetch(builder, data, goal, writes=True)
                        store_some(builder, data, goal, value.value, mask)
                    total = builder.fadd(builder.load(sent[number]), fired.value)
                    builder.store(total, sent[number])
            total = ZEROS
            for number, (_, mask, homes) in enumerate(parts):
                for home, place in zip(homes, own[number]):
                    store(builder, states, home, builder.load(place))
                more = builder.select(mask, builder.load(sent[number]), ZEROS)
                total = builder.fadd(total, more)
            lanes = (builder.extract_element(total, ir.Constant(INTEGER, n)) for n in range(LANES))
            return functools.reduce(builder.fadd, lanes)

        n = types.intp
        arguments = (
            drive, n, n, states, n, n, potential, spikes, n, n, n, n, constants,
        )  # fmt: skip
        return types.float32(*arguments), code

    run.__name__ = name
    run.__doc__ = f"""Let the first ``count`` of {GROUP} neurons answer: how many spikes.

    Currents of a step are at ``drive[d + step * d_step]``, the four states at
    ``states[s + number * s_step]``; potentials and spikes go to ``p + step * p_step``.
    ``constants`` are those of `dynamics_kernel.run`.
    """
    return intrinsic(run)


respond, leak = _forward(_responded, "respond"), _forward(_leaked, "leak")


def _slopes(builder, potential, kind, constants):
    """`dynamics_kernel._slopes`, of a vector."""
    threshold, narrow, height, one = constants
    x = (potential - threshold).call("fabs") * narrow
    (result,) = variables(builder, [ZEROS])
    linear, half = (
        builder.icmp_signed("==", kind, ir.Constant(kind.type, n)) for n in (LINEAR, HALF_SIGMOID)
    )
    with builder.if_else(linear) as (then, otherwise):
        with then:
            left = one - x
            builder.store((height * left.chosen(">", 0.0, left, 0.0)).value, result)
        with otherwise, builder.if_else(half) as (then_half, last):
            with then_half:
                builder.store((height / ((one + x) * (one + x))).value, result)
            with last:
                builder.store(_exponential(builder, x, height).value, result)
    return _Lanes(builder, builder.load(result))


def _exponential(builder, x, height):
    """`dynamics_kernel._exponentials`, of a vector."""
    value = _Lanes(builder, builder.fneg(x.chosen("<", 87.0, x, 87.0).value))
    n = value.fused(1.44269504, 0.5).call("floor")
    rest = n.fused(2.12194440e-4, n.fused(-0.693359375, value))
    total = rest.fused(1.9875691500e-4, 1.3981999507e-3)
    for number in (8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1):
        total = total.fused(rest, number)
    result = height * (total * rest).fused(rest, rest + 1.0)
    word = builder.add(builder.fptosi(n.value, INTEGERS), ir.Constant(INTEGERS, [127] * LANES))
    word = builder.shl(word, ir.Constant(INTEGERS, [23] * LANES))
    return result * _Lanes(builder, builder.bitcast(word, FLOATS))


def _responded_back(states, at, constants):
    """`dynamics_kernel._respond_back`: states, what is assigned."""
    (decayed, rising), (kept, height) = states, constants
    rising = kept * (rising + decayed)
    return (kept * decayed + at, rising), height * rising


def _leaked_back(states, at, constants):
    """`dynamics_kernel._leak_back`: states, what is assigned."""
    (currents, voltages), (kept_current, kept_voltage) = states, constants
    currents = kept_current * currents + at
    voltages = kept_voltage * voltages + currents
    return (currents, voltages), voltages


def _backward(step, name):
    def run(
        typing, error, potential, p, p_step, states, s, s_step, assigned, d, d_step, n_steps, count,
        kind, constants,
    ):  # fmt: skip
        def code(context, builder, signature, arguments):
            (
                error, potential, p, p_step, states, s, s_step, assigned, d, d_step, n_steps, count,
                kind, constants,
            ) = data_of_all(context, builder, signature, arguments)  # fmt: skip
            known = list(_constants(builder, constants, range(2)))
            about = list(_constants(builder, constants, range(4, 8)))
            parts = list(_parts(builder, s, s_step, count, 2))
            own = [variables(builder, [load(builder, states, x) for x in h]) for _, _, h in parts]
            with cgutils.for_range(builder, n_steps) as loop:
                t = builder.sub(builder.sub(n_steps, ir.Constant(INDEX, 1)), loop.index)
                for number, (ahead, mask, _) in enumerate(parts):
                    place = builder.add(builder.add(p, builder.mul(t, p_step)), ahead)
                    for data in (potential, error):
                        _fetch(builder, data, place, writes=False)
                    level, at = (
                        _Lanes(builder, load_some(builder, data, place, mask))
                        for data in (potential, error)
                    )
                    at = at * _slopes(builder, level, kind, about)
                    found, part = step(_of(builder, own[number]), at, known)
                    for place, value in zip(own[number], found):
                        builder.store(value.value, place)
                    goal = builder.add(builder.add(d, builder.mul(t, d_step)), ahead)
                    store_some(builder, assigned, goal, part.value, mask)
            for number, (_, _, homes) in enumerate(parts):
                for home, place in zip(homes, own[number]):
                    store(builder, states, home, builder.load(place))
            return context.get_dummy_value()

        n = types.intp
        arguments = (
            error, potential, n, n, states, n, n, assigned, n, n, n, n, n, constants,
        )  # fmt: skip
        return types.void(*arguments), code

    run.__name__ = name
    run.__doc__ = f"""Give errors of the first ``count`` of {GROUP} neurons to their currents.

    From the last of some steps to the first; places as of the way forward, of two states;
    ``kind`` is that of the surrogate.
    """
    return intrinsic(run)


respond_back = _backward(_responded_back, "respond_back")
leak_back = _backward(_leaked_back, "leak_back")
