"""Spike response and current-based neurons, axonal delays: closed forms, loops, each other."""

import functools

import nengo
import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.errors import EngineError
from tests.support import driven_neurons
from tests.support.driven_neurons import simulator

pytestmark = pytest.mark.filterwarnings(
    r"ignore::DeprecationWarning:(nengo|nengo_dl|nengo_loihi)\b"
)

N_NEURONS, N_STEPS, DT = 30, 80, 2.0**-10
simulate = functools.partial(driven_neurons.simulate, dt=DT)
SPIKE_RESPONSES = ({}, {"tau_r": 1.0, "threshold": 2.5}, {"refractory": 0.0, "amplitude": 0.5})
CURRENT_BASED = (
    {},
    {"current_decay": 1.0, "threshold": 3.0},
    {"voltage_decay": 1.0},
    {"reset": "subtract"},
    {"voltage_decay": 0.0, "reset": "subtract", "spikes_per_step": 4, "floor": -2.0},
    {"voltage_decay": 0.0, "floor": -10.0},
    {"whole": True, "threshold": 8.0},
)
ENGINES = ("nengo", "dl")


def spike_response(**settings):
    from nengo_tactile.neurons.spike_response import SpikeResponse

    return SpikeResponse(**settings)


def current_based(**settings):
    from nengo_tactile.neurons.current_based import CurrentBased

    return CurrentBased(**settings)


def by_kernels(currents, tau_r=5.0, threshold=10.0, refractory=2.0, amplitude=1.0):
    """Potential and output of one spike response neuron, each past spike by its kernel."""
    fired, rows = [], []
    for t, current in enumerate(currents):
        k = t - np.array(fired)
        nu = -refractory * threshold * k / tau_r * np.exp(1 - k / tau_r)
        potential = current + nu.sum()
        if potential >= threshold:
            fired.append(t)
        rows.append((amplitude * (potential >= threshold) / DT, potential))
    return np.array(rows).T


def by_loop(
    currents, current_decay=0.25, voltage_decay=0.03, threshold=10.0, reset="zero",
    spikes_per_step=1, floor=-np.inf, whole=False,
):  # fmt: skip
    """Output and voltage of one current-based neuron."""
    i = v = 0.0
    rows = []
    for current in currents:
        i, v = (1 - current_decay) * i, (1 - voltage_decay) * v
        if whole:
            i, v = int(i), int(v)
        i += current
        v = max(v + i, floor)
        spikes = 0
        while v >= threshold and spikes < spikes_per_step:
            v = 0.0 if reset == "zero" else v - threshold
            spikes += 1
        rows.append((spikes / DT, v))
    return np.array(rows).T


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("settings", SPIKE_RESPONSES, ids=str)
def test_spike_response_equals_the_sum_over_its_spikes(engine, settings, rng):
    threshold = settings.get("threshold", 10.0)
    currents = threshold * rng.normal(1, 1, (N_STEPS, N_NEURONS))
    ((output, voltage, count),) = simulate(engine, [spike_response(**settings)], currents)
    for neuron in range(N_NEURONS):
        expected = by_kernels(currents[:, neuron], **settings)
        np.testing.assert_array_equal(output[:, neuron], expected[0])
        np.testing.assert_allclose(voltage[:, neuron], expected[1], atol=1e-4)
    np.testing.assert_array_equal(count, np.cumsum(output > 0, axis=0))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("settings", CURRENT_BASED, ids=str)
def test_current_based_equals_the_loop(engine, settings, rng):
    currents = rng.normal(0.6, 2, (N_STEPS, N_NEURONS))
    ((output, voltage, count),) = simulate(engine, [current_based(**settings)], currents)
    for neuron in range(N_NEURONS):
        expected = by_loop(currents[:, neuron], **settings)
        np.testing.assert_array_equal(output[:, neuron], expected[0])
        np.testing.assert_allclose(voltage[:, neuron], expected[1], atol=1e-4)
    np.testing.assert_array_equal(count, np.cumsum(output > 0, axis=0))
    assert 0 < (output > 0).mean() < 0.5


@pytest.mark.parametrize("engine", ENGINES)
def test_one_spike_leaves_the_refractory_kernel_behind(engine):
    currents = np.zeros((40, 1))
    currents[3] = 10.0
    ((voltage,),) = simulate(engine, [spike_response(tau_r=4.0)], currents, ["voltage"])
    k = np.arange(37)
    np.testing.assert_allclose(voltage[3:, 0] - currents[3:, 0], -5 * k * np.exp(1 - k / 4), 1e-5)
    assert voltage.min() == pytest.approx(-20, rel=1e-6)  # two thresholds, at four steps


@pytest.mark.parametrize("engine", ENGINES)
def test_one_input_spike_gives_the_closed_form_of_two_leaks(engine):
    currents = np.zeros((40, 1))
    currents[2] = 1.0
    ((voltage,),) = simulate(engine, [current_based(threshold=1e3)], currents, ["voltage"])
    t = np.arange(38)
    closed = (0.97 ** (t + 1) - 0.75 ** (t + 1)) / (0.97 - 0.75)
    np.testing.assert_allclose(voltage[2:, 0], closed, rtol=1e-5)


