"""Leaky integrate-and-fire neurons of a leaky current, as on Loihi, in Nengo and NengoDL."""

import math
from typing import ClassVar

import numpy as np
from nengo.dists import Choice
from nengo.params import BoolParam, EnumParam, IntParam, NumberParam

from nengo_tactile import stack
from nengo_tactile.errors import EngineError
from nengo_tactile.neurons.integrate_fire import RESETS
from nengo_tactile.neurons.spike_response import RATE_STEP, Stepped, constants

nengo_dl = stack.nengo_dl()
tf = stack.tensorflow()


class CurrentBased(Stepped):
    """Loihi's neuron with its synapse, in real numbers (CUBA; lava-dl, ``neuron/cuba.py``).

    At each step ``current`` keeps ``1 - current_decay`` of itself and gains ``J``, ``voltage``
    keeps ``1 - voltage_decay`` of itself and gains ``current``. Where it reaches the threshold the
    neuron fires and ``voltage`` is reset. Connect without filter: the current is one.

    Parameters
    ----------
    current_decay, voltage_decay : float
        Shares lost in a step of the simulator: of the current above 0 to 1, of the voltage from 0.
    threshold : float
        In the unit of ``J``.
    amplitude : float
        Area of a spike: output is ``amplitude / dt`` for one step.
    initial_state : dict, optional
        ``{"voltage": ...}`` and so on: a Nengo distribution, or an array with one number per
        neuron.
    reset : {"zero", "subtract"}
        Whether a spike sets the voltage to zero, or takes a threshold from it.
    spikes_per_step : int
        Most spikes that a step's output stands for: as many as the voltage holds thresholds. Above
        1 with reset "subtract" alone.
    floor : float
        Least voltage.
    whole : bool
        Whether what decays leave is rounded towards zero, as on the chip, whose states are whole.

    Attributes
    ----------
    state : dict
        ``voltage``, after a reset; ``current``; ``spike_count``: steps with a spike since the
        start.

    Raises
    ------
    EngineError
        If a decay, the floor, reset or spikes are out of their range, or another parameter is not
        finite and above zero.
    """

    state: ClassVar = dict.fromkeys(("voltage", "current", "spike_count"), Choice([0]))
    current_decay = NumberParam("current_decay", low=0, low_open=True, high=1, readonly=True)
    voltage_decay = NumberParam("voltage_decay", low=0, high=1, readonly=True)
    threshold = NumberParam("threshold", low=0, low_open=True, readonly=True)
    reset = EnumParam("reset", values=RESETS, readonly=True)
    spikes_per_step = IntParam("spikes_per_step", low=1, readonly=True)
    floor = NumberParam("floor", high=0, readonly=True)
    whole = BoolParam("whole", readonly=True)

    def __init__(
        self,
        current_decay=0.25,
        voltage_decay=0.03,
        threshold=10.0,
        amplitude=1.0,
        initial_state=None,
        reset="zero",
        spikes_per_step=1,
        floor=-math.inf,
        whole=False,
    ):
        if not 0 < current_decay <= 1 or not 0 <= voltage_decay <= 1:
            raise EngineError(
                f"CurrentBased current_decay is {current_decay}, voltage_decay {voltage_decay}: "
                "give shares to 1, of the current above 0, of the voltage from 0"
            )
        if reset not in RESETS or not spikes_per_step == int(spikes_per_step) >= 1:
            raise EngineError(
                f"CurrentBased reset is {reset!r}, spikes_per_step {spikes_per_step}: choose one "
                f"of {RESETS}, and a whole number from 1"
            )
        if (spikes_per_step > 1 and reset == "zero") or not floor <= 0:
            raise EngineError(
                f"CurrentBased spikes_per_step is {spikes_per_step}, reset {reset!r}, floor "
                f"{floor}: several spikes a step need reset 'subtract', a floor is at most zero"
            )
        self._take({"threshold": threshold, "amplitude": amplitude}, initial_state)
        self.current_decay, self.voltage_decay = current_decay, voltage_decay
        self.reset, self.spikes_per_step = reset, int(spikes_per_step)
        self.floor, self.whole = floor, bool(whole)

    @property
    def lowest_current(self):
        """The constant current from which on neurons fire."""
        return self.threshold * self.current_decay * self.voltage_decay

    def rates(self, x, gain, bias):
        """Firing rates under constant input, in closed form where a spike sets to zero.

        The current settles at ``i = J / current_decay``; ``k`` steps after a reset the voltage is
        ``i (1 - (1 - voltage_decay)**k) / voltage_decay``. Otherwise neurons are run.

        Parameters
        ----------
        x : (n_samples,) or (n_samples, n_neurons) array_like
        gain, bias : (n_neurons,) array_like

        Returns
        -------
        (n_samples, n_neurons) float array
            Hertz times amplitude at steps of `RATE_STEP` seconds.
        """
        if self.reset == "subtract" or self.whole:
            steps = 20 / self.current_decay + 20 / max(self.voltage_decay, 0.02)
            return self.measured_rates(x, gain, bias, RATE_STEP * math.ceil(steps))
        current = self.current(x, gain, bias) / self.current_decay
        if self.voltage_decay == 1:
            return (current >= self.threshold) * (self.amplitude / RATE_STEP)
        with np.errstate(divide="ignore", invalid="ignore"):
            left = 1 - self.threshold * self.voltage_decay / current
            if self.voltage_decay:
                steps = np.log(left) / np.log1p(-self.voltage_decay)
            else:
                steps = self.threshold / current
            steps = np.maximum(np.ceil(steps), 1)
        fires = (current > 0) & (left > 0)
        return np.where(fires, self.amplitude / (RATE_STEP * np.where(fires, steps, 1)), 0.0)

    def step(self, dt, J, output, voltage, current, spike_count):
        """One step of Nengo's reference simulator; arrays are changed in place."""
        for state, decay in ((current, self.current_decay), (voltage, self.voltage_decay)):
            state *= 1 - decay
            if self.whole:
                np.trunc(state, out=state)
            state += J if state is current else current
        np.maximum(voltage, self.floor, out=voltage)
        if self.spikes_per_step > 1:
            spikes = np.clip(np.floor(voltage / self.threshold), 0, self.spikes_per_step)
        else:
            spikes = (voltage >= self.threshold) * 1.0
        output[:] = spikes * (self.amplitude / dt)
        if self.reset == "zero":
            voltage[spikes > 0] = 0
        else:
            voltage -= spikes * self.threshold
        spike_count += spikes > 0


