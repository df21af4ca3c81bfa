"""Recordings of one's own as a data set: of a folder, of arrays, or of a function."""

import dataclasses
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nengo_tactile.arguments import names as given_names
from nengo_tactile.arguments import whole
from nengo_tactile.datasets import listing, splits
from nengo_tactile.datasets.base import EventDataset
from nengo_tactile.datasets.event_columns import EventColumns
from nengo_tactile.datasets.event_files import camera_size, is_camera, joined, read_table, stream
from nengo_tactile.datasets.event_tables import columns_of
from nengo_tactile.doors.plain import DATA
from nengo_tactile.errors import DataError, printable
from nengo_tactile.events.arrays import check_events
from nengo_tactile.events.labelled import longest_us
from nengo_tactile.events.taxels import TaxelMap
from nengo_tactile.files import path_of

#: What a folder says of its recordings.
SETTINGS = "recordings.json"
_OF_COLUMNS = tuple(field.name for field in dataclasses.fields(EventColumns))
#: What it may say of a split.
_OF_SPLIT: dict[str, tuple] = {"test": (float,), "by": (str,), "seed": (int,)}
#: What a folder may say, and as what of JSON.
_KINDS: dict[str, tuple] = {
    **dict.fromkeys(("time_unit", "polarity", "repeats", "pattern", "table"), (str,)),
    **dict.fromkeys(("sensor_size", "classes"), (list,)),
    **dict.fromkeys(("split", "image"), (dict,)),
    **{"columns": (dict, list), "taxels": (str, list), "from_first": (bool,)},
}


