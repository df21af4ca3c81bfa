"""The architectures of keras.applications, with random weights at their least size: converted, or
refused with every layer that has no spiking form; seconds and memory of each.

Each runs in a process of its own, so that its peak of memory is its own.
"""

import argparse
import json
import platform
import re
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from nengo_tactile.files import atomic_write, write_json
from nengo_tactile.progress import track

#: Architecture -> side of the smallest image that it takes.
SIDES = {
    **dict.fromkeys(("VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet50V2", "MobileNet"), 32),
    **dict.fromkeys(("MobileNetV2", "DenseNet121", "NASNetMobile", "EfficientNetB0"), 32),
    "Xception": 71,
    "InceptionV3": 75,
}
SAMPLES = 16


def model_of(name, seed):
    """An architecture with random weights, and batch normalisation as training leaves it."""
    from nengo_tactile import stack

    keras = stack.tensorflow().keras
    keras.utils.set_random_seed(seed)
    model = getattr(keras.applications, name)(
        weights=None, input_shape=(SIDES[name], SIDES[name], 3), classes=10
    )
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            for variable in layer.weights:
                word = variable.name.split("/")[-1]
                low, high = (0.7, 1.4) if word[:5] in ("gamma", "movin") else (-0.1, 0.1)
                if word.startswith("moving_mean"):
                    low, high = -0.1, 0.1
                variable.assign(rng.uniform(low, high, variable.shape).astype(np.float32))
    return model


def _warm_up():
    """Load what the first conversion of a process loads."""
    import nengo_tactile as nt

    tiny = nt.ann.build("6x6-2c3-3o", seed=0)
    nt.check(tiny)
    nt.convert(tiny, np.random.default_rng(0).random((4, 6, 6, 1), np.float32), nt.IF())


def measure(name, seed):
    """One architecture: seconds of the check and the conversion, error of rates, or refusal."""
    import nengo_tactile as nt
    from nengo_tactile.errors import ConversionError

    _warm_up()
    model = model_of(name, seed)
    x = np.random.default_rng(seed).random((SAMPLES, SIDES[name], SIDES[name], 3), np.float32)
    wanted = model(x, training=False).numpy()
    row = {"name": name, "side": SIDES[name], "layers": len(model.layers)}
    row["weights"] = int(model.count_params())
    begin = time.perf_counter()
    check = nt.check(model)
    row["check_s"] = time.perf_counter() - begin
    row["refused"] = {la.name: f"{la.type}: {la.remedy}" for la in check.layers if la.remedy}
    begin = time.perf_counter()
    try:
        network = nt.convert(model, x, nt.IF(percentile=100), n_steps=16)
        row["convert_s"] = time.perf_counter() - begin
        got = network.read_out.apply(network.ann(x).numpy())
        row["error"] = float(np.abs(got - wanted).max() / np.abs(wanted).max())
        row["neurons"] = sum(stage.n_neurons for stage in network.graph if stage.spikes)
        row["agree"] = bool(check.ok)
    except ConversionError as error:
        row["refusal"] = str(error)
        row["agree"] = not check.ok
    row["peak_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return row


def page(results):
    """docs/architectures.md from what `main` writes as JSON."""
    lines = [
        "# Architectures of keras.applications",
        "",
        "Made by `python benchmarks/applications.py --out docs/results/applications.json --page "
        f"docs/architectures.md` (seed {results['seed']}, {results['processor']}; other work went "
        "on beside it).",
        "",
        f"Random weights, the smallest image that each takes, {SAMPLES} random samples, ten "
        "classes, integrate-and-fire neurons. The error is that of the outputs with firing rates "
        "in its neurons' places, against Keras, in units of the largest output. Memory is the "
        "process's peak, TensorFlow's own half GiB in it.",
        "",
        "| architecture | image | layers | million weights | neurons | error of rates | check, s | "
        "conversion, s | memory, GiB |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    refused = []
    for row in results["rows"]:
        done = "error" in row
        cells = (
            row["name"],
            f"{row['side']} x {row['side']}",
            f"{row['layers']:,}",
            f"{row['weights'] / 1e6:.1f}",
            f"{row['neurons']:,}" if done else "refused",
            f"{row['error']:.1e}" if done else "-",
            f"{row['check_s']:.1f}",
            f"{row['convert_s']:.1f}" if done else "-",
            f"{row['peak_gib']:.1f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
        if not done:
            refused.append(row)
    for row in refused:
        lines += ["", f"{row['name']} is refused, {len(row['refused'])} layers:", ""]
        lines += [f"- {line}" for line in row["refusal"].splitlines()]
    return "\n".join(lines) + "\n"


def main():
    """Measure all, print a table; exit code 1 where one is neither right nor refused."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--names", default=",".join(SIDES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        warnings.simplefilter("ignore")
        print("ROW " + json.dumps(measure(arguments.one, arguments.seed)))
        return 0
    rows = []
    for name in track(arguments.names.split(","), "architectures"):
        command = [sys.executable, __file__, "--one", name, "--seed", str(arguments.seed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = re.search(r"^ROW (.*)$", done.stdout, re.M)
        rows.append(json.loads(found[1]) if found else {"name": name, "failed": done.stderr[-900:]})
        print(
            name, {k: v for k, v in rows[-1].items() if k not in ("refused", "refusal")}, flush=True
        )
    wrong = [row for row in rows if not _right(row)]
    table = Table("architecture", "result")
    for row in rows:
        told = f"error of rates {row['error']:.1e}" if "error" in row else "refused by name"
        table.add_row(row["name"], told if row not in wrong else "WRONG")
    Console().print(table)
    results = {"seed": arguments.seed, "processor": _processor(), "rows": rows}
    if arguments.out:
        write_json(arguments.out, results)
    if arguments.page:
        with atomic_write(arguments.page) as file:
            file.write(page(results))
    return int(bool(wrong))


def _right(row):
    """Whether it was converted rightly, or refused with every layer, and check said the same."""
    if not row.get("agree"):
        return False
    if "error" in row:
        return row["error"] <= 1e-4
    kinds = {text.split(":")[0] for text in row["refused"].values()}
    return bool(kinds) and all(f"({kind})" in row["refusal"] for kind in kinds)


def _processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


if __name__ == "__main__":
    sys.exit(main())
