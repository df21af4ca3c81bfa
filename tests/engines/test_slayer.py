"""SLAYER networks on all engines against loops over time, spike by spike."""

import dataclasses
import types

import numpy as np
import pytest

from nengo_tactile.engines import slayer
from nengo_tactile.errors import ConversionError, EngineError
from nengo_tactile.networks.stages import Link
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
    pool,
    spikes_for,
    with_delays,
)

EXACT = ("event", "nengo-dl", "nengo")


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
    assert_is_reference(slayer.run(stages, x, engine=engine, batch_size=2), stages, x)


@pytest.mark.parametrize("name", NAMES)
def test_loops_over_stages_say_the_same(name):
    graph, x = case(name, seed=3)
    sent, recording = step_loop.run(graph, x), slayer.run(graph, x)
    fan_out = step_loop.fan_outs(graph)
    for stage in graph:
        fired = sent[stage.name]
        np.testing.assert_array_equal(recording.spike_counts[stage.name], fired.sum(axis=1))
        synops = fired @ fan_out[stage.name]
        np.testing.assert_array_equal(recording.synops_over_time[stage.name], synops)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", slayer.DTYPES)
def test_event_engine_gets_each_spike_of_each_stage_at_its_step(name, dtype):
    stages, x = case(name, seed=2)
    for last, activity in enumerate(reference.run(stages, x), 1):
        part = dataclasses.replace(stages, stages=stages.stages[:last])
        recording = slayer.run(part, x, dtype=dtype)
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
    assert_is_reference(slayer.run(stages, x), stages, x)


@pytest.mark.parametrize("neuron", [SpikeResponseModel(1.0, 0.7), CurrentBasedLIF(0.9, 0.8)])
def test_chunks_fall_asleep_and_wake_up(neuron, rng):
    hidden = dense(rng, "hidden", (4,), 5, neuron, scale=8.0)
    stages = chain((4,), [hidden, dense(rng, "out", (5,), 3, neuron)])
    x = np.zeros((1, 260, 4), np.float32)
    x[:, :9] = rng.random((9, 4)) < 0.4
    x[:, 200:] = rng.random((60, 4)) < 0.4
    recording = slayer.run(stages, x)
    assert_is_reference(recording, stages, x)
    assert recording.spikes_over_time["hidden"][0, 200:].any()


def test_delays_longer_than_the_recording_leave_nothing(rng):
    stages = chain((3,), [dense(rng, "one", (3,), 4, delays=np.array([0, 39, 40, 500]))])
    x = spikes_for(rng, stages, rate=0.5)
    for engine in EXACT:
        recording = slayer.run(stages, x, engine=engine)
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
    assert_is_reference(slayer.run(stages, x), stages, x)


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
    network = types.SimpleNamespace(graph=stages, dt=0.01, classes=tuple("abcd"), n_steps=40)
    samples = Sliced(x)
    threads = {"threads": 3} if engine == "event" else {}
    parts = list(slayer.stream(network, samples, 25, engine, batch_size=2, **threads))
    assert [part.n_samples for part in parts] == [2, 2, 1]
    assert samples.largest == 2
    whole = slayer.run(stages, x, engine="event", threads=1)
    joined = slayer.Recording.concatenate(parts)
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
    slayer.run(stages, samples)
    assert samples.largest == 5
    monkeypatch.setattr(slayer, "INPUT_BYTES", 3 * x[0].nbytes)
    samples = Sliced(x)
    parts = list(slayer.stream(stages, samples))
    assert [part.n_samples for part in parts] == [3, 2]
    monkeypatch.setattr(slayer, "INPUT_BYTES", 1)
    assert len(list(slayer.stream(stages, samples))) == 5


@pytest.mark.parametrize("engine", EXACT)
def test_input_may_be_graded(engine, rng):
    stages, x = case("srm-conv")
    x = x * rng.integers(1, 4, x.shape).astype(np.float32) / 2
    recording = slayer.run(stages, x, engine=engine)
    np.testing.assert_array_equal(recording.outputs, so_far(reference.run(stages, x)[-1]))
    assert recording.spikes_over_time["input"].sum() == np.count_nonzero(x)


def test_class_is_the_first_with_most_spikes_so_far(rng):
    strong = np.array([[12.0, 0.0, 12.0]], np.float32)
    stages = chain((1,), [layer_stage("out", layers_dense(strong), SRM)])
    x = np.zeros((1, 20, 1), np.float32)
    x[0, 3] = 1
    recording = slayer.run(stages, x)
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
        recording = slayer.run(stages, x, engine=engine)
        np.testing.assert_array_equal(recording.outputs, np.cumsum(spikes, axis=1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"engine": "brian"}, "'brian' is unknown: choose one of event, nengo-dl, nengo, loihi"),
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
        ({"threads": 2, "engine": "nengo"}, "threads is 2, which engine 'nengo' has no choice of"),
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
        slayer.run(stages, **settings)


def test_graphs_that_are_no_chain_are_refused():
    graph, x = case("srm-dense")
    first, last = graph.stages
    past = dataclasses.replace(last, links=[Link("input", layers_dense(np.ones((6, 3))))])
    with pytest.raises(ConversionError, match="'out' is no layer of a SLAYER network"):
        slayer.run(dataclasses.replace(graph, stages=[first, past]), x)
