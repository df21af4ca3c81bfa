"""STEMNIST, N-MNIST, Ev-Touch and MNIST from files of the real formats."""

import numpy as np
import pytest
from fake_formats import (
    nmnist_bytes,
    random_events,
    stemnist_arrays,
    write_folder,
    write_zip,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nengo_tactile.datasets import MNIST, NMNIST, STEMNIST, EvTouch
from nengo_tactile.datasets.nmnist import read_nmnist
from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import check_events, make_events


@pytest.fixture
def stemnist(rng, tmp_path):
    arrays = stemnist_arrays(rng)
    np.savez(tmp_path / STEMNIST.filename, **arrays)
    return tmp_path, arrays


@pytest.mark.parametrize(("split", "code"), [("train", 0), ("test", 2)])
def test_stemnist_equals_a_loop_over_its_arrays(stemnist, split, code):
    folder, arrays = stemnist
    dataset = STEMNIST(folder, split=split)
    rows = [row for row in range(len(arrays["label"])) if arrays["split"][row] == code]
    assert len(dataset) == len(rows) == 70
    for index, row in enumerate(rows):
        events, label = dataset[index]
        assert label == arrays["label"][row]
        assert dataset.writers[index] == arrays["participant"][row]
        first, last = arrays["offsets"][row : row + 2]
        assert len(events) == last - first
        for event, place in zip(events, range(first, last)):
            assert (event["x"], event["y"]) == (arrays["x"][place], arrays["y"][place])
            # the middle of a bin of 1/120 s gives the bin back
            assert event["t"] * 120 // 10**6 == arrays["t"][place]
            assert event["p"]
        check_events(events, dataset.sensor_size)


def change(name, value, index=...):
    def apply(arrays):
        arrays[name] = arrays[name].copy()
        arrays[name][index] = value

    return apply


@pytest.mark.parametrize(
    ("apply", "part"),
    [
        (lambda arrays: arrays.pop("label"), "no array 'label'"),
        (change("x", 16, 3), "'x', row 3 is 16, wanted 0 to 15"),
        (change("t", 240, 0), "'t', row 0 is 240"),
        (change("label", 35, 5), "'label', row 5 is 35, wanted 0 to 34"),
        (change("split", 3, 5), "'split', row 5 is 3"),
        (change("split", 1), "no sample has split code 0"),
        (change("offsets", 10**6, 2), "'offsets' must rise"),
        (change("offsets", 1, 0), "'offsets' must rise"),
        (change("names", "a", 0), "'names'"),
        (lambda arrays: arrays.update(offsets=arrays["offsets"][:-1]), "'offsets' must rise"),
        (lambda arrays: arrays.update(label=arrays["label"][:-1]), "one value per sample"),
        (lambda arrays: arrays.update(x=arrays["x"][:-1]), "one per event"),
        (lambda arrays: arrays.update(x=arrays["x"] * 1.0), "'x' has type float64"),
        (lambda arrays: arrays.update(x=arrays["x"][None]), "'x' has type uint8 and shape"),
        (lambda arrays: arrays.update(t=arrays["t"][::-1]), "times must not decrease"),
        (lambda arrays: arrays.update(names=arrays["names"].astype(object)), "pickle"),
    ],
)
def test_contradicting_stemnist_files_are_refused(stemnist, apply, part):
    folder, arrays = stemnist
    apply(arrays)
    np.savez(folder / STEMNIST.filename, **arrays)
    with pytest.raises(DataError, match=rf"(?s)stemnist_spikes_aer\.npz.*{part}"):
        STEMNIST(folder)


@given(st.data())
@settings(max_examples=60)
def test_mutated_stemnist_files_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "mutated.npz"
    np.savez(path, **stemnist_arrays(np.random.default_rng(0), per_class=1))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), len(content) // 2, 30]))])
    try:
        dataset = STEMNIST(path)
    except DataError:
        return
    assert len(dataset) == 35  # the changed bytes were padding or comments


def test_stemnist_of_the_project(data_dir):
    # the counts its README states
    train, test = STEMNIST(data_dir, split="train"), STEMNIST(data_dir, split="test")
    assert (len(train), len(test)) == (5390, 1155)
    assert set(np.bincount(train.targets)) == {154}
    assert set(np.bincount(test.targets)) == {33}
    assert len(set(train.writers) | set(test.writers)) == 34
    total = sum(len(events) for events in train.data) + sum(len(events) for events in test.data)
    assert total == 1_193_221


def nmnist_members(rng):
    members, recordings = {}, {}
    for side in ("Train", "Test"):
        for digit in range(10):
            for number in range(2):
                name = f"{side}/{digit}/{number:05}.bin"
                recordings[name] = random_events(rng, int(rng.integers(1, 20)), 34, 34, 300_000)
                members[name] = nmnist_bytes(recordings[name])
    return members, recordings


