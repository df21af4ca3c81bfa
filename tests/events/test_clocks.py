"""Times of events: units, and what errors say about clocks that did something else."""

import datetime

import numpy as np
import pytest

from nengo_tactile.errors import DataError
from nengo_tactile.events import (
    EVENT_DTYPE,
    TactileImage,
    check_events,
    event_pattern,
    make_events,
    spike_samples,
    spike_tensor,
)
from nengo_tactile.events.clocks import check_clock

NOON = datetime.datetime(2024, 5, 17, 12, tzinfo=datetime.timezone.utc).timestamp()


def events_at(*times, **options):
    zeros = np.zeros(len(times), int)
    return make_events(zeros, zeros, np.array(times), zeros, **options)


@pytest.mark.parametrize(
    ("times", "unit", "expected"),
    [
        ([0, 3, 2_000_000], None, [0, 3, 2_000_000]),
        ([0.0, 3.4, 3.6], "us", [0, 3, 4]),
        ([0.0, 0.1, 1.9999996], "s", [0, 100_000, 2_000_000]),
        ([0, 7], "s", [0, 7_000_000]),
        ([0, 7], "ms", [0, 7000]),
        ([0.0005, 0.25], "ms", [0, 250]),  # 0.5 us to the even neighbour, as rint
        ([400, 1600], "ns", [0, 2]),
        (np.array([0.5, 9.000001], np.float32), "s", [500_000, 9_000_001]),
        (np.array([0, 4_000_000_000], np.uint32), None, [0, 4_000_000_000]),
    ],
)
def test_units_become_microseconds(times, unit, expected):
    assert events_at(*times, time_unit=unit)["t"].tolist() == expected


def test_floating_point_times_want_a_unit():
    with pytest.raises(DataError, match=r"type float64 and values from 0\.1 to 1\.9, whose unit"):
        events_at(0.1, 1.9)
    with pytest.raises(DataError, match="time_unit is 'minutes': choose one of 's', 'ms'"):
        events_at(1, time_unit="minutes")
    with pytest.raises(DataError, match="event 1 has t = nan: leave out events without a time"):
        events_at(0.0, np.nan, time_unit="s")
    with pytest.raises(DataError, match="event 1 has t = inf"):
        events_at(0.0, np.inf, time_unit="s")


@pytest.mark.parametrize(
    ("times", "bits"),
    [
        (np.array([2**32 - 900, 2**32 - 1, 40, 90], np.uint32), 32),
        (np.array([2**32 - 900, 50], np.int64), 32),
        (np.array([2**31 - 9, -(2**31) + 5], np.int32), 32),  # read as signed
        (np.array([2**31 - 9, 12], np.int64), 31),
        (np.array([2**24 - 1000, 70]), 24),
        (np.array([2**34 - 1000, 70]), 34),
    ],
)
def test_counters_that_went_round_are_not_to_be_sorted(times, bits):
    with pytest.raises(DataError, match=rf"a counter of {bits} bits went round .*add 2\*\*{bits}"):
        check_clock(times, "rec")
    # what the error says
    mended = times.astype(np.int64)
    mended[1:] += np.cumsum(np.diff(mended) < 0) * 2**bits
    check_clock(mended, "rec")
    assert mended[-1] - mended[0] < 2000
    with pytest.raises(DataError, match=r"after .*add 2"):
        events_at(*times)


def test_a_counter_in_other_units():
    with pytest.raises(DataError, match=r"a counter of 32 bits .*add 2\*\*32 to"):
        events_at(2**32 - 10, 5, time_unit="ns")
    with pytest.raises(DataError, match=r"a counter of 32 bits .*add 2\*\*32 microseconds to"):
        events_at(4294.9, 0.01, time_unit="s")


def test_disorder_and_a_second_recording_are_told_apart():
    with pytest.raises(DataError, match=r"event 2 has t = 20 after 30: .*sort the events by t"):
        events_at(10, 30, 20, 40)
    with pytest.raises(DataError, match=r"second recording begins there.* recording at event 3"):
        events_at(10, 30, 1000, 12, 33, 990)


@pytest.mark.parametrize(
    ("factor", "unit", "stated"),
    [(1e6, None, None), (1e9, "ns", None), (1e3, "ms", None), (1.0, "s", None), (1e9, None, "ns")],
)
def test_times_since_1970_are_recognised(factor, unit, stated):
    times = (NOON + np.array([0, 0.5, 1.5])) * factor
    times = times if unit == "s" else times.astype(np.int64)
    message = f"event 0 .* as {stated or unit or 'us'} since 1970 this is 2024-05-17; .*subtract"
    with pytest.raises(DataError, match=message + (f".*time_unit='{stated}'" if stated else "")):
        events_at(*times, time_unit=unit)


def test_times_that_no_clock_says():
    with pytest.raises(DataError, match="event 1 has t = 4611686018427387904: no recording lasts"):
        events_at(0, 2**62)
    with pytest.raises(DataError, match="event 0 has t = 18446744073709551615: no recording"):
        check_clock(np.array([2**64 - 1], np.uint64), "rec")


@pytest.mark.parametrize(
    "count",
    [
        lambda events: TactileImage()(events),
        lambda events: spike_tensor(events, (10, 10, 2), 1000, 2000),
        lambda events: event_pattern(events),
        lambda events: spike_samples([events], (10, 10, 2), 1000, 2000),
        lambda events: spike_samples([events], (10, 10, 2), 1000, 2000, late="drop"),
        lambda events: spike_samples([events], (10, 10, 2), 1000),
    ],
)
def test_a_clock_that_did_not_start_with_the_recording(count):
    """More steps are no remedy where already the first event is late."""
    t = np.array([0, 200_000, 300_000]) + 7_000_000_000
    late = np.array([(0, 0, time, 1) for time in t], EVENT_DTYPE)
    with pytest.raises(
        DataError, match=r"event 0 at 7000000000 us lies after .*subtract the first"
    ):
        count(late)
    late["t"] -= late["t"][0]  # what the error says
    count(check_events(late))


def test_seconds_since_1970_taken_for_microseconds():
    t = (NOON + np.arange(3)).astype(np.int64)
    late = np.array([(0, 0, time, 1) for time in t], EVENT_DTYPE)
    with pytest.raises(DataError, match=r"as s since 1970 this is 2024-05-17.*time_unit='s'"):
        TactileImage()(late)


def test_a_recording_that_is_too_long_keeps_its_remedy():
    with pytest.raises(
        DataError, match="event 1 at 2000001 us lies after duration_us = 2000000: ra"
    ):
        TactileImage()(events_at(0, 2_000_001))
