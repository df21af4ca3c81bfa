"""The sigma-delta reproduction, cut down: cells, resuming, rows against their own sums."""

import dataclasses
import json

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import cli
from nengo_tactile.ann import digits, training
from nengo_tactile.ann.training import predict
from nengo_tactile.commands import networks
from nengo_tactile.doors.archives import read_npz
from nengo_tactile.errors import DataError, ModelFileError
from nengo_tactile.papers import images
from nengo_tactile.papers.sigma_delta import PAPER, runs
from nengo_tactile.papers.sigma_delta import plan as sigma_delta
from nengo_tactile.papers.sigma_delta.numbers import curve, rows_of
from nengo_tactile.papers.sigma_delta.plan import ANN_OPERATIONS, DeltaPlan
from nengo_tactile.saved import load
from tests.support.image_sets import write_mnist

N = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Made images, and the paper's network after a few steps of training on them."""
    place = write_mnist(tmp_path_factory.mktemp("images"), 128, 12)
    arrays = read_npz(place / "mnist.npz")
    model = digits.digits_cnn(0)
    recipe = training.Recipe("adam", 4, 32, 2e-3, "cosine", 0.0, 0.0)
    x, y = arrays["x_train"][..., None], arrays["y_train"].astype(np.int64)
    training.train(model, (x, y), recipe, progress=False)
    networks.write_weights(model, place / f"{sigma_delta.WEIGHTS}.npz")
    return place


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(runs, "MINIBATCH", 4)
    monkeypatch.setattr(runs, "TURNS", 1)
    monkeypatch.setattr(runs, "FACTORS", (1.4,))
    monkeypatch.setattr("nengo_tactile.commands.paths.CALIBRATION_SAMPLES", 6)


def plan_of(folder, settings="threshold-1", **options):
    return DeltaPlan(settings, **{"n_samples": N, "weights": folder, **options})


def test_numbers_of_the_paper():
    """Table I says 15k neurons; footnote 10, 455K multiplications, which are 911K operations."""
    assert sigma_delta.NEURONS == 784 + 12544 + 1568 + 256 + 10 == 15162
    assert sigma_delta.PAPER_MACS == 455_712
    assert round(ANN_OPERATIONS["paper's count"], -3) == 911_000
    model = digits.digits_cnn()
    macs = 0
    for layer in model.layers:
        if layer.weights:
            positions = np.prod(layer.output_shape[1:-1], dtype=int)
            macs += positions * layer.get_weights()[0].size
    assert macs == sigma_delta.MACS
    assert ANN_OPERATIONS["all channels"] == 2 * macs


def state_of(plan, out, folder):
    (cell,) = PAPER.cells(plan, str(folder))
    return PAPER.state(cell, out, False)


@pytest.mark.parametrize("key", ["threshold-2", "rate-15", "outputs"])
def test_a_cell_is_the_sum_of_its_parts(folder, tmp_path, key):
    """The sums against one run of the saved network on all images at once."""
    plan, data = plan_of(folder, key), images.read("mnist", 0, str(folder))
    state = state_of(plan, tmp_path, folder)
    spiking = load(tmp_path / "networks" / key)
    x, y = data.x[:N], data.y[:N]
    n_steps = sigma_delta.SETTINGS[key].n_steps
    recording = nt.run(spiking, x, n_steps, engine="event", progress=False)
    model = networks.trained(sigma_delta.WEIGHTS, folder)
    assert state["n_done"] == N
    assert state["hits"] == (N * recording.accuracy(y)).round().tolist()
    assert state["ann_hits"] == int((predict(model, x).argmax(1) == y).sum())
    bits = (x > 51) * np.float32(255)
    assert state["bit_hits"] == int((predict(model, bits).argmax(1) == y).sum())
    names = {"input", "conv1", "conv2", "dense"} | ({"logits"} if key == "outputs" else set())
    names -= set() if spiking.accumulates else {"input"}
    spikes = sum(recording.spike_counts[name].sum() for name in names)
    assert state["spikes"][-1] == spikes
    assert state["synops"][-1] == sum(each.sum() for each in recording.synops.values())
    assert set(state["layers"]) == names | {"conv1_pool", "conv2_pool"}
    if spiking.accumulates:
        assert state["quantised_hits"] == int((predict(spiking.ann, bits).argmax(1) == y).sum())
        assert state["layers"]["input"]["spikes"] == (x > 51).sum()
    (row,) = (row for row in rows_of({key: state}) if row["kind"] == "snn")
    assert row["spikes"] == pytest.approx(spikes / N / 15162)
    found = curve(sigma_delta.SETTINGS[key], state)
    assert np.all(np.diff(found["synops"]) >= 0) and len(found["time"]) == n_steps


def test_operations_until_the_ann_is_reached_are_the_first_of_no_return():
    state = {"n_done": 10, "hits": [9, 10, 8, 9, 9, 9], "synops": [1, 2, 3, 40, 50, 60]}
    state |= {"setting": "rate-15", "spikes": [0] * 6, "ann_hits": 9, "seconds": 0, "layers": {}}
    setting = dataclasses.replace(sigma_delta.SETTINGS["rate-15"], n_steps=6)
    assert curve(setting, state)["synops_to_ann"] == 4.0
    assert curve(setting, {**state, "ann_hits": 10})["synops_to_ann"] is None


