"""One recording in one file, of whatever format: read whole, or part by part."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nengo_tactile.datasets import event_tables
from nengo_tactile.datasets.aedat4 import opened_aedat4
from nengo_tactile.datasets.event_columns import EventColumns, Names
from nengo_tactile.datasets.ros_bags import opened_bag
from nengo_tactile.datasets.sensor_files import opened_dat, opened_raw
from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import EVENT_DTYPE
from nengo_tactile.files import path_of

#: Readers of columns by the ending of the file.
TABLES = {
    ".csv": event_tables.read_text,
    ".txt": event_tables.read_text,
    ".tsv": event_tables.read_text,
    ".npy": event_tables.read_npy,
    ".npz": event_tables.read_npz,
    ".mat": event_tables.read_matlab,
    ".h5": event_tables.read_hdf5,
    ".hdf5": event_tables.read_hdf5,
}
#: Openers of event cameras' formats by the ending: (path, size or None) -> context of `Sensor`.
OPENERS = {
    ".raw": opened_raw,
    ".dat": opened_dat,
    ".aedat4": opened_aedat4,
    **dict.fromkeys((".bag", ".db3", ".mcap"), opened_bag),
}


def is_recording(name: str | Path) -> bool:
    """Whether the ending of a file's name is one that is read."""
    return Path(name).suffix.lower() in TABLES or is_camera(name)


def is_camera(name: str | Path) -> bool:
    """Whether it is that of a format of event cameras, which says units and size itself."""
    return Path(name).suffix.lower() in OPENERS


def endings() -> str:
    """The endings that are read, in words."""
    return ", ".join([*TABLES, *OPENERS])


def stream_events(path: str | Path, **options: Any) -> Iterator[np.ndarray]:
    """Read a recording part by part, so that one of any length fits memory.

    All are read as they are asked for, some 100,000 events at a time, but .mat, whose variables
    are packed one after the other, at once.

    Parameters
    ----------
    path : str or Path
        Its ending says the format.
    **options
        Of `nengo_tactile.datasets.EventColumns`: ``sensor_size``, ``time_unit``, ``polarity``,
        ``columns``, ``taxels``, ``repeats``, ``from_first``.

    Yields
    ------
    (n,) structured array of `nengo_tactile.events.EVENT_DTYPE`

    Raises
    ------
    DataError
        For a format that is not known, a damaged file, columns that are missing or of another
        kind, and all that `nengo_tactile.events.make_events` refuses.
    """
    return stream(path_of(path), EventColumns(**options))


def read_events(path: str | Path, **options: Any) -> np.ndarray:
    """Read a recording.

    Parameters
    ----------
    path, **options
        As for `stream_events`.

    Returns
    -------
    (n_events,) structured array of `nengo_tactile.events.EVENT_DTYPE`

    Raises
    ------
    DataError
        As `stream_events`.
    """
    return joined(stream_events(path, **options))


def stream(path: Path, columns: EventColumns) -> Iterator[np.ndarray]:
    """`stream_events` of options that are made."""
    ending = path.suffix.lower()
    if ending in OPENERS:
        return _of_camera(path, columns)
    if ending not in TABLES:
        raise DataError(f"{path}: files of events end in {endings()}: convert it to one of these")
    columns.check_said(path)
    return columns.events(TABLES[ending](path, columns.names), path)


def camera_size(path: Path) -> tuple[int, int, int]:
    """(width, height, polarities) that the file of a camera says."""
    with OPENERS[path.suffix.lower()](path, None) as sensor:
        return (*sensor.size, 2)


def _of_camera(path, columns):
    """Events of a camera's file, which says units and size itself."""
    size = columns.sensor_size
    if size is not None and size[2] != 2:
        raise DataError(f"{path}: events of cameras have 2 polarities, sensor_size is {size}")
    with OPENERS[path.suffix.lower()](path, None if size is None else size[:2]) as sensor:
        repeats, first = columns.repeats or "keep", columns.from_first
        said = EventColumns((*sensor.size, 2), "us", repeats=repeats, from_first=first)
        yield from said.events(sensor.parts, path)


def read_table(path: Path, names: tuple[str, ...]) -> np.ndarray:
    """Columns of such names of a file, (n_rows, n_columns), that are no events."""
    reader = TABLES.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: tables end in {', '.join(TABLES)}: convert it to one of these")
    parts = [np.stack([table[n] for n in names], 1) for table in reader(path, Names(names))]
    return np.concatenate(parts) if parts else np.zeros((0, len(names)))


def joined(parts: Iterable[np.ndarray]) -> np.ndarray:
    """Parts of a recording as one array."""
    read = list(parts)
    if len(read) == 1:
        return read[0]
    # as bytes: NumPy takes records field by field
    content = [part.view(np.uint8) for part in read]
    return np.concatenate([np.zeros(0, np.uint8), *content]).view(EVENT_DTYPE)
