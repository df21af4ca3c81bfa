"""Pictures of networks trained on spikes: accuracy over time, spikes by layer, training."""

import numpy as np

from nengo_tactile.analysis.style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PALETTE,
    PURPLE,
    QUIET,
    VERMILION,
    accuracy_axis,
    compact,
    figure_title,
    finished,
    new_axes,
    new_figure,
    styled,
)
from nengo_tactile.errors import DataError

#: Loss -> its colour in all pictures.
_COLOURS = {
    "spike-rate": VERMILION,
    "spikemax": BLUE,
    "spikemax_g": PURPLE,
    "spikemax_s": GREEN,
    "spike-count": ORANGE,
}
#: Largest over smallest number of spikes from which on their axis is logarithmic.
_WIDE = 40
#: Milliseconds from which on time is given in seconds.
_LONG = 1000
_RING = {"marker": "o", "markerfacecolor": "white", "markeredgewidth": 2, "zorder": 4}


def _colour(name, index):
    return _COLOURS.get(name, PALETTE[index % len(PALETTE)])


def _line_with_sd(name, curve):
    """Mean and SD (zeros without one) as arrays of one shape."""
    mean = np.asarray(curve["mean"], float)
    sd = np.zeros_like(mean) if curve["sd"] is None else np.asarray(curve["sd"], float)
    if mean.ndim != 1 or not mean.size or sd.shape != mean.shape:
        raise DataError(
            f"{name}: means of shape {mean.shape}, SDs of {sd.shape}: give one of each for every "
            "point, or None for the SD"
        )
    return mean, sd


@styled
def accuracy_over_time(curves, step_ms, title=None):
    """Draw accuracy over inference time, a line for each loss (Spikemax paper, Figures 2, 4, 6).

    Parameters
    ----------
    curves : dict of str to dict
        Loss -> ``mean`` (n_steps,) accuracy after each step, ``sd`` the same or None, drawn as
        a band, and ``latency``, a step counted from 1, marked on the line and below it.
    step_ms : float
        Length of a step in milliseconds.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        Without curves, for arrays that do not fit each other, and for a latency outside of them.
    """
    if not curves:
        raise DataError("no accuracy curve was given: give {loss: mean, sd and latency}")
    axes = new_axes(3.5 + 0.25 * len(curves), grid="y")
    accuracy_axis(axes)
    longest = max(len(curve["mean"]) for curve in curves.values()) * step_ms
    unit, scale = ("s", 1e-3) if longest >= _LONG else ("ms", 1.0)
    for index, (name, curve) in enumerate(curves.items()):
        mean, sd = _line_with_sd(name, curve)
        latency, colour = curve["latency"], _colour(name, index)
        if not 1 <= latency <= len(mean):
            raise DataError(f"{name}: latency is step {latency} of {len(mean)}: give one of them")
        time = np.arange(1, len(mean) + 1) * step_ms * scale
        axes.fill_between(
            time,
            np.clip(mean - sd, 0, 1),
            np.clip(mean + sd, 0, 1),
            color=colour,
            alpha=0.18,
            linewidth=0,
        )
        reached = f"{latency * step_ms:,.0f} ms"
        axes.plot(time, mean, color=colour, linewidth=1.8,
                  label=f"{name}: {mean[-1]:.1%}, reached after {reached}")  # fmt: skip
        here = time[latency - 1]
        axes.vlines(here, 0, mean[latency - 1], color=colour, linewidth=1, linestyle=":")
        axes.plot(here, mean[latency - 1], **_RING, markersize=8, markeredgecolor=colour)
    axes.plot([], [], **_RING, linestyle="none", markersize=7, markeredgecolor=QUIET,
              label="reached: within one point of the end for the first time")  # fmt: skip
    axes.set_xlim(0, 1.02 * longest * scale)
    axes.set_ylim(0, 1.03)
    return finished(axes, f"inference time ({unit})", "accuracy", title)


