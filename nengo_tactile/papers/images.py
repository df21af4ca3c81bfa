"""Images of MNIST and CIFAR-10 for papers that convert trained networks, and those networks."""

import dataclasses
import functools

import numpy as np

from nengo_tactile import files
from nengo_tactile.commands import networks, paths
from nengo_tactile.commands.tasks import images, open_task, task_named
from nengo_tactile.lazy import cached_property


@dataclasses.dataclass(frozen=True, eq=False)
class Images:
    """Images of a task, in random order.

    Attributes
    ----------
    calibration : (n, height, width, channels) array
        Training images that all choices are made on.
    train : (n, height, width, channels) array
        All other training images.
    x, y : arrays
        Test images and labels.
    classes : tuple of str
    first : (image, label)
        The first test image as the data set has it, (1, height, width, channels).
    """

    calibration: np.ndarray
    train: np.ndarray
    x: np.ndarray
    y: np.ndarray
    classes: tuple
    first: tuple

    @cached_property
    def digest(self):
        """Of all images and labels, in their order."""
        return files.fingerprint("images", self.calibration, self.train, self.x, self.y)


@functools.lru_cache(maxsize=1)
def read(task_name, seed=0, data_dir=None):
    """Read a task's images, once for all cells of a process.

    Returns
    -------
    Images
    """
    task = task_named(task_name)
    train_set, test_set = (open_task(task, split, data_dir) for split in ("train", "test"))
    x_train, _ = images(task, train_set)
    x, y = images(task, test_set)
    order = np.random.default_rng(seed).permutation(len(x))
    # other images than the calibration samples
    others = np.random.default_rng(seed).permutation(len(x_train))[paths.CALIBRATION_SAMPLES :]
    return Images(
        paths.calibration_samples(x_train, seed),
        x_train[others],
        x[order],
        y[order],
        tuple(test_set.classes),
        (x[:1], y[0]),
    )


@functools.lru_cache(maxsize=2)
def trained(name, folder=None):
    """Trained weights, and their digest.

    Returns
    -------
    tf.keras.Model, str
    """
    model = networks.trained(name, folder)
    return model, files.fingerprint(model.to_json(), *model.get_weights())
