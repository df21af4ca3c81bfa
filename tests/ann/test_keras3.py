"""Keras 3 models are compared with their translation."""

import importlib.util

import numpy as np
import pytest

from nengo_tactile.conversion import reading
from nengo_tactile.conversion.reading import functional
from nengo_tactile.errors import ConversionError
from tests.support.fresh_process import done

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
    original = reading.layers_of

    def other(layer, inputs):
        if layer.name != name:
            return None
        if name == "three":
            return layer.changed(inputs, alpha=0.31)
        first, *rest = layer.weights
        return layer.changed(inputs, [first * 1.01, *rest])

    def wrong(*arguments):
        return original(*arguments).rebuilt(other)

    functional(model)
    monkeypatch.setattr(reading, "layers_of", wrong)
    with pytest.raises(ConversionError, match=rf"layer '{name}' \(.*differs by 0\.0.*at most"):
        functional(model)


def test_weights_that_are_not_finite_are_no_difference(keras3):
    model = small(keras3)
    kernel, bias = model.get_layer("one").get_weights()
    kernel[0, 0, 0, 0] = np.nan
    model.get_layer("one").set_weights([kernel, bias])
    assert np.isnan(functional(model).get_layer("one").get_weights()[0][0, 0, 0, 0])


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16", "float64"])
def test_models_in_other_precision(keras3, precision):
    model = small(keras3, dtype=precision)
    translated = functional(model)
    for one, other in zip(model.get_weights(), translated.get_weights()):
        assert np.allclose(one, other, rtol=1e-6)
    assert translated.get_layer("one").compute_dtype == "float32"


def test_open_input_shapes_are_refused(keras3):
    model = keras3.Sequential([keras3.Input((None, 4, 2)), keras3.layers.Conv2D(1, 2)], name="open")
    with pytest.raises(ConversionError, match=r"model 'open'.*\(None, 4, 2\).*fixed input shape"):
        functional(model)


@pytest.fixture(params=["torch", "jax"])
def backend(request):
    """A backend of Keras 3 that is not TensorFlow."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"needs {request.param}, a backend of Keras 3: pip install {request.param}")
    return request.param


ON_A_BACKEND = """
import sys
import keras
import numpy as np
import nengo_tactile as nt

assert keras.backend.backend() == {backend!r}
layers = keras.layers
x = np.random.default_rng(0).random((16, 8, 8, 2)).astype("float32")
as_array = keras.ops.convert_to_numpy

def right(model, tolerance=0.1):
    snn = nt.convert(model, x, nt.IF(), n_steps=64)
    wanted = as_array(model(x, training=False)).astype("float32")
    top = np.abs(wanted).max()
    outputs = nt.run(snn, x, engine="event", progress=False).outputs[:, -1]
    assert np.abs(outputs - wanted).max() < tolerance * top

def convolution(**options):
    keras.utils.set_random_seed(0)
    return keras.Sequential([
        keras.Input((8, 8, 2)),
        layers.Conv2D(4, 3, activation="relu", **options),
        layers.BatchNormalization(**options),
        layers.Flatten(),
        layers.Dense(3, **options),
    ])
"""


def test_models_of_another_backend(backend):
    """Their weights and outputs are no TensorFlow tensors; trained, mixed and of functions."""
    done(
        f"""{ON_A_BACKEND.format(backend=backend)}
model = convolution()
model.compile("adam", "mse")
model.fit(x, np.zeros((16, 3)), epochs=2, verbose=0)
before = [as_array(weight).copy() for weight in model.weights]
right(model)
assert all((as_array(w) == old).all() for w, old in zip(model.weights, before))
right(convolution(dtype="mixed_bfloat16"))
lora = convolution()
lora.layers[-1].enable_lora(2)
lora.layers[-1].lora_kernel_b.assign(np.ones((2, 3)))
right(lora)
image = keras.Input((8, 8, 2))
sum_of_two = layers.Conv2D(4, 3, padding="same")(image) + layers.Conv2D(4, 1)(image)
mean = keras.ops.mean(keras.ops.relu(sum_of_two), axis=(1, 2))
right(keras.Model(image, layers.Dense(2)(mean)))
""",
        KERAS_BACKEND=backend,
    )


def test_layers_that_are_code_of_another_backend_are_refused(backend):
    code = {
        "torch": """
import torch
layer = layers.TorchModuleWrapper(torch.nn.Linear(128, 4), output_shape=(None, 4))
function = torch.relu
""",
        "jax": """
import jax
def call(params, inputs):
    return inputs @ params
def start(rng, inputs):
    return jax.numpy.ones((128, 4))
layer, function = layers.JaxLayer(call, start), jax.nn.relu
""",
    }
    done(
        f"""{ON_A_BACKEND.format(backend=backend)}
from nengo_tactile.errors import ConversionError
{code[backend]}
def refusal(layer):
    image = keras.Input((8, 8, 2))
    hidden = layers.ReLU()(layer(layers.Flatten()(image)))
    try:
        nt.convert(keras.Model(image, layers.Dense(2)(hidden)), x, nt.IF())
    except ConversionError as error:
        return str(error)
assert "from standard layers that can be converted" in refusal(layer), refusal(layer)
dense = layers.Dense(4, activation=function)
assert "use activation='relu'" in refusal(dense), refusal(dense)
""",
        KERAS_BACKEND=backend,
    )


def test_a_model_that_cannot_be_called_is_refused_with_the_remedy(keras3, monkeypatch):
    model = small(keras3)

    def fails(*arguments, **options):
        raise RuntimeError("Exception encountered.\n\n\x1b[1mInput type and weight type\x1b[0m")

    monkeypatch.setattr(type(model.get_layer("one")), "call", fails)
    with pytest.raises(
        ConversionError, match=r"'small' cannot be called on float32 samples of shape \(5, 4, 2\)"
        r" \(Exception encount.*Input type and weight type.*give its \.keras file"
    ):  # fmt: skip
        functional(model)
