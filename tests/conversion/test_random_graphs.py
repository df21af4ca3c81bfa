"""Random graphs of all layers: right, or refused by name. At large: benchmarks/random_graphs.py."""

import pytest

from tests.support.random_graphs import Graph, judged, random_graph
from tests.support.random_models import keras


@pytest.mark.parametrize("seed", range(8))
def test_random_graphs_are_right_or_refused(keras3, seed):
    home = (keras(), keras3)[seed % 2]
    outcome = judged(random_graph(seed, home), seed, as_file=seed % 3 == 2)
    assert outcome.ok, outcome


def test_what_is_wrong_is_found(monkeypatch):
    """A reader that leaves something out, and a layer that is taken for another."""
    from tests.support import random_graphs

    graph = random_graph(0, keras())
    assert judged(Graph(graph.model, {"not there"}), 0).verdict.startswith("accepted with a layer")
    original = random_graphs.convert

    def wrong(model, *arguments, **options):
        network = original(model, *arguments, **options)
        network.ann.set_weights([1.001 * w for w in network.ann.get_weights()])
        return network

    monkeypatch.setattr(random_graphs, "convert", wrong)
    assert judged(graph, 0).verdict == "accepted, wrong"
