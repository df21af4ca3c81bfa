"""What waits in a queue, many spikes of one stage at a time, where these go one way.

Spikes that wait one after another come mostly from one stage. Where nothing leaves it but one
link, straight to one stage, and each neuron there is reached at most once by a spike, whoever is
off fires as soon as it is found, in the order of `nengo_tactile.engines.event.queue_kernel.fire`.
Nothing has to be marked, and what a stage and its link are is read once for all of these spikes.
"""

import numpy as np
from numba.extending import register_jitable

from nengo_tactile.engines.event.kernel import SHIFT
from nengo_tactile.engines.event.rows import LANES, add_and_compare
from nengo_tactile.engines.event.vectors import at, first_bit, put

#: Compiled into whoever calls it: calls hand over seven numbers of each array.
inlined = register_jitable(forceinline=True)

#: Ways that spikes of a stage go: over links and relays of any kind; each into one slot of a max
#: pooling; over one link to neurons.
ANY_WAY, TO_SLOTS, TO_NEURONS = range(3)
#: What can go wrong.
TOO_MANY, FULL_QUEUE = -2, -1


@inlined
def pixel_of(unit, link):
    """Pixel and channel of a neuron."""
    pixel = unit
    if link.channels > 1:
        pixel = np.int64((np.uint64(unit) * link.reciprocal) >> np.uint64(SHIFT))
    return pixel, unit - pixel * link.channels


@inlined
def send(queue, head, tail, counts, k, units, unit, value, most):
    """Let a neuron of stage ``k`` send, if ``value`` is not zero; ``tail``, or what went wrong."""
    sends, room = np.int64(value != 0), len(queue)
    if sends and tail - head == room:
        return FULL_QUEUE
    # written in any case: whether it sends, no processor foresees
    waiting = queue[tail - room if tail >= room else tail]
    waiting.stage, waiting.unit, waiting.value = k, unit, value
    fired = at(counts, units + unit) + np.int32(sends)
    put(counts, units + unit, fired)
    return TOO_MANY if fired > most else tail + sends


@inlined
def to_slots(potentials, queue, head, tail, stages, slots, fan_out, counts, spent, raster, most, k):
    """Handle what waits first of stage ``k``, all of which goes into slots of a max pooling.

    Returns
    -------
    head, tail : int
        ``tail`` is what went wrong where it is below zero.
    """
    stage, pool = stages[k], stages[stages[k].only]
    first, units, target = stage.first_slot, stage.unit, stage.only
    begin, tops, size, pool_units = pool.state, pool.tops, pool.window, pool.unit
    n, cost, room = 0, 0, len(queue)
    while head < tail and queue[head].stage == k:
        unit, value = np.int64(queue[head].unit), queue[head].value
        head += 1
        if head == room:
            head, tail = 0, tail - room
        n += 1
        cost += at(fan_out, units + unit)
        if len(raster):
            raster[0, units + unit] += 1
        slot, window = at(slots, first + 2 * unit), np.int64(at(slots, first + 2 * unit + 1))
        if slot < 0:
            continue
        before, top = at(potentials, begin + slot), at(potentials, tops + window)
        now = before + value
        put(potentials, begin + slot, now)
        largest = max(top, now)
        if before == top and now < before:
            largest = now
            for other in range(begin + window * size, begin + window * size + size):
                largest = max(largest, at(potentials, other))
        put(potentials, tops + window, largest)
        tail = send(queue, head, tail, counts, target, pool_units, window, largest - top, most)
        if tail < 0:
            return head, tail
    spent[0, stage.row] += n
    spent[1, stage.row] += cost
    return head, tail


@inlined
def answer(
    potentials, sent, i, weights, a, bits, threshold, queue, head, tail, counts, k, units, first,
    most,
):  # fmt: skip
    """Let neurons send that are off and were reached; ``tail``, or what went wrong."""
    while bits:
        lane = first_bit(bits)
        bits &= bits - np.uint64(1)
        if at(weights, a + lane) == 0:
            continue
        now = at(sent, i + lane)
        more = np.int32(1 if at(potentials, i + lane) >= threshold * (now + 1) else -1)
        put(sent, i + lane, now + more)
        tail = send(queue, head, tail, counts, k, units, first + lane, np.float64(more), most)
        if tail < 0:
            break
    return tail


@inlined
def to_neurons(
    potentials, sent, queue, head, tail, stages, links, outs, weights, pointers, runs, shifts,
    fan_out, counts, spent, raster, most, k,
):  # fmt: skip
    """`to_slots` for spikes that go to neurons."""
    stage, target, link = stages[k], stages[stages[k].only], links[outs[stages[k].first_out]]
    threshold, least, only = target.threshold, np.int32(target.least), stage.only
    n, cost, room = 0, 0, len(queue)
    while head < tail and queue[head].stage == k:
        unit, value = np.int64(queue[head].unit), queue[head].value
        head += 1
        if head == room:
            head, tail = 0, tail - room
        n += 1
        cost += at(fan_out, stage.unit + unit)
        if len(raster):
            raster[0, stage.unit + unit] += 1
        pixel, channel = pixel_of(unit, link)
        row, to = link.weight + channel * link.width, np.int64(0)
        if link.shift >= 0:
            to = at(shifts, link.shift + channel)
        place = link.pointer + pixel
        for run in range(at(pointers, place), at(pointers, place + 1)):
            first, length = to + at(runs, 3 * run), np.int64(at(runs, 3 * run + 2))
            i, a = target.state + first, row + at(runs, 3 * run + 1)
            whole = length - length % LANES
            for j in range(0, whole, LANES):
                bits = add_and_compare(
                    potentials, sent, i + j, weights, a + j, LANES, value, threshold, least
                )
                if bits:
                    tail = answer(
                        potentials, sent, i + j, weights, a + j, bits, threshold, queue, head,
                        tail, counts, only, target.unit, first + j, most,
                    )  # fmt: skip
                    if tail < 0:
                        return head, tail
            if whole < length:
                bits = add_and_compare(
                    potentials, sent, i + whole, weights, a + whole, length - whole, value,
                    threshold, least,
                )  # fmt: skip
                if bits:
                    tail = answer(
                        potentials, sent, i + whole, weights, a + whole, bits, threshold, queue,
                        head, tail, counts, only, target.unit, first + whole, most,
                    )  # fmt: skip
                    if tail < 0:
                        return head, tail
    spent[0, stage.row] += n
    spent[1, stage.row] += cost
    return head, tail
