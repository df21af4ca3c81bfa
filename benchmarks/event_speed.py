"""The event engine against plain Keras forward passes and NengoDL, measured in one run.

For a ResNet-20 and the sigma-delta paper's MNIST network, with random weights: T forward passes of
the Keras model, the NengoDL engine and the event engine for T steps. The candidates take turns, so
that other load meets all of them; ratios are taken within each turn. Beside the time that passes
stands the processors' time, on which other load has less influence::

    python benchmarks/event_speed.py --out event_speed.json

Then what a step costs by the density of spikes, in a chain of convolutions whose neurons all fire
at a chosen rate, as a table and as event_density.png.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import resnet_speed
import turns
from rich.console import Console
from rich.table import Table

from nengo_tactile import stack
from nengo_tactile.analysis import style
from nengo_tactile.ann.integrate_fire import rate_if_layer
from nengo_tactile.ann.notation import build
from nengo_tactile.conversion import SpikingNetwork, convert
from nengo_tactile.engines.event.clocked import Clocked
from nengo_tactile.files import atomic_write, write_json

DENSITIES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
MNIST = "28x28-16C5-2MP2-8C5-2MP2-256FC-10o"
PROCESSORS = len(os.sched_getaffinity(0))


def both_clocks():
    """Time that passes, and processors' time, in seconds."""
    return np.array([time.perf_counter(), time.process_time()])


def networks(n_steps, batch):
    """{name: (Keras model, spiking network, samples)}."""
    model, images = resnet_speed.network(20)
    spiking = convert(model, images, neuron="if", n_steps=n_steps)
    yield "ResNet-20", model, spiking, images[:batch].astype(np.float32)
    model = build(MNIST, seed=0)
    images = np.random.default_rng(0).random((512, 28, 28, 1), dtype=np.float32)
    yield MNIST, model, convert(model, images, neuron="if", n_steps=n_steps), images[:batch]


def chain(density, shape=(16, 16, 32), depth=3, seed=0):
    """Convolutions of 3 x 3, all of whose neurons fire at rates about ``density``; and samples.

    Constants make the neurons fire; what arrives is too small to change their rates much, and costs
    what any weights cost.
    """
    tf, rng = stack.tensorflow(), np.random.default_rng(seed)
    spread = min(density, 1 - density) / 2

    def rates(*size):
        return rng.uniform(density - spread, density + spread, size).astype(np.float32)

    def neurons(x):
        layer = rate_if_layer()(per_neuron=True)
        x = layer(x)
        layer.start_potential.assign(rng.random(shape, dtype=np.float32))
        return x

    inputs = tf.keras.Input(shape)
    x = neurons(inputs)
    for _ in range(depth):
        layer = tf.keras.layers.Conv2D(shape[-1], 3, padding="same")
        x = neurons(layer(x))
        kernel, bias = layer.get_weights()
        layer.set_weights([1e-3 * kernel / density, rates(*bias.shape)])
    x = tf.keras.layers.Dense(10)(tf.keras.layers.GlobalAveragePooling2D()(x))
    network = SpikingNetwork(tf.keras.Model(inputs, x), synapse=None, discard=0.0)
    return network, rates(8, *shape)


def candidates(model, network, x, n_steps):
    """What takes turns, and what closes it: forward passes, NengoDL, the event engine."""
    with stack.quiet_build():
        works = {"Keras": turns.forward_passes(model, x, n_steps)}
        works["nengo-dl"], close = turns.engine(network, x, n_steps)
    clocked = Clocked(network, PROCESSORS)
    works["event"] = lambda: clocked.record(x, n_steps)
    return works, close


def measured(model, network, x, n_steps, repeats):
    """A row about one network: seconds, (repeats, 2), how many times faster, density of spikes."""
    works, close = candidates(model, network, x, n_steps)
    seconds = turns.measure(works, repeats, both_clocks)
    close()
    counts = works["event"]().spike_counts.values()
    spikes, neurons = sum(c.sum() for c in counts), sum(c.shape[1] for c in counts)
    return {
        "density": float(spikes / neurons / n_steps / len(x)),
        "seconds": {name: s[:, 0].tolist() for name, s in seconds.items()},
        "processor_seconds": {name: s[:, 1].tolist() for name, s in seconds.items()},
        "samples_per_second": {
            name: len(x) / float(np.median(s[:, 0])) for name, s in seconds.items()
        },
        "times_faster_than": {
            name: (seconds[name] / seconds["event"]).tolist() for name in ("Keras", "nengo-dl")
        },
    }


