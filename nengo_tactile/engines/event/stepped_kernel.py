"""Neurons that remember what arrived, step by step, compiled: each spike goes through its synapses.

Neurons are looked after in chunks, from the first spike that reaches a chunk until its states have
died away. All arithmetic is in the type of the weights.
"""

from collections import namedtuple

import numpy as np

from nengo_tactile.engines.event.kernel import copied
from nengo_tactile.engines.event.vectors import at
from nengo_tactile.lazy import compiled_inner

#: What a stage does: spike response neurons with two time constants, with one for both kernels,
#: integrate-and-fire neurons of a current, and sums that pass on what they have.
RESPONSE, SHARED, CURRENT_BASED, SUM = range(4)
#: Neurons of a chunk. Each stage begins with a new one.
CHUNK = 128
#: Steps from one look for states that have died away to the next.
REST = 16
#: A state that is smaller has died away: nothing that could tip a threshold.
SMALLEST = 1e-30

#: Of each stage, and last of the input: what it does; its neurons, where these begin, and how
#: many; its first link, and the one after its last; slots of its axons and of those who read it
#: later, where these begin in `Scratch.slots` and in `Scratch.sent`, and the steps that the latest
#: of these is behind; whether it has a bias, whether a spike sets to zero, most that a spike is
#: worth, and whether what decays leave is rounded towards zero.
Stages = namedtuple(
    "Stages",
    "model first size first_link last_link depth slot sent late biased to_zero most whole",
)
#: Of each stage: what is kept of the first pair of states at a step, and of the second; factors
#: from these to the potential; what a spike takes away of the first pair; the threshold, and the
#: least potential.
Constants = namedtuple("Constants", "kept kept_second factor factor_second taken threshold floor")
#: All, and links as `event.plan.Links`, with the steps each is late; of each neuron the delay of
#: its axon, synapses that leave it, what arrives at each step, and the potential at the start;
#: whether chunks are awake at the start.
Plan = namedtuple("Plan", "stages constants links late delays fan_out bias start awake")
#: What a thread needs for itself: four states of all neurons, potentials of a chunk, whether a
#: chunk is awake; events on axons with what they are worth, how many in each slot; a number that is
#: not zero once all shall stop.
Scratch = namedtuple("Scratch", "rise level trace depth potential awake sent worth slots stop")
#: What is measured: what the last stage sends, (n_samples, n_steps, n_outputs); spikes of each
#: neuron, (n_samples, n_neurons); spikes, what they are worth, and synaptic operations of each
#: stage and step, (n_samples, n_stages, n_steps); spikes of each neuron at each step, of the first
#: samples, (n_rasters, n_steps, n_neurons).
Measured = namedtuple("Measured", "outputs counts spikes units synops rasters")


