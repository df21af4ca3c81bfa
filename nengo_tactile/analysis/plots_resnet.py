"""Pictures of deep networks: firing rates by layer, what conversion loses, how fast it settles."""

import math

import numpy as np

from nengo_tactile.analysis.style import (
    PALETTE,
    PAPER_BAR,
    QUIET,
    accuracy_axis,
    finished,
    line_style,
    new_axes,
    styled,
)
from nengo_tactile.errors import DataError


def _from_0_to_1(name, values, what, wanted):
    values = np.asarray(values, float)
    if values.ndim != 1 or not values.size or not ((values >= 0) & (values <= 1)).all():
        raise DataError(f"{name}: {what} of shape {values.shape}, wanted {wanted}")
    return values


@styled
def rates_by_layer(rates, measure="maximum firing rate", title=None):
    """Draw a firing rate of each layer over depth (Spiking ResNet paper, figure 3).

    Parameters
    ----------
    rates : dict of str to (n_layers,) array_like of float
        In spikes a step, for each network from the first layer to the last.
    measure : str
        What the numbers are, for the axis label.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        Without networks, and for rates outside 0 to 1.
    """
    if not rates:
        raise DataError("no firing rates were given: give {network: rate of each layer}")
    axes = new_axes(3.2 + 0.25 * len(rates), grid="y")
    for index, (name, values) in enumerate(rates.items()):
        wanted = "(n_layers,) from 0 to 1 spikes a step"
        values = _from_0_to_1(name, values, "rates", wanted)
        layers = np.arange(1, len(values) + 1)
        axes.plot(layers, values, **line_style(index), marker="o", markersize=4, label=name)
    axes.set_ylim(0, 1.05)
    axes.set_xlim(left=0)
    axes.xaxis.get_major_locator().set_params(integer=True)
    return finished(axes, "layer of neurons", f"{measure}\n(spikes a step)", title)


@styled
def loss_by_depth(lines, title=None):
    """Draw the accuracy that conversion loses over depth (Spiking ResNet paper, figure 4).

    Parameters
    ----------
    lines : dict of str to dict of int to float
        Depth -> percentage points lost. Names that end in "paper" are drawn dashed and grey.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        Without lines, and for a line without points.
    """
    if not lines or not all(lines.values()):
        raise DataError("no losses were given: give {line: {depth: points lost}}, none empty")
    axes = new_axes(3.2 + 0.25 * len(lines), grid="y")
    axes.axhline(0, color=QUIET, linewidth=0.8)
    colours = iter(PALETTE * len(lines))
    markers = iter("sD^v" * len(lines))
    for name, points in lines.items():
        paper = name.endswith("paper")
        depths = sorted(points)
        axes.plot(
            depths,
            [points[depth] for depth in depths],
            color=PAPER_BAR if paper else next(colours),
            linestyle="--" if paper else "-",
            marker=next(markers) if paper else "o",
            label=name,
        )
    depths = sorted({depth for points in lines.values() for depth in points})
    axes.set_xticks(depths, [str(depth) for depth in depths])
    axes.yaxis.get_major_locator().set_params(integer=True)
    return finished(axes, "layers with weights", "points lost", title)


@styled
def accuracy_over_steps(curves, ann_accuracy, least=None, title=None):
    """Draw accuracy over time steps, on a logarithmic axis from where a curve comes into sight.

    Parameters
    ----------
    curves : dict of str to (n_steps,) array_like of float
        Accuracy after each step; curves may differ in length. The last one is in the legend.
    ann_accuracy : float
        Drawn as a dashed line.
    least : float, optional
        Lower end of the axis; by default 0.15 below the ANN, lower where a curve ends below.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        Without curves, and for a curve that is no accuracy over time.
    """
    if not curves:
        raise DataError("no accuracy curve was given: give {name: accuracy after each step}")
    axes = new_axes(3.2 + 0.25 * len(curves), grid="y")
    accuracy_axis(axes, ann_accuracy, digits=2)
    least = max(0.0, ann_accuracy - 0.15) if least is None else least
    least = min(least, 0.95 * min(values[-1] for values in curves.values()))
    longest = max(len(values) for values in curves.values())
    first = longest
    for index, (name, values) in enumerate(curves.items()):
        values = _from_0_to_1(name, values, "accuracy", "(n_steps,) from 0 to 1")
        axes.plot(
            np.arange(1, len(values) + 1),
            values,
            **line_style(index),
            label=f"{name}: {values[-1]:.2%}",
            marker="." if len(values) == 1 else None,
        )
        visible = np.flatnonzero(values > least)
        first = min(first, visible[0] + 1) if len(visible) else first
    ticks = [2**k for k in range(int(np.log2(first)), int(np.log2(longest)) + 1)]
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xlim(0.95 * ticks[0], 1.05 * longest)
    axes.minorticks_off()
    highest = max(ann_accuracy, *(max(values) for values in curves.values()))
    axes.set_ylim(least, min(1.0, highest + 0.01) + 1e-3)
    return finished(axes, "time steps", "accuracy", title)


@styled
def accuracy_over_packets(lines, ann_accuracy, dashed=(), least=None, title=None, words="accuracy"):
    """Draw accuracy over the packets of a sample, on a logarithmic axis.

    Points have their time steps beside them, but for those that would lie on another number.

    Parameters
    ----------
    lines : dict of str to list of (float, float, int)
        Packets, accuracy and time steps of each point.
    ann_accuracy : float
        Drawn as a dashed line.
    dashed : collection of str
        Lines that are drawn dashed.
    least : float, optional
        Lower end of the axis; by default 0.15 below the ANN.
    title : str, optional
    words : str
        What is measured, for the axis.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        Without lines, and for a line without points.
    """
    if not lines or not all(lines.values()):
        raise DataError("no points were given: give {line: [(packets, accuracy, steps)]}")
    axes = new_axes(3.6 + 0.2 * len(lines), grid="y")
    accuracy_axis(axes, ann_accuracy, digits=2)
    least = max(0.0, ann_accuracy - 0.15) if least is None else least
    top, taken = min(1.0, ann_accuracy + 0.01) + 1e-3, []
    every = [point for found in lines.values() for point in found if point[0] > 0] or [(1, 1, 1)]
    seen = [point[0] for point in every if point[1] >= least] or [point[0] for point in every]
    fewest, most = min(seen), max(seen)
    for index, (name, found) in enumerate(lines.items()):
        packets, accuracies, steps = zip(*sorted(found))
        style = {**line_style(index), "linestyle": "--" if name in dashed else "-"}
        axes.plot(packets, accuracies, **style, marker="o", markersize=4, label=name)
        for place, accuracy, n_steps in zip(packets, accuracies, steps):
            if accuracy < least or place <= 0:
                continue
            # as shares of the axes
            x = math.log(place / fewest) / max(math.log(most / fewest), 1e-9)
            y = (accuracy - least) / (top - least)
            free = all(abs(x - a) > 0.05 or abs(y - b) > 0.045 for a, b in taken)
            if free:
                taken.append((x, y))
                axes.annotate(
                    str(n_steps), (place, accuracy), (3, -10), textcoords="offset points",
                    fontsize=8, color=style["color"],
                )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(fewest / 1.15, most * 1.25)
    axes.set_ylim(least, top)
    return finished(axes, "packets of a sample", words, title, key_columns=2)
