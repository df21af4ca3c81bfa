"""Residual and plain networks as spiking models that come with the package.

``python -m nengo_tactile.reproduce.residual_models cifar10-resnet20`` takes the trained weights
of that name, converts them, shows the test images and writes models/NAME with its card. The runs
are those of ``nengo-tactile reproduce spiking-resnet``: with its ``--out`` as ``--work`` nothing
is run twice, and an interrupted command goes on.
"""

import argparse
import dataclasses
from pathlib import Path

from nengo_tactile import files
from nengo_tactile.ann import training
from nengo_tactile.engines.loihi import CHIP_RATE, chip_report, chip_settings
from nengo_tactile.errors import DataError
from nengo_tactile.networks.folders import check_folder
from nengo_tactile.papers import images
from nengo_tactile.papers.spiking_resnet import PAPER, ResnetPlan
from nengo_tactile.papers.spiking_resnet.plan import NETWORKS, SETTINGS
from nengo_tactile.papers.spiking_resnet.runs import LATE, cell
from nengo_tactile.reproduce import paths
from nengo_tactile.reproduce.networks import train_command, trained
from nengo_tactile.reproduce.tasks import TASKS
from nengo_tactile.saved import load
from nengo_tactile.stack.distributions import made_with

#: Steps that cards tell the accuracy after.
_TOLD_STEPS = (4, 8, 16, 32, 64, 128, 256)


def make(
    name,
    out,
    setting="beta",
    n_steps=128,
    late=False,
    n_samples=None,
    n_emulator=0,
    emulator_rate=CHIP_RATE,
    weights=None,
    work="nengo-tactile-out/spiking-resnet",
    data_dir=None,
    seed=0,
    progress=None,
    say=print,
):
    """Convert, measure and save a trained network.

    Parameters
    ----------
    name : str
        Of trained weights, such as "cifar10-resnet20".
    out : path
        The model's folder.
    setting : str
        How it is converted: a key of `plan.SETTINGS`. Settings for a few steps have
        their own number of them.
    n_steps : int
    late : bool
        Whether the model's read-out leaves out the first half of the steps.
    n_samples : int, optional
        Random test images; by default all.
    n_emulator : int
        Random test images on the Loihi emulator.
    emulator_rate : float
        Factor on the firing rates there: see `nengo_tactile.engines.loihi.chip_settings`.
    weights : path, optional
        Folder of trained weights; by default that of the package.
    work : path
        Where sums over images are kept: see `nengo_tactile.experiments`.
    data_dir : path, optional
    seed : int
    progress : bool, optional
    say : callable

    Returns
    -------
    SpikingNetwork
    """
    network = _network(name, weights)
    if setting not in SETTINGS:
        raise DataError(f"setting {setting!r} is unknown: choose one of {', '.join(SETTINGS)}")
    check_folder(out)
    plan = ResnetPlan((), (name,), n_steps, n_samples, seed=seed, weights=weights)
    state = PAPER.state(cell(plan, name, setting, data_dir), work, progress)
    data = images.read(network.task, seed, data_dir)
    spiking = load(Path(work) / "networks" / f"{name}.{setting}")
    if late:
        spiking = dataclasses.replace(spiking, discard=LATE)
    n, hits = state["n_done"], state["late_hits" if late else "hits"]
    say(
        f"{name}: ANN {state['ann_hits'] / n:.4f}, spikes {hits[-1] / n:.4f} of {n:,} test images "
        f"after {state['n_steps']} steps"
    )
    card = _card(name, network, setting, late, seed, state)
    if n_emulator:
        card["command"] += f" --emulator-samples {n_emulator} --emulator-rate {emulator_rate:g}"
        card["Loihi emulator"] = _on_emulator(
            spiking, data, n_emulator, emulator_rate, seed, progress
        )
        say(f"{name}: emulator {card['Loihi emulator']['accuracy']:.4f} of {n_emulator} images")
    spiking = dataclasses.replace(spiking, card=card)
    spiking.save(out)
    return spiking


def _network(name, weights):
    if name not in NETWORKS:
        raise DataError(f"network {name!r} is unknown: choose one of {', '.join(NETWORKS)}")
    trained(name, weights)  # refused before any work when it is not there
    return NETWORKS[name]


def _on_emulator(spiking, data, n_samples, rate, seed, progress):
    """Numbers of the run on the Loihi emulator, and what the chip needs."""
    emulated, chosen = paths.on_emulator(spiking, data.x, data.y, n_samples, seed, progress, rate)
    numbers = emulated.numbers()
    keep = (
        *("n_test", "n_steps", "accuracy", "latency_step", "spikes", "synops"),
        "loihi_joules_rough",
    )
    report = paths.on_chip(spiking, rate)
    return {
        **{key: numbers[key] for key in keep},
        "accuracy of its ANN on the same images": training.accuracy(
            spiking.ann, data.x[chosen], data.y[chosen]
        ),
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
        "command": f"python -m nengo_tactile.reproduce.residual_models {name} --setting {setting} "
        f"--steps {n_steps}{' --late' * late} --samples {n} --seed {seed} --data-dir DATA",
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
        "made with": made_with("tensorflow", "nengo-dl", "numpy"),
    }


