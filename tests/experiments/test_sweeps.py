"""Studies of one's own: networks, models and functions over grids."""

import csv
import itertools
import json

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import cli, stack
from nengo_tactile.analysis.plots_sweep import accuracy_over_costs, pareto
from nengo_tactile.conversion.bound import waiting_outputs
from nengo_tactile.errors import ConversionError, DataError, ModelFileError
from nengo_tactile.experiments import sweep_tables, sweeps
from tests.support import toy_study


@pytest.fixture(scope="module")
def model():
    tf = stack.tensorflow()
    tf.keras.utils.set_random_seed(0)
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [layers.Dense(8, activation="relu", input_shape=(4,)), layers.Dense(2)], name="small"
    )


@pytest.fixture(scope="module")
def samples(model):
    x = np.random.default_rng(0).random((60, 4)).astype(np.float32)
    return x, model.predict(x, verbose=0).argmax(1)


def _settings(rows):
    return [row["settings"] for row in rows]


def test_twenty_settings_of_a_shipped_network(tmp_path, capsys):
    """The command of docs/sweep.md, on fewer samples."""
    (tmp_path / "grid.json").write_text(
        '{"n_steps": [10, 20, 30, 40, 60], "synapse": [0.002, 0.005], "rates": [0.5, 1]}'
    )
    arguments = ["sweep", "eskin-cnn", "--grid", str(tmp_path / "grid.json"), "--task", "eskin"]
    arguments += ["--samples", "150", "--out", str(tmp_path / "out")]
    assert cli.main(arguments) == 0
    shown = capsys.readouterr().out
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert len(results["rows"]) == 20 and shown.count(" to ") >= 20
    assert results["command"].startswith("nengo-tactile sweep eskin-cnn --grid")
    with (tmp_path / "out" / "results.csv").open() as file:
        table = list(csv.DictReader(file))
    wanted = set(itertools.product((10, 20, 30, 40, 60), (0.002, 0.005), (0.5, 1)))
    found = {(int(row["n_steps"]), float(row["synapse"]), float(row["rates"])) for row in table}
    assert found == wanted
    page = (tmp_path / "out" / "report.html").read_text()
    assert "20 combinations of n_steps, synapse, rates" in page and "<img" in page
    # one of them by hand
    network = nt.load("eskin-cnn")
    data = nt.datasets.ESkin(split="test")
    chosen = np.sort(np.random.default_rng(0).permutation(len(data))[:150])
    x, y = network.encode(data, chosen, progress=False)
    by_hand = nt.run(network.with_rates(0.5), x, n_steps=20, progress=False)
    (row,) = (
        row
        for row in results["rows"]
        if row["settings"] == {"n_steps": 20, "synapse": network.synapse, "rates": 0.5}
    )
    assert row["accuracy"] == by_hand.accuracy(y)[-1]
    assert row["spikes"] == sum(counts.sum() for counts in by_hand.spike_counts.values()) / 150
    # finished cells are read, not run
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "cells").iterdir()}
    assert cli.main(arguments) == 0
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_models_are_converted_for_each_combination(model, samples, tmp_path):
    x, y = samples
    options = {"neuron": [nt.IF(), nt.IF(reset="zero")], "percentile": [99.0, 100.0]}
    results = nt.sweep(
        model, x, y, tmp_path, n_steps=[4, 32], seed=range(2), progress=False, say=str, **options
    )
    assert len(results["rows"]) == 16 and "failed" not in results
    row = results["rows"][-1]
    assert row["settings"] == {
        "n_steps": 32, "seed": 1, "neuron": "IF(reset='zero')", "percentile": 100.0,
    }  # fmt: skip
    order = np.random.default_rng(1).permutation(60)
    neuron = nt.IF(reset="zero", percentile=100.0)
    snn = nt.convert(model, x[order[:30]], neuron, n_steps=32, progress=False)
    tested = np.sort(order[30:])
    recording = nt.run(snn, x[tested], progress=False)
    assert row["accuracy"] == recording.accuracy(y[tested])[-1]
    assert row["n_test"] == 30 and row["reference"] == 1
    options = {"calibration": x[:20], "neuron": nt.IF(signed=True), "say": str}
    again = nt.sweep(model, x, y, tmp_path / "given", n_steps=8, **options)
    assert again["rows"][0]["n_test"] == 60
    signed = nt.convert(model, x[:20], nt.IF(signed=True), n_steps=8, progress=False)
    bound = waiting_outputs(signed.layers, x, 8).argmax(axis=1)
    assert again["rows"][0]["bound"] == (bound == y).mean() and "bound" not in row
    assert "bound" in (tmp_path / "given" / "results.csv").read_text()
    with pytest.raises(ModelFileError, match="began with other small and samples"):
        nt.sweep(model, x[1:], y[1:], tmp_path, n_steps=4, say=str)


