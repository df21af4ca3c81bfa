"""Runs of converted networks over many images, part by part, so that an interrupted one goes on.

A cell is a network in a setting. Its file holds sums over the images that were shown so far, and
is written after every part; the converted network lies beside it. The event engine runs them: it
fires the spikes of NengoDL's and is faster.
"""

import dataclasses
import functools
from pathlib import Path

import numpy as np

from nengo_tactile import files
from nengo_tactile.ann.training import predict
from nengo_tactile.conversion import convert
from nengo_tactile.conversion.layerwise import simulate
from nengo_tactile.progress import track
from nengo_tactile.reproduce import paths
from nengo_tactile.reproduce.cells import fingerprint, kept_network, recordings, stored
from nengo_tactile.reproduce.networks import trained
from nengo_tactile.reproduce.resnet_plan import SETTINGS
from nengo_tactile.reproduce.tasks import images, open_task, task_named

#: Test images that run side by side; a cell's file is written after each minibatch.
MINIBATCH = 50
#: Share of the steps that the late read-out leaves out, as `convert`'s ``discard`` would. On 600
#: training images 0.5 was best of 0, 0.25, 0.5 and 0.75 for ResNet-20 after 64 steps and more.
LATE = 0.5
#: Training images between two writings of figure 3's sums.
AT_A_TIME = 500


@dataclasses.dataclass(frozen=True)
class Data:
    """Images of a task, in random order.

    Attributes
    ----------
    calibration : (n, height, width, channels) array
        Training images that all choices are made on.
    train : (n, height, width, channels) array
        Training images for figure 3.
    x, y : arrays
        Test images and labels.
    classes : tuple of str
    """

    calibration: np.ndarray
    train: np.ndarray
    x: np.ndarray
    y: np.ndarray
    classes: tuple

    @functools.cached_property
    def mark(self):
        """Digest of the images."""
        return files.fingerprint("images", self.calibration, self.train, self.x, self.y)


def read_data(task_name, seed=0, data_dir=None):
    """Read a task's images: see `Data`."""
    task = task_named(task_name)
    train_set, test_set = (open_task(task, split, data_dir) for split in ("train", "test"))
    x_train, _ = images(task, train_set)
    x, y = images(task, test_set)
    order = np.random.default_rng(seed).permutation(len(x))
    # other images than those that the networks were calibrated on
    others = np.random.default_rng(seed).permutation(len(x_train))[paths.CALIBRATION_SAMPLES :]
    return Data(
        paths.calibration_samples(x_train, seed),
        x_train[others],
        x[order],
        y[order],
        tuple(test_set.classes),
    )


def run_cell(plan, network, key, data, folder, progress=None):
    """Show test images to a converted network, those that were not shown yet.

    Parameters
    ----------
    plan : Plan
    network : resnet_plan.Network
    key : str
        Of `SETTINGS`.
    data : Data
    folder : path
    progress : bool, optional

    Returns
    -------
    dict
        Sums over the first ``n_done`` images, as in the cell's file: ``hits`` after each step,
        ``late_hits`` if the read-out had left out the first half of the steps so far,
        ``ann_hits`` of the trained network, ``static_hits`` of the network that was converted
        (another one after fine-tuning), ``same`` (spikes and converted network agree after the
        last step), ``spikes`` and ``synops`` by layer.
    """
    setting, n_steps = SETTINGS[key], plan.steps_of(key)
    model = trained(network.name, plan.weights)
    source = trained(f"{network.name}-qcfs", plan.weights) if setting.tuned else model
    settings = {"options": setting.options, "n_steps": n_steps, "seed": plan.seed}
    if setting.tuned:
        settings["ann"] = fingerprint(model, data, None)
    mark = fingerprint(source, data, settings)
    path = Path(folder) / "cells" / f"{network.name}.{key}.json"
    state = stored(path, mark) or {
        "fingerprint": mark,
        "network": network.name,
        "setting": key,
        "n_steps": n_steps,
        "n_done": 0,
        "hits": [0] * n_steps,
        "late_hits": [0] * n_steps,
        **dict.fromkeys(("ann_hits", "static_hits", "same", "seconds"), 0),
        "spikes": {},
        "synops": {},
    }
    wanted = len(data.y) if plan.n_samples is None else min(plan.n_samples, len(data.y))
    starts = range(state["n_done"], wanted, MINIBATCH)
    if not starts:
        return state
    spiking = _converted(source, network, key, n_steps, data, mark, folder, progress)
    state["factors"] = factors(spiking.ann)
    title = f"{network.title}, {setting.title}"
    for shown, recording in recordings(spiking, data.x, n_steps, starts, state, title, progress):
        _add(state, recording, data.x[shown], data.y[shown], model, source)
        files.write_json(path, state)
    return state


