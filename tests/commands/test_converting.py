"""``convert`` and ``run`` on files and image tasks: ranges found, comparisons told, kept, refused.

Models are made, not trained: what is right is known.
"""

import dataclasses
import json

import numpy as np
import pytest

from nengo_tactile import cli, stack
from nengo_tactile.commands import held_out, paths
from nengo_tactile.commands.converting import convert_model
from nengo_tactile.commands.running import run_network, write_run_report
from nengo_tactile.conversion.bound import waiting_outputs
from nengo_tactile.conversion.diagnosis import Diagnosis
from nengo_tactile.conversion.neurons import IF
from nengo_tactile.errors import DataError, EngineError
from nengo_tactile.networks.image_scale import ImageScale
from nengo_tactile.saved import load


def brightness_model(folder, end, scale=1.0, name="model"):
    """Brightest of 4 pixels, or for one output whether the first is brighter than the second.

    With a constant that makes images of another range wrong: a fifth class of those in which no
    pixel is brighter than 0.3.
    """
    keras = stack.tensorflow().keras
    layers = keras.layers
    hidden = layers.Dense(5, activation="relu")
    last = layers.Dense(5 if end == "softmax" else 1, activation=None if end == "logit" else end)
    first = [layers.Rescaling(scale)] if scale != 1 else []
    model = keras.Sequential([keras.Input((2, 2, 1)), *first, layers.Flatten(), hidden, last])
    kernel = np.concatenate([np.eye(4), np.zeros((4, 1))], axis=1)
    hidden.set_weights([kernel, np.array([0, 0, 0, 0, 0.3])])
    if end == "softmax":
        last.set_weights([np.eye(5) * 30, np.zeros(5)])
    elif end in ("logit", "sigmoid"):
        last.set_weights([np.array([[30.0], [-30], [0], [0], [0]]), np.zeros(1)])
    else:
        last.set_weights([np.array([[2.0], [-1], [0], [0], [1 / 0.3]]), np.zeros(1)])
    path = folder / f"{name}.keras"
    model.save(path)
    return path


def images(n=300, seed=0):
    """Bytes, and the classes of `brightness_model`: a third of them dark."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (n, 2, 2)).astype(np.uint8)
    x[::3] //= 4
    flat = x.reshape(n, 4)
    y = np.where(flat.max(1) > 0.3 * 255, flat.argmax(1), 4)
    return x, y


@pytest.fixture
def folder(tmp_path):
    x, y = images()
    np.savez(tmp_path / "train.npz", x=x, y=y, first=(x[:, 0, 0] > x[:, 0, 1]).astype(int))
    x, y = images(60, 1)
    np.savez(tmp_path / "test.npz", x=x, y=y, first=(x[:, 0, 0] > x[:, 0, 1]).astype(int))
    return tmp_path


def converted(folder, model, y="", **options):
    """Convert on the training file; returns the network and what was said."""
    lines = []
    x = str(folder / "train.npz")
    neuron = IF(percentile=options.pop("percentile", 100.0))
    options = {"neuron": neuron, "n_steps": 64, **options}
    network = convert_model(
        model,
        folder / "network",
        x=x,
        y=x + y,
        progress=False,
        say=lines.append,
        **options,
    )
    return network, "\n".join(lines)


def ran(folder, y="", **options):
    """Run the converted network on the test file; returns its numbers."""
    x = str(folder / "test.npz")
    options = {"engine": "event", "x": x, "y": x + y, "progress": False, "say": str, **options}
    run_network(folder / "network", folder / "run", **options)
    return json.loads((folder / "run" / "results.json").read_text())


def test_the_range_is_found_told_and_kept(folder):
    """A model of images from 0 to 1, given bytes."""
    network, said = converted(folder, brightness_model(folder, "softmax"))
    assert network.scale == ImageScale(1 / 255)
    assert "values from 0 to 255 go to the model times 1/255" in said
    assert "60 held-out training samples: Keras 1, rates 1, spikes" in said
    assert "warning" not in said
    assert load(folder / "network").scale == network.scale
    numbers = ran(folder)
    assert numbers["ann_accuracy"] == 1 and numbers["accuracy"] > 0.9
    assert "test.npz" in numbers["command"] and "--x" in numbers["command"]
    # another scale is another network's input: at 0.4 of the brightness many are dark
    assert ran(folder, scale="1/640")["ann_accuracy"] < 0.95
    with pytest.raises(DataError, match="calibrated on 0 to 1"):
        ran(folder, scale="1")


def test_a_model_that_rescales_itself_takes_images_as_they_are(folder):
    """Nothing is tried, nothing is said."""
    network, said = converted(folder, brightness_model(folder, "softmax", 1 / 255))
    assert network.scale.is_none and "by scale" not in said
    assert ran(folder)["ann_accuracy"] == 1


def test_a_given_scale_is_taken_and_its_loss_told(folder):
    """Bytes into a model of 0 to 1: no image is dark, and Keras's accuracy says so."""
    network, said = converted(folder, brightness_model(folder, "softmax"), scale="1")
    assert network.scale.is_none
    assert "by scale" not in said and "Keras 0.7" in said


