"""Spike tensors against a loop and tonic's ToFrame."""

import numpy as np
import pytest

from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import make_events
from nengo_tactile.events.binning import spike_tensor

SENSOR = (4, 3, 2)  # width and height differ, so that swapped axes show


def random_events(rng, n=200, t_max=1000):
    return make_events(
        rng.integers(0, 4, n), rng.integers(0, 3, n), np.sort(rng.integers(0, t_max, n)),
        rng.integers(0, 2, n),
    )  # fmt: skip


def test_counts_match_a_loop(rng):
    events = random_events(rng)
    wanted = np.zeros((10, 3, 4, 2), int)
    for x, y, t, p in events.tolist():
        wanted[t // 100, y, x, int(p)] += 1
    counts = spike_tensor(events, SENSOR, 100, 10, binary=False)
    np.testing.assert_array_equal(counts, wanted)
    np.testing.assert_array_equal(spike_tensor(events, SENSOR, 100, 10), wanted > 0)


def test_counts_match_tonic(rng):
    from tonic.transforms import ToFrame

    events = random_events(rng)
    events["t"][0] = 0  # tonic starts its bins at the first event
    frames = ToFrame(SENSOR, time_window=100, include_incomplete=True)(events)  # (bins, p, y, x)
    ours = spike_tensor(events, SENSOR, 100, len(frames), binary=False, start_us=0)
    np.testing.assert_array_equal(ours, frames.transpose(0, 2, 3, 1))


def test_bins_can_start_later():
    events = make_events([1], [2], [250], [1])
    tensor = spike_tensor(events, SENSOR, 100, 1, start_us=200)
    assert tensor.sum() == 1
    assert tensor[0, 2, 1, 1] == 1


def test_no_events_give_zeros():
    tensor = spike_tensor(make_events([], [], [], []), SENSOR, 10, 5)
    assert tensor.shape == (5, 3, 4, 2)
    assert not tensor.any()


def test_events_outside_the_bins_are_refused():
    events = make_events([0, 0], [0, 0], [10, 1000], [1, 1])
    with pytest.raises(DataError, match=r"rec: event 1 at 1000 us lies after .* 0 to 1000 us"):
        spike_tensor(events, SENSOR, 100, 10, source="rec")
    with pytest.raises(DataError, match="event 0 at 10 us"):
        spike_tensor(events, SENSOR, 100, 10, start_us=50)


def test_widths_must_be_positive():
    with pytest.raises(DataError, match="must be positive"):
        spike_tensor(make_events([], [], [], []), SENSOR, 0, 5)


def test_counts_that_overflow_are_refused():
    n = 70_000
    events = make_events(*np.zeros((3, n), int), np.ones(n, int))
    with pytest.raises(DataError, match="70000 events"):
        spike_tensor(events, SENSOR, 10, 1, binary=False)
