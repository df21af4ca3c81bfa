"""The picture of time to decision: its lines are what it was given."""

import numpy as np
import pytest

from nengo_tactile.analysis import plots, plots_decisions
from nengo_tactile.errors import DataError

ROWS = [
    {"percent": 50, "ms": 300.0, "low_ms": 200.0, "high_ms": 400.0},
    {"percent": 99, "ms": 900.0, "low_ms": 800.0, "high_ms": None},
]


def test_lines_and_steps():
    curve = np.linspace(0.1, 0.9, 20)
    times = np.array([100.0, 300.0, 900.0, 300.0])
    figure = plots_decisions.since_first_event(curve, 100.0, 50, curve[::-1], times, ROWS, "title")
    above, below = figure.axes
    since, window = above.lines
    np.testing.assert_allclose(since.get_ydata(), curve)
    np.testing.assert_allclose(since.get_xdata(), np.arange(1, 21) * 0.1)
    np.testing.assert_allclose(window.get_ydata(), curve[::-1])
    step = below.lines[0]
    np.testing.assert_allclose(step.get_xdata(), [0, 0.1, 0.3, 0.3, 0.9, 2.0])
    np.testing.assert_allclose(step.get_ydata(), [0, 0.25, 0.5, 0.75, 1, 1])
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert any("50 % decided after 0.30 s (95 %: 0.20 to 0.40)" in text for text in texts)
    assert any("(95 %: 0.80 to ?)" in text for text in texts)
    assert plots.png(figure)[:4] == b"\x89PNG"


def test_without_decisions_and_in_milliseconds():
    figure = plots_decisions.since_first_event([0.5, 0.6], 10.0, 8)
    (axes,) = figure.axes
    assert axes.get_xlabel() == "time since the first event (ms)"
    with pytest.raises(DataError, match="accuracy has shape"):
        plots_decisions.since_first_event([], 10.0, 8)
