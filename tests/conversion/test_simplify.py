"""Simplified models compute the same with fewer kinds of layers."""

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.ann.clip_floor import clip_floor_layer
from nengo_tactile.errors import ConversionError
from nengo_tactile.networks.read_out import ReadOut
from tests.support.passes import read_out_of, simplify, spiking_layers
from tests.support.random_models import (
    SHAPE,
    apply_pass,
    assert_same,
    chain,
    conv,
    keras,
    kinds,
    randomised,
)

X = np.random.default_rng(0).normal(size=(6, *SHAPE)).astype(np.float32)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [1, (2, 3)])
@pytest.mark.parametrize("use_bias", [True, False])
def test_simplify_keeps_convolutions(padding, strides, use_bias):
    layers = keras().layers
    model = chain(
        conv(3, (3, 2), strides, padding, activation="relu", use_bias=use_bias, name="one"),
        layers.Dropout(0.4),
        layers.Flatten(),
        layers.Dense(4, activation="relu", use_bias=use_bias, name="two"),
        layers.Dense(3, use_bias=use_bias),
    )
    plain = apply_pass(simplify, model)
    assert_same(model, plain)
    kinds = [type(layer).__name__ for layer in plain.layers]
    assert kinds == [
        "InputLayer",
        "Conv2D",
        "Activation",
        "Flatten",
        "Dense",
        "Activation",
        "Dense",
    ]
    assert spiking_layers(plain) == ["one_relu", "two_relu"]
    assert_same(plain, apply_pass(simplify, plain))


@pytest.mark.parametrize("kind", ["ReLU", "Activation", "SpatialDropout2D", "GaussianNoise"])
def test_simplify_keeps_each_other_layer(kind):
    layers = keras().layers
    layer = {
        "ReLU": lambda: layers.ReLU(),
        "Activation": lambda: layers.Activation("linear"),
        "SpatialDropout2D": lambda: layers.SpatialDropout2D(0.5),
        "GaussianNoise": lambda: layers.GaussianNoise(1.0),
    }[kind]()
    model = chain(conv(2, 3), layer, layers.Flatten(), layers.Dense(2))
    assert_same(model, apply_pass(simplify, model))


@pytest.mark.parametrize("form", ["argument", "Activation", "Softmax"])
def test_softmax_goes_at_the_end_only(form):
    layers = keras().layers
    softmax = {
        "argument": lambda: [layers.Dense(3, activation="softmax", name="s")],
        "Activation": lambda: [layers.Dense(3), layers.Activation("softmax", name="s")],
        "Softmax": lambda: [layers.Dense(3), layers.Softmax(name="s")],
    }[form]
    model = chain(layers.Flatten(), *softmax())
    logits = simplify(model)(X).numpy()
    p = np.exp(logits - logits.max(1, keepdims=True))
    assert np.allclose(p / p.sum(1, keepdims=True), model(X).numpy(), atol=1e-5)
    with pytest.raises(ConversionError, match=r"layer 's' .*softmax before the end"):
        simplify(chain(layers.Flatten(), *softmax(), layers.Dense(2)))


