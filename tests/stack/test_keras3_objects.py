"""Objects of Keras 3 and their twins: both compute the same."""

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.errors import StackError
from nengo_tactile.stack.keras3_objects import is_keras_3, twin_of

pytestmark = pytest.mark.stack


@pytest.fixture
def labels(rng):
    """Whole labels, one-hot ones and outputs for them."""
    whole = rng.integers(0, 3, (8, 1))
    outputs = rng.random((8, 3)).astype(np.float32)
    return whole, np.eye(3, dtype=np.float32)[whole[:, 0]], outputs


def assert_twin_gives_the_same(measure, wanted, outputs, rtol):
    twin = twin_of(measure)
    assert not is_keras_3(twin)
    np.testing.assert_allclose(
        np.asarray(twin(wanted, outputs)), np.asarray(measure(wanted, outputs)), rtol=rtol
    )


def test_losses(keras3, labels):
    whole, one_hot, outputs = labels
    for loss, wanted in (
        (keras3.losses.SparseCategoricalCrossentropy(from_logits=True), whole),
        (keras3.losses.CategoricalCrossentropy(label_smoothing=0.1, from_logits=True), one_hot),
        (keras3.losses.MeanSquaredError(reduction="sum"), one_hot),
        (keras3.losses.Huber(delta=0.3), one_hot),
        (keras3.losses.mean_absolute_error, one_hot),
    ):
        assert_twin_gives_the_same(loss, wanted, outputs, rtol=1e-5)


def test_metrics(keras3, labels):
    whole, one_hot, outputs = labels
    for metric, wanted in (
        (keras3.metrics.SparseCategoricalAccuracy(), whole),
        (keras3.metrics.TopKCategoricalAccuracy(k=2), one_hot),
        (keras3.metrics.sparse_categorical_accuracy, whole),
    ):
        assert_twin_gives_the_same(metric, wanted, outputs, rtol=1e-6)


def test_optimizers_take_the_same_steps(keras3):
    """Three steps down a square, each Keras with variables of its own."""
    tf = stack.tensorflow()
    schedule = keras3.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    for optimizer in (
        keras3.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        keras3.optimizers.Adam(schedule, beta_1=0.8),
        keras3.optimizers.RMSprop(0.05, rho=0.7, clipnorm=0.5),
        keras3.optimizers.AdamW(0.02, weight_decay=0.1),
    ):
        twin = twin_of(optimizer)
        theirs, ours = keras3.Variable([2.0, -1.0]), tf.Variable([2.0, -1.0])
        for _ in range(3):
            optimizer.apply([2 * tf.convert_to_tensor(theirs)], [theirs])
            twin.apply_gradients([(2 * tf.convert_to_tensor(ours), ours)])
        np.testing.assert_allclose(ours.numpy(), np.asarray(theirs), rtol=1e-5)


def test_layers_with_their_weights(keras3, rng):
    x = rng.random((2, 5, 5, 3)).astype(np.float32)
    for layer in (
        keras3.layers.Conv2D(4, 3, strides=2, activation="relu", kernel_initializer="he_normal"),
        keras3.layers.Dense(2, kernel_regularizer=keras3.regularizers.L2(0.01)),
        keras3.layers.MaxPooling2D(2),
        keras3.layers.LeakyReLU(negative_slope=0.2),
    ):
        wanted = np.asarray(layer(x))
        np.testing.assert_allclose(twin_of(layer)(x).numpy(), wanted, rtol=1e-5, atol=1e-6)


def test_lists_and_dicts(keras3):
    found = twin_of({"probe": [keras3.metrics.MeanSquaredError(), "mae"], "other": None})
    assert not is_keras_3(found["probe"][0]) and found["probe"][1] == "mae"
    assert found["other"] is None


def test_what_has_no_twin_is_refused(keras3):
    class Own(keras3.losses.Loss):
        def call(self, wanted, outputs):
            return outputs

    for value, told in (
        (Own(), r"Own of Keras 3 has no twin there: make it with tf_keras"),
        (keras3.optimizers.Muon(0.1), r"Muon of Keras 3 has no twin"),
        (keras3.activations.hard_shrink, r"hard_shrink of Keras 3 has no twin"),
        (keras3.optimizers.Adam(gradient_accumulation_steps=4), r"gradient_accumulation_steps=4"),
    ):
        with pytest.raises(StackError, match=told):
            twin_of(value)


def test_what_is_not_of_keras_3_stays():
    tf = stack.tensorflow()
    for value in (tf.keras.losses.MeanSquaredError(), tf.nn.relu, "mse", 3, None):
        assert twin_of(value) is value
