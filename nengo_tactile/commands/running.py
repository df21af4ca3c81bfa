"""``nengo-tactile run`` and ``report``: a saved network on a task's recordings or images."""

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np

from nengo_tactile import __version__, engines, files
from nengo_tactile.analysis import Measured, accuracy_text
from nengo_tactile.commands import costs, deciding, pages
from nengo_tactile.commands.explored import Explored, explored
from nengo_tactile.commands.samples import files_of
from nengo_tactile.commands.shown import Source, run_options, scaled
from nengo_tactile.commands.tasks import any_task_named
from nengo_tactile.conversion.diagnosis import Diagnosis, check_neurons, diagnose
from nengo_tactile.doors.archives import read_npz
from nengo_tactile.doors.plain import Door
from nengo_tactile.engines.chip_report import ChipReport
from nengo_tactile.engines.recording import Recording
from nengo_tactile.errors import DataError, ModelFileError, printable
from nengo_tactile.files import path_of
from nengo_tactile.networks.folders import digest
from nengo_tactile.networks.protocol import Network, Reference, runner
from nengo_tactile.networks.read_out import ReadOut
from nengo_tactile.networks.targets import targets_of
from nengo_tactile.report import KeyNumber, Report
from nengo_tactile.report import write_report as write_page
from nengo_tactile.saved import load

#: Spike counts that a run keeps at most, one of 4 bytes for each neuron and sample.
COUNTS_IN_MEMORY = 10**9
#: Of a recording, by layer.
_COUNTS = (
    *("spike_counts", "spikes_over_time", "units_over_time", "synops_over_time"),
    "chip_synops_over_time",
    "rasters",
)


def run_network(
    name,
    out,
    task_name=None,
    split="test",
    engine=None,
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
    with_diagnosis=False,
    margin=None,
    verify=None,
    rasters=None,
    max_loss=None,
):
    """Run a saved network on a task's recordings, or on files, and write what was measured.

    Writes results.json and recording.npz into ``out``. ``on_host``, ``target``,
    ``least_agreement`` and ``verify`` are the Loihi engine's (see
    `nengo_tactile.engines.loihi.run`); ``x``, ``y`` and ``scale`` are as for
    `nengo_tactile.commands.converting.convert_model`, by default with the network's own scale.
    ``with_diagnosis`` adds which layers cost accuracy (see
    `nengo_tactile.conversion.diagnosis.diagnose`). ``margin`` is the event engine's.
    Of the first ``rasters`` samples all spikes are kept, which the report draws. With ``max_loss``
    (points) it also says how soon recordings are decided: see `nengo_tactile.commands.deciding`.

    Returns
    -------
    numbers : dict
        As in results.json.
    tables : list of rich.table.Table
    """
    source = Source(files_of(task_name, x, y), task_name, split, data_dir, n_samples, seed)
    options = {"on_host": on_host, "target": target, "least_agreement": least_agreement}
    options["verify"] = verify
    options["rasters"] = rasters
    options["margin"] = margin if margin is None else _levels(margin)
    options = {name: value for name, value in options.items() if value is not None}
    network = load(name)
    engine = network.fastest if engine is None else engine
    deciding.check(network, source, margin, max_loss)
    engines.check_run(network, n_steps, engine, options)
    if with_diagnosis:
        check_neurons(network)
    network = scaled(network, scale)
    out = path_of(out)
    files.check_writable(out)
    shown = source.read(network, progress, _check_memory)
    samples = shown.x
    targets = targets_of(network.read_out, shown.y)
    recording = engines.run(network, samples, n_steps, engine, progress, **options)
    for note in recording.notes:
        say(note)
    measured = Measured(recording, targets.y, samples)
    repeated = run_options(engine, n_steps, n_samples, seed, scale, **options)
    repeated += "" if max_loss is None else f" --max-loss {max_loss:g}"
    about = {
        "network": printable(str(name)),
        **shown.source,
        "command": f"nengo-tactile run {name}{shown.options}{repeated}",
        "data": shown.about,
        "seed": seed,
    }
    numbers = _numbers(network, measured, about, options.get("on_host"), progress)
    if max_loss is not None:
        run = {name: value for name, value in options.items() if name not in ("rasters", "verify")}
        told = {"n_steps": n_steps, "progress": progress, "engine": engine, **run}
        task = shown.source["task"]
        numbers |= deciding.decisions_of(network, measured, source, task, max_loss, **told)
    if with_diagnosis:
        labels = None if targets.are_values else targets.y
        diagnosis = diagnose(network, samples, labels, recording.n_steps, progress)
        numbers["diagnosis"] = diagnosis.to_dict()
    numbers = _write(out, network, numbers, measured, shown.source.get("task"))
    say(f"wrote {out / 'results.json'} and recording.npz")
    return numbers, [_run_table(numbers)]


