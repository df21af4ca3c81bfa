"""Delays of synapses, compiled: each spike goes through its synapses and arrives when it does."""

import numpy as np

from nengo_tactile.lazy import compiled


@compiled
def sums(spikes, weights, delays, groups, first, last, found):
    """Sums of weighted spikes, each after its delay.

    Parameters
    ----------
    spikes : (n_samples, n_steps, n_inputs) array
    weights : (n_inputs, n_neurons) array
    delays : (n_groups, n_neurons) int array
    groups : (n_inputs,) int array
    first, last : int
        Of the samples.
    found : (n_samples, n_steps, n_neurons) array
        Where they go.
    """
    n_steps, n_inputs = spikes.shape[1:]
    for sample in range(first, last):
        found[sample] = 0
        for t in range(n_steps):
            for i in range(n_inputs):
                value = spikes[sample, t, i]
                if value:
                    late = delays[groups[i]]
                    for j in range(len(late)):
                        if t + late[j] < n_steps:
                            found[sample, t + late[j], j] += value * weights[i, j]


@compiled
def by_synapses(spikes, weights, delays, groups, error, first, last, by_weights, by_delays):
    """What errors at the sums say of weights and of delays.

    Parameters
    ----------
    spikes, weights, delays, groups, first, last
        As of `sums`.
    error : (n_samples, n_steps, n_neurons) array
    by_weights : (n_inputs, n_neurons) array
    by_delays : (n_groups, n_neurons) array
        To which they are added.
    """
    n_steps, n_inputs = spikes.shape[1:]
    for sample in range(first, last):
        for t in range(n_steps):
            for i in range(n_inputs):
                value = spikes[sample, t, i]
                if value:
                    group = groups[i]
                    for j in range(delays.shape[1]):
                        at = t + delays[group, j]
                        if at < n_steps:
                            rise = error[sample, at, j]
                            by_weights[i, j] += value * rise
                            if at + 1 < n_steps:
                                rise -= error[sample, at + 1, j]
                            by_delays[group, j] -= value * weights[i, j] * rise


@compiled
def by_spikes(error, weights, delays, groups, first, last, found):
    """What errors at the sums say of the spikes.

    Parameters
    ----------
    error : (n_samples, n_steps, n_neurons) array
    weights, delays, groups, first, last
        As of `sums`.
    found : (n_samples, n_steps, n_inputs) array
        Where they go.
    """
    n_steps, n_neurons = error.shape[1:]
    met = np.empty(n_neurons, error.dtype)
    for sample in range(first, last):
        for t in range(n_steps):
            for i in range(len(weights)):
                if i == 0 or groups[i] != groups[i - 1]:
                    for j in range(n_neurons):
                        at = t + delays[groups[i], j]
                        met[j] = error[sample, at, j] if at < n_steps else 0
                found[sample, t, i] = np.dot(weights[i], met)
