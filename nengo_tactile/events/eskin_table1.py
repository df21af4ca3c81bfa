"""Table 1 of ST-MNIST, which the e-skin is fitted to, and the fitted parameters."""

import functools
import json
from importlib import resources

import numpy as np

from nengo_tactile.errors import DataError
from nengo_tactile.events.eskin import ESkinParameters

SOURCES = ("pendigits", "parametric")
STATISTICS = ("on_events", "off_events", "x_mean", "y_mean", "x_range", "y_range")

# ST-MNIST (See et al., arXiv:2005.04319v1), Table 1: mean and SD per digit 0 to 9, in the order
# of STATISTICS, and the number of samples.
TABLE1_MEAN = {
    "on_events": [1738.13, 362.95, 878.78, 1053.44, 823.63, 1113.90, 739.37, 809.30, 1399.14,
                  773.13],
    "off_events": [1139.66, 245.77, 623.88, 810.22, 597.57, 819.76, 548.48, 538.98, 1000.42,
                   546.29],
    "x_mean": [5.57, 6.17, 6.57, 5.88, 6.05, 5.41, 6.04, 5.32, 5.78, 5.24],
    "y_mean": [6.84, 6.21, 7.02, 7.12, 6.93, 6.57, 6.68, 6.92, 6.76, 6.58],
    "x_range": [8.92, 8.72, 8.80, 8.94, 8.95, 8.91, 8.94, 8.96, 8.94, 8.91],
    "y_range": [8.48, 7.04, 8.21, 8.20, 8.44, 8.38, 8.33, 7.97, 8.19, 8.17],
}  # fmt: skip
TABLE1_SD = {
    "on_events": [1365.54, 204.57, 405.13, 673.43, 458.51, 701.60, 521.99, 631.05, 898.56,
                  483.25],
    "off_events": [803.17, 124.34, 294.57, 1403.10, 355.25, 677.03, 410.00, 361.39, 755.04,
                   295.75],
    "x_mean": [0.51, 0.70, 0.70, 0.59, 0.57, 0.53, 0.45, 0.57, 0.57, 0.54],
    "y_mean": [0.75, 1.16, 0.82, 0.88, 0.93, 0.79, 0.76, 0.89, 0.90, 0.91],
    "x_range": [0.53, 0.70, 0.64, 0.53, 0.52, 0.58, 0.52, 0.49, 0.52, 0.53],
    "y_range": [1.04, 1.36, 1.04, 1.08, 0.87, 1.00, 1.02, 1.18, 1.17, 1.13],
}  # fmt: skip
TABLE1_SAMPLES = [697, 690, 699, 690, 690, 693, 698, 704, 697, 695]

# Our reading, which the paper does not state: X and Y in Table 1 are MATLAB addresses from 1 to
# 10, because their means (5.2 to 7.1) lie around the centre only then; a range is the largest
# minus the smallest address. Add this to our addresses from 0.
TABLE1_ADDRESS_BASE = 1

FILE_NAME = "eskin_parameters.json"


def table1() -> dict[str, dict[str, np.ndarray]]:
    """Return Table 1: {statistic: {"mean": (10,) array, "sd": (10,) array}}."""
    return {
        name: {"mean": np.array(TABLE1_MEAN[name]), "sd": np.array(TABLE1_SD[name])}
        for name in STATISTICS
    }


@functools.cache
def _file():
    return json.loads((resources.files(__package__) / FILE_NAME).read_text("utf-8"))


def fitted_parameters(source: str = "pendigits") -> ESkinParameters:
    """Return the parameters fitted to Table 1 for a source of trajectories.

    Parameters
    ----------
    source : {"pendigits", "parametric"}

    Returns
    -------
    ESkinParameters
    """
    if source not in SOURCES:
        raise DataError(f"no fitted e-skin parameters for {source!r}; choose one of {SOURCES}")
    return ESkinParameters.from_dict(_file()[source]["parameters"])
