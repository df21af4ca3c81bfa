"""Writers of the real file formats, for tests that have no recordings."""

import io
import itertools
import zipfile

import numpy as np
import scipy.io

from nengo_tactile.events.arrays import make_events


def random_events(rng, n_events, width=10, height=10, longest_us=2_000_000):
    """Return sorted random events."""
    times = np.sort(rng.integers(0, longest_us, n_events))
    x, y = rng.integers(0, width, n_events), rng.integers(0, height, n_events)
    return make_events(x, y, times, rng.integers(0, 2, n_events))


def spiketrain_of(events):
    """Lay events out as the paper does, one column each (default layout)."""
    matrix = np.zeros((101, len(events)))
    for column, event in enumerate(events):
        matrix[event["y"] * 10 + event["x"], column] = 1 if event["p"] else -1
        matrix[100, column] = event["t"] / 1e6
    return matrix


def mat_bytes(compress=True, **variables):
    """Return a MATLAB 5 file as bytes."""
    file = io.BytesIO()
    scipy.io.savemat(file, variables, do_compression=compress)
    return file.getvalue()


def default_table(base=1):
    """Return the lookup table of the default layout, (100, 3): address, X, Y."""
    address = np.arange(100)
    return np.stack([address, address % 10, address // 10], axis=1).astype(float) + base


def stmnist_members(rng, per_digit=3, lut=True, folder="data_submission"):
    """Return {member name: bytes} and {member name: events} of a small ST-MNIST."""
    members, recordings = {}, {}
    for digit in range(10):
        for number in range(per_digit):
            name = f"{folder}/{digit}/writer{number}.mat"
            recordings[name] = random_events(rng, int(rng.integers(1, 30)))
            members[name] = mat_bytes(spiketrain=spiketrain_of(recordings[name]))
    if lut:
        members[f"{folder}/LUT.mat"] = mat_bytes(LUT=default_table())
    return members, recordings


def write_folder(root, members):
    """Write members as files below ``root``."""
    for name, content in members.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def write_zip(path, members):
    """Write members as a zip archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def nmnist_bytes(events):
    """Pack events into N-MNIST's 5-byte records, bit by bit."""
    content = bytearray()
    for event in events:
        word = int(event["p"]) << 23 | int(event["t"])
        content += bytes([int(event["x"]), int(event["y"])]) + word.to_bytes(3, "big")
    return bytes(content)


def stemnist_arrays(rng, per_class=2):
    """Return the arrays of a small STEMNIST file."""
    names = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ123456789"))
    n_samples = per_class * len(names) * 2
    lengths = rng.integers(0, 20, n_samples)
    total = lengths.sum()
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    times = rng.integers(0, 240, total).astype(np.uint8)
    for first, last in itertools.pairwise(offsets):
        times[first:last].sort()
    return {
        "t": times,
        "y": rng.integers(0, 16, total).astype(np.uint8),
        "x": rng.integers(0, 16, total).astype(np.uint8),
        "offsets": offsets,
        "label": np.tile(np.arange(len(names)), 2 * per_class).astype(np.uint8),
        "names": names,
        "participant": rng.integers(0, 34, n_samples).astype(np.uint8),
        "repetition": np.zeros(n_samples, np.uint8),
        "split": np.repeat([0, 2], n_samples // 2).astype(np.uint8),
    }
