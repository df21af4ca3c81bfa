"""Neurons over time, compiled: potentials and spikes of currents, and errors back to currents.

Neurons of a sample are taken in blocks, whose states stay in the processor's first cache over all
steps; blocks and samples do not meet, so threads share them out. All arithmetic is in the type of
the currents.
"""

import math

import numpy as np

from nengo_tactile.lazy import compiled

#: Which response neurons have, and what stands in for the derivative of their spikes.
SPIKE_RESPONSE, CURRENT_BASED = range(2)
EXPONENTIAL, LINEAR, HALF_SIGMOID = range(3)
#: Neurons of a block.
BLOCK = 512


@compiled
def run(current, recurrent, neuron, constants, block, first, last, potential, spikes):
    """Let neurons answer to currents, from rest.

    Parameters
    ----------
    current : (n_samples, n_steps, n_neurons) array
    recurrent : (n_neurons, n_neurons) array
        What spikes of a step add to the currents of the next; (0, 0) for nothing. With it a block
        is all neurons.
    neuron : int
    constants : (8,) array
        Of spike response: what a step leaves of the response, its height, what a step leaves of
        refractoriness, its depth. Of current-based neurons: what a step leaves of the current, and
        of the voltage, and two that are not read. Then threshold, inverse width and height of the
        surrogate, and one, which as a word of the source would be in double precision.
    block : int
        Neurons of one.
    first, last : int
        Of all blocks, sample after sample.
    potential, spikes : (n_samples, n_steps, n_neurons) array
        Where they go.
    """
    n_steps, n_neurons = current.shape[1:]
    n_blocks = -(-n_neurons // block)
    states = np.zeros((5, min(block, n_neurons)), current.dtype)
    for task in range(first, last):
        sample, a = task // n_blocks, (task % n_blocks) * block
        b = min(a + block, n_neurons)
        states[:] = 0
        first_state, second, third, fourth = (
            states[0, : b - a], states[1, : b - a], states[2, : b - a], states[3, : b - a],
        )  # fmt: skip
        for t in range(n_steps):
            drive = current[sample, t, a:b]
            if recurrent.size and t:
                drive = states[4, : b - a]
                drive[:] = current[sample, t]
                for j in np.flatnonzero(spikes[sample, t - 1]):
                    _add(drive, recurrent[j], spikes[sample, t - 1, j])
            level, sent = potential[sample, t, a:b], spikes[sample, t, a:b]
            if neuron == SPIKE_RESPONSE:
                _respond(drive, first_state, second, third, fourth, constants, level, sent)
            else:
                _leak(drive, first_state, second, constants, level, sent)


@compiled
def _add(target, row, factor):
    for j in range(len(target)):
        target[j] += factor * row[j]


@compiled
def _respond(drive, decayed, rising, fired, falling, constants, potential, spikes):
    kept, height, kept_back, depth = constants[0], constants[1], constants[2], constants[3]
    threshold = constants[4]
    for j in range(len(drive)):
        rising[j] = kept * (rising[j] + decayed[j])
        decayed[j] = kept * decayed[j] + drive[j]
        falling[j] = kept_back * (falling[j] + fired[j])
        potential[j] = height * rising[j] - depth * falling[j]
        spikes[j] = potential[j] >= threshold
        fired[j] = kept_back * fired[j] + spikes[j]


@compiled
def _leak(drive, currents, voltages, constants, potential, spikes):
    kept_current, kept_voltage, threshold = constants[0], constants[1], constants[4]
    one = constants[7]
    for j in range(len(drive)):
        currents[j] = kept_current * currents[j] + drive[j]
        potential[j] = kept_voltage * voltages[j] + currents[j]
        spikes[j] = potential[j] >= threshold
        voltages[j] = potential[j] * (one - spikes[j])


@compiled
def assign(error, potential, back, neuron, constants, stand_in, block, first, last, assigned):
    """Give errors at spikes to the currents that had a part in them.

    Parameters
    ----------
    error, potential : (n_samples, n_steps, n_neurons) array
    back : (n_neurons, n_neurons) array
        Recurrent weights with their axes exchanged; (0, 0) for none.
    neuron : int
    constants : (8,) array
        As of `run`.
    stand_in : int
        Which surrogate.
    block, first, last : int
        As of `run`.
    assigned : (n_samples, n_steps, n_neurons) array
        Where they go.
    """
    n_steps, n_neurons = error.shape[1:]
    n_blocks = -(-n_neurons // block)
    size = min(block, n_neurons)
    states = np.zeros((4, size), error.dtype)
    words = np.empty(size, np.int32)
    for task in range(first, last):
        sample, a = task // n_blocks, (task % n_blocks) * block
        b = min(a + block, n_neurons)
        states[:] = 0
        first_state, second = states[0, : b - a], states[1, : b - a]
        slopes, total = states[2, : b - a], states[3, : b - a]
        for t in range(n_steps - 1, -1, -1):
            _slopes(potential[sample, t, a:b], constants, stand_in, slopes, words[: b - a])
            at_spikes, found = error[sample, t, a:b], assigned[sample, t, a:b]
            if back.size and t + 1 < n_steps:
                total[:] = at_spikes
                for j in range(n_neurons):
                    _add(total, back[j], assigned[sample, t + 1, j])
                at_spikes = total
            if neuron == SPIKE_RESPONSE:
                _respond_back(at_spikes, slopes, first_state, second, constants, found)
            else:
                _leak_back(at_spikes, slopes, first_state, second, constants, found)


@compiled
def _respond_back(error, slopes, decayed, rising, constants, assigned):
    kept, height = constants[0], constants[1]
    for j in range(len(error)):
        rising[j] = kept * (rising[j] + decayed[j])
        decayed[j] = kept * decayed[j] + error[j] * slopes[j]
        assigned[j] = height * rising[j]


@compiled
def _leak_back(error, slopes, currents, voltages, constants, assigned):
    kept_current, kept_voltage = constants[0], constants[1]
    for j in range(len(error)):
        currents[j] = kept_current * currents[j] + error[j] * slopes[j]
        voltages[j] = kept_voltage * voltages[j] + currents[j]
        assigned[j] = voltages[j]


@compiled
def _slopes(potential, constants, stand_in, slopes, words):
    """Surrogate derivatives at potentials: see `surrogates.Surrogate`."""
    threshold, narrow, height, one = constants[4], constants[5], constants[6], constants[7]
    for j in range(len(potential)):
        slopes[j] = abs(potential[j] - threshold) * narrow
    if stand_in == LINEAR:
        for j in range(len(slopes)):
            slopes[j] = height * max(one - slopes[j], one - one)
    elif stand_in == HALF_SIGMOID:
        for j in range(len(slopes)):
            slopes[j] = height / ((one + slopes[j]) * (one + slopes[j]))
    elif constants.itemsize == 4:
        _exponentials(slopes, words, words.view(np.float32), height)
    else:
        for j in range(len(slopes)):
            slopes[j] = height * math.exp(-slopes[j])


@compiled
def _exponentials(x, words, powers, height):
    """Make ``height exp(-x)`` of each x from zero, in single precision, to 2e-7 relatively.

    Of x = n log 2 + r, the power of two is made of bits, the rest by a polynomial (Cephes,
    ``expf.c``), so that processors take many at a time.
    """
    for j in range(len(x)):
        value = -min(x[j], np.float32(87.0))
        n = np.floor(value * np.float32(1.44269504) + np.float32(0.5))
        rest = value - n * np.float32(0.693359375) + n * np.float32(2.12194440e-4)
        total = np.float32(1.9875691500e-4) * rest + np.float32(1.3981999507e-3)
        total = total * rest + np.float32(8.3334519073e-3)
        total = total * rest + np.float32(4.1665795894e-2)
        total = total * rest + np.float32(1.6666665459e-1)
        total = total * rest + np.float32(5.0000001201e-1)
        x[j] = height * (total * rest * rest + rest + np.float32(1))
        words[j] = (np.int32(n) + np.int32(127)) << np.int32(23)
    for j in range(len(x)):
        x[j] *= powers[j]


@compiled
def sensitivity(current, recurrent, error, potential, spikes, neuron, constants, stand_in, into):
    """What errors at spikes say of the constants of neurons, with spikes fed back as they were.

    Parameters
    ----------
    current, recurrent, neuron, constants
        As of `run`.
    error, potential, spikes : (n_samples, n_steps, n_neurons) array
    stand_in : int
        Which surrogate.
    into : (4,) array
        To which it is added: of the first four constants.
    """
    n_samples, n_steps, n_neurons = current.shape
    first, second, back, depth = constants[0], constants[1], constants[2], constants[3]
    states = np.zeros((10, n_neurons), current.dtype)
    slopes, drive = states[8], states[9]
    words = np.empty(n_neurons, np.int32)
    for sample in range(n_samples):
        states[:8] = 0
        for t in range(n_steps):
            drive[:] = current[sample, t]
            if recurrent.size and t:
                for j in np.flatnonzero(spikes[sample, t - 1]):
                    _add(drive, recurrent[j], spikes[sample, t - 1, j])
            _slopes(potential[sample, t], constants, stand_in, slopes, words)
            for j in range(n_neurons):
                at = error[sample, t, j] * slopes[j]
                if neuron == SPIKE_RESPONSE:
                    # what was, then what it would have been with another constant
                    states[1, j] = (
                        states[0, j] + states[2, j] + first * (states[1, j] + states[3, j])
                    )
                    states[0, j] = first * (states[0, j] + states[2, j])
                    states[3, j] = states[2, j] + first * states[3, j]
                    states[2, j] = first * states[2, j] + drive[j]
                    states[5, j] = (
                        states[4, j] + states[6, j] + back * (states[5, j] + states[7, j])
                    )
                    states[4, j] = back * (states[4, j] + states[6, j])
                    states[7, j] = states[6, j] + back * states[7, j]
                    states[6, j] = back * states[6, j] + spikes[sample, t, j]
                    into[0] += at * second * states[1, j]
                    into[1] += at * states[0, j]
                    into[2] -= at * depth * states[5, j]
                    into[3] -= at * states[4, j]
                else:
                    states[1, j] = states[0, j] + first * states[1, j]
                    states[0, j] = first * states[0, j] + drive[j]
                    states[4, j] = states[2, j] + second * states[4, j]
                    states[3, j] = second * states[3, j] + states[1, j]
                    states[2, j] = second * states[2, j] + states[0, j]
                    into[0] += at * states[3, j]
                    into[1] += at * states[4, j]
                    for k in range(2, 5):
                        states[k, j] *= constants[7] - spikes[sample, t, j]
