"""Level crossing against closed forms, a brute-force loop, and what was recorded."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nengo_tactile as nt
from nengo_tactile.errors import DataError
from nengo_tactile.events import LevelCrossing, TaxelMap, compare_thresholds, reconstructed


def brute_force(signal, threshold):
    """Levels crossed by a taxel between steps, with times: the book's send-on-delta converter."""
    level, found = 0, []
    for step in range(1, len(signal)):
        before, now = signal[step - 1] - signal[0], signal[step] - signal[0]
        while abs(now - level * threshold) >= threshold * (1 - 1e-9):
            sign = 1 if now > level * threshold else -1
            level += sign
            share = np.clip((level * threshold - before) / (now - before), 0, 1)
            found.append((step - 1 + share, sign > 0))
    return found


@given(st.lists(st.integers(-6, 6), min_size=2, max_size=30), st.sampled_from([0.5, 1.0, 2.5]))
@settings(max_examples=80, deadline=None)
def test_levels_are_crossed_as_by_hand(values, threshold):
    signal = np.array(values, float)
    events = LevelCrossing(threshold=threshold)(signal[:, None], 1000)
    wanted = brute_force(signal, threshold)
    assert events["p"].tolist() == [up for _, up in wanted]
    np.testing.assert_allclose(events["t"], [time * 1000 for time, _ in wanted], atol=0.51)
    # as many up as down, less what is left: the staircase ends within a threshold
    total = threshold * (2 * events["p"].sum() - len(events))
    assert abs(signal[-1] - signal[0] - total) < threshold


def test_a_ramp_sends_one_event_each_threshold():
    ramp = np.linspace(3, 4.05, 22)[:, None, None] * np.ones((1, 2, 3))
    events = LevelCrossing(threshold=0.1)(ramp, rate_hz=100)
    assert len(events) == 6 * 10
    assert events["p"].all()
    one = events[(events["x"] == 2) & (events["y"] == 1)]
    np.testing.assert_allclose(one["t"], np.arange(1, 11) * 0.1 / 0.05 * 1e4, atol=0.51)
    assert (np.diff(events["t"]) >= 0).all()


def test_thresholds_that_do_not_fit_binary_numbers_do_not_drift():
    ramp = np.arange(1001)[:, None] * 0.1
    assert len(LevelCrossing(threshold=0.1)(ramp, 1000)) == 1000


def test_hysteresis_is_how_much_more_it_takes_to_turn_back():
    signal = np.array([0, 1, 0, 1, 0, -0.5, 1])[:, None]
    signs = {}
    for hysteresis in (0, 0.4, 0.6):
        events = LevelCrossing(threshold=1, hysteresis=hysteresis)(signal, 1000)
        signs[hysteresis] = events["p"].tolist()
    assert signs[0] == [True, False, True, False, True]
    # once up at 1 it takes 1.4 to turn: from -0.4; and from 0 at least to 1.4
    assert signs[0.4] == [True, False]
    assert signs[0.6] == [True]


def test_refractory_time(rng):
    signal = np.cumsum(rng.normal(0, 1, (400, 5)), axis=0)
    for reset in ("level", "signal"):
        crossing = LevelCrossing(threshold=0.5, refractory_us=2500, reset=reset)
        events = crossing(signal, 1000)
        for taxel in range(5):
            gaps = np.diff(events["t"][events["x"] == taxel])
            assert gaps.min() >= 2499
    assert len(events) > 100


