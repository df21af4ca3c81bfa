"""CIFAR-10: the colour images, as they are."""

import lzma
import shutil
import tarfile
from pathlib import Path

import numpy as np

from nengo_tactile import files
from nengo_tactile.datasets.base import ImageDataset
from nengo_tactile.datasets.download import fetch
from nengo_tactile.datasets.sources import locate, read_npz, require_below
from nengo_tactile.errors import DataError

_SIDE = 32
_PIXELS = _SIDE * _SIDE
_PER_FILE = 10_000
_N_FILES = {"train": 5, "test": 1}
_BINARY = "cifar-10-batches-bin"
_BINARY_NAMES = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")


class CIFAR10(ImageDataset):
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
    download : bool
        Fetch the authors' binary version (162 MB) into ``save_to``/CIFAR10 first, when it is
        not there, and unpack it beside.
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
    filename = "cifar-10-binary.tar.gz"
    # address and checksum as on the authors' page, https://www.cs.toronto.edu/~kriz/cifar.html
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
    md5 = "c32a1d4ab5d03f1284b67883e8d87530"

    def _download(self, root):
        """Return the folder of the unpacked files, made when it is not there."""
        archive = root / "CIFAR10" / self.filename
        target = archive.with_name(_BINARY)
        if not all((target / name).is_file() for name in _BINARY_NAMES):
            unpack(fetch(self.url, archive, f"md5:{self.md5}"), target)
        return target

    def _find(self, save_to):
        folder = locate(
            save_to,
            ["", _BINARY, "cifar10", f"cifar10/{_BINARY}", f"CIFAR10/{_BINARY}"],
            "CIFAR-10",
            f"pass download=True to fetch the authors' binary version ({self.filename}), or "
            "unpack it there by hand",
            accept=is_cifar10,
        )
        if not folder.is_dir():
            raise DataError(f"{folder} is a file: unpack it and give the folder of CIFAR-10")
        return folder

    def _read(self, split):
        is_binary = any((self.path / name).is_file() for name in _BINARY_NAMES)
        return (_read_binary if is_binary else _read_planes)(self.path, split)


def is_cifar10(folder):
    """Whether the set lies directly in ``folder``."""
    folder = Path(folder)
    return any((folder / name).is_file() for name in ("train_0.xz", "test.xz", *_BINARY_NAMES))


def unpack(archive, folder):
    """Unpack the six files of the binary version, whatever else the archive holds.

    Parameters
    ----------
    archive : Path
        The authors' tar.gz.
    folder : Path
        Replaced as a whole, and only when all six files are there.

    Raises
    ------
    DataError
        For a damaged archive, and for files that are missing or of the wrong size.
    """
    missing = set(_BINARY_NAMES)
    with files.atomic_folder(folder) as temporary:
        try:
            with tarfile.open(archive, "r:gz") as tar:
                for member in tar:
                    # names are compared, never joined to a path: no member can leave the folder
                    name = member.name.removeprefix(f"{_BINARY}/")
                    if name not in missing or not member.isreg():
                        continue
                    _require_size(f"{archive}:{member.name}", member.size)
                    with tar.extractfile(member) as source, open(temporary / name, "wb") as copy:
                        shutil.copyfileobj(source, copy)
                    missing.remove(name)
        except DataError:
            raise
        except Exception as error:  # tarfile, zlib and gzip have error classes of their own
            raise DataError(
                f"{archive} cannot be unpacked ({type(error).__name__}: {error}): delete it and "
                "get it afresh"
            ) from error
        if missing:
            raise DataError(f"{archive} lacks {', '.join(sorted(missing))}: give {CIFAR10.url}")
    return folder


def _record_bytes():
    return 1 + 3 * _PIXELS


def _require_size(name, size):
    wanted = _PER_FILE * _record_bytes()
    if size != wanted:
        raise DataError(
            f"{name} holds {size} bytes, wanted {wanted} for {_PER_FILE} images: get it afresh"
        )


def _check_labels(labels, n_images, name):
    """Return the labels as int64 when they fit."""
    if len(labels) != n_images:
        raise DataError(f"{name}: {len(labels)} labels for {n_images} images: get the files afresh")
    require_below(labels, len(CIFAR10.classes), name)
    return labels.astype(np.int64)


def _read_planes(folder, split):
    """Planes G, R - G, B - G of 10,000 images a file, as differences along rows and columns."""
    names = ["test.xz"] if split == "test" else [f"train_{i}.xz" for i in range(5)]
    images = np.empty((_N_FILES[split] * _PER_FILE, _SIDE, _SIDE, 3), np.uint8)
    key = f"y_{split}"
    path = folder / "labels.npz"
    arrays = read_npz(path, {key: ("iu", 1), "names": ("U", 1)})
    if tuple(arrays["names"]) != CIFAR10.classes:
        raise DataError(
            f"{path}: array 'names' is {arrays['names'].tolist()}, wanted {CIFAR10.classes}"
        )
    labels = _check_labels(arrays[key], len(images), f"{path}: array {key!r}")
    wanted = 3 * _PER_FILE * _PIXELS
    for name, part in zip(names, images.reshape(-1, _PER_FILE, _SIDE, _SIDE, 3)):
        path = folder / name
        try:
            with lzma.open(path) as file:
                # one byte too many shows a file that is too long, whatever it unpacks to
                data = np.frombuffer(file.read(wanted + 1), np.uint8)
        except (OSError, lzma.LZMAError, EOFError) as error:
            raise DataError(f"{path} cannot be read ({error}): get it afresh") from error
        if data.size != wanted:
            size = f"{data.size} bytes" if data.size < wanted else f"more than {wanted} bytes"
            raise DataError(f"{path} unpacks to {size}, wanted {wanted}: get it afresh")
        planes = data.reshape(3, _PER_FILE, _SIDE, _SIDE)
        green, red, blue = planes.cumsum(2, dtype=np.uint8).cumsum(3, dtype=np.uint8)
        part[..., 0], part[..., 1], part[..., 2] = red + green, green, blue + green
    return images, labels


def _read_binary(folder, split):
    """The authors' binary version: a label byte, then planes R, G, B of 1,024 bytes."""
    names = _BINARY_NAMES[-1:] if split == "test" else _BINARY_NAMES[:-1]
    images = np.empty((_N_FILES[split] * _PER_FILE, _SIDE, _SIDE, 3), np.uint8)
    labels = []
    for name, part in zip(names, images.reshape(-1, _PER_FILE, _SIDE, _SIDE, 3)):
        path = folder / name
        try:
            _require_size(path, path.stat().st_size)
            records = np.fromfile(path, np.uint8).reshape(_PER_FILE, _record_bytes())
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error}): get it afresh") from error
        part[:] = records[:, 1:].reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)
        labels.append(_check_labels(records[:, 0], _PER_FILE, path))
    return images, np.concatenate(labels)
