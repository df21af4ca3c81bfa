"""The e-skin as another sensor: what a network of one's own recordings reads of it."""

import dataclasses

import numpy as np

from nengo_tactile.events.eskin import N_TAXELS, SENSOR_SIZE
from nengo_tactile.events.taxels import TaxelMap


@dataclasses.dataclass(frozen=True)
class View:
    """The e-skin's events at the cells of another sensor that lies above it.

    A sensor of 10 x 10 taxels with two polarities is the e-skin itself, whose x runs downwards.
    Of all others x runs to the right, each of their cells feels the e-skin's taxels below it, and
    sensors without polarities feel what is ON.

    Attributes
    ----------
    sensor_size : tuple of int
        (width, height, polarities) of what a network reads.
    taxels : TaxelMap, optional
        Which cells have taxels; others feel nothing. By default all do.
    """

    sensor_size: tuple[int, ...]
    taxels: TaxelMap | None = None

    def __call__(self, events: np.ndarray) -> np.ndarray:
        """Events of the e-skin as the sensor has them."""
        if self.taxels is None and self.sensor_size == SENSOR_SIZE:
            return events
        width, height, polarities = self.sensor_size
        seen = events[events["p"]] if polarities == 1 else events.copy()
        x = seen["y"].astype(np.int64) * width // N_TAXELS
        y = seen["x"].astype(np.int64) * height // N_TAXELS
        seen["x"], seen["y"] = x, y
        if self.taxels is None:
            return seen
        felt = np.zeros((height, width), bool)
        felt[self.taxels.cells[:, 1], self.taxels.cells[:, 0]] = True
        return seen[felt[y, x]]
