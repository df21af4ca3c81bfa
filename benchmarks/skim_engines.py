"""How much faster a SKIM network runs event by event than in NengoDL, and how far outputs differ.

    python benchmarks/skim_engines.py DATA [--samples N] [--turns N] [--out FILE.json]

The shipped network nmnist-skim-2000 on N-MNIST's test recordings in the folder DATA. The engines
take turns, and see the same encoded recordings.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import turns

import nengo_tactile as nt
from nengo_tactile.datasets.registry import open_dataset
from nengo_tactile.files import write_json

NETWORK = "nmnist-skim-2000"
ENGINES = ("event", "nengo-dl")


def main():
    """Print milliseconds a recording, their ratio, and the largest difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder with N-MNIST")
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    network = nt.load(NETWORK)
    data = open_dataset("nmnist", split="test", data_dir=options.data)
    x, _ = network.encode(data, range(options.samples))
    for engine in ENGINES:  # compiles
        nt.run(network, x[:2], engine=engine, progress=False)
    seconds = {engine: [] for engine in ENGINES}
    for _ in range(options.turns):
        found = {}
        for engine in ENGINES:
            began = time.monotonic()
            found[engine] = nt.run(network, x, engine=engine, progress=False).outputs
            seconds[engine].append((time.monotonic() - began) / options.samples)
    ratios = np.divide(seconds["nengo-dl"], seconds["event"])
    difference = float(np.abs(found["event"] - found["nengo-dl"]).max())
    for engine in ENGINES:
        print(f"{engine}: {1000 * np.median(seconds[engine]):.1f} ms a recording")
    low, high = ratios.min(), ratios.max()
    print(
        f"{np.median(ratios):.1f} times as fast ({low:.1f} to {high:.1f}); outputs up to "
        f"{np.abs(found['nengo-dl']).max():.2f} differ by at most {difference:.2g}"
    )
    if options.out:
        about = {"samples": options.samples, **turns.machine()}
        write_json(options.out, {**about, "seconds": seconds, "difference": difference})


if __name__ == "__main__":
    main()
