"""SLAYER networks on all engines against loops over time, spike by spike."""

import dataclasses

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile.engines import batches, nengo_dl
from nengo_tactile.engines.event import stepped
from nengo_tactile.engines.recording import Recording
from nengo_tactile.errors import EngineError
from nengo_tactile.networks.neurons import LIF, IntegrateFire, SpikeResponse, Sum
from nengo_tactile.networks.stages import Graph, Link, Stage
from nengo_tactile.slayer.neurons import CurrentBasedLIF, SpikeResponseModel
from nengo_tactile.slayer.stages import chain, layer_stage, loop_of
from nengo_tactile.slayer.stages import dense as layers_dense
from tests.support import slayer_reference as reference
from tests.support import step_loop
from tests.support.slayer_networks import (
    CUBA,
    NAMES,
    SRM,
    case,
    conv,
    dense,
    network_of,
    pool,
    spikes_for,
    with_delays,
)

EXACT = ("event", "nengo-dl", "nengo")


def run(graph, x, n_steps=None, engine="event", **options):
    return nt.run(network_of(graph), x, n_steps, engine, **options)


def so_far(activity):
    sent = activity.sent.reshape(*activity.sent.shape[:2], -1)
    return np.cumsum(sent, axis=1)


def synapses_of(stage):
    """Synapses that leave each input of a stage, by showing it one input after the other."""
    units = np.eye(stage.links[0].map.n_in)
    return np.array([np.count_nonzero(reference.linear(stage, unit)) for unit in units])


def assert_is_reference(recording, graph, x):
    """Outputs, and of each layer spikes of neurons and steps, and synaptic operations."""
    found, stages = reference.run(graph, x), graph.stages
    np.testing.assert_array_equal(recording.outputs, so_far(found[-1]))
    spikes = [x, *(activity.spikes for activity in found)]
    leaving = [*(synapses_of(stage) for stage in stages), np.zeros(stages[-1].n_neurons, int)]
    for before, stage in enumerate(stages, 1):
        if len(stage.links) > 1:
            leaving[before] = leaving[before] + (loop_of(stage) != 0).sum(axis=1)
    names = ["input", *(stage.name for stage in stages)]
    assert list(recording.spike_counts) == names
    for name, fired, synapses in zip(names, spikes, leaving):
        fired = fired.reshape(*fired.shape[:2], -1).astype(int)
        np.testing.assert_array_equal(recording.spike_counts[name], fired.sum(1))
        np.testing.assert_array_equal(recording.spikes_over_time[name], fired.sum(2))
        np.testing.assert_array_equal(recording.synops_over_time[name], fired @ synapses)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("engine", EXACT)
def test_recording_is_that_of_the_reference(name, engine):
    stages, x = case(name, n_samples=3)
    assert_is_reference(run(stages, x, engine=engine, batch_size=2), stages, x)


@pytest.mark.parametrize("name", NAMES)
def test_loops_over_stages_say_the_same(name):
    graph, x = case(name, seed=3)
    sent, recording = step_loop.run(graph, x), run(graph, x)
    fan_out = step_loop.fan_outs(graph)
    for stage in graph:
        fired = sent[stage.name]
        np.testing.assert_array_equal(recording.spike_counts[stage.name], fired.sum(axis=1))
        synops = fired @ fan_out[stage.name]
        np.testing.assert_array_equal(recording.synops_over_time[stage.name], synops)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", batches.DTYPES)
def test_event_engine_gets_each_spike_of_each_stage_at_its_step(name, dtype):
    stages, x = case(name, seed=2)
    for last, activity in enumerate(reference.run(stages, x), 1):
        part = dataclasses.replace(stages, stages=stages.stages[:last])
        recording = run(part, x, dtype=dtype)
        np.testing.assert_array_equal(recording.outputs, so_far(activity))


def large(rng, neuron):
    """Stages of more than one chunk, windows whose rows are longer than one."""
    maps = conv(rng, "maps", (6, 7, 2), 5, 40, neuron, padding="same")
    strided = conv(rng, "strided", maps.shape, 3, 11, neuron, stride=2)
    pooled = pool("pooled", strided.shape, 2, neuron)
    hidden = with_delays(rng, dense(rng, "hidden", pooled.shape, 300, neuron), 20)
    out = dense(rng, "out", (300,), 4, neuron, scale=1.0, mean=0)
    return chain((6, 7, 2), [maps, strided, pooled, hidden, out])


