"""Spikemax runs cut down: data, a network for each loss and seed, and where they go on."""

import dataclasses
import json

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import cli
from nengo_tactile.datasets.nmnist_simulated import SimulatedNMNIST
from nengo_tactile.errors import DataError, ModelFileError
from nengo_tactile.events.arrays import make_events
from nengo_tactile.events.spikes import SpikeLayout
from nengo_tactile.experiments.ledgers import Ledger, content_of
from nengo_tactile.experiments.studies import Study
from nengo_tactile.papers.spikemax import PAPER, SpikemaxPlan, runs
from nengo_tactile.papers.spikemax.plan import LOSSES, SETTINGS, make_loss, recipe_of
from nengo_tactile.slayer.neurons import SpikeResponseModel
from nengo_tactile.slayer.training import Recipe
from tests.support.recordings import Recordings


def columns(split):
    """Three classes: which column of a 3 x 2 sensor is active."""
    rng = np.random.default_rng(split == "train")
    labels, events = np.arange(36 if split == "train" else 21) % 3, []
    for label in labels:
        x = np.where(rng.random(50) < 0.8, label, rng.integers(0, 3, 50))
        t = np.sort(rng.integers(0, 30_000, 50))
        both = rng.integers(0, 2, (2, 50))
        events.append(make_events(x, both[0], t, both[1]))
    return Recordings(events, labels)


@pytest.fixture
def small(monkeypatch):
    setting = dataclasses.replace(
        SETTINGS["eskin"],
        dataset="small",
        layout=SpikeLayout((3, 2, 2), 1000, 30),
        network="2x3x2-8-3o",
        # weights of slayerPytorch's size leave others silent under so few events
        neuron=SpikeResponseModel(5.0, 5.0, threshold=2.0),
        window=8,
        counts=(10, 1),
        recipe=Recipe(epochs=3, batch_size=6, learning_rate=0.2),
        pixels=1,
    )
    monkeypatch.setitem(SETTINGS, "small", setting)
    monkeypatch.setattr(runs, "open_dataset", lambda name, split, place: columns(split))
    return setting


def read(name, folder, data_dir=None, seed=0, n_samples=None, n_test=None):
    ledger = Ledger(Study(folder, PAPER.command), "any", False)
    return runs.read(ledger, name, n_samples, n_test, seed, data_dir)


def test_a_run_goes_on_and_is_kept(small, tmp_path, monkeypatch):
    plan = SpikemaxPlan("small", n_trials=2, seed=4)
    data = read("small", tmp_path, seed=4)
    assert (len(data.train), len(data.test), data.classes) == (36, 21, ("a", "b", "c"))
    from nengo_tactile.slayer import training

    saved, stops = training.save_checkpoint, []

    def stop(*args):
        saved(*args)
        stops.append(args[-1])
        if len(stops) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "save_checkpoint", stop)
    cell = runs.cell(plan, "small", "spikemax_s", 1, None)
    with pytest.raises(KeyboardInterrupt):
        PAPER.state(cell, tmp_path, False)
    state = PAPER.state(cell, tmp_path, False)
    assert stops == [1, 2, 3]
    assert not list((tmp_path / "checkpoints").glob("*.npz"))
    assert (state["seed"], state["trial"], state["epochs"]) == (5, 1, 3)
    assert state["parameters"] == 12 * 8 + 8 * 3
    assert state["delays"] == 8
    assert state["n_steps"] == len(state["hits_over_time"]) == 30
    assert state["hits_over_time"][-1] == round(state["accuracy"] * 21)
    assert len(state["seconds"]["epochs"]) == len(state["accuracy_over_epochs"]) == 3
    assert state["input_spikes"] == data.test[:].sum() / 21
    # the saved network is the one that was tested
    network = nt.load(tmp_path / "networks" / "small-spikemax_s-1")
    recording = nt.run(network, data.test, engine="event", progress=False)
    hits = (recording.predictions() == data.test.labels[:, None]).sum(0)
    np.testing.assert_array_equal(hits, state["hits_over_time"])
    for name, count in state["spikes"].items():
        assert count == pytest.approx(recording.spikes_over_time[name].sum() / 21)
    # again: nothing is trained
    monkeypatch.setattr(training, "train", None)
    assert PAPER.state(cell, tmp_path, False) == state
    other = runs.cell(dataclasses.replace(plan, epochs=4), "small", "spikemax_s", 1, None)
    with pytest.raises(ModelFileError, match="other settings"):
        PAPER.state(other, tmp_path, False)
    assert content_of(tmp_path / "cells" / "small-spikemax_s-1.json")["state"] == state


