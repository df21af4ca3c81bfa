"""Integrate-and-fire neurons against brute-force loops, the closed form and each other."""

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

# a time step that float32 holds exactly, so that outputs can be compared bit by bit
N_NEURONS, N_STEPS, DT = 40, 120, 2.0**-10
simulate = functools.partial(driven_neurons.simulate, dt=DT)
SETTINGS = (
    {},
    {"amplitude": 0.25},
    {"reset": "zero", "amplitude": 2.0},
    {"negative_slope": 0.25, "amplitude": 0.5},
    {"negative_slope": 1.0},
    {"signed": True},
    {"signed": True, "spikes_per_step": 3, "amplitude": 0.5},
    {"spikes_per_step": 2},
    {"negative_slope": 0.25, "spikes_per_step": 3},
    {"negative_slope": 0.5, "signed": True, "spikes_per_step": 2},
)


def integrate_fire(**settings):
    from nengo_tactile.neurons.integrate_fire import IntegrateFire

    return IntegrateFire(**{"max_rate": 1 / DT, **settings})


def dyadic_currents(rng, n_steps=N_STEPS, n_neurons=N_NEURONS):
    """Signed currents in multiples of 1/256: excitatory, inhibitory and mixed neurons."""
    means = np.linspace(-1.5, 1.5, n_neurons)
    return np.round(256 * (means + rng.normal(0, 1, (n_steps, n_neurons)))) / 256


def brute_force(
    currents,
    start,
    reset="subtract",
    negative_slope=0.0,
    amplitude=1.0,
    signed=False,
    spikes_per_step=1,
):
    """One neuron, one spike after the other: output times dt, potential, steps with a spike so far.

    What it has sent is the leaky ReLU of its net count; an output is what that changes by.
    """
    voltage, net, count, sent, rows = start, 0, 0, 0.0, []

    def falls():
        owed = net > 0 or negative_slope
        return owed and (voltage < 0 if signed else negative_slope and voltage <= -1)

    for current in currents:
        voltage, before = voltage + current, net
        while voltage >= 1 and net - before < spikes_per_step:
            voltage, net = voltage - 1 if reset == "subtract" else 0.0, net + 1
        while falls() and before - net < spikes_per_step:
            voltage, net = voltage + 1, net - 1
        count += net != before
        now = net if net > 0 else negative_slope * net
        rows.append((amplitude * (now - sent), voltage, count))
        sent = now
    return np.array(rows).T


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_both_simulators_equal_the_brute_force_loop_bit_by_bit(settings, rng):
    currents = dyadic_currents(rng)
    start = np.round(64 * rng.uniform(-1, 1, N_NEURONS)) / 64
    neuron_type = integrate_fire(initial_state={"voltage": start}, **settings)
    runs = {engine: simulate(engine, [neuron_type], currents)[0] for engine in ("nengo", "dl")}
    for output, voltage, count in runs.values():
        for neuron in range(N_NEURONS):
            wanted = brute_force(currents[:, neuron], start[neuron], **settings)
            np.testing.assert_array_equal(output[:, neuron] * DT, wanted[0])
            np.testing.assert_array_equal(voltage[:, neuron], wanted[1])
            np.testing.assert_array_equal(count[:, neuron], wanted[2])
    # the comparison means something: some neurons fired, some were held far below zero
    output, voltage, _ = runs["nengo"]
    assert (output > 0).any()
    assert (output < 0).any() == (neuron_type.negative_slope > 0 or neuron_type.signed)
    assert np.abs(output * DT).max() == neuron_type.amplitude * neuron_type.spikes_per_step
    if not (neuron_type.spikes_per_step > 1 and neuron_type.negative_slope):
        assert voltage.min() < -10


@pytest.mark.parametrize("engine", ["nengo", "dl"])
@pytest.mark.parametrize("as_samples", [False, True])
def test_constant_current_gives_the_closed_form_count(engine, as_samples):
    # the last current is above one spike a step
    current, start = np.meshgrid(np.arange(-64, 97, 8) / 64, [-0.75, 0.0, 0.25, 0.5, 0.984375])
    current, start = current.ravel(), start.ravel()
    voltage = nengo.dists.Samples(start) if as_samples else start
    ((count,),) = simulate(
        engine,
        [integrate_fire(initial_state={"voltage": voltage})],
        np.tile(current, (N_STEPS, 1)),
        ["spike_count"],
    )
    steps = np.arange(1, N_STEPS + 1)[:, None]
    # a current above one fires at every step, once the potential has reached the threshold
    silent = np.maximum(np.ceil((1 - start) / np.maximum(current, 1e-9)) - 1, 0)
    bound = np.maximum(steps - silent, 0)
    wanted = np.clip(np.floor(start + current * steps), 0, bound)
    np.testing.assert_array_equal(count, wanted)


