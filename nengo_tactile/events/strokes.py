"""Parametric digit strokes with writer styles: handwriting without any download."""

import dataclasses

import numpy as np

from nengo_tactile.errors import DataError
from nengo_tactile.events.trajectories import Trajectory

# Control points (x right, y up, roughly in a unit square) of each digit's strokes, in writing
# order; several ways of writing a digit where schools differ. Drawn by hand for this package.
# A point given twice is a corner.
DIGITS: dict[int, list[list[list[tuple[float, float]]]]] = {
    0: [
        [[(0.55, 1), (0.2, 0.86), (0.03, 0.5), (0.2, 0.12), (0.5, 0), (0.82, 0.14),
          (0.97, 0.52), (0.82, 0.88), (0.5, 1)]],
        [[(0.5, 1), (0.84, 0.86), (0.97, 0.5), (0.8, 0.12), (0.5, 0), (0.16, 0.14),
          (0.03, 0.5), (0.2, 0.88), (0.55, 1)]],
    ],
    1: [
        [[(0.5, 1), (0.5, 0.5), (0.5, 0)]],
        [[(0.25, 0.75), (0.42, 0.88), (0.55, 1), (0.55, 1), (0.55, 0.5), (0.55, 0)]],
        [[(0.25, 0.75), (0.42, 0.88), (0.5, 1), (0.5, 1), (0.5, 0.5), (0.5, 0)],
         [(0.2, 0.0), (0.5, 0.0), (0.8, 0.0)]],
    ],
    2: [
        [[(0.1, 0.76), (0.24, 0.95), (0.52, 1), (0.83, 0.88), (0.85, 0.64), (0.6, 0.36),
          (0.3, 0.14), (0.08, 0), (0.08, 0), (0.5, 0.0), (0.95, 0.02)]],
        [[(0.08, 0.8), (0.3, 0.98), (0.64, 0.98), (0.84, 0.76), (0.7, 0.46), (0.4, 0.16),
          (0.16, 0.02), (0.06, 0.12), (0.2, 0.2), (0.48, 0.08), (0.74, 0), (0.98, 0.08)]],
    ],
    3: [
        [[(0.1, 0.85), (0.34, 1), (0.68, 0.98), (0.84, 0.8), (0.7, 0.6), (0.4, 0.53),
          (0.4, 0.53), (0.74, 0.46), (0.92, 0.26), (0.74, 0.05), (0.4, 0), (0.08, 0.14)]],
        [[(0.1, 1), (0.45, 1), (0.85, 1), (0.85, 1), (0.64, 0.8), (0.44, 0.58), (0.44, 0.58),
          (0.78, 0.52), (0.92, 0.28), (0.74, 0.05), (0.42, 0), (0.08, 0.12)]],
    ],
    4: [
        [[(0.45, 1), (0.26, 0.68), (0.05, 0.34), (0.05, 0.34), (0.5, 0.34), (0.95, 0.36)],
         [(0.68, 0.66), (0.67, 0.34), (0.65, 0)]],
        [[(0.12, 1), (0.08, 0.72), (0.08, 0.46), (0.08, 0.46), (0.48, 0.45), (0.86, 0.48)],
         [(0.78, 1), (0.77, 0.5), (0.75, 0)]],
        [[(0.72, 0), (0.72, 0.5), (0.72, 1), (0.72, 1), (0.4, 0.66), (0.05, 0.32), (0.05, 0.32),
          (0.5, 0.32), (0.98, 0.33)]],
    ],
    5: [
        [[(0.2, 1), (0.17, 0.78), (0.14, 0.56), (0.14, 0.56), (0.42, 0.66), (0.74, 0.58),
          (0.9, 0.34), (0.76, 0.08), (0.42, 0), (0.08, 0.1)],
         [(0.2, 1), (0.52, 1), (0.88, 1)]],
        [[(0.88, 1), (0.54, 1), (0.2, 1), (0.2, 1), (0.18, 0.8), (0.15, 0.58), (0.15, 0.58),
          (0.46, 0.65), (0.78, 0.54), (0.9, 0.3), (0.74, 0.06), (0.4, 0), (0.08, 0.12)]],
    ],
    6: [
        [[(0.8, 1), (0.5, 0.92), (0.2, 0.66), (0.08, 0.34), (0.22, 0.06), (0.56, 0),
          (0.88, 0.2), (0.86, 0.5), (0.56, 0.64), (0.26, 0.54), (0.1, 0.32)]],
        [[(0.68, 1), (0.36, 0.84), (0.14, 0.54), (0.1, 0.26), (0.3, 0.02), (0.66, 0.02),
          (0.9, 0.3), (0.74, 0.58), (0.42, 0.58), (0.14, 0.34)]],
    ],
    7: [
        [[(0.2, 0.94), (0.5, 0.97), (0.8, 1), (0.8, 1), (0.66, 0.66), (0.52, 0.32), (0.44, 0)]],
        [[(0.2, 0.94), (0.5, 0.97), (0.8, 1), (0.8, 1), (0.64, 0.6), (0.5, 0.26), (0.42, 0)],
         [(0.32, 0.44), (0.55, 0.44), (0.78, 0.46)]],
        [[(0.2, 0.92), (0.5, 0.95), (0.78, 1), (0.78, 1), (0.7, 0.72), (0.6, 0.4), (0.58, 0.2),
          (0.58, 0)]],
    ],
    8: [
        [[(0.78, 0.86), (0.5, 1), (0.2, 0.9), (0.2, 0.68), (0.5, 0.52), (0.82, 0.32),
          (0.76, 0.06), (0.46, 0), (0.16, 0.1), (0.16, 0.32), (0.48, 0.52), (0.76, 0.7),
          (0.8, 0.88)]],
        [[(0.5, 0.54), (0.2, 0.7), (0.26, 0.94), (0.54, 1), (0.8, 0.88), (0.76, 0.68),
          (0.5, 0.54), (0.18, 0.36), (0.14, 0.12), (0.44, 0), (0.8, 0.08), (0.84, 0.34),
          (0.54, 0.54)]],
    ],
    9: [
        [[(0.84, 0.82), (0.56, 1), (0.22, 0.9), (0.14, 0.66), (0.36, 0.5), (0.66, 0.58),
          (0.84, 0.82), (0.84, 0.82), (0.82, 0.5), (0.76, 0.24), (0.66, 0)]],
        [[(0.82, 0.84), (0.54, 1), (0.2, 0.86), (0.2, 0.6), (0.5, 0.5), (0.8, 0.72),
          (0.84, 0.9), (0.82, 0.5), (0.74, 0.16), (0.48, 0), (0.2, 0.06)]],
    ],
}  # fmt: skip

