"""Makes docs/convergence.md of what layer_convergence.py and deep_layers.py measured.

Run ``python benchmarks/convergence_page.py docs/convergence.md``.
"""

import argparse
import json
from pathlib import Path

from nengo_tactile.files import atomic_write

RESULTS = Path(__file__).parents[1] / "docs" / "results"
#: Numbers of steps of deep networks that the page shows.
SHOWN = (64, 256, 1024, 4096)


def page(single, deep):
    """The page's text.

    Parameters
    ----------
    single, deep : dict
        Contents of layer-convergence.json and deep-layers.json.
    """
    return "\n".join([*_head(), *_deep(deep), *_single(single), ""])


def read():
    """Both results, as committed."""
    names = ("layer-convergence.json", "deep-layers.json")
    return [json.loads((RESULTS / name).read_text("utf-8")) for name in names]


def _head():
    return [
        "# How fast spikes converge",
        "",
        "How far the read-out of integrate-and-fire networks is from Keras, the longer they run. "
        "All networks have random weights, neurons start at half a threshold, nothing is "
        "corrected and no step discarded, and the 100th percentile of the samples shown scales "
        "the activations, so that clipping has no part in the error. An error is the root mean "
        "square over samples and outputs, relative to the largest output, in the event engine. The "
        "slope is the exponent p of error ~ "
        "steps ** p: a spike more or less is 1 / steps, so -1 is what integrate-and-fire neurons "
        "can reach, and an error that stayed would bend it towards 0.",
        "",
        "This page is made by `python benchmarks/convergence_page.py docs/convergence.md` from the "
        "two commands' results.",
        "",
    ]


def _deep(results):
    first, last, n_fitted = results["fitted"]
    seeds = ", ".join(str(seed) for seed in results["seeds"])
    lines = [
        "## Deep networks of each kind of layer",
        "",
        f"A block of layers {results['depth']} times, and a dense read-out (see "
        "`tests/support/deep_networks.py`; depthwise and residual blocks hold two layers of "
        f"neurons, so these networks are twice as deep): geometric mean over seeds {seeds} of "
        f"weights, {results['samples']} samples each. The slope is fitted to {n_fitted} numbers of "
        f"steps from {first} to {last}; every kind is to reach {results['limit']}. "
        "`python benchmarks/deep_layers.py --out docs/results/deep-layers.json "
        "--plot docs/pictures/deep_layers.png`",
        "",
        f"| layers | {' | '.join(f'{n} steps' for n in SHOWN)} | slope | slope of the worst seed |",
        f"| --- |{' ---: |' * (len(SHOWN) + 2)}",
    ]
    for name, errors in results["errors"].items():
        cells = _cells(errors[results["steps"].index(n)] for n in SHOWN)
        slopes = f"{results['slopes'][name]:.2f} | {results['worst_slopes'][name]:.2f}"
        lines.append(f"| {name} | {cells} | {slopes} |")
    picture = "![Error over time steps of each kind of network](pictures/deep_layers.png)"
    return [*lines, "", picture, ""]


def _single(results):
    seeds = ", ".join(str(seed) for seed in results["seeds"])
    lines = [
        "## Single layers",
        "",
        "Each layer that can be converted ([Layers](layers.md)) between integrate-and-fire "
        f"neurons in small networks: geometric mean over seeds {seeds} of weights and over the "
        "layer's cases (strides, padding, dilation, ...; see `tests/support/layer_cases.py`), "
        f"{results['samples']} samples each. The slope is fitted to the steps shown. "
        "`python benchmarks/layer_convergence.py --out docs/results/layer-convergence.json`",
        "",
        f"| layer | {' | '.join(f'{n} steps' for n in results['steps'])} | slope |",
        f"| --- |{' ---: |' * (len(results['steps']) + 1)}",
    ]
    for kind, errors in results["errors"].items():
        lines.append(f"| `{kind}` | {_cells(errors)} | {results['slopes'][kind]:.2f} |")
    return lines


def _cells(errors):
    return " | ".join(f"{100 * error:.2g} %" for error in errors)


def main():
    """Write the page."""
    parser = argparse.ArgumentParser(description="docs/convergence.md from its results")
    parser.add_argument("page", help="Markdown file")
    options = parser.parse_args()
    with atomic_write(options.page) as file:
        file.write(page(*read()))


if __name__ == "__main__":
    main()
