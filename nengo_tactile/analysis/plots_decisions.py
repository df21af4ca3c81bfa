"""A picture of how soon a network decides: accuracy and decisions since the first event."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nengo_tactile.analysis.accuracy import accuracy_interval
from nengo_tactile.analysis.style import (
    BLUE,
    QUIET,
    VERMILION,
    accuracy_axis,
    figure_title,
    key_below,
    new_figure,
    styled,
)
from nengo_tactile.errors import DataError

#: Milliseconds from which on time is given in seconds.
_LONG = 1000


@styled
def since_first_event(
    accuracy: ArrayLike,
    step_ms: float,
    n_samples: int,
    window: ArrayLike | None = None,
    decided_ms: ArrayLike | None = None,
    percentiles: list[dict[str, Any]] | tuple = (),
    title: str | None = None,
) -> Any:
    """Draw accuracy over time since the first event, and below it how many are decided by then.

    Parameters
    ----------
    accuracy : (n_steps,) array_like of float
        If one stopped reading so many steps after the first event of each recording.
    step_ms : float
        Length of a step in milliseconds.
    n_samples : int
        That accuracies are of: draws their 95 % intervals.
    window : (n,) array_like of float, optional
        Accuracy after as long since the start of the window, for comparison.
    decided_ms : (n_samples,) array_like of float, optional
        When each recording is decided; without it there is no panel below.
    percentiles : list of dict
        Of these: ``percent`` and ``ms``, with ``low_ms`` and ``high_ms``, numbers or None.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        Without an accuracy over time.
    """
    accuracy = np.asarray(accuracy, float)
    if accuracy.ndim != 1 or not accuracy.size:
        raise DataError(
            f"accuracy has shape {accuracy.shape}: give that after each step since the first "
            "event, SinceFirstEvent.accuracy"
        )
    figure = new_figure(3.6 if decided_ms is None else 5.4)
    panels = figure.subplots(1 if decided_ms is None else 2, 1, sharex=True, squeeze=False)[:, 0]
    longest = len(accuracy) * step_ms
    unit, scale = ("s", 1e-3) if longest >= _LONG else ("ms", 1.0)
    time = np.arange(1, len(accuracy) + 1) * step_ms * scale
    axes = panels[0]
    axes.plot(time, accuracy, color=BLUE, label=f"since the first event: {accuracy[-1]:.1%}")
    band = np.transpose([accuracy_interval(value, n_samples) for value in accuracy])
    axes.fill_between(time, *band, color=BLUE, alpha=0.15, linewidth=0)
    if window is not None:
        after = np.arange(1, len(np.asarray(window)) + 1) * step_ms * scale
        look = {"color": QUIET, "linestyle": "--", "linewidth": 1.5}
        axes.plot(after, window, **look, label="since the start of the window")
    accuracy_axis(axes)
    axes.set_ylabel("accuracy")
    if decided_ms is not None:
        _decided(panels[1], np.sort(np.asarray(decided_ms, float)) * scale, longest * scale)
        _marks(panels[1], percentiles, scale, unit)
    for panel in panels:
        panel.grid(axis="y")
        panel.set_ylim(0, 1.03 if panel is axes else 1.09)
        panel.set_xlim(0, 1.02 * longest * scale)
    panels[-1].set_xlabel(f"time since the first event ({unit})")
    found = zip(*(panel.get_legend_handles_labels() for panel in panels))
    key_below(figure, *([each for part in parts for each in part] for parts in found))
    figure_title(figure, title)
    return figure


def _decided(axes, times, longest):
    """A step for each recording, from none to all."""
    shares = np.arange(len(times) + 1) / len(times)
    axes.step([0, *times, longest], [*shares, 1], where="post", color=VERMILION)
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g}%")
    axes.set_ylabel("decided")


def _marks(axes, percentiles, scale, unit):
    """A ring for each percentile, its interval as a line."""
    digits = 2 if unit == "s" else 0
    for row, marker in zip(percentiles, "osD^v"):
        here, share = row["ms"] * scale, row["percent"] / 100
        right = axes.get_xlim()[1] if row["high_ms"] is None else row["high_ms"] * scale
        left = 0 if row["low_ms"] is None else row["low_ms"] * scale
        axes.plot([left, min(right, axes.get_xlim()[1])], [share, share], color=QUIET, linewidth=3,
                  alpha=0.6, solid_capstyle="butt", zorder=3)  # fmt: skip
        ring = {"marker": marker, "markerfacecolor": "white", "markeredgewidth": 2, "zorder": 4}
        axes.plot(here, share, **ring, markersize=8, markeredgecolor=VERMILION, linestyle="none",
                  label=f"{row['percent']:g} % decided after {here:.{digits}f} {unit} "
                  f"({_interval(row, scale, digits)})")  # fmt: skip


def _interval(row, scale, digits):
    ends = [None if row[key] is None else row[key] * scale for key in ("low_ms", "high_ms")]
    low, high = ("?" if end is None else f"{end:.{digits}f}" for end in ends)
    return f"95 %: {low} to {high}"
