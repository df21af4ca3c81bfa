"""Braille letters under a sensorised fingertip (Müller-Cleve et al. 2022)."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nengo_tactile.datasets.base import EventDataset
from nengo_tactile.datasets.sources import ZipSource, locate, read_npz, require_split
from nengo_tactile.doors import pickles
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import make_events

N_TAXELS = 12
#: 51 samples at 40 Hz.
DURATION_US = 1_275_000
THRESHOLDS = (1, 2, 5, 10)
#: Of each ten repetitions of a letter in a row: 70 % train, 10 % validation, 20 % test.
_TENTHS = {"train": range(7), "validation": range(7, 8), "test": range(8, 10), "all": range(10)}
#: Bytes of a file, and events of a sample, at most: 20 and 1,000 times what there is.
_LARGEST, _MOST_EVENTS = 1 << 27, 100_000
_ZIP = "reading_braille_data.zip"
_SCRIPT = "tools/braille_arrays.py"


class Braille(EventDataset):
    """Reading Braille [1]_: 27 letters, 200 times each, slid over by a fingertip of 12 taxels.

    The authors sampled the taxels at 40 Hz and turned them into ON and OFF events by level crossing
    (`nengo_tactile.events.LevelCrossing`, with times interpolated between samples) at four
    thresholds.

    Parameters
    ----------
    save_to : str or Path, optional
        ``reading_braille_data.zip`` of Zenodo record 7050094, its folder, a folder above, or one
        file of it; without it NENGO_TACTILE_DATA counts.
    threshold : {1, 2, 5, 10}
        Of the level crossing, in units of the sensor.
    split : {"train", "validation", "test", "all"}
        Fixed, by repetition: of each ten repetitions of a letter in a row (in the order of the
        file) the first seven train, the eighth validates and the last two test: 3,780, 540 and
        1,080 samples.
    transform, target_transform, transforms : callable, optional
        As in tonic.

    Attributes
    ----------
    repetitions : (n_samples,) int array
        Which of its letter's each sample is.

    Raises
    ------
    DataError
        For files that are missing or damaged, and pickles that hold more than plain data.

    Notes
    -----
    x is the taxel, y is 0. The files are pickles. Nothing is unpickled: numbers, texts, lists and
    dicts are read alone (`nengo_tactile.doors.pickles`). One that holds tables of pandas becomes
    an .npz of plain arrays by ``python tools/braille_arrays.py FILE``, which runs what is in it and
    so is for files that are trusted. A sample is {"letter": text, "events": for each taxel the
    times of ON, and those of OFF, events in seconds}.

    References
    ----------
    .. [1] S. F. Müller-Cleve et al., "Braille letter reading: A benchmark for spatio-temporal
       pattern recognition on neuromorphic hardware", Front. Neurosci. 16:951164, 2022.
    """

    sensor_size = (N_TAXELS, 1, 2)
    classes = ("Space", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    duration_us = DURATION_US

    def __init__(
        self,
        save_to: str | Path | None = None,
        threshold: int = 1,
        split: str = "train",
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        transforms: Callable | None = None,
    ) -> None:
        require_split(split, tuple(_TENTHS))
        if threshold not in THRESHOLDS:
            raise DataError(f"threshold is {threshold!r}, wanted one of {THRESHOLDS}")
        names = file_names(threshold)
        path = locate(
            save_to,
            [
                f"{folder}{name}"
                for folder in ("", "Braille/", "braille/", "reading_braille_data/")
                for name in (*names, _ZIP)
            ],
            f"Braille (threshold {threshold})",
            f"put {_ZIP} of Zenodo record 7050094 there",
            Path.is_file,
        )
        super().__init__(path, transform, target_transform, transforms)
        self.split, self.path, self.threshold = split, path, threshold
        letters, self._samples, source = _read(path, names)
        labels = _labels(letters, source)
        repetitions = _repetitions(labels)
        kept = np.flatnonzero(np.isin(repetitions % 10, list(_TENTHS[split])))
        if not len(kept):
            raise DataError(
                f"{source}: has {len(labels)} samples, none of them for {split}: of each ten "
                "repetitions of a letter the last three are for validation and test"
            )
        self.targets, self.repetitions = labels[kept], repetitions[kept]
        self._rows, self._source = kept, source
        self.data = self._rows

    def read_events(self, index: int) -> np.ndarray:
        """Return recording ``index``."""
        row = int(self._rows[index])
        return _events(self._samples[row], f"{self._source}: sample {row}")


def file_names(threshold):
    """What the files of a threshold are called, as published and as `_SCRIPT` writes them."""
    stem = "data_braille_letters_th"
    return [f"{stem}_{threshold}.npz", f"{stem}_{threshold}.pkl", f"{stem}{threshold}"]


def _read(path, names):
    """Letters and samples of a file, and what errors call it."""
    door = Door(DataError, f"get {_ZIP} afresh, or convert it with {_SCRIPT} if you trust it")
    if path.suffix == ".npz":
        return *_of_arrays(path), path
    if path.suffix != ".zip":
        return *_of_pickle(door.content(path, _LARGEST), path, door), path
    source = ZipSource(path)
    members = [name for name in source.names if name.rsplit("/", 1)[-1] in names[1:]]
    if len(members) != 1:
        raise DataError(f"{path}: holds {len(members)} files called {' or '.join(names[1:])}")
    told = source.describe(members[0])
    return *_of_pickle(source.read(members[0]), told, door), told


def _of_pickle(content, source, door):
    """Letters and samples: of a list of dicts, or of a dict of lists."""
    data = pickles.read_plain(content, source, door)
    if type(data) is dict and {"letter", "events"} <= set(data):
        letters, samples = data["letter"], data["events"]
    elif type(data) is list and all(map(_is_sample, data)):
        letters, samples = [s["letter"] for s in data], [s["events"] for s in data]
    else:
        letters = samples = None
    if type(letters) is not list or type(samples) is not list or len(letters) != len(samples):
        raise door.refusal(source, "holds no list of samples with 'letter' and 'events'")
    return letters, samples


def _is_sample(item):
    return type(item) is dict and {"letter", "events"} <= set(item)


def _of_arrays(path):
    """Letters and samples of what `_SCRIPT` writes."""
    kinds = {"letter": ("U", 1), "offsets": ("iu", 1), "time_s": ("f", 1), "taxel": ("iu", 1),
             "on": ("b", 1)}  # fmt: skip
    arrays = read_npz(path, kinds)
    offsets, n_events = arrays["offsets"].astype(np.int64), len(arrays["time_s"])
    if (
        len(offsets) != len(arrays["letter"]) + 1
        or offsets[:1].tolist() != [0]
        or offsets[-1] != n_events
        or (np.diff(offsets) < 0).any()
        or len(arrays["taxel"]) != n_events
        or len(arrays["on"]) != n_events
    ):
        raise DataError(f"{path}: its arrays do not fit each other: write it afresh with {_SCRIPT}")
    columns = [arrays[name] for name in ("time_s", "taxel", "on")]
    parts = [tuple(c[a:b] for c in columns) for a, b in itertools.pairwise(offsets)]
    return arrays["letter"].tolist(), parts


def _labels(letters, source):
    """Indices into the classes."""
    numbers = {name: number for number, name in enumerate(Braille.classes)}
    for row, letter in enumerate(letters):
        if type(letter) is not str or letter not in numbers:
            told = repr(letter) if type(letter) is str else f"a {type(letter).__name__}"
            raise DataError(
                f"{source}: sample {row} is of letter {told}, wanted one of "
                f"{', '.join(Braille.classes)}"
            )
    return np.array([numbers[letter] for letter in letters], np.int64)


def _repetitions(labels):
    """Which of its letter's each sample is, in order."""
    found = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        found[rows] = np.arange(len(rows))
    return found


