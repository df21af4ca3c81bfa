"""``nengo-tactile run`` and ``report``: a saved network on a task's recordings or images."""

import dataclasses
import datetime
import json
from pathlib import Path

import numpy as np

from nengo_tactile import __version__, engines, files
from nengo_tactile.ann import training
from nengo_tactile.conversion.image_scale import ImageScale
from nengo_tactile.conversion.network import SpikingNetwork
from nengo_tactile.conversion.read_out import ReadOut
from nengo_tactile.datasets.registry import open_dataset
from nengo_tactile.engines.loihi import ChipReport, chip_report
from nengo_tactile.engines.recording import Recording
from nengo_tactile.errors import DataError, EngineError, ModelFileError
from nengo_tactile.folders import load
from nengo_tactile.report import KeyNumber, Report, write_report
from nengo_tactile.reproduce import event_runs, pages, paths
from nengo_tactile.reproduce.samples import files_of
from nengo_tactile.reproduce.targets import targets_of
from nengo_tactile.reproduce.tasks import TASKS, data_option, images, task_named

#: Spike counts that a run keeps at most, one of 4 bytes for each neuron and sample.
COUNTS_IN_MEMORY = 10**9


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
    on_host=None,
    target=None,
    least_agreement=None,
    progress=None,
    say=print,
    x=None,
    y=None,
    scale=None,
):
    """Run a saved network on a task's recordings, or on files, and write what was measured.

    Writes results.json and recording.npz into ``out``. ``on_host``, ``target`` and
    ``least_agreement`` are the Loihi engine's (see `nengo_tactile.engines.loihi.run`); ``x``,
    ``y`` and ``scale`` are as for `nengo_tactile.reproduce.commands.convert_model`, by default
    with the network's own scale.

    Returns
    -------
    rich.table.Table
    """
    given = files_of(task_name, x, y)
    if given is not None and given.y is None:
        raise DataError(
            f"--x {x} without --y: a run measures accuracy or error, so give the file of labels "
            "(or values) too; nengo_tactile.run gives outputs without"
        )
    given_scale = None if scale is None else ImageScale.from_text(scale)
    options = {"on_host": on_host, "target": target, "least_agreement": least_agreement}
    options = {name: value for name, value in options.items() if value is not None}
    if options and engine != "loihi":
        raise EngineError(f"engine {engine!r} takes no {', '.join(options)}: use engine 'loihi'")
    network = load(name)
    events = not isinstance(network, SpikingNetwork)  # read as they are
    if events and (given is not None or given_scale is not None):
        raise DataError(
            f"{type(network).__name__} takes recordings as events: give --task, without --x, --y "
            "and --scale"
        )
    if events:
        event_runs.check(network, n_steps, engine, options)
    out = Path(out)
    files.check_writable(out)
    if given is not None:
        about, source = given.about, {"samples": given.options.strip(), "split": "given"}
        options_of_source = given.options
        samples, labels = given.read(network.input_shape)
        if n_samples is not None:
            chosen = _chosen(len(samples), n_samples, seed)
            samples, labels = samples[chosen], labels[chosen]
    else:
        task_name, task = (event_runs.task_for if events else _task_for)(network, task_name)
        about, source = task.about, {"task": task_name, "split": split}
        options_of_source = f" --task {task_name} --split {split}{data_option(task)}"
        dataset = open_dataset(task.dataset, split=split, data_dir=data_dir)
        chosen = _chosen(len(dataset), n_samples, seed)
    if events:
        measured, own = event_runs.run(network, dataset, chosen, n_steps, engine, progress)
    else:
        if given is None:
            _check_memory(network, len(chosen))
            samples, labels = images(task, dataset, chosen, progress)
        samples = (given_scale or network.scale).apply(samples)
        measured, own = _run_on_images(
            network, samples, labels, n_steps, engine, options, progress, say
        )
    recording = measured.recording
    repeated = _settings(engine, n_steps, n_samples, seed, given_scale, options)
    numbers = {
        "network": str(name),
        **source,
        "command": f"nengo-tactile run {name}{options_of_source}{repeated}",
        "data": about,
        "seed": seed,
        "classes": list(network.classes),
        "read_out": recording.read_out.to_dict(),
        **measured.numbers(),
        **own,
    }
    if not _kind(numbers).on_chip:
        del numbers["loihi_joules_rough"]
    arrays = {"outputs": recording.outputs, "labels": measured.labels}
    if recording.decisions is not None:
        arrays["decisions"] = recording.decisions
    for kind in ("spike_counts", "spikes_over_time", "synops_over_time"):
        arrays |= {f"{kind}/{k}": v for k, v in getattr(recording, kind).items()}
    files.write_npz(out / "recording.npz", dt=np.array(recording.dt), **arrays)
    files.write_json(out / "results.json", numbers)
    say(f"wrote {out / 'results.json'} and recording.npz")
    return _run_table(numbers)


def _run_on_images(network, x, y, n_steps, engine, options, progress, say):
    """Run a converted network; returns what was measured, and its own numbers."""
    _check_memory(network, len(x))
    targets = targets_of(network.read_out, y)
    recording = engines.run(network, x, n_steps, engine=engine, progress=progress, **options)
    for note in recording.notes:
        say(note)
    rates = training.predict(network.ann, network.ann_input(x)).reshape(len(x), -1)
    own = {f"ann_{targets.what}": targets.measure(rates)}
    if engine == "loihi":
        own["chip"] = chip_report(network, options.get("on_host")).to_dict()
    return paths.Measured(recording, targets.y), own


