"""Sums over the events around a column of outputs, in registers: what a convolution costs.

Going down a column of outputs, the sums of as many of them as a column of the kernel reaches live
in registers. The events of a row that the kernel's width reaches are one run of the list; each
adds the weights of its channel to all of these sums. An output that no later row reaches is stored,
and the sums shift by one. A loop that adds weights to memory, event by event, loads and stores a
sum for each of them.

Sums are float32, or where weights have 8 bits and a sum has room in it, whole numbers of 16 bits,
of which twice as many fill a vector. They meet their scales when they are stored. These weights
are kept in 16 bits too: widening them as they are read takes as long as adding them.
"""

import functools
import itertools

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from nengo_tactile.engines.event.vectors import number
from nengo_tactile.lanes import LANES, data_of, load, spread, store

#: Rows of a kernel and vectors of a row that slide together; others are put together of these.
SHAPES = tuple((rows, vectors) for rows in (1, 2, 3) for vectors in (1, 2, 4))
#: Sums of 16 bits in a vector.
NARROW_LANES = 2 * LANES

_WORD = ir.IntType(64)


def _number(value):
    return ir.Constant(_WORD, value)


class _Floats:
    """Weights and sums in float32."""

    lanes, kind = LANES, ir.FloatType()
    sums = ir.VectorType(kind, lanes)

    @staticmethod
    def scalar(builder, value):
        """What an event is worth, as a number that weights are multiplied with."""
        return value

    def weights(self, builder, data, place):
        """A vector of them."""
        return number(builder, data, place, self.sums)

    def product(self, builder, weights, value):
        return builder.fmul(weights, value, flags=["contract"])

    def sum(self, builder, one, other):
        return builder.fadd(one, other, flags=["contract"])

    def parts(self, builder, total):
        """As vectors of floats."""
        return [total]


class _Whole(_Floats):
    """Whole numbers of 16 bits."""

    lanes, kind = NARROW_LANES, ir.IntType(16)
    sums = ir.VectorType(kind, lanes)

    @staticmethod
    def scalar(builder, value):
        return builder.fptosi(value, ir.IntType(16))

    def product(self, builder, weights, value):
        return builder.mul(weights, value)

    def sum(self, builder, one, other):
        return builder.add(one, other)

    def parts(self, builder, total):
        word = ir.IntType(32)
        for first in range(0, self.lanes, LANES):
            chosen = ir.Constant(ir.VectorType(word, LANES), list(range(first, first + LANES)))
            part = builder.shuffle_vector(total, total, chosen)
            part = builder.sext(part, ir.VectorType(word, LANES))
            yield builder.sitofp(part, _Floats.sums)


_FLOATS, _WHOLE = _Floats(), _Whole()


@intrinsic
def slide_down(
    typing, shape, usual, sums, goal, goal_step, weights, whole, narrow, weight, scales, scale,
    graded, events, values, place, place_step, shift, limit, event_step, first, last, n_out,
):  # fmt: skip
    """Add to a column of outputs what events bring.

    Row ``r`` of events, from ``first`` to ``last``, begins in the list where
    ``events[place + r * place_step]`` says, and goes on below ``limit + r * event_step``. Its event
    ``e`` adds the vectors of weights at ``weights[weight + (e - shift - r * event_step) * width]``
    to the output rows ``r``, ``r - 1``, ..., of which there are ``n_out``, each at
    ``sums[goal + row * goal_step]``. What is ``graded`` is worth ``values[...]``, at the event's
    place in the list. ``shape`` is the number of one of `SHAPES`; a row has about ``usual`` events.
    The first ``weights`` are zeros. Where it is ``narrow`` weights are those of ``whole``, and sums
    whole. Sums meet the ``scales`` from ``scale`` on.
    """

    def code(context, builder, signature, arguments):
        kinds = signature.args
        shape, usual, sums, goal, goal_step, weights, whole, narrow, weight = arguments[:9]
        scales, scale, graded, events, values = arguments[9:14]
        sums, weights, whole, scales, events, values = (
            data_of(context, builder, kinds[k], arguments[k]) for k in (2, 5, 6, 9, 12, 13)
        )
        sums, scales = builder.gep(sums, [goal]), builder.gep(scales, [scale])
        end = builder.append_basic_block("end")
        kinds = [(lanes, worth) for lanes in (_FLOATS, _WHOLE) for worth in (None, values)]
        choice = builder.add(graded, builder.mul(narrow, _number(2)))
        choice = builder.add(shape, builder.mul(choice, _number(len(SHAPES))))
        switch = builder.switch(choice, end)
        for number_, ((lanes, worth), size) in enumerate(itertools.product(kinds, SHAPES)):
            block = builder.append_basic_block(f"slide_{number_}")
            switch.add_case(_number(number_), block)
            builder.position_at_end(block)
            nothing = whole if lanes is _WHOLE else weights
            _slide(
                builder, lanes, *size, usual, sums, goal_step, builder.gep(nothing, [weight]),
                nothing, scales, events, worth, *arguments[14:],
            )  # fmt: skip
            builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    n = types.intp
    arrays = n, n, sums, n, n, weights, whole, n, n, scales, n, n, events, values
    return types.void(*arrays, *[n] * 8), code


