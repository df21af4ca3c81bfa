"""Sigma-delta neurons, which send changes of their quantised potential, in Nengo and NengoDL.

And the neurons that read them: what was sent is the sum of what arrived.
"""

import math
from typing import ClassVar

import nengo
import numpy as np
from nengo.dists import Choice
from nengo.params import BoolParam, NumberParam

from nengo_tactile import stack
from nengo_tactile.errors import EngineError
from nengo_tactile.neurons.integrate_fire import check_state, per_neuron

nengo_dl = stack.nengo_dl()
tf = stack.tensorflow()


class _Adding(nengo.neurons.NeuronType):
    """What neurons that add up their input as it is have in common."""

    negative = True

    def make_state(self, n_neurons, rng=np.random, dtype=None):
        """Initial states, (n_neurons,) arrays.

        Raises
        ------
        EngineError
            If an array given as ``initial_state`` is not one finite number per neuron.
        """
        return check_state(self, super().make_state(n_neurons, rng=rng, dtype=dtype), n_neurons)

    def gain_bias(self, max_rates, intercepts):
        """Input is added as it is: gains of one, biases of zero."""
        return np.ones(np.shape(max_rates)), np.zeros(np.shape(intercepts))

    def max_rates_intercepts(self, gain, bias):
        """Output at an input of one, and where it begins."""
        return np.ones(np.shape(gain)), np.zeros(np.shape(bias))


class SigmaDelta(_Adding):
    """Neuron of the sigma-delta paper: hysteresis quantisation, spikes of both signs.

    Each step is one pass of the paper's Algorithm 1 for all that arrives in it: the membrane
    potential gains the current ``J``, without leak, floor, reset or refractory time. Where it (or
    its ReLU) lies a threshold or more above what was sent so far, the neuron sends a positive
    spike; a threshold or more below, a negative one. So what was sent follows the potential, and
    at rest the two differ by less than one threshold. A jump over several thresholds is sent over
    as many steps, also when nothing more arrives.

    The potential starts at the neuron's bias: give it as ``initial_state={"voltage": bias}``. A
    bias of the ensemble would be added again at each step.

    Output is ``amplitude`` for a spike, or minus that, and is not divided by the time step: what
    arrives in a step is added as it is. Connect without filter.

    The number of spikes sent is kept as a whole number, so it gathers no rounding error. With
    thresholds and currents whose sums fit into float32, multiples of ``2**-12`` say, NengoDL and
    Nengo are equal bit for bit.

    Parameters
    ----------
    threshold : float
        Step of the quantisation (paper, equation 1), in the unit of the potential.
    rectify : bool
        Whether the ReLU of the potential is sent, or the potential itself.
    amplitude : float, optional
        Output of a positive spike. Default: the threshold, so that outputs add up to the quantised
        potential.
    initial_state : dict, optional
        ``{"voltage": ...}``: a Nengo distribution, or an array with one number per neuron.

    Attributes
    ----------
    state : dict
        ``voltage``: the potential; ``sent``: the quantised potential in thresholds, which is
        positive spikes less negative ones; ``spike_count``: spikes of either sign.

    Raises
    ------
    EngineError
        If threshold or amplitude is not finite and above zero.
    """

    state: ClassVar = {"voltage": Choice([0]), "sent": Choice([0]), "spike_count": Choice([0])}
    spiking = True

    threshold = NumberParam("threshold", low=0, low_open=True, readonly=True)
    rectify = BoolParam("rectify", readonly=True)
    amplitude = NumberParam("amplitude", low=0, low_open=True, readonly=True)

    def __init__(self, threshold=1.0, rectify=True, amplitude=None, initial_state=None):
        amplitude = threshold if amplitude is None else amplitude
        for name, value in (("threshold", threshold), ("amplitude", amplitude)):
            if not (math.isfinite(value) and value > 0):
                raise EngineError(f"SigmaDelta {name} is {value}: it must be finite and above zero")
        super().__init__(initial_state)
        self.threshold = threshold
        self.rectify = rectify
        self.amplitude = amplitude

    def rates(self, x, gain, bias):
        """The sum of all outputs when the potential has risen to the current, in closed form."""
        current = self.current(x, gain, bias)
        potential = np.maximum(current, 0) if self.rectify else current
        return self.amplitude * np.trunc(potential / self.threshold)

    def step(self, dt, J, output, voltage, sent, spike_count):
        """One step of Nengo's reference simulator; arrays are changed in place."""
        voltage += J
        potential = np.maximum(voltage, 0) if self.rectify else voltage
        difference = potential - self.threshold * sent
        spikes = (difference >= self.threshold) * 1.0 - (difference <= -self.threshold)
        sent += spikes
        spike_count += np.abs(spikes)
        output[:] = self.amplitude * spikes


