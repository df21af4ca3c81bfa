"""Reading of events: millions of events a second in each format, beside the library that is used.

    python benchmarks/event_reading.py --out event_reading.json

Ours gives checked events; beside it stands the library with its columns laid into the same array,
unchecked. Both take turns, on one file in the disk's cache; the best of several turns counts.
The peak is Python's own memory while our reader streams the file, without what it has yielded.
"""

import argparse
import platform
import tempfile
import time
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import scipy.io
from rich.console import Console
from rich.table import Table

from nengo_tactile.datasets import read_events, stream_events
from nengo_tactile.events import EVENT_DTYPE, make_events
from nengo_tactile.files import write_json
from nengo_tactile.progress import track

SIZE = (640, 480)
SAID = {"sensor_size": SIZE, "time_unit": "us", "repeats": "keep"}


def random_events(n_events, rng):
    """Events of a camera of 640 x 480 pixels, one each microsecond."""
    t = np.sort(rng.integers(0, n_events, n_events))
    x, y = rng.integers(0, SIZE[0], n_events), rng.integers(0, SIZE[1], n_events)
    return make_events(x, y, t, rng.integers(0, 2, n_events))


def write_files(folder, events):
    """Write events in each format; returns {name: (path, what the library does)}."""
    table = {name: events[name].astype(np.int64) for name in "txyp"}
    rows = np.stack(list(table.values()), 1)
    paths = {name: folder / f"events{name}" for name in (".csv", ".npy", ".npz", ".mat", ".h5")}
    np.savetxt(paths[".csv"], rows, "%d", ",", header="t,x,y,p", comments="")
    np.save(paths[".npy"], events)
    np.savez_compressed(paths[".npz"], **table)
    scipy.io.savemat(paths[".mat"], table, do_compression=True)
    with h5py.File(paths[".h5"], "w") as file:
        for name, values in table.items():
            file.create_dataset(name, data=values, chunks=(1 << 16,), compression="gzip")
    libraries = {
        ".csv": lambda path: _laid(
            dict(zip("txyp", np.loadtxt(path, delimiter=",", skiprows=1).T))
        ),
        ".npy": np.load,
        ".npz": lambda path: _laid(np.load(path)),
        ".mat": lambda path: _laid(scipy.io.loadmat(path)),
        ".h5": _hdf5,
    }
    found = {name: (paths[name], libraries[name]) for name in paths}
    return found | _camera_files(folder, events)


def _hdf5(path):
    with h5py.File(path) as file:
        return _laid({name: file[name][()] for name in "txyp"})


def _laid(columns):
    """Columns as one array of events, unchecked."""
    events = np.empty(np.size(columns["t"]), EVENT_DTYPE)
    for name in "xytp":
        events[name] = np.ravel(columns[name])
    return events


def _camera_files(folder, events):
    """Formats whose libraries are here."""
    try:
        import faery
    except ImportError:
        return {}
    stored = np.zeros(len(events), faery.EVENTS_DTYPE)
    for ours, theirs in zip("xytp", ("x", "y", "t", "on")):
        stored[theirs] = events[ours]
    found = {}
    for name, file, version in (
        ("RAW, EVT 3.0", "3.raw", "evt3"),
        ("RAW, EVT 2.0", "2.raw", "evt2"),
        ("DAT", "a.dat", "dat2"),
        ("AEDAT4", "a.aedat4", None),
    ):
        stream = faery.events_stream_from_array(stored, SIZE)
        stream.to_file(folder / file, version=version, zero_t0=False)
        found[name] = (folder / file, _faery)
    return found


def _faery(path):
    import faery

    return _laid(np.concatenate(list(faery.events_stream_from_file(path))))


def measure(path, library, n_turns):
    """Best seconds of both, and our peak of memory in bytes while streaming."""
    ours, theirs = [], []
    for _ in range(n_turns):
        for read, seconds in ((lambda p: read_events(p, **SAID), ours), (library, theirs)):
            start = time.perf_counter()
            read(path)
            seconds.append(time.perf_counter() - start)
    tracemalloc.start()
    for _ in stream_events(path, **SAID):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return min(ours), min(theirs), peak


def main():
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    events, rows = random_events(options.events, np.random.default_rng(options.seed)), []
    with tempfile.TemporaryDirectory() as place:
        files = write_files(Path(place), events)
        for name, (path, library) in track(files.items(), "reading", len(files)):
            assert (read_events(path, **SAID) == events).all()
            ours, theirs, peak = measure(path, library, options.turns)
            rows.append(
                {"format": name, "bytes": path.stat().st_size, "ours": options.events / ours,
                 "library": options.events / theirs, "peak_bytes": peak}
            )  # fmt: skip
    table = Table(title=f"{options.events:,} events, millions a second")
    for name in ("format", "file, MB", "ours", "library", "ours / library", "peak, MB"):
        table.add_column(name, justify="left" if name == "format" else "right")
    for row in rows:
        both = row["ours"] / 1e6, row["library"] / 1e6
        numbers = row["bytes"] / 1e6, *both, both[0] / both[1], row["peak_bytes"] / 1e6
        table.add_row(row["format"], *(f"{number:.3g}" for number in numbers))
    Console().print(table)
    if options.out:
        about = {"events": options.events, "turns": options.turns, "seed": options.seed}
        machine = {"python": platform.python_version(), "machine": platform.machine()}
        write_json(options.out, {**about, **machine, "rows": rows})


if __name__ == "__main__":
    main()
