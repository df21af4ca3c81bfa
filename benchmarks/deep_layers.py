"""How fast deep networks of each kind of layer converge to Keras: error over time steps.

The networks are those of tests/support/deep_networks.py: a block of layers six times, random
weights, conversion at the 100th percentile of the samples shown, so that clipping has no part in
the error, and no step discarded. The slope is fitted to 33 numbers of steps at equal ratios::

    python benchmarks/deep_layers.py --out docs/results/deep-layers.json \
        --plot docs/pictures/deep_layers.png
"""

import argparse
import platform
import sys
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import nengo_tactile
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.neurons import IF
from nengo_tactile.files import write_json

#: Numbers of steps that the table shows, and how many the slope is fitted to.
SHOWN, FITTED = (64, 256, 1024, 4096), 33
#: The slope that every kind is to reach.
LIMIT = -0.9


def errors_of(model, x, steps):
    """Root mean square over samples and outputs, relative to the largest output: (steps,) array."""
    # layer by layer: TensorFlow 2.21's graphs on oneDNN join Conv2D, Add and LeakyReLU into one
    # operation that takes 0.2 for the slope, whatever it is
    wanted = model(x).numpy()
    network = convert(model, x, IF(percentile=100, discard=0.0))
    outputs = nengo_tactile.run(network, x, max(steps), engine="event").outputs
    difference = outputs[:, [n - 1 for n in steps]] - wanted[:, None]
    return np.sqrt(np.mean(difference**2, axis=(0, 2))) / np.abs(wanted).max()


def steps_between(first, last, n):
    """Whole numbers of steps at equal ratios."""
    return sorted({round(step) for step in np.geomspace(first, last, n)})


def slope_of(steps, errors):
    """The exponent p of error ~ steps ** p."""
    return float(np.polyfit(np.log(steps), np.log(errors), 1)[0])


def measure(module, name, steps, n_samples, seeds):
    """Errors of one kind, (n_seeds, steps) array."""
    x = module.samples(name, n_samples)
    return np.array([errors_of(module.model_of(name, seed), x, steps) for seed in seeds])


def plot(results, path):
    """Errors over steps, a line for each kind, beside 1 / steps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    axes = figure.subplots()
    styles = ("-", "--", ":")
    for number, (name, errors) in enumerate(results["errors"].items()):
        label = f"{name} ({results['slopes'][name]:.2f})"
        axes.loglog(results["steps"], errors, styles[number // 10 % 3], lw=1.2, label=label)
    bound = np.array([results["steps"][0], results["steps"][-1]])
    axes.loglog(bound, 3 / bound, "k", lw=2.5, alpha=0.4, label="1 / steps")
    axes.set_xlabel("time steps")
    axes.set_ylabel("error of the read-out / largest output")
    axes.grid(True, which="both", alpha=0.2)
    figure.legend(loc="outside right upper", fontsize="small", title="layers (slope)")
    figure.savefig(path, dpi=110)


def main():
    """Measure, print a table, write JSON and the plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--kinds", nargs="+", help="some of the networks' names; all by default")
    parser.add_argument("--out", help="JSON file")
    parser.add_argument("--plot", help="picture")
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.support import deep_networks

    fitted = steps_between(256, max(SHOWN), FITTED)
    steps = sorted({*steps_between(16, 256, FITTED), *fitted, *SHOWN})
    errors, slopes, worst = {}, {}, {}
    for name in options.kinds or deep_networks.KINDS:
        began = time.perf_counter()
        found = measure(deep_networks, name, steps, options.samples, options.seeds)
        inside = [steps.index(n) for n in fitted]
        errors[name] = np.exp(np.log(found).mean(axis=0)).tolist()
        each = [slope_of(fitted, row[inside]) for row in found]
        slopes[name] = slope_of(fitted, np.array(errors[name])[inside])
        worst[name] = max(each)
        seconds = time.perf_counter() - began
        print(f"{name}: {slopes[name]:.3f}, {seconds:.0f} s", file=sys.stderr, flush=True)
    results = {
        "samples": options.samples,
        "seeds": options.seeds,
        "depth": deep_networks.DEPTH,
        "steps": steps,
        "fitted": [min(fitted), max(fitted), len(fitted)],
        "limit": LIMIT,
        "nengo_tactile": nengo_tactile.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "errors": errors,
        "slopes": slopes,
        "worst_slopes": worst,
    }
    table = Table(title="Relative error of the read-out, deep networks")
    for column in ("layers", *(f"{n} steps" for n in SHOWN), "slope", "worst seed"):
        table.add_column(column, justify="left" if column == "layers" else "right")
    for name, values in errors.items():
        cells = (f"{values[steps.index(n)]:.5f}" for n in SHOWN)
        table.add_row(name, *cells, f"{slopes[name]:.2f}", f"{worst[name]:.2f}")
    Console(width=120).print(table)
    if options.out:
        write_json(options.out, results)
    if options.plot:
        plot(results, options.plot)


if __name__ == "__main__":
    main()
