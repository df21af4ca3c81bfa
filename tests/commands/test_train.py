"""Training of residual networks on image data sets, cut down: files, resuming, fine-tuning."""

import random

import numpy as np
import pytest

from nengo_tactile import files
from nengo_tactile.ann import residual, training
from nengo_tactile.ann.augment import cropped_epochs
from nengo_tactile.ann.notation import build
from nengo_tactile.commands import networks, train
from nengo_tactile.commands.tasks import task_named
from nengo_tactile.conversion.reading import convertible
from nengo_tactile.datasets.eskin import ESkin
from nengo_tactile.doors.archives import read_npz
from nengo_tactile.errors import DataError, ModelFileError, NotationError
from nengo_tactile.events.augment import Augmentation, Disturbance
from tests.support.damage import full_disk
from tests.support.image_sets import write_mnist

QUICK = training.Recipe("sgd", 2, 16, 0.05, "cosine", 0.0, 1e-4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_mnist(tmp_path_factory.mktemp("mnist"), 64, 32)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(residual, "WIDTHS", (2, 3, 4))
    monkeypatch.setattr(networks.network_named, "__defaults__", (0, (2, 3, 4)))
    monkeypatch.setitem(train.RECIPES, "mnist-resnet", QUICK)
    monkeypatch.setitem(train.RECIPES, "fine-tune", QUICK)


def trained(folder, out, network="resnet8", **options):
    return train.train_model(
        network, out, "mnist", data_dir=folder, progress=False, say=str, **options
    )


def test_train_writes_plain_arrays_and_resumes(folder, small, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    lines = []
    out = tmp_path / "mnist-resnet8.npz"
    model = train.train_model(
        "resnet8",
        "~/mnist-resnet8.npz",
        "mnist",
        checkpoint="~/c.npz",
        data_dir=folder,
        progress=False,
        say=lines.append,
    )
    assert "mnist-resnet recipe, 2 epochs" in lines[-1]
    assert "32 test samples" in lines[-1]
    x = read_npz(folder / "mnist.npz")["x_test"][..., None].astype(np.float32)
    np.testing.assert_array_equal(networks.trained("mnist-resnet8", tmp_path)(x), model(x))
    # a finished training is taken from its checkpoint
    before = (tmp_path / "c.npz").stat().st_mtime_ns
    again = trained(folder, tmp_path / "m.keras", checkpoint=tmp_path / "c.npz")
    np.testing.assert_allclose(again(x), model(x), atol=1e-5)
    assert (tmp_path / "c.npz").stat().st_mtime_ns == before
    with pytest.raises(ModelFileError, match="another network"):
        trained(folder, out, "plain8", checkpoint=tmp_path / "c.npz")


def test_training_is_that_of_the_parts(folder, small, tmp_path):
    """Standardised, cropped by 2 pixels, never mirrored; seed of network, crops and order."""
    checkpoint = tmp_path / "c.npz"
    model = trained(folder, tmp_path / "m.npz", seed=3, checkpoint=checkpoint)
    stored = read_npz(folder / "mnist.npz")
    x, y = stored["x_train"][..., None], stored["y_train"].astype(np.int64)
    own = residual.resnet(8, (28, 28, 1), rescale=residual.standardise(x), seed=3, widths=(2, 3, 4))
    data = cropped_epochs(x, y, 3, pixels=2, mirror=False)
    # a checkpoint is refused unless network, recipe, seed and data are the same to the bit
    training.train(own, data, QUICK, seed=3, checkpoint=checkpoint, progress=False)
    for weight, wanted in zip(model.get_weights(), own.get_weights()):
        np.testing.assert_array_equal(weight, wanted)


def test_fine_tuning(folder, small, tmp_path):
    start = tmp_path / "mnist-resnet8.npz"
    trained(folder, start)
    tuned = trained(
        folder, tmp_path / "tuned.npz", tune_from=start, levels=4, recipe="fine-tune", epochs=1
    )
    layers = [layer for layer in tuned.layers if type(layer).__name__ == "ClipFloor"]
    assert len(layers) == 7
    assert {layer.levels for layer in layers} == {4}
    assert networks.read_weights(tmp_path / "tuned.npz").name == "resnet8"
    with pytest.raises(ModelFileError, match="plain8"):
        trained(folder, tmp_path / "x.npz", "plain8", tune_from=start)


@pytest.mark.parametrize("kind", ["resnet", "plain"])
def test_deepening(kind, folder, small, tmp_path, monkeypatch):
    """Before training on, a deeper network is as good as the one it began with; then it learns."""
    monkeypatch.setitem(train.RECIPES, "deepen", QUICK)
    start = tmp_path / "start.npz"
    shallow = trained(folder, start, f"{kind}8", recipe="mnist-resnet")
    lines = []
    arguments = {"data_dir": folder, "progress": False, "say": lines.append, "deepen_from": start}
    out = tmp_path / "deep.npz"
    model = train.train_model(f"{kind}14", out, "mnist", **arguments)
    stored = read_npz(folder / "mnist.npz")
    x, y = stored["x_test"][..., None], stored["y_test"]
    assert f"{training.accuracy(shallow, x, y):.4f} before training on" in lines[0]
    assert "deepen recipe, 2 epochs" in lines[1]
    assert networks.read_weights(out).name == f"{kind}14"
    x = x.astype(np.float32)
    assert np.abs(model(x) - shallow(x)).max() > 1e-3
    with pytest.raises(NotationError, match="greater depth"):
        trained(folder, tmp_path / "x.npz", f"{kind}8", deepen_from=start)


def test_the_sigma_delta_papers_network(folder, tmp_path, monkeypatch):
    """Trained with noise, written without it, and read again."""
    monkeypatch.setitem(train.RECIPES, "digits", training.Recipe("adam", 1, 16, 1e-3, "constant"))
    out = tmp_path / "mnist-deltacnn.npz"
    lines = []
    arguments = {"data_dir": folder, "progress": False, "say": lines.append}
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    model = train.train_model("deltacnn", out, "mnist", **arguments)
    assert before == (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002
    assert "digits recipe, 1 epochs" in lines[-1]
    assert "SpikeNoise" not in {type(layer).__name__ for layer in model.layers}
    x = read_npz(folder / "mnist.npz")["x_test"][..., None].astype(np.float32)
    found = networks.trained("mnist-deltacnn", tmp_path)
    np.testing.assert_array_equal(found(x), model(x))
    again = train.train_model("deltacnn", tmp_path / "again.npz", "mnist", **arguments)
    np.testing.assert_allclose(again(x), model(x), atol=1e-4)  # seeded, its noise too
    files.write_npz(out, {"conv1/kernel": np.zeros((5, 5, 1, 16))})
    with pytest.raises(ModelFileError, match="no array 'conv1/bias'"):
        networks.read_weights(out)


def test_recordings_are_augmented_anew_in_each_epoch(tmp_path, monkeypatch):
    monkeypatch.setitem(train.RECIPES, "modern", QUICK)
    shown = []
    monkeypatch.setattr(
        train.training, "train", lambda model, data, *_, **options: shown.append((model, data))
    )
    monkeypatch.setattr(train.training, "accuracy", lambda *_: 0.5)
    monkeypatch.setattr(
        train, "open_task", lambda task, split, data_dir: ESkin(split=split, n_samples=4)
    )
    arguments = {"task_name": "eskin", "augment": "drop=0.5", "progress": False, "say": str}
    train.train_model("10x10-10o", tmp_path / "m.keras", seed=3, **arguments)
    ((_, data),) = shown
    x, y = data(0)
    task, recordings = task_named("eskin"), ESkin(split="train", n_samples=4)
    change = Augmentation(Disturbance(drop=0.5), (10, 10, 2), 3, duration_us=2_000_000)
    wanted = [task.image(change(recordings[n][0])) for n in range(4)]
    np.testing.assert_array_equal(x, wanted)
    np.testing.assert_array_equal(y, recordings.targets)
    assert (data(1)[0] != x).any()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"augment": "drop=0.1"}, DataError, "'mnist' has images.*leave --augment out"),
        ({"augment": "drip=0.1"}, DataError, "'drip=0.1' is none"),
        ({"network": "10x10-6c4-10o"}, NotationError, "28x28"),
        ({"network": "28x28-6c4-10o", "out": "m.npz"}, DataError, "resnet20"),
        ({"out": "m.txt"}, DataError, r"\.npz"),
        ({"recipe": "slow"}, DataError, "modern-resnet"),
        ({"levels": 4}, DataError, "--fine-tune"),
        ({"network": "28x28-6c4-10o", "tune_from": "w.npz"}, DataError, "fine-tuning"),
        ({"tune_from": "missing.npz"}, ModelFileError, "missing.npz"),
        ({"network": "resnet9"}, NotationError, "depth is 9"),
        ({"network": "deltacnn", "tune_from": "w.npz"}, DataError, "fine-tuning takes residual"),
        ({"network": "deltacnn", "deepen_from": "w.npz"}, DataError, "is no residual or plain"),
        ({"tune_from": "v.npz", "deepen_from": "w.npz"}, DataError, "--deepen alone"),
        ({"deepen_from": "missing.npz"}, ModelFileError, "missing.npz"),
    ],
)
def test_bad_input(options, error, words, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = {"network": "resnet8", "out": "m.keras", **options}
    with pytest.raises(error, match=words):
        train.train_model(**options, task_name="mnist", data_dir=folder, progress=False, say=str)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_model_on_a_full_disk_leaves_nothing(ending, tmp_path, capfd):
    """HDF5 itself would end the process."""
    model, out = build("10x10-200-200-10o"), tmp_path / f"model{ending}"
    with full_disk(50_000), pytest.raises(OSError, match="too large") as caught:
        train.save_keras(model, out)
    assert caught.value.filename == str(out)
    assert list(tmp_path.iterdir()) == []
    capfd.readouterr()  # what Keras says of formats is not in question
    train.save_keras(model, out)
    (*_, last) = convertible(out).layers
    np.testing.assert_array_equal(last.weights[0], model.layers[-1].get_weights()[0])
