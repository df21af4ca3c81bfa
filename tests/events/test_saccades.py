"""The saccade simulator against closed forms, SciPy's interpolation."""

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from scipy.stats import norm

from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import check_events
from nengo_tactile.events.saccades import (
    SENSOR_SIZE,
    SaccadeParameters,
    _jittered,
    fitted_saccades,
    log_intensity,
    path,
    sensor,
    simulate,
)
from nengo_tactile.events.saccades_kernel import pixel_events
from nengo_tactile.lazy import compiled

QUIET = {"noise_rate_hz": 0.0, "threshold_noise": 0.0}
SQUARE = np.zeros((28, 28), np.uint8)
SQUARE[9:19, 9:19] = 255


def kernel(level, rows, columns, on, off, margin=3.0, refractory_us=0.0, seed=0):
    """Run the kernel on 2 map values per pixel and steps of 1 ms."""
    return compiled(pixel_events)(
        np.random.default_rng(seed), level, 2, rows, columns, margin, 1000.0, on, off, 0.0,
        refractory_us,
    )  # fmt: skip


@pytest.mark.parametrize("refractory_us", [0.0, 1700.0])
def test_a_ramp_gives_events_at_equal_times(refractory_us):
    """A plain slope that passes at constant speed: the interval is known."""
    level = np.tile(np.arange(80) * 0.1, (40, 1))  # 0.2 per pixel
    columns = -0.25 * np.arange(41)  # the picture moves left: levels rise by 0.05 per ms
    on, off = np.full((4, 4), 0.12), np.full((4, 4), 0.2)
    t_us, i, j, rises = kernel(level, np.zeros(41), columns, on, off, 12.0, refractory_us)
    assert rises.all()
    wanted = 0.12 / 0.05 * 1000 + refractory_us
    for row, column in np.ndindex(4, 4):
        times = t_us[(i == row) & (j == column)]
        np.testing.assert_allclose(np.diff(times), wanted, rtol=1e-9)
        assert times[0] <= (0.12 + 0.2) / 0.05 * 1000  # from the lowest reference
        assert 40_000 - times[-1] <= wanted


def test_events_add_up_to_the_signal(rng):
    """Signed thresholds, summed, follow the level that SciPy computes."""
    level = np.cumsum(np.cumsum(rng.normal(0, 0.02, (30, 30)), axis=0), axis=1)
    rows = np.cumsum(rng.normal(0, 0.1, 60))
    columns = np.cumsum(rng.normal(0, 0.1, 60))
    on, off = rng.uniform(0.005, 0.01, (2, 8, 8))
    t_us, i, j, rises = kernel(level, rows, columns, on, off)
    for row, column in np.ndindex(8, 8):
        places = [(3 - rows + row) * 2, (3 - columns + column) * 2]
        signal = map_coordinates(level, places, order=1)
        mine = (i == row) & (j == column)
        jumps = np.where(rises[mine], on[row, column], -off[row, column])
        for step in range(60):
            sent = jumps[t_us[mine] <= step * 1000].sum()
            # both the first and the last reference may lie a threshold away
            assert abs(signal[step] - signal[0] - sent) <= on[row, column] + off[row, column]


def test_sharp_steps_give_many_events_in_order(rng):
    level = rng.normal(0, 5, (30, 30))
    t_us, i, j, _ = kernel(
        level, np.cumsum(rng.normal(0, 0.1, 60)), np.zeros(60), np.full((8, 8), 0.005),
        np.full((8, 8), 0.005),
    )  # fmt: skip
    assert len(t_us) > 8192  # the first room
    for pixel in range(64):
        times = t_us[i * 8 + j == pixel]
        assert (np.diff(times) >= 0).all()
        assert ((times >= 0) & (times <= 59_000)).all()


def test_refractory_times_are_kept(rng):
    parameters = dataclasses.replace(SaccadeParameters(), refractory_us=3000.0, **QUIET)
    events = simulate(SQUARE, parameters, rng)
    pixel = events["y"].astype(int) * 34 + events["x"]
    for chosen in np.unique(pixel):
        assert (np.diff(events["t"][pixel == chosen]) >= 2999).all()


def test_a_dark_square_darkens_what_it_moves_onto(rng):
    parameters = SaccadeParameters(
        path_ms=(0, 300), path_x=(-2.0, 3.0), path_y=(0.0, 0.0), threshold_mismatch=0.0, **QUIET
    )
    events = simulate(SQUARE, parameters, rng)
    assert len(events)
    right = events["x"] > 18
    assert not events["p"][right].any()
    assert events["p"][~right].mean() > 0.99  # the first reference may make a late one


