"""Test images shown to the sigma-delta paper's network; a cell is a setting."""

import dataclasses

import numpy as np

from nengo_tactile import engines
from nengo_tactile.ann.training import predict
from nengo_tactile.conversion.convert import convert, prepare
from nengo_tactile.conversion.neurons import SigmaDelta
from nengo_tactile.conversion.passes import layers_to_spike
from nengo_tactile.conversion.reading import plain
from nengo_tactile.experiments.ledgers import add
from nengo_tactile.experiments.workers import Cell
from nengo_tactile.files import path_of
from nengo_tactile.papers import images
from nengo_tactile.papers.sigma_delta.plan import CODING, N_STEPS, NEURONS, SETTINGS, SHOWN, WEIGHTS
from nengo_tactile.progress import track

#: Test images that are recorded at once; a cell's file is written after each minibatch.
MINIBATCH = 250
#: Factors on the threshold that are tried for each layer, in so many turns over the layers.
FACTORS, TURNS = (0.5, 0.7, 1.4, 2.0), 3


def cells(plan, data_dir):
    """A cell for each setting."""
    shared = {"n_samples": plan.n_samples, "seed": plan.seed, "data_dir": data_dir}
    shared["weights"] = plan.weights and str(path_of(plan.weights).absolute())
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
    names = layers_to_spike(prepare(plain(model)))
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
        "label": int(label),
        "image": x[0, ..., 0].tolist(),
        "input": {"times": times[pixels].tolist(), "pixels": pixels.tolist()},
        "times": trace.time.tolist(),
        "outputs": trace.outputs.tolist(),
    }
