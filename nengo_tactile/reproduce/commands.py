"""What the command line's longer commands do; each is callable from Python too."""

import dataclasses
import datetime
import json
from pathlib import Path

import numpy as np

from nengo_tactile import __version__, engines, files
from nengo_tactile.ann import training
from nengo_tactile.conversion import check, convert
from nengo_tactile.datasets.registry import open_dataset
from nengo_tactile.engines.loihi import CHIP_RATE, ChipReport, chip_report, chip_settings
from nengo_tactile.engines.recording import Recording
from nengo_tactile.engines.skim import check_run
from nengo_tactile.errors import DataError, EngineError, ModelFileError
from nengo_tactile.folders import check_folder, load
from nengo_tactile.report import KeyNumber, Report, write_report
from nengo_tactile.reproduce import pages, paths, skim_run
from nengo_tactile.reproduce.networks import find_model
from nengo_tactile.reproduce.tasks import (
    TASKS,
    data_option,
    images,
    open_task,
    task_named,
)
from nengo_tactile.skim.classifier import SkimNetwork

#: Spike counts that a run keeps at most, one of 4 bytes for each neuron and sample.
COUNTS_IN_MEMORY = 10**9


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


def run_network(
    name,
    out,
    task_name=None,
    split="test",
    engine="nengo-dl",
    n_steps=None,
    n_samples=None,
    data_dir=None,
    seed=0,
    first_layer=None,
    target=None,
    progress=None,
    say=print,
):
    """Run a saved network on a task's recordings and write what was measured.

    Writes results.json and recording.npz into ``out``. ``first_layer`` and ``target`` are the
    Loihi engine's (see `nengo_tactile.engines.loihi.run`).

    Returns
    -------
    rich.table.Table
    """
    options = {"first_layer": first_layer, "target": target}
    options = {name: value for name, value in options.items() if value is not None}
    if options and engine != "loihi":
        raise EngineError(f"engine {engine!r} takes no {', '.join(options)}: use engine 'loihi'")
    network = load(name)
    skim = isinstance(network, SkimNetwork)
    if skim:
        check_run(network, n_steps, engine)
    out = Path(out)
    files.check_writable(out)
    task_name, task = (skim_run.task_for if skim else _task_for)(network, task_name)
    dataset = open_dataset(task.dataset, split=split, data_dir=data_dir)
    chosen = np.arange(len(dataset))
    if n_samples is not None:
        chosen = np.sort(np.random.default_rng(seed).permutation(len(dataset))[:n_samples])
    if skim:
        measured, own = skim_run.run(network, dataset, chosen, engine, progress)
    else:
        measured, own = _run_on_images(
            network, task, dataset, chosen, n_steps, engine, options, progress, say
        )
    recording = measured.recording
    numbers = {
        "network": str(name),
        "task": task_name,
        "command": _run_command(name, task_name, task, split, engine, n_steps, n_samples, seed),
        "data": task.about,
        "split": split,
        "seed": seed,
        "classes": list(network.classes),
        **measured.numbers(),
        **own,
    }
    if skim:
        del numbers["loihi_joules_rough"]  # no chip runs it
    arrays = {"outputs": recording.outputs, "labels": measured.labels}
    if recording.decisions is not None:
        arrays["decisions"] = recording.decisions
    for kind in ("spike_counts", "spikes_over_time", "synops_over_time"):
        arrays |= {f"{kind}/{k}": v for k, v in getattr(recording, kind).items()}
    files.write_npz(out / "recording.npz", dt=np.array(recording.dt), **arrays)
    files.write_json(out / "results.json", numbers)
    say(f"wrote {out / 'results.json'} and recording.npz")
    return _run_table(numbers)


