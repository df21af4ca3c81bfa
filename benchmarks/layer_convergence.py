"""How fast each kind of layer converges to Keras: error over time steps, and its slope.

The networks are those of tests/support/layer_cases.py: random weights, one layer of the kind
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
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.neurons import IF
from nengo_tactile.files import write_json


def measure(cases, module, steps, n_samples, seeds):
    """Errors of all cases of a group, {case: (n_seeds, steps) array}.

    An error is the root mean square over samples and outputs, relative to the largest output.
    """
    x = module.samples(n_samples)
    found = {name: [] for name in cases}
    for seed in seeds:
        model = module.model_of(cases, seed)
        wanted = model(x).numpy()
        network = convert(model, x, IF(percentile=100))
        outputs = nengo_tactile.run(network, x, max(steps), engine="event").outputs
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


def main():
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[16, 64, 256, 1024])
    parser.add_argument("--samples", type=int, default=8)
    # with seed 2 a layer is never active
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 3])
    parser.add_argument("--out", help="JSON file")
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.support import layer_cases

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


if __name__ == "__main__":
    main()
