"""Keras 3 models are compared with their translation."""

import numpy as np
import pytest

from nengo_tactile.ann import keras3 as translation
from nengo_tactile.ann.keras3 import from_keras3
from nengo_tactile.errors import ConversionError

pytestmark = pytest.mark.stack


def small(keras, **options):
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((5, 4, 2)),
            layers.Conv2D(3, 2, name="one", **options),
            layers.BatchNormalization(name="two"),
            layers.LeakyReLU(0.3, name="three"),
            layers.Flatten(name="four"),
            layers.Dense(2, name="five"),
        ],
        name="small",
    )


@pytest.mark.parametrize("form", ["sequential", "functional"])
@pytest.mark.parametrize("name", ["one", "two", "three", "five"])
def test_the_first_layer_that_differs_is_named(keras3, monkeypatch, form, name):
    model = small(keras3)
    if form == "functional":
        model = keras3.Model(model.inputs, model.outputs)
    original = translation.build

    def wrong(*arguments):
        translated = original(*arguments)
        layer = translated.get_layer(name)
        if name == "three":
            layer.alpha = 0.31
        else:
            values = layer.get_weights()
            values[0] = values[0] * 1.01
            layer.set_weights(values)
        return translated

    from_keras3(model)
    monkeypatch.setattr(translation, "build", wrong)
    with pytest.raises(ConversionError, match=rf"layer '{name}' \(.*differs by 0\.0.*at most"):
        from_keras3(model)


def test_weights_that_are_not_finite_are_no_difference(keras3):
    model = small(keras3)
    kernel, bias = model.get_layer("one").get_weights()
    kernel[0, 0, 0, 0] = np.nan
    model.get_layer("one").set_weights([kernel, bias])
    assert np.isnan(from_keras3(model).get_layer("one").get_weights()[0][0, 0, 0, 0])


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16", "float64"])
def test_models_in_other_precision(keras3, precision):
    model = small(keras3, dtype=precision)
    translated = from_keras3(model)
    for one, other in zip(model.get_weights(), translated.get_weights()):
        assert np.allclose(one, other, rtol=1e-6)
    assert translated.get_layer("one").compute_dtype == "float32"


def test_open_input_shapes_are_refused(keras3):
    model = keras3.Sequential([keras3.Input((None, 4, 2)), keras3.layers.Conv2D(1, 2)], name="open")
    with pytest.raises(ConversionError, match=r"model 'open'.*\(None, 4, 2\).*fixed input shape"):
        from_keras3(model)
