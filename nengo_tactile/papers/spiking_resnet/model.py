"""Residual and plain networks as shipped models."""

import dataclasses
from pathlib import Path

from nengo_tactile.ann import training
from nengo_tactile.commands import costs, paths
from nengo_tactile.commands.networks import train_command
from nengo_tactile.commands.tasks import TASKS
from nengo_tactile.papers import images
from nengo_tactile.papers.spiking_resnet import PAPER, ResnetPlan
from nengo_tactile.papers.spiking_resnet.plan import NETWORKS, SETTINGS
from nengo_tactile.papers.spiking_resnet.runs import LATE, cell
from nengo_tactile.saved import load

#: Steps that cards tell the accuracy after.
_TOLD_STEPS = (4, 8, 16, 32, 64, 128, 256)


def make(
    name,
    order,
    setting="beta",
    n_steps=128,
    late=False,
    emulator_rate=None,
):
    """Convert and measure a trained network: see `nengo_tactile.papers.shipped`.

    Parameters
    ----------
    name : str
        Of trained weights, such as "cifar10-resnet20".
    order : Order
    setting : str
        How it is converted: a key of `plan.SETTINGS`. Settings for a few steps have their own
        number of them.
    n_steps : int
    late : bool
        Whether the model's read-out leaves out the first half of the steps.
    emulator_rate : float, optional
        Factor on the firing rates on the Loihi emulator: see
        `nengo_tactile.engines.loihi.chip_settings`; chosen on training images. Without one it
        does not run there.

    Returns
    -------
    SpikingNetwork, dict
    """
    state, spiking = converted(name, order, setting, n_steps)
    if late:
        spiking = dataclasses.replace(spiking, discard=LATE)
    spiking = dataclasses.replace(spiking, chip_rate=emulator_rate)
    n, hits = state["n_done"], state["late_hits" if late else "hits"]
    order.say(
        f"{name}: ANN {state['ann_hits'] / n:.4f}, spikes {hits[-1] / n:.4f} of {n:,} test images "
        f"after {state['n_steps']} steps"
    )
    card = _card(name, NETWORKS[name], setting, late, order.seed, state)
    measured = measure(name, spiking, order, emulator_rate=emulator_rate)
    return spiking, card | measured


def measure(name, network, order, emulator_rate=None, **settings):
    """What the card tells of the emulator: see `nengo_tactile.papers.shipped`.

    Accuracies, spikes and operations on the card are those of the run that converts.
    """
    if emulator_rate is None:
        return {}
    data = images.read(NETWORKS[name].task, order.seed, order.data_dir)
    some = slice(order.n_samples)
    found = _on_emulator(network, data.x[some], data.y[some], emulator_rate, order.progress)
    order.say(f"{name}: emulator {found['accuracy']:.4f} of {found['n_test']:,} images")
    return {"Loihi emulator": found}


def converted(name, order, setting="beta", n_steps=128):
    """A cell's state, and its network."""
    plan = ResnetPlan((), (name,), n_steps, order.n_samples, seed=order.seed, weights=order.weights)
    state = PAPER.state(cell(plan, name, setting, order.data_dir), order.work, order.progress)
    return state, load(Path(order.work) / "networks" / f"{name}.{setting}")


def _on_emulator(spiking, x, y, rate, progress):
    """Numbers of the run on the Loihi emulator, and what the chip needs."""
    emulated = paths.on_emulator(spiking, x, y, progress, rate)
    numbers = emulated.numbers(spiking)
    keep = (
        *("n_test", "n_steps", "accuracy", "latency_step", "spikes", "synops"),
        *("chip_synops", "ann_multiplications"),
    )
    report = paths.on_chip(spiking, rate)
    return {
        **{key: numbers[key] for key in keep},
        "energy of an image, rough": costs.energy_line(numbers),
        "accuracy of its ANN on the same images": training.accuracy(spiking.ann, x, y),
        "factor on the firing rates": rate,
        "cores": len(report.cores),
        "chips": report.n_chips,
        "layers on the host": ", ".join(report.on_host),
        "8-bit weight error": {k: round(v["median"], 5) for k, v in report.rounding.items()},
    }


def _card(name, network, setting, late, seed, state):
    n, n_steps, hits = state["n_done"], state["n_steps"], state["late_hits" if late else "hits"]
    kind = "A residual network" if network.kind == "resnet" else "A network without shortcuts,"
    tuned = "-qcfs" if SETTINGS[setting].tuned else ""
    training_command = train_command(name + tuned, f"models/weights/{name}{tuned}.npz")
    steps = sorted({step for step in (*_TOLD_STEPS, n_steps) if step <= n_steps})
    return {
        "summary": f"{kind} of {network.depth} layers for {TASKS[network.task].about}, as "
        "integrate-and-fire neurons that fire at most once a step.",
        "training": training_command,
        "task": network.task,
        "data": TASKS[network.task].about,
        "setting": SETTINGS[setting].title + ", late read-out" * late,
        "seed": seed,
        "calibration images": paths.CALIBRATION_SAMPLES,
        "test images": n,
        "ANN accuracy": state["ann_hits"] / n,
        "spiking accuracy": hits[-1] / n,
        "points lost": 100 * (state["ann_hits"] - hits[-1]) / n,
        **({} if late else {"agreement with the converted network": state["same"] / n}),
        "accuracy after steps": {str(step): hits[step - 1] / n for step in steps},
        "spikes for an image, by layer": {k: round(v / n, 1) for k, v in state["spikes"].items()},
        "cost of an image": {
            "spikes": sum(state["spikes"].values()) / n,
            "synaptic operations": sum(state["synops"].values()) / n,
        },
        "limits": [
            "Images are shown as constant currents: the first layer's neurons integrate analogue "
            "values.",
            "Accuracy is that of the read-out averaged over "
            f"{'the last half of the' if late else 'all'} steps so far.",
            "Of Loihi only nengo-loihi's emulator was tried, where this card says so.",
        ],
    }
