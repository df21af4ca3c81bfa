"""SLAYER networks in Nengo and NengoDL against loops over time with closed-form kernels."""

import dataclasses

import nengo
import numpy as np
import pytest

from nengo_tactile import nengo_runs
from nengo_tactile.errors import ConversionError, EngineError
from nengo_tactile.networks import nengo_network as of_graphs
from nengo_tactile.networks import stepped_nengo
from nengo_tactile.networks.neurons import IntegrateFire
from nengo_tactile.networks.stages import Link
from nengo_tactile.slayer import stages as layers
from nengo_tactile.slayer.neurons import SpikeResponseModel
from tests.support import slayer_reference as reference
from tests.support.slayer_networks import CUBA, NAMES, SRM, case, dense

pytestmark = pytest.mark.filterwarnings(
    r"ignore::DeprecationWarning:(nengo|nengo_dl|nengo_loihi)\b"
)


def run(graph, x, engine, **settings):
    """Spikes of all stages before and after their axons, [(n_samples, n_steps, n), ...]."""
    net = stepped_nengo.build(graph, **settings)
    with net:
        names = [stage.name for stage in graph]
        probes = [(nengo.Probe(net.neurons[name]), nengo.Probe(net.sent[name])) for name in names]
    (data,) = nengo_runs.show(net, [x.reshape(*x.shape[:2], -1)], engine)
    return [[data[probe] for probe in pair] for pair in probes]


def assert_equal_spikes(found, expected):
    for (spikes, sent), activity in zip(found, expected):
        np.testing.assert_array_equal(spikes, activity.spikes.reshape(spikes.shape))
        np.testing.assert_array_equal(sent, activity.sent.reshape(sent.shape))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("engine", nengo_runs.ENGINES)
def test_spikes_equal_the_reference_step_by_step(name, engine):
    graph, x = case(name)
    expected = reference.run(graph, x)
    assert_equal_spikes(run(graph, x, engine), expected)
    for activity in expected:  # the comparison means something
        assert 0.01 < activity.spikes.mean() < 0.95


@pytest.mark.parametrize("name", ["srm-recurrent", "cuba-recurrent"])
def test_float32_differs_at_most_after_potentials_that_touch_the_threshold(name):
    graph, x = case(name, n_steps=80)
    expected = reference.run(graph, x)
    margins = [np.abs(a.potential - s.neuron.threshold).min() for a, s in zip(expected, graph)]
    assert min(margins) > 1e-4  # none does here, by more than float32 loses
    assert_equal_spikes(run(graph, x, "nengo-dl", dtype="float32"), expected)


@pytest.mark.parametrize("engine", nengo_runs.ENGINES)
@pytest.mark.parametrize("neuron", [SRM, CUBA])
def test_one_spike_gives_the_kernel_and_a_recurrent_one_comes_a_step_later(engine, neuron):
    # two neurons: the first answers the input spike, the second only the first one's spike
    strong = 1.001 * neuron.threshold / neuron.response(30).max()
    weights = np.array([[strong, 0.0]], np.float32)
    back = np.array([[0.0, strong], [0.0, 0.0]], np.float32)
    stage = layers.layer_stage("one", layers.dense(weights), neuron, recurrent=back)
    x = np.zeros((1, 30, 1), np.float32)
    x[0, 4] = 1
    ((spikes, _),) = run(layers.chain((1,), [stage]), x, engine)
    rise = np.argmax(strong * neuron.response(30) >= neuron.threshold)
    first = 4 + rise
    assert np.flatnonzero(spikes[0, :, 0])[0] == first
    assert np.flatnonzero(spikes[0, :, 1])[0] == first + 1 + rise


def test_response_is_the_kernel_of_unit_peak_and_not_nengos_alpha():
    neuron = SpikeResponseModel(tau_s=4)
    with nengo.Network() as net:
        node = nengo.Node(lambda t: float(round(t / 0.001) == 1))
        probes = [
            nengo.Probe(node, synapse=of_graphs._response(neuron, recurrent))
            for recurrent in (False, True)
        ]
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(40)
    kernel = neuron.response(41)
    # a probe's synapse is late by the one step that kernels begin with
    np.testing.assert_allclose(sim.data[probes[0]][:, 0], kernel[:40], atol=1e-13)
    np.testing.assert_allclose(sim.data[probes[1]][1:, 0], kernel[:39], atol=1e-13)
    assert kernel.max() == pytest.approx(1)
    alpha = nengo.Alpha(0.004).filt(np.eye(40)[0], dt=0.001, y0=0)
    assert alpha.max() < 0.1


def test_convolutions_of_the_reference_equal_tensorflow(rng):
    from nengo_tactile import stack

    tf = stack.tensorflow()
    for name in ("srm-conv", "cuba-conv"):
        for stage in case(name)[0]:
            linear = stage.links[0].map
            if linear.dense or linear.pools:
                continue
            frame = rng.random(linear.input_shape)
            padding = "SAME" if stage.name == "conv" else "VALID"
            kernel = linear.kernel.astype(float)
            expected = tf.nn.conv2d(frame[None], kernel, linear.strides, padding)
            found = reference.linear(stage, frame)
            np.testing.assert_allclose(found, expected.numpy()[0], atol=1e-12)


def test_unknown_dtype_is_refused():
    with pytest.raises(EngineError, match="dtype is 'float16'"):
        stepped_nengo.build(case("srm-dense")[0], dtype="float16")


def test_what_is_no_chain_is_refused(rng):
    graph, _ = case("srm-recurrent")
    hidden, out = graph.stages
    late = dataclasses.replace(hidden.links[1], delay=2)
    for stages in (
        [hidden, dataclasses.replace(out, links=[stages_link("input", 6, 4)])],
        [dataclasses.replace(hidden, links=[hidden.links[0], late]), out],
        [dataclasses.replace(hidden, neuron=IntegrateFire()), out],
        [dataclasses.replace(hidden, links=[]), out],
        [dataclasses.replace(hidden, bias=np.ones(9)), out],
        [dataclasses.replace(hidden, start=np.ones(9)), out],
        [dataclasses.replace(hidden, neuron=IntegrateFire(0.5, 0.5)), out],
    ):
        with pytest.raises(ConversionError, match="is no layer of a SLAYER network: let it have"):
            layers.check(dataclasses.replace(graph, stages=stages))


def stages_link(source, n_in, n_out):
    return Link(source, layers.dense(np.ones((n_in, n_out), np.float32)))


def test_maps_that_do_not_fit_are_refused(rng):
    with pytest.raises(ConversionError, match="padding is 'full': choose one of valid, same"):
        layers.conv(np.ones((3, 3, 2, 3)), (7, 8, 2), padding="full")
    with pytest.raises(ConversionError, match="does not fit inputs"):
        layers.conv(np.ones((3, 3, 1, 3)), (7, 8, 2))
    with pytest.raises(ConversionError, match="does not fit"):
        layers.pool(1.0, 3, (4, 12))
    flat = [dense(rng, "flat", (4,), 32), dense(rng, "out", (31,), 2)]
    with pytest.raises(ConversionError, match=r"'out': its map from 'flat' reads 31 values.*32"):
        layers.chain((4,), flat)
