"""The models that come with the package: ``python -m nengo_tactile.reproduce.shipped NAME``.

Trained with our best recipe for the paper's network (and a larger one for STEMNIST), on the
training writers or the given training split, and measured on every engine.
"""

import argparse
import dataclasses
from pathlib import Path

from nengo_tactile import files
from nengo_tactile.ann import training
from nengo_tactile.ann.augment import shifted_epochs
from nengo_tactile.errors import DataError
from nengo_tactile.reproduce import paths
from nengo_tactile.reproduce.tasks import images, open_task, task_named
from nengo_tactile.stack.distributions import made_with


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How one shipped model is made.

    Attributes
    ----------
    task : str
    layers : str
        Network in the papers' notation, without the input.
    image : dict
        Changes to the task's TactileImage.
    training : training.Recipe
    simulations : int
        Times each training trajectory is written on the e-skin, with other noise.
    n_steps : int
    summary : str
    """

    task: str
    layers: str
    image: dict
    training: training.Recipe
    simulations: int
    n_steps: int
    summary: str


MODELS = {
    "eskin-cnn": Recipe(
        "eskin-pendigits",
        "6c4-24c3-10o",
        {},
        training.Recipe(epochs=160, batch_size=128, learning_rate=6e-3, weight_decay=0.0),
        4,
        80,
        "The ST-MNIST paper's network for digits written on a simulated 10 x 10 e-skin, driven "
        "by recorded pen trajectories of 30 writers and tested on 7 others.",
    ),
    "stemnist-cnn": Recipe(
        "stemnist",
        "32c3s2-64c3-128-35o",
        {"n_bins": 4},
        training.Recipe(epochs=60, batch_size=64),
        1,
        80,
        "A convolutional network for STEMNIST's 35 letters and digits written with a finger on "
        "16 x 16 taxels, from tactile images in four time bins.",
    ),
}


def task_of(recipe):
    """The task with the recipe's network and image."""
    task = task_named(recipe.task)
    image = dataclasses.replace(task.image, **recipe.image)
    return dataclasses.replace(task, layers=recipe.layers, image=image)


def training_images(recipe, task, data_dir=None, progress=None):
    """Training images, one array for each simulation.

    Returns
    -------
    x, y : lists of arrays
    """
    if recipe.simulations == 1:
        parts = [images(task, open_task(task, "train", data_dir), progress=progress)]
    else:
        parts = [
            images(task, open_task(task, "train", data_dir, seed=seed), progress=progress)
            for seed in range(recipe.simulations)
        ]
    return [x for x, _ in parts], [y for _, y in parts]


def make(name, out, data_dir=None, seed=0, checkpoint=None, progress=None, say=print):
    """Train, convert, measure and save a shipped model.

    Parameters
    ----------
    name : str
        "eskin-cnn" or "stemnist-cnn".
    out : path
        The model's folder.
    data_dir : path, optional
    seed : int
    checkpoint : path, optional
        Training goes on from here if it was interrupted.
    progress : bool, optional
    say : callable

    Returns
    -------
    SpikingNetwork
    """
    if name not in MODELS:
        raise DataError(f"model {name!r} is unknown: choose one of {', '.join(MODELS)}")
    recipe = MODELS[name]
    task = task_of(recipe)
    files.check_writable(out)
    x, y = training_images(recipe, task, data_dir, progress)
    test_set = open_task(task, "test", data_dir)
    x_test, y_test = images(task, test_set, progress=progress)
    model = paths.train_cnn(
        task.network,
        shifted_epochs(x, y, seed),
        recipe.training,
        seed,
        checkpoint=checkpoint,
        progress=progress,
    )
    cnn = training.accuracy(model, x_test, y_test)
    say(f"{name}: CNN {cnn:.4f} on {len(y_test)} test samples")
    network = paths.to_spikes(
        model, task, x[0], seed, progress, n_steps=recipe.n_steps, classes=test_set.classes
    )
    spiking = paths.on_nengo_dl(network, x_test, y_test, progress)
    say(f"{name}: NengoDL {spiking.accuracy:.4f}")
    emulated, chosen = paths.on_emulator(network, x_test, y_test, seed=seed, progress=progress)
    same = training.accuracy(model, x_test[chosen], y_test[chosen])
    say(f"{name}: emulator {emulated.accuracy:.4f}, CNN on the same samples {same:.4f}")
    network = dataclasses.replace(
        network,
        card=_card(name, recipe, task, seed, x, y_test, cnn, same, spiking, emulated, network),
    )
    network.save(out)
    return network


def _card(name, recipe, task, seed, x, y_test, cnn, same, spiking, emulated, network):
    keep = (
        "n_test",
        "n_steps",
        "accuracy",
        "latency_step",
        "spikes_to_latency",
        "synops_to_latency",
        "spikes",
        "synops",
        "loihi_joules_rough",
    )
    chip = paths.on_chip(network)
    return {
        "summary": recipe.summary,
        "command": f"python -m nengo_tactile.reproduce.shipped {name} --seed {seed} "
        "--data-dir DATA",
        "task": recipe.task,
        "data": task.about,
        "network": task.network,
        "seed": seed,
        "training samples": int(sum(len(part) for part in x)),
        "test samples": len(y_test),
        "CNN accuracy": cnn,
        "CNN accuracy on the emulator's samples": same,
        "recipe": dataclasses.asdict(recipe.training),
        "NengoDL": {key: spiking.numbers()[key] for key in keep},
        "Loihi emulator": {
            **{key: emulated.numbers()[key] for key in keep},
            "cores": len(chip.cores),
            "layers on the host": ", ".join(chip.on_host),
            "8-bit weight error": {k: round(v["median"], 5) for k, v in chip.rounding.items()},
        },
        "limits": _limits(recipe),
        "made with": made_with("tensorflow", "nengo-dl", "nengo-loihi", "numpy"),
    }


def _limits(recipe):
    shared = "Only nengo-loihi's emulator was tried, not the chip."
    if recipe.task == "stemnist":
        return [
            shared,
            "The spikes were derived from pressure by a third party's circuit simulation; they are "
            "not the ON and OFF events of the STEMNIST authors, and the split is not by writer.",
        ]
    return [
        shared,
        "The taxels are simulated: pen trajectories are real, their touch is not. It says nothing "
        "about accuracy on the ST-MNIST recordings themselves.",
    ]


def main(arguments=None):
    """Command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m nengo_tactile.reproduce.shipped")
    parser.add_argument("name", choices=sorted(MODELS))
    parser.add_argument("--out", help="folder (default models/NAME)")
    parser.add_argument("--data-dir", help="default: environment variable NENGO_TACTILE_DATA")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint", help="file from which training resumes")
    options = parser.parse_args(arguments)
    out = options.out or Path("models") / options.name
    make(options.name, out, options.data_dir, options.seed, options.checkpoint)


if __name__ == "__main__":
    main()
