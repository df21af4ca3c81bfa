"""The tasks: data, image, network. One place for what commands, demo and tables share."""

import dataclasses

import numpy as np

from nengo_tactile.ann.augment import cropped_epochs, shifted_epochs
from nengo_tactile.ann.notation import notation_for
from nengo_tactile.arguments import nearest
from nengo_tactile.datasets.evtouch import ASSUMED_BIN_US, N_TAXELS
from nengo_tactile.datasets.images import images_of
from nengo_tactile.datasets.recordings import SETTINGS, Recordings
from nengo_tactile.datasets.registry import open_dataset
from nengo_tactile.errors import DataError
from nengo_tactile.events.augment import Augmentation, augmented_epochs
from nengo_tactile.events.images import TactileImage
from nengo_tactile.events.labelled import Labelled
from nengo_tactile.files import path_of


@dataclasses.dataclass(frozen=True)
class Task:
    """A data set, the image a network sees of it, and a paper's network.

    Attributes
    ----------
    dataset : str
        Name for `nengo_tactile.datasets.open_dataset`.
    layers : str or None
        The network in the papers' notation, without the input; or the name of a residual or
        plain network. None for recordings that networks of events (SKIM, SLAYER) alone take.
    image : TactileImage or None
        None for data sets of images, which networks see as they are, and where ``layers`` is None.
    about : str
        What the data are, in one sentence, for tables and cards.
    options : dict
        For the data set's class.
    size : tuple of int
        Of data sets of images: (height, width, channels).
    crop : dict
        Of data sets of images: options of `nengo_tactile.ann.augment.cropped_epochs`, whose
        defaults are those for CIFAR. None: they stay as they are, as maps of labels do.
    shifts : bool
        Whether training may shift tactile images by a pixel: not where places say the class.
    """

    dataset: str
    layers: str | None
    image: TactileImage | None
    about: str
    options: dict = dataclasses.field(default_factory=dict)
    size: tuple = ()
    crop: dict | None = dataclasses.field(default_factory=dict)
    shifts: bool = True

    @property
    def shape(self):
        """Shape of what a network sees, (height, width, channels)."""
        return self.size if self.image is None else self.image.shape

    @property
    def is_grid(self):
        """Whether recordings become images of taxels in rows and columns."""
        return self.image is not None and min(self.shape[:2]) > 1

    @property
    def network(self):
        """The whole network in the papers' notation, or its name; None without ``layers``."""
        if self.image is None or self.layers is None:
            return self.layers
        return notation_for(self.image.shape, self.layers)


#: ST-MNIST paper, Table 2. Its normalisation is not given; ours divides by the largest count.
_SKIN = TactileImage((10, 10, 2), normalise="max", upright=True)
_PRESSURE = TactileImage((16, 16, 1), normalise="log")


def _fingertip(n_bins, n_recorded):
    """NeuTouch's counts over time; bins chosen by `nengo_tactile.papers.touch.held_out`."""
    duration = n_recorded * ASSUMED_BIN_US
    return TactileImage((N_TAXELS, 1, 2), n_bins, "split", "root", duration)


TASKS = {
    "stmnist": Task("stmnist", "6c4-24c3-10o", _SKIN, "ST-MNIST recordings"),
    "eskin": Task(
        "eskin", "6c4-24c3-10o", _SKIN, "simulated e-skin, invented writers (no recordings)"
    ),
    "eskin-pendigits": Task(
        "eskin-pendigits",
        "6c4-24c3-10o",
        _SKIN,
        "simulated e-skin driven by the recorded pen trajectories of UCI pendigits",
    ),
    "stemnist": Task(
        "stemnist",
        "6c4-24c3-35o",
        _PRESSURE,
        "STEMNIST finger writing, spikes derived by a third party",
    ),
    # Spiking ResNet paper, section 4 and Table 1
    "mnist": Task(
        "mnist",
        "resnet8",
        None,
        "MNIST images",
        size=(28, 28, 1),
        crop={"pixels": 2, "mirror": False},
    ),
    "scenes": Task("scenes", "unet", None, "scenes of MNIST digits", size=(48, 48, 1), crop=None),
    "cifar10": Task("cifar10", "resnet20", None, "CIFAR-10 images", size=(32, 32, 3)),
    "cifar100": Task("cifar100", "resnet44", None, "CIFAR-100 images", size=(32, 32, 3)),
    # "Skimming Digits"
    "nmnist-simulated": Task(
        "nmnist-simulated",
        None,
        None,
        "simulated N-MNIST: MNIST digits before an event camera in three saccades (no recordings)",
    ),
    "nmnist": Task("nmnist", None, None, "N-MNIST recordings"),
    # the Spikemax paper's, and TactileSGNet's
    "ev-objects": Task(
        "ev-objects",
        "70-36o",
        _fingertip(40, 250),
        "Ev-Objects, recordings of held objects",
        shifts=False,
    ),
    "ev-containers": Task(
        "ev-containers",
        "38-20o",
        _fingertip(32, 325),
        "Ev-Containers, recordings of containers",
        shifts=False,
    ),
    "braille": Task("braille", None, None, "Braille letters slid over by a fingertip"),
    "dvs-gesture": Task("dvs-gesture", None, None, "DVS128 Gesture recordings"),
    "ntidigits": Task("ntidigits", None, None, "N-TIDIGITS18 recordings"),
}


