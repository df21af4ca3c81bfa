"""Simulated against real: Table 1 side by side, and the distributions of one recording."""

import numpy as np

from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import check_events
from nengo_tactile.events.eskin_table1 import STATISTICS, TABLE1_ADDRESS_BASE, table1

# Events of one taxel and polarity at most this far apart are repeats of one message: they lie
# 16 ns apart, a taxel's messages over 3 ms, and whole microseconds add an error of 1.
REPEAT_GAP_US = 1
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def sample_statistics(events, address_base=TABLE1_ADDRESS_BASE):
    """Return the six statistics of Table 1 for one recording.

    Parameters
    ----------
    events : (n_events,) structured array
    address_base : int
        Added to the addresses, which count from 0.

    Returns
    -------
    (6,) float array
        In the order of `STATISTICS`; means and ranges are NaN without events.
    """
    events = check_events(events)
    on = int(np.count_nonzero(events["p"]))
    if len(events) == 0:
        return np.array([0, 0, np.nan, np.nan, np.nan, np.nan])
    x, y = events["x"], events["y"]
    return np.array(
        [on, len(events) - on, x.mean() + address_base, y.mean() + address_base,
         int(x.max()) - int(x.min()), int(y.max()) - int(y.min())]
    )  # fmt: skip


def class_statistics(statistics, labels):
    """Mean and SD over the samples of each digit.

    Parameters
    ----------
    statistics : (n_samples, 6) array
        Rows from `sample_statistics`.
    labels : (n_samples,) int array

    Returns
    -------
    dict
        {statistic: {"mean": (10,) array, "sd": (10,) array}}; SD with n - 1, as MATLAB's std.
    """
    labels = np.asarray(labels)
    groups = [np.asarray(statistics)[labels == digit] for digit in range(10)]
    short = [digit for digit, group in enumerate(groups) if len(group) < 2]
    if short:
        raise DataError(f"digits {short} have fewer than two samples: simulate more")
    mean = np.stack([np.nanmean(group, axis=0) for group in groups])
    sd = np.stack([np.nanstd(group, axis=0, ddof=1) for group in groups])
    return {name: {"mean": mean[:, k], "sd": sd[:, k]} for k, name in enumerate(STATISTICS)}


def table1_scores(ours):
    """Say how near `class_statistics` come to Table 1.

    Parameters
    ----------
    ours : dict
        From `class_statistics`.

    Returns
    -------
    dict of float
        ``on_error``, ``off_error``: mean over digits of the absolute relative error of the
        class means. ``on_off_ratio``, ``on_off_ratio_paper``: mean over digits.
        ``<statistic>_worst``, for the X and Y statistics: largest distance of a class mean from
        the paper's in units of the paper's SD. ``<statistic>_sd_ratio``: mean over digits of
        our SD over the paper's.
    """
    paper = table1()
    scores = {}
    for name in ("on", "off"):
        theirs = paper[f"{name}_events"]["mean"]
        error = np.abs(ours[f"{name}_events"]["mean"] - theirs) / theirs
        scores[f"{name}_error"] = error.mean()
    for suffix, table in (("", ours), ("_paper", paper)):
        ratio = table["on_events"]["mean"] / table["off_events"]["mean"]
        scores[f"on_off_ratio{suffix}"] = ratio.mean()
    for name in STATISTICS:
        if name[0] in "xy":
            distance = np.abs(ours[name]["mean"] - paper[name]["mean"]) / paper[name]["sd"]
            scores[f"{name}_worst"] = distance.max()
        scores[f"{name}_sd_ratio"] = (ours[name]["sd"] / paper[name]["sd"]).mean()
    return {name: float(value) for name, value in scores.items()}


def format_table1(ours, title="ours"):
    """Lay out `class_statistics` beside Table 1 as text, mean (SD) per digit."""
    paper = table1()
    lines = []
    for name in STATISTICS:
        places = 0 if name.endswith("events") else 2
        lines.append(f"{name.replace('_', ' ')}")
        for label, table in ((title, ours), ("paper", paper)):
            cells = [
                f"{mean:.{places}f} ({sd:.{places}f})"
                for mean, sd in zip(table[name]["mean"], table[name]["sd"])
            ]
            lines.append(f"  {label:<11}" + "".join(f"{cell:>13}" for cell in cells))
    head = " " * 13 + "".join(f"{digit:>13}" for digit in range(10))
    scores = table1_scores(ours)
    tail = "  ".join(f"{name} {value:.3f}" for name, value in scores.items())
    return "\n".join([head, *lines, tail])


def messages(events):
    """Merge the decoder's repeats into the taxels' messages.

    Parameters
    ----------
    events : (n_events,) structured array
        One recording, sorted by time.

    Returns
    -------
    taxel : (n_messages,) int array
        y * 1000 + x, sorted; messages of one taxel are in order of time.
    t_us : (n_messages,) int array
    on : (n_messages,) bool array
    repeats : (n_messages,) int array
    """
    events = check_events(events)
    taxel = events["y"].astype(np.int64) * 1000 + events["x"]
    order = np.lexsort((events["t"], taxel))
    taxel, t_us, on = taxel[order], events["t"][order], events["p"][order]
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(taxel) != 0) | (np.diff(t_us) > REPEAT_GAP_US) | (on[1:] != on[:-1])
    first = np.flatnonzero(new)
    repeats = np.diff(np.r_[first, len(order)])
    return taxel[first], t_us[first], on[first], repeats


