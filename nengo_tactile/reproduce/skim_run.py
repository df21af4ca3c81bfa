"""SKIM networks on the command line: their tasks, and what a run measures."""

import numpy as np

from nengo_tactile import engines
from nengo_tactile.errors import DataError
from nengo_tactile.progress import track
from nengo_tactile.reproduce import paths
from nengo_tactile.reproduce.tasks import TASKS, event_task_named
from nengo_tactile.skim.classifier import Samples
from nengo_tactile.skim.supervision import determine

#: For reports.
READ_OUT = (
    "From the first step of the training pattern on the class is that of the network's output "
    "determination with the steps so far; before, that of the highest output."
)


def task_for(network, task_name):
    """Name and task: the given one, or that of the network's card.

    Raises
    ------
    DataError
        If there is none, or it is not one of recordings.
    """
    task_name = network.card.get("task") if task_name is None else task_name
    if task_name is None:
        known = [name for name, task in TASKS.items() if task.image is not None or not task.layers]
        raise DataError(
            f"the network's card names no task: choose one of {', '.join(known)} with --task"
        )
    return task_name, event_task_named(task_name)


def run(network, dataset, chosen, engine, progress=None):
    """Run a SKIM network on recordings, and its batch code for comparison.

    Parameters
    ----------
    network : SkimNetwork
    dataset : data set of events
    chosen : (n_samples,) int array
    engine : {"nengo", "nengo-dl"}
    progress : bool, optional

    Returns
    -------
    measured : paths.Measured
    own : dict
        ``batch_accuracy`` and ``largest_difference``, of the outputs in the window.

    Raises
    ------
    DataError
        If the network is for another sensor or for other classes.
    """
    sensor, size = network.layout.sensor_size[:2], tuple(dataset.sensor_size[:2])
    if sensor != size:
        raise DataError(
            f"the network reads {sensor[0]} x {sensor[1]} pixels, {dataset!r} has "
            f"{size[0]} x {size[1]}: choose another --task"
        )
    if len(dataset.classes) != len(network.classes):
        raise DataError(
            f"the network has {len(network.classes)} classes, {dataset!r} has "
            f"{len(dataset.classes)}: choose another --task"
        )
    samples = Samples(dataset, network.layout, chosen)
    samples = list(track(samples, "reading events", total=len(chosen), progress=progress))
    patterns, labels = (
        [pattern for pattern, _ in samples],
        np.array([label for _, label in samples]),
    )
    recording = engines.run(network, patterns, engine=engine, progress=progress)
    batch = network.read_out(patterns, progress=progress)
    classes = determine(batch, network.method, network.supervision)
    difference = np.abs(recording.outputs[:, network.supervision.first :] - batch).max()
    own = {"batch_accuracy": (classes == labels).mean(), "largest_difference": difference}
    return paths.Measured(recording, labels), {k: float(v) for k, v in own.items()}
