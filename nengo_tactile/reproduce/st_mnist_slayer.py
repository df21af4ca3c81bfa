"""The SLAYER row of the ST-MNIST paper's Table 2: a network trained on the events themselves.

Section 3.2.3: 10x10x2-6c2-24c3-10o, spike response neurons, 200 bins of 10 ms, desired spike counts
of 60 and 10, 100 epochs. What it leaves out, and the epochs, are those of the Spikemax paper.
"""

import dataclasses
from pathlib import Path

from nengo_tactile import files
from nengo_tactile.errors import DataError
from nengo_tactile.events.sparse import joined
from nengo_tactile.papers.spikemax.plan import SETTINGS
from nengo_tactile.papers.spikemax.runs import train_and_test
from nengo_tactile.reproduce.cells import stored
from nengo_tactile.reproduce.tasks import open_task

#: Table 2.
ROW = "SNN-SLAYER"
#: The paper's loss: the difference of spike counts.
LOSS = "spike-count"


def setting_of(task):
    """Network, neurons and recipe for a task's sensor.

    Raises
    ------
    DataError
        If there is none.
    """
    size = tuple(task.image.sensor_size[:2])
    name = {(10, 10): "eskin", (16, 16): "stemnist"}.get(size)
    if name is None:
        raise DataError(f"no SLAYER network is set for a sensor of {size}: leave --slayer out")
    return SETTINGS[name]


def read(task, data_dir=None, progress=None):
    """Spikes of all samples, in the order of `nengo_tactile.reproduce.tasks.pool`.

    Parameters
    ----------
    task : Task
    data_dir : path, optional
    progress : bool, optional

    Returns
    -------
    SpikeSamples
    """
    setting = setting_of(task)
    splits = ("all",) if task.dataset == "stmnist" else ("train", "test")
    sets = [open_task(task, split, data_dir) for split in splits]
    return joined([setting.layout.samples(dataset, None, progress) for dataset in sets])


def run_split(task, samples, train, test, seed, path, epochs=None, progress=None):
    """Train and test a network on a split; goes on behind the last epoch.

    Parameters
    ----------
    task : Task
    samples : SpikeSamples
        From `read`.
    train, test : int arrays
        Which of them.
    seed : int
    path : path
        The .json that keeps the result; a checkpoint lies beside it until then.
    epochs : int, optional
        By default the recipe's.
    progress : bool, optional

    Returns
    -------
    dict
        ``accuracy``, ``train_accuracy``, ``epochs``, ``network``, ``spikes`` (per test sample, by
        layer), ``seconds``.
    """
    setting, path = setting_of(task), Path(path)
    recipe = setting.recipe
    if epochs is not None:
        recipe = dataclasses.replace(recipe, epochs=epochs)
    parts = samples.take(train), samples.take(test)
    about = [dataclasses.asdict(setting), dataclasses.asdict(recipe), LOSS, seed]
    mark = files.fingerprint([*about, *(part.digest for part in parts)])
    state = stored(path, mark)
    if state is not None:
        return state
    checkpoint = path.with_suffix(f".{mark}.npz")
    _, history, found = train_and_test(
        setting, parts, LOSS, recipe, seed, checkpoint, progress, "SLAYER"
    )
    state = {
        "fingerprint": mark,
        "network": setting.network,
        "loss": LOSS,
        "epochs": recipe.epochs,
        "accuracy": found["accuracy"],
        "train_accuracy": history.accuracy[-1],
        "spikes": found["spikes"],
        "seconds": sum(history.seconds),
    }
    files.write_json(path, state)
    checkpoint.unlink(missing_ok=True)
    return state
