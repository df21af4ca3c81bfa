"""Networks trained on spikes as models: ``eskin-slayer``, ``ev-objects-spikemax``,
``ev-objects-loihi`` and ``nmnist-slayer``.

``python -m nengo_tactile.reproduce.slayer_model NAME`` trains one as ``nengo-tactile reproduce
spikemax`` does, tests it on the engines, and writes models/NAME with its card. With that command's
``--out`` as ``--work`` a network that is there is not trained again.
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np

from nengo_tactile import engines
from nengo_tactile.engines import slayer_chip
from nengo_tactile.experiments.ledgers import Ledger
from nengo_tactile.experiments.studies import Study
from nengo_tactile.networks.folders import check_folder
from nengo_tactile.papers.spikemax import PAPER, SpikemaxPlan, runs
from nengo_tactile.papers.spikemax.plan import SETTINGS
from nengo_tactile.reproduce import paths
from nengo_tactile.saved import load
from nengo_tactile.slayer.neurons import CurrentBasedLIF
from nengo_tactile.stack.distributions import made_with

#: Name -> data and loss.
MODELS = {
    "eskin-slayer": ("eskin", "spike-count"),
    "ev-objects-spikemax": ("ev-objects", "spikemax_s"),
    "ev-objects-loihi": ("ev-objects-loihi", "spikemax_s"),
    "nmnist-slayer": ("nmnist-simulated", "spikemax_s"),
}
#: Task whose recordings `nengo-tactile run` shows the network.
_TASKS = {"nmnist-simulated": "nmnist"}
#: Test samples on which Nengo and NengoDL are compared with the event engine.
ENGINE_SAMPLES = 20
WORK = "nengo-tactile-out/spikemax"


def make(
    name,
    out,
    work=WORK,
    n_engine=ENGINE_SAMPLES,
    data_dir=None,
    seed=0,
    progress=None,
    say=print,
    **options,
):
    """Train, measure and save a network.

    Parameters
    ----------
    name : str
        Of `MODELS`.
    out : path
        The model's folder.
    work : path
        Where training goes on.
    n_engine : int
        Test samples to run in Nengo and NengoDL.
    data_dir : path, optional
    seed : int
    progress : bool, optional
    say : callable
    **options
        ``epochs``, ``n_samples``, ``n_test`` of the plan.

    Returns
    -------
    SlayerNetwork

    Raises
    ------
    DataError
        If recordings are missing.
    """
    key, loss = MODELS[name]
    check_folder(out)
    plan = SpikemaxPlan(key, loss, n_trials=1, seed=seed, **options)
    (cell,) = PAPER.cells(plan, data_dir)
    state = PAPER.state(cell, work, progress)
    ledger = Ledger(Study(work, PAPER.command), cell.key, progress)
    data = runs.read(ledger, key, plan.n_samples, plan.n_test, seed, data_dir)
    network = load(Path(work) / "networks" / f"{key}-{loss}-0")
    card = _card(name, plan, state, data, network, n_engine, progress)
    network = dataclasses.replace(network, card=card)
    network.save(out)
    say(f"{name}: {state['accuracy']:.4f} of {state['n_test']:,} test samples; wrote {out}")
    return network


def _card(name, plan, state, data, network, n_engine, progress):
    key, loss = MODELS[name]
    setting = SETTINGS[key]
    options = "".join(
        f" --{option} {value}"
        for option, value in (
            ("epochs", plan.epochs),
            ("samples", plan.n_samples),
            ("test-samples", plan.n_test),
        )
        if value is not None
    )
    return {
        "summary": f"{state['network']}, trained on spikes with the loss {loss}: {setting.about}.",
        "command": f"python -m nengo_tactile.reproduce.slayer_model {name}{options} "
        f"--engine-samples {n_engine} --seed {plan.seed} --data-dir DATA",
        "task": _TASKS.get(key, setting.dataset),
        "data": setting.about,
        "seed": plan.seed,
        "training samples": state["n_train"],
        "test samples": state["n_test"],
        "accuracy": state["accuracy"],
        "accuracy in the last epoch of training": state["train_accuracy"],
        "epochs": state["epochs"],
        "seconds of training": round(state["seconds"]["training"]),
        **_on_engines(network, data.test, n_engine, progress),
        "made with": made_with("nengo", "nengo-dl", "tensorflow", "numpy"),
    }


def _on_engines(network, test, n_engine, progress):
    """The event engine on all test samples, Nengo and NengoDL beside it on some.

    And the Loihi emulator on all of them, if the neurons are its.
    """
    whole = engines.run(network, test, engine="event", progress=progress)
    numbers = paths.Measured(whole, test.labels).numbers()
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
    numbers = paths.Measured(recording, test.labels).numbers()
    report = slayer_chip.chip_report(network)
    return {
        "test samples": len(test),
        "accuracy": numbers["accuracy"],
        "spikes per sample": numbers["spikes"],
        "cores": len(report.cores),
        "8-bit weight error": {k: round(v["median"], 4) for k, v in report.rounding.items()},
    }


def main(arguments=None):
    """Command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m nengo_tactile.reproduce.slayer_model")
    parser.add_argument("name", choices=MODELS)
    parser.add_argument("--out", help="folder (default models/NAME)")
    parser.add_argument("--epochs", type=int, help="default: the data set's")
    parser.add_argument("--samples", type=int, help="random training samples (default all)")
    parser.add_argument("--test-samples", type=int, help="random test samples (default all)")
    parser.add_argument("--engine-samples", type=int, default=ENGINE_SAMPLES)
    parser.add_argument("--work", default=WORK, help=f"where a run goes on (default {WORK})")
    parser.add_argument("--data-dir", help="default: environment variable NENGO_TACTILE_DATA")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    make(
        options.name,
        options.out or Path("models") / options.name,
        options.work,
        options.engine_samples,
        options.data_dir,
        options.seed,
        epochs=options.epochs,
        n_samples=options.samples,
        n_test=options.test_samples,
    )


if __name__ == "__main__":
    main()
