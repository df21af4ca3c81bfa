"""Few time steps: points that trained networks lose, and what they send.

``python benchmarks/few_steps.py DATA [NETWORK] [N_TEST]``: ``cifar10-resnet20``,
``cifar10-mobilenet``, ``mnist-resnet8`` or ``stemnist-cnn`` (default: all); results are in
docs/conversion.md. Everything is chosen on 512 training samples. "Layers that wait" are those of
`nengo_tactile.conversion.bound`.
"""

import sys
import time

import numpy as np

import nengo_tactile as nt
from nengo_tactile.ann.portable import keras_model
from nengo_tactile.commands.tasks import open_task, task_named
from nengo_tactile.conversion.bound import waiting_outputs
from nengo_tactile.conversion.passes import use_relu
from nengo_tactile.papers import images

COARSE = {"spikes_per_step": 8, "coarseness": 0.5}
#: Steps, and options of the neurons besides `FEW`; None: what is chosen for the steps.
ROWS = {
    "cifar10-resnet20": (
        (64, {"discard": "tune"}),
        *((16, {"correction": by}) for by in ("bias", "potential", "steps")),
        *((8, {"correction": by}) for by in ("bias", "potential", "steps")),
        *((4, {"spikes_per_step": 4, "correction": by}) for by in (None, "bias", "potential")),
        *((2, {"spikes_per_step": 8, "correction": by}) for by in (None, "bias", "potential")),
        *((2, {**COARSE, "correction": by}) for by in ("bias", "potential")),
        *((n_steps, None) for n_steps in (2, 4, 8, 16)),
    ),
    "cifar10-mobilenet": (
        *((8, {"spikes_per_step": k, "correction": "bias"}) for k in (1, 2, 4, 8)),
        *((8, {"spikes_per_step": 8, "correction": by}) for by in (None, "potential")),
        (8, None),
    ),
    "mnist-resnet8": (
        *((4, {"correction": by}) for by in (None, "bias", "potential", "steps")),
        (4, None),
    ),
    "stemnist-cnn": (
        *((8, {"correction": by}) for by in (None, "bias", "potential", "steps")),
        (8, None),
    ),
}
FEW = {"signed": True, "thresholds": "steps", "channelwise": True}
SAMPLES, AT_ONCE = 512, 1000


def opened(name, folder):
    """A trained model with its ReLUs, samples to choose on, test samples and labels."""
    if name != "stemnist-cnn":
        data = images.read(name.partition("-")[0], 0, folder)
        return images.trained(name)[0], data.calibration, data.x, data.y
    network, task = nt.load(name), task_named("stemnist")
    train, test = (open_task(task, split, folder) for split in ("train", "test"))
    chosen = np.random.default_rng(0).permutation(len(train))[:SAMPLES]
    calibration, _ = network.encode(train, chosen, progress=False)
    return keras_model(use_relu(network.layers)), calibration, *network.encode(test, progress=False)


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


def row(model, calibration, x, y, n_steps, options):
    """Print what a setting costs; ``options`` as in `ROWS`."""
    neuron = None
    if options is not None:
        neuron = nt.IF(**(options if "discard" in options else {**FEW, **options}))
    ann = (model.predict(x, batch_size=256, verbose=0).argmax(axis=1) == y).mean()
    began = time.process_time()
    network = nt.convert(model, calibration, neuron, n_steps=n_steps, progress=False)
    seconds = time.process_time() - began
    reached, cost = measure(network, x, y)
    bound = (waiting_outputs(network.layers, x, n_steps).argmax(axis=1) == y).mean()
    told = ", ".join(f"{value:,.0f} {name}" for name, value in cost.items())
    print(
        f"{n_steps} steps, {neuron or network.card['chosen']}: {100 * (ann - reached):.2f} of "
        f"{100 * ann:.2f} points, {told}; layers that wait {100 * (ann - bound):.2f} points; "
        f"converted in {seconds:.0f} s of a processor",
        flush=True,
    )


def main(folder, name=None, n_test=10_000):
    """Print a row for each setting."""
    for one in ROWS if name is None else [name]:
        model, calibration, x, y = opened(one, folder)
        n = min(int(n_test), len(x))
        print(f"{one}, {n} test samples", flush=True)
        for n_steps, options in ROWS[one]:
            row(model, calibration, x[:n], y[:n], n_steps, options)


if __name__ == "__main__":
    main(*sys.argv[1:])
