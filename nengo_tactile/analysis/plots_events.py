"""Pictures of tactile recordings: event raster and tactile image (ST-MNIST paper, Figure 4)."""

import math

import numpy as np

from nengo_tactile.analysis.style import (
    INK,
    QUIET,
    RED,
    figure_title,
    new_axes,
    new_figure,
    styled,
)
from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import check_events
from nengo_tactile.events.clocks import late_event


@styled
def event_raster(events, sensor_size=(10, 10), duration_s=2.0, title=None):
    """Draw every event over time: ON red, OFF black, taxel address on the vertical axis.

    After Figure 4 (bottom) of the ST-MNIST paper. ON ticks sit in the upper and OFF ticks
    in the lower half of a taxel's row, so that they differ without colour too.

    Parameters
    ----------
    events : structured array with fields x, y, t (microseconds) and p
        As `check_events` takes them.
    sensor_size : (width, height, ...) of int
        Taxels along x and y; further entries, as in tonic's ``sensor_size``, are ignored.
        A taxel's address is ``y * width + x``.
    duration_s : float, optional
        Length of the time axis in seconds; None ends it with the last event.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        For malformed events, or events outside the sensor or the time axis.
    """
    width, height = int(sensor_size[0]), int(sensor_size[1])
    events = check_events(events, (width, height))
    seconds = events["t"].astype(float) * 1e-6
    address = events["y"].astype(int) * width + events["x"].astype(int)
    if duration_s is None:
        duration_s = float(seconds.max()) if seconds.size else 1.0
    if seconds.size and not seconds[-1] <= duration_s:
        bad = int(np.argmax(~(seconds <= duration_s)))
        remedy = "give the recording's duration_s, or None to end with the last event"
        raise late_event(events, bad, "events", f"duration_s = {duration_s}", remedy)
    n_taxels = width * height
    axes = new_axes(4.0)
    on = events["p"]
    # a row is 3.1 inches / n_taxels high; a tick fills half of it but stays visible
    size = max(2.0, 0.5 * 3.1 * 72 / n_taxels) * 1.6
    for mask, colour, offset, name in (
        (on, RED, 0.2, "ON"),
        (~on, INK, -0.2, "OFF"),
    ):
        if not mask.any() and len(events):  # the key names what is drawn
            continue
        axes.plot(
            seconds[mask],
            address[mask] + offset,
            linestyle="none",
            marker="|",
            markersize=size,
            markeredgewidth=0.9,
            color=colour,
            label=f"{name}, {int(mask.sum()):,} events",
        )
    axes.set(
        xlim=(0, duration_s),
        ylim=(-1, n_taxels),
        xlabel="time (s)",
        ylabel="taxel address",
    )
    _legend_above(axes, title)
    return axes.figure


def _legend_above(axes, title):
    """Put the legend between title and axes, with marks large enough to see."""
    legend = axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=2,
        borderaxespad=0.2,
        handletextpad=0.2,
        columnspacing=1.4,
    )
    for handle in legend.legend_handles:
        handle.set_markersize(11)
        handle.set_markeredgewidth(2.5)
    if title:
        axes.set_title(title, pad=28)


def cumulative_frames(events, times_s, sensor_size=(10, 10)):
    """Count each taxel's events, ON and OFF together, up to each time.

    Parameters
    ----------
    events : structured array with fields x, y and t (microseconds)
    times_s : (n_frames,) array_like of float
        Times in seconds; an event at exactly that time is counted.
    sensor_size : (width, height, ...) of int
        Taxels along x and y.

    Returns
    -------
    (n_frames, height, width) float array
        Divided by the largest count of all frames, so that the frames share one scale.
        Rows are y: draw ST-MNIST and the e-skin with ``transpose=True``.

    Raises
    ------
    DataError
        For malformed events, or events outside the sensor.
    """
    width, height = int(sensor_size[0]), int(sensor_size[1])
    events = check_events(events, (width, height))
    frames = np.zeros((len(times_s), height, width))
    for frame, seconds in zip(frames, times_s):
        seen = events[events["t"] <= round(seconds * 1e6)]
        np.add.at(frame, (seen["y"], seen["x"]), 1)
    return frames / (frames.max(initial=0) or 1)


