"""Runs for the Spikemax paper's table and figures; each goes on where it was stopped.

A run is a network trained with one loss and one seed. Its results are a JSON file, its state after
each epoch a checkpoint, which goes when it is finished, and the network is saved as a folder.
"""

import dataclasses
import functools
import time
from pathlib import Path

import numpy as np

from nengo_tactile import files
from nengo_tactile.datasets.nmnist_simulated import SimulatedNMNIST, recorded_digits
from nengo_tactile.datasets.registry import open_dataset
from nengo_tactile.errors import DataError
from nengo_tactile.events.labelled import Labelled
from nengo_tactile.events.sparse import joined, load_spike_samples, random_shifts
from nengo_tactile.events.sparse_build import spike_samples_of
from nengo_tactile.experiments.workers import Cell
from nengo_tactile.papers.spikemax.plan import SETTINGS, make_loss, recipe_of
from nengo_tactile.slayer.classifier import SlayerNetwork
from nengo_tactile.slayer.neurons import to_config
from nengo_tactile.slayer.storage import n_parameters


@dataclasses.dataclass(frozen=True, eq=False)
class Data:
    """What networks are trained and tested on.

    Attributes
    ----------
    train, test : SpikeSamples
    classes : tuple of str
    """

    train: object
    test: object
    classes: tuple


def read(ledger, name, n_samples, n_test, seed, data_dir):
    """Bin the recordings of a data set, or simulate them; once for all cells of a process.

    Parameters
    ----------
    ledger : Ledger
        Whose study keeps the spikes of simulated digits.
    name : str
        Of `SETTINGS`.
    n_samples, n_test : int or None
    seed : int
    data_dir : path, optional

    Returns
    -------
    Data

    Raises
    ------
    DataError
        If recordings are missing.
    """
    with ledger.study.turn(f"samples-{name}"):
        about = (SETTINGS[name], name, n_samples, n_test, seed, data_dir)
        return _read(*about, str(ledger.folder), ledger.progress)


def read_test(name, n_test, seed, data_dir, progress=None):
    """Test samples alone, as `read` gives them where no training samples are chosen.

    Parameters
    ----------
    name : str
        Of `SETTINGS`.
    n_test : int or None
    seed : int
    data_dir, progress

    Returns
    -------
    SpikeSamples
    """
    setting, rng = SETTINGS[name], np.random.default_rng(seed)
    if name == "nmnist-simulated":
        recordings, order, _ = recorded_digits(data_dir, "train")
    else:
        recordings = open_dataset(setting.dataset, "test", data_dir)
        order = np.arange(len(recordings))
    if n_test is not None:
        order = np.sort(rng.permutation(order)[:n_test])
    return _samples(setting.layout, recordings, order, progress)


@functools.lru_cache(maxsize=1)
def _read(setting, name, n_samples, n_test, seed, data_dir, folder, progress):
    rng = np.random.default_rng(seed)
    if name == "nmnist-simulated":
        return _simulated(setting, n_samples, n_test, rng, seed, folder, data_dir, progress)
    sets = [open_dataset(setting.dataset, split, data_dir) for split in ("train", "test")]
    numbers, parts = range(1, setting.simulations), []
    others = [open_dataset(setting.dataset, "train", data_dir, seed=k) for k in numbers]
    for dataset, n, again in zip(sets, (n_samples, n_test), (others, [])):
        chosen = None if n is None else np.sort(rng.permutation(len(dataset))[:n])
        whole = setting.stretch is not None and dataset is sets[0]
        read = _whole_recordings if whole else _samples
        found = [read(setting.layout, each, chosen, progress) for each in (dataset, *again)]
        parts.append(joined(found) if again else found[0])
    return Data(*parts, tuple(sets[0].classes))


def _samples(layout, dataset, chosen, progress):
    return layout.batch(Labelled(dataset, chosen, progress))


def _whole_recordings(layout, dataset, chosen, progress):
    """Training samples as long as their recordings, for random stretches."""
    durations_us = getattr(dataset, "durations_us", None)
    options = {"shape": layout.shape, "durations_us": durations_us}
    return spike_samples_of(dataset, layout.bin_us, None, chosen, progress, **options)


def _simulated(setting, n_samples, n_test, rng, seed, folder, data_dir, progress):
    """Simulated training digits whose images no recording of the test shows."""
    recordings, order, numbers = recorded_digits(data_dir, "train")
    digits = SimulatedNMNIST(data_dir, "train", seed=seed)
    chosen = np.setdiff1d(np.arange(len(digits)), numbers)
    if not len(chosen):
        raise DataError(
            f"{recordings.path}: holds recordings of all {len(digits):,} training digits, which "
            "leaves none to simulate: train on the set 'nmnist'"
        )
    if n_samples is not None:
        chosen = np.sort(rng.permutation(chosen)[:n_samples])
    about = [dataclasses.asdict(setting.layout), digits.parameters.to_dict(), seed]
    mark = files.fingerprint(about, chosen.astype(np.int64))
    place = Path(folder) / "samples" / f"{setting.dataset}-{mark}.npz"
    if place.exists():
        train = load_spike_samples(place)
    else:
        train = _samples(setting.layout, digits, chosen, progress)
        train.save(place)
    if n_test is not None:
        order = np.sort(rng.permutation(order)[:n_test])
    return Data(train, _samples(setting.layout, recordings, order, progress), recordings.classes)


