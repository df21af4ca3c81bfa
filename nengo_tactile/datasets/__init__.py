"""Named data sets as tonic-style classes, their splits, statistics and downloads.

The classes load on first use, because tonic, scipy and pooch take a while to import.
"""

import importlib

_HOMES = {
    "STMNIST": "stmnist",
    "STEMNIST": "stemnist",
    "NMNIST": "nmnist",
    "EvTouch": "evtouch",
    "MNIST": "mnist",
    "CIFAR10": "cifar10",
    "images_of": "images",
    "ESkin": "eskin",
    "PenDigits": "pendigits",
    "read_spiketrain": "spiketrain",
    "read_lut": "spiketrain",
    "open_dataset": "registry",
    "dataset_names": "registry",
    "split_indices": "splits",
    "split_by_writer": "splits",
    "repeated_splits": "splits",
    "compute_statistics": "statistics",
    "stmnist_table1": "statistics",
    "fetch": "download",
}

__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__():
    return sorted([*globals(), *_HOMES])
