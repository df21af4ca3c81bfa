"""How fast each kind of layer converges to Keras: error over time steps, and its slope.

The networks are those of tests/conversion/layer_cases.py: random weights, one layer of the kind
between layers of integrate-and-fire neurons, conversion at the 100th percentile.
"""

import argparse
import platform
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import nengo_tactile
from nengo_tactile.conversion import convert
from nengo_tactile.files import atomic_write, write_json

TESTS = Path(__file__).parents[1] / "tests" / "conversion"


def measure(cases, module, steps, n_samples, seeds):
    """Errors of all cases of a group, {case: (n_seeds, steps) array}.

    An error is the root mean square over samples and outputs, relative to the largest output.
    """
    x = module.samples(n_samples)
    found = {name: [] for name in cases}
    for seed in seeds:
        model = module.model_of(cases, seed)
        wanted = model.predict(x, verbose=0)
        network = convert(model, x, neuron="if", percentile=100)
        outputs = nengo_tactile.run(network, x, max(steps), progress=False).outputs
        for number, name in enumerate(cases):
            which = slice(number * module.N_OUTPUTS, (number + 1) * module.N_OUTPUTS)
            top = np.abs(wanted[:, which]).max()
            difference = outputs[:, [n - 1 for n in steps], which] - wanted[:, None, which]
            found[name].append(np.sqrt(np.mean(difference**2, axis=(0, 2))) / top)
    return {name: np.array(rows) for name, rows in found.items()}


def by_kind(cases, errors):
    """Geometric mean over the seeds and cases of each layer type, {type: (steps,) array}."""
    rows = {}
    for name, case in cases.items():
        for kind in case.kinds:
            rows.setdefault(kind, []).append(np.log(errors[name]).mean(axis=0))
    return {kind: np.exp(np.mean(values, axis=0)) for kind, values in rows.items()}


def slope_of(steps, errors):
    """The exponent p of error ~ steps ** p."""
    return float(np.polyfit(np.log(steps), np.log(errors), 1)[0])


def page(results):
    """docs/convergence.md from what `main` writes as JSON."""
    steps = results["steps"]
    lines = [
        "# How fast spikes converge",
        "",
        "Made by `python benchmarks/layer_convergence.py --out "
        "docs/results/layer-convergence.json --page docs/convergence.md`.",
        "",
        "Each layer that can be converted ([Layers](layers.md)) stands between integrate-and-fire "
        "neurons in small networks with random weights. The number is the root mean square error "
        f"of the read-out against Keras over {results['samples']} samples, relative to the "
        f"largest output: geometric mean over {len(results['seeds'])} sets of weights and over "
        "the layer's cases (strides, padding, dilation, ...; see "
        "`tests/conversion/layer_cases.py`). Neurons start at half a threshold, and nothing is "
        "calibrated. The slope is the exponent p of error ~ steps ** p: a spike more or less is "
        "1 / steps, so -1 is what integrate-and-fire neurons can reach, and an error that stayed "
        "would bend it towards 0.",
        "",
        f"| layer | {' | '.join(f'{n} steps' for n in steps)} | slope |",
        f"| --- |{' ---: |' * (len(steps) + 1)}",
    ]
    for kind, errors in results["errors"].items():
        cells = " | ".join(f"{100 * error:.2g} %" for error in errors)
        lines.append(f"| `{kind}` | {cells} | {results['slopes'][kind]:.2f} |")
    return "\n".join([*lines, ""])


def main():
    """Measure, print a table, write JSON and the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[16, 64, 256, 1024])
    parser.add_argument("--samples", type=int, default=8)
    # with seed 2 a layer is never active
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 3])
    parser.add_argument("--out", help="JSON file")
    parser.add_argument("--page", help="Markdown file")
    options = parser.parse_args()
    sys.path.insert(0, str(TESTS))
    import layer_cases

    errors = {}
    for name, cases in layer_cases.GROUPS.items():
        print(f"measuring {name}", file=sys.stderr)
        found = measure(cases, layer_cases, options.steps, options.samples, options.seeds)
        for kind, values in by_kind(cases, found).items():
            errors.setdefault(kind, []).append(np.log(values))
    errors = {kind: np.exp(np.mean(values, axis=0)).tolist() for kind, values in errors.items()}
    results = {
        "steps": options.steps,
        "samples": options.samples,
        "seeds": options.seeds,
        "nengo_tactile": nengo_tactile.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "errors": errors,
        "slopes": {kind: slope_of(options.steps, values) for kind, values in errors.items()},
    }
    table = Table(title="Relative error of the read-out")
    for column in ("layer", *(f"{n} steps" for n in options.steps), "slope"):
        table.add_column(column, justify="left" if column == "layer" else "right")
    for kind, values in errors.items():
        cells = (f"{value:.4f}" for value in values)
        table.add_row(kind, *cells, f"{results['slopes'][kind]:.2f}")
    Console(width=120).print(table)
    if options.out:
        write_json(options.out, results)
    if options.page:
        with atomic_write(options.page) as file:
            file.write(page(results))


if __name__ == "__main__":
    main()
