"""Networks for few recordings of touch: chosen on training recordings; cards and sweeps."""

import json

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import cli
from nengo_tactile.analysis import accuracy_text
from nengo_tactile.commands import robustness
from nengo_tactile.datasets import EvTouch
from nengo_tactile.papers import shipped, touch


@pytest.fixture
def folder(rng, tmp_path, monkeypatch):
    """Recordings of objects that each press some taxels more, as files of the data set."""
    rate = 0.05 * rng.random((36, 39, 2, 1))
    arrays = {"bins": np.array(250)}
    for side, n in (("train", 4), ("test", 1)):
        arrays[f"y_{side}"] = np.tile(np.arange(36), n).astype(np.uint8)
        bits = rng.random((36 * n, 39, 2, 250)) < rate[arrays[f"y_{side}"]]
        arrays[f"x_{side}"] = np.packbits(bits, axis=-1)
    np.savez(tmp_path / "ev_objects.npz", **arrays)
    monkeypatch.setenv("NENGO_TACTILE_DATA", str(tmp_path))
    touch.recordings.cache_clear()
    yield tmp_path
    touch.recordings.cache_clear()


def test_held_out_recordings_are_not_those_it_is_made_from(folder, monkeypatch):
    made, fitted = [], touch.fitted

    def noted(recipe, events, labels):
        made.append((events, labels))
        return fitted(recipe, events, labels)

    monkeypatch.setattr(touch, "fitted", noted)
    read = []
    monkeypatch.setattr(
        touch, "open_task", lambda task, split, *rest: read.append(split) or EvTouch(split=split)
    )
    found = touch.held_out(n_bins=4, n_folds=2, n_repeats=2)
    assert read == ["train"], "the test part is not looked at"
    assert len(made) == 4 and all(len(events) == 72 for events, _ in made)
    assert all((np.bincount(labels) == 2).all() for _, labels in made)
    assert found["n_test"] == 144 and found["accuracy"] > 0.9
    assert 1 / 36 < found["dead_taxels"] <= 1


def test_the_test_part_is_read_with_what_all_training_recordings_make(folder):
    events, labels, _ = touch.recordings("ev-objects", "train")
    model = touch.fitted(touch.Recipe("ev-objects", 5, 0.3, 0.01), events, labels)
    events, labels, _ = touch.recordings("ev-objects", "test")
    x = touch.Recipe("ev-objects", 5).image.batch(events)
    found = touch.tested(n_bins=5, shrinkage=0.3, dead=0.01)
    assert found["accuracy"] == (model.predict(x, verbose=0).argmax(1) == labels).mean()
    assert found["n_test"] == 36


def test_a_sweep_of_the_command_line_runs_a_function(folder, capsys):
    (folder / "grid.json").write_text('{"n_bins": [2, 5], "n_folds": 2, "n_repeats": 1}')
    arguments = ["sweep", "nengo_tactile.papers.touch:held_out"]
    arguments += ["--grid", str(folder / "grid.json"), "--out", str(folder / "out")]
    assert cli.main(arguments) == 0
    results = json.loads((folder / "out" / "results.json").read_text())
    by_hand = touch.held_out(n_bins=5, n_folds=2, n_repeats=1)
    (row,) = (row for row in results["rows"] if row["settings"]["n_bins"] == 5)
    assert {key: row[key] for key in by_hand} == by_hand
    capsys.readouterr()
    assert cli.main([*arguments, "--task", "ev-objects"]) == 2
    assert "--task is ev-objects: leave it out" in " ".join(capsys.readouterr().err.split())
    assert cli.main(["sweep", "nengo_tactile.papers.touch:none", *arguments[2:]]) == 2
    assert "give module:function" in " ".join(capsys.readouterr().err.split())


def test_a_shipped_network_and_its_card(folder, monkeypatch):
    monkeypatch.setitem(touch.MODELS, "ev-objects-dense", touch.Recipe("ev-objects", n_bins=4))
    monkeypatch.setattr(robustness, "KINDS", {"weights": robustness.KINDS["weights"]})
    monkeypatch.setattr(touch, "N_STEPS", 16)
    lines, options = [], {"data_dir": folder, "progress": False}
    made = shipped.make(
        "ev-objects-dense", folder / "m", folder / "work", **options, say=lines.append
    )
    network = nt.load(folder / "m")
    card = network.card
    assert card == json.loads(json.dumps(made.card))
    assert (card["training samples"], card["test samples"], card["task"]) == (144, 36, "ev-objects")
    x, y = network.encode(EvTouch(folder, split="test"), progress=False)
    recording = nt.run(network, x, engine="event", progress=False)
    assert card["event engine"]["accuracy"] == recording.accuracy(y)[-1]
    of_skins = card["robustness, accuracy"]
    assert set(of_skins) == {"engine", "seed", "nengo-tactile", "as recorded", "weights 8"}
    assert of_skins["as recorded"] == accuracy_text(card["event engine"]["accuracy"], 36)
    assert list(card).index("robustness, accuracy") < list(card).index("limits")
    assert lines[-1] == f"wrote {folder / 'm'}"
