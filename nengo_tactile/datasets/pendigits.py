"""Recorded pen digits (UCI pendigits) with their trajectories."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from nengo_tactile.datasets.base import EventDataset
from nengo_tactile.events.recorded import FILE_NAME, RecordedDigits, read_pendigits
from nengo_tactile.files import path_of

__all__ = ["FILE_NAME", "PenDigits", "RecordedDigits", "read_pendigits"]

POINT_DTYPE = np.dtype([("x", np.int16), ("y", np.int16), ("stroke", np.int16)])


class PenDigits(EventDataset):
    """Pen trajectories: 7,494 digits by 30 train writers, 1,748 by 7 other test writers.

    ``dataset[i]`` is ``(points, label)``: a structured array with tablet position x, y (500 x
    500, y up) and stroke number of points equally spaced in time. They are no events yet:
    `nengo_tactile.datasets.eskin.ESkin` writes them on the simulated skin.

    Parameters
    ----------
    save_to : str or Path
        ``pendigits_traj.npz`` or its folder.
    split : {"train", "test"}
    transform, target_transform, transforms : callable, optional
        As in tonic.

    Raises
    ------
    DataError
        When the file is missing or damaged.
    """

    classes = tuple(str(digit) for digit in range(10))
    dtype = POINT_DTYPE
    ordering = POINT_DTYPE.names

    def __init__(
        self,
        save_to: str | Path,
        split: str = "train",
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        transforms: Callable | None = None,
    ) -> None:
        super().__init__(path_of(save_to), transform, target_transform, transforms)
        self.split = split
        self.digits = read_pendigits(save_to, split)
        self.targets = self.digits.labels.astype(np.int64)
        self.writers = self.digits.writers.astype(np.int64)

    def read_events(self, index: int) -> np.ndarray:
        """Return the points of one digit, a structured array of `POINT_DTYPE`."""
        xy, stroke = self.digits.points(index)
        points = np.empty(len(xy), POINT_DTYPE)
        points["x"], points["y"], points["stroke"] = xy[:, 0], xy[:, 1], stroke
        return points
