"""A trained SKIM network as one object: the same classes from the batch code, Nengo and NengoDL."""

import dataclasses
import math

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile.datasets.registry import open_dataset
from nengo_tactile.engines.recording import Recording
from nengo_tactile.errors import DataError, EngineError
from nengo_tactile.events.patterns import PatternLayout, event_pattern
from nengo_tactile.nengo_runs import ENGINES, simulator
from nengo_tactile.skim import (
    Opium,
    SkimNetwork,
    Supervision,
    draw_layer,
    learn,
    train,
    training_pattern,
)
from nengo_tactile.skim.activity import hidden_activity, prepare
from nengo_tactile.skim.classifier import Samples
from nengo_tactile.skim.supervision import METHODS, determine, determine_over_time
from tests.support.skim_networks import LAYOUT, Recordings, small_layer, small_network


def test_encode_gives_the_recordings_patterns(monkeypatch):
    network, data = small_network(), Recordings(5, seed=1)
    patterns, labels = network.encode(data, progress=False)
    assert labels.tolist() == [0, 1, 0, 1, 0]
    for number, pattern in enumerate(patterns):
        np.testing.assert_array_equal(pattern, event_pattern(data.read_events(number), LAYOUT))
    alone, none = network.encode(data.read_events(3))
    assert none is None and len(alone) == 1
    np.testing.assert_array_equal(alone[0], patterns[3])
    with monkeypatch.context() as patch:  # sparse ones are not made dense to be looked at
        patch.setattr(type(patterns), "dense", None)
        assert network.encode(patterns)[0] is patterns
        with pytest.raises(DataError, match=r"\(50, 13\).*12 channels"):
            network.encode(dataclasses.replace(patterns, shape=(13,)))
    arrays = patterns[:]
    assert network.encode(arrays)[0] is arrays
    np.testing.assert_array_equal(network.predict(arrays), network.predict(patterns))
    with pytest.raises(DataError, match=r"sample 0: .*\(50, 11\).*12 channels"):
        network.encode(arrays[:, :, 1:])
    far = data.read_events(0)
    far["x"][7] = 4
    with pytest.raises(DataError, match="x"):
        network.encode(far)


def test_samples_are_read_when_they_are_asked_for():
    data = Recordings(6)
    samples = Samples(data, LAYOUT, [4, 1])
    assert len(samples) == 2 and data.asked == []
    pattern, label = samples[1]
    assert (label, data.asked) == (1, [1])
    np.testing.assert_array_equal(pattern, event_pattern(data.read_events(1), LAYOUT))
    with pytest.raises(IndexError):
        samples[2]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu", "lif"])
def test_run_is_what_the_batch_code_gives(nonlinearity, engine):
    network = small_network(nonlinearity)
    patterns, labels = network.encode(Recordings(6, seed=1), progress=False)
    recording = nt.run(network, patterns, engine=engine, batch_size=4, progress=False)
    assert (recording.n_samples, recording.n_steps, recording.engine) == (6, 50, engine)
    assert recording.dt == 0.002
    expected = network.window_outputs(patterns)
    assert np.abs(expected).max() > 0.1
    first = network.supervision.first
    np.testing.assert_allclose(recording.outputs[:, first:], expected, atol=1e-5, rtol=0)
    outputs = network.outputs(patterns, engine)
    np.testing.assert_allclose(outputs[:, first:], expected, atol=1e-10, rtol=0)
    classes = network.predict(patterns)
    assert (recording.predictions()[:, -1] == classes).all()
    assert recording.accuracy(labels)[-1] == (classes == labels).mean()


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu", "lif"])
def test_event_by_event_it_is_what_nengo_simulates(nonlinearity):
    """Outputs at every step, from the first on, every spike and every decision."""
    network = small_network(nonlinearity)
    patterns, _ = network.encode(Recordings(5, seed=1), progress=False)
    options = {"batch_size": 2, "rasters": 3, "progress": False}
    events, nengo = (nt.run(network, patterns, engine=e, **options) for e in ("event", "nengo"))
    assert events.engine == "event" and np.abs(nengo.outputs).max() > 0.1
    np.testing.assert_allclose(events.outputs, nengo.outputs, atol=1e-6, rtol=0)
    np.testing.assert_array_equal(events.predictions(), nengo.predictions())
    assert set(events.rasters) == set(nengo.rasters)
    assert ("hidden" in events.rasters) == (nonlinearity == "lif")
    for name in events.rasters:
        np.testing.assert_array_equal(events.rasters[name], nengo.rasters[name])
        np.testing.assert_array_equal(events.spike_counts[name], nengo.spike_counts[name])
        np.testing.assert_array_equal(events.synops_over_time[name], nengo.synops_over_time[name])


