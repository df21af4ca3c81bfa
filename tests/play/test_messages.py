import base64
import json

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile.errors import DataError
from nengo_tactile.play.files import from_npz, to_npz
from nengo_tactile.play.messages import MOST_BYTES, parse

BEGIN = {"type": "begin", "network": "eskin-cnn", "noise": 0.0, "dead": 0.5, "seed": 3}
TOUCH = {"type": "touch", "until": 20, "points": [[0, 1, 2.5, 1], [16, 2, 3, 0]]}


def test_messages():
    begin, touch = parse(json.dumps(BEGIN)), parse(json.dumps(TOUCH))
    assert (begin.kind, begin.network, begin.dead, begin.seed) == ("begin", "eskin-cnn", 0.5, 3)
    assert touch.until_us == 20_000
    np.testing.assert_array_equal(touch.points, [[0, 1, 2.5, 1], [16_000, 2, 3, 0]])
    assert parse('{"type": "touch", "until": 5, "points": []}').points.shape == (0, 4)
    assert parse('{"type": "sample", "network": "a", "number": 7}').number == 7
    content = base64.b64encode(b"abc").decode()
    loaded = parse(json.dumps({"type": "load", "network": "a", "content": content}))
    assert loaded.content == b"abc"
    assert parse('{"type": "save"}').kind == "save"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "no JSON object"),
        ("3", "no JSON object"),
        ("{}", "type is None"),
        ('{"type": ["save"]}', "type is"),
        ('{"type": "shutdown"}', "give one of begin, sample, load, touch, save"),
        ('{"type": "save", "path": "/etc"}', "nothing else"),
        ('{"type": "touch", "until": 3}', "has until, points, and nothing else"),
        (" " * (MOST_BYTES + 1), "at most 1,048,576"),
        *(
            (json.dumps({**BEGIN, **change}), message)
            for change, message in [
                ({"network": 3}, "has to be a name"),
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
        ('{"type": "load", "network": "a", "content": "%%"}', "base64"),
        ('{"type": "load", "network": "a", "content": 3}', "base64"),
    ],
)
def test_no_message(text, message):
    with pytest.raises(DataError, match=message):
        parse(text)


def test_files_come_back_and_are_recordings(tmp_path):
    events = nt.datasets.ESkin(split="test", n_samples=3)[2][0]
    np.testing.assert_array_equal(from_npz(to_npz(events)), events)
    (tmp_path / "8").mkdir()
    (tmp_path / "8" / "mine.npz").write_bytes(to_npz(events))
    settings = {"sensor_size": (10, 10), "time_unit": "us", "repeats": "keep"}
    own = nt.datasets.Recordings(tmp_path, pattern="{label}/{name}.npz", **settings)
    assert own.classes == ("8",)
    np.testing.assert_array_equal(own[0][0], events)


@pytest.mark.parametrize("content", [b"", b"PK", b"\x93NUMPY", b"{}" * 50])
def test_no_file(content):
    with pytest.raises(DataError, match=r"^recording\.npz: "):
        from_npz(content)


def test_a_file_of_another_sensor():
    events = nt.datasets.ESkin(split="test", n_samples=1)[0][0].copy()
    events["x"] += 10
    with pytest.raises(DataError, match="10"):
        from_npz(to_npz(events))
