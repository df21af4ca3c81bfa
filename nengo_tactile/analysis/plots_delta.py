"""Pictures of sigma-delta networks: potentials over time, accuracy by time, spikes, operations."""

import numpy as np

from nengo_tactile.analysis.style import (
    INK,
    PAPER_BAR,
    QUIET,
    accuracy_axis,
    compact,
    figure_title,
    finished,
    line_style,
    new_axes,
    new_figure,
    styled,
)
from nengo_tactile.errors import DataError


@styled
def potentials_over_time(times, outputs, label, span, title=None):
    """Draw the outputs' potentials, the true class in colour (sigma-delta paper, figure 2a).

    Parameters
    ----------
    times : (n_rows,) array_like of float
        When the potentials became so, in the paper's time units.
    outputs : (n_rows, n_classes) array_like of float
    label : int
        The true class.
    span : float
        End of the input.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        For arrays that do not fit each other.
    """
    times, outputs = np.asarray(times, float), np.asarray(outputs, float)
    if outputs.ndim != 2 or len(times) != len(outputs) or not len(times):
        raise DataError(
            f"outputs have shape {outputs.shape}, times {times.shape}: give (n_rows, n_classes) "
            "and (n_rows,)"
        )
    if not 0 <= label < outputs.shape[1]:
        raise DataError(f"label is {label}, there are {outputs.shape[1]} outputs")
    times, outputs = np.append(times, span), np.vstack([outputs, outputs[-1]])
    axes = new_axes(3.9, grid="y")
    for index, values in enumerate(outputs.T):
        true = index == label
        axes.step(
            times,
            values,
            where="post",
            color=line_style(0)["color"] if true else PAPER_BAR,
            linewidth=2 if true else 1,
            zorder=3 if true else 2,
            label=f"output {label}, the true class" if true else None,
        )
    if outputs.shape[1] > 1:
        axes.plot([], [], color=PAPER_BAR, linewidth=1, label="other outputs")
    axes.set_xlim(0, span)
    return finished(axes, "time (time units)", "membrane potential", title)


@styled
def input_spikes(times, pixels, image, title=None):
    """Draw the spikes of an image, and the image (sigma-delta paper, figures 2b and 2c).

    Parameters
    ----------
    times : (n_spikes,) array_like of float
    pixels : (n_spikes,) array_like of int
        Row by row.
    image : (height, width) array_like
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    image = np.asarray(image)
    if image.ndim != 2:
        raise DataError(f"image has shape {image.shape}: give (height, width)")
    figure = new_figure(3.1)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    left.scatter(times, pixels, s=6, color=INK, linewidths=0)
    left.set(xlabel="time (time units)", ylabel="pixel", ylim=(image.size, 0))
    left.set_xlim(left=0)
    right.imshow(image, cmap="gray_r", interpolation="nearest")
    right.set(xticks=[], yticks=[])
    for spine in right.spines.values():
        spine.set_visible(True)
    figure_title(figure, title)
    return figure


@styled
def accuracy_by(curves, xlabel, ann_accuracy, marks=None, least=0.9, title=None):
    """Draw accuracy over what it costs (sigma-delta paper, figures 3 and 4).

    Parameters
    ----------
    curves : dict of str to (x, accuracy)
        Arrays of the same length.
    xlabel : str
        What ``x`` is.
    ann_accuracy : float
        Drawn as a dashed line.
    marks : dict of str to float, optional
        Vertical lines: what the ANN costs.
    least : float
        Lower end of the accuracy axis; lower where a curve ends below.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        Without curves, and for arrays that do not fit each other.
    """
    if not curves:
        raise DataError("no curve was given: give {name: (cost, accuracy)}")
    marks = marks or {}
    axes = new_axes(3.3 + 0.25 * (len(curves) + len(marks)), grid="y")
    accuracy_axis(axes, ann_accuracy, digits=2)
    for index, (name, (x, accuracy)) in enumerate(curves.items()):
        x, accuracy = np.asarray(x, float), np.asarray(accuracy, float)
        if x.shape != accuracy.shape or x.ndim != 1 or not len(x):
            raise DataError(
                f"{name}: costs of shape {x.shape}, accuracies of {accuracy.shape}: give one for "
                "each"
            )
        axes.plot(x, accuracy, **line_style(index), label=f"{name}: {accuracy[-1]:.2%}")
        axes.plot(x[-1], accuracy[-1], "o", markersize=5, color=line_style(index)["color"])
    for index, (name, value) in enumerate(marks.items()):
        axes.axvline(value, color=QUIET, linewidth=1.2, linestyle=(":", "-.")[index % 2],
                     label=f"{name}: {compact(value)}")  # fmt: skip
    axes.set_xlim(left=0)
    if max(np.max(x) for x, _ in curves.values()) >= 1e4:
        axes.xaxis.set_major_formatter(lambda value, _: compact(value))
    lowest = min(accuracy[-1] for _, accuracy in curves.values())
    axes.set_ylim(min(least, 0.95 * lowest), 1)
    return finished(axes, xlabel, "accuracy", title)
