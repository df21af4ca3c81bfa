"""A step of the chip in its integers, compiled: what arrives, and what compartments become of it.

Formulas are those of nengo-loihi 1.1.0 (``emulator/interface.py``, ``builder/discretize.py``): a
decay keeps ``|x| * keep // 4096``, sums that arrive wrap at 21 bits and a sign, currents at 23, the
potential has no register. All sums are of whole numbers, so their order does not matter.
"""

import numpy as np
from numba.extending import register_jitable

#: Registers of summed weights and of current, without the sign; what nengo-loihi calls them, and
#: the current with its bias.
Q_BITS, U_BITS = 21, 23
REGISTERS = ("q0", "current", "u2")


def deliver(senders, first, rows, bases, starts, targets, weights, arriving):
    """Add what compartments, or neurons of the host, send. Compiled by numba.

    Parameters
    ----------
    senders : (n_spikes,) int array
        Those that fired.
    first : (n_senders + 1,) int array
        Where each one's deliveries begin.
    rows, bases : (n_deliveries,) int array
        The row of each, and the compartment that its targets are counted from.
    starts : (n_rows + 1,) int array
    targets, weights : (n_entries,) int array
    arriving : (n_compartments,) int32 array
        Changed in place.
    """
    for sender in senders:
        for delivery in range(first[sender], first[sender + 1]):
            row, base = rows[delivery], bases[delivery]
            for entry in range(starts[row], starts[row + 1]):
                arriving[base + targets[entry]] += weights[entry]


def update(arriving, current, voltage, spiked, waiting, counts, neurons):
    """Advance all compartments by a step. Compiled by numba.

    Parameters
    ----------
    arriving : (n,) int32 array
    current, voltage, spiked, waiting, counts : (n,) arrays
        State, changed in place; ``waiting`` are the steps that a neuron is refractory.
    neurons : (7, n) int32 array
        What a step keeps of 4096 of current and of potential, bias, threshold, floor, ceiling,
        refractory steps.

    Returns
    -------
    (3,) int64 array
        Of each of the `REGISTERS` the first compartment where it overflowed, and wrapped; -1 for
        none.
    """
    keep_u, keep_v, bias, threshold, floor, ceiling, pause = neurons
    most_q, most_u, over = 1 << Q_BITS, 1 << U_BITS, np.full(3, -1)
    for i in range(len(arriving)):
        q = arriving[i]
        if over[0] < 0 and not -most_q <= q < most_q:
            over[0] = i
        u = _kept(current[i], keep_u[i]) + _wrapped(q, Q_BITS)
        if over[1] < 0 and not -most_u <= u < most_u:
            over[1] = i
        u = _wrapped(u, U_BITS)
        current[i] = u
        driven = u + bias[i]
        if over[2] < 0 and not -most_u <= driven < most_u:
            over[2] = i
        v = np.int32(_kept(voltage[i], keep_v[i]) + _wrapped(driven, U_BITS))
        v = 0 if waiting[i] > 0 else min(max(v, floor[i]), ceiling[i])
        fires = v > threshold[i]
        voltage[i] = 0 if fires else v
        spiked[i] = fires
        counts[i] += fires
        waiting[i] = max((pause[i] if fires else waiting[i]) - 1, 0)
    return over


@register_jitable
def _kept(x, keep):
    """``sign(x) * (abs(x) * keep >> 12)``, in parts, because the product has too many bits."""
    size = abs(x)
    size = (size >> 12) * keep + ((size & 4095) * keep >> 12)
    return size if x > 0 else -size


@register_jitable
def _wrapped(x, bits):
    """What a register of so many bits and a sign keeps of a number."""
    sign = 1 << bits
    return (x & (sign - 1)) - (x & sign)
