"""Pages of the Spikemax reproduction, from states made by hand."""

import dataclasses
import io
import json

import numpy as np
import pytest
from rich.console import Console

from nengo_tactile.events.arrays import make_events
from nengo_tactile.events.spikes import SpikeLayout
from nengo_tactile.experiments import tables
from nengo_tactile.papers.spikemax import PAPER, SpikemaxPlan, runs, view
from nengo_tactile.papers.spikemax.plan import SETTINGS
from nengo_tactile.report.report import render_report
from nengo_tactile.slayer.training import Recipe
from tests.support.recordings import Recordings
from tests.support.spikemax_states import HITS, state, states


def summary(found):
    return PAPER.results(SpikemaxPlan(seed=10), dict(enumerate(found)))


def page_of(results):
    return render_report(PAPER.report(results, tables.pictures(view.figures(results), results)))


def shown(results):
    console = Console(width=200, record=True, file=io.StringIO())
    for table in PAPER.terminal_tables(results):
        console.print(table)
    return console.export_text()


def cells(item, *first):
    (row,) = (row for row in item.rows if tuple(row[: len(first)]) == first)
    return dict(zip(item.columns, row))


def test_tables_in_words():
    results = summary(states("nmnist"))
    found = {key: table.item(results) for key, table in view.tables(results).items()}
    row = cells(found["table1"], "N-MNIST", "spike-rate")
    assert (row["paper"], row["ours"]) == ("99.33 (0.03)", "93.00 (1.41)")
    assert (row["weights, paper"], row["weights, ours"], row["trials"]) == ("2,171,728", "750", "2")
    either = cells(found["table1"], "N-MNIST", "spikemax_s")["paper"]
    assert either == "99.33 (0.04) or 99.26 (0.06)"
    missing = cells(found["table1"], "DVS Gesture", "DECOLLE, Kaiser et al. 2020")
    assert (missing["paper"], missing["ours"], missing["tested on"]) == ("95.54", "-", "-")
    row = cells(found["latency"], "N-MNIST", "spikemax")
    assert list(row.values())[2:] == ["93.00", "40 (4)", "40 (0)", "0.40", "0.058", "70"]
    row = cells(found["times"], "N-MNIST", "spikemax")
    assert list(row.values())[2:] == ["60 (6)", "50 (14)", "0.60", "40", "0.40"]
    row = cells(found["spikes"], "N-MNIST", "spikemax_s")
    assert list(row.values())[2:] == ["250 (70.7)", "0.23", "0.037", "300"]
    row = cells(found["layers-nmnist"], "spike-rate")
    assert row == {
        "loss": "spike-rate",
        "hidden": "1,075 (134)",
        "output": "25 (7.07)",
        "all layers": "1,100 (141)",
    }
    row = cells(found["times-nmnist"], "spikemax")
    assert row["40 ms"] == "92.00 (1.41)" and row["100 ms"] == "93.00 (1.41)"
    row = cells(found["settings"], "N-MNIST")
    assert row["paper"].endswith("tau_s 1 ms, tau_r 1 ms, rates 0.2 and 0.04, W 30 ms")
    ours = "tau_s 50 ms, tau_r 20 ms, rates 0.3 and 0.05, W 40 ms"
    assert (row["neurons and losses"], row["steps"]) == (ours, "10 of 10 ms")
    assert list(cells(found["cost"], "N-MNIST", "spikemax").values())[2:] == ["3", "61.0", "1.5"]


