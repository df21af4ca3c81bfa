"""Ev-Objects and Ev-Containers: networks for a few hundred recordings of touch.

Chosen by cross-validation inside the training part (`held_out`), read on the test part once
(`tested`): functions that a sweep runs over a grid, ``nengo-tactile sweep
nengo_tactile.papers.touch:held_out --grid grid.json``. `MODELS` are what was chosen, shipped.
"""

import dataclasses
import functools

import numpy as np

from nengo_tactile import engines
from nengo_tactile.analysis import Measured
from nengo_tactile.ann import training
from nengo_tactile.ann.discriminants import discriminant_network
from nengo_tactile.commands import paths, robustness
from nengo_tactile.commands.tasks import open_task, task_named
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.neurons import IF
from nengo_tactile.datasets.splits import stratified_folds
from nengo_tactile.events.labelled import Labelled

#: Of the spiking networks.
N_STEPS = 128
#: Share of dead taxels that recipes are compared at, beside none.
DEAD = 0.1


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How recordings become a network.

    Attributes
    ----------
    task : str
        Of recordings, with an image.
    n_bins : int or None
        Time bins of the image; None for the task's.
    shrinkage : float
        Of the covariance: see `nengo_tactile.ann.discriminants`.
    dead : float
        Share of dead taxels that it is made for.
    """

    task: str
    n_bins: int | None = None
    shrinkage: float = 0.1
    dead: float = 0.0

    @property
    def image(self):
        """The image of a recording."""
        image = task_named(self.task).image
        return image if self.n_bins is None else dataclasses.replace(image, n_bins=self.n_bins)


#: Chosen by `held_out`: docs/touch.md has the table.
MODELS = {
    "ev-objects-dense": Recipe("ev-objects"),
    "ev-containers-dense": Recipe("ev-containers", shrinkage=0.5, dead=0.01),
}


@functools.lru_cache(maxsize=2)
def recordings(task, split, data_dir=None):
    """Recordings of a task in memory, as events and labels, and the data set."""
    data = open_task(task_named(task), split, data_dir)
    labelled = Labelled(data, None, False)
    return list(labelled), np.asarray(labelled.labels), data


def fitted(recipe, events, labels):
    """The Keras model that a recipe makes of recordings, a list of events, and their labels."""
    x = recipe.image.batch(events, progress=False)
    return discriminant_network(x, labels, recipe.shrinkage, recipe.dead)


def held_out(
    task="ev-objects",
    n_bins=None,
    shrinkage=0.1,
    dead=0.0,
    seed=0,
    n_folds=5,
    n_repeats=2,
    n_skins=10,
):
    """Accuracy of a recipe on training recordings that it was not made from.

    Parameters
    ----------
    task, n_bins, shrinkage, dead
        See `Recipe`.
    seed : int
        Of the folds, and of which taxels are dead.
    n_folds : int
    n_repeats : int
        With other folds each.
    n_skins : int
        Skins with dead taxels that each recording is met by, all others: what one skin does to
        these few recordings is chance.

    Returns
    -------
    dict
        Of numbers, for a sweep: ``accuracy`` as recorded, ``dead_taxels`` with a tenth of the
        taxels dead, others for each recording and skin; ``n_test`` recordings.
    """
    recipe = Recipe(task, n_bins, shrinkage, dead)
    events, labels, _ = recordings(task, "train")
    found = []
    for number in range(seed, seed + n_repeats):
        for train, test in stratified_folds(labels, n_folds, number):
            model = fitted(recipe, [events[i] for i in train], labels[train])
            parts = [events[i] for i in test], labels[test]
            found.append(_hits(model, recipe, *parts, number, n_skins))
    return _numbers(np.concatenate(found, axis=1), len(labels))


def tested(task="ev-objects", n_bins=None, shrinkage=0.1, dead=0.0, seed=0, n_skins=10):
    """Accuracy on the test part, of a recipe that is chosen: arguments and result as `held_out`."""
    recipe = Recipe(task, n_bins, shrinkage, dead)
    model = fitted(recipe, *recordings(task, "train")[:2])
    events, labels, _ = recordings(task, "test")
    return _numbers(_hits(model, recipe, events, labels, seed, n_skins), len(labels))


def _hits(model, recipe, events, labels, seed, n_skins):
    """What a model says right, (2, n): of recordings, and on which share of skins a tenth dead."""
    image = recipe.image
    width, height, n_polarities = image.sensor_size
    cells = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).reshape(-1, 2)
    ends = image.duration_us, n_polarities
    skins = [
        robustness.disturbed(events, "dead", DEAD, seed * n_skins + skin, cells, *ends)
        for skin in range(n_skins)
    ]
    whole, *hurt = (
        training.predict(model, image.batch(each, progress=False)).argmax(1) == labels
        for each in (events, *skins)
    )
    return np.stack([whole, np.mean(hurt, axis=0)])


def _numbers(hits, n_recordings):
    accuracy, dead = hits.mean(1)
    return {"accuracy": float(accuracy), "dead_taxels": float(dead), "n_test": n_recordings}


def make(name, order):
    """Make, convert and measure a network: see `nengo_tactile.papers.shipped`.

    Parameters
    ----------
    name : str
        Of `MODELS`.
    order : Order

    Returns
    -------
    SpikingNetwork, dict

    Raises
    ------
    DataError
        For so few samples that a class lacks two.
    """
    recipe, seed, n = MODELS[name], order.seed, order.n_samples
    task = task_named(recipe.task)
    events, labels, data = recordings(recipe.task, "train", order.data_dir)
    events, labels = events[:n], labels[:n]
    model = fitted(recipe, events, labels)
    x = recipe.image.batch(events, progress=False)
    network = convert(
        model,
        paths.calibration_samples(x, seed),
        IF(percentile=100.0),  # a discriminant that is cut off is none
        n_steps=N_STEPS,
        image=recipe.image,
        classes=data.classes,
        progress=order.progress,
    )
    card = {
        "summary": f"{model.count_params():,} weights in closed form, discriminants of the root "
        f"of event counts in {recipe.image.n_bins} time bins: {task.about}.",
        "task": recipe.task,
        "data": task.about,
        "seed": seed,
        "training samples": len(labels),
        "recipe": {
            "time bins": recipe.image.n_bins,
            "shrinkage": recipe.shrinkage,
            "made for a share of dead taxels of": recipe.dead,
        },
        **measure(name, network, order),
        "limits": [
            "Only nengo-loihi's emulator was tried, not the chip.",
            "The whole recording is counted before the network sees it, and when in it what is "
            "pressed counts: recordings that begin later or are stretched are told wrongly.",
        ],
    }
    return network, card


def measure(name, network, order):
    """The parts of the card that tell what a network does: see `nengo_tactile.papers.shipped`."""
    events, labels, _ = recordings(MODELS[name].task, "test", order.data_dir)
    some = np.arange(len(labels))[: order.n_samples]
    x, y = network.encode([events[i] for i in some], progress=False)[0], labels[some]
    found = {"test samples": len(y), "Keras model's accuracy": training.accuracy(network.ann, x, y)}
    runs = {
        "NengoDL": lambda: paths.on_nengo_dl(network, x, y, order.progress),
        "event engine": lambda: Measured(
            engines.run(network, x, engine="event", progress=order.progress), y, x
        ),
        "Loihi emulator": lambda: paths.on_emulator(network, x, y, order.progress),
    }
    for engine, run in runs.items():
        numbers = run().numbers(network)
        order.say(f"{name}: {engine} {numbers['accuracy']:.4f}")
        keep = ("n_steps", "accuracy", "latency_step", "spikes", "synops")
        found[engine] = {key: numbers[key] for key in keep}
    found["Loihi emulator"]["cores"] = len(paths.on_chip(network).cores)
    return found
