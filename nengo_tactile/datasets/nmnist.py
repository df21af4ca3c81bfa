"""N-MNIST: MNIST digits seen by an event camera in three saccades."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tonic.datasets
import tonic.io

from nengo_tactile.datasets.base import EventDataset
from nengo_tactile.datasets.download import fetch
from nengo_tactile.datasets.sources import data_root, locate, open_source, require_split
from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import EVENT_DTYPE, check_events

_RECORD_BYTES = 5
_FIRST_SACCADE_US = 100_000  # as tonic's first_saccade_only


class NMNIST(EventDataset):
    """`N-MNIST <https://www.garrickorchard.com/datasets/n-mnist>`_ [1]_, read as tonic does.

    Parameters
    ----------
    save_to : str or Path, optional
        A zip with members ``Train/<label>/*.bin`` and ``Test/<label>/*.bin``, a folder that
        holds these folders, or the folder given to `tonic.datasets.NMNIST`; without it
        NENGO_TACTILE_DATA counts. Zips are read without unpacking.
    split : {"train", "test"}
    first_saccade_only : bool
        Keep the events of the first 100 ms.
    download : bool
        Fetch the authors' zip of this split (about 1 GB for train) into
        ``save_to``/NMNIST first, when it is not there.
    transform, target_transform, transforms : callable, optional
        As in tonic.

    References
    ----------
    .. [1] G. Orchard, A. Jayawant, G. Cohen, N. Thakor, "Converting static image datasets to
       spiking neuromorphic datasets using saccades", Front. Neurosci. 9:437, 2015.
    """

    sensor_size = tonic.datasets.NMNIST.sensor_size
    classes = tuple(tonic.datasets.NMNIST.classes)
    train_url = tonic.datasets.NMNIST.train_url
    train_md5 = tonic.datasets.NMNIST.train_md5
    test_url = tonic.datasets.NMNIST.test_url
    test_md5 = tonic.datasets.NMNIST.test_md5
    largest_download = 2_000_000_000

    def __init__(
        self,
        save_to: str | Path | None = None,
        split: str = "train",
        first_saccade_only: bool = False,
        download: bool = False,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        transforms: Callable | None = None,
    ) -> None:
        require_split(split)
        if download:
            root = data_root(save_to)
            url, md5 = getattr(self, f"{split}_url"), getattr(self, f"{split}_md5")
            path = root / "NMNIST" / f"{split}.zip"
            path = fetch(url, path, f"md5:{md5}", self.largest_download)
        else:
            path = _locate(save_to, split)
        super().__init__(path, transform, target_transform, transforms)
        self.split, self.path, self.first_saccade_only = split, path, first_saccade_only
        self._source = open_source(path)
        self.files, self.targets = _list_recordings(self._source, split.capitalize())
        self.data = self.files

    def read_events(self, index: int) -> np.ndarray:
        """Return recording ``index``."""
        name = self.files[index]
        events = read_nmnist(self._source.read(name), self._source.describe(name))
        if self.first_saccade_only:
            events = events[events["t"] < _FIRST_SACCADE_US]
        return events


def read_nmnist(content, source="bytes"):
    """Read the records of one .bin file with tonic's reader.

    Parameters
    ----------
    content : bytes
        Records of 5 bytes: x, y, then 1 bit polarity and 23 bits time in microseconds.
    source : str
        What errors call the file.

    Returns
    -------
    (n_events,) structured array

    Raises
    ------
    DataError
        For an empty or truncated file, or values that no camera of 34 x 34 pixels gives.
    """
    if not content or len(content) % _RECORD_BYTES:
        raise DataError(
            f"{source} holds {len(content)} bytes, wanted a multiple of {_RECORD_BYTES} above "
            "0 (one record per event): it is truncated or no N-MNIST file, get it afresh"
        )
    # x and y are bytes and the time has 23 bits, so the event type holds them all
    events = tonic.io.read_mnist_file(io.BytesIO(content), dtype=EVENT_DTYPE, is_stream=True)
    return check_events(events, NMNIST.sensor_size, source)


def _locate(save_to, split):
    side = split.capitalize()

    def accept(path):
        return path.is_file() if path.suffix == ".zip" else (path / side).is_dir()

    return locate(
        save_to,
        [
            f"{folder}{name}"
            for folder in ("", "NMNIST/", "nmnist/")
            for name in ("", f"{split}.zip", "nmnist_small.zip")
        ],
        f"N-MNIST ({split})",
        "pass download=True to fetch the authors' archive, or give the zip or the folder that "
        f"holds {side}/",
        accept,
    )


def _list_recordings(source, side):
    """Return the names and labels of one side's recordings, sorted by label and name."""
    found = []
    for name in source.names:
        if not name.lower().endswith(".bin") and not re.search("(?:^|/)(Train|Test)/", name):
            continue
        match = re.search("(?:^|/)(Train|Test)/([0-9])/[^/]+[.](?:bin|BIN)$", name)
        if match is None:
            raise DataError(
                f"{source.describe(name)}: wanted Train/<digit>/<name>.bin or "
                "Test/<digit>/<name>.bin, where the digit is the label: move the file into its "
                "folder or away"
            )
        if match[1] == side:
            found.append((int(match[2]), name))
    if not found:
        raise DataError(f"{source.path} holds no {side}/<digit>/*.bin: give the other archive")
    found.sort()
    return [name for _, name in found], np.array([label for label, _ in found])
