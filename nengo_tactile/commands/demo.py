"""The main job in three minutes: tactile events to a spiking network on the Loihi emulator."""

import dataclasses
import datetime

import numpy as np

from nengo_tactile import __version__, files
from nengo_tactile.analysis import accuracy_text
from nengo_tactile.ann import training
from nengo_tactile.ann.augment import shifted_epochs
from nengo_tactile.commands import pages, paths
from nengo_tactile.commands.tasks import data_option, images, open_task, task_named
from nengo_tactile.errors import DataError
from nengo_tactile.files import path_of
from nengo_tactile.networks.folders import check_folder
from nengo_tactile.report import KeyNumber, Note, Report, write_report
from nengo_tactile.stack.distributions import versions

#: Sizes that fit three minutes on two cores.
N_TRAIN, N_TEST = 4000, 600
RECIPE = training.Recipe(epochs=20, batch_size=64)


def demo(out, task_name="eskin", data_dir=None, seed=0, progress=None, say=print):
    """Simulate or read recordings, train, convert, run on two engines, write a report.

    Parameters
    ----------
    out : path
        Gets report.html, results.json and the network in model/.
    task_name : str
        "eskin" needs no data at all.
    data_dir : path, optional
    seed : int
    progress : bool, optional
    say : callable
        Takes a line of text after each step.

    Returns
    -------
    dict
        The numbers of results.json.
    """
    out = path_of(out)
    task = task_named(task_name, tactile=True)
    if task.layers is None:
        raise DataError(
            f"task {task_name!r} is of your own recordings, the demo's networks are of known "
            "tasks: type nengo-tactile train, convert and run"
        )
    files.check_writable(out)
    check_folder(out / "model")
    train_set = open_task(task, "train", data_dir)
    test_set = open_task(task, "test", data_dir)
    rng = np.random.default_rng(seed)
    train = np.sort(rng.permutation(len(train_set))[:N_TRAIN])
    test = np.sort(rng.permutation(len(test_set))[:N_TEST])
    x, y = images(task, train_set, train, progress)
    x_test, y_test = images(task, test_set, test, progress)
    say(f"1. {task.about}: {len(x)} training and {len(x_test)} test samples as tactile images")

    model = paths.train_cnn(
        task.network, shifted_epochs([x], [y], seed), RECIPE, seed, progress=progress
    )
    cnn = training.accuracy(model, x_test, y_test)
    say(f"2. CNN {task.network}: {accuracy_text(cnn, len(x_test))} test samples")

    network = paths.to_spikes(model, task, x, seed, progress, classes=test_set.classes)
    spiking = paths.on_nengo_dl(network, x_test, y_test, progress)
    told = accuracy_text(spiking.accuracy, len(x_test))
    say(f"3. spiking network in NengoDL, {network.n_steps} steps: {told} test samples")

    emulated = paths.on_emulator(network, x_test, y_test, progress)
    chip = paths.on_chip(network)
    told = accuracy_text(emulated.accuracy, len(x_test))
    say(f"4. Loihi emulator: {told} test samples, neuron cores: {len(chip.cores)}")

    numbers = {
        "command": f"nengo-tactile demo --task {task_name} --seed {seed}{data_option(task)}",
        "data": task.about,
        "network": task.network,
        "seed": seed,
        "n_train": len(x),
        "n_test": len(x_test),
        "cnn_accuracy": cnn,
        "nengo-dl": spiking.numbers(network),
        "loihi": emulated.numbers(network),
        "chip": chip.to_dict(),
        "versions": {row["name"]: row["version"] for row in versions()},
    }
    files.write_json(out / "results.json", numbers)
    card = {"summary": "Made by nengo-tactile demo.", "task": task_name, "seed": seed}
    dataclasses.replace(network, card=card).save(out / "model")
    write_report(
        out / "report.html",
        _report(task, test_set, test, network, numbers, spiking, emulated, chip),
    )
    say(f"5. wrote {out / 'report.html'}, results.json and model/")
    return numbers


def _report(task, dataset, test, network, numbers, spiking, emulated, chip):
    latency = numbers["nengo-dl"]["latency_step"]
    curves = {
        "NengoDL": spiking.recording.accuracy(spiking.labels),
        "Loihi emulator": emulated.recording.accuracy(emulated.labels),
    }
    counts = dict.fromkeys(curves, numbers["n_test"])
    cnn = dict.fromkeys(curves, numbers["cnn_accuracy"])
    return Report(
        "From touch to spikes",
        f"A {task.network} network, trained on {numbers['n_train']:,} samples of the "
        f"{task.about}, runs as a spiking network in NengoDL and on the emulator of Intel's "
        "Loihi chip.",
        {
            "command": numbers["command"],
            "data": task.about,
            "seed": numbers["seed"],
            "samples": f"{numbers['n_train']} training, {numbers['n_test']} test",
            "nengo-tactile": __version__,
            "TensorFlow": numbers["versions"]["tensorflow"],
            "date": datetime.date.today().isoformat(),
        },
        [
            pages.accuracy_number(
                "accuracy of the CNN", numbers["cnn_accuracy"], numbers["n_test"]
            ),
            pages.accuracy_number(
                "accuracy of the spikes, NengoDL", spiking.accuracy, numbers["n_test"]
            ),
            pages.accuracy_number(
                "accuracy on the Loihi emulator", emulated.accuracy, numbers["n_test"]
            ),
            KeyNumber("latency", f"{latency} steps", f"of {network.dt * 1000:g} ms"),
            KeyNumber("neuron cores", len(chip.cores), f"{chip.n_chips} Loihi chip(s)"),
        ],
        [
            Note(
                "A demonstration sized for three minutes. The shipped models and the tables of "
                "the paper are trained longer: see nengo-tactile reproduce st-mnist."
            )
        ],
        [
            pages.input_section(task, dataset, int(test[0])),
            pages.accuracy_section(curves, cnn, counts, network.dt, network.decision),
            pages.activity_section(spiking.recording, numbers["nengo-dl"]),
            pages.confusion_section(spiking, network.classes),
            pages.chip_section(chip, numbers["loihi"]),
        ],
    )
