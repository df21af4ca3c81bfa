"""Sigma-delta networks (Yousefzadeh et al. 2019): Table I, Figures 2 to 4, ours beside theirs.

The paper's thresholds are in the unit of its own network's activations. Ours are in a
unit in which a threshold of 1.0 takes about the paper's spikes (`nengo_tactile.ann.digits`).
"""

import dataclasses
from pathlib import Path

import numpy as np

from nengo_tactile import engines
from nengo_tactile.analysis import plots_delta
from nengo_tactile.ann.digits import NAME
from nengo_tactile.ann.training import predict
from nengo_tactile.conversion.convert import convert, prepare
from nengo_tactile.conversion.neurons import IF, SigmaDelta
from nengo_tactile.conversion.passes import layers_to_spike
from nengo_tactile.errors import DataError
from nengo_tactile.events.coding import DelayCoding
from nengo_tactile.experiments.ledgers import add
from nengo_tactile.experiments.papers import Paper
from nengo_tactile.experiments.plans import Plan
from nengo_tactile.experiments.tables import Figure, Table, form, percent, points
from nengo_tactile.experiments.workers import Cell
from nengo_tactile.options import option
from nengo_tactile.papers import images
from nengo_tactile.progress import track
from nengo_tactile.report import KeyNumber, Note
from nengo_tactile.reproduce.networks import train_command, weights_file
from nengo_tactile.reproduce.tasks import TASKS

#: Name of the trained weights.
WEIGHTS = f"mnist-{NAME}"
#: The input's spikes of 0.8 time units, recorded in steps of 0.01.
CODING = DelayCoding(n_steps=80, largest=255.0)
#: One more step, in which neurons that still lack a spike fire.
N_STEPS = CODING.n_steps + 1
#: Neurons that the paper's 15k are: pixels, two convolutions, dense layer, outputs.
NEURONS = 28 * 28 + 28 * 28 * 16 + 14 * 14 * 8 + 256 + 10
#: Multiplications of the ANN by the paper's footnote 10, which leaves out that each filter of the
#: second convolution reads 16 channels; and with them. Each is counted as two accumulations.
PAPER_MACS = 28 * 28 * 16 * 25 + 14 * 14 * 8 * 25 + 256 * 7 * 7 * 8 + 10 * 256
MACS = PAPER_MACS + 15 * 14 * 14 * 8 * 25
ANN_OPERATIONS = {"paper's count": 2 * PAPER_MACS, "all channels": 2 * MACS}
#: Points of accuracy within which the ANN's counts as reached.
REACHED = 0.02
#: Test images that are recorded at once; a cell's file is written after each minibatch.
MINIBATCH = 250
#: Factors on the threshold that are tried for each layer, in so many turns over the layers.
FACTORS, TURNS = (0.5, 0.7, 1.4, 2.0), 3


@dataclasses.dataclass(frozen=True)
class Setting:
    """One way to convert and run the network.

    Attributes
    ----------
    title : str
    neuron : SigmaDelta or IF
    n_steps : int
    paper : dict
        Table I: ``ann``, ``quantised``, ``snn`` (accuracy) and ``spikes`` per neuron and image.
    budget : float or None
        Spikes per neuron and image that thresholds by layer are searched for.
    """

    title: str
    neuron: object
    n_steps: int = N_STEPS
    paper: dict = dataclasses.field(default_factory=dict)
    budget: float | None = None

    @property
    def spikes_by_change(self):
        """Whether neurons are sigma-delta ones; else they fire at rates."""
        return self.neuron.sends_changes


def _delta(title, paper=None, budget=None, **options):
    return Setting(title, SigmaDelta(coding=CODING, **options), N_STEPS, paper or {}, budget)


def _rate(n_steps, snn, spikes):
    paper = {"ann": 0.9921, "snn": snn, "spikes": spikes}
    return Setting(f"rate coding, {n_steps} steps", IF(), n_steps, paper)