def test_an_interrupted_cell_goes_on(folder, tmp_path, monkeypatch):
    plan = plan_of(folder)
    whole = state_of(plan, tmp_path / "whole", folder)
    first = dataclasses.replace(plan, n_samples=4)
    place = tmp_path / "parts"
    assert state_of(first, place, folder)["n_done"] == 4
    monkeypatch.setattr(runs, "convert", None)  # the network is not converted again
    resumed = state_of(plan, place, folder)
    for name in set(whole) - {"seconds"}:
        assert resumed[name] == whole[name], name
    monkeypatch.setattr("nengo_tactile.engines.event.stream", None)  # finished, nothing runs
    assert state_of(plan, place, folder) == resumed
    with pytest.raises(ModelFileError, match="began with other data mnist"):
        state_of(dataclasses.replace(plan, seed=1), place, folder)


def test_thresholds_within_a_budget(folder):
    model = networks.trained(sigma_delta.WEIGHTS, folder)
    x = images.read("mnist", 0, str(folder)).calibration
    found = runs.within_budget(model, x, 0.1, False)
    snn = nt.convert(model, x, nt.SigmaDelta(threshold=found, coding=sigma_delta.CODING))
    recording = nt.run(snn, x, sigma_delta.N_STEPS, engine="event", progress=False)
    names = ("input", "conv1", "conv2", "dense")
    spikes = sum(recording.spike_counts[name].sum() for name in names)
    assert 0 < spikes / len(x) / 15162 <= 0.1
    assert list(found) == ["conv1_relu", "conv2_relu", "dense_relu"]


def test_from_the_command_line(folder, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    keys = "threshold-1,threshold-2,rate-15"
    arguments = ["reproduce", "sigma-delta", "--settings", keys, "--samples", N]
    arguments += ["--weights", folder, "--out", out, "--data-dir", folder]
    assert cli.main([str(a) for a in arguments]) == 0
    shown = capsys.readouterr().out
    for words in ("Table I, 6 test images", "quantised ANN, threshold 2.0", "rate coding, 15"):
        assert words in shown
    results = json.loads((out / "results.json").read_text())
    rows = {(row["kind"], row["setting"]): row for row in results["rows"]}
    assert rows["snn", "threshold-1"]["paper"] == 0.9919
    assert rows["snn", "threshold-1"]["paper_spikes"] == 0.25
    assert rows["snn", "threshold-1"]["paper_lost_points"] == pytest.approx(0.02)
    assert rows["quantised", "threshold-2"]["paper"] == 0.9644
    assert rows["snn", "rate-15"]["paper_spikes"] == 0.26
    assert set(rows["snn", "threshold-2"]["thresholds"].values()) == {2.0}
    # Figure 2 ends where the network comes to rest
    first, spiking = results["figure2"], load(out / "networks" / "threshold-1")
    image = read_npz(folder / "mnist.npz")["x_test"][:1, ..., None]
    recording = nt.run(spiking, image, sigma_delta.N_STEPS, engine="event", progress=False)
    np.testing.assert_allclose(first["outputs"][-1], recording.outputs[0, -1], rtol=1e-5)
    assert len(first["input"]["pixels"]) == (image > 51).sum()
    page = (out / "report.html").read_text()
    for words in ("Figure 2", "Figure 3", "Figure 4", "with plain gradient descent"):
        assert words in page
    pictures = {path.stem for path in out.glob("*.png")}
    assert pictures == {
        *("figure2-potentials", "figure2-spikes", "figure3-time", "figure3-spikes", "figure4"),
    }


def test_model_and_card(folder, tmp_path):
    words = ["model", "mnist-sigma-delta", "--samples", N, "--weights", folder]
    words += ["--out", tmp_path / "model", "--work", tmp_path / "work", "--data-dir", folder]
    assert cli.main([str(word) for word in words]) == 0
    network = nt.load(tmp_path / "model")
    data = images.read("mnist", 0, str(folder))
    recording = nt.run(network, data.x[:N], engine="event", progress=False)
    card = network.card
    assert card["spiking accuracy"] == recording.accuracy(data.y[:N])[-1]
    synops = sum(int(each.sum()) for each in recording.synops.values())
    assert card["cost of an image"]["synaptic operations"] == pytest.approx(synops / N)
    text = (tmp_path / "model" / "card.md").read_text()
    for words in ("nengo-tactile train deltacnn --task mnist", "--samples 6", "## limits"):
        assert words in text


def test_bad_input(folder, tmp_path):
    with pytest.raises(DataError, match="--settings: 'fast' is unknown: choose from threshold-1"):
        plan_of(folder, "fast")
    with pytest.raises(DataError, match="nengo-tactile train deltacnn --task mnist"):
        plan_of(tmp_path)
    plan = plan_of(folder)
    assert "--settings threshold-1 --samples 6" in plan.command(PAPER.command)
    with pytest.raises(DataError, match="nothing does not exist"):
        PAPER.run(plan, tmp_path / "out", tmp_path / "nothing", progress=False, say=str)
