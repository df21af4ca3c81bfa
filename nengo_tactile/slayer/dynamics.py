"""Spiking neurons over time in TensorFlow, compiled, with gradients as SLAYER has them.

A neuron's response to its current is a linear filter; a spike feeds back on the potential. Both
are recursions of two numbers, so a step costs the same however slow the kernels are, and no kernel
is cut off. Backwards, errors at the potential (those at the spikes times the surrogate derivative)
go through the same filter in reversed time, which assigns them to the currents that had a part in
them (Spikemax paper, Figure 1 (b)); nothing passes through refractoriness and reset, as in
slayerPytorch and lava-dl.
"""

import functools
import math

from nengo_tactile import stack

tf = stack.tensorflow()


def spikes_of(current, model, surrogate, recurrent=None):
    """Spikes of neurons under currents, from rest.

    Parameters
    ----------
    current : (n_samples, n_steps, n_neurons) tensor
    model : SpikeResponseModel or CurrentBasedLIF
    surrogate : Surrogate
    recurrent : (n_neurons, n_neurons) tensor, optional
        What the spikes of a step add to the currents of the next one.

    Returns
    -------
    (n_samples, n_steps, n_neurons) tensor
        Zeros and ones.
    """
    forward, backward = _loops(model, surrogate, recurrent is not None)
    if recurrent is None:

        @tf.custom_gradient
        def fire(current):
            potential = forward(current)
            spikes = _fired(potential, model.threshold)
            return spikes, lambda error: backward(error, potential)

        return fire(current)

    @tf.custom_gradient
    def fire_recurrently(current, recurrent):
        potential = forward(current, recurrent)
        spikes = _fired(potential, model.threshold)

        def gradient(error):
            by_current = backward(error, potential, recurrent)
            # the spikes of a step meet the errors of the currents of the next
            by_weights = tf.einsum("bti,btj->ij", spikes[:, :-1], by_current[:, 1:])
            return by_current, by_weights

        return spikes, gradient

    return fire_recurrently(current, recurrent)


def delayed(spikes, delays):
    """Spikes after their time on each neuron's axon, with a gradient for that time.

    The gradient for a delay is minus the slope of what arrives, as a difference of neighbouring
    steps. (slayerPytorch takes the slope of the filtered spikes against the errors before the
    filter, which is the same sum.)

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


def _fired(potential, threshold):
    return tf.cast(potential >= threshold, potential.dtype)


@functools.lru_cache(maxsize=256)
def _loops(model, surrogate, has_recurrence):
    """Compiled loops over time, forward and backward, of one kind of neurons."""
    respond = _RESPONSES[model.kind](model)
    n_feedback, feed_back = _FEEDBACKS[model.kind](model)

    def run(current, recurrent):
        zeros = tf.zeros_like(current[:, 0])
        n_steps = tf.shape(current)[1]
        kept = tf.TensorArray(current.dtype, n_steps, element_shape=zeros.shape)

        def step(t, states, feedback, last, kept):
            drive = current[:, t]
            if recurrent is not None:
                drive += tf.linalg.matmul(_fired(last, model.threshold), recurrent)
            states, potential = respond(states, drive)
            potential, states, feedback = feed_back(potential, states, feedback)
            last = last if recurrent is None else potential
            return t + 1, states, feedback, last, kept.write(t, potential)

        last = () if recurrent is None else zeros
        start = (tf.constant(0), (zeros, zeros), (zeros,) * n_feedback, last, kept)
        *_, kept = tf.while_loop(lambda t, *_: t < n_steps, step, start, maximum_iterations=n_steps)
        return _batch_first(kept.stack())

    def assign(error, potential, recurrent):
        zeros = tf.zeros_like(error[:, 0])
        n_steps = tf.shape(error)[1]
        slopes = surrogate.derivative(potential, model.threshold)
        kept = tf.TensorArray(error.dtype, n_steps, element_shape=zeros.shape)

        def step(count, states, later, kept):
            t = n_steps - 1 - count
            at_spikes = error[:, t]
            if recurrent is not None:
                at_spikes += tf.linalg.matmul(later, recurrent, transpose_b=True)
            states, assigned = respond(states, at_spikes * slopes[:, t])
            return count + 1, states, assigned, kept.write(t, assigned)

        start = (tf.constant(0), (zeros, zeros), zeros, kept)
        *_, kept = tf.while_loop(
            lambda count, *_: count < n_steps, step, start, maximum_iterations=n_steps
        )
        return _batch_first(kept.stack())

    if has_recurrence:
        return _compiled(run), _compiled(assign)
    return (
        _compiled(lambda current: run(current, None)),
        _compiled(lambda error, potential: assign(error, potential, None)),
    )


def _compiled(loop):
    """A loop in XLA that is no part of any tape: its gradient is given, not found."""
    function = tf.function(loop, jit_compile=True)
    return lambda *tensors: function(*(tf.stop_gradient(tensor) for tensor in tensors))


def _batch_first(steps):
    return tf.transpose(steps, (1, 0, 2))


def _alpha(model):
    """Filter by the response kernel of the spike response model."""
    decay, height = math.exp(-1 / model.tau_s), math.e / model.tau_s

    def respond(states, drive):
        decayed, rising = states
        rising = decay * (rising + decayed)
        return (decay * decayed + drive, rising), height * rising

    return respond


def _two_leaks(model):
    """Filter by the leaky current and the leaky potential of a current-based neuron."""

    def respond(states, drive):
        current, voltage = states
        current = (1 - model.current_decay) * current + drive
        voltage = (1 - model.voltage_decay) * voltage + current
        return (current, voltage), voltage

    return respond


def _refractory(model):
    """Lower the potential after each spike by the refractory kernel."""
    decay = math.exp(-1 / model.tau_r)
    depth = model.refractory * model.threshold * math.e / model.tau_r

    def feed_back(potential, states, feedback):
        decayed, rising = feedback
        rising = decay * (rising + decayed)
        potential -= depth * rising
        spikes = _fired(potential, model.threshold)
        return potential, states, (decay * decayed + spikes, rising)

    return 2, feed_back


def _reset(model):
    """Set the voltage to zero at each spike."""

    def feed_back(potential, states, feedback):
        current, voltage = states
        return potential, (current, voltage * (1 - _fired(potential, model.threshold))), feedback

    return 0, feed_back


_RESPONSES = {"spike-response": _alpha, "current-based": _two_leaks}
_FEEDBACKS = {"spike-response": _refractory, "current-based": _reset}
