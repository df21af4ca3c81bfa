"""The Spiking ResNet reproduction, cut down: cells, resuming, rows against their own sums."""

import dataclasses
import json
import types

import numpy as np
import pytest

from nengo_tactile import cli, engines
from nengo_tactile.ann.training import predict
from nengo_tactile.commands import networks
from nengo_tactile.commands.tasks import TASKS
from nengo_tactile.conversion.layerwise import rate_at
from nengo_tactile.engines import event
from nengo_tactile.errors import DataError, ModelFileError
from nengo_tactile.experiments.ledgers import content_of
from nengo_tactile.papers import images, spiking_resnet
from nengo_tactile.papers.spiking_resnet import PAPER, ResnetPlan, plan, runs, view
from nengo_tactile.papers.spiking_resnet.numbers import all_rows, figure4_lines
from nengo_tactile.papers.spiking_resnet.plan import Network
from nengo_tactile.saved import load
from tests.support.image_sets import small_network, write_mnist
from tests.support.passes import simplify, spiking_layers, use_clip_floor

STEPS = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Made images and the weights of two tiny networks, as if they were for CIFAR-10."""
    place = write_mnist(tmp_path_factory.mktemp("images"))
    for name in ("resnet6", "plain6"):
        networks.write_weights(small_network(name, place, (2, 3)), place / f"cifar10-{name}.npz")
    networks.write_weights(networks.trained("cifar10-resnet6", place), place / "mnist-resnet6.npz")
    return place


@pytest.fixture
def small(monkeypatch):
    """CIFAR-10 stands for the made images, depth 6 for the paper's depths, 16 images for 512."""
    monkeypatch.setitem(TASKS, "cifar10", dataclasses.replace(TASKS["mnist"], about="made images"))
    for table in (plan.PAPER_TABLE2, plan.PAPER_PLAIN_LOSS):
        monkeypatch.setitem(table, 6, table[20])
    for kind in ("resnet", "plain"):
        table = plan.PAPER_TABLE3
        monkeypatch.setitem(table, (kind, 6), table[kind, 20])
    for name in ("mnist-resnet6", "cifar10-resnet6", "cifar10-plain6"):
        monkeypatch.setitem(plan.NETWORKS, name, Network(name))
    monkeypatch.setattr(runs, "AT_A_TIME", 10)
    monkeypatch.setattr(runs, "MINIBATCH", 10)
    monkeypatch.setattr("nengo_tactile.commands.paths.CALIBRATION_SAMPLES", 16)
    for cached in (images.read, images.trained):
        cached.cache_clear()


def plan_of(folder, **options):
    options = {"n_steps": STEPS, "n_samples": 25, "weights": str(folder), **options}
    return ResnetPlan(**options)


def state_of(chosen, name, key, out, folder):
    return PAPER.state(runs.cell(chosen, name, key, str(folder)), out, False)


def test_a_cell_is_the_sum_of_its_parts(folder, small, tmp_path):
    """The sums against one run of the saved network on all images at once."""
    state = state_of(plan_of(folder), "cifar10-resnet6", "beta", tmp_path, folder)
    data = images.read("cifar10", 0, str(folder))
    assert state["n_done"] == 25
    spiking = load(tmp_path / "networks" / "cifar10-resnet6.beta")
    x, y = data.x[:25], data.y[:25]
    recording = engines.run(spiking, x, STEPS, engine="event", progress=False)
    in_nengo_dl = engines.run(spiking, x, STEPS, engine="nengo-dl", progress=False)
    for layer, counts in in_nengo_dl.spikes_over_time.items():  # but for rounding
        assert counts.sum() == pytest.approx(state["spikes"][layer], rel=0.01)
    late = engines.run(dataclasses.replace(spiking, discard=0.5), x, STEPS, engine="event")
    assert state["late_hits"] == (25 * late.accuracy(y)).round().tolist()
    ann = predict(networks.trained("cifar10-resnet6", folder), x).argmax(1)
    assert state["hits"] == (25 * recording.accuracy(y)).round().tolist()
    assert state["ann_hits"] == state["static_hits"] == int((ann == y).sum())
    assert state["same"] == int((recording.predictions()[:, -1] == ann).sum())
    assert state["spikes"] == {k: v.sum() for k, v in recording.spikes_over_time.items()}
    assert state["synops"] == {k: v.sum() for k, v in recording.synops_over_time.items()}
    assert len(set(data.y[:25])) > 5  # random ones


