"""SLAYER networks step by step, compiled: each spike goes through the synapses that leave it.

Neurons are looked after in chunks, from the first spike that reaches a chunk until its states have
died away. All arithmetic is in the type of the weights.
"""

from collections import namedtuple

import numpy as np

from nengo_tactile.engines.event.vectors import at
from nengo_tactile.lazy import compiled

#: Neurons: spike response with two time constants, with one for both kernels, current-based.
RESPONSE, SHARED, CURRENT_BASED = range(3)
#: Neurons of a chunk. Each stage begins with a new one.
CHUNK = 128
#: Steps from one look for states that have died away to the next.
REST = 16
#: A state that is smaller has died away: nothing that could tip a threshold.
SMALLEST = 1e-30

#: Of each stage: its neurons, where these begin, and how many; its first link, and the one after
#: its last; slots of its axons, where these begin in `Scratch.slots` and in `Scratch.sent`.
Stages = namedtuple("Stages", "model first size first_link last_link depth slot sent")
#: Of each stage: what is kept of the first pair of states at a step, and of the second; factors
#: from these to the potential; what a spike takes away of the first pair; the threshold.
Constants = namedtuple("Constants", "kept kept_second factor factor_second taken threshold")
#: All, and links as `event.plan.Links`; delays and synapses that leave it, of each neuron.
Plan = namedtuple("Plan", "stages constants links delays fan_out")
#: What a thread needs for itself: four states of all neurons, potentials of a chunk, whether a
#: chunk is awake; what arrives, its values; spikes on axons, how many in each slot.
Scratch = namedtuple("Scratch", "rise level trace depth potential awake events values sent slots")
#: What is measured: spikes of the last stage so far, (n_samples, n_steps, n_outputs); spikes of
#: each neuron, (n_samples, n_neurons); spikes and synaptic operations of each stage and step,
#: (n_samples, n_stages, n_steps).
Measured = namedtuple("Measured", "outputs counts spikes synops")


