"""The asynchronous simulation of sigma-delta networks, spike by spike, compiled.

Spikes wait in a queue, first in, first out. A spike that is handled changes the potentials of all
that it reaches, over all links and through relays; then those that crossed a threshold send a
spike into the queue, stage by stage and in the order of their numbers. A weight of
zero reaches nothing.
"""

from collections import namedtuple

import numpy as np
from numba.extending import register_jitable

from nengo_tactile.engines.event.kernel import MAX_POOL, NEURONS, READ_OUT, RELAY
from nengo_tactile.engines.event.queue_ways import (
    ANY_WAY,
    FULL_QUEUE,
    TO_NEURONS,
    TO_SLOTS,
    pixel_of,
    send,
    to_neurons,
    to_slots,
)
from nengo_tactile.engines.event.rows import add_and_mark, add_row, mark, mark_off
from nengo_tactile.engines.event.vectors import WORD, at, first_bit, put
from nengo_tactile.lazy import compiled, compiled_inner

inlined = register_jitable(inline="always")

#: Of a stage: what it does; its size; where its state begins, in it the maxima of a max pooling;
#: inputs of a window; row among those that send (or -1), and where its neurons or units begin among
#: theirs; where its marks begin; the links that leave it, the relays that these reach, in order,
#: and the other stages reached directly or through relays, in order; how its
#: spikes go on (see `queue_ways`), the one stage that they go to, and where slots of a max pooling
#: begin, if it is one; threshold; neurons that have
#: sent more than ``least`` may take spikes back.
STAGE = np.dtype(
    [
        *((name, np.int64) for name in ("kind", "size", "state", "tops", "window", "row", "unit")),
        *((name, np.int64) for name in ("marks", "first_out", "last_out")),
        *((name, np.int64) for name in ("first_relay", "last_relay")),
        *((name, np.int64) for name in ("first_reached", "last_reached")),
        *((name, np.int64) for name in ("way", "only", "first_slot")),
        ("threshold", np.float64),
        ("least", np.int64),
    ]
)
#: Of a link: the stage it goes to, channels, weights of a channel, where its weights, pointers
#: and shifts (or -1) begin (see `nengo_tactile.engines.event.links.Runs`), and the reciprocal of
#: its channels.
LINK = np.dtype(
    [
        *((name, np.int64) for name in ("target", "channels", "width", "weight", "pointer")),
        ("shift", np.int64),
        ("reciprocal", np.uint64),
    ]
)
#: What waits: a stage, a neuron of it, and what it sends.
WAITING = np.dtype([("stage", np.int32), ("unit", np.int32), ("value", np.float64)])

#: What a thread needs for itself: potentials; what neurons have sent, in thresholds; what the
#: current of a step brings; marks of who may be off, and the first and last word of marks in each
#: stage; what waits; see `HEAD`; neurons that send, and what; spikes and operations of each row so
#: far; a number that is not zero once all shall stop.
Memory = namedtuple(
    "Memory", "potentials sent drive marks low high queue cursor senders values spent stop"
)
#: Places in the cursor: the next to be handled, where the next goes, rows of the trace, and the
#: sample.
HEAD, TAIL, ROWS, SAMPLE = range(4)

#: What arrives, of each sample in order: pixel, time, value and step of each event,
#: (n_samples, n_pixels), of which the first ``length`` count. With ``parts``, that is a current: it
#: arrives in each of as many steps. ``steps`` are all that something may arrive in.
Arrivals = namedtuple("Arrivals", "unit time value step length parts steps")

#: What is measured: potentials of the read-out, (n_samples, n_steps, n_outputs); spikes of each
#: neuron, and positive less negative ones, (n_samples, n_units); spikes and synaptic operations of
#: each stage and step, (n_samples, n_rows, n_steps). Row 0 is the input's.
#: And spikes of each unit at each step, of the first samples, (n_rasters, n_steps, n_units).
Measured = namedtuple("Measured", "potentials counts sent spikes synops rasters")

