"""Event arrays: tonic's structured form, made and checked at one door.

`make_events` takes columns in a stated unit and convention; `check_events` takes structured
arrays, sends what is not of `EVENT_DTYPE` through `make_events`, and returns arrays of that type
only. Whatever counts events uses what it returns.
"""

import numpy as np
from numpy.typing import ArrayLike

from nengo_tactile.errors import DataError
from nengo_tactile.events.clocks import check_clock, microseconds

#: The dtype of tonic 1.7 (tonic.io.events_struct): x, y are addresses from 0, t is in
#: microseconds, p is True for ON (FA+, pressure rises) and False for OFF (FA-).
EVENT_DTYPE = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", bool)])

_LARGEST_ADDRESS = np.iinfo(EVENT_DTYPE["x"]).max
#: Errors list at most so many of the polarities that they found.
_VALUES_SHOWN = 6


def make_events(
    x: ArrayLike,
    y: ArrayLike,
    t: ArrayLike,
    p: ArrayLike,
    *,
    time_unit: str | None = None,
    polarity: str = "0/1",
    sensor_size: tuple[int, ...] | None = None,
    source: str = "events",
) -> np.ndarray:
    """Pack four columns into one structured event array, or say what cannot be read.

    Parameters
    ----------
    x, y : (n_events,) array
        Addresses, counted from 0: whole numbers up to 32,767.
    t : (n_events,) array
        Times from the start of the recording, which do not decrease.
    p : (n_events,) array
        Polarities, in the convention of ``polarity``; bool is always True for ON.
    time_unit : {None, "s", "ms", "us", "ns"}
        Unit of ``t``; times are rounded to the nearest microsecond. None is for whole numbers of
        an integer type in microseconds, the only times whose unit needs no saying.
    polarity : str
        The two whole numbers that stand for OFF and ON, "OFF/ON": "0/1", "-1/1", "1/2" and so on.
    sensor_size : tuple of int, optional
        (width, height, polarities) as in tonic: x < width and y < height are checked.
    source : str
        What the errors call the events, such as a file name.

    Returns
    -------
    (n_events,) structured array of `EVENT_DTYPE`

    Raises
    ------
    DataError
        For columns of different lengths or not of numbers; addresses that are no whole numbers,
        negative or outside the sensor; times that are not finite, negative, decrease (with what
        to do where a clock began again), count from 1970 or are of no stated unit; polarities
        other than the two of the convention. Names ``source``, index, value and remedy.
    """
    columns = {name: np.asarray(c) for name, c in zip("xytp", (x, y, t, p))}
    _check_columns(columns, source)
    events = np.empty(len(columns["x"]), EVENT_DTYPE)
    for name, limit in zip("xy", (sensor_size or (None, None))[:2]):
        _check_addresses(columns[name], name, limit, source)
        events[name] = columns[name]
    events["t"] = microseconds(columns["t"], time_unit, source)
    events["p"] = _is_on(columns["p"], polarity, source)
    return events


def check_events(
    events: np.ndarray, sensor_size: tuple[int, ...] | None = None, source: str = "events"
) -> np.ndarray:
    """Return well-formed events as an array of `EVENT_DTYPE`, else say what is wrong where.

    Parameters
    ----------
    events : (n_events,) structured array
        With fields x, y, t (whole microseconds, of an integer type) and p (bool, or 0 and 1);
        other fields are left out.
    sensor_size : tuple of int, optional
        (width, height, polarities) as in tonic: x < width and y < height are checked.
    source : str
        What the errors call the array, such as a file name.

    Returns
    -------
    (n_events,) structured array of `EVENT_DTYPE`
        The array given where it is of this type, else a copy.

    Raises
    ------
    DataError
        For a missing field, a wrong shape, and all that `make_events` refuses.
    """
    names = getattr(getattr(events, "dtype", None), "names", None)
    if names is None or not set("xytp") <= set(names):
        raise DataError(
            f"{source}: expected a structured array with fields x, y, t, p, found "
            f"{names or type(events).__name__}: build it with nengo_tactile.events.make_events"
        )
    if events.ndim != 1:
        raise DataError(f"{source}: events have shape {events.shape}: give one recording at a time")
    if events.dtype != EVENT_DTYPE:
        columns = (events[name] for name in "xytp")
        return make_events(*columns, sensor_size=sensor_size, source=source)
    for name, limit in zip("xy", (sensor_size or (None, None))[:2]):
        _check_addresses(events[name], name, limit, source)
    check_clock(events["t"], source)
    return events