def test_spikes_and_operations_are_counted():
    network = small_network("lif")
    patterns, _ = network.encode(Recordings(3, seed=1), progress=False)
    recording = nt.run(network, patterns, engine="nengo", progress=False)
    decay = math.exp(-1 / network.layer.trace)
    prepared = prepare(network.layer)
    for number, pattern in enumerate(patterns):
        arrived = pattern != 0
        np.testing.assert_array_equal(recording.spike_counts["input"][number], arrived.sum(0))
        np.testing.assert_array_equal(recording.spikes_over_time["input"][number], arrived.sum(1))
        # a trace is a sum of spikes that decays: taking the decay out leaves the spikes
        traces = np.vstack([np.zeros(30), hidden_activity(prepared, pattern)])
        spikes = (traces[1:] - decay * traces[:-1]) / (1 - decay)
        fired = np.round(spikes).astype(int)
        np.testing.assert_allclose(spikes, fired, atol=1e-9)
        assert fired.sum() > 20
        np.testing.assert_array_equal(recording.spike_counts["hidden"][number], fired.sum(0))
        np.testing.assert_array_equal(recording.spikes_over_time["hidden"][number], fired.sum(1))
    inputs, hidden = (recording.spikes_over_time[name] for name in ("input", "hidden"))
    np.testing.assert_array_equal(recording.synops_over_time["input"], 30 * inputs)
    np.testing.assert_array_equal(recording.synops_over_time["hidden"], 2 * hidden)


@pytest.mark.parametrize("method", METHODS)
def test_decisions_are_those_of_a_reader_who_stops(method, rng):
    supervision = Supervision(np.array([0.5, 1.0, 0.3, -0.2]), n_steps=12, window=7, onset=2)
    outputs = rng.normal(size=(5, 12, 3))
    found = determine_over_time(outputs, method, supervision)
    for sample, chosen in zip(outputs, found):
        for step in range(12):
            taught = [k for k in range(7, 11) if k <= step]  # 12 - 7 + 2, and four steps
            if not taught:
                assert chosen[step] == sample[step].argmax()
                continue
            values = sample[taught]
            if method.startswith("weighted"):
                values = values * np.array([[0.5], [1.0], [0.3], [-0.2]])[: len(taught)]
            score = values.max(0) if method.endswith("max") else values.sum(0)
            assert chosen[step] == score.argmax()
    assert (found[:, -1] == determine(outputs[:, 5:], method, supervision)).all()
    with pytest.raises(DataError, match=r"12, n_classes\), the steps of the pattern"):
        determine_over_time(outputs[:, 1:], method, supervision)


def test_recordings_of_minibatches_keep_their_decisions(rng):
    def part(n, decisions):
        outputs = rng.normal(size=(n, 4, 3))
        return Recording(outputs, {}, {}, {}, 0.001, "nengo", decisions=decisions)

    parts = [part(2, rng.integers(3, size=(2, 4))), part(1, rng.integers(3, size=(1, 4)))]
    joined = Recording.concatenate(parts)
    np.testing.assert_array_equal(joined.predictions()[:2], parts[0].decisions)
    np.testing.assert_array_equal(joined.predictions()[2:], parts[1].decisions)
    bare = Recording.concatenate([part(2, None)])
    np.testing.assert_array_equal(bare.predictions(), bare.outputs.argmax(2))


