"""SKIM experiments cut down: patterns, networks of growing training, trials, crossing over."""

import dataclasses
import json
import os

import numpy as np
import pytest

from nengo_tactile import cli, skim
from nengo_tactile.datasets.eskin import ESkin
from nengo_tactile.datasets.nmnist_simulated import SimulatedNMNIST
from nengo_tactile.errors import DataError, ModelFileError
from nengo_tactile.events.arrays import make_events
from nengo_tactile.events.patterns import PatternLayout, event_pattern
from nengo_tactile.experiments.ledgers import Ledger, content_of
from nengo_tactile.experiments.studies import Study
from nengo_tactile.papers.skim import (
    PAPER,
    SkimPlan,
    numbers,
    online,
    patterns,
    plan,
    runs,
    transfer,
)
from nengo_tactile.papers.skim.patterns import Chosen, pattern_set
from nengo_tactile.skim.supervision import METHODS, PATTERNS
from tests.support.image_sets import write_bars
from tests.support.recordings import Recordings


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_bars(tmp_path_factory.mktemp("mnist"))


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(runs, "EVERY", 20)
    monkeypatch.setattr(runs, "UP_TO", 40)


def recorded(folder, monkeypatch, n=20):
    """Let the first digits of both splits have recordings: simulated with another seed."""
    sets = {split: SimulatedNMNIST(folder, split, n, seed=5) for split in ("train", "test")}
    for each in sets.values():
        each.__class__ = type("Recorded", (SimulatedNMNIST,), {})
    numbers = np.arange(n)
    monkeypatch.setattr(
        runs, "recorded_digits", lambda place, split: (sets[split], numbers, numbers)
    )
    monkeypatch.setattr(runs, "NMNIST", lambda place, split: sets[split])
    runs._digits.cache_clear()


def read(folder, out, **options):
    ledger = Ledger(Study(out, PAPER.command), "any", False)
    shared = {"n_samples": None, "n_test": None, "recordings": None, "seed": 0}
    return runs.read_digits(ledger, data_dir=str(folder), **shared | options)


def states_of(chosen, out, folder):
    """States of all cells of a plan, by their keys."""
    return {cell.key: PAPER.state(cell, out, False) for cell in PAPER.cells(chosen, str(folder))}


