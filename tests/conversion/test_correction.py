"""Correction brings rates nearer to the network without spikes, also on other samples."""

import dataclasses
import gc

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.ann.integrate_fire import rate_if_layer
from nengo_tactile.conversion import correction
from nengo_tactile.conversion.network import SpikingNetwork
from nengo_tactile.conversion.normalise import is_activation
from nengo_tactile.conversion.reading import plain
from nengo_tactile.engines import run
from nengo_tactile.errors import ConversionError, DataError
from nengo_tactile.saved import load
from tests.support import step_loop
from tests.support.measures import peak_bytes
from tests.support.passes import (
    activation_scales,
    correct,
    map_neurons,
    normalise,
    simulate,
    use_if,
)
from tests.support.random_models import layers


def residual(activation_first=False, leaky=False, **settings):
    """Normalised residual network of random weights on 8 x 8 images, as `RateIF` layers."""
    keras, la = stack.tensorflow().keras, layers()

    def relu(x):
        return la.LeakyReLU(0.25)(x) if leaky else la.Activation("relu")(x)

    def conv(x):
        return la.Conv2D(8, 3, padding="same")(x)

    inputs = keras.Input((8, 8, 3))
    x = conv(inputs) if activation_first else relu(conv(inputs))
    for _ in range(2):
        y = conv(relu(conv(relu(x) if activation_first else x)))
        x = la.Add()([x, y])  # activation first: two layers read the sum
        x = x if activation_first else relu(x)
    x = la.MaxPooling2D(2)(relu(x) if activation_first else x)
    model = keras.Model(inputs, la.Dense(10)(la.GlobalAveragePooling2D()(x)))
    rng = np.random.default_rng(0)
    weights = [
        rng.normal(0, np.sqrt(2 / np.prod(w.shape[:-1])), w.shape)
        if len(w.shape) > 1
        else rng.normal(0, 0.3, w.shape)
        for w in model.weights
    ]
    model.set_weights(weights)
    names = [layer.name for layer in plain(model) if is_activation(layer)]
    return use_if(normalise(model, activation_scales(model, names, images(0))), **settings)


def images(seed, n=48):
    return np.random.default_rng(seed).normal(size=(n, 8, 8, 3)).astype(np.float32)


def readout_error(model, x, n_steps):
    return np.sqrt(np.mean((simulate(model, x, n_steps).logits[:, -1] - model(x).numpy()) ** 2))


@pytest.mark.parametrize(
    ("what", "per_neuron"),
    [("bias", False), ("bias", True), ("potential", False), ("potential", True), ("steps", False)],
)
@pytest.mark.parametrize("n_steps", [8, 16])
def test_other_samples_are_read_out_better(what, per_neuron, n_steps):
    model = residual()
    before = model.get_weights()
    new = correct(model, images(0), n_steps, what, per_neuron, batch_size=24)
    assert all((a == b).all() for a, b in zip(model.get_weights(), before))
    held_out = images(1)
    assert np.array_equal(new(held_out), model(held_out))  # the static function stays
    error = readout_error(new, held_out, n_steps)
    assert error < (0.7 if n_steps == 8 else 0.95) * readout_error(model, held_out, n_steps)


@pytest.mark.parametrize(
    ("what", "settings"),
    [("bias", {"leaky": True}), ("potential", {}), ("potential", {"gain": 0.8, "amplitude": 1.25})],
)
def test_mean_rates_come_nearer_in_every_channel(what, settings):
    n_steps, x = 8, images(0)
    model = residual(**settings)
    new = correct(model, x, n_steps, what)
    keras, first = stack.tensorflow().keras, True
    for layer in model.layers:
        if type(layer).__name__ != "RateIF":
            continue
        mean = {}
        for net in (model, new):
            tensor = net.get_layer(layer.name).output
            part = keras.Model(net.inputs, tensor)  # it ends in spikes, read out as they are
            spikes = simulate(part, x, n_steps).logits[:, -1]
            static = keras.Model(net.inputs, tensor)(x).numpy()
            mean[net] = (static - spikes).mean((0, 1, 2))
        if first:  # nothing before it has changed
            assert (np.abs(mean[new]) <= np.abs(mean[model]) + 1e-6).all()
        assert np.abs(mean[new]).mean() < 0.3 * np.abs(mean[model]).mean()
        first = False


