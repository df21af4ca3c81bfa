"""Leaky integrate-and-fire neurons of a leaky current, as on Loihi, in Nengo and NengoDL."""

from typing import ClassVar

import numpy as np
from nengo.dists import Choice
from nengo.params import NumberParam

from nengo_tactile import stack
from nengo_tactile.errors import EngineError
from nengo_tactile.neurons.spike_response import RATE_STEP, Stepped, constants

nengo_dl = stack.nengo_dl()
tf = stack.tensorflow()


class CurrentBased(Stepped):
    """Loihi's neuron with its synapse, in real numbers (CUBA; lava-dl, ``neuron/cuba.py``).

    At each step ``current`` keeps ``1 - current_decay`` of itself and gains ``J``, ``voltage``
    keeps ``1 - voltage_decay`` of itself and gains ``current``. Where it reaches the threshold the
    neuron fires and ``voltage`` goes to zero. Connect without filter: the current is one.

    Parameters
    ----------
    current_decay, voltage_decay : float
        Shares lost in a step of the simulator, above 0 to 1.
    threshold : float
        In the unit of ``J``.
    amplitude : float
        Area of a spike: output is ``amplitude / dt`` for one step.
    initial_state : dict, optional
        ``{"voltage": ...}`` and so on: a Nengo distribution, or an array with one number per
        neuron.

    Attributes
    ----------
    state : dict
        ``voltage``, after a reset; ``current``; ``spike_count``: spikes since the start.

    Raises
    ------
    EngineError
        If a decay is not above 0 to 1, or another parameter not finite and above zero.
    """

    state: ClassVar = dict.fromkeys(("voltage", "current", "spike_count"), Choice([0]))
    current_decay = NumberParam("current_decay", low=0, low_open=True, high=1, readonly=True)
    voltage_decay = NumberParam("voltage_decay", low=0, low_open=True, high=1, readonly=True)
    threshold = NumberParam("threshold", low=0, low_open=True, readonly=True)

    def __init__(
        self,
        current_decay=0.25,
        voltage_decay=0.03,
        threshold=10.0,
        amplitude=1.0,
        initial_state=None,
    ):
        decays = {"current_decay": current_decay, "voltage_decay": voltage_decay}
        for name, value in decays.items():
            if not 0 < value <= 1:
                raise EngineError(f"CurrentBased {name} is {value}: give a share above 0 to 1")
        self._take({**decays, "threshold": threshold, "amplitude": amplitude}, initial_state)

    @property
    def lowest_current(self):
        """The constant current from which on neurons fire."""
        return self.threshold * self.current_decay * self.voltage_decay

    def rates(self, x, gain, bias):
        """Firing rates under constant input, in closed form.

        The current settles at ``i = J / current_decay``; ``k`` steps after a reset the voltage is
        ``i (1 - (1 - voltage_decay)**k) / voltage_decay``.

        Parameters
        ----------
        x : (n_samples,) or (n_samples, n_neurons) array_like
        gain, bias : (n_neurons,) array_like

        Returns
        -------
        (n_samples, n_neurons) float array
            Hertz times amplitude at steps of `RATE_STEP` seconds.
        """
        current = self.current(x, gain, bias) / self.current_decay
        if self.voltage_decay == 1:
            return (current >= self.threshold) * (self.amplitude / RATE_STEP)
        with np.errstate(divide="ignore", invalid="ignore"):
            left = 1 - self.threshold * self.voltage_decay / current
            steps = np.maximum(np.ceil(np.log(left) / np.log1p(-self.voltage_decay)), 1)
        fires = (current > 0) & (left > 0)
        return np.where(fires, self.amplitude / (RATE_STEP * np.where(fires, steps, 1)), 0.0)

    def step(self, dt, J, output, voltage, current, spike_count):
        """One step of Nengo's reference simulator; arrays are changed in place."""
        current *= 1 - self.current_decay
        current += J
        voltage *= 1 - self.voltage_decay
        voltage += current
        fired = voltage >= self.threshold
        output[:] = fired * (self.amplitude / dt)
        voltage[fired] = 0
        spike_count += fired


class CurrentBasedBuilder(nengo_dl.neuron_builders.TFNeuronBuilder):
    """`CurrentBased` in TensorFlow; neurons of different parameters may be merged.

    NengoDL runs such networks; `nengo_tactile.slayer` trains them.
    """

    def build_pre(self, signals, config):
        """Make what stays the same over all steps."""
        super().build_pre(signals, config)
        self.spike, self.current_kept, self.voltage_kept, self.threshold = constants(
            self.ops,
            signals,
            lambda kind: kind.amplitude / signals.dt_val,
            lambda kind: 1 - kind.current_decay,
            lambda kind: 1 - kind.voltage_decay,
            lambda kind: kind.threshold,
        )

    def step(self, J, dt, voltage, current, spike_count):
        """One step: returns output, potential, current and spike count."""
        current = current * self.current_kept + J
        voltage = voltage * self.voltage_kept + current
        over = voltage >= self.threshold
        fired = tf.cast(over, J.dtype)
        voltage = tf.where(over, tf.zeros_like(voltage), voltage)
        return fired * self.spike, voltage, current, spike_count + fired


nengo_dl.neuron_builders.SimNeuronsBuilder.TF_NEURON_IMPL[CurrentBased] = CurrentBasedBuilder

__all__ = ["CurrentBased", "CurrentBasedBuilder"]
