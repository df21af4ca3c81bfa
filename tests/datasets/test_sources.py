"""Folders, archives and npz files, opened with care."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_tactile.datasets import sources
from nengo_tactile.datasets.registry import open_dataset
from nengo_tactile.datasets.sources import locate, open_source, read_npz
from nengo_tactile.errors import DataError
from tests.support.damage import damaged
from tests.support.fake_formats import write_folder, write_zip

MEMBERS = {"b/2.txt": b"two", "a/1.txt": b"one", "top.txt": b"top"}


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_folders_and_archives_give_the_same(form, tmp_path):
    litter = {".DS_Store": b"", "a/._1.txt": b"", "__MACOSX/a/1.txt": b""}
    members = {**MEMBERS, **litter}
    if form == "zip":
        path = write_zip(tmp_path / "x.zip", members)
    else:
        path = write_folder(tmp_path, members)
    source = open_source(path)
    assert sorted(source.names) == sorted(MEMBERS)
    assert {name: source.read(name) for name in source.names} == MEMBERS
    assert source.stamps(["top.txt"]) == open_source(path).stamps(["top.txt"])


def test_what_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_BYTES", 100)
    folder = write_folder(tmp_path / "folder", {"a": b"0" * 101})
    archive = write_zip(tmp_path / "a.zip", {"a": b"0" * 101})
    for path in (folder, archive):
        with pytest.raises(DataError, match="101 bytes, wanted at most 100"):
            open_source(path).read("a")


def test_files_that_vanish_are_named(tmp_path):
    source = open_source(write_folder(tmp_path, MEMBERS))
    (tmp_path / "top.txt").unlink()
    with pytest.raises(DataError, match=r"top\.txt: cannot be read"):
        source.read("top.txt")
    with pytest.raises(DataError, match="nowhere does not exist"):
        open_source(tmp_path / "nowhere")


def test_links_are_followed_but_not_in_a_circle(tmp_path):
    write_folder(tmp_path / "elsewhere", MEMBERS)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "circle").symlink_to(tmp_path / "set")
    source = open_source(tmp_path / "set")
    assert sorted(source.names) == sorted(f"linked/{name}" for name in MEMBERS)
    (tmp_path / "set" / "broken").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"cannot be listed.*check links"):
        open_source(tmp_path / "set")


def test_encrypted_and_doubled_members_are_refused(tmp_path):
    path = write_zip(tmp_path / "a.zip", MEMBERS)
    content = path.read_bytes()
    place = content.index(b"PK\1\2") + 8  # the flags of the first member in the directory
    path.write_bytes(content[:place] + b"\1" + content[place + 1 :])
    with pytest.raises(DataError, match="encrypted"):
        open_source(path)
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("a", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", b"2")
    with pytest.raises(DataError, match="'a' is there twice"):
        open_source(tmp_path / "b.zip")


@given(st.data())
@settings(max_examples=150)
def test_mutated_archives_are_read_or_refused(tmp_path_factory, data):
    path = write_zip(tmp_path_factory.getbasetemp() / "mutated.zip", MEMBERS)
    content = damaged(data, path.read_bytes(), cut=False)
    path.write_bytes(content[data.draw(st.integers(0, 3)) :])
    try:
        source = open_source(path)
        for name in source.names:
            source.read(name)
    except DataError as error:
        assert "mutated.zip" in str(error)


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def bare(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "no readable zip"),
        (b"text", "no readable zip"),
        (npz(a=np.ones(3))[:-30], "no readable zip"),
        (bare(np.ones(3)), "no readable zip"),
        (npz(b=np.ones(3)), r"no array 'a', only \['b'\]"),
        (npz(a=np.array([None, {}], dtype=object)), "pickled objects"),
        (npz(a=np.ones((3, 3))), "shape"),
        (npz(a=np.ones(3, bool)), "type bool"),
    ],
)
def test_bad_npz_files_are_refused(content, part, tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.npz.*{part}"):
        read_npz(path, {"a": ("f", 1)})


@given(st.binary(max_size=200))
@settings(max_examples=100)
def test_arbitrary_bytes_are_no_npz(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "arbitrary.npz"
    for prefix in (b"", b"\x93NUMPY\x01\x00", b"PK\x03\x04"):
        path.write_bytes(prefix + content)
        with pytest.raises(DataError, match="arbitrary"):
            read_npz(path, {"a": ("f", 1)})


def test_errors_list_every_place_that_was_tried(tmp_path):
    with pytest.raises(DataError) as caught:
        locate(tmp_path, ["one.npz", "two/one.npz"], "the set", "Get it.")
    for part in ("the set", f"{tmp_path}/one.npz", f"{tmp_path}/two/one.npz", "Get it."):
        assert part in str(caught.value)


def test_without_a_place_the_message_names_what_is_looked_for(monkeypatch):
    """The set and its file, whichever command asked."""
    monkeypatch.delenv("NENGO_TACTILE_DATA", raising=False)
    for name, words in (("mnist", r"MNIST \(mnist.npz\)"), ("stemnist", r"\(stemnist_spikes_aer")):
        with pytest.raises(DataError, match=words + ".*no place for recordings given"):
            open_dataset(name)
