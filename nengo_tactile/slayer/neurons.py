"""Neuron models of SLAYER networks: what they are, as numbers. Time is in steps.

`dynamics` runs them in TensorFlow, `nengo_tactile.neurons` in Nengo.
"""

import dataclasses
import math

import numpy as np

from nengo_tactile.errors import ConversionError

#: Spikemax paper, section IV: 10 mV for all networks.
THRESHOLD = 10.0
#: Spikemax paper, section II.A: what a spike takes away, in thresholds, at its most.
REFRACTORY = 2.0


@dataclasses.dataclass(frozen=True)
class SpikeResponseModel:
    """Spike response model (Spikemax paper, section II.A).

    With the input current ``I``, the potential and the spikes at step ``t`` are

    ``u[t] = sum_k eps(k) I[t - k] + sum_k nu(k) s[t - k]``, ``s[t] = u[t] >= threshold``,

    where ``eps(k) = k / tau_s exp(1 - k / tau_s)`` and
    ``nu(k) = -refractory threshold k / tau_r exp(1 - k / tau_r)``, both zero at ``k = 0``.

    Parameters
    ----------
    tau_s, tau_r : float
        Time constants of response and refractoriness, in steps.
    threshold : float
        Millivolts.
    refractory : float
        The deepest point of ``nu``, in thresholds.

    Raises
    ------
    ConversionError
        If one of them is not finite and above zero (``refractory`` may be zero).
    """

    tau_s: float = 5.0
    tau_r: float = 5.0
    threshold: float = THRESHOLD
    refractory: float = REFRACTORY

    kind = "spike-response"

    def __post_init__(self):
        _require(self, {"tau_s", "tau_r", "threshold"}, {"refractory"})

    def response(self, n_steps: int) -> np.ndarray:
        """What one unit of current does to the potential, (n_steps,) float array."""
        return alpha(self.tau_s, n_steps)

    def refractoriness(self, n_steps: int) -> np.ndarray:
        """What a spike does to the potential, (n_steps,) float array."""
        return -self.refractory * self.threshold * alpha(self.tau_r, n_steps)


@dataclasses.dataclass(frozen=True)
class CurrentBasedLIF:
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

    kind = "current-based"

    def __post_init__(self):
        _require(self, {"threshold"}, set())
        for name in ("current_decay", "voltage_decay"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise ConversionError(
                    f"{type(self).__name__}: {name} is {value}: give a share above 0 to 1"
                )

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


def alpha(tau, n_steps):
    """Alpha function ``k / tau exp(1 - k / tau)``, which peaks at one, (n_steps,) float array."""
    k = np.arange(n_steps)
    return k / tau * np.exp(1 - k / tau)


def to_config(model):
    """A neuron model as a dict of plain values."""
    return {"kind": model.kind, **dataclasses.asdict(model)}


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


def _require(model, above, from_zero):
    for name in sorted(above | from_zero):
        value = getattr(model, name)
        if not (math.isfinite(value) and (value > 0 or (name in from_zero and value == 0))):
            least = "from zero" if name in from_zero else "above zero"
            raise ConversionError(
                f"{type(model).__name__}: {name} is {value}: give a finite number {least}"
            )
