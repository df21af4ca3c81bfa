"""Rows, curves and pages of the SKIM reproduction, from states made by hand."""

import copy
import io
import json

import pytest

from nengo_tactile.commands.tasks import TASKS
from nengo_tactile.errors import DataError
from nengo_tactile.experiments import tables
from nengo_tactile.papers.skim import PAPER, SkimPlan, published
from nengo_tactile.papers.skim.numbers import growth_curve, numbers
from nengo_tactile.papers.skim.view import FIGURES
from nengo_tactile.report.report import render_report
from tests.support.skim_states import (
    AS_PAPER,
    CROSSING,
    GROWTH,
    ONLINE,
    STATES,
    TACTILE,
    growth,
    point,
    trials,
)

DATA = "N-MNIST simulated from MNIST"


def summary(**states):
    head = {"paper": published.TITLE, "command": "nengo-tactile reproduce skim --seed 3", "seed": 3}
    return head | numbers(3, DATA, "resonance", states)


def page_of(results):
    return render_report(PAPER.report(results, tables.pictures(FIGURES, results)))


def test_states_of_cells_are_brought_together():
    """One cell for each trial; what was not run, or has nothing to run, is left out."""
    shared = {key: AS_PAPER[key] for key in ("n_hidden", "n_train", "n_test", "length")}
    cells = [{"part": "growth", "digits": DATA, **each} for each in GROWTH]
    cells += [{"part": "trials", "digits": DATA, **shared, **trial} for trial in AS_PAPER["trials"]]
    cells += [{"part": "crossing", "digits": DATA, **CROSSING}]
    cells += [None, *({"part": "tactile", **row} for row in TACTILE["rows"])]
    cells += [{"part": "online", **each} for each in ONLINE]
    plan = SkimPlan(seed=3)
    found = PAPER.results(plan, dict(enumerate(cells)))
    assert found == {**summary(**STATES), "command": plan.command(PAPER.command)}
    felt = PAPER.results(plan, dict(enumerate(cells[-1 - len(ONLINE) : -len(ONLINE)])))
    assert felt["data"] == "tactile digits" and felt["trials"] is None


def rows_of(results, table):
    return [row for row in results["rows"] if row["table"] == table]


def test_rows_beside_the_paper():
    results = summary(**STATES)
    small, large, end = rows_of(results, "table1") + rows_of(results, "table2")
    assert (small["n_hidden"], small["n_train"]) == (10, 10_000)
    assert (small["paper"], small["ours_mean"], small["n_test"]) == (0.2636, 0.25, 200)
    assert (large["n_train"], large["paper"], large["ours_mean"]) == (10_000, None, 0.82)
    assert (end["n_train"], end["paper"], end["ours_mean"]) == (60_000, 0.8396, 0.85)
    assert end["name"] == "2,000 hidden neurons, 60,000 training samples"
    assert (end["data"], end["pattern"], end["method"]) == (DATA, "flat", "area")
    training, test = rows_of(results, "recordings")
    assert (training["n_train"], training["ours_mean"], training["paper"]) == (59_000, 0.8, None)
    assert (test["n_test"], test["ours_mean"], test["paper"]) == (10, 0.9, None)
    assert training["data"] != test["data"]
    table3 = rows_of(results, "table3")
    assert len(table3) == 12
    assert table3[0]["name"] == "flat pattern, Max"
    assert table3[0]["ours_mean"] == pytest.approx((82 + 83 + 80 + 81 + 85) / 500)
    assert table3[0]["ours_sd"] == pytest.approx(0.01 * (14.8 / 4) ** 0.5)
    assert (table3[0]["n_splits"], table3[0]["n_test"]) == (5, 100)
    first, second = rows_of(results, "crossing")
    assert first["name"] == "trained on simulated, tested on recordings"
    assert (first["n_hidden"], first["ours_mean"], second["ours_mean"]) == (500, 0.755, 0.64)
    assert (first["n_test"], first["n_splits"]) == (100, 2)
    (tactile,) = rows_of(results, "tactile")
    assert (tactile["name"], tactile["data"], tactile["ours_mean"]) == (
        *("stemnist: all classes", TASKS["stemnist"].about, 0.75),
    )
    assert all(row["paper_sd"] is None for row in results["rows"])
    assert len({tuple(row) for row in results["rows"]}) == 1  # the same keys in all


def test_results_are_plain_json():
    results = summary(**STATES)
    assert json.loads(json.dumps(results, allow_nan=False)) == results
    assert results["seed"] == 3 and results["engine"] == "batch trainer"
    assert results["command"].endswith("--seed 3")
    (row,) = results["tactile"]
    assert row["chance"] == 1 / 35 and row["accuracy"] == 0.75
    assert results["crossing"][1]["accuracy"] == 0.64
    assert results["recommendation"][1]["method"] == "area"
    last = {"n_train": 100, "n_test": 200, "closed form": 0.6, "OPIUM": 0.59, "PES": 0.3}
    assert results["online"]["rows"][-1] == last


