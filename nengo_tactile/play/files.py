"""Recordings of a page as files, as they are read everywhere else."""

import io
import tempfile
from pathlib import Path

import numpy as np

from nengo_tactile.datasets.event_files import read_events
from nengo_tactile.errors import DataError
from nengo_tactile.events.eskin import SENSOR_SIZE


def to_npz(events: np.ndarray) -> bytes:
    """A recording as .npz: columns x, y, t in microseconds, p (0 OFF, 1 ON).

    `nengo_tactile.datasets.Recordings` and `nengo_tactile.datasets.read_events` take it, with
    ``sensor_size=(10, 10)`` and ``time_unit="us"``.
    """
    columns = {name: events[name] for name in "xyt"}
    file = io.BytesIO()
    np.savez_compressed(file, **columns, p=events["p"].astype(np.int8))
    return file.getvalue()


def from_npz(content: bytes) -> np.ndarray:
    """Read what `to_npz` makes.

    Returns
    -------
    (n_events,) structured array
        Sorted by time.

    Raises
    ------
    DataError
        For what is no recording of the e-skin.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording.npz"
        path.write_bytes(content)
        try:
            events = read_events(path, sensor_size=SENSOR_SIZE[:2], time_unit="us", repeats="keep")
        except DataError as error:
            raise DataError(str(error).replace(f"{folder}/", "")) from error
    return events[np.argsort(events["t"], kind="stable")]
