"""MNIST from its file: images, labels, and what is refused."""

import numpy as np
import pytest

from nengo_tactile.datasets import MNIST
from nengo_tactile.errors import DataError
from tests.support.fake_formats import change


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
