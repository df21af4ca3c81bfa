"""Sigma-delta networks against the paper's algorithm by hand, and against the Keras model."""

import nengo
import numpy as np
import pytest

import nengo_tactile
from nengo_tactile import stack
from nengo_tactile.conversion.network import SpikingNetwork
from nengo_tactile.events.coding import CurrentCoding, DelayCoding
from tests.support import sigma_delta_reference as reference
from tests.support.passes import Accumulator

CODINGS = {"delay": DelayCoding(6), "current": CurrentCoding(4)}
N_STEPS = 40


def images(n=3, seed=1):
    """In multiples of 1/64, so that their parts are exact too."""
    rng = np.random.default_rng(seed)
    side = reference.SIDE
    return np.round(64 * rng.random((n, side, side, 1))).astype(np.float32) / 64


def network(coding, output_threshold=None):
    model = reference.quantised(output_threshold)
    return SpikingNetwork(model, n_steps=N_STEPS, synapse=None, coding=CODINGS[coding])


def spike_table(fired, n_units):
    table = np.zeros((len(fired), n_units))
    for step, spikes in enumerate(fired):
        for unit, value in spikes:
            table[step, unit] = value
    return table


@pytest.mark.parametrize(
    ("engine", "coding", "output_threshold"),
    [("nengo", "delay", None), ("nengo", "current", 2.0), ("nengo_dl", "delay", 2.0)],
)
def test_nengo_fires_the_spikes_of_algorithm_1(engine, coding, output_threshold):
    net = network(coding, output_threshold)
    x = images(1)
    signal = CODINGS[coding].signal(x, N_STEPS)[0]
    built = net.build(present=nengo.processes.PresentInput(signal, net.dt))
    simulator = nengo.Simulator if engine == "nengo" else stack.nengo_dl().Simulator
    with stack.quiet_build(), simulator(built.net, dt=net.dt, progress_bar=False) as sim:
        sim.run_steps(N_STEPS)
        outputs = np.array(sim.data[built.output_probe]).reshape(N_STEPS, -1)
        spikes = {name: np.array(sim.data[p]) for name, p in built.spike_probes.items()}
    wanted, fired = reference.by_hand(signal, output_threshold)
    np.testing.assert_array_equal(outputs, wanted)
    worth = {}  # a spike of the loop's, which is a one in Nengo
    for stage in net.graph:
        if stage.spikes:
            worth[stage.name] = worth.get(stage.links[0].source, 1.0)
            if stage.fires:
                worth[stage.name] = stage.neuron.threshold
            table = worth[stage.name] * spikes[stage.name].reshape(N_STEPS, -1)
            np.testing.assert_array_equal(
                table[:, :: table.shape[1] // stage.n_neurons],
                spike_table(fired[stage.name], stage.n_neurons),
            )
            assert table.any()
    values = [value for steps in fired.values() for spikes in steps for _, value in spikes]
    assert min(values) < 0 and not any(steps[-1] for steps in fired.values())


@pytest.mark.parametrize(("coding", "output_threshold"), [("delay", 2.0), ("current", None)])
def test_the_engine_counts_the_spikes_of_algorithm_1(coding, output_threshold):
    """Spikes are ones there, whose worth is in the weights, and sums are made afterwards."""
    net, x = network(coding, output_threshold), images()
    recording = nengo_tactile.run(net, x, batch_size=2, engine="nengo-dl")
    signal = CODINGS[coding].signal(x, N_STEPS)
    fan_out = net.fan_out()
    for sample in range(len(x)):
        wanted, fired = reference.by_hand(signal[sample], output_threshold)
        np.testing.assert_array_equal(recording.outputs[sample], wanted)
        for name in net.spiking_layers:
            table = spike_table(fired[name], len(fan_out[name])) != 0
            np.testing.assert_array_equal(recording.spike_counts[name][sample], table.sum(axis=0))
            np.testing.assert_array_equal(
                recording.spikes_over_time[name][sample], table.sum(axis=1)
            )
            np.testing.assert_array_equal(
                recording.synops_over_time[name][sample], table @ fan_out[name]
            )


def test_spikes_of_the_input_are_counted_by_hand():
    net, x = network("delay"), images()
    recording = nengo_tactile.run(net, x, engine="nengo-dl")
    bright = x.reshape(len(x), -1) > 0.2
    np.testing.assert_array_equal(recording.spike_counts["input"], bright)
    reached = np.zeros(bright.shape[1], int)
    kernel = reference.dyadic_model().get_layer("conv").get_weights()[0]
    for pixel, _, weight in reference.convolution(kernel, reference.SIDE):
        reached[pixel] += weight != 0
    np.testing.assert_array_equal(recording.synops["input"], bright @ reached)
    np.testing.assert_array_equal(recording.spikes_over_time["input"].sum(axis=1), bright.sum(1))
    assert (
        "input" not in nengo_tactile.run(network("current"), x, 3, engine="nengo-dl").spike_counts
    )


@pytest.mark.parametrize("output_threshold", [None, 2.0])
@pytest.mark.parametrize("coding", CODINGS)
def test_keras_on_what_was_sent_so_far_is_algorithm_1(coding, output_threshold):
    accumulator = Accumulator(reference.quantised(output_threshold))
    x = images()
    signal = CODINGS[coding].signal(x, N_STEPS)
    wanted, fired = zip(*(reference.by_hand(one, output_threshold) for one in signal))
    sent = accumulator.start(len(x))
    for step in range(N_STEPS):
        arrived = signal[:, : step + 1].sum(axis=1).reshape(x.shape)
        outputs, sent, counts = accumulator.step(arrived, sent)
        np.testing.assert_array_equal(outputs, np.array(wanted)[:, step])
        layers = ["conv", "sum_relu", "dense", "logits"][: len(counts)]
        by_hand = [[len(one[name][step]) for one in fired] for name in layers]
        np.testing.assert_array_equal(counts, by_hand)

    rest = accumulator.rest(x, CODINGS[coding], batch_size=2)
    np.testing.assert_array_equal(rest.logits, np.array(wanted)[:, -1])
    totals = {
        name: [sum(map(len, one[layer])) for one in fired]
        for name, layer in zip(rest.spikes, ["conv", "sum_relu", "dense", "logits"])
    }
    assert {name: spikes.tolist() for name, spikes in rest.spikes.items()} == totals
    busy = [
        any(spikes[step] for one in fired for spikes in one.values()) for step in range(N_STEPS)
    ]
    assert rest.n_steps == max(np.flatnonzero(busy)[-1] + 1, CODINGS[coding].n_steps)
