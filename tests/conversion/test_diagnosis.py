"""Errors of layers taken apart, against closed forms and a loop over neurons and steps."""

import json

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import stack
from nengo_tactile.ann.layers import Layers, input_layer, layer
from nengo_tactile.ann.portable import keras_model
from nengo_tactile.conversion.diagnosis import PARTS, Diagnosis
from nengo_tactile.errors import ConversionError, DataError


def network(*weights, n_steps=4, **settings):
    """Dense layers without bias, neurons behind all but the last."""
    found = [input_layer("x", weights[0].shape[:1])]
    for number, matrix in enumerate(weights, 1):
        size = matrix.shape[1]
        dense = layer("Dense", f"dense{number}", found[-1:], [matrix], units=size, use_bias=False)
        found.append(dense)
        if number < len(weights):
            found.append(layer("RateIF", f"neurons{number}", [dense], **settings))
    model = keras_model(Layers("small", tuple(found), found[-1].name))
    return nt.SpikingNetwork(model, n_steps, synapse=None, discard=0.0)


def rms(values):
    return np.sqrt(np.mean(np.square(values)))


def test_one_layer_clips_and_rounds():
    """Half a threshold at the start makes floors roundings; nothing comes at another time."""
    x = np.array([[0.3], [1.7], [0.5], [-0.4]])
    sent = np.array([1, 4, 2, 0]) / 4  # of four steps
    true = np.array([0.3, 1.7, 0.5, 0.0])
    clipped = np.array([0.3, 1.0, 0.5, 0.0])
    eye = np.ones((1, 1))
    (found,) = nt.diagnose(network(eye, eye, signed=True), x).layers
    size = rms(true)
    assert found.name == "neurons1"
    assert found.error == pytest.approx(rms(sent - true) / size, rel=1e-6)
    assert found.clipping == pytest.approx(rms(clipped - true) / size, rel=1e-6)
    assert found.quantisation == pytest.approx(rms(sent - clipped) / size, rel=1e-6)
    assert found.inherited == found.unevenness == 0


def loop(currents, k=1, signed=False):
    """Spikes of integrate-and-fire neurons, one by one, for (steps, samples, neurons) currents."""
    spikes = np.zeros(currents.shape)
    for s, n in np.ndindex(currents.shape[1:]):
        v, credit = 0.5, 0
        for t, current in enumerate(currents[:, s, n]):
            v += current
            least = -min(credit, k) if signed else 0
            spikes[t, s, n] = max(least, min(k, np.floor(v)))
            v, credit = v - spikes[t, s, n], credit + spikes[t, s, n]
    return spikes


@pytest.mark.parametrize("signed", [False, True])
def test_two_layers_against_a_loop(signed):
    n_steps, rng = 4, np.random.default_rng(1)
    first, second, last = (rng.integers(-8, 9, shape) / 8 for shape in ((3, 6), (6, 5), (5, 4)))
    second *= 2  # clips
    x = rng.integers(0, 9, (80, 3)) / 8
    snn = network(first, second, last, n_steps=n_steps, signed=signed)

    def rect(values):
        return np.maximum(values, 0)

    def constant(values):
        return np.tile(values, (n_steps, 1, 1))

    sent1 = loop(constant(x @ first), signed=signed)
    sent2 = loop(sent1 @ second, signed=signed)
    mean1, mean2 = sent1.mean(0), sent2.mean(0)
    true1 = rect(x @ first)
    true2 = rect(true1 @ second)
    arrived = mean1 @ second
    steady = loop(constant(arrived), signed=signed).mean(0)
    labels = (rect(arrived) @ last).argmax(1)  # right with the second layer exact
    found = nt.diagnose(snn, x, labels, progress=False)
    chain = [true2, rect(arrived), np.clip(arrived, 0, 1), steady, mean2]
    one, two = found.layers
    assert one.error == pytest.approx(rms(mean1 - true1) / rms(true1), rel=1e-5)
    assert one.unevenness == 0
    assert two.error == pytest.approx(rms(mean2 - true2) / rms(true2), rel=1e-5)
    for number, part in enumerate(PARTS):
        wanted = rms(chain[number + 1] - chain[number]) / rms(true2)
        assert wanted > 0.01, part
        assert getattr(two, part) == pytest.approx(wanted, rel=1e-5)

    def accuracy(outputs):
        return np.mean(outputs.argmax(1) == labels)

    assert found.measure == "accuracy"
    assert found.spiking == pytest.approx(accuracy(mean2 @ last))
    assert found.model == pytest.approx(accuracy(true2 @ last))
    exact1 = loop(constant(true1) @ second, signed=signed).mean(0)
    assert one.exact == pytest.approx(accuracy(exact1 @ last))
    assert two.exact == 1 > found.spiking
    assert found.costliest.exact == 1


def test_an_exact_network_has_no_errors():
    x = np.random.default_rng(0).integers(0, 5, (9, 3)) / 4
    found = nt.diagnose(network(np.eye(3), np.eye(3)[:, ::-1], np.eye(3), n_steps=4), x)
    assert found.measure == "agreement" and found.spiking == found.model == 1
    assert all(layer.error == 0 and layer.exact == 1 for layer in found.layers)


def test_a_shortcut_and_a_pooling(monkeypatch):
    """The first layer is read past the second; batches are as large as memory allows."""
    monkeypatch.setattr("nengo_tactile.conversion.diagnosis.MEMORY", 100_000)
    keras = stack.tensorflow().keras
    inputs = keras.Input((6, 6, 2))
    one = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    two = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(one)
    y = keras.layers.MaxPooling2D()(keras.layers.Add()([one, two]))
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(y)))
    x = np.random.default_rng(0).random((30, 6, 6, 2), np.float32)
    snn = nt.convert(model, x, nt.IF(signed=True), n_steps=4)
    rough, fine = nt.diagnose(snn, x), nt.diagnose(snn, x, n_steps=256)
    for before, after in zip(rough.layers, fine.layers):
        assert after.quantisation < 0.1 * before.quantisation
        assert after.error < before.error
    assert fine.layers[-1].exact == 1


def test_as_table_and_json():
    snn = network(np.eye(3), np.eye(3))
    found = nt.diagnose(snn, np.random.default_rng(0).random((9, 3)), np.zeros(9, int))
    assert Diagnosis.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    text = str(found)
    assert "neurons1" in text and "unevenness" in text and f"{found.spiking:.4f}" in text


def test_what_it_refuses():
    x = np.random.default_rng(0).random((9, 3), np.float32)
    model = nt.ann.build("3-4-2o", seed=0)
    with pytest.raises(ConversionError, match=r"nt\.IF\(\)"):
        nt.diagnose(nt.convert(model, x, progress=False), x)
    snn = network(np.eye(3), np.eye(3))
    with pytest.raises(DataError, match="at least one"):
        nt.diagnose(snn, x[:0])
    with pytest.raises(DataError):
        nt.diagnose(snn, x, np.zeros(4, int))