def speed_table(rows, options):
    """How many times faster the event engine is."""
    table = Table(
        title=f"{options.steps} steps of {options.batch} samples: how many times faster the event "
        f"engine is, median (range) of {options.repeats} turns",
        title_justify="left",
    )
    columns = ("network", "spikes per neuron and step", "event, samples/s", "than forward passes")
    for column in (*columns, "by processors' time", "than nengo-dl", "by processors' time"):
        table.add_column(column, overflow="fold")
    for row in rows:
        faster = {
            name: np.array(row["times_faster_than"][name]) for name in row["times_faster_than"]
        }
        table.add_row(
            row["network"],
            f"{row['density']:.1%}",
            f"{row['samples_per_second']['event']:.0f}",
            *(
                turns.median_and_range(faster[name][:, clock])
                for name in ("Keras", "nengo-dl")
                for clock in (0, 1)
            ),
        )
    return table


def density_table(rows, options):
    """Processors' time of a step by the density of spikes."""
    table = Table(
        title=f"{options.steps} steps, 3 x 3 convolutions of 32 channels on 16 x 16: processors' "
        f"time in milliseconds a sample and step, median (range) of {options.repeats} turns",
        title_justify="left",
    )
    for column in ("density", "event", "forward pass", "nengo-dl"):
        table.add_column(column)
    for row in rows:
        table.add_row(
            f"{row['density']:.1%}",
            *(turns.median_and_range(cost(row, name)) for name in ("event", "Keras", "nengo-dl")),
        )
    return table


def cost(row, name):
    """Milliseconds of processors' time a sample and step, in each turn."""
    return 1e3 * np.array(row["processor_seconds"][name]) / row["n_samples"] / row["n_steps"]


@style.styled
def density_plot(rows):
    """Cost of a step by the density of spikes, as a matplotlib Figure."""
    axes = style.new_axes(3.8, "y")
    x = [row["density"] for row in rows]
    names = {"event": "event engine", "Keras": "Keras forward pass", "nengo-dl": "NengoDL engine"}
    for index, (name, label) in enumerate(names.items()):
        costs = [cost(row, name) for row in rows]
        axes.plot(x, [np.median(c) for c in costs], label=label, **style.line_style(index))
        axes.fill_between(
            x, *np.transpose([(c.min(), c.max()) for c in costs]),
            color=style.PALETTE[index], alpha=0.2, linewidth=0,
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xticks=x)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.minorticks_off()
    return style.finished(
        axes,
        "spikes per neuron and step",
        "ms a sample and step",
        "Processors' time of three convolutions",
    )


def main():
    """Measure, print tables, write JSON and the plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=("speed", "density"))
    parser.add_argument("--plot", default=str(Path(__file__).with_name("event_density.png")))
    parser.add_argument("--out", help="JSON file")
    options = parser.parse_args()
    stack.nengo_dl()
    results, console = {}, Console(width=140)
    if options.only != "density":
        results["speed"] = []
        for name, model, network, x in networks(options.steps, options.batch):
            row = measured(model, network, x, options.steps, options.repeats)
            results["speed"].append({"network": name, **row})
        console.print(speed_table(results["speed"], options))
    if options.only != "speed":
        results["density"] = []
        for density in DENSITIES:
            network, x = chain(density)
            row = measured(network.ann, network, x, options.steps, options.repeats)
            results["density"].append({"n_samples": len(x), "n_steps": options.steps, **row})
        console.print(density_table(results["density"], options))
        with atomic_write(options.plot, "wb") as file:
            file.write(style.png(density_plot(results["density"])))
    if options.out:
        about = {"n_samples": options.batch, "n_steps": options.steps, "processors": PROCESSORS}
        write_json(options.out, {**about, **turns.machine(), **results})


if __name__ == "__main__":
    main()
