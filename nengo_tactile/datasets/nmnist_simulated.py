"""N-MNIST simulated: the images of MNIST before a camera that moves in three saccades."""

import collections
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from nengo_tactile.datasets.base import EventDataset
from nengo_tactile.datasets.mnist import MNIST
from nengo_tactile.datasets.nmnist import NMNIST
from nengo_tactile.errors import DataError
from nengo_tactile.events.saccades import (
    SENSOR_SIZE,
    SaccadeParameters,
    fitted_saccades,
    simulate,
)
from nengo_tactile.progress import track


class SimulatedNMNIST(EventDataset):
    """MNIST's digits as the simulated event camera sees them.

    Samples are simulated on demand; none is kept. Sample i depends on its image, the parameters,
    seed, split and i only, in whatever order samples are asked for.

    Parameters
    ----------
    save_to : str or Path, optional
        ``mnist.npz`` or a folder that holds it; without it NENGO_TACTILE_DATA counts.
    split : {"train", "test"}
        60,000 and 10,000 digits, in the order of MNIST.
    n_samples : int, optional
        Only the first so many.
    seed : int
        Seed of thresholds, timing and noise.
    parameters : SaccadeParameters, optional
        By default those fitted to the recordings of N-MNIST.
    download : bool
        Fetch the images as `MNIST` does, when they are not there.
    transform, target_transform, transforms : callable, optional
        As in tonic.

    Raises
    ------
    DataError
        For an unknown split, images that are missing or damaged, or more samples than images.
    """

    sensor_size = SENSOR_SIZE
    classes = MNIST.classes

    def __init__(
        self,
        save_to: str | Path | None = None,
        split: str = "train",
        n_samples: int | None = None,
        seed: int = 0,
        parameters: SaccadeParameters | None = None,
        download: bool = False,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        transforms: Callable | None = None,
    ) -> None:
        digits = MNIST(save_to, split, download)
        super().__init__(digits.path, transform, target_transform, transforms)
        if n_samples is None:
            n_samples = len(digits)
        if not 0 < n_samples <= len(digits):
            raise DataError(
                f"simulated N-MNIST: n_samples is {n_samples}; give 1 to {len(digits)}, the "
                f"number of {split} images"
            )
        self.path, self.split, self.seed = digits.path, split, seed
        self.parameters = parameters or fitted_saccades()
        self.images, self.targets = digits.images[:n_samples], digits.targets[:n_samples]

    def read_events(self, index: int) -> np.ndarray:
        """Simulate one sample; return its events, without transforms."""
        rng = np.random.default_rng([self.seed, self.split == "test", index])
        return simulate(self.images[index], self.parameters, rng)

    def recordings(
        self,
        indices: Iterable[int] | None = None,
        progress: bool | None = None,
        workers: int | None = None,
    ) -> Iterator[np.ndarray]:
        """Iterate over events without transforms, with a progress bar.

        Only a few samples are held at a time.

        Parameters
        ----------
        indices : iterable of int, optional
            By default all samples in order.
        progress : bool, optional
            Show the bar; by default only on a terminal.
        workers : int, optional
            Threads that simulate, by default one for each processor core; the samples are the same
            for any number, and in order.

        Yields
        ------
        (n_events,) structured array
        """
        indices = range(len(self)) if indices is None else list(indices)
        workers = workers or os.cpu_count() or 1
        with ThreadPoolExecutor(workers) as pool:
            ahead: collections.deque = collections.deque()
            for index in track(indices, "simulating saccades", progress=progress):
                ahead.append(pool.submit(self.read_events, index))
                if len(ahead) > 2 * workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()


def recorded_digits(data_dir=None, split="train"):
    """Open the recordings of N-MNIST, and say which image each one shows.

    Parameters
    ----------
    data_dir : str or Path, optional
        As for `NMNIST`.
    split : {"train", "test"}

    Returns
    -------
    recordings : NMNIST
    order : (n,) int array
        Recordings in the order of MNIST.
    numbers : (n,) int array
        The image of each of them: recording 00001.bin shows image 0.

    Raises
    ------
    DataError
        For a file whose name is no number.
    """
    recordings = NMNIST(data_dir, split)
    numbers = []
    for name in recordings.files:
        stem = name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
        if not stem.isdecimal() or int(stem) < 1:
            raise DataError(f"{recordings.path}: {name} is not named <number from 1>.bin")
        numbers.append(int(stem) - 1)
    order = np.argsort(numbers)
    return recordings, order, np.array(numbers)[order]
