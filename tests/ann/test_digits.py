"""The sigma-delta paper's network and what it is trained with."""

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.ann import digits, training
from nengo_tactile.events.coding import DelayCoding


def test_the_network_is_the_papers():
    """16C5-2MP2-8C5-2MP2-256FC[50% dropout]-10FC, convolutions as large as their input."""
    model = digits.digits_cnn()
    shapes = {layer.name: tuple(layer.output_shape[1:]) for layer in model.layers[1:]}
    assert [shapes[name] for name in ("conv1", "conv1_pool", "conv2", "conv2_pool")] == [
        (28, 28, 16),
        (14, 14, 16),
        (14, 14, 8),
        (7, 7, 8),
    ]
    assert (shapes["dense"], shapes["logits"]) == ((256,), (10,))
    assert model.get_layer("dropout").rate == 0.5
    assert model.get_layer("conv1").kernel_size == model.get_layer("conv2").kernel_size == (5, 5)
    first, again, other = (digits.digits_cnn(seed).get_weights() for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    assert not np.array_equal(first[0], other[0])


def test_with_noise_only_training_differs(rng):
    """The plain network computes the same; its activations are in units of threshold 1."""
    noisy = digits.digits_cnn(1, noisy=True)
    noisy.set_weights([weight + 0.01 for weight in noisy.get_weights()])  # biases too
    plain = digits.without_noise(noisy)
    x = rng.integers(0, 256, (3, 28, 28, 1)).astype(np.float32)
    np.testing.assert_allclose(noisy(x), plain(x), rtol=1e-4, atol=1e-4)
    keras = stack.tensorflow().keras
    for name in ("conv1_relu", "conv2_relu", "dense_relu"):
        before, after = (
            keras.Model(model.inputs, model.get_layer(name).output)(x) for model in (noisy, plain)
        )
        np.testing.assert_allclose(after, before * 2.5 / 1.3, rtol=1e-4, atol=1e-4)
    assert np.abs(noisy(x, training=True) - noisy(x)).max() > 1e-3


def test_noise_is_what_hysteresis_may_leave(rng):
    """A multiple of the image's threshold, less than one from the activation; 0 stays 0."""
    tf = stack.tensorflow()
    tf.random.set_seed(0)
    layer = digits.spike_noise_layer()(coarsest=1.5, price=0.25)
    x = np.maximum(rng.normal(size=(200, 400)), 0).astype(np.float32)
    with tf.GradientTape() as tape:
        inputs = tf.constant(x)
        tape.watch(inputs)
        output = layer(inputs, training=True)
    np.testing.assert_array_equal(tape.gradient(output, inputs), np.ones_like(x))
    off = output.numpy() - x
    assert (np.abs(off) < 1.5).all() and (off[x == 0] == 0).all()
    assert (off < -0.2).any() and (off > 0.2).any()  # below mostly, above where it overshot
    assert off.mean() < 0
    thresholds = []
    for values in output.numpy():
        sent = values[values > 1e-4]
        threshold = sent.min() if len(sent) else 0.0  # of many values one is there
        if threshold > 0.3:
            thresholds.append(threshold)
            np.testing.assert_allclose(values / threshold, (values / threshold).round(), atol=1e-4)
    assert len(thresholds) > 100 and max(thresholds) < 1.5 and np.std(thresholds) > 0.2
    assert layer.losses[0].numpy() == pytest.approx(0.25 * x.sum(axis=1).mean(), rel=1e-5)
    np.testing.assert_array_equal(layer(x, training=False), x)


def test_training_pays_for_spikes(rng):
    """The layers' penalties are part of what is minimised: a high price leaves no activation."""
    layers = stack.tensorflow().keras.layers
    x = rng.random((64, 4)).astype(np.float32)
    y = (x[:, 0] > 0.5).astype(np.int64)
    sums = {}
    for price in (0.0, 10.0):
        inputs = layers.Input((4,))
        hidden = layers.Dense(8, "relu", kernel_initializer="ones", name="hidden")(inputs)
        costly = layers.ActivityRegularization(l1=price)(hidden)
        model = stack.tensorflow().keras.Model(inputs, layers.Dense(2)(costly))
        recipe = training.Recipe("adam", 20, 16, 2e-2, "constant", 0.0, 0.0)
        training.train(model, (x, y), recipe, progress=False)
        sums[price] = model.get_layer("hidden")(x).numpy().sum()
    assert sums[10.0] < 0.1 * sums[0.0]


def test_images_of_one_bit_are_what_spikes_bring(rng):
    x = rng.integers(0, 256, (400, 6, 6, 1)).astype(np.uint8)
    x[:, ::2] = [[[50]], [[51]], [[52]]]  # about a fifth of 255
    images, labels = digits.bit_epochs(x, np.arange(400), 5, 0.2, pixels=0)(0)
    assert images.dtype == np.uint8 and labels.tolist() == list(range(400))
    np.testing.assert_array_equal(images, DelayCoding(largest=255.0).total(x))
    samples = digits.bit_epochs(x, np.arange(400), 5, 0.2, pixels=1)
    np.testing.assert_array_equal(samples(0)[0], samples(0)[0])
    assert not np.array_equal(samples(1)[0], samples(0)[0])
