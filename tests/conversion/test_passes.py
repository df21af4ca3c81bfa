"""Passes compute what the model they were given computes, and leave it alone."""

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.ann.lif import LIFParameters, rate_lif_layer
from nengo_tactile.conversion.graph import consumers, functional, walk
from nengo_tactile.conversion.passes import (
    check_layers,
    map_lif,
    spiking_layers,
    use_lif,
    use_relu,
)
from nengo_tactile.conversion.pooling import merge_average_pooling
from nengo_tactile.conversion.simplify import simplify
from nengo_tactile.errors import ConversionError

SHAPE = (9, 7, 2)
X = np.random.default_rng(0).normal(size=(6, *SHAPE)).astype(np.float32)


def keras():
    return stack.tensorflow().keras


def chain(*layers, shape=SHAPE):
    x = inputs = keras().Input(shape)
    for layer in layers:
        x = layer(x)
    model = keras().Model(inputs, x, name="chain")
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


def conv(*arguments, **options):
    return keras().layers.Conv2D(*arguments, **options)


def same(one, other):
    wanted = one(X).numpy()
    return np.allclose(other(X).numpy(), wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


def check_pass(function, model):
    """Run a pass; its argument must not change."""
    weights, description = model.get_weights(), model.to_json()
    result = function(model)
    assert result is not model and model.to_json() == description
    assert all((a == b).all() for a, b in zip(model.get_weights(), weights))
    return result


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
    plain = check_pass(simplify, model)
    assert same(model, plain)
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
    assert same(plain, check_pass(simplify, plain))


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
    assert same(model, check_pass(simplify, model))


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


@pytest.mark.parametrize("pool", [(2, 2), (2, 3), (3, 1)])
@pytest.mark.parametrize("step", [None, (1, 2), (3, 3)])
@pytest.mark.parametrize("reader", ["conv", "strided", "1x1 same", "dense"])
def test_merged_pooling_computes_the_same(pool, step, reader):
    layers = keras().layers
    target = {
        "conv": lambda: [conv(3, (2, 1))],
        "strided": lambda: [conv(3, (1, 2), (2, 1), use_bias=False)],
        "1x1 same": lambda: [conv(3, 1, (1, 2), padding="same")],
        "dense": lambda: [],
    }[reader]()
    model = chain(layers.AveragePooling2D(pool, step), *target, layers.Flatten(), layers.Dense(3))
    merged = check_pass(merge_average_pooling, model)
    assert same(model, merged)
    assert not any("Pooling" in type(layer).__name__ for layer in merged.layers)


@pytest.mark.parametrize("keepdims", [False, True])
def test_merged_global_pooling_computes_the_same(keepdims):
    layers = keras().layers
    rest = [layers.Flatten()] if keepdims else []
    model = chain(
        conv(4, 3, activation="relu"),
        layers.GlobalAveragePooling2D(keepdims=keepdims),
        *rest,
        layers.Dense(3),
    )
    assert same(model, check_pass(merge_average_pooling, simplify(model)))


def test_two_pools_in_one_network():
    layers = keras().layers
    model = chain(
        conv(3, 2, activation="relu"),
        layers.AveragePooling2D(2),
        conv(2, 2, activation="relu"),
        layers.AveragePooling2D((2, 1)),
        layers.Flatten(),
        layers.Dropout(0.2),
        layers.Dense(3),
    )
    assert same(model, merge_average_pooling(simplify(model)))


@pytest.mark.parametrize(
    ("readers", "message"),
    [
        (lambda la: [la.ReLU(name="r"), la.Flatten(), la.Dense(2)], r"'pool' .*read by 'r'"),
        (lambda la: [conv(2, 3, padding="same", name="c"), la.Flatten(), la.Dense(2)], "'c'"),
        (lambda la: [la.AveragePooling2D(2, name="p"), la.Flatten(), la.Dense(2)], "'p'"),
        (lambda la: [], "'pool' .*ends the network"),
    ],
)
def test_pooling_that_cannot_be_merged(readers, message):
    layers = keras().layers
    model = chain(layers.AveragePooling2D(2, name="pool"), *readers(layers))
    with pytest.raises(ConversionError, match=message):
        merge_average_pooling(model)


def test_lif_passes():
    lif = LIFParameters(2.0, 0.01, offset=0.3)
    model = simplify(chain(conv(2, 3, activation="relu"), keras().layers.Flatten()))
    (name,) = spiking_layers(model)
    with_lif = check_pass(lambda m: use_lif(m, {name: lif}, sigma=0.2), model)
    layer = with_lif.get_layer(name)
    assert layer.parameters == lif and layer.sigma == 0.2 and spiking_layers(with_lif) == [name]
    assert same(check_pass(use_relu, with_lif), model)
    exact = check_pass(map_lif, with_lif)
    drive = keras().Model(model.inputs, model.layers[1].output)(X).numpy()
    wanted = (lif.amplitude * lif.rates(drive)).reshape(len(X), -1)
    assert np.allclose(exact(X).numpy(), wanted, rtol=1e-3, atol=1e-4)
    fast = map_lif(with_lif, lambda p: p.faster(3))
    assert fast.get_layer(name).parameters == lif.faster(3) and same(exact, fast)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda la: la.MaxPooling2D(2, name="bad"), "AveragePooling2D, or strides"),
        (lambda la: la.BatchNormalization(name="bad"), "fold it"),
        (lambda la: la.Lambda(lambda x: x, name="bad"), "standard layers"),
        (lambda la: la.DepthwiseConv2D(2, name="bad"), "use Conv2D"),
        (lambda la: la.Dense(2, name="bad"), "put a Flatten before it"),
        (lambda la: la.Conv2D(2, 2, dilation_rate=2, name="bad"), r"dilation_rate is \(2, 2\)"),
        (lambda la: la.Conv2D(2, 2, groups=2, name="bad"), "groups is 2.*groups=1"),
        (lambda la: la.Conv2D(2, 2, activation="tanh", name="bad"), "activation 'tanh'"),
        (lambda la: la.Activation("sigmoid", name="bad"), "activation 'sigmoid'"),
        (lambda la: la.AveragePooling2D(2, padding="same", name="bad"), "padding is 'same'"),
        (lambda la: la.ReLU(max_value=6, name="bad"), "max_value is 6.*plain ReLU"),
        (lambda la: la.ReLU(negative_slope=0.1, name="bad"), "negative_slope is 0.1"),
        (lambda la: la.ReLU(threshold=1, name="bad"), "threshold is 1"),
    ],
)
def test_layers_that_cannot_be_converted(layer, message):
    model = chain(layer(keras().layers))
    with pytest.raises(ConversionError, match=rf"layer 'bad' .*{message}"):
        check_layers(model)