def _slide(
    builder, lanes, rows, vectors, usual, sums, goal_step, weights, nothing, scales, events, values,
    place, place_step, shift, limit, event_step, first, last, n_out,
):  # fmt: skip
    """The code of `slide_down` for one shape; without ``values`` events are worth one."""
    width = rows * vectors * lanes.lanes
    zeros = ir.Constant(lanes.sums, None)
    none = [zeros] * vectors
    # so many events at a time that the sums of one need not wait for those of the other
    apart = range(2 if rows * vectors <= 6 else 1)

    def event_at(index):
        return builder.sext(builder.load(builder.gep(events, [index])), _WORD)

    def start(row):
        """Where a row's events begin."""
        return event_at(builder.add(place, builder.mul(row, place_step)))

    def phis(*shape):
        return [[builder.phi(lanes.sums) for _ in range(vectors)] for _ in range(*shape)]

    def join(sums_now, sums_new, block):
        for totals, new in zip(sums_now, sums_new):
            for total, value in zip(totals, new):
                total.add_incoming(value, block)

    def added(now, terms, index, inside=None):
        """Sums with the weights of an event; places that are not ``inside`` are worth nothing."""
        if values is not None:
            value = builder.load(builder.gep(values, [index]))
            if inside is not None:  # for what is there is left of earlier steps
                value = builder.select(inside, value, ir.Constant(ir.FloatType(), 0.0))
            value = spread(builder, lanes.scalar(builder, value), lanes.sums)
        result = []
        for k, total in enumerate(itertools.chain.from_iterable(now)):
            term = lanes.weights(builder, terms, _number(k * lanes.lanes))
            if values is not None:
                term = lanes.product(builder, term, value)
            result.append(lanes.sum(builder, total, term))
        return [result[k : k + vectors] for k in range(0, len(result), vectors)]

    def flush(row, totals):
        target = builder.gep(sums, [builder.mul(row, goal_step)])
        parts = itertools.chain.from_iterable(lanes.parts(builder, each) for each in totals)
        for k, total in enumerate(parts):
            place, before = _number(k * LANES), load(builder, target, _number(k * LANES))
            total = builder.fmul(total, load(builder, scales, place), flags=["contract"])
            after = builder.fadd(before, total, flags=["contract"])
            store(builder, target, place, after)

    names = "each_row", "row", "usually", "each_event", "event", "sums", "rest"
    each_row, in_row, usually, each_event, in_event, complete, rest = map(
        builder.append_basic_block, names
    )
    ahead, entry = start(first), builder.block
    builder.branch(each_row)

    builder.position_at_end(each_row)  # what earlier rows brought of outputs that go on
    row, held = builder.phi(_WORD), phis(rows - 1)
    row.add_incoming(first, entry)
    join(held, [none] * (rows - 1), entry)
    begin = builder.phi(_WORD)
    begin.add_incoming(ahead, entry)
    builder.cbranch(builder.icmp_signed("<", row, last), in_row, rest)

    builder.position_at_end(in_row)  # which row comes next is known long before its turn
    next_row = builder.add(row, _number(1))
    more = builder.icmp_signed("<", next_row, last)
    ahead = start(builder.select(more, next_row, row))
    moved = builder.mul(row, event_step)
    back, stop = builder.add(shift, moved), builder.add(limit, moved)
    kernel = builder.gep(weights, [builder.mul(back, _number(-width))])
    builder.branch(usually)

    # As many events as a row usually has, or places behind them, for which nothing is added: a
    # loop that ends where the events do is foreseen wrongly by processors in most rows.
    builder.position_at_end(usually)
    index, sets = builder.phi(_WORD), [phis(rows) for _ in apart]
    index.add_incoming(begin, in_row)
    join(sets[0], [none, *held], in_row)
    for others in sets[1:]:
        join(others, [none] * rows, in_row)
    more_sets = []
    for k, now in zip(apart, sets):
        place_ = builder.add(index, _number(k))
        event = event_at(place_)
        inside = builder.icmp_signed("<", event, stop)
        terms = builder.gep(kernel, [builder.mul(event, _number(width))])
        terms = builder.select(inside, terms, nothing)
        more_sets.append(added(now, terms, place_, inside))
    for now, new in zip(sets, more_sets):
        join(now, new, usually)
    following = builder.add(index, _number(len(apart)))
    index.add_incoming(following, usually)
    some = [
        [functools.reduce(functools.partial(lanes.sum, builder), same) for same in zip(*row_sets)]
        for row_sets in zip(*more_sets)
    ]
    enough = builder.icmp_signed(">=", following, builder.add(begin, usual))
    event = event_at(following)
    builder.cbranch(enough, each_event, usually)
    before_rest = builder.block

    builder.position_at_end(each_event)
    index, event_, now = builder.phi(_WORD), builder.phi(_WORD), phis(rows)
    index.add_incoming(following, before_rest)
    event_.add_incoming(event, before_rest)
    join(now, some, before_rest)
    builder.cbranch(builder.icmp_signed("<", event_, stop), in_event, complete)

    builder.position_at_end(in_event)
    terms = builder.gep(kernel, [builder.mul(event_, _number(width))])
    join(now, added(now, terms, index), in_event)
    following = builder.add(index, _number(1))
    index.add_incoming(following, in_event)
    event_.add_incoming(event_at(following), in_event)
    builder.branch(each_event)

    builder.position_at_end(complete)
    done = builder.sub(row, _number(rows - 1))
    with builder.if_then(builder.icmp_signed(">=", done, _number(0))):
        flush(done, now[-1])
    row.add_incoming(next_row, builder.block)
    join(held, now, builder.block)
    begin.add_incoming(ahead, builder.block)
    builder.branch(each_row)

    builder.position_at_end(rest)
    for k, totals in enumerate(held):
        here = builder.sub(last, _number(k + 1))
        inside = builder.icmp_unsigned("<", here, n_out)  # and not below zero
        with builder.if_then(inside):
            flush(here, totals)
