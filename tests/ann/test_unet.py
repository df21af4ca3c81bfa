"""U-Nets: shapes, training on maps of labels, weights as files, and conversion."""

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import files, stack
from nengo_tactile.ann import training
from nengo_tactile.ann.unet import NAME, WIDTHS, unet
from nengo_tactile.commands import networks, train
from nengo_tactile.doors.archives import read_npz
from nengo_tactile.errors import DataError, ModelFileError, NotationError

RESCALE = [0.02], [-0.4]


def test_shapes_and_sizes():
    model = unet(seed=2)
    assert model.output_shape == (None, 48, 48, 11)
    # counted by hand: kernels of groups, two numbers of each norm, transposed ones with biases
    a, b, c = WIDTHS
    n = sum(
        9 * (i * o + o * o) + 4 * o for i, o in ((1, a), (a, b), (b, c), (2 * b, b), (2 * a, a))
    )
    n += 4 * c * b + b + 4 * b * a + a + 11 * (a + 1)
    assert sum(int(np.prod(each.shape)) for each in model.trainable_weights) == n
    with pytest.raises(NotationError, match=r"unet: widths are \(4,\): give the channels"):
        unet(widths=(4,))
    with pytest.raises(NotationError, match=r"unet: images are 30 x 28; 3 groups halve them 2"):
        unet((30, 28, 1))


def bars(n=48):
    """Images with a bright column and a dark row, and which pixel lies on which."""
    rng = np.random.default_rng(0)
    x, y = np.full((n, 8, 8, 1), 100, np.uint8), np.zeros((n, 8, 8), int)
    for image, classes, column, row in zip(x, y, *rng.integers(0, 8, (2, n))):
        image[:, column], classes[:, column] = 220, 1
        image[row], classes[row] = 20, 2
    return x, y


def test_it_learns_maps_and_comes_back(tmp_path):
    x, y = bars()
    model = unet((8, 8, 1), 3, 1, RESCALE, (3, 4))
    history = training.train(model, (x, y), training.Recipe("adam", 60, 16, 0.02), seed=3)
    right = (training.predict(model, x).argmax(-1) == y).mean()
    assert right > 0.97 and history.accuracy[-1] > 0.9 > history.accuracy[0]
    networks.write_weights(model, tmp_path / "w.npz")
    again = networks.read_weights(tmp_path / "w.npz")
    np.testing.assert_array_equal(again(np.float32(x)), model(np.float32(x)))
    assert again.name == NAME
    snn = nt.convert(again, x, nt.IF(signed=True, thresholds="steps", channelwise=True), n_steps=32)
    decided = nt.run(snn, x, engine="event").predictions()[:, -1]
    assert (decided == y).mean() == pytest.approx(right, abs=0.02)
    arrays = read_npz(tmp_path / "w.npz")
    del arrays["bottom_conv1/kernel"]
    files.write_npz(tmp_path / "w.npz", arrays)
    with pytest.raises(ModelFileError, match=r"w\.npz: describes no network made by name"):
        networks.read_weights(tmp_path / "w.npz")


def test_labels_of_another_shape_are_refused():
    x, y = bars(4)
    model = unet((8, 8, 1), 3, 1, RESCALE, (3, 4))
    with pytest.raises(DataError, match=r"shape \(4,\), .* are a map of \(8, 8\): give labels"):
        training.train(model, (x, y[:, 0, 0]))
    tf = stack.tensorflow()
    flat = tf.keras.Sequential([tf.keras.layers.Flatten(), tf.keras.layers.Dense(3)])
    flat.build((None, 8, 8, 1))
    with pytest.raises(DataError, match=r"shape \(4, 8, 8\), .* are one number: give labels"):
        training.train(flat, (x, y))


def test_tasks_and_networks_that_do_not_fit(tmp_path):
    for network, task in ((NAME, "mnist"), ("resnet8", "scenes")):
        with pytest.raises(NotationError, match=f"network '{network}' is to be trained on {task}"):
            train.train_model(network, tmp_path / "w.npz", task)
