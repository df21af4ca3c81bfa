"""Are the numbers of shipped networks the same on every set of versions?

    python tools/same_numbers.py run FOLDER --data-dir DATA   # with each set's Python
    python tools/same_numbers.py compare FOLDER FOLDER ...    # the first beside each other one

``run`` runs each network on each of its engines with ``nengo-tactile run`` (seed 0); ``compare``
shows for each run whether spikes, synaptic operations and outputs are equal, or by how much outputs
differ. Ends with 1 if numbers differ whose arithmetic is this package's own (or the chip's).
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from nengo_tactile import cli

#: Network, engine, samples, and whether its arithmetic is ours, step by step, or TensorFlow's and
#: NumPy's, whose sums of floats are rounded in the order that a version or processor takes.
RUNS = (
    ("eskin-cnn", "nengo-dl", 50, False),
    ("eskin-cnn", "loihi", 20, True),
    ("mnist-resnet8", "event", 50, True),
    ("mnist-resnet8", "loihi", 5, True),
    ("nmnist-skim-2000", "nengo-dl", 20, False),
    ("nmnist-skim-2000", "nengo", 5, False),
    ("eskin-slayer", "event", 50, True),
    ("eskin-slayer", "nengo-dl", 50, False),
    ("ev-objects-loihi", "loihi", 20, True),
)
#: Largest share of the spikes, and of the largest output, by which the others may differ: a spike
#: that falls into the next step.
TOLERANCE = 1e-3


def run(folder, data_dir):
    """Run all networks; results and recordings go into a folder each."""
    for name, engine, n_samples, _ in RUNS:
        out = folder / f"{name}-{engine}"
        options = ["--engine", engine, "--samples", n_samples, "--data-dir", data_dir, "--out", out]
        if engine == "loihi":
            options += ["--least-agreement", 0] if name != "ev-objects-loihi" else []
        code = cli.main(["run", name, *map(str, options)])
        if code:
            sys.exit(code)


def read(folder, name, engine):
    """Accuracy, and the arrays, of one run."""
    here = folder / f"{name}-{engine}"
    numbers = json.loads((here / "results.json").read_text())
    with np.load(here / "recording.npz", allow_pickle=False) as stored:
        return numbers["accuracy"], dict(stored)


def differences(first, other):
    """Spikes that differ and the largest output's difference, as shares, of two runs' arrays."""
    counts = [name for name in first if name.startswith(("spike_counts/", "spikes_over_time/"))]
    total = sum(int(first[name].sum()) for name in counts)
    apart = sum(int(np.abs(first[name].astype(int) - other[name]).sum()) for name in counts)
    top = np.abs(first["outputs"]).max()
    outputs = float(np.abs(first["outputs"].astype(float) - other["outputs"]).max() / top)
    return apart / max(total, 1), outputs


def compare(folders):
    """Print a table; returns whether all is as it has to be."""
    right = True
    table = Table("network", "engine", "samples", "accuracy", *map(str, folders[1:]))
    for name, engine, n_samples, exact in RUNS:
        accuracy, first = read(folders[0], name, engine)
        cells = []
        for folder in folders[1:]:
            other_accuracy, other = read(folder, name, engine)
            spikes, outputs = differences(first, other)
            allowed = 0.0 if exact else TOLERANCE
            ok = other_accuracy == accuracy and max(spikes, outputs) <= allowed
            right &= ok
            same = "equal" if spikes == outputs == 0 else f"spikes {spikes:.1e}, {outputs:.1e}"
            cells.append(same if ok else f"DIFFERENT: {same}, accuracy {other_accuracy:.4f}")
        table.add_row(name, engine, str(n_samples), f"{accuracy:.4f}", *cells)
    Console(width=160).print(table)
    return right


def main():
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run")
    runs.add_argument("folder", type=Path)
    runs.add_argument("--data-dir", type=Path, required=True)
    commands.add_parser("compare").add_argument("folder", type=Path, nargs="+")
    given = parser.parse_args()
    if given.command == "run":
        run(given.folder, given.data_dir)
    elif not compare(given.folder):
        sys.exit(1)


if __name__ == "__main__":
    main()
