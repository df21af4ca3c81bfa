"""The Nengo network against the batch trainer: the same outputs, the same weights online."""

import nengo
import numpy as np
import pytest

from nengo_tactile.datasets import NMNIST
from nengo_tactile.errors import DataError, EngineError
from nengo_tactile.nengo_runs import simulator
from nengo_tactile.skim import learning, network, opium, trainer
from nengo_tactile.skim.activity import prepare
from nengo_tactile.skim.layer import draw_layer
from nengo_tactile.skim.supervision import Supervision, determine, training_pattern

N_STEPS, N_CHANNELS, N_CLASSES, N_HIDDEN = 50, 9, 3, 30
SUPERVISION = Supervision(training_pattern("gaussian", 8, mu=4, sigma=2), n_steps=50, window=10)
SPANS = {"tau": (4, 12)}


def draw_samples(n, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(N_CLASSES, size=n)
    patterns = rng.integers(-1, 2, (n, N_STEPS, N_CHANNELS)) * (rng.random((n, 50, 9)) < 0.2)
    for pattern, label in zip(patterns, labels):
        pattern[10 + 10 * label : 20 + 10 * label, 3 * label : 3 * label + 3] += 1
    return list(zip(patterns.astype(float), labels))


def trained(nonlinearity, kind="alpha", n=12):
    spans = SPANS | ({"delay": (0, 9)} if "delay" in kind else {})
    spans |= {"period": (10, 30)} if kind == "resonance" else {}
    layer = draw_layer(N_HIDDEN, N_CHANNELS, 0, kind, nonlinearity, scale=8.0, **spans)
    weights, _ = trainer.train(layer, draw_samples(n), SUPERVISION, N_CLASSES)
    return layer, weights


CASES = [("tanh", "alpha"), ("tanh", "delay-gaussian"), ("tanh", "resonance"), ("relu", "leaky")]
CASES += [("relu", "delay-alpha"), ("lif", "alpha"), ("lif", "delay-alpha")]


@pytest.mark.parametrize("engine", network.ENGINES)
@pytest.mark.parametrize(("nonlinearity", "kind"), CASES)
def test_outputs_are_the_batch_trainers(nonlinearity, kind, engine):
    layer, weights = trained(nonlinearity, kind)
    patterns = [pattern for pattern, _ in draw_samples(5, seed=1)]
    found = network.outputs(network.build(layer, weights), patterns, engine, batch_size=2)
    assert found.shape == (5, N_STEPS, N_CLASSES)
    expected = trainer.read_out(layer, weights, patterns, SUPERVISION)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found[:, SUPERVISION.first :], expected, atol=1e-5, rtol=0)
    classes = determine(expected, "area", SUPERVISION)
    assert (determine(found[:, SUPERVISION.first :], "area", SUPERVISION) == classes).all()


def test_steps_may_be_longer():
    layer, weights = trained("lif")
    patterns = [pattern for pattern, _ in draw_samples(2, seed=1)]
    found = network.outputs(network.build(layer, weights, dt=0.002), patterns)
    expected = network.outputs(network.build(layer, weights), patterns)
    np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("nonlinearity", ["tanh", "lif"])
def test_learning_online_gives_the_batch_trainers_weights(nonlinearity, tmp_path):
    layer, weights = trained(nonlinearity, n=12)
    samples, path = draw_samples(12), tmp_path / "state.npz"
    net = network.build(layer, np.zeros((N_CLASSES, N_HIDDEN)), learning.Opium)
    with simulator(net) as sim:
        network.learn(sim, net, samples[:3], SUPERVISION)
        opium.save_state(path, network.learn(sim, net, iter(samples[3:7]), SUPERVISION))

    def rule(n_outputs, pre_synapse):
        return learning.Opium(n_outputs, inverse=saved.inverse, pre_synapse=pre_synapse)

    saved = opium.load_state(path)
    net = network.build(layer, saved.weights, rule)
    with simulator(net) as sim:
        state = network.learn(sim, net, samples[7:], SUPERVISION)
    assert np.linalg.norm(state.weights - weights) < 1e-6 * np.linalg.norm(weights)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_pes_takes_the_error_of_the_window(nonlinearity):
    """Nengo's rule, by its equation: MacNeil and Eliasmith 2011, equation 8."""
    layer, _ = trained(nonlinearity)
    samples, rate, weights = draw_samples(6), 5000.0, np.zeros((N_CLASSES, N_HIDDEN))
    net = network.build(layer, weights, learning.pes(rate))
    with simulator(net) as sim:
        network.learn(sim, net, samples[:2], SUPERVISION)
        state = network.learn(sim, net, samples[2:], SUPERVISION)
    activity, targets = trainer.observations(prepare(layer), samples, SUPERVISION, N_CLASSES)
    for shown, wanted in zip(activity, targets):
        for x, y in zip(shown, wanted):
            weights += rate * net.dt / N_HIDDEN * np.outer(y - weights @ x, x)
    assert np.abs(weights).max() > 0.01
    np.testing.assert_allclose(state.weights, weights, atol=1e-9)
    assert state.inverse is None