def test_without_labels_ranges_cannot_be_found(folder):
    """Which is a warning, and no comparison."""
    lines = []
    x = str(folder / "train.npz")
    convert_model(
        brightness_model(folder, "softmax"), folder / "n", x=x, neuron=IF(), say=lines.append,
        progress=False,
    )  # fmt: skip
    assert "warning: values from 0 to 255 are taken as they are" in lines[0]
    assert "give labels (--y)" in lines[-1]


def test_settings_for_the_chip_are_chosen_and_kept(folder):
    """And a run's command says with which options it was made."""
    _, said = converted(folder, brightness_model(folder, "softmax"), for_chip=True)
    assert "for the chip: firing rates times 0." in said
    network = load(folder / "network")
    assert network.chip_rate == 1 and len(network.chip_offset) == 5
    options = {"engine": "loihi", "on_host": (), "least_agreement": 0.5}
    numbers = ran(folder, n_samples=20, **options)
    assert numbers["accuracy"] >= 0.8 and numbers["n_steps"] == network.n_steps
    assert " --engine loihi --on-host none --least-agreement 0.5 " in numbers["command"]
    with pytest.raises(EngineError, match=r"20 samples agree .*--least-agreement 0"):
        ran(folder, n_samples=20, n_steps=2, **options)


def test_what_a_loss_chose_is_told_and_kept(folder):
    model = brightness_model(folder, "softmax")
    wish = {"neuron": None, "n_steps": None, "max_loss": 1.0, "minimise": "steps"}
    network, said = converted(folder, model, **wish)
    assert f"chosen: {network.card['chosen']}" in said
    kept = load(folder / "network")
    assert kept.card["tried"] and kept.n_steps == network.n_steps < 64
    numbers = ran(folder)
    with np.load(folder / "test.npz") as test:
        x, y = test["x"][..., None] / np.float32(255), test["y"]
    bound = waiting_outputs(network.layers, x, network.n_steps).argmax(axis=1)
    assert numbers["bound_accuracy"] == (bound == y).mean()
    write_run_report(folder / "run")
    assert "accuracy where layers wait" in (folder / "run" / "report.html").read_text()


@pytest.mark.parametrize("end", ["logit", "sigmoid"])
def test_binary_networks_are_told_by_their_sign(folder, end):
    """From conversion to report: 0.9 and more, where class 0 has a half."""
    model = brightness_model(folder, end)
    _, said = converted(folder, model, ":first", scale="1/255")
    assert "Keras 1," in said
    numbers = ran(folder, ":first")
    assert numbers["accuracy"] > 0.9
    page = write_run_report(folder / "run").read_text()
    assert "What it confuses" in page


def test_values_have_errors_in_their_own_units(folder):
    """A regression, from conversion to report."""
    x = np.load(folder / "train.npz")["x"].reshape(-1, 4) / 255
    value = 1 + 2 * x[:, 0] - x[:, 1]
    np.save(folder / "value.npy", value)
    lines = []
    convert_model(
        brightness_model(folder, None),
        folder / "network",
        x=str(folder / "train.npz"),
        y=str(folder / "value.npy"),
        neuron=IF(percentile=100.0),
        n_steps=256,
        progress=False,
        say=lines.append,
    )
    assert "times 1/255" in lines[0]
    assert lines[-1].startswith("RMS error on 60 held-out training samples: Keras")
    run_network(
        folder / "network",
        folder / "run",
        x=str(folder / "train.npz"),
        y=str(folder / "value.npy"),
        engine="event",
        progress=False,
        say=str,
    )
    numbers = json.loads((folder / "run" / "results.json").read_text())
    assert numbers["ann_error"] < 1e-5 and numbers["error"] < 0.02
    assert numbers["error_over_time"][0] > 5 * numbers["error"]
    page = write_run_report(folder / "run").read_text()
    assert "Error over time" in page and "What it confuses" not in page


def test_stages_that_part_are_a_warning(folder):
    """Two steps are too few for 5 classes; half of all activations clipped are too many."""
    model = brightness_model(folder, "softmax")
    _, said = converted(folder, model, n_steps=1)
    assert "warning: spikes lose" in said and "--steps" in said
    _, said = converted(folder, model, percentile=20.0)
    assert "warning: rates lose" in said and "--percentile" in said


