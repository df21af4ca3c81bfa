"""Integrate-and-fire neurons of signed current, in Nengo and NengoDL.

They fire at most once a step; a spike can be worth several, and take back what was sent before.
"""

import math
from typing import ClassVar

import nengo
import numpy as np
from nengo.dists import Choice
from nengo.params import BoolParam, EnumParam, IntParam, NumberParam

from nengo_tactile import stack
from nengo_tactile.errors import EngineError

nengo_dl = stack.nengo_dl()
tf = stack.tensorflow()

RESETS = ("subtract", "zero")


class IntegrateFire(nengo.neurons.NeuronType):
    """Integrate-and-fire neuron of rate-coded networks (Spiking ResNet paper, section 3).

    At each step the membrane potential gains the current ``J``, in thresholds a step and of
    either sign, with no floor. At one or above the neuron fires: ``amplitude / dt`` is its
    output, and the potential loses one threshold or goes to zero. So ``J = 1`` means a spike at
    every step, ``max_rate`` hertz; what exceeds it stays in the potential.

    `nengo.SpikingRectifiedLinear` drops negative current and fires as often in a step as its
    potential allows. In a network without filters, where excitation and inhibition arrive at
    different steps, dropping is a bias that no number of steps removes.

    The potential only ever gains ``J`` and loses ones: with currents whose sums fit into
    float32, multiples of ``2**-12`` say, NengoDL and Nengo are equal bit for bit.

    Parameters
    ----------
    max_rate : float
        Spikes a second at one spike a step, hertz: the time step must be ``1 / max_rate``.
    amplitude : float
        Area of a spike: output is ``amplitude / dt`` for one step.
    reset : {"subtract", "zero"}
        What a spike does to the potential. "zero" loses what exceeded the threshold.
    negative_slope : float
        Above zero, the neuron of a leaky ReLU: at a potential of minus one or below it fires a
        negative spike and gains one threshold. A spike of either sign is worth ``amplitude / dt``
        above a net count (positive spikes less negative ones) of zero, and ``negative_slope``
        times that below: see the notes.
    signed : bool
        Whether it takes spikes back: below a potential of zero it fires a negative spike, and
        gains one threshold, while its net count is above zero. With a ``negative_slope`` the net
        count goes below zero as well.
    spikes_per_step : int
        Most spikes that a step's output stands for, of either sign: ``min(floor(potential),
        spikes_per_step)`` of them at a potential of one or above. They leave as one.
    initial_state : dict, optional
        ``{"voltage": ...}``: a Nengo distribution, or an array with one number per neuron (also
        as `nengo.dists.Samples`), which both simulators take as it is. Default: 0.5, half a
        threshold, so that spike counts round the current to the nearest instead of down.

    Attributes
    ----------
    state : dict
        ``voltage``: the potential in thresholds; ``spike_count``: steps with a spike, of whatever
        sign and worth, since the start; ``net_count``, of neurons whose spikes are not all alike:
        what they were worth, positive less negative ones.

    Raises
    ------
    EngineError
        If a parameter is out of its range.

    Notes
    -----
    What a leaky neuron has sent must be the leaky ReLU of its net count ``n``: ``n`` at or above
    zero, ``negative_slope * n`` below. So a spike that moves the net count between ``n`` and
    ``n + 1`` is worth one where ``n >= 0`` and the slope elsewhere, in either direction, and the
    sum of all spikes is within a threshold of the leaky ReLU of all current. Were negative spikes
    always worth the slope, every pair of a positive and a negative one, of which fluctuating
    input makes ever more, would leave ``1 - negative_slope``.

    A neuron that has fired too early, because excitation came before inhibition, can only be
    corrected by a spike that is taken back (Wang et al. 2022, "Signed neuron with memory"). That
    it does so below zero and not at minus one is from Huang et al. 2025 (arXiv:2503.00301): what
    it has sent is then the ReLU of all current, rounded as the start says.
    """

    state: ClassVar = {
        "voltage": Choice([0.5]),
        "spike_count": Choice([0]),
        "net_count": Choice([0]),
    }
    spiking = True

    max_rate = NumberParam("max_rate", low=0, low_open=True, readonly=True)
    amplitude = NumberParam("amplitude", low=0, low_open=True, readonly=True)
    reset = EnumParam("reset", values=RESETS, readonly=True)
    negative_slope = NumberParam("negative_slope", low=0, high=1, readonly=True)
    signed = BoolParam("signed", readonly=True)
    spikes_per_step = IntParam("spikes_per_step", low=1, readonly=True)

    def __init__(
        self,
        max_rate=1000.0,
        amplitude=1.0,
        reset="subtract",
        negative_slope=0.0,
        signed=False,
        spikes_per_step=1,
        initial_state=None,
    ):
        for name, value in (("max_rate", max_rate), ("amplitude", amplitude)):
            if not (math.isfinite(value) and value > 0):
                raise EngineError(
                    f"IntegrateFire {name} is {value}: it must be finite and above zero"
                )
        if reset not in RESETS:
            raise EngineError(f"IntegrateFire reset is {reset!r}: choose one of {RESETS}")
        if not 0 <= negative_slope <= 1:
            raise EngineError(
                f"IntegrateFire negative_slope is {negative_slope}: choose it from 0 to 1"
            )
        if spikes_per_step != int(spikes_per_step) or spikes_per_step < 1:
            raise EngineError(
                f"IntegrateFire spikes_per_step is {spikes_per_step}: give a whole number from 1"
            )
        super().__init__(initial_state)
        self.max_rate = max_rate
        self.amplitude = amplitude
        self.reset = reset
        self.negative_slope = negative_slope
        self.signed = bool(signed)
        self.spikes_per_step = int(spikes_per_step)
        if reset == "zero" and self.graded:
            raise EngineError(
                f"IntegrateFire negative_slope is {negative_slope}, signed {signed} and "
                f"spikes_per_step {spikes_per_step}, which need reset 'subtract': a potential "
                "that goes to zero forgets what it owes"
            )

    @property
    def negative(self):
        """Whether outputs can be negative."""
        return self.negative_slope > 0 or self.signed

    @property
    def graded(self):
        """Whether spikes are worth other numbers than one."""
        return self.negative or self.spikes_per_step > 1

    def make_state(self, n_neurons, rng=np.random, dtype=None):
        """Initial states, (n_neurons,) arrays.

        Raises
        ------
        EngineError
            If an array given as ``initial_state`` is not one finite number per neuron.
        """
        return check_state(self, super().make_state(n_neurons, rng=rng, dtype=dtype), n_neurons)

    def check_time_step(self, dt):
        """Refuse a time step in which the neuron would not fire at most once.

        Parameters
        ----------
        dt : float
            Seconds.

        Raises
        ------
        EngineError
            If ``dt * max_rate`` is not one.
        """
        if not math.isclose(dt * self.max_rate, 1, rel_tol=1e-6):
            raise EngineError(
                f"IntegrateFire neurons of max_rate {self.max_rate:g} Hz fire at most once in "
                f"steps of {1 / self.max_rate:g} s, but the simulator's dt is {dt:g} s: choose "
                f"dt={1 / self.max_rate:g}, or max_rate={1 / dt:g}"
            )

    def gain_bias(self, max_rates, intercepts):
        """Gains and biases that give the firing rates ``max_rates`` at 1, zero at ``intercepts``.

        Raises
        ------
        EngineError
            If a neuron should fire faster than ``max_rate``.
        """
        max_rates, intercepts = np.atleast_1d(max_rates, intercepts)
        most = self.spikes_per_step * self.max_rate
        if (max_rates > most).any():
            raise EngineError(
                f"IntegrateFire neurons should fire at {max_rates.max():g} Hz, above their "
                f"highest of {most:g} Hz: give gains and biases, or lower max_rates"
            )
        gain = max_rates / self.max_rate / (1.0 - intercepts)
        return gain, -gain * intercepts

    def max_rates_intercepts(self, gain, bias):
        """Firing rates at 1, in hertz, and where they begin."""
        return self._per_step(gain + bias) * self.max_rate, -bias / gain

    def rates(self, x, gain, bias):
        """Output under constant input, in closed form.

        With the current ``J`` a potential that loses ones gains ``clip(J, 0, spikes_per_step)``
        of them a step in the long run; one that starts from zero again needs ``ceil(1 / J)`` steps
        a spike.

        Parameters
        ----------
        x : (n_samples,) or (n_samples, n_neurons) array_like
        gain, bias : (n_neurons,) array_like

        Returns
        -------
        (n_samples, n_neurons) float array
            Hertz times amplitude.
        """
        current = self.current(x, gain, bias)
        below = self.negative_slope * np.clip(current, -self.spikes_per_step, 0)
        return self.amplitude * self.max_rate * (self._per_step(current) + below)

    def _per_step(self, current):
        positive = np.clip(current, 0, self.spikes_per_step)
        if self.reset == "zero":
            with np.errstate(divide="ignore", over="ignore"):
                return 1 / np.ceil(1 / positive)
        return positive

    def step(self, dt, J, output, voltage, spike_count, net_count):
        """One step of Nengo's reference simulator; arrays are changed in place."""
        self.check_time_step(dt)
        voltage += J
        spike = self.amplitude / dt
        if not self.graded:
            fired = voltage >= 1
            output[:] = fired * spike
            if self.reset == "zero":
                voltage[fired] = 0
            else:
                voltage -= fired
            spike_count += fired
            return
        whole = np.floor(voltage) if self.signed else np.trunc(voltage)
        most = self.spikes_per_step
        least = most if self.negative_slope else np.minimum(net_count, most) * self.signed
        fired = np.clip(whole, -least, most)
        above = np.maximum(net_count + fired, 0) - np.maximum(net_count, 0)
        output[:] = above * spike + (fired - above) * (self.negative_slope * spike)
        voltage -= fired
        net_count += fired
        spike_count += fired != 0


