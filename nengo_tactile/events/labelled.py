"""Recordings in whatever they come in: a data set, a list, one array; with their labels."""

import itertools

import numpy as np

from nengo_tactile.errors import DataError
from nengo_tactile.progress import track


def holds_images(data) -> bool:
    """Whether a data set is one of images; recordings may be made of some, but are events."""
    return hasattr(data, "images") and np.dtype(getattr(data, "dtype", np.uint8)).names is None


def is_recordings(data) -> bool:
    """Whether these are recordings of events, and not arrays of samples.

    True for data sets in tonic's manner, for one structured array, and for lists of such arrays or
    of (events, label) pairs.
    """
    if isinstance(data, np.ndarray):
        return data.dtype.names is not None
    if isinstance(data, list | tuple):
        return bool(data) and _is_events(data[0][0] if isinstance(data[0], tuple) else data[0])
    return hasattr(data, "__getitem__") and (
        hasattr(data, "sensor_size") or hasattr(data, "targets")
    )


def _is_events(item):
    return isinstance(item, np.ndarray) and item.dtype.names is not None


class Labelled:
    """Recordings of events one at a time, read as they are asked for, and their labels.

    Parameters
    ----------
    data : data set of (events, label), sequence of these pairs or of recordings, or one recording
        Transforms of a data set are applied.
    indices : sequence of int, optional
        Some of them, in an order of their own; by default all.
    progress : bool, optional
        Show a bar; by default on a terminal.

    Raises
    ------
    DataError
        For anything else, and for images.
    """

    def __init__(self, data, indices=None, progress=None):
        if isinstance(data, np.ndarray) and data.dtype.names is not None:
            data = [data]
        if holds_images(data):
            raise DataError(f"{data!r} holds images: give recordings of events")
        if not is_recordings(data):
            raise DataError(
                f"got {type(data).__name__}: give a data set of recordings, a list of event arrays "
                "(or of pairs of one and its label), or one event array"
            )
        self.data, self.progress = data, progress
        self.indices = range(len(data)) if indices is None else [int(i) for i in indices]
        wrong = [i for i in self.indices if not -len(data) <= i < len(data)]
        if wrong:
            raise DataError(f"index {wrong[0]}: {data!r} has {len(data)} samples")
        self.name = f"{data!r}, sample" if hasattr(data, "targets") else "recording"
        self._labels = []

    def __len__(self):
        return len(self.indices)

    def __repr__(self):
        return repr(self.data)

    @property
    def sensor_size(self):
        """(width, height, polarities) where the data say so, else None."""
        size = getattr(self.data, "sensor_size", None)
        return None if size is None else tuple(size)

    @property
    def labels(self):
        """Labels of what was read, (n,) int array; None where there are none."""
        unknown = sum(label is None for label in self._labels)
        if unknown == len(self._labels):
            return None
        if unknown:
            raise DataError(
                f"{unknown} of {len(self._labels)} recordings have no label: give all or none"
            )
        return np.array(self._labels, np.int64)

    def __iter__(self):
        self._labels = []
        total = len(self.indices)
        for item in track(self._items(), "reading recordings", total, progress=self.progress):
            events, label = item if isinstance(item, tuple) else (item, None)
            self._labels.append(label)
            yield events

    def _items(self):
        changes = ("transform", "target_transform", "transforms")
        if hasattr(self.data, "recordings") and not any(
            getattr(self.data, name, None) for name in changes
        ):
            targets = np.asarray(self.data.targets)
            recordings = self.data.recordings(list(self.indices), progress=False)
            return zip(recordings, (targets[index] for index in self.indices))
        return (self.data[index] for index in self.indices)


def recordings_of(data, progress=None, sensor_size=None):
    """Recordings to iterate over, with their labels where they have them.

    Parameters
    ----------
    data : data set, list or array as for `Labelled`, or any iterable of event arrays
    progress : bool, optional
        Show a bar; by default on a terminal.
    sensor_size : tuple of int, optional
        (width, height), or with polarities, that the data have to have where they say it.

    Returns
    -------
    Labelled, or ``data`` itself

    Raises
    ------
    DataError
        For recordings of another sensor.
    """
    own = hasattr(data, "__getitem__") and len(data)
    recordings = Labelled(data, progress=progress) if own else data
    size = getattr(recordings, "sensor_size", None)
    if None not in (size, sensor_size) and tuple(size[: len(sensor_size)]) != tuple(sensor_size):
        raise DataError(
            f"{recordings!r} has the sensor size {tuple(size)}, the layout {tuple(sensor_size)}: "
            "give recordings of that sensor, or a layout of this sensor_size"
        )
    return recordings


def named(recordings):
    """Yield each recording with what errors call it: (name, events)."""
    name = getattr(recordings, "name", "recording")
    for index, events in zip(getattr(recordings, "indices", itertools.count()), recordings):
        yield f"{name} {index}", events


def longest_us(recordings) -> int:
    """Length of the longest of some recordings in microseconds, up to its last event.

    Parameters
    ----------
    recordings : iterable of event arrays

    Raises
    ------
    DataError
        If none has an event.
    """
    longest = max((int(events["t"].max()) + 1 for events in recordings if len(events)), default=0)
    if not longest:
        raise DataError("no recording has an event: give recordings with events")
    return longest


def classes_of(data, labels) -> tuple[str, ...]:
    """Names of the classes of a data set, or numbers up to the largest of the labels.

    Raises
    ------
    DataError
        If there are no labels.
    """
    if labels is None:
        raise DataError(
            "the recordings have no labels: give a data set, or a list of (events, label) pairs"
        )
    names = getattr(data, "classes", None)
    return tuple(map(str, range(int(labels.max()) + 1) if names is None else names))
