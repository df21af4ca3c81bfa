"""Recordings of one's own: folders, tables, arrays, functions; splits; bad input named."""

import json
import os
import pickle

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile.datasets import Recordings, open_dataset
from nengo_tactile.errors import DataError
from tests.support.own_recordings import GESTURES, OPTIONS, touch, write_touches

PATTERN = "{label}/{subject}_{number}.csv"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("own") / "touch"
    place.mkdir()
    events = write_touches(place)
    return place, events


def test_a_class_a_folder(folder):
    place, events = folder
    data = Recordings(place, **OPTIONS)
    assert data.classes == tuple(sorted(GESTURES))
    assert data.sensor_size == (8, 8, 2)
    assert set(data.files) == set(events)
    for index, file in enumerate(data.files):
        found, label = data[index]
        np.testing.assert_array_equal(found, events[file])
        assert data.classes[label] == file.split("/")[0]
    assert data.longest_us() == max(int(e["t"].max()) + 1 for e in events.values())
    assert nt.datasets.compute_statistics(data)["press"]["Sample size"] == 10


def test_splits_are_stratified_and_repeat(folder):
    data = Recordings(folder[0], pattern=PATTERN, **OPTIONS)
    train, test = data.split(test=0.2, seed=3)
    assert np.bincount(test.targets).tolist() == [2, 2, 2, 2]
    assert sorted(train.files[r] for r in (*train._rows, *test._rows)) == sorted(data.files)
    again = data.split(test=0.2, seed=3)[1]
    np.testing.assert_array_equal(again._rows, test._rows)
    events, label = test[3]
    np.testing.assert_array_equal(events, folder[1][test.files[test._rows[3]]])
    assert label == test.targets[3]


def test_nobody_is_on_both_sides(folder):
    data = Recordings(folder[0], pattern=PATTERN, **OPTIONS)
    train, test = data.split(test=0.4, by="subject", seed=1)
    assert set(train.writers).isdisjoint(test.writers)
    assert set(train.writers) | set(test.writers) == {f"s{n}" for n in range(5)}
    assert len(set(test.writers)) == 2
    with pytest.raises(DataError, match=r"does not know the session.*groups: subject, number"):
        data.split(by="session")


def test_a_class_on_the_test_side_alone_is_refused():
    events = [touch(np.random.default_rng(0), "press")] * 4
    data = Recordings(
        events, ["a", "a", "b", "b"], {"subject": [1, 1, 2, 2]}, sensor_size=(8, 8, 2)
    )
    with pytest.raises(DataError, match="on the test side alone"):
        data.split(by="subject")


def test_a_table_of_files_and_labels(folder, tmp_path):
    place, events = folder
    rows = ["file,label,session"]
    rows += [f"{file},{file.split('/')[0].upper()},{n % 3}" for n, file in enumerate(events)]
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(rows))
    data = Recordings(place, table=table, **OPTIONS)
    assert data.classes == ("DOWN", "LEFT", "PRESS", "RIGHT")
    assert data.groups["session"][:4].tolist() == ["0", "1", "2", "0"]
    np.testing.assert_array_equal(data[5][0], events[list(events)[5]])
    table.write_text("\n".join(rows[:-2]))
    with pytest.raises(DataError, match=r"no label for 2 of 40 files"):
        Recordings(place, table=table, **OPTIONS)
    table.write_text("\n".join([*rows, "press/none.csv,x,1"]))
    with pytest.raises(DataError, match=r"label for 'press/none.csv', which is no file"):
        Recordings(place, table=table, **OPTIONS)
    table.write_text("\n".join([*rows, rows[1]]))
    with pytest.raises(DataError, match="two labels for"):
        Recordings(place, table=table, **OPTIONS)
    table.write_text("name,label\na,b")
    with pytest.raises(DataError, match="no column 'file', but name, label"):
        Recordings(place, table=table, **OPTIONS)


def test_arrays_and_functions_are_the_same_as_files(folder):
    events = folder[1]
    labels = [file.split("/")[0] for file in events]
    arrays = Recordings(list(events.values()), labels, sensor_size=(8, 8))
    made = Recordings(lambda i: list(events.values())[i], labels, sensor_size=(8, 8))
    pairs = Recordings(list(zip(events.values(), labels)), sensor_size=(8, 8))
    rows = [np.c_[e["t"] / 1e6, e["x"], e["y"], e["p"]] for e in events.values()]
    named = {"columns": ("t", "x", "y", "p"), "time_unit": "s", "repeats": "keep"}
    tables = Recordings(rows, labels, sensor_size=(8, 8), **named)
    for index, recording in enumerate(events.values()):
        for data in (arrays, made, tables):
            found, label = data[index]
            np.testing.assert_array_equal(found, recording)
            assert data.classes[label] == labels[index]
    assert pairs.classes == arrays.classes
    np.testing.assert_array_equal(pairs.targets, arrays.targets)