class Recordings(EventDataset):
    """Recordings of one's own.

    Parameters
    ----------
    source : path, sequence or callable
        A folder with a folder of files for each class (or as ``pattern`` or ``table`` say); a
        sequence of recordings: event arrays, or arrays of (n_events, n_columns); or a function
        that returns recording i.
    labels : (n_samples,) sequence, optional
        Of arrays and functions: names or numbers of classes.
    groups : dict of str to sequence, optional
        Of arrays and functions: whatever else is known of each sample, ``{"subject": [...]}``.
    classes : sequence of str, optional
        Names of the labels in their order; by default those that are there, sorted.
    pattern : str, optional
        Of a folder: how paths say labels, and subjects or sessions:
        ``"{label}/{subject}_{session}_*.csv"``. By default ``"{label}/*"``.
    table : path or dict, optional
        Of a folder: a CSV file with the columns file and label, and any others.
    transform, target_transform, transforms : callable, optional
        As in tonic.
    **options
        Of `nengo_tactile.datasets.EventColumns`: ``sensor_size``, ``time_unit``, ``polarity``,
        ``columns``, ``taxels``, ``repeats``, ``from_first``. Of event arrays the sensor's size is
        all that is needed.

    Attributes
    ----------
    targets : (n_samples,) int array
    groups : dict of str to (n_samples,) array of str
    writers : (n_samples,) array of str or None
        The group "subject".
    files : tuple of str or None
        Of a folder: paths in it.

    Raises
    ------
    DataError
        For files without labels and labels without files, sensors whose size or unit of time
        nobody says, and, when a recording is read, all that its file may have wrong.

    Notes
    -----
    A folder may say ``options``, ``pattern``, ``table`` and ``classes`` itself, in a file
    ``recordings.json``; what is given here counts more. With one, the command line takes the
    folder for a data set and for a task.
    """

    def __init__(
        self,
        source: str | Path | Sequence | Callable,
        labels: Sequence | None = None,
        groups: Mapping[str, Sequence] | None = None,
        classes: Sequence[str] | None = None,
        pattern: str | None = None,
        table: Any = None,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        transforms: Callable | None = None,
        **options: Any,
    ) -> None:
        unknown = sorted(set(options) - set(_OF_COLUMNS))
        if unknown:
            raise TypeError(f"Recordings() got an unexpected keyword argument {unknown[0]!r}")
        place = path_of(source) if isinstance(source, str | Path) else None
        super().__init__(str(place or "memory"), transform, target_transform, transforms)
        self.settings: dict[str, Any] = {}
        if place is None:
            for name, value in (("pattern", pattern), ("table", table)):
                if value is not None:
                    raise DataError(f"{name} is for folders: give labels= of arrays or functions")
            self.files, self.name = None, type(source).__name__
            labels, groups = _given(source, labels, groups)
            self._read: Any = source if callable(source) else list(source).__getitem__  # type: ignore
        else:
            if labels is not None or groups is not None:
                raise DataError(
                    f"labels and groups are for arrays and functions: {place} says them by its "
                    "folders, pattern= or table="
                )
            self.settings = read_settings(place)
            options = {k: v for k, v in self.settings.items() if k in _OF_COLUMNS} | options
            taxels, beside = options.get("taxels"), []
            if isinstance(taxels, str | Path):
                beside = [listing.file_beside(place, taxels)]
                taxels = TaxelMap.of(read_table(beside[0], ("taxel", "x", "y")))
            options = {**options, "taxels": taxels}
            classes = self.settings.get("classes") if classes is None else classes
            listed = _listed(place, self.settings, pattern, table, beside)
            self.files, self.name = listed.files, place.name or str(place)
            labels, groups = listed.labels, listed.groups
            self._read = None
        self.columns = EventColumns(**options)
        self.classes, self.targets = _classes(labels, classes)
        self.groups = {name: np.array(values).astype(str) for name, values in groups.items()}
        self.path, self._rows = place, np.arange(len(self.targets))
        if place is not None and all(map(is_camera, self.files or ())):
            if self.columns.sensor_size is None:
                size = camera_size(place / self.files[0])  # type: ignore[index]
                self.columns = dataclasses.replace(self.columns, sensor_size=size)
        elif place is not None:
            self.columns.check_said(f"{place} (or in its {SETTINGS})")
        elif self.columns.sensor_size is None:
            raise DataError(
                f"{self!r}: the size of the sensor is not known: give sensor_size=(width, height)"
            )

    @property
    def sensor_size(self) -> tuple[int, ...]:
        """(width, height, polarities)."""
        return self.columns.sensor_size

    @property
    def taxels(self) -> TaxelMap | None:  # type: ignore[override]
        """Where taxels lie, of skins that are no grid."""
        return self.columns.taxels

    @property
    def writers(self) -> np.ndarray | None:  # type: ignore[override]
        """Who made each recording, where it is known."""
        return self.groups.get("subject")

    def __repr__(self):
        return f"Recordings({self.name}: {len(self)} samples, {len(self.classes)} classes)"

    def read_events(self, index: int) -> np.ndarray:
        """Return recording ``index``, without transforms."""
        row = int(self._rows[index])
        if self.files is not None:
            return joined(stream(self.path / self.files[row], self.columns))
        return self._events(self._read(row), f"{self.name} {row}")

    def take(self, indices: Iterable[int]) -> "Recordings":
        """Some recordings, in this order, as a data set of the same classes.

        Parameters
        ----------
        indices : (n,) ints
        """
        chosen = np.array([operator.index(index) for index in indices], np.int64)
        wrong = (chosen < -len(self)) | (chosen >= len(self))
        if wrong.any():
            raise DataError(f"index {chosen[wrong][0]}: {self!r} has {len(self)} samples")
        part = object.__new__(type(self))
        part.__dict__ = dict(self.__dict__)
        part._rows, part.targets = self._rows[chosen], self.targets[chosen]
        part.groups = {name: values[chosen] for name, values in self.groups.items()}
        return part

    def split(
        self, test: float = 0.2, by: str | None = None, seed: int = 0
    ) -> tuple["Recordings", "Recordings"]:
        """Split into a training and a test side.

        Parameters
        ----------
        test : float
            Share of test samples; with ``by`` of subjects, sessions and so on.
        by : str, optional
            A group: no subject, say, is on both sides. Without it samples are drawn, of each class
            the same share.
        seed : int

        Returns
        -------
        train, test : Recordings

        Raises
        ------
        DataError
            For an unknown group, and a side that would lack a class or be empty.
        """
        seed = whole("seed", seed, 0)
        if by is None:
            sides = splits.split_indices(self.targets, test, seed)
        else:
            if by not in self.groups:
                known = ", ".join(self.groups) or "none"
                raise DataError(
                    f"{self!r} does not know the {by} of its samples (groups: {known}): give a "
                    f"pattern with {{{by}}}, a table with a column {by}, or groups={{{by!r}: ...}}"
                )
            sides = splits.split_by_writer(self.groups[by], None, test, seed)
            lacking = np.setdiff1d(self.targets[sides[1]], self.targets[sides[0]])
            if lacking.size:
                raise DataError(
                    f"split by {by} with seed {seed}: class {self.classes[lacking[0]]!r} is on the "
                    "test side alone: choose another seed, or a smaller test share"
                )
        return self.take(sides[0]), self.take(sides[1])

    def longest_us(self) -> int:
        """Length of the longest recording in microseconds, up to its last event; reads all."""
        return longest_us(self.recordings())

    def _events(self, recording, source):
        """Events of what an array or a function gives."""
        names = getattr(getattr(recording, "dtype", None), "names", None)
        if names is not None and set("xytp") <= set(names) and self.columns.columns is None:
            return check_events(recording, self.sensor_size, source)
        table = columns_of(np.asarray(recording), self.columns.names, source)
        return joined(self.columns.events([table], source))