@compiled
def add(target, i, weights, a, n, value, awake):
    """Add ``n`` weights from ``a`` on, times ``value``, to what begins at ``i``."""
    goal, row = target[i : i + n], weights[a : a + n]
    for k in range(n):
        goal[k] += value * row[k]
    for chunk in range(i // CHUNK, (i + n - 1) // CHUNK + 1):
        awake[chunk] = 1


@compiled
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


@compiled
def decay(rise, level, kept):
    """``rise`` and ``level`` become sums over ``r**k`` and ``k r**k`` of what came before."""
    for k in range(len(rise)):
        level[k] = kept * (level[k] + rise[k])
        rise[k] = kept * rise[k]


@compiled
def settle(states):
    """Set what has died away to zero; returns whether all has."""
    asleep = True
    for k in range(len(states)):
        if abs(states[k]) < SMALLEST:
            states[k] = 0
        else:
            asleep = False
    return asleep


@compiled
def respond(plan, s, t, scratch, begin, end):
    """Potentials of spike response neurons ``begin`` to ``end``, at most a chunk, at a new step."""
    constants, potential = plan.constants, scratch.potential
    rise, level = scratch.rise[begin:end], scratch.level[begin:end]
    decay(rise, level, constants.kept[s])
    factor = constants.factor[s]
    for k in range(end - begin):
        potential[k] = factor * level[k]
    asleep = t % REST == 0 and settle(rise) and settle(level)
    if plan.stages.model[s] == RESPONSE:
        trace, depth = scratch.trace[begin:end], scratch.depth[begin:end]
        decay(trace, depth, constants.kept_second[s])
        factor = constants.factor_second[s]
        for k in range(end - begin):
            potential[k] -= factor * depth[k]
        asleep = (t % REST == 0 and settle(trace) and settle(depth)) and asleep
    if asleep:
        scratch.awake[begin // CHUNK] = 0


@compiled
def integrate(plan, s, t, scratch, begin, end):
    """Potentials of current-based neurons ``begin`` to ``end``, once what arrives has arrived."""
    kept, potential = plan.constants.kept_second[s], scratch.potential
    rise, level = scratch.rise[begin:end], scratch.level[begin:end]
    for k in range(end - begin):
        level[k] = kept * level[k] + rise[k]
    for k in range(end - begin):
        potential[k] = level[k]
    if t % REST == 0 and settle(rise) and settle(level):
        scratch.awake[begin // CHUNK] = 0


@compiled
def fire(plan, s, t, scratch, measured, sample, begin, end):
    """Send the spikes of a chunk off."""
    stages, potential = plan.stages, scratch.potential
    threshold, model = plan.constants.threshold[s], stages.model[s]
    one = scratch.values[0]
    for k in range(end - begin):
        if potential[k] < threshold:
            continue
        neuron = begin + k
        if model == RESPONSE:
            scratch.trace[neuron] += one
        elif model == SHARED:
            scratch.rise[neuron] -= plan.constants.taken[s]
        else:
            scratch.level[neuron] = 0
        measured.counts[sample, neuron] += 1
        measured.spikes[sample, s, t] += 1
        measured.synops[sample, s, t] += plan.fan_out[neuron]
        slot = (t + plan.delays[neuron]) % stages.depth[s]
        n = scratch.slots[stages.slot[s] + slot]
        scratch.sent[stages.sent[s] + slot * stages.size[s] + n] = neuron - stages.first[s]
        scratch.slots[stages.slot[s] + slot] = n + 1


@compiled
def receive(plan, s, t, scratch, n_events):
    """Let arrive what a stage reads: ``n_events`` of the input, or what was sent."""
    stages, links = plan.stages, plan.links
    half, first, rise = scratch.values.size // 2, stages.first[s], scratch.rise
    for link in range(stages.first_link[s], stages.last_link[s]):
        source = links.source[link]
        if source < 0:
            values = scratch.values[half:]
            deliver(links, link, first, rise, scratch.awake, scratch.events, values, n_events)
            continue
        depth = stages.depth[source]
        slot = (t + depth - np.int64(source == s)) % depth  # its own are those of the step before
        sent = scratch.sent[stages.sent[source] + slot * stages.size[source] :]
        n = scratch.slots[stages.slot[source] + slot]
        deliver(links, link, first, rise, scratch.awake, sent, scratch.values[:half], n)
    last = (t + stages.depth[s] - 1) % stages.depth[s]
    scratch.slots[stages.slot[s] + last] = 0  # all have read it


@compiled
def simulate(plan, x, first, last, scratch, measured):
    """Run the samples ``first`` to ``last`` of ``x``, (n_samples, n_steps, n_inputs)."""
    stages = plan.stages
    _, n_steps, n_inputs = x.shape
    n_stages = len(stages.model)
    end = n_stages - 1
    shown = scratch.values[scratch.values.size // 2 :]
    for sample in range(first, last):
        for state in (scratch.rise, scratch.level, scratch.trace, scratch.depth):
            state[:] = 0
        scratch.awake[:] = 0
        scratch.slots[:] = 0
        for t in range(n_steps):
            n_events = 0
            for i in range(n_inputs):
                if x[sample, t, i] != 0:
                    scratch.events[n_events] = i
                    shown[n_events] = x[sample, t, i]
                    n_events += 1
            for s in range(n_stages):
                begin, stop = stages.first[s], stages.first[s] + stages.size[s]
                if stages.model[s] == CURRENT_BASED:
                    kept = plan.constants.kept[s]
                    for k in range(begin, stop):
                        scratch.rise[k] *= kept
                    receive(plan, s, t, scratch, n_events)
                for a in range(begin, stop, CHUNK):
                    if not scratch.awake[a // CHUNK]:
                        continue
                    b = min(a + CHUNK, stop)
                    if stages.model[s] == CURRENT_BASED:
                        integrate(plan, s, t, scratch, a, b)
                    else:
                        respond(plan, s, t, scratch, a, b)
                    fire(plan, s, t, scratch, measured, sample, a, b)
                if stages.model[s] != CURRENT_BASED:
                    receive(plan, s, t, scratch, n_events)
            if t > 0:
                measured.outputs[sample, t] = measured.outputs[sample, t - 1]
            slot = t % stages.depth[end]
            begin = stages.sent[end] + slot * stages.size[end]
            for e in range(scratch.slots[stages.slot[end] + slot]):
                measured.outputs[sample, t, scratch.sent[begin + e]] += 1
