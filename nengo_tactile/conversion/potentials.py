"""Membrane potentials of integrate-and-fire neurons through time, to be compiled by numba."""

import numpy as np

#: Size, among spikes of one, of a spike that is worth only the negative slope.
SMALL = 2


def integrate(
    current, constant, shift, gain, compensation, to_zero, negative, potential, count, net, spikes
):
    """Let neurons integrate and fire; the arrays behind ``negative`` are filled in.

    Parameters
    ----------
    current : (1 or n_steps, n_samples, n_neurons) float32 array
    constant : (n_samples, n_neurons) float32 array
        The part of it that ``compensation`` leaves as it is; read where that is not 1.
    shift : (n_neurons,) float32 array
        Current besides, in thresholds a step.
    gain, compensation : float32
    to_zero : bool
        Whether a spike sets the potential to zero.
    negative : bool
        Whether there are negative spikes.
    potential : (n_samples, n_neurons) float32 array
    count, net : (n_samples, n_neurons) int32 array
        Spikes so far, and positive less negative ones; the latter only with ``negative``.
    spikes : (n_steps, n_samples, n_neurons) int8 array
        1 and -1; with ``negative`` those that move the net count below zero are `SMALL` times
        as large.
    """
    n_steps, n_samples, n_neurons = spikes.shape
    one, zero = np.float32(1), np.float32(0)
    for sample in range(n_samples):
        v, fired, balance = potential[sample], count[sample], net[sample]
        for step in range(n_steps):
            drive = current[min(step, len(current) - 1), sample]
            out = spikes[step, sample]
            if compensation != 1:
                rest = constant[sample]
                for i in range(n_neurons):
                    v[i] += gain * (rest[i] + compensation * (drive[i] - rest[i])) + shift[i]
            else:
                for i in range(n_neurons):
                    v[i] += gain * drive[i] + shift[i]
            for i in range(n_neurons):
                up = v[i] >= one
                down = negative and v[i] <= -one
                sign = np.int8(up) - np.int8(down)
                out[i] = sign
                fired[i] += np.int32(up) + np.int32(down)
                if to_zero:
                    v[i] = zero if up else v[i]
                else:
                    v[i] -= np.float32(sign)
                if negative:
                    # of the net counts before and after, the lower one decides
                    if balance[i] - np.int32(down) < 0:
                        out[i] = SMALL * sign
                    balance[i] += sign