class SigmaDeltaBuilder(nengo_dl.neuron_builders.TFNeuronBuilder):
    """`SigmaDelta` in TensorFlow; neurons of different parameters may be merged."""

    spiking = True

    def build_pre(self, signals, config):
        """Make what stays the same over all steps."""
        super().build_pre(signals, config)
        kinds = [op.neurons for op in self.ops]

        def constant(values, dtype=signals.dtype):
            return per_neuron(values, [op.J.shape[0] for op in self.ops], dtype)

        self.threshold = constant([kind.threshold for kind in kinds])
        self.spike = constant([kind.amplitude for kind in kinds])
        self.rectify = constant([kind.rectify for kind in kinds], tf.bool)

    def step(self, J, dt, voltage, sent, spike_count):
        """One step: returns output, potential, what was sent and spike count."""
        voltage += J
        difference = self._activation(voltage) - self.threshold * sent
        spikes = tf.cast(difference >= self.threshold, J.dtype)
        spikes -= tf.cast(difference <= -self.threshold, J.dtype)
        return self.spike * spikes, voltage, sent + spikes, spike_count + tf.abs(spikes)

    def training_step(self, J, dt, **state):
        """Return what would be sent of the current alone if nothing was rounded, for training."""
        return self._activation(J) * self.spike / self.threshold

    def _activation(self, potential):
        return tf.where(self.rectify, tf.nn.relu(potential), potential)


class Accumulate(_Adding):
    """Read-out: puts out its membrane potential, the sum of all current so far.

    Parameters
    ----------
    initial_state : dict, optional
        ``{"voltage": ...}``: a Nengo distribution, or an array with one number per neuron.
    decay : float
        Share of the potential that is lost in a step, from 0 to less than 1.
    """

    state: ClassVar = {"voltage": Choice([0])}
    spiking = False
    decay = NumberParam("decay", low=0, high=1, high_open=True, readonly=True)

    def __init__(self, initial_state=None, decay=0.0):
        super().__init__(initial_state)
        self.decay = decay

    def rates(self, x, gain, bias):
        """The potential when the current has arrived, or of one that forgets in the long run."""
        return self.current(x, gain, bias) / (self.decay or 1)

    def step(self, dt, J, output, voltage):
        """One step of Nengo's reference simulator; arrays are changed in place."""
        voltage *= 1 - self.decay
        voltage += J
        output[:] = voltage


class AccumulateBuilder(nengo_dl.neuron_builders.TFNeuronBuilder):
    """`Accumulate` in TensorFlow; neurons of different decays may be merged."""

    def build_pre(self, signals, config):
        """Make what stays the same over all steps."""
        super().build_pre(signals, config)
        sizes = [op.J.shape[0] for op in self.ops]
        kept = [1 - op.neurons.decay for op in self.ops]
        self.kept = per_neuron(kept, sizes, signals.dtype)

    def step(self, J, dt, voltage):
        """One step: returns output and potential."""
        voltage = self.kept * voltage + J
        return voltage, voltage


_IMPLEMENTED = nengo_dl.neuron_builders.SimNeuronsBuilder.TF_NEURON_IMPL
_IMPLEMENTED.update({SigmaDelta: SigmaDeltaBuilder, Accumulate: AccumulateBuilder})

__all__ = ["Accumulate", "AccumulateBuilder", "SigmaDelta", "SigmaDeltaBuilder"]
