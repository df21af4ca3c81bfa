"""CIFAR-10: the colour images, as they are."""

import lzma
from pathlib import Path

import numpy as np

from nengo_tactile.datasets.base import EventDataset
from nengo_tactile.datasets.sources import locate, read_npz, require_split
from nengo_tactile.errors import DataError

_SIDE = 32
_PIXELS = _SIDE * _SIDE
_PER_FILE = 10_000
_BINARY = "cifar-10-batches-bin"


class CIFAR10(EventDataset):
    """CIFAR-10 [1]_: ``dataset[i]`` is (uint8 image of 32 x 32 x 3, label).

    Parameters
    ----------
    save_to : str or Path, optional
        A folder that holds either the authors' binary version (``cifar-10-batches-bin``, files
        of 3,073 bytes an image) or ``train_0.xz`` to ``train_4.xz``, ``test.xz`` and
        ``labels.npz`` (colour planes as differences, packed with xz); without it
        NENGO_TACTILE_DATA counts. The authors' Python version holds pickles, which are never
        read.
    split : {"train", "test"}
        50,000 and 10,000 images.
    transform, target_transform, transforms : callable, optional
        As in tonic.

    Attributes
    ----------
    images : (n_samples, 32, 32, 3) uint8 array

    References
    ----------
    .. [1] A. Krizhevsky, "Learning multiple layers of features from tiny images", technical
       report, University of Toronto, 2009.
    """

    sensor_size = (_SIDE, _SIDE, 3)
    dtype = np.dtype(np.uint8)
    ordering = None  # images, not events
    classes = (
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    )

    def __init__(
        self,
        save_to=None,
        split="train",
        transform=None,
        target_transform=None,
        transforms=None,
    ):
        require_split(split)
        folder = locate(
            save_to,
            ["", _BINARY, "cifar10", f"cifar10/{_BINARY}", f"CIFAR10/{_BINARY}"],
            "CIFAR-10",
            "get the binary version (cifar-10-binary.tar.gz) from "
            "https://www.cs.toronto.edu/~kriz/cifar.html and unpack it there",
            accept=is_cifar10,
        )
        super().__init__(folder, transform, target_transform, transforms)
        self.split, self.path = split, folder
        read = _read_binary if (folder / "test_batch.bin").is_file() else _read_planes
        images, labels = read(folder, split)
        wrong = (labels < 0) | (labels >= len(self.classes))
        if len(images) != len(labels) or wrong.any():
            raise DataError(
                f"{folder}: {len(images)} images and {len(labels)} labels from {labels.min()} to "
                f"{labels.max()}, wanted as many labels as images, 0 to 9: get the files afresh"
            )
        self.images = self.data = images
        self.targets = labels.astype(np.int64)

    def read_events(self, index):
        """Return a copy of image ``index``."""
        return self.images[index].copy()


def is_cifar10(folder):
    """Whether the set lies directly in ``folder``."""
    folder = Path(folder)
    return any((folder / name).is_file() for name in ("train_0.xz", "test_batch.bin"))


def _names(split, train, test, first=0):
    return [test] if split == "test" else [train.format(first + i) for i in range(5)]


def _read_planes(folder, split):
    """Planes G, R - G, B - G of 10,000 images a file, as differences along rows and columns."""
    parts = []
    for name in _names(split, "train_{}.xz", "test.xz"):
        path = folder / name
        try:
            with lzma.open(path) as file:
                # one byte too many shows a file that is too long, whatever it unpacks to
                data = np.frombuffer(file.read(3 * _PER_FILE * _PIXELS + 1), np.uint8)
        except (OSError, lzma.LZMAError, EOFError) as error:
            raise DataError(f"{path} cannot be read ({error}): get it afresh") from error
        if data.size != 3 * _PER_FILE * _PIXELS:
            raise DataError(
                f"{path} unpacks to {data.size} bytes or more, wanted {3 * _PER_FILE * _PIXELS}: "
                "get it afresh"
            )
        planes = data.reshape(3, _PER_FILE, _SIDE, _SIDE)
        green, red, blue = planes.cumsum(2, dtype=np.uint8).cumsum(3, dtype=np.uint8)
        parts.append(np.stack([red + green, green, blue + green], axis=-1))
    key = f"y_{split}"
    labels = read_npz(folder / "labels.npz", {key: ("iu", 1)})[key]
    return np.concatenate(parts), labels.astype(np.int64)


def _read_binary(folder, split):
    """The authors' binary version: a label byte, then planes R, G, B of 1,024 bytes."""
    parts = []
    for name in _names(split, "data_batch_{}.bin", "test_batch.bin", first=1):
        path = folder / name
        try:
            data = np.fromfile(path, np.uint8)
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error}): get it afresh") from error
        if not data.size or data.size % (1 + 3 * _PIXELS):
            raise DataError(
                f"{path} holds {data.size} bytes, wanted a multiple of {1 + 3 * _PIXELS}: "
                "get it afresh"
            )
        parts.append(data.reshape(-1, 1 + 3 * _PIXELS))
    records = np.concatenate(parts)
    images = records[:, 1:].reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].astype(np.int64)
