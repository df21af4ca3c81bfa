"""Pictures of what a network's layers lose, and why."""

from typing import TYPE_CHECKING

import numpy as np

from nengo_tactile.analysis.plots_activity import layer_axis, layer_height
from nengo_tactile.analysis.style import (
    BLUE,
    GREEN,
    INK,
    QUIET,
    VERMILION,
    figure_title,
    finished,
    new_figure,
    styled,
)
from nengo_tactile.conversion.diagnosis import PARTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nengo_tactile.conversion.diagnosis import Diagnosis


@styled
def layer_errors(diagnosis: "Diagnosis", title: str | None = None) -> "Figure":
    """Draw the errors of all layers by their causes, and what each layer exact would win.

    Parameters
    ----------
    diagnosis : Diagnosis
        Of `nengo_tactile.diagnose`.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    layers = diagnosis.layers
    names = [layer.name for layer in layers]
    figure = new_figure(1.9 + layer_height(names, 0.3) * len(names) + (0.4 if title else 0))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(2, 1))
    places = np.arange(len(layers))
    for part, colour, marker in zip(PARTS, (QUIET, VERMILION, BLUE, GREEN), "osD^"):
        values = [100 * getattr(layer, part) for layer in layers]
        left.plot(values, places, marker, color=colour, markersize=6, label=part)
    left.barh(places, [100 * layer.error for layer in layers], 0.15, color=INK, label="error")
    left.set_xlim(left=0)
    gains = [100 * (layer.exact - diagnosis.spiking) for layer in layers]
    right.barh(places, gains, 0.5, color=BLUE)
    right.axvline(0, color=INK, linewidth=1)
    right.set_xlabel(f"points of\n{diagnosis.measure}\nwon if exact")
    for axes in (left, right):
        axes.grid(axis="x")
    layer_axis(left, names)
    right.spines["left"].set_visible(False)
    right.tick_params(axis="y", length=0)
    figure_title(figure, title)
    return finished(left, "root mean square,\n% of the activation's", key_columns=3)
