"""Simulated saccades against recorded ones: tables and plots."""

import numpy as np

from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import check_events
from nengo_tactile.events.compare import QUANTILES, ks_distance

# What the sets are compared by: key of `quantities` -> (axis label, grid of the plot's axis)
_PANELS = {
    "events": ("events per recording", np.linspace(0, 8000, 200)),
    "on_percent": ("ON events (%)", np.linspace(46, 54, 200)),
    "events_per_pixel": ("events per active pixel", np.arange(0, 41)),
    "interval_ms": ("time between a pixel's events (ms)", np.geomspace(1, 200, 300)),
    "run_length": ("events of one polarity in a row", np.arange(0, 13)),
}
_TIME_BIN_MS = 5
_TIME_END_MS = 320


def quantities(recordings):
    """Collect what recordings look like.

    Parameters
    ----------
    recordings : iterable of structured arrays
        Sorted by time, of one sensor.

    Returns
    -------
    dict of float arrays
        ``events``, ``on_percent`` and ``active_pixels``: one value per recording.
        ``events_per_pixel``: of pixels with any, per recording. ``interval_ms``: between
        successive events of a pixel. ``run_length``: events of a pixel until its polarity
        changes or the recording ends. ``time_ms``: of all events.

    Raises
    ------
    DataError
        Without recordings, or for one without events.
    """
    names = ("events", "on_percent", "active_pixels", "events_per_pixel", "interval_ms",
             "run_length", "time_ms")  # fmt: skip
    parts = {name: [] for name in names}
    for index, events in enumerate(recordings):
        if len(events) == 0:
            raise DataError(f"recording {index} holds no events: leave it out of the comparison")
        events = check_events(events, source=f"recording {index}")
        pixel = events["y"].astype(np.int64) * 1000 + events["x"]
        order = np.lexsort((np.arange(len(events)), pixel))  # in a pixel the order of the file
        pixel, t_us, on = pixel[order], events["t"][order], events["p"][order]
        same = np.diff(pixel) == 0
        counts = np.diff(np.flatnonzero(np.r_[True, ~same, True]))
        turns = np.flatnonzero(np.r_[True, ~same | (on[1:] != on[:-1]), True])
        parts["events"].append([len(events)])
        parts["on_percent"].append([100 * on.mean()])
        parts["active_pixels"].append([len(counts)])
        parts["events_per_pixel"].append(counts)
        parts["interval_ms"].append(np.diff(t_us)[same] / 1e3)
        parts["run_length"].append(np.diff(turns))
        parts["time_ms"].append(events["t"] / 1e3)
    if not parts["events"]:
        raise DataError("there are no recordings to compare: give at least one")
    return {name: np.concatenate(values).astype(np.float64) for name, values in parts.items()}


def compare_quantities(simulated, recorded):
    """Set two sets of `quantities` side by side.

    Parameters
    ----------
    simulated, recorded : dict of float arrays
        From `quantities`.

    Returns
    -------
    dict
        {quantity: {"ks", "mean", "mean_real", "quantiles", "quantiles_real", "n", "n_real"}},
        plain numbers, as `nengo_tactile.events.compare.format_distributions` takes them.
    """
    table = {}
    for name, ours in simulated.items():
        real = recorded[name]
        table[name] = {"ks": ks_distance(ours, real)}
        for suffix, values in (("", ours), ("_real", real)):
            table[name][f"mean{suffix}"] = float(values.mean())
            table[name][f"quantiles{suffix}"] = np.quantile(values, QUANTILES).tolist()
            table[name][f"n{suffix}"] = len(values)
    return table


def event_image(events, size):
    """Count events per pixel, (height, width) int array, for ``size`` = (width, height, ...)."""
    width, height = size[:2]
    place = events["y"].astype(np.int64) * width + events["x"]
    return np.bincount(place, minlength=width * height).reshape(height, width)


