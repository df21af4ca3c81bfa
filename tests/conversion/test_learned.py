"""Learned thresholds: nearer to the model's outputs on other samples, and never beyond ceilings."""

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import stack
from nengo_tactile.conversion import learned
from nengo_tactile.conversion.step_scales import limits

FEW = {"signed": True, "thresholds": "steps"}


def images(seed, n=96):
    return np.random.default_rng(seed).random((n, 8, 8, 3), np.float32)


@pytest.fixture(scope="module")
def model():
    """A residual network with a max pooling, whose weights are drawn at random."""
    keras = stack.tensorflow().keras
    keras.utils.set_random_seed(1)
    la = keras.layers

    def conv(x):
        return la.Conv2D(6, 3, padding="same", kernel_initializer="he_normal")(x)

    inputs = keras.Input((8, 8, 3))
    x = la.ReLU()(conv(inputs))
    x = la.ReLU(max_value=1.5)(la.Add()([x, conv(la.LeakyReLU(0.1)(conv(x)))]))
    x = la.GlobalAveragePooling2D()(la.MaxPooling2D()(x))
    return keras.Model(inputs, la.Dense(4)(x))


def convert(model, n_steps=4, seed=0, **options):
    options = {**FEW, "correction": "learned", **options}
    return nt.convert(model, images(0), nt.IF(**options), n_steps=n_steps, seed=seed)


def error(network, model):
    x = images(1)
    outputs = nt.run(network, x, engine="event", progress=False).outputs[:, -1]
    return np.sqrt(np.mean((outputs - model(x).numpy()) ** 2))


@pytest.mark.parametrize(
    ("n_steps", "options", "share"),
    [(4, {}, 0.9), (2, {"spikes_per_step": 3, "channelwise": True}, 1.01)],
)
def test_outputs_come_nearer_to_the_models(model, monkeypatch, n_steps, options, share):
    """On other samples, than with any correction of means; the model itself stays."""
    monkeypatch.setattr(learned, "RATE", 2e-2)
    monkeypatch.setattr(learned, "UPDATES", 40)
    before = model.get_weights()
    network = convert(model, n_steps, **options)
    assert all(np.array_equal(*pair) for pair in zip(model.get_weights(), before))
    raw, corrected = (convert(model, n_steps, correction=by, **options) for by in (None, "bias"))
    assert error(network, model) < share * error(corrected, model)
    assert error(network, model) < 0.85 * error(raw, model)
    neurons = [each.layers.of_kinds("RateIF") for each in (network, corrected)]
    for one, other in zip(*neurons, strict=True):
        assert not np.array_equal(one.weights[1], other.weights[1])  # currents


def test_thresholds_differ_and_end_at_ceilings(model, monkeypatch):
    monkeypatch.setattr(learned, "RATE", 0.5)  # goes far
    monkeypatch.setattr(learned, "UPDATES", 10)
    network, plain = convert(model), convert(model, correction="bias")
    for name, before in plain.activations.items():
        ratio = before.tops / network.activations[name].tops  # of thresholds
        assert abs(np.log(ratio)).max() > 1e-3
    tops = limits(network.layers, network.activations)
    assert np.isfinite(list(tops.values())).any()
    assert all(np.all(top >= 1 - 1e-5) for top in tops.values())


def test_what_one_neuron_should_learn(monkeypatch):
    """All samples are 0.3, of which two steps can tell 0, a half threshold and a whole one."""
    monkeypatch.setattr(learned, "RATE", 2e-2)
    monkeypatch.setattr(learned, "UPDATES", 60)
    keras = stack.tensorflow().keras
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((1,)),
            layers.Dense(1, use_bias=False, activation="relu"),
            layers.Dense(1, use_bias=False),
        ]
    )
    model.set_weights([np.ones((1, 1)), np.full((1, 1), 2.0)])
    x = np.full((64, 1), 0.3, np.float32)
    x[0] = 1.0  # or the threshold would fit from the start
    network = nt.convert(model, x, nt.IF(percentile=100.0, correction="learned"), n_steps=2)
    before = nt.convert(model, x, nt.IF(percentile=100.0), n_steps=2)

    def off(network):
        return abs(nt.run(network, x[1:2], engine="event", progress=False).outputs[0, -1, 0] - 0.6)

    assert off(before) == pytest.approx(0.4, abs=1e-6)
    assert off(network) < 0.1


def test_the_seed_and_what_is_saved(model, monkeypatch, tmp_path):
    monkeypatch.setattr(learned, "UPDATES", 4)
    one, same, other = convert(model), convert(model), convert(model, seed=1)
    x = images(2, 8)
    outputs = [nt.run(each, x, engine="event", progress=False).outputs for each in (one, same)]
    assert np.array_equal(*outputs)
    assert not np.array_equal(outputs[0], nt.run(other, x, engine="event").outputs)
    one.save(tmp_path / "network")
    loaded = nt.load(tmp_path / "network")
    assert np.array_equal(outputs[0], nt.run(loaded, x, engine="event").outputs)
    with pytest.raises(nt.errors.ConversionError, match="was corrected for 4"):
        loaded.with_steps(8)


def test_gradients_are_those_of_rates(model):
    """Of what is sent, against differences of the clipped rectifiers that stand for it."""
    tf = stack.tensorflow()
    network = convert(model, correction=None)
    layers, x = network.layers, images(3, 4)
    learner = learned._Learner(layers, limits(layers, network.activations), 4, False)
    # told apart by what they send: then outputs are the rates', and gradients their own
    means = {layer.name: value for layer, value in layers.values(x, learner.shifts)}
    sent = {
        name: value.numpy() / learner.network.neurons[name].amplitude
        for name, value in means.items()
    }
    weights = np.random.default_rng(0).normal(size=(4, 4))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(learner.outputs(x, sent) * weights)
    gradients = dict(zip(learner.shifts, tape.gradient(loss, list(learner.shifts.values()))))

    def changed(name, step):
        def told(layer, mean):
            shift = 0.0
            if layer.name == name:
                shift = np.zeros(layer.shape[-1], np.float32)
                shift[0] = step
            neuron = layer.keras.parameters
            drive = neuron.gain * mean + shift
            rate = tf.clip_by_value(drive, 0.0, 1.0)
            rate += neuron.negative_slope * tf.clip_by_value(drive, -1.0, 0.0)
            return rate * neuron.amplitude

        return np.sum(layers.outputs(x, instead={"RateIF": told}) * weights)

    for name, gradient in gradients.items():
        slope = (changed(name, 1e-3) - changed(name, -1e-3)) / 2e-3
        assert gradient[0].numpy() == pytest.approx(slope, rel=0.05, abs=0.02)