IMAGE, SEQUENCE = SHAPE, (9, 2)
WEIGHTED = {
    "Conv1D": (SEQUENCE, lambda la, **o: la.Conv1D(3, 2, **o)),
    "Conv2D": (IMAGE, lambda la, **o: la.Conv2D(3, 2, **o)),
    "Dense": ((4,), lambda la, **o: la.Dense(3, **o)),
    "DepthwiseConv1D": (SEQUENCE, lambda la, **o: la.DepthwiseConv1D(2, **o)),
    "DepthwiseConv2D": (IMAGE, lambda la, **o: la.DepthwiseConv2D(2, **o)),
    "SeparableConv1D": (SEQUENCE, lambda la, **o: la.SeparableConv1D(3, 2, **o)),
    "SeparableConv2D": (IMAGE, lambda la, **o: la.SeparableConv2D(3, 2, **o)),
    "Conv1DTranspose": (SEQUENCE, lambda la, **o: la.Conv1DTranspose(3, 2, **o)),
    "Conv2DTranspose": (IMAGE, lambda la, **o: la.Conv2DTranspose(3, 2, **o)),
}
#: Spelling of an activation -> (maker, type, ending of the name, settings of the layer).
ACTIVATIONS = {
    "relu": (lambda tf: "relu", "Activation", "relu", {}),
    "ReLU": (lambda tf: tf.keras.layers.ReLU(), "Activation", "relu", {}),
    "relu6": (lambda tf: "relu6", "ReLU", "relu6", {"max_value": 6.0}),
    "tf relu6": (lambda tf: tf.nn.relu6, "ReLU", "relu6", {"max_value": 6.0}),
    "ReLU(2.5)": (lambda tf: tf.keras.layers.ReLU(2.5), "ReLU", "relu2.5", {"max_value": 2.5}),
    "leaky_relu": (lambda tf: "leaky_relu", "LeakyReLU", "leaky_relu", {"alpha": 0.2}),
    "tf leaky": (lambda tf: tf.nn.leaky_relu, "LeakyReLU", "leaky_relu", {"alpha": 0.2}),
    "slope": (
        lambda tf: tf.keras.layers.ReLU(negative_slope=0.4),
        "LeakyReLU",
        "leaky_relu",
        {"alpha": 0.4},
    ),
    "LeakyReLU": (
        lambda tf: tf.keras.layers.LeakyReLU(0.4),
        "LeakyReLU",
        "leaky_relu",
        {"alpha": 0.4},
    ),
}


def check_canonical(layer, activation):
    _, kind, _, settings = ACTIVATIONS[activation]
    assert type(layer).__name__ == kind
    assert all(float(getattr(layer, k)) == pytest.approx(v) for k, v in settings.items())


@pytest.mark.parametrize("kind", WEIGHTED)
@pytest.mark.parametrize("activation", ["relu", "relu6", "leaky_relu", "ReLU(2.5)"])
def test_fused_activations_become_layers(kind, activation):
    shape, make = WEIGHTED[kind]
    make_activation, _, ending, _ = ACTIVATIONS[activation]
    fused = make(keras().layers, activation=make_activation(stack.tensorflow()), name="one")
    model = chain(fused, shape=shape)
    plain = apply_pass(simplify, model)
    assert_same(model, plain)
    assert [layer.name for layer in plain.layers][-2:] == ["one", f"one_{ending}"]
    check_canonical(plain.layers[-1], activation)
    assert spiking_layers(plain) == [f"one_{ending}"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_spelling_of_a_rectifier(activation):
    tf = stack.tensorflow()
    make, _, ending, _ = ACTIVATIONS[activation]
    fused = chain(conv(3, 2, activation=make(tf), name="one"))
    assert_same(fused, simplify(fused))
    assert simplify(fused).layers[-1].name == f"one_{ending}"
    layer = make(tf)
    if not isinstance(layer, tf.keras.layers.Layer):
        layer = tf.keras.layers.Activation(layer)
    own = chain(conv(3, 2), layer)
    for model in (fused, own):
        plain = simplify(model)
        assert_same(model, plain)
        check_canonical(plain.layers[-1], activation)
    assert simplify(own).layers[-1].name == layer.name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0.5}, r"threshold is 0\.5"),
        ({"max_value": 2, "negative_slope": 0.1}, r"negative_slope is 0\.1 and max_value 2"),
    ],
)
def test_rectifiers_that_no_neuron_computes(options, message):
    layers = keras().layers
    for parts in (
        [conv(2, 2), layers.ReLU(**options, name="bad")],
        [conv(2, 2, activation=layers.ReLU(**options), name="bad")],
    ):
        with pytest.raises(ConversionError, match=rf"layer 'bad' .*{message}"):
            simplify(chain(*parts))


@pytest.mark.parametrize(
    ("size", "padding"),
    [("1d", "valid"), ("1d", "same"), ("1d", "causal"), ("2d", "valid"), ("2d", "same")],
)
@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("use_bias", [True, False])
def test_separable_convolutions_are_taken_apart(size, padding, strides, dilation, use_bias):
    layers, options = keras().layers, {"use_bias": use_bias, "dilation_rate": dilation}
    kind = layers.SeparableConv1D if size == "1d" else layers.SeparableConv2D
    layer = kind(4, 3, strides, padding, depth_multiplier=2, name="one", **options)
    model = chain(layer, shape=SEQUENCE if size == "1d" else IMAGE)
    plain = apply_pass(simplify, model)
    assert_same(model, plain)
    names = [layer.name for layer in plain.layers][1:]
    assert names == ["one_padding"] * (padding == "causal") + ["one_depthwise", "one"]
    assert kinds(plain)[-2:] == [f"DepthwiseConv{size.upper()}", f"Conv{size.upper()}"]


