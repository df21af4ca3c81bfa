"""The clocked simulation of one sample after another, compiled.

A spike passes all layers within one time step, so each stage is computed for a block of steps
before the next one. What a stage sends at a step is a list of events: numbers of neurons, in
ascending order, and the values of their spikes; behind it stand tables, which say for each pixel
where its events begin.

What arrives is added to the potentials. Where nothing arrives, by itself or from others, and nobody
fired at the step before, nothing happens at all. Sums are in float32, in the order of the events,
which differs from NengoDL's: they are equal where they are exact.
"""

from collections import namedtuple

import numpy as np

from nengo_tactile.engines.event.products import multiply
from nengo_tactile.engines.event.slides import slide_down
from nengo_tactile.engines.event.vectors import (
    WORD,
    add_bits,
    add_values,
    at,
    count_bits,
    fire,
    fire_graded,
    fire_to_zero,
    first_bit,
    n_bits,
    put,
    put_bits,
    put_values,
    sum_bits,
    sum_units,
    take,
)
from nengo_tactile.lazy import compiled_inner

#: Steps that pass a stage at once, so that its weights stay in the processor's cache.
BLOCK = 32
#: What a stage does.
NEURONS, GRADED, MAX_POOL, RELAY, READ_OUT = range(5)
#: Ends each list of events, so many times.
LAST, USUAL = np.int32(2**31 - 1), 32
#: Binary places of the reciprocals that stand for division by the number of channels.
SHIFT = 40

#: Steps whose spikes of a neuron a byte counts.
COUNTED = 255
#: What a thread needs for itself: the memory of a sample; what a word of neurons sends whose
#: spikes are not all alike; who fires at a step, as bits of words, and how many events there are
#: before each word; these bits of a block of steps, of stages that others read neuron by neuron;
#: spikes of each neuron, in the last steps and before; marks of touched windows; events and their
#: values; where those of each stage and step begin and end; whether each stage fired at the step
#: before; room for what is multiplied; a number that is not zero once all shall stop.
Scratch = namedtuple(
    "Scratch",
    "memory fired words ranks bits recent counts marks events values begins ends awake room stop",
)

#: What steps leave behind: potentials and sums of all stages, and positive less negative spikes of
#: neurons whose spikes are not all alike, (n_samples, n_state); whether it is kept, from how many
#: steps before, or one row serves all samples, each from rest.
Memory = namedtuple("Memory", "state net kept n_steps")

#: What is measured: potentials of the read-out, (n_samples, n_steps, n_outputs); spikes of each
#: neuron, in two bytes, (n_samples or 1, n_state), where one row is the last sample's; spikes, what
#: they are worth and synaptic operations of each stage but the last, and step,
#: (n_samples, n_stages - 1, n_steps).
#: And the step after which each sample was stopped, (n_samples,); spikes of each neuron at each
#: step, of the first samples, (n_rasters, n_steps, n_state).
Measured = namedtuple("Measured", "potentials counts spikes units synops exit_steps rasters")

#: When samples are stopped: whether they are, by a margin of their outputs that passes the level of
#: a step, (n_steps,); whether each output decides by its sign, or the largest wins; constant part
#: of the outputs, (n_samples, n_outputs); share of the steps that the read-out leaves out.
Exit = namedtuple("Exit", "stops levels by_sign constants discard")


@compiled_inner
def slide(slides, k, state, start, events, values, graded, n_events, tables):
    """Add to the potentials from ``start`` on what events bring over a slide.

    The tables behind the list of ``n_events`` begin at ``tables``.
    """
    channels, width, row = slides.channels[k], slides.width[k], slides.row[k]
    table, row_step = tables + slides.table[k], slides.row_step[k] * width
    goal = start + slides.goal[k]
    met = n_events * slides.side[k] / (slides.stride[k] * slides.row_step[k])
    mean = met / (slides.n_columns[k] * (slides.last[k] - slides.first[k]))
    usual = min(np.int64(mean + slides.spare[k] * np.sqrt(mean)), USUAL)
    for column in range(slides.n_columns[k]):
        x = column * slides.stride[k] - slides.pad[k]
        begin, end = max(x, 0), min(x + slides.side[k], width)
        if begin < end:
            slide_down(
                slides.shape[k], usual,
                state, goal + column * slides.goal_column[k], slides.goal_row[k],
                slides.weights, slides.whole, slides.narrow[k], slides.weight[k],
                slides.scales, slides.scale[k], graded, events, values,
                table + row * width + begin, row_step, (row * width + x) * channels,
                (row * width + end) * channels, row_step * channels,
                slides.first[k], slides.last[k], slides.n_out[k],
            )  # fmt: skip


