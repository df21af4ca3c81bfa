"""Networks that read recordings as events, on the command line: tasks, and what a run measures."""

from typing import NamedTuple

import numpy as np

from nengo_tactile import engines
from nengo_tactile.errors import DataError, EngineError
from nengo_tactile.progress import track
from nengo_tactile.reproduce import paths
from nengo_tactile.reproduce.tasks import TASKS, event_task_named
from nengo_tactile.skim.classifier import Samples, SkimNetwork
from nengo_tactile.skim.supervision import determine


class Kind(NamedTuple):
    """How the results of a kind of network are told.

    Attributes
    ----------
    key : str
        Of the accuracy or error that the run is compared with, in results.json.
    reference, measured : str
        What these are of, in tables.
    short, where_reference, where_measured : str
        The same on cards of a report.
    read_out : str or None
        How classes are read, if not as the largest output.
    on_chip : bool
        Whether the energy on Loihi can be guessed.
    """

    key: str
    reference: str
    measured: str
    short: str
    where_reference: str
    where_measured: str
    read_out: str | None
    on_chip: bool


KINDS = (
    Kind(
        "ann_accuracy", "rates (Keras)", "spikes",
        "rates", "the Keras model", "of the spikes", None, True,
    ),
    Kind(
        "ann_error", "rates (Keras)", "spikes",
        "rates", "RMS, the Keras model", "RMS, of the spikes", None, True,
    ),
    Kind(
        "batch_accuracy", "batch code", "network", "batch code", "without Nengo", "in Nengo",
        "From the first step of the training pattern on the class is that of the network's output "
        "determination with the steps so far; before, that of the highest output.", False,
    ),
    Kind(
        "layers_accuracy", "Keras layers", "network",
        "Keras layers", "as in training", "of the spikes",
        "The class is that of the output neuron with the most spikes so far.", True,
    ),
)  # fmt: skip


def check(network, n_steps, engine, options):
    """Refuse a run that cannot be, before recordings are read.

    Raises
    ------
    EngineError
        For options of converted networks, and engines and steps that SKIM networks do not have.
    """
    if options:
        raise EngineError(
            f"{type(network).__name__} takes no {', '.join(options)}: these are options of "
            "converted networks, leave them out"
        )
    if isinstance(network, SkimNetwork):
        from nengo_tactile.engines.skim import check_run

        check_run(network, n_steps, engine)


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


def run(network, dataset, chosen, n_steps, engine, progress=None):
    """Run a network on recordings, and the code that trained it for comparison.

    Parameters
    ----------
    network : SkimNetwork or SlayerNetwork
    dataset : data set of events
    chosen : (n_samples,) int array
    n_steps : int or None
    engine : str
    progress : bool, optional

    Returns
    -------
    measured : paths.Measured
    own : dict
        Of a SkimNetwork ``batch_accuracy`` and ``largest_difference``, of the outputs in the
        window; of a SlayerNetwork ``layers_accuracy``, and ``chip`` on the Loihi emulator.

    Raises
    ------
    DataError
        If the network is for another sensor or for other classes.
    """
    sensor, size = tuple(network.layout.sensor_size[:2]), tuple(dataset.sensor_size[:2])
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
    if isinstance(network, SkimNetwork):
        return _run_skim(network, dataset, chosen, engine, progress)
    return _run_slayer(network, dataset, chosen, n_steps, engine, progress)


def _run_skim(network, dataset, chosen, engine, progress):
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


def _run_slayer(network, dataset, chosen, n_steps, engine, progress):
    from nengo_tactile.slayer.training import evaluate

    samples = network.layout.samples(dataset, chosen, progress)
    recording = engines.run(network, samples, n_steps, engine=engine, progress=progress)
    hits = evaluate(network.keras_model(), samples, progress=progress)["hits_over_time"]
    own = {"layers_accuracy": float(hits[recording.n_steps - 1] / len(samples))}
    if engine == "loihi":
        from nengo_tactile.engines.slayer_chip import chip_report

        own["chip"] = chip_report(network).to_dict()
    return paths.Measured(recording, samples.labels), own
