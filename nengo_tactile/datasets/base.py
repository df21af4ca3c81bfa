"""What all data sets share: tonic's Dataset with transforms, labels and writers."""

import operator
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nengo_tactile.datasets.sources import data_root, require_split
from nengo_tactile.events.arrays import EVENT_DTYPE
from nengo_tactile.progress import track

with warnings.catch_warnings():
    # tonic asks for tqdm's notebook bar; without ipywidgets tqdm warns and uses text
    warnings.filterwarnings("ignore", message="IProgress not found")
    from tonic.dataset import Dataset


class EventDataset(Dataset):
    """A labelled set of event recordings in tonic's manner.

    ``dataset[i]`` is ``(events, label)``: a structured array with fields x, y, t (microseconds)
    and p, and an int. Subclasses fill ``targets`` and read one recording in ``read_events``.

    Parameters
    ----------
    save_to : str or Path
        Folder of the recordings.
    transform, target_transform, transforms : callable, optional
        As in tonic: of the events, of the label, of both.

    Attributes
    ----------
    targets : (n_samples,) int array
        Labels, indices into ``classes``.
    writers : (n_samples,) int array or None
        Who made each recording, where that is known.
    taxels : TaxelMap or None
        Of a skin that is no grid.
    """

    dtype: np.dtype = EVENT_DTYPE
    ordering: tuple[str, ...] | None = EVENT_DTYPE.names
    classes: tuple[str, ...]
    targets: np.ndarray
    writers: np.ndarray | None = None
    taxels: Any = None
    _reading = "reading recordings"  # what the progress bar says

    def __init__(
        self,
        save_to: str | Path,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        transforms: Callable | None = None,
    ) -> None:
        super().__init__(
            str(save_to),
            transform=transform,
            target_transform=target_transform,
            transforms=transforms,
        )

    def __len__(self) -> int:
        return len(self.targets)

    def __repr__(self):
        return f"{type(self).__name__}({len(self)} samples, {len(self.classes)} classes)"

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        index %= len(self)
        sample, target = self.read_events(index), self.read_target(index)
        if self.transform is not None:
            sample = self.transform(sample)
        if self.target_transform is not None:
            target = self.target_transform(target)
        if self.transforms is not None:
            sample, target = self.transforms(sample, target)
        return sample, target

    def read_events(self, index: int) -> np.ndarray:
        """Return recording ``index``, without transforms: a subclass's to say."""
        raise NotImplementedError(f"{type(self).__name__}.read_events")

    def read_target(self, index: int) -> Any:
        """Return the label of ``index``, without transforms."""
        return int(self.targets[index])

    def recordings(
        self, indices: Iterable[int] | None = None, progress: bool | None = None
    ) -> Iterator[np.ndarray]:
        """Iterate over recordings without transforms, with a progress bar.

        Parameters
        ----------
        indices : iterable of int, optional
            By default all samples in order.
        progress : bool, optional
            Show the bar; by default only on a terminal.

        Yields
        ------
        (n_events,) structured array
        """
        indices = range(len(self)) if indices is None else list(indices)
        for index in track(indices, self._reading, progress=progress):
            yield self.read_events(index)


class ImageDataset(EventDataset):
    """A labelled set of images: ``dataset[i]`` is ``(uint8 image, label)``.

    Subclasses say in ``_download(root)`` and ``_find(save_to)`` where the set lies, and return
    images and labels of a split in ``_read(split)``.

    Parameters
    ----------
    save_to : str or Path, optional
        A folder that holds the set, or its file; without it NENGO_TACTILE_DATA counts.
    split : {"train", "test"}
    download : bool
        Fetch the set into a folder of its own below ``save_to`` first, when it is not there.
    transform, target_transform, transforms : callable, optional
        As in tonic.

    Attributes
    ----------
    images : (n_samples, height, width, ...) uint8 array
    path : Path
        The file or folder of the set.
    """

    dtype = np.dtype(np.uint8)
    ordering = None

    def __init__(
        self,
        save_to: str | Path | None = None,
        split: str = "train",
        download: bool = False,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        transforms: Callable | None = None,
    ) -> None:
        self.split = require_split(split)
        self.path = self._download(data_root(save_to)) if download else self._find(save_to)
        super().__init__(self.path, transform, target_transform, transforms)
        self.images, self.targets = self._read(split)
        self.data = self.images

    def read_events(self, index: int) -> np.ndarray:
        """Return a copy of image ``index``."""
        return self.images[index].copy()
