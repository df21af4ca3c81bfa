"""Event arrays: tonic's structured form, made and checked."""

import numpy as np

from nengo_tactile.errors import DataError

# The dtype of tonic 1.7 (tonic.io.events_struct): x, y are addresses from 0, t is in
# microseconds, p is True for ON (FA+, pressure rises) and False for OFF (FA-).
EVENT_DTYPE = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", bool)])


def make_events(x, y, t_us, p):
    """Pack four columns into one structured event array.

    Parameters
    ----------
    x, y : (n_events,) int array
        Addresses, counted from 0.
    t_us : (n_events,) int array
        Times in microseconds.
    p : (n_events,) bool or int array
        Polarity: True or a positive number is ON, everything else OFF.

    Returns
    -------
    (n_events,) structured array of `EVENT_DTYPE`

    Raises
    ------
    DataError
        When the columns differ in length.
    """
    columns = {name: np.asarray(c) for name, c in zip("xytp", (x, y, t_us, p))}
    lengths = {name: column.shape for name, column in columns.items()}
    if len(set(lengths.values())) != 1 or columns["x"].ndim != 1:
        raise DataError(f"event columns have shapes {lengths}: give four columns of one length")
    events = np.empty(len(columns["x"]), EVENT_DTYPE)
    for name in "xyt":
        events[name] = columns[name]
    events["p"] = columns["p"] > 0
    return events


def check_events(events, sensor_size=None, source="events"):
    """Return ``events`` if they are well formed, else say what is wrong where.

    Parameters
    ----------
    events : (n_events,) structured array
        With fields x, y, t, p, all of integer or bool type; extra fields are allowed.
    sensor_size : tuple of int, optional
        (width, height, polarities) as in tonic: x < width and y < height are checked.
    source : str
        What the errors call the array, such as a file name.

    Returns
    -------
    structured array
        The array given, unchanged.

    Raises
    ------
    DataError
        For a missing or non-integer field, a wrong shape, an address outside the sensor, a
        negative time or one before its predecessor; names ``source``, index and value.
    """
    names = getattr(getattr(events, "dtype", None), "names", None)
    if names is None or not set("xytp") <= set(names):
        raise DataError(
            f"{source}: expected a structured array with fields x, y, t, p, found "
            f"{names or type(events).__name__}: build it with nengo_tactile.events.make_events"
        )
    if events.ndim != 1:
        raise DataError(f"{source}: events have shape {events.shape}: give one recording at a time")
    for name in "xytp":
        if events.dtype[name].kind not in "iub":
            raise DataError(
                f"{source}: field {name} has type {events.dtype[name]}, wanted integers "
                "(times in microseconds)"
            )
    for name, limit in zip("xy", (sensor_size or (None, None))[:2]):
        _refuse(events, name, events[name] < 0, source, "addresses count from 0")
        if limit is not None:
            remedy = f"this sensor has {name} from 0 to {limit - 1}; check sensor_size"
            _refuse(events, name, events[name] >= limit, source, remedy)
    _refuse(events, "t", events["t"] < 0, source, "times start at 0 microseconds")
    backwards = np.zeros(len(events), bool)
    backwards[1:] = events["t"][1:] < events["t"][:-1]
    _refuse(events, "t", backwards, source, "times must not decrease; sort the events by t")
    if events.dtype["p"].kind != "b":
        wrong = (events["p"] != 0) & (events["p"] != 1)
        _refuse(events, "p", wrong, source, "polarity is 1 (ON) or 0 (OFF)")
    return events


def _refuse(events, field, wrong, source, remedy):
    """Raise for the first event marked ``wrong``."""
    if wrong.any():
        index = int(wrong.argmax())
        before = f" after {events[field][index - 1]}" if field == "t" and index else ""
        raise DataError(
            f"{source}: event {index} has {field} = {events[field][index]}{before}: {remedy}"
        )
