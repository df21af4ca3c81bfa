"""Steps and samples a second on the chip's integers, against nengo-loihi's emulator as it comes.

The same network in the same run, host included; building is measured apart. Before it is timed the
first sample is compared with nengo-loihi's: each spike, potential and current::

    python benchmarks/chip_speed.py --data-dir DATA --out chip_speed.json

Shipped networks are shown samples of their test sets; without ``--data-dir`` networks with random
weights and images alone are measured.
"""

import argparse
import platform
import time

import numpy as np
from nengo_dl_speed import NETWORKS
from rich.console import Console
from rich.table import Table

import nengo_tactile as nt
from nengo_tactile import stack
from nengo_tactile.commands.shown import Source
from nengo_tactile.engines import chip_build, emulator
from nengo_tactile.engines.chip_settings import for_chip
from nengo_tactile.files import write_json

#: Shipped networks with a folder of data each.
SHIPPED = ("eskin-cnn", "stemnist-cnn", "mnist-resnet8", "ev-objects-loihi")


def random_network(notation, n_samples, n_steps):
    """A network of random weights and random images."""
    rng = np.random.default_rng(0)
    model = nt.ann.build(notation)
    x = rng.random((n_samples, *model.input_shape[1:]), dtype=np.float32)
    network = nt.convert(model, x, nt.LIF(max_rate=500.0, synapse=0.005), n_steps=n_steps // 2)
    return network, x  # half the rates and twice the steps, as shipped networks have them


def shipped(name, n_samples, data_dir):
    """A shipped network and samples of its test set."""
    network = nt.load(name)
    source = Source(None, split="test", data_dir=data_dir, n_samples=n_samples)
    return network, source.read(network, progress=False).x


def times_of(work, repeats):
    """Seconds of each of several calls."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return np.array(seconds)


def own_emulator(network, sample):
    """What shows a sample to nengo-loihi as it comes, and its steps."""
    if network.coding is not None:
        from nengo_tactile.engines import chip_spikes

        chip = vars(network)["_chips"][None]
        sim = emulator.simulator(chip._built.net, network.dt)
        signal = network.coding.signal(sample[None], len(sample), 0)[0]
        chip._built.input.output.rows = chip_spikes._spikes(signal).astype(float)
        n_steps = len(sample) + max(chip_spikes.check_chip(network.graph).values())
    else:
        shown_network = for_chip(network, None)
        shown = chip_build.Shown(shown_network)
        prepared = chip_build.prepare(shown_network, network.on_host)
        built, _, _ = chip_build.placed(prepared, shown)
        sim = emulator.simulator(built.net, network.dt)
        shown.values, n_steps = sample.reshape(-1).astype(float), shown_network.n_steps

    def work():
        emulator.reset_emulator(sim)
        sim.run_steps(n_steps)

    return sim, work, n_steps


def measure(name, network, x, turns):
    """A row of the table."""
    options = {"engine": "loihi", "progress": False}
    if network.coding is None:
        options["least_agreement"] = 0
    started = time.perf_counter()
    nt.run(network, x[:1], **options)
    build_seconds = time.perf_counter() - started
    nt.run(network, x[:1], verify=1, **options)
    with stack.quiet_build():
        sim, theirs, n_steps = own_emulator(network, x[0])
        pairs = []
        for _ in range(turns):
            ours = times_of(lambda: nt.run(network, x, **options), 1)[0]
            pairs.append((n_steps * len(x) / ours, n_steps / times_of(theirs, 1)[0]))
        sim.close()
    ours, theirs = np.median(pairs, axis=0)
    ratios = [own / other for own, other in pairs]
    return {
        "network": name,
        "n_steps": n_steps,
        "build_seconds": build_seconds,
        "samples_per_second": ours / n_steps,
        "steps_per_second": ours,
        "steps_per_second_nengo_loihi": theirs,
        "times": float(np.median(ratios)),
        "times_range": [min(ratios), max(ratios)],
    }


def main():
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--steps", type=int, default=120, help="of networks with random weights")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--networks", nargs="+")
    parser.add_argument("--data-dir")
    parser.add_argument("--out", help="JSON file")
    options = parser.parse_args()
    chosen = options.networks or [*NETWORKS, *(SHIPPED if options.data_dir else ())]
    stack.nengo_loihi()  # its import is no part of building
    rows = []
    for name in chosen:
        if name in SHIPPED:
            found = shipped(name, options.samples, options.data_dir)
        else:
            found = random_network(name, options.samples, options.steps)
        rows.append(measure(name, *found, options.turns))
        print(rows[-1], flush=True)
    table = Table(title=f"the chip's integers, {options.samples} samples, host included")
    table.add_column("network", overflow="fold")
    for title in ("steps", "build s", "samples / s", "steps / s", "nengo-loihi's", "times"):
        table.add_column(title, justify="right")
    for row in rows:
        low, high = row["times_range"]
        texts = [str(row["n_steps"]), f"{row['build_seconds']:.1f}"]
        names = ("samples_per_second", "steps_per_second", "steps_per_second_nengo_loihi")
        texts += [f"{row[each]:,.0f}" for each in names]
        table.add_row(row["network"], *texts, f"{row['times']:.0f} ({low:.0f}-{high:.0f})")
    Console(width=120).print(table)
    if options.out:
        about = {"n_samples": options.samples, "turns": options.turns}
        machine = {"python": platform.python_version(), "machine": platform.processor()}
        write_json(options.out, {**about, **machine, "rows": rows})


if __name__ == "__main__":
    main()
