"""Image data sets as arrays in the shape that Keras models take."""

from typing import TYPE_CHECKING

import numpy as np

from nengo_tactile.errors import DataError

if TYPE_CHECKING:
    from nengo_tactile.datasets.base import EventDataset


def images_of(dataset: "EventDataset") -> np.ndarray:
    """All images of a data set, with an axis for channels where there is but one.

    Parameters
    ----------
    dataset : MNIST, CIFAR10 or another data set with ``images``

    Returns
    -------
    (n_samples, height, width, channels) uint8 array
        No copy: (n, 28, 28, 1) for MNIST, (n, 32, 32, 3) for CIFAR-10.

    Raises
    ------
    DataError
        For data sets of events.
    """
    images = getattr(dataset, "images", None)
    if not isinstance(images, np.ndarray) or images.ndim not in (3, 4):
        raise DataError(
            f"{dataset!r} holds no images: give MNIST or CIFAR10, or bin events into images with "
            "nengo_tactile.events.images"
        )
    return images[..., None] if images.ndim == 3 else images
