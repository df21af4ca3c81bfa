"""Early exit: steps of ResNet-20 at 8 steps when clear samples stop, points that this loses, time.

``python benchmarks/early_exit.py DATA [LOSS] [N_TEST]``: as ``nt.convert(model, x, n_steps=8)``
chooses the network on 512 training images of CIFAR-10, and the shipped one with learned
thresholds. Levels are chosen on 12,000 other training images, to lose ``LOSS`` points (default 0.2)
of the network's own decisions. Results are in docs/conversion.md.
"""

import dataclasses
import sys
import time

import nengo_tactile as nt
from nengo_tactile.analysis import exit_margin
from nengo_tactile.engines.recording import Recording
from nengo_tactile.papers import images

N_STEPS, LEVELS, AT_ONCE = 8, 12_000, 1000


def shown(network, x, margin=None):
    """Recordings of samples, without each neuron's spikes, and the seconds that took."""
    seconds, parts = 0.0, []
    for first in range(0, len(x), AT_ONCE):
        part, began = x[first : first + AT_ONCE], time.monotonic()
        found = nt.run(network, part, engine="event", margin=margin, progress=False)
        seconds += time.monotonic() - began
        parts.append(dataclasses.replace(found, spike_counts={}))  # a gigabyte
    return parts, seconds


def measure(name, network, data, loss, n_test):
    """Print what stopping early saves and loses."""
    x, y = data.x[:n_test], data.y[:n_test]
    parts, _ = shown(network, data.train[:LEVELS])
    margin = exit_margin(Recording.concatenate(parts), max_loss=loss)
    whole, seconds = shown(network, x)
    stopped, short = shown(network, x, margin)

    def accuracy(parts):
        right = sum(
            (part.predictions()[:, -1] == y[n * AT_ONCE :][: part.n_samples]).sum()
            for n, part in enumerate(parts)
        )
        return 100 * right / len(y)

    steps = sum(int(part.exit_steps.sum()) for part in stopped) / len(y)
    print(
        f"{name}, {len(y)} test images: {accuracy(whole):.2f} % after {N_STEPS} steps; stopped "
        f"early {accuracy(whole) - accuracy(stopped):.2f} points less, {steps:.2f} steps "
        f"({100 * steps / N_STEPS:.0f} %), {short / seconds:.2f} of the time",
        flush=True,
    )


def main(folder, loss=0.2, n_test=10_000):
    """Print a row for each network."""
    data = images.read("cifar10", 0, folder)
    model = images.trained("cifar10-resnet20")[0]
    chosen = nt.convert(model, data.calibration, n_steps=N_STEPS, progress=False)
    learned = nt.load("cifar10-resnet20-8-steps")
    for name, network in (("as chosen for the steps", chosen), ("learned", learned)):
        measure(name, network, data, float(loss), int(n_test))


if __name__ == "__main__":
    main(*sys.argv[1:])
