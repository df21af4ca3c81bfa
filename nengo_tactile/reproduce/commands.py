"""What the command line's longer commands do: convert and check. Callable from Python too."""

import dataclasses
from pathlib import Path

import numpy as np

from nengo_tactile.conversion import check, convert
from nengo_tactile.folders import check_folder
from nengo_tactile.reproduce import paths
from nengo_tactile.reproduce.networks import find_model
from nengo_tactile.reproduce.tasks import images, open_task, task_named


def convert_model(
    model, out, task_name="eskin", data_dir=None, seed=0, progress=None, say=print, **options
):
    """Convert a Keras model, with scales and all else chosen on training samples of a task.

    Parameters
    ----------
    model : path or str
        A .keras, .h5 or .npz file, or the name of weights that come with the package.
    out : path
        Folder of the spiking network.
    task_name : str
    data_dir : path, optional
    seed : int
        Seed of the choice of training samples.
    progress : bool, optional
    say : callable
    **options
        ``neuron``, ``percentile``, ``n_steps`` and so on: see
        `nengo_tactile.conversion.convert.convert`.

    Returns
    -------
    SpikingNetwork
    """
    task = task_named(task_name)
    check_folder(out)
    keras = find_model(model)
    dataset = open_task(task, "train", data_dir)
    # in random order: tuning takes the first ones, and data sets may be sorted by class
    chosen = np.random.default_rng(seed).permutation(len(dataset))[: paths.CALIBRATION_SAMPLES]
    x, y = images(task, dataset, chosen, progress)
    if options.get("neuron") == "sigma-delta":
        options["labels"] = y
    network = convert(
        keras, x, image=task.image, classes=dataset.classes, progress=progress, **options
    )
    card = {"summary": f"Converted from {Path(model).name}.", "task": task_name, "seed": seed}
    dataclasses.replace(network, card=card).save(out)
    synapse = "none" if network.synapse is None else f"{network.synapse * 1000:g} ms"
    thresholds = ""
    if network.accumulates:
        values = [f"{s.neuron.threshold:.3g}" for s in network.stages if s.neuron is not None]
        thresholds = f", thresholds {', '.join(values)}, {network.n_steps} steps"
    say(f"wrote {out}: {', '.join(network.spiking_layers)} spike, synapse {synapse}{thresholds}")
    return network


def check_model(model):
    """Say for each layer of a model whether it can be converted.

    Parameters
    ----------
    model : path or str
        See `convert_model`.

    Returns
    -------
    nengo_tactile.conversion.check.Check
    """
    return check(find_model(model))
