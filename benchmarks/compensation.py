"""Why larger weights help plain networks of neurons that start at zero, and residual ones not.

``python benchmarks/compensation.py DATA [SAMPLES]``: ResNet-20, plain-20 and ResNet-32 over 128
steps. What neurons lack of their static rates is measured on 64 training images; losses of accuracy
on the first 500 test images in random order (seed 0). Results are in docs/conversion.md.
"""

import dataclasses
import re
import sys

import numpy as np

import nengo_tactile as nt
from nengo_tactile.analysis import accuracy_interval
from nengo_tactile.ann.portable import keras_model
from nengo_tactile.conversion.compensation import with_compensation
from nengo_tactile.conversion.layerwise import simulate
from nengo_tactile.papers import images

NETWORKS = ("cifar10-resnet20", "cifar10-plain20", "cifar10-resnet32")
STEPS, MEASURED = 128, 64
FACTORS = (1.01, 1.02, 1.05, 1.2)
#: Weights from which a search of a factor for each layer takes half an hour, and is left out.
LARGE = 350_000


def shortfalls(network, x):
    """What each layer's neurons lack, [{"layer", "rate", "slope", "spikes", "below"}].

    "rate" is the mean static one, "slope" that of a neuron's rate over its static one by least
    squares, "spikes" what a neuron whose static rate is above a tenth lacks on average, "below" the
    same for lower rates above zero.
    """
    names = [layer.name for layer in network.layers.of_kinds("RateIF")]
    fired = simulate(network.layers, x, STEPS, record=names).counts
    rows = []
    for layer, value in network.layers.values(x, names):
        static, rate = value.numpy().ravel(), fired[layer.name].ravel() / STEPS
        on, lacking = static > 0, STEPS * (static - rate)
        rows.append(
            {
                "layer": layer.name,
                "slope": float(np.polyfit(static[on], rate[on], 1)[0]),
                "spikes": float(lacking[static > 0.1].mean()),
                "below": float(lacking[on & (static <= 0.1)].mean()),
                "rate": float(static.mean()),
            }
        )
    return rows


def enlarged(network, factor, which=""):
    """The network with larger weights of spikes, of layers whose names match alone."""
    names = [each.name for each in network.layers.of_kinds("RateIF") if re.search(which, each.name)]
    layers = with_compensation(network.layers, dict.fromkeys(names, factor))
    return dataclasses.replace(network, ann=keras_model(layers))


def candidates(model, calibration):
    """What is tried, (words, network) one by one, what starts at zero first."""

    def converted(**options):
        return nt.convert(model, calibration, nt.IF(**options), n_steps=STEPS, progress=False)

    zero = converted(start=0.0)
    yield "from zero", zero
    for factor in FACTORS:
        yield f"all weights times {factor}", enlarged(zero, factor)
    if zero.layers.of_kinds("Add"):
        for factor in FACTORS[2:]:
            yield f"first layers of blocks times {factor}", enlarged(zero, factor, "relu1$")
    yield "a factor for all, searched", converted(start=0.0, compensation="network")
    yield "mean errors taken back", converted(start=0.0, correction="potential")
    yield "from half the threshold", converted(start=0.5)
    if model.count_params() > LARGE:
        return
    for percentile in (99, 100):
        yield f"percentile {percentile}", converted(start=0.0, percentile=percentile)
    yield "a factor for each layer, searched", converted(start=0.0, compensation="layer")


def main(folder, n_samples=500):
    """Print two tables for each network."""
    data = images.read("cifar10", 0, folder)
    x, y = data.x[: int(n_samples)], data.y[: int(n_samples)]
    for name in NETWORKS:
        model = images.trained(name)[0]
        ann = np.mean(model.predict(x, verbose=0).argmax(-1) == y)
        print(f"\n{name}: {STEPS} steps, without spikes {100 * ann:.1f} %")
        for number, (words, network) in enumerate(candidates(model, data.calibration)):
            if number == 0:
                print("layer: mean static rate, slope, spikes lacking (at low rates)")
                for row in shortfalls(network, data.calibration[:MEASURED]):
                    lacking = "{spikes:+.2f} ({below:+.2f})".format(**row)
                    print("{layer}: {rate:.3f} {slope:.3f}".format(**row), lacking)
                print(f"points lost on {len(y)} test images [interval of the accuracy]")
            right = nt.run(network, x, engine="event", progress=False).accuracy(y)[-1]
            low, high = accuracy_interval(right, len(y))
            lost = 100 * (ann - right)
            print(f"{words}: {lost:+.1f} [{100 * low:.1f}, {100 * high:.1f}]", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