def test_the_blur_is_that_of_a_fine_grid():
    """log_intensity against squares drawn on a fine grid and summed under a Gaussian."""
    rng = np.random.default_rng(5)
    image = rng.integers(0, 256, (28, 28)).astype(np.uint8)
    parameters = SaccadeParameters(scale=0.9, blur=0.7, black=0.2)
    found = log_intensity(image, parameters, margin=4)
    fine = 0.01
    places = np.arange(-14 * 0.9, 14 * 0.9, fine) + fine / 2  # from the centre
    cell = np.clip(np.floor(places / 0.9 + 14).astype(int), 0, 27)
    for row, column in ((16, 16), (60, 33), (0, 0), (75, 120)):
        y, x = row / 4 - 4 - 16.5, column / 4 - 4 - 16.5
        weights = [norm.pdf(places, at, 0.7) * fine for at in (y, x)]
        ink = weights[0] @ (image[np.ix_(cell, cell)] / 255) @ weights[1]
        assert found[row, column] == pytest.approx(np.log(1 - 0.8 * ink), abs=2e-4)


def test_the_path_goes_through_its_points():
    parameters = SaccadeParameters()
    x, y = path(parameters, np.array([-5.0, *parameters.path_ms, 400.0]))
    np.testing.assert_allclose(x[1:-1], parameters.path_x)
    np.testing.assert_allclose(y[1:-1], parameters.path_y)
    assert (x[0], y[-1]) == (parameters.path_x[0], parameters.path_y[-1])


def test_noise_comes_at_its_rate():
    parameters = SaccadeParameters(
        noise_rate_hz=2.0, noise_on_share=0.8, hot_pixels=((3, 5, 100.0),), noise_mismatch=0.5
    )
    blank = np.zeros((28, 28), np.uint8)
    events = np.concatenate(
        [simulate(blank, parameters, np.random.default_rng(seed)) for seed in range(30)]
    )
    assert events["p"].mean() == pytest.approx(0.8, abs=0.02)
    hot = (events["x"] == 3) & (events["y"] == 5)
    assert hot.sum() == pytest.approx(100 * 0.31 * 30, rel=0.12)
    assert (~hot).sum() == pytest.approx(2 * 1155 * 0.31 * 30, rel=0.1)
    _, _, noise_hz = sensor(parameters)
    assert noise_hz[5, 3] == 100


def test_saccades_come_early_or_late_as_a_whole(rng):
    t_ms = np.arange(0, 310.0)
    shifted = _jittered(t_ms, 5.0, rng)
    assert (np.diff(shifted) >= 0).all()
    assert shifted.min() >= 0
    late = t_ms - shifted
    for inside in (slice(40, 99), slice(120, 217), slice(240, 310)):
        assert np.ptp(late[inside]) == pytest.approx(0)
    assert len(np.unique(late[[60, 150, 270]])) == 3
    np.testing.assert_array_equal(_jittered(t_ms, 0.0, rng), t_ms)


def test_recordings_are_well_formed_and_seeded():
    parameters = fitted_saccades()
    first, again, other = (
        simulate(SQUARE[..., None], parameters, np.random.default_rng(s)) for s in (1, 1, 2)
    )
    check_events(first, SENSOR_SIZE)
    assert first["t"][-1] < 330_000
    np.testing.assert_array_equal(first, again)
    assert len(first) != len(other) or (first != other).any()


def test_the_step_hardly_matters():
    counts = []
    for step_us in (1000.0, 250.0):
        parameters = dataclasses.replace(fitted_saccades(), step_us=step_us)
        counts.append(
            [len(simulate(SQUARE, parameters, np.random.default_rng(s))) for s in range(4)]
        )
    assert np.mean(counts[0]) == pytest.approx(np.mean(counts[1]), rel=0.05)


def test_bright_images_and_high_thresholds():
    parameters = SaccadeParameters(**QUIET)
    few, many = (
        len(
            simulate(SQUARE, dataclasses.replace(parameters, threshold=t), np.random.default_rng(0))
        )
        for t in (0.4, 0.1)
    )
    assert 0 < few < many
    assert len(simulate(np.zeros((20, 9), np.uint8), parameters, np.random.default_rng(0))) == 0


@pytest.mark.parametrize(
    "image", [np.zeros((28, 28)), np.zeros((35, 28), np.uint8), np.zeros((28, 28, 3), np.uint8)]
)
def test_other_images_are_refused(image):
    with pytest.raises(DataError, match=r"the image has type .* wanted uint8 \(height, width\)"):
        simulate(image, SaccadeParameters(), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": 0}, "threshold is 0; give over 0"),
        ({"refractory_us": -1}, "refractory_us is -1; give at least 0"),
        ({"black": 1.5}, "black is 1.5; give over 0 and under 1"),
        ({"blur": float("nan")}, "blur is nan"),
        ({"path_x": (1, 2)}, r"have \[4, 2, 4\] values"),
        ({"path_ms": (0, 2, 2, 3)}, "give times that increase"),
        ({"path_y": (0, 99, 2, 3)}, "path_y is .*at most 34 pixels"),
        ({"hot_pixels": ((34, 0, 5),)}, r"hot pixel \(34, 0, 5.0\)"),
    ],
)
def test_bad_parameters_are_named(changes, message):
    with pytest.raises(DataError, match=message):
        SaccadeParameters(**changes)


def test_parameters_go_through_json():
    parameters = fitted_saccades()
    assert SaccadeParameters.from_dict(parameters.to_dict()) == parameters
    with pytest.raises(DataError, match=r"unknown parameters \['colour'\]"):
        SaccadeParameters.from_dict({"colour": 1})
