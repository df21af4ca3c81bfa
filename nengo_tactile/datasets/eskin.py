"""The simulated e-skin as a data set: digits written on 10 x 10 taxels."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nengo_tactile.datasets.base import EventDataset
from nengo_tactile.events.eskin import SENSOR_SIZE
from nengo_tactile.events.eskin_table1 import fitted_parameters
from nengo_tactile.events.handwriting import handwriting, write_on_skin
from nengo_tactile.files import path_of

if TYPE_CHECKING:
    from nengo_tactile.events.eskin import ESkinParameters


class ESkin(EventDataset):
    """Digits written on the simulated ST-MNIST e-skin.

    Samples are simulated on demand. Sample i depends on source, split, parameters, seed and i
    only, in whatever order samples are asked for.

    Parameters
    ----------
    source : "parametric" or path
        Invented writers that need no download (18 train, 5 other test writers), or the path of
        recorded trajectories: ``pendigits_traj.npz`` or its folder (30 train, 7 other test
        writers).
    split : {"train", "test"}
    n_samples : int, optional
        By default 5,400 / 1,500 parametric samples, or each recording once (7,494 / 1,748).
    seed : int
        Seed of writers, hands and skin noise.
    parameters : ESkinParameters, optional
        By default those fitted to Table 1 of the ST-MNIST paper for this source.
    transform, target_transform, transforms : callable, optional
        As in tonic.

    Raises
    ------
    DataError
        For an unknown split, or a file that is missing or damaged.
    """

    sensor_size = SENSOR_SIZE
    classes = tuple(str(digit) for digit in range(10))
    _reading = "writing on the e-skin"

    def __init__(
        self,
        source: str | Path = "parametric",
        split: str = "train",
        n_samples: int | None = None,
        seed: int = 0,
        parameters: "ESkinParameters | None" = None,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        transforms: Callable | None = None,
    ) -> None:
        super().__init__(path_of(source), transform, target_transform, transforms)
        self.writing = handwriting(source, split, n_samples, seed)
        self.parameters = parameters or fitted_parameters(self.writing.name)
        self.split, self.seed = split, seed
        self.targets = self.writing.labels
        self.writers = self.writing.writers

    def read_events(self, index: int) -> np.ndarray:
        """Simulate one sample; return its events, without transforms."""
        return write_on_skin(self.writing, index, self.parameters, self.seed)