@pytest.mark.parametrize("form", ["folder", "tonic", "zip"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_nmnist_from_folders_and_zips(form, split, rng, tmp_path):
    members, recordings = nmnist_members(rng)
    if form == "zip":
        (tmp_path / "nmnist").mkdir()
        write_zip(tmp_path / "nmnist" / "nmnist_small.zip", members)
    else:
        write_folder(tmp_path / ("NMNIST" if form == "tonic" else ""), members)
    dataset = NMNIST(tmp_path, split=split)
    assert len(dataset) == 20
    for index, name in enumerate(dataset.files):
        events, label = dataset[index]
        assert name.startswith(split.capitalize())
        assert label == dataset.targets[index] == int(name.split("/")[1])
        np.testing.assert_array_equal(events, recordings[name])


def test_nmnist_equals_tonic_s_own_data_set(rng, tmp_path, monkeypatch):
    import tonic.datasets

    members, _ = nmnist_members(rng)
    write_folder(tmp_path / "NMNIST", members)
    monkeypatch.setattr(tonic.datasets.NMNIST, "_check_exists", lambda self: True)
    theirs = tonic.datasets.NMNIST(str(tmp_path), train=False, first_saccade_only=True)
    ours = NMNIST(tmp_path, split="test", first_saccade_only=True)
    assert len(theirs) == len(ours) == 20
    for (events, label), (their_events, their_label) in zip(ours, theirs):
        assert label == their_label
        for name in "xytp":
            np.testing.assert_array_equal(events[name], their_events[name])


def nmnist_events(content):
    """The records one by one; y = 240 is no event but says that the clock ran over 2**13."""
    found, late = [], 0
    for x, y, *rest in (content[start : start + 5] for start in range(0, len(content), 5)):
        word = int.from_bytes(rest, "big")
        late += 2**13 * (y == 240)
        if y != 240:
            found.append((x, y, late + word % 2**23, word >> 23))
    return found


@given(st.binary(max_size=60))
@example(b"\1\2\0\0\3" + b"\0\xf0\0\0\0" + b"\4\5\x80\0\6")
@settings(max_examples=150)
def test_arbitrary_nmnist_bytes_give_events_or_data_error(content):
    try:
        events = read_nmnist(content, "0/1.bin")
    except DataError as error:
        assert "0/1.bin" in str(error)
        return
    wanted = nmnist_events(content)
    assert [tuple(map(int, e)) for e in events[["x", "y", "t", "p"]]] == wanted
    if 240 not in content[1::5]:
        assert nmnist_bytes(events) == content


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "0 bytes"),
        (b"\1" * 7, "7 bytes, wanted a multiple of 5"),
        (bytes([34, 0, 0, 0, 0]), "x = 34"),
        (bytes([1, 1, 0, 0, 9, 1, 1, 0, 0, 8]), "t = 8 after 9"),
    ],
)
def test_damaged_nmnist_records_are_refused(content, part):
    with pytest.raises(DataError, match=rf"a\.bin.*{part}"):
        read_nmnist(content, "a.bin")


@pytest.mark.parametrize("name", ["Train/x/1.bin", "Train/12/1.bin", "train/1/1.bin", "1.bin"])
def test_nmnist_files_without_a_label_are_refused(name, rng, tmp_path):
    members, _ = nmnist_members(rng)
    path = write_zip(tmp_path / "set.zip", {**members, name: b""})
    with pytest.raises(DataError, match=f"{name}: wanted Train/<digit>"):
        NMNIST(path)


def test_missing_nmnist_names_the_download(tmp_path):
    with pytest.raises(DataError, match="download=True"):
        NMNIST(tmp_path)
    with pytest.raises(DataError, match="holds no Test/"):
        NMNIST(write_zip(tmp_path / "a.zip", {"Train/1/1.bin": b""}), split="test")


def test_nmnist_of_the_project(data_dir):
    train, test = NMNIST(data_dir, split="train"), NMNIST(data_dir, split="test")
    assert (len(train), len(test)) == (1000, 100)
    lengths = [len(events) for side in (train, test) for events, _ in side]
    assert (min(lengths), max(lengths)) == (1069, 7152)  # its README
    mnist = MNIST(data_dir, split="test")  # the file numbers are MNIST's indices, from 1
    for name, label in zip(test.files, test.targets):
        assert mnist.targets[int(name[-9:-4]) - 1] == label


def ev_arrays(rng, n_classes=36, n_bins=250):
    bits = {side: rng.random((2 * n_classes, 39, 2, n_bins)) < 0.01 for side in ("train", "test")}
    arrays = {"bins": np.array(n_bins)}
    for side, values in bits.items():
        arrays[f"x_{side}"] = np.packbits(values, axis=-1)
        arrays[f"y_{side}"] = np.tile(np.arange(n_classes), 2).astype(np.uint8)
    return arrays, bits


