"""The recorded pen trajectories of pendigits: the reader of ``pendigits_traj.npz``."""

import dataclasses

import numpy as np

from nengo_tactile.doors.archives import npz_names, read_npz
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import DataError
from nengo_tactile.files import path_of

FILE_NAME = "pendigits_traj.npz"
SPLITS = ("train", "test")


@dataclasses.dataclass(frozen=True)
class RecordedDigits:
    """One split of recorded pen digits.

    Attributes
    ----------
    xy : (n_points, 2) int array
        Tablet positions, y up, equally spaced in time.
    stroke : (n_points,) int array
        Stroke number of each point within its sample.
    offsets : (n_samples + 1,) int array
        Sample i holds points offsets[i] to offsets[i + 1].
    labels, writers : (n_samples,) int arrays
    """

    xy: np.ndarray
    stroke: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    writers: np.ndarray

    def __len__(self):
        return len(self.labels)

    def points(self, index):
        """Return (xy, stroke) of one sample."""
        part = slice(self.offsets[index], self.offsets[index + 1])
        return self.xy[part], self.stroke[part]


def read_pendigits(path, split="train"):
    """Read recorded pen trajectories.

    Parameters
    ----------
    path : str or Path
        ``pendigits_traj.npz`` or its folder.
    split : {"train", "test"}
        30 train writers or 7 other test writers.

    Returns
    -------
    RecordedDigits

    Raises
    ------
    DataError
        When the file is missing, not an npz, or its arrays do not fit together.
    """
    if split not in SPLITS:
        raise DataError(f"split is {split!r}; choose one of {SPLITS}")
    path = path_of(path)
    if path.is_dir():
        path = path / FILE_NAME
    if not path.is_file():
        raise DataError(f"{path}: no such file; give the folder that holds {FILE_NAME}")
    names = [f"{name}_{split}" for name in ("xy", "stroke", "offsets", "label", "writer")]
    door = Door(DataError, f"fetch {FILE_NAME} again")
    there = npz_names(path, door)
    missing = [name for name in names if name not in there]
    if missing:
        raise DataError(f"{path}: arrays {missing} are missing, found {there}")
    found = read_npz(path, door, names)
    digits = RecordedDigits(*(found[name] for name in names))
    _check(digits, path)
    return digits


def _check(digits, path):
    """Refuse arrays that do not fit together."""
    for field in dataclasses.fields(digits):
        array = getattr(digits, field.name)
        wanted, kinds, words = (
            (2, "fiu", "numbers") if field.name == "xy" else (1, "iu", "integers")
        )
        if array.ndim != wanted or array.dtype.kind not in kinds:
            raise DataError(
                f"{path}: {field.name} has shape {array.shape} and type {array.dtype}, wanted "
                f"{wanted} axes of {words}"
            )
    n_points, n_samples = len(digits.xy), len(digits.labels)
    lengths = {"stroke": (len(digits.stroke), n_points),
               "offsets": (len(digits.offsets), n_samples + 1),
               "writers": (len(digits.writers), n_samples),
               "xy columns": (digits.xy.shape[1], 2)}  # fmt: skip
    for name, (found, wanted) in lengths.items():
        if found != wanted:
            raise DataError(f"{path}: {name} has length {found}, wanted {wanted}")
    if not np.isfinite(digits.xy).all():
        row = int(np.argwhere(~np.isfinite(digits.xy))[0, 0])
        raise DataError(f"{path}: point {row} is {digits.xy[row]}, wanted finite positions")
    offsets = digits.offsets.astype(np.int64)
    empty = np.flatnonzero(np.diff(offsets) <= 0)
    if len(empty) or offsets[0] != 0 or offsets[-1] != n_points:
        where = f"sample {empty[0]} has no points" if len(empty) else (
            f"offsets run from {offsets[0]} to {offsets[-1]}, wanted 0 to {n_points}"
        )  # fmt: skip
        raise DataError(f"{path}: {where}; fetch {FILE_NAME} again")
    wrong = np.flatnonzero((digits.labels < 0) | (digits.labels > 9))
    if len(wrong):
        raise DataError(
            f"{path}: label {wrong[0]} is {digits.labels[wrong[0]]}, wanted a digit from 0 to 9"
        )
