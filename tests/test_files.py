"""Files are written whole or not at all."""

import contextlib
import dataclasses
import errno
import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nengo_tactile import files
from nengo_tactile.doors.plain import DATA
from nengo_tactile.saved import load
from tests.support.damage import full_disk
from tests.support.skim_networks import small_network


@pytest.fixture(params=["full disk", "Ctrl-C"])
def stop(request):
    if request.param == "Ctrl-C":
        return KeyboardInterrupt()
    return OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def umask():
    old = os.umask(0o027)
    yield 0o027
    os.umask(old)


def test_write_makes_folders_and_honours_the_umask(tmp_path, umask):
    path = tmp_path / "new" / "file.txt"
    with files.atomic_write(path) as file:
        file.write("é")
        assert not path.exists()
    assert path.read_bytes() == "é".encode()
    assert path.stat().st_mode & 0o777 == 0o640
    with files.atomic_folder(tmp_path / "folder") as folder:
        (folder / "a").write_text("a")
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o750


def test_interrupted_write_keeps_the_old_file(tmp_path, stop):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(type(stop)) as caught, files.atomic_write(path) as file:
        file.write("half")
        raise stop
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["file.txt"]
    if isinstance(stop, OSError):
        assert caught.value.filename == str(path)


@pytest.mark.parametrize("call", ["fsync", "replace", "chmod"])
def test_failing_system_calls_keep_the_old_file(tmp_path, monkeypatch, stop, call):
    def fail(*arguments, **options):
        raise stop

    path = tmp_path / "file.json"
    files.write_json(path, {"old": 1})
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(type(stop)):
        files.write_json(path, {"new": 1})
    assert json.loads(path.read_text()) == {"old": 1}
    assert os.listdir(tmp_path) == ["file.json"]


def test_interrupted_folder_keeps_the_old_one(tmp_path, stop):
    path = tmp_path / "folder"
    with files.atomic_folder(path) as folder:
        (folder / "a").write_text("old")
    with pytest.raises(type(stop)), files.atomic_folder(path) as folder:
        (folder / "a").write_text("half")
        raise stop
    assert (path / "a").read_text() == "old" and os.listdir(tmp_path) == ["folder"]


@pytest.fixture(params=["exchange", "two renames"])
def swap(request, monkeypatch):
    """As systems do it where two folders can change places, and as others do."""
    if request.param == "two renames":
        monkeypatch.setattr(files, "_exchange", lambda one, other: False)
    return request.param


@pytest.mark.parametrize("number", [1, 2, 3])
def test_folder_survives_a_failing_swap(tmp_path, monkeypatch, stop, number, swap):
    path, calls, rename = tmp_path / "folder", [], os.rename
    with files.atomic_folder(path) as folder:
        (folder / "a").write_text("old")

    def fail_once(source, target):
        calls.append(source)
        if len(calls) == number:
            raise stop
        rename(source, target)

    monkeypatch.setattr(os, "rename", fail_once)
    stops = number == 1 or swap == "two renames"
    with (
        pytest.raises(type(stop)) if stops else contextlib.nullcontext() as caught,
        files.atomic_folder(path) as folder,
    ):
        (folder / "a").write_text("new")
    assert (path / "a").read_text() == ("old" if stops else "new")
    assert os.listdir(tmp_path) == ["folder"]
    if stops and isinstance(stop, OSError):
        assert caught.value.filename == str(path)


#: Writes a folder and a file over and over, each with one number everywhere.
WRITER = """
import sys
from pathlib import Path
from nengo_tactile import files
if sys.argv[2] == "two renames":
    files._exchange = lambda one, other: False
place, number = Path(sys.argv[1]), 0
while True:
    number += 1
    with files.atomic_folder(place / "folder") as folder:
        for name in "abc":
            (folder / name).write_text(str(number))
    with files.atomic_write(place / "file") as file:
        file.write(f"{number} " * 2000)
    print(number, flush=True)
"""


def _written(place):
    """The numbers in a folder and a file that `WRITER` wrote."""
    files.restore_folder(place / "folder")
    return (
        {(place / "folder" / name).read_text() for name in "abc"},
        set((place / "file").read_text().split()),
    )


def _start(tmp_path, swap):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, tmp_path, swap], stdout=subprocess.PIPE, text=True
    )


def test_a_kill_loses_nothing_and_what_it_leaves_goes(tmp_path, swap, rng):
    for _ in range(12):
        writer = _start(tmp_path, swap)
        writer.stdout.readline()
        time.sleep(rng.uniform(0, 0.03))
        writer.kill()
        writer.communicate()
        in_folder, in_file = _written(tmp_path)
        assert len(in_folder) == len(in_file) == 1
    with files.atomic_folder(tmp_path / "folder"):
        pass
    files.write_json(tmp_path / "file", 1)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_what_a_kill_between_two_renames_left_is_put_back(tmp_path):
    (tmp_path / ".folder.abcd1234.old").mkdir()
    (tmp_path / ".folder.abcd1234.old" / "a").write_text("old")
    (tmp_path / ".folder.abcd1234").mkdir()
    files.restore_folder(tmp_path / "folder")
    assert (tmp_path / "folder" / "a").read_text() == "old"
    with files.atomic_folder(tmp_path / "folder") as folder:
        (folder / "a").write_text("new")
    assert os.listdir(tmp_path) == ["folder"]