@pytest.mark.parametrize("engine", ["nengo", "dl"])
def test_default_start_rounds_the_count_to_the_nearest(engine):
    current = np.arange(0, 33) / 32
    ((count,),) = simulate(
        engine, [integrate_fire()], np.tile(current, (N_STEPS, 1)), ["spike_count"]
    )
    error = count - current * np.arange(1, N_STEPS + 1)[:, None]
    assert np.abs(error).max() == 0.5
    assert error.min() > -0.5


@pytest.mark.parametrize("engine", ["nengo", "dl"])
def test_inhibition_that_comes_first_is_remembered_but_not_by_nengos_neuron(engine):
    # -2 thresholds, then +3: one is left, so the neuron that integrates fires once
    currents = np.concatenate([np.full((8, 1), -0.25), np.full((12, 1), 0.25)])
    start = {"initial_state": {"voltage": np.zeros(1)}}
    ((ours,),) = simulate(engine, [integrate_fire(**start)], currents, ["output"])
    theirs = nengo.SpikingRectifiedLinear(**start)  # its current is in hertz
    ((theirs,),) = simulate(engine, [theirs], currents / DT, ["output"])
    assert np.flatnonzero(ours) == [19]
    assert (theirs > 0).sum() == 3


@pytest.mark.parametrize("engine", ["nengo", "dl"])
def test_at_most_one_spike_of_either_sign_a_step(engine):
    currents = np.concatenate([np.full((30, 1), 5.0), np.full((60, 1), -5.0)])
    ((output, voltage, count),) = simulate(engine, [integrate_fire(negative_slope=0.5)], currents)
    assert (output[:30] * DT == 1).all()
    # 30 steps gained 150 and spent 30: what exceeded the rate was kept, not dropped
    assert voltage[29] == 120.5
    # 24 more positive spikes use it up; then 36 negative ones take back as many of the 54
    assert (output[54:] * DT == -1).all()
    assert count[-1] == brute_force(currents[:, 0], 0.5, negative_slope=0.5)[2][-1]


@pytest.mark.parametrize("engine", ["nengo", "dl"])
@pytest.mark.parametrize("negative_slope", [0.125, 0.5, 1.0])
def test_leaky_neurons_have_sent_the_leaky_relu_of_all_current(engine, negative_slope, rng):
    """However much it fluctuates: potentials are less than a threshold off, and start at half."""
    means = np.linspace(-0.5, 0.5, N_NEURONS)
    currents = np.round(256 * np.clip(means + rng.normal(0, 1, (500, N_NEURONS)), -1, 1)) / 256
    neuron_type = integrate_fire(negative_slope=negative_slope)
    ((output, count),) = simulate(engine, [neuron_type], currents, ["output", "spike_count"])
    gained, sent = np.cumsum(currents, axis=0), np.cumsum(output * DT, axis=0)
    wanted = np.where(gained > 0, gained, negative_slope * gained)
    assert np.abs(sent - wanted).max() < 1.5
    # pairs of a positive and a negative spike that leave nothing: many
    assert (count[-1] > 4 * np.abs(gained[-1]) + 40).any()


@pytest.mark.parametrize("engine", ["nengo", "dl"])
@pytest.mark.parametrize("spikes_per_step", [1, 4])
def test_what_signed_neurons_have_sent_is_the_rounded_relu_of_all_current(
    engine, spikes_per_step, rng
):
    """In whatever order it comes, once it has stopped: plain ones have fired too often by then."""
    currents = dyadic_currents(rng, 60)
    gained = currents.sum(axis=0)
    rest = np.zeros((100, N_NEURONS))
    runs = [
        integrate_fire(signed=signed, spikes_per_step=spikes_per_step) for signed in (True, False)
    ]
    signed, plain = (
        (simulate(engine, [kind], np.concatenate([currents, rest]), ["output"])[0][0] * DT).sum(0)
        for kind in runs
    )
    wanted = np.maximum(np.floor(gained + 0.5), 0)
    np.testing.assert_array_equal(signed, wanted)
    assert (plain > wanted).any() and (plain >= wanted).all()


def test_rates_are_what_long_simulations_count(rng):
    current = rng.uniform(-1.5, 1.5, 30)
    n_steps = 4000
    for settings in SETTINGS:
        neuron_type = integrate_fire(**settings)
        gain, bias = rng.uniform(0.5, 2, 30), rng.uniform(-0.5, 0.5, 30)
        x = (current - bias) / gain
        # in steps of Nengo's reference, without a network
        state = neuron_type.make_state(30, rng=np.random)
        output, total = np.zeros(30), np.zeros(30)
        for _ in range(n_steps):
            neuron_type.step(DT, current, output, **state)
            total += output * DT
        rates = neuron_type.rates(x[None, :], gain, bias)[0]
        close = 2 * neuron_type.amplitude / (n_steps * DT)
        np.testing.assert_allclose(total / (n_steps * DT), rates, atol=close)


