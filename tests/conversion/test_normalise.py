"""Every activation over its scale, the output as it was, on any graph."""

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.ann.clip_floor import clip_floor_layer
from nengo_tactile.conversion.normalise import is_activation
from nengo_tactile.conversion.reading import functional, plain
from nengo_tactile.errors import ConversionError
from tests.support.passes import normalise
from tests.support.random_models import layers

SHAPE = (8, 8, 3)


def relu(name=None):
    return layers().Activation("relu", name=name)


def conv(filters, size=3, **options):
    return layers().Conv2D(filters, size, padding="same", **options)


def dense(units, **options):
    return layers().Dense(units, **options)


def flat(x):
    return dense(5)(layers().Flatten()(x))


def chain(x):
    x = relu()(conv(4, strides=2)(x))
    x = layers().AveragePooling2D(2)(layers().Dropout(0.5)(x))
    x = layers().LeakyReLU(0.1)(conv(6, use_bias=False)(x))
    x = relu()(dense(7)(layers().Flatten()(x)))
    return dense(5)(x)


def ceilings(x):
    x = layers().ReLU(max_value=0.5)(conv(4)(x))
    x = clip_floor_layer()(4)(conv(5)(x))
    return flat(layers().ReLU(max_value=6.0)(conv(3)(x)))


def block(x, filters, strides=1):
    """A basic residual block (paper, figure 2)."""
    shortcut = x if strides == 1 else conv(filters, 1, strides=strides)(x)
    y = conv(filters)(relu()(conv(filters, strides=strides)(x)))
    return relu()(layers().Add()([y, shortcut]))


def residual(x):
    x = relu()(conv(4)(x))
    x = block(block(block(x, 4), 6, 2), 6)
    return dense(5)(layers().GlobalAveragePooling2D()(x))


def pooled_shortcut(x):
    x = relu()(conv(4)(x))
    y = conv(4, strides=2)(relu()(conv(4)(x)))
    x = relu()(layers().Add()([layers().AveragePooling2D(2)(x), y]))
    y = layers().MaxPooling2D(2)(conv(4)(x))  # pooling between weights and sum
    return flat(relu()(layers().Average()([layers().MaxPooling2D(2)(x), y])))


def before_activation(x):
    """Residual blocks whose activations come before the convolutions."""
    x = conv(4)(x)
    for _ in range(3):
        x = layers().Add()([conv(4)(relu()(conv(4)(relu()(x)))), x])
    return flat(relu()(x))


def inception(x):
    x = relu()(conv(4)(x))
    branches = [relu()(conv(2, 1)(x)), relu()(conv(3)(relu()(conv(2)(x))))]
    branches += [layers().MaxPooling2D(3, 1, padding="same")(x), conv(2, 1)(x)]
    x = layers().Concatenate()(branches)
    return flat(relu()(layers().Add()([conv(11)(x), x])))


def nested_sums(x):
    a, b = relu()(conv(4)(x)), relu()(conv(4)(x))
    c = layers().Add()([a, b, conv(4)(a)])
    d = layers().Subtract()([layers().Add()([c, b]), conv(4)(c)])  # c and b have other readers
    e = relu()(conv(3)(layers().Add()([c, d])))  # a convolution reads a sum
    return flat(layers().Add()([e, e]))


def flattened_sum(x):
    a = relu()(conv(4)(x))
    b = layers().Flatten()(layers().Add()([a, conv(4)(a)]))
    c = relu()(dense(256)(layers().Flatten()(a)))
    return dense(3)(relu()(layers().Add()([b, c, dense(256)(c)])))


def permuted(x):
    a = relu()(conv(4)(x))
    b = layers().Permute((3, 1, 2))(a)  # channels become rows
    b = relu()(layers().Permute((2, 3, 1))(conv(8)(b)))
    c = layers().Reshape((4, 16, 4))(a)
    c = relu()(conv(3)(c))
    d = layers().Reshape((8, 4, 8))(a)  # mixes columns and channels
    d = relu()(layers().Reshape((8, 8, 4))(conv(8)(d)))
    d = layers().AveragePooling2D(2)(layers().Permute((1, 3, 2))(d))
    both = [layers().Flatten()(y) for y in (b, c, d)]
    return dense(4)(layers().Concatenate()(both))


def kinds_of_weights(x):
    x = relu()(layers().DepthwiseConv2D(3, depth_multiplier=2)(x))
    x = relu()(layers().SeparableConv2D(5, 3, depth_multiplier=2)(x))
    x = relu()(layers().Conv2DTranspose(4, 3, 2)(x))
    x = relu()(conv(6, groups=2)(x))
    x = relu()(layers().Conv2D(3, 2, dilation_rate=2)(layers().Rescaling(0.5, 0.25)(x)))
    x = layers().Reshape((-1, 3))(layers().Cropping2D(1)(layers().ZeroPadding2D(1)(x)))
    x = relu()(layers().Conv1D(4, 3, padding="causal")(x))
    x = relu()(layers().SeparableConv1D(4, 3)(layers().MaxPooling1D(2)(x)))
    x = relu()(layers().Add()([layers().Conv1DTranspose(4, 3, padding="same")(x), x]))
    return flat(layers().DepthwiseConv1D(2)(x))


