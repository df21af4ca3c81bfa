"""Event patterns of whole data sets, listed sparsely, for the SKIM experiments.

60,000 simulated digits are simulated once (a quarter of an hour on two processors) and kept in a
folder beside the results: 1.4 GB, mapped into memory and not read at once.
"""

from pathlib import Path

import numpy as np

from nengo_tactile import files
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import ModelFileError
from nengo_tactile.events.labelled import Labelled
from nengo_tactile.events.sparse import SpikeSamples
from nengo_tactile.lazy import cached_property
from nengo_tactile.progress import track

#: Samples in a folder, and its arrays.
_PER_FILE = 2000
_ARRAYS = ("offsets", "steps", "addresses", "counts")


class PatternSet:
    """Event patterns of a data set: ``patterns[i]`` is ``(pattern, label)``.

    Parameters
    ----------
    parts : list of SpikeSamples
        Of `PatternLayout.batch`, one behind the other.
    targets : (n_samples,) int array
    n_channels : int
    """

    def __init__(self, parts, targets, n_channels):
        self.parts, self.targets, self.n_channels = parts, np.asarray(targets), n_channels
        self.first = np.cumsum([0, *map(len, parts)])

    @cached_property
    def digest(self):
        """Of all patterns and labels."""
        return files.fingerprint(self.targets, [part.digest for part in self.parts])

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        number = int(np.searchsorted(self.first, index, side="right")) - 1
        return self.parts[number][index - int(self.first[number])], int(self.targets[index])


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

    def alone(self):
        """Iterate over the patterns, without labels."""
        return (self[number][0] for number in range(len(self)))


def pattern_set(dataset, layout, folder=None, description="patterns", progress=None, chosen=None):
    """Make the event patterns of a data set, in minibatches that are kept in a folder.

    Parameters
    ----------
    dataset : data set of events
    layout : PatternLayout
    folder : path, optional
        Gets a folder for each 2,000 samples; those that are there are not made again. Without it
        all stay in memory.
    description : str
        For the progress bar.
    progress : bool, optional
    chosen : (n_samples,) int array, optional
        Only these samples, which are those of the set then; no others are read or simulated.

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
    parts, numbers = [], np.arange(len(dataset)) if chosen is None else np.asarray(chosen)
    mark = _mark(dataset, layout)
    mark = mark if chosen is None else files.fingerprint(mark, numbers)
    for start in track(range(0, len(numbers), _PER_FILE), description, progress=progress):
        indices = numbers[start : start + _PER_FILE]
        place = None if folder is None else Path(folder) / f"{start:06d}"
        if place is None or not place.is_dir():
            part = layout.batch(Labelled(dataset, indices, progress=False))
            if place is None:
                parts.append(part)
                continue
            _write(place, part, mark)
        parts.append(_read(place, layout, len(indices), mark))
    return PatternSet(parts, np.asarray(dataset.targets)[numbers], layout.n_channels)


def _mark(dataset, layout):
    """Digest of what decides the patterns: the set, images, seed and parameters, the layout."""
    about = [type(dataset).__name__, getattr(dataset, "split", None), getattr(dataset, "seed", 0)]
    about += [repr(getattr(dataset, "parameters", None)), repr(layout)]
    images = getattr(dataset, "images", ())
    return files.fingerprint(about, np.asarray(dataset.targets, np.int64), images)


def _write(place, part, mark):
    with files.atomic_folder(place) as temporary:
        for name in _ARRAYS:
            np.save(temporary / f"{name}.npy", getattr(part, name))
        (temporary / "mark").write_text(mark, encoding="utf-8")


def _read(place, layout, n_samples, mark):
    door = Door(ModelFileError, "delete it to make them again")
    with door.guarded(place, "cannot be read as event patterns"):
        found = door.content(place / "mark", 1000).decode()
        arrays = {}
        for name in _ARRAYS:
            with door.opened(place / f"{name}.npy"):  # no pipe, which would wait for a writer
                arrays[name] = np.load(place / f"{name}.npy", mmap_mode="r")
        part = SpikeSamples(
            (layout.n_channels,),
            layout.step_us,
            layout.n_steps,
            lengths=np.full(n_samples, layout.n_steps),
            **arrays | {"offsets": np.array(arrays["offsets"])},
        )
    if found != mark or len(part.offsets) != n_samples + 1:
        raise ModelFileError(
            f"{place}: holds patterns of another data set or layout ({found}, "
            f"{len(part.offsets) - 1} samples; wanted {mark}, {n_samples}): choose another --out "
            "folder, or delete it"
        )
    return part
