"""Recordings of three classes that a network trained on spikes learns, of few or many events."""

import numpy as np

from nengo_tactile.events.sparse import SpikeSamples

STEPS, SHAPE = 50, (8, 8, 2)


def samples(events, n=90, seed=0):
    """Three classes: events in the left columns, in the right ones, or in both."""
    rng = np.random.default_rng(seed)
    labels, dense = np.arange(n) % 3, np.zeros((n, STEPS, *SHAPE), bool)
    for sample, label in zip(dense, labels):
        right = rng.integers(0, 2, events) if label == 2 else np.full(events, label)
        x = rng.integers(0, 3, events) + 5 * right
        y, polarity = rng.integers(0, 8, events), rng.integers(0, 2, events)
        sample[rng.integers(0, STEPS, events), y, x, polarity] = True
    number, step, address = np.nonzero(dense.reshape(n, STEPS, -1))
    return SpikeSamples(
        SHAPE, 20_000.0, STEPS, np.searchsorted(number, np.arange(n + 1)), step.astype(np.uint16),
        address.astype(np.uint16), np.full(n, STEPS), labels=labels,
    )  # fmt: skip