def write_report(
    network: Network,
    recording: Recording,
    x: Any,
    labels: np.ndarray,
    out: str | Path,
    progress: bool | None = None,
) -> Path:
    """Write a run as results.json, recording.npz and a page to read, report.html.

    Parameters
    ----------
    network : Network
        That ran.
    recording : Recording
        Of `nengo_tactile.run`.
    x : samples
        That it was shown, as ``network.encode`` gives them.
    labels : (n_samples, ...) array
        Or values, of a regression.
    out : path
        A folder.
    progress : bool, optional

    Returns
    -------
    Path
        Of report.html, one file without requests: see docs/reports.md.

    Raises
    ------
    DataError
        If samples, labels and recording are not as many.
    """
    out = path_of(out)
    files.check_writable(out)
    if not len(x) == len(labels) == recording.n_samples:
        raise DataError(
            f"{len(x)} samples, {len(labels)} labels and a recording of {recording.n_samples}: "
            "give the samples that ran, and a label for each"
        )
    measured = Measured(recording, targets_of(network.read_out, labels).y, x)
    about = {"network": type(network).__name__, "data": "data given in Python", "split": "all"}
    numbers = _numbers(network, measured, {**about, "seed": None}, None, progress)
    _write(out, network, numbers, measured, None)
    return write_run_report(out)


def _numbers(network, measured, about, on_host, progress):
    """What is measured of a run, behind what is said about it."""
    recording = measured.recording
    numbers = {
        **about,
        "classes": list(network.classes),
        "read_out": recording.read_out.to_dict(),
        "decision": network.decision,
        "reference": network.reference._asdict(),
        **measured.numbers(network),
        **network.compare(measured.x, measured.labels, recording, progress),
        **deciding.numbers_of(network, measured),
    }
    if recording.engine == "loihi":
        numbers["chip"] = runner(network, "loihi").chip_report(network, on_host).to_dict()
    if recording.exit_steps is not None:
        numbers["mean_steps"] = float(recording.exit_steps.mean())
    return numbers


def _write(out, network, numbers, measured, task):
    """Write results.json and recording.npz; returns the numbers as they are read again."""
    recording = measured.recording
    arrays = {"outputs": recording.outputs, "labels": measured.labels}
    if recording.decisions is not None:
        arrays["decisions"] = recording.decisions
    if recording.decision_margins is not None:
        arrays["decision_margins"] = recording.decision_margins
    for kind in _COUNTS:
        arrays |= {f"{kind}/{k}": v for k, v in getattr(recording, kind).items()}
    arrays |= _kept(network, measured, task)
    arrays |= {"dt": np.array(recording.dt), "chip_neurons": np.array(recording.chip_neurons)}
    numbers = json.loads(json.dumps(numbers, default=files.plain))
    numbers["sha256"] = digest(numbers, arrays)
    files.write_npz(out / "recording.npz", arrays)
    files.write_json(out / "results.json", numbers)
    return numbers


def _kept(network, measured, task):
    """Arrays of the samples that the report can step through."""
    image = None if task is None else any_task_named(task).image
    found = explored(network, measured, image is not None and image.upright)
    arrays = {"explored": found.indices}
    return arrays if found.frames is None else {**arrays, "frames": found.frames}