@pytest.mark.parametrize(
    "neuron",
    [
        SpikeResponseModel(tau_s=4.0, tau_r=4.0),  # both kernels in one pair of states
        SpikeResponseModel(tau_s=6.0, tau_r=1.0, refractory=0.0),
        CurrentBasedLIF(current_decay=1.0, voltage_decay=0.4, threshold=25.0),
    ],
    ids=str,
)
def test_large_stages_and_states_that_die_away(neuron, rng):
    stages = large(rng, neuron)
    x = spikes_for(rng, stages, n_samples=1, n_steps=30, rate=0.1)
    assert_is_reference(run(stages, x), stages, x)


@pytest.mark.parametrize("neuron", [SpikeResponseModel(1.0, 0.7), CurrentBasedLIF(0.9, 0.8)])
def test_chunks_fall_asleep_and_wake_up(neuron, rng):
    hidden = dense(rng, "hidden", (4,), 5, neuron, scale=8.0)
    stages = chain((4,), [hidden, dense(rng, "out", (5,), 3, neuron)])
    x = np.zeros((1, 260, 4), np.float32)
    x[:, :9] = rng.random((9, 4)) < 0.4
    x[:, 200:] = rng.random((60, 4)) < 0.4
    recording = run(stages, x)
    assert_is_reference(recording, stages, x)
    assert recording.spikes_over_time["hidden"][0, 200:].any()


def test_delays_longer_than_the_recording_leave_nothing(rng):
    stages = chain((3,), [dense(rng, "one", (3,), 4, delays=np.array([0, 39, 40, 500]))])
    x = spikes_for(rng, stages, rate=0.5)
    for engine in EXACT:
        recording = run(stages, x, engine=engine)
        assert_is_reference(recording, stages, x)
        assert not recording.outputs[..., 2:].any()


def test_zero_weights_are_no_synapses(rng):
    stages, x = case("srm-recurrent")
    first, *others = stages.stages

    def thinned(weights):
        return weights * (rng.random(weights.shape) < 0.5)

    links = [dataclasses.replace(e, map=e.map.reweighted(thinned)) for e in first.links]
    first = dataclasses.replace(first, links=links)
    stages = dataclasses.replace(stages, stages=[first, *others])
    assert_is_reference(run(stages, x), stages, x)


class Sliced:
    """Samples that are read when a slice of them is asked for."""

    def __init__(self, x):
        self.x, self.largest = x, 0

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        if isinstance(index, slice):
            self.largest = max(self.largest, index.stop - index.start)
        return self.x[index]


@pytest.mark.parametrize("engine", EXACT)
def test_minibatches_threads_and_fewer_steps_change_nothing(engine):
    stages, x = case("srm-delays", n_samples=5)
    x.setflags(write=False)
    network = network_of(stages, dt=0.01)
    samples = Sliced(x)
    module, options = (
        (stepped, {"threads": 3}) if engine == "event" else (nengo_dl, {"engine": engine})
    )
    parts = list(module.stream(network, samples, 25, batch_size=2, **options))
    assert [part.n_samples for part in parts] == [2, 2, 1]
    assert samples.largest == 2
    whole = run(stages, x, engine="event", threads=1)
    joined = Recording.concatenate(parts)
    assert (joined.dt, joined.engine, whole.dt) == (0.01, engine, 0.001)
    np.testing.assert_array_equal(joined.outputs, whole.outputs[:, :25])
    for name, spikes in whole.spikes_over_time.items():
        np.testing.assert_array_equal(joined.spikes_over_time[name], spikes[:, :25])
        np.testing.assert_array_equal(
            joined.synops_over_time[name], whole.synops_over_time[name][:, :25]
        )


def test_large_samples_are_read_few_at_a_time(monkeypatch):
    stages, x = case("srm-dense", n_samples=5)
    samples = Sliced(x)
    run(stages, samples)
    assert samples.largest == 5
    monkeypatch.setattr(batches, "INPUT_BYTES", 3 * x[0].nbytes)
    samples = Sliced(x)
    parts = list(stepped.stream(network_of(stages), samples))
    assert [part.n_samples for part in parts] == [3, 2]
    monkeypatch.setattr(batches, "INPUT_BYTES", 1)
    assert len(list(stepped.stream(network_of(stages), samples))) == 5


