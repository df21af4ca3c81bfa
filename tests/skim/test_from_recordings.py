"""Recordings in, a network out: what training by hand makes of the same."""

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import skim
from nengo_tactile.errors import DataError
from nengo_tactile.events.patterns import PatternLayout


@pytest.fixture(scope="module")
def data():
    return nt.datasets.ESkin(n_samples=40)


def test_it_is_what_training_by_hand_makes(data):
    network = skim.fit(data, n_hidden=60, seed=2, progress=False)
    longest = max(int(data.read_events(i)["t"].max()) for i in range(len(data)))
    step_us = int(np.ceil((longest + 1) / 315))
    assert network.layout == PatternLayout((10, 10, 2), step_us=step_us, separate_polarities=True)
    assert network.classes == tuple(data.classes) and network.n_steps == 360
    layer = skim.draw_layer(60, 200, 2)
    supervision = skim.Supervision(skim.training_pattern("flat", 10))
    weights, _ = skim.train(
        layer, skim.Samples(data, network.layout), supervision, 10, progress=False
    )
    np.testing.assert_array_equal(network.weights, weights)
    patterns, labels = network.encode(data, progress=False)
    assert (network.predict(patterns, progress=False) == labels).mean() > 0.5


def test_lists_and_what_does_not_fit(data):
    pairs = [data[index] for index in range(12)]
    layout = PatternLayout((10, 10, 2), step_us=50_000, recording_steps=40, tail_steps=8)
    network = skim.fit(pairs, 20, layout, nonlinearity="relu", kind="leaky", progress=False)
    assert len(network.supervision.pattern) == 8 and network.layer.nonlinearity == "relu"
    assert network.classes == tuple(map(str, range(int(data.targets[:12].max()) + 1)))
    with pytest.raises(DataError, match="does not say its sensor's size"):
        skim.fit(pairs, progress=False)
    with pytest.raises(DataError, match="have no labels"):
        skim.fit([events for events, _ in pairs], 20, layout, progress=False)
