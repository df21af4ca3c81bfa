"""What stages do with what arrives at them: neurons, maxima, sums. Times are in steps."""

import dataclasses
import math
from typing import ClassVar

from nengo_tactile.errors import ConversionError

RESETS = ("subtract", "zero")


class Neuron:
    """What a stage does with what arrives at it.

    Attributes
    ----------
    kind : str
        Its name in files.
    spikes : bool
        Whether what it sends are events, which cost synaptic operations.
    window : int
        Inputs of each neuron.
    forwards : bool
        Whether it sends what it gets on, in the same unit.
    leaks : bool
        Whether it forgets.
    graded : bool
        Whether its spikes are worth other numbers than one.
    remembers : bool
        Whether its potential depends on when spikes arrived.
    sends_changes : bool
        Whether spikes say by how much its value changes, which whoever reads them adds up.
    on_chip : bool
        Whether Loihi has such neurons, or the host beside it.
    """

    kind: ClassVar[str]
    spikes = True
    window = 1
    forwards = False
    leaks = False
    graded = False
    remembers = False
    sends_changes = False
    on_chip = True

    def __post_init__(self):
        for name, (holds, words) in self._rules().items():
            value = getattr(self, name)
            if not holds(value):
                raise ConversionError(f"{type(self).__name__}: {name} is {value}: give {words}")

    def _rules(self):
        """What holds for its numbers, {name: (function, words)}."""
        return {}

    def as_on_chip(self) -> tuple["Neuron", tuple[str, ...]]:
        """The nearest that Loihi has, and in words what it does otherwise."""
        return self, ()


ABOVE_ZERO = (lambda value: 0 < value < math.inf, "a finite number above zero")
FROM_ZERO = (lambda value: 0 <= value < math.inf, "a finite number from zero")
UP_TO_ZERO = (lambda value: value <= 0, "a number up to zero")
SHARE = (lambda value: 0 <= value <= 1, "a share from 0 to 1")
_COUNT = (lambda value: value == int(value) >= 1, "a whole number from 1")


@dataclasses.dataclass(frozen=True)
class IntegrateFire(Neuron):
    """Integrate-and-fire neurons, with or without leaks; they fire once a step at most.

    ``i = (1 - current_decay) i + arrived``, ``v = max((1 - voltage_decay) v + i, floor)``; a spike
    where ``v >= threshold``. For ``negative_slope``, ``signed`` and ``spikes_per_step`` see
    `nengo_tactile.neurons.integrate_fire`.

    Attributes
    ----------
    current_decay, voltage_decay : float
        Shares lost in a step; of the potential none by default.
    threshold : float
    reset : {"subtract", "zero"}
        What a spike does to ``v``.
    negative_slope : float
        Above zero, ``v <= -threshold`` fires too; a spike of either sign is worth so much below a
        net count of zero.
    signed : bool
        Whether spikes are taken back at ``v < 0``.
    spikes_per_step : int
        Most that a spike of either sign is worth.
    floor : float
        Least potential.
    whole : bool
        Whether what decays leave of ``i`` and ``v`` is rounded towards zero, as on Loihi.
    """

    kind = "integrate-fire"

    current_decay: float = 1.0
    voltage_decay: float = 0.0
    threshold: float = 1.0
    reset: str = "subtract"
    negative_slope: float = 0.0
    signed: bool = False
    spikes_per_step: int = 1
    floor: float = -math.inf
    whole: bool = False

    def __post_init__(self):
        super().__post_init__()
        if self.reset not in RESETS or (self.graded and self.reset == "zero"):
            raise ConversionError(
                f"IntegrateFire: reset is {self.reset!r}, negative_slope {self.negative_slope}, "
                f"signed {self.signed}, spikes_per_step {self.spikes_per_step}: choose 'subtract', "
                "or 'zero' for spikes of one"
            )

    def _rules(self):
        shares = dict.fromkeys(("current_decay", "voltage_decay", "negative_slope"), SHARE)
        return {
            "threshold": ABOVE_ZERO,
            "spikes_per_step": _COUNT,
            "floor": UP_TO_ZERO,
            **shares,
        }

    def as_on_chip(self):
        if self.signed or self.negative_slope:
            return self, ()
        lost = {
            "a spike sets to zero, and what was above the threshold is lost": self.reset != "zero",
            "neurons send at most one spike a step": self.spikes_per_step > 1,
            f"the floor of {self.floor:g} is the next power of two": self.floor > -math.inf,
            "whole numbers are scaled anew, to fill eight bits": self.whole,
        }
        changes = {"reset": "zero", "spikes_per_step": 1}
        changes = {name: new for name, new in changes.items() if getattr(self, name) != new}
        near = dataclasses.replace(self, **changes) if changes else self
        return near, tuple(words for words, applies in lost.items() if applies)

    @property
    def graded(self):
        return self.negative_slope > 0 or self.signed or self.spikes_per_step > 1

    @property
    def on_chip(self):
        return not self.graded

    @property
    def remembers(self):
        return self.leaks or self.floor > -math.inf

    @property
    def leaks(self):
        return self.current_decay != 1 or self.voltage_decay != 0


