"""Networks trained on spikes as shipped models."""

from pathlib import Path

import numpy as np

from nengo_tactile import engines
from nengo_tactile.analysis import Measured
from nengo_tactile.commands import costs
from nengo_tactile.engines import chip_spikes
from nengo_tactile.experiments.ledgers import Ledger
from nengo_tactile.experiments.studies import Study
from nengo_tactile.papers.spikemax import PAPER, SpikemaxPlan, runs
from nengo_tactile.papers.spikemax.plan import SETTINGS
from nengo_tactile.saved import load
from nengo_tactile.slayer.neurons import CurrentBasedLIF

#: Task whose recordings `nengo-tactile run` shows the network.
TASKS = {"nmnist-simulated": "nmnist"}


def make(name, order, data, loss, epochs=None, n_engine=20):
    """Train and measure a network: see `nengo_tactile.papers.shipped`.

    Parameters
    ----------
    name : str
    order : Order
    data, loss : str
        Of `plan.SETTINGS`, of `published.LOSSES`.
    epochs : int, optional
        By default the data set's.
    n_engine : int
        Test samples to run in Nengo and NengoDL.

    Returns
    -------
    SlayerNetwork, dict

    Raises
    ------
    DataError
        If recordings are missing.
    """
    n_samples, seed = order.n_samples, order.seed
    (cell,) = PAPER.cells(
        SpikemaxPlan(data, loss, 1, epochs, n_samples, n_samples, seed), order.data_dir
    )
    state = PAPER.state(cell, order.work, order.progress)
    ledger = Ledger(Study(order.work, PAPER.command), cell.key, order.progress)
    samples = runs.read(ledger, data, n_samples, n_samples, seed, order.data_dir)
    network = load(Path(order.work) / "networks" / cell.key)
    order.say(f"{name}: {state['accuracy']:.4f} of {state['n_test']:,} test samples")
    setting = SETTINGS[data]
    card = {
        "summary": f"{state['network']}, trained on spikes with the loss {loss}: {setting.about}.",
        "task": TASKS.get(data, setting.dataset),
        "data": setting.about,
        "seed": seed,
        "training samples": state["n_train"],
        "test samples": state["n_test"],
        "accuracy": state["accuracy"],
        "accuracy in the last epoch of training": state["train_accuracy"],
        "epochs": state["epochs"],
        "seconds of training": round(state["seconds"]["training"]),
        **_on_engines(network, samples.test, n_engine, order.progress),
    }
    return network, card


def measure(name, network, order, data, loss, n_engine=20):
    """The parts of the card that tell what a network does: see `nengo_tactile.papers.shipped`."""
    test = runs.read_test(data, order.n_samples, order.seed, order.data_dir, order.progress)
    return _on_engines(network, test, n_engine, order.progress)


def _on_engines(network, test, n_engine, progress):
    """The event engine on all test samples, Nengo and NengoDL beside it on some.

    And the Loihi emulator on all of them, if the neurons are its.
    """
    whole = engines.run(network, test, engine="event", progress=progress)
    numbers = Measured(whole, test.labels).numbers(network)
    parts = {
        "event engine": {
            "accuracy": numbers["accuracy"],
            "latency, step": numbers["latency_step"],
            "spikes per sample": numbers["spikes"],
            "synaptic operations per sample": numbers["synops"],
            "synaptic operations to the latency": numbers["synops_to_latency"],
        }
    }
    some = test.take(np.arange(min(n_engine, len(test))))
    for engine, title in (("nengo", "Nengo"), ("nengo-dl", "NengoDL")):
        recording = engines.run(network, some, engine=engine, progress=progress)
        same = recording.outputs == whole.outputs[: len(some)]
        parts[title] = {
            "test samples": len(some),
            "accuracy": float(recording.accuracy(some.labels)[-1]),
            "samples with the event engine's spikes": int(same.all((1, 2)).sum()),
        }
    if all(isinstance(stage.neuron, CurrentBasedLIF) for stage in network.graph):
        parts["Loihi emulator"] = _on_chip(network, test, progress)
    return parts


def _on_chip(network, test, progress):
    """What is left of the accuracy in the chip's integers, and the cores that it takes."""
    recording = engines.run(network, test, engine="loihi", progress=progress)
    numbers = Measured(recording, test.labels).numbers(network)
    report = chip_spikes.chip_report(network)
    return {
        "test samples": len(test),
        "accuracy": numbers["accuracy"],
        "spikes per sample": numbers["spikes"],
        "energy per sample, rough": costs.energy_line(numbers),
        "cores": len(report.cores),
        "8-bit weight error": {k: round(v["median"], 4) for k, v in report.rounding.items()},
    }
