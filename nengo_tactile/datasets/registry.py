"""Data sets by name or by path, as the command line opens them."""

import functools
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nengo_tactile.arguments import nearest
from nengo_tactile.datasets.recordings import SETTINGS, open_recordings
from nengo_tactile.datasets.sources import ZipSource, data_root, locate, read_npz
from nengo_tactile.doors.archives import is_zip, npz_names
from nengo_tactile.doors.plain import DATA
from nengo_tactile.errors import DataError
from nengo_tactile.events.recorded import FILE_NAME as _TRAJECTORIES
from nengo_tactile.files import path_of

if TYPE_CHECKING:
    from nengo_tactile.datasets.base import EventDataset

# name -> (module, class, arguments that go with the name)
_SETS = {
    "stmnist": ("stmnist", "STMNIST", {}),
    "stemnist": ("stemnist", "STEMNIST", {}),
    "nmnist": ("nmnist", "NMNIST", {}),
    "ev-objects": ("evtouch", "EvTouch", {"kind": "objects"}),
    "ev-containers": ("evtouch", "EvTouch", {"kind": "containers"}),
    "ntidigits": ("ntidigits", "NTIDIGITS", {}),
    "dvs-gesture": ("dvsgesture", "DVSGesture", {}),
    "braille": ("braille", "Braille", {}),
    "mnist": ("mnist", "MNIST", {}),
    "scenes": ("digit_scenes", "DigitScenes", {}),
    "cifar10": ("cifar", "CIFAR10", {}),
    "cifar100": ("cifar", "CIFAR100", {}),
    "eskin": ("eskin", "ESkin", {}),
    "eskin-pendigits": ("eskin", "ESkin", {}),
    "nmnist-simulated": ("nmnist_simulated", "SimulatedNMNIST", {}),
}

#: Not recordings of their own.
_SIMULATED = {"eskin", "eskin-pendigits", "nmnist-simulated", "scenes"}


def dataset_names() -> tuple[str, ...]:
    """Names that `open_dataset` takes, in a fixed order."""
    return tuple(_SETS)


def open_dataset(
    name_or_path: str | Path,
    split: str = "train",
    data_dir: str | Path | None = None,
    **options: Any,
) -> "EventDataset":
    """Open a data set by name, or whatever lies at a path.

    Parameters
    ----------
    name_or_path : str or Path
        One of `dataset_names`, or the path of a data set's folder, zip, npz or hdf5, which is
        recognised by what it holds; or a folder of recordings of one's own with a file
        ``recordings.json``, see `nengo_tactile.datasets.Recordings`.
    split : str
        "train" or "test"; ST-MNIST and own recordings also take "all".
    data_dir : str or Path, optional
        Where to look for a named set; without it the environment variable NENGO_TACTILE_DATA
        counts. "eskin" (invented writers) needs none, "eskin-pendigits" the pen trajectories,
        "nmnist-simulated" the images of MNIST.
    **options
        Passed to the class: ``seed``, ``transform``, ``default_layout``, ...

    Returns
    -------
    dataset
        A tonic-style data set.

    Raises
    ------
    DataError
        For a name that is not known, data that is not there (the message lists what was looked
        for and where), or an option the set does not take.
    """
    if not isinstance(name_or_path, str | Path):
        raise DataError(f"{name_or_path!r} is no data set ({', '.join(_SETS)}) and no path")
    key = str(name_or_path).lower()
    if key in _SETS:
        place = _place(key, data_dir)
    else:
        place = path_of(name_or_path)
        if not place.exists():
            raise DataError(
                f"{name_or_path!s} is neither a data set ({', '.join(_SETS)}) nor a path"
                f"{nearest(key, _SETS)}"
            )
        if (place / SETTINGS).is_file():
            return open_recordings(place, split, **options)
        key = _recognise(place)
    module, name, fixed = _SETS[key]
    cls = _class_of(module, name)
    build = cls if place is None else functools.partial(cls, place)
    _require_options(cls, options, key)
    return build(split=split, **fixed, **options)


def _class_of(module, name):
    return getattr(importlib.import_module(f"nengo_tactile.datasets.{module}"), name)


def _place(key, data_dir):
    """Return the first argument of the class, None where its default will do."""
    if key == "eskin":
        return None
    if key == "eskin-pendigits":
        return locate(
            data_dir,
            [_TRAJECTORIES, f"pendigits/{_TRAJECTORIES}"],
            "the pen trajectories of pendigits",
            f"put {_TRAJECTORIES} there, or use 'eskin', which needs no data",
        )
    return None if data_dir is None else data_root(data_dir)  # each set names what it looks for


def _require_options(cls, options, key):
    """Raise for options that the class does not take."""
    import inspect

    known = inspect.signature(cls).parameters
    for option in options:
        if option not in known:
            raise DataError(f"{key} takes no option {option!r}, only {', '.join(known)}")


def _recognise(path):
    """Return the name of the set at ``path``, by the names inside it."""
    if path.is_dir():
        for key in _SETS:
            if key not in _SIMULATED and _is_there(key, path):
                return key
    elif path.suffix == ".npz":
        names = set(npz_names(path, DATA))
        if {"letter", "offsets", "time_s"} <= names:
            return "braille"
        if {"t", "offsets", "participant"} <= names:
            return "stemnist"
        if "xy_train" in names:
            return "eskin-pendigits"
        if {"x_train", "bins"} <= names:
            return _ev_touch_kind(path)
        if {"x_train", "y_train"} <= names:
            return "mnist"
    elif path.suffix == ".hdf5":
        return "ntidigits"
    elif is_zip(path, DATA):
        names = [name.lower() for name in ZipSource(path).names]
        if any("braille_letters_th" in name for name in names):
            return "braille"
        if any(name.endswith(".mat") for name in names):
            return "stmnist"
        if any(name.endswith(".bin") for name in names):
            return "nmnist"
        if any(name.endswith(".aedat") for name in names):
            return "dvs-gesture"
    raise DataError(
        f"{path} holds none of the known data sets ({', '.join(_SETS)}): "
        "give the name and data_dir to see what is looked for; a folder of recordings of your own "
        f'says what they are in a file {SETTINGS}, {{"sensor_size": [8, 8], "time_unit": "ms"}}'
    )


def _is_there(key, folder):
    """Whether the set lies directly in ``folder``."""
    if key == "stmnist":
        places = [folder / digit for digit in "0123456789"]
        places += [folder / "data_submission" / digit for digit in "0123456789"]
        return any(any(place.glob("*.mat")) for place in places)
    if key == "nmnist":
        return (folder / "Train").is_dir() or (folder / "Test").is_dir()
    if key == "dvs-gesture":
        return any((folder / f"trials_to_{split}.txt").is_file() for split in ("train", "test"))
    if key == "braille":
        return any(folder.glob("data_braille_letters_th*"))
    if key in ("cifar10", "cifar100"):
        module, name, _ = _SETS[key]
        return _class_of(module, name).lies_in(folder)
    files = {
        "stemnist": "stemnist_spikes_aer.npz",
        "ev-objects": "ev_objects.npz",
        "ev-containers": "ev_containers.npz",
        "ntidigits": "n-tidigits.hdf5",
        "mnist": "mnist.npz",
    }
    return (folder / files[key]).is_file()


def _ev_touch_kind(path):
    """Objects or containers, by the number of bins."""
    bins = int(read_npz(path, {"bins": ("iu", 0)})["bins"])
    return "ev-containers" if bins == 325 else "ev-objects"
