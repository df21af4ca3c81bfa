"""What a reader of a report can explore: data of the page, of which its script makes pictures."""

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nengo_tactile.errors import DataError

#: Numbers of a page's samples, in all: at two bytes each, in base64.
MOST_VALUES = 200_000
#: Pixels of a page's samples, in all: a byte each.
MOST_PIXELS = 600_000


@dataclasses.dataclass(frozen=True)
class Readings:
    """Values of a picture's curves, read at the pointer.

    Attributes
    ----------
    left, right : float
        Where the first and the last value lie, as shares of the picture's width.
    top, bottom : float
        Ends of the axes, as shares of its height, from above.
    curves : dict of str to (n_steps,) sequence of float
        By name; shorter ones end earlier.
    unit : str
        What a step is called.
    percent : bool
        Whether values are shares.
    """

    left: float
    right: float
    top: float
    bottom: float
    curves: Mapping[str, Sequence[float]]
    unit: str = "step"
    percent: bool = True

    @classmethod
    def of(cls, figure: Any, curves: Mapping[str, Any], **told: Any) -> "Readings":
        """Of a figure whose only axes have steps, counted from 1, to the right."""
        (axes,) = figure.axes
        figure.draw_without_rendering()  # places the axes
        longest = max(len(curve) for curve in curves.values())
        left, right = axes.transData.transform([(1, 0), (longest, 0)])[:, 0] / figure.bbox.width
        box = axes.get_position()
        values = {name: np.asarray(curve, float).tolist() for name, curve in curves.items()}
        ends = float(left), float(right), float(1 - box.y1), float(1 - box.y0)
        return cls(*ends, values, **told)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; what is no number is None."""
        curves = {
            str(name): [round(v, 6) if np.isfinite(v) else None for v in map(float, curve)]
            for name, curve in self.curves.items()
        }
        return {**dataclasses.asdict(self), "curves": curves}


@dataclasses.dataclass(frozen=True)
class Sample:
    """A sample as a network read it.

    Attributes
    ----------
    number : int
        Among those of the run.
    label : int
        Its class.
    winners : (n_steps,) int array
        Class after each step.
    outputs : (n_steps, n_classes) float array
        After each step.
    spikes : dict of str to (n_steps,) int array
        Of each layer, at each step.
    frames : (n_frames, height, width) array or None
        What it is shown, from 0 to 1: one image, or how it grows over the steps.
    """

    number: int
    label: int
    winners: np.ndarray
    outputs: np.ndarray
    spikes: Mapping[str, np.ndarray]
    frames: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Explorer:
    """Samples to be stepped through; there is nothing of it on a page without scripts.

    Attributes
    ----------
    classes : sequence of str
    samples : sequence of Sample
        Of equally many steps. Those at the end that do not fit `MOST_VALUES` and `MOST_PIXELS`
        are left out.
    dt : float
        Length of a step in seconds.
    """

    classes: Sequence[str]
    samples: Sequence[Sample]
    dt: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values.

        Raises
        ------
        DataError
            Without samples, and for those that do not fit the classes.
        """
        if not self.samples:
            raise DataError("an Explorer has no samples: give at least one, or leave it out")
        return {
            "classes": [str(name) for name in self.classes],
            "dt_ms": self.dt * 1e3,
            "samples": [self._told(sample) for sample in self._fitting()],
        }

    def _fitting(self):
        """The first samples, as many as there is room for."""
        fitting, values, pixels = [], 0, 0
        for sample in self.samples:
            values += sample.outputs.size + sum(np.size(n) for n in sample.spikes.values())
            pixels += 0 if sample.frames is None else sample.frames.size
            if fitting and (values > MOST_VALUES or pixels > MOST_PIXELS):
                break
            fitting.append(sample)
        return fitting

    def _told(self, sample):
        n_steps, n_classes = sample.outputs.shape
        if n_classes != len(self.classes) or len(sample.winners) != n_steps:
            raise DataError(
                f"sample {sample.number} has outputs of shape {sample.outputs.shape} and "
                f"{len(sample.winners)} winners for {len(self.classes)} classes: give an output "
                "for each class, and a winner for each step"
            )
        least, most = (float(end(sample.outputs)) for end in (np.min, np.max))
        span = most - least or 1.0
        shares = np.rint((sample.outputs - least) / span * 65535)
        frames = None
        if sample.frames is not None:
            whole = np.rint(np.clip(sample.frames, 0, 1) * 255)
            frames = {"shape": list(sample.frames.shape), "pixels": _bytes(whole, "u1")}
        return {
            "number": sample.number,
            "label": int(sample.label),
            "winners": np.asarray(sample.winners).tolist(),
            "outputs": {"least": least, "span": span, "shares": _bytes(shares, "<u2")},
            "spikes": {
                str(name): np.cumsum(counts).tolist() for name, counts in sample.spikes.items()
            },
            "frames": frames,
        }


def _bytes(values, dtype):
    """Whole numbers in base64."""
    return base64.b64encode(values.astype(dtype).tobytes()).decode()
