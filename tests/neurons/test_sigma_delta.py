"""Sigma-delta neurons against a brute-force reading of the paper's Algorithm 1 and closed forms."""

import functools

import nengo
import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.errors import EngineError
from tests.support import driven_neurons

pytestmark = pytest.mark.filterwarnings(
    r"ignore::DeprecationWarning:(nengo|nengo_dl|nengo_loihi)\b"
)

N_NEURONS, N_STEPS, DT = 30, 150, 0.001
STATES = ("output", "voltage", "sent", "spike_count")
simulate = functools.partial(driven_neurons.simulate, states=STATES, dt=DT)
SETTINGS = (
    {},
    {"threshold": 0.5},
    {"threshold": 2.0, "amplitude": 0.25},
    {"threshold": 0.5, "rectify": False},
    {"threshold": 4.0, "rectify": False, "amplitude": 1.0},
)


def sigma_delta(**settings):
    from nengo_tactile.neurons.sigma_delta import SigmaDelta

    return SigmaDelta(**settings)


def algorithm_1(weights, signs, bias, threshold=1.0, rectify=True):
    """The paper's Algorithm 1, word for word, for one neuron.

    Returns spikes, membrane potential and quantised membrane potential after each incoming spike.
    """
    v_mem, v_mem_q, rows = bias, 0.0, []
    for weight, sign in zip(weights, signs):
        fired = 0
        v_mem = v_mem + weight * sign
        diff = (max(v_mem, 0.0) if rectify else v_mem) - v_mem_q
        if diff >= threshold:
            fired = 1
            v_mem_q = v_mem_q + threshold
        if diff <= -threshold:
            fired = -1
            v_mem_q = v_mem_q - threshold
        rows.append((fired, v_mem, v_mem_q))
    return np.array(rows).T


def dyadic(rng, shape, deviation):
    return np.round(256 * rng.normal(0, deviation, shape)) / 256


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_one_incoming_spike_a_step_is_algorithm_1_bit_by_bit(settings, rng):
    weights = dyadic(rng, (N_STEPS, N_NEURONS), 0.8)
    signs = rng.choice([-1, 1], (N_STEPS, N_NEURONS), p=[0.4, 0.6])
    bias = dyadic(rng, N_NEURONS, 2.0)
    neuron_type = sigma_delta(initial_state={"voltage": bias}, **settings)
    threshold, rectify = settings.get("threshold", 1.0), settings.get("rectify", True)
    amplitude = settings.get("amplitude", threshold)
    total = 0
    for engine in ("nengo", "dl"):
        ((output, voltage, sent, count),) = simulate(engine, [neuron_type], weights * signs)
        for neuron in range(N_NEURONS):
            fired, v_mem, v_mem_q = algorithm_1(
                weights[:, neuron], signs[:, neuron], bias[neuron], threshold, rectify
            )
            np.testing.assert_array_equal(output[:, neuron], amplitude * fired)
            np.testing.assert_array_equal(voltage[:, neuron], v_mem)
            np.testing.assert_array_equal(threshold * sent[:, neuron], v_mem_q)
            np.testing.assert_array_equal(count[:, neuron], np.abs(fired).cumsum())
            total += np.abs(fired).sum()
        assert (output > 0).any() and (output < 0).any()
        assert (sent.min() < 0) == (not rectify)
    assert total > 100


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_at_rest_less_than_a_threshold_is_missing(settings, rng):
    """Whatever came before, and however large the jumps."""
    currents = rng.normal(0, 3, (N_STEPS, N_NEURONS))
    currents[60:] = 0
    neuron_type = sigma_delta(initial_state={"voltage": rng.normal(0, 3, N_NEURONS)}, **settings)
    for engine in ("nengo", "dl"):
        ((output, voltage, sent, _),) = simulate(engine, [neuron_type], currents)
        potential = voltage[-1] if not settings.get("rectify", True) else np.maximum(voltage[-1], 0)
        threshold = settings.get("threshold", 1.0)
        assert not output[-1].any()
        assert (np.abs(potential - threshold * sent[-1]) < threshold).all()
        np.testing.assert_array_equal(sent[-1], np.sign(output).sum(axis=0))
        assert np.abs(sent[-1]).max() > 3


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_rising_potential_is_quantised_downwards(settings):
    """The closed form that rates and the Keras layer give, for numbers of either sign."""
    from nengo_tactile.ann.sigma_delta import sigma_delta_layer

    wanted = np.linspace(-9, 9, N_NEURONS)
    wanted[0], wanted[-1] = -8, 8  # whole multiples too
    currents = np.zeros((N_STEPS, N_NEURONS))
    currents[:64] = np.round(wanted * 16) / 16 / 64
    neuron_type = sigma_delta(**settings)
    ((output, voltage, sent, _),) = simulate("dl", [neuron_type], currents)
    rates = neuron_type.rates(voltage[-1][None], np.ones(N_NEURONS), np.zeros(N_NEURONS))
    np.testing.assert_array_equal(output.sum(axis=0), rates[0])
    parameters = {key: value for key, value in settings.items() if key != "amplitude"}
    layer = sigma_delta_layer()(**{"threshold": 1.0, **parameters})
    static = layer(voltage[-1][None].astype(np.float32)).numpy()[0]
    np.testing.assert_array_equal(settings.get("threshold", 1.0) * sent[-1], static)


