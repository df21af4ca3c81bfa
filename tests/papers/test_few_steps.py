"""The study of few steps, cut down: rows against runs of their own, resuming, what is drawn."""

import itertools
import json

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import cli
from nengo_tactile.analysis import plots_resnet
from nengo_tactile.analysis.overlap import mean_overlap
from nengo_tactile.ann.unet import unet
from nengo_tactile.commands import networks
from nengo_tactile.datasets import digit_scenes
from nengo_tactile.engines import event
from nengo_tactile.errors import DataError
from nengo_tactile.papers import few_steps, images, shipped
from nengo_tactile.papers.few_steps import model, numbers, plan, runs, subjects
from tests.support.image_sets import small_network, write_mnist

NAME = "mnist-resnet6"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = write_mnist(tmp_path_factory.mktemp("images"))
    networks.write_weights(small_network("resnet6", place, (2, 3)), place / f"{NAME}.npz")
    return place


@pytest.fixture
def small(folder, monkeypatch):
    """A tiny network of made images, in minibatches of ten."""
    monkeypatch.setitem(plan.NETWORKS, NAME, "ResNet-6, made images")
    monkeypatch.setattr(runs, "MINIBATCH", 10)
    for cached in (images.read, images.trained, subjects.subject):
        cached.cache_clear()
    return {"networks": (NAME,), "n_calibration": 32, "n_samples": 25, "weights": str(folder)}


def test_a_row_is_what_its_network_does(folder, small, tmp_path):
    chosen = few_steps.FewStepsPlan(settings=("graded-2",), steps=("4",), **small)
    (cell,) = runs.cells(chosen, str(folder))
    state = few_steps.PAPER.state(cell, tmp_path)
    row = numbers.row(state)
    source = subjects.subject(NAME, False, str(folder), 0, str(folder))
    network = nt.load(tmp_path / "networks" / f"{NAME}.graded-2.4")
    x, y = source.x[:25], source.y[:25]
    recording = nt.run(network, x, engine="nengo-dl", progress=False)
    assert row["accuracy"] == pytest.approx(recording.accuracy(y)[-1])
    assert row["ann"] == pytest.approx(np.mean(source.model.predict(x, verbose=0).argmax(1) == y))
    units = sum(each.sum() for each in recording.units_over_time.values()) / 25
    assert row["units"] == pytest.approx(units)
    assert row["spikes"] < units and not row["binary"] and row["n_test"] == 25
    # the longer it is shown, the nearer is what rounding leaves
    assert network.n_steps == 4 and abs(row["bound_points"]) <= 100


def test_it_goes_on_where_it_was_interrupted(folder, small, tmp_path, monkeypatch):
    chosen = few_steps.FewStepsPlan(settings=("signed",), steps=("2",), **small)
    (cell,) = runs.cells(chosen, str(folder))
    whole = few_steps.PAPER.state(cell, tmp_path / "whole")
    stream, shown = event.stream, []

    def counted(*arguments, **options):
        for recording in stream(*arguments, **options):
            if len(shown) == 1:
                raise KeyboardInterrupt
            shown.append(recording)
            yield recording

    monkeypatch.setattr(event, "stream", counted)
    with pytest.raises(KeyboardInterrupt):
        few_steps.PAPER.state(cell, tmp_path / "parts")
    monkeypatch.setattr(event, "stream", stream)
    monkeypatch.setattr(runs, "convert", None)  # the network is not converted again
    resumed = few_steps.PAPER.state(cell, tmp_path / "parts")
    for key in set(whole) - {"seconds", "conversion_seconds"}:
        assert resumed[key] == whole[key], key


def test_on_the_command_line(folder, small, tmp_path, capsys):
    words = ["--networks", NAME, "--settings", "plain,qcfs,graded-2", "--steps", "1,4"]
    words += ["--calibration", "32", "--samples", "12", "--weights", str(folder)]
    words += ["--data-dir", str(folder), "--out", str(tmp_path)]
    assert cli.main(["reproduce", "few-steps", *words]) == 0
    shown = capsys.readouterr().out
    assert "spikes of one" in shown and "spikes worth several" in shown
    results = json.loads((tmp_path / "results.json").read_text())
    # of weights that are not fine-tuned there are no such rows
    rows = [(row["setting"], row["n_steps"]) for row in results["rows"]]
    assert rows == [("plain", 1), ("plain", 4), ("graded-2", 1), ("graded-2", 4)]
    assert (tmp_path / f"packets-{NAME}.png").stat().st_size > 5000
    assert "ResNet-6, made images" in (tmp_path / "report.html").read_text()
    assert cli.main(["reproduce", "few-steps", "--steps", "3"]) == 2