def test_channels_first_is_refused_with_the_remedy():
    model = chain(keras().layers.GlobalAveragePooling2D(data_format="channels_first", name="bad"))
    with pytest.raises(ConversionError, match=r"'bad'.*data_format is 'channels_first'.*transpose"):
        check_layers(model)


def test_every_bad_layer_is_listed():
    layers = keras().layers
    model = chain(layers.MaxPooling2D(2, name="a"), layers.BatchNormalization(name="b"))
    with pytest.raises(ConversionError) as caught:
        check_layers(model)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2 and "'a'" in lines[0] and "'b'" in lines[1]


def test_models_that_are_no_single_graph():
    tf_keras, layers = keras(), keras().layers
    with pytest.raises(ConversionError, match=r"model is a builtins\.dict"):
        functional({})
    with pytest.raises(ConversionError, match="no input shape yet"):
        functional(tf_keras.Sequential([layers.Dense(2)]))

    class Own(tf_keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ConversionError, match="'own' is a subclass"):
        functional(Own(name="own"))
    one, two = tf_keras.Input((3,)), tf_keras.Input((3,))
    with pytest.raises(ConversionError, match="2 inputs"):
        functional(tf_keras.Model([one, two], layers.Add()([one, two])))
    with pytest.raises(ConversionError, match="2 outputs"):
        functional(tf_keras.Model(one, [layers.Dense(2)(one), layers.Dense(2)(one)]))
    with pytest.raises(ConversionError, match=r"\(None, 5, 1\).*fixed input shape"):
        functional(tf_keras.Sequential([tf_keras.Input((None, 5, 1)), conv(1, 2)]))


def test_layers_used_twice_are_refused():
    x = inputs = keras().Input((3,))
    twin = keras().layers.Dense(3, name="twin")
    model = keras().Model(inputs, twin(twin(x)))
    with pytest.raises(ConversionError, match=r"layer 'twin' \(Dense\) is used more than once"):
        list(walk(model))
    with pytest.raises(ConversionError, match="more than once"):
        simplify(model)


def test_a_layer_shared_with_another_model_is_fine():
    shared = keras().layers.Dense(3)
    model = chain(keras().layers.Flatten(), shared)
    keras().Model(i := keras().Input((126,)), shared(i))
    check_layers(model)
    assert same(model, simplify(model))


def test_sequential_becomes_functional():
    layers = keras().layers
    model = keras().Sequential(
        [layers.Conv2D(2, 3, input_shape=SHAPE), layers.Flatten(), layers.Dense(2)], name="s"
    )
    result = check_pass(functional, model)
    assert same(model, result) and result.name == "s"
    assert consumers(result) == {
        "input": [model.layers[0].name],
        model.layers[0].name: [model.layers[1].name],
        model.layers[1].name: [model.layers[2].name],
        model.layers[2].name: [],
    }


def test_rate_lif_is_supported():
    check_layers(chain(conv(2, 3), rate_lif_layer()(1.0, 1.0), keras().layers.Flatten()))
