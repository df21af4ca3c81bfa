"""The asynchronous engine against Algorithm 1 in plain Python, Keras, NengoDL and closed forms."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from nengo_tactile.ann.sigma_delta import sigma_delta_layer
from nengo_tactile.conversion.network import SpikingNetwork
from nengo_tactile.engines import run
from nengo_tactile.engines.event.arrivals import arrivals_of
from nengo_tactile.engines.event.asynchronous import Asynchronous
from nengo_tactile.errors import DataError, EngineError
from nengo_tactile.events.coding import CurrentCoding, DelayCoding
from tests.support.algorithm1 import (
    CODINGS,
    Loop,
    Node,
    assert_equal,
    built,
    everything,
    images,
    network_of,
)
from tests.support.measures import KINDS, assert_same_recordings, peak_bytes
from tests.support.passes import Accumulator
from tests.support.random_models import keras


def pools_the_image():
    """Max pooling of pixels, of what they drive, and of sums of both with spikes."""
    la = keras().layers
    early, late, last, more = (la.Conv2D(2, 3, padding="same") for _ in range(4))
    return [
        Node("linear", "relay", ["input"], early),
        Node("driven", "pool", ["linear"], pool=la.MaxPooling2D(2)),
        Node("pixels", "pool", ["input"], pool=la.MaxPooling2D(2)),
        Node("a", "neurons", ["pixels", "driven"], lambda p, d: la.Add()([p, last(d)]), 0.5),
        Node("sum", "relay", ["a", "driven"], lambda a, d: la.Add()([late(a), more(d)])),
        Node("both", "pool", ["sum"], pool=la.MaxPooling2D(2, 1)),
        Node("b", "neurons", ["both"], la.DepthwiseConv2D(2), 0.75),
        Node("out", "read-out", ["b"], la.Flatten()),
    ]


@pytest.mark.parametrize("make", [everything, pools_the_image])
@pytest.mark.parametrize("settle", [True, False])
@pytest.mark.parametrize("coding", CODINGS)
def test_every_spike_is_algorithm_1s(coding, settle, make):
    network, loop = built(coding, make)
    x = images()
    for n_steps in (10, 5):
        got = run(network, x, n_steps, engine="event", settle=settle, trace=True)
        assert_equal(got, network, loop, x, n_steps, settle)
        assert all(counts.any() for counts in got.spike_counts.values())
    assert got.engine == "event" and got.outputs.dtype == np.float32
    assert run(network, x, engine="event").trace is None


def test_settling_matters_here():
    """Otherwise the test before would say nothing about it."""
    network, _ = built("delay")
    one, other = (run(network, images(), engine="event", settle=s) for s in (True, False))
    assert any((one.sent[name] != other.sent[name]).any() for name in one.sent)


@st.composite
def small_networks(draw):
    """Shape, nodes and coding: up to three convolutions, perhaps pooled, and a dense layer."""
    la = keras().layers
    shape = draw(st.integers(1, 2)), draw(st.integers(3, 5))
    channels, side = shape
    nodes, source = [], "input"
    threshold = st.sampled_from([0.25, 0.5, 1.0, 1.5, 3.0])
    for number in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["plain", "residual", "strided", "dilated", "depthwise"]))
        name, kernel = f"n{number}", draw(st.integers(1, 3))
        if kind == "depthwise":
            linear, plus = la.DepthwiseConv2D(kernel, padding="same"), None
        else:
            options = {"strided": {"strides": 2}, "dilated": {"dilation_rate": 2}}.get(kind, {})
            linear = la.Conv2D(2, kernel, padding="same", **options)
            side = -(-side // 2) if kind == "strided" else side
            same = kind == "residual" and number and channels == 2
            plus, channels = (source if same else None), 2
        nodes.append(Node(name, "neurons", [source], linear, draw(threshold), plus=plus))
        source = name
        pool = draw(st.sampled_from(["none", "max", "average"])) if side > 1 else "none"
        if pool != "none":
            source = f"p{number}"
            if pool == "max":
                nodes.append(Node(source, "pool", [name], pool=la.MaxPooling2D(2)))
            else:
                nodes.append(Node(source, "relay", [name], la.AveragePooling2D(2)))
            side //= 2
    dense = la.Dense(3)
    nodes.append(Node("out", "read-out", [source], lambda x: dense(la.Flatten()(x))))
    coding = draw(st.sampled_from([DelayCoding(4), DelayCoding(1), CurrentCoding(2)]))
    return (shape[1], shape[1], shape[0]), nodes, coding


@settings(max_examples=25)
@given(small_networks(), st.integers(0, 99), st.booleans())
def test_random_networks(case, seed, settle):
    shape, nodes, coding = case
    network = network_of(shape, nodes, coding, 6, seed=seed)
    loop = Loop(shape, nodes)
    x = images(2, shape, seed)
    got = run(network, x, 6, engine="event", settle=settle, trace=True)
    assert_equal(got, network, loop, x, 6, settle)


@pytest.mark.parametrize("make", [everything, pools_the_image])
@pytest.mark.parametrize("coding", CODINGS)
def test_at_rest_by_keras(coding, make):
    """Potentials are what Keras makes of all that was sent, and no neuron is a threshold off."""
    network, _ = built(coding, make)
    x = images(8, seed=3)
    got = run(network, x, engine="event")
    accumulator = Accumulator(network.ann)
    layers = {stage.layer: stage.name for stage in network.graph}
    sent = [
        got.sent[layers[name]].reshape(-1, *shape).astype(np.float32)
        for name, shape in accumulator.shapes.items()
    ]
    logits, _, fired = accumulator.step(network.coding.total(x), sent)
    np.testing.assert_array_equal(got.outputs[:, -1], logits)
    assert not fired.numpy().any()


def dense_network(*sizes, coding, threshold, weights, bias=0.0, n_steps=12):
    """Dense layers; ``weights(shape)`` gives their kernels."""
    la = keras().layers
    x = inputs = keras().Input((sizes[0],))
    for number, size in enumerate(sizes[1:]):
        x = la.Dense(size, name=f"dense{number}")(x)
        if number < len(sizes) - 2:
            x = sigma_delta_layer()(threshold)(x)
    model = keras().Model(inputs, x)
    model.set_weights([weights(w.shape) if w.ndim > 1 else w + bias for w in model.get_weights()])
    return SpikingNetwork(model, n_steps, synapse=None, coding=coding)


@pytest.mark.parametrize("coding", CODINGS.values())
def test_nengo_dl_comes_to_rest_within_a_spike(coding, rng):
    """Both reach the same potentials of the first layer, and differ from them by less than one."""
    network = dense_network(
        12, 20, 3, coding=coding, threshold=0.5, n_steps=60,
        weights=lambda shape: rng.integers(-8, 9, shape) / 8,
    )  # fmt: skip
    x = images(10, (12,))
    event, nengo = (run(network, x, engine=name).outputs[:, -1] for name in ("event", "nengo-dl"))
    bound = 0.5 * np.abs(network.ann.get_layer("dense1").get_weights()[0]).sum(axis=0)
    assert (np.abs(event - nengo) <= bound).all()
    # a current only rises or falls; signed spikes do not, or the bound would not be needed
    assert (event != nengo).any() == coding.spikes


def test_a_monotone_rise_is_direct_quantisation(rng):
    """Potentials that only rise, a threshold at most, send the floor: the Keras layer."""
    network = dense_network(
        12, 9, 7, 3, coding=DelayCoding(8), threshold=0.5, bias=0.25,
        weights=lambda shape: rng.integers(0, 5, shape) / 8,
    )  # fmt: skip
    x = images(6, (12,))
    got = run(network, x, engine="event", settle=False)
    wanted = network.ann(network.ann_input(x)).numpy()
    np.testing.assert_array_equal(got.outputs[:, -1], wanted)
    assert all(sent.min() >= 0 and sent.any() for sent in got.sent.values())


def one_neuron(weight, threshold=1.0, bias=0.0, coding=None):
    return dense_network(
        2, 1, 1, coding=coding or DelayCoding(4), threshold=threshold, n_steps=5,
        weights=lambda shape: np.full(shape, weight if shape[0] == 2 else 1.0), bias=bias,
    )  # fmt: skip


def test_one_spike_for_each_that_arrives():
    x = np.array([[1, 0.5]], np.float32)
    algorithm, rest = (
        run(one_neuron(3.0), x, engine="event", settle=settle, trace=True)
        for settle in (False, True)
    )
    assert algorithm.outputs[0, :, 0].tolist() == [1, 1, 2, 2, 2]
    assert rest.outputs[0, :, 0].tolist() == [1, 1, 2, 2, 6]
    np.testing.assert_array_equal(rest.spikes_over_time["dense0"][0], [1, 0, 1, 0, 4])
    np.testing.assert_allclose(algorithm.trace.time, [0, 0, 0.5])
    # a bias above the threshold waits for the first spike, and the last step is for rest
    late = np.array([[0.25, 0]], np.float32)
    got = run(one_neuron(2.0**-10, bias=2.0), late, engine="event")
    assert got.outputs[0, :, 0].tolist() == [2, 2, 2, 3, 4]
    assert run(one_neuron(3.0), x, 3, engine="event").outputs[0, :, 0].tolist() == [1, 1, 6]


def test_a_spike_is_worth_the_largest_intensity():
    x = np.array([[255, 128]], np.float32)
    network = one_neuron(1 / 256, threshold=0.5, coding=DelayCoding(4, largest=255.0))
    got = run(network, x, engine="event")
    assert got.sent["dense0"][0, 0] == 3 and got.spike_counts["input"][0].tolist() == [1, 1]


def test_accuracy_by_what_was_spent():
    network, _ = built("delay")
    x = images(9, seed=6)
    trace = run(network, x, engine="event", trace=True, batch_size=4).trace
    labels = np.arange(9) % 3
    spent = sum(trace.synops.values())
    grid = [0, 1, 200, *np.quantile(spent, [0.1, 0.3, 0.5, 0.7, 0.9]), 1e9]
    wanted = []
    for limit in grid:
        right = 0
        for sample in range(9):
            rows = [i for i in range(len(spent)) if trace.sample[i] == sample]
            last = max(i for i in rows if spent[i] <= limit)
            right += int(np.argmax(trace.outputs[last])) == labels[sample]
        wanted.append(right / 9)
    np.testing.assert_allclose(trace.accuracy(labels, spent, grid), wanted)
    assert len(set(wanted)) > 2
    with pytest.raises(DataError, match=r"labels have shape \(8,\).*9 samples"):
        trace.accuracy(labels[1:], spent, grid)


@pytest.mark.parametrize(
    "options", [{"batch_size": 2}, {"threads": 1}, {"threads": 3, "batch_size": 7}]
)
def test_minibatches_and_threads_do_not_matter(options):
    network, _ = built("delay")
    x = images(7, seed=8)
    one = run(network, x, engine="event", trace=True)
    other = run(network, x, engine="event", trace=True, **options)
    assert_same_recordings(one, other, (*KINDS, "sent"))
    np.testing.assert_array_equal(one.trace.sample, other.trace.sample)
    np.testing.assert_array_equal(one.trace.outputs, other.trace.outputs)


def test_memory_does_not_grow_with_steps():
    network, _ = built("delay")
    engine = Asynchronous(network, threads=2)
    arrivals = arrivals_of(network.coding, images(6))

    def peak(n_steps):
        return peak_bytes(engine.record, arrivals, n_steps)

    of_step = (peak(4010) - peak(10)) / 4000 / 6
    n_rows, n_outputs = len(network.graph.stages), network.graph.stages[-1].n_neurons
    assert of_step <= 2 * 8 * n_rows + 4 * n_outputs + 1  # what is recorded of each step
    n_units = sum(stage.n_neurons for stage in network.graph)
    rest = sum(
        array.nbytes
        for name, array in engine.memories.take(1)[0]._asdict().items()
        if name != "queue"
    )
    assert rest < 200 * n_units + 2**12


def exploding(depth=4, size=64):
    """Each spike makes all neurons of the next layer fire."""
    weights = lambda shape: np.ones(shape)  # noqa: E731 (a name for one line)
    sizes = (2, *[size] * depth, 1)
    return dense_network(*sizes, coding=DelayCoding(4), threshold=2.0**-20, weights=weights)


def test_a_queue_that_grows_without_bound_stops():
    x = np.ones((3, 2), np.float32)
    with pytest.raises(
        EngineError, match=r"layer 'dense2': its spikes find no room.*choose larger"
    ):
        run(exploding(), x, engine="event", settle=False)
    network = one_neuron(1.0, threshold=2.0**-20)
    with pytest.raises(EngineError, match=r"layer 'dense0': a neuron fires more than 10000 times"):
        run(network, x, engine="event")
    assert run(network, x, engine="event", settle=False).sent["dense0"].tolist() == [[2]] * 3


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"threads": 0}, {"threads": 1.5}])
def test_bad_options_are_refused(options):
    with pytest.raises(EngineError, match=f"{next(iter(options))} is .*whole number"):
        run(built("delay")[0], images(), engine="event", **options)


@pytest.mark.parametrize("value", [-0.25, 1.25, np.nan])
def test_values_that_are_no_intensities_are_refused(value):
    x = images()
    x[1, 2, 3, 0] = value
    with pytest.raises(DataError):
        run(built("delay")[0], x, engine="event")
