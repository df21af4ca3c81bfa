"""Networks for tactile images as shipped models.

Trained on the training writers or the given training split, and measured on every engine. Others
for the e-skin are chosen by cross-validation over the training writers (`held_out`). Several seeds
of a recipe are read on the test part (`tested`). Both are functions that a sweep runs over a grid,
``nengo-tactile sweep nengo_tactile.papers.tactile_cnn:held_out --grid grid.json``.
"""

import dataclasses
import functools
from pathlib import Path

import numpy as np

from nengo_tactile import engines
from nengo_tactile.analysis import Measured
from nengo_tactile.ann import training
from nengo_tactile.ann.augment import shifted_epochs
from nengo_tactile.commands import costs, paths
from nengo_tactile.commands.tasks import images, open_task, task_named
from nengo_tactile.conversion.neurons import IF
from nengo_tactile.conversion.other_neurons import with_neuron
from nengo_tactile.datasets.splits import split_by_writer
from nengo_tactile.errors import DataError


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How one shipped model is made.

    Attributes
    ----------
    task : str
    layers : str
        Network in the papers' notation, without the input.
    image : dict
        Changes to the task's TactileImage.
    training : training.Recipe
    simulations : int
        Times each training trajectory is written on the e-skin, with other noise.
    n_steps : int
    summary : str
    """

    task: str
    layers: str
    image: dict
    training: training.Recipe
    simulations: int
    n_steps: int
    summary: str


MODELS = {
    "eskin-cnn": Recipe(
        "eskin-pendigits",
        "6c4-24c3-10o",
        {},
        training.Recipe(epochs=160, batch_size=128, learning_rate=6e-3, weight_decay=0.0),
        4,
        80,
        "The ST-MNIST paper's network for digits written on a simulated 10 x 10 e-skin, driven "
        "by recorded pen trajectories of 30 writers and tested on 7 others.",
    ),
    "eskin-cnn-large": Recipe(
        "eskin-pendigits",
        "16c3-32c3-64-10o",
        {},
        training.Recipe(epochs=40, batch_size=128, learning_rate=3e-3, weight_decay=0.0),
        8,
        80,
        "A larger network than eskin-cnn for the same digits, chosen on writers held out: written "
        "on a simulated 10 x 10 e-skin, driven by recorded pen trajectories of 30 writers, each "
        "written eight times, and tested on 7 others.",
    ),
    "stemnist-cnn": Recipe(
        "stemnist",
        "32c3s2-64c3-128-35o",
        {"n_bins": 4},
        training.Recipe(epochs=60, batch_size=64),
        1,
        80,
        "A convolutional network for STEMNIST's 35 letters and digits written with a finger on "
        "16 x 16 taxels, from tactile images in four time bins.",
    ),
}


def task_of(recipe):
    """The task with the recipe's network and image."""
    task = task_named(recipe.task)
    image = dataclasses.replace(task.image, **recipe.image)
    return dataclasses.replace(task, layers=recipe.layers, image=image)


@functools.lru_cache(maxsize=16)
def shown(task_name, image, split, **simulation):
    """Images, labels and writers, if any are known, of one simulation or of recordings."""
    task = dataclasses.replace(task_named(task_name), image=image)
    data = open_task(task, split, **simulation)
    return *images(task, data, progress=False), getattr(data, "writers", None)


