"""Converted networks shown many images, and the firing rates of figure 3.

A cell is a network in a setting. The event engine runs them: it fires the spikes of NengoDL's and
is faster.
"""

import numpy as np

from nengo_tactile.ann.training import predict
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.layerwise import simulate
from nengo_tactile.experiments.ledgers import add
from nengo_tactile.experiments.workers import Cell
from nengo_tactile.files import path_of
from nengo_tactile.papers import images
from nengo_tactile.papers.spiking_resnet.plan import NETWORKS, SETTINGS
from nengo_tactile.progress import track

#: Test images that run side by side; a cell's file is written after each minibatch.
MINIBATCH = 50
#: Share of the steps that the late read-out leaves out, as `convert`'s ``discard`` would. On 600
#: training images 0.5 was best of 0, 0.25, 0.5 and 0.75 for ResNet-20 after 64 steps and more.
LATE = 0.5
#: Training images between two writings of figure 3's sums.
AT_A_TIME = 500


def cells(plan, data_dir):
    """A cell for each network and setting, and for the firing rates of each network."""
    found = [cell(plan, network.name, key, data_dir) for network, key in plan.runs()]
    if "figure3" in plan.parts:
        found += [
            Cell(f"{name}.rates", rates, {"name": name, **_shared(plan, plan.n_figure3, data_dir)})
            for name in plan.networks
            if "figure3" in NETWORKS[name].parts()
        ]
    return found


def cell(plan, name, key, data_dir):
    """The cell of a network in a setting."""
    options = _shared(plan, plan.n_samples, data_dir)
    return Cell(f"{name}.{key}", show, {"name": name, "key": key, **options})


def _shared(plan, n_samples, data_dir):
    weights = plan.weights and str(path_of(plan.weights).absolute())
    shared = {"n_steps": plan.n_steps, "weights": weights, "seed": plan.seed}
    return {"n_samples": n_samples, **shared, "data_dir": data_dir}


def _begin(ledger, name, key, n_steps, weights, seed, data, start):
    """State of a cell, the trained network, and the one that is converted (after fine-tuning)."""
    setting = SETTINGS[key]
    model, digest = images.trained(name, weights)
    inputs, source = {f"data {NETWORKS[name].task}": data.digest, f"weights {name}": digest}, model
    if setting.tuned:
        source, inputs[f"weights {name}-qcfs"] = images.trained(f"{name}-qcfs", weights)
    settings = {"neuron": repr(setting.neuron), "n_steps": n_steps, "seed": seed}
    start = {"network": name, "setting": key, "n_steps": n_steps, "n_done": 0, **start}
    return ledger.begin(settings, inputs, start), model, source


def _converted(ledger, name, key, n_steps, data, source):
    """The spiking network, from its folder if it was converted before."""
    network, setting = NETWORKS[name], SETTINGS[key]
    summary = f"{network.title}: {setting.title}, {n_steps} time steps."
    return ledger.network(
        lambda: convert(
            source,
            data.calibration,
            setting.neuron,
            n_steps=n_steps,
            classes=data.classes,
            progress=ledger.progress,
        ),
        {"summary": summary, "task": network.task},
        f"{name}.{key}",
    )


def show(ledger, name, key, n_samples, n_steps, weights, seed, data_dir):
    """Show test images to a converted network, those that were not shown yet.

    Returns
    -------
    dict
        Sums over the first ``n_done`` images: ``hits`` after each step, ``late_hits`` if the
        read-out had left out the first half of the steps so far, ``ann_hits`` of the trained
        network, ``static_hits`` of the network that was converted (another one after
        fine-tuning), ``same`` (spikes and converted network agree after the last step),
        ``spikes`` and ``synops`` by layer.
    """
    setting, data = SETTINGS[key], images.read(NETWORKS[name].task, seed, data_dir)
    n_steps = setting.n_steps or n_steps
    start = {"hits": [0] * n_steps, "late_hits": [0] * n_steps}
    start |= dict.fromkeys(("ann_hits", "static_hits", "same", "seconds"), 0)
    start |= {"spikes": {}, "synops": {}}
    state, model, source = _begin(ledger, name, key, n_steps, weights, seed, data, start)
    x = data.x[:n_samples]
    if state["n_done"] >= len(x):
        return state
    spiking = _converted(ledger, name, key, n_steps, data, source)
    state["factors"] = factors(spiking.ann)
    title = f"{NETWORKS[name].title}, {setting.title}"
    for shown, recording in ledger.shown(state, spiking, x, n_steps, MINIBATCH, title):
        add_sums(state, recording, x[shown], data.y[shown], model, source)
    return state


def add_sums(state, recording, x, y, model, source):
    """Add the sums of one minibatch to a cell's."""
    ann = predict(model, x).argmax(1)
    static = ann if source is model else predict(source, x).argmax(1)
    winners = recording.predictions()
    add(
        state,
        hits=(winners == y[:, None]).sum(0),
        late_hits=(late(recording.outputs).argmax(2) == y[:, None]).sum(0),
        ann_hits=(ann == y).sum(),
        static_hits=(static == y).sum(),
        same=(winners[:, -1] == static).sum(),
    )
    for key, counts in (("spikes", recording.spikes_over_time), ("synops", recording.synops)):
        for layer, each in counts.items():
            state[key].setdefault(layer, 0)
            add(state[key], **{layer: each.sum()})


def late(outputs):
    """Read-out that leaves out the first steps, from one over all steps.

    Parameters
    ----------
    outputs : (n_samples, n_steps, n_classes) array
        Means over the steps so far.

    Returns
    -------
    array of the same shape
        Means over the last steps, without the first `LATE` of them.
    """
    stop = np.arange(1, outputs.shape[1] + 1)
    start = np.floor(stop * LATE).astype(int)
    sums = np.pad(outputs.astype(float) * stop[:, None], ((0, 0), (1, 0), (0, 0)))
    return (sums[:, stop] - sums[:, start]) / (stop - start)[:, None]


def factors(model):
    """Compensation factors of a model's layers of neurons, where they are not 1."""
    found = {
        layer.name: layer.parameters.compensation
        for layer in model.layers
        if type(layer).__name__ == "RateIF"
    }
    return {name: factor for name, factor in found.items() if factor != 1}


def rates(ledger, name, n_samples, n_steps, weights, seed, data_dir):
    """Maximum firing rate of each layer on random training images (figure 3).

    The network starts at zero, as the paper's, and nothing is compensated. The layers are
    simulated one after another (`nengo_tactile.conversion.layerwise`), not by an engine.

    Returns
    -------
    dict
        ``histograms`` by layer in the order of computation: how many neurons, over all images,
        fired 0, 1, ... spikes; of ``n_done`` images.
    """
    key, data = "beta-zero", images.read(NETWORKS[name].task, seed, data_dir)
    state, _, model = _begin(ledger, name, key, n_steps, weights, seed, data, {"histograms": {}})
    x = data.train[:n_samples]
    starts = range(state["n_done"], len(x), AT_A_TIME)
    if not starts:
        return state
    spiking = _converted(ledger, name, key, n_steps, data, model)
    title = f"{NETWORKS[name].title}, firing rates"
    for start in track(starts, title, progress=ledger.progress):
        part = x[start : start + AT_A_TIME]
        for layer, histogram in simulate(spiking.layers, part, n_steps).histograms.items():
            state["histograms"].setdefault(layer, [0] * (n_steps + 1))
            add(state["histograms"], **{layer: histogram})
        state["n_done"] += len(part)
        ledger.write(state)
    return state