class CurrentBasedBuilder(nengo_dl.neuron_builders.TFNeuronBuilder):
    """`CurrentBased` in TensorFlow; neurons of different parameters may be merged.

    NengoDL runs such networks; `nengo_tactile.slayer` trains them.
    """

    def build_pre(self, signals, config):
        """Make what stays the same over all steps."""
        super().build_pre(signals, config)
        self.spike, self.current_kept, self.voltage_kept, self.threshold, self.floor, self.most = (
            constants(
                self.ops,
                signals,
                lambda kind: kind.amplitude / signals.dt_val,
                lambda kind: 1 - kind.current_decay,
                lambda kind: 1 - kind.voltage_decay,
                lambda kind: kind.threshold,
                lambda kind: kind.floor,
                lambda kind: kind.spikes_per_step,
            )
        )
        # flags as numbers, which are merged like the others
        to_zero, whole = constants(
            self.ops, signals, lambda kind: kind.reset == "zero", lambda kind: kind.whole
        )
        self.to_zero, self.whole = to_zero > 0, whole > 0
        kinds = [op.neurons for op in self.ops]
        self.any_whole = any(kind.whole for kind in kinds)
        self.any_floor = any(kind.floor > -math.inf for kind in kinds)
        self.any_many = any(kind.spikes_per_step > 1 for kind in kinds)
        self.any_subtract = any(kind.reset == "subtract" for kind in kinds)

    def kept(self, state, share):
        """What decays leave of a state."""
        left = state * share
        if not self.any_whole:
            return left
        whole = tf.sign(left) * tf.floor(tf.abs(left))
        return tf.where(self.whole, whole, left)

    def step(self, J, dt, voltage, current, spike_count):
        """One step: returns output, potential, current and spike count."""
        current = self.kept(current, self.current_kept) + J
        voltage = self.kept(voltage, self.voltage_kept) + current
        if self.any_floor:
            voltage = tf.maximum(voltage, self.floor)
        over = voltage >= self.threshold
        fired = spikes = tf.cast(over, J.dtype)
        if self.any_many:
            whole = tf.floor(voltage / self.threshold)
            spikes = fired * tf.maximum(tf.minimum(whole, self.most), 1)
        left = tf.zeros_like(voltage)
        if self.any_subtract:
            left = tf.where(self.to_zero, left, voltage - spikes * self.threshold)
        voltage = tf.where(over, left, voltage)
        return spikes * self.spike, voltage, current, spike_count + fired


nengo_dl.neuron_builders.SimNeuronsBuilder.TF_NEURON_IMPL[CurrentBased] = CurrentBasedBuilder

__all__ = ["CurrentBased", "CurrentBasedBuilder"]
