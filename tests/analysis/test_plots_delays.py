"""The picture of delays against counts by hand."""

import numpy as np
import pytest

from nengo_tactile.analysis import plots_delays
from nengo_tactile.errors import DataError
from nengo_tactile.networks.neurons import IntegrateFire
from nengo_tactile.slayer.stages import chain, dense, layer_stage

LEAKY = IntegrateFire(current_decay=0.5, voltage_decay=0.5, threshold=1.0)


def test_shares_of_axons_and_synapses():
    late = np.array([[0, 3], [1, 3]])
    first = layer_stage(
        "a", dense(np.ones((2, 2), np.float32)), LEAKY, delays=np.array([2, 0]), late=late
    )
    second = layer_stage("b", dense(np.ones((2, 3), np.float32)), LEAKY)
    graph = chain((2,), [first, second])
    found = plots_delays.delays_of(graph)
    assert {name: sorted(steps) for name, steps in found.items()} == {
        "a synapses": [0, 1, 3, 3],
        "a axons": [0, 2],
    }
    (axes,) = plots_delays.delays(graph, 5.0, "title").axes
    shares = [patch.get_data() for patch in axes.patches]
    np.testing.assert_allclose(shares[0].values, [0.25, 0.25, 0, 0.5])
    np.testing.assert_allclose(shares[0].edges, [0, 5, 10, 15, 20])
    np.testing.assert_allclose(shares[1].values, [0.5, 0, 0.5, 0])
    assert [patch.get_label() for patch in axes.patches] == [
        "a synapses: 4, mean 8.75 ms",
        "a axons: 2, mean 5 ms",
    ]


def test_networks_without_delays_are_named():
    stage = layer_stage("a", dense(np.ones((2, 2), np.float32)), LEAKY)
    with pytest.raises(DataError, match="no delays: build it with max_delay"):
        plots_delays.delays(chain((2,), [stage]))
