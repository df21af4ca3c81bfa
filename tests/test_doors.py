"""What lies outside a file, or is not in it, is never read."""

import os
import struct
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

import nengo_tactile
from nengo_tactile import memory
from nengo_tactile.doors import hdf5
from nengo_tactile.doors.archives import member_content, opened_zip, read_npy, read_npz
from nengo_tactile.doors.plain import DATA
from nengo_tactile.errors import DataError


def external(file, place):
    place.with_suffix(".bin").write_bytes(b"what another file holds " * 10)
    unlimited = h5py.h5f.UNLIMITED
    file.create_dataset("x", (6,), "f4", external=[(place.with_suffix(".bin"), 0, unlimited)])


def external_link(file, place):
    file["x"] = h5py.ExternalLink(str(place), "/kernel")


def virtual(file, place):
    layout = h5py.VirtualLayout((6,), "f4")
    layout[...] = h5py.VirtualSource(str(place), "kernel", (6,))
    file.create_virtual_dataset("x", layout)


def soft_link(file, place):
    file["x"] = h5py.SoftLink("/other")


def plugin(file, place):
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((6,))
    plan.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (1,))
    h5py.h5d.create(file.id, b"x", h5py.h5t.NATIVE_FLOAT, h5py.h5s.create_simple((6,)), plan)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (external, "lies in another file"),
        (external_link, "link to another place or file"),
        (virtual, "lies in another file"),
        (soft_link, "link to another place or file"),
        (plugin, "filter 32015"),
        (
            lambda f, p: f.create_dataset("x", (2 * 10**9,), "f4", chunks=(1000,)),
            r"8.0 GB .*holds 0",
        ),
        (lambda f, p: f.create_dataset("x", (2 * 10**9,), "f4"), "8.0 GB .*holds 0"),
        (
            lambda f, p: f.create_dataset("x", (10**9,), "f4", chunks=(1000,), compression="gzip"),
            "4.0 GB .*holds 0",
        ),
        (lambda f, p: f.create_dataset("x", data=np.array(["a"], object)), "wanted numbers"),
        (lambda f, p: f.create_group("x"), "is not there"),
        (lambda f, p: None, "is not there"),
    ],
)
@pytest.mark.parametrize("deep", [False, True])
def test_hdf5_reads_what_lies_in_the_file(make, words, deep, tmp_path):
    path, other = tmp_path / "file.h5", tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["kernel"] = np.full(6, 42, "f4")
    with h5py.File(path, "w") as file:
        file["sound"], file["packed"] = np.arange(6), np.arange(6)
        del file["packed"]
        file.create_dataset("packed", data=np.zeros(10**6, "f4"), compression="gzip", shuffle=True)
        make(file.create_group("a/b") if deep else file, other)
    with hdf5.opened(path, DATA) as file:
        assert file.numbers("sound").tolist() == [0, 1, 2, 3, 4, 5]
        assert file.numbers("packed").shape == (10**6,)
        with pytest.raises(DataError, match=rf"file\.h5.*{words}"):
            file.numbers("a/b/x" if deep else "x")
    with hdf5.opened(path.read_bytes(), DATA, "content") as file:
        assert file.numbers("sound").sum() == 15


def test_links_on_the_way_are_not_followed(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["group/kernel"] = np.ones(3)
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["group"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/group")
    with hdf5.opened(tmp_path / "file.h5", DATA) as file:
        for read in (file.numbers, file.group, file.texts):
            with pytest.raises(DataError, match="never followed"):
                read("group/kernel")


def test_texts_longer_than_their_file(tmp_path):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["texts"] = np.array([b"one", b"two"])
        file["more"] = np.array(["Größe", "b"], object)
        one = file.create_dataset("same", (20_000,), h5py.string_dtype(), compression="gzip")
        one[:] = "x" * 100
    with hdf5.opened(tmp_path / "file.h5", DATA) as file:
        assert file.texts("texts") == ["one", "two"] and file.texts("more") == ["Größe", "b"]
        assert len(file.texts("same")) == 20_000


def test_hdf5_is_opened_in_one_place():
    root = Path(nengo_tactile.__file__).parent
    places = [p for p in root.rglob("*.py") if "import h5py" in p.read_text("utf-8")]
    assert [path.relative_to(root).as_posix() for path in places] == ["doors/hdf5.py"]


def lie(path, declared):
    """Let the archive's directory say that its only member has another size."""
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x01\x02")
    struct.pack_into("<I", content, place + 24, declared)
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("declared", [0, 10, 200, 10**7, 2**32 - 2])
def test_members_of_another_size_than_their_directory_says(declared, tmp_path):
    path = tmp_path / "file.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("member", bytes(100_000_000))
    lie(path, declared)
    with pytest.raises(DataError, match="member"), opened_zip(path, DATA) as archive:
        member_content(archive, "member", path, DATA)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2000000000,), }", "8.0 GB.*12 bytes"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", "4 bytes, but holds 12"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (-3,), }", "holds 12 bytes"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", "pickled"),
        ("{'descr': ('<f4', (3,)), 'fortran_order': False, 'shape': (1,), }", "holds 12 bytes"),
        ("[1", "damaged|no readable array"),
        ("(" * 100, "damaged|no readable array"),
    ],
)
def test_headers_that_do_not_fit_their_arrays(header, words, tmp_path):
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header.encode() + b"\n"
    content += np.arange(3, dtype="f4").tobytes()
    (tmp_path / "a.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", content)
    for read, name in ((read_npy, "a.npy"), (read_npz, "a.npz")):
        with pytest.raises(DataError, match=words):
            read(tmp_path / name, DATA)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["f8", "u1", "U3", "?"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 4), (2, 0, 3), (2, 3, 4)])
