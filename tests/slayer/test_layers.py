"""Spiking layers for Keras against the slow reference, and a convolution against its matrix."""

import json

import numpy as np
import pytest

from nengo_tactile.errors import ConversionError, NotationError
from nengo_tactile.slayer.dropout import HeldDropout
from nengo_tactile.slayer.dynamics import tf
from nengo_tactile.slayer.layers import (
    GAINS,
    AggregatePooling2D,
    SpikingConv2D,
    SpikingDense,
)
from nengo_tactile.slayer.models import build, spiking_layers, stages_of
from nengo_tactile.slayer.neurons import CurrentBasedLIF, SpikeResponseModel
from nengo_tactile.slayer.surrogates import Surrogate
from tests.support import slayer_reference as reference

SHORT = SpikeResponseModel(2.0, 3.0)
#: So that small networks with little input fire.
LIVELY = {"conv": 40.0, "dense": 40.0, "output": 60.0}
NETWORKS = {
    "dense": ("7-5-3", {}),
    "two channels": ("4x5x2-3", {}),
    "convolutions": ("6x5x2-3c2-2c3-4o", {}),
    "strides and padding": ("7x6x1-3c3s2-4o", {"padding": "same"}),
    "pooling": ("7x6x2-2a-4o", {}),
    "all": ("10x9x2-3c2-2a-2c2-6-3o", {}),
    "recurrent": ("6-5-3", {"recurrent": True}),
    "current-based": ("6x6x1-2c3-2a-5-3o", {"neuron": CurrentBasedLIF(0.3, 0.1, 5.0)}),
    "synapses": ("7-5-3", {"synaptic_delay": 4}),
    "groups": ("5x4x2-2c3-6-3", {"synaptic_delay": 6, "delay_groups": 3}),
    "synapses, recurrent": ("6-5-3", {"recurrent": True, "synaptic_delay": 3}),
    "neurons by layer": ("6-5-3", {"neuron": [SHORT, CurrentBasedLIF(0.3, 0.1, 5.0)]}),
    "current-based, recurrent": ("6-5-3", {"neuron": CurrentBasedLIF(), "recurrent": True}),
}


def frames(model, n=2, n_steps=25, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.random((n, n_steps, *model.input_shape[2:])) < 0.25).astype(np.float32)


def delay(model, seed=0):
    """Delays of several steps."""
    rng = np.random.default_rng(seed)
    for layer in spiking_layers(model):
        if layer.delays is not None:
            layer.delays.assign(rng.uniform(0, layer.max_delay, layer.delays.shape))
        late = getattr(layer, "synaptic_delays", None)
        if late is not None:
            late.assign(rng.uniform(0, layer.synaptic_delay, late.shape))


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_are_those_of_the_reference(name):
    notation, options = NETWORKS[name]
    # float64, in which rounding does not move a spike
    tf.keras.backend.set_floatx("float64")
    try:
        options = {"neuron": SHORT, "max_delay": 6, "seed": 4, "gains": LIVELY, **options}
        model = build(notation, **options)
        delay(model)
        x = frames(model)
        layers = spiking_layers(model)
        found = tf.keras.Model(model.inputs, [layer.output for layer in layers])(x)
    finally:
        tf.keras.backend.set_floatx("float32")
    wanted = reference.run(stages_of(model), x)
    found = found if len(layers) > 1 else [found]
    assert len(found) == len(wanted) == len(layers)
    for spikes, activity in zip(found, wanted):
        np.testing.assert_array_equal(spikes, activity.sent)
    assert wanted[-1].sent.any()


def test_gradients_of_a_convolution_are_those_of_its_matrix():
    """The same weights as a dense layer: gradients for inputs, kernel and delays agree."""
    tf.keras.backend.set_floatx("float64")
    try:
        model = build("4x4x2-3c2s2-3o", neuron=SHORT, padding="same", gains={"conv": 20.0})
    finally:
        tf.keras.backend.set_floatx("float32")
    layer, x = model.layers[1], tf.constant(frames(model), tf.float64)
    n_inputs, n_neurons = 32, int(np.prod(layer.output_shape[2:]))
    images = tf.reshape(tf.eye(n_inputs, dtype=tf.float64), (n_inputs, 1, 4, 4, 2))
    maps = tf.nn.conv2d(images[:, 0], layer.kernel, 2, "SAME")
    dense = SpikingDense(n_neurons, neuron=SHORT, max_delay=layer.max_delay, dtype="float64")
    dense.build((None, None, 4, 4, 2))
    dense.kernel.assign(tf.reshape(maps, (n_inputs, n_neurons)))
    dense.delays.assign(layer.delays)
    errors = tf.constant(np.random.default_rng(0).normal(size=(2, 25, n_neurons)))
    gradients = []
    for each in (layer, dense):
        with tf.GradientTape() as tape:
            tape.watch(x)
            spikes = tf.reshape(each(x), (2, 25, n_neurons))
            total = tf.reduce_sum(spikes * errors)
        gradients.append([spikes, *tape.gradient(total, [x, each.kernel, each.delays])])
    assert gradients[0][0].numpy().any()
    for place in (0, 1, 3):
        np.testing.assert_allclose(gradients[0][place], gradients[1][place], rtol=1e-9, atol=1e-9)
    # a kernel's gradient is the sum over the places where it stands
    with tf.GradientTape() as tape:
        maps = tf.nn.conv2d(images[:, 0], layer.kernel, 2, "SAME")
        total = tf.reduce_sum(tf.reshape(maps, (n_inputs, n_neurons)) * gradients[1][2])
    wanted = tape.gradient(total, layer.kernel)
    np.testing.assert_allclose(gradients[0][2], wanted, rtol=1e-9, atol=1e-9)


