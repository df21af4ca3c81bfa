"""Table 2 on small data: splits, resuming, rows; and on files in ST-MNIST's own format."""

import dataclasses
import json
import re

import numpy as np
import pytest
import scipy.io

from nengo_tactile.ann import training
from nengo_tactile.conversion.lif_training import LIFRecipe
from nengo_tactile.datasets.eskin import ESkin
from nengo_tactile.errors import DataError, ModelFileError
from nengo_tactile.papers.spikemax import plan as spikemax_plan
from nengo_tactile.reproduce import paths, st_mnist, st_mnist_slayer, table2
from nengo_tactile.reproduce.tasks import TASKS, images, open_task, task_named

QUICK = training.Recipe("adam", 2, 32, 3e-3, "constant", 0.0, 0.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Seven simulated recordings a digit, in the files of ST-MNIST."""
    root = tmp_path_factory.mktemp("stmnist")
    data = ESkin(split="test", n_samples=200, seed=3)
    kept = dict.fromkeys(range(10), 0)
    for index in range(len(data)):
        events, digit = data[index]
        if kept[int(digit)] == 7:
            continue
        kept[int(digit)] += 1
        train = np.zeros((101, len(events)))
        taxel = events["y"].astype(int) * 10 + events["x"]
        train[taxel, np.arange(len(events))] = np.where(events["p"], 1, -1)
        train[100] = events["t"] / 1e6
        place = root / "data_submission" / str(digit)
        place.mkdir(parents=True, exist_ok=True)
        scipy.io.savemat(place / f"{index}.mat", {"spiketrain": train})
    address = np.arange(100)
    lut = np.stack([address % 10 + 1, address // 10 + 1], 1)
    scipy.io.savemat(root / "LUT.mat", {"LUT": lut})
    assert set(kept.values()) == {7}
    return root


@pytest.fixture(scope="module")
def plan():
    return st_mnist.Plan(
        TASKS["stmnist"],
        n_splits=2,
        n_emulator=4,
        recipe=QUICK,
        modern=QUICK,
        lif=LIFRecipe(epochs=1),
        n_steps=20,
    )


def test_runs_on_stmnist_files_and_resumes(folder, plan, tmp_path):
    lines = []
    out = tmp_path / "out"
    table = table2.run(out=out, data_dir=folder, progress=False, say=lines.append, plan=plan)
    assert table.row_count == 6
    results = json.loads((out / "results.json").read_text())
    assert results["n_samples"] == 70
    rows = {row["name"]: row for row in results["rows"]}
    assert rows["CNN"]["paper"] == 0.89
    assert rows["CNN"]["n_test"] == 14
    assert rows["ANN-SNN (Loihi emulator)"]["n_test"] == 4
    assert rows["SNN-SLAYER"]["ours_mean"] is None
    for name in ("CNN", "ANN-SNN (NengoDL)"):
        values = [split["accuracy"][name] for split in results["splits"]]
        assert rows[name]["ours_mean"] == pytest.approx(np.mean(values))
        assert rows[name]["ours_sd"] == pytest.approx(np.std(values, ddof=1))
    page = (out / "report.html").read_text()
    for words in ("Beside the paper", "What the sensor sends", "On the chip"):
        assert words in page
    assert (out / "table2.png").read_bytes().startswith(b"\x89PNG")
    assert "not how it does on ST-MNIST" not in page

    # with every split on disk the report keeps the plots of the run that made them
    table2.run(out=out, data_dir=folder, progress=False, say=lines.append, plan=plan)
    assert (out / "report.html").read_text() == page

    # an interrupted run: one split is missing, the other is kept as it is
    kept = (out / "splits" / "00.json").read_text()
    (out / "splits" / "01.json").unlink()
    lines.clear()
    again, _ = st_mnist.reproduce(plan, out, folder, False, lines.append)
    assert (out / "splits" / "00.json").read_text() == kept
    for new, old in zip(again["splits"], results["splits"]):
        assert new["accuracy"] == old["accuracy"]


def test_slayer_on_the_same_splits(folder, plan, tmp_path, monkeypatch):
    """The row is added to splits on disk; the network is trained on what the split says."""
    monkeypatch.setattr(st_mnist, "run_split", fake_split)
    both = dataclasses.replace(plan, slayer=True, slayer_epochs=1)
    before, _ = st_mnist.reproduce(plan, tmp_path, folder, False, str)
    after, _ = st_mnist.reproduce(both, tmp_path, folder, False, str)
    rows = {row["name"]: row for row in after["rows"]}
    assert (rows["SNN-SLAYER"]["n_splits"], rows["SNN-SLAYER"]["paper"]) == (2, 0.81)
    assert rows["CNN"]["n_splits"] == 2
    assert "--slayer --slayer-epochs 1 " in after["command"]
    assert "--slayer" not in before["command"]
    found = json.loads((tmp_path / "splits" / "01-slayer.json").read_text())
    assert after["splits"][1]["accuracy"]["SNN-SLAYER"] == found["accuracy"]
    assert (found["network"], found["epochs"]) == ("10x10x2-6c2-24c3-10o", 1)
    # by hand
    from nengo_tactile.slayer import Recipe, build, evaluate
    from nengo_tactile.slayer import train as train_on_spikes
    from nengo_tactile.slayer.layers import GAINS

    setting = spikemax_plan.SETTINGS["eskin"]
    data = open_task(TASKS["stmnist"], "all", folder)
    samples = setting.layout.samples(data, progress=False)
    train, test = st_mnist.indices(plan, np.asarray(data.targets), None, 1)
    model = build(setting.network, setting.neuron, setting.surrogate, gains=GAINS, seed=1)
    recipe = dataclasses.replace(setting.recipe, epochs=1)
    assert isinstance(recipe, Recipe)
    loss = spikemax_plan.make_loss("spike-count", setting)
    train_on_spikes(model, samples.take(train), loss, recipe, 1)
    assert evaluate(model, samples.take(test))["accuracy"] == found["accuracy"]
    # nothing is trained again
    monkeypatch.setattr(st_mnist_slayer, "train_and_test", None)
    assert st_mnist.reproduce(both, tmp_path, folder, False, str)[0] == after


def fake_split(plan, x, y, n_train, classes, split, progress=None):
    """Numbers of a split without its networks."""
    names = ("CNN", "ANN-SNN (NengoDL)", "ANN-SNN (Loihi emulator)")
    accuracy = dict.fromkeys([*names, "CNN on the emulator's samples"], 0.5)
    return {"split": split, "n_test": 14, "n_emulator": 4, "accuracy": accuracy}, None, None


def test_slayer_needs_a_sensor_that_it_knows():
    image = dataclasses.replace(TASKS["stmnist"].image, sensor_size=(8, 8, 2))
    task = dataclasses.replace(TASKS["stmnist"], image=image)
    with pytest.raises(DataError, match=r"\(8, 8\): leave --slayer out"):
        st_mnist_slayer.setting_of(task)
    assert st_mnist_slayer.setting_of(TASKS["stemnist"]).layout.shape == (16, 16, 1)


def test_a_data_set_without_a_split_takes_random_ones_only(folder, plan, tmp_path):
    for protocol, words in (("given", "no split of its own"), ("odd", "'odd'")):
        with pytest.raises(DataError, match=words):
            st_mnist.reproduce(
                dataclasses.replace(plan, protocol=protocol), tmp_path, folder, False, str
            )


def test_the_given_split_keeps_training_samples_in_front(plan):
    given = dataclasses.replace(plan, protocol="given")
    train, test = st_mnist.indices(given, np.zeros(9, int), 6, 0)
    assert train.tolist() == [0, 1, 2, 3, 4, 5]
    assert test.tolist() == [6, 7, 8]


def test_results_of_other_settings_are_not_mixed(folder, plan, tmp_path):
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "00.json").write_text(json.dumps({"plan": "another"}))
    with pytest.raises(ModelFileError, match="other settings"):
        st_mnist.reproduce(plan, tmp_path, folder, False, str)


def test_the_mark_knows_settings_and_data_but_not_the_number_of_splits(plan):
    x, y = np.ones((3, 2), np.float32), np.arange(3)
    mark = plan.fingerprint(x, y)
    assert mark == dataclasses.replace(plan, n_splits=9).fingerprint(x, y)
    assert mark != dataclasses.replace(plan, seed=1).fingerprint(x, y)
    assert mark != plan.fingerprint(x, y[::-1])
    assert mark != plan.fingerprint(2 * x, y)


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
        table2.run(n_splits=1, out=tmp_path / "out", data_dir=copy, progress=False, say=str)
    lines = []
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    assert table2._best_task(nothing, lines.append) == "eskin"
    assert "ST-MNIST" in lines[0]


def test_difference_is_in_points():
    splits = [
        {
            "accuracy": {
                "CNN": 0.9,
                "ANN-SNN (NengoDL)": 0.88,
                "CNN on the emulator's samples": 0.91,
                "ANN-SNN (Loihi emulator)": 0.90,
            }
        },
        {
            "accuracy": {
                "CNN": 0.92,
                "ANN-SNN (NengoDL)": 0.92,
                "CNN on the emulator's samples": 0.91,
                "ANN-SNN (Loihi emulator)": 0.91,
            }
        },
    ]
    found = st_mnist.differences(splits)
    assert found["CNN to ANN-SNN (NengoDL)"] == pytest.approx(1.0)
    assert found["CNN to ANN-SNN (emulator), same samples"] == pytest.approx(0.5)


def test_every_tactile_task_has_the_papers_network_on_its_image():
    tactile = [task for task in TASKS.values() if task.image is not None]
    assert len(tactile) == 4
    for task in tactile:
        assert re.match(r"\d+x\d+-6c4-24c3-\d+o", task.network)
    with pytest.raises(DataError, match="'mnist' is no task of tactile recordings"):
        task_named("mnist", tactile=True)
    with pytest.raises(DataError, match="stemnist"):
        task_named("nothing")


def test_images_follow_the_labels():
    task = TASKS["eskin"]
    data = open_task(task, "test")
    x, y = images(task, data, [5, 2], progress=False)
    assert x.shape == (2, 10, 10, 1)
    assert y.tolist() == [int(data.targets[5]), int(data.targets[2])]
    np.testing.assert_array_equal(x[1], task.image(data.read_events(2)))
