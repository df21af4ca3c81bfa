"""SLAYER models: trained in small, their cards, and what the command line makes of them."""

import dataclasses
import json

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import cli
from nengo_tactile.commands.running import run_network
from nengo_tactile.datasets.eskin import ESkin
from nengo_tactile.events.spikes import SpikeLayout
from nengo_tactile.experiments.ledgers import content_of
from nengo_tactile.papers import shipped
from nengo_tactile.papers.shipped import Shipped
from nengo_tactile.papers.spikemax import runs
from nengo_tactile.papers.spikemax.model import TASKS
from nengo_tactile.papers.spikemax.plan import LOSSES, SETTINGS
from nengo_tactile.slayer.neurons import CurrentBasedLIF
from nengo_tactile.slayer.training import Recipe


@pytest.fixture
def small(monkeypatch):
    """The e-skin with invented writers in steps of 50 ms, a small network."""
    setting = dataclasses.replace(
        SETTINGS["eskin"],
        dataset="eskin",
        layout=SpikeLayout((10, 10, 2), 50_000, 40, late="drop"),
        network="10x10x2-3c4s2-10o",
        counts=(15, 2),
        recipe=Recipe(epochs=2, batch_size=10, learning_rate=0.1),
    )
    monkeypatch.setitem(SETTINGS, "eskin", setting)
    monkeypatch.setattr(
        runs,
        "open_dataset",
        lambda name, split, place: ESkin(split=split, n_samples=40 if split == "train" else 12),
    )


def given(monkeypatch, name, data, loss, **settings):
    """Let a shipped model have other settings."""
    settings = {"data": data, "loss": loss, **settings}
    monkeypatch.setitem(shipped.MODELS, name, Shipped("spikemax.model", "spikemax", settings))
    runs._read.cache_clear()


def test_a_model_and_its_card(small, tmp_path, monkeypatch):
    lines = []
    given(monkeypatch, "eskin-slayer", "eskin", "spike-count", n_engine=3)
    arguments = {"progress": False, "say": lines.append}
    made = shipped.make("eskin-slayer", tmp_path / "m", tmp_path / "work", **arguments)
    network = nt.load(tmp_path / "m")
    card = network.card
    assert card == json.loads(json.dumps(made.card))
    assert (card["training samples"], card["test samples"], card["epochs"]) == (40, 12, 2)
    state = content_of(tmp_path / "work/cells/eskin-spike-count-0.json")["state"]
    assert card["accuracy"] == state["accuracy"] == card["event engine"]["accuracy"]
    for title in ("Nengo", "NengoDL"):
        assert card[title]["samples with the event engine's spikes"] == 3
    x = network.layout.batch(ESkin(split="test", n_samples=12), progress=False)
    outputs = network.keras_model()(x[:]).numpy().sum(1)
    assert card["accuracy"] == (outputs.argmax(1) == x.labels).mean()
    assert f"{card['accuracy']:.4f} of 12" in lines[0]
    assert card["event engine"]["spikes per sample"] == pytest.approx(
        state["input_spikes"] + sum(state["spikes"].values())
    )
    # a network that is there is not trained again
    monkeypatch.setattr(runs, "train_and_test", None)
    again = shipped.make("eskin-slayer", tmp_path / "m", tmp_path / "work", **arguments)
    kernels = [each.graph.stages[0].links[0].map.kernel for each in (again, network)]
    np.testing.assert_array_equal(*kernels)
    run_network(tmp_path / "m", tmp_path / "run", engine="event", n_samples=4, progress=False)
    assert json.loads((tmp_path / "run/results.json").read_text())["task"] == "eskin"


def test_the_card_of_loihis_neurons_says_what_its_integers_cost(small, tmp_path, monkeypatch):
    setting = dataclasses.replace(
        SETTINGS["eskin"], neuron=CurrentBasedLIF(0.25, 0.25), max_delay=0
    )
    monkeypatch.setitem(SETTINGS, "ev-objects-loihi", setting)
    given(monkeypatch, "ev-objects-loihi", "ev-objects-loihi", "spikemax_s", n_engine=1)
    options = {"progress": False, "say": str}
    made = shipped.make("ev-objects-loihi", tmp_path / "m", tmp_path / "work", **options)
    found = made.card["Loihi emulator"]
    x = made.layout.batch(ESkin(split="test", n_samples=12), progress=False)
    recording = nt.run(made, x, engine="loihi", progress=False)
    assert found["accuracy"] == recording.accuracy(x.labels)[-1]
    assert (found["test samples"], found["cores"]) == (12, 2)
    assert set(found["8-bit weight error"]) == {"conv1", "output"}
    assert all(0 < error < 0.02 for error in found["8-bit weight error"].values())


def test_every_model_has_a_setting_and_a_task():
    from nengo_tactile.commands.tasks import any_task_named

    for model in shipped.MODELS.values():
        if model.maker != "spikemax.model":
            continue
        key, loss = model.settings["data"], model.settings["loss"]
        setting = SETTINGS[key]
        assert loss in LOSSES
        task = any_task_named(TASKS.get(key, setting.dataset))
        assert task.about


def test_the_command_line(small, tmp_path, monkeypatch, capsys):
    given(monkeypatch, "eskin-slayer", "eskin", "spike-count", n_engine=1, epochs=1)
    places = ["--out", str(tmp_path / "m"), "--work", str(tmp_path / "work")]
    assert cli.main(["model", "eskin-slayer", "--samples", "11", "--seed", "3", *places]) == 0
    card = nt.load(tmp_path / "m").card
    assert "Loihi emulator" not in card
    assert "model eskin-slayer --samples 11 --seed 3 " in card["command"]
    assert (card["epochs"], card["seed"], card["training samples"]) == (1, 3, 11)
    assert cli.main(["model", "eskin"]) == 2
    assert (
        "model 'eskin' is unknown (did you mean 'eskin-cnn'?): choose one of eskin-cnn"
        in capsys.readouterr().err
    )