def test_noise_is_seeded_and_alone_crosses_as_gauss_says(rng):
    still, crossing = np.zeros((4000, 10)), LevelCrossing(threshold=3, noise=1, reset="signal")
    one, again, other = (crossing(still, 1000, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert len(one) != len(other)
    # reset to the signal: independent steps would cross 3 SD with p = 0.0027 from 0; from where it
    # last was, more often; by a loop of the same rule
    count, n_draws = 0, 200_000
    draws, reference = rng.normal(0, 1, n_draws), 0.0
    for value in draws:
        if abs(value - reference) >= 3:
            count, reference = count + 1, value
    expected = count / n_draws * still.size
    assert len(one) == pytest.approx(expected, abs=5 * np.sqrt(expected * 4))


def test_mismatch_is_the_arrays():
    ramp = np.linspace(0, 100, 2000)[:, None] * np.ones(400)
    crossing = LevelCrossing(threshold=1, mismatch=0.2)
    counts = np.bincount(crossing(ramp, 1000, 0)["x"], minlength=400)
    np.testing.assert_array_equal(counts, np.bincount(crossing(ramp, 1000, 5)["x"]))
    assert np.std(np.log(counts)) == pytest.approx(0.2, rel=0.15)
    other = LevelCrossing(threshold=1, mismatch=0.2, device_seed=1)(ramp, 1000)
    assert (np.bincount(other["x"]) != counts).any()


def test_log_sends_an_event_each_relative_change():
    ramp = np.geomspace(1, 1000, 5001)[:, None]
    events = LevelCrossing(threshold=0.5, response="log", floor=1e-6)(ramp, 1000)
    assert len(events) == int(np.log(1000) / 0.5)


def test_places_of_taxels():
    skin = TaxelMap.of({0: (0, 0), 5: (2, 1)})
    events = LevelCrossing(threshold=1)(np.array([[0, 0], [1, 0], [1, 2]]), 1000, taxels=skin)
    assert [(e["x"], e["y"]) for e in events] == [(0, 0), (2, 1), (2, 1)]
    with pytest.raises(DataError, match="the map has 2 taxels"):
        LevelCrossing()(np.zeros((4, 3)), 1000, taxels=skin)


def test_data_sets_of_pressure(rng):
    pressure, labels = np.cumsum(rng.random((6, 50, 4, 3)), axis=1), list("ababab")
    crossing = LevelCrossing(threshold=0.5)
    listed = nt.datasets.Recordings(
        list(crossing.recordings(pressure, 100)), labels, sensor_size=(3, 4)
    )
    made = nt.datasets.Recordings(
        lambda i: crossing(pressure[i], 100, (0, i)), labels, sensor_size=(3, 4)
    )
    for index in range(6):
        np.testing.assert_array_equal(listed[index][0], made[index][0])
    assert len(listed[0][0]) > 100


def test_what_is_kept_of_a_signal(rng):
    signals = np.cumsum(rng.normal(0, 0.3, (5, 300, 4)), axis=1)
    kept = compare_thresholds(signals, 200, [0.05, 0.2, 1.0])
    events, errors = ([row[name] for row in kept.rows] for name in ("events", "error"))
    assert events[0] > events[1] > events[2]
    # what is left of a threshold: uniform between -1 and 1 of it, at most
    assert all(0 < error < threshold for error, threshold in zip(errors, (0.05, 0.2, 1.0)))
    assert errors[0] < errors[1] < errors[2]
    one = LevelCrossing(threshold=0.2)
    total = sum(len(one(each, 200, (0, n))) for n, each in enumerate(signals))
    assert kept.rows[1]["events"] == total / 5
    assert kept.rows[1]["values_per_event"] == signals.size / total
    assert "Level crossing of 5" in str(kept.table().title)
    assert kept.to_dict()["n_samples"] == 5


def test_whole_numbers_come_back(rng):
    signal = rng.integers(0, 50, (100, 3, 4))
    crossing = LevelCrossing(threshold=1)
    events = crossing(signal, 40)
    found = reconstructed(events, crossing, signal[0], 100, 40)
    np.testing.assert_allclose(found, signal, atol=1e-9)
    # with too large a threshold within one of it
    crossing = LevelCrossing(threshold=7)
    found = reconstructed(crossing(signal, 40), crossing, signal[0], 100, 40)
    assert np.abs(found - signal).max() < 7


@pytest.mark.parametrize(
    "signals, message",
    [
        (np.zeros(4), r"shape \(4,\): give numbers, \(n_steps, n_taxels\)"),
        (np.full((3, 2), np.nan), "step 0, taxel 0 is nan"),
        (np.array([["a"]]), "type <U1"),
        ([[1, 2], [3]], "no array"),
    ],
)
def test_no_signals(signals, message):
    with pytest.raises(DataError, match=message):
        LevelCrossing()(signals, 100)


def test_no_settings():
    with pytest.raises(DataError, match="threshold is 0"):
        LevelCrossing(threshold=0)
    with pytest.raises(DataError, match="reset is 'none'"):
        LevelCrossing(reset="none")
    with pytest.raises(DataError, match="rate_hz is 0"):
        LevelCrossing()(np.zeros((3, 2)), 0)
    with pytest.raises(DataError, match="0 signals and 1 thresholds"):
        compare_thresholds([], 100, [1])
    assert len(LevelCrossing()(np.zeros((0, 3)), 100)) == 0


def test_stemnists_pressure():
    """The authors report 130.6 ON and OFF events a sample (arXiv:2601.01658)."""
    path = Path(os.environ.get("NENGO_TACTILE_DATA", "/none")) / "stemnist"
    path = path / "raw_pressure_example_A.h5"
    if not path.is_file():
        pytest.skip("no recording of STEMNIST here")
    with h5py.File(path) as file:
        pressure = file["pressure_data"][()]
    kept = compare_thresholds([pressure], 120, [1, 4, 16])
    assert kept.rows[0]["error"] < 1e-9  # whole numbers, threshold 1
    events = [row["events"] for row in kept.rows]
    assert events == [8762, 1852, 412]  # as docs/recordings.md has them