@pytest.mark.parametrize("engine", EXACT)
def test_input_may_be_graded(engine, rng):
    stages, x = case("srm-conv")
    x = x * rng.integers(1, 4, x.shape).astype(np.float32) / 2
    recording = run(stages, x, engine=engine)
    np.testing.assert_array_equal(recording.outputs, so_far(reference.run(stages, x)[-1]))
    assert recording.spikes_over_time["input"].sum() == np.count_nonzero(x)


def test_class_is_the_first_with_most_spikes_so_far(rng):
    strong = np.array([[12.0, 0.0, 12.0]], np.float32)
    stages = chain((1,), [layer_stage("out", layers_dense(strong), SRM)])
    x = np.zeros((1, 20, 1), np.float32)
    x[0, 3] = 1
    recording = run(stages, x)
    assert recording.outputs[0, -1].tolist() == [1.0, 0.0, 1.0]
    assert recording.predictions()[0, -1] == 0
    assert recording.accuracy([0])[-1] == 1


@pytest.mark.parametrize("neuron", [SRM, CUBA])
def test_spikes_are_those_of_training(neuron, rng):
    from nengo_tactile.slayer.models import build, stages_of

    gains = dict.fromkeys(("conv", "dense", "output"), 60.0 if neuron is SRM else 8.0)
    model = build("8x8x2-6c3-2a-12-3o", neuron, n_steps=40, max_delay=9, gains=gains, seed=4)
    for layer in model.layers:  # as trained: delays in between whole steps
        for weight in layer.weights:
            if "delay" in weight.name:
                weight.assign(rng.uniform(0, 9, weight.shape))
    stages = stages_of(model)
    x = spikes_for(rng, stages, n_samples=3, rate=0.2)
    spikes = model.predict(x, verbose=0)
    assert 0.01 < spikes.mean() < 0.9
    for engine in EXACT:
        recording = run(stages, x, engine=engine)
        np.testing.assert_array_equal(recording.outputs, np.cumsum(spikes, axis=1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"engine": "brian"}, "engine 'brian', which is unknown: use 'event' or 'nengo-dl'"),
        (
            {"engine": "nengo", "dtype": "float32"},
            "leave it out, or use engine='event' or 'nengo-d",
        ),
        ({"dtype": "float16"}, "dtype is 'float16'"),
        ({"n_steps": 41}, "n_steps is 41, samples have 40 steps"),
        ({"n_steps": 0}, "n_steps is 0"),
        ({"n_steps": 2.5}, "n_steps is 2.5"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"threads": 0}, "threads is 0"),
        ({"threads": 2, "engine": "nengo"}, "on engine 'nengo' takes no threads: leave it out"),
        ({"x": np.zeros((0, 40, 6))}, "no samples"),
        ({"x": np.zeros((2, 40, 5))}, r"samples have shape \(40, 5\): the network reads"),
        ({"x": np.zeros((2, 6))}, r"samples have shape \(6,\)"),
        ({"x": np.zeros((2, 0, 6))}, r"samples have shape \(0, 6\)"),
        ({"x": np.full((2, 40, 6), np.nan)}, "sample 0 has values that are not finite"),
    ],
)
def test_what_cannot_run_is_refused(change, message):
    stages, x = case("srm-dense")
    settings = {"x": x, **change}
    with pytest.raises(EngineError, match=message):
        run(stages, **settings)


