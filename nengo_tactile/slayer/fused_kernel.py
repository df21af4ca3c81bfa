"""Layers whose spikes, currents and neurons are one pass over each sample, compiled, in float32.

A few steps at a time: spikes bring rows of weights to currents, event by event, neurons answer, and
only their potentials and spikes are written. Backwards errors meet the neurons, and what these
assign to their currents meets the spikes that came in (for the weights), and the weights (for the
errors of these spikes), before it is forgotten. Rows are vectors, with room on both sides for what
a kernel reaches beyond the borders.
"""

import numpy as np

from nengo_tactile.lanes import LANES
from nengo_tactile.lazy import compiled, compiled_inner
from nengo_tactile.slayer.dynamics_kernel import SPIKE_RESPONSE
from nengo_tactile.slayer.neuron_lanes import GROUP, leak, leak_back, respond, respond_back
from nengo_tactile.slayer.row_lanes import (
    MOST_VECTORS,
    STEPS,
    add_row,
    find,
    gather,
    multiply_1,
    multiply_2,
    multiply_3,
    put_row,
    scatter,
)

#: Vectors of a layer's states.
_STATES = 4


@compiled_inner
def _bring(inputs, first, n_steps, places, plan, table, events, drive):
    """Add to currents what events of some steps bring."""
    drive[:] = 0
    for t in range(n_steps):
        begin, goal = first + t * plan.n_in, t * plan.rows * plan.row
        count = find(inputs, begin, plan.n_in, events)
        if plan.dense:
            gather(drive, goal, plan.vectors, table, events, count, inputs, begin)
            continue
        for e in range(count):
            j = events[e]
            value = inputs[begin + j]
            if plan.pools:
                drive[goal + places[j, 0]] += value * table[0] * places[j, 3]
                continue
            for i in range(places[j, 2], places[j, 3]):
                here = goal + places[j, 0] - i * plan.row
                weight = places[j, 1] + i * plan.vectors * LANES
                add_row(drive, here, table, weight, plan.vectors, value)


@compiled_inner
def _learn(inputs, first, n_steps, places, plan, assigned, events, by_table):
    """Add to errors of weights what is assigned where their events arrived."""
    for t in range(n_steps):
        begin, goal = first + t * plan.n_in, t * plan.rows * plan.row
        count = find(inputs, begin, plan.n_in, events)
        if plan.dense:
            scatter(by_table, assigned, goal, plan.vectors, events, count, inputs, begin)
            continue
        for e in range(count):
            j = events[e]
            value = inputs[begin + j]
            for i in range(places[j, 2], places[j, 3]):
                here = goal + places[j, 0] - i * plan.row
                weight = places[j, 1] + i * plan.vectors * LANES
                add_row(by_table, weight, assigned, here, plan.vectors, value)


@compiled_inner
def _tile(width, errors, at, goal_step, assigned, of, step, back, weight, plan):
    """Some steps of one column, and vectors of what it reaches."""
    terms = plan.filters
    if width == 3:
        multiply_3(errors, at, goal_step, assigned, of, step, back, weight, terms)
    elif width == 2:
        multiply_2(errors, at, goal_step, assigned, of, step, back, weight, terms)
    else:
        multiply_1(errors, at, goal_step, assigned, of, step, back, weight, terms)


@compiled_inner
def _return(assigned, n_steps, plan, back, errors, goal_step):
    """What is assigned to currents, times the weights that brought them, to their inputs."""
    errors[:] = 0
    step = plan.rows * plan.row
    for y in range(plan.rows):
        for k in range(plan.size):
            goal_row = y * plan.stride + k - plan.pad
            if goal_row < 0 or goal_row >= plan.in_rows:
                continue
            for v in range(0, plan.in_vectors, MOST_VECTORS):
                width = min(MOST_VECTORS, plan.in_vectors - v)
                weight = (k * plan.in_vectors + v) * LANES * plan.filters
                for x in range(plan.columns):
                    here = goal_row * plan.in_row + x * plan.in_step + v * LANES
                    there = y * plan.row + plan.margin + x * plan.filters
                    for t in range(0, n_steps, STEPS):
                        at, of = here + t * goal_step, there + t * step
                        _tile(width, errors, at, goal_step, assigned, of, step, back, weight, plan)