def held_out(
    name="eskin-cnn", fold=0, seed=0, n_folds=5, simulations=None, layers=None, **settings
):
    """Accuracy of a recipe on images of training writers that it was not made from.

    Parameters
    ----------
    name : str
        Of `MODELS`; its writers are known.
    fold : int
        Each ``n_folds``-th writer from this one on is held out.
    seed : int
    n_folds : int
    simulations, layers
        See `Recipe`; by default the recipe's.
    **settings
        See `nengo_tactile.ann.training.Recipe`; by default the recipe's.

    Returns
    -------
    dict
        Of numbers, for a sweep: ``accuracy``, ``train_accuracy`` of the last epoch, ``n_test``
        images, those of the first simulation alone.
    """
    recipe = _changed(MODELS[name], simulations, layers, settings)
    task = task_of(recipe)
    x, y, writers = _simulations(recipe, task)
    if writers[0] is None:
        raise DataError(
            f"{name}: nobody knows who wrote the recordings of {recipe.task!r}, so no writers can "
            f"be held out: choose one of the e-skin's {sorted(_known_writers())}"
        )
    train, test = split_by_writer(writers[0], np.unique(writers[0])[fold::n_folds])
    data = shifted_epochs([part[train] for part in x], [part[train] for part in y], seed)
    model = paths.train_cnn(task.network, data, recipe.training, seed, progress=False)
    return {
        "accuracy": training.accuracy(model, x[0][test], y[0][test]),
        "train_accuracy": training.accuracy(model, x[0][train], y[0][train]),
        "n_test": len(test),
    }


def _known_writers():
    return [name for name, recipe in MODELS.items() if recipe.task != "stemnist"]


def tested(name="eskin-cnn", seed=0, simulations=None, layers=None, **settings):
    """Accuracy on the test part, of a recipe that is chosen.

    Parameters
    ----------
    name : str
        Of `MODELS`.
    seed : int
        Of weights, of the order of the samples, and of the samples that conversion is tuned on.
    simulations, layers, **settings
        As of `held_out`.

    Returns
    -------
    dict
        Of numbers, for a sweep: ``accuracy`` of the converted network in NengoDL,
        ``cnn_accuracy``, ``event_accuracy`` with integrate-and-fire neurons on the event engine,
        ``chip_accuracy`` in the chip's integers, ``n_test`` images.
    """
    recipe = _changed(MODELS[name], simulations, layers, settings)
    task = task_of(recipe)
    x, y, _ = _simulations(recipe, task)
    data = shifted_epochs(x, y, seed)
    model = paths.train_cnn(task.network, data, recipe.training, seed, progress=False)
    network = paths.to_spikes(model, task, x[0], seed, False, n_steps=recipe.n_steps)
    x_test, y_test, _ = shown(recipe.task, task.image, "test")
    return {
        "cnn_accuracy": training.accuracy(model, x_test, y_test),
        "accuracy": paths.on_nengo_dl(network, x_test, y_test, False).accuracy,
        "event_accuracy": _by_events(network, x_test, y_test, x[0], seed, False)[1].accuracy,
        "chip_accuracy": paths.on_emulator(network, x_test, y_test, False).accuracy,
        "n_test": len(y_test),
    }


def _changed(recipe, simulations, layers, settings):
    """A recipe with other settings, where some are given."""
    changed = {"simulations": simulations, "layers": layers}
    changed = {key: value for key, value in changed.items() if value is not None}
    how = dataclasses.replace(recipe.training, **settings)
    return dataclasses.replace(recipe, training=how, **changed)


def _ways(recipe):
    """Options of the data set for each simulation."""
    return [{}] if recipe.simulations == 1 else [{"seed": k} for k in range(recipe.simulations)]


def _simulations(recipe, task):
    """Images, labels and writers, each a tuple of one array for each simulation."""
    return tuple(zip(*(shown(recipe.task, task.image, "train", **way) for way in _ways(recipe))))


def first_images(task, data, order):
    """Images and labels of the samples that an order is of: the first, or all."""
    n = len(data) if order.n_samples is None else min(order.n_samples, len(data))
    return images(task, data, range(n), order.progress)


def training_images(recipe, task, order):
    """Training images, one array for each simulation.

    Returns
    -------
    x, y : lists of arrays
    """
    parts = [
        first_images(task, open_task(task, "train", order.data_dir, **way), order)
        for way in _ways(recipe)
    ]
    return [x for x, _ in parts], [y for _, y in parts]


