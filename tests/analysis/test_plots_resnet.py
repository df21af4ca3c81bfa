"""Pictures of deep networks: what is drawn are the numbers that were given."""

import numpy as np
import pytest

from nengo_tactile.analysis import plots_resnet
from nengo_tactile.analysis.style import png
from nengo_tactile.errors import DataError


def lines(figure):
    """{label: (x, y)} of a figure's lines."""
    (axes,) = figure.axes
    return {line.get_label(): line.get_data() for line in axes.lines}


def test_rates_by_layer():
    figure = plots_resnet.rates_by_layer({"ResNet-20": [1.0, 0.5, 0.25], "plain-20": [1.0, 0.1]})
    drawn = lines(figure)
    np.testing.assert_array_equal(drawn["ResNet-20"], [[1, 2, 3], [1, 0.5, 0.25]])
    np.testing.assert_array_equal(drawn["plain-20"][1], [1, 0.1])
    assert png(figure).startswith(b"\x89PNG")


def test_loss_by_depth():
    figure = plots_resnet.loss_by_depth({"plain, paper": {32: 6.11, 20: 1.97}, "plain": {20: 1.0}})
    drawn = lines(figure)
    np.testing.assert_array_equal(drawn["plain, paper"], [[20, 32], [1.97, 6.11]])
    paper, ours = (line for line in figure.axes[0].lines if "plain" in line.get_label())
    assert paper.get_linestyle() == "--"
    assert ours.get_linestyle() == "-"
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["20", "32"]
    assert png(figure).startswith(b"\x89PNG")


def test_accuracy_over_steps():
    curve = np.linspace(0.1, 0.9, 20)
    figure = plots_resnet.accuracy_over_steps({"beta": curve, "short": [0.5]}, 0.92)
    drawn = lines(figure)
    np.testing.assert_array_equal(drawn["beta: 90.00%"][1], curve)
    assert set(drawn["ANN 92.00%"][1]) == {0.92}
    (axes,) = figure.axes
    assert axes.get_ylim()[0] < 0.5  # where the short one ends
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1", "2", "4", "8", "16"]
    (axes,) = plots_resnet.accuracy_over_steps({"beta": curve}, 0.92).axes
    assert axes.get_ylim()[0] == pytest.approx(0.77)
    assert [t.get_text() for t in axes.get_xticklabels()] == ["16"]  # 0.77 is passed at step 17
    assert png(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: plots_resnet.rates_by_layer({}), "no firing rates"),
        (lambda: plots_resnet.rates_by_layer({"a": [1.2]}), "a: rates"),
        (lambda: plots_resnet.rates_by_layer({"a": []}), r"\(0,\)"),
        (lambda: plots_resnet.loss_by_depth({"a": {}}), "no losses"),
        (lambda: plots_resnet.accuracy_over_steps({}, 0.9), "no accuracy curve"),
        (lambda: plots_resnet.accuracy_over_steps({"b": [np.nan]}, 0.9), "b: accuracy"),
    ],
)
def test_bad_input(draw, words):
    with pytest.raises(DataError, match=words):
        draw()