def read_settings(folder: Path) -> dict[str, Any]:
    """What a folder says of its recordings; nothing where it has no ``recordings.json``."""
    path = folder / SETTINGS
    if not path.exists():
        return {}
    settings = DATA.json(path)
    if not isinstance(settings, dict):
        raise DataError(f"{path}: is a {type(settings).__name__}: give {{NAME: VALUE, ...}}")
    unknown = sorted(set(settings) - set(_KINDS))
    if unknown:
        raise DataError(f"{path}: {unknown[0]!r} is unknown: choose from {', '.join(_KINDS)}")
    for name, value in settings.items():
        kinds = _KINDS[name]
        if not isinstance(value, kinds):
            words = " or ".join(kind.__name__ for kind in kinds)
            raise DataError(f"{path}: {name} is {value!r}: give a {words}")
    for name, value in settings.get("split", {}).items():
        if type(value) not in _OF_SPLIT.get(name, ()):
            raise DataError(
                f"{path}: split has {name!r} {value!r}: give test (a number), by (a word), seed (a "
                "whole number)"
            )
    return settings


def open_recordings(folder: Path, split: str, **options: Any) -> Recordings:
    """The side of a folder's split, as its ``recordings.json`` says it; "all" for both."""
    data = Recordings(folder, **options)
    if split == "all":
        return data
    train, test = data.split(**data.settings.get("split", {}))
    sides = {"train": train, "test": test}
    if split not in sides:
        raise DataError(f"split is {split!r}, wanted one of 'train', 'test', 'all'")
    return sides[split]


def _given(source, labels, groups):
    """Labels and groups of arrays and functions, as many as there are samples."""
    if not (callable(source) or hasattr(source, "__len__")):
        raise DataError(
            f"source is {source!r}: give a folder, a sequence of recordings, or a function that "
            "returns recording i"
        )
    if not isinstance(groups, Mapping | None):
        raise DataError(f"groups is {groups!r}: give {{NAME: [value of each sample]}}")
    groups = dict(groups or {})
    if callable(source):
        if labels is None:
            raise DataError("labels are not known: give one for each recording of the function")
        n_samples = _length("labels", labels)
    else:
        n_samples = len(source)
        if labels is None:
            pairs = [item for item in source if isinstance(item, tuple) and len(item) == 2]
            if not n_samples or len(pairs) < n_samples:
                raise DataError(
                    f"{n_samples} recordings without labels: give labels=, one for each, or pairs "
                    "of events and label"
                )
            labels = [label for _, label in pairs]
    for name, values in {"labels": labels, **groups}.items():
        if _length(name, values) != n_samples:
            raise DataError(
                f"{name} has {len(values)} values for {n_samples} recordings: give one for each"
            )
    if not n_samples:
        raise DataError("there are no recordings: give at least one")
    return labels, groups


def _length(name, values):
    if not hasattr(values, "__len__"):
        raise DataError(f"{name} is {values!r}: give a sequence, one value for each recording")
    return len(values)


def _listed(place, settings, pattern, table, beside):
    """The files of a folder, by a table or by a pattern."""
    if not place.is_dir():
        raise DataError(f"{place}: is no folder: give a folder of recordings, or arrays")
    if pattern is None and table is None:
        pattern, table = settings.get("pattern"), settings.get("table")
    if pattern is not None and table is not None:
        raise DataError(f"pattern is {pattern!r} and table {table!r}: give one of them")
    if table is not None:
        return listing.by_table(place, table, beside)
    return listing.by_pattern(place, pattern or listing.PATTERN, beside)


def _classes(labels, classes):
    """Names of classes, and which of them each label is."""
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iuUS":
        raise DataError(
            f"labels have type {labels.dtype} and shape {labels.shape}: give a name or a whole "
            "number for each recording"
        )
    classes = None if classes is None else given_names("classes", classes)
    if labels.dtype.kind in "iu":
        n_classes = int(labels.max()) + 1 if classes is None else len(classes)
        wrong = (labels < 0) | (labels >= n_classes)
        if wrong.any():
            index = int(wrong.argmax())
            raise DataError(
                f"label {index} is {labels[index]}: give whole numbers from 0 to {n_classes - 1}"
            )
        names = map(str, range(n_classes) if classes is None else classes)
        return tuple(names), labels.astype(np.int64)
    # names of folders need not be UTF-8
    labels = np.array([printable(label) for label in labels.astype(str).tolist()])
    there = sorted(set(labels.tolist()), key=_natural)
    names = tuple(there) if classes is None else tuple(printable(str(name)) for name in classes)
    unknown = [name for name in there if name not in names]
    if unknown or len(set(names)) < len(names):
        raise DataError(
            f"classes is {names}, but labels are {', '.join(there)}: give each of these once"
        )
    numbers = {name: number for number, name in enumerate(names)}
    return names, np.array([numbers[label] for label in labels.tolist()], np.int64)


def _natural(name):
    """Numbers by their value, before words."""
    return (0, int(name), name) if name.isdecimal() else (1, 0, name)
