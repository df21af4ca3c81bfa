"""SKIM's event patterns against a loop over the paper's equations."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import EVENT_DTYPE, make_events
from nengo_tactile.events.patterns import (
    PatternLayout,
    channels_of,
    event_pattern,
    pattern_entries,
)


def random_events(rng, layout, n=400):
    width, height = layout.sensor_size[:2]
    t_us = np.sort(rng.integers(0, layout.n_steps * layout.step_us, n))
    return make_events(
        rng.integers(0, width, n), rng.integers(0, height, n), t_us, rng.integers(0, 2, n)
    )


def by_the_equations(events, layout):
    """Go through the events one by one."""
    pattern = np.zeros((layout.n_steps, layout.n_channels))
    for x, y, t, p in events.tolist():
        column, row = int(x / layout.down_sampling), int(y / layout.down_sampling)
        channel = row * layout.columns + column  # equation 2
        step = int(t / layout.step_us)  # equation 3
        if layout.separate_polarities:
            pattern[step, channel if p else channel + layout.n_channels // 2] += 1
        else:
            pattern[step, channel] += 1 if p else -1  # equation 4
    return pattern


@given(
    seed=st.integers(0, 1000),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    down_sampling=st.integers(1, 5),
    step_us=st.sampled_from([1, 7, 1000]),
    lengths=st.tuples(st.integers(1, 20), st.integers(0, 5)),
    apart=st.booleans(),
)
def test_patterns_are_those_of_a_loop(seed, size, down_sampling, step_us, lengths, apart):
    layout = PatternLayout((*size, 2), down_sampling, step_us, *lengths, apart)
    events = random_events(np.random.default_rng(seed), layout)
    wanted = by_the_equations(events, layout)
    np.testing.assert_array_equal(event_pattern(events, layout), wanted)
    steps, channels, values = pattern_entries(events, layout)
    np.testing.assert_array_equal(np.stack([steps, channels]), np.nonzero(wanted))
    np.testing.assert_array_equal(values, wanted[steps, channels])


def test_the_papers_layout():
    layout = PatternLayout()
    assert (layout.n_steps, layout.n_channels) == (360, 34 * 34)
    events = make_events([33, 33, 2], [33, 33, 0], [999, 1000, 314_999], [1, 0, 1])
    pattern = event_pattern(events)
    assert pattern.shape == (360, 1156)
    assert pattern[0, 1155] == 1
    assert pattern[1, 1155] == -1
    assert pattern[314, 2] == 1
    assert np.count_nonzero(pattern) == 3


def test_every_channel_gets_its_block_of_pixels():
    layout = PatternLayout((34, 34, 2), down_sampling=4)  # 9 x 9: the last blocks are narrow
    y, x = np.mgrid[:34, :34]
    channels = channels_of(x, y, layout)
    assert channels.max() + 1 == layout.n_channels == 81
    sizes = np.bincount(channels.ravel())
    edge = [4] * 8 + [2]
    np.testing.assert_array_equal(sizes, np.outer(edge, edge).ravel())


def test_opposite_events_of_a_step_cancel():
    events = make_events([1, 1, 2, 2], [0, 0, 0, 0], [10, 20, 30, 40], [1, 0, 1, 1])
    steps, channels, values = pattern_entries(events)
    assert (steps.tolist(), channels.tolist(), values.tolist()) == ([0], [2], [2])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([], [], [], []), "rec: the recording holds 0 events, wanted at least 1"),
        (([34], [0], [5], [1]), r"rec: event 0 has x = 34: this sensor has x from 0 to 33"),
        (([0], [-1], [5], [1]), "rec: event 0 has y = -1: addresses count from 0"),
        (([0], [0], [-1], [1]), "rec: event 0 has t = -1: times start at 0"),
        (([0, 0], [0, 0], [5, 4], [1, 1]), "rec: event 1 has t = 4 after 5: .*sort"),
        (
            ([0, 0], [0, 0], [5, 360_000], [1, 1]),
            "rec: event 1 at 360000 us lies after the pattern of 360 steps",
        ),
    ],
)
def test_bad_recordings_are_named(columns, message):
    events = np.array(list(zip(*columns)), EVENT_DTYPE)
    for function in (pattern_entries, event_pattern):
        with pytest.raises(DataError, match=message):
            function(events, source="rec")


@pytest.mark.parametrize(
    ("option", "value"),
    [("down_sampling", 0), ("step_us", 1.5), ("recording_steps", 0), ("tail_steps", -1)],
)
def test_bad_layouts_are_named(option, value):
    with pytest.raises(DataError, match=rf"pattern: {option} is {value}"):
        dataclasses.replace(PatternLayout(), **{option: value})
    with pytest.raises(DataError, match="width is 0"):
        PatternLayout((0, 3))
    with pytest.raises(DataError, match=r"sensor_size is \(3,\)"):
        PatternLayout((3,))


def test_real_recordings_fit_into_the_papers_pattern(data_dir):
    from nengo_tactile.datasets import NMNIST

    recordings = NMNIST(data_dir)
    for index in range(0, len(recordings), 100):
        events = recordings.read_events(index)
        on, total = np.count_nonzero(events["p"]), len(events)
        assert event_pattern(events).sum() == 2 * on - total
