"""What ``nengo-tactile train`` does."""

import dataclasses
import tempfile
import warnings
from pathlib import Path

from nengo_tactile import files, stack
from nengo_tactile.analysis.overlap import mean_overlap
from nengo_tactile.ann import build, digits, training, unet
from nengo_tactile.ann.clip_floor import LEVELS
from nengo_tactile.ann.deepen import deepen
from nengo_tactile.ann.notation import notation_for, parse
from nengo_tactile.ann.residual import standardise
from nengo_tactile.commands import paths
from nengo_tactile.commands.networks import (
    WHOLE_NAMES,
    has_arrays,
    is_residual,
    is_standardised,
    network_named,
    read_weights,
    trained,
    write_weights,
)
from nengo_tactile.commands.tasks import (
    epochs_of,
    images,
    open_task,
    recordings_augmented,
    task_named,
)
from nengo_tactile.conversion.quantise import fine_tune
from nengo_tactile.doors import hdf5
from nengo_tactile.errors import DataError, ModelFileError, NotationError
from nengo_tactile.events.augment import Disturbance
from nengo_tactile.events.encoders import SILENT_UP_TO
from nengo_tactile.files import path_of

#: Recipes by their names on the command line.
RECIPES = {**training.RECIPES, "fine-tune": training.FINE_TUNE}


def train_model(
    network,
    out,
    task_name="eskin",
    recipe=None,
    epochs=None,
    checkpoint=None,
    data_dir=None,
    seed=0,
    mixed_precision=False,
    tune_from=None,
    levels=None,
    deepen_from=None,
    augment=None,
    progress=None,
    say=print,
):
    """Train a network on a task and save it.

    Parameters
    ----------
    network : str
        Papers' notation, with the task's image as its input; or "resnet20", "plain20" and so
        on, "mobilenet", "densenet" or "unet", which begin with feature standardisation; or
        "deltacnn", the sigma-delta paper's.
    out : path
        .keras, .h5, or .npz (plain arrays, see `nengo_tactile.commands.networks`).
    task_name : str
    recipe : str, optional
        One of `RECIPES`; by default the one made for such networks.
    epochs : int, optional
        Instead of the recipe's.
    checkpoint : path, optional
        Rewritten each epoch; training resumes from it.
    data_dir : path, optional
    seed : int
    mixed_precision : bool
        Compute in bfloat16: see `nengo_tactile.ann.training.Recipe`.
    tune_from : str or path, optional
        Go on from these weights (a file of plain arrays, or a name that comes with the
        package), with quantised activations: see `nengo_tactile.conversion.quantise.fine_tune`.
    levels : int, optional
        Of the quantised activations.
    deepen_from : str or path, optional
        Weights of a shallower network of the same kind to begin with: see
        `nengo_tactile.ann.deepen.deepen`.
    augment : str, optional
        What happens to recordings, anew in each epoch, in place of shifted images: see
        `nengo_tactile.events.Disturbance.parsed`.
    progress : bool, optional
    say : callable

    Returns
    -------
    tf.keras.Model
    """
    out = path_of(out)
    task = task_named(task_name)
    _check(network, out, task, task_name, tune_from, levels, deepen_from)
    disturbance = None if augment is None else Disturbance.parsed(augment)
    if disturbance is not None and task.image is None:
        raise DataError(
            f"task {task_name!r} has images, and augment is {augment!r}, which happens to "
            "recordings: leave --augment out, such images are shifted and mirrored as they are"
        )
    name, chosen = _recipe(network, task, recipe, epochs, mixed_precision, tune_from, deepen_from)
    start = None if tune_from is None else _start(tune_from, network)
    shallow = None if deepen_from is None else _weights(deepen_from)
    files.check_writable(out.parent)
    dataset = open_task(task, "train", data_dir)
    x, y = images(task, dataset, progress=progress)
    test = images(task, open_task(task, "test", data_dir), progress=progress)
    data = (x, y) if name == "paper" else epochs_of(task, x, y, seed)
    if disturbance is not None:
        data = recordings_augmented(task, dataset, disturbance, seed)
    if network == digits.NAME:
        data = digits.bit_epochs(x, y, seed, SILENT_UP_TO)
    if start is None:
        if network == digits.NAME:
            model = digits.digits_cnn(seed, noisy=True)
        elif is_standardised(network):
            rescale = standardise(x)
            model = network_named(network, task.shape, len(dataset.classes), rescale, seed)
            if shallow is not None:
                deepen(shallow, model, paths.calibration_samples(x, seed), progress)
                say(f"{deepen_from}: {training.accuracy(model, *test):.4f} before training on")
        else:
            model = build(network, seed=seed)
        training.train(
            model,
            data,
            chosen,
            seed=seed,
            checkpoint=checkpoint,
            progress=progress,
            description=f"training {network}",
        )
        if network == digits.NAME:
            model = digits.without_noise(model)
    else:
        say(f"{tune_from}: {training.accuracy(start, *test):.4f} before fine-tuning")
        model, _ = fine_tune(
            start,
            data,
            paths.calibration_samples(x, seed),
            LEVELS if levels is None else levels,
            chosen,
            seed,
            checkpoint=checkpoint,
            progress=progress,
        )
    write_weights(model, out) if out.suffix == ".npz" else save_keras(model, out)
    say(
        f"{network}, {name} recipe, {chosen.epochs} epochs, seed {seed}: "
        f"{_score(model, *test)} of {len(test[1])} test samples; wrote {out}"
    )
    return model


