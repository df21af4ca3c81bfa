"""Pictures of sweeps: accuracy over what it costs."""

import numpy as np

from nengo_tactile.analysis.style import (
    INK,
    PAPER_BAR,
    WIDTH,
    accuracy_axis,
    compact,
    figure_title,
    key_below,
    new_figure,
    styled,
)
from nengo_tactile.errors import DataError


def pareto(costs, accuracies) -> np.ndarray:
    """Combinations that no other one beats in cost and accuracy.

    Parameters
    ----------
    costs, accuracies : (n,) array_like of float

    Returns
    -------
    (n_best,) int array
        Their indices, by rising cost.
    """
    costs, accuracies = np.asarray(costs, float), np.asarray(accuracies, float)
    best, highest = [], -np.inf
    for index in np.lexsort((-accuracies, costs)):
        if accuracies[index] > highest:
            best.append(index)
            highest = accuracies[index]
    return np.array(best, np.int64)


@styled
def accuracy_over_costs(costs, accuracies, reference=None, title=None):
    """Draw accuracy over each cost, and join the combinations that no other one beats.

    Parameters
    ----------
    costs : dict of str to (n,) array_like of float
        Of each combination, by what it is.
    accuracies : (n,) array_like of float
    reference : float, optional
        Accuracy of the original, a dashed line.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        Without combinations, and for costs of another number.
    """
    accuracies = np.asarray(accuracies, float)
    if not costs or not len(accuracies) or any(len(c) != len(accuracies) for c in costs.values()):
        raise DataError(
            f"costs of {[len(cost) for cost in costs.values()]} combinations, accuracies of "
            f"{len(accuracies)}: give each combination's"
        )
    figure = new_figure(3.7, 1.25 * WIDTH)
    panels = figure.subplots(1, len(costs), sharey=True, squeeze=False)[0]
    for axes, (name, cost) in zip(panels, costs.items()):
        cost = np.asarray(cost, float)
        best = pareto(cost, accuracies)
        accuracy_axis(axes, reference, reference="reference")
        axes.plot(cost, accuracies, "o", color=PAPER_BAR, markersize=6, linestyle="none")
        axes.plot(cost[best], accuracies[best], "o-", color=INK, markersize=6, linewidth=1.5)
        if cost.min() > 0 and cost.max() > 20 * cost.min():
            axes.set_xscale("log")
        else:
            axes.set_xlim(0, 1.08 * (cost.max() or 1))
            axes.locator_params(axis="x", nbins=4)
            axes.xaxis.set_major_formatter(lambda value, position: compact(value))
        axes.grid(axis="y")
        axes.set_xlabel(name)
    panels[0].set_ylabel("accuracy")
    if reference is not None:
        key_below(figure, *panels[0].get_legend_handles_labels())
    if title:
        figure_title(figure, title)
    return figure
