"""CIFAR-10 and CIFAR-100: the colour images, as they are."""

import lzma
import shutil
import tarfile
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from nengo_tactile import files
from nengo_tactile.datasets.base import ImageDataset
from nengo_tactile.datasets.download import fetch
from nengo_tactile.datasets.sources import locate, read_npz, require_below
from nengo_tactile.errors import DataError

_SIDE = 32
_PIXELS = _SIDE * _SIDE


class _Files(NamedTuple):
    """The files of a split, of equally many images each."""

    names: tuple[str, ...]
    per_file: int


def _names(splits):
    """All files of all splits."""
    return [name for part in splits.values() for name in part.names]


def _words(text):
    return tuple(text.split())


class _CIFAR(ImageDataset):
    """What both sets have in common; subclasses say what their files are called and hold."""

    sensor_size = (_SIDE, _SIDE, 3)
    title: str
    # the authors' binary version: planes R, G, B after the labels, of which the last is read
    filename: str
    url: str
    md5: str
    largest_download: int
    binary: str
    batches: ClassVar[dict[str, _Files]]
    label_bytes: int
    # colour planes as differences, packed with xz, beside labels.npz
    planes: ClassVar[dict[str, _Files]]

    @classmethod
    def lies_in(cls, folder: Path) -> bool:
        """Whether the set lies directly in ``folder``."""
        names = [*_names(cls.batches), *_names(cls.planes)]
        return any((Path(folder) / name).is_file() for name in names)

    @classmethod
    def unpack(cls, archive: Path, folder: Path) -> Path:
        """Unpack the files of the binary version, whatever else the archive holds.

        Parameters
        ----------
        archive : Path
            The authors' tar.gz.
        folder : Path
            Replaced as a whole, and only when all files are there.

        Raises
        ------
        DataError
            For a damaged archive, and for files that are missing or of the wrong size.
        """
        missing = {name: part.per_file for part in cls.batches.values() for name in part.names}
        with files.atomic_folder(folder) as temporary:
            try:
                with tarfile.open(archive, "r:gz") as tar:
                    for member in tar:
                        # names are compared, never joined to a path: no member leaves the folder
                        name = member.name.removeprefix(f"{cls.binary}/")
                        if name not in missing or not member.isreg():
                            continue
                        count = missing.pop(name)
                        cls._require_size(f"{archive}:{member.name}", member.size, count)
                        source = tar.extractfile(member)
                        assert source is not None  # it is a regular file
                        with source, open(temporary / name, "wb") as f:
                            shutil.copyfileobj(source, f)
            except DataError:
                raise
            except Exception as error:  # tarfile, zlib and gzip have error classes of their own
                raise DataError(
                    f"{archive} cannot be unpacked ({type(error).__name__}: {error}): delete it "
                    "and get it afresh"
                ) from error
            if missing:
                raise DataError(f"{archive} lacks {', '.join(sorted(missing))}: give {cls.url}")
        return folder

    def _download(self, root):
        """Return the folder of the unpacked files, made when it is not there."""
        archive = root / type(self).__name__ / self.filename
        target = archive.with_name(self.binary)
        if not all((target / name).is_file() for name in _names(self.batches)):
            archive = fetch(self.url, archive, f"md5:{self.md5}", self.largest_download)
            self.unpack(archive, target)
        return target

    def _find(self, save_to):
        name = type(self).__name__
        folder = locate(
            save_to,
            [
                "",
                self.binary,
                name.lower(),
                f"{name.lower()}/{self.binary}",
                f"{name}/{self.binary}",
            ],
            self.title,
            f"pass download=True to fetch the authors' binary version ({self.filename}), or "
            "unpack it there by hand",
            accept=self.lies_in,
        )
        if not folder.is_dir():
            raise DataError(f"{folder} is a file: unpack it and give the folder of {self.title}")
        return folder

    def _read(self, split):
        is_binary = any((self.path / name).is_file() for name in _names(self.batches))
        return (self._read_binary if is_binary else self._read_planes)(split)

    def _read_planes(self, split):
        """Planes G, R - G, B - G, as differences along rows and columns."""
        names, per_file = self.planes[split]
        images = np.empty((len(names) * per_file, _SIDE, _SIDE, 3), np.uint8)
        key = f"y_{split}"
        path = self.path / "labels.npz"
        arrays = read_npz(path, {key: ("iu", 1), "names": ("U", 1)})
        if tuple(arrays["names"]) != self.classes:
            raise DataError(
                f"{path}: array 'names' is {arrays['names'].tolist()}, wanted {self.classes}"
            )
        labels = self._check_labels(arrays[key], len(images), f"{path}: array {key!r}")
        wanted = 3 * per_file * _PIXELS
        for name, part in zip(names, images.reshape(-1, per_file, _SIDE, _SIDE, 3)):
            path = self.path / name
            try:
                with lzma.open(path) as file:
                    # one byte too many shows a file that is too long, whatever it unpacks to
                    data = np.frombuffer(file.read(wanted + 1), np.uint8)
            except (OSError, lzma.LZMAError, EOFError) as error:
                raise DataError(f"{path} cannot be read ({error}): get it afresh") from error
            if data.size != wanted:
                size = f"{data.size} bytes" if data.size < wanted else f"more than {wanted} bytes"
                raise DataError(f"{path} unpacks to {size}, wanted {wanted}: get it afresh")
            planes = data.reshape(3, per_file, _SIDE, _SIDE)
            green, red, blue = planes.cumsum(2, dtype=np.uint8).cumsum(3, dtype=np.uint8)
            part[..., 0], part[..., 1], part[..., 2] = red + green, green, blue + green
        return images, labels

    def _read_binary(self, split):
        """Label bytes, then planes R, G, B of 1,024 bytes."""
        names, per_file = self.batches[split]
        images = np.empty((len(names) * per_file, _SIDE, _SIDE, 3), np.uint8)
        labels = []
        for name, part in zip(names, images.reshape(-1, per_file, _SIDE, _SIDE, 3)):
            path = self.path / name
            try:
                self._require_size(path, path.stat().st_size, per_file)
                records = np.fromfile(path, np.uint8).reshape(per_file, -1)
            except OSError as error:
                raise DataError(f"{path} cannot be read ({error}): get it afresh") from error
            found, pixels = np.split(records, [self.label_bytes], axis=1)
            part[:] = pixels.reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)
            labels.append(self._check_labels(found[:, -1], per_file, path))
        return images, np.concatenate(labels)

    @classmethod
    def _require_size(cls, name, size, n_images):
        wanted = n_images * (cls.label_bytes + 3 * _PIXELS)
        if size != wanted:
            raise DataError(
                f"{name} holds {size} bytes, wanted {wanted} for {n_images} images: get it afresh"
            )

    def _check_labels(self, labels, n_images, name):
        """Return the labels as int64 when they fit."""
        if len(labels) != n_images:
            raise DataError(
                f"{name}: {len(labels)} labels for {n_images} images: get the files afresh"
            )
        require_below(labels, len(self.classes), name)
        return labels.astype(np.int64)


