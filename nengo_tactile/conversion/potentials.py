"""Membrane potentials of integrate-and-fire neurons through time, to be compiled by numba."""

import numpy as np


def integrate(
    current,
    constant,
    shift,
    gain,
    compensation,
    to_zero,
    signed,
    most,
    leaky,
    potential,
    count,
    net,
    spikes,
    below,
):
    """Let neurons integrate and fire; the last five arrays are filled in.

    Parameters
    ----------
    current : (1 or n_steps, n_samples, n_neurons) float32 array
    constant : (n_samples, n_neurons) float32 array
        The part of it that ``compensation`` leaves as it is; read where that is not 1.
    shift : (1 or n_steps, n_neurons) float32 array
        Current besides, in thresholds a step.
    gain, compensation : float32
    to_zero : bool
        Whether a spike sets the potential to zero.
    signed : bool
        Whether spikes are taken back below zero.
    most : int
        Most that a spike is worth.
    leaky : bool
        Whether net counts go below zero.
    potential : (n_samples, n_neurons) float32 array
    count, net : (n_samples, n_neurons) int32 array
        Spikes so far, and what they were worth, positive less negative ones.
    spikes : (n_steps, n_samples, n_neurons) int8 array
        What each is worth, as the net count changes by it.
    below : (n_steps, n_samples, n_neurons) int8 array
        The part of it below a net count of zero; only written where ``leaky``.
    """
    n_steps, n_samples, n_neurons = spikes.shape
    one, zero = np.float32(1), np.float32(0)
    plain = not (signed or leaky or most > 1)
    top = np.float32(most)
    for sample in range(n_samples):
        v, fired, balance = potential[sample], count[sample], net[sample]
        for step in range(n_steps):
            drive, more = (
                current[min(step, len(current) - 1), sample],
                shift[min(step, len(shift) - 1)],
            )
            out = spikes[step, sample]
            if compensation != 1:
                rest = constant[sample]
                for i in range(n_neurons):
                    v[i] += gain * (rest[i] + compensation * (drive[i] - rest[i])) + more[i]
            else:
                for i in range(n_neurons):
                    v[i] += gain * drive[i] + more[i]
            if plain:
                for i in range(n_neurons):
                    up = v[i] >= one
                    out[i] = np.int8(up)
                    fired[i] += np.int32(up)
                    balance[i] += np.int32(up)
                    if to_zero:
                        v[i] = zero if up else v[i]
                    else:
                        v[i] -= np.float32(up)
                continue
            if signed and not leaky:  # apart, so that it becomes vector instructions
                for i in range(n_neurons):
                    whole, held = np.floor(v[i]), np.float32(balance[i])
                    back = held if held < top else top
                    worth = whole if whole < top else top
                    worth = worth if worth > -back else -back
                    v[i] -= worth
                    change = np.int32(worth)
                    out[i] = np.int8(change)
                    fired[i] += np.int32(change != 0)
                    balance[i] += change
                continue
            for i in range(n_neurons):
                whole = np.floor(v[i]) if signed else np.trunc(v[i])
                least = top if leaky else zero
                worth = max(min(whole, top), -least)
                v[i] -= worth
                change = np.int32(worth)
                out[i] = np.int8(change)
                fired[i] += np.int32(change != 0)
                if leaky:
                    lower = min(balance[i] + change, 0) - min(balance[i], 0)
                    below[step, sample, i] = np.int8(lower)
                balance[i] += change
