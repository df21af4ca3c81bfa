"""MNIST: the images, as they are."""

import numpy as np

from nengo_tactile.datasets.base import ImageDataset
from nengo_tactile.datasets.download import fetch
from nengo_tactile.datasets.sources import locate, read_npz, require_below
from nengo_tactile.errors import DataError


class MNIST(ImageDataset):
    """MNIST [1]_ from an npz: ``dataset[i]`` is (uint8 image of 28 x 28, label).

    Parameters
    ----------
    save_to : str or Path, optional
        ``mnist.npz`` or a folder that holds it; without it NENGO_TACTILE_DATA counts.
    split : {"train", "test"}
        60,000 and 10,000 images.
    download : bool
        Fetch the npz that Keras offers (11 MB) into ``save_to``/MNIST first, when it is not
        there.
    transform, target_transform, transforms : callable, optional
        As in tonic.

    Attributes
    ----------
    images : (n_samples, 28, 28) uint8 array

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to
       document recognition", Proc. IEEE 86(11), 1998.
    """

    sensor_size = (28, 28, 1)
    classes = tuple("0123456789")
    filename = "mnist.npz"
    # as in tf_keras 2.21, tf_keras.datasets.mnist.load_data
    url = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
    sha256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
    largest_download = 12_000_000

    def _download(self, root):
        path = root / "MNIST" / self.filename
        return fetch(self.url, path, f"sha256:{self.sha256}", self.largest_download)

    def _find(self, save_to):
        candidates = [f"{folder}{self.filename}" for folder in ("", "MNIST/", "mnist/")]
        return locate(save_to, candidates, "MNIST", "pass download=True to fetch it")

    def _read(self, split):
        x, y = f"x_{split}", f"y_{split}"
        arrays = read_npz(self.path, {x: ("u", 3), y: ("iu", 1)})
        images, labels = arrays[x], arrays[y]
        if images.dtype != np.uint8 or images.shape != (len(labels), 28, 28) or not len(labels):
            raise DataError(
                f"{self.path}: array {x!r} has type {images.dtype}, shape {images.shape}, wanted "
                f"uint8 ({len(labels)}, 28, 28) for the labels of {y!r}, at least one"
            )
        require_below(labels, 10, self.path, f"array {y!r}, row")
        return images, labels.astype(np.int64)
