"""Trajectories: interpolation against scipy and by its properties."""

import numpy as np
import pytest

from nengo_tactile.errors import DataError
from nengo_tactile.events.trajectories import (
    Trajectory,
    extent,
    from_recorded_points,
    resample,
)


def make(xy, stroke=None, seconds=0.1, lift=0.3):
    stroke = np.zeros(len(xy), int) if stroke is None else stroke
    return from_recorded_points(np.array(xy), np.array(stroke), seconds, lift)


def test_points_are_equally_spaced_but_for_lifts():
    trajectory = make([(0, 0), (1, 0), (2, 0), (5, 5)], [0, 0, 1, 1])
    np.testing.assert_allclose(trajectory.t_s, [0, 0.1, 0.5, 0.6])
    assert trajectory.duration_s == pytest.approx(0.6)


def test_single_point_is_held():
    trajectory = make([(3, 4)])
    x, y, pressure = resample(trajectory, np.array([0.05]))
    assert (x, y, pressure) == (3, 4, 1)


def test_resampling_meets_the_points_and_is_a_hermite_spline(rng):
    from scipy.interpolate import CubicHermiteSpline

    xy = rng.normal(size=(8, 2))
    trajectory = make(xy)
    slope = np.gradient(xy, trajectory.t_s, axis=0)  # equal spacing: central differences
    slope[0] = (xy[1] - xy[0]) / 0.1
    t_s = np.linspace(0, trajectory.t_s[-1], 301)
    wanted = CubicHermiteSpline(trajectory.t_s, xy, slope)(t_s)
    x, y, _ = resample(trajectory, t_s)
    np.testing.assert_allclose(np.stack([x, y], 1), wanted, atol=1e-9)


def test_uniform_motion_stays_uniform_though_points_are_not():
    t_s = np.array([0, 0.1, 0.4, 0.5, 1.1])
    trajectory = Trajectory(t_s, 2 * t_s, -t_s, 1 + t_s, np.zeros(5, int))
    query = np.linspace(0, 1.1, 50)
    x, y, pressure = resample(trajectory, query)
    np.testing.assert_allclose(x, 2 * query, atol=1e-12)
    np.testing.assert_allclose(y, -query, atol=1e-12)
    np.testing.assert_allclose(pressure, 1 + query, atol=1e-12)


def test_pen_is_up_outside_and_between_strokes():
    trajectory = make([(0, 0), (1, 0), (9, 9), (9, 8)], [0, 0, 1, 1])
    t_s = np.array([-0.01, 0.0, 0.05, 0.2, 0.39, 0.55, 0.6, 0.61])
    x, _, pressure = resample(trajectory, t_s)
    np.testing.assert_array_equal(pressure > 0, [0, 1, 1, 0, 0, 1, 1, 0])
    # a stroke's curve does not bend towards the next stroke
    assert x[2] == pytest.approx(0.5)


def test_extent_is_the_box():
    assert extent(make([(0, 1), (4, 3), (2, 9)])) == (4, 8, 2, 5)


def test_malformed_trajectories_are_refused():
    one = np.ones(3)
    with pytest.raises(DataError, match=r"y has shape \(2,\)"):
        Trajectory(np.arange(3.0), one, one[:2], one, one)
    with pytest.raises(DataError, match="increasing times"):
        Trajectory(np.zeros(3), one, one, one, one)