@pytest.mark.parametrize(
    ("kind", "n_classes", "n_bins"), [("objects", 36, 250), ("containers", 20, 325)]
)
def test_ev_touch_equals_its_bits(kind, n_classes, n_bins, rng, tmp_path):
    arrays, bits = ev_arrays(rng, n_classes, n_bins)
    np.savez(tmp_path / f"ev_{kind}.npz", **arrays)
    dataset = EvTouch(tmp_path, kind=kind, split="test")
    assert (len(dataset), len(dataset.classes)) == (2 * n_classes, n_classes)
    for index, (events, label) in enumerate(dataset):
        check_events(events, dataset.sensor_size)
        again = np.zeros((39, 2, n_bins), bool)
        for x, y, t, p in events.tolist():
            assert y == 0
            again[x, 0 if p else 1, t // 20_000] = True
        np.testing.assert_array_equal(again, bits["test"][index])
        assert label == index % n_classes


@pytest.mark.parametrize(
    ("apply", "part"),
    [
        (lambda arrays: arrays.update(bins=np.array(240)), "'bins' is 240, wanted 250"),
        (lambda arrays: arrays.update(bins=np.array([250])), "'bins' has type"),
        (lambda arrays: arrays.update(y_train=arrays["y_train"][1:]), "packed bits"),
        (lambda arrays: arrays.update(x_train=arrays["x_train"][..., :30]), "packed bits"),
        (lambda arrays: arrays.update(x_train=arrays["x_train"].astype("u2")), "packed bits"),
        (change("x_train", 255), "bits after bin 249"),
        (change("y_train", 36, 4), "label 4 is 36, wanted 0 to 35"),
        (lambda arrays: arrays.pop("bins"), "no array 'bins'"),
    ],
)
def test_contradicting_ev_touch_files_are_refused(apply, part, rng, tmp_path):
    arrays, _ = ev_arrays(rng)
    apply(arrays)
    np.savez(tmp_path / "ev_objects.npz", **arrays)
    with pytest.raises(DataError, match=rf"ev_objects\.npz.*{part}"):
        EvTouch(tmp_path)


def test_ev_touch_arguments_are_checked(tmp_path):
    for arguments, part in (
        ({"kind": "cups"}, "'cups'"),
        ({"bin_us": 0}, "bin_us is 0"),
        ({"split": "all"}, "'all'"),
        ({}, r"ev_objects\.npz"),
    ):
        with pytest.raises(DataError, match=part):
            EvTouch(tmp_path, **arguments)


def test_ev_touch_of_the_project(data_dir):
    for kind, sizes, per_class in (("objects", (576, 144), 16), ("containers", (240, 60), 12)):
        sides = [EvTouch(data_dir, kind=kind, split=split) for split in ("train", "test")]
        assert tuple(map(len, sides)) == sizes
        assert set(np.bincount(sides[0].targets)) == {per_class}


@pytest.fixture
def mnist(rng, tmp_path):
    arrays = {
        "x_train": rng.integers(0, 256, (12, 28, 28)).astype(np.uint8),
        "y_train": rng.integers(0, 10, 12).astype(np.uint8),
        "x_test": np.zeros((2, 28, 28), np.uint8),
        "y_test": np.array([7, 2], np.uint8),
    }
    np.savez(tmp_path / "mnist.npz", **arrays)
    return tmp_path, arrays


def test_mnist_images(mnist):
    folder, arrays = mnist
    dataset = MNIST(folder, transform=lambda image: image / 255)
    np.testing.assert_array_equal(dataset.images, arrays["x_train"])
    np.testing.assert_array_equal(dataset[3][0], arrays["x_train"][3] / 255)
    assert dataset[3][1] == arrays["y_train"][3]
    assert MNIST(folder, split="test").targets.tolist() == [7, 2]


@pytest.mark.parametrize(
    ("apply", "part"),
    [
        (change("y_train", 10, 4), "'y_train', row 4 is 10"),
        (lambda arrays: arrays.update(y_train=arrays["y_train"][1:]), "'x_train' has type"),
        (lambda arrays: arrays.update(x_train=arrays["x_train"][:, :27]), "'x_train' has type"),
        (lambda arrays: arrays.pop("x_train"), "no array 'x_train'"),
    ],
)
def test_contradicting_mnist_files_are_refused(mnist, apply, part):
    folder, arrays = mnist
    apply(arrays)
    np.savez(folder / "mnist.npz", **arrays)
    with pytest.raises(DataError, match=part):
        MNIST(folder)


def test_polarity_survives_packing():
    events = make_events([1, 33], [2, 33], [5, 2**23 - 1], [1, 0])
    assert read_nmnist(nmnist_bytes(events)).tolist() == events.tolist()
