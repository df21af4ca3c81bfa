"""The event engine against plain Keras forward passes and NengoDL, measured in one run.

Clocked mode: for the trained ResNet-20 and the sigma-delta paper's MNIST network (trained weights),
T forward passes of the Keras model, the NengoDL engine and the event engine for T steps. The
candidates take turns, so that other load meets all of them; ratios are taken within each turn.
Beside the time that passes stands the processors' time, on which other load has less influence.
Then what a step costs by the density of spikes, in a chain of convolutions whose neurons all fire
at a chosen rate, as a table and as event_density.png.

Where onnxruntime and onnx are installed, its passes in float32 and 8 bits take turns too: as many
as there are steps, and a single one, which is what one would do otherwise; and beside these the
ResNet-20 with weights of 8 bits, for many steps and for few. Beside the synaptic
operations of a processor second stands the machine's limit, a loop that adds numbers from cache.
What a call costs without its steps is told apart.

Asynchronous mode: the MNIST test images through the same network with sigma-delta neurons, at the
paper's number of spikes, beside as many passes of one image in ONNX Runtime. Last, how much memory
both modes take by the number of steps::

    python benchmarks/event_speed.py --data-dir DATA --out event_speed.json
"""

import argparse
import os
import time
import tracemalloc
from pathlib import Path

import numba
import numpy as np
import onnx_passes
import turns
from rich.console import Console
from rich.table import Table

from nengo_tactile import stack
from nengo_tactile.analysis import style
from nengo_tactile.ann.integrate_fire import rate_if_layer
from nengo_tactile.commands.networks import read_weights
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.network import SpikingNetwork
from nengo_tactile.conversion.neurons import IF, SigmaDelta
from nengo_tactile.datasets import open_dataset
from nengo_tactile.datasets.images import images_of
from nengo_tactile.engines import run
from nengo_tactile.engines.event import asynchronous
from nengo_tactile.engines.event.arrivals import arrivals_of
from nengo_tactile.engines.event.asynchronous import Asynchronous
from nengo_tactile.engines.event.clocked import Clocked
from nengo_tactile.files import atomic_write, write_json
from nengo_tactile.papers.sigma_delta.plan import CODING

PARTS = ("speed", "density", "asynchronous", "memory")
WEIGHTS = Path(__file__).parents[1] / "models" / "weights"
DENSITIES = (0.02, 0.05, 0.1, 0.2)
#: At which the trained network spends about as many spikes as the paper's (Table I): 0.25 per
#: neuron and image.
THRESHOLD = 1.0
#: Steps at which memory is measured.
LENGTHS = (64, 256, 1024)
MNIST = "28x28-16C5-2MP2-8C5-2MP2-256FC-10o"
PROCESSORS = len(os.sched_getaffinity(0))
#: ResNet-20 with weights of 8 bits: steps (None: those of the command line) and neurons.
FEW = {"signed": True, "thresholds": "steps", "channelwise": True}
EIGHT_BITS = {
    "ResNet-20, 8 bits": (None, {}),
    "ResNet-20, 8 bits, signed": (8, FEW),
    "ResNet-20, 8 bits, up to 8 a step": (2, {**FEW, "spikes_per_step": 8}),
}


def both_clocks():
    """Time that passes, and processors' time, in seconds."""
    return np.array([time.perf_counter(), time.process_time()])


def networks(n_steps, batch, data_dir):
    """Yield name, Keras model, spiking network and samples."""
    model = read_weights(WEIGHTS / "cifar10-resnet20.npz")
    images = images_of(open_dataset("cifar10", split="train", data_dir=data_dir))[:512]
    spiking = convert(model, images, IF(), n_steps=n_steps)
    yield "ResNet-20", model, spiking, images[:batch].astype(np.float32)
    for name, (steps, options) in EIGHT_BITS.items():
        spiking = convert(model, images, IF(**options), n_steps=steps or n_steps, quantise=8)
        yield name, model, spiking, images[:batch].astype(np.float32)
    model = mnist_network()
    images = digits(data_dir)[:512]
    yield MNIST, model, convert(model, images, IF(), n_steps=n_steps), images[:batch]


def mnist_network():
    """The sigma-delta paper's network, trained."""
    return read_weights(WEIGHTS / "mnist-deltacnn.npz")


def digits(data_dir):
    """The MNIST test images."""
    images = images_of(open_dataset("mnist", split="test", data_dir=data_dir))
    return images.astype(np.float32)


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


def candidates(model, network, x, n_steps, dense, others):
    """What takes turns, and what closes it: forward passes, NengoDL, ``dense`` ones, the engine."""
    works, close = {}, lambda: None
    if others:
        with stack.quiet_build():
            works["Keras"] = turns.forward_passes(model, x, n_steps)
            works["nengo-dl"], close = turns.engine(network, x, n_steps)
    if dense:
        for name, one in onnx_passes.passes(model, x, PROCESSORS).items():
            works[f"{name}, one pass"] = one
            works[name] = lambda one=one: [one() for _ in range(n_steps)]
    works["event"] = lambda: run(network, x, n_steps, engine="event", progress=False)
    return works, close


