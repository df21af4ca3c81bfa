"""One protocol of layouts: what becomes of recordings, however they come."""

import numpy as np
import pytest

from nengo_tactile.errors import DataError
from nengo_tactile.events import PatternLayout, SpikeLayout, TactileImage, event_pattern
from nengo_tactile.events.arrays import make_events
from nengo_tactile.events.labelled import Labelled
from nengo_tactile.events.layouts import Layout
from nengo_tactile.events.sparse import load_spike_samples
from tests.support.recordings import Recordings

SIZE = (4, 3, 2)
LAYOUTS = (
    TactileImage(SIZE, duration_us=1000),
    SpikeLayout(SIZE, 100, 10),
    PatternLayout(SIZE, step_us=100, recording_steps=10, tail_steps=2),
)


@pytest.fixture
def recordings(rng):
    made = []
    for n in (40, 7, 12):
        times = np.sort(rng.integers(0, 1000, n))
        made.append(make_events(rng.integers(0, 4, n), rng.integers(0, 3, n), times, times % 2))
    return made


@pytest.mark.parametrize("layout", LAYOUTS)
def test_however_recordings_come_they_become_the_same(layout, recordings):
    assert isinstance(layout, Layout)
    assert layout.sensor_size == SIZE
    data = Recordings(recordings, [2, 0, 1], SIZE)
    chosen = layout.batch(Labelled(data, [1, 0], progress=False))
    alike = [
        layout.batch(recordings, progress=False),
        layout.batch(iter(recordings)),
        layout.batch(list(zip(recordings, (2, 0, 1))), progress=False),
        layout.batch(data, progress=False),
    ]
    for samples in alike:
        np.testing.assert_array_equal(samples[:], alike[0][:])
    np.testing.assert_array_equal(chosen[:], alike[0][:][[1, 0]])
    for samples, labels in zip(alike[2:], ([2, 0, 1], [2, 0, 1])):
        assert getattr(samples, "labels", np.array(labels)).tolist() == labels
    one = layout.batch(recordings[1], progress=False)
    np.testing.assert_array_equal(one[:], alike[0][:][1:2])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_recording_that_does_not_fit_is_named_by_its_number_in_the_data(layout, recordings):
    recordings[2]["x"][-1] = 4
    with pytest.raises(DataError, match=r"recording 2\b"):
        layout.batch(recordings, progress=False)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_another_sensor_is_refused(layout, recordings):
    data = Recordings(recordings, [2, 0, 1], (4, 2, 2))
    with pytest.raises(DataError, match=r"has the sensor size \(4, 2, 2\), the layout \(4, 3"):
        layout.batch(data, progress=False)


def test_patterns_are_those_of_the_paper_with_signs_and_survive_a_file(recordings, tmp_path):
    layout = LAYOUTS[2]
    samples = layout.batch(recordings)
    for pattern, events in zip(samples, recordings):
        np.testing.assert_array_equal(pattern, event_pattern(events, layout))
    assert samples.counts.min() < 0
    samples.save(tmp_path / "samples.npz")
    read = load_spike_samples(tmp_path / "samples.npz")
    np.testing.assert_array_equal(read[:], samples[:])
    with pytest.raises(DataError, match="-1 events of one address, uint8 holds at least 0"):
        samples.dense(np.arange(3), dtype=np.uint8)
    taken = samples.take(np.array([2, 0]))
    np.testing.assert_array_equal(taken[:], samples[:][[2, 0]])


def test_an_index_that_is_no_sample_is_named(recordings):
    with pytest.raises(DataError, match=r"index 3: .* has 3 samples"):
        Labelled(Recordings(recordings, [2, 0, 1], SIZE), [0, 3])
