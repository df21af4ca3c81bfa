import base64
import json

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile.datasets import STMNIST, read_spiketrain
from nengo_tactile.errors import DataError
from nengo_tactile.play.files import Collection, loaded, to_mat, to_npz, written
from nengo_tactile.play.messages import MOST_BYTES, Choice, parse
from nengo_tactile.play.skin import Grid

NETWORK = {"name": "eskin-cnn", "neuron": "if", "n_steps": 20, "engine": "event"}
BEGIN = {"type": "begin", "network": NETWORK, "noise": 0.0, "dead": 0.5, "seed": 3}
CONTENT = base64.b64encode(b"abc").decode()
LOAD = {"type": "load", "network": NETWORK, "name": "a.npz", "content": CONTENT}
SAMPLE = {"type": "sample", "network": NETWORK, "source": "stemnist", "number": 0}
TOUCH = {"type": "touch", "until": 20, "points": [[0, 1, 2.5, 1], [16, 2, 3, 0]]}


def test_messages():
    begin, touch = parse(json.dumps(BEGIN)), parse(json.dumps(TOUCH))
    assert (begin.kind, begin.dead, begin.seed) == ("begin", 0.5, 3)
    assert begin.network == Choice("eskin-cnn", "if", 20, "event")
    assert parse(json.dumps({"type": "choose", "network": NETWORK})).network == begin.network
    assert touch.until_us == 20_000
    np.testing.assert_array_equal(touch.points, [[0, 1, 2.5, 1], [16_000, 2, 3, 0]])
    assert parse('{"type": "touch", "until": 5, "points": []}').points.shape == (0, 4)
    sample = parse(json.dumps({**SAMPLE, "number": 7}))
    assert (sample.source, sample.number) == ("stemnist", 7)
    file = parse(json.dumps(LOAD))
    assert (file.name, file.content) == ("a.npz", b"abc")
    assert parse('{"type": "save", "ending": ".mat"}').ending == ".mat"
    assert parse('{"type": "keep", "label": "left-hand_8"}').label == "left-hand_8"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "no JSON object"),
        ("3", "no JSON object"),
        ("{}", "type is None"),
        ('{"type": ["save"]}', "type is"),
        ('{"type": "shutdown"}', "give one of choose, begin, sample, load, touch, save, keep"),
        ('{"type": "save", "ending": ".npz", "path": "/etc"}', "nothing else"),
        ('{"type": "save", "ending": 3}', "has to be a text"),
        ('{"type": "touch", "until": 3}', "has until, points, and nothing else"),
        (" " * (MOST_BYTES + 1), "at most 1,048,576"),
        *(
            (json.dumps({**BEGIN, **change}), message)
            for change, message in [
                ({"network": "eskin-cnn"}, "an object of name, neuron, n_steps, engine"),
                ({"network": {**NETWORK, "path": "/"}}, "and nothing else"),
                ({"network": {**NETWORK, "name": 3}}, "has to be a text"),
                ({"network": {**NETWORK, "n_steps": 501}}, "n_steps is 501"),
                ({"network": {**NETWORK, "n_steps": -1}}, "n_steps is -1"),
                ({"network": {**NETWORK, "engine": "e" * 41}}, "at most 40 characters"),
                ({"noise": -1}, "noise is -1"),
                ({"noise": float("nan")}, "noise is nan"),
                ({"dead": 1.1}, "from 0 to 1"),
                ({"dead": True}, "dead is True"),
                ({"dead": "0"}, "dead is '0'"),
                ({"seed": 1.5}, "whole number"),
                ({"seed": 2**40}, "whole number"),
            ]
        ),
        *(
            (json.dumps({**TOUCH, **change}), message)
            for change, message in [
                ({"points": {}}, "a list of at most 512"),
                ({"points": [[0, 0, 0, 0]] * 513}, "a list of at most 512"),
                ({"points": [[0, 0, 0]]}, "milliseconds, column, row, pressure"),
                ({"points": [[0, 1e9, 0, 1]]}, "a place is"),
                ({"points": [[0, 0, None, 1]]}, "a place is None"),
                ({"points": [[0, 0, 0, 99]]}, "pressure is 99"),
                ({"until": 1e300}, "until is"),
                ({"until": 10**400}, "until is"),
            ]
        ),
        (json.dumps({**LOAD, "content": "%%"}), "base64"),
        (json.dumps({**LOAD, "content": 3}), "base64"),
        (json.dumps({**LOAD, "name": 3}), "has to be a text"),
        *(
            (json.dumps({"type": "keep", "label": label}), "the label is")
            for label in ("", "..", "a/b", "8\n", "ä", "x" * 41, 8, None)
        ),
    ],
)
def test_no_message(text, message):
    with pytest.raises(DataError, match=message):
        parse(text)