def _task_for(network, task_name):
    """Name and task: the given one, that of the network's card, or that of its sensor."""
    if task_name is None:
        task_name = network.card.get("task")
    if network.image is None:
        if task_name is None:
            raise DataError(
                "the network does not know how recordings become its input: choose a task of "
                "images with --task, give --x FILE and --y FILE, or convert it with a task"
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


def _chosen(n_samples, n_wanted, seed):
    """Indices of all samples, or of random ones in their order."""
    if n_wanted is None:
        return np.arange(n_samples)
    return np.sort(np.random.default_rng(seed).permutation(n_samples)[:n_wanted])


def _settings(engine, n_steps, n_samples, seed, scale, options):
    """The options of a command line that repeats a run."""
    steps = "" if n_steps is None else f" --steps {n_steps}"
    samples = "" if n_samples is None else f" --samples {n_samples}"
    scaled = "" if scale is None else f" --scale {scale}"
    own = "".join(f" --{name.replace('_', '-')} {_word(given)}" for name, given in options.items())
    return f" --engine {engine}{own}{steps}{samples}{scaled} --seed {seed}"


def _word(given):
    """An option as the command line takes it."""
    if isinstance(given, (str, float, int)):
        return str(given)
    return ",".join(given) or "none"


def _run_table(numbers):
    from rich.table import Table

    table = Table(title=f"{numbers['network']} on {numbers['engine']}", title_justify="left")
    for column in ("what", "value"):
        table.add_column(column)
    kind = _kind(numbers)
    what = _what(numbers)
    rows = {
        "data": f"{numbers['data']}, {numbers['split']}, {numbers['n_test']} samples",
        f"{what} of the {kind.reference}": f"{numbers[kind.key]:.4f}",
        f"{what} of the {kind.measured}": f"{numbers[what]:.4f} after {numbers['n_steps']} steps",
        "latency": f"step {numbers['latency_step']}",
        "spikes per sample": f"{numbers['spikes']:,.0f} "
        f"({numbers['spikes_to_latency']:,.0f} to the latency)",
        "synaptic operations per sample": f"{numbers['synops']:,.0f} "
        f"({numbers['synops_to_latency']:,.0f} to the latency)",
    }
    if "largest_difference" in numbers:
        rows["largest difference of outputs"] = f"{numbers['largest_difference']:.1e}"
    if kind.on_chip:
        joules = numbers["loihi_joules_rough"]
        rows["Loihi energy, rough"] = f"{joules * 1e6:.2f} microjoules"
    for name, value in rows.items():
        table.add_row(name, value)
    for row in numbers["layers"]:
        table.add_row(
            f"firing rate of {row['layer']}",
            f"mean {row['mean_hz']:.1f} Hz, 99.9th percentile {row['percentile_hz']:.0f} Hz, "
            f"{row['silent_share']:.0%} silent, {row['saturated_share']:.2%} saturated",
        )
    return table


def _what(numbers):
    """Whether a run's numbers are of the accuracy, or of the error of values."""
    return "error" if "error" in numbers else "accuracy"


def _kind(numbers):
    """What a run's numbers are of, one of `event_runs.KINDS`.

    Raises
    ------
    KeyError
        If they are of none.
    """
    for kind in event_runs.KINDS:
        if kind.key in numbers:
            return kind
    raise KeyError(event_runs.KINDS[0].key)


def write_run_report(folder):
    """Write report.html for the folder of a `run_network`.

    Returns
    -------
    Path
    """
    folder = Path(folder)
    numbers, measured, chip = _read_run(folder)
    kind = _kind(numbers)
    what = _what(numbers)
    sections = [
        pages.curve_section(
            {numbers["engine"]: np.array(numbers[f"{what}_over_time"])},
            numbers[kind.key],
            measured.recording.dt,
            **({"read_out": kind.read_out} if kind.read_out else {}),
            **({"spread": measured.targets.spread} if what == "error" else {}),
        ),
        pages.activity_section(measured, energy=kind.on_chip),
        *pages.mistakes_sections(measured, numbers["classes"]),
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
                KeyNumber(what, _told(what, numbers[what]), kind.where_measured),
                KeyNumber(kind.short, _told(what, numbers[kind.key]), kind.where_reference),
                KeyNumber("latency", f"{numbers['latency_step']} steps"),
            ],
            sections=sections,
        ),
    )
    return path


def _told(what, value):
    return f"{value:.1%}" if what == "accuracy" else f"{value:.4g}"


def _read_run(folder):
    """Numbers, run and chip report (or None) of a folder that `run_network` wrote."""
    try:
        numbers = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        missing = {"network", "classes", "data", "split", "seed", "read_out"} - set(numbers)
        if missing:
            raise KeyError(*sorted(missing))
        _kind(numbers)
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
            read_out=ReadOut.from_dict(numbers["read_out"]),
        )
        chip = ChipReport(**numbers["chip"]) if "chip" in numbers else None
        return numbers, paths.Measured(recording, stored["labels"]), chip
    except Exception as error:  # zip, JSON and numpy have error classes of their own
        raise ModelFileError(
            f"{folder}: is not the folder of a run ({type(error).__name__}: {error}): make one "
            "with nengo-tactile run"
        ) from error
