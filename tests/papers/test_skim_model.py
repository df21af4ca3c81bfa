"""The shipped SKIM network, cut down: its card repeats, and the command line runs it."""

import json

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import cli, skim
from nengo_tactile.commands.running import run_network, write_run_report
from nengo_tactile.datasets.nmnist_simulated import SimulatedNMNIST
from nengo_tactile.doors.archives import read_npz
from nengo_tactile.errors import DataError, EngineError, ModelFileError
from nengo_tactile.papers import shipped
from nengo_tactile.papers.skim import model as skim_model
from nengo_tactile.papers.skim import plan as skim_plan
from nengo_tactile.papers.skim import runs
from nengo_tactile.skim.classifier import Samples
from tests.support.image_sets import write_bars, write_recordings


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_bars(tmp_path_factory.mktemp("digits"))
    write_recordings(folder)
    return folder


@pytest.fixture(scope="module")
def model(folder, tmp_path_factory):
    place = tmp_path_factory.mktemp("model")
    make(folder, place / "model", place / "work")
    return place / "model"


def make(folder, out, work, n_hidden=40):
    settings = {"n_hidden": n_hidden, "n_engine": 3}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(shipped.MODELS, "skim", shipped.Shipped("skim.model", "skim", settings))
        return shipped.make("skim", out, work, folder, n_samples=50, progress=False, say=str)


def test_the_card_says_what_the_model_does(folder, model):
    network = nt.load(model)
    card = network.card
    assert (card["task"], card["training samples"], card["test samples"]) == (
        "nmnist-simulated", 50, 30,
    )  # fmt: skip
    patterns, labels = network.encode(SimulatedNMNIST(folder, "test"), progress=False)
    assert card["accuracy"] == (network.predict(patterns) == labels).mean()
    patterns, labels = network.encode(nt.datasets.NMNIST(folder, "test"), progress=False)
    assert card["recorded test digits"] == len(labels) == 10
    assert card["accuracy on recorded test digits"] == (network.predict(patterns) == labels).mean()
    for engine in ("Nengo", "NengoDL"):
        assert card[engine]["same classes"] == card[engine]["n_test"] == 3
        assert card[engine]["largest difference of outputs"] < 1e-5
    assert card["command"] == "nengo-tactile model skim --samples 50 --seed 0 --data-dir DATA"
    assert card["training"]["peak memory, GB"] > 0
    page = (model / "card.md").read_text()
    for words in ("40 random synaptic kernels", "## limits", "| hidden neurons | 40 tanh"):
        assert words in page


def test_weights_are_those_of_all_chosen_digits(folder, model):
    network = nt.load(model)
    # digits without recordings first, in random order: chosen by hand here
    rng = np.random.default_rng(0)
    order = [*rng.permutation(np.arange(10, 60)), *rng.permutation(10)][:50]
    samples = Samples(SimulatedNMNIST(folder), network.layout, order)
    layer = skim.draw_layer(40, 34 * 34, 0, **skim_plan.LAYERS["resonance"])
    weights, _ = skim.train(layer, samples, skim_plan.supervision(), 10)
    np.testing.assert_allclose(network.weights, weights, atol=1e-6 * np.abs(weights).max())


def test_training_goes_on(folder, model, tmp_path, monkeypatch):
    monkeypatch.setattr(skim_model, "_EVERY", 20)
    runs._digits.cache_clear()
    train, calls = skim.train, []

    def stopped(layer, samples, *arguments, **options):
        calls.append(len(samples))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return train(layer, samples, *arguments, **options)

    monkeypatch.setattr(runs.skim, "train", stopped, raising=False)
    with pytest.raises(KeyboardInterrupt):
        make(folder, tmp_path / "model", tmp_path / "work")
    network = make(folder, tmp_path / "model", tmp_path / "work")
    assert calls == [20, 40, 40, 50]
    expected = nt.load(model).weights
    np.testing.assert_allclose(network.weights, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("engine", ["nengo", "nengo-dl"])
def test_the_command_line_runs_it(folder, model, tmp_path, engine):
    out = tmp_path / "run"
    run_network(model, out, engine=engine, n_samples=6, data_dir=folder, progress=False, say=str)
    numbers = json.loads((out / "results.json").read_text())
    assert (numbers["task"], numbers["n_test"]) == ("nmnist-simulated", 6)
    assert numbers["accuracy"] == numbers["batch_accuracy"]
    assert numbers["largest_difference"] < 1e-5
    chosen = np.sort(np.random.default_rng(0).permutation(30)[:6])
    network = nt.load(model)
    samples = Samples(SimulatedNMNIST(folder, "test"), network.layout, chosen)
    classes = network.predict(pattern for pattern, _ in samples)
    stored = read_npz(out / "recording.npz")
    assert (stored["decisions"][:, -1] == classes).all()
    assert numbers["accuracy"] == (classes == chosen % 10).mean()
    synops = [40 * np.count_nonzero(pattern) for pattern, _ in samples]
    assert numbers["synops"] == pytest.approx(np.mean(synops))
    page = write_run_report(out).read_text()
    for words in ("batch code", "output determination", f"on {engine}"):
        assert words in page
    assert "Loihi" not in page


def test_on_recordings(folder, model, tmp_path):
    arguments = {"n_samples": 4, "data_dir": folder, "progress": False, "say": str}
    run_network(model, tmp_path / "run", "nmnist", **arguments)
    assert (
        json.loads((tmp_path / "run" / "results.json").read_text())["data"] == "N-MNIST recordings"
    )


def test_bad_input(folder, model, tmp_path, capsys):
    arguments = {"n_samples": 2, "data_dir": folder, "progress": False, "say": str}
    with pytest.raises(EngineError, match=r"'loihi', which filters .* use 'event' or"):
        run_network(model, tmp_path / "run", engine="loihi", **arguments)
    with pytest.raises(EngineError, match="leave n_steps out"):
        run_network(model, tmp_path / "run", n_steps=20, **arguments)
    with pytest.raises(DataError, match="reads 34 x 34 pixels, MNIST"):
        run_network(model, tmp_path / "run", "mnist", **arguments)
    with pytest.raises(DataError, match=r"reads 34 x 34 pixels, .*10 x 10"):
        run_network(model, tmp_path / "run", "eskin", **{**arguments, "data_dir": None})
    for command in (["check", model], ["convert", model, "--out", tmp_path / "out"]):
        options = ["--task", "mnist"] if command[0] == "convert" else []
        assert cli.main([str(word) for word in [*command, *options]]) == 2
        message = capsys.readouterr().err
        assert "a SKIM network, which has no Keras model" in message
        assert f"nengo-tactile run {model}" in message
    with pytest.raises(DataError, match="'nmnist' is no task of images"):
        nt.commands.tasks.task_named("nmnist")
    with pytest.raises(DataError, match=r"needs .* GB of memory"):
        make(folder, tmp_path / "m", tmp_path / "w", n_hidden=10**6)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("years of work")
    with pytest.raises(ModelFileError, match="thesis"):
        make(folder, tmp_path / "taken", tmp_path / "w")
