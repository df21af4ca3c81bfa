"""The clocked simulation of one sample after another, compiled.

A spike passes all layers within one time step, so each stage is computed for a block of steps
before the next one. What a stage sends at a step is a list of events: numbers of neurons, in
ascending order, and the values of their spikes.

Sums are in float32, in the order of the events, which differs from NengoDL's: they are equal where
they are exact.
"""

from collections import namedtuple

import numpy as np

from nengo_tactile.engines.event.vectors import (
    LANES,
    WORD,
    add_1,
    add_2,
    add_4,
    add_6,
    add_8,
    add_12,
    at,
    fire,
    fire_graded,
    fire_to_zero,
    first_bit,
    put,
)
from nengo_tactile.lazy import compiled

#: Steps that pass a stage at once, so that its weights stay in the processor's cache.
BLOCK = 32
#: What a stage does.
NEURONS, GRADED, MAX_POOL, RELAY, READ_OUT = range(5)
#: Ends each list of events.
LAST = np.int32(2**31 - 1)
#: Binary places of the reciprocals that stand for division by the number of channels.
SHIFT = 40

#: What a thread needs for itself: the memory of a sample; what a word of neurons sends whose
#: spikes are not all alike; what arrives at a step; marks of touched windows; events and their
#: values; where those of each stage and step begin; a number that is not zero once all shall stop.
Scratch = namedtuple("Scratch", "memory fired current marks events values begins stop")

#: What steps leave behind: potentials and sums of all stages, and positive less negative spikes of
#: neurons whose spikes are not all alike, (n_samples, n_state); whether it is kept, from how many
#: steps before, or one row serves all samples, each from rest.
Memory = namedtuple("Memory", "state net kept n_steps")

#: What is measured: potentials of the read-out, (n_samples, n_steps, n_outputs); spikes of each
#: neuron, (n_samples, n_state); spikes, what they are worth and synaptic operations of each stage
#: and step, (n_samples, n_spiking, n_steps).
#: And the step after which each sample was stopped, (n_samples,); spikes of each neuron at each
#: step, of the first samples, (n_rasters, n_steps, n_state).
Measured = namedtuple("Measured", "potentials counts spikes units synops exit_steps rasters")

#: When samples are stopped: whether they are, by a margin of their outputs that passes the level of
#: a step, (n_steps,); whether each output decides by its sign, or the largest wins; constant part
#: of the outputs, (n_samples, n_outputs); share of the steps that the read-out leaves out.
Exit = namedtuple("Exit", "stops levels by_sign constants discard")


@compiled
def deliver(
    current,
    weights,
    weight,
    channels,
    width,
    reciprocal,
    pointers,
    pointer,
    runs,
    events,
    values,
    e,
):
    """Add to ``current`` what the list of events from ``e`` on brings over a link.

    The events of a pixel go together, run by run.
    """
    while at(events, e) != LAST:
        pixel = np.int64((np.uint64(at(events, e)) * reciprocal) >> np.uint64(SHIFT))
        base = pixel * channels
        limit = np.int32(base + channels)
        base = weight - base * width
        run, last = at(pointers, pointer + pixel), at(pointers, pointer + pixel + 1)
        stop = e
        while run < last:
            i, n = np.int64(at(runs, 3 * run)), np.int64(at(runs, 3 * run + 2))
            a = base + at(runs, 3 * run + 1)
            run += 1
            while n >= 12 * LANES:
                stop = add_12(current, i, weights, a, width, events, values, e, limit)
                i, a, n = i + 12 * LANES, a + 12 * LANES, n - 12 * LANES
            if n >= 8 * LANES:
                stop = add_8(current, i, weights, a, width, events, values, e, limit)
                i, a, n = i + 8 * LANES, a + 8 * LANES, n - 8 * LANES
            elif n >= 6 * LANES:
                stop = add_6(current, i, weights, a, width, events, values, e, limit)
                i, a, n = i + 6 * LANES, a + 6 * LANES, n - 6 * LANES
            if n >= 4 * LANES:
                stop = add_4(current, i, weights, a, width, events, values, e, limit)
                i, a, n = i + 4 * LANES, a + 4 * LANES, n - 4 * LANES
            if n >= 2 * LANES:
                stop = add_2(current, i, weights, a, width, events, values, e, limit)
                i, a, n = i + 2 * LANES, a + 2 * LANES, n - 2 * LANES
            if n >= LANES:
                stop = add_1(current, i, weights, a, width, events, values, e, limit)
                i, a, n = i + LANES, a + LANES, n - LANES
            if n > 0:
                stop = e
                while at(events, stop) < limit:
                    row = a + at(events, stop) * width
                    for k in range(n):
                        more = at(values, stop) * at(weights, row + k)
                        put(current, i + k, at(current, i + k) + more)
                    stop += 1
        if stop == e:  # the pixel reaches nothing
            while at(events, stop) < limit:
                stop += 1
        e = stop


