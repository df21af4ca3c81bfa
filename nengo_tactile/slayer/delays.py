"""Delays of axons and of synapses in TensorFlow, in whole steps, with gradients.

What is trained are real numbers, whose floors count. The gradient for a delay is minus the slope of
what arrives, as a difference of neighbouring steps. (slayerPytorch takes the slope of the filtered
spikes against the errors before the filter, which is the same sum.)
"""

import numpy as np

from nengo_tactile import stack
from nengo_tactile.slayer import delays_kernel as kernel
from nengo_tactile.slayer import loops

tf = stack.tensorflow()


def delayed(spikes, delays):
    """Spikes after their time on each neuron's axon, with a gradient for that time.

    Parameters
    ----------
    spikes : (n_samples, n_steps, n_neurons) tensor
    delays : (n_neurons,) tensor
        Steps, from zero; their floors count.

    Returns
    -------
    (n_samples, n_steps, n_neurons) tensor
        What would arrive after the last step is lost.
    """

    @tf.custom_gradient
    def delay(spikes, delays):
        steps = tf.cast(tf.floor(delays), tf.int32)
        arrived = _shifted(spikes, steps)

        def gradient(error):
            slope = arrived - _shifted(arrived, tf.ones_like(steps))
            return _shifted(error, -steps), -tf.reduce_sum(error * slope, (0, 1))

        return arrived, gradient

    return delay(spikes, delays)


def _shifted(values, steps):
    """Move each neuron's values by so many steps, later for positive ones; zeros come in."""
    return _shift(tf.stop_gradient(values), steps)


@tf.function(jit_compile=True)
def _shift(values, steps):
    n_steps = tf.shape(values)[1]
    sources = tf.range(n_steps)[:, None] - steps
    inside = tf.cast((sources >= 0) & (sources < n_steps), values.dtype)
    sources = tf.clip_by_value(sources, 0, n_steps - 1)
    by_neuron = tf.gather(
        tf.transpose(values, (2, 1, 0)), tf.transpose(sources), axis=1, batch_dims=1
    )
    return tf.transpose(by_neuron, (2, 1, 0)) * inside


def delayed_sums(spikes, weights, delays):
    """Sums of weighted spikes, each after its time in its synapse, with gradients.

    Parameters
    ----------
    spikes : (n_samples, n_steps, n_inputs) tensor
    weights : (n_inputs, n_neurons) tensor
    delays : (n_groups, n_neurons) tensor
        Steps, from zero; their floors count. Of input i the group is ``i n_groups // n_inputs``.

    Returns
    -------
    (n_samples, n_steps, n_neurons) tensor
        What would arrive after the last step is lost.
    """

    @tf.custom_gradient
    def sums(spikes, weights, delays):
        tensors = [spikes, weights, delays]
        goal = (*spikes.shape[:2], weights.shape[1])

        def gradient(error):
            known = [*tensors, error]
            shapes = [weights.shape, delays.shape]
            by_weights, by_delays = loops.call(_by_synapses, known, shapes)
            (by_spikes,) = loops.call(_by_spikes, known, [spikes.shape])
            return by_spikes, by_weights, by_delays

        return loops.call(_sums, tensors, [goal])[0], gradient

    return sums(spikes, weights, delays)


def groups_of(n_inputs, n_groups):
    """The group of each input's synapses, (n_inputs,) int array."""
    return np.arange(n_inputs) * n_groups // n_inputs


def _synapses(weights, delays):
    """What compiled loops read: weights, whole delays, and each input's group."""
    groups = groups_of(len(weights), len(delays))
    return np.ascontiguousarray(weights), np.floor(delays).astype(np.int64), groups


def _sums(spikes, weights, delays):
    found = loops.empty((*spikes.shape[:2], weights.shape[1]), spikes.dtype)
    told = spikes, *_synapses(weights, delays)
    loops.share_out(len(spikes), lambda a, b: kernel.sums(*told, a, b, found))
    return [found]


def _by_synapses(spikes, weights, delays, error):
    told = spikes, *_synapses(weights, delays), error

    def part(a, b):
        found = np.zeros_like(weights), np.zeros_like(delays)
        kernel.by_synapses(*told, a, b, *found)
        return found

    return [sum(parts) for parts in zip(*loops.share_out(len(spikes), part))]


def _by_spikes(spikes, weights, delays, error):
    found = loops.empty(spikes.shape, spikes.dtype)
    told = error, *_synapses(weights, delays)
    loops.share_out(len(spikes), lambda a, b: kernel.by_spikes(*told, a, b, found))
    return [found]
