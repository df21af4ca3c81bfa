"""What one cannot read in a figure: texts that overlap or are cut off, and lines out of sight."""

import itertools
from unittest import mock

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

#: Pixels by which the boxes of two texts may touch, at 100 dots per inch.
_TOUCH = 1.5


def unreadable(figure):
    """Pairs of texts that overlap, and texts beyond the figure, as sentences."""
    figure.set_dpi(100)
    canvas, drawn, draw = FigureCanvasAgg(figure), [], Text.draw
    with mock.patch.object(Text, "draw", lambda text, to: (drawn.append(text), draw(text, to))):
        canvas.draw()
    boxes = [
        (text.get_text(), text.get_window_extent(canvas.get_renderer()))
        for text in drawn
        if text.get_visible() and text.get_text().strip()
    ]
    found = [
        f"{text!r} reaches beyond the figure"
        for text, box in boxes
        if box.x0 < -_TOUCH
        or box.y0 < -_TOUCH
        or box.x1 > figure.bbox.x1 + _TOUCH
        or box.y1 > figure.bbox.y1 + _TOUCH
    ]
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        if wide > _TOUCH and high > _TOUCH:
            found.append(f"{one!r} and {other!r} overlap")
    return found


def out_of_sight(axes):
    """Labels of lines whose last point lies outside the axes."""
    (left, right), (low, high) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
    found = []
    for line in axes.get_lines():
        x, y = (np.asarray(values, float) for values in line.get_data())
        if len(x) < 2 or line.get_transform() != axes.transData:
            continue
        if not (left <= x[-1] <= right and low <= y[-1] <= high):
            found.append(line.get_label())
    return found