def test_a_potential_that_fell_back_keeps_up_to_one_spike_more():
    """Hysteresis: the paper's Figure 1 at an input a little above 1, from below and from above."""
    currents = np.zeros((40, 2))
    currents[:9] = 0.125
    currents[20:27, 1] = 0.125  # to 2, and back
    currents[30:37, 1] = -0.125
    ((_, voltage, sent, _),) = simulate("nengo", [sigma_delta()], currents)
    assert voltage[-1].tolist() == [1.125, 1.125] and sent[-1].tolist() == [1, 2]


def test_a_jump_over_several_thresholds_is_sent_over_as_many_steps():
    currents = np.zeros((12, 1))
    currents[2], currents[7] = 3.5, -9.0
    for engine in ("nengo", "dl"):
        ((output, _, _, count),) = simulate(engine, [sigma_delta()], currents)
        assert output[:, 0].tolist() == [0, 0, 1, 1, 1, 0, 0, -1, -1, -1, 0, 0]
        assert count[-1] == 6


def test_a_bias_of_a_threshold_is_sent_without_any_input():
    neuron_type = sigma_delta(initial_state={"voltage": np.array([2.5, 1.0, 0.99, -4.0])})
    for engine in ("nengo", "dl"):
        ((_, _, sent, _),) = simulate(engine, [neuron_type], np.zeros((4, 4)))
        assert sent[-1].tolist() == [2, 1, 0, 0]


def test_nengo_dl_merges_neurons_of_different_parameters(rng):
    currents = dyadic(rng, (N_STEPS, N_NEURONS), 1.0)
    kinds = [
        sigma_delta(initial_state={"voltage": np.full(N_NEURONS, i / 8)}, **settings)
        for i, settings in enumerate(SETTINGS)
    ]
    # amplitudes that NengoDL's own constants would take for equal
    kinds += [sigma_delta(amplitude=amplitude) for amplitude in (2.0**-30, 2.0**-31)]
    driven_neurons.assert_merged(kinds, currents, states=STATES, dt=DT)


def test_in_training_nengo_dl_sees_the_activation(rng):
    tf, nengo_dl = stack.tensorflow(), stack.nengo_dl()
    current = rng.uniform(-2, 2, N_NEURONS)
    with nengo.Network(seed=0) as net:
        node = nengo.Node(np.zeros(N_NEURONS))
        neurons = nengo.Ensemble(
            N_NEURONS, 1, neuron_type=sigma_delta(threshold=0.5, amplitude=1.0)
        ).neurons
        nengo.Connection(node, neurons, synapse=None)
        nengo.Probe(neurons)
    with stack.quiet_build(), nengo_dl.Simulator(net, dt=DT, progress_bar=False) as sim:
        inputs = [tf.constant(current[None, None], tf.float32), tf.constant([[1]])]
        trained = np.array(tf.nest.flatten(sim.keras_model(inputs, training=True))[0]).ravel()
    np.testing.assert_allclose(trained, 2 * np.maximum(current, 0), rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threshold": 0.0}, "threshold is 0.0: it must be finite"),
        ({"threshold": -1.0}, "threshold is -1.0"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"threshold": float("inf")}, "threshold is inf"),
        ({"amplitude": 0.0}, "amplitude is 0.0"),
    ],
)
def test_parameters_out_of_range_are_refused(settings, message):
    with pytest.raises(EngineError, match=message):
        sigma_delta(**settings)


@pytest.mark.parametrize("start", [np.zeros(N_NEURONS - 1), np.full(N_NEURONS, np.nan)])
def test_a_start_that_is_not_one_number_per_neuron_is_refused(start):
    neuron_type = sigma_delta(initial_state={"voltage": start})
    with pytest.raises(EngineError, match=rf"'voltage' .* each of the {N_NEURONS} neurons"):
        simulate("nengo", [neuron_type], np.zeros((2, N_NEURONS)))


def test_the_read_out_puts_out_the_sum_so_far(rng):
    from nengo_tactile.neurons.sigma_delta import Accumulate

    currents, start = dyadic(rng, (N_STEPS, N_NEURONS), 1.0), dyadic(rng, N_NEURONS, 1.0)
    for engine in ("nengo", "dl"):
        ((output, voltage),) = simulate(engine, [Accumulate({"voltage": start})], currents)
        np.testing.assert_array_equal(output, start + currents.cumsum(axis=0))
        np.testing.assert_array_equal(output, voltage)


def test_a_read_out_that_forgets(rng):
    from nengo_tactile.neurons.sigma_delta import Accumulate

    currents, start = dyadic(rng, (N_STEPS, N_NEURONS), 1.0), dyadic(rng, N_NEURONS, 1.0)
    kept = 0.75 ** np.arange(N_STEPS + 1)
    wanted = [kept[t + 1] * start + kept[t::-1] @ currents[: t + 1] for t in range(N_STEPS)]
    for engine in ("nengo", "dl"):
        forgets, keeps = Accumulate({"voltage": start}, decay=0.25), Accumulate({"voltage": start})
        found = simulate(engine, [keeps, forgets], currents)[1]
        np.testing.assert_allclose(found[0], wanted, rtol=1e-5, atol=1e-5)