@dataclasses.dataclass(frozen=True)
class LIF(Neuron):
    """Nengo's neuron, solved between steps: ``tau_rc dv/dt = arrived - v``, a spike above 1.

    Attributes
    ----------
    tau_rc, tau_ref : float
        Steps.
    floor : float
        Least potential.
    """

    kind = "lif"

    tau_rc: float
    tau_ref: float = 0.0
    floor: float = 0.0
    leaks = True

    def _rules(self):
        return {"tau_rc": ABOVE_ZERO, "tau_ref": FROM_ZERO, "floor": UP_TO_ZERO}


@dataclasses.dataclass(frozen=True)
class SpikeResponse(Neuron):
    """Spike response model (Spikemax paper, section II.A).

    With the input current ``I``, the potential and the spikes at step ``t`` are

    ``u[t] = sum_k eps(k) I[t - k] + sum_k nu(k) s[t - k]``, ``s[t] = u[t] >= threshold``,

    where ``eps(k) = k / tau_s exp(1 - k / tau_s)`` and
    ``nu(k) = -refractory threshold k / tau_r exp(1 - k / tau_r)``, both zero at ``k = 0``.

    Attributes
    ----------
    tau_s, tau_r : float
        Time constants of response and refractoriness, in steps.
    threshold : float
    refractory : float
        The deepest point of ``nu``, in thresholds.
    """

    kind = "spike-response"

    tau_s: float = 5.0
    tau_r: float = 5.0
    threshold: float = 10.0
    refractory: float = 2.0
    leaks = True
    remembers = True
    on_chip = False

    def _rules(self):
        above = dict.fromkeys(("tau_s", "tau_r", "threshold"), ABOVE_ZERO)
        return {**above, "refractory": FROM_ZERO}


@dataclasses.dataclass(frozen=True)
class SigmaDelta(Neuron):
    """Adds up what arrives; fires 1 or -1 where what it has sent is a threshold or more off.

    Attributes
    ----------
    threshold : float
    rectify : bool
        Whether it sends the ReLU of its sum.
    """

    kind = "sigma-delta"

    threshold: float
    rectify: bool = True
    graded = True
    sends_changes = True
    on_chip = False

    def _rules(self):
        return {"threshold": ABOVE_ZERO}


@dataclasses.dataclass(frozen=True)
class MaxPool(Neuron):
    """Adds up each input of a window; sends by how much the largest sum rose."""

    kind = "max-pool"

    window: int
    forwards = True

    def _rules(self):
        return {"window": _COUNT}


@dataclasses.dataclass(frozen=True)
class Maximum(Neuron):
    """Sends the largest input of each window, of values and not of spikes."""

    kind = "maximum"

    window: int
    spikes = False

    def _rules(self):
        return {"window": _COUNT}


@dataclasses.dataclass(frozen=True)
class Sum(Neuron):
    """Sends ``v = (1 - decay) v + arrived``: what only adds up (1), what keeps all of it (0)."""

    kind = "sum"

    decay: float = 1.0
    spikes = False

    def _rules(self):
        return {"decay": SHARE}


#: Neurons by their names in files.
KINDS = {
    kind.kind: kind
    for kind in (IntegrateFire, LIF, SpikeResponse, SigmaDelta, MaxPool, Maximum, Sum)
}