def test_held_out_samples_are_not_calibrated_on(monkeypatch):
    """Of few samples a fifth; of many as many as there are room for."""
    for n in (0, 1, 4, 30, 600, 5000):
        first, rest = held_out.split(n, 512)
        assert not set(first) & set(rest) and len(first) + len(rest) <= n
        assert len(first) == min(512, n - len(rest))
    assert len(held_out.split(600, 512)[1]) == 120 and len(held_out.split(5000, 512)[1]) == 256
    np.testing.assert_array_equal(
        held_out.split(5000, 512, 3)[0], np.random.default_rng(3).permutation(5000)[:512]
    )
    assert paths.CALIBRATION_SAMPLES == 512


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["convert", "MODEL", "--out", "n"], ["--task", "--x FILE", "eskin", "mnist"]),
        (["convert", "MODEL", "--out", "n", "--task", "eskin"], ["(2, 2, 1)", "(10, 10, 1)"]),
        (["convert", "MODEL", "--out", "n", "--task", "mnist", "--x", "a.npy"], ["one of the two"]),
        (["convert", "MODEL", "--out", "n", "--x", "a.npy"], ["a.npy", "no such file"]),
        (["convert", "MODEL", "--out", "n", "--x", "a.npy", "--scale", "x"], ["1/255"]),
        (["run", "eskin-cnn", "--x", "a.npy"], ["--y"]),
        (
            ["run", "eskin-slayer", "--x", "a.npy", "--y", "b.npy", "--scale", "1/255"],
            ["SlayerNetwork reads events"],
        ),
    ],
)
def test_what_is_missing_is_named_at_once(arguments, words, tmp_path, capsys, monkeypatch):
    """Before anything is read or written."""
    model = brightness_model(tmp_path, "softmax")
    monkeypatch.chdir(tmp_path)
    assert cli.main([str(model) if a == "MODEL" else a for a in arguments]) == 2
    message = capsys.readouterr().err
    assert "Traceback" not in message
    for word in words:
        assert word in message
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1/255", ImageScale(1 / 255)),
        ("0.5", ImageScale(0.5)),
        ("2/255,-1", ImageScale(2 / 255, -1.0)),
        ("255", ImageScale(255.0)),
        ("1e-2", ImageScale(0.01)),
    ],
)
def test_scales_are_written_as_they_are_read(text, wanted):
    scale = ImageScale.from_text(text)
    assert scale == wanted and ImageScale.from_text(str(scale)) == wanted
    np.testing.assert_allclose(
        scale.apply(np.array([0, 255], np.uint8)),
        [wanted.offset, 255 * wanted.factor + wanted.offset],
        rtol=1e-6,
    )


@pytest.mark.parametrize("text", ["", "bytes", "1/0", "0", "-1", "1,2,3", "nan", "inf"])
def test_other_scales_are_refused(text):
    with pytest.raises(DataError, match="scale"):
        ImageScale.from_text(text)


def test_check_compares_on_samples(folder, capsys):
    """Of a file, in the range that the model takes."""
    model = brightness_model(folder, "softmax")
    x = str(folder / "train.npz")
    assert cli.main(["check", str(model), "--x", x, "--scale", "1/255"]) == 0
    assert "on the samples its rates differ by" in capsys.readouterr().out
    assert cli.main(["check", str(model), "--scale", "1/255"]) == 2
    assert "without --x" in capsys.readouterr().err


def test_accuracy_decides_before_the_loss():
    """A model that is never sure of itself has less loss on images that are too bright."""
    from nengo_tactile.commands.scales import find_scale
    from nengo_tactile.networks.read_out import ReadOut
    from nengo_tactile.networks.targets import targets_of

    keras = stack.tensorflow().keras
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    # class 1 where the first of two bytes is brighter by a third of white
    model.layers[0].set_weights([np.array([[0.03], [-0.03]]), np.array([-0.01])])
    x = np.random.default_rng(0).integers(0, 256, (400, 2)).astype(np.uint8)
    targets = targets_of(ReadOut.linear((1,)), (x[:, 0] > x[:, 1] + 85.0).astype(int))
    losses = [
        targets.loss(model(scale.apply(x).astype(np.float32)).numpy())
        for scale in (ImageScale(), ImageScale(1 / 255))
    ]
    assert losses[0] < losses[1]
    scale, told = find_scale(model, x, targets)
    assert scale == ImageScale(1 / 255) and "times 1/255" in told


def test_which_layers_cost_accuracy(folder, tmp_path, capsys):
    """Of a saved network: on the command line, as JSON, and in a run's report."""
    converted(folder, brightness_model(folder, "softmax"), n_steps=4)
    x, network = str(folder / "test.npz"), str(folder / "network")
    out = tmp_path / "layers.json"
    words = ["check", network, "--x", x, "--y", x, "--samples", "50", "--out", str(out)]
    assert cli.main(words) == 0
    assert "unevenness" in capsys.readouterr().out
    told = json.loads(out.read_text())
    assert told["data"] == "samples in test.npz"
    keys = [field.name for field in dataclasses.fields(Diagnosis)]
    found = Diagnosis.from_dict({key: told[key] for key in keys})
    assert found.measure == "accuracy" and found.n_samples == 50 and found.n_steps == 4
    assert cli.main(["check", network, "--x", x]) == 2
    assert "without --y" in capsys.readouterr().err
    numbers = ran(folder, with_diagnosis=True)
    assert numbers["diagnosis"]["spiking"] == pytest.approx(numbers["accuracy"], abs=0.02)
    assert ran(folder, margin=0.0)["mean_steps"] == 1
    ran(folder, with_diagnosis=True)
    page = write_run_report(folder / "run").read_text()
    assert "Which layers cost accuracy" in page and found.layers[0].name in page
