"""The hidden layer of a SKIM network: fixed random weights, kernels, non-linearity."""

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from nengo_tactile.errors import DataError
from nengo_tactile.skim.kernels import RANGES, Kernels, draw_kernels

NONLINEARITIES = ("tanh", "relu", "lif")

#: Bias of each non-linearity's neurons. LIF neurons lie at their threshold, so that they fire for
#: any positive current, as rectified ones do.
BIAS = {"tanh": 0.0, "relu": 0.0, "lif": 1.0}


@dataclass(frozen=True, eq=False)
class HiddenLayer:
    """What turns input patterns into hidden activity; it is drawn once and never trained.

    A hidden neuron's current is its kernel's response to the weighted sum of the inputs (its
    dendritic branch), plus its bias. Its activity is that current's tanh, or its positive part, or
    the spikes it makes a LIF neuron fire, low-pass filtered.

    Parameters
    ----------
    input_weights : (n_hidden, n_channels) float array
    kernels : Kernels
    nonlinearity : {"tanh", "relu", "lif"}
    bias : (n_hidden,) float array
    tau_rc, tau_ref : float
        Membrane and refractory time of LIF neurons in steps; Nengo's at 1 ms a step.
    trace : float
        Time constant of the filter of spikes in steps. With LIF neurons alone.
    drawn : dict or None
        The arguments with which `draw_layer` makes this layer again; None for layers made by hand.

    Raises
    ------
    DataError
        If shapes do not fit, or a value is not finite or out of its range.
    """

    input_weights: np.ndarray
    kernels: Kernels
    nonlinearity: str
    bias: np.ndarray
    tau_rc: float = 20.0
    tau_ref: float = 2.0
    trace: float = 20.0
    drawn: dict | None = None

    def __post_init__(self):
        for name in ("input_weights", "bias"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), float))
        if self.nonlinearity not in NONLINEARITIES:
            raise DataError(
                f"non-linearity {self.nonlinearity!r}: choose one of {', '.join(NONLINEARITIES)}"
            )
        shape, n_hidden = self.input_weights.shape, len(self.kernels)
        if len(shape) != 2 or shape[0] != n_hidden or not shape[1]:
            raise DataError(
                f"input weights have shape {shape}, but there are kernels for {n_hidden} hidden "
                f"neurons: give ({n_hidden}, n_channels)"
            )
        if self.bias.shape != (n_hidden,):
            raise DataError(
                f"the bias has shape {self.bias.shape}: give one number for each of the "
                f"{n_hidden} hidden neurons"
            )
        for name in ("input_weights", "bias"):
            bad = np.count_nonzero(~np.isfinite(getattr(self, name)))
            if bad:
                raise DataError(f"{name} has {bad} values that are not finite: draw them anew")
        for name, low in (("tau_rc", False), ("tau_ref", True), ("trace", False)):
            value = getattr(self, name)
            if not (math.isfinite(value) and (value >= 0 if low else value > 0)):
                raise DataError(
                    f"{name} is {value} steps: it must be finite and {'from' if low else 'above'} 0"
                )

    @property
    def n_hidden(self) -> int:
        """Hidden neurons."""
        return self.input_weights.shape[0]

    @property
    def n_inputs(self) -> int:
        """Input channels."""
        return self.input_weights.shape[1]

    def fingerprint(self) -> str:
        """A text that differs when anything of the layer does; how it was drawn does not count."""
        digest = hashlib.sha256(f"{self.kernels.kind} {self.nonlinearity}".encode())
        times = np.array([self.tau_rc, self.tau_ref, self.trace])
        kernels = self.kernels
        for values in (
            self.input_weights, self.bias, times, kernels.tau, kernels.delay, kernels.period,
        ):  # fmt: skip
            if values is not None:
                digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()


def draw_layer(
    n_hidden: int,
    n_channels: int,
    seed: int,
    kind: str = "alpha",
    nonlinearity: str = "tanh",
    scale: float = 1.0,
    **ranges: Any,
) -> HiddenLayer:
    """Draw a hidden layer.

    Parameters
    ----------
    n_hidden, n_channels : int
    seed : int
        Kernels and weights are drawn from separate streams of it: the same seed and another
        ``scale`` or ``nonlinearity`` give the same kernels.
    kind : str
        Of the kernels.
    nonlinearity : {"tanh", "relu", "lif"}
    scale : float
        Weights are uniform from ``-scale`` to ``scale`` over the root of the number of channels, so
        that currents do not grow with it.
    **ranges
        ``tau``, ``delay`` and ``period``, as for `draw_kernels`.

    Returns
    -------
    HiddenLayer

    Raises
    ------
    DataError
        If a number is out of its range.
    """
    if nonlinearity not in NONLINEARITIES:
        raise DataError(
            f"non-linearity {nonlinearity!r}: choose one of {', '.join(NONLINEARITIES)}"
        )
    if n_channels < 1:
        raise DataError(f"a hidden layer for {n_channels} channels: give at least one channel")
    if not (math.isfinite(scale) and scale > 0):
        raise DataError(f"scale of the input weights is {scale}: it must be finite and above 0")
    sequence = np.random.SeedSequence(seed)
    for_kernels, for_weights = sequence.spawn(2)
    kernels = draw_kernels(kind, n_hidden, for_kernels, **ranges)
    span = scale / math.sqrt(n_channels)
    weights = np.random.default_rng(for_weights).uniform(-span, span, (n_hidden, n_channels))
    bias = np.full(n_hidden, BIAS[nonlinearity])
    spans = RANGES[kind] | {name: span for name, span in ranges.items() if span is not None}
    drawn = {
        "n_hidden": int(n_hidden),
        "n_channels": int(n_channels),
        "seed": sequence.entropy,
        "kind": kind,
        "nonlinearity": nonlinearity,
        "scale": float(scale),
        **{name: tuple(map(float, span)) for name, span in spans.items()},
    }
    return HiddenLayer(weights, kernels, nonlinearity, bias, drawn=drawn)


def check_weights(layer, weights):
    """Return output weights as float array.

    Raises
    ------
    DataError
        If they are not for this layer, or not finite.
    """
    weights = np.array(weights, float)
    if weights.ndim != 2 or weights.shape[1] != layer.n_hidden or not len(weights):
        raise DataError(
            f"output weights have shape {weights.shape}, but there are {layer.n_hidden} hidden "
            f"neurons: give (n_classes, {layer.n_hidden})"
        )
    if not np.isfinite(weights).all():
        raise DataError(
            f"output weights have {np.count_nonzero(~np.isfinite(weights))} values that are not "
            "finite: train anew, with a larger ridge"
        )
    return weights