@compiled
def deliver_apart(
    current, weights, weight, channels, width, reciprocal, pointers, pointer, runs,
    events, values, e, shifts, shift,
):  # fmt: skip
    """The same for a link whose targets depend on the channel, event by event."""
    if reciprocal == 0 and width == 1:  # each has one target
        while at(events, e) != LAST:
            i = np.int64(at(events, e))
            j, more = at(shifts, shift + i), at(values, e) * at(weights, weight + i)
            put(current, j, at(current, j) + more)
            e += 1
        return
    while at(events, e) != LAST:
        i, value = np.int64(at(events, e)), at(values, e)
        pixel = np.int64((np.uint64(i) * reciprocal) >> np.uint64(SHIFT))
        channel = i - pixel * channels
        to = at(shifts, shift + channel)
        row = weight + channel * width
        for run in range(at(pointers, pointer + pixel), at(pointers, pointer + pixel + 1)):
            j, a = to + at(runs, 3 * run), row + at(runs, 3 * run + 1)
            for k in range(at(runs, 3 * run + 2)):
                put(current, j + k, at(current, j + k) + value * at(weights, a + k))
        e += 1


@compiled
def integrate(n, state, start, current, rest, begin, to_zero, events, values, e):
    """Let ``n`` neurons integrate ``current``, which becomes ``rest``; who fires is an event.

    Returns
    -------
    int
        Where the next event goes.
    """
    for word in range(0, n, WORD):
        if to_zero:
            fires = fire_to_zero(state, start + word, current, word, rest, begin + word)
        else:
            fires = fire(state, start + word, current, word, rest, begin + word)
        while fires:
            put(events, e, np.int32(word + first_bit(fires)))
            put(values, e, np.float32(1))
            fires &= fires - np.uint64(1)
            e += 1
    return e


@compiled
def integrate_graded(
    n, state, net, fired, start, current, rest, begin, most, slope, signed, events, values, e
):
    """The same for spikes that are worth up to ``most``, and of both signs.

    With a ``slope`` a spike is worth that much below a net count of zero, and one above, in
    either direction: what a neuron has sent is the leaky ReLU of its net count.
    """
    zero = np.float32(0)
    for word in range(0, n, WORD):
        fires = fire_graded(
            state, start + word, current, word, rest, begin + word, net, fired,
            most, most if slope != 0 or signed != 0 else zero, slope, signed,
        )  # fmt: skip
        while fires:
            k = first_bit(fires)
            sent, after = at(fired, k), at(net, start + word + k)
            if slope != 0:
                above = max(after, zero) - max(after - sent, zero)
                sent = above + slope * (sent - above)
            put(events, e, np.int32(word + k))
            put(values, e, sent)
            fires &= fires - np.uint64(1)
            e += 1
    return e


@compiled
def relay(n, current, events, values, e):
    """What arrived goes on as events, and is set back to zero."""
    for i in range(n):
        arrived = at(current, i)
        if arrived != 0:
            put(events, e, np.int32(i))
            put(values, e, arrived)
            put(current, i, np.float32(0))
            e += 1
    return e


