"""Pictures of how well it works: accuracy over time, confusion, ours beside the paper's."""

import math
import textwrap
from collections.abc import Mapping

import numpy as np

from nengo_tactile.analysis.accuracy import accuracy_interval, latency_step
from nengo_tactile.analysis.glyphs import width_of
from nengo_tactile.analysis.style import (
    BLUE,
    GRID,
    INK,
    PAPER_BAR,
    QUIET,
    accuracy_axis,
    finished,
    line_style,
    new_axes,
    new_figure,
    styled,
    told_apart,
    wrapped,
)
from nengo_tactile.errors import DataError


def _points(tolerance):
    """Write a tolerance in percentage points."""
    return f"{tolerance * 100:g} point{'' if tolerance == 0.01 else 's'}"


def _check_curves(curves, what, made):
    """Refuse what is not curves by name, or none."""
    if not isinstance(curves, Mapping):
        raise DataError(f"curves are a {type(curves).__name__}: give {{name: {made}}}")
    if not curves:
        raise DataError(f"no {what} was given: give {{name: {made}}}")


@styled
def accuracy_over_time(
    curves,
    ann_accuracy=None,
    n_samples=None,
    tolerance=0.01,
    dt=None,
    title=None,
    reference="ANN",
):
    """Draw accuracy against the number of steps after which one stops reading.

    Parameters
    ----------
    curves : dict of str to (n_steps,) array_like of float
        Accuracy after each step, one entry per engine or network.
    ann_accuracy : float or dict of str to float, optional
        Accuracy of the network it came from, drawn as a dashed line; of each curve's own samples,
        where they differ.
    n_samples : int or dict of str to int, optional
        That accuracies are of, all or each curve's: draws their 95 % intervals.
    tolerance : float
        Marks on each curve where it is settled, see :func:`latency_step`.
    dt : float, optional
        Length of a step in seconds, for the axis label.
    title : str, optional
    reference : str
        What that network is called.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        If there is no curve by name, or a curve is not an accuracy over time.
    """
    _check_curves(curves, "accuracy curve", "Recording.accuracy(labels)")
    axes = new_axes(3.4 + 0.25 * len(curves), grid="y")
    own = ann_accuracy if isinstance(ann_accuracy, dict) else {}
    accuracy_axis(axes, None if own else ann_accuracy, reference=reference)
    counts = n_samples if isinstance(n_samples, dict) else dict.fromkeys(curves, n_samples)
    ring = {"marker": "o", "markerfacecolor": "white", "markeredgewidth": 2}
    longest = 1
    for index, (name, accuracy) in enumerate(curves.items()):
        accuracy = np.asarray(accuracy, dtype=float)
        n = counts.get(name)
        settled = latency_step(accuracy, tolerance, n)
        look = line_style(index)
        after, among = np.arange(1, len(accuracy) + 1), f" of {n:,}" if n else ""
        label = f"{name} {accuracy[-1]:.1%}{among}, settled at step {settled}"
        axes.plot(after, accuracy, **look, label=label, marker="." if len(after) == 1 else None)
        if n:
            band = np.transpose([accuracy_interval(value, n) for value in accuracy])
            axes.fill_between(after, *band, color=look["color"], alpha=0.15, linewidth=0)
        if name in own:
            label = f"{reference} on the same {own[name]:.1%}"
            axes.axhline(own[name], color=look["color"], linestyle=":", linewidth=1.5, label=label)
        here = accuracy[settled - 1]
        axes.plot(settled, here, **ring, markersize=9, markeredgecolor=look["color"])
        longest = max(longest, len(accuracy))
    axes.plot(
        [],
        [],
        **ring,
        linestyle="none",
        markersize=8,
        markeredgecolor=QUIET,
        label=f"settled: within {_points(tolerance)} of the end from here"
        + (", or its 95 % interval" if n_samples else ""),
    )
    axes.set_xlim(0, longest * 1.02)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylim(0, 1.03)
    steps = "time steps" if dt is None else f"time steps of {dt * 1e3:g} ms"
    return finished(axes, steps, "accuracy", title)