def test_several_writers_of_one_place(tmp_path, swap):
    writers = [_start(tmp_path, swap) for _ in range(3)]
    try:
        for writer in writers:
            writer.stdout.readline()
        until, seen = time.monotonic() + 1, set()
        while time.monotonic() < until:
            try:
                in_folder, in_file = _written(tmp_path)
            except FileNotFoundError:  # replaced while it was read
                continue
            seen |= in_file
            assert len(in_file) == 1
        assert len(seen) > 2
        assert all(writer.poll() is None for writer in writers)
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    in_folder, _ = _written(tmp_path)
    assert len(in_folder) == 1


def test_folder_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "folder"
    for name in "ab":
        with files.atomic_folder(path) as folder:
            (folder / name).write_text(name)
    assert os.listdir(path) == ["b"] and os.listdir(tmp_path) == ["folder"]


def test_a_file_inside_the_folder_is_named_by_its_final_place(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(OSError, match="folder") as caught,
        files.atomic_folder(tmp_path / "folder") as f,
    ):
        files.write_json(f / "a.json", {})
    assert caught.value.filename == str(tmp_path / "folder") and os.listdir(tmp_path) == []


def test_json_takes_numpy_and_refuses_nan(tmp_path):
    path = tmp_path / "a.json"
    data = {"n": np.int64(3), "x": np.arange(2), "f": np.float32(0.5), "path": Path("a")}
    files.write_json(path, data)
    assert json.loads(path.read_text()) == {"n": 3, "x": [0, 1], "f": 0.5, "path": "a"}
    for bad in (float("nan"), np.inf, {1, 2}):
        with pytest.raises((ValueError, TypeError)):
            files.write_json(path, bad)
    assert json.loads(path.read_text())["n"] == 3


def test_npz_is_read_back_without_pickles(tmp_path, rng):
    values = rng.random((3, 4))
    files.write_npz(tmp_path / "a.npz", {"values": values, "name": np.array("x")})
    with np.load(tmp_path / "a.npz", allow_pickle=False) as stored:
        assert (stored["values"] == values).all() and str(stored["name"]) == "x"


def test_a_fingerprint_changes_with_values_types_shapes_and_order(rng):
    x = rng.integers(0, 9, (4, 6))
    about = {"a": 1, "b": [2, Path("c")]}
    mark = files.fingerprint(about, x, x[0])
    assert mark == files.fingerprint(dict(reversed(about.items())), np.asfortranarray(x), x[0])
    x_other = x.copy()
    x_other[3, 5] += 1
    changed = [
        *((about, x[0], x), (about, x_other, x[0]), (about, x.astype(np.int32), x[0])),
        *((about, x.reshape(6, 4), x[0]), ({**about, "a": 2}, x, x[0])),
    ]
    assert len({mark, *(files.fingerprint(*given) for given in changed)}) == 6


@pytest.mark.parametrize("compress", [True, False])
def test_arrays_on_a_full_disk_leave_nothing_but_one_error(compress, rng, tmp_path, capfd):
    with full_disk(50_000), pytest.raises(OSError, match="too large") as caught:
        files.write_npz(tmp_path / "a.npz", {"a": rng.random(10**5)}, compress)
    assert str(caught.value).endswith("a.npz'")
    caught = None
    gc.collect()
    assert os.listdir(tmp_path) == [] and capfd.readouterr() == ("", "")


def test_links_stay_and_what_they_point_to_is_written(tmp_path):
    (tmp_path / "there").mkdir()
    for name in ("folder", "file"):
        (tmp_path / name).symlink_to(tmp_path / "there" / name)
    with files.atomic_folder(tmp_path / "folder") as temporary:
        (temporary / "a").touch()
    with files.atomic_write(tmp_path / "file") as file:
        file.write("\udcff")  # of a name that is no UTF-8
    assert (tmp_path / "folder").is_symlink() and (tmp_path / "file").is_symlink()
    assert (tmp_path / "there" / "folder" / "a").is_file()
    assert (tmp_path / "there" / "file").read_text() == r"\udcff"


def test_a_folder_that_is_tried_is_left_as_it_was(tmp_path):
    """Missing, so that a command which fails leaves no empty one, or with what is in it."""
    files.check_writable(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()
    (tmp_path / "there").mkdir()
    files.check_writable(tmp_path / "there")
    files.check_writable(tmp_path / "there" / "b")
    assert list(tmp_path.rglob("*")) == [tmp_path / "there"]


def test_tilde_is_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    files.write_json("~/a/b.json", {"a": 1})
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="c"):
        files.check_writable("~/file/c")
    assert (tmp_path / "a" / "b.json").is_file()
    assert DATA.json("~/a/b.json") == {"a": 1}


def test_names_that_are_no_text_can_be_read_again(tmp_path):
    """Half characters, as of names of files that are not UTF-8, stand there as numbers."""
    half = "n\udcff"
    files.write_json(tmp_path / "a.json", {half: [half, ("\u6307", 1)]})
    assert DATA.json(tmp_path / "a.json") == {"n\\udcff": ["n\\udcff", ["\u6307", 1]]}
    network = small_network()
    names = (half, *network.classes[1:])
    dataclasses.replace(network, classes=names).save(tmp_path / "network")
    assert load(tmp_path / "network").classes == ("n\\udcff", *names[1:])
