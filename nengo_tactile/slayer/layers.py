"""Layers of spiking neurons for Keras, over (samples, steps, ...features).

Each maps the spikes of every step linearly, lets neurons answer over time (`dynamics`), and may
delay what they send. Weights have no bias: without input there are no spikes.
"""

import math
from typing import Any

from nengo_tactile import stack
from nengo_tactile.errors import ConversionError
from nengo_tactile.slayer import fused
from nengo_tactile.slayer.delays import delayed, delayed_sums
from nengo_tactile.slayer.dynamics import spikes_of
from nengo_tactile.slayer.neurons import SpikeResponseModel, from_config, to_config
from nengo_tactile.slayer.surrogates import Surrogate

tf = stack.tensorflow()
_layers = tf.keras.layers

#: lava-dl, ``axon/delay.py`` and ``block/base.py``: 62 steps at most, as the chip has them.
MAX_DELAY = 62
#: slayerPytorch, ``slayer.py``: a pooled spike drives its neuron over the threshold, alone.
POOL_WEIGHT = 1.1
#: slayerPytorch, ``slayer.py``: initial weights are PyTorch's, uniform within the inverse root of
#: the number of inputs, times this, at a threshold of 10. Whether neurons then fire is up to the
#: data: see `start`.
GAINS = {"dense": 10.0, "conv": 100.0, "output": 10.0}


