"""Table 2 on small data: splits, resuming, rows; and on files in ST-MNIST's own format."""

import dataclasses
import json
import re

import numpy as np
import pytest

from nengo_tactile.ann import training
from nengo_tactile.commands import paths
from nengo_tactile.commands.tasks import TASKS, images, open_task, task_named
from nengo_tactile.conversion.lif_training import LIFRecipe
from nengo_tactile.errors import DataError, ModelFileError
from nengo_tactile.experiments.ledgers import content_of
from nengo_tactile.papers import st_mnist
from nengo_tactile.papers.spikemax import plan as spikemax_plan
from nengo_tactile.papers.st_mnist import PAPER, StMnistPlan
from tests.support.fake_formats import write_stmnist

QUICK = training.Recipe("adam", 2, 32, 3e-3, "constant", 0.0, 0.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Seven simulated recordings a digit, in the files of ST-MNIST."""
    root = tmp_path_factory.mktemp("stmnist")
    kept = write_stmnist(root)
    assert set(kept.values()) == {7}
    return root


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for name, value in (
        *(("RECIPE", QUICK), ("MODERN", QUICK), ("LIF", LIFRecipe(epochs=1)), ("N_STEPS", 20)),
    ):
        monkeypatch.setattr(st_mnist, name, value)


PLAN = StMnistPlan("stmnist", n_splits=2)


def run(plan, out, folder, say=str):
    return PAPER.run(plan, out, folder, progress=False, say=say)


def test_runs_on_stmnist_files_and_resumes(folder, tmp_path, monkeypatch):
    out = tmp_path / "out"
    results = run(PLAN, out, folder)
    assert json.loads((out / "results.json").read_text()) == results
    assert results["n_samples"] == 70
    rows = {row["name"]: row for row in results["rows"]}
    assert rows["CNN"]["paper"] == 0.89
    assert rows["CNN"]["n_test"] == 14
    assert rows["ANN-SNN (Loihi emulator)"]["n_test"] == 14
    assert rows["SNN-SLAYER"]["ours_mean"] is None
    for name in ("CNN", "ANN-SNN (NengoDL)"):
        values = [split["accuracy"][name] for split in results["splits"]]
        assert rows[name]["ours_mean"] == pytest.approx(np.mean(values))
        assert rows[name]["ours_sd"] == pytest.approx(np.std(values, ddof=1))
    (table,) = PAPER.terminal_tables(results)
    assert table.row_count == 6 and "ST-MNIST recordings: mean" in table.title
    page = (out / "report.html").read_text()
    for words in ("Beside the paper", "What the sensor sends", "On the chip"):
        assert words in page
    assert (out / "table2.png").read_bytes().startswith(b"\x89PNG")
    assert "not how it does on ST-MNIST" not in page

    # with every split on disk the report is the same, with its plots
    with monkeypatch.context() as without:
        without.setattr(paths, "train_cnn", None)
        assert run(PLAN, out, folder) == results
    assert (out / "report.html").read_text() == page

    # one that is missing is made again as it was
    kept = (out / "cells" / "00.json").read_text()
    (out / "cells" / "01.json").unlink()
    again = run(PLAN, out, folder)
    assert (out / "cells" / "00.json").read_text() == kept
    for new, old in zip(again["splits"], results["splits"]):
        assert new["accuracy"] == old["accuracy"]


def fake_split(ledger, dataset, protocol, split, **_):
    """Numbers of a split without its networks."""
    state = ledger.begin([protocol, split], {})
    names = ("CNN", "ANN-SNN (NengoDL)", "ANN-SNN (Loihi emulator)")
    counts = {"n_train": 56, "n_test": 14}
    state = {"split": split, **counts, "accuracy": dict.fromkeys(names, 0.5)}
    ledger.write(state)
    return state


def test_slayer_on_the_same_splits(folder, tmp_path, monkeypatch):
    """The row is added to splits on disk; the network is trained on what the split says."""
    monkeypatch.setattr(st_mnist, "run_split", fake_split)
    monkeypatch.setattr(st_mnist, "PAPER", dataclasses.replace(PAPER, details=lambda *_: []))
    both = dataclasses.replace(PLAN, slayer=True, slayer_epochs=1)
    before = st_mnist.PAPER.run(PLAN, tmp_path, folder, progress=False, say=str)
    after = st_mnist.PAPER.run(both, tmp_path, folder, progress=False, say=str)
    rows = {row["name"]: row for row in after["rows"]}
    assert (rows["SNN-SLAYER"]["n_splits"], rows["SNN-SLAYER"]["paper"]) == (2, 0.81)
    assert rows["CNN"]["n_splits"] == 2
    assert "--slayer --slayer-epochs 1 " in after["command"]
    assert "--slayer" not in before["command"]
    found = content_of(tmp_path / "cells" / "01-slayer.json")["state"]
    assert after["splits"][1]["accuracy"]["SNN-SLAYER"] == found["accuracy"]
    assert (found["network"], found["epochs"]) == ("10x10x2-6c2-24c3-10o", 1)
    # by hand
    from nengo_tactile.slayer import Recipe, build, evaluate
    from nengo_tactile.slayer import train as train_on_spikes
    from nengo_tactile.slayer.layers import GAINS

    setting = spikemax_plan.SETTINGS["eskin"]
    data = open_task(TASKS["stmnist"], "all", folder)
    samples = setting.layout.batch(data, progress=False)
    targets = np.asarray(data.targets)
    train, test = st_mnist.indices("stmnist", "random", targets, None, 1, 0)
    model = build(setting.network, setting.neuron, setting.surrogate, gains=GAINS, seed=1)
    recipe = dataclasses.replace(setting.recipe, epochs=1)
    assert isinstance(recipe, Recipe)
    loss = spikemax_plan.make_loss("spike-count", setting)
    train_on_spikes(model, samples.take(train), loss, recipe, 1)
    assert evaluate(model, samples.take(test))["accuracy"] == found["accuracy"]
    # nothing is trained again
    monkeypatch.setattr(st_mnist, "train_and_test", None)
    assert st_mnist.PAPER.run(both, tmp_path, folder, progress=False, say=str) == after


def test_slayer_needs_a_sensor_that_it_knows():
    image = dataclasses.replace(TASKS["stmnist"].image, sensor_size=(8, 8, 2))
    task = dataclasses.replace(TASKS["stmnist"], image=image)
    with pytest.raises(DataError, match=r"\(8, 8\): leave --slayer out"):
        st_mnist.slayer_setting(task)
    assert st_mnist.slayer_setting(TASKS["stemnist"]).layout.shape == (16, 16, 1)


def test_a_data_set_without_a_split_takes_random_ones_only(folder, tmp_path):
    with pytest.raises(DataError, match="no split of its own"):
        run(dataclasses.replace(PLAN, protocol="given"), tmp_path, folder)
    with pytest.raises(DataError, match="'odd' is unknown: choose from random, given"):
        dataclasses.replace(PLAN, protocol="odd")


def test_the_given_split_keeps_training_samples_in_front():
    train, test = st_mnist.indices("eskin", "given", np.zeros(9, int), 6, 0, 0)
    assert train.tolist() == [0, 1, 2, 3, 4, 5]
    assert test.tolist() == [6, 7, 8]


def test_results_of_other_settings_are_not_mixed(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "train_cnn", None)  # nothing is trained
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "00.json").write_text(json.dumps({"plan": "another"}))
    with pytest.raises(ModelFileError, match=r"00.json.*delete it"):
        run(PLAN, tmp_path, folder)


def test_the_mark_knows_settings_and_data_but_not_the_number_of_splits(folder, monkeypatch):
    """What a cell begins with, in a ledger that only listens."""

    class Stop(Exception):
        pass

    class Ledger:
        progress = False

        def begin(self, *about):
            self.about = about
            raise Stop

    def mark(plan, **changes):
        ledger, cell = Ledger(), PAPER.cells(plan, str(folder))[0]
        with pytest.raises(Stop):
            cell.run(ledger, **cell.options | changes)
        return json.dumps(ledger.about)

    first = mark(PLAN)
    assert first == mark(dataclasses.replace(PLAN, n_splits=9))
    assert first != mark(dataclasses.replace(PLAN, seed=1))
    assert first != mark(PLAN, split=1)
    x, y, *rest, _ = st_mnist.read("stmnist", str(folder), False)
    changed = x.copy()
    changed[-1, 4, 4] += 0.5
    monkeypatch.setattr(st_mnist, "pool", lambda *_, **__: (changed, y, *rest))
    st_mnist.read.cache_clear()
    assert first != mark(PLAN)
    st_mnist.read.cache_clear()


def test_calibration_samples_come_from_all_classes_of_a_sorted_set():
    x = np.repeat(np.arange(10), 700)  # as ST-MNIST's folders are read
    chosen = paths.calibration_samples(x)
    assert len(chosen) == paths.CALIBRATION_SAMPLES
    for part in (chosen, chosen[:256]):  # tuning takes the first ones
        assert set(part) == set(range(10))
    np.testing.assert_array_equal(chosen, paths.calibration_samples(x))
    assert (chosen != paths.calibration_samples(x, seed=1)).any()


def test_damaged_recordings_are_an_error_not_a_reason_to_simulate(folder, tmp_path):
    import shutil

    copy = tmp_path / "stmnist"
    shutil.copytree(folder, copy)
    (copy / "LUT.mat").unlink()
    with pytest.raises(DataError, match="LUT"):
        run(StMnistPlan(n_splits=1), tmp_path / "out", copy)
    lines = []
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    assert st_mnist.best_task(nothing, lines.append) == "eskin"
    assert "ST-MNIST" in lines[0]


def test_difference_is_in_points():
    splits = [
        {
            "accuracy": {
                "CNN": 0.9,
                "ANN-SNN (NengoDL)": 0.88,
                "ANN-SNN (Loihi emulator)": 0.90,
            }
        },
        {
            "accuracy": {
                "CNN": 0.92,
                "ANN-SNN (NengoDL)": 0.92,
                "ANN-SNN (Loihi emulator)": 0.91,
            }
        },
    ]
    found = st_mnist.differences(splits)
    assert found["CNN to ANN-SNN (NengoDL)"] == pytest.approx(1.0)
    assert found["CNN to ANN-SNN (emulator)"] == pytest.approx(0.5)


def test_every_tactile_task_has_the_papers_network_on_its_image():
    tactile = [task for task in TASKS.values() if task.is_grid]
    assert len(tactile) == 4
    for task in tactile:
        assert re.match(r"\d+x\d+-6c4-24c3-\d+o", task.network)
    with pytest.raises(DataError, match="'mnist' is no task of tactile recordings"):
        task_named("mnist", tactile=True)
    with pytest.raises(DataError, match="'ev-objects' is no task of tactile recordings on a grid"):
        task_named("ev-objects", tactile=True)
    assert task_named("ev-objects").shape == (1, 39, 80)
    with pytest.raises(DataError, match="stemnist"):
        task_named("nothing")


def test_images_follow_the_labels():
    task = TASKS["eskin"]
    data = open_task(task, "test")
    x, y = images(task, data, [5, 2], progress=False)
    assert x.shape == (2, 10, 10, 1)
    assert y.tolist() == [int(data.targets[5]), int(data.targets[2])]
    np.testing.assert_array_equal(x[1], task.image(data.read_events(2)))
