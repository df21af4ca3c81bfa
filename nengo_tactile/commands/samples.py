"""Samples that a command line names: of a task, or in files of arrays (``--x``, ``--y``)."""

import dataclasses
import os
from pathlib import Path

from nengo_tactile.doors.archives import read_npy, read_npz
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import DataError
from nengo_tactile.files import path_of


@dataclasses.dataclass(frozen=True)
class Files:
    """Samples and labels in files: .npy, or .npz with the array's name behind a colon.

    Attributes
    ----------
    x : str
        A path such as "images.npy", "data.npz" or "mnist.npz:x_train".
    y : str or None
    """

    x: str
    y: str | None = None

    @property
    def about(self):
        """What the data are, for tables."""
        return f"samples in {Path(self.x).name}"

    @property
    def options(self):
        """The options that name them on a command line."""
        return f" --x {self.x}" + (f" --y {self.y}" if self.y else "")

    def read(self, shape):
        """Samples of a network's input shape, and labels.

        Parameters
        ----------
        shape : tuple of int
            Of one sample; an axis of one channel is added where only that is missing.

        Returns
        -------
        x : (n_samples, *shape) array
        y : (n_samples, ...) array or None

        Raises
        ------
        DataError
            For files that cannot be read, and arrays of other shapes or lengths.
        """
        x = read_array(self.x, "x")
        if x.ndim and (*x.shape[1:], 1) == tuple(shape):
            x = x[..., None]
        if x.ndim == 0 or x.shape[1:] != tuple(shape):
            raise DataError(
                f"{self.x}: array of shape {x.shape}, the network takes (n_samples, "
                f"{', '.join(map(str, shape))}): give samples of that shape"
            )
        if self.y is None:
            return x, None
        y = read_array(self.y, "y")
        if y.ndim == 0 or len(y) != len(x):
            raise DataError(
                f"{self.y}: array of shape {y.shape}, {self.x} has {len(x)} samples: give one "
                "label for each"
            )
        return x, y


def files_of(task, x, y):
    """What the options ``--task``, ``--x`` and ``--y`` name together.

    Returns
    -------
    Files or None
        None for a task, or where nothing is named.

    Raises
    ------
    DataError
        If both are named, or labels without samples.
    """
    if x is None and y is None:
        return None
    if x is None:
        raise DataError(f"--y {y} without --x: give the file of samples too")
    if task is not None:
        raise DataError(f"--task {task} and --x {x}: both name samples, give one of the two")
    return Files(str(x), None if y is None else str(y))


def read_array(source, name):
    """Read an array of a file.

    Parameters
    ----------
    source : str
        "FILE.npy", "FILE.npz" (of one array, or one called ``name``) or "FILE.npz:ARRAY".
    name : str

    Returns
    -------
    array

    Raises
    ------
    DataError
        With the names of the arrays that are there, if that is the question.
    """
    path, wanted = _split(source)
    if not path.is_file():
        raise DataError(f"{path}: no such file: give a .npy or .npz of arrays")
    door = Door(DataError, "write it with numpy.save or numpy.savez")
    arrays = read_npz(path, door) if path.suffix == ".npz" else {None: read_npy(path, door)}
    if not arrays:
        raise door.refusal(path, "holds no array")
    if wanted is None:
        wanted = name if name in arrays else next(iter(arrays)) if len(arrays) == 1 else None
        if wanted is None and None not in arrays:
            raise DataError(
                f"{path}: holds {', '.join(arrays)}: say which are meant, such as "
                f"--{name} {path}:{next(iter(arrays))}"
            )
    if wanted not in arrays:
        raise DataError(
            f"{path}: has no array {wanted!r}, but {', '.join(map(str, arrays))}: give one of these"
        )
    array = arrays[wanted]
    if array.dtype.kind not in "biuf":
        raise DataError(f"{source}: array of {array.dtype}: give numbers")
    return array


def _split(source):
    """Path and array's name of "FILE.npz:ARRAY"; a path may have colons of its own."""
    source = os.path.expanduser(source)
    path = path_of(source)
    if path.exists() or ".npz:" not in source:
        return path, None
    head, _, name = source.rpartition(":")
    return path_of(head), name