class _Spiking(_layers.Layer):
    """What layers of spiking neurons share.

    Parameters
    ----------
    neuron : SpikeResponseModel or CurrentBasedLIF, optional
    surrogate : Surrogate, optional
    max_delay : int
        Above zero, each neuron has an axonal delay, trained between zero and so many steps.
    learn_times : bool
        Whether the layer's time constants, or decays, are trained.
    """

    def __init__(self, neuron=None, surrogate=None, max_delay=0, learn_times=False, **options):
        super().__init__(**options)
        self.neuron = from_config(neuron) if neuron is not None else SpikeResponseModel()
        if isinstance(surrogate, dict):
            surrogate = Surrogate(**surrogate)
        self.surrogate = surrogate if surrogate is not None else Surrogate()
        if int(max_delay) != max_delay or max_delay < 0:
            raise ConversionError(
                f"layer {self.name!r}: max_delay is {max_delay}: give a whole number of steps, 0 "
                "for no delays"
            )
        self.max_delay, self.learn_times = int(max_delay), bool(learn_times)
        self.delays = self.scale = self.times = None
        #: What takes links and neurons in one pass, where that pays.
        self.window: fused.Window | fused.Pooling | None = None
        self._initializers = {}

    def get_config(self):
        """Arguments of the layer as plain values."""
        return super().get_config() | {
            "neuron": to_config(self.neuron),
            "surrogate": vars(self.surrogate).copy(),
            "max_delay": self.max_delay,
            "learn_times": self.learn_times,
        }

    @property
    def trained_neuron(self):
        """The neuron with the time constants that it has by now."""
        return self.neuron if self.times is None else self.neuron.at(self.times.numpy())

    def _add_delays(self, input_shape):
        """Note the shape of a step, which minibatches do not always tell; make the delays."""
        self._inputs = tuple(input_shape)[2:]
        n_neurons = math.prod(self._shape(self._inputs))
        if self.max_delay:
            # slayerPytorch: uniform from 0 to 1, of which the floor counts
            self.delays = self.add_weight(
                "delays",
                (n_neurons,),
                initializer=tf.keras.initializers.RandomUniform(0, 1, seed=_seed(self)),
                constraint=_Between(0, self.max_delay),
            )
        if self.learn_times:
            own = tf.keras.initializers.Constant(self.neuron.times)
            self.times = self.add_weight("times", (2,), initializer=own)

    def _add_weights(self, name, shape, kind, n_inputs):
        """Draw weights; without a gain they are meant to be scaled once there are data."""
        initializer = _uniform(self, kind, n_inputs, len(self._initializers))
        self._initializers[name] = initializer
        weights = self.add_weight(name, shape, initializer=initializer)
        if self.gain is None and self.scale is None:
            self.scale = self.add_weight("scale", (), initializer="ones", trainable=False)
        return weights

    @property
    def waits_for_data(self):
        """Whether the weights are to be scaled: no gain was given, and they are as drawn."""
        if self.scale is None or float(self.scale) != 1:
            return False
        found = ((getattr(self, name), draw) for name, draw in self._initializers.items())
        return all(bool(tf.reduce_all(each == draw(each.shape))) for each, draw in found)

    def scaled(self, weights):
        """Weights as spikes meet them.

        What is trained is the weights without their scale, so that a learning rate means as much
        however strong weights must be for neurons to fire (as "equalized learning rate" does,
        Karras et al. 2018, section 4.1).

        Parameters
        ----------
        weights : tensor
            ``kernel`` or ``recurrent_kernel``.

        Returns
        -------
        tensor
        """
        return weights if self.scale is None else weights * self.scale

    def call(self, spikes):
        """What the neurons send, (n_samples, n_steps, ...features), after their delays."""
        fired, count = self._fire(spikes)
        self.add_metric(tf.reduce_mean(count), name=f"{self.name}_spikes")
        return self.send(fired)

    def fire(self, spikes):
        """When the neurons fire under spikes of the inputs, (n_samples, n_steps, ...features)."""
        return self._fire(spikes)[0]

    def _fire(self, spikes):
        """When the neurons fire, and how often in each sample."""
        if self.window is None or self.times is not None or spikes.dtype != tf.float32:
            fired = self.answer(self.currents(spikes))
            return fired, tf.reduce_sum(fired, tuple(range(1, len(fired.shape))))
        n_steps = tf.shape(spikes)[1]
        flat = tf.reshape(spikes, (-1, n_steps, math.prod(self._inputs)))
        flat = tf.ensure_shape(flat, (None, spikes.shape[1], math.prod(self._inputs)))
        told = self._window_weights(), self.window, self.neuron, self.surrogate, self._is_first()
        fired, count = fused.spikes_of(flat, *told)
        return _over_time(fired, n_steps, spikes.shape[1], self._shape(self._inputs)), count

    def _is_first(self):
        """Whether the layer reads the inputs of its model."""
        before = [
            each for node in self.inbound_nodes for each in tf.nest.flatten(node.inbound_layers)
        ]
        return bool(before) and all(isinstance(each, _layers.InputLayer) for each in before)

    def currents(self, spikes):
        """What spikes of the inputs add to the neurons' currents, (n_samples, n_steps, ...)."""
        raise NotImplementedError

    def send(self, fired):
        """What arrives behind the axons of neurons that fired."""
        if self.delays is None:
            return fired
        flat = tf.reshape(fired, (-1, tf.shape(fired)[1], self.delays.shape[0]))
        flat = tf.ensure_shape(flat, (None, fired.shape[1], self.delays.shape[0]))
        return tf.reshape(delayed(flat, self.delays), tf.shape(fired))

    def answer(self, currents, factor=1.0):
        """When the neurons fire under currents, (n_samples, n_steps, ...features).

        Parameters
        ----------
        currents : (n_samples, n_steps, ...features) tensor
            From `currents`.
        factor : float
            What all weights, recurrent ones too, are multiplied by.
        """
        shape, recurrent = self._shape(self._inputs), getattr(self, "recurrent_kernel", None)
        n_steps, n_neurons = tf.shape(currents)[1], math.prod(shape)
        flat = tf.reshape(currents, (-1, n_steps, n_neurons))
        flat = tf.ensure_shape(flat, (None, currents.shape[1], n_neurons))
        if recurrent is not None:
            recurrent = factor * self.scaled(recurrent)
        spikes = spikes_of(factor * flat, self.neuron, self.surrogate, recurrent, self.times)
        return _over_time(spikes, n_steps, currents.shape[1], shape)

    def compute_output_shape(self, input_shape):
        """(samples, steps, ...features) of the neurons."""
        return tf.TensorShape((*tuple(input_shape)[:2], *self._shape(tuple(input_shape)[2:])))


@tf.keras.utils.register_keras_serializable("nengo_tactile")
class _Between(tf.keras.constraints.Constraint):
    def __init__(self, low, high):
        self.low, self.high = low, high

    def __call__(self, values):
        return tf.clip_by_value(values, self.low, self.high)

    def get_config(self):
        return {"low": self.low, "high": self.high}


