"""What a link costs in the event engine's clocked mode: event by event, and as a product.

Networks of one link each, between neurons that fire at chosen rates: microseconds of a processor
that the link takes a step, going over its events and as a product of what all neurons send, by the
share of them that send. Slides are what convolutions and dense layers use (`slides.py`), runs what
adds each weight to memory; of transposed convolutions, which have both, these stand in place of the
product. What a product of a plain convolution costs stands with ``sums``: a layer of linear neurons
that passes on what arrived, as a MobileNet's narrow layers do; that of a dense layer is NumPy's.
With ``--data-dir`` last the trained MobileNet on CIFAR-10, without products and as it runs.

What the same network takes with the link from neurons that never fire is taken off. The smallest of
``--repeats`` times counts, on a machine that does nothing else::

    python benchmarks/event_links.py --data-dir DATA --out event_links.json
"""

import argparse
import time
import types
from pathlib import Path

import numpy as np
import scipy.sparse
from rich.console import Console
from rich.table import Table

from nengo_tactile.commands.networks import read_weights
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.neurons import IF
from nengo_tactile.datasets import open_dataset
from nengo_tactile.datasets.images import images_of
from nengo_tactile.engines.event import choices, products
from nengo_tactile.engines.event.clocked import Clocked
from nengo_tactile.files import write_json
from nengo_tactile.networks.linear_maps import Convolution, Pooling, Sparse
from nengo_tactile.networks.neurons import IntegrateFire, Sum
from nengo_tactile.networks.read_out import ReadOut
from nengo_tactile.networks.stages import Graph, Link, Stage