@styled
def error_over_time(curves, ann_error, spread, dt=None, title=None, reference="ANN"):
    """Draw the error of values against the number of steps after which one stops reading.

    Parameters
    ----------
    curves : dict of str to (n_steps,) array_like of float
        Error after each step (:meth:`Recording.error`), one entry per engine or network.
    ann_error : float
        Error of the network it came from, drawn as a dashed line.
    spread : float
        Standard deviation of the values; a hundredth of it is what latencies allow.
    dt : float, optional
        Length of a step in seconds, for the axis label.
    title : str, optional
    reference : str
        What that network is called.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        If there is no curve.
    """
    _check_curves(curves, "error curve", "Recording.error(values)")
    axes = new_axes(3.4 + 0.25 * len(curves), grid="y")
    axes.axhline(
        ann_error, color=QUIET, linestyle="--", linewidth=1.5, label=f"{reference} {ann_error:.4g}"
    )
    for index, (name, error) in enumerate(curves.items()):
        error = np.asarray(error, dtype=float)
        settled = latency_step(1 - error / spread)
        look = line_style(index)
        label = f"{name} {error[-1]:.4g}, settled at step {settled}"
        axes.plot(np.arange(1, len(error) + 1), error, **look, label=label)
        ring = {"marker": "o", "markerfacecolor": "white", "markeredgewidth": 2, "markersize": 9}
        axes.plot(settled, error[settled - 1], **ring, markeredgecolor=look["color"])
    axes.set_ylim(0)
    axes.set_xlim(0)
    steps = "time steps" if dt is None else f"time steps of {dt * 1e3:g} ms"
    return finished(axes, steps, "error (RMS)", title)


@styled
def confusion(matrix, names=None, title=None):
    """Draw a confusion matrix; shades are shares of the true class.

    Shades follow the square root of the share, so that rare mistakes stay visible.

    Parameters
    ----------
    matrix : (n_classes, n_classes) int array
        From :func:`confusion_matrix`: rows true, columns read.
    names : sequence of str, optional
        Class names; by default the indices.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        With counts in the cells up to 12 classes.

    Raises
    ------
    DataError
        If the matrix is not square or the names do not fit.
    """
    from matplotlib.colors import PowerNorm

    matrix = np.asarray(matrix)
    n_classes = len(matrix)
    names = [str(i) for i in range(n_classes)] if names is None else [str(n) for n in names]
    if matrix.shape != (n_classes, n_classes) or n_classes == 0 or len(names) != n_classes:
        raise DataError(
            f"the confusion matrix has shape {matrix.shape} and {len(names)} class names: "
            "give a square matrix and one name per class"
        )
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    few = n_classes <= 12
    axes = _square(names, few, bool(title))
    picture = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
    _name_classes(axes, names, few)
    axes.set(xlabel="read as", ylabel="true class")
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(-0.5, n_classes), minor=True)
    axes.set_yticks(np.arange(-0.5, n_classes), minor=True)
    axes.grid(which="minor", color=GRID, linewidth=0.8 if few else 0.4)
    axes.tick_params(which="minor", length=0)
    if few:
        for (row, column), count in np.ndenumerate(matrix):
            if count:
                axes.text(
                    column,
                    row,
                    f"{count}",
                    ha="center",
                    va="center",
                    fontsize=_size_of_counts(matrix),
                    color="white" if shares[row, column] > 0.3 else INK,
                )
    else:
        bar = axes.figure.colorbar(
            picture, ax=axes, fraction=0.04, pad=0.02, ticks=[0, 0.1, 0.5, 1]
        )
        bar.ax.set_yticklabels(["0%", "10%", "50%", "100%"])
        bar.outline.set_visible(False)
        bar.ax.minorticks_off()
        bar.set_label("share of the true class", color=QUIET)
    if title:
        axes.set_title(wrapped(title, 40))
    return axes.figure


#: Of a confusion matrix, few classes and many: inches of a line of names, their size in points,
#: and the least and largest side of the matrix.
_CELLS = {True: (0.17, 11, 4.2, 4.2), False: (0.125, 8, 3.9, 7.0)}
#: Inches of a character, of the size in points.
_CHARACTER = 0.0088


