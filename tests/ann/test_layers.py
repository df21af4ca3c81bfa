"""Models of every form become one functional graph, or are refused by name."""

import numpy as np
import pytest

from nengo_tactile.conversion.reading import convertible, functional, plain
from nengo_tactile.errors import ConversionError
from tests.support.passes import check_weights, simplify
from tests.support.random_models import (
    SHAPE,
    apply_pass,
    assert_same,
    chain,
    conv,
    keras,
    randomised,
)


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


def test_layers_used_twice_become_two():
    x = inputs = keras().Input((3,))
    twin = keras().layers.Dense(3, name="twin")
    model = randomised(keras().Model(inputs, twin(twin(x))))
    flat = apply_pass(functional, model)
    assert [layer.name for layer in flat.layers][1:] == ["twin", "twin_2"]
    assert_same(model, flat)


def test_a_layer_shared_with_another_model_is_fine():
    shared = keras().layers.Dense(3)
    model = chain(keras().layers.Flatten(), shared)
    keras().Model(i := keras().Input((126,)), shared(i))
    convertible(model)
    assert_same(model, simplify(model))


def test_sequential_becomes_functional():
    layers = keras().layers
    model = keras().Sequential(
        [layers.Conv2D(2, 3, input_shape=SHAPE), layers.Flatten(), layers.Dense(2)], name="s"
    )
    result = apply_pass(functional, model)
    assert_same(model, result)
    assert result.name == "s"
    assert plain(result).readers == {
        "input": [model.layers[0].name],
        model.layers[0].name: [model.layers[1].name],
        model.layers[1].name: [model.layers[2].name],
        model.layers[2].name: [],
    }


def test_models_inside_a_model_are_taken_apart():
    layers = keras().layers
    block = keras().Sequential([conv(2, 3, name="one"), layers.ReLU(name="two")], name="block")
    inner_input = keras().Input((7, 5, 2))
    a = conv(2, 1, name="one")(inner_input)
    inner = keras().Model(inner_input, layers.Add(name="sum")([a, inner_input]), name="inner")
    for model in (
        chain(block, inner, layers.Flatten(), layers.Dense(2, name="three")),
        randomised(
            keras().Sequential([keras().Input(SHAPE), block, keras().Sequential([inner], "outer")])
        ),
    ):
        flat = apply_pass(functional, model)
        assert not any(isinstance(layer, keras().Model) for layer in flat.layers)
        assert_same(model, flat)
        names = [layer.name for layer in flat.layers][1:5]
        assert names == ["one", "two", "inner_one", "sum"]
    twice = chain(conv(2, 1), conv(2, 3), inner, inner)
    assert_same(twice, apply_pass(functional, twice))


def test_copies_compute_in_float32():
    layer = conv(2, 3, dtype="mixed_bfloat16")
    model = simplify(chain(layer))
    assert model.layers[-1].compute_dtype == "float32"
    x = np.ones((1, *SHAPE), np.float32)
    wanted = np.einsum("ijcf->f", layer.kernel.numpy()) + layer.bias.numpy()
    assert np.allclose(model(x).numpy()[0, 0, 0], wanted, atol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite(value):
    layers = keras().layers
    model = chain(
        conv(2, (2, 3), name="c"), layers.BatchNormalization(name="n"), layers.Dense(2, name="d")
    )
    check_weights(model)
    kernel = model.get_layer("c").kernel.numpy()
    kernel[1, 2, 0, 1] = kernel[1, 2, 1, 1] = value
    model.get_layer("c").kernel.assign(kernel)
    model.get_layer("n").moving_variance.assign([1, value])
    with pytest.raises(ConversionError) as caught:
        check_weights(model)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(
        f"layer 'c' (Conv2D): weight 'kernel' is {value} at index (1, 2, 0, 1) (2 of 24 values"
    )
    assert lines[1].startswith(
        f"layer 'n' (BatchNormalization): weight 'moving_variance' is {value} at index (1,)"
    )
