"""How a sample arrives over time at a network that adds up what arrives.

A coding belongs to a network (`nengo_tactile.SpikingNetwork`): the same image gives
other spikes with another coding. Both are parameters alone, kept as JSON values.
"""

import dataclasses
import math
from typing import ClassVar

import numpy as np

from nengo_tactile.errors import DataError, EngineError
from nengo_tactile.events.encoders import DELAY_SPAN, SILENT_UP_TO, spike_delays


def _check_steps(n_steps):
    if isinstance(n_steps, bool) or n_steps != int(n_steps) or n_steps < 1:
        raise DataError(f"input coding: n_steps is {n_steps}: give a whole number of at least 1")


@dataclasses.dataclass(frozen=True)
class DelayCoding:
    """At most one spike per pixel, the bright ones first (sigma-delta paper, section III).

    An intensity ``v`` fires at the time ``span * (1 - v) / (1 - silent_up_to)``; with the paper's
    numbers that is ``1 - v``. In all, an image is worth one bit per pixel.

    Attributes
    ----------
    n_steps : int
        Steps that the span is divided into; a spike falls into the step that holds its time.
    silent_up_to : float
        Intensities up to this stay silent.
    span : float
        Time of the latest spike, in the paper's time units.
    largest : float
        Value of a pixel of intensity 1, and what a spike is worth: 255 for images of 0..255.
    """

    n_steps: int = 32
    silent_up_to: float = SILENT_UP_TO
    span: float = DELAY_SPAN
    largest: float = 1.0

    kind: ClassVar[str] = "delay"
    # whether input arrives as spikes, which cost operations
    spikes: ClassVar[bool] = True

    def __post_init__(self):
        _check_steps(self.n_steps)
        for name, value, good in (
            ("silent_up_to", self.silent_up_to, 0 <= self.silent_up_to < 1),
            ("span", self.span, 0 < self.span < math.inf),
            ("largest", self.largest, 0 < self.largest < math.inf),
        ):
            if not good:
                raise DataError(
                    f"delay coding: {name} is {value}: give 0 <= silent_up_to < 1, and span and "
                    "largest finite and above zero"
                )

    def times(self, x: np.ndarray) -> np.ndarray:
        """When each pixel fires, in time units; infinity for those that do not.

        Parameters
        ----------
        x : (n_samples, ...) array

        Returns
        -------
        float64 array of the same shape

        Raises
        ------
        DataError
            For values below 0, above `largest`, NaN or infinite.
        """
        x = np.asarray(x)
        self.check(x)
        x = x.astype(np.result_type(x.dtype, np.float32), copy=False)
        return spike_delays(x / x.dtype.type(self.largest), self.silent_up_to, self.span)

    def check(self, x: np.ndarray) -> None:
        """Refuse values that are no intensities.

        Raises
        ------
        DataError
            Naming the first one and its index.
        """
        bad = ~((x >= 0) & (x <= self.largest))
        if bad.any():
            index = tuple(int(i) for i in np.argwhere(bad)[0])
            raise DataError(
                f"delay coding: value {x[index]} at index {index}, intensities go from 0 to "
                f"{self.largest:g}: scale the images, give DelayCoding(largest=...), or for values "
                "of both signs coding='current'"
            )

    def signal(self, x: np.ndarray, n_steps: int, first: int = 0) -> np.ndarray:
        """Spikes in each step, worth `largest`: (n_samples, n_steps, n_pixels) float32 array.

        Parameters
        ----------
        x : (n_samples, ...) array
        n_steps : int
            Of the whole presentation; nothing arrives after the first ``self.n_steps``.
        first : int
            Number of the first sample, for errors.
        """
        times = self.times(x).reshape(len(x), 1, -1)
        fires, steps = np.isfinite(times), self.steps(times)
        signal = np.zeros((len(x), max(n_steps, self.n_steps), times.shape[2]), np.float32)
        np.put_along_axis(signal, steps, fires * np.float32(self.largest), axis=1)
        return signal[:, :n_steps]

    def steps(self, times: np.ndarray) -> np.ndarray:
        """Step that each time of `times` falls into, int64 array; 0 where nothing fires."""
        # float32 intensities that lie on a step's edge must not slip into the step before
        share = np.where(np.isfinite(times), times, 0) / self.span + 1e-6
        return np.minimum((share * self.n_steps).astype(np.int64), self.n_steps - 1)

    def total(self, x: np.ndarray) -> np.ndarray:
        """What arrives in all: the image of one bit, `largest` or 0, float32."""
        return np.isfinite(self.times(x)) * np.float32(self.largest)