#: Table I, then what is ours alone.
SETTINGS = {
    "threshold-1": _delta(
        "threshold 1.0",
        {"ann": 0.9921, "quantised": 0.9881, "snn": 0.9919, "spikes": 0.25},
        threshold=1.0,
    ),
    "threshold-2": _delta(
        "threshold 2.0",
        {"ann": 0.9921, "quantised": 0.9644, "snn": 0.9726, "spikes": 0.08},
        threshold=2.0,
    ),
    "rate-25": _rate(25, 0.9918, 0.48),
    "rate-15": _rate(15, 0.9880, 0.26),
    "outputs": _delta("threshold 1.0, outputs spike too", threshold=1.0, output_threshold=1.0),
    "threshold-0.5": _delta("threshold 0.5", threshold=0.5),
    "budget-0.1": _delta("threshold by layer, at most 0.10", budget=0.10),
    "budget-0.05": _delta("threshold by layer, at most 0.05", budget=0.05),
}
#: Setting that the figures show.
SHOWN = "threshold-1"


@dataclasses.dataclass(frozen=True)
class DeltaPlan(Plan):
    """Settings, how many random test images (None: all), folder of weights (None: the package's),
    seed of the choice of images.
    """

    settings: tuple = option(
        tuple(SETTINGS),
        "threshold-1,rate-25,... (default: all).",
        choices=SETTINGS,
    )
    n_samples: int | None = option(None, "Use so many random samples.", flag="--samples", least=1)
    weights: str | Path | None = option(None, "Folder of trained weights (default: the package's).")
    seed: int = option(0, "Seed of every random draw.", always=True)

    def __post_init__(self):
        super().__post_init__()
        if not weights_file(WEIGHTS, self.weights):
            raise DataError(
                f"the network is not trained: train it with\n  "
                f"{train_command(WEIGHTS, f'{WEIGHTS}.npz')}\nand give its folder (--weights)"
            )


# -------------------------------------------------------------------------------------- cells


def cells(plan, data_dir):
    """A cell for each setting."""
    shared = {"n_samples": plan.n_samples, "seed": plan.seed, "data_dir": data_dir}
    shared["weights"] = plan.weights and str(Path(plan.weights).absolute())
    return [Cell(key, show, {"key": key, **shared}) for key in plan.settings]


def show(ledger, key, n_samples, weights, seed, data_dir):
    """Show test images to the network in a setting; and the first one spike by spike.

    Returns
    -------
    dict
        Sums over the first ``n_done`` images: ``hits`` after each step, ``ann_hits`` of the
        trained network on grey images, ``bit_hits`` on those of one bit, ``quantised_hits`` of
        the quantised ANN on those, ``spikes`` and ``synops`` after each step, ``layers`` (spikes
        and synaptic operations by layer). Of `SHOWN` ``first``, see `first_image`.
    """
    setting, data = SETTINGS[key], images.read("mnist", seed, data_dir)
    model, weights_digest = images.trained(WEIGHTS, weights)
    state = ledger.begin(
        {"setting": repr(setting), "seed": seed},
        {"data mnist": data.digest, f"weights {WEIGHTS}": weights_digest},
        {
            **{"setting": key, "n_done": 0, "layers": {}},
            **{name: [0] * setting.n_steps for name in ("hits", "spikes", "synops")},
            **dict.fromkeys(("ann_hits", "bit_hits", "quantised_hits", "seconds"), 0),
        },
    )
    x = data.x[:n_samples]
    if state["n_done"] >= len(x):
        return state
    spiking = ledger.network(
        lambda: converted(model, setting, data, ledger.progress),
        {"summary": f"{WEIGHTS}, {setting.title}.", "task": "mnist"},
    )
    if spiking.accumulates:
        neurons = [stage for stage in spiking.graph if stage.fires]
        state["thresholds"] = {stage.name: stage.neuron.threshold for stage in neurons}
    if key == SHOWN:
        state["first"] = first_image(spiking, *data.first)
    for shown, recording in ledger.shown(
        state, spiking, x, setting.n_steps, MINIBATCH, setting.title
    ):
        add_sums(state, recording, spiking, data.x[shown], data.y[shown], model)
    return state


def counted(spiking, recording):
    """Layers whose spikes count: the input's and those of neurons, not maxima passed on."""
    names = ["input", *(s.name for s in spiking.graph if s.fires)]
    return [name for name in names if name in recording.spikes_over_time]


def add_sums(state, recording, spiking, x, y, model):
    """Add the sums of one minibatch to a cell's."""
    bits, over_time = CODING.total(x), recording.spikes_over_time
    add(
        state,
        ann_hits=(predict(model, x).argmax(1) == y).sum(),
        bit_hits=(predict(model, bits).argmax(1) == y).sum(),
        hits=(recording.predictions() == y[:, None]).sum(0),
        spikes=sum(over_time[name].sum(0) for name in counted(spiking, recording)).cumsum(),
        synops=sum(each.sum(0) for each in recording.synops_over_time.values()).cumsum(),
    )
    if spiking.accumulates:
        add(state, quantised_hits=(predict(spiking.ann, bits).argmax(1) == y).sum())
    for name, synops in recording.synops.items():
        layer = state["layers"].setdefault(name, {"spikes": 0, "synops": 0})
        add(layer, spikes=over_time[name].sum(), synops=synops.sum())


