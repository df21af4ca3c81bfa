"""Plain data of pickles: what Python reads, without running anything."""

import collections
import datetime
import os
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_tactile.doors.pickles import read_plain
from nengo_tactile.doors.plain import DATA
from nengo_tactile.errors import DataError

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=20,
)


@given(PLAIN, st.integers(0, 5))
@settings(max_examples=300, deadline=None)
def test_plain_data_are_what_python_reads(data, protocol):
    if protocol < 3 and _holds_bytes(data):  # older protocols write bytes as calls
        return
    content = pickle.dumps(data, protocol)
    found = read_plain(content, "a.pkl", DATA)
    assert found == pickle.loads(content)
    assert repr(found) == repr(data)


def _holds_bytes(data):
    if isinstance(data, dict):
        return any(map(_holds_bytes, data.values()))
    if isinstance(data, list | tuple):
        return any(map(_holds_bytes, data))
    return isinstance(data, bytes)


def test_shared_and_recursive_lists():
    shared = [1.5]
    data = [shared, shared]
    data.append(data)
    found = read_plain(pickle.dumps(data), "a.pkl", DATA)
    assert found[0] is found[1]
    assert found[2] is found


class Trap:
    def __reduce__(self):
        return os.mkdir, ("sprung",)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "thing",
    [
        Trap(),
        np.zeros(3),
        np.float64(1),
        datetime.date(2000, 1, 1),
        collections.OrderedDict(a=1),
        {1, 2},
        bytearray(b"ab"),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_what_runs_code_is_refused(thing, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps([{"letter": "A", "events": thing}], protocol)
    with pytest.raises(DataError, match=r"a.pkl: .*(running code|is no readable pickle)"):
        read_plain(content, "a.pkl", DATA)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content",
    [b"", b".", b"N", b"]e.", b"(.", b"a.", b"]Na", b"}NN", b"h\x05.", b"X\xff\xff\xff\xff.",
     b"\x85."],
)  # fmt: skip
def test_damage_is_refused(content):
    with pytest.raises(DataError, match=r"a.pkl: is no readable pickle"):
        read_plain(content, "a.pkl", DATA)
