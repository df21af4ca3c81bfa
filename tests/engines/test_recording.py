"""What recordings say in the model's own terms, beside the Keras models themselves."""

import dataclasses

import numpy as np
import pytest

from nengo_tactile import engines, memory, stack
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.neurons import IF, LIF, SigmaDelta
from nengo_tactile.engines.recording import Recording
from nengo_tactile.errors import ConversionError, DataError
from nengo_tactile.networks.read_out import ReadOut
from nengo_tactile.saved import load
from tests.support.engine_networks import make_network


def recording(outputs, **options):
    """A recording of these outputs, (n_samples, n_steps, n_outputs), and of nothing else."""
    return Recording(np.asarray(outputs, np.float32), {}, {}, {}, 0.001, "none", **options)


def test_binary_networks_are_right_where_their_sign_is():
    """Not where class 0 is: the largest of one output is always the first."""
    outputs = np.array([[[2.0], [-1]], [[3], [1]], [[-1], [-2]], [[1], [2]]])
    got = recording(outputs, read_out=ReadOut("sigmoid", (1,), (1,)))
    labels = [0, 1, 0, 1]
    np.testing.assert_allclose(got.accuracy(labels), [0.75, 1.0])
    np.testing.assert_array_equal(got.predictions()[:, 1], labels)
    np.testing.assert_allclose(got.predict(), 1 / (1 + np.exp(-outputs[:, 1])), rtol=1e-6)
    np.testing.assert_array_equal(recording(outputs).accuracy(labels), got.accuracy(labels))


def test_errors_are_in_the_units_of_the_output():
    """After each step, of what the model would give."""
    values = np.array([3.0, 5.0])
    outputs = np.array([[[1.0], [4], [3]], [[1], [4], [5]]])
    np.testing.assert_allclose(recording(outputs).error(values), [np.sqrt((4 + 16) / 2), 1, 0])
    np.testing.assert_array_equal(
        recording(outputs).error(values[:, None]), recording(outputs).error(values)
    )
    tanh = recording(outputs, read_out=ReadOut("tanh", (1,), (1,)))
    np.testing.assert_allclose(tanh.error(np.tanh([3.0, 5])), [0.2373, 3e-3, 0], atol=2e-3)
    with pytest.raises(DataError, match=r"shape \(3,\), the network gives \(2, 1\)"):
        recording(outputs).error([1, 2, 3])
    with pytest.raises(DataError, match=r"value nan at index \(1, 0\)"):
        recording(outputs).error([1, np.nan])


def test_steps_that_are_not_there_are_refused():
    """Instead of another library's words."""
    with pytest.raises(DataError, match="step is 3, the recording has 3 steps"):
        recording(np.zeros((2, 3, 1))).predict(3)


def test_joined_minibatches_keep_the_read_out():
    """They are told like the parts."""
    read_out = ReadOut("sigmoid", (2,), (2,))
    parts = [recording(np.ones((n, 4, 2)), read_out=read_out) for n in (3, 2)]
    assert Recording.concatenate(parts).read_out == read_out


ENGINES = (
    (LIF(max_rate=200.0, synapse=0.005), ("nengo-dl", "loihi")),
    (IF(), ("nengo-dl", "event")),
    (SigmaDelta(coding="current", threshold=0.005), ("event",)),
)


@pytest.mark.parametrize(
    ("neuron", "engine"), [(neuron, engine) for neuron, engines in ENGINES for engine in engines]
)
def test_every_engine_tells_what_the_model_does(neuron, engine, tmp_path):
    """A binary classifier, saved and loaded: probabilities near Keras's, labels the same."""
    keras = stack.tensorflow().keras
    keras.utils.set_random_seed(0)
    body = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(1),
        ]
    )
    x = np.random.default_rng(0).random((24, 6), dtype=np.float32)
    logits = body(x).numpy()
    kernel, bias = body.layers[-1].get_weights()
    scale = 3 / logits.std()
    body.layers[-1].set_weights([kernel * scale, (bias - np.median(logits)) * scale])
    model = keras.Sequential([body, keras.layers.Activation("sigmoid")])
    network = convert(body, x, neuron, n_steps=128)
    read_out = ReadOut("sigmoid", (1,), (1,))
    network = dataclasses.replace(network, read_out=read_out, classes=("no", "yes"))
    network.save(tmp_path / "network")
    network = load(tmp_path / "network")
    assert network.read_out == read_out and network.classes == ("no", "yes")
    got = engines.run(network, x, engine=engine, progress=False)
    assert got.read_out == read_out
    wanted = model.predict(x, verbose=0)
    assert got.predict().shape == wanted.shape
    end = keras.activations.sigmoid(got.outputs[:, -1]).numpy()
    np.testing.assert_allclose(got.predict(), end, rtol=1e-5, atol=1e-7)
    labels = (wanted[:, 0] > 0.5).astype(int)
    if neuron.name == "lif":  # whose rates are not quite a ReLU's, on a chip with weights of 8 bits
        assert got.accuracy(labels)[-1] > 0.75
        return
    assert np.abs(got.predict() - wanted).max() < 0.1
    clear = np.abs(wanted[:, 0] - 0.5) > 0.1
    assert clear.sum() > 12
    some = dataclasses.replace(got, outputs=got.outputs[clear])
    assert some.accuracy(labels[clear])[-1] == 1 and some.accuracy(1 - labels[clear])[-1] == 0


def test_networks_check_their_read_out_and_names(tmp_path):
    """A read-out of other outputs, and names that are neither the outputs' nor the classes'."""
    keras = stack.tensorflow().keras
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="relu")])
    model.add(keras.layers.Dense(1))
    network = convert(model, np.eye(3, dtype=np.float32), IF())
    assert network.read_out == ReadOut.linear((1,)) and network.classes == ("0",)
    single = ReadOut("sigmoid", (1,), (1,))
    assert dataclasses.replace(network, read_out=single, classes=()).classes == ("0", "1")
    with pytest.raises(ConversionError, match="of 2 values, and the network has 1 outputs"):
        dataclasses.replace(network, read_out=ReadOut.linear((2,)))
    with pytest.raises(ConversionError, match="3 class names for a network with 1 outputs"):
        dataclasses.replace(network, classes=("a", "b", "c"))


def test_a_recording_larger_than_memory_is_refused_before_the_run(monkeypatch):
    """Spike counts of each neuron and sample too: 4 bytes, twice where minibatches are joined."""
    network, x = make_network("5-9-6-3o")
    monkeypatch.setattr(memory, "available_bytes", lambda: 8 * 15 * 1000)
    many = np.broadcast_to(x[:1], (1000, 5))
    with pytest.raises(DataError, match="a recording of 1,000 samples and 1 steps"):
        engines.run(network, many, 1)
