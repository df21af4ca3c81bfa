"""Pictures of sigma-delta networks: what they draw, and what they refuse."""

import numpy as np
import pytest

from nengo_tactile.analysis import plots_delta, style
from nengo_tactile.errors import DataError


def test_potentials_are_steps_to_the_end_of_the_input(rng):
    times, outputs = np.array([0.0, 0.2, 0.5]), rng.normal(size=(3, 4))
    figure = plots_delta.potentials_over_time(times, outputs, 2, 0.8)
    (axes,) = figure.axes
    lines = [line for line in axes.get_lines() if len(line.get_xdata())]
    assert len(lines) == 4
    for line, values in zip(lines, outputs.T):
        np.testing.assert_array_equal(line.get_xdata(), [0.0, 0.2, 0.5, 0.8])
        np.testing.assert_array_equal(line.get_ydata(), [*values, values[-1]])
        assert line.get_drawstyle() == "steps-post"
    assert [line.get_color() == style.BLUE for line in lines] == [False, False, True, False]
    assert style.png(figure).startswith(b"\x89PNG")


def test_spikes_beside_their_image():
    image = np.arange(12.0).reshape(3, 4)
    figure = plots_delta.input_spikes([0.1, 0.3], [5, 7], image, "seven")
    left, right = figure.axes
    np.testing.assert_array_equal(left.collections[0].get_offsets(), [[0.1, 5], [0.3, 7]])
    np.testing.assert_array_equal(right.images[0].get_array(), image)


def test_accuracy_by_cost():
    curves = {"one": ([1e4, 2e4], [0.5, 0.98]), "two": ([1e4, 3e4], [0.9, 0.99])}
    figure = plots_delta.accuracy_by(curves, "operations", 0.992, {"ANN": 911e3})
    (axes,) = figure.axes
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["ANN 99.20%", "one: 98.00%", "two: 99.00%", "ANN: 911k"]
    assert axes.get_ylim() == (0.9, 1)
    np.testing.assert_array_equal(axes.get_lines()[1].get_xdata(), [1e4, 2e4])


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots_delta.potentials_over_time([0], np.zeros((2, 3)), 0, 1), "outputs have sha"),
        (lambda: plots_delta.potentials_over_time([0], np.zeros((1, 3)), 3, 1), "label is 3"),
        (lambda: plots_delta.input_spikes([0], [0], np.zeros(4)), "image has shape"),
        (lambda: plots_delta.accuracy_by({}, "x", 0.9), "no curve was given"),
        (lambda: plots_delta.accuracy_by({"a": ([1], [1, 2])}, "x", 0.9), "a: costs of shape"),
    ],
)
def test_what_cannot_be_drawn(draw, message):
    with pytest.raises(DataError, match=message):
        draw()