_POINTS_PER_SEGMENT = 6


@dataclasses.dataclass(frozen=True)
class WriterStyle:
    """How one writer forms digits; lengths are relative to the digit's height.

    Attributes
    ----------
    slant : float
        Horizontal shift per height (0.2 leans right).
    aspect : float
        Width over height, relative to the drawn digits.
    waist : float
        Exponent on the height, which moves the middle: over 1 gives small lower loops.
    roundness : float
        0 cuts corners straight between the control points, 1 follows the smooth curve.
    curve_slowing : float
        Exponent of speed on radius of curvature; 1/3 is the two-thirds power law of hand
        movement (Lacquaniti, Terzuolo & Viviani, Acta Psychologica 54, 1983).
    tremor : float
        SD of a wandering displacement of the pen.
    sloppiness : float
        SD of each control point from sample to sample.
    variants : tuple of int
        Which way of writing each digit the writer learnt.
    """

    slant: float
    aspect: float
    waist: float
    roundness: float
    curve_slowing: float
    tremor: float
    sloppiness: float
    variants: tuple[int, ...]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "WriterStyle":
        """Draw one writer from the population.

        The spreads are chosen by eye so that digits stay legible; only what reaches the skin is
        fitted (see tools/eskin_fit.py).

        Parameters
        ----------
        rng : numpy Generator
        """
        return cls(
            slant=rng.normal(0.08, 0.14),
            aspect=np.exp(rng.normal(0.0, 0.12)),
            waist=np.exp(rng.normal(0.0, 0.10)),
            roundness=rng.beta(6, 1.5),
            curve_slowing=rng.uniform(0.1, 0.33),
            tremor=np.exp(rng.normal(np.log(0.008), 0.4)),
            sloppiness=np.exp(rng.normal(np.log(0.028), 0.3)),
            variants=tuple(int(rng.integers(len(DIGITS[digit]))) for digit in range(10)),
        )


