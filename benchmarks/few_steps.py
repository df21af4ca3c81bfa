"""Few time steps on CIFAR-10: points that the trained ResNet-20 loses, and what it sends.

``python benchmarks/few_steps.py DATA [N_TEST]``; results are in docs/conversion.md. Everything is
chosen on 512 training images.
"""

import sys
import time

import nengo_tactile as nt
from nengo_tactile.ann.training import accuracy
from nengo_tactile.conversion.bound import waiting_outputs
from nengo_tactile.papers import images

#: Steps, and options of the neurons.
ROWS = (
    (64, {"discard": "tune"}),
    (16, {"correction": "bias"}),
    (16, {"correction": "potential"}),
    (8, {"correction": "bias"}),
    (8, {"correction": "potential"}),
    (4, {"spikes_per_step": 4}),
    (4, {"spikes_per_step": 4, "correction": "bias"}),
    (2, {"spikes_per_step": 8}),
    (2, {"spikes_per_step": 8, "correction": "bias"}),
)
FEW = {"signed": True, "thresholds": "steps", "channelwise": True}
AT_ONCE = 1000


def measure(network, x, y):
    """Accuracy, and what a sample takes: spikes, unit spikes, synaptic operations."""
    hits, cost = 0, {"spikes": 0, "units": 0, "synops": 0}
    for first in range(0, len(x), AT_ONCE):
        part = slice(first, first + AT_ONCE)
        recording = nt.run(network, x[part], engine="event", progress=False)
        hits += recording.accuracy(y[part])[-1] * len(x[part])
        for name in cost:
            layers = getattr(recording, f"{name}_over_time").values()
            cost[name] += sum(int(steps.sum()) for steps in layers)
    return hits / len(x), {name: value / len(x) for name, value in cost.items()}


def main(folder, n_test=10_000):
    """Print a row for each setting."""
    data = images.read("cifar10", 0, folder)
    model, _ = images.trained("cifar10-resnet20")
    x, y = data.x[: int(n_test)], data.y[: int(n_test)]
    ann = accuracy(model, x, y)
    print(f"ANN {ann:.4f}")
    for n_steps, options in ROWS:
        options = options if "discard" in options else {**FEW, **options}
        began = time.monotonic()
        network = nt.convert(model, data.calibration, nt.IF(**options), n_steps=n_steps)
        seconds = time.monotonic() - began
        reached, cost = measure(network, x, y)
        waiting = waiting_outputs(network.layers, x, n_steps).argmax(axis=1)
        bound = 100 * (ann - (waiting == y).mean())
        told = ", ".join(f"{value:,.0f} {name}" for name, value in cost.items())
        print(
            f"{n_steps} steps, {nt.IF(**options)}: {100 * (ann - reached):.2f} points, {told};",
            end=" ",
        )
        print(f"converted in {seconds:.0f} s; layers that wait {bound:.2f} points", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
