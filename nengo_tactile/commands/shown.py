"""Samples that a saved network is shown: of a task, by default its own, or in files."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nengo_tactile.commands.samples import Files
from nengo_tactile.commands.tasks import TASKS, any_task_named, data_option
from nengo_tactile.datasets.registry import open_dataset
from nengo_tactile.errors import DataError
from nengo_tactile.networks.image_scale import ImageScale


class Shown(NamedTuple):
    """Samples as a network reads them.

    Attributes
    ----------
    x : see `Network.encode`
    y : (n_samples, ...) array
        Labels, or values.
    about : str
        What the data are, for tables.
    source : dict
        The same for results.json.
    options : str
        What names them on a command line.
    """

    x: Any
    y: np.ndarray
    about: str
    source: dict
    options: str


@dataclasses.dataclass(frozen=True)
class Source:
    """Where samples come from.

    Attributes
    ----------
    given : Files or None
        None for a task.
    task : str or None
        By default the network's own.
    split : str
    data_dir : path or None
    n_samples : int or None
        So many random ones; None for all.
    seed : int
    """

    given: Files | None
    task: str | None = None
    split: str = "test"
    data_dir: str | Path | None = None
    n_samples: int | None = None
    seed: int = 0

    def __post_init__(self):
        if self.given is not None and self.given.y is None:
            raise DataError(
                f"--x {self.given.x} without --y: a run measures accuracy or error, so give the "
                "file of labels (or values) too; nengo_tactile.run gives outputs without"
            )

    def read(self, network, progress=None, check=lambda network, n_samples: None):
        """Read them for a network.

        Parameters
        ----------
        network : Network
        progress : bool, optional
        check : callable
            Called with the network and the number of samples before these are encoded.

        Returns
        -------
        Shown
        """
        if self.given is not None:
            about, options = self.given.about, self.given.options
            source = {"samples": options.strip(), "split": "given"}
            data, labels = self.given.read(network.input_shape)
        else:
            name = task_of(network) if self.task is None else self.task
            task = any_task_named(name)
            about, source = task.about, {"task": name, "split": self.split}
            options = f" --task {name} --split {self.split}{data_option(task)}"
            data = open_dataset(task.dataset, split=self.split, data_dir=self.data_dir)
            labels = None
        chosen = chosen_samples(len(data), self.n_samples, self.seed)
        check(network, len(chosen))
        return Shown(*encoded(network, data, labels, chosen, progress), about, source, options)


def encoded(network, data, labels, chosen, progress=None):
    """Some samples as a network reads them, and their labels.

    Parameters
    ----------
    network : Network
    data : data set, or (n_samples, ...) array
        An array is brought to the network's input by its scale.
    labels : (n_samples, ...) array or None
        Of an array; a data set has its own.
    chosen : (n,) int array
    progress : bool, optional

    Returns
    -------
    x : see `Network.encode`
    labels : (n, ...) array
    """
    if labels is None:
        return network.encode(data, chosen, progress)
    x = data[chosen]
    x, _ = network.encode(x if network.scale is None else network.scale.apply(x))
    return x, labels[chosen]


def scaled(network, scale):
    """The network with another scale of images, where one is given."""
    if scale is None:
        return network
    if network.scale is None:
        raise DataError(
            f"--scale {scale}: a {type(network).__name__} reads events, which have no scale: leave "
            "it out"
        )
    return dataclasses.replace(network, scale=ImageScale.from_text(scale))


def task_of(network):
    """Name of the network's own task: that of its card, or of its sensor."""
    name = network.card.get("task")
    if name is None and network.sensor_size is not None:
        name = {(10, 10): "eskin", (16, 16): "stemnist"}.get(tuple(network.sensor_size[:2]))
    if name is None:
        raise DataError(
            f"the network's card names no task: choose one of {', '.join(TASKS)} with --task, or "
            "give --x FILE and --y FILE"
        )
    return name


def chosen_samples(n_samples, n_wanted, seed):
    """Indices of all samples, or of random ones in their order."""
    if n_wanted is None:
        return np.arange(n_samples)
    return np.sort(np.random.default_rng(seed).permutation(n_samples)[:n_wanted])


def run_options(engine, n_steps, n_samples, seed, scale=None, **options):
    """The options of a command line that repeats a run."""
    steps = "" if n_steps is None else f" --steps {n_steps}"
    samples = "" if n_samples is None else f" --samples {n_samples}"
    scaled = "" if scale is None else f" --scale {scale}"
    own = "".join(f" --{name.replace('_', '-')} {_word(given)}" for name, given in options.items())
    return f" --engine {engine}{own}{steps}{samples}{scaled} --seed {seed}"


def _word(given):
    """An option as the command line takes it."""
    if isinstance(given, (str, float, int)):
        return str(given)
    return ",".join(map(str, given)) or "none"
