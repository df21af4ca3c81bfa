"""Files of event cameras, written here by the descriptions of their formats."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from nengo_tactile.datasets import (
    Recordings,
    aedat4,
    open_dataset,
    read_events,
    sensor_files,
    stream_events,
)
from nengo_tactile.errors import DataError, StackError
from tests.support import camera_files
from tests.support.fake_formats import random_events

pytest.importorskip("faery", reason="needs faery: pip install '.[sensors]'")
SIZE = (64, 48)


def write(path, events, size=SIZE):
    if path.suffix == ".aedat4":
        camera_files.aedat4(events, size, path)
        return path
    maker = {".raw": camera_files.evt3, ".dat": camera_files.dat}[path.suffix]
    path.write_bytes(maker(events, size))
    return path


@pytest.mark.parametrize("name", ["a.raw", "a.dat", "a.aedat4"])
def test_formats_hold_the_same(name, rng, tmp_path):
    events = random_events(rng, 700, *SIZE)
    path = write(tmp_path / name, events)
    np.testing.assert_array_equal(read_events(path), events)
    np.testing.assert_array_equal(read_events(path, sensor_size=SIZE), events)
    shifted = read_events(path, from_first=True)
    np.testing.assert_array_equal(shifted["t"], events["t"] - events["t"][0])
    with pytest.raises(DataError, match=r"sensor of 64 x 48 pixels, wanted 64 x 64"):
        read_events(path, sensor_size=(64, 64))
    with pytest.raises(DataError, match="events of cameras have 2 polarities"):
        read_events(path, sensor_size=(64, 48, 1))


def test_evt2(rng, tmp_path):
    events = random_events(rng, 700, *SIZE)
    (tmp_path / "a.raw").write_bytes(camera_files.evt2(events, SIZE))
    np.testing.assert_array_equal(read_events(tmp_path / "a.raw"), events)


def test_long_recordings_come_in_parts(rng, tmp_path):
    events = random_events(rng, 60_000, *SIZE)
    parts = list(stream_events(write(tmp_path / "a.raw", events)))
    assert len(parts) > 2
    np.testing.assert_array_equal(np.concatenate(parts), events)


def test_a_data_set_of_cameras(rng, tmp_path):
    kept = {}
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(3):
            events = kept[f"{label}/{number}.raw"] = random_events(rng, 50, *SIZE)
            write(tmp_path / label / f"{number}.raw", events)
    data = Recordings(tmp_path)
    assert data.sensor_size == (64, 48, 2)
    for index, file in enumerate(data.files):
        np.testing.assert_array_equal(data[index][0], kept[file])
    (tmp_path / "recordings.json").write_text("{}")  # for the command line
    assert len(open_dataset(tmp_path, split="all")) == 6
    write(tmp_path / "b" / "3.raw", random_events(rng, 50, 30, 30), (30, 30))
    with pytest.raises(DataError, match=r"3.raw: is of a sensor of 30 x 30 pixels, wanted 64 x 48"):
        list(Recordings(tmp_path).recordings())


def test_what_the_header_does_not_say(rng, tmp_path):
    events, path = random_events(rng, 50, *SIZE), tmp_path / "a.raw"
    content = camera_files.evt3(events, SIZE)
    path.write_bytes(content.replace(b"% geometry 64x48\n", b""))
    with pytest.raises(DataError, match="does not say how large its sensor is"):
        read_events(path)
    np.testing.assert_array_equal(read_events(path, sensor_size=SIZE), events)
    path.write_bytes(content.replace(b"evt 3.0", b"evt 2.1"))
    with pytest.raises(DataError, match=r"EVT version 2.1, read are 2.0 and 3.0"):
        read_events(path)
    path.write_bytes(content.replace(b"% evt 3.0\n", b""))
    with pytest.raises(DataError, match="EVT version none"):
        read_events(path)
    path.write_bytes(b"\0\1\2")
    with pytest.raises(DataError, match="has no header"):
        read_events(path)
    path.write_bytes(camera_files.evt3(random_events(rng, 50, 100, 48), SIZE))
    with pytest.raises(DataError, match=r"a.raw: cannot be read"):
        read_events(path)


def test_damaged_aedat4_ends_no_process(rng, tmp_path):
    path = write(tmp_path / "a.aedat4", random_events(rng, 300, *SIZE))
    content = path.read_bytes()
    refused = 0
    for place in range(len(content) - 400, len(content), 60):
        path.write_bytes(content[:place] + b"\xff\xff\xff\x7f" + content[place + 4 :])
        try:
            read_events(path)
        except DataError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused
    path.write_bytes(b"#!AER-DAT3.1\r\n")
    with pytest.raises(DataError, match=r"is no AEDAT4 file"):
        read_events(path)


def test_one_process_reads_all_aedat4_files(rng, tmp_path, monkeypatch):
    monkeypatch.setattr(aedat4, "_ROWS", 100)  # many parts, in two places in turn
    monkeypatch.setattr(aedat4, "_IDLE", [])
    events = [random_events(rng, n, *SIZE) for n in (250, 0, 1, 700, 200)]
    paths = [write(tmp_path / f"{n}.aedat4", each) for n, each in enumerate(events)]
    processes = set()
    for path, wanted in zip(paths, events):
        np.testing.assert_array_equal(read_events(path), wanted)
        (reader,) = aedat4._IDLE
        processes.add(reader.apart.process.pid)
    assert len(processes) == 1
    parts = stream_events(paths[0])
    first = next(parts)
    assert len(first) == 100 and not aedat4._IDLE
    np.testing.assert_array_equal(read_events(paths[3]), events[3])  # beside it, by another
    np.testing.assert_array_equal(np.concatenate([first, *parts]), events[0])
    assert len(aedat4._IDLE) == 2
    aedat4._end_all()
    assert not aedat4._IDLE


def test_a_process_that_ended_is_replaced(rng, tmp_path, monkeypatch):
    monkeypatch.setattr(aedat4, "_IDLE", [])
    events = random_events(rng, 300, *SIZE)
    path = write(tmp_path / "a.aedat4", events)
    read_events(path)
    aedat4._IDLE[0].apart.process.kill()
    aedat4._IDLE[0].apart.process.wait()
    np.testing.assert_array_equal(read_events(path), events)
    reader = aedat4._IDLE[0]
    reader.apart.pid -= 1  # as in a process that was forked: its reader is another's
    np.testing.assert_array_equal(read_events(path), events)
    reader.apart.pid += 1
    reader.end()
    aedat4._end_all()


def test_pipes_are_refused(tmp_path):
    for name in ("a.raw", "a.dat", "a.aedat4", "a.bag"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(DataError, match="is no file, but a folder, a pipe or a device"):
            read_events(tmp_path / name)


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "faery", None)
    with pytest.raises(StackError, match=r"read by faery, which is not here: pip install"):
        sensor_files.library("faery", "AEDAT4")


@pytest.mark.skipif(shutil.which("ps") is None, reason="needs ps, which lists processes")
def test_stopping_early_leaves_no_process(rng, tmp_path):
    path = write(tmp_path / "a.aedat4", random_events(rng, 300, *SIZE))
    parts = stream_events(path)
    next(parts)
    parts.close()
    children = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True
    ).stdout
    assert "events_stream_from_file" not in children
