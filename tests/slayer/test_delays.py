"""Delays of synapses and learned time constants: by loops, by differences, on every engine."""

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile.errors import ConversionError, EngineError
from nengo_tactile.slayer.delays import delayed_sums
from nengo_tactile.slayer.dynamics import spikes_of, tf
from nengo_tactile.slayer.models import build, spiking_layers, stages_of
from nengo_tactile.slayer.neurons import CurrentBasedLIF, SpikeResponseModel, alpha
from nengo_tactile.slayer.surrogates import Surrogate
from tests.slayer.test_layers import LIVELY, SHORT, delay, frames
from tests.support import slayer_reference as reference


@pytest.mark.parametrize("n_groups", [1, 2, 5])
def test_sums_and_gradients_are_those_of_a_loop(n_groups):
    rng = np.random.default_rng(0)
    spikes = (rng.random((3, 12, 5)) < 0.4) * rng.integers(1, 3, (3, 12, 5)).astype(float)
    weights, delays = rng.normal(size=(5, 4)), rng.uniform(0, 6, (n_groups, 4))
    delays[0, 0] = 30  # behind the end
    errors = rng.normal(size=(3, 12, 4))
    tensors = [tf.constant(each) for each in (spikes, weights, delays)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        found = delayed_sums(*tensors)
    by_spikes, by_weights, by_delays = tape.gradient(found, tensors, tf.constant(errors))
    wanted = np.zeros_like(errors)
    back = np.zeros_like(spikes), np.zeros_like(weights), np.zeros_like(delays)
    for sample, t, i, j in np.ndindex(3, 12, 5, 4):
        group = i * n_groups // 5
        at = t + int(delays[group, j])
        here = errors[sample, at, j] if at < 12 else 0
        later = errors[sample, at + 1, j] if at < 11 else 0
        if at < 12:
            wanted[sample, at, j] += spikes[sample, t, i] * weights[i, j]
        back[0][sample, t, i] += weights[i, j] * here
        back[1][i, j] += spikes[sample, t, i] * here
        back[2][group, j] -= spikes[sample, t, i] * weights[i, j] * (here - later)
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    for gradient, each in zip((by_spikes, by_weights, by_delays), back):
        np.testing.assert_allclose(gradient, each, atol=1e-12)


@pytest.mark.parametrize("recurs", [False, True])
@pytest.mark.parametrize("model", [SpikeResponseModel(4, 2), CurrentBasedLIF(0.3, 0.1, 3.0)])
def test_gradients_for_times_are_slopes(model, recurs):
    """Where no neuron fires they are those of the potentials, which differences tell."""
    rng = np.random.default_rng(0)
    current = tf.constant(0.02 * model.threshold * rng.normal(size=(2, 30, 3)))
    errors = rng.normal(size=current.shape)
    surrogate = Surrogate("linear", 50.0)
    recurrent = tf.zeros((3, 3), tf.float64) if recurs else None
    times = tf.constant(model.times, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(times)
        spikes = spikes_of(current, model, surrogate, recurrent, times)
    assert not spikes.numpy().any()
    found = tape.gradient(spikes, times, tf.constant(errors)).numpy()

    def potentials(values):
        response = model.at(values).response(30)
        return np.stack(
            [np.apply_along_axis(lambda x: np.convolve(x, response)[:30], 0, s) for s in current]
        )

    slopes = surrogate.derivative(tf.constant(potentials(times)), model.threshold).numpy()
    for place in range(2):
        step = np.eye(2)[place] * 1e-6
        change = (potentials(times + step) - potentials(times - step)) / 2e-6
        np.testing.assert_allclose(found[place], (errors * slopes * change).sum(), rtol=1e-5)


def test_refractoriness_has_a_gradient_with_spikes_as_they_were():
    model, rng = SpikeResponseModel(3, 5), np.random.default_rng(1)
    current, errors = tf.constant(rng.normal(2, 8, (2, 40, 3))), rng.normal(size=(2, 40, 3))
    times = tf.constant(model.times, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(times)
        spikes = spikes_of(current, model, Surrogate(), None, times)
    assert spikes.numpy().sum() > 5
    found = tape.gradient(spikes, times, tf.constant(errors)).numpy()

    def potentials(values):
        other = model.at(values)
        found = 0
        for each, kernel in (
            (current, other.response(40)), (spikes, other.refractoriness(40)),
        ):  # fmt: skip
            matrix = sum(k * np.eye(40, k=-late) for late, k in enumerate(kernel))
            found = found + np.einsum("ts,bsn->btn", matrix, each)
        return found

    slopes = Surrogate().derivative(tf.constant(potentials(times)), 10.0).numpy()
    for place in range(2):
        step = np.eye(2)[place] * 1e-6
        change = (potentials(times + step) - potentials(times - step)) / 2e-6
        np.testing.assert_allclose(found[place], (errors * slopes * change).sum(), rtol=1e-5)


def network(**options):
    model = build("4x4x2-2c2-6-3", SHORT, max_delay=3, gains=LIVELY, seed=2, **options)
    delay(model, 3)
    layout = nt.slayer.SpikeLayout((4, 4, 2), 1000, 25)
    return nt.slayer.SlayerNetwork(stages_of(model), layout, ("a", "b", "c"), {}), model


@pytest.mark.parametrize("groups", [None, 4])
@pytest.mark.parametrize("engine", ["event", "nengo-dl", "nengo"])
def test_engines_have_them(engine, groups):
    one, model = network(synaptic_delay=5, delay_groups=groups)
    x = frames(model)
    wanted = reference.run(one.graph, x)
    recording = nt.run(one, x, 25, engine=engine, progress=False)
    np.testing.assert_array_equal(recording.outputs, reference.outputs(one.graph, x))
    for stage, activity in zip(one.graph, wanted):
        counts = activity.spikes.reshape(len(x), 25, -1).sum(1)
        np.testing.assert_array_equal(recording.spike_counts[stage.name], counts)
    assert wanted[-1].sent.any()


def test_saved_loaded_and_as_keras_layers(tmp_path):
    one, model = network(synaptic_delay=5, delay_groups=4, learn_times=True)
    one.save(tmp_path / "one")
    again = nt.load(tmp_path / "one")
    x = frames(model)
    wanted = nt.run(one, x, 25, engine="event", progress=False).outputs
    found = nt.run(again, x, 25, engine="event", progress=False).outputs
    np.testing.assert_array_equal(found, wanted)
    back = again.keras_model()(x).numpy().cumsum(1)
    np.testing.assert_array_equal(back, wanted)
    for stage, layer in zip(again.graph, spiking_layers(model)):
        assert stage.neuron == layer.trained_neuron


def test_nir_keeps_them(tmp_path):
    neuron = CurrentBasedLIF(0.3, 0.1, 5.0)
    model = build("2x2x2-5-3", neuron, max_delay=3, gains=LIVELY, synaptic_delay=4)
    delay(model, 3)
    layout = nt.slayer.SpikeLayout((2, 2, 2), 1000, 25)
    one = nt.slayer.SlayerNetwork(stages_of(model), layout, ("a", "b", "c"), {})
    nt.to_nir(one, tmp_path / "one.nir", x=frames(model))
    again = nt.from_nir(tmp_path / "one.nir")
    x = frames(model)
    wanted = reference.outputs(one.graph, x)
    found = nt.run(again, x, 25, engine="event", progress=False).outputs
    np.testing.assert_array_equal(found, wanted)
    assert wanted.any()


def test_the_chip_refuses_them():
    neuron = CurrentBasedLIF(0.3, 0.1, 5.0)
    model = build("2x2x2-5-3", neuron, max_delay=0, gains=LIVELY, synaptic_delay=4)
    delay(model, 3)
    layout = nt.slayer.SpikeLayout((2, 2, 2), 1000, 25)
    one = nt.slayer.SlayerNetwork(stages_of(model), layout, ("a", "b", "c"), {})
    with pytest.raises(EngineError, match=r"dense1.*synapses that delay by up to 3 steps"):
        nt.run(one, frames(model), 25, engine="loihi", progress=False)


def test_descent_finds_delays():
    """From the sums' errors behind the neurons' filter, as they come back in training."""
    rng = np.random.default_rng(0)
    spikes = tf.constant((rng.random((8, 60, 2)) < 0.05).astype(np.float32))
    weights, wanted = tf.ones((2, 2)), np.array([[2, 7], [5, 1]])
    delays = tf.Variable([[4.5, 4.5], [4.5, 4.5]])
    kernel = tf.constant(alpha(4.0, 30)[::-1].copy(), tf.float32)[:, None, None]

    def filtered(delays):
        sums = tf.transpose(delayed_sums(spikes, weights, delays), (2, 0, 1))
        padded = tf.pad(tf.reshape(sums, (16, 60, 1)), ((0, 0), (29, 0), (0, 0)))
        return tf.nn.conv1d(padded, kernel, 1, "VALID")

    goal, optimizer = filtered(tf.constant(wanted + 0.5, tf.float32)), tf.keras.optimizers.Adam(0.2)
    for _ in range(80):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum((filtered(delays) - goal) ** 2)
        optimizer.apply_gradients([(tape.gradient(loss, delays), delays)])
    np.testing.assert_allclose(np.floor(delays), wanted, atol=1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: build("6-5-3", synaptic_delay=-1), "synaptic_delay is -1"),
        (lambda: build("6-5-3", synaptic_delay=2, delay_groups=0), "delay_groups is 0"),
        (
            lambda: build("6-5-3", synaptic_delay=2, delay_groups=9),
            "is 9.* 6 synapses",
        ),
        (lambda: build("6-5-3", [SHORT]), "2 layers, and 1 neuron"),
    ],
)
def test_bad_values(make, words):
    with pytest.raises(ConversionError, match=words):
        make()