def cores_page(name, spiking, report):
    """What a network would need on Loihi, as a page of the docs.

    Parameters
    ----------
    name : str
    spiking : SpikingNetwork
    report : ChipReport

    Returns
    -------
    str
        Markdown.
    """
    neurons = sum(row["neurons"] for row in report.rows())
    lines = [
        f"# {NETWORKS[name].title} on Loihi",
        "",
        "Made by `python -m nengo_tactile.reproduce.residual_models "
        f"{name} --cores docs/loihi_cores.md --data-dir DATA`: the converted network, placed on "
        "neuron cores by nengo-loihi, nothing run. A core takes 1,024 neurons, 4,096 input and "
        "output axons and 1,048,576 bits of synapses; a chip has 128 cores.",
        "",
        f"{len(report.cores):,} cores on {report.n_chips} chips for {neurons:,} neurons; on the "
        f"host: {', '.join(report.on_host) or 'nothing'}. Numbers of a layer's fullest core:",
        "",
        "| layer | cores | neurons | neurons of a core | input axons | output axons | synapse bits "
        "| 8-bit weight error | worst neuron's |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in report.rows():
        errors = f"{row['weight_error']:.2%} | {row['worst_weight_error']:.2%}"
        lines.append(
            f"| `{row['layer']}` | {row['cores']} | {row['neurons']:,} | {row['compartments']:,} | "
            f"{row['in_axons']:,} | {row['out_axons']:,} | {row['synapse_bits']:,} | {errors} |"
        )
    lines += [
        f"| all | {len(report.cores):,} | {neurons:,} | | | | | | |",
        "",
        f"The read-out of {len(spiking.classes)} classes is a sum on the host.",
        "",
    ]
    return "\n".join(lines)


def write_cores(
    name,
    path,
    setting="beta",
    n_steps=128,
    weights=None,
    work="nengo-tactile-out/spiking-resnet",
    data_dir=None,
    seed=0,
    say=print,
):
    """Place a network on Loihi's cores and write `cores_page`.

    Parameters
    ----------
    path : path
        A Markdown file.
    name, setting, n_steps, weights, work, data_dir, seed, say :
        See `make`.

    Returns
    -------
    ChipReport
    """
    _network(name, weights)
    plan = ResnetPlan((), (name,), n_steps, 1, seed=seed, weights=weights)
    PAPER.state(cell(plan, name, setting, data_dir), work, False)  # converts it, if it is not yet
    spiking = chip_settings(load(Path(work) / "networks" / f"{name}.{setting}"))
    report = chip_report(spiking)
    with files.atomic_write(path) as file:
        file.write(cores_page(name, spiking, report))
    say(f"{name}: {len(report.cores):,} cores of {report.n_chips} chips; wrote {path}")
    return report


def main(arguments=None):
    """Command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m nengo_tactile.reproduce.residual_models")
    parser.add_argument("name", choices=NETWORKS)
    parser.add_argument("--out", help="folder (default models/NAME)")
    parser.add_argument("--setting", default="beta", choices=SETTINGS)
    parser.add_argument("--steps", type=int, default=128, help="time steps (default 128)")
    parser.add_argument(
        "--late", action="store_true", help="read out the last half of the steps alone"
    )
    parser.add_argument("--samples", type=int, help="random test images (default all)")
    parser.add_argument("--emulator-samples", type=int, default=0, help="default 0")
    parser.add_argument(
        "--emulator-rate", type=float, default=CHIP_RATE, help="factor on the firing rates there"
    )
    parser.add_argument("--weights", help="folder of trained weights (default models/weights)")
    parser.add_argument(
        "--work",
        default="nengo-tactile-out/spiking-resnet",
        help="where an interrupted run goes on (default nengo-tactile-out/spiking-resnet)",
    )
    parser.add_argument("--cores", help="only write this page on the cores it needs on Loihi")
    parser.add_argument("--data-dir", help="default: environment variable NENGO_TACTILE_DATA")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    shared = {
        "setting": options.setting,
        "n_steps": options.steps,
        "weights": options.weights,
        "work": options.work,
        "data_dir": options.data_dir,
        "seed": options.seed,
    }
    if options.cores:
        write_cores(options.name, options.cores, **shared)
        return
    make(
        options.name,
        options.out or Path("models") / options.name,
        late=options.late,
        n_samples=options.samples,
        n_emulator=options.emulator_samples,
        emulator_rate=options.emulator_rate,
        **shared,
    )


if __name__ == "__main__":
    main()
