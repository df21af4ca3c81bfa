"""The networks of the study, and samples that they know."""

import functools
from typing import Any, NamedTuple

import numpy as np

from nengo_tactile import files
from nengo_tactile.ann.portable import keras_model
from nengo_tactile.commands.networks import weights_file
from nengo_tactile.commands.shown import task_of
from nengo_tactile.commands.tasks import TASKS, any_task_named
from nengo_tactile.conversion.passes import use_relu
from nengo_tactile.datasets.registry import open_dataset
from nengo_tactile.papers import images
from nengo_tactile.saved import load


class Subject(NamedTuple):
    """A trained network, and what it is shown.

    Attributes
    ----------
    model : tf.keras.Model
    train : (n, ...) array
        Training samples in random order, to choose on.
    x, y : arrays
        Test samples in random order, and labels.
    classes : tuple of str
    about : str
        What the data are.
    inputs : dict
        Digests, for `nengo_tactile.experiments.ledgers.Ledger.begin`.
    """

    model: Any
    train: np.ndarray
    x: np.ndarray
    y: np.ndarray
    classes: tuple
    about: str
    inputs: dict


@functools.lru_cache(maxsize=2)
def subject(name, tuned, weights, seed, data_dir):
    """A network by its name, of trained weights or shipped.

    Parameters
    ----------
    name : str
        Of `plan.NETWORKS`.
    tuned : bool
        Its weights after fine-tuning.
    weights : path or None
    seed : int
    data_dir : path or None

    Returns
    -------
    Subject or None
        None where there are no such weights.
    """
    if not weights_file(name, weights):
        return None if tuned else _tactile(name, seed, data_dir)
    source = f"{name}-qcfs" if tuned else name
    if not weights_file(source, weights):
        return None
    task = name.split("-")[0]
    data = images.read(task, seed, data_dir)
    model, digest = images.trained(source, weights)
    train = np.concatenate([data.calibration, data.train])
    inputs = {f"data {task}": data.digest, f"weights {source}": digest}
    return Subject(model, train, data.x, data.y, data.classes, TASKS[task].about, inputs)


def _tactile(name, seed, data_dir):
    network = load(name)
    model = keras_model(use_relu(network.layers))
    task = any_task_named(task_of(network))
    rng, sets = np.random.default_rng(seed), {}
    for split in ("train", "test"):
        data = open_dataset(task.dataset, split=split, data_dir=data_dir)
        order = rng.permutation(len(data))
        sets[split] = network.encode(data, order, progress=False)
    (train, _), (x, y) = sets["train"], sets["test"]
    inputs = {
        f"data {task.dataset}": files.fingerprint("recordings", train, x, y),
        f"weights {name}": files.fingerprint(model.to_json(), *model.get_weights()),
    }
    return Subject(model, train, x, y, network.classes, task.about, inputs)