@pytest.mark.parametrize("leaky", [False, True])
def test_means_of_single_steps_come_nearer(leaky):
    """By loops over what every neuron sends at every step."""
    n_steps, x = 8, images(0)
    model = residual(leaky=leaky)
    constant, by_step = (correct(model, x, n_steps, what) for what in ("bias", "steps"))
    errors = {}
    for net in (constant, by_step):
        network = SpikingNetwork(net, synapse=None, discard=0.0)
        sent = step_loop.shown(network.graph, x, n_steps)
        for stage in network.graph:
            if stage.fires:
                layer = net.get_layer(stage.layer)
                means = sent[stage.name].reshape(len(x), n_steps, -1, stage.shape[-1]).mean((0, 2))
                part = stack.tensorflow().keras.Model(net.inputs, layer.output)
                wanted = part(x).numpy().reshape(-1, stage.shape[-1]).mean(axis=0)
                errors.setdefault(stage.name, []).append(wanted - means)
                if net is by_step:
                    early = layer.step_shift.numpy()
                    assert early.shape == (n_steps, stage.shape[-1]) and early.any()
                    np.testing.assert_allclose(early.sum(axis=0), 0, atol=1e-5)
    for before, after in errors.values():
        assert np.sqrt((after**2).mean()) < 0.8 * np.sqrt((before**2).mean())
        assert np.abs(after.mean(axis=0)).mean() < 1.5 * np.abs(before.mean(axis=0)).mean() + 0.01


def test_means_of_steps_take_samples_and_channels():
    for x, per_neuron in ((images(0, 31), False), (images(0), True)):
        with pytest.raises(ConversionError, match="means of channels at each step, of at least 32"):
            correct(residual(), x, 8, "steps", per_neuron=per_neuron)


def test_currents_of_steps_are_kept_and_run_alike(tmp_path):
    model = residual(signed=True)
    x = images(0)
    new = correct(model, x, 4, "steps")
    network = SpikingNetwork(new, n_steps=6, synapse=None, discard=0.0)
    network.save(tmp_path / "net")
    again = load(tmp_path / "net")
    wanted = simulate(new, x, 6).logits
    for engine in ("event", "nengo-dl"):
        recording = run(again, x, engine=engine, batch_size=20, progress=False)
        assert np.abs(recording.outputs - wanted).mean() < 1e-3 * np.abs(wanted).max()
    slower = network.with_rates(0.5).layers.of_kinds("RateIF")[0]
    np.testing.assert_array_equal(
        slower.weights[2], network.layers[slower.name].weights[2] * np.float32(0.5)
    )
    with pytest.raises(ConversionError, match="was corrected for 6"):
        dataclasses.replace(network, activations={"none": None}).with_steps(8)


def test_only_the_asked_weights_change():
    model = residual()
    for what, changed in (("bias", 1), ("potential", 0)):
        new = correct(model, images(0, 16), 8, what)
        for layer, old in zip(new.layers, model.layers):
            for index, (a, b) in enumerate(zip(layer.get_weights(), old.get_weights())):
                moved = type(layer).__name__ == "RateIF" and index == changed
                assert np.array_equal(a, b) != moved


def test_constant_currents_by_hand():
    keras = stack.tensorflow().keras
    inputs = keras.Input((2,))
    model = keras.Model(inputs, rate_if_layer()(name="n", start=0.0)(inputs))
    # 0.3 thresholds a step, and 0.05 more, fire once in 4 steps: nothing is gained; a neuron that
    # fires at every step lacks nothing
    layer = correct(model, np.array([[0.3, 2.0]]), 4, "bias").get_layer("n")
    assert [w.tolist() for w in layer.get_weights()] == [[0, 0], [0, 0]]
    # 0.2 does not fire in 4 steps and 0.3 does once: (0.2 + 0.05) / 2 lack, four times that is half
    # a threshold, with which both fire once, one too much and one too little by the same
    x = np.array([[0.2, -1.0], [0.3, -1.0]])
    new = correct(model, x, 4, "potential", per_neuron=True)
    start, shift = new.get_layer("n").get_weights()
    assert start == pytest.approx([0.5, 0]) and shift.tolist() == [0, 0]
    assert simulate(new, x, 4).logits[:, -1].tolist() == [[0.25, 0.0], [0.25, 0.0]]