#: What a simulation came to; errors are below zero.
DONE, FULL_TRACE = range(2)
#: No mark is set.
NONE = 2**62


@inlined
def spread(
    potentials, sent, marks, low, high, senders, sent_values,
    stages, links, weights, pointers, runs, shifts, outs, relays, fan_out, spent, k, n_senders,
):  # fmt: skip
    """Bring what a stage sends to all that it reaches, also through relays.

    ``n_senders`` numbers and values of its neurons stand in ``senders`` and ``sent_values``. Who
    may cross is marked. Operations of relays are added to ``spent``.
    """
    place, last_relay = stages[k].first_relay, stages[k].last_relay
    while True:
        for out in range(stages[k].first_out, stages[k].last_out):
            link = links[outs[out]]
            target, stage = link.target, stages[link.target]
            kind, begin = stage.kind, stage.state
            for sender in range(n_senders):
                unit, value = at(senders, sender), at(sent_values, sender)
                pixel, channel = pixel_of(unit, link)
                to = np.int64(0)
                if link.shift >= 0:
                    to = at(shifts, link.shift + channel)
                row = link.weight + channel * link.width
                for run in range(
                    at(pointers, link.pointer + pixel), at(pointers, link.pointer + pixel + 1)
                ):
                    first, n = to + at(runs, 3 * run), np.int64(at(runs, 3 * run + 2))
                    i, a = begin + first, row + at(runs, 3 * run + 1)
                    if kind == MAX_POOL:
                        put(potentials, i, at(potentials, i) + value)
                        window = np.int64(at(runs, 3 * run + 1))
                        mark(marks, low, high, target, stage.marks, window, np.uint64(1))
                    elif kind == NEURONS:
                        add_and_mark(
                            potentials, sent, i, weights, a, n, value, stage.threshold,
                            np.int32(stage.least), marks, low, high, target, stage.marks, first,
                        )  # fmt: skip
                    else:
                        add_row(potentials, i, weights, a, n, value)
                        for j in range(n):
                            if kind == RELAY:
                                mark(marks, low, high, target, stage.marks, first + j, np.uint64(1))
                            elif at(weights, a + j) != 0:  # the read-out only notes that it changed
                                put(low, target, 0)
                                put(high, target, 0)
                                break
        if place == last_relay:
            break
        # the next relay sends what it holds
        k = relays[place]
        place += 1
        n_senders = 0
        for word in range(at(low, k), at(high, k) + 1):
            bits = at(marks, stages[k].marks + word)
            put(marks, stages[k].marks + word, np.uint64(0))
            while bits:
                unit = word * WORD + first_bit(bits)
                bits &= bits - np.uint64(1)
                value = at(potentials, stages[k].state + unit)
                put(potentials, stages[k].state + unit, 0.0)
                if value != 0:
                    put(senders, n_senders, unit)
                    put(sent_values, n_senders, value)
                    n_senders += 1
                    spent[1, stages[k].row] += at(fan_out, stages[k].unit + unit)
        put(low, k, NONE)
        put(high, k, -1)


@inlined
def fire(potentials, sent, marks, low, high, queue, head, tail, stages, counts, k, most):
    """Let marked neurons (or windows) of a stage that are off send into the queue.

    Returns
    -------
    int
        Where the next goes that waits; or what went wrong, which is below zero.
    """
    stage = stages[k]
    for word in range(at(low, k), at(high, k) + 1):
        bits = at(marks, stage.marks + word)
        put(marks, stage.marks + word, np.uint64(0))
        while bits:
            unit = word * WORD + first_bit(bits)
            bits &= bits - np.uint64(1)
            if stage.kind == NEURONS:
                # the two conditions of Algorithm 1: what was sent is never below zero with a
                # ReLU; at zero there is nothing to take back
                i = stage.state + unit
                v, now = at(potentials, i), at(sent, i)
                more = np.int32(v >= stage.threshold * (now + 1))
                if now > stage.least:
                    more -= np.int32(v <= stage.threshold * (now - 1))
                put(sent, i, now + more)
                value = np.float64(more)
            else:
                slot = stage.state + unit * stage.window
                top = at(potentials, slot)
                for other in range(slot + 1, slot + stage.window):
                    top = max(top, at(potentials, other))
                value = top - at(potentials, stage.tops + unit)
                put(potentials, stage.tops + unit, top)
            tail = send(queue, head, tail, counts, k, stage.unit, unit, value, most)
            if tail < 0:
                return tail
    put(low, k, NONE)
    put(high, k, -1)
    return tail