def unet(x):
    a = relu()(conv(3)(x))
    b = relu()(conv(4)(layers().MaxPooling2D(2)(a)))
    c = layers().UpSampling2D(2, interpolation="bilinear")(b)
    d = relu()(conv(3)(layers().Concatenate()([layers().UpSampling2D(2)(b), a, c])))
    return layers().Conv2D(2, 1)(d)


def ends_in_activation(x):
    return relu()(layers().GlobalMaxPooling2D()(conv(4)(x)))


GRAPHS = (chain, ceilings, residual, pooled_shortcut, before_activation, inception, nested_sums)
GRAPHS += (flattened_sum, permuted, kinds_of_weights, unet, ends_in_activation)


def model_of(graph, seed=0, shape=SHAPE):
    keras = stack.tensorflow().keras
    inputs = keras.Input(shape)
    model = keras.Model(inputs, graph(inputs))
    rng = np.random.default_rng(seed)
    weights = []
    for weight in model.weights:
        fan_in = np.prod(weight.shape[:-1])
        weights.append(
            np.array(0.8)
            if "ceiling" in weight.name
            else rng.normal(0.05, 1.5 / np.sqrt(fan_in), weight.shape)
        )
    model.set_weights(weights)
    return model


def activations(model):
    return [layer.name for layer in plain(model) if is_activation(layer)]


def random_scales(model, channelwise, seed=1):
    rng = np.random.default_rng(seed)
    scales = {}
    for name in activations(model):
        layer = model.get_layer(name)
        one = getattr(layer, "max_value", None) is not None or hasattr(layer, "ceiling")
        size = layer.output.shape[-1] if channelwise and not one else None
        scales[name] = 2.0 ** rng.uniform(-3, 3, size)
    return scales


def outputs(model, names, x):
    tensors = [model.get_layer(name).output for name in names]
    probe = stack.tensorflow().keras.Model(model.inputs, [*tensors, model.output])
    return [value.numpy() for value in probe(x)]


def images(n=5, shape=SHAPE):
    return np.random.default_rng(2).normal(size=(n, *shape)).astype(np.float32)


@pytest.mark.parametrize("channelwise", [False, True])
@pytest.mark.parametrize("graph", GRAPHS)
def test_activations_are_divided_and_the_output_stays(graph, channelwise):
    model = model_of(graph)
    scales = random_scales(model, channelwise)
    weights, description = model.get_weights(), model.to_json()
    new = normalise(model, scales)
    assert model.to_json() == description
    assert all((a == b).all() for a, b in zip(model.get_weights(), weights))
    names = activations(model)
    assert sorted(activations(new)) == sorted(names)  # some are further from the end now
    x = images()
    before, after = outputs(model, names, x), outputs(new, names, x)
    for name, old, got in zip([*names, None], before, after):
        wanted = old / scales.get(name, 1.0)
        assert np.abs(wanted).max() > 0.05
        if name and type(model.get_layer(name)).__name__ == "ClipFloor":
            # rounding may put a value on another step
            assert (np.abs(got - wanted) > 1e-5 * np.abs(wanted).max()).mean() < 1e-3
        else:
            assert np.abs(got - wanted).max() <= 1e-5 * max(1, np.abs(wanted).max())


@pytest.mark.parametrize(
    ("graph", "names"),
    [
        (chain, []),
        (unet, []),
        # the two identities; the projection takes its factor in
        (residual, ["{0}_shortcut", "{2}_shortcut"]),
        (inception, ["{0}_shortcut"]),
        (pooled_shortcut, ["{0}_shortcut", "{1}_shortcut"]),
    ],
)
def test_only_branches_without_weights_of_their_own_get_a_layer(graph, names):
    model = model_of(graph)
    sums = [la.name for la in model.layers if type(la).__name__ in ("Add", "Average")]
    new = normalise(model, random_scales(model, True))
    found = {layer.name for layer in new.layers} - {layer.name for layer in model.layers}
    assert found == {name.format(*sums) for name in names}


@pytest.mark.parametrize("shortcut_normalisation", [True, False])
@pytest.mark.parametrize("projection", [True, False])
def test_a_block_by_hand(shortcut_normalisation, projection):
    """Equations 3-5 with one channel and 1 x 1 kernels: max 2, 4 and 8."""
    keras = stack.tensorflow().keras
    inputs = keras.Input((1, 1, 1))
    x = relu("relu1")(layers().Conv2D(1, 1, name="conv0")(inputs))
    y = relu("relu2")(layers().Conv2D(1, 1, name="conv1")(x))
    y = layers().Conv2D(1, 1, name="conv2")(y)
    shortcut = layers().Conv2D(1, 1, name="projection")(x) if projection else x
    y = relu("relu3")(layers().Add(name="add")([y, shortcut]))
    model = keras.Model(inputs, layers().Conv2D(1, 1, name="read")(y))
    values = {"conv0": (3, 1), "conv1": (1.5, 0.5), "conv2": (2, -4), "read": (5, 7)}
    values["projection"] = (0.25, 16)
    for name, (weight, bias) in values.items():
        if name != "projection" or projection:
            model.get_layer(name).set_weights([np.full((1, 1, 1, 1), weight), np.full(1, bias)])
    new = normalise(model, {"relu1": 2, "relu2": 4, "relu3": 8}, shortcut_normalisation)
    wanted = {"conv0": (1.5, 0.5), "conv1": (0.75, 0.125), "conv2": (1, -0.5), "read": (40, 7)}
    names = {layer.name for layer in new.layers}
    assert ("add_shortcut" in names) == (shortcut_normalisation and not projection)
    if projection:
        wanted["projection"] = (0.0625 if shortcut_normalisation else 0.25, 2)
    elif shortcut_normalisation:  # max_1 / max_3
        (factor,) = new.get_layer("add_shortcut").get_weights()
        assert factor.shape == (1, 1, 1, 1) and factor.item() == 0.25
    for name, values in wanted.items():
        assert tuple(w.item() for w in new.get_layer(name).get_weights()) == values


