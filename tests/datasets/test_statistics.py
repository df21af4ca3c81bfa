"""Table 1 statistics against plain loops and numpy."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from nengo_tactile.datasets.statistics import (
    STATISTICS,
    compute_statistics,
    stmnist_table1,
    table,
    to_dict,
)
from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import EVENT_DTYPE
from tests.support.fake_formats import random_events


class Samples(list):
    classes = ("zero", "one", "two")
    sensor_size = (10, 10, 2)


@pytest.fixture
def samples(rng):
    lengths = rng.integers(1, 40, 30)
    return Samples((random_events(rng, n), index % 3) for index, n in enumerate(lengths))


def by_loops(samples, label, base):
    """Each statistic of each sample, with plain Python."""
    columns = {name: [] for name in STATISTICS}
    for events, its_label in samples:
        if its_label != label:
            continue
        rows = events.tolist()
        columns["ON events"].append(sum(1 for row in rows if row[3]))
        columns["OFF events"].append(sum(1 for row in rows if not row[3]))
        for axis, name in ((0, "X"), (1, "Y")):
            places = [row[axis] + base for row in rows]
            columns[f"{name} mean"].append(sum(places) / len(places))
            columns[f"{name} range"].append(max(places) - min(places))
    return columns


@pytest.mark.parametrize("base", [0, 1])
def test_equal_to_plain_loops(samples, base):
    statistics = compute_statistics(samples, address_base=base)
    assert list(statistics) == ["zero", "one", "two"]
    for label, entry in enumerate(statistics.values()):
        assert (entry["Sample size"], entry["Without events"]) == (10, 0)
        for name, values in by_loops(samples, label, base).items():
            assert entry[name]["mean"] == pytest.approx(np.mean(values), rel=1e-12)
            assert entry[name]["sd"] == pytest.approx(np.std(values, ddof=1), rel=1e-9)


def test_recordings_without_events_count_but_have_no_place(samples):
    before = compute_statistics(samples)["one"]
    samples.append((np.empty(0, EVENT_DTYPE), 1))
    after = compute_statistics(samples)["one"]
    assert (after["Sample size"], after["Without events"]) == (11, 1)
    assert after["X mean"] == before["X mean"]
    assert after["ON events"]["mean"] == pytest.approx(before["ON events"]["mean"] * 10 / 11)


def test_one_sample_has_no_deviation(samples):
    entry = compute_statistics(Samples(samples[:1]))["zero"]
    assert entry["ON events"]["sd"] is None
    assert entry["ON events"]["mean"] == np.count_nonzero(samples[0][0]["p"])


def test_sets_without_class_names_use_labels(samples):
    assert list(compute_statistics(list(samples))) == ["0", "1", "2"]


def test_bad_sets_are_refused(samples):
    with pytest.raises(DataError, match="empty"):
        compute_statistics(Samples())
    with pytest.raises(DataError, match="address_base is 2"):
        compute_statistics(samples, address_base=2)
    with pytest.raises(DataError, match="sample 0 has label 3, wanted 0 to 2"):
        compute_statistics(Samples([(samples[0][0], 3)]))
    wrong = samples[4][0].copy()
    wrong["x"][0] = 10
    with pytest.raises(DataError, match="sample 1: event 0 has x = 10"):
        compute_statistics(Samples([samples[0], (wrong, 0)]))


def printed(renderable):
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(renderable)
    return console.export_text()


def test_the_table_shows_the_reference_below(samples):
    statistics = compute_statistics(samples)
    entry = statistics["two"]["ON events"]
    reference = {"two": {"ON events": (878.78, 405.13), "Sample size": 699}}
    text = printed(table(statistics, reference))
    lines = [line for line in text.splitlines() if line.strip()]
    place = next(index for index, line in enumerate(lines) if line.strip().startswith("two"))
    assert f"{entry['mean']:.2f} ({entry['sd']:.2f})" in lines[place]
    assert "878.78 (405.13)" in lines[place + 1]
    assert "699" in lines[place + 1]
    assert "Without events" not in text


def test_json_holds_the_numbers_and_the_reference(samples):
    statistics = compute_statistics(Samples(samples[:4]))
    content = to_dict(statistics, reference={"zero": {"ON events": [1, 2]}}, seed=3)
    stored = json.loads(json.dumps(content))
    assert stored["statistics"] == statistics
    assert stored["reference"] == {"zero": {"ON events": [1, 2]}}
    assert stored["seed"] == 3


def test_the_paper_s_table_is_a_reference(samples):
    reference = stmnist_table1()
    assert list(reference) == list("0123456789")
    # read off the paper's Table 1
    assert reference["0"]["ON events"] == {"mean": 1738.13, "sd": 1365.54}
    assert reference["9"]["Y range"] == {"mean": 8.17, "sd": 1.13}
    assert sum(entry["Sample size"] for entry in reference.values()) == 6953
    statistics = compute_statistics(list(samples), address_base=1)
    assert "1738.13 (1365.54)" in printed(table(statistics, reference))
