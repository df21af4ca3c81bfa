"""Samples and steps per second on the Loihi emulator.

For each network: the engine as it is, with compiled steps, and nengo-loihi's emulator as it comes;
both give the same integers. Building is measured apart::

    python benchmarks/emulator_speed.py --out emulator_speed.json
"""

import argparse
import platform
import time

import numpy as np
from nengo_dl_speed import NETWORKS
from rich.console import Console
from rich.table import Table

from nengo_tactile import stack
from nengo_tactile.ann.notation import build
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.neurons import LIF
from nengo_tactile.engines import emulator, loihi
from nengo_tactile.files import write_json


class Emulation:
    """One simulator, ready to show samples."""

    def __init__(self, network, compiles):
        kept = emulator.compile_steps
        if not compiles:
            emulator.compile_steps = lambda emulator: None
        start = time.perf_counter()
        try:
            self.shown = loihi._Input(loihi._n_inputs(network))
            built, _, self.cores = loihi._placed(loihi._prepare(network), self.shown)
            self.sim = emulator.simulator(built.net, network.dt)
        finally:
            emulator.compile_steps = kept
        self.built = built
        self.build_seconds = time.perf_counter() - start

    def show(self, sample, n_steps):
        """Seconds that one sample takes, and the spikes of the last layer."""
        start = time.perf_counter()
        emulator.reset_emulator(self.sim)
        self.shown.values = sample
        self.sim.run_steps(n_steps)
        seconds = time.perf_counter() - start
        return seconds, self.sim.data[list(self.built.spike_probes.values())[-1]]


def measure(notation, n_samples, n_steps):
    """One row of the table."""
    rng = np.random.default_rng(0)
    model = build(notation)
    x = rng.random((n_samples, *model.input_shape[1:]), dtype=np.float32)
    # the rates at which shipped networks run there (engines/loihi.py)
    network = loihi.chip_settings(
        convert(model, x, LIF(max_rate=500.0, synapse=0.005), n_steps=n_steps // 2)
    )
    with stack.quiet_build():
        both = [Emulation(network, compiles) for compiles in (True, False)]
        seconds = np.zeros((n_samples, 2))
        for index, sample in enumerate(x.reshape(n_samples, -1).astype(float)):
            results = [emulation.show(sample, n_steps) for emulation in both]
            seconds[index] = [result[0] for result in results]
            if not np.array_equal(results[0][1], results[1][1]):
                raise AssertionError(f"{notation}: the two emulators differ in sample {index}")
        for emulation in both:
            emulation.sim.close()
    each = np.median(seconds, axis=0)
    return {
        "network": notation,
        "cores": len(both[0].cores),
        "build_seconds": both[0].build_seconds,
        "samples_per_second": 1 / each[0],
        "steps_per_second": n_steps / each[0],
        "steps_per_second_nengo_loihi": n_steps / each[1],
        "speed_up": float(np.median(seconds[:, 1] / seconds[:, 0])),
    }


def main():
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--out", help="JSON file")
    options = parser.parse_args()
    stack.nengo_loihi()  # its import is no part of building
    rows = [measure(notation, options.samples, options.steps) for notation in options.networks]
    table = Table(title=f"Loihi emulator, {options.steps} steps a sample, one after another")
    table.add_column("network", overflow="fold")
    titles = ("cores", "build s", "samples / s", "steps / s", "steps / s, own", "speed-up")
    for title in titles:
        table.add_column(title, justify="right")
    for row in rows:
        values = list(row.values())[1:]
        texts = [f"{value:.1f}" if value < 100 else f"{value:.0f}" for value in values[1:]]
        table.add_row(row["network"], str(row["cores"]), *texts)
    Console(width=120).print(table)
    if options.out:
        about = {"n_steps": options.steps, "n_samples": options.samples}
        machine = {"python": platform.python_version(), "machine": platform.machine()}
        write_json(options.out, {**about, **machine, "rows": rows})


if __name__ == "__main__":
    main()