def test_every_sample_counts(small, tmp_path, monkeypatch):
    """A run does not go on when one event of one sample has moved, and no label and no count."""
    plan = SpikemaxPlan("small", n_trials=1, epochs=1)
    cell = runs.cell(plan, "small", "spike-rate", 0, None)
    PAPER.state(cell, tmp_path, False)

    def moved(name, split, place):
        found = columns(split)
        if split == "train":
            found.events[17]["x"][20] = (found.events[17]["x"][20] + 1) % 3
        return found

    monkeypatch.setattr(runs, "open_dataset", moved)
    runs._read.cache_clear()
    with pytest.raises(ModelFileError, match="began with other data small"):
        PAPER.state(cell, tmp_path, False)


def test_the_command_line(small, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(SETTINGS, "eskin", small)
    arguments = ["reproduce", "spikemax", "--sets", "eskin", "--trials", "2", "--epochs", "1"]
    arguments += ["--losses", "spike-rate,spikemax_g", "--out", str(tmp_path)]
    assert cli.main(arguments) == 0
    shown = capsys.readouterr().out
    assert "eskin, spikemax_g, trial 2:" in shown
    results = json.loads((tmp_path / "results.json").read_text())
    assert {row["n_splits"] for row in results["rows"] if row["n_splits"]} == {2}
    assert (tmp_path / "report.html").stat().st_size > 10_000
    assert len(list((tmp_path / "cells").iterdir())) == 4
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cells").iterdir()}
    assert cli.main(arguments) == 0
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "cells").iterdir()}
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert cli.main([*arguments[:2], "--sets", "mnist"]) == 2


def test_parts_of_the_data(small, tmp_path):
    data = read("small", tmp_path, n_samples=10, n_test=5)
    assert (len(data.train), len(data.test)) == (10, 5)
    runs._read.cache_clear()
    again = read("small", tmp_path, n_samples=10, n_test=5)
    np.testing.assert_array_equal(again.train[:], data.train[:])
    other = read("small", tmp_path, seed=1, n_samples=10, n_test=5)
    assert not np.array_equal(other.train[:], data.train[:])


def test_minibatches_of_training(small, tmp_path):
    data = read("small", tmp_path)
    samples, rng = data.train, np.random.default_rng(0)
    plain = dataclasses.replace(small, pixels=0)
    x, lengths = runs.loader(plain, samples)(np.arange(4), rng)
    np.testing.assert_array_equal(x, samples[:4])
    np.testing.assert_array_equal(lengths, [30] * 4)
    moved, _ = runs.loader(small, samples)(np.arange(4), np.random.default_rng(0))
    again, _ = runs.loader(small, samples)(np.arange(4), np.random.default_rng(0))
    assert moved.shape == (4, 30, 2, 3, 2)
    np.testing.assert_array_equal(moved, again)
    assert not np.array_equal(moved, samples[:4])
    stretch = dataclasses.replace(plain, stretch=10)
    found, lengths = runs.loader(stretch, samples)(np.arange(4), rng)
    assert found.shape == (4, 10, 2, 3, 2)
    np.testing.assert_array_equal(lengths, [10] * 4)
    for part, whole in zip(found, samples[:4]):
        assert any(np.array_equal(part, whole[start : start + 10]) for start in range(21))


