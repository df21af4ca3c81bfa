"""Shipped residual networks, cut down: the saved model repeats what its card says."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile.ann import training
from nengo_tactile.commands import networks
from nengo_tactile.errors import DataError, ModelFileError
from nengo_tactile.papers import images, shipped
from nengo_tactile.papers.shipped import Order, Shipped
from tests.support.image_sets import small_network, write_mnist

STEPS = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = write_mnist(tmp_path_factory.mktemp("images"))
    model = small_network("resnet8", place)
    networks.write_weights(model, place / "mnist-resnet8.npz")
    return place


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr("nengo_tactile.commands.paths.CALIBRATION_SAMPLES", 16)
    for cached in (images.read, images.trained):
        cached.cache_clear()


def given(monkeypatch, name, **settings):
    """Let a shipped model have other settings."""
    model = Shipped("spiking_resnet.model", "spiking-resnet", settings)
    monkeypatch.setitem(shipped.MODELS, name, model)


def make(name, folder, place, **options):
    options = {"weights": folder, "progress": False, "say": str, **options}
    return shipped.make(name, place / "model", place / "work", folder, **options)


def test_model_and_card(folder, small, tmp_path, monkeypatch):
    given(monkeypatch, "mnist-resnet8", n_steps=STEPS, emulator_rate=0.5)
    make("mnist-resnet8", folder, tmp_path, n_samples=20)
    network = nt.load(tmp_path / "model")
    card = network.card
    data = images.read("mnist", 0, str(folder))
    x, y = data.x[:20], data.y[:20]
    recording = nt.run(network, x, progress=False)
    curve = recording.accuracy(y)
    assert network.n_steps == STEPS
    assert card["spiking accuracy"] == curve[-1]
    assert card["accuracy after steps"] == {"4": curve[3], "8": curve[7]}
    ann = training.accuracy(networks.trained("mnist-resnet8", folder), x, y)
    assert card["ANN accuracy"] == ann
    assert card["points lost"] == pytest.approx(100 * (ann - curve[-1]))
    spikes = sum(int(counts.sum()) for counts in recording.spike_counts.values())
    assert card["cost of an image"]["spikes"] == pytest.approx(spikes / 20)
    synops = sum(int(counts.sum()) for counts in recording.synops.values())
    assert card["cost of an image"]["synaptic operations"] == pytest.approx(synops / 20)
    emulator = card["Loihi emulator"]
    assert (emulator["n_test"], emulator["n_steps"]) == (20, 2 * STEPS)
    assert f"model mnist-resnet8 --samples 20 --weights {folder} --seed 0" in card["command"]
    assert list(card)[:3] == ["summary", "command", "training"] and "made with" in card
    assert emulator["layers on the host"] == "conv0"
    assert emulator["cores"] > 5
    text = (tmp_path / "model" / "card.md").read_text()
    for words in ("--samples 20", "nengo-tactile train resnet8 --task mnist", "## limits"):
        assert words in text
    # the model knows its task: the command line runs it without being told
    from nengo_tactile.commands.running import run_network

    arguments = {"n_samples": 5, "data_dir": folder, "progress": False, "say": str}
    run_network(tmp_path / "model", tmp_path / "run", **arguments)
    assert json.loads((tmp_path / "run" / "results.json").read_text())["task"] == "mnist"
    np.save(tmp_path / "x.npy", np.zeros((2, 32, 32, 3)))
    np.save(tmp_path / "y.npy", np.zeros(2, int))
    others = {name: str(tmp_path / f"{name}.npy") for name in "xy"}
    with pytest.raises(DataError, match="32, 32, 3"):
        run_network(tmp_path / "model", tmp_path / "run", **others, progress=False, say=str)
    with pytest.raises(DataError, match="recordings"):
        run_network(tmp_path / "model", tmp_path / "run", "eskin", **arguments)


def test_late_read_out(folder, small, tmp_path, monkeypatch):
    given(monkeypatch, "mnist-resnet8", n_steps=STEPS, late=True)
    make("mnist-resnet8", folder, tmp_path, n_samples=20)
    network, data = nt.load(tmp_path / "model"), images.read("mnist", 0, str(folder))
    assert network.discard == 0.5
    curve = nt.run(network, data.x[:20], engine="event", progress=False).accuracy(data.y[:20])
    assert network.card["spiking accuracy"] == curve[-1]
    assert network.card["setting"].endswith("late read-out")


def test_cores_page(folder, small, tmp_path):
    order = Order(tmp_path / "work", 1, folder, str(folder), progress=False)
    tool = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "cores_page.py"))
    spiking, report = tool["cores_of"]("mnist-resnet8", order, n_steps=STEPS)
    text = tool["cores_page"]("mnist-resnet8", spiking, report)
    assert f"{len(report.cores)} cores" in text
    # 28 x 28 x 2 neurons in each of two layers, 14 x 14 x 3 and 7 x 7 x 4 in two; one is outside
    neurons = 2 * (28 * 28 * 2 + 14 * 14 * 3 + 7 * 7 * 4)
    assert f"for {neurons:,} neurons" in text
    assert "host: conv0" in text
    rows = [line for line in text.splitlines() if line.startswith("| `block")]
    assert len(rows) == 6


def test_bad_input(folder, small, tmp_path, monkeypatch):
    with pytest.raises(DataError, match="model 'cifar10-vgg' is unknown: choose one of eskin-cnn"):
        make("cifar10-vgg", folder, tmp_path)
    with pytest.raises(DataError, match="nengo-tactile train plain20"):
        make("cifar10-plain20", folder, tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "thesis.txt").write_text("years of work")
    with pytest.raises(ModelFileError, match="thesis"):
        make("mnist-resnet8", folder, tmp_path)
