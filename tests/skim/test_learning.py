"""OPIUM as Nengo learning rules against the ridge solution of what the neurons did."""

import nengo
import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.errors import DataError, EngineError
from nengo_tactile.skim import opium
from nengo_tactile.skim.learning import Opium, OpiumDynamic, OpiumLight, learnt, pes, rest
from tests.support.measures import relative
from tests.support.skim_networks import ridge_solution

N_HIDDEN, N_OUTPUTS, N_STEPS = 15, 2, 60


def teaching(seed=0):
    """Inputs, targets and gates, (n_steps, ...) each."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(N_STEPS, 3))
    targets = np.column_stack([np.sin(inputs).sum(1), inputs[:, 0] * inputs[:, 1]])
    return inputs, targets, (rng.random(N_STEPS) < 0.6).astype(float)


def network(rule, inputs, targets, gates, neuron_type=None, synapse=None, transform=None):
    rng = np.random.default_rng(5)
    neuron_type = nengo.Tanh(tau_ref=1) if neuron_type is None else neuron_type
    with nengo.Network(seed=0) as net:
        source = nengo.Node(nengo.processes.PresentInput(inputs, 0.001))
        teacher = nengo.Node(nengo.processes.PresentInput(np.column_stack([targets, gates]), 0.001))
        hidden = nengo.Ensemble(
            N_HIDDEN,
            1,
            neuron_type=neuron_type,
            gain=np.ones(N_HIDDEN),
            bias=rng.uniform(-1, 1, N_HIDDEN),
        )
        nengo.Connection(
            source, hidden.neurons, transform=rng.normal(size=(N_HIDDEN, 3)), synapse=None
        )
        out = nengo.Node(size_in=N_OUTPUTS)
        net.connection = nengo.Connection(
            hidden.neurons,
            out,
            transform=np.zeros((N_OUTPUTS, N_HIDDEN)) if transform is None else transform,
            synapse=synapse,
            learning_rule_type=rule,
        )
        nengo.Connection(teacher, net.connection.learning_rule, synapse=None)
        net.activity = nengo.Probe(hidden.neurons, synapse=None)
        net.out = nengo.Probe(out)
        net.error = nengo.Probe(net.connection.learning_rule, "error")
    return net


def test_opium_is_the_ridge_solution_of_the_gated_steps():
    inputs, targets, gates = teaching()
    net = network(Opium(N_OUTPUTS, ridge=0.5), inputs, targets, gates)
    with stack.quiet_build(), nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(N_STEPS)
        x, open_ = sim.data[net.activity], gates > 0
        state = learnt(sim, net.connection)
        errors, out = sim.data[net.error], sim.data[net.out]
    expected = ridge_solution(x[open_], targets[open_], 0.5)
    assert relative(state.weights, expected) < 1e-6
    correlation = x[open_].T @ x[open_] + 0.5 * np.eye(N_HIDDEN)
    assert relative(state.inverse @ correlation, np.eye(N_HIDDEN)) < 1e-6
    # the read-out of a step has the weights of all steps before it
    now = np.flatnonzero(open_)[-1]
    earlier = open_ & (np.arange(N_STEPS) < now)
    weights = ridge_solution(x[earlier], targets[earlier], 0.5)
    np.testing.assert_allclose(out[now], weights @ x[now], atol=1e-6)
    np.testing.assert_allclose(errors[now], targets[now] - out[now], atol=1e-6)
    assert (errors[~open_] == 0).all()


@pytest.mark.parametrize(
    ("rule", "update"),
    [
        (Opium(2, forgetting=0.97), lambda m, p, x, y: opium.opium(m, p, x, y, 0.97)),
        (OpiumDynamic(2, 0.2), lambda m, p, x, y: opium.opium_dynamic(m, p, x, y, 0.2)),
        (OpiumLight(2, 3.0), lambda m, p, x, y: opium.opium_light(m, x, y, 3.0)),
    ],
    ids=["forgetting", "dynamic", "light"],
)
def test_rules_do_their_updates(rule, update):
    inputs, targets, gates = teaching(1)
    net = network(rule, inputs, targets, gates)
    with stack.quiet_build(), nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(N_STEPS)
        state, x = learnt(sim, net.connection), sim.data[net.activity]
    weights, inverse = np.zeros((2, N_HIDDEN)), np.eye(N_HIDDEN)
    for step in np.flatnonzero(gates):
        update(weights, inverse, x[step], targets[step])
    np.testing.assert_allclose(state.weights, weights, atol=1e-9)
    if isinstance(rule, OpiumLight):
        assert state.inverse is None
    else:
        np.testing.assert_allclose(state.inverse, inverse, atol=1e-9)


def test_spikes_are_learnt_from_through_a_synapse():
    inputs, targets, gates = teaching(2)
    rule = Opium(2, pre_synapse=0.005)
    net = network(rule, 3 * inputs, targets, gates, nengo.LIF(amplitude=0.001), synapse=0.005)
    with stack.quiet_build(), nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(N_STEPS)
        spikes, state = sim.data[net.activity], learnt(sim, net.connection)
    assert spikes.any()
    traces = np.zeros_like(spikes)
    decay = np.exp(-0.001 / 0.005)
    for step in range(1, N_STEPS):  # Nengo's synapses act from the next step on
        traces[step] = decay * traces[step - 1] + (1 - decay) * spikes[step - 1]
    open_ = gates > 0
    assert relative(state.weights, ridge_solution(traces[open_], targets[open_])) < 1e-6


def test_training_goes_on_from_a_saved_state(tmp_path):
    inputs, targets, gates = teaching(3)
    gates[N_STEPS // 2 - 1] = 1  # the very last observation is not lost
    half = slice(0, N_STEPS // 2), slice(N_STEPS // 2, N_STEPS)
    rule, transform, xs = Opium(2), None, []
    for part in half:
        net = network(rule, inputs[part], targets[part], gates[part], transform=transform)
        with stack.quiet_build(), nengo.Simulator(net, progress_bar=False) as sim:
            sim.run_steps(N_STEPS // 2)
            opium.save_state(tmp_path / "state.npz", learnt(sim, net.connection))
            xs.append(sim.data[net.activity].copy())
        state = opium.load_state(tmp_path / "state.npz")
        rule, transform = Opium(2, inverse=state.inverse), state.weights
    open_ = gates > 0
    expected = ridge_solution(np.concatenate(xs)[open_], targets[open_])
    assert relative(state.weights, expected) < 1e-6


def test_rest_keeps_what_was_learnt_and_nothing_else():
    inputs, targets, gates = teaching(4)
    gates[-1] = 1
    lif = nengo.LIF(amplitude=0.001)
    net = network(Opium(2, pre_synapse=0.005), 3 * inputs, targets, gates, lif, 0.005)
    with stack.quiet_build(), nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(N_STEPS)
        first = learnt(sim, net.connection)
        rest(sim, net.connection)
        between = learnt(sim, net.connection)
        sim.run_steps(N_STEPS)
        spikes = sim.data[net.activity]
        state = learnt(sim, net.connection)
    np.testing.assert_array_equal(between.weights, first.weights)
    np.testing.assert_array_equal(between.inverse, first.inverse)
    np.testing.assert_array_equal(spikes[:N_STEPS], spikes[N_STEPS:])
    # the same observations twice: as if the ridge were half
    again = np.linalg.inv(2 * np.linalg.inv(first.inverse) - np.eye(N_HIDDEN))
    np.testing.assert_allclose(state.inverse, again, atol=1e-8)


def test_bad_use_is_refused():
    teach = teaching()
    with pytest.raises(DataError, match="ridge is 0"):
        Opium(2, ridge=0)
    for make, message in (
        (lambda: Opium(2, forgetting=0), "forgetting is 0"),
        (lambda: Opium(2, forgetting=1.1), r"forgetting is 1\.1"),
        (lambda: OpiumLight(2, 0), "gain is 0"),
        (lambda: OpiumDynamic(2, -1), "alpha is -1"),
        (lambda: pes(0), "PES learning_rate is 0"),
    ):
        with pytest.raises(EngineError, match=message):
            make()
    with pytest.raises(EngineError, match=r"inverse of shape \(3, 3\).*15 neurons"):
        nengo.Simulator(network(Opium(2, inverse=np.eye(3)), *teach), progress_bar=False)


def test_connections_that_do_not_fit_are_refused():
    with nengo.Network() as net:
        hidden = nengo.Ensemble(5, 1)
        connection = nengo.Connection(hidden, hidden, synapse=None, learning_rule_type=Opium(1))
    with pytest.raises(EngineError, match=r"connect from ensemble\.neurons"):
        nengo.Simulator(net, progress_bar=False)
    with nengo.Network() as net:
        hidden = nengo.Ensemble(5, 1)
        out = nengo.Node(size_in=2)
        nengo.Connection(
            hidden.neurons,
            out,
            transform=np.zeros((2, 5)),
            synapse=None,
            learning_rule_type=Opium(3),
        )
        plain = nengo.Connection(hidden, out[0], synapse=None)
    with pytest.raises(EngineError, match="for 3 outputs, but its connection has 2"):
        nengo.Simulator(net, progress_bar=False)
    with pytest.raises(EngineError, match="has the learning rule None"):
        learnt(None, plain)
    assert connection.learning_rule.size_in == 2
