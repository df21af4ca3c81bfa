"""Links as products bring what the map brings, whatever its shape and wherever it goes."""

import types

import numpy as np
import pytest

from nengo_tactile.engines.event import kernel, products
from nengo_tactile.engines.event.clocked import Clocked
from nengo_tactile.engines.event.products import joined, multiply, product_of, room_of
from nengo_tactile.engines.event.vectors import WORD
from nengo_tactile.networks.linear_maps import Pooling
from nengo_tactile.networks.neurons import IntegrateFire, Sum
from nengo_tactile.networks.read_out import ReadOut
from nengo_tactile.networks.stages import Graph, Link, Stage
from tests.engines.event.test_columns import WIDE, places, whole
from tests.engines.event.test_links import MAPS
from tests.support import step_loop

APART = {
    "many channels": whole((3, 3, 1, 40), (9, 7, 40), (9, 7, 40), padding=(1, 1), groups=40),
    "strided": whole((3, 3, 1, 16), (9, 13, 16), (4, 6, 16), (2, 2), groups=16),
    "dilated": whole(
        (3, 2, 1, 5), (6, 17, 5), (6, 17, 5), padding=(2, 1), dilation=(2, 2), groups=5
    ),
    "sequence": whole((4, 1, 20), (11, 20), (11, 20), (1,), (1,), groups=20),
    "far steps": whole((2, 2, 1, 33), (8, 9, 33), (3, 3, 33), (3, 4), (1, 0), groups=33),
    "all of an image": Pooling.of(np.float32(1), 4, (4, 4, 19), (1, 1, 19)),
    "windows": Pooling.of(np.float32(2), 2, (9, 8, 35), (4, 4, 35)),
}
#: What goes over its events alone, whoever sends them.
EVENTS = {name for name in MAPS if name.startswith("transposed")}
EVENTS |= {"multiplied", "grouped", "dense", "diagonal", "sparse", "identity", "routing"}
EVENTS |= {name for name in WIDE if name.startswith(("transposed", "dense"))}


def brought(product, linear, sent, graded, size):
    """What a product adds to ``size`` sums, of which each is one before."""
    active = np.zeros(-(-linear.n_in // WORD) * WORD, bool)
    active[: linear.n_in] = sent != 0
    before = np.array([5, 7], np.uint64)  # of another stage
    bits = np.concatenate([before, np.packbits(active, bitorder="little").view(np.uint64)])
    values = np.concatenate([[np.inf] * 3, sent[sent != 0], [np.inf] * 32]).astype(np.float32)
    one = joined([{**product, "source": 0}])
    room = np.ones(room_of(one), np.float32)  # what earlier ones left there
    sums = np.ones(size + WORD, np.float32)
    multiply(one, 0, sums, 0, bits, 2, room, values, graded, 3)
    np.testing.assert_array_equal(sums[size:], 1)
    return sums[:size] - 1


@pytest.mark.parametrize("density", [0.02, 0.5, 1.0])
@pytest.mark.parametrize("name", [*MAPS, *WIDE, *(f"apart {name}" for name in APART)])
def test_products_bring_what_the_map_brings(name, density, rng):
    linear = {**MAPS, **WIDE, **{f"apart {name}": one for name, one in APART.items()}}[name]
    if name in MAPS:
        linear = linear.reweighted(lambda weights: np.round(8 * weights))
    for target in places(linear):
        found = product_of(linear, target, True)
        assert (found is None) == (name in EVENTS)
        if found is None:
            return
        assert (product_of(linear, target, False) is None) == (not found["apart"])
        goals = np.arange(linear.n_out) if target is None else target
        for graded in (False, True):
            active = rng.random(linear.n_in) < density
            sent = active * (rng.choice([-3, -1, 1, 2.5], linear.n_in) if graded else 1.0)
            wanted = np.zeros(goals.max() + 1)
            wanted[goals] = linear.forward(sent[None])[0]
            got = brought(found, linear, sent, graded, len(wanted))
            np.testing.assert_array_equal(got, wanted)
            assert density < 1 or got.any()


def test_targets_in_no_order_have_no_product(rng):
    linear = APART["windows"]
    target = rng.permutation(2 * linear.n_out)[: linear.n_out]
    assert product_of(linear, target, True) is None


@pytest.mark.parametrize("neuron", [IntegrateFire(), IntegrateFire(signed=True, spikes_per_step=3)])
def test_every_spike_is_that_of_loops_over_stages(neuron, rng, monkeypatch):
    """Steps with many events are products, those with few are not; both bring the same."""
    size = (6, 5, 20)

    def map_of(*shape, **more):
        linear = whole(shape, size, (*size[:2], shape[-1]), padding=(1, 1), **more)
        return linear.reweighted(lambda weights: weights / 64)

    apart, wide = map_of(3, 3, 1, 20, groups=20), map_of(3, 3, 20, 20)
    pooled = Pooling.of(np.float32(0.125), 2, size, (3, 2, 20))
    start = rng.integers(0, 8, (3, 600)) / 8
    stages = (
        Stage("first", size, neuron, [Link("input", map_of(3, 3, 20, 20))], start=start[0]),
        Stage("apart", size, neuron, [Link("first", apart)], start=start[1]),
        Stage("sums", size, Sum(), [Link("apart", apart), Link("first", wide)]),
        Stage("wide", size, neuron, [Link("sums", wide)], start=start[2]),
        Stage("last", (3, 2, 20), Sum(), [Link("wide", pooled)]),
    )
    graph = Graph(size, stages)
    network = types.SimpleNamespace(
        graph=graph, synapse=None, dt=0.001, fan_out=graph.fan_out, discard=0.0,
        read_out=ReadOut.linear((120,)),
    )  # fmt: skip
    monkeypatch.setattr(products, "APART", 0.005)
    monkeypatch.setattr(products, "LAID", 0.0)
    x, n_steps = (rng.random((2, 600)) < 0.2) / 8, kernel.BLOCK + 5
    engine = Clocked(network, threads=1)
    numbers = {stage.name: k for k, stage in enumerate(engine.stages)}
    sources = [numbers[name] for name in ("first", "apart", "sums", "wide")]
    assert engine.plan.products.source.tolist() == sources
    got = engine.record(x.astype(np.float32), n_steps)
    sent = step_loop.shown(graph, x, n_steps)
    for name in ("first", "apart", "wide"):
        fired = (sent[name] != 0).sum(axis=2)
        least = engine.plan.products.least[sources.index(numbers[name])]
        assert (fired >= least).any() and (fired < least).any(), name
        np.testing.assert_array_equal(got.spikes_over_time[name], fired)
    outputs = np.cumsum(sent["last"], axis=1) / np.arange(1, n_steps + 1)[:, None]
    np.testing.assert_allclose(got.outputs, outputs, rtol=1e-6, atol=1e-6)