def digit_trajectory(
    digit: int,
    style: WriterStyle,
    rng: np.random.Generator,
    seconds_per_length: float,
    lift_s: float,
) -> Trajectory:
    """Write a digit once.

    Parameters
    ----------
    digit : int
        0 to 9.
    style : WriterStyle
    rng : numpy Generator
        Draws what differs from sample to sample.
    seconds_per_length : float
        Seconds the pen takes for a length of one digit height.
    lift_s : float
        Seconds the pen is in the air between strokes.

    Returns
    -------
    Trajectory
        About one unit high.

    Raises
    ------
    DataError
        For a digit that is not 0 to 9.
    """
    if digit not in DIGITS:
        raise DataError(f"digit is {digit!r}: parametric strokes exist for 0 to 9")
    ways = DIGITS[digit]
    way = ways[style.variants[digit]]
    if rng.random() < 0.1:  # writers do not always write a digit the same way
        way = ways[rng.integers(len(ways))]
    slant = style.slant + rng.normal(0, 0.04)
    parts, start_s = [], 0.0
    for number, control in enumerate(way):
        points = np.array(control, np.float64)
        shift = rng.normal(0, style.sloppiness, points.shape)
        same = np.r_[False, (points[1:] == points[:-1]).all(axis=1)]
        shift[same] = shift[np.flatnonzero(same) - 1]  # corners stay corners
        points = points + shift
        points[:, 1] = np.sign(points[:, 1]) * np.abs(points[:, 1]) ** style.waist
        points[:, 0] = (points[:, 0] - 0.5) * style.aspect + slant * (points[:, 1] - 0.5)
        curve = _curve(points, style.roundness)
        curve = curve + _wander(len(curve), style.tremor, rng)
        duration = _durations(curve, style.curve_slowing) * seconds_per_length
        t_s = start_s + np.r_[0, np.cumsum(duration)]
        parts.append((t_s, curve, np.full(len(curve), number)))
        start_s = t_s[-1] + lift_s
    t_s = np.concatenate([part[0] for part in parts])
    xy = np.concatenate([part[1] for part in parts])
    stroke = np.concatenate([part[2] for part in parts])
    return Trajectory(t_s, xy[:, 0], xy[:, 1], np.ones(len(t_s)), stroke)


def _curve(points, roundness):
    """Blend between the polyline and the Catmull-Rom curve through ``points``."""
    padded = np.concatenate([points[:1], points, points[-1:]])
    p0, p1, p2, p3 = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    u = (np.arange(_POINTS_PER_SEGMENT) / _POINTS_PER_SEGMENT)[None, :, None]
    p0, p1, p2, p3 = (p[:, None] for p in (p0, p1, p2, p3))
    line = p1 + u * (p2 - p1)
    smooth = p1 + 0.5 * u * (
        p2 - p0 + u * (2 * p0 - 5 * p1 + 4 * p2 - p3 + u * (3 * (p1 - p2) + p3 - p0))
    )
    curve = (roundness * smooth + (1 - roundness) * line).reshape(-1, 2)
    curve = np.concatenate([curve, points[-1:]])
    moved = np.r_[True, np.hypot(*np.diff(curve, axis=0).T) > 1e-9]
    return curve[moved]


def _wander(n_points, size, rng):
    """Draw a smooth random displacement of SD ``size``."""
    knots = max(n_points // _POINTS_PER_SEGMENT + 2, 2)
    noise = rng.normal(0, size, (knots, 2))
    position = np.linspace(0, knots - 1, n_points)
    return np.stack([np.interp(position, np.arange(knots), noise[:, k]) for k in (0, 1)], axis=1)


def _durations(curve, slowing):
    """Return each segment's relative duration: its length, more of it where the curve bends."""
    step = np.diff(curve, axis=0)
    length = np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-6)
    angle = np.unwrap(np.arctan2(step[:, 1], step[:, 0]))
    turn = np.abs(np.gradient(angle)) if len(angle) > 1 else np.zeros(1)
    curvature = np.convolve(turn / length, [0.25, 0.5, 0.25], mode="same")
    pace = np.clip(curvature, 0.5, 20) ** slowing
    return length * pace * (length.sum() / (length * pace).sum())
