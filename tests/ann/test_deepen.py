"""Deepened networks compute what the shallow one did, until they learn."""

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.ann import training
from nengo_tactile.ann.deepen import deepen
from nengo_tactile.ann.residual import plain, resnet
from nengo_tactile.errors import DataError, NotationError

SETTINGS = {"input_shape": (8, 8, 3), "n_classes": 4, "widths": (3, 4), "rescale": (2.0, -1.0)}


def learnt(build, depth, rng, **options):
    """A network whose weights and normalisations are nothing special."""
    model = build(depth, **{**SETTINGS, **options})
    for variable in model.variables:
        value = rng.normal(0, 0.5, variable.shape)
        if "gamma" in variable.name or "variance" in variable.name:
            value = rng.uniform(0.5, 2, variable.shape)
        variable.assign(value)
    return model


@pytest.fixture
def images(rng):
    return rng.random((40, 8, 8, 3))


@pytest.mark.parametrize("build", [resnet, plain])
@pytest.mark.parametrize("depth", [10, 18])
def test_same_function(build, depth, rng, images):
    shallow, deep = learnt(build, 6, rng), build(depth, **SETTINGS)
    before = [w.copy() for w in shallow.get_weights()]
    wanted = training.predict(shallow, images)
    assert np.abs(training.predict(deep, images) - wanted).max() > 0.1
    deepen(shallow, deep, images, progress=False)
    np.testing.assert_allclose(training.predict(deep, images), wanted, rtol=1e-4, atol=1e-4)
    for weight, kept in zip(shallow.get_weights(), before):
        np.testing.assert_array_equal(weight, kept)


def test_plain_networks_are_normalised_by_their_activations(rng, images):
    """On the samples themselves, normalising by the batch changes nothing either."""
    shallow, deep = learnt(plain, 6, rng), plain(10, **SETTINGS)
    deepen(shallow, deep, images, progress=False)
    tf = stack.tensorflow()
    middle = tf.keras.Model(shallow.input, shallow.get_layer("block1_1_relu2").output)
    activations = middle(images.astype(np.float32)).numpy()
    layer = deep.get_layer("block1_2_conv1_norm")
    normalised = layer(deep.get_layer("block1_2_conv1")(activations), training=True)
    np.testing.assert_allclose(normalised, activations, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("build", [resnet, plain])
def test_new_layers_learn(build, rng, images):
    shallow, deep = learnt(build, 6, rng), build(10, **SETTINGS)
    deepen(shallow, deep, images, progress=False)
    y = rng.integers(0, 4, len(images))
    kernels = [layer for layer in deep.layers if "_2_conv" in layer.name and layer.weights]
    before = {layer.name: layer.get_weights()[0] for layer in kernels}
    recipe = training.Recipe("sgd", 2, 10, 0.05, "cosine", 0.0, 0.0)
    training.train(deep, (images, y), recipe, progress=False)
    for layer in kernels:
        assert np.abs(layer.get_weights()[0] - before[layer.name]).max() > 1e-4, layer.name


@pytest.mark.parametrize(
    ("build", "deep", "error", "words"),
    [
        (plain, {}, NotationError, "one has shortcuts"),
        (resnet, {"depth": 6}, NotationError, "greater depth"),
        (resnet, {"widths": (3, 5)}, NotationError, "same widths"),
        (resnet, {"rescale": (3.0, 0.0)}, NotationError, "standardises"),
    ],
)
def test_networks_that_do_not_fit(build, deep, error, words, rng, images):
    shallow = learnt(resnet, 6, rng)
    model = build(**{"depth": 10, **SETTINGS, **deep})
    before = model.get_weights()
    with pytest.raises(error, match=words):
        deepen(shallow, model, images, progress=False)
    for weight, kept in zip(model.get_weights(), before):
        np.testing.assert_array_equal(weight, kept)


def test_samples_that_are_no_images(rng, images):
    shallow, deep = learnt(plain, 6, rng), plain(10, **SETTINGS)
    with pytest.raises(DataError, match="give training images"):
        deepen(shallow, deep, images[..., :1], progress=False)
    with pytest.raises(DataError, match="give training images"):
        deepen(shallow, deep, images[:0], progress=False)
    images[3, 2, 2, 0] = np.nan
    with pytest.raises(DataError, match="finite images"):
        deepen(shallow, deep, images, progress=False)