def cells(plan, data_dir):
    """A trial of each loss before the next: what was stopped has all losses."""
    return [
        cell(plan, name, loss, trial, data_dir)
        for name in plan.data
        for trial in range(plan.n_trials)
        for loss in plan.losses
    ]


def cell(plan, name, loss, trial, data_dir):
    """The cell of a trial."""
    options = {"n_samples": plan.n_samples, "n_test": plan.n_test, "data_dir": data_dir}
    options |= {"name": name, "loss": loss, "trial": trial, "epochs": plan.epochs}
    return Cell(f"{name}-{loss}-{trial}", run_trial, {"seed": plan.seed, **options})


def run_trial(ledger, name, loss, trial, epochs, n_samples, n_test, seed, data_dir):
    """Train a network with a loss and test it.

    Returns
    -------
    dict
        As `numbers` reads it.
    """
    data = read(ledger, name, n_samples, n_test, seed, data_dir)
    setting, recipe, seed = SETTINGS[name], recipe_of(name, epochs), seed + trial
    state = ledger.begin(
        [dataclasses.asdict(setting), dataclasses.asdict(recipe), loss, seed],
        {f"data {name}": data.train.digest, f"test data {name}": data.test.digest},
    )
    # one of other settings is not gone on from
    checkpoint = ledger.folder / "checkpoints" / f"{ledger.key}-{ledger.origin}.npz"
    if state is not None:
        return ledger.finished(state, checkpoint)
    graph, history, found = train_and_test(
        setting,
        (data.train, data.test),
        loss,
        recipe,
        seed,
        checkpoint,
        ledger.progress,
        f"{name}, {loss}, trial {trial + 1}",
    )
    state = {
        "data": name,
        "loss": loss,
        "trial": trial,
        "seed": seed,
        "network": setting.network,
        "parameters": n_parameters(graph),
        "delays": sum(stage.n_neurons for stage in graph if stage.axon is not None),
        "neuron": to_config(setting.neuron),
        "rates": list(setting.rates),
        "window": setting.window,
        "n_train": len(data.train),
        "n_test": len(data.test),
        "n_steps": data.test.n_steps,
        "bin_us": setting.layout.bin_us,
        "epochs": recipe.epochs,
        "accuracy": found["accuracy"],
        "train_accuracy": history.accuracy[-1],
        "hits_over_time": [int(hits) for hits in found["hits_over_time"]],
        "spikes": found["spikes"],
        "input_spikes": len(data.test.steps) / len(data.test),
        "seconds": {
            "training": sum(history.seconds),
            "testing": found["seconds"],
            "epochs": history.seconds,
        },
        "loss_over_epochs": history.loss,
        "accuracy_over_epochs": history.accuracy,
    }
    network = SlayerNetwork(graph, setting.layout, data.classes, {"origin": ledger.origin})
    network.save(ledger.folder / "networks" / ledger.key)
    ledger.write(state)
    return ledger.finished(state, checkpoint)


def train_and_test(
    setting, parts, loss_name, recipe, seed, checkpoint, progress=None, description="training"
):
    """Train a network as a setting says, and test it.

    Parameters
    ----------
    setting : plan.Setting
    parts : (SpikeSamples, SpikeSamples)
        To train and to test on.
    loss_name : str
    recipe : nengo_tactile.slayer.training.Recipe
    seed : int
    checkpoint : path
        Rewritten after each epoch; when it exists training goes on from it.
    progress : bool, optional
    description : str
        For the progress bar.

    Returns
    -------
    graph : Graph
    history : nengo_tactile.slayer.training.History
    found : dict
        As `nengo_tactile.slayer.training.evaluate`, and the ``seconds`` that it took.
    """
    from nengo_tactile.slayer import training
    from nengo_tactile.slayer.layers import GAINS
    from nengo_tactile.slayer.models import build, stages_of

    model = build(
        setting.network,
        setting.neuron,
        setting.surrogate,
        padding=setting.padding,
        dropout=setting.dropout,
        max_delay=setting.max_delay,
        gains=None if setting.own_start else GAINS,  # the papers' start as slayerPytorch's do
        seed=seed,
        synaptic_delay=setting.synaptic_delay,
        learn_times=setting.learn_times,
    )
    history = training.train(
        model,
        parts[0],
        make_loss(loss_name, setting),
        recipe,
        seed,
        loader(setting, parts[0]),
        checkpoint=checkpoint,
        progress=progress,
        description=description,
    )
    began = time.monotonic()
    found = training.evaluate(model, parts[1], recipe.batch_size, progress)
    return stages_of(model), history, found | {"seconds": time.monotonic() - began}


def loader(setting, samples):
    """How minibatches of training are made: ``(indices, rng) -> (x, lengths)``.

    Parameters
    ----------
    setting : plan.Setting
    samples : SpikeSamples

    Returns
    -------
    callable
    """
    n_steps = setting.stretch or samples.n_steps

    def load(indices, rng):
        starts = 0
        if setting.stretch is not None:
            starts = samples.random_starts(indices, n_steps, rng)
        shifts = random_shifts(len(indices), setting.pixels, rng) if setting.pixels else None
        x = samples.dense(indices, starts, n_steps, shifts)
        return x, np.minimum(samples.lengths[indices], n_steps)

    return load