def test_numbers_are_classes_as_they_are():
    events = [touch(np.random.default_rng(0), "press")] * 3
    data = Recordings(events, [0, 3, 3], sensor_size=(8, 8))
    assert data.targets.tolist() == [0, 3, 3]
    assert data.classes == ("0", "1", "2", "3")
    data = Recordings(events, np.array([1, 0, 1]), classes=("no", "yes"), sensor_size=(8, 8))
    assert data.classes == ("no", "yes")
    with pytest.raises(DataError, match="label 1 is 3: give whole numbers from 0 to 1"):
        Recordings(events, [0, 3, 3], classes=("no", "yes"), sensor_size=(8, 8))
    names = Recordings(events, ["10", "9", "a"], sensor_size=(8, 8)).classes
    assert names == ("9", "10", "a")


def test_pickle_and_take(folder):
    data = Recordings(folder[0], **OPTIONS)
    again = pickle.loads(pickle.dumps(data.take([4, -1])))
    assert len(again) == 2
    np.testing.assert_array_equal(again[1][0], data[39][0])
    assert again.classes == data.classes
    with pytest.raises(DataError, match="index 40: Recordings"):
        data.take([40])


def test_what_the_folder_says_itself(folder, tmp_path):
    events = write_touches(tmp_path)
    settings = {k: list(v) if isinstance(v, tuple) else v for k, v in OPTIONS.items()}
    split = {"test": 0.4, "by": "subject", "seed": 1}
    written = {**settings, "pattern": PATTERN, "split": split}
    (tmp_path / "recordings.json").write_text(json.dumps(written))
    whole = open_dataset(tmp_path, split="all")
    assert len(whole) == 40
    np.testing.assert_array_equal(whole[7][0], events[whole.files[7]])
    sides = Recordings(folder[0], pattern=PATTERN, **OPTIONS).split(**split)
    for side, name in zip(sides, ("train", "test")):
        np.testing.assert_array_equal(open_dataset(tmp_path, split=name)._rows, side._rows)
    # what is given counts more
    assert Recordings(tmp_path, sensor_size=(8, 9)).sensor_size == (8, 9, 2)
    for name, value, text in (
        ("size", 1, "'size' is unknown"),
        ("sensor_size", 8, "sensor_size is 8: give a list"),
        ("split", {"share": 1}, "split has 'share' 1"),
    ):
        (tmp_path / "recordings.json").write_text(json.dumps({**written, name: value}))
        with pytest.raises(DataError, match=text):
            Recordings(tmp_path)


def test_files_without_labels_are_named(folder, tmp_path):
    write_touches(tmp_path, 8)
    (tmp_path / "README.md").write_text("what this is")
    assert len(Recordings(tmp_path, **OPTIONS)) == 8
    (tmp_path / "loose.csv").write_text("ms,col,row,polarity\n")
    with pytest.raises(DataError, match=r"loose.csv: has no label, it does not fit"):
        Recordings(tmp_path, **OPTIONS)
    (tmp_path / "loose.csv").unlink()
    (tmp_path / "press" / "notes.doc").write_text("?")
    with pytest.raises(DataError, match=r"notes.doc: is no recording, files of events end in"):
        Recordings(tmp_path, **OPTIONS)
    assert len(Recordings(tmp_path, pattern="{label}/*.csv", **OPTIONS)) == 8
    with pytest.raises(DataError, match="no file fits"):
        Recordings(tmp_path, pattern="{label}/*.npz", **OPTIONS)
    with pytest.raises(DataError, match="say where the label stands"):
        Recordings(tmp_path, pattern="*/*.csv", **OPTIONS)
    with pytest.raises(DataError, match="is no folder"):
        Recordings(tmp_path / "press" / "none", **OPTIONS)


@pytest.mark.parametrize("name", ["sensor_size", "time_unit"])
def test_what_nobody_says_is_refused(folder, name):
    options = {key: value for key, value in OPTIONS.items() if key != name}
    with pytest.raises(DataError, match=rf"is not known: give {name}="):
        Recordings(folder[0], **options)