def test_an_interrupted_cell_goes_on(folder, small, tmp_path, monkeypatch):
    chosen, name = plan_of(folder, n_samples=20), "cifar10-plain6"
    whole = state_of(chosen, name, "beta", tmp_path / "whole", folder)
    stream, shown = event.stream, []

    def counted(spiking, x, *arguments, **options):
        for recording in stream(spiking, x, *arguments, **options):
            if shown == [10]:
                raise KeyboardInterrupt
            shown.append(recording.n_samples)
            yield recording

    place = tmp_path / "parts"
    monkeypatch.setattr(event, "stream", counted)
    with pytest.raises(KeyboardInterrupt):
        state_of(chosen, name, "beta", place, folder)
    path = place / "cells" / "cifar10-plain6.beta.json"
    assert content_of(path)["state"]["n_done"] == 10
    shown.append("no more interruptions")
    # the network is not converted again
    monkeypatch.setattr(runs, "convert", None)
    resumed = state_of(chosen, name, "beta", place, folder)
    assert len(shown) == 3
    for key in set(whole) - {"seconds"}:
        assert resumed[key] == whole[key], key
    # finished, nothing runs; with more images the rest does
    monkeypatch.setattr(event, "stream", None)
    assert state_of(chosen, name, "beta", place, folder) == content_of(path)["state"] == resumed
    monkeypatch.setattr(event, "stream", stream)
    longer = dataclasses.replace(chosen, n_samples=25)
    assert state_of(longer, name, "beta", place, folder)["n_done"] == 25


def test_cells_of_other_settings_are_not_mixed(folder, small, tmp_path):
    chosen, name = plan_of(folder, n_samples=5), "cifar10-plain6"
    state_of(chosen, name, "beta", tmp_path, folder)
    for change, words in (
        ({"n_steps": 5}, "other settings, weights or samples"),
        ({"seed": 1}, "began with other data cifar10"),
    ):
        with pytest.raises(ModelFileError, match=words):
            state_of(dataclasses.replace(chosen, **change), name, "beta", tmp_path, folder)


def test_choices_see_no_test_images(folder, small):
    data = images.read("cifar10", 0, str(folder))
    test = {image.tobytes() for image in data.x}
    calibration = {image.tobytes() for image in data.calibration}
    assert len(calibration) == 16
    assert not test & calibration
    assert not calibration & {image.tobytes() for image in data.train}


def test_all_parts_from_the_command_line(folder, small, tmp_path, capsys, monkeypatch):
    few = ("bias-16", "qcfs-16")
    settings = {
        key: dataclasses.replace(setting, n_steps=setting.n_steps and 6)
        for key, setting in plan.SETTINGS.items()
        if setting.n_steps is None or key in few
    }
    tuned = networks.trained("cifar10-resnet6", folder)
    simple = simplify(tuned)
    quantised = use_clip_floor(simple, dict.fromkeys(spiking_layers(simple), 4.0), 4)
    for name in ("cifar10-resnet6", "cifar10-plain6", "mnist-resnet6"):
        (tmp_path / f"{name}.npz").write_bytes((folder / f"{name}.npz").read_bytes())
    networks.write_weights(quantised, tmp_path / "cifar10-resnet6-qcfs.npz")
    for module in (plan, runs, view, spiking_resnet.numbers):
        monkeypatch.setattr(module, "SETTINGS", settings)
    monkeypatch.setattr(spiking_resnet.numbers, "FEW_STEPS", (6,))
    steps = ("beta", "beta-zero", *few)
    monkeypatch.setitem(plan.PARTS, "steps", steps)
    monkeypatch.setitem(plan.PARTS, "table2", ("beta", "alpha"))
    out = tmp_path / "out"
    arguments = [
        *("reproduce", "spiking-resnet", "--steps", STEPS, "--samples", 10, "--weights", tmp_path),
        *("--figure3-samples", 15, "--out", out, "--data-dir", folder),
    ]
    assert cli.main([str(a) for a in arguments]) == 0
    shown = capsys.readouterr().out
    for words in ("Table 1", "Table 2", "Table 3", "Figure 4", "few time steps", "ResNet-44"):
        assert words in shown
    results = json.loads((out / "results.json").read_text())
    rows = {
        (row["table"], row["network"], row["setting"], row["n_steps"]): row
        for row in results["rows"]
        if not row["late"]
    }
    late = [row for row in results["rows"] if row["late"]]
    assert {row["table"] for row in late} == {"table1", "table2", "steps"}
    assert all("late read-out" in row["name"] for row in late)
    for row in results["rows"]:
        assert {
            "name",
            "paper",
            "paper_sd",
            "ours_mean",
            "ours_sd",
            "n_splits",
            "n_test",
            "data",
        } <= set(row)
    ann = rows["table2", "cifar10-resnet6", None, None]
    beta = rows["table2", "cifar10-resnet6", "beta", STEPS]
    assert (ann["paper"], beta["paper"]) == (0.9199, 0.9179)
    assert beta["paper_lost_points"] == pytest.approx(0.20)
    assert beta["lost_points"] == pytest.approx(100 * (ann["ours_mean"] - beta["ours_mean"]))
    assert rows["table3", "cifar10-plain6", "compensated", STEPS]["paper"] == 0.8940
    assert rows["figure4", "cifar10-plain6", "beta", STEPS]["paper_lost_points"] == pytest.approx(
        1.97
    )
    for key in steps:
        assert rows["steps", "cifar10-resnet6", key, 6]["n_test"] == 10
    # what is read off a longer run is its accuracy after that many steps
    curve = content_of(out / "cells" / "cifar10-resnet6.beta.json")["state"]["hits"]
    assert rows["steps", "cifar10-resnet6", "beta", 6]["ours_mean"] == curve[5] / 10
    assert rows["table1", "cifar10-resnet44", "beta", None]["ours_mean"] is None
    (figure3,) = results["figure3"]
    assert figure3["n_train"] == 15
    assert len(figure3["layers"]) == len(figure3["maximum"]) == 5
    assert figure3["maximum"] >= figure3["percentile_99_9"]
    page = (out / "report.html").read_text()
    for words in ("Figure 3", "Activity and cost", "compensated", "fine-tuned"):
        assert words in page
    pictures = {path.stem for path in out.glob("*.png")}
    assert {"figure3-maximum", "figure3-percentile", "figure4"} < pictures
    assert "steps-cifar10-resnet6" in pictures
    # the fine-tuned network's cells are not kept for another trained network
    model = networks.trained("cifar10-resnet6", tmp_path)
    model.layers[-1].set_weights([0.5 * weight for weight in model.layers[-1].get_weights()])
    networks.write_weights(model, tmp_path / "cifar10-resnet6.npz")
    images.trained.cache_clear()
    with pytest.raises(ModelFileError, match="began with other weights cifar10-resnet6"):
        state_of(plan_of(tmp_path, n_samples=10), "cifar10-resnet6", "qcfs-16", out, folder)