class CIFAR10(_CIFAR):
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

    classes = _words("airplane automobile bird cat deer dog frog horse ship truck")
    title = "CIFAR-10"
    # address and checksum as on the authors' page, https://www.cs.toronto.edu/~kriz/cifar.html
    filename = "cifar-10-binary.tar.gz"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
    largest_download = 200_000_000
    md5 = "c32a1d4ab5d03f1284b67883e8d87530"
    binary = "cifar-10-batches-bin"
    batches: ClassVar = {
        "train": _Files(tuple(f"data_batch_{i}.bin" for i in range(1, 6)), 10_000),
        "test": _Files(("test_batch.bin",), 10_000),
    }
    label_bytes = 1
    planes: ClassVar = {
        "train": _Files(tuple(f"train_{i}.xz" for i in range(5)), 10_000),
        "test": _Files(("test.xz",), 10_000),
    }


class CIFAR100(_CIFAR):
    """CIFAR-100 [1]_: ``dataset[i]`` is (uint8 image of 32 x 32 x 3, fine label).

    Parameters
    ----------
    save_to : str or Path, optional
        A folder that holds either the authors' binary version (``cifar-100-binary``, files of
        3,074 bytes an image) or a subset of it, ``train_subset.xz``, ``test_subset.xz`` and
        ``labels.npz`` (colour planes as differences, packed with xz); without it
        NENGO_TACTILE_DATA counts. The authors' Python version holds pickles, which are never
        read.
    split : {"train", "test"}
        50,000 and 10,000 images; 12,500 and 4,000 of the subset.
    download : bool
        Fetch the authors' binary version (161 MB) into ``save_to``/CIFAR100 first, when it is
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

    classes = _words(
        """
        apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
        butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch
        crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo
        keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain
        mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain
        plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
        skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone
        television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
        """
    )
    title = "CIFAR-100"
    # address and checksum as on the authors' page, https://www.cs.toronto.edu/~kriz/cifar.html
    filename = "cifar-100-binary.tar.gz"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"
    largest_download = 200_000_000
    md5 = "03b5dce01913d631647c71ecec9e9cb8"
    binary = "cifar-100-binary"
    batches: ClassVar = {
        "train": _Files(("train.bin",), 50_000),
        "test": _Files(("test.bin",), 10_000),
    }
    label_bytes = 2  # the coarse one of 20, and the fine one
    planes: ClassVar = {
        "train": _Files(("train_subset.xz",), 12_500),
        "test": _Files(("test_subset.xz",), 4_000),
    }