class IntegrateFireBuilder(nengo_dl.neuron_builders.TFNeuronBuilder):
    """`IntegrateFire` in TensorFlow; neurons of different parameters may be merged."""

    spiking = True

    def build_pre(self, signals, config):
        """Make what stays the same over all steps."""
        super().build_pre(signals, config)
        kinds = [op.neurons for op in self.ops]
        for kind in kinds:
            kind.check_time_step(signals.dt_val)

        def constant(values, dtype=signals.dtype):
            return per_neuron(values, [op.J.shape[0] for op in self.ops], dtype)

        dt = signals.dt_val
        self.spike = constant([kind.amplitude / dt for kind in kinds])
        self.any_to_zero = any(kind.reset == "zero" for kind in kinds)
        self.to_zero = constant([kind.reset == "zero" for kind in kinds], tf.bool)
        self.graded = any(kind.graded for kind in kinds)
        self.signed = constant([kind.signed for kind in kinds], tf.bool)
        self.leaky = constant([kind.negative_slope > 0 for kind in kinds], tf.bool)
        self.most = constant([float(kind.spikes_per_step) for kind in kinds])
        negatives = [float(kind.spikes_per_step * kind.negative) for kind in kinds]
        self.most_negative = constant(negatives)
        self.small_spike = constant([kind.negative_slope * kind.amplitude / dt for kind in kinds])

    def step(self, J, dt, voltage, spike_count, net_count):
        """One step: returns output, potential and both counts."""
        voltage += J
        if self.graded:
            rounded_up = (voltage < 0) & ~self.signed
            whole = tf.where(rounded_up, tf.math.ceil(voltage), tf.math.floor(voltage))
            to_take_back = tf.where(self.leaky, self.most, net_count)
            least = tf.minimum(to_take_back, self.most_negative)
            fired = tf.maximum(tf.minimum(whole, self.most), -least)
            above = tf.nn.relu(net_count + fired) - tf.nn.relu(net_count)
            output = above * self.spike + (fired - above) * self.small_spike
            net_count += fired
            spike_count += tf.cast(tf.not_equal(fired, 0), J.dtype)
        else:
            fired = tf.cast(voltage >= 1, J.dtype)
            output = fired * self.spike
            spike_count += fired
        lost = voltage - fired
        if self.any_to_zero:
            lost = tf.where((voltage >= 1) & self.to_zero, tf.zeros_like(voltage), lost)
        return output, lost, spike_count, net_count

    def training_step(self, J, dt, **state):
        """Return the firing rate, for training; with either reset the clipped ramp."""
        above, below = tf.clip_by_value(J, 0, self.most), tf.clip_by_value(J, -self.most, 0)
        return self.spike * above + self.small_spike * below


