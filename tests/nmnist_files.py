"""MNIST's file with made images, and recordings of its first digits in N-MNIST's format."""

import numpy as np

from nengo_tactile.datasets.nmnist_simulated import SimulatedNMNIST


def write_digits(folder, n_train=60, n_test=30, n_recorded=10):
    """Ten bars as digits; the recordings are simulated with another seed."""
    rng, arrays = np.random.default_rng(0), {}
    for split, n in (("train", n_train), ("test", n_test)):
        y = np.arange(n) % 10
        x = np.zeros((n, 28, 28), np.uint8)
        for image, label in zip(x, y):
            row, column = divmod(int(label), 5)
            image[3 + 12 * row : 12 + 12 * row, 1 + 5 * column : 5 + 5 * column] = 255
            image[rng.integers(0, 28, 5), rng.integers(0, 28, 5)] = 200
        arrays |= {f"x_{split}": x, f"y_{split}": y.astype(np.uint8)}
    np.savez(folder / "mnist.npz", **arrays)
    for split in ("train", "test"):
        digits = SimulatedNMNIST(folder, split, n_recorded, seed=5)
        for number in range(n_recorded):
            place = folder / "nmnist" / split.capitalize() / str(digits.targets[number])
            place.mkdir(parents=True, exist_ok=True)
            content = to_bytes(digits.read_events(number))
            (place / f"{number + 1:05d}.bin").write_bytes(content)
    return folder


def to_bytes(events):
    """N-MNIST's records: x, y, one bit of polarity and 23 bits of time."""
    t, p = events["t"].astype(int), events["p"].astype(int)
    columns = events["x"], events["y"], p << 7 | t >> 16, t >> 8 & 255, t & 255
    return np.stack(columns, 1).astype(np.uint8).tobytes()