def measured(model, network, x, n_steps, repeats, dense=False, others=True):
    """A row about one network: seconds, (repeats, 2), how many times faster, density of spikes.

    Without ``others`` beside dense passes alone.
    """
    works, close = candidates(model, network, x, n_steps, dense, others)
    seconds = turns.measure(works, repeats, both_clocks)
    close()
    recording = works["event"]()
    counts = recording.spike_counts.values()
    synops = sum(int(values.sum()) for values in recording.synops.values())
    spikes, neurons = sum(c.sum() for c in counts), sum(c.shape[1] for c in counts)
    return {
        "n_steps": n_steps,
        "density": float(spikes / neurons / n_steps / len(x)),
        "synops_per_processor_second": synops / float(seconds["event"][:, 1].min()),
        "seconds": {name: s[:, 0].tolist() for name, s in seconds.items()},
        "processor_seconds": {name: s[:, 1].tolist() for name, s in seconds.items()},
        "samples_per_second": {
            name: len(x) / float(np.median(s[:, 0])) for name, s in seconds.items()
        },
        "times_faster_than": {
            name: (seconds[name] / seconds["event"]).tolist() for name in works if name != "event"
        },
    }


@numba.njit(fastmath=True)
def _added(numbers, times):
    total = np.float32(0)
    for _ in range(times):
        for k in range(len(numbers)):
            total += numbers[k]
    return total


def additions_per_second(n=4096, times=20_000):
    """What a processor adds in float32 where all numbers come from its first cache."""
    numbers, seconds = np.ones(n, np.float32), []
    _added(numbers, 1)
    for _ in range(5):
        start = time.process_time()
        _added(numbers, times)
        seconds.append(time.process_time() - start)
    return n * times / min(seconds)


def call_cost(network, x):
    """Processor milliseconds a sample of a call of `nengo_tactile.run`, without its steps."""
    seconds = {1: [], 9: []}
    for _ in range(5):
        for n_steps, found in seconds.items():
            start = time.process_time()
            run(network, x, n_steps, engine="event", threads=1)
            found.append(time.process_time() - start)
    first, later = min(seconds[1]), min(seconds[9])
    return 1e3 * (first - (later - first) / 8) / len(x)


def dense_table(rows, options):
    """Beside dense passes in ONNX Runtime."""
    table = Table(
        title=f"Runs of {options.batch} samples beside ONNX Runtime, by processors' time: how many "
        "times faster the event engine is than as many passes as steps; passes that one run costs",
        title_justify="left",
    )
    kinds = ("fp32", "int8")
    for column in (
        *("network", "steps", "G operations/s", "additions/s", "a call, ms a sample"),
        *(f"than as many passes, {kind}" for kind in kinds),
        *(f"one run, in passes, {kind}" for kind in kinds),
    ):
        table.add_column(column, overflow="fold")
    for row in rows:
        faster = {k: np.array(v)[:, 1] for k, v in row["times_faster_than"].items()}
        table.add_row(
            row["network"],
            f"{row['n_steps']}",
            *(f"{row[key] / 1e9:.1f}" for key in ("synops_per_processor_second", "limit")),
            f"{row['call']:.2f}",
            *(turns.median_and_range(faster[f"ONNX {kind}"]) for kind in kinds),
            *(turns.median_and_range(1 / faster[f"ONNX {kind}, one pass"]) for kind in kinds),
        )
    return table


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
    for row in (row for row in rows if "Keras" in row["times_faster_than"]):
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
    least, most = axes.get_ylim()
    ticks = [digit * 10.0**power for power in range(-4, 3) for digit in (1, 2, 5)]
    axes.set_yticks([tick for tick in ticks if least <= tick <= most])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.minorticks_off()
    return style.finished(
        axes,
        "spikes per neuron and step",
        "ms a sample and step",
        "Processors' time of three convolutions",
    )


def single_passes(model, x):
    """Seconds of ONNX Runtime for images one by one, with one thread or many: what is quicker."""
    seconds = []
    for threads in {1, PROCESSORS}:
        one = onnx_passes.passes(model, x[:64], threads)["ONNX fp32"]
        one(x[:1])
        start = time.perf_counter()
        for k in range(len(x)):
            one(x[k : k + 1])
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def asynchronous_row(data_dir, n_images, dense):
    """All images once, spike by spike; and with ``dense`` as many passes of one image."""
    x, model = digits(data_dir)[:n_images], mnist_network()
    network = convert(model, x[:256], SigmaDelta(threshold=THRESHOLD, coding=CODING))
    asynchronous.run(network, x[:2], network.n_steps, progress=False)  # compiles
    start = both_clocks()
    spikes = synops = 0
    for recording in asynchronous.stream(network, x, network.n_steps, progress=False):
        layers = [s.name for s in network.graph if s.fires]
        spikes += sum(int(recording.spike_counts[name].sum()) for name in layers)
        synops += sum(int(values.sum()) for values in recording.synops.values())
    seconds = both_clocks() - start
    neurons = sum(stage.n_neurons for stage in network.graph if stage.fires)
    return {
        "images": len(x),
        "seconds": float(seconds[0]),
        "processor_seconds": float(seconds[1]),
        "spikes_per_neuron": spikes / neurons / len(x),
        "synops_per_image": synops / len(x),
        "onnx_seconds": single_passes(model, x) if dense else None,
    }