@styled
def spikes_by_layer(spikes, title=None):
    """Draw mean spikes of a sample by layer and loss (Spikemax paper, Figures 3, 5 and 7).

    The axis is logarithmic where numbers differ by more than a factor of 40.

    Parameters
    ----------
    spikes : dict of str to dict of str to (float, float or None)
        {loss: {layer: mean and SD over trials}}; all losses have the same layers.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        Without spikes, for losses whose layers differ, and for numbers below zero.
    """
    layers = [list(found) for found in spikes.values()]
    if not layers or not layers[0] or any(each != layers[0] for each in layers):
        raise DataError(
            f"the layers of the {len(layers)} losses are {layers}: give the same for each, {{loss: "
            "{layer: (mean, SD)}}"
        )
    for name, found in spikes.items():
        for layer, (mean, _) in found.items():
            if not mean >= 0:
                raise DataError(f"{name}: {mean} spikes in {layer}: give zero or more")
    n_losses, height = len(spikes), 0.84 / len(spikes)
    axes = new_axes(1.3 + 0.25 * ((n_losses + 1) // 2) + (0.2 * n_losses + 0.15) * len(layers[0]))
    means = [mean for found in spikes.values() for mean, _ in found.values() if mean]
    wide = bool(means) and max(means) > _WIDE * min(means)
    start = 10 ** np.floor(np.log10(min(means) / 2)) if wide else 0.0
    for index, (name, found) in enumerate(spikes.items()):
        for group, (mean, sd) in enumerate(found.values()):
            place = group + (index - (n_losses - 1) / 2) * height
            _bar(axes, place, 0.9 * height, mean, sd, start, _colour(name, index),
                 None if group else name)  # fmt: skip
    top = max([mean + (sd or 0) for found in spikes.values() for mean, sd in found.values()]) or 1
    if wide:
        axes.set_xscale("log")
        axes.set_xlim(start, start * (top / start) ** 1.17)
    else:
        axes.set_xlim(0, 1.17 * top)
    axes.xaxis.set_major_formatter(lambda value, _: compact(value))
    axes.set_yticks(range(len(layers[0])), layers[0])
    axes.set_ylim(len(layers[0]) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", which="minor", bottom=False)
    scale = ", logarithmic" if wide else ""
    return finished(axes, f"spikes of a sample{scale}", title=title, key_columns=2)


def _bar(axes, place, height, mean, sd, start, colour, label):
    """A bar from ``start`` with its number behind it, and a whisker for its SD."""
    axes.barh(place, max(mean - start, 0), left=start, height=height, color=colour, label=label)
    if sd and mean:
        least = max(mean - sd, start or 0)
        axes.plot([least, mean + sd], [place, place], color=INK, linewidth=1.2, marker="|",
                  markersize=4)  # fmt: skip
    axes.annotate(
        compact(mean),
        (max(mean + (sd or 0), start), place),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
    )


@styled
def training_curves(curves, title=None):
    """Draw accuracy and loss over the epochs of training, a line for each loss.

    Losses are divided by that of the first epoch, for they have no unit in common.

    Parameters
    ----------
    curves : dict of str to dict
        Loss -> ``accuracy`` and ``loss``, each with ``mean`` (n_epochs,) and ``sd``, the same
        or None, drawn as a band. A loss that starts at zero has no line.
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
        raise DataError("no training was given: give {loss: accuracy and loss over epochs}")
    figure = new_figure(4.6 + 0.25 * ((len(curves) + 1) // 2))
    above, below = figure.subplots(2, 1, sharex=True)
    for index, (name, curve) in enumerate(curves.items()):
        for axes, key in ((above, "accuracy"), (below, "loss")):
            mean, sd = _line_with_sd(f"{name}, {key}", curve[key])
            unit = mean[0] if key == "loss" else 1.0
            if not unit:
                continue
            epochs, colour = np.arange(1, len(mean) + 1), _colour(name, index)
            low, high = (mean - sd) / unit, (mean + sd) / unit
            if key == "accuracy":
                low, high = np.clip(low, 0, 1), np.clip(high, 0, 1)
            axes.fill_between(epochs, low, high, color=colour, alpha=0.18, linewidth=0)
            axes.plot(epochs, mean / unit, color=colour, linewidth=1.8, label=name,
                      marker="o" if len(mean) == 1 else None)  # fmt: skip
    accuracy_axis(above)
    above.set_ylim(0, 1.03)
    above.set_ylabel("accuracy")
    below.set(xlabel="epoch", ylabel="loss over that\nof epoch 1")
    below.set_ylim(bottom=0)
    below.xaxis.get_major_locator().set_params(integer=True)
    for axes in (above, below):
        axes.grid(axis="y")
    figure.legend(*above.get_legend_handles_labels(), loc="outside lower left", ncols=2)
    figure_title(figure, title)
    return figure