def test_gain_and_bias_give_the_rates_asked_for():
    neuron_type = integrate_fire()
    rates, intercepts = np.array([100.0, 512, 1024]), np.array([-0.5, 0, 0.5])
    gain, bias = neuron_type.gain_bias(rates, intercepts)
    np.testing.assert_allclose(neuron_type.rates(1.0, gain, bias)[0], rates)
    np.testing.assert_allclose(neuron_type.rates(intercepts[None], gain, bias), 0, atol=1e-9)
    np.testing.assert_allclose(
        neuron_type.max_rates_intercepts(gain, bias), (rates, intercepts), atol=1e-9
    )
    with pytest.raises(EngineError, match=r"2000 Hz, above .* 1024 Hz"):
        neuron_type.gain_bias([2000.0], [0.0])


def test_nengo_dl_merges_neurons_of_different_parameters(rng):
    currents = dyadic_currents(rng)
    kinds = [
        integrate_fire(initial_state={"voltage": np.full(N_NEURONS, i / 8)}, **settings)
        for i, settings in enumerate(SETTINGS)
    ]
    # amplitudes that NengoDL's own constants would take for equal
    kinds += [integrate_fire(amplitude=amplitude) for amplitude in (2.0**-30, 2.0**-31)]
    driven_neurons.assert_merged(kinds, currents, dt=DT)


def test_layers_without_filter_pass_a_spike_on_in_the_same_step():
    amplitude = DT  # spikes are ones
    with nengo.Network(seed=0) as net:
        before = nengo.Node([1.0])
        probes = []
        for _ in range(4):
            neurons = nengo.Ensemble(
                1, 1, neuron_type=integrate_fire(amplitude=amplitude), gain=[1], bias=[0]
            ).neurons
            nengo.Connection(before, neurons, synapse=None)
            probes.append(nengo.Probe(neurons))
            before = neurons
    for engine in ("nengo", "dl"):
        with stack.quiet_build(), simulator(engine)(net, dt=DT, progress_bar=False) as sim:
            sim.run_steps(5)
            for probe in probes:
                assert (np.array(sim.data[probe]) == 1).all()


def test_in_training_nengo_dl_sees_the_rate(rng):
    tf, nengo_dl = stack.tensorflow(), stack.nengo_dl()
    current = rng.uniform(-2, 2, N_NEURONS)
    settings = {"amplitude": 0.5, "negative_slope": 0.25}
    with nengo.Network(seed=0) as net:
        node = nengo.Node(np.zeros(N_NEURONS))
        neurons = nengo.Ensemble(
            N_NEURONS,
            1,
            neuron_type=integrate_fire(**settings),
            gain=np.ones(N_NEURONS),
            bias=np.zeros(N_NEURONS),
        ).neurons
        nengo.Connection(node, neurons, synapse=None)
        nengo.Probe(neurons)
    with stack.quiet_build(), nengo_dl.Simulator(net, dt=DT, progress_bar=False) as sim:
        inputs = [tf.constant(current[None, None], tf.float32), tf.constant([[1]])]
        trained = sim.keras_model(inputs, training=True)
    output = np.array(tf.nest.flatten(trained)[0]).ravel()
    wanted = integrate_fire(**settings).rates(
        current[None], np.ones(N_NEURONS), np.zeros(N_NEURONS)
    )
    np.testing.assert_allclose(output, wanted[0], rtol=1e-5)


@pytest.mark.parametrize("engine", ["nengo", "dl"])
def test_a_time_step_that_does_not_fit_is_refused(engine):
    neuron_type = integrate_fire(max_rate=250.0)
    with pytest.raises(EngineError, match=r"250 Hz .* 0\.004 s.* dt=0\.004, or max_rate=1024"):
        simulate(engine, [neuron_type], np.zeros((2, 3)))


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"max_rate": 0.0}, "max_rate is 0.0"),
        ({"amplitude": float("nan")}, "amplitude is nan"),
        ({"reset": "soft"}, "reset is 'soft': choose one of"),
        ({"negative_slope": -0.5}, "negative_slope is -0.5"),
        ({"spikes_per_step": 0}, "spikes_per_step is 0: give a whole number from 1"),
        ({"spikes_per_step": 1.5}, "spikes_per_step is 1.5"),
        ({"negative_slope": 0.5, "reset": "zero"}, "negative_slope is 0.5.* need reset 'subtract'"),
        ({"signed": True, "reset": "zero"}, "signed True .* need reset 'subtract'"),
    ],
)
def test_parameters_out_of_range_are_refused(settings, message):
    with pytest.raises(EngineError, match=message):
        integrate_fire(**settings)


@pytest.mark.parametrize("start", [np.zeros(N_NEURONS - 1), np.full(N_NEURONS, np.nan)])
def test_a_start_that_is_not_one_number_per_neuron_is_refused(start):
    with pytest.raises(EngineError, match=rf"'voltage' .* each of the {N_NEURONS} neurons"):
        simulate(
            "nengo", [integrate_fire(initial_state={"voltage": start})], np.zeros((2, N_NEURONS))
        )