def test_arrays_come_back_as_numpy_wrote_them(shape, kind, order, tmp_path):
    array = np.asarray(np.arange(int(np.prod(shape))).reshape(shape), order=order).astype(kind)
    np.savez(tmp_path / "a.npz", a=array)
    np.save(tmp_path / "a.npy", array)
    for found in (read_npz(tmp_path / "a.npz")["a"], read_npy(tmp_path / "a.npy", DATA)):
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)
        found[...] = 0  # it may be written to


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("what", ["pipe", "device", "folder"])
def test_what_is_no_file_is_refused_at_once(what, tmp_path):
    path = tmp_path / "place"
    make = {"pipe": os.mkfifo, "device": lambda p: p.symlink_to("/dev/zero"), "folder": os.mkdir}
    make[what](path)
    for read in (DATA.content, DATA.json, read_npz):
        with pytest.raises(DataError, match="place: is no file"):
            read(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[" * 100_000, "is not JSON"),
        (b'{"a": "\\ud800"}', "is not JSON"),
        (b"\xff", "is not JSON"),
        (b" " * (1 << 25) + b" {}", r"33\.6 MB, wanted at most 33\.6 MB"),
    ],
)
def test_json_that_is_none(content, words, tmp_path):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DataError, match=words):
        DATA.json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text('{"a": "\\ud83d\\ude00"}')
    assert DATA.json(tmp_path / "a.json") == {"a": "\N{GRINNING FACE}"}


def test_what_does_not_fit_says_how_much_it_would_need(monkeypatch, tmp_path):
    assert 1e8 < memory.available_bytes() < 1e14
    monkeypatch.setattr(memory, "available_bytes", lambda: 3000)
    np.save(tmp_path / "a.npy", np.zeros(1000))
    with pytest.raises(DataError, match=r"a\.npy: reading it needs 8\.1 kB.*3\.0 kB are free"):
        read_npy(tmp_path / "a.npy", DATA)


@pytest.mark.parametrize("field", [28, 30, 32])  # lengths of the name, what is extra, a comment
def test_members_that_the_directory_passes_over(field, tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, a=np.zeros(2), b=np.ones(2), c=np.ones(2))
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02")
    struct.pack_into("<H", content, place + field, 0x8000)
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"a\.npz: (lists 1 members and counts 3|is no readable)"):
        read_npz(path)


@pytest.mark.parametrize("fletcher32", [False, True])
def test_chunks_that_unpack_to_more_than_a_chunk(fletcher32, monkeypatch, tmp_path, rng):
    monkeypatch.setattr(hdf5, "_LOOKED_AT", 1 << 16)
    path, numbers = tmp_path / "file.h5", rng.random((40, 50))
    with h5py.File(path, "w") as file:
        for name in ("sound", "bomb"):
            file.create_dataset(
                name, data=numbers, chunks=(20, 50), compression="gzip", shuffle=True,
                fletcher32=fletcher32,
            )  # fmt: skip
        file["bomb"].id.write_direct_chunk((20, 0), zlib.compress(bytes(10**7)))
    with hdf5.opened(path, DATA) as file:
        np.testing.assert_array_equal(file.numbers("sound"), numbers)
        with pytest.raises(DataError, match=r"bomb.*a chunk unpacks to more than 8.0 kB"):
            file.numbers("bomb")


def test_damage_that_would_keep_hdf5_reading_for_ever(tmp_path):
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        file.attrs["text"] = "a text"
        file["numbers"] = np.arange(3)
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    free = heap + 16 + 16 + 8  # behind the one text, whose length is 6
    assert content[free : free + 2] == b"\0\0"
    with hdf5.opened(path, DATA) as file:
        assert file.attribute("text") == "a text" and file.attribute("none", 3) == 3
    content[free + 8 : free + 16] = bytes(8)
    for source in (path, bytes(content)):
        path.write_bytes(content)
        with hdf5.opened(source, DATA, path) as file:
            assert file.numbers("numbers").tolist() == [0, 1, 2]
            with pytest.raises(DataError, match="heap of texts"):
                file.attribute("text")