def _score(model, x, y):
    """Accuracy, or of maps how well they lie on those of the labels, as a text."""
    if y.ndim == 1:
        return f"{training.accuracy(model, x, y):.4f}"
    decisions = training.predict(model, x).argmax(-1)
    return f"mean intersection over union {mean_overlap(decisions, y, model.output_shape[-1]):.4f}"


def _check(network, out, task, task_name, tune_from, levels, deepen_from):
    """Refuse what cannot be trained or written, before any work."""
    residual, has_file = is_residual(network), has_arrays(network)
    if out.suffix not in (".keras", ".h5", ".npz"):
        raise DataError(f"{out}: the model file must end in .keras, .h5 or .npz")
    if out.suffix == ".npz" and not has_file:
        raise DataError(
            f"{out}: .npz is for networks made by name (resnet20, plain20, "
            f"{', '.join(WHOLE_NAMES)}): choose .keras"
        )
    if tune_from is not None and not residual:
        raise DataError(f"network {network!r}: fine-tuning takes residual and plain networks")
    if levels is not None and tune_from is None:
        raise DataError(
            f"levels is {levels}, which fine-tuning has alone: give weights to start from "
            "(--fine-tune)"
        )
    if deepen_from is not None and (not residual or tune_from is not None):
        what = "is fine-tuned (--fine-tune)" if residual else "is no residual or plain network"
        raise DataError(
            f"network {network!r} {what}, but begins with {deepen_from} (--deepen): give --deepen "
            "alone, with resnet32, plain32 and so on"
        )
    if (task.network == unet.NAME) != (network == unet.NAME):
        raise NotationError(
            f"network {network!r} is to be trained on {task_name}: the task scenes, whose labels "
            f"are maps, takes {unet.NAME}, which takes no other"
        )
    if is_standardised(network):
        return
    if network == digits.NAME:
        if task_name != "mnist":
            raise NotationError(
                f"network {network!r} takes MNIST images, not {task_name}: give --task mnist"
            )
        return
    shape, _ = parse(network)
    if shape != task.shape:
        raise NotationError(
            f"network {network!r} takes {shape}, images of {task_name} are {task.shape}: "
            f"begin it with {notation_for(task.shape, '...')[:-4]}"
        )


def _recipe(network, task, name, epochs, mixed_precision, tune_from, deepen_from):
    """Name and recipe: the given one, or the one made for such networks."""
    if name is None:
        name = "modern"
        if tune_from is not None:
            name = "fine-tune"
        elif deepen_from is not None:
            name = "deepen"
        elif network == digits.NAME:
            name = "digits"
        elif network == unet.NAME:
            name = unet.NAME
        elif is_standardised(network):
            name = "mnist-resnet" if task.dataset == "mnist" else "modern-resnet"
    if name not in RECIPES:
        raise DataError(f"recipe {name!r} is unknown: {', '.join(RECIPES)}")
    recipe = RECIPES[name]
    if epochs:
        recipe = dataclasses.replace(recipe, epochs=epochs)
    if mixed_precision:
        recipe = dataclasses.replace(recipe, precision="mixed_bfloat16")
    return name, recipe


def _weights(source):
    path = path_of(source)
    return read_weights(path) if path.suffix == ".npz" else trained(str(source))


def _start(tune_from, network):
    model = _weights(tune_from)
    if model.name != network:
        raise ModelFileError(f"{tune_from}: holds {model.name}, wanted {network}: give its weights")
    return model


@stack.quiet()
def save_keras(model, out):
    """Write a Keras model as .keras or .h5, whole or not at all."""
    with files.atomic_write(out, "wb") as file:
        file.write(_keras_file(model, out.suffix))


def _keras_file(model, ending):
    """A .keras or .h5 file of a model, in bytes."""
    if ending == ".h5":
        with warnings.catch_warnings():  # who writes .h5 has chosen it
            warnings.filterwarnings("ignore", message="You are saving your model as an HDF5")
            return hdf5.content_of(lambda file: model.save(file, save_format="h5"))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / f"model{ending}"
        model.save(place)
        return place.read_bytes()
