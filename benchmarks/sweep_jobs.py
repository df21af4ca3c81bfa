"""How much faster a sweep is with workers than in one process, and whether its rows are the same.

    python benchmarks/sweep_jobs.py [--samples N] [--jobs N] [--out FILE.json]

Sixteen cells: four numbers of steps, two firing rates, two synapses of the shipped network
eskin-cnn, on test samples of the simulated e-skin. Each cell computes with one thread, whoever runs
it. Seconds include the start of the workers. Run it where as many processors are free as there are
workers; one process and workers take turns.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import turns

import nengo_tactile as nt
from nengo_tactile.experiments import threads
from nengo_tactile.files import write_json

GRID = {"n_steps": [600, 800, 1000, 1200], "rates": [0.5, 1], "synapse": [0.002, 0.005]}


def timed(network, x, y, folder, jobs):
    """Seconds of a sweep, and its rows without theirs, in the order of their settings."""
    began = time.monotonic()
    result = nt.sweep(network, x, y, folder, jobs=jobs, progress=False, say=str, **GRID)
    seconds = time.monotonic() - began
    rows = [{key: row[key] for key in row if key != "seconds"} for row in result["rows"]]
    return seconds, sorted(rows, key=lambda row: sorted(map(str, row["settings"].items())))


def main():
    """Print seconds and their ratio for each turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=1500)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with threads.fixed(1):  # before TensorFlow computes for the first time
        compare(options)


def compare(options):
    """Both ways by turns."""
    network = nt.load("eskin-cnn")
    data = nt.datasets.ESkin(split="test")
    x, y = network.encode(data, range(options.samples))
    found = {"one": [], "workers": []}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(options.turns):
            alone, rows = timed(network, x, y, Path(folder) / f"one-{turn}", None)
            shared, same = timed(network, x, y, Path(folder) / f"workers-{turn}", options.jobs)
            if rows != same:
                raise SystemExit("the rows of the workers differ from those of one process")
            found["one"].append(alone)
            found["workers"].append(shared)
            print(
                f"{len(rows)} cells of {options.samples} samples: {alone:.1f} s in one process, "
                f"{shared:.1f} s with {options.jobs} workers, {alone / shared:.2f} times as fast; "
                "the same rows",
                flush=True,
            )
    if options.out:
        ratio = float(np.median(np.divide(found["one"], found["workers"])))
        about = {"samples": options.samples, "jobs": options.jobs, **turns.machine()}
        write_json(options.out, {**about, "seconds": found, "median_ratio": ratio})


if __name__ == "__main__":
    main()