@compiled_inner
def scatter(links, k, state, start, events, values, graded, e, end):
    """Add to the potentials from ``start`` on what events bring over a link, one by one.

    What is not ``graded`` is worth one.
    """
    channels, width, reciprocal = links.channels[k], links.width[k], links.reciprocal[k]
    weights, weight, shifts, shift = links.weights, links.weight[k], links.shifts, links.shift[k]
    pointers, pointer, runs = links.pointers, links.pointer[k], links.runs
    if reciprocal == 0 and width == 1 and shift >= 0:  # each has one target
        for place in range(e, end):
            i = np.int64(at(events, place))
            j, more = start + at(shifts, shift + i), at(weights, weight + i)
            more *= at(values, place) if graded else np.float32(1)
            put(state, j, at(state, j) + more)
        return
    for place in range(e, end):
        i, value = np.int64(at(events, place)), at(values, place) if graded else np.float32(1)
        pixel = np.int64((np.uint64(i) * reciprocal) >> np.uint64(SHIFT))
        channel, to = i - pixel * channels, start
        if shift >= 0:
            to += at(shifts, shift + channel)
        row = weight + channel * width
        for run in range(at(pointers, pointer + pixel), at(pointers, pointer + pixel + 1)):
            j, a = to + at(runs, 3 * run), row + at(runs, 3 * run + 1)
            for k in range(at(runs, 3 * run + 2)):
                put(state, j + k, at(state, j + k) + value * at(weights, a + k))


