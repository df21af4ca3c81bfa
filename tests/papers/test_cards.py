"""Cards of reports: those that differ have titles that differ."""

import json
from pathlib import Path

import pytest

from nengo_tactile.papers import PAPERS, paper_named

RESULTS = [
    (name, path)
    for path in sorted((Path(__file__).parents[2] / "docs" / "results").glob("*.json"))
    for name in PAPERS
    if json.loads(path.read_text()).get("command", "").split(" --")[0].endswith(f"reproduce {name}")
]


@pytest.mark.parametrize(("name", "path"), RESULTS, ids=lambda value: getattr(value, "stem", value))
def test_titles_differ(name, path):
    titles = [card.label for card in paper_named(name).key_numbers(json.loads(path.read_text()))]
    assert len(set(titles)) == len(titles)


def test_there_are_results():
    assert len({name for name, _ in RESULTS}) >= 4
