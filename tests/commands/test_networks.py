"""Networks by name and their weights as files: what is read computes what was written."""

import numpy as np
import pytest

from nengo_tactile import files, stack
from nengo_tactile.ann.residual import plain, resnet
from nengo_tactile.commands import networks
from nengo_tactile.doors.archives import read_npz
from nengo_tactile.errors import ModelFileError, NotationError
from tests.support.passes import simplify, spiking_layers, use_clip_floor

RESCALE = ([0.02, 0.03, 0.01], [-1.0, 0.5, 0.25])


def random_weights(model, rng):
    """Weights and moving averages that no initialiser gives."""
    for layer in model.layers:
        layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return model


@pytest.mark.parametrize(
    ("build", "depth", "widths"),
    [(resnet, 8, (2, 3, 4)), (plain, 14, (2, 3, 4)), (resnet, 6, (2, 3)), (resnet, 6, (3,))],
)
def test_weights_come_back(build, depth, widths, tmp_path, rng):
    model = random_weights(build(depth, (8, 8, 3), 5, rescale=RESCALE, widths=widths, seed=1), rng)
    networks.write_weights(model, tmp_path / "w.npz")
    again = networks.read_weights(tmp_path / "w.npz")
    x = rng.integers(0, 256, (4, 8, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(again(x), model(x))
    assert again.name == model.name
    # plain arrays: any reader of numpy files finds kernels by their layer's name
    with np.load(tmp_path / "w.npz", allow_pickle=False) as stored:
        kernel = model.get_layer("block1_1_conv2").get_weights()[0]
        np.testing.assert_array_equal(stored["block1_1_conv2/kernel"], kernel)


def test_fine_tuned_weights_come_back(tmp_path, rng):
    model = simplify(random_weights(resnet(8, (8, 8, 3), rescale=RESCALE, widths=(2, 2, 2)), rng))
    ceilings = dict(zip(spiking_layers(model), rng.uniform(1, 9, 7)))
    tuned = use_clip_floor(model, ceilings, levels=4)
    networks.write_weights(tuned, tmp_path / "w.npz")
    again = networks.read_weights(tmp_path / "w.npz")
    x = rng.integers(0, 256, (4, 8, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(again(x), tuned(x))
    assert again.get_layer("relu0").levels == 4


def test_other_models_are_not_written(tmp_path):
    tf = stack.tensorflow()
    layers = tf.keras.layers
    other = tf.keras.Sequential([layers.Input((4,)), layers.Dense(3)], name="other")
    bare = resnet(8, (8, 8, 3), widths=(2, 2, 2))  # takes images that were standardised before
    for model in (other, bare):
        with pytest.raises(ModelFileError, match=r"\.keras"):
            networks.write_weights(model, tmp_path / "w.npz")
    assert list(tmp_path.iterdir()) == []


def test_files_that_hold_no_network(tmp_path, rng):
    path = tmp_path / "cifar10-resnet8.npz"
    with pytest.raises(ModelFileError, match="no such file"):
        networks.read_weights(path)
    path.write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(ModelFileError, match="no readable"):
        networks.read_weights(path)
    model = resnet(8, (8, 8, 3), rescale=RESCALE, widths=(2, 2, 2))
    networks.write_weights(model, path)
    arrays = read_npz(path)
    for change, words in (
        ({"input/scale": None}, "input/scale"),
        ({"conv0/kernel": None}, "conv0/kernel"),
        ({"block1_1_conv1/kernel": np.ones((3, 3, 2, 5))}, "block1_1_conv"),
        ({"logits/bias": np.full(10, np.nan)}, "logits/bias"),
        ({"input/shape": np.array([8, 8, 1])}, "conv0/kernel"),
        ({"input/levels": np.array(-1)}, "levels"),
        ({name: None for name in arrays if "block" in name}, "no network made by name"),
    ):
        changed = {k: v for k, v in {**arrays, **change}.items() if v is not None}
        files.write_npz(path, changed)
        with pytest.raises(ModelFileError, match=words):
            networks.read_weights(path)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "scale",
            [0.02, np.nan, 0.01],
            r"is \[0.02, nan, 0.01\], wanted finite numbers above zero",
        ),
        ("scale", [0.02, 0.0, 0.01], r"is \[0.02, 0.0, 0.01\]"),
        ("scale", [0.02, -0.1, 0.01], "is .* above zero"),
        ("scale", 0.0, "is 0.0, wanted"),
        ("scale", [0.1, 0.2], "is .* one for each of 3 channels"),
        ("scale", ["0.1"] * 3, "is .* wanted finite numbers"),
        ("offset", [0.0, np.inf, 0.0], r"is \[0.0, inf, 0.0\], wanted finite numbers, one"),
    ],
)
def test_a_standardisation_that_is_none(tmp_path, name, value, words):
    path = tmp_path / "w.npz"
    networks.write_weights(resnet(8, (8, 8, 3), rescale=RESCALE, widths=(2, 2, 2)), path)
    arrays = {**read_npz(path), f"input/{name}": np.array(value)}
    files.write_npz(path, arrays)
    with pytest.raises(ModelFileError, match=rf"w\.npz: array 'input/{name}' {words}") as error:
        networks.read_weights(path)
    assert "nengo-tactile train" in str(error.value)


def test_names():
    assert networks.is_residual("plain44")
    assert not networks.is_residual("10x10-6c4-10o")
    model = networks.network_named("plain8", (28, 28, 1), 10, (0.1, 0.0), widths=(2, 2, 2))
    assert model.input_shape == (None, 28, 28, 1)
    with pytest.raises(NotationError, match="'vgg16'"):
        networks.network_named("vgg16", (28, 28, 1), 10, (0.1, 0.0))


def test_weights_that_are_not_there_name_their_command(tmp_path):
    with pytest.raises(ModelFileError) as error:
        networks.trained("cifar10-plain20", tmp_path)
    assert "nengo-tactile train plain20 --task cifar10" in str(error.value)
    with pytest.raises(ModelFileError, match="--fine-tune mnist-resnet8"):
        networks.trained("mnist-resnet8-qcfs", tmp_path)
