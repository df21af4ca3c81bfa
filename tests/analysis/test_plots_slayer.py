"""Pictures of networks trained on spikes: what they draw, and what they refuse."""

import numpy as np
import pytest

from nengo_tactile.analysis import plots_slayer, style
from nengo_tactile.errors import DataError


def curve(mean, sd=None, latency=1):
    return {"mean": mean, "sd": sd, "latency": latency}


def band(collection):
    """Lower and upper edge of a band, {x: (low, high)}."""
    corners = collection.get_paths()[0].vertices
    return {x: (min(y), max(y)) for x in corners[:, 0] for y in [corners[corners[:, 0] == x, 1]]}


def lines(axes):
    return [line for line in axes.get_lines() if len(line.get_xdata())]


def test_accuracy_over_time():
    curves = {
        "spike-rate": curve([0.1, 0.5, 0.9], [0.2, 0.1, 0.0], 3),
        "spikemax": curve([0.5, 0.92, 0.92], latency=2),
    }
    figure = plots_slayer.accuracy_over_time(curves, 5.0, "title")
    (axes,) = figure.axes
    rate, ring, fast, fast_ring = lines(axes)
    np.testing.assert_allclose(rate.get_xydata(), [[5, 0.1], [10, 0.5], [15, 0.9]])
    np.testing.assert_allclose(ring.get_xydata(), [[15, 0.9]])
    np.testing.assert_allclose(fast_ring.get_xydata(), [[10, 0.92]])
    assert rate.get_color() != fast.get_color()
    edges = band(axes.collections[0])
    assert edges[5] == pytest.approx((0, 0.3)) and edges[10] == pytest.approx((0.4, 0.6))
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts[:2] == [
        "spike-rate: 90.0%, reached after 15 ms",
        "spikemax: 92.0%, reached after 10 ms",
    ]
    assert axes.get_xlabel() == "inference time (ms)"
    assert style.png(figure).startswith(b"\x89PNG")


def test_long_times_are_in_seconds():
    figure = plots_slayer.accuracy_over_time({"new": curve([0.1, 0.2])}, 1000.0)
    (axes,) = figure.axes
    assert axes.get_xlabel() == "inference time (s)"
    np.testing.assert_allclose(lines(axes)[0].get_xdata(), [1, 2])


def test_a_loss_has_one_colour_everywhere():
    alone = plots_slayer.accuracy_over_time({"spikemax_s": curve([0.5])}, 1.0)
    spikes = plots_slayer.spikes_by_layer({"spikemax_s": {"a": (2.0, None)}})
    colour = lines(alone.axes[0])[0].get_color()
    np.testing.assert_allclose(
        spikes.axes[0].patches[0].get_facecolor()[:3],
        [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)],
    )


def test_spikes_by_layer():
    spikes = {
        "spike-rate": {"conv": (300.0, 30.0), "output": (20.0, None)},
        "spikemax_s": {"conv": (100.0, 10.0), "output": (10.0, 0.0)},
    }
    figure = plots_slayer.spikes_by_layer(spikes)
    (axes,) = figure.axes
    assert axes.get_xscale() == "linear"
    np.testing.assert_allclose([bar.get_width() for bar in axes.patches], [300, 20, 100, 10])
    np.testing.assert_allclose([w.get_xdata() for w in lines(axes)], [[270, 330], [90, 110]])
    assert [text.get_text() for text in axes.texts] == ["300", "20", "100", "10"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["conv", "output"]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["spike-rate", "spikemax_s"]
    assert axes.get_xlim()[1] > 330
    assert style.png(figure).startswith(b"\x89PNG")


def test_spikes_that_differ_much_have_a_logarithmic_axis():
    spikes = {"a": {"conv": (50_000.0, 70_000.0), "silent": (0.0, 0.0), "output": (3.0, 1.0)}}
    figure = plots_slayer.spikes_by_layer(spikes)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log" and "logarithmic" in axes.get_xlabel()
    left = axes.get_xlim()[0]
    assert 0 < left < 3
    ends = [bar.get_x() + bar.get_width() for bar in axes.patches]
    np.testing.assert_allclose(ends, [50_000, left, 3])
    assert axes.texts[1].get_text() == "0"
    whiskers = [w.get_xdata() for w in lines(axes)]
    np.testing.assert_allclose(whiskers, [[left, 120_000], [2, 4]])
    assert style.png(figure).startswith(b"\x89PNG")


def test_silent_networks_are_drawn():
    figure = plots_slayer.spikes_by_layer({"a": {"output": (0.0, None)}})
    assert style.png(figure).startswith(b"\x89PNG")


def test_training_curves():
    curves = {
        "spikemax": {"accuracy": curve([0.5, 0.9]), "loss": curve([2.0, 0.5], [0.2, 0.1])},
        "new": {"accuracy": curve([0.25]), "loss": curve([0.0])},
    }
    figure = plots_slayer.training_curves(curves, "title")
    above, below = figure.axes
    np.testing.assert_allclose(lines(above)[0].get_xydata(), [[1, 0.5], [2, 0.9]])
    assert lines(above)[1].get_marker() == "o"  # a point, of which there is no line
    (fall,) = lines(below)
    np.testing.assert_allclose(fall.get_ydata(), [1, 0.25])
    assert band(below.collections[0])[2] == pytest.approx((0.2, 0.3))
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["spikemax", "new"]
    assert style.png(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots_slayer.accuracy_over_time({}, 1.0), "no accuracy curve"),
        (lambda: plots_slayer.accuracy_over_time({"a": curve([])}, 1.0), r"a: means of shape \(0,"),
        (lambda: plots_slayer.accuracy_over_time({"a": curve([1], [1, 2])}, 1.0), r"SDs of \(2,\)"),
        (lambda: plots_slayer.accuracy_over_time({"a": curve([1], latency=2)}, 1.0), "step 2 of 1"),
        (lambda: plots_slayer.spikes_by_layer({}), "of the 0 losses"),
        (lambda: plots_slayer.spikes_by_layer({"a": {"x": (1, 0)}, "b": {}}), "give the same"),
        (lambda: plots_slayer.spikes_by_layer({"a": {"x": (-1, 0)}}), "a: -1 spikes in x"),
        (lambda: plots_slayer.training_curves({}), "no training was given"),
        (
            lambda: plots_slayer.training_curves({"a": {"accuracy": curve([[1]]), "loss": None}}),
            r"a, accuracy: means of shape \(1, 1\)",
        ),
    ],
)
def test_what_cannot_be_drawn(draw, message):
    with pytest.raises(DataError, match=message):
        draw()
