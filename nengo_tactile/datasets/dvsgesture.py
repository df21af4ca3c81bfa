"""DVS128 Gesture: hand gestures before an event camera."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tonic.datasets

from nengo_tactile.datasets.aedat import read_aedat
from nengo_tactile.datasets.base import EventDataset
from nengo_tactile.datasets.sources import locate, open_source, require_split
from nengo_tactile.errors import DataError

_COLUMNS = ["class", "startTime_usec", "endTime_usec"]
_SUBJECTS = {"train": range(1, 24), "test": range(24, 30)}  # of 29

# The camera sends stray events all the time, so that a recording which stops earlier than so
# long before the end of a label has lost its rest.
_SLACK_US = 1_000_000


class DVSGesture(EventDataset):
    """DVS128 Gesture [1]_ as published: one sample for each labelled gesture of each trial.

    Parameters
    ----------
    save_to : str or Path, optional
        The folder (or a zip of it) with ``trials_to_train.txt``, ``trials_to_test.txt``, the
        recordings ``user<n>_<light>.aedat`` and their ``user<n>_<light>_labels.csv``, or the
        folder above; without it NENGO_TACTILE_DATA counts.
    split : {"train", "test"}
        The first 23 subjects train, the last 6 test, by the lists of trials.
    transform, target_transform, transforms : callable, optional
        As in tonic.

    Attributes
    ----------
    writers : (n_samples,) int array
        The subject, from 1.
    trials : list of str
        The recording of each sample.
    durations_us : (n_samples,) int array
        How long each gesture lasts by its label.

    Raises
    ------
    DataError
        For missing or damaged files, labels outside 1 to 11, and trials on the wrong side of the
        split. Recordings are checked when they are read: intervals that lie beyond them, or hold
        no events, are errors.

    Notes
    -----
    Times of a sample begin at 0 with its interval. Intervals of a trial may overlap; some do.
    The last trial read is kept, because a trial holds a dozen samples: read in order.
    `tonic.datasets.DVSGesture` has another form of the set, cut into samples with times in
    milliseconds.

    References
    ----------
    .. [1] A. Amir et al., "A low power, fully event-based gesture recognition system", CVPR 2017.
    """

    sensor_size = tonic.datasets.DVSGesture.sensor_size
    classes = tuple(tonic.datasets.DVSGesture.classes)

    def __init__(
        self,
        save_to: str | Path | None = None,
        split: str = "train",
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        transforms: Callable | None = None,
    ) -> None:
        path = _locate(save_to, require_split(split))
        super().__init__(path, transform, target_transform, transforms)
        self.split, self.path = split, path
        self._source = open_source(path)
        self._last: tuple[Any, Any] = None, None
        gestures = [
            (trial, label - 1, subject, (start, end))
            for trial, subject in _list_trials(self._source, split)
            for label, start, end in _read_labels(self._source, trial)
        ]
        trials, targets, writers, intervals = zip(*gestures)
        self.trials, self.targets = list(trials), np.array(targets)
        self.writers, self._intervals = np.array(writers), np.array(intervals)
        self.durations_us = self._intervals[:, 1] - self._intervals[:, 0]
        self.data = self.trials

    def __getstate__(self):
        return {**self.__dict__, "_last": (None, None)}  # a trial takes tens of megabytes

    def read_events(self, index: int) -> np.ndarray:
        """Return sample ``index``."""
        trial, (start, end) = self.trials[index], self._intervals[index]
        name = self._source.describe(trial)
        last, events = self._last
        if last != trial:
            events = read_aedat(self._source.read(trial), self.sensor_size, name)
            self._last = (trial, events)
        recorded = int(events["t"][-1]) if len(events) else 0
        if end > recorded + _SLACK_US:
            raise DataError(
                f"{name} ends at {recorded} us, but {_labels_of(trial)} has a gesture from {start} "
                f"to {end} us: the recording is truncated or the labels are of another one, get "
                "both afresh"
            )
        first, after = np.searchsorted(events["t"], [start, end])
        if first == after:
            raise DataError(
                f"{name} has no events from {start} to {end} us, where {_labels_of(trial)} has a "
                "gesture: get both afresh"
            )
        sample = events[first:after].copy()
        sample["t"] -= start
        return sample


def _locate(save_to, split):
    name = f"trials_to_{split}.txt"

    def accept(path):
        return path.suffix == ".zip" if path.is_file() else (path / name).is_file()

    return locate(
        save_to,
        ["", "DvsGesture", "DVSGesture", "dvs_gesture", "DvsGesture.zip"],
        f"DVS128 Gesture ({split})",
        "unpack DvsGesture.tar.gz of IBM Research there, so that the folder DvsGesture holds "
        f"{name}; tonic's DVSGesture is another form of the set",
        accept,
    )


def _list_trials(source, split):
    """Return the recordings of a split with their subjects."""
    listing = _the_only(source, f"trials_to_{split}.txt")
    folder = listing[: -len(f"trials_to_{split}.txt")]
    known, trials = set(source.names), []
    for line in _text(source, listing).split():
        match = re.fullmatch(r"user(\d{1,3})_\w+\.aedat", line)
        if match is None:
            raise DataError(
                f"{source.describe(listing)} lists {line!r}, wanted user<number>_<light>.aedat"
            )
        subject, name = int(match[1]), folder + line
        if subject not in _SUBJECTS[split]:
            raise DataError(
                f"{source.describe(listing)} lists {line!r}, but subjects of {split} are "
                f"{_SUBJECTS[split][0]} to {_SUBJECTS[split][-1]}: get the list afresh"
            )
        for needed in (name, _labels_of(name)):
            if needed not in known:
                raise DataError(
                    f"{source.describe(needed)} is missing, though {listing} lists {line!r}: get "
                    "the set afresh"
                )
        trials.append((name, subject))
    if not trials or len(set(trials)) != len(trials):
        raise DataError(
            f"{source.describe(listing)} lists {len(trials)} trials, {len(set(trials))} of them "
            "different: get the list afresh"
        )
    return trials


def _labels_of(trial):
    return trial[: -len(".aedat")] + "_labels.csv"


def _the_only(source, file):
    """Return the one member of this file name."""
    found = [name for name in source.names if name.rsplit("/", 1)[-1] == file]
    if len(found) != 1:
        raise DataError(
            f"{source.path} holds {len(found)} files {file}, wanted 1: give the set's own folder"
        )
    return found[0]


def _text(source, name):
    try:
        return source.read(name).decode("ascii")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{source.describe(name)} is no plain text ({error}): get it afresh"
        ) from error


def _read_labels(source, trial):
    """Return (class from 1, start in us, end in us) of each gesture of a trial."""
    name = _labels_of(trial)
    rows = [row for row in csv.reader(_text(source, name).splitlines()) if row]
    what = source.describe(name)
    if not rows or [cell.strip() for cell in rows[0]] != _COLUMNS:
        raise DataError(f"{what} begins with {rows[:1]}, wanted {','.join(_COLUMNS)}")
    gestures = []
    for number, row in enumerate(rows[1:], 1):
        if len(row) != 3 or not all(re.fullmatch(r"\s*\d{1,15}\s*", cell) for cell in row):
            raise DataError(f"{what}, row {number} is {row}, wanted three whole numbers")
        label, start, end = map(int, row)
        if not 1 <= label <= len(DVSGesture.classes):
            raise DataError(
                f"{what}, row {number} has class {label}, wanted 1 to {len(DVSGesture.classes)}"
            )
        if start >= end:
            raise DataError(
                f"{what}, row {number} goes from {start} to {end} us: wanted a later end"
            )
        gestures.append((label, start, end))
    if not gestures:
        raise DataError(f"{what} holds no gestures: get it afresh")
    return gestures
