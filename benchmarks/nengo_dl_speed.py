"""NengoDL against plain Keras forward passes, measured in one run.

For each network and one minibatch: T forward passes of the Keras model; this toolkit's engine
for T steps, as `nengo_tactile.run` does it; the same with neurons that have a refractory time,
as after training with LIF rates; the same with NengoDL's default planner; and NengoDL as it
comes (``nengo_dl.Converter`` with spikes and its own defaults). The candidates take turns, so
that other load meets all of them; ratios are taken within each turn::

    python benchmarks/nengo_dl_speed.py --out nengo_dl_speed.json
"""

import argparse

import numpy as np
import turns
from rich.console import Console
from rich.table import Table

from nengo_tactile import stack
from nengo_tactile.ann.notation import build
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.neurons import LIF
from nengo_tactile.engines.batches import LARGEST_BATCH
from nengo_tactile.files import write_json

NETWORKS = (
    "10x10-6c4-24c3-10o",
    "16x16-6c4-24c3-35o",
    "16x16x4-32c3s2-64c3-128-35o",
)


def measure(notation, batch_size, n_steps, repeats):
    """Seconds per turn and candidate, {candidate: (repeats,) array}."""
    rng = np.random.default_rng(0)
    model = build(notation)
    x = rng.random((batch_size, *model.input_shape[1:]), dtype=np.float32)
    network = convert(model, x, LIF(max_rate=500.0, synapse=0.005), n_steps=n_steps)
    nengos = LIF(max_rate=250.0, synapse=0.005, tau_rc=0.02, tau_ref=0.002, offset=0)
    refractory = convert(model, x, nengos, n_steps=n_steps)
    candidates, closers = {"Keras": turns.forward_passes(model, x, n_steps)}, []
    with stack.quiet_build():
        for name, converted, planner in (
            ("engine", network, "noop"),
            ("with tau_ref", refractory, "noop"),
            ("default planner", network, "default"),
        ):
            candidates[name], close = turns.engine(converted, x, n_steps, planner)
            closers.append(close)
        candidates["as it comes"], close = turns.as_it_comes(
            model, x, n_steps, scale_firing_rates=100, synapse=0.005
        )
        closers.append(close)
        seconds = turns.measure(candidates, repeats)
    for close in closers:
        close()
    return seconds


def main():
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=LARGEST_BATCH, help="minibatch")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--out", help="JSON file")
    options = parser.parse_args()
    table = Table(
        title=f"{options.steps} steps of {options.samples} samples, in units of as many Keras "
        f"forward passes: median (range) of {options.repeats} turns"
    )
    table.add_column("network", overflow="fold")
    for title in (
        "engine",
        "with tau_ref",
        "default planner",
        "as it comes",
        "engine, samples / s",
    ):
        table.add_column(title, justify="right")
    rows = []
    for notation in options.networks:
        seconds = measure(notation, options.samples, options.steps, options.repeats)
        ratios = turns.ratios(seconds)
        rate = options.samples / np.median(seconds["engine"])
        rows.append(
            {
                "network": notation,
                **turns.as_json(seconds),
                "engine_samples_per_second": rate,
                "within_limit": all(
                    bool(np.median(ratios[name]) <= turns.LIMIT)
                    for name in ("engine", "with tau_ref")
                ),
            }
        )
        table.add_row(
            notation,
            *map(turns.median_and_range, ratios.values()),
            f"{rate:.0f}",
        )
    Console(width=120).print(table)
    if options.out:
        about = {"n_steps": options.steps, "n_samples": options.samples}
        write_json(options.out, {**about, **turns.machine(), "rows": rows})


if __name__ == "__main__":
    main()
