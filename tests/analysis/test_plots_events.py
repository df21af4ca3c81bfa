import numpy as np
import pytest

from nengo_tactile.analysis.plots import (
    cumulative_frames,
    event_raster,
    png,
    skin_map,
    tactile_evolution,
)
from nengo_tactile.errors import DataError
from nengo_tactile.events import TaxelMap

EVENT = np.dtype([("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "<u1")])


@pytest.fixture
def events():
    return np.array([(3, 0, 0, 1), (9, 9, 1_500_000, 0), (0, 2, 2_000_000, 0)], EVENT)


def test_raster_puts_each_event_at_its_time_and_taxel(events):
    figure = event_raster(events, title="a sample")
    on, off = figure.axes[0].lines
    np.testing.assert_allclose(on.get_xdata(), [0])
    np.testing.assert_allclose(off.get_xdata(), [1.5, 2])
    np.testing.assert_allclose(np.round(on.get_ydata()), [3])
    np.testing.assert_allclose(np.round(off.get_ydata()), [99, 20])
    assert figure.axes[0].get_xlim() == (0, 2)
    assert [t.get_text() for t in figure.axes[0].get_legend().texts] == [
        "ON, 1 events",
        "OFF, 2 events",
    ]
    red, green, blue = (int(on.get_color()[i : i + 2], 16) for i in (1, 3, 5))
    assert red > 3 * green and red > 3 * blue
    assert max(int(off.get_color()[i : i + 2], 16) for i in (1, 3, 5)) < 80
    png(figure)


def test_raster_of_a_wide_sensor_with_boolean_polarity():
    events = np.array(
        [(15, 1, 10, True), (0, 0, 20, False)],
        [("x", "u2"), ("y", "u2"), ("t", "i8"), ("p", "?")],
    )
    figure = event_raster(events, sensor_size=(16, 4, 2), duration_s=None)
    on, _ = figure.axes[0].lines
    assert round(float(on.get_ydata()[0])) == 31
    assert figure.axes[0].get_xlim()[1] == pytest.approx(20e-6)


def test_raster_without_events():
    for duration_s in (2.0, None):
        png(event_raster(np.empty(0, EVENT), duration_s=duration_s), dpi=40)


def test_raster_hides_nothing(events):
    with pytest.raises(DataError, match=r"event 1 has x = 9: this sensor has x from 0 to 7"):
        event_raster(events, sensor_size=(8, 8))
    with pytest.raises(DataError, match=r"event 1 at 1500000 us lies after duration_s = 1.0: give"):
        event_raster(events, duration_s=1.0)


def test_cumulative_frames_equal_a_loop_over_events(rng):
    events = np.zeros(300, EVENT)
    events["x"], events["y"] = rng.integers(0, 5, 300), rng.integers(0, 3, 300)
    events["t"], events["p"] = np.sort(rng.integers(0, 1000, 300)), rng.integers(0, 2, 300)
    times = [0.0002, events["t"][200] * 1e-6, 0.001]
    counts = np.zeros((3, 3, 5))
    for x, y, t, _ in events:
        for index, seconds in enumerate(times):
            counts[index, y, x] += t <= round(seconds * 1e6)
    assert counts[1].sum() >= 201
    np.testing.assert_allclose(cumulative_frames(events, times, (5, 3, 2)), counts / counts.max())


def test_cumulative_frames_of_nothing(events):
    assert not cumulative_frames(np.empty(0, EVENT), [1.0, 2.0]).any()
    with pytest.raises(DataError, match="event 1 has x = 9: this sensor has x from 0 to 7"):
        cumulative_frames(events, [1.0], (8, 8))


@pytest.mark.parametrize("n_frames", [1, 4, 5, 6, 7, 8])
def test_evolution_shows_every_frame_on_one_scale(rng, n_frames):
    frames = rng.random((n_frames, 10, 12))
    figure = tactile_evolution(frames, np.arange(n_frames) / 4)
    shown = [axes.images[0] for axes in figure.axes if axes.images and axes.get_title(loc="left")]
    assert len(shown) == n_frames
    for image, frame in zip(shown, frames):
        np.testing.assert_array_equal(image.get_array(), frame)
        assert image.get_clim() == (0, frames.max())
    png(figure, dpi=40)


def test_evolution_transposed(rng):
    frames = rng.random((2, 3, 5))
    figure = tactile_evolution(frames, [0.5, 1.0], transpose=True, title="up to")
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), frames[0].T)
    assert figure.axes[1].get_title(loc="left") == "1.00 s"


def test_evolution_of_an_empty_recording():
    png(tactile_evolution(np.zeros((3, 4, 4)), [0, 1, 2]), dpi=40)


@pytest.mark.parametrize(
    ("frames", "times", "message"),
    [
        (np.zeros((2, 3)), [0, 1], r"frames have shape \(2, 3\)"),
        (np.zeros((2, 3, 3)), [0], r"times_s \(1,\)"),
        (np.zeros((0, 3, 3)), [], "at least one frame"),
        (-np.ones((1, 3, 3)), [0], "frames reach from -1.0 to -1.0"),
        (np.full((1, 3, 3), np.nan), [0], "frames reach from nan"),
    ],
)
def test_evolution_refuses(frames, times, message):
    with pytest.raises(DataError, match=message):
        tactile_evolution(frames, times)


def test_a_skin_has_its_taxels_where_they_lie():
    taxels = TaxelMap.of({7: (0.0, 0.0), 9: (3.0, 0.5), 12: (1.0, 2.5)})
    figure = skin_map(taxels, [0, 4, 2], title="pressed")
    (dots,) = figure.axes[0].collections
    np.testing.assert_allclose(dots.get_offsets(), [[0, 0], [3, 0.5], [1, 2.5]])
    np.testing.assert_allclose(dots.get_array(), [0, 4, 2])
    low, high = figure.axes[0].get_ylim()
    assert low > 2.5 > 0 > high  # y runs down
    assert figure.axes[0].get_title(loc="left") == "pressed"
    assert dots.get_clim() == (0, 4)
    png(figure, dpi=40)
    png(skin_map(TaxelMap.of({3: (1, 1)}), [0]), dpi=40)
    with pytest.raises(DataError, match=r"shape \(2,\), the map has 3 taxels"):
        skin_map(taxels, [1, 2])
    with pytest.raises(DataError, match="one finite number"):
        skin_map(taxels, [1, np.nan, 2])