def test_any_number_of_steps_and_samples():
    model = build("6x6x1-2c3-2a-3o", neuron=SHORT, gains=LIVELY)
    assert model.input_shape == (None, None, 6, 6, 1)
    long = frames(model, 3, 40)
    whole = model(long).numpy()
    np.testing.assert_array_equal(model(long[:1, :20]), whole[:1, :20])
    assert model.compute_output_shape((5, 17, 6, 6, 1)) == (5, 17, 3)
    fixed = build("6x6x1-2c3-2a-3o", n_steps=40)
    assert fixed.output_shape == (None, 40, 3)


def test_dropout_is_held_over_time():
    model = build("30-30-3", neuron=SHORT, dropout=0.5, seed=1)
    dropout = model.get_layer("dropout1")
    found = dropout(tf.ones((4, 9, 30)), training=True).numpy()
    np.testing.assert_array_equal(found, np.repeat(found[:, :1], 9, axis=1))
    assert 0.3 < (found == 0).mean() < 0.7
    assert not np.array_equal(found[0], found[1])
    np.testing.assert_array_equal(dropout(tf.ones((4, 9, 30))), 1)


def test_dropout_is_before_dense_and_output_layers_not_at_the_input():
    names = [layer.name for layer in build("6x6x1-2c3-2a-5-3o", dropout=0.5).layers]
    assert names[1:] == ["conv1", "pool1", "dropout1", "dense1", "dropout2", "output"]
    assert [layer.name for layer in build("7-3o", dropout=0.5).layers][1:] == ["output"]


def test_dropout_goes_on_where_it_was():
    first, second = HeldDropout(0.5, seed=3), HeldDropout(0.5, seed=3)
    x = tf.ones((5, 4, 6))
    drawn = [first(x, training=True).numpy() for _ in range(3)]
    assert not np.array_equal(drawn[0], drawn[1])
    assert set(np.unique(drawn)) == {0.0, 2.0}
    second(x)  # not in training: no call is counted
    second.set_weights([np.array(2)])
    np.testing.assert_array_equal(second(x, training=True), drawn[2])
    with pytest.raises(ConversionError, match=r"rate is 1\.0"):
        HeldDropout(1.0)


def test_seeds_and_gains():
    models = [build("10x10x2-6c2-24c3-10o", seed=seed, gains=GAINS) for seed in (0, 0, 1)]
    weights = [model.get_weights() for model in models]
    for first, second, third in zip(*weights):
        np.testing.assert_array_equal(first, second)
        assert not np.array_equal(first, third)
    shapes = [w.shape for w in weights[0]]
    assert shapes == [(2, 2, 2, 6), (486,), (3, 3, 6, 24), (1176,), (1176, 10)]
    kernel, delays, *_, output = weights[0]
    assert 0.9 < abs(kernel).max() / (100 / np.sqrt(8)) <= 1
    assert 0.9 < abs(output).max() / (10 / np.sqrt(1176)) <= 1
    assert delays.min() >= 0
    assert 0.9 < delays.max() < 1
    low = build("5-3", neuron=SpikeResponseModel(threshold=1.0)).get_weights()[0]
    assert 0.5 < abs(low).max() / (1 / np.sqrt(5)) <= 1
    for given, layer in zip(models[0].layers[1:], build("10x10x2-6c2-24c3-10o").layers[1:]):
        assert layer.gain is None
        np.testing.assert_array_equal(layer.kernel, given.kernel)


def test_delays_stay_in_their_range():
    model = build("5-4-3", neuron=SHORT, max_delay=3, gains=LIVELY)
    before = model.get_layer("dense1").delays.numpy()
    model.compile(tf.keras.optimizers.SGD(1e4), "mse")
    x = frames(model, 8)
    model.fit(x, np.random.default_rng(0).normal(size=(8, 25, 3)), epochs=2, verbose=0)
    delays = model.get_layer("dense1").delays.numpy()
    assert ((delays >= 0) & (delays <= 3)).all()
    assert (delays != before).any()


