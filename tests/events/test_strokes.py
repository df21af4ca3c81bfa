"""Parametric strokes: shapes, corners, speed, writers."""

import dataclasses

import numpy as np
import pytest

from nengo_tactile.errors import DataError
from nengo_tactile.events.strokes import (
    DIGITS,
    WriterStyle,
    _curve,
    _durations,
    digit_trajectory,
)

NEAT = WriterStyle(0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, (0,) * 10)


@pytest.mark.parametrize("digit", range(10))
def test_digits_fill_about_a_unit_box(digit):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        trajectory = digit_trajectory(digit, WriterStyle.draw(rng), rng, 0.3, 0.1)
        assert 0.75 < np.ptp(trajectory.y) < 1.35
        assert np.ptp(trajectory.x) < 1.8
        assert (np.diff(trajectory.t_s) > 0).all()


def test_number_of_strokes_and_lifts(rng):
    style = dataclasses.replace(NEAT, variants=(0, 2, 0, 0, 1, 0, 0, 1, 0, 0))
    for digit, way in enumerate(style.variants):
        for _ in range(20):
            trajectory = digit_trajectory(digit, style, rng, 0.3, 5.0)
            lifts = np.diff(trajectory.t_s) >= 5.0
            assert lifts.sum() == np.count_nonzero(np.diff(trajectory.stroke))
            if lifts.sum() == len(DIGITS[digit][way]) - 1:
                break
        else:
            pytest.fail(f"digit {digit} was never written the writer's own way")


def test_writing_time_is_length_times_seconds_per_length(rng):
    for slowing in (0.0, 0.33):
        style = dataclasses.replace(NEAT, curve_slowing=slowing)
        trajectory = digit_trajectory(0, style, rng, 0.5, 0.1)
        length = np.hypot(np.diff(trajectory.x), np.diff(trajectory.y)).sum()
        assert trajectory.duration_s == pytest.approx(0.5 * length)


def test_pen_slows_where_the_curve_bends():
    # a straight part, then a half circle of radius 0.1
    angle = np.linspace(-np.pi / 2, np.pi / 2, 30)
    line = np.stack([np.linspace(-1, -0.05, 30), np.full(30, -0.1)], 1)
    curve = np.concatenate([line, np.stack([0.1 * np.cos(angle), 0.1 * np.sin(angle)], 1)])
    length = np.hypot(*np.diff(curve, axis=0).T)
    speed = length / _durations(curve, 1 / 3)
    # two-thirds power law: the clip takes a straight line as curvature 0.5, the arc has 10
    ratio = speed[5:20].mean() / speed[38:50].mean()
    assert ratio == pytest.approx((10 / 0.5) ** (1 / 3), rel=0.02)
    np.testing.assert_allclose(_durations(curve, 0.0), length)


def test_curve_passes_through_its_points_and_keeps_corners():
    points = np.array([(0, 0), (1, 0), (1, 0), (1, 1)], float)
    curve = _curve(points, 1.0)
    for point in points:
        assert np.hypot(*(curve - point).T).min() < 1e-12
    # the curve passes the corner and returns to it before it turns
    assert curve[:, 0].max() < 1.1
    assert curve[curve[:, 1] > 0.3][:, 0].max() < 1.01
    straight = _curve(np.array([(0, 0), (1, 0), (2, 2)], float), 0.0)
    on_lines = (np.abs(straight[:, 1]) < 1e-12) | np.isclose(
        straight[:, 1], 2 * (straight[:, 0] - 1)
    )
    assert on_lines.all()


def test_same_seed_writes_the_same(rng):
    style = WriterStyle.draw(np.random.default_rng(3))
    assert style == WriterStyle.draw(np.random.default_rng(3))
    first, again, other = (
        digit_trajectory(5, style, np.random.default_rng(seed), 0.3, 0.1) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.x, again.x)
    assert len(other.x) != len(first.x) or (other.x != first.x).any()


def test_slant_leans_right_and_aspect_widens(rng):
    plain = digit_trajectory(0, NEAT, np.random.default_rng(0), 0.3, 0.1)
    wide = digit_trajectory(
        0, dataclasses.replace(NEAT, aspect=1.5), np.random.default_rng(0), 0.3, 0.1
    )
    leaning = digit_trajectory(
        0, dataclasses.replace(NEAT, slant=0.5), np.random.default_rng(0), 0.3, 0.1
    )
    assert np.ptp(wide.x) / np.ptp(plain.x) == pytest.approx(1.5, rel=0.1)
    assert np.corrcoef(leaning.x, leaning.y)[0, 1] > np.corrcoef(plain.x, plain.y)[0, 1] + 0.2


def test_unknown_digit_is_refused(rng):
    with pytest.raises(DataError, match="digit is 10"):
        digit_trajectory(10, NEAT, rng, 0.3, 0.1)
