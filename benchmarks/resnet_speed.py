"""ResNet-20: time and memory of its conversion, and NengoDL against plain Keras forward passes.

The network has random weights and random running statistics: neither changes the amount of work.
Forward passes of the Keras model and steps of the spiking network take turns, so that other load
meets both; ratios are taken within each turn. "As it comes" is ``nengo_dl.Converter`` with
``SpikingRectifiedLinear``, of the model with batch normalisation already folded (it has none)::

    python benchmarks/resnet_speed.py --out resnet_speed.json
"""

import argparse
import resource
import time

import numpy as np
import turns
from rich.console import Console
from rich.table import Table

from nengo_tactile import stack
from nengo_tactile.ann.portable import keras_model
from nengo_tactile.ann.residual import resnet, standardise
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.folding import fold_batch_norm, fold_rescaling
from nengo_tactile.conversion.neurons import IF
from nengo_tactile.conversion.reading import plain
from nengo_tactile.conversion.simplify import simplify
from nengo_tactile.files import write_json

#: What a conversion may take at most, in seconds.
CONVERSION_LIMIT = 60.0


def network(depth, seed=0):
    """A residual network for CIFAR-10 with random running statistics, and images for it."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (512, 32, 32, 3)).astype(np.uint8)
    model = resnet(depth, rescale=standardise(images), seed=seed)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            gamma, _, mean, variance = layer.get_weights()
            size = gamma.shape
            layer.set_weights([rng.uniform(0.5, 1, size), rng.normal(0, 0.2, size), mean, variance])
    return model, images


def main():
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--calibration", type=int, default=512)
    parser.add_argument("--skip-as-it-comes", action="store_true")
    parser.add_argument("--out", help="JSON file")
    options = parser.parse_args()
    model, images = network(options.depth)
    stack.nengo_dl()  # its import is no part of a conversion
    start = time.perf_counter()
    spiking = convert(model, images[: options.calibration], IF(), n_steps=options.steps)
    converting = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    x = images[: options.batch].astype(np.float32)
    works = {"Keras": turns.forward_passes(model, x, options.steps)}
    with stack.quiet_build():
        start = time.perf_counter()
        works["engine"], close = turns.engine(spiking, x, options.steps)
        works["engine"]()
        building, closers = time.perf_counter() - start, [close]
        if not options.skip_as_it_comes:
            folded = fold_rescaling(fold_batch_norm(simplify(plain(model))))
            works["as it comes"], close = turns.as_it_comes(keras_model(folded), x, options.steps)
            closers.append(close)
        seconds = turns.measure(works, options.repeats)
        for close in closers:
            close()
    table = Table(title=f"ResNet-{options.depth}", title_justify="left")
    for column in ("what", "value"):
        table.add_column(column)
    table.add_row(
        f"conversion, {options.calibration} calibration images",
        f"{converting:.1f} s (limit {CONVERSION_LIMIT:.0f}), process peak {peak:.2f} GiB",
    )
    table.add_row("building and tracing the simulator", f"{building:.1f} s")
    for name, ratio in turns.ratios(seconds).items():
        rate = options.batch / np.median(seconds[name])
        table.add_row(
            f"{name}: {options.steps} steps of {options.batch} images, in forward passes a step",
            f"{turns.median_and_range(ratio)}, {rate:.1f} images/s",
        )
    Console(width=120).print(table)
    if options.out:
        write_json(
            options.out,
            {
                "depth": options.depth,
                "n_samples": options.batch,
                "n_steps": options.steps,
                "conversion_seconds": converting,
                "conversion_peak_gib": peak,
                "build_seconds": building,
                **turns.as_json(seconds),
                **turns.machine(),
            },
        )


if __name__ == "__main__":
    main()