def test_spikes_are_counted_before_their_delay():
    model = build("5-4-3", neuron=SHORT, max_delay=30, gains=LIVELY)
    model.get_layer("dense1").delays.assign([30.0] * 4)
    model.compile("adam", "mse")
    x = frames(model, 4)
    found = model.evaluate(x, np.zeros((4, 25, 3)), verbose=0, return_dict=True)
    wanted = reference.run(stages_of(model), x)
    assert not wanted[0].sent.any()
    assert found["dense1_spikes"] == pytest.approx(wanted[0].spikes.sum() / 4)
    assert found["dense1_spikes"] > 0


def test_layers_as_configuration():
    model = build(
        "6x6x2-2c3-2a-5-3o",
        CurrentBasedLIF(0.5, 0.25, 2.0),
        Surrogate("linear", 0.5, 2.0),
        dropout=0.1,
        max_delay=7,
    )
    config = json.loads(json.dumps(model.get_config()))
    again = tf.keras.Model.from_config(config)
    again.set_weights(model.get_weights())
    x = frames(model)
    np.testing.assert_array_equal(again(x), model(x))
    for first, second in zip(spiking_layers(model), spiking_layers(again)):
        assert first.get_config() == second.get_config()
        assert second.surrogate == Surrogate("linear", 0.5, 2.0)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_the_notation(padding):
    """The papers' networks; with zero padding as large as slayerPytorch's."""
    model = build("34x34x2-16c5-2a-32c3-2a-64c3-512-10", padding=padding, max_delay=0, gains=GAINS)
    shapes = [layer.output_shape[2:] for layer in spiking_layers(model)]
    sides = {"valid": (30, 15, 13, 6, 4), "same": (34, 17, 17, 8, 8)}[padding]
    wanted = [(n, n, c) for n, c in zip(sides, (16, 16, 32, 32, 64))] + [(512,), (10,)]
    assert shapes == wanted
    if padding == "same":
        assert model.count_params() == 800 + 4608 + 18_432 + 4096 * 512 + 5120


def test_the_papers_other_networks():
    """DVS Gesture's, aggregated four to one before its first convolution, and N-TIDIGITS18's."""
    options = {"max_delay": 0, "gains": GAINS}
    gesture = build("128x128x2-4a-16c5-2a-32c3-2a-512-11", padding="same", **options)
    shapes = [layer.output_shape[2:] for layer in spiking_layers(gesture)]
    sides = [(32, 2), (32, 16), (16, 16), (16, 32), (8, 32)]
    assert shapes == [(side, side, n) for side, n in sides] + [(512,), (11,)]
    assert gesture.count_params() == 800 + 4608 + 2048 * 512 + 512 * 11
    speech = build("64-256-256-11", **options)
    assert [layer.units for layer in spiking_layers(speech)] == [256, 256, 11]
    assert speech.count_params() == 84_736  # the paper's Table I


def test_delays_by_default_end_with_the_samples():
    for n_steps, most in ((None, 62), (100, 62), (9, 8), (1, 0)):
        assert build("6-5-3", n_steps=n_steps).layers[1].max_delay == most


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: build("6x6x1-2MP2-3o"), "max pool.*2a"),
        (lambda: build("6x6x1-8c7-3o"), "kernels of 7 x 7 do not fit into 6 x 6"),
        (lambda: build("3x3x1-4a-3o"), "window of 4 x 4 does not fit into 3 x 3"),
        (lambda: build("6-2c3-3o"), r"features of shape \(6,\)"),
        (lambda: build("6-5-3", max_delay=-1), "max_delay is -1"),
        (lambda: build("6-5-3", n_steps=9, max_delay=9), "max_delay is 9 steps.*a sample has 9"),
        (lambda: build("6-5-3", n_steps=9, synaptic_delay=20), "synaptic_delay is 20 .*at most 8"),
        (lambda: SpikingDense(0), "units is 0"),
        (lambda: SpikingDense(3, recurrent=True, max_delay=2), "max_delay 2.*max_delay=0"),
        (lambda: SpikingConv2D(3, 0), "size is 0"),
        (lambda: SpikingConv2D(3, 2, padding="full"), "padding is 'full'"),
        (lambda: AggregatePooling2D(1.5), "size is 1.5"),
    ],
)
def test_bad_layers(make, words):
    with pytest.raises((ConversionError, NotationError), match=words):
        make()


def test_other_layers_are_named():
    keras = tf.keras
    x = keras.Input((None, 5))
    with pytest.raises(ConversionError, match=r"'d' \(Dense\) is no spiking layer"):
        stages_of(keras.Model(x, keras.layers.Dense(3, name="d")(x)))
    with pytest.raises(ConversionError, match="no spiking layer"):
        stages_of(keras.Model(x, keras.layers.Dropout(0.1)(x)))
