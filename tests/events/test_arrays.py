"""Event arrays: tonic's form, and errors that name what is wrong."""

import numpy as np
import pytest

from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import EVENT_DTYPE, check_events, make_events


def test_dtype_is_tonics():
    from tonic.io import events_struct, make_structured_array

    assert events_struct == EVENT_DTYPE
    columns = [1, 2], [3, 4], [5, 6], [True, False]
    np.testing.assert_array_equal(make_events(*columns), make_structured_array(*columns))


def test_signed_polarity_becomes_bool():
    events = make_events([0, 0, 0], [0, 0, 0], [1, 2, 3], [1, -1, 0])
    assert events["p"].tolist() == [True, False, False]


def test_unequal_columns_are_refused():
    with pytest.raises(DataError, match="one length"):
        make_events([1, 2], [1], [1, 2], [1, 1])


def test_good_events_come_back_unchanged():
    events = make_events([0, 9], [9, 0], [5, 5], [1, 0])
    assert check_events(events, (10, 10, 2)) is events
    assert len(check_events(make_events([], [], [], []), (10, 10, 2))) == 0


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([0, 10], [0, 0], [1, 2], [1, 1]), r"rec: event 1 has x = 10: .*0 to 9"),
        (([0, 0], [0, -1], [1, 2], [1, 1]), r"rec: event 1 has y = -1: addresses count from 0"),
        (([0, 0], [0, 0], [-1, 2], [1, 1]), r"rec: event 0 has t = -1: times start at 0"),
        (([0, 0, 0], [0, 0, 0], [1, 7, 3], [1, 1, 1]), r"event 2 has t = 3 after 7: .*sort"),
    ],
)
def test_bad_values_are_named(columns, message):
    with pytest.raises(DataError, match=message):
        check_events(make_events(*columns), (10, 10, 2), "rec")


def test_bad_polarity_is_named():
    dtype = [("x", "i2"), ("y", "i2"), ("t", "i8"), ("p", "i1")]
    events = np.array([(0, 0, 1, 1), (0, 0, 2, -1)], dtype)
    with pytest.raises(DataError, match=r"event 1 has p = -1: polarity is 1"):
        check_events(events)


def test_wrong_containers_are_refused():
    with pytest.raises(DataError, match="structured array"):
        check_events(np.zeros((3, 4)), source="rec")
    with pytest.raises(DataError, match="structured array"):
        check_events([1, 2, 3])
    with pytest.raises(DataError, match="one recording at a time"):
        check_events(np.zeros((2, 2), EVENT_DTYPE))
    seconds = np.zeros(2, [("x", "i2"), ("y", "i2"), ("t", "f8"), ("p", "?")])
    with pytest.raises(DataError, match="field t has type float64"):
        check_events(seconds)
