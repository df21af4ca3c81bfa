"""From how many spikes on a convolution of SLAYER's is quicker in two passes than in one.

``python benchmarks/slayer_density.py [--turns N]``

The second convolution of slayer_speed.py's tactile network, 24 filters of 3 x 3 on 10 x 10 x 6,
16 samples of 200 steps, forward and backward: layers as they are, event by event in one pass, and
with TensorFlow's convolution and the neurons behind it. Processors' time, the smallest of some
turns: other work hardly changes it.
"""

import argparse
import time

import numpy as np

from nengo_tactile.slayer.layers import SpikingConv2D, tf
from nengo_tactile.slayer.neurons import SpikeResponseModel

SHARES = (0.03, 0.1, 0.2, 0.3, 0.5, 1.0)
SHAPE = (16, 200, 10, 10, 6)


def cost(layer, answer, x, turns):
    """Seconds of processors that spikes and all their gradients take."""

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(answer(x))
        return tape.gradient(total, [x, layer.kernel])

    step(x)
    found = []
    for _ in range(turns):
        began = time.process_time()
        step(x)
        found.append(time.process_time() - began)
    return min(found)


def main():
    """Measure, print a line for each share of active inputs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=5)
    turns = parser.parse_args().turns
    layer = SpikingConv2D(24, 3, padding="same", neuron=SpikeResponseModel(5, 5), gain=100)
    rng = np.random.default_rng(0)
    for share in SHARES:
        x = tf.constant((rng.random(SHAPE) < share).astype(np.float32))
        layer(x)
        one = cost(layer, layer.fire, x, turns)
        two = cost(layer, lambda x: layer.answer(layer.currents(x)), x, turns)
        print(f"{share:.0%} of the inputs: one pass {one:.3f} s, two {two:.3f} s of processors")


if __name__ == "__main__":
    main()
