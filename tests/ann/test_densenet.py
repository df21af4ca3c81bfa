"""Densely connected networks: shapes, weights as files, and what conversion makes of them."""

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import files, stack
from nengo_tactile.ann.densenet import GROWTH, LAYERS, NAME, blocks_of, densenet
from nengo_tactile.commands import networks
from nengo_tactile.doors.archives import read_npz
from nengo_tactile.errors import ModelFileError, NotationError

RESCALE = [0.02, 0.02, 0.02], [-1.0, -1.2, -1.1]


def test_sizes_are_the_papers():
    # counted by hand: kernels without biases, two numbers of each norm for a channel
    def count(layers, growth):
        channels, n = 2 * growth, 27 * 2 * growth
        for block, n_layers in enumerate(layers):
            for _ in range(n_layers):
                n += 2 * channels + channels * 4 * growth + 8 * growth + 9 * 4 * growth * growth
                channels += growth
            if block < len(layers) - 1:
                n += 2 * channels + channels * (channels // 2)
                channels //= 2
        return n + 2 * channels + 10 * (channels + 1)

    def found(model):
        return sum(int(np.prod(each.shape)) for each in model.trainable_weights)

    model = densenet(seed=2)
    assert model.output_shape == (None, 10) and found(model) == count(LAYERS, GROWTH)
    assert sum(type(layer).__name__ in ("Conv2D", "Dense") for layer in model.layers) == 28
    # the paper's table 2: 0.8 million weights with 100 layers that add 12 channels
    assert found(densenet(layers=(16, 16, 16), growth=12, strides=1)) == pytest.approx(
        0.8e6, rel=0.05
    )
    with pytest.raises(NotationError, match=r"densenet: blocks have \(2, 0\) layers that add 16"):
        densenet(layers=(2, 0))
    with pytest.raises(NotationError, match=r"densenet: images are 36 x 28; .* make them 8 times"):
        densenet((36, 28, 3))


def test_weights_come_back(tmp_path):
    model = densenet((8, 8, 3), 5, 1, RESCALE, (2, 1), 3, strides=1)
    networks.write_weights(model, tmp_path / "w.npz")
    arrays = read_npz(tmp_path / "w.npz")
    assert blocks_of(arrays) == ([2, 1], 3)
    again = networks.read_weights(tmp_path / "w.npz")
    x = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(again(x), model(x))
    assert again.name == NAME
    assert arrays["input/strides"] == 1 and again.get_layer("first").output_shape[1] == 8
    del arrays["block1_1_add/kernel"]
    files.write_npz(tmp_path / "w.npz", arrays)
    with pytest.raises(ModelFileError, match=r"w\.npz"):
        networks.read_weights(tmp_path / "w.npz")


def test_it_converts():
    """Spikes of many steps are the model's outputs, through norms that convolutions don't take."""
    tf = stack.tensorflow()
    model = densenet((8, 8, 3), 5, 1, RESCALE, (2, 1), 4, 1)
    for layer in model.layers:  # as after training: statistics of some data
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.momentum = 0.5
    x = np.random.default_rng(0).uniform(0, 255, (64, 8, 8, 3)).astype(np.float32)
    for _ in range(8):
        model(x, training=True)
    snn = nt.convert(model, x, nt.IF(signed=True, spikes_per_step=8), n_steps=64)
    recording = nt.run(snn, x[:16], engine="event")
    error = recording.predict() - model(x[:16]).numpy()
    assert np.sqrt(np.mean(error**2)) < 0.1 * model(x).numpy().std()