def test_the_heart_is_made_of_ensembles_and_connections():
    layer, weights = trained("tanh")
    net = network.build(layer, weights)
    assert [ensemble.n_neurons for ensemble in net.all_ensembles] == [N_HIDDEN]
    assert {node for node in net.all_nodes if node.output is not None} == {net.input}
    assert len(net.all_connections) == 2


def test_a_step_has_what_arrives_in_it():
    layer = draw_layer(N_HIDDEN, N_CHANNELS, 0, "leaky", tau=(5, 9))
    weights = np.eye(2, N_HIDDEN)
    pattern = np.zeros((1, N_STEPS, N_CHANNELS))
    pattern[0, 20, 4] = 1
    found = network.outputs(network.build(layer, weights), pattern)[0]
    assert (found[:20] == 0).all()
    np.testing.assert_allclose(found[20], np.tanh(layer.input_weights[:2, 4]), atol=1e-12)


def test_bad_use_is_refused():
    layer, weights = trained("tanh")
    net = network.build(layer, weights)
    with pytest.raises(DataError, match=r"shape \(3, 4\), but there are 30 hidden"):
        network.build(layer, np.zeros((3, 4)))
    with pytest.raises(DataError, match="90 values that are not finite"):
        network.build(layer, weights * np.nan)
    with pytest.raises(EngineError, match="'loihi': SKIM networks run on nengo and nengo-dl"):
        network.outputs(net, np.zeros((1, 50, 9)), "loihi")
    with pytest.raises(DataError, match="no samples to run"):
        network.outputs(net, [])
    with pytest.raises(DataError, match=r"sample 0: .*\(50, 4\)"):
        network.outputs(net, np.zeros((1, 50, 4)))
    with pytest.raises(EngineError, match="built without a learning rule"):
        network.learn(None, net, [], SUPERVISION)
    net = network.build(layer, weights, learning.Opium)
    with simulator(net) as sim, pytest.raises(DataError, match="sample 1: label 3"):
        network.learn(sim, net, [*draw_samples(1), (np.zeros((50, 9)), 3)], SUPERVISION)
    assert isinstance(net, nengo.Network)


@pytest.mark.parametrize("nonlinearity", ["tanh", "lif"])
def test_outputs_for_recorded_digits_are_the_batch_trainers(nonlinearity, data_dir):
    recordings = NMNIST(data_dir, split="train")
    samples = []
    for index in range(8):  # equations 2 to 4 of Cohen et al. 2016, event by event
        pattern = np.zeros((360, 34 * 34))
        for x, y, t, p in recordings.read_events(index)[["x", "y", "t", "p"]].tolist():
            pattern[t // 1000, x + 34 * y] += 1 if p else -1
        samples.append((pattern, recordings.targets[index]))
    supervision = Supervision(training_pattern("flat", 10))
    layer = draw_layer(100, 34 * 34, 0, nonlinearity=nonlinearity, scale=3.0)
    weights, _ = trainer.train(layer, samples, supervision, 10)
    patterns = [pattern for pattern, _ in samples[:2]]
    expected = trainer.read_out(layer, weights, patterns, supervision)
    for engine in network.ENGINES:
        found = network.outputs(network.build(layer, weights), patterns, engine)
        np.testing.assert_allclose(found[:, supervision.first :], expected, atol=1e-5, rtol=0)
