"""The rate of an integrate-and-fire neuron as a Keras layer.

A neuron that fires at most one spike in a time step and loses the threshold's worth of its
membrane potential with each (reset by subtraction) answers a constant current of ``x``
thresholds a step with ``clip(x, 0, 1)`` spikes a step.
"""

import dataclasses
import functools
import math

from nengo_tactile import stack
from nengo_tactile.errors import ConversionError

RESETS = ("subtract", "zero")
#: Simulations layer by layer keep what a spike is worth in eight bits.
MOST_PER_STEP = 127


@dataclasses.dataclass(frozen=True)
class IFParameters:
    """A layer of integrate-and-fire neurons with input ``x``.

    Attributes
    ----------
    gain : float
        The membrane receives ``gain * x`` thresholds a step.
    amplitude : float
        Output per spike; ``1 / gain`` gives output and input the same unit.
    reset : {"subtract", "zero"}
        What a spike does to the membrane potential.
    negative_slope : float
        Above zero: negative spikes too (LeakyReLU), and those of either sign are worth
        ``negative_slope * amplitude`` while the neuron has sent more negative ones.
    signed : bool
        Whether spikes are taken back where the membrane potential is below zero.
    spikes_per_step : int
        Most spikes of either sign that a step's output stands for, up to `MOST_PER_STEP`.
    compensation : float
        Factor on the weights of spikes that arrive, not on biases or analogue input (Spiking
        ResNet paper, section 3.3); the static response leaves it out.
    clips : bool
        Whether the model's own activation ends where the rate does, at ``spikes_per_step`` (a
        clipped ReLU, ClipFloor): at lower rates the neurons would compute something else.
    """

    gain: float = 1.0
    amplitude: float = 1.0
    reset: str = "subtract"
    negative_slope: float = 0.0
    compensation: float = 1.0
    clips: bool = False
    signed: bool = False
    spikes_per_step: int = 1

    def __post_init__(self):
        for name in ("gain", "amplitude", "compensation"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ConversionError(f"IF {name} is {value}: it must be finite and above zero")
        if self.reset not in RESETS:
            raise ConversionError(f"IF reset is {self.reset!r}: choose one of {RESETS}")
        if not 0 <= self.negative_slope <= 1:
            raise ConversionError(
                f"IF negative_slope is {self.negative_slope}: choose it from 0 to 1"
            )
        k = self.spikes_per_step
        if k != int(k) or not 1 <= k <= MOST_PER_STEP:
            raise ConversionError(
                f"IF spikes_per_step is {k}: give a whole number from 1 to {MOST_PER_STEP}"
            )
        if self.graded and self.reset == "zero":
            raise ConversionError(
                f"IF negative_slope is {self.negative_slope:g}, signed {self.signed} and "
                f"spikes_per_step {k}, which need reset 'subtract': a potential that goes to zero "
                "forgets what it owes"
            )

    @property
    def graded(self):
        """Whether spikes are worth other numbers than one."""
        return self.negative_slope > 0 or self.signed or self.spikes_per_step > 1

    def faster(self, factor):
        """The same function of ``x`` at ``factor`` times the firing rates, but for its ceiling.

        What is above ``spikes_per_step`` is clipped, so the ceiling of ``x`` is ``factor`` times
        lower.
        """
        return dataclasses.replace(self, gain=self.gain * factor, amplitude=self.amplitude / factor)


@functools.cache
def rate_if_layer():
    """The Keras layer class (made on first use, because TensorFlow is slow to load)."""
    tf = stack.tensorflow()

    @tf.keras.utils.register_keras_serializable("nengo_tactile")
    class RateIF(tf.keras.layers.Layer):
        """Static response of integrate-and-fire neurons.

        ``amplitude * clip(gain * x, 0, spikes_per_step)``; with ``negative_slope`` the range below
        zero counts ``negative_slope`` times.

        Parameters
        ----------
        gain, amplitude, reset, negative_slope, compensation, clips, signed, spikes_per_step :
            See `IFParameters`.
        start : float
            Membrane potential at the start, in thresholds, while `start_potential` is not set.
        per_neuron : bool
            Whether the first two weights have an entry for each neuron, or for each channel.
        shift_steps : int
            Steps, from the first on, that have currents of their own.

        Attributes
        ----------
        start_potential, shift : weights
            Membrane potential at the start and additional current a step, both in thresholds;
            (channels,) or, per neuron, the shape of a sample. Only spiking neurons use them: the
            static response stays that of the ReLU.
        step_shift : weight
            Current besides at each of the first ``shift_steps``, (shift_steps, channels); it is
            there if these are.
        """

        def __init__(
            self,
            gain=1.0,
            amplitude=1.0,
            reset="subtract",
            negative_slope=0.0,
            compensation=1.0,
            clips=False,
            signed=False,
            spikes_per_step=1,
            start=0.5,
            per_neuron=False,
            shift_steps=0,
            **kwargs,
        ):
            super().__init__(**kwargs)
            self.parameters = IFParameters(
                *(gain, amplitude, reset, negative_slope, compensation, bool(clips)),
                *(bool(signed), spikes_per_step),
            )
            if not (isinstance(start, (int, float)) and -math.inf < start < 1):
                raise ConversionError(
                    f"IF start is {start!r}: the membrane potential at the start must be a finite "
                    "number below the threshold, 1"
                )
            if shift_steps != int(shift_steps) or shift_steps < 0:
                raise ConversionError(
                    f"IF shift_steps is {shift_steps!r}: give a whole number from 0"
                )
            self.start, self.per_neuron = float(start), bool(per_neuron)
            self.shift_steps = int(shift_steps)

        def build(self, input_shape):
            shape = input_shape[1:] if self.per_neuron else input_shape[-1:]
            constant = tf.keras.initializers.Constant
            self.start_potential = self.add_weight(
                "start_potential", shape, initializer=constant(self.start), trainable=False
            )
            self.shift = self.add_weight("shift", shape, initializer=constant(0.0), trainable=False)
            if self.shift_steps:
                shape = (self.shift_steps, input_shape[-1])
                self.step_shift = self.add_weight(
                    "step_shift", shape, initializer=constant(0.0), trainable=False
                )
            super().build(input_shape)

        def call(self, x):
            neuron = self.parameters
            scaled = neuron.gain * x
            top = float(neuron.spikes_per_step)
            rate = tf.clip_by_value(scaled, 0.0, top)
            if neuron.negative_slope:
                rate += neuron.negative_slope * tf.clip_by_value(scaled, -top, 0.0)
            return neuron.amplitude * rate

        @property
        def is_corrected(self):
            """Whether calibration has changed it for a number of steps."""
            start, *shifts = self.get_weights()
            return bool((start != self.start).any() or any(shift.any() for shift in shifts))

        def get_config(self):
            return {
                **super().get_config(),
                **dataclasses.asdict(self.parameters),
                "start": self.start,
                "per_neuron": self.per_neuron,
                "shift_steps": self.shift_steps,
            }

    return RateIF
