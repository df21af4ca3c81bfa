"""The table of shipped models: all that are there, each with its command on its card."""

import dataclasses
import json

import pytest

import nengo_tactile as nt
from nengo_tactile import cli
from nengo_tactile.analysis import accuracy_text
from nengo_tactile.ann import training
from nengo_tactile.commands import paths, robustness
from nengo_tactile.commands.shown import chosen_samples
from nengo_tactile.commands.tasks import images, open_task
from nengo_tactile.conversion.other_neurons import with_neuron
from nengo_tactile.errors import DataError
from nengo_tactile.papers import shipped, tactile_cnn
from nengo_tactile.saved import shipped_models


def test_every_shipped_model_is_in_the_table_and_its_card_says_how_it_is_made():
    folders = shipped_models()
    assert set(folders) == set(shipped.MODELS)
    for name, folder in folders.items():
        command = f"nengo-tactile model {name} --seed 0 --data-dir DATA"
        assert json.loads((folder / "card.json").read_text("utf-8"))["command"] == command
        assert f"| command | {command} |" in (folder / "card.md").read_text("utf-8")
        assert shipped.command(name, shipped.Order("work")) == command


def test_a_tactile_network_and_its_card(tmp_path, monkeypatch):
    """The e-skin's with invented writers, after an epoch: the card says what the network does."""
    recipe = dataclasses.replace(
        tactile_cnn.MODELS["eskin-cnn"],
        task="eskin",
        training=training.Recipe("adam", 2, 32, 3e-3, "constant", 0.0, 0.0),
        simulations=2,
        n_steps=20,
    )
    monkeypatch.setitem(tactile_cnn.MODELS, "eskin-cnn", recipe)
    few = dataclasses.replace(shipped.MODELS["eskin-cnn"], robust_on=20)
    monkeypatch.setitem(shipped.MODELS, "eskin-cnn", few)
    lines, options = [], {"n_samples": 60, "progress": False}
    places = (tmp_path / "m", tmp_path / "work")
    made = shipped.make("eskin-cnn", *places, **options, say=lines.append)
    network = nt.load(tmp_path / "m")
    card = network.card
    assert card == json.loads(json.dumps(made.card))
    assert (card["training samples"], card["test samples"], card["task"]) == (120, 60, "eskin")
    x, y = network.encode(nt.datasets.ESkin(split="test"), range(60), progress=False)
    recording = nt.run(network, x, engine="nengo-dl", progress=False)
    assert card["NengoDL"]["accuracy"] == recording.accuracy(y)[-1]
    assert lines[-1] == f"wrote {tmp_path / 'm'}"
    fired = with_neuron(network, nt.IF(), _training_images(60), 20)
    by_events = nt.run(fired, x, engine="event", progress=False).accuracy(y)[-1]
    assert card["event engine, integrate-and-fire neurons"]["accuracy"] == by_events
    # measured anew they are the same
    stale = {"NengoDL": {"latency_step": 0}, "Loihi emulator": {}}
    dataclasses.replace(network, card=card | stale).save(tmp_path / "m")
    again = shipped.measure("eskin-cnn", tmp_path / "m", **options, say=lines.append)
    assert nt.load(tmp_path / "m").card == card | {"measured with": again.card["measured with"]}
    # its robustness alone: the rest stays as it is
    data = nt.datasets.ESkin(split="test")
    dataclasses.replace(network, card=card | stale).save(tmp_path / "m")
    options = ["--robustness-only", "--out", str(tmp_path / "m"), "--samples", "9"]
    assert cli.main(["model", "eskin-cnn", *options]) == 0
    rows = robustness.measure(network, data, chosen_samples(len(data), 9, 0), progress=False)
    found = nt.load(tmp_path / "m").card
    section = found.pop("robustness, accuracy")
    del card["robustness, accuracy"]
    assert found == card | stale
    assert (section["engine"], section["seed"]) == ("nengo-dl", 0)
    told = [section["as recorded"], section["dead 0.3"], section["weights 8"]]
    assert told == [accuracy_text(rows[k]["accuracy"], 9) for k in (0, 4, -1)]


def _training_images(n):
    task = tactile_cnn.task_of(tactile_cnn.MODELS["eskin-cnn"])
    x, _ = images(task, open_task(task, "train"), range(n), progress=False)
    return paths.calibration_samples(x, 0)


def test_networks_of_images_have_no_robustness_on_their_cards():
    with pytest.raises(DataError, match="reads images, not recordings"):
        shipped.measure("mnist-resnet8", only_robustness=True)
    cards = {name: nt.load(name).card for name in shipped.MODELS}
    told = {name for name, card in cards.items() if "robustness, accuracy" in card}
    assert told == {name for name, model in shipped.MODELS.items() if model.robust_on is not None}


def test_cards_that_are_of_the_run_itself_are_not_measured_anew(tmp_path):
    """Whose numbers come from thousands of images, counted on the way."""
    with pytest.raises(DataError, match="leave --measure-only out"):
        shipped.measure("mnist-sigma-delta", shipped_models()["mnist-sigma-delta"])
