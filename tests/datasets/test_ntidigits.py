"""N-TIDIGITS18 from files of its own layout."""

import pickle

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_tactile.datasets import NTIDIGITS, open_dataset
from nengo_tactile.errors import DataError
from nengo_tactile.events import check_events, spike_samples_of
from tests.support.damage import damaged
from tests.support.fake_formats import tidigits, write_tidigits

FILE = NTIDIGITS.filename


@pytest.fixture
def ntidigits(rng, tmp_path):
    recordings = tidigits(rng)
    write_tidigits(tmp_path / FILE, recordings)
    return tmp_path, recordings


@pytest.mark.parametrize("text_type", [None, h5py.string_dtype()])
@pytest.mark.parametrize("split", ["train", "test"])
def test_it_equals_a_loop_over_its_groups(split, text_type, rng, tmp_path):
    recordings = tidigits(rng)
    write_tidigits(tmp_path / FILE, recordings, text_type)
    dataset = NTIDIGITS(tmp_path, split=split)
    single = [name for name in recordings[split] if len(name.split("-")[-1]) == 1]
    assert dataset.names == single
    assert len(dataset) == 22
    words = dict(zip("z123456789o", dataset.classes))
    assert [words[str(digit)] for digit in range(1, 4)] == ["one", "two", "three"]
    for index, name in enumerate(single):
        events, label = dataset[index]
        assert dataset.classes[label] == words[name[-1]]
        check_events(events, dataset.sensor_size)
        addresses, times = recordings[split][name]
        assert events["x"].tolist() == addresses.tolist()
        assert events["t"].tolist() == [round(time * 1e6) for time in times]
        assert events["p"].all()


def test_it_equals_tonic_s_own_data_set(ntidigits, monkeypatch):
    import tonic.datasets

    folder, _ = ntidigits
    (folder / "NTIDIGITS18").mkdir()
    (folder / FILE).rename(folder / "NTIDIGITS18" / FILE)
    monkeypatch.setattr(tonic.datasets.NTIDIGITS18, "_check_exists", lambda self: True)
    theirs = tonic.datasets.NTIDIGITS18(str(folder), train=False, single_digits=True)
    ours = NTIDIGITS(folder, split="test")
    assert len(theirs) == len(ours) == 22
    for (events, label), (their_events, their_label) in zip(ours, theirs):
        # theirs counts oh, one, ... nine, zero
        assert ours.classes[label] == ("oh", *ours.classes[1:10], "zero")[their_label]
        assert events["x"].tolist() == their_events["x"].tolist()
        # theirs cuts to whole microseconds, ours rounds
        assert set(events["t"] - their_events["t"]) <= {0, 1}
    theirs.data.close()


def test_unsorted_times_are_sorted_with_their_channels(tmp_path):
    times, channels = [0.3, 0.1, 0.2, 0.1], [3.0, 1.0, 2.0, 0.0]
    recordings = {"train": {"a-1": (np.array(channels), np.array(times, np.float32))}}
    write_tidigits(tmp_path / FILE, recordings)
    events, label = NTIDIGITS(tmp_path)[0]
    assert label == 1
    assert events["x"].tolist() == [1, 0, 2, 3]
    assert events["t"].tolist() == [100_000, 100_000, 200_000, 300_000]


def test_an_utterance_without_events_is_silence(tmp_path):
    recordings = {"train": {"a-o": (np.zeros(0, int), np.zeros(0))}}
    write_tidigits(tmp_path / FILE, recordings)
    dataset = NTIDIGITS(tmp_path)
    assert len(dataset[0][0]) == 0
    assert not spike_samples_of(dataset, 1000, shape=(64,)).dense([0]).any()


