"""Small trained SKIM networks, and the recordings they are for."""

import numpy as np

from nengo_tactile.datasets.base import EventDataset
from nengo_tactile.events.arrays import EVENT_DTYPE
from nengo_tactile.events.patterns import PatternLayout
from nengo_tactile.skim import SkimNetwork, Supervision, draw_layer, train, training_pattern
from nengo_tactile.skim.classifier import Samples

LAYOUT = PatternLayout((4, 3, 2), step_us=2000, recording_steps=40, tail_steps=10)
N_HIDDEN = 30


class Recordings(EventDataset):
    """Events on the left half first, or on the right half first."""

    sensor_size = LAYOUT.sensor_size
    classes = ("left", "right")

    def __init__(self, n_samples=12, seed=0):
        super().__init__("memory")
        self.targets, self.seed, self.asked = np.arange(n_samples) % 2, seed, []

    def read_events(self, index):
        self.asked.append(index)
        rng = np.random.default_rng([self.seed, index])
        events = np.zeros(60, EVENT_DTYPE)
        events["t"] = np.sort(rng.integers(0, 80_000, 60))
        late = (events["t"] > 40_000).astype(int)
        events["x"] = rng.integers(0, 2, 60) + 2 * (late ^ self.targets[index])
        events["y"], events["p"] = rng.integers(0, 3, 60), rng.integers(0, 2, 60)
        return events


def small_layer(nonlinearity="tanh", kind="alpha", seed=0):
    spans = {"delay": (0, 9)} if "delay" in kind else {}
    spans |= {"period": (10, 30)} if kind == "resonance" else {}
    return draw_layer(N_HIDDEN, 12, seed, kind, nonlinearity, scale=4.0, tau=(4, 12), **spans)


def small_network(nonlinearity="tanh", method="area", kind="alpha", layer=None, **options):
    layer = layer or small_layer(nonlinearity, kind)
    pattern = training_pattern("gaussian", 6, mu=2, sigma=1.5)
    supervision = Supervision(pattern, n_steps=50, window=10, onset=2)
    data = Recordings()
    weights, _ = train(layer, Samples(data, LAYOUT), supervision, 2)
    return SkimNetwork(layer, weights, supervision, method, LAYOUT, data.classes, **options)


def ridge_solution(x, y, ridge=1.0, counts=None):
    """Weights in closed form; each observation counts so often."""
    counts = np.ones(len(x)) if counts is None else counts
    correlation = (x.T * counts) @ x + ridge * np.eye(x.shape[1])
    return np.linalg.solve(correlation, (x.T * counts) @ y).T
