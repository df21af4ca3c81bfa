"""Pen trajectories: where a pen was, how hard it pressed, and when it was lifted."""

import dataclasses

import numpy as np

from nengo_tactile.errors import DataError


@dataclasses.dataclass(frozen=True)
class Trajectory:
    """A pen's way over the writing surface.

    Parameters
    ----------
    t_s : (n_points,) float array
        Seconds from first contact, increasing.
    x, y : (n_points,) float arrays
        Position in any unit of length, x to the right and y up.
    pressure : (n_points,) float array
        Pen force relative to the writer's mean.
    stroke : (n_points,) int array
        Number of the stroke; the pen is lifted between points of different strokes.
    """

    t_s: np.ndarray
    x: np.ndarray
    y: np.ndarray
    pressure: np.ndarray
    stroke: np.ndarray

    def __post_init__(self):
        n_points = len(self.t_s)
        for field in dataclasses.fields(self):
            shape = np.shape(getattr(self, field.name))
            if shape != (n_points,):
                raise DataError(
                    f"trajectory: {field.name} has shape {shape}, t_s {(n_points,)}: "
                    "give one value per point"
                )
        if n_points < 2 or not (np.diff(self.t_s) > 0).all():
            raise DataError(
                f"trajectory: needs at least two points with increasing times, found {n_points}"
            )

    @property
    def duration_s(self) -> float:
        """Seconds from the first to the last point."""
        return float(self.t_s[-1] - self.t_s[0])


def from_recorded_points(xy, stroke, seconds_per_point, lift_s):
    """Turn recorded tablet points into a trajectory.

    Parameters
    ----------
    xy : (n_points, 2) array
        Points equally spaced in time while the pen is down, y up (as in pendigits).
    stroke : (n_points,) int array
        Number of the stroke of each point.
    seconds_per_point : float
        Time between points.
    lift_s : float
        Time the pen is in the air between two strokes.

    Returns
    -------
    Trajectory
        With constant pressure: pendigits kept none. A single point is held for one
        ``seconds_per_point``.
    """
    xy = np.asarray(xy, np.float64)
    stroke = np.asarray(stroke)
    if len(xy) == 1:
        xy, stroke = np.repeat(xy, 2, axis=0), np.repeat(stroke, 2)
    step = np.full(len(xy), float(seconds_per_point))
    step[0] = 0
    step[1:][np.diff(stroke.astype(np.int64)) != 0] += lift_s
    return Trajectory(np.cumsum(step), xy[:, 0], xy[:, 1], np.ones(len(xy)), stroke)


def extent(trajectory):
    """Return the box of the points: (width, height, x of its centre, y of its centre)."""
    x, y = trajectory.x, trajectory.y
    return np.ptp(x), np.ptp(y), (x.max() + x.min()) / 2, (y.max() + y.min()) / 2


def resample(trajectory, t_s):
    """Interpolate smoothly in time.

    Positions follow a Catmull-Rom spline through the points of each stroke (it never reaches
    across a lift), pressure is linear.

    Parameters
    ----------
    trajectory : Trajectory
    t_s : (n_steps,) float array
        Times in seconds, counted as in the trajectory.

    Returns
    -------
    x, y, pressure : (n_steps,) float arrays
        Pressure is 0 while the pen is up: before, after and between strokes.
    """
    times, stroke = trajectory.t_s, trajectory.stroke
    last = len(times) - 1
    i = np.clip(np.searchsorted(times, t_s, side="right") - 1, 0, last - 1)
    span = times[i + 1] - times[i]
    u = np.clip((t_s - times[i]) / span, 0, 1)
    before = np.where((i > 0) & (stroke[np.maximum(i - 1, 0)] == stroke[i]), i - 1, i)
    after_index = np.minimum(i + 2, last)
    after = np.where((i + 2 <= last) & (stroke[after_index] == stroke[i + 1]), after_index, i + 1)
    # Hermite form with finite-difference slopes, so that points need not be equally spaced
    h00 = (1 + 2 * u) * (1 - u) ** 2
    h01 = u * u * (3 - 2 * u)
    h10 = u * (1 - u) ** 2 * span / (times[i + 1] - times[before])
    h11 = u * u * (u - 1) * span / (times[after] - times[i])

    def spline(values):
        slope0 = values[i + 1] - values[before]
        slope1 = values[after] - values[i]
        return h00 * values[i] + h01 * values[i + 1] + h10 * slope0 + h11 * slope1

    down = (stroke[i] == stroke[i + 1]) & (t_s >= times[0]) & (t_s <= times[-1])
    force = trajectory.pressure[i] + u * (trajectory.pressure[i + 1] - trajectory.pressure[i])
    return spline(trajectory.x), spline(trajectory.y), np.where(down, force, 0.0)
