"""ST-MNIST from folders and zip archives of the real layout."""

import pickle
import shutil
import zipfile

import numpy as np
import pytest

from nengo_tactile.datasets import STMNIST, split_indices
from nengo_tactile.datasets.spiketrain import read_spiketrain
from nengo_tactile.errors import DataError
from tests.support.fake_formats import (
    default_table,
    mat_bytes,
    stmnist_members,
    write_folder,
    write_zip,
)


@pytest.fixture
def members(rng):
    return stmnist_members(rng)


def check_all(dataset, recordings):
    assert len(dataset) == len(recordings) == 30
    np.testing.assert_array_equal(dataset.targets, np.repeat(np.arange(10), 3))
    for index, name in enumerate(dataset.files):
        inside = name if name in recordings else f"data_submission/{name}"
        events, label = dataset[index]
        np.testing.assert_array_equal(events, recordings[inside])
        assert label == int(inside.split("/")[1])


@pytest.mark.parametrize("below", ["", "data_submission"])
def test_a_folder_is_read(members, below, tmp_path):
    files, recordings = members
    check_all(STMNIST(write_folder(tmp_path, files) / below), recordings)


@pytest.mark.parametrize("place", ["", "STMNIST/", "stmnist/"])
def test_a_zip_is_found_and_read_without_unpacking(members, place, tmp_path):
    files, recordings = members
    path = tmp_path / place / STMNIST.filename
    path.parent.mkdir(exist_ok=True)
    write_zip(path, {**files, "__MACOSX/data_submission/1/._writer0.mat": b"litter"})
    check_all(STMNIST(tmp_path), recordings)
    check_all(STMNIST(path), recordings)
    check_all(pickle.loads(pickle.dumps(STMNIST(path))), recordings)
    assert [file.name for file in path.parent.iterdir()] == [STMNIST.filename]


def test_it_is_found_through_the_environment(members, tmp_path, monkeypatch):
    monkeypatch.setenv("NENGO_TACTILE_DATA", str(write_folder(tmp_path, members[0])))
    check_all(STMNIST(), members[1])
    monkeypatch.delenv("NENGO_TACTILE_DATA")
    with pytest.raises(DataError, match="NENGO_TACTILE_DATA"):
        STMNIST()


def test_tonic_users_feel_at_home(members, tmp_path):
    import tonic
    from tonic.transforms import ToFrame

    write_folder(tmp_path, members[0])
    frames = ToFrame(sensor_size=STMNIST.sensor_size, n_time_bins=4)
    dataset = STMNIST(
        tmp_path,
        transform=frames,
        target_transform=lambda label: label + 100,
        transforms=lambda sample, label: (sample, -label),
    )
    assert isinstance(dataset, tonic.Dataset)
    assert (dataset.ordering, dataset.sensor_size) == (("x", "y", "t", "p"), (10, 10, 2))
    frame, label = dataset[-1]
    assert label == -109
    assert frame.shape == (4, 2, 10, 10)
    assert len(list(dataset)) == 30  # iteration ends
    with pytest.raises(IndexError):
        dataset[30]


def test_what_a_transform_changes_in_place_stays_unchanged_in_memory(members, tmp_path):
    dataset = STMNIST(write_folder(tmp_path, members[0]))
    before = dataset[0][0].copy()
    dataset[0][0]["x"] = 9
    np.testing.assert_array_equal(dataset[0][0], before)


def test_splits_are_the_seeded_stratified_ones(members, tmp_path):
    write_folder(tmp_path, members[0])
    whole = STMNIST(tmp_path)
    train, test = split_indices(whole.targets, 1 / 3, 7)
    for split, indices in (("train", train), ("test", test)):
        part = STMNIST(tmp_path, split=split, test_share=1 / 3, seed=7)
        assert part.files == [whole.files[index] for index in indices]
        np.testing.assert_array_equal(part.targets, whole.targets[indices])
    with pytest.raises(DataError, match="'validation'"):
        STMNIST(tmp_path, split="validation")


