"""Networks converted for each kind of spikes and number of steps, and shown their test samples."""

import math
import time
from pathlib import Path

from nengo_tactile.analysis.overlap import overlaps
from nengo_tactile.ann.training import predict
from nengo_tactile.conversion.bound import waiting_outputs
from nengo_tactile.conversion.convert import convert
from nengo_tactile.experiments.ledgers import add
from nengo_tactile.experiments.workers import Cell
from nengo_tactile.papers.few_steps.plan import NETWORKS, SETTINGS
from nengo_tactile.papers.few_steps.subjects import subject

#: Test samples that run side by side; a cell's file is written after each minibatch.
MINIBATCH = 200
#: Numbers that the read-outs of a minibatch may take, of all steps: those of maps are many.
OUTPUTS = 20_000_000
#: Who decides: how its sums begin.
WHO = ("", "bound_", "ann_")


def cells(plan, data_dir):
    """A cell for each network, kind of spikes and number of steps."""
    weights = plan.weights and str(Path(plan.weights).absolute())
    shared = {"n_calibration": plan.n_calibration, "n_samples": plan.n_samples}
    shared |= {"weights": weights, "seed": plan.seed, "data_dir": data_dir}
    return [
        Cell(f"{name}.{key}.{n}", show, {"name": name, "key": key, "n_steps": n, **shared})
        for name, key, n in plan.runs()
    ]


def show(ledger, name, key, n_steps, n_calibration, n_samples, weights, seed, data_dir):
    """Show test samples to a converted network, those that were not shown yet.

    Returns
    -------
    dict or None
        Sums over the first ``n_done`` samples: ``hits`` after the last step, ``bound_hits`` of the
        network whose layers wait, ``ann_hits`` of the trained network, ``spikes`` as packets,
        ``units``, ``synops``; and ``conversion_seconds``. Of networks that decide at ``n_places``
        of a sample also ``overlaps``, ``bound_overlaps`` and ``ann_overlaps``, intersections and
        unions of each class. None where there are no such weights.
    """
    setting = SETTINGS[key]
    plain = subject(name, False, weights, seed, data_dir)
    source = subject(name, True, weights, seed, data_dir) if setting.tuned else plain
    if source is None:
        return None
    settings = {"neuron": repr(setting.neuron), "n_steps": n_steps, "seed": seed}
    settings["n_calibration"] = n_calibration
    start = {"network": name, "setting": key, "n_steps": n_steps, "data": source.about}
    sums = ("n_done", "hits", "bound_hits", "ann_hits", "spikes", "units", "synops")
    start |= dict.fromkeys((*sums, "seconds", "conversion_seconds"), 0)
    start["n_places"] = math.prod(source.y.shape[1:])
    if source.y.ndim > 1:
        start |= {f"{who}overlaps": [0] * 2 * len(source.classes) for who in WHO}
    state = ledger.begin(settings, plain.inputs | source.inputs, start)
    x = source.x[:n_samples]
    if state["n_done"] >= len(x):
        return state

    def converted():
        began = time.monotonic()
        network = convert(
            source.model,
            source.train[:n_calibration],
            setting.neuron,
            n_steps=n_steps,
            classes=source.classes,
            seed=seed,
            progress=ledger.progress,
        )
        state["conversion_seconds"] = time.monotonic() - began
        return network

    title = f"{NETWORKS[name]}, {setting.title}, {n_steps} steps"
    network = ledger.network(converted, {"summary": f"{title}."})
    values = n_steps * start["n_places"] * len(source.classes)
    at_once = max(1, min(MINIBATCH, OUTPUTS // values))
    for shown, recording in ledger.shown(state, network, x, n_steps, at_once, title):
        _add_sums(state, recording, x[shown], source.y[shown], plain.model, network)
    return state


def _add_sums(state, recording, x, y, model, network):
    """Add the sums of one minibatch to a cell's."""
    waiting = waiting_outputs(network.layers, x, state["n_steps"])
    last = recording.read_out.decide(recording.outputs[:, -1])
    decided = last, waiting.argmax(-1), predict(model, x).argmax(-1)
    sums = {}
    for who, classes in zip(WHO, decided):
        sums[f"{who}hits"] = (classes == y).sum()
        if f"{who}overlaps" in state:
            sums[f"{who}overlaps"] = overlaps(classes, y, len(network.classes)).ravel()
    for name in ("spikes", "units", "synops"):
        series = getattr(recording, f"{name}_over_time")
        sums[name] = sum(each.sum() for each in series.values())
    add(state, **sums)
