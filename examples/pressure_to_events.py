"""Pressure of a tactile array as events: how many each threshold makes, and what they keep.

    python examples/pressure_to_events.py raw_pressure_example_A.h5 [--array pressure_data]

The file is HDF5, its array (steps, height, width) or (steps, taxels), as the recordings of STEMNIST
are. Without a file it is a touch that is made up.
"""

import argparse

import numpy as np
from rich import print

import nengo_tactile as nt
from nengo_tactile.doors import hdf5
from nengo_tactile.doors.plain import DATA


def made_up(n_steps=240, side=16):
    """Pressure of a finger that moves across, (n_steps, side, side), 0 to 200."""
    y, x = np.mgrid[:side, :side]
    centre = np.linspace(2, side - 3, n_steps)[:, None, None]
    distance2 = (x - centre) ** 2 + (y - side / 2) ** 2
    return np.rint(200 * np.exp(-distance2 / 8))


def main(arguments=None):
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?")
    parser.add_argument("--array", default="pressure_data")
    parser.add_argument("--rate-hz", type=float, default=120)
    parser.add_argument("--thresholds", type=float, nargs="+", default=[1, 2, 4, 8, 16, 32])
    options = parser.parse_args(arguments)
    if options.file is None:
        pressure = made_up()
    else:
        with hdf5.opened(options.file, DATA) as file:
            pressure = file.numbers(options.array)
    kept = nt.events.compare_thresholds([pressure], options.rate_hz, options.thresholds)
    print(kept.table())


if __name__ == "__main__":
    main()