def make(name, order):
    """Train, convert and measure a network: see `nengo_tactile.papers.shipped`.

    Parameters
    ----------
    name : str
        Of `MODELS`.
    order : Order

    Returns
    -------
    SpikingNetwork, dict
    """
    recipe, seed, progress = MODELS[name], order.seed, order.progress
    task = task_of(recipe)
    x, y = training_images(recipe, task, order)
    test_set = open_task(task, "test", order.data_dir)
    x_test, y_test = first_images(task, test_set, order)
    model = paths.train_cnn(
        task.network,
        shifted_epochs(x, y, seed),
        recipe.training,
        seed,
        checkpoint=Path(order.work) / f"{name}-{seed}-{order.n_samples or 'all'}.npz",
        progress=progress,
    )
    cnn = training.accuracy(model, x_test, y_test)
    order.say(f"{name}: CNN {cnn:.4f} on {len(y_test)} test samples")
    network = paths.to_spikes(
        model, task, x[0], seed, progress, n_steps=recipe.n_steps, classes=test_set.classes
    )
    card = {
        "summary": recipe.summary,
        "task": recipe.task,
        "data": task.about,
        "network": task.network,
        "seed": seed,
        "training samples": int(sum(len(part) for part in x)),
        "test samples": len(y_test),
        "CNN accuracy": cnn,
        "recipe": dataclasses.asdict(recipe.training),
        **_measured(name, network, x_test, y_test, x[0], order),
        "limits": _limits(recipe),
    }
    return network, card


def measure(name, network, order):
    """The parts of the card that tell what a network does: see `nengo_tactile.papers.shipped`."""
    task = task_of(MODELS[name])
    (x, y), (x_train, _) = (
        first_images(task, open_task(task, split, order.data_dir), order)
        for split in ("test", "train")
    )
    return _measured(name, network, x, y, x_train, order)


def _measured(name, network, x, y, x_train, order):
    """Numbers of the runs on all engines, and what the chip needs."""
    spiking = paths.on_nengo_dl(network, x, y, order.progress)
    order.say(f"{name}: NengoDL {spiking.accuracy:.4f}")
    emulated = paths.on_emulator(network, x, y, order.progress)
    order.say(f"{name}: emulator {emulated.accuracy:.4f}")
    fired, by_events = _by_events(network, x, y, x_train, order.seed, order.progress)
    order.say(f"{name}: event engine, integrate-and-fire neurons {by_events.accuracy:.4f}")
    here, there, chip = spiking.numbers(network), emulated.numbers(network), paths.on_chip(network)
    keep = (
        *("n_test", "n_steps", "accuracy", "latency_step", "spikes_to_latency"),
        *("synops_to_latency", "spikes", "synops"),
    )
    numbers = by_events.numbers(fired)
    return {
        "multiplications of the CNN": here["ann_multiplications"],
        "NengoDL": {key: here[key] for key in keep},
        "event engine, integrate-and-fire neurons": {key: numbers[key] for key in keep},
        "Loihi emulator": {
            **{key: there[key] for key in (*keep, "chip_synops")},
            "energy of a sample, rough": costs.energy_line(there),
            "cores": len(chip.cores),
            "layers on the host": ", ".join(chip.on_host),
            "8-bit weight error": {k: round(v["median"], 5) for k, v in chip.rounding.items()},
        },
    }


def _by_events(network, x, y, x_train, seed, progress):
    """A network with integrate-and-fire neurons: the event engine takes no LIF neurons."""
    calibration = paths.calibration_samples(x_train, seed)
    fired = with_neuron(network, IF(), calibration, network.n_steps)
    return fired, Measured(engines.run(fired, x, engine="event", progress=progress), y, x)


def _limits(recipe):
    shared = "Only nengo-loihi's emulator was tried, not the chip."
    if recipe.task == "stemnist":
        return [
            shared,
            "The spikes were derived from pressure by a third party's circuit simulation; they are "
            "not the ON and OFF events of the STEMNIST authors, and the split is not by writer.",
        ]
    return [
        shared,
        "The taxels are simulated: pen trajectories are real, their touch is not. It says nothing "
        "about accuracy on the ST-MNIST recordings themselves.",
    ]
