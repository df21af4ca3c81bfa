"""MNIST's file with made images, recordings of them, and tiny residual networks."""

import numpy as np

from nengo_tactile import files
from nengo_tactile.ann import training
from nengo_tactile.ann.residual import standardise
from nengo_tactile.commands import networks
from nengo_tactile.datasets.nmnist_simulated import SimulatedNMNIST
from nengo_tactile.doors.archives import read_npz
from tests.support.fake_formats import nmnist_bytes, write_folder

RECIPE = training.Recipe("adam", 6, 32, 1e-2, "cosine", 0.0, 0.0)


def write_mnist(folder, n_train=640, n_test=40):
    """MNIST's file with made images: noise and a bar whose column is the class."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split, n in (("train", n_train), ("test", n_test)):
        y = rng.permutation(n) % 10
        x = rng.integers(0, 60, (n, 28, 28))
        for image, label in zip(x, y):
            image[:, 3 + 2 * label : 5 + 2 * label] += 180
        arrays |= {f"x_{split}": x.astype(np.uint8), f"y_{split}": y.astype(np.uint8)}
    files.write_npz(folder / "mnist.npz", arrays)
    return folder


def write_bars(folder, n_train=60, n_test=30):
    """MNIST's file with digits that are a bar at one of ten places."""
    rng, arrays = np.random.default_rng(0), {}
    for split, n in (("train", n_train), ("test", n_test)):
        y = np.arange(n) % 10
        x = np.zeros((n, 28, 28), np.uint8)
        for image, label in zip(x, y):
            row, column = divmod(int(label), 5)
            image[3 + 12 * row : 12 + 12 * row, 1 + 5 * column : 5 + 5 * column] = 255
            image[rng.integers(0, 28, 5), rng.integers(0, 28, 5)] = 200
        arrays |= {f"x_{split}": x, f"y_{split}": y.astype(np.uint8)}
    files.write_npz(folder / "mnist.npz", arrays)
    return folder


def write_recordings(folder, n=10):
    """N-MNIST's files of the first digits of both splits, simulated with another seed."""
    for split in ("train", "test"):
        digits = SimulatedNMNIST(folder, split, n, seed=5)
        members = {
            f"{split.capitalize()}/{digits.targets[i]}/{i + 1:05d}.bin": nmnist_bytes(
                digits.read_events(i)
            )
            for i in range(n)
        }
        write_folder(folder / "nmnist", members)


def small_network(name, folder, widths=(2, 3, 4)):
    """Train a network of few channels on the images of `write_mnist`."""
    arrays = read_npz(folder / "mnist.npz")
    x, y = arrays["x_train"][..., None], arrays["y_train"].astype(np.int64)
    model = networks.network_named(name, (28, 28, 1), 10, standardise(x), 0, widths)
    training.train(model, (x, y), RECIPE, progress=False)
    return model
