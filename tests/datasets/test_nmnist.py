"""N-MNIST from folders and archives: events against the records one by one, and tonic."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nengo_tactile.datasets import MNIST, NMNIST
from nengo_tactile.datasets.nmnist import read_nmnist
from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import make_events
from tests.support.fake_formats import nmnist_bytes, random_events, write_folder, write_zip


def nmnist_members(rng):
    members, recordings = {}, {}
    for side in ("Train", "Test"):
        for digit in range(10):
            for number in range(2):
                name = f"{side}/{digit}/{number:05}.bin"
                recordings[name] = random_events(rng, int(rng.integers(1, 20)), 34, 34, 300_000)
                members[name] = nmnist_bytes(recordings[name])
    return members, recordings


@pytest.mark.parametrize("form", ["folder", "tonic", "zip"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_nmnist_from_folders_and_zips(form, split, rng, tmp_path):
    members, recordings = nmnist_members(rng)
    if form == "zip":
        (tmp_path / "nmnist").mkdir()
        write_zip(tmp_path / "nmnist" / "nmnist_small.zip", members)
    else:
        write_folder(tmp_path / ("NMNIST" if form == "tonic" else ""), members)
    dataset = NMNIST(tmp_path, split=split)
    assert len(dataset) == 20
    for index, name in enumerate(dataset.files):
        events, label = dataset[index]
        assert name.startswith(split.capitalize())
        assert label == dataset.targets[index] == int(name.split("/")[1])
        np.testing.assert_array_equal(events, recordings[name])


def test_nmnist_equals_tonic_s_own_data_set(rng, tmp_path, monkeypatch):
    import tonic.datasets

    members, _ = nmnist_members(rng)
    write_folder(tmp_path / "NMNIST", members)
    monkeypatch.setattr(tonic.datasets.NMNIST, "_check_exists", lambda self: True)
    theirs = tonic.datasets.NMNIST(str(tmp_path), train=False, first_saccade_only=True)
    ours = NMNIST(tmp_path, split="test", first_saccade_only=True)
    assert len(theirs) == len(ours) == 20
    for (events, label), (their_events, their_label) in zip(ours, theirs):
        assert label == their_label
        for name in "xytp":
            np.testing.assert_array_equal(events[name], their_events[name])


def nmnist_events(content):
    """The records one by one; y = 240 is no event but says that the clock ran over 2**13."""
    found, late = [], 0
    for x, y, *rest in (content[start : start + 5] for start in range(0, len(content), 5)):
        word = int.from_bytes(rest, "big")
        late += 2**13 * (y == 240)
        if y != 240:
            found.append((x, y, late + word % 2**23, word >> 23))
    return found


@given(st.binary(max_size=60))
@example(b"\1\2\0\0\3" + b"\0\xf0\0\0\0" + b"\4\5\x80\0\6")
@settings(max_examples=150)
def test_arbitrary_nmnist_bytes_give_events_or_data_error(content):
    try:
        events = read_nmnist(content, "0/1.bin")
    except DataError as error:
        assert "0/1.bin" in str(error)
        return
    wanted = nmnist_events(content)
    assert [tuple(map(int, e)) for e in events[["x", "y", "t", "p"]]] == wanted
    if 240 not in content[1::5]:
        assert nmnist_bytes(events) == content


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "0 bytes"),
        (b"\1" * 7, "7 bytes, wanted a multiple of 5"),
        (bytes([34, 0, 0, 0, 0]), "x = 34"),
        (bytes([1, 1, 0, 0, 9, 1, 1, 0, 0, 8]), "t = 8 after 9"),
    ],
)
def test_damaged_nmnist_records_are_refused(content, part):
    with pytest.raises(DataError, match=rf"a\.bin.*{part}"):
        read_nmnist(content, "a.bin")


@pytest.mark.parametrize("name", ["Train/x/1.bin", "Train/12/1.bin", "train/1/1.bin", "1.bin"])
def test_nmnist_files_without_a_label_are_refused(name, rng, tmp_path):
    members, _ = nmnist_members(rng)
    path = write_zip(tmp_path / "set.zip", {**members, name: b""})
    with pytest.raises(DataError, match=f"{name}: wanted Train/<digit>"):
        NMNIST(path)


def test_missing_nmnist_names_the_download(tmp_path):
    with pytest.raises(DataError, match="download=True"):
        NMNIST(tmp_path)
    with pytest.raises(DataError, match="holds no Test/"):
        NMNIST(write_zip(tmp_path / "a.zip", {"Train/1/1.bin": b""}), split="test")


def test_nmnist_of_the_project(data_dir):
    train, test = NMNIST(data_dir, split="train"), NMNIST(data_dir, split="test")
    assert (len(train), len(test)) == (1000, 100)
    lengths = [len(events) for side in (train, test) for events, _ in side]
    assert (min(lengths), max(lengths)) == (1069, 7152)  # its README
    mnist = MNIST(data_dir, split="test")  # the file numbers are MNIST's indices, from 1
    for name, label in zip(test.files, test.targets):
        assert mnist.targets[int(name[-9:-4]) - 1] == label


def test_polarity_survives_packing():
    events = make_events([1, 33], [2, 33], [5, 2**23 - 1], [1, 0])
    assert read_nmnist(nmnist_bytes(events)).tolist() == events.tolist()


@pytest.mark.parametrize("name", ["Train/3/00001.bio", "Train/3/00001.bi", "Train/3", "Test/x"])
def test_members_that_have_lost_their_name_are_named(name, rng, tmp_path):
    members, _ = nmnist_members(rng)
    members[name] = members.pop("Train/3/00001.bin")
    write_zip(tmp_path / "train.zip", members)
    with pytest.raises(DataError, match=f"{name}: wanted Train/<digit>/<name>.bin"):
        NMNIST(tmp_path / "train.zip")


def test_what_is_beside_the_recordings_does_no_harm(rng, tmp_path):
    members, _ = nmnist_members(rng)
    members |= {"README": b"text", "Train/.DS_Store": b"x", "__MACOSX/Train/1/._a.bin": b"x"}
    write_zip(tmp_path / "train.zip", members)
    assert len(NMNIST(tmp_path / "train.zip")) == 20


@pytest.mark.parametrize(
    "name", ["Train/3/00001.bi/", "Train/3/.0001.bin", "T\0ain/3/00001.bin", "Train/3/00001.bi\0"]
)
def test_members_whose_name_is_damaged_in_the_directory_are_not_passed_over(name, rng, tmp_path):
    members, _ = nmnist_members(rng)
    write_zip(tmp_path / "train.zip", members)
    content = (tmp_path / "train.zip").read_bytes()
    before, _, after = content.rpartition(b"Train/3/00001.bin")
    (tmp_path / "train.zip").write_bytes(before + name.encode() + after)
    with pytest.raises(DataError, match=r"is damaged( .*differ|: get the zip)"):
        NMNIST(tmp_path / "train.zip")
