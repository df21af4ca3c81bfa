"""LIF neurons that fire at the closed-form rate and count their spikes, in Nengo and NengoDL."""

from typing import ClassVar

import nengo
import numpy as np
from nengo.dists import Choice

from nengo_tactile import stack
from nengo_tactile.errors import EngineError

nengo_dl = stack.nengo_dl()
tf = stack.tensorflow()


class ExactLIF(nengo.LIF):
    """`nengo.LIF`, also exact without refractory time, with a further state ``spike_count``.

    Nengo's LIF finds the moment of a spike within the step, but uses it only to know when the
    refractory time ends. With ``tau_ref=0`` it resets the potential to zero at the end of the
    step and forgets the rest of it, so that periods are rounded up to whole steps: a neuron
    that should fire at 400 Hz fires at 333 Hz. Here the potential starts from zero at the
    moment of the spike and follows the current for the rest of the step.

    With the current ``J`` the potential stands at ``V = 1 + (J - 1) (1 - exp(-r / tau_rc))``
    at the end of a step whose spike was ``r`` before; from zero it reaches
    ``J (1 - exp(-r / tau_rc)) = (V - 1) J / (J - 1)``. No logarithm is needed. A neuron fires
    at most once a step; what would be a second spike is the next step's.

    With ``tau_ref > 0`` potentials and spikes are those of `nengo.LIF`. A probe of
    ``spike_count`` gives each neuron's spikes over a presentation.
    """

    state: ClassVar = {**nengo.LIF.state, "spike_count": Choice([0])}

    def step(self, dt, J, output, voltage, refractory_time, spike_count):
        """One step of Nengo's reference simulator; arrays are changed in place."""
        if self.tau_ref > 0:
            super().step(dt, J, output, voltage, refractory_time)
            spiked = output > 0
        else:
            voltage += (J - voltage) * -np.expm1(-dt / self.tau_rc)
            spiked = voltage > 1
            output[:] = spiked * (self.amplitude / dt)
            voltage[voltage < self.min_voltage] = self.min_voltage
            over, current = voltage[spiked] - 1, J[spiked]
            voltage[spiked] = np.minimum(over * current / (current - 1), 1)
        spike_count += spiked


class ExactLIFBuilder(nengo_dl.neuron_builders.LIFBuilder):
    """`ExactLIF` in TensorFlow."""

    def build_pre(self, signals, config):
        """Make what stays the same over all steps."""
        super().build_pre(signals, config)
        self.refractory = self.ops[0].neurons.tau_ref > 0
        if any((op.neurons.tau_ref > 0) != self.refractory for op in self.ops):
            raise EngineError(
                "NengoDL's planner merged neurons with and without refractory time: choose "
                "planner='noop'"
            )
        self.approach = -tf.math.expm1(-signals.dt / self.tau_rc)

    def step(self, J, dt, voltage, refractory_time, spike_count):
        """One step: returns output, voltage, refractory time and spike count."""
        if self.refractory:
            output, voltage, refractory_time = super().step(J, dt, voltage, refractory_time)
            fired = tf.cast(output > self.zero, J.dtype)
        else:
            voltage += (J - voltage) * self.approach
            over = voltage - self.one
            spiked = over > self.zero
            fired = tf.cast(spiked, J.dtype)
            output = fired * self.alpha
            voltage = tf.where(
                spiked,
                tf.minimum(over * (J / (J - self.one)), self.one),
                tf.maximum(voltage, self.min_voltage),
            )
        return output, voltage, refractory_time, spike_count + fired


nengo_dl.neuron_builders.SimNeuronsBuilder.TF_NEURON_IMPL[ExactLIF] = ExactLIFBuilder

__all__ = ["ExactLIF", "ExactLIFBuilder"]