def check_state(neuron_type, state, n_neurons):
    """Return initial states, {name: array}.

    Raises
    ------
    EngineError
        If one is not one finite number per neuron.
    """
    for name, values in state.items():
        if values.shape != (n_neurons,) or not np.isfinite(values).all():
            raise EngineError(
                f"{type(neuron_type).__name__} initial_state {name!r} has shape {values.shape} and "
                f"{np.count_nonzero(~np.isfinite(values))} values that are not finite: give "
                f"one finite number for each of the {n_neurons} neurons"
            )
    return state


def per_neuron(values, sizes, dtype):
    """Make a constant for neurons that NengoDL's planner merged.

    NengoDL's own way takes values that differ by less than 1e-8 for equal.

    Parameters
    ----------
    values : list
        One for each operator.
    sizes : list of int
        Neurons of each operator.
    dtype : tf.DType

    Returns
    -------
    () or (1, n_neurons) tensor
        A number if all values are equal.
    """
    if len(set(values)) == 1:
        return tf.constant(values[0], dtype)
    return tf.constant(np.repeat(values, sizes)[None, :], dtype)


nengo_dl.neuron_builders.SimNeuronsBuilder.TF_NEURON_IMPL[IntegrateFire] = IntegrateFireBuilder

__all__ = ["IntegrateFire", "IntegrateFireBuilder"]