def asynchronous_table(row):
    """Images a second of the asynchronous mode."""
    title = f"{row['images']} MNIST images spike by spike, {PROCESSORS} processors"
    table = Table(title=title, title_justify="left")
    values = {
        "seconds": f"{row['seconds']:.1f}",
        "images/s": f"{row['images'] / row['seconds']:.0f}",
        "processors' ms an image": f"{1e3 * row['processor_seconds'] / row['images']:.2f}",
        "spikes per neuron": f"{row['spikes_per_neuron']:.2f}",
        "operations an image": f"{row['synops_per_image'] / 1e3:.0f} k",
    }
    if row["onnx_seconds"]:
        values["ONNX fp32, one image a pass, s"] = f"{row['onnx_seconds']:.2f}"
        values["times as long"] = f"{row['seconds'] / row['onnx_seconds']:.1f}"
    for name in values:
        table.add_column(name, overflow="fold")
    table.add_row(*values.values())
    return table


def memory_rows(data_dir, batch):
    """Peak memory of both modes by the number of steps, and what the recording holds of it."""
    x = digits(data_dir)[:batch]
    model = mnist_network()
    fire = convert(model, x, IF(), n_steps=LENGTHS[0])
    change = convert(model, x, SigmaDelta(threshold=THRESHOLD, coding=CODING))
    clocked, queue = Clocked(fire, PROCESSORS), Asynchronous(change, PROCESSORS)
    arrivals = arrivals_of(change.coding, x)
    works = {
        "clocked": lambda n_steps: clocked.record(x, n_steps),
        "asynchronous": lambda n_steps: queue.record(arrivals, n_steps),
    }
    rows = []
    for name, work in works.items():
        work(1)
        for n_steps in LENGTHS:
            tracemalloc.start()
            recording = work(n_steps)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            held = recording.outputs.nbytes + sum(
                array.nbytes
                for part in ("spike_counts", "spikes_over_time", "synops_over_time")
                for array in getattr(recording, part).values()
            )
            rows.append({"mode": name, "n_steps": n_steps, "peak": peak, "recording": held})
    return rows


def memory_table(rows, batch):
    """Peaks in MiB."""
    title = f"Peak memory of a minibatch of {batch} MNIST images, in MiB"
    table = Table(title=title, title_justify="left")
    for column in ("mode", "steps", "peak", "of it the recording"):
        table.add_column(column)
    for row in rows:
        held, peak = (f"{row[key] / 2**20:.2f}" for key in ("recording", "peak"))
        table.add_row(row["mode"], f"{row['n_steps']}", peak, held)
    return table


def main():
    """Measure, print tables, write JSON and the plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--images", type=int, default=10_000, help="asynchronous: MNIST images")
    parser.add_argument("--data-dir", help="folder of CIFAR-10 and MNIST")
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--plot", default=str(Path(__file__).with_name("event_density.png")))
    parser.add_argument("--out", help="JSON file")
    options = parser.parse_args()
    parts = (options.only,) if options.only else PARTS
    stack.nengo_dl()
    results, console = {}, Console(width=140)
    dense = onnx_passes.available()
    if "speed" in parts:
        results["speed"] = []
        for name, model, network, x in networks(options.steps, options.batch, options.data_dir):
            others = name not in EIGHT_BITS
            if not (others or dense):
                continue
            row = measured(model, network, x, network.n_steps, options.repeats, dense, others)
            row |= {"limit": additions_per_second(), "call": call_cost(network, x)}
            results["speed"].append({"network": name, **row})
        console.print(speed_table(results["speed"], options))
        if dense:
            console.print(dense_table(results["speed"], options))
    if "density" in parts:
        results["density"] = []
        for density in DENSITIES:
            network, x = chain(density)
            row = measured(network.ann, network, x, options.steps, options.repeats)
            results["density"].append({"n_samples": len(x), "n_steps": options.steps, **row})
        console.print(density_table(results["density"], options))
        with atomic_write(options.plot, "wb") as file:
            file.write(style.png(density_plot(results["density"])))
    if "asynchronous" in parts:
        results["asynchronous"] = asynchronous_row(options.data_dir, options.images, dense)
        console.print(asynchronous_table(results["asynchronous"]))
    if "memory" in parts:
        results["memory"] = memory_rows(options.data_dir, options.batch)
        console.print(memory_table(results["memory"], options.batch))
    if options.out:
        about = {"n_samples": options.batch, "n_steps": options.steps, "processors": PROCESSORS}
        write_json(options.out, {**about, **turns.machine(), **results})


if __name__ == "__main__":
    main()
