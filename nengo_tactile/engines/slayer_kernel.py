"""SLAYER networks step by step, compiled: each spike goes through the synapses that leave it.

Neurons are looked after in chunks, from the first spike that reaches a chunk until its states have
died away. All arithmetic is in the type of the weights.
"""

from collections import namedtuple

import numpy as np

from nengo_tactile.lazy import compiled

DENSE, CONV, POOL = range(3)
#: Neurons: spike response with two time constants, with one for both kernels, current-based.
RESPONSE, SHARED, CURRENT_BASED = range(3)
#: Neurons of a chunk. Each stage begins with a new one.
CHUNK = 128
#: Steps from one look for states that have died away to the next.
REST = 16
#: A state that is smaller has died away: nothing that could tip a threshold.
SMALLEST = 1e-30

#: Of each stage: what connects it, its neurons; where its neurons, weights and recurrent weights
#: (or -1) begin; its size; sides, stride and padding of windows; shapes of input and neurons;
#: slots of its axons, where these begin in `Scratch.slots` and in `Scratch.sent`.
Stages = namedtuple(
    "Stages",
    "kind model first size weight recurrent height width stride top left in_columns in_channels "
    "rows columns channels depth slot sent",
)
#: Of each stage: what is kept of the first pair of states at a step, and of the second; factors
#: from these to the potential; what a spike takes away of the first pair; the threshold.
Constants = namedtuple("Constants", "kept kept_second factor factor_second taken threshold")
#: All, and weights one after the other; delays and synapses that leave it, of each neuron.
Plan = namedtuple("Plan", "stages constants weights delays fan_out")
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
def deliver(plan, s, target, awake, events, values, n_events):
    """Take events through the connection into stage ``s``."""
    stages, weights = plan.stages, plan.weights
    first, base, size = stages.first[s], stages.weight[s], stages.size[s]
    stride, channels = stages.stride[s], stages.channels[s]
    for e in range(n_events):
        event, value = np.int64(events[e]), values[e]
        if stages.kind[s] == DENSE:
            add(target, first, weights, base + event * size, size, value, awake)
            continue
        pixel, channel = divmod(event, stages.in_channels[s])
        y, x = divmod(pixel, stages.in_columns[s])
        if stages.kind[s] == POOL:
            row, column = y // stride, x // stride
            if row < stages.rows[s] and column < stages.columns[s]:
                i = first + (row * stages.columns[s] + column) * channels + channel
                add(target, i, weights, base, 1, value, awake)
            continue
        y += stages.top[s]
        x += stages.left[s]
        height, width = stages.height[s], stages.width[s]
        low = max(0, -((width - 1 - x) // stride))
        high = min(stages.columns[s] - 1, x // stride)
        if high < low:
            continue
        # weights of a row lie from right to left, (height, in_channels, width, channels): with
        # stride one they meet neighbouring neurons
        begin = width - 1 - x + low * stride
        for row in range(
            max(0, -((height - 1 - y) // stride)), min(stages.rows[s] - 1, y // stride) + 1
        ):
            line = (y - row * stride) * stages.in_channels[s] + channel
            a = base + (line * width + begin) * channels
            i = first + (row * stages.columns[s] + low) * channels
            if stride == 1:
                add(target, i, weights, a, (high - low + 1) * channels, value, awake)
            else:
                for _ in range(low, high + 1):
                    add(target, i, weights, a, channels, value, awake)
                    i += channels
                    a += stride * channels


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
    """Let arrive what the stage before sent (or ``n_events`` of the input), and a stage's own."""
    stages, ones = plan.stages, scratch.values[: scratch.values.size // 2]
    if s == 0:
        values = scratch.values[scratch.values.size // 2 :]
        deliver(plan, s, scratch.rise, scratch.awake, scratch.events, values, n_events)
    else:
        slot = t % stages.depth[s - 1]
        begin = stages.sent[s - 1] + slot * stages.size[s - 1]
        n = scratch.slots[stages.slot[s - 1] + slot]
        deliver(plan, s, scratch.rise, scratch.awake, scratch.sent[begin:], ones, n)
    last = (t + stages.depth[s] - 1) % stages.depth[s]
    if stages.recurrent[s] >= 0:
        begin, size = stages.sent[s] + last * stages.size[s], stages.size[s]
        for e in range(scratch.slots[stages.slot[s] + last]):
            a = stages.recurrent[s] + scratch.sent[begin + e] * size
            add(scratch.rise, stages.first[s], plan.weights, a, size, ones[0], scratch.awake)
    scratch.slots[stages.slot[s] + last] = 0  # both have read it


@compiled
def simulate(plan, x, first, last, scratch, measured):
    """Run the samples ``first`` to ``last`` of ``x``, (n_samples, n_steps, n_inputs)."""
    stages = plan.stages
    _, n_steps, n_inputs = x.shape
    n_stages = len(stages.kind)
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
