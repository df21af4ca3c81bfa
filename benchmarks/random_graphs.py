"""Random Keras graphs, converted: how many are right, refused by name, or wrong.

The graphs are those of tests/support/random_graphs.py, every second one of Keras 3 and every
third one read from a file. Prints what is wrong, and a table of counts.
"""

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

# some of the graphs' convolutions are those that TensorFlow's oneDNN kernels get wrong, or give up
# on (docs/stack.md)
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import nengo_tactile
from nengo_tactile import stack
from nengo_tactile.files import write_json
from nengo_tactile.progress import track


def main():
    """Judge graphs; exit code 1 where one is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--graphs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0, help="of the first graph")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import keras

    from tests.support.random_graphs import judged, random_graph

    homes = (stack.tensorflow().keras, keras)
    rows, n_wrong = [], 0
    for number in track(range(arguments.graphs), "graphs"):
        seed = arguments.seed + number
        outcome = judged(random_graph(seed, homes[number % 2]), seed, as_file=number % 3 == 2)
        rows.append({"seed": seed, **vars(outcome)})
        n_wrong += not outcome.ok
        if not outcome.ok:
            print(f"graph {seed}: {outcome.verdict} {outcome.error or ''} {outcome.text[:400]}")
        homes[0].backend.clear_session()
    counts = Counter(row["verdict"] for row in rows)
    exact = sum(row["dyadic"] and row["verdict"] == "right" for row in rows)
    table = Table("verdict", "graphs", title=f"{len(rows)} graphs, seeds from {arguments.seed}")
    for verdict, count in counts.most_common():
        table.add_row(verdict, str(count))
    Console().print(table)
    largest = max((row["error"] for row in rows if row["verdict"] == "right"), default=0.0)
    print(f"largest error of rates {largest:.1e}; engines equal spike by spike in {exact}")
    if arguments.out:
        write_json(
            arguments.out,
            {
                "seed": arguments.seed,
                "counts": dict(counts),
                "largest_error": largest,
                "equal_spike_by_spike": exact,
                "version": nengo_tactile.__version__,
            },
        )
    return int(n_wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
