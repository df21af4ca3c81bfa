"""What the command line's longer commands do: convert and check. Callable from Python too."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nengo_tactile import files
from nengo_tactile.commands import held_out, paths
from nengo_tactile.commands.networks import find_model
from nengo_tactile.commands.samples import Files, files_of
from nengo_tactile.commands.scales import find_scale
from nengo_tactile.commands.shown import Source, scaled
from nengo_tactile.commands.tasks import TASKS, images, open_task, task_named
from nengo_tactile.conversion.check import check
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.diagnosis import diagnose
from nengo_tactile.conversion.ends import read_out_of
from nengo_tactile.conversion.neurons import LIF
from nengo_tactile.conversion.reading import describe, plain
from nengo_tactile.errors import DataError
from nengo_tactile.files import path_of
from nengo_tactile.networks.folders import check_folder
from nengo_tactile.networks.image_scale import ImageScale
from nengo_tactile.networks.targets import targets_of
from nengo_tactile.saved import kind_of, load, shipped_models


def convert_model(
    model,
    out,
    task_name=None,
    data_dir=None,
    seed=0,
    progress=None,
    say=print,
    x=None,
    y=None,
    scale=None,
    for_chip=False,
    neuron=None,
    n_steps=None,
    max_loss=None,
    minimise="packets",
    quantise=None,
):
    """Convert a Keras model, with scales and all else chosen on training samples.

    These are of a task, or in files. Some of them are held out of calibration, for the accuracies
    of model, rates and spikes that are printed and kept on the card.

    Parameters
    ----------
    model : path or str
        A .keras, .h5 or .npz file, or the name of weights that come with the package.
    out : path
        Folder of the spiking network.
    task_name : str, optional
    data_dir : path, optional
    seed : int
        Seed of the choice of training samples.
    progress : bool, optional
    say : callable
    x, y : str, optional
        Files of training samples and their labels (or values): see
        `nengo_tactile.commands.samples.Files`.
    scale : str, optional
        What images are multiplied with to become the model's input ("1/255"), with an offset
        ("2/255,-1"); by default found: see `nengo_tactile.commands.scales.find_scale`. Kept with
        the network.
    for_chip : bool
        Choose settings that hold on the Loihi emulator: see
        `nengo_tactile.engines.chip_settings.chip_settings`.
    neuron : LIF, IF or SigmaDelta, optional
        With ``for_chip`` it is LIF where it would be chosen for steps or a loss.
    n_steps, max_loss, minimise, quantise : optional
        See `nengo_tactile.conversion.convert.convert`.

    Returns
    -------
    SpikingNetwork

    Raises
    ------
    DataError
        If no samples are named, or they do not fit the model.
    EngineError
        If no settings hold on the emulator.
    """
    if for_chip and neuron is None and (n_steps, max_loss) != (None, None):
        neuron = LIF()  # what would be chosen, the emulator does not run
    given = files_of(task_name, x, y)
    if given is None and task_name is None:
        known = ", ".join(name for name, task in TASKS.items() if task.layers)
        raise DataError(
            "training samples decide the network's scales, and none are named: give --task with "
            f"one of {known}, or --x FILE (and --y FILE) with samples of your own"
        )
    task = None if task_name is None else task_named(task_name)
    scale = None if scale is None else ImageScale.from_text(scale)
    check_folder(out)
    keras = find_model(model)
    if task is None:
        samples = _of_files(given, keras, seed)
    else:
        samples = _of_task(task, task_name, keras, data_dir, seed, progress)
    targets = None if samples.y is None else targets_of(read_out_of(plain(keras))[0], samples.y)
    if scale is None and samples.image is not None:
        scale = ImageScale()  # the task's images are what its networks take
    elif scale is None:
        scale, told = find_scale(keras, samples.x, targets)
        if told is not None:
            say(told)
    network = convert(
        keras,
        scale.apply(samples.x),
        neuron,
        labels=None if targets is None or targets.are_values else targets.y,
        n_steps=n_steps,
        max_loss=max_loss,
        minimise=minimise,
        quantise=quantise,
        image=samples.image,
        classes=samples.classes,
        seed=seed,
        progress=progress,
    )
    if for_chip:
        network, told = _for_chip(network, scale.apply(samples.x), progress)
        say(told)
    comparison = None
    if samples.held_y is not None and len(samples.held_x):
        targets = targets_of(network.read_out, samples.held_y)
        held = scale.apply(samples.held_x)
        comparison = held_out.compare(keras, network, held, targets, progress)
    card = {"summary": f"Converted from {Path(model).name}.", **samples.source, "seed": seed}
    card |= network.card
    if not scale.is_none:
        card["scale"] = str(scale)
    if comparison is not None:
        measured = f"{comparison.what} on {comparison.n_samples} held-out training samples"
        card[measured] = comparison.measured
    network = dataclasses.replace(network, card=card, scale=scale)
    network.save(out)
    say(_summary(out, network))
    if comparison is None:
        missing = "labels (--y)" if samples.held_y is None else "more samples"
        say(f"model, rates and spikes were not compared on held-out samples: give {missing}")
    else:
        for line in (str(comparison), *comparison.warnings):
            say(line)
    return network


def _for_chip(network, x, progress):
    from nengo_tactile.engines.chip_settings import changes, chip_settings

    held = chip_settings(network, x=x, progress=progress)
    return held, changes(network, held, held.n_steps)[0]


class _Training(NamedTuple):
    """Training samples for calibration, and others held out of it.

    Attributes
    ----------
    x, y, held_x, held_y : arrays
        Labels are None where there are none.
    classes : tuple of str
    image : TactileImage or None
    source : dict
        For the card.
    """

    x: np.ndarray
    y: np.ndarray | None
    held_x: np.ndarray
    held_y: np.ndarray | None
    classes: tuple
    image: object
    source: dict


def _of_files(given, model, seed):
    x, y = given.read(tuple(model.input_shape[1:]))
    chosen, held = held_out.split(len(x), paths.CALIBRATION_SAMPLES, seed)
    labels = (None, None) if y is None else (y[chosen], y[held])
    source = {"samples": given.options.strip()}
    return _Training(x[chosen], labels[0], x[held], labels[1], (), None, source)


def _of_task(task, name, model, data_dir, seed, progress):
    shape = tuple(model.input_shape[1:])
    if task.shape != shape:
        raise DataError(
            f"model '{model.name}' takes samples of shape {shape}, task {name!r} has "
            f"{task.shape}: choose another --task, or give --x FILE with samples of that shape"
        )
    dataset = open_task(task, "train", data_dir)
    chosen, held = held_out.split(len(dataset), paths.CALIBRATION_SAMPLES, seed)
    # in random order: tuning takes the first ones, and data sets may be sorted by class
    x, y = images(task, dataset, np.concatenate([chosen, held]), progress)
    n = len(chosen)
    source = {"task": name}
    return _Training(x[:n], y[:n], x[n:], y[n:], dataset.classes, task.image, source)


def _summary(out, network):
    synapse = "none" if network.synapse is None else f"{network.synapse * 1000:g} ms"
    thresholds = ""
    if network.accumulates:
        values = [f"{s.neuron.threshold:.3g}" for s in network.graph if s.fires]
        thresholds = f", thresholds {', '.join(values)}, {network.n_steps} steps"
    chosen = f"; chosen: {network.card['chosen']}" if "chosen" in network.card else ""
    layers = ", ".join(network.spiking_layers)
    return f"wrote {out}: {layers} spike, synapse {synapse}{thresholds}{chosen}"


def check_model(model, x=None, scale=None, nir=False):
    """Say for each layer of a model whether it can be converted.

    Parameters
    ----------
    model : path or str
        See `convert_model`.
    x : str, optional
        File of samples, on which what would be converted is compared with the model.
    scale : str, optional
        See `convert_model`; here images are by default taken as they are.
    nir : bool
        See `nengo_tactile.check`.

    Returns
    -------
    nengo_tactile.conversion.check.Check
    """
    if scale is not None and x is None:
        raise DataError(f"--scale {scale} without --x: give the file of samples too")
    path = path_of(model)
    # a file's table names layers that cannot be read, too
    source = path if path.is_file() and path.suffix != ".npz" else find_model(model)
    if x is None:
        return check(source, nir=nir)
    samples, _ = Files(x).read(describe(source).input_shape)
    if scale is not None:
        samples = ImageScale.from_text(scale).apply(samples)
    return check(source, samples, nir)


def is_network(source):
    """Whether a path or name is a converted network's, which has layers to diagnose.

    Parameters
    ----------
    source : path or str
    """
    folder = shipped_models().get(str(source), path_of(source))
    return (folder / "network.json").is_file() and kind_of(folder) == "converted"


def check_network(
    name,
    x=None,
    y=None,
    scale=None,
    task=None,
    split="test",
    n_steps=None,
    n_samples=256,
    data_dir=None,
    seed=0,
    out=None,
    progress=None,
    say=print,
):
    """Say which layers of a saved network cost it accuracy.

    Parameters
    ----------
    name : path or str
        A folder, or a shipped network's name.
    x, y, scale : str, optional
        Files of samples and labels instead of a task, and their scale.
    task : str, optional
        By default the network's own.
    split : str
    n_steps : int, optional
        By default the network's.
    n_samples : int or None
        So many random ones.
    data_dir : path, optional
    seed : int
    out : path, optional
        File that gets the numbers as JSON.
    progress : bool, optional
    say : callable

    Returns
    -------
    nengo_tactile.conversion.diagnosis.Diagnosis
    """
    source = Source(files_of(task, x, y), task, split, data_dir, n_samples, seed)
    network = scaled(load(name), scale)
    shown = source.read(network, progress)
    targets = targets_of(network.read_out, shown.y)
    labels = None if targets.are_values else targets.y
    diagnosis = diagnose(network, shown.x, labels, n_steps, progress)
    if out is not None:
        source = {"network": str(name), "data": shown.about, **shown.source, "seed": seed}
        files.write_json(out, source | diagnosis.to_dict())
        say(f"wrote {out}")
    return diagnosis
