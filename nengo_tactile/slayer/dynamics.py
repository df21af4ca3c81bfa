"""Spiking neurons over time in TensorFlow, compiled, with gradients as SLAYER has them.

A neuron's response to its current is a linear filter; a spike feeds back on the potential. Both
are recursions of two numbers, so a step costs the same however slow the kernels are, and no kernel
is cut off. Backwards, errors at the potential (those at the spikes times the surrogate derivative)
go through the same filter in reversed time, which assigns them to the currents that had a part in
them (Spikemax paper, Figure 1 (b)); nothing passes through refractoriness and reset, as in
slayerPytorch and lava-dl.
"""

import dataclasses
from typing import Any

import numpy as np

from nengo_tactile import stack
from nengo_tactile.slayer import dynamics_kernel as kernel
from nengo_tactile.slayer import loops, surrogates
from nengo_tactile.slayer.surrogates import Surrogate

tf = stack.tensorflow()


def spikes_of(current, model, surrogate, recurrent=None, times=None):
    """Spikes of neurons under currents, from rest.

    Parameters
    ----------
    current : (n_samples, n_steps, n_neurons) tensor
    model : SpikeResponseModel or CurrentBasedLIF
    surrogate : Surrogate
    recurrent : (n_neurons, n_neurons) tensor, optional
        What the spikes of a step add to the currents of the next one.
    times : (2,) tensor, optional
        In place of the model's ``times``, with a gradient.

    Returns
    -------
    (n_samples, n_steps, n_neurons) tensor
        Zeros and ones.
    """
    neurons, learns = Neurons(model, surrogate), times is not None
    constants = model.constants(times if times is None else tf.cast(times, current.dtype))
    constants = [tf.convert_to_tensor(each, current.dtype) for each in constants]
    recurrent = tf.zeros((0, 0), current.dtype) if recurrent is None else recurrent

    @tf.custom_gradient
    def fire(current, recurrent, constants):
        tensors = [current, recurrent, constants]
        potential, spikes = loops.call(neurons.run, tensors, [current.shape] * 2)

        def gradient(error):
            known = [error, potential, recurrent, constants]
            (by_current,) = loops.call(neurons.assign, known, [current.shape])
            # the spikes of a step meet the errors of the currents of the next
            by_weights = None
            if recurrent.shape[0]:
                by_weights = tf.einsum("bti,btj->ij", spikes[:, :-1], by_current[:, 1:])
            by_constants = None
            if learns:
                known = [*tensors, error, potential, spikes]
                (by_constants,) = loops.call(neurons.sensitivity, known, [constants.shape])
            return by_current, by_weights, by_constants

        return spikes, gradient

    return fire(current, recurrent, tf.stack(constants))


@dataclasses.dataclass(frozen=True)
class Neurons:
    """Loops over time, forward and backward, of one kind of neurons."""

    model: Any
    surrogate: Surrogate

    def run(self, current, recurrent, constants):
        """Potentials and spikes."""
        found = [loops.empty(current.shape, current.dtype) for _ in range(2)]
        told = current, np.ascontiguousarray(recurrent), *self.numbers(constants)
        self._share_out(kernel.run, told, recurrent.size > 0, found)
        return found

    def assign(self, error, potential, recurrent, constants):
        """Errors at currents."""
        found = [loops.empty(error.shape, error.dtype)]
        told = error, potential, np.ascontiguousarray(recurrent.T), *self.numbers(constants)
        told = *told, self.stand_in
        self._share_out(kernel.assign, told, recurrent.size > 0, found)
        return found

    def sensitivity(self, current, recurrent, constants, error, potential, spikes):
        """What errors say of the constants."""

        def part(a, b):
            found = np.zeros(4, current.dtype)
            each = (values[a:b] for values in (error, potential, spikes))
            told = current[a:b], np.ascontiguousarray(recurrent), *each
            kernel.sensitivity(*told, *self.numbers(constants), self.stand_in, found)
            return found

        return [sum(loops.share_out(len(current), part))]

    @property
    def stand_in(self):
        return surrogates.KINDS.index(self.surrogate.kind)

    def numbers(self, constants):
        """Kind and constants of the neurons, as compiled loops have them."""
        model, surrogate = self.model, self.surrogate
        width = surrogate.width * model.threshold
        last = model.threshold, 1 / width, surrogate.scale / width, 1
        return _KINDS[model.kind], np.array([*constants, *last], constants.dtype)

    def _share_out(self, loop, told, recurs, results):
        """Give each processor its part of the neurons."""
        n_samples, _, n_neurons = told[0].shape
        block = n_neurons if recurs else kernel.BLOCK
        n_tasks = n_samples * -(-n_neurons // block)
        loops.share_out(n_tasks, lambda a, b: loop(*told, block, a, b, *results))


_KINDS = {"spike-response": kernel.SPIKE_RESPONSE, "current-based": kernel.CURRENT_BASED}
