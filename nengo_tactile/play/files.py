"""Recordings of a page as files, as they are read everywhere else."""

import io
import tempfile
from pathlib import Path

import numpy as np

from nengo_tactile.datasets.event_files import is_recording, read_events
from nengo_tactile.datasets.matfile import read_mat
from nengo_tactile.datasets.recordings import SETTINGS
from nengo_tactile.datasets.spiketrain import DEFAULT_TAXELS, read_spiketrain
from nengo_tactile.doors.plain import DATA
from nengo_tactile.errors import DataError
from nengo_tactile.files import atomic_write, path_of, write_json
from nengo_tactile.play.skin import Grid

#: Kept recordings of a label: names of four digits.
_MOST_KEPT = 10_000


def to_npz(events: np.ndarray) -> bytes:
    """A recording as .npz: columns x, y, t in microseconds, p (0 OFF, 1 ON).

    `nengo_tactile.datasets.Recordings` and `nengo_tactile.datasets.read_events` take it, with
    the skin's ``sensor_size``, ``time_unit="us"`` and ``repeats="keep"``.
    """
    columns = {name: events[name] for name in "xyt"}
    file = io.BytesIO()
    np.savez_compressed(file, **columns, p=events["p"].astype(np.int8))
    return file.getvalue()


def to_mat(events: np.ndarray) -> bytes:
    """A recording of 10 x 10 taxels in ST-MNIST's form, an array ``spiketrain``.

    Rows 0 to 99 are taxels with 1 (ON), -1 (OFF) or 0, row 100 is the time in seconds; a column is
    an event. What `nengo_tactile.datasets.read_spiketrain` reads without a lookup table, so does
    the data set of such files, with ``default_layout=True``.
    """
    import scipy.io

    n_taxels = len(DEFAULT_TAXELS)
    side = round(n_taxels**0.5)
    spikes = np.zeros((n_taxels + 1, len(events)))
    taxels = np.empty((side, side), int)
    taxels[tuple(DEFAULT_TAXELS.cells.T)] = np.arange(n_taxels)
    spikes[taxels[events["x"], events["y"]], np.arange(len(events))] = np.where(events["p"], 1, -1)
    spikes[n_taxels] = events["t"] * 1e-6
    file = io.BytesIO()
    scipy.io.savemat(file, {"spiketrain": spikes}, do_compression=True)
    return file.getvalue()


#: By the endings of files that a page may ask for.
WRITERS = {".npz": to_npz, ".mat": to_mat}


def written(events: np.ndarray, ending: str, grid: Grid) -> bytes:
    """A recording as a file of such an ending.

    Raises
    ------
    DataError
        For another, and where ST-MNIST's form has not so many taxels.
    """
    if ending not in WRITERS:
        raise DataError(f"ending is {ending!r}: choose one of {', '.join(WRITERS)}")
    if ending == ".mat" and grid.sensor_size != (10, 10, 2):
        raise DataError(
            f"ST-MNIST's form is of 10 x 10 taxels with two polarities, this skin has {grid.side} "
            f"x {grid.side} and {grid.polarities}: save it as .npz"
        )
    return WRITERS[ending](events)


def loaded(name: str, content: bytes, grid: Grid) -> np.ndarray:
    """Read a recording of a skin: what `written` makes, and other files of events.

    Parameters
    ----------
    name : str
        Of the file, whose ending says the format.
    content : bytes
    grid : Grid
        Where it was recorded.

    Returns
    -------
    (n_events,) structured array
        Sorted by time.

    Raises
    ------
    DataError
        For what is no recording of this skin.
    """
    ending = Path(name).suffix.lower()
    if not is_recording(name):
        raise DataError(f"{name:.80}: no file of events: choose one of .npz, .mat, .csv")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"recording{ending}"
        path.write_bytes(content)
        try:
            events = _read(path, content, grid)
        except DataError as error:
            raise DataError(str(error).replace(f"{folder}/", "")) from error
    return events[np.argsort(events["t"], kind="stable")]


def _read(path, content, grid):
    if path.suffix == ".mat" and "spiketrain" in read_mat(content, path.name, {"spiketrain"}):
        if grid.sensor_size != (10, 10, 2):
            raise DataError(f"{path.name} is of ST-MNIST's 10 x 10 taxels, the skin of {grid.side}")
        return read_spiketrain(content, source=path.name)
    size = grid.sensor_size if grid.polarities == 1 else grid.sensor_size[:2]
    return read_events(path, sensor_size=size, time_unit="us", repeats="keep")


class Collection:
    """A data set of one's own that grows: a folder of recordings in a folder for each label.

    Parameters
    ----------
    folder : path
        Made when the first is kept, with a file ``recordings.json`` that says what they are.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = path_of(folder)

    def keep(self, events: np.ndarray, label: str, grid: Grid) -> tuple[str, int]:
        """Write a recording beside those that are there.

        Parameters
        ----------
        events : (n_events,) structured array
        label : str
            A folder's name.
        grid : Grid

        Returns
        -------
        file : str
            Below the folder.
        n_files : int
            With this label.

        Raises
        ------
        DataError
            Where the folder holds recordings of another sensor, and for a recording of nothing.
        """
        if not len(events):
            raise DataError("the recording has no events: draw something first")
        said = {"sensor_size": list(grid.sensor_size), "time_unit": "us", "repeats": "keep"}
        settings = self.folder / SETTINGS
        there = DATA.json(settings) if settings.exists() else said
        if there.get("sensor_size") != said["sensor_size"]:
            raise DataError(
                f"{settings}: sensor_size is {there.get('sensor_size')}, of this skin "
                f"{said['sensor_size']}: choose another --out, or a network of the same skin"
            )
        names = {path.name for path in (self.folder / label).glob("*.npz")}
        free = next((n for n in range(_MOST_KEPT) if f"{n:04d}.npz" not in names), None)
        if free is None:
            raise DataError(f"{self.folder / label} has {_MOST_KEPT:,} recordings: that is all")
        if not settings.exists():
            write_json(settings, said)
        with atomic_write(self.folder / label / f"{free:04d}.npz", "wb") as file:
            file.write(to_npz(events))
        return f"{label}/{free:04d}.npz", len(names) + 1
