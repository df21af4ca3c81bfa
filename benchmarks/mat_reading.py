"""ST-MNIST .mat files read per second.

Writes recordings with as many events as the paper's Table 1 has on average into a temporary
folder, reads them from the disk's cache, and prints a table and one line of JSON::

    python benchmarks/mat_reading.py --files 300
"""

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.io
from rich.console import Console
from rich.table import Table

from nengo_tactile.datasets.spiketrain import read_spiketrain

# ST-MNIST paper, Table 1: mean ON plus mean OFF events, averaged over the ten digits
N_EVENTS = 1656


def write_recordings(folder, n_files, n_events, rng):
    """Write synthetic recordings, compressed as the real ones are."""
    paths = []
    for number in range(n_files):
        matrix = np.zeros((101, n_events))
        columns = np.arange(n_events)
        matrix[rng.integers(0, 100, n_events), columns] = rng.choice([1.0, -1.0], n_events)
        matrix[100] = np.sort(rng.uniform(0, 2, n_events))
        paths.append(Path(folder, f"{number}.mat"))
        scipy.io.savemat(paths[-1], {"spiketrain": matrix}, do_compression=True)
    return paths


def files_per_second(read, paths, repeats=3):
    """Best rate of several passes over all files."""
    rates = []
    for _ in range(repeats):
        start = time.perf_counter()
        for path in paths:
            read(path)
        rates.append(len(paths) / (time.perf_counter() - start))
    return max(rates)


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--events", type=int, default=N_EVENTS)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_recordings(folder, arguments.files, arguments.events, rng)
        rates = {
            "read_spiketrain (events, checked)": files_per_second(read_spiketrain, paths),
            "scipy.io.loadmat (matrix only)": files_per_second(scipy.io.loadmat, paths),
        }
    table = Table(title=f"{arguments.files} .mat files of {arguments.events} events, one core")
    table.add_column("reader")
    table.add_column("files / s", justify="right")
    for name, rate in rates.items():
        table.add_row(name, f"{rate:.0f}")
    Console().print(table)
    about = {"files": arguments.files, "events": arguments.events, "seed": arguments.seed}
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    print(json.dumps({**about, **machine, "files_per_second": rates}))


if __name__ == "__main__":
    main()
