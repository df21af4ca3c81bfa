"""Sparse spike samples against loops, `spike_tensor` and tonic's ToFrame."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_tactile.datasets import NMNIST, STEMNIST, ESkin, EvTouch, base
from nengo_tactile.errors import DataError
from nengo_tactile.events import (
    EVENT_DTYPE,
    load_spike_samples,
    make_events,
    random_shifts,
    spike_samples,
    spike_samples_of,
    spike_tensor,
)
from nengo_tactile.events.sparse import joined
from tests.support.damage import damaged
from tests.support.recordings import Recordings

SENSOR = (4, 3, 2)  # width and height differ, so that swapped axes show
BIN_US, N_STEPS = 100, 12


def random_events(rng, n=60, sensor=SENSOR, t_max=BIN_US * N_STEPS):
    width, height, polarities = sensor
    p = rng.integers(0, 2, n) if polarities == 2 else np.ones(n)
    x, y = rng.integers(0, width, n), rng.integers(0, height, n)
    return make_events(x, y, np.sort(rng.integers(0, t_max, n)), p)


@pytest.fixture
def recordings(rng):
    """Of different lengths; some events share a place; one recording is empty."""
    return [random_events(rng, n, t_max=t_max) for n, t_max in ((300, 500), (0, 1), (40, 1200))]


def looped(events, start, n_steps, shift=(0, 0), length=N_STEPS, binary=True):
    """One dense window, event by event."""
    dense = np.zeros((n_steps, 3, 4, 2), int)
    for x, y, t, p in events.tolist():
        step = t // BIN_US
        row, column = y + shift[0], x + shift[1]
        if step < length and 0 <= step - start < n_steps and 0 <= row < 3 and 0 <= column < 4:
            dense[step - start, row, column, int(p)] += 1
    return dense > 0 if binary else dense


def test_dense_equals_spike_tensor(recordings):
    samples = spike_samples(recordings, SENSOR, BIN_US, N_STEPS, labels=[5, 6, 7])
    assert (samples.shape, samples.n_steps, len(samples)) == ((3, 4, 2), N_STEPS, 3)
    order = [2, 0, 1, 2]
    dense = samples.dense(order)
    assert dense.dtype == np.float32
    for index, window in zip(order, dense):
        np.testing.assert_array_equal(
            window, spike_tensor(recordings[index], SENSOR, BIN_US, N_STEPS)
        )
    assert samples.labels.tolist() == [5, 6, 7]
    assert samples.lengths.tolist() == [N_STEPS] * 3


def test_counts_equal_tonic(recordings):
    from tonic.transforms import ToFrame

    counted = spike_samples(recordings, SENSOR, BIN_US, N_STEPS, binary=False)
    for index in (0, 2):
        events = recordings[index].copy()
        # tonic starts its bins at the first event
        events = np.concatenate([make_events([0], [0], [0], [1]), events])
        frames = ToFrame(SENSOR, time_window=BIN_US, include_incomplete=True)(events)
        frames[0, 1, 0, 0] -= 1
        dense = counted.dense([index], n_steps=len(frames), dtype=np.uint8)
        np.testing.assert_array_equal(dense[0], frames.transpose(0, 2, 3, 1))


@given(data=st.data())
@settings(max_examples=60)
def test_windows_and_shifts_equal_a_loop(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    recordings = [random_events(rng, int(rng.integers(0, 80))) for _ in range(4)]
    binary = data.draw(st.booleans())
    samples = spike_samples(recordings, SENSOR, BIN_US, N_STEPS, binary=binary)
    indices = data.draw(st.lists(st.integers(0, 3), max_size=5))
    n_steps = data.draw(st.integers(1, 20))
    starts = rng.integers(-N_STEPS - 3, N_STEPS + 3, len(indices))
    shifts = random_shifts(len(indices), data.draw(st.integers(0, 4)), rng)
    dense = samples.dense(np.array(indices, int), starts, n_steps, shifts, np.uint8)
    assert dense.shape == (len(indices), n_steps, 3, 4, 2)
    for row, index in enumerate(indices):
        wanted = looped(recordings[index], starts[row], n_steps, shifts[row], binary=binary)
        np.testing.assert_array_equal(dense[row], wanted)
    lengths = samples.lengths_within(np.array(indices, int), starts, n_steps)
    for start, length in zip(starts, lengths):
        assert length == sum(start + step < N_STEPS for step in range(n_steps))


def test_samples_of_different_lengths_are_padded(recordings):
    samples = spike_samples(recordings, SENSOR, BIN_US)
    wanted = [int(recordings[i]["t"][-1]) // BIN_US + 1 if i != 1 else 1 for i in range(3)]
    assert samples.lengths.tolist() == wanted
    assert samples.n_steps == max(wanted)
    dense = samples.dense([0, 1, 2])
    for index in range(3):
        assert not dense[index, wanted[index] :].any()
        np.testing.assert_array_equal(dense[index], looped(recordings[index], 0, max(wanted)))
    assert samples.lengths_within([0, 1], -1, 4).tolist() == [4, 2]


def test_durations_decide_the_lengths(recordings):
    durations = [1000, 1, 1150.5]
    samples = spike_samples(recordings, SENSOR, BIN_US, late="drop", durations_us=durations)
    assert samples.lengths.tolist() == [10, 1, 12]
    capped = spike_samples(recordings, SENSOR, BIN_US, 5, late="drop", durations_us=durations)
    assert capped.lengths.tolist() == [5, 1, 5]
    assert capped.n_steps == 5
    for index in range(3):
        wanted = looped(recordings[index], 0, 5, length=capped.lengths[index])
        np.testing.assert_array_equal(capped.dense([index])[0], wanted)


def test_late_events_are_an_error_unless_dropped(recordings):
    late = int((recordings[2]["t"] >= 900).argmax())
    n_late = 40 - late
    with pytest.raises(
        DataError,
        match=rf"digit 2: event {late} at {recordings[2]['t'][late]} us .* 9 steps .*\({n_late} ",
    ):
        spike_samples(recordings, SENSOR, BIN_US, 9, source="digit")
    samples = spike_samples(recordings, SENSOR, BIN_US, 9, late="drop")
    np.testing.assert_array_equal(samples.dense([2])[0], looped(recordings[2], 0, 9))


@pytest.mark.parametrize(("phases", "n_steps"), [(3, 12), (5, 12), (12, 12)])
def test_phases_have_channels_of_their_own(recordings, phases, n_steps):
    samples = spike_samples(recordings, SENSOR, BIN_US, n_steps, late="drop", phases=phases)
    width, height, polarities = SENSOR
    wanted = np.zeros((3, n_steps, height, width, phases * polarities))
    for index, events in enumerate(recordings):
        for x, y, t, p in zip(*(events[name].tolist() for name in "xytp")):
            step = t // BIN_US
            if step < n_steps:
                phase = max(k for k in range(phases) if step >= k * n_steps / phases)
                wanted[index, step, y, x, phase * polarities + p] = 1
    assert wanted.reshape(-1, phases, polarities).any((0, 2)).sum() > phases / 2
    np.testing.assert_array_equal(samples.dense([0, 1, 2]), wanted)
    places = (phases * int(np.prod(SENSOR)),)
    flat = spike_samples(
        recordings, SENSOR, BIN_US, n_steps, places, late="drop", phases=phases, binary=False
    )
    assert flat.shape == places
    np.testing.assert_array_equal(flat.addresses, samples.addresses)


def test_phases_that_cannot_be(recordings):
    for options, words in (
        ({"phases": 2}, "phases is 2, n_steps None: give at least as many steps"),
        ({"phases": 6, "n_steps": 5}, "phases is 6, n_steps 5"),
        ({"phases": 0, "n_steps": 5}, "phases is 0"),
        ({"phases": 2, "n_steps": 5, "shape": (7,)}, r"shape is \(7,\): .* phases \* polarities"),
    ):
        with pytest.raises(DataError, match=words):
            spike_samples(recordings, SENSOR, BIN_US, late="drop", **options)


@pytest.mark.parametrize(
    ("sensor", "shape"),
    [
        ((64, 1, 1), (64,)),
        ((39, 1, 2), (39, 2)),
        ((39, 1, 2), (78,)),
        ((16, 16, 1), None),
        ((300, 200, 2), None),  # more places than 16 bits
    ],
)
def test_other_shapes_are_the_same_places(sensor, shape, rng):
    events = random_events(rng, 500, sensor)
    samples = spike_samples([events], sensor, BIN_US, N_STEPS, shape)
    tensor = spike_tensor(events, sensor, BIN_US, N_STEPS)
    if sensor[2] == 1:
        tensor = tensor[..., 1:]  # all are ON
    wanted = tensor.shape[1:] if shape is None else shape
    dense = samples.dense([0], dtype=np.uint8)
    assert dense.shape == (1, N_STEPS, *wanted)
    np.testing.assert_array_equal(dense[0], tensor.reshape(N_STEPS, *wanted))


def test_stretches_lie_inside_and_each_start_is_as_likely(recordings, rng):
    samples = spike_samples(recordings, SENSOR, BIN_US)  # of 5, 1 and 12 steps
    indices = np.repeat([0, 1, 2], 3000)
    starts = samples.random_starts(indices, 8, rng).reshape(3, 3000)
    assert not starts[:2].any()
    counts = np.bincount(starts[2], minlength=5)
    assert len(counts) == 5
    assert abs(counts - 600).max() < 5 * np.sqrt(600 * 0.8)  # five standard deviations
    again = [samples.random_starts(indices, 8, np.random.default_rng(3)) for _ in range(2)]
    np.testing.assert_array_equal(*again)


def test_shifts_reach_the_limit_and_no_further(rng):
    assert set(random_shifts(500, 2, rng).ravel()) == set(range(-2, 3))
    assert not random_shifts(5, 0, rng).any()


def test_taking_and_storing_samples(recordings, tmp_path):
    for binary in (True, False):
        samples = spike_samples(
            recordings, SENSOR, BIN_US, binary=binary, labels=None if binary else [1, 2, 3]
        )
        samples.save(tmp_path / "a.npz")
        again = load_spike_samples(tmp_path / "a.npz")
        assert repr(again) == repr(samples)
        taken = again.take([2, 0])
        np.testing.assert_array_equal(taken.dense([0, 1]), samples.dense([2, 0]))
        assert taken.lengths.tolist() == samples.lengths[[2, 0]].tolist()
        assert taken.n_steps == samples.n_steps
        if not binary:
            assert taken.labels.tolist() == [3, 1]


@given(data=st.data())
@settings(max_examples=60)
def test_mutated_files_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "mutated_samples.npz"
    recordings = [random_events(np.random.default_rng(0))]
    spike_samples(recordings, SENSOR, BIN_US).save(path)
    path.write_bytes(damaged(data, path.read_bytes()))
    try:
        samples = load_spike_samples(path)
    except DataError as error:
        assert "mutated_samples.npz" in str(error)
        return
    np.testing.assert_array_equal(samples.dense([0])[0], looped(recordings[0], 0, samples.n_steps))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("offsets", lambda a: a + 1),
        ("offsets", lambda a: a[:-1]),
        ("offsets", lambda a: a.astype(float)),
        ("steps", lambda a: a[::-1]),
        ("steps", lambda a: a + np.uint16(50)),
        ("steps", lambda a: a.astype(np.uint32)),
        ("addresses", lambda a: a + np.uint16(24)),
        ("addresses", lambda a: a[1:]),
        ("lengths", lambda a: a * 0),
        ("lengths", lambda a: a + 1),
        ("labels", lambda a: a[1:]),
    ],
)
def test_contradicting_files_are_refused(name, change, recordings, tmp_path):
    samples = spike_samples(recordings, SENSOR, BIN_US, labels=[1, 2, 3])
    dataclasses.replace(samples, **{name: change(getattr(samples, name))}).save(tmp_path / "a.npz")
    with pytest.raises(DataError, match=rf"a\.npz: holds no spike samples .*'{name}'"):
        load_spike_samples(tmp_path / "a.npz")


def test_offsets_of_other_samples_are_refused(recordings, tmp_path):
    samples = spike_samples(recordings, SENSOR, BIN_US)
    dataclasses.replace(samples, lengths=samples.lengths[1:]).save(tmp_path / "a.npz")
    with pytest.raises(DataError, match=r"'offsets' has shape \(4,\), wanted \(3,\)"):
        load_spike_samples(tmp_path / "a.npz")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.npz: cannot be read"):
        load_spike_samples(tmp_path / "none.npz")


def one(x=(0,), y=(0,), t=(0,), p=(1,)):
    return np.array(list(zip(x, y, t, p)), EVENT_DTYPE)


@pytest.mark.parametrize(
    ("events", "options", "part"),
    [
        (one(x=[4]), {}, "rec 0: event 0 has x = 4"),
        (one(y=[3]), {}, "event 0 has y = 3"),
        (one(t=[-1]), {}, "t = -1"),
        (one(x=[0, 0], y=[0, 0], t=[5, 4], p=[1, 1]), {}, "t = 4 after 5"),
        (np.zeros(3), {}, "expected a structured array"),
        (one(), {"bin_us": 0}, "bin_us is 0"),
        (one(), {"bin_us": np.nan}, "bin_us is nan"),
        (one(), {"n_steps": 0}, "n_steps is 0"),
        (one(), {"n_steps": 2.5}, r"n_steps is 2\.5"),
        (one(), {"n_steps": 65_537}, "n_steps is 65537, at most 65536"),
        (one([0, 0], [0, 0], [0, 6_553_600], [1, 1]), {}, "rec 0 lasts 65537 steps"),
        (one(t=[6_553_600]), {}, "event 0 at 6553600 us lies after the 65536 steps .*subtract"),
        (one(t=[300]), {"n_steps": 3, "late": "drop"}, "the last of 3 steps .*subtract .*leave it"),
        (one(), {"durations_us": [6_553_601]}, "rec 0 lasts 65537 steps"),
        (one(), {"durations_us": [0]}, "durations_us, value 0 is 0"),
        (one(), {"durations_us": []}, "durations_us holds 0 values"),
        (one(), {"durations_us": [1, 2]}, "durations_us holds 2 values for 1"),
        (one(), {"labels": [1, 2]}, "labels holds 2 values for 1"),
        (one(), {"late": "cut"}, "late is 'cut'"),
        (one(), {"shape": (3, 4)}, r"shape is \(3, 4\): give one of as many places .* 24"),
        (one(), {"shape": (-24, -1)}, "shape is"),
        (one(p=[0]), {"sensor_size": (4, 3, 1)}, r"rec 0 has OFF events.*\(4, 3, 2\)"),
        (one(), {"sensor_size": (4, 3, 3)}, "3 polarities"),
    ],
)
def test_bad_recordings_and_options_are_refused(events, options, part):
    options = {"sensor_size": SENSOR, "bin_us": BIN_US, "source": "rec", **options}
    with pytest.raises(DataError, match=part):
        spike_samples([events], **options)


def test_the_longest_samples_that_can_be_stored():
    samples = spike_samples([one(t=[6_553_599])], SENSOR, BIN_US)
    assert samples.lengths.tolist() == [65_536]
    assert samples.dense([0], 65_535, 2).sum(axis=(0, 2, 3, 4)).tolist() == [1, 0]


def test_bad_requests_are_refused(recordings):
    samples = spike_samples(recordings, SENSOR, BIN_US, N_STEPS)
    flat = spike_samples(recordings, SENSOR, BIN_US, N_STEPS, shape=(24,))
    many = spike_samples([np.repeat(one(), 300)], SENSOR, BIN_US, binary=False)
    assert many.dense([0]).sum() == 300
    for call, part in (
        (lambda: samples.dense([3]), "index 3 is none of the 3"),
        (lambda: samples.dense([-1]), "index -1"),
        (lambda: samples.dense([0.5]), "indices have type float64"),
        (lambda: samples.dense(0), "indices"),
        (lambda: samples.dense([0, 1], [1]), "starts have type"),
        (lambda: samples.dense([0], 0.5), "starts have type"),
        (lambda: samples.dense([0], n_steps=0), "n_steps is 0"),
        (lambda: samples.dense([0], shifts=[[1]]), "shifts have type"),
        (lambda: samples.dense([0], shifts=[[1.0, 0.0]]), "shifts have type"),
        (lambda: flat.dense([0], shifts=[[1, 0]]), "lie on no pixels"),
        (lambda: many.dense([0], dtype=np.uint8), "300 events"),
        (lambda: samples.random_starts([0], 0, np.random.default_rng()), "n_steps is 0"),
    ):
        with pytest.raises(DataError, match=part):
            call()
    with pytest.raises(DataError, match="70000 events in one step"):
        spike_samples([np.repeat(one(), 70_000)], SENSOR, BIN_US, binary=False)


def test_no_samples_and_no_windows(recordings):
    assert len(spike_samples([], SENSOR, BIN_US)) == 0
    samples = spike_samples(recordings, SENSOR, BIN_US, N_STEPS)
    assert samples.dense([]).shape == (0, N_STEPS, 3, 4, 2)
    assert spike_samples([recordings[1]], SENSOR, BIN_US).dense([0]).shape == (1, 1, 3, 4, 2)


def test_widths_need_not_be_whole_microseconds():
    bins = np.arange(240)
    times = np.rint((bins + 0.5) * 1e6 / 120).astype(int)  # as STEMNIST's
    events = make_events(bins * 0, bins * 0, times, bins * 0 + 1)
    samples = spike_samples([events], SENSOR, 1e6 / 120)
    assert samples.steps.tolist() == bins.tolist()


def test_memory_is_four_bytes_per_spike(rng):
    samples = spike_samples([random_events(rng, 5000, (34, 34, 2))], (34, 34, 2), BIN_US)
    assert samples.nbytes - 4 * len(samples.steps) == 3 * 8  # offsets and the length


def test_a_data_set_is_read_one_recording_at_a_time_under_a_bar(recordings, monkeypatch):
    bars = []

    def track(indices, description, progress):
        for index in indices:
            bars.append((index, description, progress))
            yield index

    monkeypatch.setattr(base, "track", track)
    data = Recordings(recordings, [8, 9, 8], SENSOR, "0123456789")
    samples = spike_samples_of(data, BIN_US, progress=True)
    assert bars == [(index, "reading recordings", True) for index in range(3)]
    assert samples.labels.tolist() == [8, 9, 8]
    np.testing.assert_array_equal(
        samples.dense([0, 1, 2]), spike_samples(recordings, SENSOR, BIN_US).dense([0, 1, 2])
    )
    chosen = spike_samples_of(
        data, BIN_US, indices=[2, 0], durations_us=[600, 100, 1200], late="drop"
    )
    assert chosen.lengths.tolist() == [12, 6]
    data.events[1] = one(t=[-3])
    with pytest.raises(DataError, match=r"Recordings.*, sample 1: event 0 has t = -3"):
        spike_samples_of(data, BIN_US)


def test_a_simulated_data_set_streams_with_its_labels():
    data = ESkin(split="test", n_samples=6)
    samples = spike_samples_of(data, 10_000, 200, indices=[4, 1])
    assert samples.labels.tolist() == data.targets[[4, 1]].tolist()
    for row, index in enumerate((4, 1)):
        wanted = spike_tensor(data.read_events(index), data.sensor_size, 10_000, 200)
        np.testing.assert_array_equal(samples.dense([row])[0], wanted)


def test_ev_touch_of_the_project_gives_its_bits(data_dir):
    data = EvTouch(data_dir)
    samples = spike_samples_of(data, data.bin_us, data.n_bins, shape=(39, 2))
    bits = np.unpackbits(data.data, axis=-1)[..., : data.n_bins]  # (samples, 39, ON and OFF, bins)
    indices = np.arange(0, 576, 37)
    dense = samples.dense(indices, dtype=np.uint8)
    np.testing.assert_array_equal(dense, bits[indices][:, :, ::-1].transpose(0, 3, 1, 2))


def test_nmnist_and_stemnist_of_the_project(data_dir):
    for data, bin_us, n_steps in (
        (NMNIST(data_dir, split="test"), 1000, 316),
        (STEMNIST(data_dir, split="test"), 8333, 240),
    ):
        indices = [0, 50, 99]
        samples = spike_samples_of(data, bin_us, n_steps, indices)
        dense = samples.dense([0, 1, 2])
        for row, index in enumerate(indices):
            wanted = spike_tensor(data.read_events(index), data.sensor_size, bin_us, n_steps)
            np.testing.assert_array_equal(dense[row], wanted[..., -data.sensor_size[2] :])


def test_joined_samples_stand_behind_each_other(recordings):
    options = {"sensor_size": SENSOR, "bin_us": BIN_US, "n_steps": N_STEPS}
    for extra in ({}, {"binary": False}):
        parts = [
            spike_samples(part, labels=range(len(part)), **options, **extra)
            for part in (recordings[:2], recordings[1:1], recordings[1:])
        ]
        found = joined(parts)
        np.testing.assert_array_equal(found[:], np.concatenate([part[:] for part in parts]))
        np.testing.assert_array_equal(found.labels, [0, 1, 0, 1])
        np.testing.assert_array_equal(found.lengths, [N_STEPS] * 4)
        again = joined([found])
        np.testing.assert_array_equal(again.offsets, found.offsets)
    plain = spike_samples(recordings, **options)
    with pytest.raises(DataError, match="only some of the samples to be joined have labels"):
        joined([plain, dataclasses.replace(plain, labels=np.arange(3))])
    with pytest.raises(DataError, match=r"differ in n_steps, \[12, 13\]"):
        joined([plain, spike_samples(recordings, SENSOR, BIN_US, 13)])