@styled
def tactile_evolution(frames, times_s, transpose=False, title=None):
    """Draw how the tactile image builds up, as in Figure 4 (top) of the ST-MNIST paper.

    Parameters
    ----------
    frames : (n_frames, rows, columns) array_like of float
        The cumulative image at each time, all on one scale, zero or more.
    times_s : (n_frames,) array_like of float
        The time of each frame in seconds.
    transpose : bool
        Swap rows and columns. With rows along y STEMNIST is upright as it is; ST-MNIST
        and the e-skin are upright with rows along x.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        If the shapes do not fit, there is no frame, or a frame holds negative values
        or NaN.
    """
    frames = np.asarray(frames, dtype=float)
    times_s = np.asarray(times_s, dtype=float)
    if frames.ndim != 3 or len(frames) == 0 or times_s.shape != (len(frames),):
        raise DataError(
            f"frames have shape {frames.shape} and times_s {times_s.shape}: give at least "
            "one frame, (n_frames, rows, columns), and one time per frame"
        )
    if not (np.isfinite(frames).all() and frames.min() >= 0):
        raise DataError(
            f"frames reach from {frames.min()} to {frames.max()}, wanted finite values of "
            "zero or more: aggregate the events without their sign"
        )
    if transpose:
        frames = frames.transpose(0, 2, 1)
    n_columns = 3 if len(frames) in (5, 6, 9) else min(4, len(frames))
    n_rows = math.ceil(len(frames) / n_columns)
    cell = 5.0 / n_columns
    figure = new_figure(
        n_rows * (cell * frames.shape[1] / frames.shape[2] + 0.3) + (0.4 if title else 0.1)
    )
    grid = figure.subplots(n_rows, n_columns, squeeze=False)
    top = frames.max() or 1.0
    for axes in grid.flat[len(frames) :]:
        axes.set_axis_off()
    for axes, frame, seconds in zip(grid.flat, frames, times_s):
        picture = axes.imshow(frame, cmap="Blues", vmin=0, vmax=top, interpolation="nearest")
        axes.set_title(f"{seconds:.2f} s", fontsize=11, pad=4)
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_visible(True)
    bar = figure.colorbar(picture, ax=grid, fraction=0.035, pad=0.02, ticks=[0, top])
    bar.ax.set_yticklabels(["0", f"{top:.3g}"])
    bar.outline.set_visible(False)
    bar.set_label("normalised event count" if top <= 1 else "events", color=QUIET, labelpad=-8)
    figure_title(figure, title)
    return figure


@styled
def skin_map(taxels, values, title=None, label="events"):
    """Draw values at the places of the taxels, for skins that are no grid.

    Parameters
    ----------
    taxels : nengo_tactile.events.TaxelMap
    values : (n_taxels,) array_like of float
        In the order of the map's addresses: see `TaxelMap.values`.
    title : str, optional
    label : str
        What the values are.

    Returns
    -------
    matplotlib.figure.Figure
        x to the right and y down, both to one scale.

    Raises
    ------
    DataError
        For another number of values than taxels, or values that are not finite.
    """
    values = np.asarray(values, dtype=float)
    if values.shape != (len(taxels),) or not np.isfinite(values).all():
        raise DataError(
            f"values have shape {values.shape}, the map has {len(taxels)} taxels: give one finite "
            "number for each, in the order of the map"
        )
    x, y = taxels.positions.T
    width, height = np.ptp(x) or 1, np.ptp(y) or 1
    axes = new_axes(min(max(4.2 * height / width, 1.6), 7) + (0.4 if title else 0.1))
    gaps = np.hypot(x[:, None] - x, y[:, None] - y)
    gap = gaps[gaps > 0].min(initial=max(width, height))
    points = 4.2 * 72 * gap / max(width, height)  # between the nearest taxels
    dots = axes.scatter(
        x, y, s=min(0.7 * points, 60) ** 2, c=values, cmap="Blues", edgecolors=QUIET, linewidths=0.6
    )
    dots.set_clim(min(values.min(), 0), values.max() or 1)
    margin = 0.6 * gap
    axes.set(
        aspect="equal",
        xticks=[],
        yticks=[],
        xlim=(x.min() - margin, x.max() + margin),
        ylim=(y.max() + margin, y.min() - margin),
        title=title,
    )
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = axes.figure.colorbar(dots, ax=axes, fraction=0.035, pad=0.02)
    bar.outline.set_visible(False)
    bar.set_label(label, color=QUIET)
    return axes.figure
