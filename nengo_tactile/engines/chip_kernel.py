"""Steps of the chip in its integers, compiled: what arrives, what compartments become of it.

Formulas are those of nengo-loihi 1.1.0 (``emulator/interface.py``, ``builder/discretize.py``): a
decay keeps ``|x| * keep // 4096``, sums that arrive have 21 bits and a sign, currents 23, the
potential has no register. All sums are of whole numbers, so their order does not matter. Where a
register overflows a sample ends, so nothing ever wraps.
"""

from collections import namedtuple

import numpy as np
from numba.extending import register_jitable

#: Registers of summed weights and of current, without the sign.
Q_BITS, U_BITS = 21, 23
_MOST_Q, _MOST_U = np.int32(1 << Q_BITS), np.int32(1 << U_BITS)
_OVER_Q, _OVER_U = np.int32(~(2 * _MOST_Q - 1)), np.int32(~(2 * _MOST_U - 1))
_FRACTION, _WHOLE = np.int32(4095), np.int32(4096)
#: What a neuron of the host does: integrate and lose one, or go to zero, at a spike; leak without
#: refractory time; integrate what is above zero (in hertz times seconds).
SUBTRACT, TO_ZERO, LEAKY, RECTIFIED = range(4)

#: State of a sample: arriving sums, currents, potentials, steps that compartments are refractory,
#: whether they fired, the same eight at a time; who sent at the last step, and how many; steps that
#: were run; whether to stop.
State = namedtuple("State", "arriving current voltage waiting spiked words sent n_sent steps stop")
#: Populations of the host that see the same at every step: where each begins among the senders and
#: among their neurons, what it does; of leaky ones the share that a step goes towards the current,
#: the current at the threshold, and the floor; seconds of a step.
Population = namedtuple("Population", "sender begins kind share floor dt")
#: Spikes: senders one after another, and where each step's begin.
Spikes = namedtuple("Spikes", "senders ends")


@register_jitable
def _kept(x, keep):
    """``sign(x) * (abs(x) * keep >> 12)``, in parts, because the product has too many bits."""
    size = np.int32(abs(x))
    rest = np.int32(np.int32(size & _FRACTION) * keep)
    size = np.int32(np.int32(np.int32(size >> np.int32(12)) * keep) + (rest >> np.int32(12)))
    return size if x > 0 else np.int32(-size)


@register_jitable
def _deliver(program, sender, arriving):
    for run in range(program.first[sender], program.first[sender + 1]):
        length = program.lengths[run]
        first, place = program.targets[run], program.places[run]
        sums = arriving[first : first + length]
        weights = program.weights[place : place + length]
        for k in range(length):
            sums[k] += weights[k]


@register_jitable
def _charged(arriving, current, bias, keep):
    """Current, the same with its bias, and whether a register overflowed, of a compartment."""
    u = np.int32(_kept(current, keep) + arriving)
    driven = np.int32(u + bias)
    over = np.int32(arriving + _MOST_Q) & _OVER_Q
    return u, driven, over | ((np.int32(u + _MOST_U) | np.int32(driven + _MOST_U)) & _OVER_U)


@register_jitable
def _advance(arriving, current, voltage, spiked, constants, alike):
    """A step of compartments that are alike; says whether a register overflowed."""
    bias, threshold, floor = constants
    keep_u, keep_v, ceiling = alike
    over = np.int32(0)
    for i in range(len(arriving)):
        current[i], driven, overflowed = _charged(arriving[i], current[i], bias[i], keep_u)
        over |= overflowed
        v = voltage[i]
        if keep_v != _WHOLE:
            v = _kept(v, keep_v)
        v = min(max(np.int32(v + driven), floor[i]), ceiling)
        fires = v > threshold[i]
        voltage[i] = np.int32(0) if fires else v
        spiked[i] = fires
    return over


@register_jitable
def _advance_refractory(arriving, current, voltage, spiked, waiting, constants, alike, pause):
    """The same of compartments that rest after a spike."""
    bias, threshold, floor = constants
    keep_u, keep_v, ceiling = alike
    over = np.int32(0)
    for i in range(len(arriving)):
        current[i], driven, overflowed = _charged(arriving[i], current[i], bias[i], keep_u)
        over |= overflowed
        v = min(max(np.int32(_kept(voltage[i], keep_v) + driven), floor[i]), ceiling)
        v = np.int32(0) if waiting[i] > 0 else v
        fires = v > threshold[i]
        voltage[i] = np.int32(0) if fires else v
        spiked[i] = fires
        waiting[i] = np.int32(max((pause if fires else waiting[i]) - 1, 0))
    return over