def _check_columns(columns, source):
    """Raise unless all columns are of numbers, in one dimension and of one length."""
    shapes = {name: column.shape for name, column in columns.items()}
    if len(set(shapes.values())) != 1 or columns["x"].ndim != 1:
        raise DataError(
            f"{source}: event columns have shapes {shapes}: give four columns of one length"
        )
    for name, column in columns.items():
        if column.dtype.kind not in "iufb":
            raise DataError(
                f"{source}: field {name} has type {column.dtype}: give an array of numbers"
            )


def _check_addresses(values, name, limit, source):
    """Raise unless all values are whole numbers from 0 to below ``limit``."""
    most = _LARGEST_ADDRESS if limit is None else min(limit - 1, _LARGEST_ADDRESS)
    if values.dtype.kind != "f":
        # as numbers without a sign what is negative is larger than all others: one look is enough
        unsigned = values.view(values.dtype.str.replace("i", "u"))
        if unsigned.max(initial=0) <= most:
            return
    if values.dtype.kind == "f":
        remedy = "addresses are whole numbers; round them, or scale them to the sensor's pixels"
        _refuse(values, name, ~(values == np.floor(values)), source, remedy)
    _refuse(values, name, values < 0, source, "addresses count from 0")
    if limit is not None:
        remedy = f"this sensor has {name} from 0 to {limit - 1}; check sensor_size"
        _refuse(values, name, values >= limit, source, remedy)
    remedy = (
        f"addresses go to {_LARGEST_ADDRESS}; if {name} is a pixel's number, take it apart into "
        "x = number % width and y = number // width"
    )
    _refuse(values, name, values > _LARGEST_ADDRESS, source, remedy)


def _is_on(values, polarity, source):
    """Return True for ON and False for OFF, or raise for a value that is neither."""
    off, on = convention(polarity)
    if values.dtype.kind == "b":
        return values
    are_on = values == on
    right = are_on | (values == off)
    if not right.all():
        index = int(right.argmin())
        raise DataError(
            f"{source}: event {index} has p = {values[index]}: polarity {polarity!r} is {off} for "
            f"OFF and {on} for ON; {_polarity_remedy(values)}"
        )
    return are_on


def convention(polarity):
    """Take "OFF/ON" apart into two different whole numbers."""
    try:
        off, on = (int(part) for part in polarity.split("/"))
    except (AttributeError, ValueError):
        off = on = 0
    if off == on:
        raise DataError(
            f"polarity is {polarity!r}: give the numbers that stand for OFF and ON, such as '0/1', "
            "'-1/1' or '1/2'"
        )
    return off, on


def _polarity_remedy(values):
    """Say what the values may mean and how to state it."""
    if not np.isfinite(values).all():
        return "leave out events without a polarity, or find out why they have none"
    found = np.unique(values)
    shown = ", ".join(f"{value:g}" for value in found[:_VALUES_SHOWN])
    shown += ", ..." if len(found) > _VALUES_SHOWN else ""
    if len(found) > 2 or (found != np.floor(found)).any():
        return (
            f"found {shown}, which are not two whole numbers: find out which are ON and pass p as "
            "bool"
        )
    if len(found) == 1:
        return (
            f"all are {shown}: say with make_events(..., polarity='OFF/ON') which two numbers the "
            "recording uses"
        )
    low, high = (int(value) for value in found)
    if values.dtype.kind == "u" and high == np.iinfo(values.dtype).max and low == 1:
        return (
            f"found 1 and {high}, which is -1 as {values.dtype}: if that is OFF, pass "
            f"make_events(..., polarity='{high}/1')"
        )
    return (
        f"found {low} and {high}: say which is which, make_events(..., polarity='{low}/{high}') or "
        f"'{high}/{low}'"
    )


def _refuse(values, field, wrong, source, remedy):
    """Raise for the first of ``values`` marked ``wrong``."""
    if wrong.any():
        index = int(wrong.argmax())
        raise DataError(f"{source}: event {index} has {field} = {values[index]}: {remedy}")
