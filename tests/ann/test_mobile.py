"""Inverted residual blocks: shapes, weights as files, and what conversion makes of them."""

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import files, stack
from nengo_tactile.ann.mobile import BLOCKS, NAME, blocks_of, mobilenet
from nengo_tactile.commands import networks
from nengo_tactile.doors.archives import read_npz
from nengo_tactile.errors import ModelFileError, NotationError

SMALL = ((1, 4, 1), (2, 6, 2), (2, 6, 1))
RESCALE = [0.02, 0.02, 0.02], [-1.0, -1.2, -1.1]


def test_blocks_are_those_of_the_table():
    model = mobilenet(seed=3)
    assert blocks_of(model) == list(BLOCKS) and model.output_shape == (None, 10)
    layers = {layer.name: layer for layer in model.layers}
    adds = sorted(name for name in layers if name.endswith("_add"))
    assert adds == ["block3_add", "block5_add", "block7_add", "block8_add"]
    # counted by hand: kernels without biases, two norms' numbers that are trained for a channel
    channels, n = 32, 27 * 32 + 2 * 32
    for expansion, width, _ in BLOCKS:
        wide = expansion * channels
        n += (channels * wide + 2 * wide) * (expansion > 1) + 9 * wide + 2 * wide
        n += wide * width + 2 * width
        channels = width
    n += channels * 256 + 2 * 256 + 257 * 10
    assert sum(int(np.prod(each.shape)) for each in model.trainable_weights) == n
    assert all(layers[f"block{k}_depthwise"].strides == (2, 2) for k in (2, 6))
    with pytest.raises(NotationError, match=r"mobilenet: a block is \(4, 0, 1\): give expansion"):
        mobilenet(blocks=[(4, 0, 1)])


def test_weights_come_back(tmp_path):
    model = mobilenet((8, 8, 3), 5, 1, RESCALE, SMALL)
    networks.write_weights(model, tmp_path / "w.npz")
    again = networks.read_weights(tmp_path / "w.npz")
    x = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(again(x), model(x))
    assert again.name == NAME
    arrays = read_npz(tmp_path / "w.npz")
    files.write_npz(tmp_path / "w.npz", {**arrays, "input/blocks": np.array([[4, 0, 1]])})
    with pytest.raises(ModelFileError, match=r"w\.npz"):
        networks.read_weights(tmp_path / "w.npz")


def test_linear_bottlenecks_convert():
    """Spikes of many steps are the model's outputs; sums between blocks have no neurons."""
    tf = stack.tensorflow()
    model = mobilenet((8, 8, 3), 5, 1, RESCALE, SMALL)
    for layer in model.layers:  # as after training: statistics of some data
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.momentum = 0.5
    x = np.random.default_rng(0).uniform(0, 255, (64, 8, 8, 3)).astype(np.float32)
    for _ in range(8):
        model(x, training=True)
    snn = nt.convert(model, x, nt.IF(signed=True, spikes_per_step=8), n_steps=64)
    recording = nt.run(snn, x[:16])
    error = recording.predict() - model(x[:16]).numpy()
    assert np.sqrt(np.mean(error**2)) < 0.1 * model(x).numpy().std()
    # each weight is met once a step at most, also behind bottlenecks
    steps = sum(each.sum(axis=0) for each in recording.synops_over_time.values()) / 16
    assert 0.2 * snn.ann_multiplications < steps.max() <= snn.ann_multiplications
    # each value of a bottleneck meets the weights that widen it again, one for each of 12 channels
    (sums,) = (stage for stage in snn.graph if stage.layer == "block2_project")
    found, most = recording.synops_over_time[sums.name], 12 * sums.n_neurons
    assert (found <= most).all() and found[:, 8:].mean() > 0.9 * most and not (found % 12).any()
