"""How much faster a sweep is with two workers than in one process, and whether its rows are alike.

    python benchmarks/sweep_jobs.py [--network NAME] [--samples N] [--jobs N]

Sixteen cells: four numbers of steps, two rates, two synapses of a shipped network's neurons, on
samples of the simulated e-skin. Each cell computes with one thread, whoever runs it. Run it on a
machine where as many processors are free as there are workers.
"""

import time

import nengo_tactile as nt

GRID = {"n_steps": [40, 60, 80, 100], "rates": [0.5, 1], "synapse": [0.002, 0.005]}


def timed(network, x, y, folder, jobs):
    """Seconds of a sweep, and its rows without them, in the order of their settings."""
    began = time.monotonic()
    result = nt.sweep(network, x, y, folder, jobs=jobs, progress=False, say=str, **GRID)
    seconds = time.monotonic() - began
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in result["rows"]]
    return seconds, sorted(rows, key=lambda row: sorted(map(str, row["settings"].items())))