def test_a_finished_curve():
    """The end stands apart; samples a second are over all that were trained."""
    curve = growth_curve(GROWTH[0])
    assert (curve["n_train"], curve["accuracy"]) == ([5000, 10_000], [0.8, 0.82])
    assert curve["final"] == {"n_train": 60_000, "n_test": 1000, "accuracy": 0.85}
    assert curve["recordings"] == {"n_train": 59_000, "n_test": 100, "accuracy": 0.8}
    assert curve["recorded_test"] == {"n_train": 60_000, "n_test": 10, "accuracy": 0.9}
    assert curve["samples_per_second"] == 100.0
    assert curve["peak_bytes"] == 1_500_000_000


def test_curves_that_are_not_finished():
    begun = growth_curve(GROWTH[1])
    assert begun["final"] is None and begun["n_train"] == [1000, 10_000]
    assert begun["samples_per_second"] is None and begun["recordings"] is None
    # a short run ends within the curve, with more test digits than its points before
    short = growth_curve(growth(10, [point(500, 30, 100), point(200, 4, 20)]))
    assert (short["n_train"], short["accuracy"]) == ([200, 500], [0.2, 0.3])
    assert short["n_test"] == [20, 100] and short["final"] is None
    # points between 10,000 and the end are no part of Figure 4
    points = [point(n, 1, 20) for n in (10_000, 30_000)] + [point(60_000, 50, 100)]
    assert growth_curve(growth(10, points))["n_train"] == [10_000]
    recorded = growth_curve(growth(10, [point(59_000, 8, 10, "recordings")]))
    assert recorded["n_train"] == [] and recorded["final"] is None


PARTIAL = [
    {},
    {"growth": None, "trials": None, "crossing": None, "tactile": None},
    {"growth": [], "trials": {"trials": []}, "crossing": {}, "tactile": {"rows": []}},
    {"growth": [growth(10, [])]},
    {"growth": [growth(10, [point(1000, 3, 10)])]},
    {"growth": [growth(10, [point(59_000, 3, 10, "recordings")])]},
    {"growth": GROWTH[1:], "trials": trials([[80] * 12])},
    {"trials": trials([[80] * 12, [82] * 12])},
    {"trials": trials([[80] * 12] * 6)},
    {"crossing": CROSSING},
    {"crossing": {"n_hidden": 500, "rows": []}, "tactile": TACTILE},
    {"online": ONLINE[1:2]},
    {"online": [{**ONLINE[0], "points": []}]},
]


@pytest.mark.parametrize("states", PARTIAL)
def test_pages_of_what_there_is(states):
    results = summary(**copy.deepcopy(states))
    json.dumps(results, allow_nan=False)
    pictures = tables.pictures(FIGURES, results)
    assert "OPIUM" in page_of(results)
    PAPER.terminal_tables(results)
    assert ("figure6" in pictures) == bool(results["trials"])
    assert "figure5" not in pictures  # too few trials, or all alike


def shown(results):
    from rich.console import Console

    console = Console(width=200, record=True, file=io.StringIO())
    for table in PAPER.terminal_tables(results):
        console.print(table)
    return console.export_text()


def test_all_pages():
    results = summary(**STATES)
    text = shown(results)
    for words in (
        "Tables 1 and 2",
        "83.96",
        "82.20 (1.92)",
        "Table 4",
        "Crossing",
        "stemnist: all",
        "-30.00",
    ):
        assert words in text
    pictures = tables.pictures(FIGURES, results)
    assert list(pictures) == ["figure4", "figure5", "figure6", "figure7", "learning"]
    page = page_of(results)
    for words in (
        *("paper 83.96%", "26.36", "Figure 4", "Figure 5", "Figure 6", "Figure 7", "1.50"),
        *("5 trials (the paper: 51, 61 and 60)", "fitted to", "too large", "Table 4"),
        *("does not depend on the order", "best of 12: exponential pattern, Max"),
    ):
        assert words in page, words


def test_recorded_events_alone_are_not_called_simulated():
    results = summary() | numbers(0, "N-MNIST", "alpha", {"growth": GROWTH})
    page = page_of(results)
    assert "simulator" not in page and "least squares" in page


@pytest.mark.parametrize(
    ("states", "message"),
    [
        ({"growth": [growth(10, [point(5, 11, 10)])]}, "11 right answers of 10 test samples"),
        ({"growth": [growth(10, [point(5, 0, 0)])]}, "0 right answers of 0"),
        ({"growth": [growth(10, [point(5, 1, 2, "made")])]}, "test data 'made' are unknown"),
        ({"tactile": {"rows": [{**TACTILE["rows"][0], "hits": -1}]}}, "all classes: -1 right"),
    ],
)
def test_bad_states(states, message):
    with pytest.raises(DataError, match=message):
        summary(**states)
