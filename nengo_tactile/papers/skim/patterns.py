"""Event patterns of whole data sets, listed sparsely, for the SKIM experiments.

60,000 simulated digits are simulated once (a quarter of an hour on two processors) and kept in a
folder beside the results: 0.8 GB, mapped into memory and not read at once.
"""

from pathlib import Path

import numpy as np

from nengo_tactile import files
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import DataError, ModelFileError
from nengo_tactile.lazy import cached_property
from nengo_tactile.progress import track
from nengo_tactile.skim.activity import Events
from nengo_tactile.skim.classifier import event_list

#: Samples in a file.
_PER_FILE = 2000


class PatternSet:
    """Event patterns of a data set: ``patterns[i]`` is ``(Events, label)``.

    Parameters
    ----------
    parts : list of dict
        Arrays ``pointers`` (n, n_steps + 1), ``starts`` (n + 1,), ``channels``, ``values``.
    targets : (n_samples,) int array
    n_channels : int
    """

    def __init__(self, parts, targets, n_channels):
        self.parts, self.targets, self.n_channels = parts, np.asarray(targets), n_channels
        self.first = np.cumsum([0, *(len(part["pointers"]) for part in parts)])

    @cached_property
    def digest(self):
        """Of all patterns and labels."""
        arrays = [part[name] for part in self.parts for name in sorted(part)]
        return files.fingerprint(self.n_channels, self.targets, *arrays)

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        number = int(np.searchsorted(self.first, index, side="right")) - 1
        part, row = self.parts[number], index - self.first[number]
        span = slice(part["starts"][row], part["starts"][row + 1])
        pointers = part["pointers"][row].astype(np.int64)
        channels = part["channels"][span].astype(np.int64)
        values = part["values"][span].astype(float)
        return Events(pointers, channels, values, self.n_channels), int(self.targets[index])


class Chosen:
    """Some samples of a `PatternSet`, in an order of their own.

    Parameters
    ----------
    patterns : PatternSet
    indices : sequence of int
    """

    def __init__(self, patterns, indices):
        self.patterns, self.indices = patterns, np.asarray(indices)

    @cached_property
    def digest(self):
        """Of all these patterns in their order."""
        return files.fingerprint(self.patterns.digest, self.indices)

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        return self.patterns[self.indices[index]]

    @property
    def targets(self):
        """Labels, in this order."""
        return self.patterns.targets[self.indices]

    def events(self):
        """Iterate over the patterns alone."""
        return (self[number][0] for number in range(len(self)))


def pattern_set(dataset, layout, folder=None, description="patterns", progress=None):
    """Make the event patterns of a data set, in minibatches that are kept in a folder.

    Parameters
    ----------
    dataset : data set of events
    layout : PatternLayout
    folder : path, optional
        Gets a file for each 2,000 samples; those that are there are not made again. Without it
        all stay in memory.
    description : str
        For the progress bar.
    progress : bool, optional

    Returns
    -------
    PatternSet

    Raises
    ------
    DataError
        For empty recordings, and others that do not fit the layout, by number.
    ModelFileError
        If the folder holds patterns of something else.
    """
    parts = []
    starts = range(0, len(dataset), _PER_FILE)
    mark = _mark(dataset, layout)
    for start in track(starts, description, progress=progress):
        indices = range(start, min(start + _PER_FILE, len(dataset)))
        place = None if folder is None else Path(folder) / f"{start:06d}"
        if place is not None and place.is_dir():
            parts.append(_read(place, len(indices), mark))
            continue
        part = _part(dataset.recordings(indices, progress=False), layout, start)
        if place is not None:
            with files.atomic_folder(place) as temporary:
                for name, array in part.items():
                    np.save(temporary / f"{name}.npy", array)
                (temporary / "mark").write_text(mark, encoding="utf-8")
            part = _read(place, len(indices), mark)
        parts.append(part)
    return PatternSet(parts, dataset.targets, layout.n_channels)


def _part(recordings, layout, start):
    """Arrays of some samples: see `PatternSet`."""
    pointers, channels, values, starts = [], [], [], [0]
    for number, events in enumerate(recordings, start):
        listed = event_list(events, layout, f"sample {number}")
        most = int(np.abs(listed.values).max(initial=0))
        if most > np.iinfo(np.int8).max:
            raise DataError(
                f"sample {number}: {most} events on a channel in one step, 127 are kept: give a "
                "smaller step_us"
            )
        pointers.append(listed.pointers)
        channels.append(listed.channels.astype(np.uint16))
        values.append(listed.values.astype(np.int8))
        starts.append(starts[-1] + len(listed.values))
    return {
        "pointers": np.array(pointers, np.uint32),
        "channels": np.concatenate(channels),
        "values": np.concatenate(values),
        "starts": np.array(starts, np.int64),
    }


def _mark(dataset, layout):
    """Digest of what decides the patterns: the set, images, seed and parameters, the layout."""
    about = [type(dataset).__name__, getattr(dataset, "split", None), getattr(dataset, "seed", 0)]
    about += [repr(getattr(dataset, "parameters", None)), repr(layout)]
    images = getattr(dataset, "images", ())
    return files.fingerprint(about, np.asarray(dataset.targets, np.int64), images)


def _read(place, n_samples, mark):
    door = Door(ModelFileError, "delete it to make them again")
    with door.guarded(place, "cannot be read as event patterns"):
        found = door.content(place / "mark", 1000).decode()
        names = ("pointers", "channels", "values", "starts")
        part = {name: np.load(place / f"{name}.npy", mmap_mode="r") for name in names}
    if found != mark or len(part["pointers"]) != n_samples:
        raise ModelFileError(
            f"{place}: holds patterns of another data set or layout ({found}, {len(part['starts'])}"
            f" samples; wanted {mark}, {n_samples}): choose another --out folder, or delete it"
        )
    part["starts"] = np.array(part["starts"])
    return part
