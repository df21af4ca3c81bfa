"""A network from sinabs on recorded N-MNIST digits, in our engines.

    python tools/nir_digits.py GRAPH.nir [--data-dir DIR] [--engine event] [--engine nengo-dl]
        [--samples N] [--profile sinabs]

The graph is ``cnn_sinabs.nir`` of NIR's paper (neuromorphs/NIR, paper/02_cnn); the recordings are
N-MNIST's as `nt.datasets.NMNIST` finds them. Both splits count, as the graph was trained on other
recordings of the training split too; published are accuracies on all 10,000 of the test split.
"""

import argparse
import time

import numpy as np

import nengo_tactile as nt


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("graph")
    parser.add_argument("--data-dir")
    parser.add_argument("--engine", action="append")
    parser.add_argument("--samples", type=int, help="of each split, the first ones")
    parser.add_argument("--profile", default="sinabs")
    chosen = parser.parse_args()
    # the paper's steps: 1 ms, 300 of them; a few recordings are a little longer
    layout = nt.events.SpikeLayout((34, 34, 2), 1000, 300, late="drop")
    network = nt.from_nir(chosen.graph, chosen.profile, layout=layout)
    print(network)
    for engine in chosen.engine or ["event"]:
        hits = []
        began = time.monotonic()
        for split in ("train", "test"):
            data = nt.datasets.NMNIST(chosen.data_dir, split=split)
            x, y = network.encode(data, range(chosen.samples or len(data)))
            recording = nt.run(network, x, engine=engine)
            for note in recording.notes if not hits else ():
                print(f"  {note}")
            right = recording.predictions()[:, -1] == y
            hits.append(right)
            spikes = sum(each.sum() for each in recording.units_over_time.values()) / len(y)
            print(f"{engine}, {split}: {right.mean():.4f} of {len(y)}, {spikes:,.0f} spikes each")
        hits = np.concatenate(hits)
        seconds = time.monotonic() - began
        print(f"{engine}: {hits.mean():.4f} of {len(hits)}, {seconds:.0f} s")


if __name__ == "__main__":
    main()
