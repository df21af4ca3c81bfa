"""ST-MNIST: handwritten digits on a 10 x 10 event-based tactile array."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np

from nengo_tactile.datasets.base import EventDataset
from nengo_tactile.datasets.sources import locate, open_source, require_split
from nengo_tactile.datasets.spiketrain import DEFAULT_TAXELS, read_lut, read_spiketrain
from nengo_tactile.datasets.splits import split_indices
from nengo_tactile.doors.archives import read_npz
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import DataError
from nengo_tactile.files import digest, path_of, write_npz
from nengo_tactile.progress import track

_CACHE_FORMAT = "nengo-tactile events 1"


class STMNIST(EventDataset):
    """`ST-MNIST <http://www.benjamintee.com/stmnist>`_, the spiking tactile MNIST [1]_.

    6,953 recordings of ten digits by 23 writers, 2 s each. The files do not say who wrote them.

    Parameters
    ----------
    save_to : str or Path, optional
        The unpacked folder, the zip archive, or a folder that holds either; without it the
        environment variable NENGO_TACTILE_DATA counts. The archive is read without unpacking.
    split : {"all", "train", "test"}
        The set has no split of its own: "train" and "test" are drawn, stratified by digit.
    test_share : float
        Share of test samples; the paper uses 80-20 splits (3.2).
    seed : int
        Seed of the split.
    default_layout : bool
        Place taxels as x = row % 10, y = row // 10 although there is no LUT.mat. A LUT.mat that
        is there is always used.
    cache : str or Path, optional
        An .npz file that keeps all parsed events. It is written on first use and used again as
        long as every recording has the same name, size and time stamp.
    transform, target_transform, transforms : callable, optional
        As in tonic.

    Attributes
    ----------
    files : list of str
        Name of each sample's file inside the folder or archive.
    taxels : nengo_tactile.events.TaxelMap
        Where each taxel address lies.

    References
    ----------
    .. [1] H. H. See et al., "ST-MNIST - The Spiking Tactile MNIST Neuromorphic Dataset",
       arXiv:2005.04319, 2020.
    """

    sensor_size = (10, 10, 2)
    classes = tuple("0123456789")
    # behind a form, so that there is no address to download from
    page = "http://www.benjamintee.com/stmnist"
    mirror = "https://scholarbank.nus.edu.sg"
    filename = "STMNIST dataset NUS Tee Research Group.zip"
    folder_name = "data_submission"
    sha256 = "825bb5a64753fff4a2a2c32e3497fa8a951d9c94993e03ba25a057e17d83b884"

    def __init__(
        self,
        save_to: str | Path | None = None,
        split: str = "all",
        test_share: float = 0.2,
        seed: int = 0,
        default_layout: bool = False,
        cache: str | Path | None = None,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        transforms: Callable | None = None,
    ) -> None:
        require_split(split, ("all", "train", "test"))
        path = locate_stmnist(save_to)
        super().__init__(path, transform, target_transform, transforms)
        self.split, self.path = split, path
        self._source = open_source(path)
        files, labels = _list_recordings(self._source)
        self.taxels = _find_taxels(self._source, default_layout)
        chosen = np.arange(len(files))
        if split != "all":
            train, test = split_indices(labels, test_share, seed)
            chosen = train if split == "train" else test
        self.files = [files[index] for index in chosen]
        self.data = self.files
        self.targets = labels[chosen]
        self._parsed = {}
        if cache is not None:
            events = _cached_events(self._source, files, self.taxels, path_of(cache))
            self._parsed = {place: events[index] for place, index in enumerate(chosen)}

    def read_events(self, index: int) -> np.ndarray:
        """Return a copy of recording ``index``, parsed once and kept in memory."""
        if index not in self._parsed:
            name = self.files[index]
            self._parsed[index] = read_spiketrain(
                self._source.read(name), self.taxels, self._source.describe(name)
            )
        return self._parsed[index].copy()


def form_message():
    """Say how ST-MNIST is to be had, as one paragraph."""
    return (
        f"ST-MNIST has no direct download: fill in the form at {STMNIST.page} (or search for "
        f"ST-MNIST at {STMNIST.mirror}), then put {STMNIST.filename!r} "
        f"(sha256 {STMNIST.sha256})"
        " or the unpacked folder into the folder above, or pass its path. The e-skin needs no "
        "download."
    )


def locate_stmnist(save_to=None):
    """Find the folder or archive of ST-MNIST.

    Parameters
    ----------
    save_to : str or Path, optional

    Returns
    -------
    Path

    Raises
    ------
    DataError
        When it is not there; the message tells of the form that must be filled in.
    """
    candidates = [
        f"{folder}{name}"
        for folder in ("", "STMNIST/", "stmnist/")
        for name in ("", STMNIST.folder_name, STMNIST.filename, f"{STMNIST.folder_name}.zip")
    ]
    return locate(save_to, candidates, "ST-MNIST", form_message(), _looks_right)


def _looks_right(path):
    """Whether ``path`` is an archive, or a folder with a folder of .mat files per digit."""
    if path.suffix == ".zip":
        return path.is_file()
    return any(any((path / digit).glob("*.mat")) for digit in STMNIST.classes)


def _is_lut(name):
    return PurePosixPath(name).name.upper().startswith("LUT")


def _list_recordings(source):
    """Return the names and labels of all recordings, sorted by label and name."""
    names = [name for name in source.names if name.lower().endswith(".mat") and not _is_lut(name)]
    if not names:
        inner = [name for name in source.names if name.lower().endswith(".zip")]
        hint = f": unpack {inner[0]!r} and give its path" if inner else ": give the ST-MNIST data"
        raise DataError(f"{source.path} holds no .mat recordings{hint}")
    parents = [PurePosixPath(name).parent for name in names]
    for name, parent in zip(names, parents):
        if parent.name not in STMNIST.classes:
            raise DataError(
                f"{source.describe(name)}: the folder is {parent.name!r}, wanted a digit from "
                "0 to 9, which is the label: move the file into its digit's folder or away"
            )
    tops = sorted({str(parent.parent) for parent in parents})
    if len(tops) > 1:
        raise DataError(
            f"{source.path} holds digit folders in several places ({', '.join(tops)}), so "
            "samples may be there twice: give one of them"
        )
    found = sorted((parent.name, name) for name, parent in zip(names, parents))
    return [name for _, name in found], np.array([int(label) for label, _ in found])


def _find_taxels(source, default_layout):
    """Return the map of the lookup table in ``source``, beside it, or the default one."""
    tables = [name for name in source.names if name.lower().endswith(".mat") and _is_lut(name)]
    maps = [read_lut(source.read(name), source.describe(name)) for name in tables]
    beside = source.path.parent / "LUT.mat"
    if not tables and beside.is_file():
        return read_lut(beside)
    if maps:
        if any(not np.array_equal(maps[0].cells, each.cells) for each in maps):
            raise DataError(
                f"{source.path} holds lookup tables that differ ({', '.join(tables)}): keep one"
            )
        return maps[0]
    if default_layout:
        return DEFAULT_TAXELS
    raise DataError(
        f"{source.path} has no LUT.mat, nor has the folder around it, so the taxels' places "
        "are unknown: add LUT.mat of ST-MNIST, or pass default_layout=True for x = row % 10, "
        "y = row // 10"
    )


def _cached_events(source, names, taxels, cache):
    """Return the events of all files, from ``cache`` when that is up to date."""
    key = json.dumps([_CACHE_FORMAT, source.stamps(names), taxels.cells.tolist()])
    key = hashlib.sha256(key.encode()).hexdigest()
    stored = _load_cache(cache, key)
    if stored is None:
        parsed = [
            read_spiketrain(source.read(name), taxels, source.describe(name))
            for name in track(names, "reading ST-MNIST")
        ]
        offsets = np.cumsum([0, *map(len, parsed)])
        stored = np.concatenate(parsed), offsets
        marks = {"key": np.array(key), "digest": np.array(digest(key, *stored))}
        write_npz(cache, {"events": stored[0], "offsets": offsets, **marks})
    events, offsets = stored
    return np.split(events, offsets[1:-1])


def _load_cache(cache, key):
    """Return events and offsets of an up-to-date cache, or None: then it is made again."""
    if not cache.exists():
        return None
    door = Door(DataError, "delete it to make it again, or name another file")
    stored = read_npz(cache, door)
    if set(stored) != {"key", "digest", "events", "offsets"}:
        raise door.refusal(cache, "is no cache of events")
    events, offsets = stored["events"], stored["offsets"]
    if str(stored["key"]) != key:
        return None
    if str(stored["digest"]) != digest(key, events, offsets):
        raise door.refusal(cache, "is damaged: it does not have the digest written with it")
    return events, offsets