@pytest.mark.parametrize("graph", [residual, pooled_shortcut, before_activation])
def test_without_shortcut_normalisation(graph):
    model = model_of(graph)
    scales = random_scales(model, False)
    new = normalise(model, scales, shortcut_normalisation=False)
    x = images()
    first = activations(model)[0]
    old, got = outputs(model, [first], x)[0], outputs(new, [first], x)[0]
    assert np.allclose(got, old / scales[first], rtol=1e-4)
    assert not any("shortcut" in layer.name for layer in new.layers)
    assert not np.allclose(new(x), model(x), rtol=0.05)


def test_without_shortcut_normalisation_only_shortcuts_change():
    """Branches side by side are no shortcuts of one another."""

    def side_by_side(x):
        x = relu("first")(conv(4, name="c")(x))
        a, b = relu("a")(conv(4, name="ca")(x)), relu("b")(conv(4, name="cb")(x))
        return flat(relu("last")(layers().Add(name="add")([a, b])))

    model = model_of(side_by_side)
    new = normalise(model, {"first": 2, "a": 3, "b": 5, "last": 7}, False)
    x = images()
    assert np.allclose(new(x), model(x), atol=1e-4)
    assert sorted(plain(new).readers["b"] + plain(new).readers["a"]) == [
        "add_shortcut",
        "add_shortcut2",
    ]


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        ({}, r"layer 'r' \(Activation\): no scale given"),
        ({"r": 0.0}, r"layer 'r' \(Activation\): its scale is 0.0; it must be finite"),
        ({"r": np.nan}, "its scale is nan"),
        ({"r": [1.0, 2.0, np.inf, 3.0]}, "its scale is inf"),
        ({"r": [1.0, 2.0]}, r"its scale has shape \(2,\).*each of the 4 channels"),
        ({"r": 1.0, "typo": 1.0}, r"'typo' is no activation layer; the model's are r"),
    ],
)
def test_bad_scales_are_named(scale, message):
    model = model_of(lambda x: flat(relu("r")(conv(4)(x))))
    with pytest.raises(ConversionError, match=message):
        normalise(model, scale)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: layers().BatchNormalization(name="bad"), "scales cannot pass it.*fold_batch_norm"),
        (lambda: layers().Activation("tanh", name="bad"), "scales cannot pass it"),
        (lambda: conv(4, activation="relu", name="bad"), "layer of its own"),
        (lambda: layers().ReLU(threshold=0.5, name="bad"), "threshold is 0.5"),
    ],
)
def test_layers_that_scales_cannot_pass(layer, message):
    model = model_of(lambda x: flat(relu("r")(layer()(conv(4)(x)))))
    with pytest.raises(ConversionError, match=rf"layer 'bad' .*{message}"):
        normalise(model, {"r": 1.0})


def test_one_ceiling_has_one_scale():
    model = model_of(lambda x: flat(layers().ReLU(6.0, name="r")(conv(2)(x))))
    normalise(model, {"r": [2.0, 2.0]})
    with pytest.raises(ConversionError, match=r"'r' .*from 1.0 to 2.0, but one ceiling"):
        normalise(model, {"r": [1.0, 2.0]})


def test_a_branch_that_is_spread_over_channels():
    def gate(x):
        a, b = relu("a")(conv(4)(x)), relu("b")(conv(1)(x))
        return flat(relu("r")(layers().Add(name="add")([a, b])))

    model, x = model_of(gate), images()
    scales = {"a": np.arange(1, 5), "b": 3.0, "r": 7.0}
    assert np.allclose(normalise(model, scales)(x), model(x), atol=1e-4)
    with pytest.raises(ConversionError, match=r"'add' \(Add\).*from 1 to 4.*one scale per layer"):
        normalise(model, {**scales, "r": np.arange(1, 5)})


def test_sequential_models_are_taken():
    keras = stack.tensorflow().keras
    model = keras.Sequential([keras.Input(SHAPE), conv(3), relu("r"), layers().Flatten()])
    x = images()
    assert np.allclose(normalise(model, {"r": 3.0})(x), functional(model)(x), atol=1e-5)