@dataclasses.dataclass(frozen=True)
class CurrentCoding:
    """The image as a current: equal parts in the first steps, which add up to it.

    Attributes
    ----------
    n_steps : int
        Steps that it is divided among.
    """

    n_steps: int = 16

    kind: ClassVar[str] = "current"
    spikes: ClassVar[bool] = False

    def __post_init__(self):
        _check_steps(self.n_steps)

    def check(self, x: np.ndarray) -> None:
        """Take any finite values, which arrays of samples are checked for before."""

    def signal(self, x: np.ndarray, n_steps: int, first: int = 0) -> np.ndarray:
        """Current in each step, (n_samples, n_steps, n_pixels) float32 array.

        Parameters
        ----------
        x : (n_samples, ...) array
        n_steps : int
            Of the whole presentation; nothing arrives after the first ``self.n_steps``.
        first : int
            Number of the first sample, for errors.
        """
        part = np.asarray(x, np.float32).reshape(len(x), 1, -1) / np.float32(self.n_steps)
        signal = np.zeros((len(x), n_steps, part.shape[2]), np.float32)
        signal[:, : self.n_steps] = part
        return signal

    def total(self, x: np.ndarray) -> np.ndarray:
        """What arrives in all: the image, float32."""
        return np.asarray(x, np.float32)


@dataclasses.dataclass(frozen=True)
class StepCoding:
    """Samples that say themselves what arrives at each step: spikes of any worth."""

    kind: ClassVar[str] = "steps"
    spikes: ClassVar[bool] = True

    def signal(self, x: np.ndarray, n_steps: int, first: int = 0) -> np.ndarray:
        """What arrives in each step, (n_samples, n_steps, n_inputs) float32 array.

        Parameters
        ----------
        x : (n_samples, n_steps, ...) array
        n_steps : int
            Later ones are not read.
        first : int
            Number of the first sample, for errors.

        Raises
        ------
        EngineError
            For values that are not finite.
        """
        x = np.asarray(x, np.float32)[:, :n_steps]
        # compiled loops know arrays that are in order and may be written
        x = np.require(x.reshape(*x.shape[:2], -1), requirements=["C", "W"])
        if not np.isfinite(x).all():
            bad = first + int(np.argmin(np.isfinite(x).all((1, 2))))
            raise EngineError(f"sample {bad} has values that are not finite: give spikes")
        return x


CODINGS = {coding.kind: coding for coding in (DelayCoding, CurrentCoding)}


def named_coding(coding, dtype=np.float32):
    """A coding by its name.

    Parameters
    ----------
    coding : {"delay", "current"}, DelayCoding or CurrentCoding
    dtype : numpy dtype
        Of the samples: images of bytes have intensities up to 255.

    Raises
    ------
    DataError
        For another name.
    """
    if isinstance(coding, tuple(CODINGS.values())):
        return coding
    if coding not in CODINGS:
        raise DataError(
            f"input coding is {coding!r}: choose one of {', '.join(CODINGS)}, or give "
            "DelayCoding() or CurrentCoding()"
        )
    if coding == "delay" and np.dtype(dtype) == np.uint8:
        return DelayCoding(largest=255.0)
    return CODINGS[coding]()


def coding_to_dict(coding):
    """A coding, or None, as JSON values."""
    return None if coding is None else {"kind": coding.kind, **dataclasses.asdict(coding)}


def coding_from_dict(values):
    """The coding that `coding_to_dict` wrote.

    Raises
    ------
    DataError
        For an unknown kind or settings out of range.
    TypeError
        For settings that the kind has not.
    """
    if values is None:
        return None
    values = dict(values)
    kind = values.pop("kind", None)
    if kind not in CODINGS:
        raise DataError(f"input coding is {kind!r}: choose one of {', '.join(CODINGS)}")
    return CODINGS[kind](**values)
