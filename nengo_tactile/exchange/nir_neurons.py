"""NIR's nodes that have a state as neurons of stages, one step at a time."""

import dataclasses
import math

import numpy as np

from nengo_tactile.errors import ConversionError
from nengo_tactile.exchange.nir_files import Node
from nengo_tactile.exchange.profiles import Profile
from nengo_tactile.networks.neurons import IntegrateFire, Neuron, Sum


@dataclasses.dataclass(frozen=True, eq=False)
class Population:
    """Neurons of a node, and what their inputs are multiplied with.

    Attributes
    ----------
    neuron : Neuron
    gain : (n,) float array
        Of what arrives over links.
    bias, start : (n,) float array
    behind : Neuron or None
        A second stage that reads the first one.
    behind_gain : (n,) array or None
    """

    neuron: Neuron
    gain: np.ndarray
    bias: np.ndarray
    start: np.ndarray
    behind: Neuron | None = None
    behind_gain: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Rules:
    """How steps are taken.

    Attributes
    ----------
    profile : Profile
    dt : float
        Seconds.
    reset : {"zero", "subtract"}
    spikes_per_step : int
    floor : float or None
        Least potential in thresholds; None for the profile's, which is of IF neurons alone.
    """

    profile: Profile
    dt: float
    reset: str
    spikes_per_step: int
    floor: float | None

    def gain(self, r: np.ndarray) -> np.ndarray:
        """What an integrator gains in a step of an input of one."""
        if not self.profile.follows_r:
            if not np.allclose(r, 1):
                raise ConversionError(
                    f"its r goes from {r.min():g} to {r.max():g}, which {self.profile.version} "
                    "does not look at: give another profile, or r of 1 and the weights times r"
                )
            return np.ones_like(r)
        if np.allclose(r, 1) and self.dt < 1:
            raise ConversionError(
                f"its r is 1: in a step of {self.dt:g} s an input of one adds {self.dt:g}. sinabs, "
                "norse and snnTorch write 1 for neurons that add all of it: give profile='sinabs', "
                "'norse' or 'snntorch', or dt=1.0 for steps of a second"
            )
        return r * self.dt


class Reading:
    """Numbers of a node, each neuron's in our order.

    Parameters
    ----------
    node : Node
    shape : tuple of int
        Of the neurons, as NIR has it.
    order : (n,) int array
    """

    def __init__(self, node: Node, shape: tuple[int, ...], order: np.ndarray):
        self.node, self.shape, self.order = node, shape, order

    def each(self, name: str, default: float | None = None) -> np.ndarray:
        """Numbers of that name, (n,) float array."""
        if name not in self.node.values and default is not None:
            return np.full(len(self.order), default)
        if name not in self.node.values:
            raise ConversionError(f"has no {name}: write the graph again")
        values = np.asarray(self.node.values[name])
        if values.dtype.kind not in "biuf" or not np.isfinite(values).all():
            raise ConversionError(f"its {name} has values that are not finite: give numbers")
        if values.size == 1:
            return np.full(len(self.order), float(values.ravel()[0]))
        if values.shape != self.shape:
            raise ConversionError(
                f"its {name} has shape {values.shape}, what arrives {self.shape}: give one number, "
                "or one for each neuron"
            )
        return values.astype(float).ravel()[self.order]

    def one(self, name: str, values: np.ndarray) -> float:
        """The number that all neurons have."""
        if not np.allclose(values, values[0], rtol=1e-6, atol=0):
            raise ConversionError(
                f"its {name} goes from {values.min():g} to {values.max():g} in one node: give one "
                "number for all its neurons, or a node for each"
            )
        return float(values[0])

    def decay(self, name: str, rules: Rules) -> float:
        """Share lost in a step by the time constant of that name."""
        tau = self.one(name, self.each(name))
        decay = float(rules.profile.decay(tau, rules.dt))
        if not 0 < decay <= 1 + 1e-9:
            raise ConversionError(
                f"its {name} is {tau:g} s at steps of {rules.dt:g} s, of which "
                f"{rules.profile.version} loses a share of {decay:g}: give dt of at most {name}"
            )
        return min(decay, 1.0)


def _integrator(reading, rules):
    r = reading.each("r")
    none = np.zeros_like(r)
    return Population(Sum(0.0), rules.gain(r), none, none)