def _add(state, recording, x, y, model, source):
    """Add the sums of one part to a cell's."""
    ann = predict(model, x).argmax(1)
    static = ann if source is model else predict(source, x).argmax(1)
    winners = recording.predictions()
    for key, guesses in (("hits", winners), ("late_hits", late(recording.outputs).argmax(2))):
        hits = (guesses == y[:, None]).sum(0)
        state[key] = [int(a + b) for a, b in zip(state[key], hits)]
    state["ann_hits"] += int((ann == y).sum())
    state["static_hits"] += int((static == y).sum())
    state["same"] += int((winners[:, -1] == static).sum())
    for name, counts in recording.spikes_over_time.items():
        state["spikes"][name] = state["spikes"].get(name, 0) + int(counts.sum())
    for name, counts in recording.synops.items():
        state["synops"][name] = state["synops"].get(name, 0) + int(counts.sum())
    state["n_done"] += len(y)


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


def _converted(model, network, key, n_steps, data, mark, folder, progress):
    """The spiking network, from its folder if it was converted before."""
    place = Path(folder) / "networks" / f"{network.name}.{key}"
    summary = f"{network.title}: {SETTINGS[key].title}, {n_steps} time steps."
    return kept_network(
        place,
        mark,
        lambda: convert(
            model,
            data.calibration,
            "if",
            n_steps=n_steps,
            classes=data.classes,
            progress=progress,
            **SETTINGS[key].options,
        ),
        {"summary": summary, "task": network.task},
    )


def run_rates(plan, network, data, folder, progress=None):
    """Maximum firing rate of each layer on random training images (figure 3).

    The network starts at zero, as the paper's, and nothing is compensated. The layers are
    simulated one after another (`nengo_tactile.conversion.layerwise`), not by an engine.

    Returns
    -------
    dict
        ``histograms`` by layer in the order of computation: how many neurons, over all images,
        fired 0, 1, ... spikes; of ``n_done`` images.
    """
    key, n_steps = "beta-zero", plan.n_steps
    model = trained(network.name, plan.weights)
    settings = {"options": SETTINGS[key].options, "n_steps": n_steps, "seed": plan.seed}
    mark = fingerprint(model, data, settings)
    path = Path(folder) / "cells" / f"{network.name}.rates.json"
    state = stored(path, mark) or {
        "fingerprint": mark,
        "network": network.name,
        "n_steps": n_steps,
        "n_done": 0,
        "histograms": {},
    }
    wanted = min(plan.n_figure3, len(data.train))
    starts = range(state["n_done"], wanted, AT_A_TIME)
    if not starts:
        return state
    spiking = _converted(model, network, key, n_steps, data, mark, folder, progress)
    for start in track(starts, f"{network.title}, firing rates", progress=progress):
        stop = min(start + AT_A_TIME, wanted)
        found = simulate(spiking.ann, data.train[start:stop], n_steps).histograms
        for name, histogram in found.items():
            before = state["histograms"].get(name, [0] * (n_steps + 1))
            state["histograms"][name] = [int(a + b) for a, b in zip(before, histogram)]
        state["n_done"] = stop
        files.write_json(path, state)
    return state