def converted(model, setting, data, progress=None):
    """The spiking network of a setting."""
    neuron = setting.neuron
    if setting.budget is not None:
        thresholds = within_budget(model, data.calibration, setting.budget, progress)
        neuron = dataclasses.replace(neuron, threshold=thresholds)
    shared = {"n_steps": setting.n_steps, "classes": data.classes, "progress": progress}
    return convert(model, data.calibration, neuron, **shared)


def within_budget(model, x, budget, progress=None):
    """Thresholds by layer whose outputs are nearest to the Keras model's, within a spike budget.

    From the finest equal ones within the budget, one layer's threshold after another is made
    coarser or finer, if the outputs come nearer that way, in a few turns.

    Parameters
    ----------
    model : tf.keras.Model
    x : (n_samples, 28, 28, 1) array
        Training images.
    budget : float
        Spikes per neuron and image, those of the input with them.
    progress : bool, optional

    Returns
    -------
    dict of str to float
    """
    names = layers_to_spike(prepare(model))
    wanted = predict(model, x)

    def measure(thresholds):
        neuron = SigmaDelta(threshold=thresholds, coding=CODING)
        spiking = convert(model, x, neuron, n_steps=N_STEPS)
        recording = engines.run(spiking, x, engine="event", progress=False)
        spikes = sum(recording.spike_counts[n].sum() for n in counted(spiking, recording))
        error = float(((recording.outputs[:, -1] - wanted) ** 2).mean())
        return error, spikes / NEURONS / len(x)

    best, threshold = None, 0.5
    while best is None:
        thresholds = dict.fromkeys(names, threshold)
        error, spikes = measure(thresholds)
        if spikes <= budget:
            best = error
        threshold *= 2**0.5
    for turn in track(range(TURNS * len(names)), "thresholds by layer", progress=progress):
        name = names[turn % len(names)]
        start = thresholds[name]
        for factor in FACTORS:
            candidate = {**thresholds, name: start * factor}
            error, spikes = measure(candidate)
            if spikes <= budget and error < best:
                best, thresholds = error, candidate
    return thresholds


def first_image(spiking, x, label):
    """What Figure 2 shows: input spikes of an image, and the read-out after each change."""
    trace = engines.run(spiking, x, engine="event", progress=False, trace=True).trace
    times = CODING.times(x).reshape(-1)
    pixels = np.flatnonzero(np.isfinite(times))
    return {
        "label": label,
        "image": x[0, ..., 0].tolist(),
        "input": {"times": times[pixels].tolist(), "pixels": pixels.tolist()},
        "times": trace.time.tolist(),
        "outputs": trace.outputs.tolist(),
    }


# ------------------------------------------------------------------------------------ numbers


def summarise(plan, states):
    """Rows of Table I, curves of Figures 3 and 4, Figure 2's image."""
    return {
        "engine": "event",
        "rows": rows_of(states),
        "curves": [curve(SETTINGS[key], state) for key, state in states.items()],
        "figure2": states.get(SHOWN, {}).get("first"),
        "ann_operations": ANN_OPERATIONS,
    }


def line(plan, key, state):
    """A setting's result, for the terminal."""
    (row,) = (row for row in rows_of({key: state}) if row["kind"] == "snn")
    return (
        f"{SETTINGS[key].title}: {row['ours_mean']:.4f}, {row['lost_points']:+.2f} points lost, "
        f"{row['spikes']:.3f} spikes per neuron, {row['synops']:,.0f} accumulations, "
        f"{row['n_test']:,} images"
    )


