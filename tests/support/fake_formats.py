"""Writers of the real file formats, for tests that have no recordings."""

import io
import itertools
import struct
import zipfile

import h5py
import numpy as np
import scipy.io

from nengo_tactile.datasets.eskin import ESkin
from nengo_tactile.events.arrays import make_events
from nengo_tactile.events.crossing import LevelCrossing


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


def write_stmnist(folder):
    """Write seven simulated recordings a digit as ST-MNIST's files; returns how many of each."""
    data, kept = ESkin(split="test", n_samples=200, seed=3), dict.fromkeys(range(10), 0)
    for index in range(len(data)):
        events, digit = data[index]
        if kept[int(digit)] == 7:
            continue
        kept[int(digit)] += 1
        place = folder / "data_submission" / str(digit)
        place.mkdir(parents=True, exist_ok=True)
        scipy.io.savemat(place / f"{index}.mat", {"spiketrain": spiketrain_of(events)})
    address = np.arange(100)
    lut = np.stack([address % 10 + 1, address // 10 + 1], 1)
    scipy.io.savemat(folder / "LUT.mat", {"LUT": lut})
    return kept


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


def change(name, value, index=...):
    """What puts a value into one of a dict's arrays."""

    def apply(arrays):
        arrays[name] = arrays[name].copy()
        arrays[name][index] = value

    return apply


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


AEDAT_HEADER = (
    b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n"
    b"#Start-Time: 2016-09-01 12:00:00 (TZ+0000)\r\n#!END-HEADER\r\n"
)


def aedat_packet(words, kind=1, overflow=0, size=8):
    """Pack one packet of (data, time) words: type, source, size, offset, overflow, 3 counts."""
    n = len(words)
    content = struct.pack("<hhiiiiii", kind, 1, size, 4, overflow, n, n, n)
    return content + b"".join(struct.pack("<Ii", data, time) for data, time in words)


def aedat_word(event, valid=1):
    """Address, polarity and valid bit of an event, and its time in 31 bits."""
    data = int(event["x"]) << 17 | int(event["y"]) << 2 | int(event["p"]) << 1 | valid
    return data, int(event["t"]) % 2**31


def aedat_bytes(events, per_packet=50):
    """Pack sorted events into an AEDAT 3.1 file, event by event."""
    content = AEDAT_HEADER
    for overflow, same in itertools.groupby(events, lambda event: int(event["t"]) >> 31):
        words = [aedat_word(event) for event in same]
        for first in range(0, len(words), per_packet):
            content += aedat_packet(words[first : first + per_packet], overflow=overflow)
    return content


def gesture_members(rng, subjects=((1, 23), (24, 29)), per_trial=12, n_events=400):
    """Return {name: bytes} and {trial: (events, [(class, start, end)])} of a small DVS Gesture."""
    members, trials = {}, {}
    for split, numbers in zip(("train", "test"), subjects):
        names = [f"user{n:02}_{light}" for n in numbers for light in ("led", "fluorescent_led")]
        for name in names:
            events = random_events(rng, n_events, 128, 128, 3_000_000)
            events["t"] += 80_000_000  # clocks do not begin at 0
            edges = 80_000_000 + np.arange(per_trial + 1) * 3_000_000 // per_trial
            labels = [int(label) for label in 1 + rng.permutation(per_trial) % 11]
            # intervals may overlap a little
            rows = list(zip(labels, edges[:-1].tolist(), (edges[1:] + 1000).tolist()))
            lines = ["class,startTime_usec,endTime_usec", *(",".join(map(str, r)) for r in rows)]
            members[f"{name}.aedat"] = aedat_bytes(events)
            members[f"{name}_labels.csv"] = ("\n".join(lines) + "\n").encode()
            trials[f"{name}.aedat"] = (events, rows)
        members[f"trials_to_{split}.txt"] = "".join(f"{n}.aedat\n" for n in names).encode()
    return members, trials


def write_tidigits(path, recordings, text_type=None):
    """Write {split: {name: (addresses, seconds)}} in the layout of n-tidigits.hdf5."""
    with h5py.File(path, "w") as file:
        for split, utterances in recordings.items():
            for part in ("addresses", "timestamps"):
                file.create_group(f"{split}_{part}")
            for name, (addresses, times) in utterances.items():
                file[f"{split}_addresses"][name] = addresses
                file[f"{split}_timestamps"][name] = times
            names = list(utterances)
            file.create_dataset(
                f"{split}_labels", data=np.array(names, "S") if text_type is None else names,
                dtype=text_type,
            )  # fmt: skip
    return path


def tidigits(rng, n_speakers=2, n_events=50):
    """Return random utterances: each digit of each speaker, and some sequences of digits."""
    recordings = {}
    for split in ("train", "test"):
        recordings[split] = {}
        for speaker in range(n_speakers):
            for spoken in [*"z123456789o", "1z", "oo7"]:
                name = f"{split}{speaker}-a-{spoken}"
                times = np.sort(rng.random(n_events) * 2)
                recordings[split][name] = (rng.integers(0, 64, n_events), times)
    return recordings


#: Dots of letters of the Braille alphabet, as (column, row).
DOTS = {
    "Space": (), "A": ((0, 0),), "B": ((0, 0), (0, 1)), "C": ((0, 0), (1, 0)),
    "L": ((0, 0), (0, 1), (0, 2)), "X": ((0, 0), (0, 2), (1, 0), (1, 2)),
}  # fmt: skip


def braille_samples(rng, repetitions=10, threshold=1, letters=None):
    """Samples in the form of Braille's files: a fingertip of 4 x 3 taxels slides over dots."""
    column, row = np.arange(12) % 4, np.arange(12) // 4
    time = np.arange(51)[:, None] / 40
    samples = []
    for letter in letters or DOTS:
        for _ in range(repetitions):
            pressed = np.zeros((51, 12))
            shift = rng.normal(0, 0.02)
            for x, y in DOTS[letter]:
                passed = time - 0.45 - 0.2 * x - 0.06 * column - shift
                pressed += 60 * np.exp(-(passed**2) / 0.004 - (row - y) ** 2 / 0.5)
            pressed = np.rint(pressed + rng.normal(0, 0.4, pressed.shape))
            events = LevelCrossing(threshold=threshold)(pressed, 40)
            times = [
                [(events["t"][(events["x"] == k) & (events["p"] == on)] / 1e6).tolist()
                 for on in (True, False)]
                for k in range(12)
            ]  # fmt: skip
            samples.append({"letter": letter, "events": times})
    return samples