def test_arguments_that_do_not_belong_together(folder):
    events = [touch(np.random.default_rng(0), "press")] * 2
    for arguments, text in (
        (((events,), {}), "without labels"),
        (((events, ["a"]), {}), "labels has 1 values for 2"),
        (((events, ["a", "b"], {"subject": [1]}), {}), "subject has 1 values for 2"),
        ((([], []), {}), "no recordings"),
        (((len,), {}), "labels are not known"),
        (((events, [0.5, 1.5]), {}), "labels have type float64"),
        (((events, ["a", "b"]), {"classes": ("a",)}), "but labels are a, b"),
        (((events, ["a", "b"]), {"pattern": "{label}"}), "pattern is for folders"),
        (((folder[0], ["a"]), {}), "are for arrays and functions"),
        (((folder[0],), {"pattern": "{label}/*", "table": "x.csv"}), "give one of them"),
    ):
        with pytest.raises(DataError, match=text):
            Recordings(*arguments[0], **{"sensor_size": (8, 8)}, **arguments[1])
    with pytest.raises(TypeError, match="unexpected keyword argument 'bin_us'"):
        Recordings(events, ["a", "b"], sensor_size=(8, 8), bin_us=3)


def test_mixed_sensors_are_named():
    small, large = (np.random.default_rng(0) for _ in range(2))
    data = Recordings(
        [touch(small, "press", 8), touch(large, "down", 16)], ["a", "b"], sensor_size=(8, 8)
    )
    with pytest.raises(DataError, match=r"list 1: event \d+ has . = \d+: this sensor has"):
        list(data.recordings())


def test_skins_without_a_grid():
    positions = {11: (0.0, 0.0), 12: (1.7, 0.2), 30: (0.4, 2.2)}
    t, taxel, p = [0, 5, 9], [30, 11, 12], [1, 0, 1]
    data = Recordings(
        [np.c_[t, taxel, p]] * 2, ["a", "b"], taxels=positions, columns=("t", "taxel", "p"),
        time_unit="ms",
    )  # fmt: skip
    events = data[0][0]
    width, height = data.sensor_size[:2]
    assert len({(e["x"], e["y"]) for e in events}) == 3
    assert events["x"].max() < width
    assert events["y"].max() < height
    image = nt.events.TactileImage(data.sensor_size, duration_us=10_000, normalise="none")
    counts = image.batch(data)
    np.testing.assert_array_equal(data.columns.taxels.values(counts)[0, :, 0], [1, 1, 1])


def test_names_of_folders_need_not_be_text(tmp_path):
    for label in (b"n[bold]", b"\xff\xfe"):
        (tmp_path / os.fsdecode(label)).mkdir()
        (tmp_path / os.fsdecode(label) / "1.csv").write_text("x,y,t,p\n1,2,3,1\n")
    data = Recordings(tmp_path, sensor_size=(8, 8), time_unit="ms")
    assert data.classes == ("\\udcff\\udcfe", "n[bold]") and len(data[0][0]) == 1


@pytest.mark.parametrize("table", [False, True])
def test_a_map_of_taxels_in_the_folder_is_no_recording(tmp_path, table):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.csv").write_text("t,taxel,p\n0,3,1\n4,9,0\n")
    (tmp_path / "map.csv").write_text("taxel,x,y\n3,0,0\n9,1,0\n")
    said = {"taxels": "map.csv", "time_unit": "ms"}
    if table:
        said["table"] = {"file": ["a/1.csv"], "label": ["a"]}
    data = Recordings(tmp_path, **said)
    assert data.files == ("a/1.csv",) and data[0][0]["x"].tolist() == [0, 1]
    (tmp_path / "stray.csv").write_text("t,taxel,p\n0,3,1\n")
    with pytest.raises(DataError, match=r"stray\.csv"):
        Recordings(tmp_path, **said)


def test_every_network_takes_them(folder):
    data = Recordings(folder[0], pattern=PATTERN, **OPTIONS)
    train, test = data.split(test=0.25)
    options = {"recipe": nt.slayer.Recipe(epochs=1), "progress": False}
    slayer = nt.slayer.fit("8x8x2-8-4o", train, **options)
    skim = nt.skim.fit(train, n_hidden=60, progress=False)
    for network in (slayer, skim):
        x, y = network.encode(test)
        np.testing.assert_array_equal(y, test.targets)
        assert network.classes == data.classes
        assert nt.run(network, x).outputs.shape[0] == len(test)
