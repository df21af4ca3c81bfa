"""Event arrays: one door for columns and arrays, and errors that name what is wrong."""

import numpy as np
import pytest

from nengo_tactile.errors import DataError
from nengo_tactile.events import PatternLayout, TactileImage, event_pattern, spike_samples
from nengo_tactile.events.arrays import EVENT_DTYPE, check_events, make_events
from nengo_tactile.events.binning import spike_tensor

N = 200


@pytest.fixture
def columns(rng):
    """x, y, t and which events are ON, of a 4 x 3 sensor."""
    t = np.sort(rng.integers(0, 1000, N))
    return rng.integers(0, 4, N), rng.integers(0, 3, N), t, rng.random(N) < 0.4


def own_array(x, y, t, p):
    """A structured array as a user makes it: each field keeps the type of its column."""
    columns = [np.asarray(column) for column in (x, y, t, p)]
    array = np.empty(len(columns[0]), [(n, c.dtype) for n, c in zip("xytp", columns)])
    for name, column in zip("xytp", columns):
        array[name] = column
    return array


def counted(x, y, on):
    """Events per pixel and polarity, one by one."""
    image = np.zeros((3, 4, 2), int)
    for column, row, channel in zip(x, y, on):
        image[row, column, int(channel)] += 1
    return image


def test_dtype_is_tonics():
    from tonic.io import events_struct, make_structured_array

    assert events_struct == EVENT_DTYPE
    columns = [1, 2], [3, 4], [5, 6], [True, False]
    np.testing.assert_array_equal(make_events(*columns), make_structured_array(*columns))


@pytest.mark.parametrize(
    ("polarity", "off", "on", "dtype"),
    [
        ("0/1", 0, 1, "?"), ("0/1", 0, 1, "u1"), ("0/1", 0, 1, "f4"), ("-1/1", -1, 1, "i1"),
        ("-1/1", -1, 1, "f8"), ("1/2", 1, 2, "i8"), ("2/1", 2, 1, "u2"), ("0/255", 0, 255, "u1"),
        ("255/1", -1, 1, "u1"),
    ],
)  # fmt: skip
def test_polarities_in_each_convention(columns, polarity, off, on, dtype):
    x, y, t, is_on = columns
    p = np.where(is_on, on, off).astype(np.int64).astype(dtype)
    np.testing.assert_array_equal(make_events(x, y, t, p, polarity=polarity)["p"], is_on)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([1, -1], np.int8), r"event 1 has p = -1: .*found -1 and 1: .*'-1/1'"),
        (np.array([2, 1]), r"event 0 has p = 2: .*found 1 and 2: .*polarity='1/2'\) or '2/1'"),
        (np.array([0, 255], np.uint8), r"event 1 has p = 255: .*'0/255'"),
        (np.array([1, 255], np.uint8), r"255, which is -1 as uint8: .*polarity='255/1'"),
        (np.array([2, 2]), r"event 0 has p = 2: .*all are 2: say"),
        (np.array([0, 1, 2, 3]), r"event 2 has p = 2: .*found 0, 1, 2, 3, .*pass p as bool"),
        (np.array([0, 0.5]), r"event 1 has p = 0.5: .*found 0, 0.5, .*pass p as bool"),
        (np.arange(9.0), r"found 0, 1, 2, 3, 4, 5, \.\.\., "),
        (np.array([1, np.nan]), r"event 1 has p = nan: .*leave out events without a polarity"),
    ],
)
def test_other_polarities_are_refused_in_columns_and_arrays(values, message):
    zeros = np.zeros(len(values), int)
    for call in (
        lambda: make_events(zeros, zeros, zeros, values),
        lambda: check_events(own_array(zeros, zeros, zeros, values)),
    ):
        with pytest.raises(DataError, match=message):
            call()


@pytest.mark.parametrize("polarity", ["1", "1/1", "off/on", "0/1/2", None, 1])
def test_conventions_are_two_numbers(polarity):
    with pytest.raises(DataError, match=r"polarity is .*'-1/1' or '1/2'"):
        make_events([0], [0], [0], [1], polarity=polarity)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("x", [0, 2.7], r"event 1 has x = 2\.7: addresses are whole numbers; round"),
        ("y", [np.nan, 1], r"event 0 has y = nan: addresses are whole"),
        ("x", [0, 70_000], r"event 1 has x = 70000: addresses go to 32767; .*number // width"),
        ("x", [65_538, 0], r"event 0 has x = 65538: addresses go to 32767"),
        ("y", [0, -1], r"event 1 has y = -1: addresses count from 0"),
        ("x", ["0", "1"], r"field x has type <U1: give an array of numbers"),
        ("t", np.array([0, 1], "m8[us]"), r"field t has type timedelta64\[us\]"),
        ("p", np.array([None, 1]), r"field p has type object"),
    ],
)
def test_bad_columns_are_refused_as_columns_and_as_arrays(name, values, message):
    columns = {each: [0, 0] for each in "xyt"} | {"p": [1, 1], name: values}
    with pytest.raises(DataError, match=message):
        make_events(**columns)
    with pytest.raises(DataError, match=message):
        check_events(own_array(**columns))


@pytest.mark.parametrize("fields", [("u2", "u2", "u4", "u1"), (">i8", "f4", ">i4", "f8")])
def test_arrays_of_other_types_count_the_same_everywhere(columns, fields):
    x, y, t, on = columns
    own = own_array(*(column.astype(kind) for column, kind in zip(columns, fields)))
    checked = check_events(own, (4, 3, 2))
    assert checked.dtype == EVENT_DTYPE
    np.testing.assert_array_equal(checked, make_events(x, y, t, on))
    truth, size = counted(x, y, on), (4, 3, 2)
    image = TactileImage(size, polarity="split", normalise="none", duration_us=1000)
    np.testing.assert_array_equal(image.counts(own), truth)
    np.testing.assert_array_equal(spike_tensor(own, size, 1000, 1, binary=False)[0], truth)
    samples = spike_samples([own], size, 1000, 1, binary=False)
    np.testing.assert_array_equal(samples.dense([0])[0, 0], truth)
    pattern = event_pattern(own, PatternLayout(size, step_us=1000))[0].reshape(3, 4)
    np.testing.assert_array_equal(pattern, truth[..., 1] - truth[..., 0])


def test_narrow_times_do_not_overflow_in_bins():
    own = own_array([0, 0], [0, 0], np.array([0, 1_900_000], np.int32), [1, 1])
    counts = TactileImage((1, 1, 2), n_bins=2000, normalise="none").counts(own)
    assert np.flatnonzero(counts[0, 0]).tolist() == [0, 1900]


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
        make_events(*columns, sensor_size=(10, 10, 2), source="rec")
    for dtype in (EVENT_DTYPE, own_array(*columns).dtype):
        events = np.array(list(zip(*columns)), dtype)
        with pytest.raises(DataError, match=message):
            check_events(events, (10, 10, 2), "rec")


def test_wrong_containers_are_refused():
    with pytest.raises(DataError, match="structured array"):
        check_events(np.zeros((3, 4)), source="rec")
    with pytest.raises(DataError, match="structured array"):
        check_events([1, 2, 3])
    with pytest.raises(DataError, match="one recording at a time"):
        check_events(np.zeros((2, 2), EVENT_DTYPE))
    seconds = np.zeros(2, [("x", "i2"), ("y", "i2"), ("t", "f8"), ("p", "?")])
    with pytest.raises(DataError, match=r"field t has type float64 .*time_unit='s'"):
        check_events(seconds)