def _levels(text):
    """One level, or those of all steps, of a text of numbers joined by commas."""
    try:
        levels = [float(word) for word in str(text).split(",")]
    except ValueError:
        raise DataError(f"--margin {text}: give a number, or one for each step: 9,7,5") from None
    return levels[0] if len(levels) == 1 else levels


def _check_memory(network, n_samples):
    """Refuse a run whose spike counts, kept for every neuron and sample, would fill the memory."""
    neurons = network.n_neurons
    largest = COUNTS_IN_MEMORY // max(neurons, 1)
    if n_samples > largest:
        raise DataError(
            f"{n_samples} samples of {neurons:,} neurons are {n_samples * neurons * 4 / 1e9:.1f} "
            f"GB of spike counts: choose at most --samples {largest} (nengo-tactile reproduce "
            "spiking-resnet keeps sums only)"
        )


def _run_table(numbers):
    from rich.table import Table

    table = Table(title=f"{numbers['network']} on {numbers['engine']}", title_justify="left")
    for column in ("what", "value"):
        table.add_column(column)
    reference, what = Reference(**numbers["reference"]), _what(numbers)

    def told(value):
        return accuracy_text(value, numbers["n_test"]) if what == "accuracy" else f"{value:.4f}"

    rows = {
        "data": f"{numbers['data']}, {numbers['split']}, {numbers['n_test']} samples",
        f"{what} of the {reference.name}": told(numbers[_compared(numbers)]),
        **_bound_row(numbers, what, told),
        f"{what} of the {reference.measured}": f"{told(numbers[what])}, after "
        f"{numbers['n_steps']} steps",
        "latency": f"step {numbers['latency_step']}",
        "spikes per sample": f"{numbers['spikes']:,.0f} "
        f"({numbers['spikes_to_latency']:,.0f} to the latency)",
        "unit spikes per sample": f"{numbers['unit_spikes']:,.0f} "
        f"({numbers['unit_spikes_to_latency']:,.0f} to the latency)",
        "synaptic operations per sample": f"{numbers['synops']:,.0f} "
        f"({numbers['synops_to_latency']:,.0f} to the latency)",
    }
    rows |= deciding.rows(numbers)
    if "mean_steps" in numbers:
        rows["steps per sample"] = f"{numbers['mean_steps']:.2f}, stopped by their margin"
    if "largest_difference" in numbers:
        rows["largest difference of outputs"] = f"{numbers['largest_difference']:.1e}"
    if numbers["passed_on_synops"]:
        rows["of these operations"] = costs.passed_on(numbers)
    if numbers["relays"]:
        rows["of these spikes"] = costs.relayed(numbers)
    if numbers["ann_multiplications"] is not None:
        rows["multiplications of the ANN"] = f"{numbers['ann_multiplications']:,} a sample"
    rows |= costs.neurobench_rows(numbers)
    for row in costs.energy_rows(numbers):
        about = f", {row['source']}" if row["source"] else ""
        rows[f"energy: {row['energy of a sample']}"] = f"{row['energy']}{about}"
    for name, value in rows.items():
        table.add_row(name, value)
    for row in numbers["layers"]:
        table.add_row(
            f"firing rate of {row['layer']}",
            f"mean {row['mean_hz']:.1f} Hz, 99.9th percentile {row['percentile_hz']:.0f} Hz, "
            f"{row['silent_share']:.0%} silent, {row['saturated_share']:.2%} saturated",
        )
    return table


def _bound_row(numbers, what, told):
    """What a network for few steps would have whose layers wait, where that was measured."""
    bound = numbers.get(f"bound_{what}")
    return {} if bound is None else {f"{what} where layers wait": told(bound)}


def _what(numbers):
    """Whether a run's numbers are of the accuracy, or of the error of values."""
    return "error" if "error" in numbers else "accuracy"


def _compared(numbers):
    """Key of the measure that a run is compared with."""
    return f"{numbers['reference']['key']}_{_what(numbers)}"