def test_simulated_digits_leave_out_the_recorded_ones(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    images = {
        "x_train": rng.integers(0, 255, (12, 28, 28), dtype=np.uint8),
        "y_train": np.arange(12) % 10,
        "x_test": np.zeros((1, 28, 28), np.uint8),
        "y_test": np.zeros(1, int),
    }
    np.savez(tmp_path / "mnist.npz", **images)
    recorded = SimulatedNMNIST(tmp_path, "train", 4, seed=8)
    numbers = np.array([0, 2, 5, 7])
    monkeypatch.setattr(
        runs, "recorded_digits", lambda place, split: (recorded, np.arange(4), numbers)
    )
    data = read("nmnist-simulated", tmp_path / "out", str(tmp_path))
    others = np.setdiff1d(np.arange(12), numbers)
    np.testing.assert_array_equal(data.train.labels, images["y_train"][others])
    np.testing.assert_array_equal(data.test.labels, recorded.targets)
    assert data.train.n_steps == data.test.n_steps == 30
    # the second time they are read
    monkeypatch.setattr(SimulatedNMNIST, "recordings", None)
    monkeypatch.setattr(recorded.__class__, "recordings", None)
    place = next((tmp_path / "out" / "samples").iterdir())
    kept = runs.load_spike_samples(place)
    np.testing.assert_array_equal(kept[:], data.train[:])


@pytest.mark.parametrize("change", ["steps", "digits"])
def test_simulated_digits_of_other_settings_are_not_taken(tmp_path, monkeypatch, change):
    images = np.random.default_rng(0).integers(0, 255, (6, 28, 28), dtype=np.uint8)
    labels = {"y_train": np.arange(6), "y_test": np.zeros(1, int)}
    np.savez(tmp_path / "mnist.npz", x_train=images, x_test=images[:1], **labels)
    recorded = SimulatedNMNIST(tmp_path, "train", 2, seed=8)
    found, name = [], "nmnist-simulated"
    for numbers, n_steps in (([0, 3], 30), ([0, 3], 20) if change == "steps" else ([1, 3], 30)):
        monkeypatch.setattr(
            runs, "recorded_digits", lambda *_, n=numbers: (recorded, np.arange(2), n)
        )
        layout = dataclasses.replace(SETTINGS[name].layout, n_steps=n_steps)
        setting = dataclasses.replace(SETTINGS[name], layout=layout)
        monkeypatch.setitem(SETTINGS, name, setting)
        runs._read.cache_clear()
        data = read(name, tmp_path, str(tmp_path))
        assert data.train.n_steps == n_steps
        found.append(data.train)
    assert len(list((tmp_path / "samples").iterdir())) == 2
    assert found[0].labels.tolist() == [1, 2, 4, 5]
    assert found[1].labels.tolist() == ([1, 2, 4, 5] if change == "steps" else [0, 2, 4, 5])


def test_no_digit_is_left_to_simulate(tmp_path, monkeypatch):
    images = np.zeros((2, 28, 28), np.uint8)
    labels = {"y_train": np.arange(2), "y_test": np.arange(2)}
    np.savez(tmp_path / "mnist.npz", x_train=images, x_test=images, **labels)
    recorded = SimulatedNMNIST(tmp_path, "train")
    monkeypatch.setattr(runs, "recorded_digits", lambda *_: (recorded, np.arange(2), np.arange(2)))
    with pytest.raises(DataError, match="recordings of all 2 training digits"):
        read("nmnist-simulated", tmp_path, str(tmp_path))


def test_stretches_come_from_whole_recordings(small, monkeypatch, tmp_path):
    """Training samples are as long as their recordings, test samples as the layout says."""
    layout = dataclasses.replace(small.layout, n_steps=12, late="drop")
    monkeypatch.setitem(SETTINGS, "small", dataclasses.replace(small, layout=layout, stretch=6))
    data = read("small", tmp_path)
    ends = [int(events["t"][-1] // 1000) + 1 for events in columns("train").events]
    assert data.train.lengths.tolist() == ends and max(ends) > 20
    assert data.test.n_steps == 12
    x, lengths = runs.loader(SETTINGS["small"], data.train)(
        np.zeros(200, int), np.random.default_rng(0)
    )
    assert x.shape[1] == 6 and set(lengths) == {6}
    late = data.train[0][14:].reshape(-1, 12)
    assert any(np.array_equal(late[k : k + 6], part.reshape(6, 12)) for part in x for k in range(9))


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_make_networks_and_losses(name):
    """Every setting's network takes its layout, and its losses fit its steps."""
    from nengo_tactile.ann.notation import parse

    setting = SETTINGS[name]
    shape, _ = parse(setting.network)
    assert shape == setting.layout.shape
    steps = setting.stretch or setting.layout.n_steps
    for loss in LOSSES:
        assert make_loss(loss, setting).get_config()
    assert setting.window <= steps
    assert max(setting.counts) <= steps


def test_plans():
    plan = SpikemaxPlan("eskin, ev-objects", "spikemax", 2, epochs=3, n_samples=9, seed=1)
    assert plan.data == ("eskin", "ev-objects")
    words = "--sets eskin,ev-objects --losses spikemax --trials 2 --epochs 3 --samples 9 --seed 1"
    assert words in plan.command(PAPER.command)
    assert recipe_of("eskin", 3).epochs == 3
    assert SpikemaxPlan().losses == LOSSES


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"data": "eskin,cifar"}, "'cifar' is unknown"),
        ({"losses": "mse"}, "--losses: 'mse' is unknown"),
        ({"n_trials": 0}, "n_trials is 0"),
        ({"epochs": -1}, "epochs is -1"),
    ],
)
def test_bad_plans(options, words):
    with pytest.raises(DataError, match=words):
        SpikemaxPlan(**options)
