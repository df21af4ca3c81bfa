"""Pictures of a spiking network at work: firing rates, spikes and synaptic operations."""

import numpy as np

from nengo_tactile.analysis.activity import layer_activity
from nengo_tactile.analysis.glyphs import width_of
from nengo_tactile.analysis.style import (
    BLUE,
    GREEN,
    GRID,
    INK,
    QUIET,
    SKY,
    VERMILION,
    compact,
    figure_title,
    finished,
    new_axes,
    new_figure,
    styled,
    told_apart,
)
from nengo_tactile.errors import DataError

#: Neurons of a layer that a raster shows at most.
ROWS = 60


#: Characters of a line of a layer's name, and inches that a layer needs whose name takes two.
_NAME, _TWO_LINES = 18, 0.45


def layer_height(names, least):
    """Inches for each layer: ``least``, or more where a name takes two lines."""
    return max(least, _TWO_LINES) if any(width_of(name) > _NAME for name in names) else least


def layer_axis(axes, names):
    """Write layer names from top to bottom on the vertical axis."""
    axes.set_yticks(range(len(names)), told_apart(names, _NAME, 2))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


@styled
def firing_rates(recording, max_rate_hz=None, percentile=99.9, title=None):
    """Draw the distribution of firing rates in each layer.

    Boxes hold the middle half and whiskers 5 to 95 % of the firing neurons (pairs of
    sample and neuron with at least one spike); the diamond is the given percentile over
    all pairs; the right margin says which share stays silent.

    Parameters
    ----------
    recording : Recording
    max_rate_hz : float or dict, optional
        The rate of saturation as in :func:`layer_activity`; drawn as a line where it is
        one number.
    percentile : float
        Which percentile the diamond marks.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    activities = layer_activity(recording, max_rate_hz, percentile)
    rates = recording.firing_rates()
    names = [a.layer for a in activities]
    axes = new_axes(1.7 + 0.55 * len(names), grid="x")
    boxes, places = [], []
    for place, name in enumerate(names):
        firing = rates[name][rates[name] > 0]
        if firing.size:
            low, q1, median, q3, high = np.percentile(firing, [5, 25, 50, 75, 95])
            boxes.append(
                {"whislo": low, "q1": q1, "med": median, "q3": q3, "whishi": high, "fliers": []}
            )
            places.append(place)
    if boxes:
        axes.bxp(
            boxes,
            positions=places,
            orientation="horizontal",
            widths=0.5,
            showfliers=False,
            patch_artist=True,
            boxprops={"facecolor": SKY, "edgecolor": BLUE, "alpha": 0.9},
            medianprops={"color": INK, "linewidth": 2},
            whiskerprops={"color": BLUE, "linewidth": 1.5},
            capprops={"color": BLUE, "linewidth": 1.5},
        )
    axes.plot(
        [a.percentile_hz for a in activities],
        range(len(names)),
        linestyle="none",
        marker="D",
        markersize=7,
        color=VERMILION,
        clip_on=False,
        label=f"{percentile:g}th percentile",
    )
    if max_rate_hz is None or np.isscalar(max_rate_hz):
        limit = 1 / recording.dt if max_rate_hz is None else max_rate_hz
        axes.set_xlim(0, None)
        # far off, the line would squeeze the boxes into a corner
        if axes.get_xlim()[1] > 0.5 * limit:
            axes.axvline(
                limit,
                color=QUIET,
                linestyle="--",
                linewidth=1.2,
                label=f"saturation, {limit:g} Hz",
            )
    # room for the largest diamond; without any spike one hertz
    axes.set_xlim(0, 1.03 * axes.get_xlim()[1] if boxes else 1.0)
    layer_axis(axes, names)
    axes.tick_params(axis="y", pad=9)  # diamonds reach beyond the axis
    side = axes.secondary_yaxis("right")
    side.set_yticks(range(len(names)), [f"{a.silent_share:.0%} silent" for a in activities])
    side.tick_params(length=0)
    side.spines["right"].set_visible(False)
    return finished(axes, "firing rate (Hz)", title=title, key_columns=2)


@styled
def spikes_and_synops(recording, step=None, title=None):
    """Draw spikes and synaptic operations per sample of each layer, as bars.

    Parameters
    ----------
    recording : Recording
    step : int, optional
        Count up to this step; by default over the whole presentation.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    activities = layer_activity(recording, step=step)
    names = [a.layer for a in activities]
    figure = new_figure(1.35 + 0.5 * len(names) + (0.3 if title else 0))
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, heading, values, colour in (
        (left, "spikes\nper sample", [a.spikes for a in activities], BLUE),
        (right, "synaptic\noperations", [a.synops for a in activities], GREEN),
    ):
        axes.barh(range(len(names)), values, height=0.6, color=colour)
        for place, value in enumerate(values):
            axes.annotate(
                compact(value),
                (value, place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=11,
            )
        axes.set_xlim(0, 1.32 * (max(values, default=0) or 1))
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.set_title(heading, color=QUIET, fontsize=11.5)
        layer_axis(axes, names)
        axes.axvline(0, color=QUIET, linewidth=0.8)
    figure_title(figure, title)
    return figure


@styled
def spike_raster(recording, sample=0, title=None):
    """Draw when the neurons of each layer spike, in one sample.

    Parameters
    ----------
    recording : Recording
        With ``rasters`` of this sample.
    sample : int
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        A band for each layer, a row of it for each neuron; of more than `ROWS`, so many
        of them, drawn at random.

    Raises
    ------
    DataError
        If the recording has not the spikes of this sample.
    """
    kept = max(map(len, recording.rasters.values()), default=0)
    if not 0 <= sample < kept:
        raise DataError(
            f"the recording has all spikes of {kept} samples, not those of sample {sample}: run "
            f"the network with rasters={sample + 1}"
        )
    names = list(recording.rasters)
    band = layer_height(names, max(0.35, min(0.9, 9 / len(names))))
    axes = new_axes(1.3 + band * len(names) + (0.3 if title else 0))
    sizes = []
    for place, name in enumerate(names):
        fired = recording.rasters[name][sample] > 0
        n = fired.shape[1]
        rows = np.sort(np.random.default_rng(0).permutation(n)[:ROWS])  # not every other channel
        steps, neurons = np.nonzero(fired[:, rows])
        height = 0.9 / len(rows)
        tops = place - 0.45 + height * neurons
        axes.vlines(steps + 1, tops, tops + height, color=BLUE, linewidth=_stroke(fired))
        axes.axhline(place + 0.5, color=GRID, linewidth=0.8)
        sizes.append(f"{n:,} neurons" if n <= ROWS else f"{ROWS} of\n{n:,} neurons")
    layer_axis(axes, names)
    axes.set_xlim(0.5, recording.n_steps + 0.5)
    axes.xaxis.get_major_locator().set_params(integer=True)
    side = axes.secondary_yaxis("right")
    side.set_yticks(range(len(names)), sizes, fontsize=10 if band > 0.5 else 8)
    side.tick_params(length=0)
    side.spines["right"].set_visible(False)
    return finished(axes, f"time steps of {recording.dt * 1e3:g} ms", title=title)


def _stroke(fired):
    """Width of a tick in points: those of neighbouring steps do not touch where they can."""
    return min(2.5, max(0.5, 160 / len(fired)))