@pytest.mark.parametrize("make", [spike_response, current_based])
def test_neurons_of_different_parameters_in_one_network(make, rng):
    kinds = [make(), make(threshold=3.0), make(amplitude=2.0)]
    if make is current_based:
        kinds += [make(**settings) for settings in CURRENT_BASED]
    currents = rng.normal(2, 4, (N_STEPS, N_NEURONS))
    together = simulate("dl", kinds, currents)
    for kind, states in zip(kinds, together):
        (alone,) = simulate("nengo", [kind], currents)
        np.testing.assert_array_equal(states[0], alone[0])


@pytest.mark.parametrize(
    "kind",  # rounding takes some of what just reaches the threshold
    [spike_response(), *(current_based(**each) for each in CURRENT_BASED if "whole" not in each)],
    ids=str,
)
def test_rates_are_those_of_the_running_neuron(kind):
    current = np.linspace(-5, 30, 36) + 0.01
    rates = kind.rates(current, np.ones(1), np.zeros(1))[:, 0]
    output = simulate("nengo", [kind], np.tile(current, (1300, 1)))[0][0]
    np.testing.assert_allclose(rates, DT * output[300:].sum(axis=0), atol=2)
    low = kind.lowest_current
    np.testing.assert_array_equal(rates > 0, current > low)
    assert kind.max_rates_intercepts(np.ones(2), np.zeros(2))[1] == pytest.approx([low, low])


@pytest.mark.parametrize("engine", ENGINES)
def test_delays_are_exact_for_each_neuron_also_none(engine, rng):
    from nengo_tactile.neurons.axonal_delay import AxonalDelay

    delays = rng.integers(0, 9, N_NEURONS)
    delays[:2] = 0, 8
    signals = rng.random((N_STEPS, N_NEURONS)) < 0.3
    with nengo.Network(seed=0) as net:
        node = nengo.Node(nengo.processes.PresentInput(signals, DT), size_out=N_NEURONS)
        probes = []
        for each in (delays, delays[::-1]):  # two, which NengoDL must not merge
            axons = nengo.Node(AxonalDelay(each), size_in=N_NEURONS)
            nengo.Connection(node, axons, synapse=None)
            probes.append(nengo.Probe(axons))
    with stack.quiet_build(), simulator(engine)(net, dt=DT, progress_bar=False) as sim:
        sim.run_steps(N_STEPS)
        for each, probe in zip((delays, delays[::-1]), probes):
            for neuron, delay in enumerate(each):
                expected = np.concatenate([np.zeros(delay), signals[:, neuron]])[:N_STEPS]
                np.testing.assert_array_equal(sim.data[probe][:, neuron], expected)


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (spike_response, {"tau_r": 0}, "SpikeResponse tau_r is 0: it must be finite and above"),
        (spike_response, {"threshold": np.inf}, "SpikeResponse threshold is inf"),
        (spike_response, {"refractory": -1}, "refractory is -1: it must be finite and from zero"),
        (spike_response, {"amplitude": np.nan}, "SpikeResponse amplitude is nan"),
        (current_based, {"current_decay": 0}, "current_decay is 0, .*give shares to 1, of the"),
        (current_based, {"voltage_decay": 1.5}, "voltage_decay 1.5: give shares"),
        (current_based, {"threshold": -2}, "CurrentBased threshold is -2"),
        (current_based, {"reset": "half"}, "reset is 'half'"),
        (current_based, {"spikes_per_step": 2}, "several spikes a step need reset 'subtract'"),
        (current_based, {"floor": 1.0}, "a floor is at most zero"),
    ],
)
def test_parameters_out_of_range_are_refused(make, settings, message):
    with pytest.raises(EngineError, match=message):
        make(**settings)


def test_a_start_that_is_no_number_is_refused():
    kind = spike_response(initial_state={"trace": np.array([0.0, np.nan])})
    with pytest.raises(EngineError, match="1 values that are not finite"):
        kind.make_state(2)


@pytest.mark.parametrize(
    ("delays", "message"),
    [
        ([], r"have shape \(0,\)"),
        ([[1]], r"have shape \(1, 1\)"),
        ([0, 1.5], "neuron 1 is 1.5 steps"),
        ([-1], "neuron 0 is -1.0 steps"),
    ],
)
def test_delays_that_are_none_are_refused(delays, message):
    from nengo_tactile.neurons.axonal_delay import AxonalDelay

    with pytest.raises(EngineError, match=message):
        AxonalDelay(delays)


def test_one_delay_for_each_neuron():
    from nengo_tactile.neurons.axonal_delay import AxonalDelay

    with pytest.raises(EngineError, match="delays for 2 neurons"):
        AxonalDelay([1, 2]).make_state((3,), (3,), DT)
