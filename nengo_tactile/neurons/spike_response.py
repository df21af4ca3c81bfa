"""Spike response neurons, whose own spikes hold them down for a while, in Nengo and NengoDL."""

import math
from typing import ClassVar

import nengo
import numpy as np
from nengo.dists import Choice
from nengo.neurons import settled_firingrate
from nengo.params import NumberParam

from nengo_tactile import stack
from nengo_tactile.errors import EngineError
from nengo_tactile.neurons.integrate_fire import check_state, per_neuron

nengo_dl = stack.nengo_dl()
tf = stack.tensorflow()


#: Seconds of a step where firing rates are asked for (Spikemax paper, section IV: 1 ms).
RATE_STEP = 0.001


class Stepped(nengo.neurons.NeuronType):
    """What neurons whose parameters are in steps, whatever the simulator's, have in common."""

    spiking = True
    amplitude = NumberParam("amplitude", low=0, low_open=True, readonly=True)

    def make_state(self, n_neurons, rng=np.random, dtype=None):
        """Initial states, (n_neurons,) arrays.

        Raises
        ------
        EngineError
            If an array given as ``initial_state`` is not one finite number per neuron.
        """
        return check_state(self, super().make_state(n_neurons, rng=rng, dtype=dtype), n_neurons)

    def gain_bias(self, max_rates, intercepts):
        """Input is taken as it is: gains of one, biases of zero."""
        return np.ones(np.shape(max_rates)), np.zeros(np.shape(intercepts))

    def max_rates_intercepts(self, gain, bias):
        """Firing rates at an input of one, hertz, and the input where neurons begin to fire."""
        return self.rates(1.0, gain, bias)[0], (self.lowest_current - bias) / gain

    def measured_rates(self, x, gain, bias, settle):
        """Firing rates under constant input, by running neurons that get it.

        Parameters
        ----------
        x : (n_samples,) or (n_samples, n_neurons) array_like
        gain, bias : (n_neurons,) array_like
        settle : float
            Seconds until neurons have settled.

        Returns
        -------
        (n_samples, n_neurons) float array
            Hertz times amplitude at steps of `RATE_STEP` seconds.
        """
        current = self.current(x, gain, bias)
        firing = current >= self.lowest_current
        state = {name: np.zeros(np.count_nonzero(firing)) for name in ("output", *self.state)}
        rates = np.zeros_like(current)
        if firing.any():
            rates[firing] = settled_firingrate(
                self.step, current[firing], state, RATE_STEP, settle, 1000 * RATE_STEP
            )
        return rates

    def _take(self, above_zero, initial_state, from_zero=()):
        for name, value in above_zero.items():
            if not (math.isfinite(value) and (value > 0 or (name in from_zero and value == 0))):
                least = "from zero" if name in from_zero else "above zero"
                raise EngineError(
                    f"{type(self).__name__} {name} is {value}: it must be finite and {least}"
                )
        super().__init__(initial_state)
        for name, value in above_zero.items():
            setattr(self, name, value)


