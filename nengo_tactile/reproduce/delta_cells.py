"""Runs of the sigma-delta paper's network over many images, minibatch by minibatch.

A cell is a setting. Its file holds sums over the images that were shown so far and is written
after every minibatch, so that an interrupted run goes on; the converted network lies beside it.
"""

import dataclasses
from pathlib import Path

import numpy as np

from nengo_tactile import engines, files
from nengo_tactile.ann.training import predict
from nengo_tactile.conversion import convert
from nengo_tactile.conversion.convert import prepare
from nengo_tactile.conversion.passes import layers_to_spike
from nengo_tactile.progress import track
from nengo_tactile.reproduce.cells import fingerprint, kept_network, recordings, stored
from nengo_tactile.reproduce.delta_plan import CODING, N_STEPS, NEURONS, SETTINGS, SHOWN, WEIGHTS
from nengo_tactile.reproduce.networks import trained
from nengo_tactile.reproduce.resnet_cells import read_data
from nengo_tactile.reproduce.tasks import images, open_task, task_named
from nengo_tactile.saved import load

#: Test images that are recorded at once; a cell's file is written after each minibatch.
MINIBATCH = 250
#: Factors on the threshold that are tried for each layer, in turns.
FACTORS = (0.5, 0.7, 1.4, 2.0)
#: Turns over the layers.
TURNS = 3


@dataclasses.dataclass(frozen=True)
class Images:
    """Images of MNIST.

    Attributes
    ----------
    data : resnet_cells.Data
        Calibration images, and test images in random order.
    first : (1, 28, 28, 1) array
        The first test image, of the paper's Figure 2.
    label : int
    """

    data: object
    first: np.ndarray
    label: int


def read_images(seed=0, data_dir=None):
    """Read MNIST: see `Images`."""
    task = task_named("mnist")
    x, y = images(task, open_task(task, "test", data_dir), [0])
    return Images(read_data("mnist", seed, data_dir), x, int(y[0]))


def run_cell(plan, key, data, folder, progress=None):
    """Show test images to a converted network, those that were not shown yet.

    Parameters
    ----------
    plan : delta_plan.Plan
    key : str
        Of `SETTINGS`.
    data : resnet_cells.Data
    folder : path
    progress : bool, optional

    Returns
    -------
    dict
        Sums over the first ``n_done`` images, as in the cell's file: ``hits`` after each step,
        ``ann_hits`` of the trained network on grey images, ``bit_hits`` on those of one bit,
        ``quantised_hits`` of the quantised ANN on those, ``spikes`` and ``synops`` after each
        step, ``layers`` (spikes and synaptic operations by layer).
    """
    setting = SETTINGS[key]
    model = trained(WEIGHTS, plan.weights)
    mark = fingerprint(model, data, {"setting": repr(setting), "seed": plan.seed})
    path = Path(folder) / "cells" / f"{key}.json"
    state = stored(path, mark) or {
        "fingerprint": mark,
        "setting": key,
        "n_done": 0,
        **{name: [0] * setting.n_steps for name in ("hits", "spikes", "synops")},
        **dict.fromkeys(("ann_hits", "bit_hits", "quantised_hits", "seconds"), 0),
        "layers": {},
    }
    wanted = len(data.y) if plan.n_samples is None else min(plan.n_samples, len(data.y))
    starts = range(state["n_done"], wanted, MINIBATCH)
    if not starts:
        return state
    spiking = converted(model, key, data, mark, folder, progress)
    state["thresholds"] = thresholds_of(spiking)
    for shown, recording in recordings(
        spiking, data.x, setting.n_steps, starts, state, setting.title, progress
    ):
        _add(state, recording, spiking, data.x[shown], data.y[shown], model)
        files.write_json(path, state)
    return state


def thresholds_of(spiking):
    """{layer: threshold}; none for neurons that fire at rates."""
    if not spiking.accumulates:
        return {}
    return {s.name: s.neuron.threshold for s in spiking.stages if s.neuron is not None}


def counted(spiking, recording):
    """Layers whose spikes count: the input's and those of neurons, not maxima passed on."""
    names = ["input", *(s.name for s in spiking.stages if s.neuron is not None)]
    return [name for name in names if name in recording.spikes_over_time]


def _add(state, recording, spiking, x, y, model):
    """Add the sums of one minibatch to a cell's."""
    bits = CODING.total(x)
    state["ann_hits"] += int((predict(model, x).argmax(1) == y).sum())
    state["bit_hits"] += int((predict(model, bits).argmax(1) == y).sum())
    if spiking.accumulates:
        state["quantised_hits"] += int((predict(spiking.ann, bits).argmax(1) == y).sum())
    names = counted(spiking, recording)
    sums = {
        "hits": (recording.predictions() == y[:, None]).sum(0),
        "spikes": sum(recording.spikes_over_time[name].sum(0) for name in names).cumsum(),
        "synops": sum(each.sum(0) for each in recording.synops_over_time.values()).cumsum(),
    }
    for name, values in sums.items():
        state[name] = [int(a + b) for a, b in zip(state[name], values)]
    for name, synops in recording.synops.items():
        spikes = recording.spikes_over_time[name].sum()
        before = state["layers"].get(name, {"spikes": 0, "synops": 0})
        state["layers"][name] = {
            "spikes": before["spikes"] + int(spikes),
            "synops": before["synops"] + int(synops.sum()),
        }
    state["n_done"] += len(y)


def converted(model, key, data, mark, folder, progress=None):
    """The spiking network of a setting, from its folder if it was converted before."""
    setting = SETTINGS[key]

    def make():
        options = dict(setting.options)
        if setting.budget is not None:
            options["threshold"] = within_budget(model, data.calibration, setting.budget, progress)
        return convert(
            model,
            data.calibration,
            n_steps=setting.n_steps,
            classes=data.classes,
            progress=progress,
            **options,
        )

    card = {"summary": f"{WEIGHTS}, {setting.title}.", "task": "mnist"}
    return kept_network(Path(folder) / "networks" / key, mark, make, card)


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
        options = {"neuron": "sigma-delta", "coding": CODING, "n_steps": N_STEPS}
        spiking = convert(model, x, threshold=thresholds, **options)
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


def first_image(data, folder):
    """What Figure 2 shows of the first test image, of the network of `delta_plan.SHOWN`.

    Parameters
    ----------
    data : Images
    folder : path
        Where that cell was run.

    Returns
    -------
    dict
        ``label``, ``image``, ``input`` (time and pixel of each input spike), ``times`` and
        ``outputs`` (the read-out after each spike that changed it).
    """
    spiking = load(Path(folder) / "networks" / SHOWN)
    recording = engines.run(spiking, data.first, engine="event", progress=False, trace=True)
    trace = recording.trace
    times = CODING.times(data.first).reshape(-1)
    pixels = np.flatnonzero(np.isfinite(times))
    return {
        "label": data.label,
        "image": data.first[0, ..., 0].tolist(),
        "input": {"times": times[pixels].tolist(), "pixels": pixels.tolist()},
        "times": trace.time.tolist(),
        "outputs": trace.outputs.tolist(),
    }