def test_causal_padding_becomes_a_layer():
    layer = keras().layers.Conv1D(3, 3, padding="causal", dilation_rate=2, activation="relu")
    model = chain(layer, shape=SEQUENCE)
    plain = apply_pass(simplify, model)
    assert_same(model, plain)
    assert kinds(plain) == ["InputLayer", "ZeroPadding1D", "Conv1D", "Activation"]


def test_what_does_nothing_at_inference_goes():
    layers = keras().layers
    inactive = [
        layers.Dropout(0.4),
        layers.GaussianNoise(1.0),
        layers.GaussianDropout(0.4),
        layers.AlphaDropout(0.4),
        layers.ActivityRegularization(0.1),
        layers.Activation("linear"),
    ]
    for shape, spatial in (
        (IMAGE, layers.SpatialDropout2D(0.4)),
        (SEQUENCE, layers.SpatialDropout1D(0.4)),
    ):
        model = chain(*inactive, spatial, layers.Dense(3), shape=shape)
        plain = apply_pass(simplify, model)
        assert_same(model, plain)
        assert kinds(plain) == ["InputLayer", "Dense"]


@pytest.mark.parametrize("word", ["softmax", "sigmoid", "tanh", "softplus"])
def test_the_activation_at_the_end_is_the_read_outs(word):
    layers = keras().layers
    fused = [layers.Dense(12, activation=word, name="d"), layers.Reshape((4, 3))]
    apart = [layers.Dense(12, name="d"), layers.Reshape((4, 3)), layers.Activation(word, name="a")]
    for last, end in ((fused, "d"), (apart, "a")):
        model = chain(*last, layers.Dropout(0.5), layers.Flatten(), shape=(4,))
        plain, (read_out, name) = simplify(model), read_out_of(model)
        assert name == end and read_out.activation == word
        assert kinds(plain) == ["InputLayer", "Dense", "Reshape", "Flatten"]
        x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
        assert np.allclose(read_out.apply(plain(x).numpy()), model(x).numpy(), atol=1e-6)


def test_activations_before_the_end_are_no_read_out():
    layers = keras().layers
    for layer in (layers.Softmax(axis=1), layers.Activation("softmax")):
        more = [] if type(layer).__name__ == "Softmax" else [layers.Permute((2, 1))]
        model = chain(layers.Dense(3), layer, *more, shape=(4, 2))
        assert read_out_of(model) == (ReadOut.linear(model.output_shape[1:]), None)
        with pytest.raises(ConversionError, match="softmax before the end"):
            simplify(model)


@pytest.mark.parametrize("kind", ["relu", "leaky", "floor"])
def test_max_pooling_reads_rectifiers(kind):
    layers = keras().layers
    layer = {
        "relu": lambda: layers.ReLU(),
        "leaky": lambda: layers.LeakyReLU(0.2),
        "floor": lambda: clip_floor_layer()(4),
    }[kind]()
    model = chain(layers.ReLU(), conv(3, 2), layers.MaxPooling2D(2), layers.Dropout(0.2), layer)
    plain = apply_pass(simplify, model)
    assert_same(model, plain)
    assert kinds(plain)[-1] == "MaxPooling2D" and len(plain.layers) == 5


def test_branches_are_kept():
    layers = keras().layers
    inputs = keras().Input(SHAPE)
    x = conv(3, 1, activation="relu6")(inputs)
    a, b = conv(3, 3, padding="same", activation="relu")(x), layers.Dropout(0.2)(x)
    x = layers.Concatenate()([layers.Add()([a, b]), layers.SpatialDropout2D(0.1)(a)])
    model = randomised(keras().Model(inputs, layers.Dense(2, activation="relu")(x)))
    assert_same(model, apply_pass(simplify, model))
