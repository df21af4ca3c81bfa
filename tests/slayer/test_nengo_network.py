"""SLAYER networks in Nengo and NengoDL against loops over time with closed-form kernels."""

import dataclasses

import nengo
import numpy as np
import pytest

from nengo_tactile import nengo_runs
from nengo_tactile.errors import ConversionError, EngineError
from nengo_tactile.slayer import nengo_network
from nengo_tactile.slayer.neurons import SpikeResponseModel
from nengo_tactile.slayer.stages import Stage, check
from tests.support import slayer_reference as reference
from tests.support.slayer_networks import CUBA, NAMES, SRM, case, dense, pool

pytestmark = pytest.mark.filterwarnings(
    r"ignore::DeprecationWarning:(nengo|nengo_dl|nengo_loihi)\b"
)


def run(stages, x, engine, **settings):
    """Spikes of all stages before and after their axons, [(n_samples, n_steps, n), ...]."""
    net = nengo_network.build(stages, **settings)
    with net:
        probes = [(nengo.Probe(n), nengo.Probe(a)) for n, a in zip(net.neurons, net.axons)]
    (data,) = nengo_runs.show(net, [x.reshape(*x.shape[:2], -1)], engine)
    return [[data[probe] for probe in pair] for pair in probes]


def assert_equal_spikes(found, expected):
    for (spikes, sent), activity in zip(found, expected):
        np.testing.assert_array_equal(spikes, activity.spikes.reshape(spikes.shape))
        np.testing.assert_array_equal(sent, activity.sent.reshape(sent.shape))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("engine", nengo_runs.ENGINES)
def test_spikes_equal_the_reference_step_by_step(name, engine):
    stages, x = case(name)
    expected = reference.run(stages, x)
    assert_equal_spikes(run(stages, x, engine), expected)
    for activity in expected:  # the comparison means something
        assert 0.01 < activity.spikes.mean() < 0.95


@pytest.mark.parametrize("name", ["srm-recurrent", "cuba-recurrent"])
def test_float32_differs_at_most_after_potentials_that_touch_the_threshold(name):
    stages, x = case(name, n_steps=80)
    expected = reference.run(stages, x)
    margins = [np.abs(a.potential - s.neuron.threshold).min() for a, s in zip(expected, stages)]
    assert min(margins) > 1e-4  # none does here, by more than float32 loses
    assert_equal_spikes(run(stages, x, "nengo-dl", dtype="float32"), expected)


@pytest.mark.parametrize("engine", nengo_runs.ENGINES)
@pytest.mark.parametrize("neuron", [SRM, CUBA])
def test_one_spike_gives_the_kernel_and_a_recurrent_one_comes_a_step_later(engine, neuron):
    # two neurons: the first answers the input spike, the second only the first one's spike
    strong = 1.001 * neuron.threshold / neuron.response(30).max()
    weights = np.array([[strong, 0.0]], np.float32)
    back = np.array([[0.0, strong], [0.0, 0.0]], np.float32)
    stage = Stage("one", "dense", weights, (1,), (2,), neuron, recurrent=back)
    x = np.zeros((1, 30, 1), np.float32)
    x[0, 4] = 1
    ((spikes, _),) = run([stage], x, engine)
    rise = np.argmax(strong * neuron.response(30) >= neuron.threshold)
    first = 4 + rise
    assert np.flatnonzero(spikes[0, :, 0])[0] == first
    assert np.flatnonzero(spikes[0, :, 1])[0] == first + 1 + rise


def test_response_is_the_kernel_of_unit_peak_and_not_nengos_alpha():
    neuron = SpikeResponseModel(tau_s=4)
    with nengo.Network() as net:
        node = nengo.Node(lambda t: float(round(t / 0.001) == 1))
        probes = [
            nengo.Probe(node, synapse=nengo_network.response(neuron, recurrent))
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
            if stage.kind != "conv":
                continue
            frame = rng.random(stage.input_shape)
            expected = tf.nn.conv2d(
                frame[None], stage.weights.astype(float), stage.stride, stage.padding.upper()
            )
            found = reference.linear(stage, frame)
            np.testing.assert_allclose(found, expected.numpy()[0], atol=1e-12)


def test_unknown_dtype_is_refused():
    with pytest.raises(EngineError, match="dtype is 'float16'"):
        nengo_network.build(case("srm-dense")[0], dtype="float16")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "max"}, "its kind is 'max': choose one of dense, conv, pool"),
        ({"padding": "full"}, "its padding is 'full'"),
        ({"stride": 0}, "its stride is 0"),
        ({"weights": np.ones((5, 8))}, r"weights have shape \(5, 8\): a dense stage needs \(6, 8"),
        ({"weights": np.full((6, 8), np.nan)}, "its weights are not finite"),
        ({"delays": np.zeros(3, int)}, r"delays have shape \(3,\): give \(8,\)"),
        ({"delays": np.arange(8) - 1}, "its delays are int64 from -1"),
        ({"delays": np.ones(8)}, "its delays are float64"),
        ({"recurrent": np.ones((8, 3))}, r"recurrent have shape \(8, 3\): give \(8, 8\)"),
        ({"name": "input"}, "give each its own name, none 'input'"),
        ({"name": "out"}, "give each its own name"),
    ],
)
def test_stages_that_are_no_network_are_refused(change, message):
    stages, _ = case("srm-dense")
    with pytest.raises(ConversionError, match=message):
        check([dataclasses.replace(stages[0], **change), stages[1]])


@pytest.mark.parametrize(
    ("number", "change", "message"),
    [
        (0, {"weights": np.ones((3, 3, 1, 3))}, r"a conv stage needs \(3, 3, 2, 3\)"),
        (0, {"weights": np.ones((3, 3))}, "a conv stage needs"),
        (0, {"padding": "valid"}, r"its inputs and weights make \(3, 3, 3\)"),
        (1, {"input_shape": (4, 12)}, "a pool stage reads .height, width, channels."),
        (1, {"stride": 3}, r"its inputs and weights make \(1, 1, 3\)"),
        (2, {"input_shape": (2, 2, 4)}, r"a conv stage needs \(2, 2, 4, 4\)"),
        (3, {"input_shape": (5,), "weights": np.ones((5, 3))}, "'conv2' before it has neurons"),
    ],
)
def test_maps_that_do_not_fit_are_refused(number, change, message):
    stages, _ = case("srm-conv")
    stages[number] = dataclasses.replace(stages[number], **change)
    with pytest.raises(ConversionError, match=message):
        check(stages)


def test_an_image_must_come_from_an_image(rng):
    with pytest.raises(ConversionError, match="no stages"):
        check([])
    flat = dense(rng, "flat", (4,), 32)
    with pytest.raises(ConversionError, match=r"reads inputs of shape \(4, 4, 2\)"):
        check([flat, pool("pool", (4, 4, 2), 2)])
