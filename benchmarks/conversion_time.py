"""Converting for a number of steps, in times of the plain conversion of the same run.

``python benchmarks/conversion_time.py DATA [TURNS]``: ResNet-20 and 512 training images of
CIFAR-10; processor seconds, all ways in turns (default three), the median counts. Results are in
docs/conversion.md.
"""

import sys
import time

import numpy as np

import nengo_tactile as nt
from nengo_tactile.papers import images

STEPS = (2, 4, 8, 16)


def seconds(model, calibration, n_steps):
    """Processor seconds of one conversion; ``n_steps`` None: the plain one."""
    chosen = {} if n_steps is None else {"n_steps": n_steps}
    neuron = nt.IF() if n_steps is None else None
    began = time.process_time()
    nt.convert(model, calibration, neuron, progress=False, **chosen)
    return time.process_time() - began


def main(folder, turns=3):
    """Print a line for each number of steps."""
    calibration = images.read("cifar10", 0, folder).calibration
    model = images.trained("cifar10-resnet20")[0]
    ways = (None, *STEPS)
    for n_steps in ways:  # what is compiled once
        seconds(model, calibration[:64], n_steps)
    taken = [[seconds(model, calibration, n) for n in ways] for _ in range(int(turns))]
    plain, *rest = np.median(taken, axis=0)
    print(f"plain: {plain:.1f} s, {len(calibration)} samples, {turns} turns")
    for n_steps, took in zip(STEPS, rest):
        print(f"{n_steps} steps: {took:.1f} s, {took / plain:.1f} times")


if __name__ == "__main__":
    main(*sys.argv[1:])
