"""Max pooling of spikes by accumulated input, in Nengo and NengoDL, and the windows it pools."""

import math
from typing import ClassVar

import nengo
import numpy as np
from nengo.dists import Choice
from nengo.params import IntParam

from nengo_tactile import stack
from nengo_tactile.errors import ConversionError, EngineError

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


def window_indices(input_shape, pool_size, strides=None, padding="valid"):
    """Which inputs each pooling window holds.

    Parameters
    ----------
    input_shape : tuple of int
        (..., channels): one or more axes to pool over, channels last.
    pool_size : sequence of int
        Inputs along each axis but the channels'.
    strides : sequence of int, optional
        The pool size by default.
    padding : {"valid", "same"}
        As in TensorFlow. A window that reaches beyond the border holds inputs at the border
        more than once, which does not change their maximum.

    Returns
    -------
    (n_windows, window) int array
        Indices into the input, flattened in C order; windows in the order of the pooled output,
        flattened likewise. Slots within a window are in C order too.

    Raises
    ------
    ConversionError
        If sizes do not fit each other.
    """
    *lengths, channels = input_shape
    pool_size = tuple(pool_size)
    strides = pool_size if strides is None else tuple(strides)
    for name, values in (("pool_size", pool_size), ("strides", strides)):
        if len(values) != len(lengths) or min(values) < 1:
            raise ConversionError(
                f"max pooling: {name} {values} for input of shape {tuple(input_shape)}: give "
                f"{len(lengths)} whole numbers of at least 1"
            )
    positions = [
        _positions(*axis, padding) for axis in zip(lengths, pool_size, strides)
    ]  # each (n_windows, window) along its axis
    index = np.arange(math.prod(input_shape)).reshape(input_shape)
    index = index[np.ix_(*(p.ravel() for p in positions))]
    index = index.reshape(*(n for p in positions for n in p.shape), channels)
    n_axes = len(lengths)
    outer = [*range(0, 2 * n_axes, 2), 2 * n_axes]
    index = index.transpose(*outer, *range(1, 2 * n_axes, 2))
    return index.reshape(-1, math.prod(pool_size))


def _positions(length, size, stride, padding):
    if padding == "valid":
        count, first = (length - size) // stride + 1, 0
        if count < 1:
            raise ConversionError(
                f"max pooling: a window of {size} does not fit into {length} inputs: choose a "
                "smaller pool_size, or padding 'same'"
            )
    elif padding == "same":
        count = -(-length // stride)
        first = -(max((count - 1) * stride + size - length, 0) // 2)
    else:
        raise ConversionError(f"max pooling: padding is {padding!r}: choose 'valid' or 'same'")
    starts = first + stride * np.arange(count)
    return np.clip(starts[:, None] + np.arange(size), 0, length - 1)


def pooling_windows(layer, input_shape):
    """`window_indices` of a Keras layer.

    Parameters
    ----------
    layer : MaxPooling1D, MaxPooling2D, GlobalMaxPooling1D or GlobalMaxPooling2D
    input_shape : tuple of int
        Of one sample.

    Returns
    -------
    (n_windows, window) int array

    Raises
    ------
    ConversionError
        If the layer's channels are not last, or its sizes do not fit the input.
    """
    kind = type(layer).__name__
    if layer.data_format != "channels_last":
        raise ConversionError(
            f"layer '{layer.name}' ({kind}): data_format is {layer.data_format!r}; rebuild the "
            "model with channels_last"
        )
    if kind.startswith("Global"):
        return window_indices(input_shape, input_shape[:-1])
    try:
        return window_indices(input_shape, layer.pool_size, layer.strides, layer.padding)
    except ConversionError as error:
        raise ConversionError(f"layer '{layer.name}' ({kind}): {error}") from None


__all__ = ["MaxPool", "MaxPoolBuilder", "pooling_windows", "window_indices"]
