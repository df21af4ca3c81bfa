"""Tables and figures as declarations, and how their numbers are written."""

import io

import pytest
from rich.console import Console

from nengo_tactile import report
from nengo_tactile.experiments.tables import (
    Figure,
    Table,
    form,
    p_value,
    percent,
    pictures,
    points,
    spread,
)

RESULTS = {"rows": [{"name": "a", "share": 0.1, "n": 2000}, {"name": "b", "share": None, "n": 3}]}
TABLE = Table(
    "First",
    lambda results: results["rows"],
    {
        "name": ("name", str),
        "share": ("share", percent),
        "twice": (lambda row: 2 * row["n"], form(",")),
        "state": ("n", lambda n: "not run" if n == 3 else f"{n}"),
    },
    lambda results: f"Of {len(results['rows'])}.",
)


def test_numbers_in_words():
    assert [p_value(p) for p in (None, 1e-9, 0.0912, 0.9991)] == ["-", "< 0.001", "0.091", "0.999"]
    assert [percent(share) for share in (None, 0.81234, 1)] == ["-", "81.23", "100.00"]
    assert [points(d) for d in (None, 1.23, -50, -1e-9)] == ["-", "+1.23", "-50.00", "+0.00"]
    assert [spread(percent)(pair) for pair in ((0.5, None), (0.5, 0.1))] == [
        "50.00",
        "50.00 (10.00)",
    ]


def test_the_terminal_keeps_numbers_to_the_right():
    table = TABLE.rich(RESULTS)
    assert [column.justify for column in table.columns] == ["left", "right", "right", "right"]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table)
    text = console.export_text()
    assert text.startswith("First") and "10.00" in text and "4,000" in text and "not run" in text


def test_the_report_has_the_same_cells():
    item = TABLE.item(RESULTS)
    assert item.columns == ["name", "share", "twice", "state"]
    assert item.rows == [["a", "10.00", "4,000", "2000"], ["b", "-", "6", "not run"]]
    assert item.caption == "First. Of 2."
    assert TABLE.item({"rows": []}) is None and TABLE.rich({"rows": []}) is None


@pytest.mark.parametrize("figure", ["drawn", None])
def test_pictures_that_the_results_suffice_for(figure):
    found = pictures({"one": Figure(lambda results: figure, "See.", "It shows.")}, RESULTS)
    assert found == ({"one": report.Picture("drawn", "See.", "It shows.")} if figure else {})