def _leaky_integrator(reading, rules):
    decay, r, leak = reading.decay("tau", rules), reading.each("r"), reading.each("v_leak", 0.0)
    gain = np.ones_like(r) if rules.profile.unit_input else r * decay
    return Population(Sum(decay), gain, leak * decay, leak)


def _current_based_integrator(reading, rules):
    gain, currents = _current(reading, rules)
    decay, leak = reading.decay("tau_mem", rules), reading.each("v_leak", 0.0)
    if leak.any():
        raise ConversionError("its v_leak is not 0: add it to what its readers get as a bias")
    none = np.zeros_like(leak)
    behind = reading.each("r") * decay
    return Population(Sum(currents), gain, none, none, Sum(decay), behind)


def _current(reading, rules):
    """What an input of one adds to the current, and the share of it that is lost in a step."""
    decay = reading.decay("tau_syn", rules)
    return reading.each("w_in", 1.0) * decay, decay


def _integrate_fire(reading, rules):
    gain = rules.gain(reading.each("r"))
    none = np.zeros_like(gain)
    floor = rules.profile.floor if rules.floor is None else rules.floor
    return _firing(reading, rules, {"voltage_decay": 0.0}, gain, none, none, floor)


def _leaky(reading, rules):
    decay, r, leak = reading.decay("tau", rules), reading.each("r"), reading.each("v_leak", 0.0)
    gain = np.ones_like(r) if rules.profile.unit_input else r * decay
    floor = -math.inf if rules.floor is None else rules.floor
    return _firing(reading, rules, {"voltage_decay": decay}, gain, leak, leak * decay, floor)


def _current_based(reading, rules):
    gain, currents = _current(reading, rules)
    decay, leak = reading.decay("tau_mem", rules), reading.each("v_leak", 0.0)
    if not np.array_equal(leak, reading.each("v_reset", 0.0)):
        raise ConversionError(
            "its v_leak is not its v_reset: what neurons with a current get at each step goes "
            "through the current here; give both as 0, and the difference as a bias before"
        )
    floor = -math.inf if rules.floor is None else rules.floor
    decays = {"current_decay": currents, "voltage_decay": decay}
    # potentials are counted from v_leak on, where they rest
    return _firing(reading, rules, decays, gain * reading.each("r") * decay, leak, None, floor)


def _firing(reading, rules, decays, gain, rest, bias, floor):
    """Neurons whose potential is counted from ``v_reset`` on.

    ``rest`` is the potential at the start, ``bias`` what arrives at each step of a potential
    counted from zero on; None where it is counted from its rest on.
    """
    reset = reading.each("v_reset", 0.0)
    thresholds = reading.each("v_threshold") - reset
    if (thresholds <= 0).any():
        raise ConversionError(
            f"its v_threshold less v_reset goes from {thresholds.min():g}: give thresholds above it"
        )
    bias = np.zeros_like(reset) if bias is None else bias - reset * decays["voltage_decay"]
    start, threshold = rest - reset, float(thresholds[0])
    if not np.all(thresholds == threshold):  # each neuron in thresholds of its own
        gain, bias, start = gain / thresholds, bias / thresholds, start / thresholds
        threshold = 1.0
    least = floor * threshold
    if rules.profile.strict:
        threshold = float(np.nextafter(np.float32(threshold), np.float32(np.inf)))
    neuron = IntegrateFire(
        **decays,
        threshold=threshold,
        reset=rules.reset,
        spikes_per_step=rules.spikes_per_step,
        floor=least,
    )
    return Population(neuron, gain, bias, start)


def _threshold(reading, rules):
    thresholds = reading.each("threshold")
    if (thresholds <= 0).any():
        raise ConversionError("its threshold is not above zero, where it would fire at all steps")
    neuron = IntegrateFire(voltage_decay=1.0, threshold=1.0, reset="zero")
    none = np.zeros_like(thresholds)
    return Population(neuron, 1 / thresholds, none, none)


#: How each node with a state is read: ``read(reading, rules)``.
NEURONS = {
    "I": _integrator,
    "LI": _leaky_integrator,
    "CubaLI": _current_based_integrator,
    "IF": _integrate_fire,
    "LIF": _leaky,
    "CubaLIF": _current_based,
    "Threshold": _threshold,
}
