import dataclasses

import numpy as np
import pytest

from nengo_tactile.analysis import layer_activity
from nengo_tactile.analysis.plots import firing_rates, png, spike_raster, spikes_and_synops
from nengo_tactile.errors import DataError


def test_rates_show_percentile_median_and_silence(recording):
    figure = firing_rates(recording, title="rates")
    axes = figure.axes[0]
    activities = layer_activity(recording)
    (diamonds,) = [line for line in axes.lines if line.get_marker() == "D"]
    np.testing.assert_allclose(diamonds.get_xdata(), [a.percentile_hz for a in activities])
    firing = recording.firing_rates()["conv"]
    median = np.median(firing[firing > 0])
    assert any(
        len(line.get_xdata()) == 2 and np.allclose(line.get_xdata(), median) for line in axes.lines
    )
    png(figure)
    (side,) = axes.child_axes
    texts = [label.get_text() for label in side.get_yticklabels()]
    assert texts == [f"{a.silent_share:.0%} silent" for a in activities]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["conv", "dense"]


@pytest.mark.parametrize("max_rate_hz", [None, 100.0, {"conv": 500, "dense": 250}])
def test_saturation_line_only_where_there_is_one_rate(recording, max_rate_hz):
    legend = firing_rates(recording, max_rate_hz).legends[0]
    texts = [text.get_text() for text in legend.texts]
    assert texts[0] == "99.9th percentile"
    assert any("saturation" in text for text in texts) == (not isinstance(max_rate_hz, dict))


def test_rates_of_a_silent_network(recording):
    silent = dataclasses.replace(
        recording, spike_counts={k: v * 0 for k, v in recording.spike_counts.items()}
    )
    png(firing_rates(silent), dpi=40)


@pytest.mark.parametrize("step", [None, 6])
def test_bars_are_as_long_as_the_counts(recording, step):
    figure = spikes_and_synops(recording, step, title="cost")
    activities = layer_activity(recording, step=step)
    spikes, synops = figure.axes
    np.testing.assert_allclose(
        [b.get_width() for b in spikes.patches], [a.spikes for a in activities]
    )
    np.testing.assert_allclose(
        [b.get_width() for b in synops.patches], [a.synops for a in activities]
    )
    png(figure, dpi=40)


def test_a_raster_has_a_tick_for_each_spike(recording, spikes):
    kept = dataclasses.replace(recording, rasters={k: v[:3] for k, v in spikes.items()})
    axes = spike_raster(kept, 2).axes[0]
    for place, (fired, ticks) in enumerate(zip(spikes.values(), axes.collections)):
        n = fired.shape[2]
        segments = np.array(ticks.get_segments())
        steps = segments[:, 0, 0].astype(int) - 1
        rows = ((segments[:, :, 1].mean(axis=1) - place + 0.45) * n / 0.9).astype(int)
        again = np.zeros_like(fired[2])
        again[steps, rows] = 1
        np.testing.assert_array_equal(again, fired[2])
    with pytest.raises(DataError, match=r"all spikes of 3 samples, not .*: .* rasters=4"):
        spike_raster(kept, 3)


def test_of_a_large_layer_some_neurons_are_shown(recording, rng):
    fired = np.zeros((1, 20, 400), int)
    fired[:, :, 1::2] = 1  # every other channel
    axes = spike_raster(dataclasses.replace(recording, rasters={"conv": fired})).axes[0]
    assert 0.3 < len(axes.collections[0].get_segments()) / (20 * 60) < 0.7
    (side,) = axes.child_axes
    assert [label.get_text() for label in side.get_yticklabels()] == ["60 of\n400 neurons"]
