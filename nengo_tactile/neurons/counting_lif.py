"""LIF neurons that count their spikes, and their lean NengoDL builder."""

from typing import ClassVar

import nengo
from nengo.dists import Choice

from nengo_tactile import stack

nengo_dl = stack.nengo_dl()
tf = stack.tensorflow()


class CountingLIF(nengo.LIF):
    """`nengo.LIF` with a further state, ``spike_count``.

    A probe of that state gives every neuron's spikes over a presentation without keeping the
    spikes of every step.

    Without refractory time NengoDL needs one exponential per network instead of an exponential
    and a logarithm per neuron and step: Nengo's LIF finds out when within the step the neuron
    spiked only to know when its refractory time ends; without one the next step is a full step
    (``delta_t`` in `nengo.LIF.step` is clipped at ``dt``). So voltages and spikes stay the same.
    """

    state: ClassVar = {**nengo.LIF.state, "spike_count": Choice([0])}

    def step(self, dt, J, output, voltage, refractory_time, spike_count):
        """One step of Nengo's reference simulator; arrays are changed in place."""
        super().step(dt, J, output, voltage, refractory_time)
        spike_count += output > 0


class CountingLIFBuilder(nengo_dl.neuron_builders.LIFBuilder):
    """`CountingLIF` in TensorFlow."""

    def build_pre(self, signals, config):
        """Make what stays the same over all steps."""
        super().build_pre(signals, config)
        self.refractory = any(op.neurons.tau_ref > 0 for op in self.ops)
        self.approach = -tf.math.expm1(-signals.dt / self.tau_rc)

    def step(self, J, dt, voltage, refractory_time, spike_count):
        """One step: returns output, voltage, refractory time and spike count."""
        if self.refractory:
            output, voltage, refractory_time = super().step(J, dt, voltage, refractory_time)
            fired = tf.cast(output > self.zero, J.dtype)
        else:
            voltage += (J - voltage) * self.approach
            spiked = voltage > self.one
            fired = tf.cast(spiked, J.dtype)
            output = fired * self.alpha
            voltage = tf.where(spiked, self.zeros, tf.maximum(voltage, self.min_voltage))
        return output, voltage, refractory_time, spike_count + fired


nengo_dl.neuron_builders.SimNeuronsBuilder.TF_NEURON_IMPL[CountingLIF] = CountingLIFBuilder

__all__ = ["CountingLIF", "CountingLIFBuilder"]