def test_patterns_are_those_of_the_events(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(patterns, "_PER_FILE", 8)
    digits = SimulatedNMNIST(folder, n_samples=20)
    layout = PatternLayout(down_sampling=2)
    in_memory = pattern_set(digits, layout, progress=False)
    stored = pattern_set(digits, layout, tmp_path / "p", progress=False)
    assert len(list((tmp_path / "p").iterdir())) == 3
    for index in (0, 7, 8, 19):
        wanted = event_pattern(digits.read_events(index), layout)
        for found in (in_memory, stored):
            pattern, label = found[index]
            assert label == index % 10
            np.testing.assert_array_equal(pattern, wanted)
    chosen = Chosen(stored, [4, 2])
    np.testing.assert_array_equal(chosen.targets, [4, 2])
    np.testing.assert_array_equal(chosen[1][0], stored[2][0])
    with pytest.raises(IndexError):
        stored[20]
    # what is there is read, not made again
    monkeypatch.setattr(patterns, "Labelled", None)
    again = pattern_set(digits, layout, tmp_path / "p", progress=False)
    np.testing.assert_array_equal(again[9][0], stored[9][0])
    with pytest.raises(ModelFileError, match="another data set or layout"):
        pattern_set(digits, PatternLayout(), tmp_path / "p", progress=False)
    place = tmp_path / "p" / "000008" / "counts.npy"
    place.write_bytes(b"damaged")
    with pytest.raises(ModelFileError, match="cannot be read"):
        pattern_set(digits, layout, tmp_path / "p", progress=False)
    place.unlink()
    os.mkfifo(place)
    with pytest.raises(ModelFileError, match="is no file, but a folder, a pipe or a device"):
        pattern_set(digits, layout, tmp_path / "p", progress=False)


def test_recordings_that_do_not_fit_are_named():
    empty = make_events([], [], [], [])
    with pytest.raises(DataError, match="sample 0: the recording holds 0 events"):
        pattern_set(Recordings([empty], [0], (34, 34, 2)), PatternLayout(), progress=False)
    crowd = make_events(*([value] * 40_000 for value in (1, 1, 0, 1)))
    with pytest.raises(DataError, match="40000 events on a channel"):
        pattern_set(Recordings([crowd], [0], (34, 34, 2)), PatternLayout(), progress=False)


def test_growing(folder, small, tmp_path, monkeypatch):
    recorded(folder, monkeypatch)
    digits = read(folder, tmp_path, seed=3)
    assert len(digits.train) == 60
    # digits with recordings come last
    np.testing.assert_array_equal(np.sort(digits.train.indices[40:]), np.arange(20))
    (cell,) = runs.cells(SkimPlan("growth", "30", seed=3), str(folder))
    state = PAPER.state(cell, tmp_path, False)
    found = [(p["n_train"], p["data"], p["n_test"]) for p in state["points"]]
    assert found == [
        (20, "simulated", 30),
        (40, "simulated", 30),
        (60, "simulated", 30),
        (40, "recordings", 20),
        (60, "recorded test", 20),
    ]
    # two points by hand
    layer = skim.draw_layer(30, 34 * 34, 3, **plan.LAYERS["resonance"])
    taught = plan.supervision()
    weights, _ = skim.train(layer, list(digits.train), taught, 10)
    shown, labels = zip(*digits.test)
    outputs = skim.read_out(layer, weights, shown, taught)
    hits = (skim.determine(outputs, "area", taught) == labels).sum()
    assert state["points"][2]["hits"] == hits
    assert hits > 15
    weights, _ = skim.train(layer, list(digits.train)[:20], taught, 10)
    outputs = skim.read_out(layer, weights, shown, taught)
    hits = (skim.determine(outputs, "area", taught) == labels).sum()
    assert state["points"][0]["hits"] == hits
    assert not list((tmp_path / "cells").glob("*.npz"))  # sums are not kept
    # nor those of a process that was killed before it removed them
    (tmp_path / "cells" / "growth-resonance-30.sums.npz").touch()
    assert PAPER.state(cell, tmp_path, False) == state
    assert not list((tmp_path / "cells").glob("*.npz"))

    # an interrupted run goes on, and gives the same
    path = tmp_path / "cells" / "growth-resonance-30.json"
    path.unlink()
    train, calls = skim.train, []

    def stop(*args, **options):
        calls.append(len(args[1]))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return train(*args, **options)

    monkeypatch.setattr(skim, "train", stop)
    with pytest.raises(KeyboardInterrupt):
        PAPER.state(cell, tmp_path, False)
    assert content_of(path)["state"]["points"] == []
    assert len(list((tmp_path / "cells").glob("*.npz"))) == 2
    weights = path.with_suffix(".weights.npz")
    kept = weights.read_bytes()
    weights.write_bytes(kept[:-30])
    with pytest.raises(ModelFileError, match=r"weights\.npz: is no readable zip archive"):
        PAPER.state(cell, tmp_path, False)
    weights.write_bytes(kept)
    again = PAPER.state(cell, tmp_path, False)
    assert calls == [20, 40, 40, 60]
    assert again["points"] == state["points"]
    (other,) = runs.cells(SkimPlan("growth", "30", n_samples=50, seed=3), str(folder))
    with pytest.raises(ModelFileError, match="began with other data digits"):
        PAPER.state(other, tmp_path, False)


def test_trials(folder, tmp_path, monkeypatch):
    """Each pattern learnt beside others has the weights that it has alone."""
    recorded(folder, monkeypatch)
    chosen = SkimPlan("trials", n_trials=2, trial_hidden=25, trial_samples=40, n_test=20)
    digits = read(folder, tmp_path, n_test=20)
    states = states_of(chosen, tmp_path, folder)
    state = numbers.summarise(chosen, states)["trials"]
    assert (state["n_hidden"], state["n_train"], state["n_test"]) == (25, 40, 20)
    assert state["seeds"] == [1000, 1001]
    layer = skim.draw_layer(25, 34 * 34, 1001, **plan.LAYERS["resonance"])
    train = Chosen(digits.train.patterns, digits.train.indices[:40])
    for kind in PATTERNS:
        taught = plan.supervision(kind)
        weights, _ = skim.train(layer, list(train), taught, 10)
        outputs = skim.read_out(layer, weights, digits.test.alone(), taught)
        for method in METHODS:
            hits = (skim.determine(outputs, method, taught) == digits.test.targets).sum()
            assert state["accuracy"][kind][method][1] == hits / 20
    # more trials go on behind the first ones
    longer = states_of(dataclasses.replace(chosen, n_trials=3), tmp_path, folder)
    assert len(longer) == 3 and longer.items() > states.items()


def test_crossing_over(folder, tmp_path, monkeypatch):
    recorded(folder, monkeypatch)
    monkeypatch.setattr(transfer, "CROSSING_HIDDEN", 30)
    monkeypatch.setattr(transfer, "CROSSING_NETWORKS", 2)
    digits = read(folder, tmp_path)
    (cell,) = runs.cells(SkimPlan("crossing"), str(folder))
    state = PAPER.state(cell, tmp_path, False)
    pairs = [(row["train"], row["test"]) for row in state["rows"]]
    assert len(set(pairs)) == 4
    assert {(row["n_train"], row["n_test"]) for row in state["rows"]} == {(10, 20)}
    # one row by hand: trained on even simulated digits, tested on odd recorded ones
    hits, taught = 0, plan.supervision()
    for number in range(2):
        layer = skim.draw_layer(30, 34 * 34, 1000 + number, **plan.LAYERS["resonance"])
        weights, _ = skim.train(layer, [digits.same[i] for i in range(0, 20, 2)], taught, 10)
        shown, labels = zip(*(digits.recordings[i] for i in range(1, 20, 2)))
        outputs = skim.read_out(layer, weights, shown, taught)
        hits += (skim.determine(outputs, "area", taught) == labels).sum()
    assert state["rows"][pairs.index(("simulated", "recordings"))]["hits"] == hits
    assert PAPER.state(cell, tmp_path, False) == state


def test_only_what_is_needed_is_simulated(folder, tmp_path, monkeypatch):
    """Of few digits their patterns alone, which are those among the patterns of all."""
    layout, digits = PatternLayout(), SimulatedNMNIST(folder, "train", seed=0)
    read, read_events = [], digits.read_events
    monkeypatch.setattr(
        digits, "read_events", lambda index: (read.append(int(index)), read_events(index))[1]
    )
    wanted = np.array([5, 2, 2]), np.array([7])
    parts = runs._of_split(digits, layout, tmp_path / "train", False, *wanted)
    assert sorted(set(read)) == [2, 5, 7]
    whole = pattern_set(digits, layout, progress=False)
    for part, indices in zip(parts, wanted):
        np.testing.assert_array_equal(part.targets, digits.targets[indices])
        for number, index in enumerate(indices):
            np.testing.assert_array_equal(part[number][0], whole[int(index)][0])


def test_patterns_of_the_simulated_skin():
    skin, layout = ESkin(n_samples=3), plan.TACTILE["eskin-pendigits"]
    for index, (pattern, label) in enumerate(pattern_set(skin, layout, progress=False)):
        assert label == skin.targets[index]
        np.testing.assert_array_equal(pattern, event_pattern(skin.read_events(index), layout))
        assert np.abs(pattern).sum() > 0


def test_without_recordings(folder, small, tmp_path):
    runs._digits.cache_clear()
    digits = read(folder, tmp_path)
    assert digits.recordings is None
    state, nothing = states_of(SkimPlan("growth,crossing", "10"), tmp_path, folder).values()
    assert nothing is None
    assert {point["data"] for point in state["points"]} == {"simulated"}
    assert sorted(digits.train.indices) == list(range(60))


def test_every_sample_counts(folder, small, tmp_path, monkeypatch):
    """A cell does not go on with other events of one test digit."""
    runs._digits.cache_clear()
    (cell,) = runs.cells(SkimPlan("growth", "10"), str(folder))
    PAPER.state(cell, tmp_path, False)
    place = next((tmp_path / "patterns" / "test").glob("*/counts.npy"))
    values = np.load(place)
    values[-1] += 1
    np.save(place, values)
    runs._digits.cache_clear()
    with pytest.raises(ModelFileError, match="began with other data digits"):
        PAPER.state(cell, tmp_path, False)


def test_tactile_digits(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)

    def sets(name, split, place):
        recordings, labels = [], []
        for number in range(40 if split == "train" else 20):
            label = number % 4 if name == "eskin-pendigits" else 24 + number % 4
            t = np.sort(rng.integers(0, 2_000_000, 100))
            x = rng.integers(0, 2, 100) + 2 * (number % 4)
            recordings.append(make_events(x, rng.integers(0, 2, 100), t, np.ones(100, int)))
            labels.append(label)
        size = (10, 10, 2) if name == "eskin-pendigits" else (16, 16, 1)
        return Recordings(recordings, labels, size)

    monkeypatch.setattr(transfer, "open_dataset", sets)
    monkeypatch.setattr(transfer, "TACTILE_HIDDEN", 50)
    monkeypatch.setattr(transfer, "FEW_HIDDEN", 40)
    chosen = SkimPlan("tactile")
    rows = list(states_of(chosen, tmp_path, tmp_path).values())
    found = [(row["data"], row["n_hidden"], row["n_classes"], row["n_test"]) for row in rows]
    assert found == [
        ("eskin-pendigits", 50, 4, 20),
        ("stemnist", 50, 4, 20),
        ("stemnist", 40, 9, 10),  # labels 26 and 27 are digits
    ]
    assert rows[0]["hits"] >= 15
    assert rows[2]["hits"] >= 6
    assert list(states_of(chosen, tmp_path, tmp_path).values()) == rows


def touches(name, split, place):
    """Four classes, by where and when."""
    rng = np.random.default_rng(len(split))
    recordings, labels = [], np.arange(40 if split == "train" else 20) % 4
    for label in labels:
        t = np.sort(rng.integers(0, 2_000_000, 100))
        x = rng.integers(0, 6, 100) + 3 * label
        recordings.append(make_events(x, rng.integers(0, 2, 100), t, np.ones(100, int)))
    return Recordings(recordings, labels, (16, 16, 1))


def test_learning_while_it_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "open_dataset", touches)
    monkeypatch.setattr(online, "TIMES", (8, 20))
    chosen = SkimPlan("online", online_hidden=30, online_samples=32, seed=1)
    cells = PAPER.cells(chosen, str(tmp_path))
    assert [cell.key for cell in cells] == ["online-closed-form", "online-opium", "online-pes"]
    # a run that is stopped behind a point goes on there, with the same weights
    learn, calls = skim.learn, []
    monkeypatch.setattr(skim, "learn", lambda *args: (calls.append(1), learn(*args))[1])

    def stopped(*args):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(1)
        return learn(*args)

    whole = [PAPER.state(cell, tmp_path / "whole", False) for cell in cells]
    calls.clear()
    monkeypatch.setattr(skim, "learn", stopped)
    for cell in cells[1:]:
        with pytest.raises(KeyboardInterrupt):
            PAPER.state(cell, tmp_path, False)
    monkeypatch.setattr(skim, "learn", learn)
    states = [PAPER.state(cell, tmp_path, False) for cell in cells]
    assert [each["points"] for each in states] == [each["points"] for each in whole]
    assert [point["n_train"] for point in states[0]["points"]] == [8, 20, 32]
    (tmp_path / "cells" / "online-pes.weights.npz").touch()  # as if killed before it was removed
    assert PAPER.state(cells[2], tmp_path, False) == states[2]
    assert not list((tmp_path / "cells").glob("*.npz"))
    found = online.numbers(states, numbers.share)
    assert found["rows"][-1]["closed form"] >= 0.8
    assert abs(found["rows"][-1]["OPIUM"] - found["rows"][-1]["closed form"]) <= 0.1
    assert found["rows"][-1]["PES"] > 0.4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"parts": "growth,figure9"}, "'figure9' is unknown"),
        ({"hidden": "10,many"}, "numbers from 1"),
        ({"hidden": "0"}, "numbers from 1"),
        ({"n_trials": 0}, "n_trials is 0"),
        ({"kernels": "square"}, "--kernels: 'square' is unknown"),
    ],
)
def test_bad_plans(options, words):
    with pytest.raises(DataError, match=words):
        SkimPlan(**options)