@compiled_inner
def _group(plan, first, y, j):
    """Where a group of a row's neurons is in currents, states and potentials; how many they are."""
    padded = -(-plan.width // GROUP) * GROUP
    d, s, p = y * plan.row + plan.margin + j, y * padded + j, first + y * plan.width + j
    return d, s, p, min(GROUP, plan.width - j)


@compiled_inner
def _answer(drive, states, first, n_steps, plan, neuron, constants, potential, spikes):
    """Let neurons answer to the currents of some steps; how often they fired."""
    total, step, s_step = np.float32(0), plan.rows * plan.row, len(states) // _STATES
    n_neurons = plan.rows * plan.width
    for y in range(plan.rows):
        for j in range(0, plan.width, GROUP):
            d, s, p, count = _group(plan, first, y, j)
            if neuron == SPIKE_RESPONSE:
                total += respond(
                    drive, d, step, states, s, s_step, potential, spikes, p, n_neurons, n_steps,
                    count, constants,
                )  # fmt: skip
            else:
                total += leak(
                    drive, d, step, states, s, s_step, potential, spikes, p, n_neurons, n_steps,
                    count, constants,
                )  # fmt: skip
    return total


@compiled_inner
def _assign(error, potential, states, first, n_steps, plan, neuron, constants, stand_in, assigned):
    """Give errors at spikes of some steps to the currents that had a part in them."""
    step, s_step = plan.rows * plan.row, len(states) // _STATES
    n_neurons = plan.rows * plan.width
    for y in range(plan.rows):
        for j in range(0, plan.width, GROUP):
            d, s, p, count = _group(plan, first, y, j)
            if neuron == SPIKE_RESPONSE:
                respond_back(
                    error, potential, p, n_neurons, states, s, s_step, assigned, d, step, n_steps,
                    count, stand_in, constants,
                )  # fmt: skip
            else:
                leak_back(
                    error, potential, p, n_neurons, states, s, s_step, assigned, d, step, n_steps,
                    count, stand_in, constants,
                )  # fmt: skip


@compiled
def run(
    inputs, places, table, plan, neuron, constants, n_steps, first, last, potential, spikes, counts
):
    """Potentials and spikes of a layer's neurons, from rest, under spikes of its inputs.

    Parameters
    ----------
    inputs : (n_samples * n_steps * n_in,) float32 array
    places : (n_in, 4) int array
        Of each input: where the first of its rows of weights begins in the currents of a step, and
        in the table; the first of these rows that is inside, and the one behind the last. Rows of
        currents go back by one where rows of the table go on by one.
    table : (n,) float32 array
    plan : Plan
    neuron, constants
        As of `dynamics_kernel.run`.
    n_steps, first, last : int
        Steps of a sample, and which samples.
    potential, spikes : (n_samples * n_steps * n_neurons,) float32 array
        Where they go.
    counts : (n_samples,) float32 array
        Where the numbers of spikes go.
    """
    drive = np.zeros(plan.chunk * plan.rows * plan.row + GROUP, np.float32)
    states = np.zeros(_STATES * plan.rows * (plan.width + GROUP), np.float32)
    events = np.empty(plan.n_in + LANES, np.int32)
    n_neurons = plan.rows * plan.width
    for sample in range(first, last):
        states[:], counts[sample] = 0, 0
        for t in range(0, n_steps, plan.chunk):
            some, begin = min(plan.chunk, n_steps - t), sample * n_steps + t
            _bring(inputs, begin * plan.n_in, some, places, plan, table, events, drive)
            counts[sample] += _answer(
                drive, states, begin * n_neurons, some, plan, neuron, constants, potential, spikes
            )


@compiled
def assign(
    inputs, error, potential, places, back, plan, neuron, constants, stand_in, n_steps, first, last,
    by_table, by_inputs,
):  # fmt: skip
    """Errors of a layer's weights and of the spikes of its inputs, from those of its own spikes.

    Parameters
    ----------
    inputs, places, plan, neuron, constants, n_steps, first, last
        As of `run`.
    error, potential : (n_samples * n_steps * n_neurons,) float32 array
    back : (n,) float32 array
        Weights again, for each row of the kernel in tiles of `MOST_VECTORS` vectors of its columns
        and inputs, filter by filter.
    stand_in : int
        Which surrogate.
    by_table : (n,) float32 array
        To which the errors of the table are added.
    by_inputs : (n_samples * n_steps * n_in,) float32 array
        Where those of the inputs go; (0,) if they are not asked for.
    """
    assigned = np.zeros(plan.chunk * plan.rows * plan.row + GROUP, np.float32)
    errors = np.zeros(plan.chunk * plan.in_rows * plan.in_row + LANES, np.float32)
    states = np.zeros(_STATES * plan.rows * (plan.width + GROUP), np.float32)
    events = np.empty(plan.n_in + LANES, np.int32)
    n_neurons = plan.rows * plan.width
    for sample in range(first, last):
        states[:] = 0
        for t in range((n_steps - 1) // plan.chunk * plan.chunk, -1, -plan.chunk):
            some, begin = min(plan.chunk, n_steps - t), sample * n_steps + t
            _assign(
                error, potential, states, begin * n_neurons, some, plan, neuron, constants,
                stand_in, assigned,
            )  # fmt: skip
            if plan.pools:
                if by_inputs.size:
                    _spread(assigned, some, plan, back[0], by_inputs, begin * plan.n_in)
                continue
            _learn(inputs, begin * plan.n_in, some, places, plan, assigned, events, by_table)
            if by_inputs.size:
                here = begin * plan.n_in
                if plan.dense and plan.n_in % LANES == 0 and some % STEPS == 0:  # nothing beyond
                    straight = by_inputs[here : here + some * plan.n_in]
                    _return(assigned, some, plan, back, straight, plan.n_in)
                    continue
                _return(assigned, some, plan, back, errors, plan.in_rows * plan.in_row)
                _give(errors, some, plan, by_inputs, here)


@compiled_inner
def _spread(assigned, n_steps, plan, weight, by_inputs, first):
    """What is assigned to the current of a window, times its weight, to all its pixels."""
    channels, width = plan.filters, plan.n_in // plan.in_rows
    for row in range(n_steps * plan.in_rows):
        y, here = row % plan.in_rows // plan.size, first + row * width
        if y >= plan.rows:
            by_inputs[here : here + width] = 0
            continue
        there = (row // plan.in_rows * plan.rows + y) * plan.row
        for x in range(plan.columns * plan.size):
            of = there + x // plan.size * channels
            put_row(by_inputs, here + x * channels, assigned, of, channels, weight)
        by_inputs[here + plan.columns * plan.size * channels : here + width] = 0


@compiled_inner
def _give(errors, n_steps, plan, by_inputs, first):
    """Errors of inputs without what is beyond the borders."""
    width = plan.n_in // plan.in_rows
    for row in range(n_steps * plan.in_rows):
        here, there = first + row * width, row * plan.in_row + plan.in_margin
        put_row(by_inputs, here, errors, there, width, np.float32(1))