def any_graph(rng, last, most=1):
    """What no layers of SLAYER make: several links into a stage, sums, biases, starts, loops.

    ``most`` is the longest delay of a link; with more than Nengo has, also what else it has not.
    """

    def link(source, n_in, n, scale=1.0, delay=0):
        return Link(source, layers_dense(rng.normal(scale / 10, scale, (n_in, n))), delay=delay)

    def values(n):
        return rng.uniform(0, 0.4, n)

    leaky = IntegrateFire(0.3, 0.1, 2.0, "zero")
    links = [link("input", 6, 5), link("responds", 4, 5, delay=1)]
    first = Stage("leaky", (5,), leaky, links, values(5), values(5), np.arange(5) % 3)
    links = [link("input", 6, 140, 0.1), link("leaky", 5, 140, 0.2)]
    whole = Stage("whole", (140,), IntegrateFire(), links, values(140), values(140))
    links = [link("whole", 140, 3, 0.1), link("leaky", 5, 3)]
    relay = Stage("relay", (3,), Sum(), links, values(3))
    links = [link("relay", 3, 4, 3), link("leaky", 5, 4, 6, delay=most)]
    links.append(link("input", 6, 4, 3, delay=most))
    responds = SpikeResponse(3.0, 2.0)
    bias = values(4) if most > 1 else None
    responding = Stage("responds", (4,), responds, links, bias)
    links = [link("responds", 4, 3), link("whole", 140, 3, 0.1)]
    return Graph(
        (6,), [first, whole, relay, responding, Stage("out", (3,), last, links, values(3))]
    )


LASTS = (
    *(Sum(), Sum(0), Sum(0.1), SpikeResponse()),
    IntegrateFire(0.5, 0.2, 3.0, "subtract"),
    IntegrateFire(0.5, 0.0, 0.75, spikes_per_step=3, floor=-0.25),
    IntegrateFire(0.25, 0.125, 2.0, "zero", whole=True),
)


@pytest.mark.parametrize(
    ("engine", "most", "last"),
    [
        ("event", 4, Sum(0.1)),
        *((engine, 1, last) for engine in EXACT for last in LASTS),
    ],
    ids=str,
)
def test_any_graph_is_that_of_a_loop(engine, most, last, rng):
    graph = any_graph(rng, last, most)
    if isinstance(last, SpikeResponse):
        graph = dataclasses.replace(
            graph, stages=[*graph.stages[:-1], dataclasses.replace(graph.stages[-1], bias=None)]
        )
    x = spikes_for(rng, graph, n_samples=3, n_steps=60)
    recording, sent = run(graph, x, engine=engine), step_loop.run(graph, x)
    fan_out = step_loop.fan_outs(graph)
    for stage in graph:
        worth = sent[stage.name]
        if not stage.spikes:
            assert stage.name not in recording.spike_counts
            if stage is not graph.stages[-1]:
                synops = (worth != 0) @ fan_out[stage.name]
                np.testing.assert_array_equal(recording.synops_over_time[stage.name], synops)
                assert synops.any()
            continue
        fired = worth != 0
        units = recording.units_over_time[stage.name]
        np.testing.assert_array_equal(units, np.rint(worth).sum(axis=2))
        assert worth.max() <= getattr(stage.neuron, "spikes_per_step", 1)
        assert 0.01 < fired.mean() < 0.95
        np.testing.assert_array_equal(recording.spike_counts[stage.name], fired.sum(axis=1))
        np.testing.assert_array_equal(recording.spikes_over_time[stage.name], fired.sum(axis=2))
        synops = fired @ fan_out[stage.name]
        np.testing.assert_array_equal(recording.synops_over_time[stage.name], synops)
    wanted = np.cumsum(sent["out"], axis=1) if last.spikes else sent["out"]
    if last == Sum():
        wanted = np.cumsum(wanted, axis=1) / np.arange(1, 61)[:, None]
    np.testing.assert_allclose(recording.outputs, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"neuron": LIF(20.0)}, "its neurons are LIF, the event engine shows input step by step"),
        (
            {"neuron": IntegrateFire(signed=True)},
            "its neurons take spikes back",
        ),
        ({"step_bias": np.ones((2, 3))}, "currents of its own at the first steps"),
        ({"neuron": SpikeResponse(), "start": np.ones(3)}, "a potential at the start"),
        (
            {"links": [Link("input", layers_dense(np.ones((2, 3))), None, 5.0, 1)]},
            "a low-pass of 5",
        ),
    ],
)
def test_stages_that_the_loop_has_not_are_refused(change, message):
    links = [Link("input", layers_dense(np.ones((2, 3))))]
    stage = dataclasses.replace(Stage("one", (3,), IntegrateFire(), links), **change)
    with pytest.raises(EngineError, match=f"'one': .*{message}"):
        run(Graph((2,), [stage]), np.zeros((1, 4, 2), np.float32))