def paired_scores(simulated, recorded, size):
    """Say how alike simulated and recorded events of the same digits are.

    Parameters
    ----------
    simulated, recorded : list of structured arrays
        In the same order.
    size : tuple of int
        (width, height, ...) of the sensor.

    Returns
    -------
    dict of float
        ``count_correlation``: of the numbers of events over digits. ``count_ratio_sd``: SD of
        the logarithm of their ratio. ``image_correlation``: mean over digits of the correlation
        of the two event images; ``image_correlation_other``: the same with the image of the
        next digit.
    """
    ours, real = (
        np.stack([event_image(events, size).ravel() for events in side]).astype(float)
        for side in (simulated, recorded)
    )
    n_ours, n_real = ours.sum(axis=1), real.sum(axis=1)

    def standardised(images):
        images = images - images.mean(axis=1, keepdims=True)
        return images / np.linalg.norm(images, axis=1, keepdims=True)

    ours, real = standardised(ours), standardised(real)
    return {
        "count_correlation": float(np.corrcoef(n_ours, n_real)[0, 1]),
        "count_ratio_sd": float(np.log(n_ours / n_real).std(ddof=1)),
        "image_correlation": float((ours * real).sum(axis=1).mean()),
        "image_correlation_other": float((ours * np.roll(real, 1, axis=0)).sum(axis=1).mean()),
    }


def rate_over_time(time_ms, n_recordings):
    """Mean number of events per millisecond, in bins of 5 ms.

    Returns
    -------
    edges_ms : (n_bins + 1,) float array
    rate : (n_bins,) float array
    """
    edges = np.arange(0, _TIME_END_MS + 1, _TIME_BIN_MS)
    return edges, np.histogram(time_ms, edges)[0] / (n_recordings * _TIME_BIN_MS)


def plot_comparison(simulated, recorded, images):
    """Draw the quantities of simulated recordings over those of real ones.

    Parameters
    ----------
    simulated, recorded : dict of float arrays
        From `quantities`.
    images : (mean simulated, mean recorded) of (height, width) float arrays
        Mean numbers of events per pixel.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 9), layout="constrained")
    axes = figure.subplots(3, 3)
    colours = {"simulated": "#1b6ca8", "recorded": "#d1495b"}
    sides = (("simulated", simulated, "-"), ("recorded", recorded, "--"))
    for axis, (name, (label, grid)) in zip(axes.ravel(), _PANELS.items()):
        for side, values, dashes in sides:
            found = np.sort(values[name])
            share = np.searchsorted(found, grid, side="right") / len(found)
            axis.plot(grid, share, dashes, color=colours[side], label=side)
        axis.set_xlabel(label)
        axis.set_ylabel("share up to this")
        if name == "run_length":
            axis.set_xticks(grid[::2])
        if name == "interval_ms":
            axis.set_xscale("log")
            axis.set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
            axis.minorticks_off()
    axes[0, 0].legend(frameon=False)
    axis = axes[1, 2]
    for side, values, dashes in sides:
        edges, rate = rate_over_time(values["time_ms"], len(values["events"]))
        axis.plot((edges[1:] + edges[:-1]) / 2, rate, dashes, color=colours[side])
    axis.set_xlabel("time (ms)")
    axis.set_ylabel("events per ms")
    most = max(image.max() for image in images)
    for axis, (side, _, _), image in zip(axes[2], sides, images):
        drawn = axis.imshow(image, vmin=0, vmax=most, cmap="viridis")
        axis.set_title(f"{side}: mean events per pixel", fontsize=10)
    figure.colorbar(drawn, ax=axes[2, :2], shrink=0.8)
    difference = images[0] - images[1]
    limit = np.quantile(np.abs(difference), 0.995)
    drawn = axes[2, 2].imshow(difference, vmin=-limit, vmax=limit, cmap="RdBu_r")
    axes[2, 2].set_title("simulated - recorded", fontsize=10)
    figure.colorbar(drawn, ax=axes[2, 2], shrink=0.8)
    for axis in axes[2]:
        axis.set_xlabel("x (pixels)")
        axis.set_ylabel("y (pixels)")
    for axis in axes[:2].ravel():
        axis.spines[["top", "right"]].set_visible(False)
    return figure