def _run_on_images(network, task, dataset, chosen, n_steps, engine, options, progress, say):
    """Run a converted network; returns what was measured, and its own numbers."""
    _check_memory(network, len(chosen))
    x, y = images(task, dataset, chosen, progress)
    shown = network
    if engine == "loihi" and n_steps is None:
        shown = chip_settings(network)
        say(
            f"emulator: firing rates times {CHIP_RATE}, {shown.n_steps} steps "
            "(give --steps to keep the network's own rates)"
        )
    recording = engines.run(shown, x, n_steps, engine=engine, progress=progress, **options)
    own = {"ann_accuracy": training.accuracy(network.ann, network.ann_input(x), y)}
    if engine == "loihi":
        own["chip"] = chip_report(shown, options.get("first_layer")).to_dict()
    return paths.Measured(recording, y), own


def _task_for(network, task_name):
    """Name and task: the given one, that of the network's card, or that of its sensor."""
    if task_name is None:
        task_name = network.card.get("task")
    if network.image is None:
        if task_name is None:
            raise DataError(
                "the network does not know how recordings become its input: choose a task of "
                "images with --task, or convert it with a task"
            )
        task = task_named(task_name)
        if task.image is not None or task.shape != network.input_shape:
            raise DataError(
                f"the network takes images of shape {network.input_shape}, task {task_name!r} has "
                f"{task.shape}{'' if task.image is None else ' of recordings'}: choose another "
                "--task"
            )
        return task_name, task
    size = network.image.sensor_size[:2]
    if task_name is None:
        task_name = {(10, 10): "eskin", (16, 16): "stemnist"}.get(tuple(size))
    if task_name is None:
        raise DataError(
            f"no task has a sensor of {size}: choose one of "
            f"{', '.join(name for name, task in TASKS.items() if task.layers)} with --task"
        )
    task = task_named(task_name, tactile=True)
    if task.image.sensor_size[:2] != size:
        raise DataError(
            f"the network reads {size[0]} x {size[1]} taxels, task {task_name!r} has "
            f"{task.image.sensor_size[0]} x {task.image.sensor_size[1]}: choose another --task"
        )
    return task_name, dataclasses.replace(task, image=network.image)


def _check_memory(network, n_samples):
    """Refuse a run whose spike counts, kept for every neuron and sample, would fill the memory."""
    neurons = sum(int(np.prod(stage.shape)) for stage in network.stages if stage.spikes)
    largest = COUNTS_IN_MEMORY // neurons
    if n_samples > largest:
        raise DataError(
            f"{n_samples} samples of {neurons:,} neurons are {n_samples * neurons * 4 / 1e9:.1f} "
            f"GB of spike counts: choose at most --samples {largest} (nengo-tactile reproduce "
            "spiking-resnet keeps sums only)"
        )


def _run_command(name, task_name, task, split, engine, n_steps, n_samples, seed):
    """The command line that repeats a run."""
    steps = "" if n_steps is None else f" --steps {n_steps}"
    samples = "" if n_samples is None else f" --samples {n_samples}"
    return (
        f"nengo-tactile run {name} --task {task_name} --split {split} --engine {engine}"
        f"{steps}{samples} --seed {seed}{data_option(task)}"
    )


def _run_table(numbers):
    from rich.table import Table

    table = Table(title=f"{numbers['network']} on {numbers['engine']}", title_justify="left")
    for column in ("what", "value"):
        table.add_column(column)
    skim = "batch_accuracy" in numbers
    reference = "batch code" if skim else "rates (Keras)"
    rows = {
        "data": f"{numbers['data']}, {numbers['split']}, {numbers['n_test']} samples",
        f"accuracy of the {reference}": f"{_reference(numbers):.4f}",
        f"accuracy of the {'network' if skim else 'spikes'}": f"{numbers['accuracy']:.4f} "
        f"after {numbers['n_steps']} steps",
        "latency": f"step {numbers['latency_step']}",
        "spikes per sample": f"{numbers['spikes']:,.0f} "
        f"({numbers['spikes_to_latency']:,.0f} to the latency)",
        "synaptic operations per sample": f"{numbers['synops']:,.0f} "
        f"({numbers['synops_to_latency']:,.0f} to the latency)",
    }
    if skim:
        rows["largest difference of outputs"] = f"{numbers['largest_difference']:.1e}"
    else:
        joules = numbers["loihi_joules_rough"]
        rows["Loihi energy, rough"] = f"{joules * 1e6:.2f} microjoules"
    for what, value in rows.items():
        table.add_row(what, value)
    for row in numbers["layers"]:
        table.add_row(
            f"firing rate of {row['layer']}",
            f"mean {row['mean_hz']:.1f} Hz, 99.9th percentile {row['percentile_hz']:.0f} Hz, "
            f"{row['silent_share']:.0%} silent, {row['saturated_share']:.2%} saturated",
        )
    return table