def test_a_model_without_a_neuron_is_converted_as_always(model, samples, tmp_path):
    x, y = samples
    options = {"calibration": x[:30], "progress": False, "say": str}
    (row,) = nt.sweep(model, x, y, tmp_path, max_loss=20, minimise="steps", **options)["rows"]
    chosen = nt.convert(model, x[:30], max_loss=20, minimise="steps", progress=False)
    recording = nt.run(chosen, x, progress=False)
    assert row["steps"] == chosen.n_steps and row["engine"] == "event"
    assert row["accuracy"] == recording.accuracy(y)[-1]


def test_what_fails_is_told_and_the_others_go_on(tmp_path):
    options = {"n": [2, 3, 4], "power": [1, 2], "progress": False, "say": str}
    here = nt.sweep(toy_study.cost_of, out=tmp_path / "here", **options)
    assert [each["error"] for each in here["failed"]] == [
        "ValueError: three is no number of mine"
    ] * 2
    assert {row["accuracy"] for row in here["rows"]} == {0.5, 0.75, 1 - 1 / 16}
    there = nt.sweep(toy_study.cost_of, out=tmp_path / "there", jobs=2, **options)
    assert sorted(map(str, there["rows"])) == sorted(map(str, here["rows"]))
    assert "three is no number" in (tmp_path / "there" / "report.html").read_text()
    assert len(sweep_tables.tables(here)) == 2


def test_exit_code_of_a_sweep_with_failures(tmp_path, capsys):
    (tmp_path / "grid.json").write_text('{"bits": [1, 4], "n_steps": 2}')
    arguments = ["sweep", "eskin-cnn", "--grid", str(tmp_path / "grid.json"), "--task", "eskin"]
    arguments += ["--samples", "5", "--out", str(tmp_path / "out")]
    assert cli.main(arguments) == 1
    assert "bits is 1: give a whole number of at least 2" in capsys.readouterr().out


