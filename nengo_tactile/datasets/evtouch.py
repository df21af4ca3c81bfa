"""Ev-Objects and Ev-Containers: NeuTouch fingertips holding household objects."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from nengo_tactile.datasets.base import EventDataset
from nengo_tactile.datasets.sources import locate, read_npz, require_below, require_split
from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import make_events

# Neither the files nor their repository state the width of a bin. 20 ms is what the same
# group's VT-SNN uses for the container recordings (clear-nus/VT_SNN, preprocess.py and
# guild.yml: bin_duration 0.02 over 6.5 s), which gives exactly the 325 bins of Ev-Containers.
# For Ev-Objects (250 bins, then 5 s) the same width is assumed.
ASSUMED_BIN_US = 20_000

N_TAXELS = 39  # NeuTouch (TactileSGNet paper, section III)

_KINDS = {
    "objects": ("ev_objects.npz", 36, 250),
    "containers": ("ev_containers.npz", 20, 325),
}


class EvTouch(EventDataset):
    """Ev-Objects (36 classes) and Ev-Containers (20 classes) of TactileSGNet [1]_.

    Parameters
    ----------
    save_to : str or Path, optional
        The .npz file or a folder that holds it; without it NENGO_TACTILE_DATA counts.
    kind : {"objects", "containers"}
    split : {"train", "test"}
        The split given with the data: 576 and 144 objects, 240 and 60 containers.
    bin_us : int
        Width of a bin in microseconds. It is not documented; see `ASSUMED_BIN_US`.
    transform, target_transform, transforms : callable, optional
        As in tonic.

    Notes
    -----
    The taxels have no grid: x is the taxel, y is 0. Events lie at the middle of their bin. The
    first polarity channel is taken as ON, the second as OFF, the order in VT-SNN's
    preprocessing; the files do not name them.

    References
    ----------
    .. [1] F. Gu, W. Sng, T. Taunyazov, H. Soh, "TactileSGNet: A Spiking Graph Neural Network
       for Event-based Tactile Object Recognition", IROS 2020, arXiv:2008.08046.
    """

    sensor_size = (N_TAXELS, 1, 2)

    def __init__(
        self,
        save_to: str | Path | None = None,
        kind: str = "objects",
        split: str = "train",
        bin_us: int = ASSUMED_BIN_US,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        transforms: Callable | None = None,
    ) -> None:
        require_split(split)
        if kind not in _KINDS:
            raise DataError(f"kind is {kind!r}, wanted one of {', '.join(map(repr, _KINDS))}")
        if bin_us < 1:
            raise DataError(f"bin_us is {bin_us}, wanted microseconds, at least 1")
        self.filename, n_classes, n_bins = _KINDS[kind]
        path = locate(
            save_to,
            [f"{folder}{self.filename}" for folder in ("", "EvTouch/", "ev_touch/")],
            f"Ev-Touch {kind}",
            f"put {self.filename} there; its recordings are those of clear-nus/TactileSGNet",
        )
        super().__init__(path, transform, target_transform, transforms)
        self.kind, self.split, self.path, self.bin_us = kind, split, path, int(bin_us)
        # the objects are not named in the files
        self.classes = tuple(str(index) for index in range(n_classes))
        x, y = f"x_{split}", f"y_{split}"
        arrays = read_npz(path, {x: ("u", 4), y: ("iu", 1), "bins": ("iu", 0)})
        self.n_bins = int(arrays["bins"])
        _check(arrays[x], arrays[y], self.n_bins, n_classes, n_bins, f"{path}: {x}, {y}")
        self.data = arrays[x]
        self.targets = arrays[y].astype(np.int64)

    def read_events(self, index: int) -> np.ndarray:
        """Return recording ``index``, unpacked from its bits."""
        bits = np.unpackbits(self.data[index], axis=-1)[..., : self.n_bins]
        bins, taxel, channel = np.nonzero(bits.transpose(2, 0, 1))
        time_us = bins.astype(np.int64) * self.bin_us + self.bin_us // 2
        return make_events(
            taxel,
            np.zeros_like(taxel),
            time_us,
            channel == 0,
            sensor_size=self.sensor_size,
            source=f"{self.path}: x_{self.split}, row {index}",
        )


def _check(packed, labels, bins, n_classes, n_bins, source):
    """Raise unless bits and labels fit each other and the set."""
    if bins != n_bins:
        raise DataError(f"{source}: 'bins' is {bins}, wanted {n_bins}: give the file of this set")
    wanted = (len(labels), N_TAXELS, 2, -(-n_bins // 8))
    if packed.dtype != np.uint8 or packed.shape != wanted or not len(labels):
        raise DataError(
            f"{source}: packed bits have type {packed.dtype} and shape {packed.shape}, "
            f"wanted uint8 {wanted} for {len(labels)} labels, at least one"
        )
    padding = np.unpackbits(packed[..., -1:], axis=-1)[..., n_bins - n_bins // 8 * 8 :]
    if n_bins % 8 and padding.any():
        raise DataError(f"{source}: bits after bin {n_bins - 1} are set, wanted 0")
    require_below(labels, n_classes, source)