def test_a_network_learns_on():
    network = small_network()
    blank = dataclasses.replace(network, weights=np.zeros((2, 30)))
    net = blank.build(rule=Opium)
    with simulator(net) as sim:
        state = learn(sim, net, Samples(Recordings(), LAYOUT), network.supervision, progress=False)
    np.testing.assert_allclose(state.weights, network.weights, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"engine": "loihi"}, r"'loihi', which filters .* use 'event' or 'nengo-dl' or 'nengo'"),
        ({"engine": "brian"}, r"'brian', which is unknown: use 'event'"),
        ({"threads": 0.5}, "threads is 0.5"),
        ({"n_steps": 60}, "n_steps is 60, a SKIM network reads patterns of 50 steps"),
        ({"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_runs_that_are_refused(options, words):
    network = small_network()
    with pytest.raises(EngineError, match=words):
        nt.run(network, np.zeros((1, 50, 12)), progress=False, **options)


def test_no_engine_keeps_its_state():
    with pytest.raises(EngineError, match=r"of a SkimNetwork as a whole .*: use nengo_tactile.run"):
        nt.start(small_network())


def test_patterns_that_are_refused():
    network = small_network()
    for engine in network.engines:
        with pytest.raises(DataError, match="no samples"):
            nt.run(network, [], engine=engine)
        with pytest.raises(DataError, match=r"sample 0: .*\(50, 3\)"):
            nt.run(network, np.zeros((1, 50, 3)), engine=engine)


def test_parts_that_do_not_fit():
    network = small_network()
    for change, words in [
        ({"weights": np.zeros((2, 29))}, r"shape \(2, 29\).*30 hidden"),
        ({"weights": np.full((2, 30), np.nan)}, "60 values that are not finite"),
        ({"classes": ("one",)}, "1 class names .* 2 outputs"),
        ({"method": "median"}, "'median': choose one of max"),
        ({"layout": PatternLayout((4, 3, 2))}, "360 steps, the supervision 50"),
        (
            {"layout": dataclasses.replace(LAYOUT, down_sampling=2)},
            "4 channels, the hidden layer 12",
        ),
    ]:
        with pytest.raises(DataError, match=words):
            dataclasses.replace(network, **change)


def test_a_layer_knows_how_it_was_drawn():
    for kind in ("alpha", "resonance", "delay-gaussian"):
        layer = small_layer("lif", kind, seed=np.int64(3))
        assert layer.drawn["tau"] == (4.0, 12.0)
        assert draw_layer(**layer.drawn).fingerprint() == layer.fingerprint()
        by_hand = dataclasses.replace(layer, drawn=None)
        assert by_hand.fingerprint() == layer.fingerprint()
    # without a seed one is made, and known
    layer = draw_layer(3, 2, None)
    assert draw_layer(**layer.drawn).fingerprint() == layer.fingerprint()


def test_on_recorded_digits(data_dir):
    data = open_dataset("nmnist", "train", data_dir)
    chosen = np.random.default_rng(0).permutation(len(data))
    layer = draw_layer(60, 34 * 34, 0, scale=3.0)
    supervision = Supervision(training_pattern("flat", 10))
    weights, _ = train(layer, Samples(data, PatternLayout(), chosen[:40]), supervision, 10)
    network = SkimNetwork(layer, weights, supervision, classes=data.classes)
    patterns = [Samples(data, network.layout, chosen[40:43])[number][0] for number in range(3)]
    for engine in ENGINES:
        recording = nt.run(network, patterns, engine=engine, progress=False)
        found = recording.outputs[:, supervision.first :]
        np.testing.assert_allclose(found, network.window_outputs(patterns), atol=1e-5, rtol=0)
        assert (recording.predictions()[:, -1] == network.predict(patterns)).all()
