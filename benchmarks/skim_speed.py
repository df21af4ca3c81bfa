"""How much faster SKIM's batch trainer is than a plain numpy loop of OPIUM.

``python benchmarks/skim_speed.py [--hidden 100,300,1000,2000] [--turns N] [--out FILE]``

Patterns are of the paper's size, 360 steps of 1,156 channels, with 4,000 events at random. Both
take turns. The loop multiplies the pattern with the input weights, computes the alpha kernels step
by step, and updates OPIUM's inverse and weights at each of the 45 steps of the window.
"""

import argparse
import os
import platform
import time

import numpy as np

from nengo_tactile.files import write_json
from nengo_tactile.skim import opium, trainer
from nengo_tactile.skim.activity import prepare
from nengo_tactile.skim.layer import draw_layer
from nengo_tactile.skim.supervision import Supervision, training_pattern

N_CHANNELS, N_CLASSES, N_EVENTS = 1156, 10, 4000


def draw_samples(n, supervision, seed=0):
    """Patterns with events at random, and labels."""
    rng = np.random.default_rng(seed)
    samples = []
    for number in range(n):
        pattern = np.zeros((supervision.n_steps, N_CHANNELS))
        where = rng.integers(0, supervision.first, N_EVENTS), rng.integers(0, N_CHANNELS, N_EVENTS)
        np.add.at(pattern, where, rng.choice([-1.0, 1.0], N_EVENTS))
        samples.append((pattern, number % N_CLASSES))
    return samples


def plain_loop(layer, state, samples, supervision):
    """OPIUM as one would write it down, in numpy."""
    tau = layer.kernels.tau
    decay, height = np.exp(-1 / tau), np.e / tau
    for pattern, label in samples:
        currents = pattern @ layer.input_weights.T
        targets = supervision.targets(label, N_CLASSES)
        s, r = np.zeros(len(tau)), np.zeros(len(tau))
        for step, current in enumerate(currents):
            r = decay * (r + s)
            s = decay * s + current
            if step >= supervision.first:
                x = np.tanh(height * r)
                y = targets[step - supervision.first]
                opium.opium(state.weights, state.inverse, x, y)


def measure(n_hidden, turns, n_batch=64, n_loop=8):
    """Seconds a pattern of both, turn by turn, and how much their weights differ."""
    supervision = Supervision(training_pattern("flat", 10))
    layer = draw_layer(n_hidden, N_CHANNELS, seed=0)
    samples = draw_samples(n_batch, supervision)
    prepared = prepare(layer)
    sums = trainer.empty(n_hidden, N_CLASSES)
    state = opium.start(N_CLASSES, n_hidden)
    plain_loop(layer, state, samples[:n_loop], supervision)
    trainer.train(layer, samples, supervision, N_CLASSES)  # compiles, and touches the memory
    weights, _ = trainer.train(layer, samples[:n_loop], supervision, N_CLASSES)
    difference = np.linalg.norm(weights - state.weights) / np.linalg.norm(weights)
    rows = []
    for _ in range(turns):
        start = time.perf_counter()
        plain_loop(layer, state, samples[:n_loop], supervision)
        between = time.perf_counter()
        seen = trainer.observations(prepared, samples, supervision, N_CLASSES)
        trainer.accumulate(sums, *seen)
        end = time.perf_counter()
        rows.append(((between - start) / n_loop, (end - between) / n_batch))
    return np.array(rows), difference


def main():
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hidden", default="100,300,1000,2000")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--out", help="JSON file")
    options = parser.parse_args()
    print(f"{'hidden':>7}{'loop, patterns/s':>18}{'trainer':>9}{'ratio (range)':>22}{'differ':>10}")
    found = []
    for n_hidden in map(int, options.hidden.split(",")):
        seconds, difference = measure(n_hidden, options.turns)
        loop, batch = 1 / np.median(seconds, axis=0)
        ratios = seconds[:, 0] / seconds[:, 1]
        span = f"{np.median(ratios):.0f} ({ratios.min():.0f}-{ratios.max():.0f})"
        print(f"{n_hidden:>7}{loop:>18.2f}{batch:>9.1f}{span:>22}{difference:>10.0e}", flush=True)
        found.append(
            {
                "n_hidden": n_hidden,
                "loop_patterns_per_second": loop,
                "trainer_patterns_per_second": batch,
                "ratios": ratios,
                "weights_differ_by": difference,
            }
        )
    if options.out:
        machine = {"python": platform.python_version(), "load": os.getloadavg()[0]}
        write_json(options.out, {"machine": machine, "rows": found})


if __name__ == "__main__":
    main()
