"""Synaptic kernels of the Synaptic Kernel Inverse Method: what a hidden neuron makes of a spike.

Five kernels (Tapson et al. 2013, Front. Neurosci. 7:153, Table 1), each with time constants and
delays of its own for every hidden neuron. All are zero before the spike, and peak at one, so that
input weights mean the same for all. The non-linearity that follows them there is the neuron's.

Each is a weighted sum of the last inputs (a delay, or a Gaussian), followed by a linear recursion
of two states, so a step costs the same however long the kernel is.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nengo_tactile.errors import DataError
from nengo_tactile.lazy import compiled

#: Seconds of a step: the paper bins events to milliseconds (Cohen et al. 2016, equation 3).
DT = 0.001
KINDS = ("leaky", "alpha", "resonance", "delay-alpha", "delay-gaussian")

#: Ranges from which `draw_kernels` draws, in steps: time constant, delay, period. The paper gives
#: none; Table 1 of Tapson et al. (2013) has its kernels peak 100 steps after the spike, which is
#: the mean peak here: alpha kernels peak one time constant, oscillations without damping a quarter
#: of a period, and Gaussians no time after the delay.
RANGES = {
    "leaky": {"tau": (50.0, 150.0)},
    "alpha": {"tau": (50.0, 150.0)},
    "resonance": {"tau": (50.0, 150.0), "period": (200.0, 600.0)},
    "delay-alpha": {"tau": (10.0, 40.0), "delay": (0.0, 150.0)},
    "delay-gaussian": {"tau": (5.0, 20.0), "delay": (50.0, 150.0)},
}

#: A Gaussian ends where it falls below this.
SMALLEST = 1e-9


@dataclass(frozen=True, eq=False)
class Kernels:
    """Kernels of one kind, one for each hidden neuron.

    Parameters
    ----------
    kind : {"leaky", "alpha", "resonance", "delay-alpha", "delay-gaussian"}
    tau : (n_neurons,) float array
        Time constants in steps; the standard deviation of a Gaussian.
    delay : (n_neurons,) array, optional
        Whole steps, for the kinds that have a delay.
    period : (n_neurons,) float array, optional
        Steps, for "resonance" alone.

    Raises
    ------
    DataError
        If a parameter is missing, out of place or out of its range.
    """

    kind: str
    tau: np.ndarray
    delay: np.ndarray | None = None
    period: np.ndarray | None = None

    def __post_init__(self):
        if self.kind not in KINDS:
            raise DataError(f"kernels of kind {self.kind!r}: choose one of {', '.join(KINDS)}")
        for name in ("tau", "delay", "period"):
            values = getattr(self, name)
            if (values is not None) != (name in RANGES[self.kind]):
                wanted = " and ".join(RANGES[self.kind])
                raise DataError(
                    f"kernels of kind {self.kind!r} take {wanted}: {name} is "
                    f"{'missing' if values is None else 'one too many'}"
                )
            if values is None:
                continue
            values = np.array(values, float)
            _check(self.kind, name, values, np.shape(self.tau))
            object.__setattr__(self, name, values)

    def __len__(self):
        return len(self.tau)

    def part(self, neurons: Any) -> "Kernels":
        """The kernels of some of the neurons: a slice, a mask or their numbers."""

        def of(values):
            return None if values is None else values[neurons]

        return Kernels(self.kind, of(self.tau), of(self.delay), of(self.period))


def _check(kind, name, values, shape):
    if values.ndim != 1 or values.shape != shape or not len(values):
        raise DataError(
            f"{name} of {kind!r} kernels has shape {values.shape}: give one number for each "
            f"neuron, as tau, whose shape is {shape}"
        )
    low = 0.0 if name == "delay" else np.nextafter(0, 1)
    low = 2.0 if name == "period" else low
    bad = ~(np.isfinite(values) & (values >= low))
    if name == "delay":
        bad |= values != np.round(values)
    if bad.any():
        first = int(np.argmax(bad))
        ranges = {"tau": "finite and above 0", "delay": "whole and from 0", "period": "from 2"}
        raise DataError(
            f"{name} of {kind!r} kernels is {values[first]} steps for neuron {first}: it must be "
            f"{ranges[name]}"
        )


def draw_kernels(
    kind: str,
    n_neurons: int,
    seed: int | np.random.SeedSequence | np.random.Generator,
    tau: tuple[float, float] | None = None,
    delay: tuple[float, float] | None = None,
    period: tuple[float, float] | None = None,
) -> Kernels:
    """Draw the kernels of a hidden layer, uniformly from ranges.

    Parameters
    ----------
    kind : {"leaky", "alpha", "resonance", "delay-alpha", "delay-gaussian"}
    n_neurons : int
    seed : int or numpy Generator
    tau, delay, period : (low, high), optional
        Steps. Default: `RANGES`. Delays are rounded to whole steps.

    Returns
    -------
    Kernels

    Raises
    ------
    DataError
        If the kind is unknown, a range does not belong to it, or there are no neurons.
    """
    if kind not in KINDS:
        raise DataError(f"kernels of kind {kind!r}: choose one of {', '.join(KINDS)}")
    if n_neurons < 1:
        raise DataError(f"kernels for {n_neurons} neurons: give at least one neuron")
    rng = np.random.default_rng(seed)
    given = {"tau": tau, "delay": delay, "period": period}
    drawn = {}
    for name, span in given.items():
        span = RANGES[kind].get(name) if span is None else span
        if span is None:
            continue
        low, high = span
        if not low <= high:
            raise DataError(f"range of {name} goes from {low} to {high} steps: give (low, high)")
        drawn[name] = rng.uniform(low, high, n_neurons)
    if "delay" in drawn:
        drawn["delay"] = np.round(drawn["delay"])
    return Kernels(kind, **drawn)


def impulse_response(kernels: Kernels, n_steps: int) -> np.ndarray:
    """The kernels in closed form (Tapson et al. 2013, Table 1), with a peak of one.

    With ``k`` the steps since the spike, less the delay: ``exp(-k / tau)``;
    ``k / tau * exp(1 - k / tau)``; ``exp(-k / tau) * sin(2 pi k / period)``, scaled to a peak of
    one; ``exp(-k ** 2 / (2 tau ** 2))``. All are zero where ``k < 0``, so the Gaussian is the
    falling half of one.

    Returns
    -------
    (n_steps, n_neurons) float array
        Step 0 is that of the spike.
    """
    k = np.arange(n_steps)[:, None] - (0 if kernels.delay is None else kernels.delay)
    there = k >= 0
    k = np.maximum(k, 0)
    tau = kernels.tau
    if kernels.kind == "leaky":
        values = np.exp(-k / tau)
    elif kernels.kind == "resonance":
        omega = 2 * np.pi / kernels.period
        values = np.exp(-k / tau) * np.sin(omega * k) / _resonance_peak(tau, omega)
    elif kernels.kind == "delay-gaussian":
        values = np.exp(-(k**2) / (2 * tau**2))
    else:
        values = k / tau * np.exp(1 - k / tau)
    return there * values


def _resonance_peak(tau, omega):
    """Height of ``exp(-t / tau) sin(omega t)`` at its first maximum, over continuous time."""
    peak = np.arctan(omega * tau) / omega
    return np.exp(-peak / tau) * np.sin(omega * peak)


class Recursion(NamedTuple):
    """How to compute kernels step by step.

    At each step ``u = sum(taps[i] * input[now - delay - i])``, then
    ``s, r = a s + b r + u, c s + d r``, and the output is ``p s + q r``.

    Attributes
    ----------
    coefficients : (6, n_neurons) float array
        a, b, c, d, p, q.
    delay : (n_neurons,) int array
    taps : (n_taps, n_neurons) float array
    """

    coefficients: np.ndarray
    delay: np.ndarray
    taps: np.ndarray

    @property
    def memoryless(self):
        """Whether there is no state: nothing but the weighted sum."""
        return not self.coefficients[:4].any()

    @property
    def weights(self):
        """Delay and taps in one: weights of the last inputs, (n_inputs, n_neurons)."""
        depth = int(self.delay.max()) + len(self.taps)
        weights = np.zeros((depth, len(self.delay)))
        neurons = np.arange(len(self.delay))
        for i, tap in enumerate(self.taps):
            weights[self.delay + i, neurons] = tap
        return weights


def recursion(kernels):
    """Make the `Recursion` of kernels.

    It is exact, but for Gaussians, which end where they fall below `SMALLEST`.
    """
    tau, n = kernels.tau, len(kernels)
    decay, zero, one = np.exp(-1 / tau), np.zeros(n), np.ones(n)
    delay = np.zeros(n, np.int64) if kernels.delay is None else kernels.delay.astype(np.int64)
    taps = np.ones((1, n))
    if kernels.kind == "leaky":
        rows = decay, zero, zero, zero, one, zero
    elif kernels.kind == "resonance":
        omega = 2 * np.pi / kernels.period
        cos, sin = decay * np.cos(omega), decay * np.sin(omega)
        rows = cos, -sin, sin, cos, zero, 1 / _resonance_peak(tau, omega)
    elif kernels.kind == "delay-gaussian":
        n_taps = math.ceil(tau.max() * math.sqrt(-2 * math.log(SMALLEST)))
        taps = impulse_response(Kernels(kernels.kind, tau, zero), n_taps)
        rows = zero, zero, zero, zero, one, zero
    else:
        rows = decay, zero, decay, decay, zero, math.e / tau
    return Recursion(np.array(rows), delay, taps)


def response(kernels, currents, first=0):
    """What kernels make of currents.

    Parameters
    ----------
    kernels : Kernels
    currents : (n_steps, n_neurons) float array
        Of one sample, from rest.
    first : int
        The first step to return.

    Returns
    -------
    (n_steps - first, n_neurons) float array

    Raises
    ------
    DataError
        If the numbers of neurons differ.
    """
    currents = np.ascontiguousarray(currents, float)
    if currents.ndim != 2 or currents.shape[1] != len(kernels):
        raise DataError(
            f"currents have shape {currents.shape}: give (n_steps, {len(kernels)}), a column "
            "for each kernel"
        )
    steps = recursion(kernels)
    out = np.empty_like(currents)
    begin = first if steps.memoryless else 0
    compiled(filter_currents)(currents, *steps, begin, out)
    return out[first:]


def filter_currents(currents, coefficients, delay, taps, begin, out):
    """Fill ``out`` from step ``begin`` on with what a `Recursion` makes of currents.

    Compiled by numba. Inputs before the first step are zero, and so are the states before step
    ``begin``.
    """
    n_steps, n = currents.shape
    n_taps = taps.shape[0]
    direct = n_taps == 1 and delay.max() == 0
    a, b, c, d, p, q = coefficients
    s, r, u = np.zeros(n), np.zeros(n), np.zeros(n)
    for step in range(begin, n_steps):
        if direct:
            for j in range(n):
                u[j] = currents[step, j] * taps[0, j]
        else:
            for j in range(n):
                total = 0.0
                for i in range(min(n_taps, step - delay[j] + 1)):
                    total += taps[i, j] * currents[step - delay[j] - i, j]
                u[j] = total
        for j in range(n):
            before = s[j]
            s[j] = a[j] * before + b[j] * r[j] + u[j]
            r[j] = c[j] * before + d[j] * r[j]
            out[step, j] = p[j] * s[j] + q[j] * r[j]
