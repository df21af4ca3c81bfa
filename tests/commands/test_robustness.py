"""What is left of an accuracy: disturbed by hand, and run as such."""

import json

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile.analysis import accuracy_interval, plots_robustness
from nengo_tactile.commands import robustness
from nengo_tactile.errors import DataError
from nengo_tactile.events import disturb, make_events
from nengo_tactile.slayer import CurrentBasedLIF, SlayerNetwork, SpikeLayout
from nengo_tactile.slayer.stages import chain, dense, layer_stage

SIZE, LIVELY = (3, 2, 2), CurrentBasedLIF(1.0, 1.0, threshold=1.0)


class Touches:
    """Class 0 touches the first row, class 1 the second: 20 events each."""

    sensor_size, classes = SIZE, ("up", "down")

    def __init__(self, n=24):
        self.targets = np.arange(n) % 2

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        rng, label = np.random.default_rng(index), int(self.targets[index])
        x, t = rng.integers(0, 3, 20), np.sort(rng.integers(0, 10_000, 20))
        on = np.ones(20)
        return make_events(x, np.full(20, label), t, on, sensor_size=SIZE), label


@pytest.fixture(scope="module")
def network():
    """Counts events of each row."""
    weights = np.zeros((2, 3, 2, 2), np.float32)
    weights[0, ..., 0] = weights[1, ..., 1] = 1.004
    weights[0, 0, 0, 1] = 2.5  # OFF events do not come
    layer = layer_stage("output", dense(weights.reshape(12, 2)), LIVELY)
    layout = SpikeLayout(SIZE, 1000, 10)
    card = {"task": "eskin"}
    return SlayerNetwork(chain((2, 3, 2), [layer]), layout, ("up", "down"), card)


def test_each_kind_is_what_its_name_says():
    kept = [Touches()[n][0] for n in range(4)]
    cells, _ = disturb.cells_of(SIZE)
    arguments = {"seed": 3, "cells": cells, "duration_us": 10_000}
    for number, old in enumerate(kept):
        new = {
            kind: [robustness.disturbed(kept, kind, level, **arguments)[number] for level in levels]
            for kind, (_, levels) in robustness.KINDS.items()
            if kind != "weights"
        }
        assert [len(e) for e in new["drop"]] == [18, 15, 10, 5]
        assert [len(e) for e in new["noise"]] == [22, 25, 30, 40]
        for few, many in zip(new["dead"][1:], new["dead"]):
            assert set(few.tolist()) <= set(many.tolist())
        wanted = np.rint(old["t"] * 1.5)
        np.testing.assert_array_equal(new["stretch"][-1]["t"], wanted[wanted < 10_000])
        assert all(e["t"].max(initial=0) < 10_000 for found in new.values() for e in found)


def test_accuracies_are_those_of_runs_by_hand(network):
    data = Touches()
    rows = robustness.measure(network, data, engine="event", seed=1, progress=False)
    assert [(row["kind"], row["level"]) for row in rows] == [
        (None, None),
        *((kind, level) for kind, (_, levels) in robustness.KINDS.items() for level in levels),
    ]
    assert rows[0]["accuracy"] == 1 and rows[-1]["accuracy"] == 1
    kept = [data[n][0] for n in range(len(data))]
    cells, _ = disturb.cells_of(SIZE)
    for row in rows[1:-1]:
        events = robustness.disturbed(kept, row["kind"], row["level"], 1, cells, 10_000)
        counts = np.zeros((len(data), 2))
        for sample, found in enumerate(events):
            on = found[found["p"]]
            for row_number, _ in set(zip(on["y"].tolist(), (on["t"] // 1000).tolist())):
                counts[sample, row_number] += 1
        # neurons fire once a step, however many events there are
        assert row["n"] == 24 and (row["low"], row["high"]) == accuracy_interval(
            row["accuracy"], 24
        )
        if row["kind"] in ("drop", "stretch", "dead"):
            right = (counts.argmax(1) == data.targets).mean()
            assert row["accuracy"] == pytest.approx(right)
        assert row["emptied"] == sum(not len(found) for found in events)


def test_the_command_writes_table_json_and_picture(network, tmp_path, monkeypatch):
    network.save(tmp_path / "own")
    monkeypatch.setattr(robustness, "open_task", lambda *_: Touches())
    said = []
    numbers, (table,) = robustness.robustness(
        tmp_path / "own", tmp_path / "out", kinds="dead, weights", n_samples=10, seed=2,
        progress=False, say=said.append,
    )  # fmt: skip
    written = json.loads((tmp_path / "out" / "robustness.json").read_text())
    assert written == json.loads(json.dumps(numbers)) and table.row_count == 6
    assert (tmp_path / "out" / "robustness.png").read_bytes()[:4] == b"\x89PNG"
    assert "--kinds dead,weights" in numbers["command"] and "robustness.json" in said[-1]


def test_the_picture_has_the_numbers():
    rows = [
        {"kind": None, "level": None, "accuracy": 0.9, "low": 0.8, "high": 0.95},
        {"kind": "dead", "level": 0.1, "accuracy": 0.7, "low": 0.6, "high": 0.8},
        {"kind": "stretch", "level": 0.5, "accuracy": 0.5, "low": 0.4, "high": 0.6},
    ]
    words = {"dead": "share of dead taxels", "stretch": "times as long"}
    dead, stretch = plots_robustness.robustness(rows, words, "title").axes
    np.testing.assert_allclose(dead.get_lines()[0].get_xydata(), [[0, 0.9], [0.1, 0.7]])
    np.testing.assert_allclose(stretch.get_lines()[0].get_xydata(), [[0.5, 0.5], [1, 0.9]])
    assert dead.get_xlabel() == "share of dead taxels"
    with pytest.raises(DataError, match="0 rows are of nothing disturbed"):
        plots_robustness.robustness(rows[1:], words)


def test_what_cannot_be(network):
    with pytest.raises(DataError, match="disturbance heat: choose of dead, noise"):
        robustness.measure(network, Touches(), kinds=("heat",))
    with pytest.raises(DataError, match="reads images, not recordings"):
        robustness.measure(nt.load("mnist-resnet8"), Touches())
    with pytest.raises(DataError, match="3 x 2 pixels"):
        robustness.measure(network, nt.datasets.ESkin(split="test", n_samples=2))