def test_as_spikes_of_64_channels(ntidigits):
    folder, recordings = ntidigits
    dataset = open_dataset("ntidigits", split="test", data_dir=folder)
    samples = spike_samples_of(dataset, 10_000, 200, shape=(64,))
    dense = samples.dense(range(len(samples)))
    assert dense.shape == (22, 200, 64)
    for sample, name in zip(dense, dataset.names):
        wanted = np.zeros((200, 64))
        for address, time in zip(*recordings["test"][name]):
            wanted[round(time * 1e6) // 10_000, address] = 1
        np.testing.assert_array_equal(sample, wanted)


def test_it_survives_pickling_and_is_found_by_path(ntidigits):
    folder, _ = ntidigits
    dataset = open_dataset(folder / FILE, split="test")
    again = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(again[3][0], dataset[3][0])
    assert isinstance(open_dataset(folder), NTIDIGITS)


@pytest.mark.parametrize(
    ("column", "values", "part"),
    [
        (0, [0, 64], "address 1 is 64, wanted channels 0 to 63"),
        (0, [0, -1], "address 1 is -1"),
        (0, [0, 0.5], "address 1 is 0.5"),
        (0, [np.nan, 0], "address 0 is nan"),
        (0, [1], "1 addresses and 2 timestamps"),
        (0, [[1, 2]], r"addresses has type int64 and shape \(1, 2\)"),
        (0, np.array([b"a", b"b"]), "wanted numbers"),
        (1, [0, -0.5], "timestamp 1 is -0.5"),
        (1, [0, np.inf], "timestamp 1 is inf"),
        (1, [0, np.nan], "timestamp 1 is nan"),
    ],
)
def test_bad_recordings_are_refused(column, values, part, tmp_path):
    columns = [[1, 2], [0.0, 0.1]]
    columns[column] = values
    write_tidigits(tmp_path / FILE, {"train": {"a-1": tuple(map(np.array, columns))}})
    with pytest.raises(DataError, match=rf"(?s){FILE}: .*a-1.*{part}"):
        _ = NTIDIGITS(tmp_path)[0]


def remove(key):
    def change(file):
        del file[key]

    return change


def replace(key, values):
    def change(file):
        del file[key]
        file[key] = values

    return change


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (remove("train_labels"), "no 'train_labels', only"),
        (remove("train_addresses"), "no 'train_addresses'"),
        (replace("train_timestamps", [1, 2]), "no 'train_timestamps'"),
        (remove("train_timestamps/train0-a-7"), "train_timestamps lacks 1 of 22 .*'train0-a-7'"),
        (remove("train_addresses/train1-a-z"), "train_addresses lacks 1 of 22"),
        (replace("train_labels", [1, 2]), "train_labels': has type int64"),
        (replace("train_labels", np.array([[b"a-1"]])), "wanted a row of texts"),
        (replace("train_labels", np.array([b"a-x"])), "names 'a-x', wanted one of 'z123456789o'"),
        (replace("train_labels", np.array([b"a-12"])), "names no utterance of a single digit"),
        (replace("train_labels", np.array([b"\xff-1"])), "UnicodeDecodeError"),
    ],
)
def test_contradicting_files_are_refused(change, part, ntidigits):
    folder, _ = ntidigits
    with h5py.File(folder / FILE, "a") as file:
        change(file)
    with pytest.raises(DataError, match=rf"(?s){FILE}.*{part}"):
        NTIDIGITS(folder)
    assert len(NTIDIGITS(folder, split="test")) == 22


def test_truncated_and_foreign_files_are_refused(ntidigits):
    folder, _ = ntidigits
    content = (folder / FILE).read_bytes()
    for wrong in (content[: len(content) // 2], b"", b"PK\3\4" * 100):
        (folder / FILE).write_bytes(wrong)
        with pytest.raises(DataError, match=rf"{FILE}: is no readable HDF5 file .*md5"):
            NTIDIGITS(folder)


@given(st.data())
@settings(max_examples=80)
def test_mutated_files_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / FILE
    write_tidigits(path, {"train": {"a-1": (np.arange(5), np.arange(5) / 10)}})
    path.write_bytes(damaged(data, path.read_bytes(), cut=False))
    try:
        events, _ = NTIDIGITS(path)[0]
    except DataError as error:
        assert FILE in str(error)
        return
    check_events(events, NTIDIGITS.sensor_size)


def test_a_missing_set_names_the_download(tmp_path):
    with pytest.raises(DataError, match=rf"(?s)N-TIDIGITS18 was not found.*{FILE}.*download=True"):
        NTIDIGITS(tmp_path)
    with pytest.raises(DataError, match="'all'"):
        NTIDIGITS(tmp_path, split="all")


def test_the_download_goes_where_it_is_found(ntidigits, tmp_path, monkeypatch):
    folder, _ = ntidigits
    calls = []

    def fetch(url, path, known_hash, largest):
        calls.append((url, known_hash))
        path.parent.mkdir()
        return (folder / FILE).rename(path)

    monkeypatch.setattr("nengo_tactile.datasets.ntidigits.fetch", fetch)
    fetched = NTIDIGITS(tmp_path, download=True)
    assert calls == [(NTIDIGITS.url, f"md5:{NTIDIGITS.md5}")]
    assert NTIDIGITS(tmp_path).names == fetched.names