@compiled_inner
def add(target, i, weights, a, n, value, awake):
    """Add ``n`` weights from ``a`` on, times ``value``, to what begins at ``i``."""
    goal, row = target[i : i + n], weights[a : a + n]
    for k in range(n):
        goal[k] += value * row[k]
    for chunk in range(i // CHUNK, (i + n - 1) // CHUNK + 1):
        awake[chunk] = 1


@compiled_inner
def deliver(links, link, first, target, awake, events, values, n_events):
    """Take events over a link to the neurons from ``first`` on."""
    weights, base, width = links.weights, links.weight[link], links.width[link]
    channels, pointer, shift = links.channels[link], links.pointer[link], links.shift[link]
    runs, pointers, shifts = links.runs, links.pointers, links.shifts
    if links.reciprocal[link] == 0 and shift < 0:  # dense: one run for each event
        run = pointers[pointer]
        goal, n = first + runs[3 * run], runs[3 * run + 2]
        for e in range(n_events):
            add(target, goal, weights, base + np.int64(events[e]) * width, n, values[e], awake)
        return
    for e in range(n_events):
        event, value = np.int64(at(events, e)), at(values, e)
        pixel = event // channels
        channel = event - pixel * channels
        row, goal = base + channel * width, first
        if shift >= 0:
            goal += at(shifts, shift + channel)
        begin, end = at(pointers, pointer + pixel), at(pointers, pointer + pixel + 1)
        for run in range(begin, end):
            i, a = np.int64(at(runs, 3 * run)), np.int64(at(runs, 3 * run + 1))
            n = np.int64(at(runs, 3 * run + 2))
            add(target, goal + i, weights, row + a, n, value, awake)


@compiled_inner
def decay(rise, level, kept):
    """``rise`` and ``level`` become sums over ``r**k`` and ``k r**k`` of what came before."""
    for k in range(len(rise)):
        level[k] = kept * (level[k] + rise[k])
        rise[k] = kept * rise[k]


@compiled_inner
def settle(states):
    """Set what has died away to zero; returns whether all has."""
    asleep = True
    for k in range(len(states)):
        if abs(states[k]) < SMALLEST:
            states[k] = 0
        else:
            asleep = False
    return asleep


@compiled_inner
def respond(plan, s, t, scratch, begin, end):
    """Potentials of spike response neurons ``begin`` to ``end``, at most a chunk, at a new step."""
    constants, potential = plan.constants, scratch.potential
    rise, level = scratch.rise[begin:end], scratch.level[begin:end]
    decay(rise, level, constants.kept[s])
    factor = constants.factor[s]
    for k in range(end - begin):
        potential[k] = factor * level[k]
    rests = t % REST == 0 and not plan.stages.biased[s]
    asleep = rests and settle(rise) and settle(level)
    if plan.stages.model[s] == RESPONSE:
        trace, depth = scratch.trace[begin:end], scratch.depth[begin:end]
        decay(trace, depth, constants.kept_second[s])
        factor = constants.factor_second[s]
        for k in range(end - begin):
            potential[k] -= factor * depth[k]
        asleep = (rests and settle(trace) and settle(depth)) and asleep
    if asleep:
        scratch.awake[begin // CHUNK] = 0


@compiled_inner
def integrate(plan, s, t, scratch, begin, end):
    """Potentials of other neurons ``begin`` to ``end``, once what arrives has arrived."""
    kept, floor = plan.constants.kept_second[s], plan.constants.floor[s]
    potential = scratch.potential
    rise, level = scratch.rise[begin:end], scratch.level[begin:end]
    if plan.stages.whole[s]:
        for k in range(end - begin):
            level[k] = np.trunc(kept * level[k])
    else:
        for k in range(end - begin):
            level[k] = kept * level[k]
    for k in range(end - begin):
        level[k] = max(level[k] + rise[k], floor)
    for k in range(end - begin):
        potential[k] = level[k]
    if t % REST == 0 and not plan.stages.biased[s] and settle(rise) and settle(level):
        scratch.awake[begin // CHUNK] = 0


@compiled_inner
def send(stages, s, t, delay, scratch, event, value):
    """Put an event on the axon of a neuron of stage ``s``."""
    slot = (t + delay) % stages.depth[s]
    n = scratch.slots[stages.slot[s] + slot]
    place = stages.sent[s] + slot * stages.size[s] + n
    scratch.sent[place] = event
    scratch.worth[place] = value
    scratch.slots[stages.slot[s] + slot] = n + 1


@compiled_inner
def fire(plan, s, t, step, scratch, measured, sample, begin, end):
    """Send the spikes of a chunk off; they are those of ``step`` in ``measured``."""
    stages, potential = plan.stages, scratch.potential
    threshold, model = plan.constants.threshold[s], stages.model[s]
    one = potential.dtype.type(1)
    for k in range(end - begin):
        if potential[k] < threshold:
            continue
        neuron, worth = begin + k, one
        if stages.most[s] > 1:
            worth = min(np.floor(potential[k] / threshold), potential.dtype.type(stages.most[s]))
        if model == RESPONSE:
            scratch.trace[neuron] += one
        elif model == SHARED:
            scratch.rise[neuron] -= plan.constants.taken[s]
        elif stages.to_zero[s]:
            scratch.level[neuron] = 0
        else:
            scratch.level[neuron] -= worth * threshold
        measured.counts[sample, neuron] += 1
        measured.spikes[sample, s, step] += 1
        measured.units[sample, s, step] += np.int64(worth)
        measured.synops[sample, s, step] += plan.fan_out[neuron]
        if sample < len(measured.rasters):
            measured.rasters[sample, step, neuron] += 1
        send(stages, s, t, plan.delays[neuron], scratch, neuron - stages.first[s], worth)


@compiled_inner
def pass_on(plan, s, t, step, scratch, measured, sample, begin, end):
    """Send what a chunk of sums has; the operations are those of ``step`` in ``measured``."""
    for k in range(end - begin):
        if scratch.potential[k] != 0:
            event, delay = begin + k - plan.stages.first[s], plan.delays[begin + k]
            measured.synops[sample, s, step] += plan.fan_out[begin + k]
            send(plan.stages, s, t, delay, scratch, event, scratch.potential[k])


@compiled_inner
def receive(plan, s, t, scratch):
    """Let arrive what a stage reads, and its bias."""
    stages, links, first, rise = plan.stages, plan.links, plan.stages.first[s], scratch.rise
    for link in range(stages.first_link[s], stages.last_link[s]):
        if plan.late[link] > t:
            continue
        source = links.source[link]  # that of the input is -1, the last
        slot = (t - plan.late[link]) % stages.depth[source]
        n, begin = scratch.slots[stages.slot[source] + slot], stages.sent[source]
        begin += slot * stages.size[source]
        sent, worth = scratch.sent[begin:], scratch.worth[begin:]
        deliver(links, link, first, rise, scratch.awake, sent, worth, n)
    if stages.biased[s]:
        for k in range(first, first + stages.size[s]):
            rise[k] += plan.bias[k]


@compiled_inner
def read(plan, t, step, scratch, outputs):
    """What the last stage sends at a step, behind its axons, and spikes of the steps before."""
    stages, last = plan.stages, len(plan.stages.model) - 2
    if step > 0 and stages.model[last] != SUM:
        copied(outputs[step - 1], outputs[step])
    slot = t % stages.depth[last]
    begin = stages.sent[last] + slot * stages.size[last]
    for e in range(scratch.slots[stages.slot[last] + slot]):
        outputs[step, scratch.sent[begin + e]] += scratch.worth[begin + e]


@compiled_inner
def simulate(plan, x, since, first, last, scratch, measured):
    """Run the samples ``first`` to ``last`` of ``x``, (n_samples, n_steps, n_inputs).

    After ``since`` steps, if there were any, they go on from what the scratch holds.
    """
    stages = plan.stages
    _, n_steps, n_inputs = x.shape
    n_stages = len(stages.model) - 1
    for sample in range(first, last):
        if since == 0:
            for state in (scratch.rise, scratch.trace, scratch.depth):
                state[:] = 0
            copied(plan.start, scratch.level)
            copied(plan.awake, scratch.awake)
            scratch.slots[:] = 0
        for step in range(n_steps):
            if scratch.stop[0]:
                return
            t = since + step
            for i in range(n_inputs):
                if x[sample, step, i] != 0:
                    send(stages, n_stages, t, 0, scratch, i, x[sample, step, i])
            for s in range(n_stages):
                begin, stop = stages.first[s], stages.first[s] + stages.size[s]
                responds = stages.model[s] == RESPONSE or stages.model[s] == SHARED
                if not responds:
                    kept = plan.constants.kept[s]
                    for k in range(begin, stop):
                        scratch.rise[k] *= kept
                    if stages.whole[s]:
                        for k in range(begin, stop):
                            scratch.rise[k] = np.trunc(scratch.rise[k])
                    receive(plan, s, t, scratch)
                for a in range(begin, stop, CHUNK):
                    if not scratch.awake[a // CHUNK]:
                        continue
                    b = min(a + CHUNK, stop)
                    if responds:
                        respond(plan, s, t, scratch, a, b)
                    else:
                        integrate(plan, s, t, scratch, a, b)
                    if stages.model[s] == SUM:
                        pass_on(plan, s, t, step, scratch, measured, sample, a, b)
                    else:
                        fire(plan, s, t, step, scratch, measured, sample, a, b)
                if responds:
                    receive(plan, s, t, scratch)
            read(plan, t, step, scratch, measured.outputs[sample])
            for s in range(n_stages + 1):  # what nobody reads any more makes room
                depth = stages.depth[s]
                scratch.slots[stages.slot[s] + (t - stages.late[s]) % depth] = 0