def advance(program, state, shown, first, n_steps, fired):
    """Run a sample on for some steps. Compiled by numba.

    Parameters
    ----------
    program : Program
    state : State
        Changed in place.
    shown : Spikes
        What the host sends, from step ``first`` of it on.
    first, n_steps : int
    fired : Spikes
        Filled: who sends at each step, compartments and the host's neurons; its room is where it
        ends.

    Returns
    -------
    n_done : int
        Less than ``n_steps`` where the room would not do for another step, where a register
        overflowed, or when told to stop.
    overflowed : bool
        In the step after the ``n_done`` that are whole; the state has what then arrived, and the
        currents with it.
    """
    senders, ends = fired
    at = 0
    ends[0] = 0
    n_senders = len(program.first) - 1
    for step in range(n_steps):
        if state.stop[0] or len(senders) - at < n_senders:
            _keep_last(state, senders, ends, step)
            return step, False
        state.arriving[:] = 0
        if step == 0:
            for k in range(state.n_sent[0]):
                _deliver(program, state.sent[k], state.arriving)
        else:
            for k in range(ends[step - 1], ends[step]):
                _deliver(program, senders[k], state.arriving)
        if _compartments(program, state):
            return step, True
        for word in range(len(state.words)):
            if state.words[word]:
                for compartment in range(8 * word, 8 * word + 8):
                    if state.spiked[compartment]:
                        senders[at] = compartment
                        at += 1
        for k in range(shown.ends[first + step], shown.ends[first + step + 1]):
            senders[at] = shown.senders[k]
            at += 1
        ends[step + 1] = at
    _keep_last(state, senders, ends, n_steps)
    return n_steps, False


@register_jitable
def _keep_last(state, senders, ends, n_done):
    """Remember who sent at the last step, whose spikes arrive at the next."""
    if n_done:
        begin = ends[n_done - 1]
        state.n_sent[0] = ends[n_done] - begin
        for k in range(state.n_sent[0]):
            state.sent[k] = senders[begin + k]
        state.steps[0] += n_done


@register_jitable
def _compartments(program, state):
    """A step of all compartments; says whether a register overflowed."""
    over = np.int32(0)
    for segment in range(len(program.begins) - 1):
        begin, end = program.begins[segment], program.begins[segment + 1]
        constants = (
            program.bias[begin:end],
            program.threshold[begin:end],
            program.floor[begin:end],
        )
        alike = program.keep_u[segment], program.keep_v[segment], program.ceiling[segment]
        arriving, current = state.arriving[begin:end], state.current[begin:end]
        voltage, spiked = state.voltage[begin:end], state.spiked[begin:end]
        if program.pause[segment] > 1:
            waiting, pause = state.waiting[begin:end], program.pause[segment]
            over |= _advance_refractory(
                arriving, current, voltage, spiked, waiting, constants, alike, pause
            )
        else:
            over |= _advance(arriving, current, voltage, spiked, constants, alike)
    return over != 0


def send(populations, current, voltage, n_steps, shown):
    """What populations of the host send that see the same at every step. Compiled by numba.

    Parameters
    ----------
    populations : Population
    current : (n_neurons,) float64 array
    voltage : (n_neurons,) float64 array
        Changed in place.
    n_steps : int
    shown : Spikes
        Filled.
    """
    senders, ends = shown
    at = 0
    ends[0] = 0
    for step in range(n_steps):
        for p in range(len(populations.kind)):
            begin, end = populations.begins[p], populations.begins[p + 1]
            sender, kind = populations.sender[p] - begin, populations.kind[p]
            share, floor = populations.share[p], populations.floor[p]
            for i in range(begin, end):
                v = voltage[i]
                if kind == RECTIFIED:
                    v += max(current[i], 0.0) * populations.dt
                    fires = v >= 1
                    v -= np.floor(v)
                elif kind == LEAKY:
                    v += (current[i] - v) * share
                    fires = v > 1
                    if fires:
                        v = min((v - 1) * current[i] / (current[i] - 1), 1.0)
                    elif v < floor:
                        v = floor
                else:
                    v += current[i]
                    fires = v >= 1
                    if fires:
                        v = v - 1 if kind == SUBTRACT else 0.0
                voltage[i] = v
                if fires:
                    senders[at] = sender + i
                    at += 1
        ends[step + 1] = at


def tally(fired, n_steps, layers, lags, fan_out, chip_fan_out, counts, spikes, synops, chip_synops):
    """Count what a sample fired. Compiled by numba.

    Parameters
    ----------
    fired : Spikes
    n_steps : int
        Steps of ``fired``.
    layers : (n_senders,) int array
        Layer of each.
    lags : (n_layers,) int array
        Steps by which a layer's spikes are late; what comes before or after is not counted.
    fan_out, chip_fan_out : (n_senders,) int array
        Synapses that leave each; those onto the chip.
    counts : (n_senders,) int32 array
    spikes, synops, chip_synops : (n_layers, n_counted_steps) int64 arrays
        Added to.
    """
    for step in range(n_steps):
        for k in range(fired.ends[step], fired.ends[step + 1]):
            sender = fired.senders[k]
            layer = layers[sender]
            at = step - lags[layer]
            if 0 <= at < spikes.shape[1]:
                counts[sender] += 1
                spikes[layer, at] += 1
                synops[layer, at] += fan_out[sender]
                chip_synops[layer, at] += chip_fan_out[sender]


def gather(fired, n_steps, first, targets, weights, sums):
    """Add what senders bring to a population on the host, step by step. Compiled by numba.

    Parameters
    ----------
    fired : Spikes
    n_steps : int
    first : (n_senders + 1,) int array
    targets, weights : (n_synapses,) arrays
        Of each sender, from ``first`` on.
    sums : (n_steps, n_targets) float64 array
        Added to.
    """
    for step in range(n_steps):
        for k in range(fired.ends[step], fired.ends[step + 1]):
            sender = fired.senders[k]
            for synapse in range(first[sender], first[sender + 1]):
                sums[step, targets[synapse]] += weights[synapse]
