"""The table of shipped models: all that are there, each with its command on its card."""

import dataclasses
import json

import pytest

import nengo_tactile as nt
from nengo_tactile.ann import training
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
    # measured anew they are the same
    stale = {"NengoDL": {"latency_step": 0}, "Loihi emulator": {}}
    dataclasses.replace(network, card=card | stale).save(tmp_path / "m")
    again = shipped.measure("eskin-cnn", tmp_path / "m", **options, say=lines.append)
    assert nt.load(tmp_path / "m").card == card | {"measured with": again.card["measured with"]}


def test_cards_that_are_of_the_run_itself_are_not_measured_anew(tmp_path):
    """Whose numbers come from thousands of images, counted on the way."""
    with pytest.raises(DataError, match="leave --measure-only out"):
        shipped.measure("mnist-sigma-delta", shipped_models()["mnist-sigma-delta"])
