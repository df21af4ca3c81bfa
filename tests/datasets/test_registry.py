"""Data sets by name and by path."""

import pickle

import numpy as np
import pytest

from nengo_tactile import datasets
from nengo_tactile.datasets import dataset_names, open_dataset
from nengo_tactile.errors import DataError
from tests.support.fake_formats import (
    braille_samples,
    gesture_members,
    stemnist_arrays,
    stmnist_members,
    tidigits,
    write_folder,
    write_tidigits,
    write_zip,
)
from tests.support.fresh_process import done, loaded


@pytest.fixture
def everything(rng, tmp_path):
    """A folder with a small copy of each set."""
    write_folder(tmp_path / "stmnist", stmnist_members(rng, 5)[0])
    for folder in ("stemnist", "ev_touch", "ntidigits", "mnist", "nmnist", "cifar10", "cifar100"):
        (tmp_path / folder).mkdir()
    np.savez(tmp_path / "stemnist" / "stemnist_spikes_aer.npz", **stemnist_arrays(rng, 1))
    for kind, n_classes, n_bins in (("objects", 36, 250), ("containers", 20, 325)):
        packed = np.zeros((n_classes, 39, 2, -(-n_bins // 8)), np.uint8)
        labels = np.arange(n_classes)
        np.savez(
            tmp_path / "ev_touch" / f"ev_{kind}.npz",
            x_train=packed,
            y_train=labels,
            x_test=packed,
            y_test=labels,
            bins=n_bins,
        )
    write_tidigits(tmp_path / "ntidigits" / "n-tidigits.hdf5", tidigits(rng))
    gestures, _ = gesture_members(rng, per_trial=2, n_events=30)
    write_folder(tmp_path / "dvs_gesture", gestures)
    (tmp_path / "braille").mkdir()
    samples = braille_samples(rng, 10, 10, ("A", "L"))
    (tmp_path / "braille" / "data_braille_letters_th1").write_bytes(pickle.dumps(samples))
    images, labels = np.zeros((2, 28, 28), np.uint8), np.zeros(2, np.uint8)
    np.savez(
        tmp_path / "mnist" / "mnist.npz",
        x_train=images,
        y_train=labels,
        x_test=images,
        y_test=labels,
    )
    members = {f"{side}/{digit}/1.bin": b"\0" * 5 for side in ("Train", "Test") for digit in "012"}
    write_zip(tmp_path / "nmnist" / "nmnist_small.zip", members)
    for number in range(1, 6):
        with open(tmp_path / "cifar10" / f"data_batch_{number}.bin", "wb") as file:
            file.truncate(10_000 * 3073)  # a hole, which takes no space
    with open(tmp_path / "cifar100" / "train.bin", "wb") as file:
        file.truncate(50_000 * 3074)
    return tmp_path


SIZES = {
    "stmnist": ("STMNIST", 40, 10),
    "stemnist": ("STEMNIST", 35, 35),
    "nmnist": ("NMNIST", 3, 10),
    "ev-objects": ("EvTouch", 36, 36),
    "ev-containers": ("EvTouch", 20, 20),
    "ntidigits": ("NTIDIGITS", 22, 11),
    "dvs-gesture": ("DVSGesture", 8, 11),
    "braille": ("Braille", 14, 27),
    "mnist": ("MNIST", 2, 10),
    "cifar10": ("CIFAR10", 50_000, 10),
    "cifar100": ("CIFAR100", 50_000, 100),
}


@pytest.mark.parametrize("name", SIZES)
def test_by_name_in_a_folder_and_through_the_environment(name, everything, monkeypatch):
    monkeypatch.delenv("NENGO_TACTILE_DATA", raising=False)
    dataset = open_dataset(name, data_dir=everything)
    found = type(dataset).__name__, len(dataset), len(dataset.classes)
    assert found == SIZES[name]
    assert len(dataset.targets) == len(dataset)
    with pytest.raises(DataError, match="NENGO_TACTILE_DATA"):
        open_dataset(name)
    monkeypatch.setenv("NENGO_TACTILE_DATA", str(everything))
    assert repr(open_dataset(name.upper())) == repr(dataset)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("stmnist", "stmnist"),
        ("stmnist/data_submission", "stmnist"),
        ("stemnist", "stemnist"),
        ("stemnist/stemnist_spikes_aer.npz", "stemnist"),
        ("ev_touch/ev_containers.npz", "ev-containers"),
        ("ev_touch/ev_objects.npz", "ev-objects"),
        ("ntidigits", "ntidigits"),
        ("ntidigits/n-tidigits.hdf5", "ntidigits"),
        ("dvs_gesture", "dvs-gesture"),
        ("mnist/mnist.npz", "mnist"),
        ("nmnist/nmnist_small.zip", "nmnist"),
        ("cifar10", "cifar10"),
        ("cifar100", "cifar100"),
    ],
)
def test_by_path(path, name, everything):
    dataset = open_dataset(everything / path)
    assert (type(dataset).__name__, len(dataset), len(dataset.classes)) == SIZES[name]


def test_an_archive_of_st_mnist_by_path(rng, tmp_path):
    path = write_zip(tmp_path / "anything.zip", stmnist_members(rng)[0])
    assert len(open_dataset(str(path), split="all")) == 30


def test_options_reach_the_class(everything):
    one = open_dataset("stmnist", split="test", data_dir=everything, seed=1)
    other = open_dataset("stmnist", split="test", data_dir=everything, seed=2)
    assert one.files != other.files
    with pytest.raises(DataError, match="stemnist takes no option 'seed'"):
        open_dataset("stemnist", data_dir=everything, seed=1)


def test_the_e_skin_needs_no_folder(monkeypatch):
    monkeypatch.delenv("NENGO_TACTILE_DATA", raising=False)
    dataset = open_dataset("eskin", split="test", n_samples=20)
    assert (type(dataset).__name__, len(dataset)) == ("ESkin", 20)


def test_the_e_skin_with_recorded_trajectories(data_dir):
    dataset = open_dataset("eskin-pendigits", split="test", data_dir=data_dir)
    assert len(dataset) == 1748
    again = open_dataset(data_dir / "pendigits" / "pendigits_traj.npz", split="test")
    np.testing.assert_array_equal(again[5][0], dataset[5][0])


def test_what_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"'?cifar'? is neither a data set \(stmnist, "):
        open_dataset("cifar")
    for name in set(dataset_names()) - {"eskin"}:
        with pytest.raises(DataError, match=rf"(?s)not found. Looked for:\n  {tmp_path}"):
            open_dataset(name, data_dir=tmp_path)
    (tmp_path / "a.zip").write_bytes(b"PK\5\6" + b"\0" * 18)
    (tmp_path / "a.npz").write_bytes(b"text")
    np.savez(tmp_path / "b.npz", a=1)
    for path in (tmp_path, tmp_path / "a.zip", tmp_path / "b.npz"):
        with pytest.raises(DataError, match="holds none of the known data sets"):
            open_dataset(path)
    with pytest.raises(DataError, match="no readable zip"):
        open_dataset(tmp_path / "a.npz")


def test_the_room_imports_quickly_and_offers_its_names():
    code = "import nengo_tactile.datasets as d"
    assert loaded(code, ("tonic", "scipy", "pooch", "requests")) == []
    done(f"{code}\nd.open_dataset; d.STMNIST")
    assert {"STMNIST", "open_dataset"} <= set(dir(datasets))
    with pytest.raises(AttributeError, match="'CIFAR'"):
        _ = datasets.CIFAR
