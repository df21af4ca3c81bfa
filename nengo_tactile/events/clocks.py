"""Times of events: read in their unit, checked, and what to do about clocks of other kinds.

Errors about times are easily answered the wrong way: sorting the events of a counter that went
round mixes its end into its beginning, and no duration is long enough for times since 1970. So the
remedy looks at what the clock did.
"""

import datetime

import numpy as np

from nengo_tactile.errors import DataError

#: Units of time and how many go into a microsecond or how many microseconds they have.
_PER_MICROSECOND = {"s": 1e-6, "ms": 1e-3, "us": 1.0, "ns": 1e3}
#: Microseconds (3 years) that no recording lasts: such times count from another day.
_TOO_LONG_US = 10**14
#: Counters of event cameras: 24 bits (Prophesee EVT 3.0), 31 (AEDAT 3.1), 32 (jAER, most own
#: formats) and 34 (Prophesee EVT 2.0).
_COUNTER_BITS = (24, 31, 32, 34)
#: A counter has gone round where a time falls by at least this share of its range; a clock began
#: again where it falls by this share of the time since the first event.
_GONE_ROUND, _BEGAN_AGAIN = 0.95, 0.9
#: Seconds since 1970 of the first and the last day that a clock of a computer is taken to say.
_DAYS = tuple(
    datetime.datetime(year, 1, 1, tzinfo=datetime.timezone.utc).timestamp() for year in (1990, 2100)
)


def check_unit(time_unit):
    """Refuse units of time that there are not."""
    if time_unit is not None and time_unit not in _PER_MICROSECOND:
        raise DataError(
            f"time_unit is {time_unit!r}: choose one of {', '.join(map(repr, _PER_MICROSECOND))}"
        )


def microseconds(t, time_unit, source):
    """Return times as int64 microseconds, rounded to the nearest.

    Parameters
    ----------
    t : (n_events,) array of numbers
    time_unit : {None, "s", "ms", "us", "ns"}
        None: whole numbers of an integer type, in microseconds.
    source : str
        What errors call the events.

    Raises
    ------
    DataError
        For another unit, floating-point times without one, and what `check_clock` refuses.
    """
    check_unit(time_unit)
    if time_unit is None and t.dtype.kind == "f" and len(t):
        raise DataError(
            f"{source}: field t has type {t.dtype} and values from {t.min():g} to {t.max():g}, "
            "whose unit cannot be told: say it, make_events(..., time_unit='s') or 'ms', 'us', 'ns'"
        )
    unit = time_unit or "us"
    check_clock(t, source, unit)
    if t.dtype.kind != "f" and unit in ("us", "ms", "s"):
        t, factor = t.astype(np.int64, copy=False), int(1 / _PER_MICROSECOND[unit] + 0.5)
        return t if factor == 1 else t * factor
    return np.rint(t.astype(np.float64) / _PER_MICROSECOND[unit]).astype(np.int64)


def check_clock(t, source, unit="us"):
    """Raise unless times are finite, from 0 on, not since 1970, and do not decrease.

    Parameters
    ----------
    t : (n_events,) array of numbers
    source : str
        What errors call the events.
    unit : {"s", "ms", "us", "ns"}

    Raises
    ------
    DataError
        Names ``source``, index, value and remedy.
    """
    if t.dtype.kind == "f":
        _refuse(t, ~np.isfinite(t), source, "leave out events without a time")
    fall = t[1:] < t[:-1]
    if fall.any():
        index = int(fall.argmax()) + 1
        raise DataError(
            f"{source}: event {index} has t = {t[index]} after {t[index - 1]}: "
            f"{_remedy_of_fall(t, index, int(fall.sum()), unit)}"
        )
    if len(t) and t[0] < 0:  # and none before it
        _refuse(t, t < 0, source, "times start at 0 with the recording; subtract the first")
    limit = _TOO_LONG_US * _PER_MICROSECOND[unit]
    if len(t) and t[-1] >= limit:
        _refuse(t, t >= limit, source, _remedy_of_epoch(t, unit))


def late_event(events, index, source, end, remedy):
    """The error for an event after the end of what it is counted into.

    Parameters
    ----------
    events : (n_events,) structured array of `EVENT_DTYPE`
    index : int
        Of the first event that is late.
    source : str
        What the error calls the events.
    end : str
        What the event lies after, such as "duration_us = 2000000".
    remedy : str
        For recordings that are longer than that. If already the first event is late, the clock
        did not start with the recording, and the error says so.

    Returns
    -------
    DataError
    """
    first, last = (int(events["t"][place]) for place in (0, -1))
    if index == 0:
        days = {unit: _day(first, unit) for unit in ("s", "ms")}
        since_1970 = "".join(
            f"; as {unit} since 1970 this is {day}: then subtract the first and give make_events "
            f"time_unit={unit!r}"
            for unit, day in days.items()
            if day
        )
        remedy = (
            "already the first event is late, times have to start with the recording; subtract the "
            f"first, the last is then at {last - first} us{since_1970}; or if the recording begins "
            f"with silence, {remedy}"
        )
    return DataError(
        f"{source}: event {index} at {events['t'][index]} us lies after {end}: {remedy}"
    )


def _remedy_of_fall(t, index, n_falls, unit):
    """What to do about times that decrease, first at ``index``."""
    first, before, after = (value.item() for value in (t[0], t[index - 1], t[index]))
    for bits in _COUNTER_BITS:
        for tick, size in (
            (1, 2**bits),
            (_PER_MICROSECOND[unit], 2**bits * _PER_MICROSECOND[unit]),
        ):
            top = size / 2 if after < 0 else size  # read as signed, a counter falls below 0
            if before < top and _GONE_ROUND * size <= before - after <= size:
                return (
                    f"a counter of {bits} bits went round there; do not sort, but add 2**{bits} "
                    f"{'' if tick == 1 else 'microseconds '}to all times from there on, as int64, "
                    "each time that this happens"
                )
    if n_falls == 1 and before - after >= _BEGAN_AGAIN * (before - first) > 0:
        return (
            "a second recording begins there, or the clock was set back; do not sort, but cut the "
            f"recording at event {index}"
        )
    return "times must not decrease; sort the events by t"


def _remedy_of_epoch(t, unit):
    """What to do about times beyond the length of any recording."""
    for guess in (unit, "ns", "us", "ms"):
        day = _day(float(t[-1]), guess)
        if day:
            stated = "" if guess == unit else f" and give make_events time_unit={guess!r}"
            return (
                f"as {guess} since 1970 this is {day}; times start with the recording, subtract "
                f"the first{stated}"
            )
    return f"no recording lasts so many {unit}; check the times and their unit (time_unit)"


def _day(time, unit):
    """The day that ``time`` in ``unit`` since 1970 is, or None if it cannot be meant."""
    seconds = time / _PER_MICROSECOND[unit] / 1e6
    if not _DAYS[0] <= seconds < _DAYS[1]:
        return None
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).date().isoformat()


def _refuse(t, wrong, source, remedy):
    """Raise for the first time marked ``wrong``."""
    if wrong.any():
        index = int(wrong.argmax())
        raise DataError(f"{source}: event {index} has t = {t[index]}: {remedy}")
