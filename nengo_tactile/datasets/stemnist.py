"""STEMNIST: finger-written letters and digits on 16 x 16 taxels, as derived spikes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from nengo_tactile.datasets.base import EventDataset
from nengo_tactile.datasets.sources import locate, read_npz, require_below, require_split
from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import make_events

# The pressure was sampled at 120 Hz over 2 s (STEMNIST paper, arXiv:2601.01658).
BIN_US = 1e6 / 120
N_BINS = 240

_SPLIT_CODES = {"train": 0, "test": 2}  # 1 was validation; those samples are not in the file


class STEMNIST(EventDataset):
    """STEMNIST [1]_ as one-polarity spikes: 35 classes (A-Z, 1-9), 34 writers.

    The file holds spikes that the project Four-Q/STEMNIST_Classify derived from the pressure
    recordings with a simulated oscillator and synapse circuit, at most one per taxel and bin of
    1/120 s; they are not the authors' ON/OFF events.

    Parameters
    ----------
    save_to : str or Path, optional
        The .npz file or a folder that holds it; without it NENGO_TACTILE_DATA counts.
    split : {"train", "test"}
        The split given with the spikes: 5,390 and 1,155 samples, not by writer.
    transform, target_transform, transforms : callable, optional
        As in tonic.

    Notes
    -----
    Events lie at the middle of their bin, so that binning by any nearby width gives the bin
    back. All have p = 1.

    References
    ----------
    .. [1] A. Tripathi et al., "STEMNIST: Spiking Tactile Extended MNIST Neuromorphic Dataset",
       arXiv:2601.01658, 2026.
    """

    sensor_size = (16, 16, 1)
    classes = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ123456789")
    filename = "stemnist_spikes_aer.npz"
    sha256 = "4d568bf0958342372dfc5d94181ce1ce6e4f76b983e3f4fd0160f35bc4517339"

    def __init__(
        self,
        save_to: str | Path | None = None,
        split: str = "train",
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        transforms: Callable | None = None,
    ) -> None:
        require_split(split)
        path = locate(
            save_to,
            [f"{folder}{self.filename}" for folder in ("", "STEMNIST/", "stemnist/")],
            "STEMNIST",
            f"put {self.filename} (sha256 {self.sha256}) there: it has no public address",
        )
        super().__init__(path, transform, target_transform, transforms)
        self.split, self.path = split, path
        wanted = dict.fromkeys(_COLUMNS + _PER_SAMPLE, ("iu", 1))
        arrays = read_npz(path, wanted | {"names": ("US", 1)})
        _check(arrays, path)
        rows = np.flatnonzero(arrays["split"] == _SPLIT_CODES[split])
        if not rows.size:
            raise DataError(f"{path}: no sample has split code {_SPLIT_CODES[split]} ({split})")
        time_us = np.rint((arrays["t"].astype(float) + 0.5) * BIN_US).astype(np.int64)
        columns = arrays["x"], arrays["y"], time_us, np.ones(len(time_us), bool)
        offsets = arrays["offsets"].astype(np.int64)
        self.data = [
            make_events(
                *(column[offsets[row] : offsets[row + 1]] for column in columns),
                sensor_size=self.sensor_size,
                source=f"{path}: {row}",
            )
            for row in rows
        ]
        self.targets = arrays["label"][rows].astype(np.int64)
        self.writers = arrays["participant"][rows].astype(np.int64)

    def read_events(self, index: int) -> np.ndarray:
        """Return a copy of recording ``index``."""
        return self.data[index].copy()


_COLUMNS = ("t", "y", "x")
_PER_SAMPLE = ("offsets", "label", "participant", "split")


def _check(arrays, path):
    """Raise unless the arrays fit each other and the sensor."""
    n_events, n_samples = len(arrays["t"]), len(arrays["label"])
    lengths = {name: len(arrays[name]) for name in _COLUMNS}
    if len(set(lengths.values())) != 1:
        raise DataError(f"{path}: arrays t, y, x have lengths {lengths}, wanted one per event")
    lengths = {name: len(arrays[name]) for name in ("label", "participant", "split")}
    if len(set(lengths.values())) != 1:
        raise DataError(f"{path}: arrays have lengths {lengths}, wanted one value per sample")
    offsets = arrays["offsets"].astype(np.int64)
    if (
        len(offsets) != n_samples + 1
        or offsets[0] != 0
        or offsets[-1] != n_events
        or (np.diff(offsets) < 0).any()
    ):
        raise DataError(
            f"{path}: array 'offsets' must rise from 0 to {n_events} (events) in "
            f"{n_samples + 1} values (samples + 1), found {len(offsets)} values from "
            f"{offsets[:1]} to {offsets[-1:]}"
        )
    names = tuple(str(name) for name in arrays["names"])
    if names != STEMNIST.classes:
        raise DataError(f"{path}: array 'names' is {names}, wanted {STEMNIST.classes}")
    limits = {"t": N_BINS, "y": 16, "x": 16, "label": len(names)}
    for name, limit in limits.items():
        require_below(arrays[name], limit, path, f"array {name!r}, row")
    wrong = ~np.isin(arrays["split"], [0, 1, 2])
    if wrong.any():
        first = int(wrong.argmax())
        raise DataError(
            f"{path}: array 'split', row {first} is {arrays['split'][first]}, wanted 0 "
            "(train), 1 (validation) or 2 (test)"
        )