def _square(names, few, titled):
    """Axes of a matrix of classes, the figure as large as it and the names at its sides take."""
    line, points, least, most = _CELLS[few]
    side = min(max(line * len(names), least), most)
    texts, turned = _class_texts(names, few)
    length = points * _CHARACTER * _widest(texts)
    below = length if turned else line * max(text.count("\n") + 1 for text in texts)
    axes = new_figure(side + below + 0.65 + 0.3 * titled, side + length + (0.7 if few else 2.1))
    return axes.add_subplot()


def _class_texts(names, few):
    """Names of classes as they stand at the sides, and whether they are turned below."""
    line, points, least, most = _CELLS[few]
    cell = min(max(line * len(names), least), most) / len(names)
    texts = told_apart(names, 18, max(1, min(3, int(cell / line))))
    return texts, points * _CHARACTER * _widest(texts) > 0.9 * cell


def _widest(texts):
    """Letters of the longest line."""
    return max(width_of(part) for text in texts for part in text.split("\n"))


def _name_classes(axes, names, few):
    """Write the classes at both sides; every second, third... where there is no room for all."""
    line, points, _, most = _CELLS[few]
    texts, turned = _class_texts(names, few)
    every = max(1, math.ceil(line * len(names) / most - 1e-9))
    places = range(0, len(names), every)
    axes.set_xticks(places, texts[::every], rotation=90 if turned else 0)
    axes.set_yticks(places, texts[::every])
    axes.tick_params(length=0, labelsize=points)


def _size_of_counts(matrix):
    """Points in which the longest count fits its cell."""
    cell = _CELLS[True][3] / len(matrix)
    return min(10.0, 0.85 * cell / (_CHARACTER * len(str(matrix.max()))))


def _span(value, sd):
    return f"{value:.3f}" if sd is None else f"{value:.3f} ± {sd:.3f}"


@styled
def beside_paper(rows, title=None, measure="accuracy"):
    """Draw our numbers beside the paper's as bars with standard deviations.

    Parameters
    ----------
    rows : list of dict
        ``name``, ``paper`` and ``ours_mean`` (None where there is no number), and
        optionally ``paper_sd`` and ``ours_sd``; other keys are ignored, so the rows of
        results.json can be given as they are.
    title : str, optional
    measure : str
        What the numbers are, for the axis label.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        If there is no row or one lacks its name or numbers.
    """
    if not rows:
        raise DataError("no rows were given: give the rows of results.json")
    for index, row in enumerate(rows):
        missing = [key for key in ("name", "paper", "ours_mean") if key not in row]
        if missing:
            raise DataError(
                f"row {index} has no {' and no '.join(map(repr, missing))}, only "
                f"{sorted(row)}: give None for a number that does not exist"
            )
    axes = new_axes(1.1 + 0.85 * len(rows))
    tallest = 0.0
    for place, row in enumerate(rows):
        for offset, value, sd, colour in (
            (-0.19, row["paper"], row.get("paper_sd"), PAPER_BAR),
            (0.19, row["ours_mean"], row.get("ours_sd"), BLUE),
        ):
            if value is None:
                text, end = ("no number in the paper" if offset < 0 else "not run"), 0.0
            else:
                text, end = _span(value, sd), value + (sd or 0)
                axes.barh(place + offset, value, height=0.36, color=colour)
                if sd:
                    axes.errorbar(
                        value, place + offset, xerr=sd, color=INK, capsize=3, linewidth=1.3
                    )
            tallest = max(tallest, end)
            axes.annotate(
                text,
                (end, place + offset),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                fontsize=11,
                color=INK if value is not None else QUIET,
            )
    axes.set_yticks(range(len(rows)), [textwrap.fill(row["name"], 16) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 1.5 * (tallest or 1))
    end_of_axis = max(tallest, 1.0)
    axes.set_xticks([tick for tick in axes.get_xticks() if 0 <= tick <= end_of_axis + 1e-9])
    axes.spines["bottom"].set_bounds(0, end_of_axis)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(measure)
    swatches = [
        axes.barh([0], [0], color=colour, label=label)
        for colour, label, key in ((PAPER_BAR, "paper", "paper"), (BLUE, "ours", "ours_mean"))
        if any(row[key] is not None for row in rows)
    ]
    axes.figure.legend(handles=swatches, loc="outside upper right", ncols=2)
    if title:
        axes.set_title(title)
    return axes.figure
