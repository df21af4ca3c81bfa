"""Neuron models of SLAYER networks: what they are, as numbers. Time is in steps.

They are neurons of `nengo_tactile.networks.stages`, with what training asks of them. `dynamics`
runs them in TensorFlow, `nengo_tactile.neurons` in Nengo.
"""

import dataclasses
import math
from typing import Any

import numpy as np

from nengo_tactile import stack
from nengo_tactile.errors import ConversionError
from nengo_tactile.networks.neurons import IntegrateFire, SpikeResponse

#: Spikemax paper, section IV: 10 mV for all networks.
THRESHOLD = 10.0
#: Spikemax paper, section II.A: what a spike takes away, in thresholds, at its most.
REFRACTORY = 2.0


@dataclasses.dataclass(frozen=True)
class SpikeResponseModel(SpikeResponse):
    """Spike response model (Spikemax paper, section II.A): see `SpikeResponse`.

    Parameters
    ----------
    tau_s, tau_r : float
        Time constants of response and refractoriness, in steps.
    threshold : float
        Millivolts.
    refractory : float
        The deepest point of what a spike takes away, in thresholds.

    Raises
    ------
    ConversionError
        If one of them is not finite and above zero (``refractory`` may be zero).
    """

    threshold: float = THRESHOLD
    refractory: float = REFRACTORY

    kind = "spike-response"
    parameters = ("tau_s", "tau_r", "threshold", "refractory")

    @property
    def times(self) -> tuple[float, float]:
        """Time constants, as training changes them: logarithms of both."""
        return math.log(self.tau_s), math.log(self.tau_r)

    def at(self, times: Any) -> "SpikeResponseModel":
        """The neuron with other ``times``."""
        tau_s, tau_r = np.exp(np.asarray(times, float))
        return dataclasses.replace(self, tau_s=float(tau_s), tau_r=float(tau_r))

    def constants(self, times: Any = None) -> tuple:
        """What `dynamics_kernel` computes with, of its ``times`` or of two others, as a tensor."""
        tf = stack.tensorflow()
        if times is None:
            tau_s, tau_r, exp = self.tau_s, self.tau_r, math.exp
        else:
            (tau_s, tau_r), exp = tf.unstack(tf.exp(times)), tf.exp
        depth = self.refractory * self.threshold * math.e / tau_r
        return exp(-1 / tau_s), math.e / tau_s, exp(-1 / tau_r), depth

    def response(self, n_steps: int) -> np.ndarray:
        """What one unit of current does to the potential, (n_steps,) float array."""
        return alpha(self.tau_s, n_steps)

    def refractoriness(self, n_steps: int) -> np.ndarray:
        """What a spike does to the potential, (n_steps,) float array."""
        return -self.refractory * self.threshold * alpha(self.tau_r, n_steps)


@dataclasses.dataclass(frozen=True)
class CurrentBasedLIF(IntegrateFire):
    """Leaky integrate-and-fire neuron of a leaky current, as Loihi has it (CUBA).

    ``i[t] = (1 - current_decay) i[t - 1] + I[t]``, ``v[t] = (1 - voltage_decay) v[t - 1] + i[t]``,
    ``s[t] = v[t] >= threshold``, and a spike sets ``v`` to zero (lava-dl, ``neuron/cuba.py``).

    Parameters
    ----------
    current_decay, voltage_decay : float
        Shares lost in a step, above 0 to 1. On the chip they are multiples of 1/4096.
    threshold : float

    Raises
    ------
    ConversionError
        If a decay is not above 0 to 1, or the threshold not finite and above zero.
    """

    current_decay: float = 0.25
    voltage_decay: float = 0.03
    threshold: float = THRESHOLD
    reset: str = dataclasses.field(default="zero", init=False)
    negative_slope: float = dataclasses.field(default=0.0, init=False)

    kind = "current-based"
    parameters = ("current_decay", "voltage_decay", "threshold")

    @property
    def times(self) -> tuple[float, float]:
        """Decays, as training changes them: logarithms of their time constants, in steps."""
        return _log_time(self.current_decay), _log_time(self.voltage_decay)

    def at(self, times: Any) -> "CurrentBasedLIF":
        """The neuron with other ``times``."""
        current, voltage = -np.expm1(-np.exp(-np.asarray(times, float)))
        return dataclasses.replace(self, current_decay=float(current), voltage_decay=float(voltage))

    def constants(self, times: Any = None) -> tuple:
        """What `dynamics_kernel` computes with, of its ``times`` or of two others, as a tensor."""
        tf = stack.tensorflow()
        kept = 1 - self.current_decay, 1 - self.voltage_decay
        if times is not None:
            kept = tf.unstack(tf.exp(-tf.exp(-times)))
        return *kept, 0.0, 0.0

    def _rules(self):
        share = (lambda value: 0 < value <= 1, "a share above 0 to 1")
        return {**super()._rules(), "current_decay": share, "voltage_decay": share}

    def response(self, n_steps: int) -> np.ndarray:
        """What one unit of current does to the potential without spikes, (n_steps,) float array."""
        steps = np.arange(n_steps)
        current = (1 - self.current_decay) ** steps
        voltage = (1 - self.voltage_decay) ** steps
        return np.convolve(current, voltage)[:n_steps]

    @property
    def tau_s(self) -> float:
        """Time constant of the alpha function that lags as much on average, in steps.

        With equal decays that alpha function is the response, a step earlier.
        """
        decays = np.array([self.current_decay, self.voltage_decay])
        with np.errstate(divide="ignore"):  # a decay of one forgets at once
            return float(-1 / np.log1p(-decays) @ [0.5, 0.5])


MODELS = {model.kind: model for model in (SpikeResponseModel, CurrentBasedLIF)}


def _log_time(decay):
    """Logarithm of a time constant; of a decay of one, which forgets at once, of a hundredth."""
    return -math.log(-math.log1p(-decay)) if decay < 1 else math.log(0.01)


def alpha(tau, n_steps):
    """Alpha function ``k / tau exp(1 - k / tau)``, which peaks at one, (n_steps,) float array."""
    k = np.arange(n_steps)
    return k / tau * np.exp(1 - k / tau)


def to_config(model):
    """A neuron model as a dict of plain values."""
    return {"kind": model.kind, **{name: getattr(model, name) for name in model.parameters}}


def from_config(config):
    """The neuron model of a dict from `to_config`.

    Raises
    ------
    ConversionError
        If its kind is unknown.
    """
    if not isinstance(config, dict):
        return config
    config = dict(config)
    kind = config.pop("kind", None)
    if kind not in MODELS:
        raise ConversionError(
            f"neuron model {kind!r} is unknown: choose one of {', '.join(MODELS)}"
        )
    return MODELS[kind](**config)