def write_run_report(folder):
    """Write report.html for the folder of a `run_network`.

    Returns
    -------
    Path
    """
    folder = path_of(folder)
    numbers, measured, chip, explored = read_run(folder)
    reference, what = Reference(**numbers["reference"]), _what(numbers)
    compared, n = numbers[_compared(numbers)], numbers["n_test"]
    tiles = {
        f"{what} of the {reference.measured}": numbers[what],
        f"{what} of the {reference.name}": compared,
        f"{what} where layers wait": numbers.get(f"bound_{what}"),
    }
    sections = [
        pages.curve_section(
            {numbers["engine"]: np.array(numbers[f"{what}_over_time"])},
            compared,
            len(measured.labels),
            measured.recording.dt,
            numbers["decision"],
            reference.short,
            **({"spread": measured.targets.spread} if what == "error" else {}),
        ),
        *deciding.sections(numbers),
        *pages.explorer_sections(measured, numbers["classes"], explored),
        pages.activity_section(measured.recording, numbers),
        *pages.raster_sections(measured, numbers["classes"]),
        *pages.mistakes_sections(measured, numbers["classes"]),
    ]
    if "diagnosis" in numbers:
        sections.append(pages.diagnosis_section(Diagnosis.from_dict(numbers["diagnosis"])))
    if chip is not None:
        sections.append(pages.chip_section(chip, numbers))
    told = {
        "command": numbers.get("command"),
        "data": f"{numbers['data']}, {numbers['split']}",
        "seed": numbers["seed"],
        "nengo-tactile": __version__,
        "date": datetime.date.today().isoformat(),
    }
    path = folder / "report.html"
    write_page(
        path,
        Report(
            f"{numbers['network']} on {numbers['engine']}",
            f"{numbers['n_test']:,} samples of the {numbers['data']}.",
            {what: value for what, value in told.items() if value is not None},
            [
                *(_tile(name, what, v, n) for name, v in tiles.items() if v is not None),
                KeyNumber("latency", f"{numbers['latency_step']} steps"),
            ],
            sections=sections,
        ),
    )
    return path


def _tile(label, what, value, n):
    """A card for an accuracy or error on n samples."""
    if what == "accuracy":
        return pages.accuracy_number(label, value, n)
    return KeyNumber(label, f"{value:.4g}", f"root mean square, {n:,} samples")


def read_run(folder):
    """What `run_network` wrote: numbers, run, chip report and what can be explored, or None."""
    door = Door(ModelFileError, "make one with nengo-tactile run")
    with door.guarded(folder, "is not the folder of a run"):
        numbers = door.json(folder / "results.json")
        missing = {"network", "classes", "data", "split", "seed", "read_out", "decision"}
        missing = missing - set(numbers) or {_compared(numbers)} - set(numbers)
        if missing:
            raise KeyError(*sorted(missing))
        Reference(**numbers["reference"])
        if "diagnosis" in numbers:
            Diagnosis.from_dict(numbers["diagnosis"])
        stored = read_npz(folder / "recording.npz", door)
        if numbers["sha256"] != digest(numbers, stored):
            what = "results.json or recording.npz is damaged (they do not have their digest)"
            raise door.refusal(folder, what)
        parts = {kind: {} for kind in _COUNTS}
        for name, array in stored.items():
            kind, _, layer = name.partition("/")
            if kind in parts:
                parts[kind][layer] = array
        recording = Recording(
            stored["outputs"],
            **parts,
            dt=float(stored["dt"]),
            chip_neurons=int(stored["chip_neurons"]),
            engine=numbers["engine"],
            decisions=stored.get("decisions"),
            decision_margins=stored.get("decision_margins"),
            read_out=ReadOut.from_dict(numbers["read_out"]),
        )
        chip = ChipReport(**numbers["chip"]) if "chip" in numbers else None
        kept = Explored(stored["explored"], stored.get("frames")) if "explored" in stored else None
        return numbers, Measured(recording, stored["labels"]), chip, kept