@compiled_inner
def fire_at(plan, memory, measured, k, most):
    """`fire`, for those who call it seldom: whether something fired, or what went wrong."""
    cursor = memory.cursor
    before = cursor[TAIL]
    tail = fire(
        memory.potentials, memory.sent, memory.marks, memory.low, memory.high, memory.queue,
        cursor[HEAD], before, plan.stages, measured.counts[cursor[SAMPLE]], k, most,
    )  # fmt: skip
    if tail < 0:
        return tail
    cursor[TAIL] = tail
    return tail - before


@compiled_inner
def drain(plan, memory, measured, step, time, most, trace, trace_values):
    """Handle what waits, until nothing does.

    Returns
    -------
    result, stage : int
        DONE, or why it stopped, and where. After FULL_TRACE it can go on.
    """
    potentials, sent, marks, low, high, queue, cursor = (
        memory.potentials, memory.sent, memory.marks, memory.low, memory.high, memory.queue,
        memory.cursor,
    )  # fmt: skip
    senders, sent_values, spent = memory.senders, memory.values, memory.spent
    stages, links, weights, pointers = plan.stages, plan.links, plan.weights, plan.pointers
    runs, shifts, outs, relays, reached = (
        plan.runs, plan.shifts, plan.outs, plan.relays, plan.reached,
    )  # fmt: skip
    fan_out, sample = plan.fan_out, cursor[SAMPLE]
    counts, head, tail = measured.counts[sample], cursor[HEAD], cursor[TAIL]
    raster = measured.rasters[sample : sample + 1, step]  # one row, or none
    while head < tail:
        if cursor[ROWS] == len(trace):
            cursor[HEAD], cursor[TAIL] = head, tail
            return FULL_TRACE, 0
        waiting = queue[head]
        source, unit, value = np.int64(waiting.stage), np.int64(waiting.unit), waiting.value
        way = stages[source].way
        if way == TO_SLOTS:
            head, tail = to_slots(
                potentials, queue, head, tail, stages, plan.slots, fan_out, counts, spent,
                raster, most, source,
            )  # fmt: skip
        elif way == TO_NEURONS:
            head, tail = to_neurons(
                potentials, sent, queue, head, tail, stages, links, outs, weights, pointers, runs,
                shifts, fan_out, counts, spent, raster, most, source,
            )  # fmt: skip
        if way != ANY_WAY:
            if tail < 0:
                return tail, stages[source].only
            continue
        head += 1
        if head == len(queue):
            head, tail = 0, tail - len(queue)
        stage = stages[source]
        if len(raster):
            raster[0, stage.unit + unit] += 1
        spent[0, stage.row] += 1
        spent[1, stage.row] += at(fan_out, stage.unit + unit)
        put(senders, 0, unit)
        put(sent_values, 0, value)
        spread(
            potentials, sent, marks, low, high, senders, sent_values, stages, links, weights,
            pointers, runs, shifts, outs, relays, fan_out, spent, source, 1,
        )  # fmt: skip
        for place in range(stage.first_reached, stage.last_reached):
            k = reached[place]
            if at(high, k) < 0:
                continue
            if stages[k].kind == READ_OUT:
                put(low, k, NONE)
                put(high, k, -1)
                note(plan, memory, time, trace, trace_values)
                continue
            tail = fire(
                potentials, sent, marks, low, high, queue, head, tail, stages, counts, k, most
            )
            if tail < 0:
                return tail, k
    cursor[HEAD] = cursor[TAIL] = 0  # so that few pages of memory are used
    return DONE, 0