@compiled_inner
def forward(bits, first, n, state, start, weights, weight, values, graded, e):
    """Add what ``n`` neurons bring that fire, each to one potential from ``start`` on.

    What is ``graded`` is worth the values from ``e`` on.
    """
    for word in range(n // WORD):
        fires, i = at(bits, first + word), word * WORD
        if fires and graded:
            e = add_values(state, start + i, fires, weights, weight + i, values, e)
        elif fires:
            add_bits(state, start + i, fires, weights, weight + i)


@compiled_inner
def count(n, words, start, recent):
    """Count who fires."""
    for word in range(n // WORD):
        fires = at(words, word)
        if fires:
            count_bits(recent, start + word * WORD, fires)


@compiled_inner
def lacking(words, start, edges, first, last, lacks, n_bytes):
    """The synapses that those who fire lack."""
    total = 0
    for byte in range(n_bytes):
        total += sum_bits(words, edges, first, last, lacks[byte], start) << np.int64(8 * byte)
    return total


@compiled_inner
def tell(counts, recent):
    """Add the spikes of the last steps to those before."""
    for i in range(len(recent)):
        counts[i] += np.int32(recent[i])
        recent[i] = 0


@compiled_inner
def tabulated(words, ranks, channels, n_pixels, events, e):
    """Write where the events of each pixel begin; returns where the table ends."""
    for pixel in range(n_pixels):
        i = pixel * channels
        before = (np.uint64(1) << np.uint64(i % WORD)) - np.uint64(1)
        place = at(ranks, i // WORD) + n_bits(at(words, i // WORD) & before)
        put(events, e + pixel, np.int32(place))
    return e + n_pixels


@compiled_inner
def integrate(n, state, start, drive, begin, to_zero, words, ranks, events, e):
    """Let ``n`` neurons integrate what arrived, and what drives them, and list who fires.

    Returns where the next event goes.
    """
    for word in range(n // WORD):
        i, j = start + word * WORD, begin + word * WORD
        fires = fire_to_zero(state, i, drive, j) if to_zero else fire(state, i, drive, j)
        put(words, word, fires)
        put(ranks, word, e)
        e = put_bits(events, e, fires, word * WORD)
    put(words, n // WORD, np.uint64(0))
    put(ranks, n // WORD, e)
    return e


@compiled_inner
def integrate_graded(
    n, state, net, fired, start, drive, begin, most, slope, signed, words, ranks, events, values, e
):
    """The same for spikes that are worth up to ``most``, and of both signs, which are listed."""
    zero = np.float32(0)
    for word in range(n // WORD):
        i = start + word * WORD
        fires = fire_graded(
            state, i, drive, begin + word * WORD, net, fired,
            most, most if slope != 0 or signed != 0 else zero, slope, signed,
        )  # fmt: skip
        put(words, word, fires)
        put(ranks, word, e)
        if fires:
            put_values(values, e, fires, fired)
            e = put_bits(events, e, fires, word * WORD)
    put(words, n // WORD, np.uint64(0))
    put(ranks, n // WORD, e)
    return e


@compiled_inner
def relay(n, state, fired, start, words, ranks, events, values, e):
    """What arrived goes on as events, and is set back to zero."""
    for word in range(n // WORD):
        sends = take(state, start + word * WORD, fired)
        put(words, word, sends)
        put(ranks, word, e)
        if sends:
            put_values(values, e, sends, fired)
            e = put_bits(events, e, sends, word * WORD)
    put(words, n // WORD, np.uint64(0))
    put(ranks, n // WORD, e)
    return e


@compiled_inner
def touch(links, k, state, start, marks, events, values, graded, e, end):
    """Add events to the slots of a max pooling, and mark the windows that these are in."""
    pointers, runs = links.pointers, links.runs
    for place in range(e, end):
        i = links.pointer[k] + at(events, place)
        for run in range(at(pointers, i), at(pointers, i + 1)):
            value = at(values, place) if graded else np.float32(1)
            slot, window = start + at(runs, 3 * run), np.int64(at(runs, 3 * run + 1))
            put(state, slot, at(state, slot) + value)
            mark = np.uint64(1) << np.uint64(window % WORD)
            put(marks, window // WORD, at(marks, window // WORD) | mark)


@compiled_inner
def pool(n, window, state, start, tops, marks, words, ranks, events, values, e):
    """Windows whose largest sum changed send the difference; marks are taken away."""
    n_words = (n + WORD - 1) // WORD
    for word in range(n_words):
        marked, sends = at(marks, word), np.uint64(0)
        put(marks, word, np.uint64(0))
        put(ranks, word, e)
        while marked:
            bit = marked & (~marked + np.uint64(1))
            i = word * WORD + first_bit(marked)
            marked ^= bit
            if i >= n:
                break
            slot = start + i * window
            top = at(state, slot)
            for other in range(slot + 1, slot + window):
                top = max(top, at(state, other))
            rise = top - at(state, tops + i)
            put(state, tops + i, top)
            if rise != 0:
                put(events, e, np.int32(i))
                put(values, e, rise)
                sends |= bit
                e += 1
        put(words, word, sends)
    put(words, n_words, np.uint64(0))
    put(ranks, n_words, e)
    return e


@compiled_inner
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


@compiled_inner
def copied(array, other):
    """Copy an array into another one, also of another type."""
    for i in range(len(array)):
        other[i] = array[i]


@compiled_inner
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
    stages, links, slides, products = plan.stages, plan.links, plan.slides, plan.products
    words, ranks, marks, recent = scratch.words, scratch.ranks, scratch.marks, scratch.recent
    begins, ends, events, values = scratch.begins, scratch.ends, scratch.events, scratch.values
    # whoever may stop after any step has to know the outputs after each
    block = 1 if exit.stops else BLOCK
    for sample in range(first, last):
        counts = scratch.counts
        counts[:] = 0
        state, net = memory.state[sample * memory.kept], memory.net[sample * memory.kept]
        scratch.awake[:] = 1
        if not memory.kept:
            copied(plan.start, state)
            net[:] = 0
        recent[:] = 0
        for done in range(0, n_steps, block):
            if scratch.stop[0]:
                return
            if done % (COUNTED // BLOCK * BLOCK) == 0:
                tell(counts, recent)
            for k in range(len(stages.kind)):
                kind, n, start = stages.kind[k], stages.size[k], stages.state[k]
                tops, padded = stages.tops[k], stages.padded[k]
                rest, begin = plan.constant, start
                if stages.drive[k] >= 0:
                    rest, begin = drives[sample], stages.drive[k]
                e = stages.events[k]
                for t in range(min(block, n_steps - done)):
                    since = memory.n_steps + done + t
                    changes = stages.busy[k] or scratch.awake[k] or since < stages.n_early[k]
                    for link in range(stages.first_link[k], stages.last_link[k]):
                        changes |= begins[links.source[link], t] < ends[links.source[link], t]
                    for link in range(stages.first_slide[k], stages.last_slide[k]):
                        changes |= begins[slides.source[link], t] < ends[slides.source[link], t]
                    if not changes:
                        begins[k, t] = ends[k, t] = e
                        continue
                    if stages.biased[k]:
                        for i in range(tops - start):
                            state[start + i] += rest[begin + i]
                        for word in range(padded // WORD):
                            marks[word] = ~np.uint64(0)
                    for link in range(stages.first_link[k], stages.last_link[k]):
                        source = links.source[link]
                        arrived, end = begins[source, t], ends[source, t]
                        if end - arrived >= links.most[link]:
                            continue
                        if kind == MAX_POOL:
                            touch(
                                links, link, state, start, marks, events, values,
                                stages.graded[source], arrived, end,
                            )  # fmt: skip
                        elif links.ahead[link] >= 0 and stages.bits[source] >= 0:
                            forward(
                                scratch.bits, (stages.bits[source] + t * stages.padded[source])
                                // WORD, stages.padded[source] if arrived < end else 0,
                                state, start + links.ahead[link], links.weights,
                                links.weight[link], values, stages.graded[source], arrived,
                            )  # fmt: skip
                        else:
                            scatter(
                                links, link, state, start, events, values,
                                stages.graded[source], arrived, end,
                            )  # fmt: skip
                    for link in range(stages.first_slide[k], stages.last_slide[k]):
                        source = slides.source[link]
                        end = ends[source, t]
                        if 0 < end - begins[source, t] < slides.most[link]:
                            slide(
                                slides, link, state, start,
                                events, values, stages.graded[source],
                                end - begins[source, t], end + USUAL,
                            )  # fmt: skip
                    for link in range(stages.first_product[k], stages.last_product[k]):
                        source = products.source[link]
                        arrived = begins[source, t]
                        if ends[source, t] - arrived >= products.least[link]:
                            multiply(
                                products, link, state, start, scratch.bits,
                                (stages.bits[source] + t * stages.padded[source]) // WORD,
                                scratch.room, values, stages.graded[source], arrived,
                            )  # fmt: skip
                    if since < stages.n_early[k]:
                        more = stages.early[k] + since * n
                        for i in range(n):
                            state[start + i] += plan.early[more + i]
                    begins[k, t] = e
                    if kind == NEURONS:
                        e = integrate(
                            padded, state, start, rest, begin, stages.to_zero[k] != 0,
                            words, ranks, events, e,
                        )  # fmt: skip
                    elif kind == GRADED:
                        e = integrate_graded(
                            padded, state, net, scratch.fired, start, rest, begin, stages.most[k],
                            stages.slope[k], stages.signed[k], words, ranks, events, values, e,
                        )  # fmt: skip
                    elif kind == MAX_POOL:
                        e = pool(
                            n, stages.window[k], state, start, tops, marks,
                            words, ranks, events, values, e,
                        )  # fmt: skip
                    elif kind == RELAY:
                        e = relay(
                            padded, state, scratch.fired, start, words, ranks, events, values, e
                        )
                    else:
                        for i in range(n):
                            measured.potentials[sample, done + t, i] = state[start + i]
                            state[start + i] = 0
                    ends[k, t] = e
                    scratch.awake[k] = begins[k, t] < e
                    for i in range(USUAL):
                        put(events, e + i, LAST)
                    if kind != READ_OUT:
                        units = e - begins[k, t]
                        if units:
                            count(padded, words, start, recent)
                            lack = lacking(
                                words, start, plan.edges, stages.first_edge[k],
                                stages.last_edge[k], plan.lacks, stages.n_bytes[k],
                            )  # fmt: skip
                            measured.synops[sample, k, done + t] = units * stages.fan_out[k] - lack
                        measured.spikes[sample, k, done + t] = units
                        if stages.several[k]:
                            units = sum_units(values, begins[k, t], e)
                        measured.units[sample, k, done + t] = units
                        if stages.bits[k] >= 0:
                            first = (stages.bits[k] + t * padded) // WORD
                            for word in range(padded // WORD):
                                put(scratch.bits, first + word, at(words, word))
                        if sample < len(measured.rasters):
                            for j in range(begins[k, t], e):
                                measured.rasters[sample, done + t, start + events[j]] += 1
                    e += USUAL
                    for grid in range(stages.first_grid[k], stages.last_grid[k]):
                        channels = plan.grids[grid]
                        e = tabulated(words, ranks, channels, n // channels, events, e)
            if exit.stops:
                potentials, constants = measured.potentials[sample], exit.constants[sample]
                if (
                    margin(potentials, constants, done, exit.discard, exit.by_sign)
                    >= exit.levels[done]
                ):
                    measured.exit_steps[sample] = done + 1
                    break
        tell(counts, recent)
        copied(counts, measured.counts[sample % len(measured.counts)])