@pytest.fixture(scope="module")
def events():
    return nt.datasets.ESkin(split="test", n_samples=3)[2][0]


@pytest.mark.parametrize("ending", [".npz", ".mat"])
def test_files_come_back(events, ending):
    np.testing.assert_array_equal(
        loaded(f"My {ending}{ending.upper()}", written(events, ending, Grid()), Grid()), events
    )


def test_a_mat_file_is_a_recording_of_st_mnist(events, tmp_path):
    """As its data set reads them, and as the paper says: 100 rows of taxels and one of seconds."""
    import scipy.io

    path = tmp_path / "data_submission" / "2" / "mine.mat"
    path.parent.mkdir(parents=True)
    path.write_bytes(to_mat(events))
    np.testing.assert_array_equal(STMNIST(tmp_path, default_layout=True)[0][0], events)
    np.testing.assert_array_equal(read_spiketrain(path), events)
    spikes = scipy.io.loadmat(path)["spiketrain"]
    assert spikes.shape == (101, len(events))
    for k in (0, len(events) // 2, len(events) - 1):
        x, y, t, p = events[k]
        column = np.zeros(101)
        column[[10 * y + x, 100]] = 2 * p - 1, t * 1e-6
        np.testing.assert_array_equal(spikes[:, k], column)


def test_kept_recordings_are_a_data_set(events, tmp_path):
    collection = Collection(tmp_path / "mine")
    others = nt.datasets.ESkin(split="test", n_samples=2)
    assert collection.keep(events, "2", Grid()) == ("2/0000.npz", 1)
    assert collection.keep(others[0][0], "2", Grid()) == ("2/0001.npz", 2)
    assert collection.keep(others[1][0], "up", Grid()) == ("up/0000.npz", 1)
    (tmp_path / "mine" / "2" / "0000.npz").unlink()
    assert collection.keep(events, "2", Grid()) == ("2/0000.npz", 2)
    own = nt.datasets.Recordings(tmp_path / "mine")
    assert own.classes == ("2", "up") and own.sensor_size == (10, 10, 2)
    assert own.targets.tolist() == [0, 0, 1]
    for k, wanted in enumerate((events, others[0][0], others[1][0])):
        np.testing.assert_array_equal(own[k][0], wanted)
    with pytest.raises(
        DataError, match=r"sensor_size is \[10, 10, 2\], of this skin \[16, 16, 1\]"
    ):
        collection.keep(events, "2", Grid(16, False, 1))
    with pytest.raises(DataError, match="no events"):
        collection.keep(events[:0], "2", Grid())


@pytest.mark.parametrize("name", ["a.npz", "a.mat", "a.csv"])
@pytest.mark.parametrize("content", [b"1,2", b"PK", b"\x93NUMPY", b"{}" * 50])
def test_no_file(name, content):
    with pytest.raises(DataError, match=rf"^recording{name[1:]}"):
        loaded(name, content, Grid())


@pytest.mark.parametrize("name", ["", "a", "a.exe", "../../etc/passwd"])
def test_no_file_of_events(name):
    with pytest.raises(DataError, match="no file of events"):
        loaded(name, b"", Grid())


def test_a_file_of_another_sensor(events):
    far = events.copy()
    far["x"] += 10
    with pytest.raises(DataError, match="x from 0 to 9"):
        loaded("a.npz", to_npz(far), Grid())
    with pytest.raises(DataError, match="ST-MNIST's 10 x 10 taxels, the skin of 16"):
        loaded("a.mat", to_mat(events), Grid(16))
    with pytest.raises(DataError, match=r"16 x 16 and 1: save it as \.npz"):
        written(events, ".mat", Grid(16, False, 1))
    with pytest.raises(DataError, match=r"ending is '\.exe'"):
        written(events, ".exe", Grid())
