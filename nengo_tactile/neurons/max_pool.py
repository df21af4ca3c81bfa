"""Max pooling of spikes by accumulated input, in Nengo and NengoDL, and the windows it pools."""

from typing import ClassVar

import nengo
import numpy as np
from nengo.dists import Choice
from nengo.params import IntParam

from nengo_tactile import stack
from nengo_tactile.errors import EngineError

nengo_dl = stack.nengo_dl()
tf = stack.tensorflow()


class MaxPool(nengo.neurons.NeuronType):
    """Pooling units that pass on the increments of the largest accumulated input.

    The units of a population are windows of ``window`` slots, one after the other:
    ``(n_windows, window)``, flattened. With ``A_i(t)`` for what slot ``i`` has received up to
    step ``t`` and ``A_i(0) = 0``, the first slot of a window puts out
    ``max_i A_i(t) - max_i A_i(t - 1)`` and the other slots nothing. So what a window has put out
    is the maximum of what its inputs have sent, exactly and at every step; of spike trains, a
    spike comes out when the largest count rises. Choosing by the spikes of one step instead
    would pass a spike whenever any input fires, and overestimate.

    Output has the unit of input, nothing is multiplied by the time step: connected to neurons
    whose spikes are ``amplitude / dt``, without filter and with weights of one, it sends such
    spikes. Sums are exact in float32 when spikes are whole numbers (amplitude ``dt``, or weights
    that undo it). Make the ensemble with gains of one and biases of zero, or with neither.

    Parameters
    ----------
    window : int
        Slots of a window. The population's size must be a multiple.

    Attributes
    ----------
    state : dict
        ``accumulated``: the sum of each slot's inputs; ``spike_count``: in first slots, the
        number of steps at which something came out.

    Raises
    ------
    EngineError
        If ``window`` is not a whole number above zero.

    Notes
    -----
    Rueckauer et al. 2017 ("Spiking max-pooling layers") gate: the spikes of the input with the
    largest estimated rate pass. Comparing sums needs no estimate and leaves no error when the
    lead changes from one input to another.
    """

    state: ClassVar = {"accumulated": Choice([0]), "spike_count": Choice([0])}
    spiking = True

    window = IntParam("window", low=1, readonly=True)

    def __init__(self, window, initial_state=None):
        if window != int(window) or window < 1:
            raise EngineError(f"MaxPool window is {window}: give a whole number of at least 1")
        super().__init__(initial_state)
        self.window = int(window)

    def gain_bias(self, max_rates, intercepts):
        """Input is passed as it is: gains of one, biases of zero."""
        return np.ones(np.shape(max_rates)), np.zeros(np.shape(intercepts))

    def max_rates_intercepts(self, gain, bias):
        """Output at an input of one, and where it begins."""
        return np.ones(np.shape(gain)), np.zeros(np.shape(bias))

    def rates(self, x, gain, bias):
        """Output under constant input: the maximum of each window, in its first slot."""
        current = self.current(x, gain, bias)
        output = np.zeros_like(current)
        output[:, :: self.window] = self._windows(current).max(axis=-1)
        return output

    def step(self, dt, J, output, accumulated, spike_count):
        """One step of Nengo's reference simulator; arrays are changed in place."""
        before = self._windows(accumulated).max(axis=-1)
        accumulated += J
        rise = self._windows(accumulated).max(axis=-1) - before
        output[:] = 0
        output[:: self.window] = rise
        spike_count[:: self.window] += rise != 0

    def make_state(self, n_neurons, rng=np.random, dtype=None):
        """Initial states, (n_neurons,) arrays.

        Raises
        ------
        EngineError
            If the population is not made of whole windows.
        """
        if n_neurons % self.window:
            raise EngineError(
                f"MaxPool has windows of {self.window}, but the population has {n_neurons} "
                "units: give it a multiple"
            )
        return super().make_state(n_neurons, rng=rng, dtype=dtype)

    def _windows(self, values):
        return values.reshape(*values.shape[:-1], -1, self.window)


class MaxPoolBuilder(nengo_dl.neuron_builders.TFNeuronBuilder):
    """`MaxPool` in TensorFlow; populations with different windows may be merged."""

    spiking = True

    def build_pre(self, signals, config):
        """Note which units belong to which population."""
        super().build_pre(signals, config)
        self.sizes = [op.J.shape[0] for op in self.ops]
        self.windows = [op.neurons.window for op in self.ops]

    def step(self, J, dt, accumulated, spike_count):
        """One step: returns output, accumulated input and count of outputs."""
        after = accumulated + J
        output = self._first_slots(
            lambda old, new: tf.reduce_max(new, -1) - tf.reduce_max(old, -1), accumulated, after
        )
        return output, after, spike_count + tf.cast(tf.not_equal(output, 0), J.dtype)

    def training_step(self, J, dt, **state):
        """Return the maximum of each window, for training."""
        return self._first_slots(lambda values: tf.reduce_max(values, -1), J)

    def _first_slots(self, function, *tensors):
        """Apply a function of (minibatch, n_windows, window) tensors, spread what it returns."""
        parts = []
        pieces = [tf.split(tensor, self.sizes, axis=-1) for tensor in tensors]
        for size, window, *values in zip(self.sizes, self.windows, *pieces):
            shape = (-1, size // window, window)
            result = function(*(tf.reshape(value, shape) for value in values))
            spread = tf.pad(result[:, :, None], [[0, 0], [0, 0], [0, window - 1]])
            parts.append(tf.reshape(spread, (-1, size)))
        return parts[0] if len(parts) == 1 else tf.concat(parts, axis=-1)


nengo_dl.neuron_builders.SimNeuronsBuilder.TF_NEURON_IMPL[MaxPool] = MaxPoolBuilder


__all__ = ["MaxPool", "MaxPoolBuilder"]
