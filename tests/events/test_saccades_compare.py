"""What simulated and recorded saccades are compared by, against loops and SciPy."""

import itertools

import numpy as np
import pytest
from scipy.stats import ks_2samp

from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import make_events
from nengo_tactile.events.saccades_compare import (
    compare_quantities,
    event_image,
    paired_scores,
    plot_comparison,
    quantities,
    rate_over_time,
)


def random_recording(rng, n=300):
    return make_events(
        rng.integers(0, 5, n), rng.integers(0, 4, n), np.sort(rng.integers(0, 300_000, n)),
        rng.integers(0, 2, n),
    )  # fmt: skip


def by_hand(recordings):
    found = {name: [] for name in ("events_per_pixel", "interval_ms", "run_length")}
    for events in recordings:
        pixels = {}
        for x, y, t, p in events.tolist():
            pixels.setdefault((x, y), []).append((t, p))
        for sent in pixels.values():
            found["events_per_pixel"].append(len(sent))
            found["interval_ms"] += [(b[0] - a[0]) / 1e3 for a, b in itertools.pairwise(sent)]
            runs = itertools.groupby(sent, key=lambda event: event[1])
            found["run_length"] += [len(list(run)) for _, run in runs]
    return found


def test_quantities_are_those_of_a_loop(rng):
    recordings = [random_recording(rng, n) for n in (1, 40, 300)]
    found = quantities(iter(recordings))
    for name, wanted in by_hand(recordings).items():
        np.testing.assert_allclose(np.sort(found[name]), np.sort(wanted))
    np.testing.assert_array_equal(found["events"], [1, 40, 300])
    np.testing.assert_allclose(
        found["on_percent"], [100 * events["p"].mean() for events in recordings]
    )
    active = [len({(x, y) for x, y, _, _ in events.tolist()}) for events in recordings]
    np.testing.assert_array_equal(found["active_pixels"], active)
    assert len(found["time_ms"]) == 341


def test_the_table_agrees_with_scipy(rng):
    sides = [quantities([random_recording(rng, n) for n in (50, 90)]) for _ in range(2)]
    table = compare_quantities(*sides)
    for name, row in table.items():
        ours, real = (side[name] for side in sides)
        assert row["ks"] == pytest.approx(ks_2samp(ours, real).statistic)
        assert (row["n"], row["n_real"]) == (len(ours), len(real))
        assert row["quantiles_real"][2] == pytest.approx(np.median(real))


def test_scores_of_pairs(rng):
    recordings = [random_recording(rng, n) for n in (100, 200, 300)]
    same = paired_scores(recordings, recordings, (5, 4))
    assert same["count_correlation"] == pytest.approx(1)
    assert same["count_ratio_sd"] == 0
    assert same["image_correlation"] == pytest.approx(1)
    images = [event_image(events, (5, 4)).ravel() for events in recordings]
    wanted = [np.corrcoef(images[k], images[k - 1])[0, 1] for k in range(3)]
    assert same["image_correlation_other"] == pytest.approx(np.mean(wanted))


def test_event_images_and_rates(rng):
    events = random_recording(rng)
    wanted = np.zeros((4, 5))
    for x, y, _, _ in events.tolist():
        wanted[y, x] += 1
    np.testing.assert_array_equal(event_image(events, (5, 4, 2)), wanted)
    edges, rate = rate_over_time(events["t"] / 1e3, 2)
    assert edges[1] - edges[0] == 5
    assert rate.sum() * 5 * 2 == len(events)
    assert rate[3] * 10 == np.count_nonzero((events["t"] >= 15_000) & (events["t"] < 20_000))


def test_recordings_without_events_are_refused(rng):
    with pytest.raises(DataError, match="recording 1 holds no events"):
        quantities([random_recording(rng), make_events([], [], [], [])])
    with pytest.raises(DataError, match="no recordings to compare"):
        quantities([])


def test_the_plot_has_all_panels(rng):
    sides = [quantities([random_recording(rng)]) for _ in range(2)]
    figure = plot_comparison(*sides, (np.ones((4, 5)), np.zeros((4, 5))))
    assert len([axes for axes in figure.axes if axes.lines or axes.images]) >= 9