def test_settings_may_be_called_as_what_a_sweep_is_told(tmp_path, capsys):
    grid, out = tmp_path / "grid.json", tmp_path / "out"
    grid.write_text('{"name": ["a", "abc"], "out": [1, 2], "jobs": 3}')
    subject = "tests.support.toy_study:called"
    assert cli.main(["sweep", subject, "--grid", str(grid), "--out", str(out)]) == 0
    rows = json.loads((out / "results.json").read_text())["rows"]
    found = {(row["settings"]["name"], row["accuracy"]) for row in rows}
    assert found == {("a", 0.1), ("abc", 0.3)}
    assert sorted(row["out"] for row in rows) == [1, 1, 2, 2]
    assert all(row["jobs"] == row["settings"]["jobs"] == 3 for row in rows)
    # a grid of a network has no such settings
    grid.write_text('{"progress": [true]}')
    arguments = ["sweep", "eskin-cnn", "--grid", str(grid), "--task", "eskin", "--samples", "2"]
    assert cli.main([*arguments, "--out", str(out)]) == 2
    assert "has no setting progress" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({}, "without settings"),
        ({"n_steps": []}, "n_steps has no values"),
        ({"colour": [1]}, r"has no setting colour: choose from .*n_steps"),
        ({"seed": [1]}, "no setting seed"),
    ],
)
def test_settings_that_are_not_there(grid, message, tmp_path):
    x = np.zeros((4, 10, 10, 1), np.float32)
    with pytest.raises(DataError, match=message):
        nt.sweep("eskin-cnn", x, np.zeros(4, int), tmp_path / "out", **grid)
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_studied(model, samples, tmp_path):
    x, y = samples
    with pytest.raises(DataError, match="give x and y"):
        nt.sweep(model, x, out=tmp_path, n_steps=[1])
    with pytest.raises(DataError, match="one label for each"):
        nt.sweep(model, x, y[1:], tmp_path, n_steps=[1])
    with pytest.raises(DataError, match="samples of its own"):
        nt.sweep(toy_study.cost_of, x, y, tmp_path, n=[1], power=[1])
    with pytest.raises(DataError, match="cannot be sent to other processes"):
        nt.sweep(lambda n: {"accuracy": n}, out=tmp_path, n=[1])
    with pytest.raises(ModelFileError, match="no model folder"):
        nt.sweep("no-such-network", x, y, tmp_path, n_steps=[1])
    with pytest.raises(DataError, match="Keras model takes arrays"):
        nt.sweep(model, nt.datasets.ESkin(n_samples=2), out=tmp_path, n_steps=[1])
    (tmp_path / "grid.json").write_text('{"neuron": ["abacus"]}')
    with pytest.raises(DataError, match="'abacus' is unknown: choose from lif"):
        sweeps.read_grid(tmp_path / "grid.json")
    for text in ("", "[1]", "{}"):
        (tmp_path / "grid.json").write_text(text)
        with pytest.raises(DataError, match="such as"):
            sweeps.read_grid(tmp_path / "grid.json")


def test_networks_of_events_are_studied_too(tmp_path):
    data = nt.datasets.ESkin(split="test", n_samples=6)
    results = nt.sweep(
        "eskin-slayer", data, out=tmp_path, n_steps=[20, 200], progress=False, say=str
    )
    network = nt.load("eskin-slayer")
    recording = nt.run(network, data, n_steps=20, progress=False)
    assert results["rows"][0]["accuracy"] == recording.accuracy(data.targets)[-1]
    with pytest.raises(DataError, match="has no setting rates"):
        nt.sweep("eskin-slayer", data, out=tmp_path / "b", rates=[1])


def test_the_best_are_those_that_none_beats(rng):
    costs, accuracies = rng.integers(0, 9, 40), rng.integers(0, 9, 40)
    found = pareto(costs, accuracies)
    for index in range(40):
        beaten = (costs <= costs[index]) & (accuracies >= accuracies[index])
        beaten &= (costs < costs[index]) | (accuracies > accuracies[index])
        same = (costs[found] == costs[index]) & (accuracies[found] == accuracies[index])
        assert same.any() != beaten.any()
    assert (np.diff(costs[found]) > 0).all()
    with pytest.raises(DataError, match="each combination's"):
        accuracy_over_costs({"steps": [1, 2]}, [0.5])


def test_weights_of_few_bits(model, samples):
    x, _ = samples
    snn = nt.convert(model, x, nt.IF(), n_steps=8, progress=False)
    exact = snn.ann.get_weights()
    for bits in (2, 4, 8):
        rounded = snn.with_weight_bits(bits).ann.get_weights()
        for ours, theirs in zip(rounded, exact, strict=True):
            if theirs.ndim == 1:
                np.testing.assert_array_equal(ours, theirs)
                continue
            most = 2 ** (bits - 1) - 1
            steps = np.abs(theirs).reshape(-1, theirs.shape[-1]).max(axis=0) / most
            assert (np.abs(ours - theirs) <= steps / 2 + 1e-6).all()
            assert len(np.unique(np.rint(ours / steps))) <= 2 * most + 1
    with pytest.raises(ConversionError, match=r"bits is 1\.5"):
        snn.with_weight_bits(1.5)