def test_rates_against_the_recorded_spikes(folder, small, tmp_path):
    """Figure 3's rates against NengoDL's spike counts of the same network and images."""
    chosen = plan_of(folder, n_figure3=15, parts="figure3", networks="cifar10-resnet6")
    (cell,) = runs.cells(chosen, str(folder))
    state = PAPER.state(cell, tmp_path, False)
    data = images.read("cifar10", 0, str(folder))
    spiking = load(tmp_path / "networks" / "cifar10-resnet6.beta-zero")
    recording = engines.run(spiking, data.train[:15], STEPS, progress=False)
    assert len(state["histograms"]) == len(recording.spike_counts) == 5
    for histogram, counts in zip(state["histograms"].values(), recording.spike_counts.values()):
        assert histogram == np.bincount(counts.ravel(), minlength=STEPS + 1).tolist()
        assert rate_at(histogram) == counts.max() / STEPS
    # going on adds the missing images only
    assert PAPER.state(cell, tmp_path, False) == state


def test_highest_rate_by_hand():
    histogram = [990, 0, 9, 0, 1]
    assert rate_at(histogram) == 1.0
    assert rate_at(histogram, 99.9) == 0.5
    assert rate_at(histogram, 99) == 0.0
    with pytest.raises(DataError, match="empty"):
        rate_at([0, 0])


def test_order_of_running(folder, small):
    """The first parts' cells first; every cell once; no fine-tuned weights, no such cell."""
    cells = [(network.name, key) for network, key in plan_of(folder).runs()]
    assert cells[0] == ("mnist-resnet6", "beta")
    assert cells[1] == ("cifar10-resnet6", "beta")
    assert len(cells) == len(set(cells))
    assert not any("qcfs" in key for _, key in cells)
    assert ("cifar10-plain6", "alpha") not in cells
    only = plan_of(folder, parts="table3", networks="cifar10-plain6")
    assert [key for _, key in only.runs()] == ["beta-zero", "compensated"]


def test_paper_losses_are_the_papers():
    """Table 2 and the text of section 4.3 name the losses themselves."""
    names = ("cifar10-resnet20", "cifar10-plain56")
    chosen = types.SimpleNamespace(parts=("table2", "figure4"), networks=names)
    rows = {(r["network"], r["setting"]): r for r in all_rows(chosen, {})}
    assert rows["cifar10-resnet20", "beta"]["paper_lost_points"] == pytest.approx(0.20)
    assert rows["cifar10-resnet20", "alpha"]["paper_lost_points"] == pytest.approx(2.54)
    lines = figure4_lines(all_rows(chosen, {}))
    assert lines["plain, paper"][56] == pytest.approx(41.75)
    assert lines["residual, paper"][20] == pytest.approx(0.20)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"parts": "table9"}, "table9"),
        ({"networks": "cifar10-vgg16"}, "vgg16"),
        ({"networks": "cifar10-resnet20"}, "nengo-tactile train resnet20 --task cifar10"),
        ({}, "no trained weights"),
    ],
)
def test_bad_plans(options, words, tmp_path):
    with pytest.raises(DataError, match=words):
        ResnetPlan(**options, weights=tmp_path)
