"""Named data sets as tonic-style classes, their splits, statistics and downloads.

The classes load on first use, because tonic, scipy and pooch take a while to import.
"""

from nengo_tactile.lazy import attributes

_HOMES = {
    "STMNIST": "stmnist",
    "STEMNIST": "stemnist",
    "NMNIST": "nmnist",
    "SimulatedNMNIST": "nmnist_simulated",
    "EvTouch": "evtouch",
    "NTIDIGITS": "ntidigits",
    "DVSGesture": "dvsgesture",
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
__getattr__, __dir__ = attributes(__name__, _HOMES)