def rows_of(states):
    """Rows of Table I and ours: kind "ann", "quantised" or "snn"; spikes per neuron and image."""
    rows = []
    if states:
        first = max(states.values(), key=lambda state: state["n_done"])
        rows.append(_row("ANN", first, first["ann_hits"], 0.9921, "ann", setting=None))
        name = "ANN, images of one bit"
        rows.append(_row(name, first, first["bit_hits"], None, "ann", setting=None))
    for key, state in states.items():
        setting = SETTINGS[key]
        paper, n = setting.paper, state["n_done"]
        if setting.spikes_by_change and key != "outputs":
            name, known = f"quantised ANN, {setting.title}", paper.get("quantised")
            rows.append(_row(name, state, state["quantised_hits"], known, "quantised"))
        rows.append(
            _row(
                f"SNN, {setting.title}",
                state,
                state["hits"][-1],
                paper.get("snn"),
                "snn",
                spikes=state["spikes"][-1] / n / NEURONS,
                paper_spikes=paper.get("spikes"),
                synops=state["synops"][-1] / n,
                paper_lost_points=100 * (paper["ann"] - paper["snn"]) if paper else None,
                n_steps=None if setting.spikes_by_change else setting.n_steps,
                thresholds=state.get("thresholds", {}),
            )
        )
    return rows


def _row(name, state, hits, paper, kind, **more):
    n = state["n_done"]
    return {
        **{"name": name, "paper": paper, "paper_sd": None, "ours_mean": hits / n},
        **{"ours_sd": None, "n_splits": 1, "n_test": n, "data": TASKS["mnist"].about},
        **{"setting": state["setting"], "kind": kind},
        **dict.fromkeys(("spikes", "paper_spikes", "synops")),
        "lost_points": 100 * (state["ann_hits"] - hits) / n,
        **{"paper_lost_points": None, "n_steps": None, "thresholds": {}},
        **more,
    }


def curve(setting, state):
    """Figures 3 and 4: accuracy by time, spikes and operations, means over the images."""
    n = state["n_done"]
    accuracy, synops = np.array(state["hits"]) / n, np.array(state["synops"]) / n
    time = np.arange(1, setting.n_steps + 1)
    if setting.spikes_by_change:
        time = np.minimum(time, CODING.n_steps) * CODING.span / CODING.n_steps
    short = np.flatnonzero(accuracy < state["ann_hits"] / n - REACHED / 100 - 1e-9)
    first = short[-1] + 1 if len(short) else 0
    layers = state["layers"].items()
    return {
        "setting": state["setting"],
        "time": time.tolist(),
        "accuracy": accuracy.tolist(),
        "spikes": (np.array(state["spikes"]) / n / NEURONS).tolist(),
        "synops": synops.tolist(),
        "ann_accuracy": state["ann_hits"] / n,
        "synops_to_ann": float(synops[first]) if first < len(synops) else None,
        "images_per_second": n / state["seconds"] if state["seconds"] else None,
        "layers": {name: {k: v / n for k, v in sums.items()} for name, sums in layers},
    }


# -------------------------------------------------------------------------- tables and figures


def _accuracy_by(cost, label, rates=True, marked=False):
    """Draws accuracy over a cost, sigma-delta first, so that a setting keeps its colour."""

    def draw(results):
        found = sorted(results["curves"], key=lambda c: not SETTINGS[c["setting"]].spikes_by_change)
        lines = {
            SETTINGS[c["setting"]].title: (c[cost], c["accuracy"])
            for c in found
            if rates or SETTINGS[c["setting"]].spikes_by_change
        }
        if not lines:
            return None
        counts = results["ann_operations"].items() if marked else ()
        marks = {f"ANN, {name}": value for name, value in counts}
        return plots_delta.accuracy_by(lines, label, results["curves"][0]["ann_accuracy"], marks)

    return draw


def _potentials(results):
    first = results.get("figure2")
    return first and plots_delta.potentials_over_time(
        first["times"], first["outputs"], first["label"], CODING.span
    )


def _input_spikes(results):
    first = results.get("figure2")
    return first and plots_delta.input_spikes(
        first["input"]["times"], first["input"]["pixels"], first["image"]
    )


def _layers(results):
    return [
        {"setting": SETTINGS[curve["setting"]].title, "layer": name, **sums}
        for curve in results["curves"]
        for name, sums in curve["layers"].items()
    ]