def _reference(numbers):
    """Accuracy that a run is compared with: of the Keras model, or of SKIM's batch code."""
    return numbers["batch_accuracy" if "batch_accuracy" in numbers else "ann_accuracy"]


def write_run_report(folder):
    """Write report.html for the folder of a `run_network`.

    Returns
    -------
    Path
    """
    folder = Path(folder)
    numbers, measured, chip = _read_run(folder)
    skim = "batch_accuracy" in numbers
    sections = [
        pages.accuracy_section(
            {numbers["engine"]: measured.recording.accuracy(measured.labels)},
            _reference(numbers),
            measured.recording.dt,
            **({"read_out": skim_run.READ_OUT} if skim else {}),
        ),
        pages.activity_section(measured, energy=not skim),
        pages.confusion_section(measured, numbers["classes"]),
    ]
    if chip is not None:
        sections.append(pages.chip_section(chip))
    path = folder / "report.html"
    write_report(
        path,
        Report(
            f"{numbers['network']} on {numbers['engine']}",
            f"{numbers['n_test']:,} samples of the {numbers['data']}.",
            {
                "command": numbers.get("command", ""),
                "data": f"{numbers['data']}, {numbers['split']}",
                "seed": numbers["seed"],
                "nengo-tactile": __version__,
                "date": datetime.date.today().isoformat(),
            },
            [
                KeyNumber(
                    "accuracy",
                    f"{numbers['accuracy']:.1%}",
                    "in Nengo" if skim else "of the spikes",
                ),
                KeyNumber(
                    "batch code" if skim else "rates",
                    f"{_reference(numbers):.1%}",
                    "without Nengo" if skim else "the Keras model",
                ),
                KeyNumber("latency", f"{numbers['latency_step']} steps"),
            ],
            sections=sections,
        ),
    )
    return path


def _read_run(folder):
    """Numbers, run and chip report (or None) of a folder that `run_network` wrote."""
    try:
        numbers = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        missing = {"network", "classes", "data", "split", "seed"} - set(numbers)
        if not {"ann_accuracy", "batch_accuracy"} & set(numbers):
            missing.add("ann_accuracy")
        if missing:
            raise KeyError(*sorted(missing))
        stored = files.read_npz(folder / "recording.npz")
        parts = {"spike_counts": {}, "spikes_over_time": {}, "synops_over_time": {}}
        for name, array in stored.items():
            kind, _, layer = name.partition("/")
            if kind in parts:
                parts[kind][layer] = array
        recording = Recording(
            stored["outputs"],
            **parts,
            dt=float(stored["dt"]),
            engine=numbers["engine"],
            decisions=stored.get("decisions"),
        )
        chip = ChipReport(**numbers["chip"]) if "chip" in numbers else None
        return numbers, paths.Measured(recording, stored["labels"]), chip
    except Exception as error:  # zip, JSON and numpy have error classes of their own
        raise ModelFileError(
            f"{folder}: is not the folder of a run ({type(error).__name__}: {error}): make one "
            "with nengo-tactile run"
        ) from error