def test_a_tactile_networks_model_is_its_relus(monkeypatch):
    """Of slow LIF neurons, whose rates are nearly those; shown recordings that need no files."""

    def few(name, split, data_dir):
        return nt.datasets.ESkin(split=split, n_samples=40)

    monkeypatch.setattr(subjects, "open_dataset", few)
    source = subjects.subject("eskin-cnn", False, None, 0, None)
    assert not any("RateLIF" in type(layer).__name__ for layer in source.model.layers)
    rates = nt.load("eskin-cnn").ann.predict(source.x, verbose=0)
    relus = source.model.predict(source.x, verbose=0)
    assert np.corrcoef(rates.ravel(), relus.ravel())[0, 1] > 0.98
    assert (relus.argmax(1) == source.y).mean() > 0.8


def test_the_picture_needs_points():
    with pytest.raises(DataError, match="no points"):
        plots_resnet.accuracy_over_packets({"a": []}, 0.9)
    lines = {"a": [(100, 0.9, 2), (50, 0.85, 1)], "b": [(70, 0.6, 1)]}
    figure = plots_resnet.accuracy_over_packets(lines, 0.91, {"b"})
    line = figure.axes[0].lines[1]
    assert list(line.get_xdata()) == [50, 100]
    # no number lies on another, and the axis begins where points are seen
    lines = {
        str(k): [(100 * 2**n * 1.01**k, 0.9 - 0.2 / 3**n, n) for n in range(6)] for k in (1, 2)
    }
    lines["silent"] = [(0, 0.1, 1)]
    figure = plots_resnet.accuracy_over_packets(lines, 0.91)
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 5 and not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    assert 170 < figure.axes[0].get_xlim()[0] < 202


def test_a_shipped_network_and_its_card(folder, small, tmp_path):
    order = shipped.Order(
        tmp_path, n_samples=12, weights=str(folder), data_dir=str(folder), progress=False, say=str
    )
    network, card = model.make("small", order, NAME, "graded-2", 2)
    assert network.n_steps == 2 and card["test images"] == 12
    x, y = (part[:12] for part in subjects.subject(NAME, False, str(folder), 0, str(folder))[2:4])
    recording = nt.run(network, x, engine="event", progress=False)
    assert card["spiking accuracy"] == pytest.approx(recording.accuracy(y)[-1])
    spikes = sum(each.sum() for each in recording.spikes_over_time.values()) / 12
    assert card["cost of an image"]["spikes"] == pytest.approx(spikes)
    assert "up to 2 as one" in card["summary"]


def test_maps_are_measured_by_their_overlaps(folder, tmp_path, monkeypatch):
    """The row of a U-Net is what another engine and the labels give, pixel by pixel."""
    for cached in (images.read, images.trained, subjects.subject):
        cached.cache_clear()
    monkeypatch.setattr(digit_scenes, "N_SAMPLES", {"train": 24, "test": 5})
    monkeypatch.setattr(runs, "OUTPUTS", 2 * 48 * 48 * 11 * 3)  # three at a time
    monkeypatch.setattr("nengo_tactile.commands.paths.CALIBRATION_SAMPLES", 16)
    networks.write_weights(
        unet(rescale=([0.01], [-0.2]), widths=(3, 4)), tmp_path / "scenes-unet.npz"
    )
    chosen = few_steps.FewStepsPlan(
        ("scenes-unet",), ("graded-4",), ("2",), 16, weights=str(tmp_path)
    )
    results = few_steps.PAPER.run(chosen, tmp_path, str(folder), progress=False, say=str)
    rows = {row["setting"]: row for row in results["rows"]}
    source = subjects.subject("scenes-unet", False, str(tmp_path), 0, str(folder))
    for key, row in rows.items():  # rounding moves a few pixels from engine to engine
        network = nt.load(tmp_path / "networks" / f"scenes-unet.{key}.2")
        decided = nt.run(network, source.x, engine="nengo-dl").predictions()[:, -1]
        assert row["accuracy"] == pytest.approx((decided == source.y).mean(), abs=1e-3)
        assert row["overlap"] == pytest.approx(mean_overlap(decided, source.y, 11), abs=1e-3)
        ann = source.model.predict(source.x, verbose=0).argmax(-1)
        assert row["ann_overlap"] == pytest.approx(mean_overlap(ann, source.y, 11))
        assert 0 < row["bound_overlap"] < 1 and row["n_test"] == 5
    page = (tmp_path / "report.html").read_text()
    assert "Mean intersection over union" in page