def test_the_lookup_table_places_taxels(members, rng, tmp_path):
    files, recordings = members
    order = rng.permutation(100)
    table = default_table()
    table[:, 1:] = table[order, 1:]
    files["data_submission/LUT.mat"] = mat_bytes(LUT=table)
    dataset = STMNIST(write_folder(tmp_path, files))
    before = recordings[f"data_submission/{dataset.files[4]}"]
    taxel = order[before["y"] * 10 + before["x"]]
    np.testing.assert_array_equal(dataset[4][0]["x"], taxel % 10)
    np.testing.assert_array_equal(dataset[4][0]["y"], taxel // 10)


def test_a_missing_lookup_table_is_an_error_with_a_remedy(rng, tmp_path):
    files, recordings = stmnist_members(rng, lut=False)
    write_folder(tmp_path, files)
    with pytest.raises(DataError, match=r"no LUT\.mat.*default_layout=True"):
        STMNIST(tmp_path)
    check_all(STMNIST(tmp_path, default_layout=True), recordings)
    (tmp_path / "LUT.mat").write_bytes(mat_bytes(LUT=default_table()))  # beside the folder
    check_all(STMNIST(tmp_path), recordings)


def test_differing_lookup_tables_are_refused(members, tmp_path):
    table = default_table()
    table[:, 1:] = table[::-1, 1:]
    members[0]["data_submission/lut_old.mat"] = mat_bytes(LUT=table)
    with pytest.raises(DataError, match="lookup tables that differ"):
        STMNIST(write_folder(tmp_path, members[0]))


def test_missing_data_says_where_it_was_looked_for_and_tells_of_the_form(tmp_path):
    with pytest.raises(DataError) as caught:
        STMNIST(tmp_path)
    message = str(caught.value)
    for part in (
        str(tmp_path / "data_submission"),
        str(tmp_path / STMNIST.filename),
        "fill in the form at http://www.benjamintee.com/stmnist",
        STMNIST.sha256,
    ):
        assert part in message
    with pytest.raises(DataError, match="does not exist"):
        STMNIST(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("extra", "part"),
    [
        ({"data_submission/ten/a.mat": b""}, r"ten/a\.mat.*'ten'.*digit"),
        ({"data_submission/10/a.mat": b""}, r"'10'.*digit"),
        ({"data_submission/a.mat": b""}, r"'data_submission'.*digit"),
        ({"copy/3/a.mat": b""}, r"several places \(copy, data_submission\)"),
        ({"../3/a.mat": b""}, r"'\.\./3/a\.mat' points outside"),
        ({"data_submission/../../3/a.mat": b""}, "points outside"),
        ({"/etc/3/a.mat": b""}, "points outside"),
        ({"..\\3\\a.mat": b""}, "points outside"),
        ({"C:/3/a.mat": b""}, "points outside"),
    ],
)
def test_archives_with_wrong_members_are_refused(members, extra, part, tmp_path):
    path = write_zip(tmp_path / "set.zip", {**members[0], **extra})
    with pytest.raises(DataError, match=part):
        STMNIST(path)


def test_a_link_in_an_archive_is_refused(members, tmp_path):
    path = write_zip(tmp_path / "set.zip", members[0])
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("data_submission/3/link.mat")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match=r"link\.mat' points outside"):
        STMNIST(path)


def test_archives_without_recordings_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"no \.mat recordings: unpack 'inner\.zip'"):
        STMNIST(write_zip(tmp_path / "outer.zip", {"inner.zip": b"PK"}))
    with pytest.raises(DataError, match=r"no \.mat recordings: give the ST-MNIST data"):
        STMNIST(write_zip(tmp_path / "empty.zip", {}))
    (tmp_path / "text.zip").write_text("not a zip")
    with pytest.raises(DataError, match=r"text\.zip: is no readable zip archive"):
        STMNIST(tmp_path / "text.zip")


def test_a_damaged_member_is_named(members, tmp_path):
    name = "data_submission/4/writer1.mat"
    path = write_zip(tmp_path / "set.zip", members[0])
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo(name).header_offset + 30 + len(name) + 60
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)
    dataset = STMNIST(path)
    with pytest.raises(DataError, match=rf"set\.zip:{name}: is damaged"):
        dataset[dataset.files.index(name)]


def test_the_cache_is_written_once_used_and_renewed(members, tmp_path, monkeypatch):
    folder = write_folder(tmp_path / "set", members[0])
    cache = tmp_path / "cache" / "events.npz"
    check_all(STMNIST(folder, cache=cache), members[1])
    first = cache.stat().st_mtime_ns

    from nengo_tactile.datasets import stmnist

    def no_parsing(*arguments):
        raise AssertionError("parsed although the cache is there")

    with monkeypatch.context() as patch:
        patch.setattr(stmnist, "read_spiketrain", no_parsing)
        check_all(STMNIST(folder, cache=cache), members[1])
        train = STMNIST(folder, split="train", test_share=1 / 3, cache=cache)
        assert train[5][0].tolist() == members[1][f"data_submission/{train.files[5]}"].tolist()
    assert cache.stat().st_mtime_ns == first

    target = folder / "data_submission/3/writer0.mat"
    shutil.copy(folder / "data_submission/5/writer1.mat", target)  # another size or time stamp
    changed = STMNIST(folder, cache=cache)
    np.testing.assert_array_equal(changed[9][0], read_spiketrain(target))
    assert [path.name for path in cache.parent.iterdir()] == ["events.npz"]


def test_a_file_that_is_no_cache_is_never_overwritten(members, tmp_path):
    folder = write_folder(tmp_path / "set", members[0])
    (tmp_path / "thesis.npz").write_bytes(b"ten years of work")
    with pytest.raises(DataError, match=r"thesis\.npz: is no readable zip"):
        STMNIST(folder, cache=tmp_path / "thesis.npz")
    assert (tmp_path / "thesis.npz").read_bytes() == b"ten years of work"
    np.savez(tmp_path / "thesis.npz", years=np.arange(10))
    with pytest.raises(DataError, match=r"thesis\.npz: is no cache of events"):
        STMNIST(folder, cache=tmp_path / "thesis.npz")


def test_no_cache_is_left_when_a_recording_is_damaged(members, tmp_path):
    folder = write_folder(tmp_path / "set", members[0])
    (folder / "data_submission/9/writer2.mat").write_bytes(b"")
    with pytest.raises(DataError, match=r"writer2\.mat is empty"):
        STMNIST(folder, cache=tmp_path / "cache" / "events.npz")
    assert not (tmp_path / "cache").exists()