def test_all_pages():
    results = summary(states("nmnist") + states("eskin"))
    text = shown(results)
    for words in ("Table I", "99.33 (0.03)", "Time to the final accuracy", "Spikes of a sample",
                  "What the paper finds", "40 of 100 ms (0.40"):  # fmt: skip
        assert words in text, words
    assert "by layer" not in text and "Settings" not in text  # the report has them
    pictures = view.figures(results)
    assert list(pictures) == [
        f"{kind}-{data}"
        for data in ("nmnist", "eskin")
        for kind in ("accuracy", "spikes", "training")
    ]
    page = page_of(results)
    for words in (
        *("Figure 2. N-MNIST", "Figure 3. N-MNIST", "As Figures 2, 4 and 6. e-skin", "20-30-5"),
        *("all of them were not at hand", "paper 99.33 (0.03) %", "0 of 2"),
        *("Recordings of N-MNIST. Network 20-30-5, trained on 400 samples", "2.6 points"),
    ):
        assert words in page, words
    assert "Simulated N-MNIST" not in page


def test_whole_and_simulated_data_have_their_notes():
    whole = [state("nmnist", "spikemax", 0, HITS["spikemax"][0], n_train=60_000)]
    page = page_of(summary(whole))
    assert "not at hand" not in page
    page = page_of(summary(states("nmnist-simulated")))
    assert "digits that training leaves out" in page


PARTIAL = [
    [],
    states("nmnist", ("spike-rate",)),
    states("nmnist", ("spikemax",))[:1],
    states("ev-objects", ("spike-rate",))[:1] + states("ev-objects", ("spikemax_s",)),
    [state("stemnist", "spike-count", 3, [5] * 4, epochs=1, loss_over_epochs=[0.0],
           accuracy_over_epochs=[0.1])],
    [state("ntidigits", "spikemax_g", 0, [0] * 10, 0.0, spikes={"output": 0.0})],
    states("nmnist", ("spike-rate",)) + [
        state("nmnist", "spikemax", t, [0] * 10, spikes={"hidden": 0.0, "output": 0.0})
        for t in (0, 1)
    ],
]  # fmt: skip


@pytest.mark.parametrize("found", PARTIAL, ids=range(len(PARTIAL)))
def test_pages_of_what_there_is(found):
    results = summary(found)
    json.dumps(results, allow_nan=False)
    pictures = view.figures(results)
    assert len(pictures) == 3 * len({each["data"] for each in found})
    page = page_of(results)
    assert "Table I" in page
    assert "Table I" in shown(results)


def test_from_runs_to_a_report(tmp_path, monkeypatch, rng):
    """Networks of two losses, trained for an epoch on the fewest samples."""
    setting = dataclasses.replace(
        SETTINGS["eskin"],
        layout=SpikeLayout((3, 2, 2), 1000, 20),
        network="2x3x2-3o",
        counts=(10, 1),
        window=8,
        recipe=Recipe(epochs=1, batch_size=6, learning_rate=0.1),
    )
    monkeypatch.setitem(SETTINGS, "eskin", setting)
    events = [
        make_events(*(rng.integers(0, n, 50) for n in (3, 2)), np.sort(rng.integers(0, 20_000, 50)),
                    rng.integers(0, 2, 50))
        for _ in range(6)
    ]  # fmt: skip
    monkeypatch.setattr(runs, "open_dataset", lambda *_: Recordings(events, np.arange(6) % 3))
    plan = SpikemaxPlan(("eskin",), ("spike-rate", "spikemax"), n_trials=1, seed=3)
    said = []
    results = PAPER.run(plan, tmp_path, progress=False, say=said.append)
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert results["command"] == plan.command(PAPER.command) and results["seed"] == 3
    (pair,) = results["comparisons"]
    assert (pair["data"], pair["loss"], pair["n_pairs"]) == ("eskin", "spikemax", 1)
    row = next(row for row in results["rows"] if row["loss"] == "spikemax" and row["n_test"])
    assert (row["parameters"], row["seeds"], row["data"]) == (36, [3], setting.about)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "2x3x2-3o" in page and "driven by the recorded pen trajectories" in page
    assert (tmp_path / "spikes-eskin.png").read_bytes().startswith(b"\x89PNG")
    assert said[0].startswith("eskin, spike-rate, trial 1: 0.")
    assert said[2:] == [f"wrote {tmp_path / 'results.json'}, pictures and report.html"]
