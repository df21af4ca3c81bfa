"""Tactile images against counts made by loops."""

import numpy as np
import pytest

from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import make_events
from nengo_tactile.events.images import TactileImage

SENSOR = (4, 3, 2)


@pytest.fixture
def events(rng):
    n = 300
    return make_events(
        rng.integers(0, 4, n), rng.integers(0, 3, n), np.sort(rng.integers(0, 1000, n)),
        rng.random(n) < 0.7,
    )  # fmt: skip


def loop_counts(events, n_bins):
    counts = np.zeros((3, 4, n_bins, 2))
    for x, y, t, p in events.tolist():
        counts[y, x, t * n_bins // 1000, int(p)] += 1
    return counts


@pytest.mark.parametrize("n_bins", [1, 3])
def test_polarities_match_a_loop(events, n_bins):
    wanted = loop_counts(events, n_bins)
    make = {"sensor_size": SENSOR, "n_bins": n_bins, "normalise": "none", "duration_us": 1000}
    merged = TactileImage(polarity="merge", **make)(events)
    np.testing.assert_array_equal(merged, wanted.sum(-1))
    split = TactileImage(polarity="split", **make)(events)
    np.testing.assert_array_equal(split, wanted.reshape(3, 4, -1))
    difference = TactileImage(polarity="difference", **make)(events)
    np.testing.assert_array_equal(difference, wanted[..., 1] - wanted[..., 0])
    for polarity, image in (("merge", merged), ("split", split), ("difference", difference)):
        assert TactileImage(polarity=polarity, **make).shape == image.shape
        assert image.dtype == np.float32


def test_normalisations_follow_their_formulas(events):
    make = {"sensor_size": SENSOR, "polarity": "difference", "duration_us": 1000}
    raw = TactileImage(normalise="none", **make)(events)
    wanted = {
        "max": raw / np.abs(raw).max(),
        "sum": raw / np.abs(raw).sum(),
        "log": np.sign(raw) * np.log1p(np.abs(raw)) / np.log1p(np.abs(raw).max()),
        "standard": (raw - raw.mean()) / raw.std(),
        "root": np.sign(raw) * np.sqrt(np.abs(raw) / np.abs(raw).max()),
    }
    for name, image in wanted.items():
        ours = TactileImage(normalise=name, **make)(events)
        np.testing.assert_allclose(ours, image, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("normalise", ["max", "sum", "log", "standard", "root", "none"])
def test_no_events_give_a_zero_image(normalise):
    image = TactileImage(SENSOR, n_bins=2, normalise=normalise)(make_events([], [], [], []))
    np.testing.assert_array_equal(image, np.zeros((3, 4, 2), np.float32))


def test_upright_swaps_rows_and_columns(events):
    make = {"sensor_size": SENSOR, "n_bins": 2, "duration_us": 1000}
    upright = TactileImage(upright=True, **make)
    np.testing.assert_array_equal(upright(events), TactileImage(**make)(events).transpose(1, 0, 2))
    assert upright.shape == (4, 3, 2)


def test_batch_stacks_single_images_and_takes_labelled_pairs(events):
    image = TactileImage(SENSOR, duration_us=1000)
    parts = [events, events[:50], events[:0]]
    batch = image.batch(parts)
    np.testing.assert_array_equal(batch, np.stack([image(part) for part in parts]))
    np.testing.assert_array_equal(batch, image.batch([(part, 3) for part in parts], progress=False))
    np.testing.assert_array_equal(batch, image.batch(iter(parts)))
    assert image.batch([]).shape == (0, 3, 4, 1)


def test_settings_survive_json():
    import json

    image = TactileImage(SENSOR, 3, "split", "log", 1000, True)
    assert TactileImage.from_dict(json.loads(json.dumps(image.to_dict()))) == image
    with pytest.raises(DataError, match=r"unknown settings \['bins'\]"):
        TactileImage.from_dict({"bins": 3})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"polarity": "on"}, "polarity is 'on'; choose one of"),
        ({"normalise": "l2"}, "normalise is 'l2'"),
        ({"n_bins": 0}, "n_bins is 0"),
        ({"duration_us": 0.5}, "duration_us is 0.5"),
        ({"sensor_size": (10, 10)}, "sensor_size is"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(DataError, match=message):
        TactileImage(**settings)


def test_events_after_the_duration_are_refused(events):
    with pytest.raises(DataError, match=r"rec: event \d+ at \d+ us lies after duration_us = 500"):
        TactileImage(SENSOR, duration_us=500)(events, "rec")