@compiled
def touch(state, start, marks, pointers, pointer, runs, events, values, e):
    """Add events to the slots of a max pooling, and mark the windows that these are in."""
    while at(events, e) != LAST:
        i = pointer + at(events, e)
        for run in range(at(pointers, i), at(pointers, i + 1)):
            slot, window = start + at(runs, 3 * run), np.int64(at(runs, 3 * run + 1))
            put(state, slot, at(state, slot) + at(values, e))
            mark = np.uint64(1) << np.uint64(window % WORD)
            put(marks, window // WORD, at(marks, window // WORD) | mark)
        e += 1


@compiled
def pool(n, window, state, start, tops, marks, events, values, e):
    """Windows whose largest sum changed send the difference; marks are taken away."""
    for word in range(0, n, WORD):
        marked = at(marks, word // WORD)
        put(marks, word // WORD, np.uint64(0))
        while marked:
            i = word + first_bit(marked)
            marked &= marked - np.uint64(1)
            if i >= n:
                break
            slot = start + i * window
            top = at(state, slot)
            for other in range(slot + 1, slot + window):
                top = max(top, at(state, other))
            rise = top - at(state, tops + i)
            put(state, tops + i, top)
            put(events, e, np.int32(i))
            put(values, e, rise)
            e += np.int64(rise != 0)
    return e


@compiled
def margin(potentials, constants, t, discard, by_sign):
    """Of a sample's mean outputs after step ``t``: see `ReadOut.margin`, of one place."""
    first = np.int64(np.floor((t + 1) * discard))
    largest, second, least = 0.0, 0.0, 0.0
    for j in range(len(constants)):
        total = 0.0
        for step in range(first, t + 1):
            total += potentials[step, j]
        value = np.float64(np.float32(total / (t + 1 - first)) + constants[j])
        least = abs(value) if j == 0 else min(least, abs(value))
        if j == 0 or value > largest:
            largest, second = value, largest
        elif j == 1 or value > second:
            second = value
    return np.float32(least if by_sign else largest - second)


@compiled
def simulate(plan, drives, n_steps, exit, first, last, scratch, memory, measured):
    """Run the samples from ``first`` to ``last``; ``measured`` is filled in.

    Parameters
    ----------
    plan : nengo_tactile.engines.event.plan.Plan
    drives : (n_samples, n_driven) float32 array
        Currents of what the input drives by itself.
    n_steps : int
    exit : Exit
    first, last : int
    scratch : Scratch
    memory : Memory
        From which samples go on, or the thread's own.
    measured : Measured
    """
    stages, links, fired = plan.stages, plan.links, scratch.fired
    current, marks, begins = scratch.current, scratch.marks, scratch.begins
    events, values = scratch.events, scratch.values
    # whoever may stop after any step has to know the outputs after each
    block = 1 if exit.stops else BLOCK
    for sample in range(first, last):
        counts = measured.counts[sample]
        state, net = memory.state[sample * memory.kept], memory.net[sample * memory.kept]
        if not memory.kept:
            state[:] = plan.start
            net[:] = 0
        for done in range(0, n_steps, block):
            if scratch.stop[0]:
                return
            for k in range(len(stages.kind)):
                kind, n, start = stages.kind[k], stages.size[k], stages.state[k]
                row, tops = stages.row[k], stages.tops[k]
                rest, begin = plan.constant, start
                if stages.drive[k] >= 0:
                    rest, begin = drives[sample], stages.drive[k]
                if kind != MAX_POOL:
                    for i in range(stages.padded[k]):
                        current[i] = rest[begin + i]
                e = stages.events[k]
                for t in range(min(block, n_steps - done)):
                    begins[k, t] = e
                    if stages.biased[k]:
                        for i in range(tops - start):
                            state[start + i] += rest[begin + i]
                        for word in range(stages.padded[k] // WORD):
                            marks[word] = ~np.uint64(0)
                    for link in range(stages.first_link[k], stages.last_link[k]):
                        arrived = begins[links.source[link], t]
                        pointer, shift = links.pointer[link], links.shift[link]
                        if kind == MAX_POOL:
                            touch(
                                state, start, marks,
                                links.pointers, pointer, links.runs, events, values, arrived,
                            )  # fmt: skip
                        elif shift < 0:
                            deliver(
                                current, links.weights, links.weight[link],
                                links.channels[link], links.width[link], links.reciprocal[link],
                                links.pointers, pointer, links.runs, events, values, arrived,
                            )  # fmt: skip
                        else:
                            deliver_apart(
                                current, links.weights, links.weight[link],
                                links.channels[link], links.width[link], links.reciprocal[link],
                                links.pointers, pointer, links.runs, events, values, arrived,
                                links.shifts, shift,
                            )  # fmt: skip
                    since = memory.n_steps + done + t
                    if since < stages.n_early[k]:
                        more = stages.early[k] + since * n
                        for i in range(n):
                            current[i] += plan.early[more + i]
                    if kind == NEURONS:
                        e = integrate(
                            n, state, start, current, rest, begin,
                            stages.to_zero[k] != 0, events, values, e,
                        )  # fmt: skip
                    elif kind == GRADED:
                        e = integrate_graded(
                            n, state, net, fired, start, current, rest, begin,
                            stages.most[k], stages.slope[k], stages.signed[k], events, values, e,
                        )  # fmt: skip
                    elif kind == MAX_POOL:
                        e = pool(n, stages.window[k], state, start, tops, marks, events, values, e)
                    elif kind == RELAY:
                        e = relay(n, current, events, values, e)
                    else:
                        for i in range(n):
                            measured.potentials[sample, done + t, i] = current[i]
                            current[i] = 0
                    if row >= 0:
                        synops, units = 0, 0
                        for j in range(begins[k, t], e):
                            i = start + at(events, j)
                            put(counts, i, at(counts, i) + np.int32(1))
                            synops += at(plan.fan_out, i)
                            units += max(1, np.int64(abs(at(values, j)) + np.float32(0.5)))
                        measured.spikes[sample, row, done + t] = e - begins[k, t]
                        measured.units[sample, row, done + t] = units
                        measured.synops[sample, row, done + t] = synops
                        if sample < len(measured.rasters):
                            for j in range(begins[k, t], e):
                                measured.rasters[sample, done + t, start + events[j]] += 1
                    events[e] = LAST
                    e += 1
            if exit.stops:
                potentials, constants = measured.potentials[sample], exit.constants[sample]
                if (
                    margin(potentials, constants, done, exit.discard, exit.by_sign)
                    >= exit.levels[done]
                ):
                    measured.exit_steps[sample] = done + 1
                    break