@tf.keras.utils.register_keras_serializable("nengo_tactile")
class SpikingDense(_Spiking):
    """Spiking neurons that all inputs of a step reach.

    Parameters
    ----------
    units : int
        Neurons.
    gain : float, optional
        Initial weights are uniform within ``gain / sqrt(n_inputs)``. By default they are drawn with
        `GAINS` at the neuron's threshold, and times a ``scale`` that is one until `start` finds it
        on data.
    recurrent : bool
        Whether the neurons' spikes reach all of them one step later. Such layers have no delays.
    seed : int
        Of the initial weights.
    synaptic_delay : int
        Above zero, what comes from the inputs takes time too, trained between zero and so many
        steps.
    delay_groups : int, optional
        Groups of a neuron's synapses, of inputs that follow one another, each with one such delay;
        by default every synapse has its own.
    neuron, surrogate, max_delay, learn_times
        As for all spiking layers.

    Raises
    ------
    ConversionError
        If there are no units, or a recurrent layer should have delays.
    """

    def __init__(
        self,
        units: int,
        gain: float | None = None,
        recurrent: bool = False,
        seed: int = 0,
        synaptic_delay: int = 0,
        delay_groups: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if int(synaptic_delay) != synaptic_delay or synaptic_delay < 0:
            raise ConversionError(
                f"layer {self.name!r}: synaptic_delay is {synaptic_delay}: give a whole number of "
                "steps, 0 for no delays of synapses"
            )
        if delay_groups is not None and (int(delay_groups) != delay_groups or delay_groups < 1):
            raise ConversionError(
                f"layer {self.name!r}: delay_groups is {delay_groups}: give a whole number of "
                "groups from 1, or None for a delay of every synapse"
            )
        if int(units) != units or units < 1:
            raise ConversionError(f"layer {self.name!r}: units is {units}: give at least one")
        if recurrent and self.max_delay:
            raise ConversionError(
                f"layer {self.name!r} is recurrent and has max_delay {self.max_delay}: such spikes "
                "take one step, give max_delay=0"
            )
        self.units, self.gain, self.recurrent, self.seed = int(units), gain, recurrent, int(seed)
        self.synaptic_delay = int(synaptic_delay)
        self.delay_groups = None if delay_groups is None else int(delay_groups)
        self.kernel = self.recurrent_kernel = self.synaptic_delays = None

    def build(self, input_shape):
        """Make the weights."""
        n_inputs = math.prod(tuple(input_shape)[2:])
        if self.synaptic_delay:
            groups = n_inputs if self.delay_groups is None else self.delay_groups
            if groups > n_inputs:
                raise ConversionError(
                    f"layer {self.name!r}: delay_groups is {groups}, and a neuron has {n_inputs} "
                    f"synapses: give {n_inputs} groups at most"
                )
            self.synaptic_delays = self.add_weight(
                "synaptic_delays",
                (groups, self.units),
                initializer=tf.keras.initializers.RandomUniform(0, 1, seed=_seed(self, 11)),
                constraint=_Between(0, self.synaptic_delay),
            )
        self.kernel = self._add_weights("kernel", (n_inputs, self.units), "dense", n_inputs)
        if self.recurrent:
            square = (self.units, self.units)
            self.recurrent_kernel = self._add_weights(
                "recurrent_kernel", square, "dense", self.units
            )
        elif not self.synaptic_delay and n_inputs * self.units <= fused.MOST_DENSE:
            self.window = fused.Window((1, 1, n_inputs), self.units)
        self._add_delays(input_shape)
        super().build(input_shape)

    def _window_weights(self):
        return self.scaled(self.kernel)[None, None]

    def currents(self, spikes):
        """What spikes add to the neurons' currents, (n_samples, n_steps, units)."""
        n_inputs = self.kernel.shape[0]
        flat = tf.reshape(spikes, (-1, tf.shape(spikes)[1], n_inputs))
        flat = tf.ensure_shape(flat, (None, spikes.shape[1], n_inputs))
        weights = self.scaled(self.kernel)
        if self.synaptic_delays is None:
            return tf.matmul(flat, weights)
        return delayed_sums(flat, weights, self.synaptic_delays)

    def _shape(self, _):
        return (self.units,)

    def get_config(self):
        """Arguments of the layer as plain values."""
        names = ("units", "gain", "recurrent", "seed", "synaptic_delay", "delay_groups")
        return super().get_config() | {name: getattr(self, name) for name in names}


@tf.keras.utils.register_keras_serializable("nengo_tactile")
class SpikingConv2D(_Spiking):
    """Spiking neurons behind a convolution of the images of each step.

    Parameters
    ----------
    filters, size : int
        Filters, and the side of their square kernels in pixels.
    stride : int
    padding : {"valid", "same"}
    gain, seed, neuron, surrogate, max_delay, learn_times
        As for `SpikingDense`; neurons have delays of their own, not filters.

    Raises
    ------
    ConversionError
        If a number is not at least one, or the kernel larger than its input.
    """

    def __init__(
        self,
        filters: int,
        size: int,
        stride: int = 1,
        padding: str = "valid",
        gain: float | None = None,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        for name, value in (("filters", filters), ("size", size), ("stride", stride)):
            if int(value) != value or value < 1:
                raise ConversionError(f"layer {self.name!r}: {name} is {value}: give at least one")
        if padding not in ("valid", "same"):
            raise ConversionError(
                f"layer {self.name!r}: padding is {padding!r}: give 'valid' or 'same'"
            )
        self.filters, self.size, self.stride = int(filters), int(size), int(stride)
        self.padding, self.gain, self.seed = padding, gain, int(seed)
        self.kernel = None

    def build(self, input_shape):
        """Make the weights."""
        channels = tuple(input_shape)[-1]
        shape = (self.size, self.size, channels, self.filters)
        self.kernel = self._add_weights("kernel", shape, "conv", math.prod(shape[:3]))
        self._add_delays(input_shape)
        about = self.filters, self.size, self.stride, self.padding
        self.window = fused.Window(self._inputs, *about)
        super().build(input_shape)

    def _window_weights(self):
        return self.scaled(self.kernel)

    def currents(self, spikes):
        """What spikes add to the currents, (n_samples, n_steps, height, width, channels)."""
        images, n_steps = _images(spikes, self._inputs)
        maps = tf.nn.conv2d(images, self.scaled(self.kernel), self.stride, self.padding.upper())
        return _over_time(maps, n_steps, spikes.shape[1], self._shape(self._inputs))

    def _shape(self, shape):
        _check_image(self, shape)
        height, width, _ = shape
        if self.padding == "valid":
            if min(height, width) < self.size:
                raise ConversionError(
                    f"layer {self.name!r}: kernels of {self.size} x {self.size} do not fit into "
                    f"{height} x {width} pixels: give smaller ones, or padding='same'"
                )
            height, width = height - self.size + 1, width - self.size + 1
        return (-(-height // self.stride), -(-width // self.stride), self.filters)

    def get_config(self):
        """Arguments of the layer as plain values."""
        names = ("filters", "size", "stride", "padding", "gain", "seed")
        return super().get_config() | {name: getattr(self, name) for name in names}


@tf.keras.utils.register_keras_serializable("nengo_tactile")
class AggregatePooling2D(_Spiking):
    """Spiking neurons that pass on each spike of a square window, with one fixed weight.

    Parameters
    ----------
    size : int
        Side of the window in pixels, and its stride; pixels that do not fill one are left out.
    neuron, surrogate, max_delay, learn_times
        As for `SpikingDense`.

    Raises
    ------
    ConversionError
        If the window is larger than its input.
    """

    def __init__(self, size: int, **options: Any) -> None:
        super().__init__(**options)
        if int(size) != size or size < 1:
            raise ConversionError(f"layer {self.name!r}: size is {size}: give at least one")
        self.size = int(size)

    @property
    def weight(self):
        """What a spike adds to the current."""
        return POOL_WEIGHT * self.neuron.threshold

    def build(self, input_shape):
        """Make the delays, if there are any."""
        self._add_delays(input_shape)
        self.window = fused.Pooling(self._inputs, self.size)
        super().build(input_shape)

    def _window_weights(self):
        return tf.constant(self.weight, tf.float32)

    def currents(self, spikes):
        """What spikes add to the currents, (n_samples, n_steps, height, width, channels)."""
        images, n_steps = _images(spikes, self._inputs)
        sums = tf.nn.avg_pool2d(images, self.size, self.size, "VALID") * self.size**2
        shape = self._shape(self._inputs)
        return _over_time(sums * self.weight, n_steps, spikes.shape[1], shape)

    def _shape(self, shape):
        _check_image(self, shape)
        height, width, channels = shape
        if min(height, width) < self.size:
            raise ConversionError(
                f"layer {self.name!r}: a window of {self.size} x {self.size} does not fit into "
                f"{height} x {width} pixels: give a smaller one"
            )
        return (height // self.size, width // self.size, channels)

    def get_config(self):
        """Arguments of the layer as plain values."""
        return super().get_config() | {"size": self.size}


def _images(spikes, shape):
    return tf.reshape(spikes, (-1, *shape)), tf.shape(spikes)[1]


def _over_time(values, n_steps, known_steps, shape):
    found = tf.reshape(values, (-1, n_steps, *shape))
    return tf.ensure_shape(found, (None, known_steps, *shape))


def _check_image(layer, shape):
    if len(shape) != 3:
        raise ConversionError(
            f"layer {layer.name!r} gets features of shape {tuple(shape)}: give (height, width, "
            "channels), before any dense layer"
        )


def _seed(layer, number=7):
    """A seed for each of a layer's weights."""
    return 31 * getattr(layer, "seed", 0) + number


def _uniform(layer, kind, n_inputs, number):
    gain = layer.gain
    if gain is None:
        gain = GAINS[kind] * layer.neuron.threshold / 10.0
    limit = gain / math.sqrt(n_inputs)
    return tf.keras.initializers.RandomUniform(-limit, limit, seed=_seed(layer, number))
