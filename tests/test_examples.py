"""Examples run, small."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from tests.support.scripts import load

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"

if not EXAMPLES.is_dir():
    pytest.skip("the examples are not beside the tests", allow_module_level=True)


def test_pressure_to_events(tmp_path, capsys):
    script = load("examples/pressure_to_events.py")
    pressure = np.tile(np.arange(60)[:, None], 5)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["force"] = pressure
    script.main([str(tmp_path / "a.h5"), "--array", "force", "--thresholds", "1", "4"])
    lines = capsys.readouterr().out.splitlines()
    # a ramp of 59 for 5 taxels: an event each 1, or each 4
    assert any(line.split()[:2] == ["1", "295.0"] for line in lines)
    assert any(line.split()[:2] == ["4", "70.0"] for line in lines)
    script.main(["--thresholds", "16"])
    assert "Level crossing of 1 recordings" in capsys.readouterr().out


def test_convert_your_model_stand_in(tmp_path, capsys):
    script = load("examples/convert_your_model.py")
    out = tmp_path / "network"
    assert script.main(["--samples", "40", "--emulator", "3", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "can be converted" in text
    assert "nengo-dl: accuracy" in text and "loihi: accuracy" in text
    assert (out / "network.json").is_file()


@pytest.fixture
def model_and_data(tmp_path, rng):
    """Saves a small model around a layer, with random images; returns the script's arguments."""
    from nengo_tactile import stack

    keras = stack.tensorflow().keras

    def save(layer):
        layers = [
            keras.layers.Conv2D(2, 3, activation="relu", input_shape=(6, 6, 1)),
            layer(keras.layers),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
        keras.utils.set_random_seed(0)
        keras.Sequential(layers).save(tmp_path / "model.keras")
        x = rng.random((8, 6, 6, 1)).astype(np.float32)
        np.savez(tmp_path / "data.npz", x=x, y=np.zeros(8, int))
        return [str(tmp_path / "model.keras"), str(tmp_path / "data.npz")]

    return save


def test_convert_your_model_stops_at_layers_that_cannot_be_converted(model_and_data, capsys):
    arguments = model_and_data(lambda layers: layers.Activation("tanh", name="bend"))
    assert load("examples/convert_your_model.py").main(arguments) == 1
    text = capsys.readouterr().out
    assert "bend" in text and "cannot be converted" in text and "relu6" in text


def test_convert_your_model_leaves_out_the_engine_that_lacks_a_layer(model_and_data, capsys):
    arguments = model_and_data(lambda layers: layers.MaxPooling2D(2, name="pool1"))
    assert load("examples/convert_your_model.py").main(arguments) == 0
    text = capsys.readouterr().out
    assert "nengo-dl: accuracy" in text and "loihi: accuracy" not in text
    assert "pool1" in text and "average pooling" in text


def test_convert_your_model_wants_data_with_a_model(capsys):
    with pytest.raises(SystemExit):
        load("examples/convert_your_model.py").main(["model.keras"])
    assert "neither" in capsys.readouterr().err


@pytest.fixture
def st_mnist_folder(tmp_path, rng):
    """Two recordings per digit in ST-MNIST's format, with its lookup table."""
    for digit in range(10):
        (tmp_path / "data_submission" / str(digit)).mkdir(parents=True)
        for number in range(2):
            n = int(rng.integers(20, 40))
            matrix = np.zeros((101, n))
            matrix[rng.integers(0, 100, n), np.arange(n)] = rng.choice([-1.0, 1.0], n)
            matrix[100] = np.sort(rng.uniform(0, 2, n))
            scipy.io.savemat(
                tmp_path / "data_submission" / str(digit) / f"{number}.mat", {"spiketrain": matrix}
            )
    address = np.arange(100)
    table = np.stack([address, address % 10, address // 10], axis=1) + 1
    scipy.io.savemat(tmp_path / "data_submission" / "LUT.mat", {"LUT": table.astype(float)})
    return tmp_path / "data_submission"


def test_read_st_mnist_folder(st_mnist_folder, tmp_path, capsys):
    picture = tmp_path / "raster.png"
    load("examples/read_st_mnist.py").main([str(st_mnist_folder), "--picture", str(picture)])
    text = capsys.readouterr().out
    assert "STMNIST(20 samples, 10 classes)" in text
    assert "Statistics: mean (SD)" in text and "events (" in text
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_read_st_mnist_file(st_mnist_folder, capsys):
    load("examples/read_st_mnist.py").main([str(next(st_mnist_folder.glob("3/*.mat")))])
    assert "ON" in capsys.readouterr().out


def test_read_st_mnist_original_sample(data_dir, capsys):
    sample = data_dir / "stmnist_sample" / "sample_stmnist.mat"
    load("examples/read_st_mnist.py").main([str(sample)])
    # counted in its README: 1,601 ON and 745 OFF events
    assert "2346 events (1601 ON, 745 OFF)" in capsys.readouterr().out


def test_pictures_are_drawn(tmp_path):
    sizes = ["--train", "100", "--test", "20", "--emulator", "2", "--epochs", "1"]
    load("examples/make_pictures.py").main(["--out", str(tmp_path), *sizes])
    drawn = {path.name for path in tmp_path.glob("*.png")}
    # by benchmarks/deep_layers.py and `reproduce skim --parts online`, in a quarter of an hour each
    drawn |= {"deep_layers.png", "skim_online.png"}
    assert drawn == {path.name for path in (ROOT / "docs" / "pictures").glob("*.png")}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in tmp_path.glob("*.png"))


def test_tactile_stream(tmp_path, capsys):
    script, out = load("examples/tactile_stream.py"), tmp_path / "stream.json"
    sizes = ["--train", "60", "--streams", "2", "--epochs", "1"]
    script.main(["--task", "eskin", *sizes, "--out", str(out)])
    assert "2 recordings of eskin" in capsys.readouterr().out
    rows = json.loads(out.read_text("utf-8"))["rows"]
    assert [row["frames"] for row in rows] == [20, 40, 100]
    assert all(row["times_fewer_synops"] > 1 for row in rows)
    assert all(row["accuracy"].keys() == {"Keras", "frame by frame", "stream"} for row in rows)


def test_streams_hold_what_was_written_so_far():
    events = np.zeros(3, [("x", int), ("y", int), ("t", int), ("p", int)])
    events["x"], events["y"], events["t"] = [1, 1, 0], [2, 2, 0], [0, 900_000, 1_999_999]

    class Recordings(list):
        sensor_size = (3, 4, 2)

    x, y = load("examples/tactile_stream.py").streams_of(Recordings([(events, 7)]), [0], 4)
    assert x.shape == (1, 4, 4, 3, 1) and y.tolist() == [7]
    assert x[0, :, 2, 1, 0].tolist() == [0.25, 0.5, 0.5, 0.5]
    assert x[0, :, 0, 0, 0].tolist() == [0, 0, 0, 0.25] and x.sum() == 2


def test_train_on_spikes(capsys):
    script = load("examples/train_on_spikes.py")
    script.main(["--train", "60", "--test", "20", "--epochs", "1"])
    text = capsys.readouterr().out
    assert "CNN, converted" in text
    assert "trained on spikes, spikemax_s" in text
    assert text.count(" ms") == 2


def test_predict_a_quantity(capsys):
    script = load("examples/predict_a_quantity.py")
    errors = script.main(["--train", "80", "--test", "20", "--epochs", "10", "--steps", "64"])
    text = capsys.readouterr().out
    assert "always the mean" in text and "read as" in text
    keras = float(text.split("Keras: off by ")[1].split(" s")[0])
    # as near as spikes of 64 steps come, and nearer than they were at the beginning
    assert errors[-1] < keras + 0.2 and errors[-1] < errors[0]
