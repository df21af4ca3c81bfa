"""A picture of what is left of an accuracy when taxels die, events are lost, noise comes."""

from typing import Any

from nengo_tactile.analysis.style import (
    BLUE,
    accuracy_axis,
    figure_title,
    new_figure,
    styled,
)
from nengo_tactile.errors import DataError


@styled
def robustness(rows: list, words: dict[str, str], title: str | None = None) -> Any:
    """Draw accuracy over how much is wrong, an axis for each kind, with 95 % intervals.

    Parameters
    ----------
    rows : list of dict
        With ``kind``, ``level``, ``accuracy``, ``low`` and ``high``; one of kind None, undisturbed.
    words : dict of str to str
        What each kind's level is.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        Without a row of nothing disturbed, or without others.
    """
    whole = [row for row in rows if row["kind"] is None]
    kinds = list(dict.fromkeys(row["kind"] for row in rows if row["kind"] is not None))
    if len(whole) != 1 or not kinds:
        raise DataError(
            f"{len(whole)} rows are of nothing disturbed and {len(kinds)} kinds are there: give "
            "what nengo_tactile.commands.robustness.measure returns"
        )
    n_rows = -(-len(kinds) // 2)
    figure = new_figure(0.6 + 2.6 * n_rows)
    panels = figure.subplots(n_rows, min(2, len(kinds)), sharey=True, squeeze=False).ravel()
    for axes in panels[len(kinds) :]:
        axes.set_visible(False)
    for axes, kind in zip(panels, kinds):
        found = [row for row in rows if row["kind"] == kind]
        if kind != "weights":
            found.append({**whole[0], "level": 1.0 if kind == "stretch" else 0.0})
        found.sort(key=lambda row: row["level"])
        levels, accuracies = ([row[key] for row in found] for key in ("level", "accuracy"))
        errors = [
            [max(row["accuracy"] - row["low"], 0) for row in found],  # rounding, at 0 and 1
            [max(row["high"] - row["accuracy"], 0) for row in found],
        ]
        axes.errorbar(levels, accuracies, errors, color=BLUE, marker="o", capsize=3)
        axes.grid(axis="y")
        accuracy_axis(axes, whole[0]["accuracy"], reference="undisturbed")
        axes.set(xlabel=words[kind], ylim=(0, 1.03))
    if title:
        figure_title(figure, title)
    return figure