def task_named(name, tactile=False):
    """The task of that name, or of a folder of own recordings.

    Parameters
    ----------
    name : str
        Or the path of a folder with a ``recordings.json``: see
        `nengo_tactile.datasets.Recordings`. Its "image" has settings of a `TactileImage`; without
        a duration the longest recording counts.
    tactile : bool
        Take only tasks of tactile recordings on a grid.

    Raises
    ------
    DataError
        Listing the names.
    """
    if _is_own(name):
        return _own_task(name)
    kind = "of tactile recordings on a grid" if tactile else "of images"
    return _named(name, kind, lambda task: task.is_grid if tactile else task.layers is not None)


def any_task_named(name):
    """The task of that name, of recordings or of images; or of a folder of own recordings.

    Raises
    ------
    DataError
        Listing the names.
    """
    if _is_own(name):
        return _own_task(name, with_image=False)
    return _named(name, "", lambda task: True)


def _is_own(name):
    return name not in TASKS and (path_of(name) / SETTINGS).is_file()


def _own_task(name, with_image=True):
    """The task of a folder of own recordings."""
    data, image = Recordings(name), None
    if with_image:
        settings = {"sensor_size": data.sensor_size, **data.settings.get("image", {})}
        if "duration_us" not in settings:
            settings["duration_us"] = data.longest_us()
        image = TactileImage.from_dict(settings)
    return Task(str(name), None, image, f"recordings of {data.name}", shifts=False)


def _named(name, kind, wanted):
    known = [key for key, task in TASKS.items() if wanted(task)]
    if name not in known:
        problem = f"is no task {kind}" if name in TASKS else f"is unknown{nearest(name, known)}"
        raise DataError(
            f"task {name!r} {problem}: choose one of {', '.join(known)}, or give a folder of "
            f"recordings with a file {SETTINGS}"
        )
    return TASKS[name]


def open_task(task, split, data_dir=None, **options):
    """Open a task's data set."""
    return open_dataset(task.dataset, split=split, data_dir=data_dir, **task.options, **options)


def data_option(task):
    """The option that a command needs to find the task's recordings."""
    known = task.dataset in TASKS and task.dataset != "eskin"
    return " --data-dir DATA" if known else ""


def images(task, dataset, indices=None, progress=None):
    """Images and labels of a data set (or part of it).

    Parameters
    ----------
    task : Task
    dataset : data set of events, or of images
    indices : sequence of int, optional
    progress : bool, optional

    Returns
    -------
    x : (n_samples, height, width, channels) array
        float32; of a data set of images uint8, without a copy if there are no ``indices``.
    y : (n_samples,) int array
    """
    if task.image is None:
        chosen = slice(None) if indices is None else np.asarray(indices)
        return images_of(dataset)[chosen], np.asarray(dataset.targets)[chosen].astype(np.int64)
    indices = np.arange(len(dataset)) if indices is None else np.asarray(indices)
    recordings = Labelled(dataset, indices, progress)
    return task.image.batch(recordings), recordings.labels


def epochs_of(task, x, y, seed):
    """Training images shifted, or cropped and mirrored, anew in each epoch.

    Parameters
    ----------
    task : Task
    x, y : arrays
        From `images`.
    seed : int

    Returns
    -------
    callable or (x, y)
        ``epoch -> (x, y)``, or the same in each, for `nengo_tactile.ann.training.train`.
    """
    if task.image is None and task.crop is not None:
        return cropped_epochs(x, y, seed, **task.crop)
    if task.image is None or not task.shifts:
        return x, y
    return shifted_epochs([x], [y], seed)


def recordings_augmented(task, dataset, disturbance, seed):
    """Training images of recordings to which something happens anew in each epoch.

    Parameters
    ----------
    task : Task
        Of tactile recordings.
    dataset : data set of events
    disturbance : Disturbance
    seed : int

    Returns
    -------
    callable
        ``epoch -> (x, y)``, for `nengo_tactile.ann.training.train`.
    """
    recordings, image = Labelled(dataset), task.image
    kept = list(recordings)
    size, duration = image.sensor_size, image.duration_us
    change = Augmentation(disturbance, size, seed, dataset.taxels, duration)
    return augmented_epochs(kept, recordings.labels, image, change)


def pool(task, data_dir=None, progress=None, **options):
    """All samples of a task, train before test.

    Returns
    -------
    x, y : arrays
        See `images`.
    n_train : int or None
        How many of them are the data set's own training samples; None where it has no split
        of its own (ST-MNIST).
    classes : tuple of str
        Names of the labels.
    """
    if task.dataset == "stmnist":
        whole = open_task(task, "all", data_dir)
        return *images(task, whole, progress=progress), None, tuple(whole.classes)
    sets = [open_task(task, split, data_dir, **options) for split in ("train", "test")]
    parts = [images(task, dataset, progress=progress) for dataset in sets]
    x, y = (np.concatenate(arrays) for arrays in zip(*parts))
    return x, y, len(parts[0][1]), tuple(sets[0].classes)