WEIGHTS = Path(__file__).parents[1] / "models" / "weights"
#: As the engine has them.
SHARES = products.APART, products.LAID, products.SUMS
#: So small that neurons behind a link hardly ever fire.
SMALL = np.float32(2.0**-12)
USUAL, MANY = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4), (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


def convolution(side, here, there, strides=1, **more):
    """A convolution of small weights, padded as "same" but for strides."""
    groups = more.get("groups", 1)
    shape = side, side, here[2] // groups, there[2]
    kernel = np.random.default_rng(0).normal(size=shape).astype(np.float32) * SMALL
    padding = (side // 2,) * 2 if strides == 1 else (0, 0)
    return Convolution(kernel, here, there, (strides,) * 2, padding, **more)


def depthwise(size, channels, strides=1):
    """One of 3 x 3."""
    here, there = (size, size, channels), (size // strides, size // strides, channels)
    return convolution(3, here, there, strides, groups=channels)


def square(side, size, channels, filters=None):
    """A plain one."""
    return convolution(side, (size, size, channels), (size, size, filters or channels))


def matrix(n_in, n_out):
    """A dense layer."""
    kernel = np.random.default_rng(0).normal(size=(n_in, n_out)).astype(np.float32)
    return Convolution.matrix_of(kernel * SMALL)


def of_8_bits(kernel):
    """Whole numbers times a scale."""
    scale = np.abs(kernel).max(axis=(0, 1, 2)) / 127
    return (np.rint(kernel / scale) * scale).astype(np.float32)


#: Links by kind: those of the shipped MobileNet, of ResNet-20, and some more.
LINKS = {
    "depthwise": {
        "3 x 3, 32 x 32 x 32": depthwise(32, 32),
        "3 x 3, 16 x 16 x 96": depthwise(16, 96),
        "3 x 3 / 2, 16 x 16 x 128": depthwise(16, 128, 2),
        "3 x 3, 8 x 8 x 256": depthwise(8, 256),
    },
    "pooling": {
        "2 x 2, 32 x 32 x 16": Pooling.of(SMALL, 2, (32, 32, 16), (16, 16, 16)),
        "all of 8 x 8 x 64": Pooling.of(SMALL, 8, (8, 8, 64), (1, 1, 64)),
    },
    "transposed": {
        "3 x 3 / 2, 8 x 8 x 32": convolution(3, (8, 8, 32), (16, 16, 32), 2, transposed=True),
        "2 x 2 / 2, 16 x 16 x 32": convolution(2, (16, 16, 32), (32, 32, 16), 2, transposed=True),
    },
    "sums": {
        "1 x 1, 32 x 32, 16 to 64": square(1, 32, 16, 64),
        "1 x 1, 8 x 8, 64 to 256": square(1, 8, 64, 256),
        "3 x 3, 32 x 32 x 16": square(3, 32, 16),
        "3 x 3, 16 x 16 x 32": square(3, 16, 32),
        "3 x 3, 8 x 8 x 64": square(3, 8, 64),
    },
    "spikes": {
        "3 x 3, 32 x 32 x 16": square(3, 32, 16),
        "3 x 3, 16 x 16 x 32": square(3, 16, 32),
        "3 x 3, 8 x 8 x 64": square(3, 8, 64),
        "3 x 3, 32 x 32 x 16, 8 bits": square(3, 32, 16).reweighted(of_8_bits),
        "3 x 3, 16 x 16 x 32, 8 bits": square(3, 16, 32).reweighted(of_8_bits),
        "3 x 3, 8 x 8 x 64, 8 bits": square(3, 8, 64).reweighted(of_8_bits),
    },
    "dense": {
        "1,024 to 256": matrix(1024, 256),
        "4,096 to 1,024": matrix(4096, 1024),
    },
    "grouped": {
        "3 x 3, 16 x 16 x 64, 8 groups": convolution(3, (16, 16, 64), (16, 16, 64), groups=8)
    },
}


def network(linear, density, sums, fires):
    """Neurons that fire, others that never do, the link from one of them, and its neurons."""
    shape, rng = linear.input_shape, np.random.default_rng(1)
    n, rates = linear.n_in, np.full(linear.n_in, density)
    if sums:
        rates = 0.999 * (rng.random(n) < density)
    kinds = {"firing": rates, "silent": np.full(n, 1e-30)}
    stages = [
        Stage(name, shape, IntegrateFire(), [], bias=bias, start=rng.random(n) * (name < "g"))
        for name, bias in kinds.items()
    ]
    source = "firing" if fires else "silent"
    if sums:
        one = Convolution.diagonal_of(np.full(n, 0.7, np.float32))
        stages += [Stage(f"{name} sums", shape, Sum(), [Link(name, one)]) for name in kinds]
        source = f"{source} sums"
    first = scipy.sparse.csr_matrix(([np.float32(1)], ([0], [0])), (1, linear.n_out))
    small = np.full(linear.n_out, 1e-30)
    stages += [
        Stage("to", linear.output_shape, IntegrateFire(), [Link(source, linear)], bias=small),
        Stage("out", (1,), Sum(), [Link("to", Sparse(first))]),
    ]
    graph = Graph((1,), tuple(stages))
    return types.SimpleNamespace(
        graph=graph, synapse=None, dt=1e-3, fan_out=graph.fan_out, discard=0.0,
        read_out=ReadOut.linear((1,)),
    )  # fmt: skip


def smallest(engine, n_steps, repeats):
    """Processor microseconds a step."""
    x, seconds = np.zeros((1, 1), np.float32), []
    for _ in range(repeats):
        start = time.process_time()
        engine.record(x, n_steps)
        seconds.append(time.process_time() - start)
    return 1e6 * min(seconds) / n_steps


def multiplied(linear, options):
    """Microseconds of a vector times a matrix in the library that NumPy has, with one thread."""
    x, kernel, seconds = np.ones(linear.n_in, np.float32), linear.kernel, []
    for _ in range(options.repeats):
        start = time.process_time()
        for _ in range(options.steps):
            x @ kernel
        seconds.append(time.process_time() - start)
    return 1e6 * min(seconds) / options.steps


def cost(linear, density, kind, options):
    """Microseconds of a step by events and as a product; of a transposed one by runs and slides."""
    found, slides_of = {}, choices.columns.slides_of
    if kind == "dense":
        found["product"] = multiplied(linear, options)
    for way in ("events",) if kind in ("spikes", "grouped", "dense") else ("events", "product"):
        # where all is a product, or nothing
        share = 0.0 if way == "product" else 9.0
        products.APART, products.LAID, products.SUMS = share, 0.0, share
        if kind == "transposed" and way == "events":
            choices.columns.slides_of = lambda linear, *more: (
                None if getattr(linear, "transposed", False) else slides_of(linear, *more)
            )
        engines = [Clocked(network(linear, density, kind == "sums", f), 1) for f in (True, False)]
        choices.columns.slides_of = slides_of
        times = [smallest(engine, options.steps, options.repeats) for engine in engines]
        found[way] = times[0] - times[1]
    return found


def mobilenet(options):
    """Milliseconds a sample and step of the trained network, without products and with them."""
    model = read_weights(WEIGHTS / "cifar10-mobilenet.npz")
    images = images_of(open_dataset("cifar10", split="train", data_dir=options.data_dir))
    images, found = images[:256].astype(np.float32), {}
    for way, shares in {"events": (9.0, 0.0, 9.0), "product": SHARES}.items():
        products.APART, products.LAID, products.SUMS = shares
        spiking = convert(model, images, IF(), n_steps=options.steps)
        engine, x, seconds = Clocked(spiking, 1), images[:8], []
        for _ in range(options.repeats):
            start = time.process_time()
            engine.record(x, options.steps)
            seconds.append(time.process_time() - start)
        found[way] = 1e3 * min(seconds) / len(x) / options.steps
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=[*LINKS, "mobilenet"], help="one kind of link")
    parser.add_argument("--data-dir", help="where CIFAR-10 is")
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--out", help="JSON file")
    options = parser.parse_args()
    rows, console = [], Console(width=110)
    for kind in [options.only] if options.only in LINKS else [] if options.only else LINKS:
        densities = MANY if kind in ("sums", "spikes", "dense") else USUAL
        table = Table(title=f"{kind}: microseconds a step", title_justify="left")
        for column in ("link", "way", "M weights", *(f"{d:.0%}" for d in densities)):
            table.add_column(column)
        for name, linear in LINKS[kind].items():
            every = [cost(linear, density, kind, options) for density in densities]
            synapses = linear.n_out * linear.kernel[..., 0].size
            for way in every[0]:
                times = [each[way] for each in every]
                shown = {("transposed", "events"): "runs", ("transposed", "product"): "slides"}
                way = shown.get((kind, way), way)
                rows.append({"kind": kind, "link": name, "way": way, "microseconds": times})
                table.add_row(
                    name, way, f"{synapses / 1e6:.2f}", *(f"{each:.1f}" for each in times)
                )
        console.print(table)
    if options.data_dir and options.only in (None, "mobilenet"):
        found = mobilenet(options)
        rows.append({"kind": "mobilenet", "milliseconds": found})
        console.print("MobileNet, milliseconds a sample and step:", found)
    if options.out:
        write_json(options.out, rows)


if __name__ == "__main__":
    main()