def test_the_few_neurons_of_a_channel_that_fire_by_fluctuations_fall_silent():
    """Two inputs of the same rate, one a step later, cancel; one of 16 places has any.

    The difference starts at 2 - 0.5 thresholds and spikes, which no rate without spikes does. Its
    mean error over the places is so small that corrections of it, one after another, lower the
    start by an eighth or less each; silence needs a start below -0.5.
    """
    keras = stack.tensorflow().keras
    inputs = keras.Input((4, 4, 2))
    x = rate_if_layer()(name="in")(inputs)
    difference = layers().Conv2D(1, 1, use_bias=False, name="difference")(x)
    model = keras.Model(inputs, rate_if_layer()(name="out")(difference))
    model.get_layer("in").start_potential.assign([0.5, 0.0])
    model.get_layer("difference").set_weights([np.array([[[[1.5], [-1.5]]]])])
    image = np.zeros((1, 4, 4, 2), np.float32)
    image[0, 1, 2] = 0.5
    assert simulate(model, image, 32).rates["out"].sum() == 2 / 32
    new = correct(model, image, 32, "potential")
    assert new.get_layer("in").start_potential.numpy().tolist() == [0.5, 0.0]
    assert simulate(new, image, 32).rates["out"].sum() == 0


def test_any_minibatch_gives_the_same_network():
    model = residual(activation_first=True)
    one, other = (correct(model, images(0, 20), 8, batch_size=size) for size in (20, 7))
    for a, b in zip(one.get_weights(), other.get_weights()):
        assert np.allclose(a, b, atol=1e-5)
    held_out = images(1)
    assert readout_error(one, held_out, 8) < 0.8 * readout_error(model, held_out, 8)


SIGNED = {"signed": True, "spikes_per_step": 3, "gain": 3.0, "amplitude": 1 / 3}


def with_neurons(model, **settings):
    return map_neurons(model, lambda fires: dataclasses.replace(fires, **settings))


@pytest.mark.parametrize(
    "settings", [{}, {"leaky": True}, {"activation_first": True}, SIGNED], ids=str
)
@pytest.mark.parametrize("memory", [(0, 0), (150_000, 10_000)])
def test_what_is_not_kept_is_computed_again(monkeypatch, settings, memory):
    """17 steps: a stretch and one step; the first numbers in between are for some minibatches."""
    signed = settings is SIGNED
    model, x = residual() if signed else residual(**settings), images(0, 12)
    model = with_neurons(model, **SIGNED) if signed else model
    wanted = correct(model, x, 17, batch_size=4)
    monkeypatch.setattr(correction, "INPUT_MEMORY", memory[0])
    monkeypatch.setattr(correction, "SPIKE_MEMORY", memory[1])
    found = correct(model, x, 17, batch_size=4)
    for a, b in zip(found.get_weights(), wanted.get_weights()):
        assert np.allclose(a, b, rtol=0, atol=1e-6)


@pytest.mark.parametrize("most", [1, 5])
def test_spikes_are_kept_at_few_bits_each(most):
    model = with_neurons(residual(leaky=True), spikes_per_step=most, gain=float(most))
    network = correction.Network(plain(model))
    rooms = [correction._Room(n) for n in (10**6, 10**6)]
    part = correction._Part(network, images(0, 3), 60, *rooms)
    _, name, *_ = network.neurons  # behind neurons, so that its input changes sign
    wanted = list(part._spikes(name, network.start(part.x)))
    found = np.concatenate([spikes for spikes, _ in wanted])
    assert set(range(-most, most + 1)) == set(np.unique(found))
    part.finish(name, {name})
    n_bits = {1: 2, 5: 4}[most]  # what is worth from -1 to 1, from -5 to 5
    assert rooms[1].free == 10**6 - 2 * n_bits * 3 * 60 * 8 * 8 * 8 // 8
    for number, (spikes, below) in enumerate(wanted):
        values = (spikes - below + 0.25 * below).reshape(-1, 8, 8, 8)
        assert np.array_equal(part._kept(name, number), values)
    part.finish(name, set())
    assert (rooms[1].free, part.kept) == (10**6, {})


@pytest.mark.parametrize("more", [{"n": 8}, {"n_steps": 8}], ids=str)
def test_memory_does_not_grow_with_samples_or_steps(monkeypatch, more):
    monkeypatch.setattr(correction, "INPUT_MEMORY", 300_000)
    monkeypatch.setattr(correction, "SPIKE_MEMORY", 10_000)
    model = residual()

    def peak(n=1, n_steps=1):
        x = images(0, 8 * n)
        gc.collect()
        return peak_bytes(correct, model, x, 16 * n_steps, batch_size=8) - x.nbytes

    peak()  # what is loaded once
    assert peak(**more) < 1.5 * peak()


def test_bad_calls_are_refused():
    model = residual()
    with pytest.raises(ConversionError, match="correction is 'weights'"):
        correct(model, images(0), 8, "weights")
    with pytest.raises(DataError, match=r"input: shape \(4, 8, 8\)"):
        correct(model, np.zeros((4, 8, 8)), 8)
    with pytest.raises(DataError, match="n_steps is 0"):
        correct(model, images(0), 0)