def test_the_command_line(folder, small, tmp_path, monkeypatch, capsys):
    recorded(folder, monkeypatch)
    arguments = [
        *("reproduce", "skim", "--parts", "growth,trials,crossing", "--hidden", "5,12"),
        *("--trials", "5", "--trial-hidden", "12", "--trial-samples", "40"),
        *("--out", str(tmp_path), "--data-dir", str(folder)),
    ]
    assert cli.main(arguments) == 0
    first = capsys.readouterr().out
    assert "12 hidden neurons:" in first
    results = json.loads((tmp_path / "results.json").read_text())
    assert len(results["growth"]) == 2
    assert len(results["trials"]["accuracy"]["gaussian"]["area"]) == 5
    assert len(results["crossing"]) == 4
    report = (tmp_path / "report.html").read_text()
    for words in ("Figure 4", "Lilliefors", "alpha functions", "crossing"):
        assert words.lower() in report.lower(), words
    # again: nothing is trained, and all is the same
    monkeypatch.setattr(skim, "train", None)
    assert cli.main(arguments) == 0
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert cli.main([*arguments[:2], "--parts", "figure9"]) == 2


def test_the_command_says_all_options():
    chosen = SkimPlan("growth", "200, 100", n_samples=7, n_test=3, seed=2)
    assert chosen.hidden == (100, 200)
    words = "--parts growth --hidden 100,200 --trials 60 --trial-hidden 1000 --trial-samples 10000"
    words += " --samples 7 --test-samples 3 --online-hidden 2000 --kernels resonance --seed 2"
    assert words in chosen.command(PAPER.command)