@compiled_inner
def push(memory, k, unit, value):
    """Put an event behind those that wait; False if there is no room."""
    cursor, queue = memory.cursor, memory.queue
    if cursor[TAIL] - cursor[HEAD] == len(queue):
        return False
    waiting = queue[cursor[TAIL] % len(queue)]
    waiting.stage, waiting.unit, waiting.value = k, unit, value
    cursor[TAIL] += 1
    return True


@compiled_inner
def note(plan, memory, time, trace, trace_values):
    """Write the read-out into the trace, with what it took so far."""
    if len(trace) == 1:  # nobody wants it
        return
    row, n_rows = memory.cursor[ROWS], memory.spent.shape[1]
    trace[row, 0] = memory.cursor[SAMPLE]
    for k in range(n_rows):
        trace[row, 1 + k] = memory.spent[0, k]
        trace[row, 1 + n_rows + k] = memory.spent[1, k]
    read_out = plan.stages[len(plan.stages) - 2]
    trace_values[row, 0] = time
    for i in range(read_out.size):
        trace_values[row, 1 + i] = memory.potentials[read_out.state + i]
    memory.cursor[ROWS] += 1


@compiled
def enlarged(array):
    """An array of twice as many rows, the first ones filled."""
    result = np.empty((2 * array.shape[0], array.shape[1]), array.dtype)
    result[: len(array)] = array
    return result


@compiled_inner
def mark_crossed(plan, memory, k):
    """Mark the neurons of a stage that are a threshold or more off."""
    stage = plan.stages[k]
    mark_off(
        memory.potentials, memory.sent, stage.state, stage.size, stage.threshold,
        np.int32(stage.least), memory.marks, memory.low, memory.high, k, stage.marks,
    )  # fmt: skip


@compiled
def reset(plan, memory):
    """Begin anew: potentials are biases, nothing was sent."""
    memory.potentials[:] = plan.start
    memory.sent[:] = 0


@compiled_inner
def add_current(plan, memory):
    """Let the current of a step arrive everywhere at once."""
    source = plan.stages[len(plan.stages) - 1]
    for place in range(source.first_reached, source.last_reached):
        k = plan.reached[place]
        stage = plan.stages[k]
        n = stage.size * stage.window if stage.kind == MAX_POOL else stage.size
        for i in range(stage.state, stage.state + n):
            memory.potentials[i] += memory.drive[i]
        if stage.kind == NEURONS:
            mark_crossed(plan, memory, k)
        elif stage.kind == MAX_POOL:
            for unit in range(stage.size):
                mark(memory.marks, memory.low, memory.high, k, stage.marks, unit, np.uint64(1))


@compiled_inner
def told(spent, before, spikes, synops, step):
    """Write down what a step took."""
    for row in range(spent.shape[1]):
        spikes[row, step] = spent[0, row] - before[0, row]
        synops[row, step] = spent[1, row] - before[1, row]
        before[0, row], before[1, row] = spent[0, row], spent[1, row]


