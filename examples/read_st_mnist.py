"""Read ST-MNIST: one .mat file, the unpacked folder, or the zip as it was downloaded.

    python examples/read_st_mnist.py path/to/recording.mat
    python examples/read_st_mnist.py path/to/data_submission

ST-MNIST is behind a form at http://www.benjamintee.com/stmnist.
"""

import argparse
from pathlib import Path

from rich.console import Console

import nengo_tactile as nt
from nengo_tactile.analysis import plots
from nengo_tactile.datasets import statistics
from nengo_tactile.files import atomic_write


def describe(events):
    """Say what is in one recording."""
    on = int(events["p"].sum())
    taxels = len(set(zip(events["x"].tolist(), events["y"].tolist())))
    print(
        f"{len(events)} events ({on} ON, {len(events) - on} OFF) of {taxels} taxels, "
        f"from {events['t'][0] / 1e6:.3f} to {events['t'][-1] / 1e6:.3f} s"
    )


def main(arguments=None):
    """Read, describe, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help=".mat file, folder or zip")
    parser.add_argument("--picture", type=Path, help="PNG file for a raster of the first one")
    parser.add_argument(
        "--default-layout", action="store_true", help="go on without LUT.mat (x = row %% 10)"
    )
    options = parser.parse_args(arguments)
    if options.path.suffix == ".mat":
        events = nt.datasets.read_spiketrain(options.path)
    else:
        dataset = nt.datasets.STMNIST(options.path, default_layout=options.default_layout)
        events, label = dataset[0]
        print(f"{dataset}; the first is {dataset.files[0]}, a {dataset.classes[label]}")
        # Table 1 of the paper counts taxel addresses from 1
        found = nt.datasets.compute_statistics(dataset, address_base=1)
        Console().print(statistics.table(found, nt.datasets.stmnist_table1()))
    describe(events)
    if options.picture:
        with atomic_write(options.picture, "wb") as file:
            file.write(plots.png(plots.event_raster(events)))
        print(f"wrote {options.picture}")


if __name__ == "__main__":
    main()