class SpikeResponse(Stepped):
    """Neuron of the spike response model (Spikemax paper, section II.A).

    The current ``J`` is the filtered potential ``sum_k eps(k) I[t - k]``: filter connections as
    `nengo_tactile.networks.nengo_network` does. The neuron adds what its own spikes do to it,
    ``sum_k nu(k) s[t - k]`` with ``nu(k) = -refractory threshold k / tau_r exp(1 - k / tau_r)``,
    and fires where the sum reaches the threshold, once a step at most. Nothing is reset.

    Parameters
    ----------
    tau_r : float
        Time constant of refractoriness, in steps of the simulator.
    threshold : float
        In the unit of ``J``.
    refractory : float
        The deepest point of ``nu``, in thresholds.
    amplitude : float
        Area of a spike: output is ``amplitude / dt`` for one step.
    initial_state : dict, optional
        ``{"trace": ...}`` and so on: a Nengo distribution, or an array with one number per neuron.

    Attributes
    ----------
    state : dict
        ``voltage``: the potential with refractoriness; ``trace``: ``sum_k r**k s[t - k]`` from
        ``k = 0``, where ``r = exp(-1 / tau_r)``; ``refractoriness``: ``sum_k k r**k s[t - k]``;
        ``spike_count``: spikes since the start.

    Raises
    ------
    EngineError
        If a parameter is not finite and above zero (``refractory`` may be zero).
    """

    state: ClassVar = dict.fromkeys(
        ("voltage", "trace", "refractoriness", "spike_count"), Choice([0])
    )
    tau_r = NumberParam("tau_r", low=0, low_open=True, readonly=True)
    threshold = NumberParam("threshold", low=0, low_open=True, readonly=True)
    refractory = NumberParam("refractory", low=0, readonly=True)

    def __init__(
        self, tau_r=5.0, threshold=10.0, refractory=2.0, amplitude=1.0, initial_state=None
    ):
        given = {"tau_r": tau_r, "threshold": threshold, "refractory": refractory}
        self._take({**given, "amplitude": amplitude}, initial_state, from_zero=("refractory",))

    @property
    def decay(self):
        """What remains of a trace after a step."""
        return math.exp(-1 / self.tau_r)

    @property
    def depth(self):
        """What the potential loses for each unit of ``refractoriness``."""
        return self.refractory * self.threshold * math.e / self.tau_r

    @property
    def lowest_current(self):
        """The constant current from which on neurons fire."""
        return self.threshold

    def rates(self, x, gain, bias):
        """Firing rates under constant potentials, by running neurons that get them.

        Parameters
        ----------
        x : (n_samples,) or (n_samples, n_neurons) array_like
        gain, bias : (n_neurons,) array_like

        Returns
        -------
        (n_samples, n_neurons) float array
            Hertz times amplitude at steps of `RATE_STEP` seconds.
        """
        # neurons have settled after ten time constants and more
        settle = RATE_STEP * (300 + math.ceil(20 * self.tau_r))
        return self.measured_rates(x, gain, bias, settle)

    def step(self, dt, J, output, voltage, trace, refractoriness, spike_count):
        """One step of Nengo's reference simulator; arrays are changed in place."""
        refractoriness += trace
        refractoriness *= self.decay
        trace *= self.decay
        voltage[:] = J - self.depth * refractoriness
        fired = voltage >= self.threshold
        output[:] = fired * (self.amplitude / dt)
        trace += fired
        spike_count += fired


class SpikeResponseBuilder(nengo_dl.neuron_builders.TFNeuronBuilder):
    """`SpikeResponse` in TensorFlow; neurons of different parameters may be merged.

    NengoDL runs such networks; `nengo_tactile.slayer` trains them.
    """

    def build_pre(self, signals, config):
        """Make what stays the same over all steps."""
        super().build_pre(signals, config)
        self.spike, self.decay, self.depth, self.threshold = constants(
            self.ops,
            signals,
            lambda kind: kind.amplitude / signals.dt_val,
            lambda kind: kind.decay,
            lambda kind: kind.depth,
            lambda kind: kind.threshold,
        )

    def step(self, J, dt, voltage, trace, refractoriness, spike_count):
        """One step: returns output, potential, traces and spike count."""
        refractoriness = (refractoriness + trace) * self.decay
        voltage = J - self.depth * refractoriness
        fired = tf.cast(voltage >= self.threshold, J.dtype)
        trace = trace * self.decay + fired
        return fired * self.spike, voltage, trace, refractoriness, spike_count + fired


def constants(ops, signals, *readers):
    """Parameters of neurons that NengoDL's planner merged, one tensor for each reader.

    Parameters
    ----------
    ops : list of nengo SimNeurons
    signals : nengo_dl SignalDict
    *readers : callable
        Take a parameter out of a neuron type.

    Returns
    -------
    list of () or (1, n_neurons) tensors
    """
    sizes = [op.J.shape[0] for op in ops]
    return [per_neuron([read(op.neurons) for op in ops], sizes, signals.dtype) for read in readers]


nengo_dl.neuron_builders.SimNeuronsBuilder.TF_NEURON_IMPL[SpikeResponse] = SpikeResponseBuilder

__all__ = ["RATE_STEP", "SpikeResponse", "SpikeResponseBuilder", "Stepped", "constants"]