TABLES = {
    "table1": Table(
        "Table I",
        lambda results: results["rows"],
        {
            "network": ("name", str),
            "paper": ("paper", percent),
            "ours": ("ours_mean", percent),
            "lost, paper": ("paper_lost_points", points),
            "lost, ours": (lambda r: None if r["name"] == "ANN" else r["lost_points"], points),
            "spikes, paper": ("paper_spikes", form(".2f")),
            "spikes, ours": ("spikes", form(".3f")),
            "accumulations": ("synops", form(",.0f")),
        },
        "Accuracy in per cent; lost: points less than the ANN has on the same grey images "
        f"(negative: more); spikes per image and neuron, of {NEURONS:,} neurons, pixels and "
        "outputs with them; accumulations: synaptic operations for an image.",
        titled=False,
        heading=lambda results: (
            f"Table I, {max(row['n_test'] for row in results['rows']):,} test images"
        ),
    ),
    "layers": Table(
        "Activity and cost by layer",
        _layers,
        {
            "setting": ("setting", str),
            "layer": ("layer", str),
            "spikes": (lambda row: round(row["spikes"], 1), lambda value: value),
            "accumulations": (lambda row: round(row["synops"]), lambda value: value),
        },
        "For one image. Max pooling passes on changes of the largest sum; these are not counted "
        "as spikes of neurons, but what they cost is.",
        short=False,
        titled=False,
    ),
}
FIGURES = {
    "figure2-potentials": Figure(
        _potentials,
        "Figure 2a: potentials of the outputs for the first test image, after each spike that "
        "changed them.",
        "Lines of ten membrane potentials over time",
    ),
    "figure2-spikes": Figure(
        _input_spikes,
        "Figures 2b and 2c: spikes of that image, one for each pixel brighter than a fifth.",
        "Spikes by time and pixel, and a handwritten digit",
    ),
    "figure3-time": Figure(
        _accuracy_by("time", "time (time units)", rates=False),
        "Figure 3a: accuracy over time, if one stopped reading then.",
        "Accuracy rising over time towards the ANN's",
    ),
    "figure3-spikes": Figure(
        _accuracy_by("spikes", "spikes per neuron so far"),
        "Figure 3b: accuracy over the spikes so far.",
        "Accuracy rising over spikes towards the ANN's",
    ),
    "figure4": Figure(
        _accuracy_by("synops", "accumulations for an image so far", marked=True),
        "Figure 4: accuracy over the accumulations so far. Vertical lines: multiplications of the "
        "ANN as two accumulations each, as the paper counts them (455 K, without the 16 channels "
        "that each filter of the second convolution reads), and all of them.",
        "Accuracy rising over operations towards the ANN's",
    ),
}
NOTE = (
    "Thresholds are in the unit of activations, and so depend on how a network was trained. Ours "
    "learnt with activations quantised at random thresholds of up to 2, with a price on each "
    "spike, and with shifted images, half of them of one bit; the paper's with plain gradient "
    "descent. Thresholds by layer are chosen on training images. Rate coding takes the grey image "
    "as a constant current and our integrate-and-fire neurons, and what that current costs in the "
    "first layer, once, is not among its accumulations; the paper used another toolbox, in which "
    "pixels spike."
)


def key_numbers(results):
    """Tiles of the settings that the paper has."""
    return [
        KeyNumber(
            row["name"],
            f"{row['ours_mean']:.2%}",
            f"{row['lost_points']:+.2f} points lost, {row['spikes']:.3f} spikes per neuron, "
            f"{row['n_test']:,} images",
        )
        for row in results["rows"]
        if row["kind"] == "snn" and row["setting"] in (SHOWN, "threshold-2")
    ]


PAPER = Paper(
    name="sigma-delta",
    title="Sigma-delta networks",
    lead="The paper's network for MNIST, 16C5-2MP2-8C5-2MP2-256FC-10FC, whose neurons send "
    "changes of their quantised activation, run spike by spike.",
    about="Table I and Figures 2 to 4 of the sigma-delta paper; an interrupted run goes on.",
    source="Yousefzadeh et al., Conversion of Synchronous Artificial Neural Network to "
    "Asynchronous Spiking Neural Network using sigma-delta quantization, Table I, Figures 2 to 4",
    plan=DeltaPlan,
    cells=cells,
    summarise=summarise,
    line=line,
    tables=lambda results: TABLES,
    figures=lambda results: FIGURES,
    sections=lambda results: (
        ("Table I", "", ("table1",)),
        ("Figure 2: one image", "", ("figure2-potentials", "figure2-spikes")),
        ("Figure 3: accuracy over time and spikes", "", ("figure3-time", "figure3-spikes")),
        ("Figure 4: accuracy over operations", "", ("figure4",)),
        ("Activity and cost by layer", "", ("layers",)),
    ),
    notes=lambda results: [Note(NOTE)],
    key_numbers=key_numbers,
)
