"""N-TIDIGITS18: spoken digits as spikes of a silicon cochlea with 64 channels."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tonic.datasets

from nengo_tactile.datasets.base import EventDataset
from nengo_tactile.datasets.download import fetch
from nengo_tactile.datasets.sources import data_root, locate, require_split
from nengo_tactile.doors import hdf5
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import make_events

# What TIDIGITS calls the digits in the names of its utterances; "z" is zero, "o" is oh.
_SPOKEN = "z123456789o"

_N_CHANNELS = 64
_LONGEST_S = 2**40 / 1e6  # no recording of speech; keeps times inside int64


class NTIDIGITS(EventDataset):
    """The single digits of N-TIDIGITS18 [1]_: 11 classes, "zero" to "nine" and "oh".

    Parameters
    ----------
    save_to : str or Path, optional
        ``n-tidigits.hdf5`` or a folder that holds it; without it NENGO_TACTILE_DATA counts.
    split : {"train", "test"}
        The split of the file.
    download : bool
        Fetch the file from tonic's address into ``save_to``/NTIDIGITS18 first, when it is not
        there.
    transform, target_transform, transforms : callable, optional
        As in tonic.

    Attributes
    ----------
    names : list of str
        The utterances; the last part of a name, after "-", is what was said.

    Raises
    ------
    DataError
        For a file that is missing, truncated or no HDF5, lacks a part, or names utterances that
        it does not hold.

    Notes
    -----
    x is the channel, y is 0, all events are ON. Utterances of several digits are left out, as in
    the classification task of [1]_. Events are sorted by time where the file does not have them
    so. `tonic.datasets.NTIDIGITS18` reads the same file; it counts "oh" as class 0 and "zero" as
    class 10, and cuts times to whole microseconds, which here are rounded.

    References
    ----------
    .. [1] J. Anumula, D. Neil, T. Delbruck, S.-C. Liu, "Feature representations for neuromorphic
       audio spike streams", Front. Neurosci. 12:23, 2018.
    """

    sensor_size = (_N_CHANNELS, 1, 1)
    classes = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "oh")
    filename = tonic.datasets.NTIDIGITS18.filename
    url = tonic.datasets.NTIDIGITS18.base_url
    md5 = tonic.datasets.NTIDIGITS18.file_md5
    largest_download = 2_000_000_000

    def __init__(
        self,
        save_to: str | Path | None = None,
        split: str = "train",
        download: bool = False,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        transforms: Callable | None = None,
    ) -> None:
        require_split(split)
        if download:
            path = data_root(save_to) / "NTIDIGITS18" / self.filename
            path = fetch(self.url, path, f"md5:{self.md5}", self.largest_download)
        else:
            path = locate(
                save_to,
                [f"{folder}{self.filename}" for folder in ("", "NTIDIGITS18/", "ntidigits/")],
                "N-TIDIGITS18",
                f"pass download=True to fetch it, or put {self.filename} there",
            )
        super().__init__(path, transform, target_transform, transforms)
        self.split, self.path = split, path
        with hdf5.opened(path, _door()) as file:
            self.names = _single_digits(file, split, path)
        self.targets = np.array([_SPOKEN.index(name[-1]) for name in self.names])
        self.data = self.names

    def read_events(self, index: int) -> np.ndarray:
        """Return recording ``index``."""
        name = self.names[index]
        with hdf5.opened(self.path, _door()) as file:  # opened anew: data loaders can fork
            columns = {
                part: _column(file, f"{self.split}_{part}/{name}", f"{self.path}: {name}, {part}")
                for part in ("addresses", "timestamps")
            }
        return _events(columns["addresses"], columns["timestamps"], f"{self.path}: {name}")


def _door():
    return Door(DataError, f"get {NTIDIGITS.filename} (md5 {NTIDIGITS.md5}) afresh")


def _single_digits(file, split, path):
    """Return the names of the utterances of one digit."""
    groups = {part: file.group(f"{split}_{part}") for part in ("addresses", "timestamps")}
    lacking = [f"{split}_{part}" for part, group in groups.items() if group is None]
    lacking += [] if f"{split}_labels" in file.names() else [f"{split}_labels"]
    if lacking:
        raise DataError(
            f"{path} has no {lacking[0]!r}, only {sorted(file.names())}: get {NTIDIGITS.filename} "
            "afresh"
        )
    names = file.texts(f"{split}_labels")
    names = [name for name in names if len(name.rsplit("-", 1)[-1]) == 1]
    for name in names:
        if name[-1] not in _SPOKEN:
            raise DataError(
                f"{path}: {split}_labels names {name!r}, wanted one of {_SPOKEN!r} after the last "
                f"'-': get {NTIDIGITS.filename} afresh"
            )
    for part, group in groups.items():
        missing = set(names) - set(group.names())
        if missing:
            raise DataError(
                f"{path}: {split}_{part} lacks {len(missing)} of {len(names)} utterances, such as "
                f"{min(missing)!r}: get {NTIDIGITS.filename} afresh"
            )
    if not names:
        raise DataError(f"{path}: {split}_labels names no utterance of a single digit")
    return names


def _column(file, path, source):
    """Read one dataset as a (n_events,) array of numbers."""
    values = file.numbers(path)
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        raise DataError(
            f"{source} has type {values.dtype} and shape {values.shape}, wanted one row of numbers"
        )
    return values


def _events(addresses, times_s, source):
    """Make sorted events of channels and seconds."""
    if len(addresses) != len(times_s):
        raise DataError(
            f"{source} has {len(addresses)} addresses and {len(times_s)} timestamps, wanted one of "
            "each per event"
        )
    wrong = ~((addresses >= 0) & (addresses < _N_CHANNELS)) | (addresses % 1 != 0)
    if wrong.any():
        first = int(wrong.argmax())
        raise DataError(
            f"{source}: address {first} is {addresses[first]}, wanted channels 0 to "
            f"{_N_CHANNELS - 1}"
        )
    wrong = ~((times_s >= 0) & (times_s < _LONGEST_S))
    if wrong.any():
        first = int(wrong.argmax())
        raise DataError(
            f"{source}: timestamp {first} is {times_s[first]}, wanted seconds from the start of "
            "the utterance"
        )
    time_us = np.rint(times_s.astype(np.float64) * 1e6).astype(np.int64)
    order = np.argsort(time_us, kind="stable")
    channel = addresses.astype(np.int64)[order]
    ones = np.ones_like(channel)
    return make_events(
        channel, ones * 0, time_us[order], ones, sensor_size=NTIDIGITS.sensor_size, source=source
    )