@compiled
def simulate(plan, arrivals, n_steps, n_frames, settle, first, last, memory, measured, most, trace,
             trace_values):  # fmt: skip
    """Run the samples from ``first`` to ``last``; ``measured`` is filled in.

    Parameters
    ----------
    plan : nengo_tactile.engines.event.queue_plan.QueuePlan
    arrivals : Arrivals
    n_steps : int
    n_frames : int
        Samples that follow one another without a reset; 0 if none has one.
    settle : bool
        Whether neurons that are still a threshold or more off when all has arrived fire until they
        are not.
    first, last : int
    memory : Memory
    measured : Measured
    most : int
        Spikes of a neuron per sample at most.
    trace, trace_values : 2-D int64 and float64 arrays
        Room for the trace, of one row if there shall be none.

    Returns
    -------
    result, stage : int
        DONE, or why it stopped, and where.
    trace, trace_values : arrays
        The trace, of which ``memory.cursor[ROWS]`` rows are filled.
    """
    cursor, stages = memory.cursor, plan.stages
    entry, read_out = len(stages) - 1, stages[len(stages) - 2]
    source = stages[entry]
    cursor[:] = 0
    memory.marks[:] = 0
    memory.low[:] = NONE
    memory.high[:] = -1
    before = np.zeros_like(memory.spent)
    settled = min(n_steps - 1, arrivals.steps)
    for sample in range(first, last):
        cursor[SAMPLE] = sample
        memory.spent[:] = 0
        before[:] = 0
        if n_frames != 0 and sample % n_frames == 0:
            reset(plan, memory)
        if cursor[ROWS] == len(trace):
            trace, trace_values = enlarged(trace), enlarged(trace_values)
        note(plan, memory, 0.0, trace, trace_values)
        event, length = 0, arrivals.length[sample]
        if arrivals.parts:
            memory.drive[:] = 0
            for place in range(length):
                unit = np.int64(arrivals.unit[sample, place])
                memory.senders[place] = unit
                memory.values[place] = arrivals.value[sample, place]
                measured.counts[sample, source.unit + unit] += 1
                if sample < len(measured.rasters):
                    measured.rasters[sample, 0, source.unit + unit] += 1
                memory.spent[0, source.row] += 1
                memory.spent[1, source.row] += plan.fan_out[source.unit + unit]
            spread(
                memory.drive, memory.sent, memory.marks, memory.low, memory.high,
                memory.senders, memory.values, plan.stages, plan.links, plan.weights,
                plan.pointers, plan.runs, plan.shifts, plan.outs, plan.relays, plan.fan_out,
                memory.spent, entry, length,
            )  # fmt: skip
        for step in range(n_steps):
            if memory.stop[0]:
                return DONE, 0, trace, trace_values
            time = float(step)
            settling = 0 if settle and step == settled else len(stages)
            begun = False
            while True:
                # what is next to wait in the queue
                if not begun and step < arrivals.parts and length:
                    begun = True
                    add_current(plan, memory)
                    changed = False
                    for place in range(source.first_reached, source.last_reached):
                        where = plan.reached[place]
                        if stages[where].kind == READ_OUT:
                            changed = True
                            continue
                        result = fire_at(plan, memory, measured, where, most)
                        if result < 0:
                            return result, where, trace, trace_values
                    if changed:
                        if cursor[ROWS] == len(trace):
                            trace, trace_values = enlarged(trace), enlarged(trace_values)
                        note(plan, memory, time, trace, trace_values)
                elif event < length and arrivals.step[sample, event] == step:
                    time = arrivals.time[sample, event]
                    while event < length and arrivals.time[sample, event] == time:
                        unit, value = arrivals.unit[sample, event], arrivals.value[sample, event]
                        if not push(memory, entry, unit, value):
                            return FULL_QUEUE, entry, trace, trace_values
                        measured.counts[sample, source.unit + unit] += 1
                        event += 1
                elif settling < len(stages):
                    if stages[settling].kind == NEURONS:
                        mark_crossed(plan, memory, settling)
                        result = fire_at(plan, memory, measured, settling, most)
                        if result < 0:
                            return result, settling, trace, trace_values
                        if result == 0:
                            settling += 1
                    else:
                        settling += 1
                else:
                    break
                while True:
                    result, where = drain(
                        plan, memory, measured, step, time, most, trace, trace_values
                    )
                    if result != FULL_TRACE:
                        break
                    trace, trace_values = enlarged(trace), enlarged(trace_values)
                if result != DONE:
                    return result, where, trace, trace_values
            for i in range(read_out.size):
                measured.potentials[sample, step, i] = memory.potentials[read_out.state + i]
            told(memory.spent, before, measured.spikes[sample], measured.synops[sample], step)
        for k in range(len(stages)):
            stage = stages[k]
            if stage.kind == NEURONS:
                for unit in range(stage.size):
                    measured.sent[sample, stage.unit + unit] = memory.sent[stage.state + unit]
    return DONE, 0, trace, trace_values