def _events(sample, source):
    """Events of a sample: columns, or lists of times for each taxel and polarity, ON first."""
    columns = sample if type(sample) is tuple else _columns(sample, source)
    time_s, taxel, on = columns
    wrong = ~((time_s >= 0) & (time_s * 1e6 < DURATION_US))
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"{source}: event {row} is at {time_s[row]} s, wanted 0 to {DURATION_US / 1e6} s"
        )
    time_us = np.rint(time_s * 1e6).astype(np.int64)
    order = np.argsort(time_us, kind="stable")
    return make_events(
        taxel[order], np.zeros(len(order), np.int64), time_us[order], on[order],
        sensor_size=Braille.sensor_size, source=source,
    )  # fmt: skip


def _columns(sample, source):
    """Times, taxels and polarities of nested lists."""
    if type(sample) is not list or len(sample) != N_TAXELS:
        what = len(sample) if type(sample) is list else type(sample).__name__
        raise DataError(f"{source}: has {what} taxels, wanted a list of {N_TAXELS}")
    times, taxels, on = [], [], []
    for taxel, polarities in enumerate(sample):
        sound = type(polarities) is list and len(polarities) == 2
        for rises, values in zip((True, False), polarities if sound else ()):
            sound = sound and type(values) is list and all(type(v) in (float, int) for v in values)
            if sound:
                times += values
                taxels += [taxel] * len(values)
                on += [rises] * len(values)
        if not sound:
            raise DataError(
                f"{source}: taxel {taxel} has no two lists of seconds, of ON and of OFF events"
            )
        if len(times) > _MOST_EVENTS:
            raise DataError(f"{source}: has more than {_MOST_EVENTS:,} events")
    try:
        return np.array(times, np.float64), np.array(taxels, np.int64), np.array(on, bool)
    except OverflowError as error:
        raise DataError(f"{source}: a time is no number of seconds ({error})") from error
