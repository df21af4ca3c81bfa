"""Scenes of several MNIST digits, with the class of each pixel."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from nengo_tactile.arguments import whole
from nengo_tactile.datasets.base import ImageDataset
from nengo_tactile.datasets.mnist import MNIST

#: Pixels along a side of a scene, and along one of a digit, without the margin that MNIST has.
SIDE, DIGIT, MARGIN = 48, 20, 4
#: Digits that are laid on a scene; a later one hides what it covers.
AT_LEAST, AT_MOST = 1, 3
#: Grey value from which on a pixel belongs to its digit, and the deviation of the noise on all.
INK, NOISE = 96, 24
#: Scenes that are drawn of a split unless another number is given.
N_SAMPLES = {"train": 12_000, "test": 2_000}


class DigitScenes(ImageDataset):
    """MNIST digits laid on a larger, noisy image: ``dataset[i]`` is (uint8 image, map of classes).

    One to three digits of the split lie anywhere in an image of 48 x 48 pixels, partly over each
    other. The map says of each pixel 0 for the background, or 1 + the digit that it belongs to.

    Parameters
    ----------
    save_to : str or Path, optional
        ``mnist.npz`` or a folder that holds it; without it NENGO_TACTILE_DATA counts.
    split : {"train", "test"}
        Digits of MNIST's training or test images.
    download : bool
        See `nengo_tactile.datasets.MNIST`.
    n_samples : int, optional
        Scenes; by default 12,000 of the training digits, 2,000 of the test digits.
    seed : int
        Seed of all that is drawn.
    transform, target_transform, transforms : callable, optional
        As in tonic.

    Attributes
    ----------
    images : (n_samples, 48, 48) uint8 array
    targets : (n_samples, 48, 48) int64 array
    """

    sensor_size = (SIDE, SIDE, 1)
    classes = ("background", *"0123456789")

    def __init__(
        self,
        save_to: str | Path | None = None,
        split: str = "train",
        download: bool = False,
        n_samples: int | None = None,
        seed: int = 0,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        transforms: Callable | None = None,
    ) -> None:
        if n_samples is not None:
            n_samples = whole("n_samples", n_samples)
        self.n_samples, self.seed = n_samples, seed
        super().__init__(save_to, split, download, transform, target_transform, transforms)

    def read_target(self, index: int) -> np.ndarray:
        """Return a copy of the map of classes of scene ``index``."""
        return self.targets[index].copy()

    def _download(self, root):
        return MNIST(root, self.split, download=True).path

    def _find(self, save_to):
        return MNIST(save_to, self.split).path

    def _read(self, split):
        digits = MNIST(self.path, split)
        # other draws for the test digits, whatever the seed
        rng = np.random.default_rng((self.seed, split == "test"))
        n = self.n_samples or N_SAMPLES[split]
        images, maps = np.zeros((2, n, SIDE, SIDE), np.uint8)
        for image, classes in zip(images, maps):
            lay_digits(image, classes, digits.images, digits.targets, rng)
        return images, maps.astype(np.int64)


def lay_digits(image, classes, digits, labels, rng):
    """Draw one scene, in place.

    Parameters
    ----------
    image, classes : (48, 48) uint8 array
        Zeros.
    digits : (n, 28, 28) uint8 array
    labels : (n,) int array
    rng : numpy.random.Generator
    """
    for chosen in rng.integers(len(digits), size=rng.integers(AT_LEAST, AT_MOST + 1)):
        row, column = rng.integers(SIDE - DIGIT + 1, size=2)
        place = slice(row, row + DIGIT), slice(column, column + DIGIT)
        digit = digits[chosen, MARGIN:-MARGIN, MARGIN:-MARGIN]
        ink = digit >= INK
        image[place] = np.where(ink, digit, np.maximum(image[place], digit))
        classes[place][ink] = 1 + labels[chosen]
    noisy = image + rng.normal(0, NOISE, image.shape)
    image[:] = np.clip(np.rint(noisy), 0, 255)
