"""Networks of other simulators on the chip: sums merged, borders, resets, floors, biases."""

import dataclasses

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile.engines import chip_spikes
from nengo_tactile.engines.chip_stepped import chip_form, merged
from nengo_tactile.errors import EngineError
from nengo_tactile.networks.linear_maps import Convolution, Pooling, Sparse
from nengo_tactile.networks.neurons import IntegrateFire, Sum
from nengo_tactile.networks.stages import Graph, Link, Stage

N_STEPS = 30


def some(*shape, seed=0, low=-1.0):
    return np.random.default_rng(seed).uniform(low, 1, shape).astype(np.float32)


def conv(kernel, shape, strides=(1, 1), padding=(0, 0), groups=1):
    sides = zip(shape, kernel.shape, strides, padding)
    size = [(n + 2 * p - side) // s + 1 for n, side, s, p in sides]
    channels = kernel.shape[-1]
    return Convolution(kernel, shape, (*size, channels), strides, padding, groups=groups)


def test_two_maps_as_one():
    """The matrix of what was merged is the product of both matrices."""
    pool = Pooling.of(1.0, 2, (8, 6, 3), (4, 3, 3))
    wide = conv(some(3, 3, 1, 3), (8, 6, 3), (2, 2), (1, 1), groups=3)  # windows that overlap
    image = conv(some(3, 3, 3, 4, seed=1), (4, 3, 3), padding=(1, 1))
    strided = conv(some(2, 3, 3, 4, seed=2), (4, 3, 3), (2, 1))
    dense, flat = (Convolution.matrix_of(some(*shape, seed=3)) for shape in ((36, 5), (5, 4)))
    twice = Sparse.routing(None, 36, 2.0)
    for first, second in ((pool, image), (pool, strided), (pool, dense), (wide, strided),
                          (dense, flat), (pool, twice)):  # fmt: skip
        found = merged(first, second)
        wanted = second.matrix() @ first.matrix()
        np.testing.assert_allclose(found.matrix().toarray(), wanted.toarray(), atol=1e-5)
    # zeros beside the sums would be sums of pixels: no convolution does both
    assert merged(wide, image) is None
    odd = Pooling.of(1.0, 2, (9, 6, 3), (4, 3, 3))  # a row is left out, which padding would read
    assert merged(odd, image) is None
    assert merged(pool, Sparse.routing(np.arange(36)[::-1], 36)) is None


def network_of(*stages, shape=(10, 10, 2)):
    layout = nt.events.SpikeLayout((shape[1], shape[0], shape[2]), 1000, N_STEPS, shape=shape)
    return nt.SteppedNetwork(Graph(shape, stages), layout)


def as_sinabs(**settings):
    """A small network like that of NIR's paper, and some spikes."""
    neuron = IntegrateFire(reset="subtract", spikes_per_step=1 << 20, floor=-1.0)
    first = conv(some(3, 3, 2, 4, seed=4, low=-0.4), (10, 10, 2), (2, 2), (1, 1))
    small = conv(some(2, 2, 4, 6, seed=5, low=-0.2), (5, 5, 4))
    pool = Pooling.of(1.0, 2, (4, 4, 6), (2, 2, 6))
    dense = Convolution.matrix_of(some(24, 5, seed=6, low=-0.5))
    stages = [
        Stage("one", (5, 5, 4), neuron, [Link("input", first)]),
        Stage("two", (4, 4, 6), neuron, [Link("one", small)]),
        Stage("pooled", (2, 2, 6), Sum(), [Link("two", pool)]),
        Stage("three", (5,), neuron, [Link("pooled", dense)], **settings),
    ]
    x = np.random.default_rng(7).random((3, N_STEPS, 10, 10, 2)) < 0.1
    return network_of(*stages), x.astype(np.float32)


def chip_loop(network, x):
    """Spikes of a sample in real numbers as the chip's rules have them, {stage: (steps, n)}."""
    sent, potentials, fired = {}, {}, {}
    for step, spikes in enumerate(x.reshape(len(x), -1)):
        sent["input"] = spikes
        for stage in network.graph:
            arrived = stage.bias + sum(
                link.map.forward(sent[link.source][None])[0] for link in stage.links
            )
            if not stage.fires:
                sent[stage.name] = arrived
                continue
            v = np.maximum(potentials.get(stage.name, 0) + arrived, -1)
            spike = v > 1
            potentials[stage.name] = np.where(spike, 0, v)
            sent[stage.name] = spike.astype(float)
            fired.setdefault(stage.name, np.zeros((len(x), len(v))))[step] = spike
    return fired


def test_the_chip_fires_what_its_rules_say():
    network, x = as_sinabs()
    assert "loihi" in network.engines
    recording = nt.run(network, x, engine="loihi", rasters=len(x), verify=1, progress=False)
    for sample in range(len(x)):
        for name, wanted in chip_loop(network, x[sample]).items():
            found = recording.rasters[name][sample]
            assert wanted.sum() > 10
            # weights have eight bits, the floor is a power of two: some spikes come elsewhere
            assert abs(found.sum() - wanted.sum()) <= 0.1 * wanted.sum(), name
            assert (found != wanted).sum() <= 0.25 * wanted.sum(), name
    told = " ".join(recording.notes)
    assert all(word in told for word in ("sets to zero", "at most one spike", "floor of -1"))
    assert not nt.run(network, x, progress=False).notes


def test_input_and_its_operations_are_those_without_the_border():
    network, x = as_sinabs()
    form = chip_form(network.graph, N_STEPS)
    assert form.graph.input_shape == (11, 11, 2)
    padded = np.pad(x[0], ((0, 0), (1, 0), (1, 0), (0, 0))).reshape(N_STEPS, -1)
    np.testing.assert_array_equal(form.bordered(x[0].reshape(N_STEPS, -1)), padded)
    chip, event = (nt.run(network, x, engine=e, progress=False) for e in ("loihi", "event"))
    for name in ("spike_counts", "synops_over_time"):
        np.testing.assert_array_equal(getattr(chip, name)["input"], getattr(event, name)["input"])


def test_chunks_read_the_border_too():
    network, x = as_sinabs()
    state = nt.start(network, engine="loihi")
    parts = [state.step(x[:, first : first + 10]) for first in range(0, N_STEPS, 10)]
    whole = nt.run(network, x, engine="loihi", progress=False)
    found = np.concatenate([part.spikes_over_time["one"] for part in parts], axis=1)
    # in chunks as the chip sends them, a step later
    np.testing.assert_array_equal(found[:, 1:], whole.spikes_over_time["one"][:, :-1])
    assert found.any()


def test_biases_and_starts_come_as_currents():
    network, x = as_sinabs(bias=np.full(5, 0.06), start=np.full(5, 0.5))
    still = np.zeros_like(x)
    recording = nt.run(network, still, engine="loihi", progress=False)
    # 0.06 + 0.5 / 30 a step, above 1 at each 14th, and three steps of lag before
    times = np.flatnonzero(np.diff(recording.outputs[0, :, 0], prepend=0))
    np.testing.assert_array_equal(times, 14 * np.arange(1, 3) - 1 - 3)
    told = " ".join(recording.notes)
    assert "little by little" in told and "its biases come" in told


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"neuron": IntegrateFire(0.5, 0.1, reset="zero"), "bias": np.ones(5)},
            "stage 'three': the",
        ),
        ({"neuron": IntegrateFire(1.0, 0.1, reset="zero"), "start": np.ones(5)}, "begin at zero"),
        ({"neuron": IntegrateFire(signed=True)}, "take spikes back"),
        ({"neuron": Sum()}, "no place to add up"),
    ],
)
def test_what_the_chip_has_not_is_refused_by_name(change, message):
    network, x = as_sinabs()
    *stages, last = network.graph.stages
    network = network_of(*stages, dataclasses.replace(last, **change))
    assert "loihi" not in network.engines
    with pytest.raises(EngineError, match=message):
        nt.run(network, x, engine="loihi", progress=False)


def test_sums_and_paddings_that_cannot_be_merged_are_refused():
    network, _ = as_sinabs()
    one, two, pooled, three = network.graph.stages
    wide = conv(some(3, 3, 1, 6), (4, 4, 6), (2, 2), (1, 1), groups=6)
    overlapping = dataclasses.replace(pooled, links=[Link("two", wide)])
    image = conv(some(3, 3, 6, 2), (2, 2, 6), padding=(1, 1))
    reading = Stage("three", (2, 2, 2), three.neuron, [Link("pooled", image)])
    with pytest.raises(EngineError, match="through the sum 'pooled'"):
        chip_spikes.check_chip(Graph((10, 10, 2), [one, two, overlapping, reading]))
    inner = conv(some(2, 2, 4, 6), (5, 5, 4), padding=(1, 1))
    second = Stage("two", inner.output_shape, two.neuron, [Link("one", inner)])
    with pytest.raises(EngineError, match="no word for its padding of"):
        chip_spikes.check_chip(Graph((10, 10, 2), [one, second]))
    beside = Stage("beside", one.shape, one.neuron, one.links)
    with pytest.raises(EngineError, match="'one', 'beside' read the input beside each other"):
        chip_spikes.check_chip(Graph((10, 10, 2), [one, beside]))