def distributions(recordings):
    """Collect what the messages of recordings look like.

    Parameters
    ----------
    recordings : iterable of structured arrays

    Returns
    -------
    dict of float arrays
        ``interval_ms``: between successive messages of a taxel. ``messages_per_taxel`` and
        ``events_per_taxel``: of taxels with any, per recording. ``on_repeats``,
        ``off_repeats``: events per message. ``same_polarity``: 1 where a message has the
        polarity of the taxel's message before. ``first_is_on``: 1 where a taxel's first message
        is ON.
    """
    parts = {
        name: []
        for name in ("interval_ms", "messages_per_taxel", "events_per_taxel", "on_repeats",
                     "off_repeats", "same_polarity", "first_is_on")
    }  # fmt: skip
    for events in recordings:
        taxel, t_us, on, repeats = messages(events)
        same = np.diff(taxel) == 0
        parts["interval_ms"].append(np.diff(t_us)[same] / 1e3)
        parts["same_polarity"].append((on[1:] == on[:-1])[same])
        start = np.flatnonzero(np.r_[True, ~same]) if len(taxel) else np.zeros(0, np.int64)
        parts["first_is_on"].append(on[start])
        parts["messages_per_taxel"].append(np.diff(np.r_[start, len(taxel)]))
        if len(taxel):
            parts["events_per_taxel"].append(np.add.reduceat(repeats, start))
        parts["on_repeats"].append(repeats[on])
        parts["off_repeats"].append(repeats[~on])
    return {
        name: np.concatenate(values).astype(np.float64) if values else np.zeros(0)
        for name, values in parts.items()
    }


def ks_distance(a, b):
    """Kolmogorov-Smirnov distance: the largest gap between two empirical distributions.

    Parameters
    ----------
    a, b : (n,) float arrays

    Returns
    -------
    float
        0 to 1; NaN if either is empty.
    """
    if len(a) == 0 or len(b) == 0:
        return float("nan")
    points = np.concatenate([a, b])
    below_a = np.searchsorted(np.sort(a), points, side="right") / len(a)
    below_b = np.searchsorted(np.sort(b), points, side="right") / len(b)
    return float(np.abs(below_a - below_b).max())


def compare_distributions(simulated, recording):
    """Compare simulated recordings with a real one.

    Parameters
    ----------
    simulated : iterable of structured arrays
    recording : structured array

    Returns
    -------
    dict
        {name of `distributions`: {"ks", "mean", "mean_real", "quantiles", "quantiles_real",
        "n", "n_real"}}, with plain numbers, ready for JSON.
    """
    ours, real = distributions(simulated), distributions([recording])
    if len(recording) == 0 or len(ours["first_is_on"]) == 0:
        raise DataError("comparison of distributions: a side holds no events")
    table = {}
    for name, values in ours.items():
        table[name] = {
            "ks": ks_distance(values, real[name]),
            "mean": float(values.mean()),
            "mean_real": float(real[name].mean()),
            "quantiles": np.quantile(values, QUANTILES).tolist(),
            "quantiles_real": np.quantile(real[name], QUANTILES).tolist(),
            "n": len(values),
            "n_real": len(real[name]),
        }
    return table


def format_distributions(table):
    """Lay out `compare_distributions` as text."""
    quantiles = "".join(f"{f'{q:.0%}':>9}" for q in QUANTILES)
    lines = [f"{'':<31}{'n':>8}{'mean':>9}{quantiles}{'KS':>8}"]
    for name, row in table.items():
        for suffix, label in (("", "simulated"), ("_real", "recorded")):
            cells = "".join(f"{value:9.2f}" for value in row[f"quantiles{suffix}"])
            distance = "" if suffix else f"{row['ks']:8.3f}"
            lines.append(
                f"{name:<20} {label:<10}{row[f'n{suffix}']:>8}{row[f'mean{suffix}']:9.2f}"
                f"{cells}{distance}"
            )
    return "\n".join(lines)


def plot_distributions(simulated, recording):
    """Draw the distributions of simulated recordings over those of a real one.

    Parameters
    ----------
    simulated : list of structured arrays
    recording : structured array

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    ours, real = distributions(simulated), distributions([recording])
    figure = Figure(figsize=(9.6, 5.6), layout="constrained")
    panels = (
        (
            "interval_ms",
            "time between a taxel's messages (ms)",
            np.geomspace(3, 100, 400),
            True,
        ),
        ("messages_per_taxel", "messages per active taxel", np.arange(0, 80), False),
        ("events_per_taxel", "events per active taxel", np.arange(0, 300), False),
        ("on_repeats", "events per ON message", np.arange(1, 8), None),
        ("off_repeats", "events per OFF message", np.arange(1, 8), None),
    )
    axes = figure.subplots(2, 3).ravel()
    axes[-1].axis("off")
    colours = {"simulated": "#1b6ca8", "recorded": "#d1495b"}
    for axis, (name, title, grid, logarithmic) in zip(axes, panels):
        for shift, (label, values) in enumerate((("simulated", ours), ("recorded", real))):
            values = np.sort(values[name])
            if logarithmic is None:
                share = [(values == k).mean() for k in grid]
                axis.bar(grid + 0.4 * shift - 0.2, share, 0.4, color=colours[label], label=label)
            else:
                share = np.searchsorted(values, grid, side="right") / len(values)
                axis.plot(grid, share, color=colours[label], label=label)
        if logarithmic:
            axis.set_xscale("log")
            axis.set_xticks([3, 5, 10, 30, 100], ["3", "5", "10", "30", "100"])
            axis.minorticks_off()
        axis.set_xlabel(title)
        axis.set_ylabel("share" if logarithmic is None else "share up to this")
        axis.spines[["top", "right"]].set_visible(False)
    handles, labels = axes[0].get_legend_handles_labels()
    axes[-1].legend(handles, labels, loc="center", frameon=False)
    return figure
