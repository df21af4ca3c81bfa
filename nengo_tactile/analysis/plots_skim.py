"""Pictures of SKIM networks: accuracy over training samples, and how repeated trials spread."""

import numpy as np

from nengo_tactile.analysis.accuracy import accuracy_interval
from nengo_tactile.analysis.statistical_tests import standardised
from nengo_tactile.analysis.style import (
    BLUE,
    GREEN,
    INK,
    PALETTE,
    PAPER_BAR,
    QUIET,
    VERMILION,
    WIDTH,
    accuracy_axis,
    figure_title,
    finished,
    new_axes,
    new_figure,
    styled,
    wrapped,
)
from nengo_tactile.errors import DataError

#: Training pattern -> its colour in all pictures.
_PATTERN_COLOURS = {"flat": BLUE, "gaussian": VERMILION, "exponential": GREEN}
_MARKERS = "os^Dv<>p"
#: Left end of Figure 4's right panel, whose final points are at 0, and where the paper's are there.
_LEFT, _PAPER = -0.32, -0.17
_CROSS = {
    "marker": "x",
    "color": INK,
    "markersize": 7,
    "markeredgewidth": 2,
    "linestyle": "none",
    "zorder": 5,
}


@styled
def accuracy_by_samples(lines, chance=0.1, paper=(), title=None):
    """Draw accuracy over training samples, a line for each hidden size (SKIM paper, Figure 4).

    Parameters
    ----------
    lines : dict of int to dict
        Hidden neurons -> ``n_train`` and ``accuracy`` (lists of the same length, may be empty)
        and ``final``, a dict of ``n_train`` and ``accuracy``, or None. Final points stand in a
        panel of their own.
    chance : float
        Drawn as a dotted line.
    paper : sequence of (int, int, float)
        The paper's hidden neurons, training samples and accuracy, drawn as crosses where a line
        of that size is shown.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        Without lines, for a line without points, and for lists that do not fit each other.
    """
    if not lines:
        raise DataError("no lines were given: give {hidden neurons: points}")
    for size, line in lines.items():
        counts = len(line["n_train"]), len(line["accuracy"])
        if counts[0] != counts[1] or not (counts[0] or line["final"]):
            raise DataError(
                f"{size} hidden neurons: {counts[0]} sample counts and {counts[1]} accuracies, "
                f"final {line['final']}: give one for each, and at least one point"
            )
    finals = {size: line["final"] for size, line in lines.items() if line["final"]}
    figure = new_figure(4.6 + 0.2 * max(0, len(lines) - 9))
    axes, last = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1.2))
    longest = max([max(line["n_train"], default=0) for line in lines.values()]) or 1
    ends = {}
    for index, size in enumerate(sorted(lines)):
        line, look = lines[size], _size_look(index, len(lines))
        axes.plot(line["n_train"], line["accuracy"], **look, markersize=4)
        if size in finals:
            end = finals[size]["accuracy"]
            last.plot(0, end, **look, markersize=6)
        else:  # a thin line leads from where it ends to its label
            end, thin = line["accuracy"][-1], {"color": look["color"], "linewidth": 1, "ls": ":"}
            axes.plot([line["n_train"][-1], 1.03 * longest], [end, end], **thin)
            last.plot([_LEFT, 0.12], [end, end], **thin)
        ends[size] = (end, look["color"])
    for panel in (axes, last):
        panel.axhline(chance, color=QUIET, linestyle=":", linewidth=1.5)
        panel.grid(axis="y")
    for size, n_train, accuracy in paper:
        name = {} if figure.legends else {"label": "paper"}
        if size in finals and finals[size]["n_train"] == n_train:
            crosses = last.plot(_PAPER, accuracy, **_CROSS, **name)
        elif size in lines and n_train <= longest:
            crosses = axes.plot(n_train, accuracy, **_CROSS, **name)
        else:
            continue
        if name:
            figure.legend(handles=crosses, loc="outside lower left")
    axes.annotate("chance", (0, chance), xytext=(4, 3), textcoords="offset points",
                  fontsize=10, color=QUIET)  # fmt: skip
    _size_labels(last, ends)
    _sample_axes(axes, last, finals, longest)
    figure_title(figure, title)
    return figure


def _size_look(index, n_sizes):
    """A colour between light and dark that says which size is larger, and a marker."""
    from matplotlib import colormaps

    place = 0.5 if n_sizes == 1 else index / (n_sizes - 1)
    colour = colormaps["plasma"](0.8 - 0.75 * place)
    return {"color": colour, "marker": _MARKERS[index % len(_MARKERS)], "linewidth": 1.8}


def _size_labels(axes, ends):
    """Write hidden sizes at the right, moved apart where they would overlap."""
    order = sorted(ends, key=lambda size: ends[size][0])
    places = spread([ends[size][0] for size in order], 0.055)
    for size, place in zip(order, places):
        end, colour = ends[size]
        axes.plot([0.12, 0.3], [end, place], color=PAPER_BAR, linewidth=0.8)
        axes.text(0.35, place, f"{size:,}", va="center", fontsize=11, color=colour)
    axes.text(0.35, places[-1] + 0.065, "hidden\nneurons", va="bottom", fontsize=10, color=QUIET)


@styled
def accuracy_online(online, ways, title=None):
    """Draw accuracy over recordings seen, a line for each way of learning.

    Parameters
    ----------
    online : dict
        ``rows``: ``n_train``, ``n_test`` and accuracies by way of learning, some of ``ways``.
    ways : sequence of str
        The first is what others are held to, and drawn with its interval (95 %).
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        Without rows.
    """
    if not online["rows"]:
        raise DataError("no rows were given: give n_train, n_test and accuracies")
    axes = new_axes(4.2, grid="y")
    for number, way in enumerate(ways):
        rows = [row for row in online["rows"] if way in row]
        if not rows:
            continue
        seen, right = [row["n_train"] for row in rows], [row[way] for row in rows]
        colour = PALETTE[number]
        # wide, for others may lie on it
        width, size = (1.8, 5) if number else (5, 10)
        look = {"marker": _MARKERS[number], "linewidth": width, "markersize": size}
        axes.plot(seen, right, color=colour, label=way, alpha=1 if number else 0.6, **look)
        if not number:
            ends = np.array([accuracy_interval(row[way], row["n_test"]) for row in rows])
            axes.fill_between(seen, *ends.T, color=colour, alpha=0.15, linewidth=0)
    axes.set_xscale("log")
    seen = [row["n_train"] for row in online["rows"]]
    axes.set_xticks(seen[:1] if len(seen) == 1 else [seen[0], seen[len(seen) // 2], seen[-1]])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.xaxis.minorticks_off()
    accuracy_axis(axes)
    axes.set_ylim(bottom=0)
    return finished(axes, "recordings seen", "accuracy", title, key_columns=len(ways))


def spread(values, gap):
    """Move ascending values apart to at least ``gap``, each as little as the others allow.

    Values that come too close form groups, which keep their mean.

    Parameters
    ----------
    values : sequence of float
        Ascending.
    gap : float

    Returns
    -------
    list of float
    """
    groups = []  # (sum of what is left without the gaps, members)
    for index, value in enumerate(values):
        groups.append((value - index * gap, 1))
        while len(groups) > 1 and groups[-1][0] / groups[-1][1] < groups[-2][0] / groups[-2][1]:
            (total, n), (more, m) = groups.pop(), groups.pop()
            groups.append((total + more, n + m))
    bases = [total / n for total, n in groups for _ in range(n)]
    return [base + index * gap for index, base in enumerate(bases)]


def _sample_axes(axes, last, finals, longest):
    accuracy_axis(axes)
    axes.set(ylim=(0, 1.0), xlim=(0, 1.03 * longest), ylabel="accuracy")
    axes.set_xlabel("training samples")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.xaxis.get_major_locator().set_params(nbins=4, integer=True)
    samples = sorted({final["n_train"] for final in finals.values()})
    last.set_xlim(_LEFT, 1.1)
    texts = dict.fromkeys(f"{n:,}" for n in (*samples[:1], *samples[-1:]))
    last.set_xticks([0] if samples else [], [" to\n".join(texts)] if samples else [])
    last.spines["bottom"].set_bounds(_LEFT, 0.25)
    last.spines["left"].set_visible(False)
    last.tick_params(axis="y", length=0)


@styled
def distributions(accuracies, p_values, title=None):
    """Draw how trials spread beside the standard normal distribution (SKIM paper, Figure 5).

    Parameters
    ----------
    accuracies : dict of str to (n_trials,) array_like of float
        By training pattern; a column for each.
    p_values : dict of str to dict of str to float
        By training pattern: test's name -> p, written above the column.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        Without accuracies, for fewer than two, and for equal ones.
    """
    from scipy.stats import norm

    if not accuracies:
        raise DataError("no accuracies were given: give {training pattern: accuracies}")
    figure = new_figure(5.8, max(WIDTH, 2.2 * len(accuracies) + 0.6))
    panels = figure.subplots(2, len(accuracies), sharex=True, sharey="row", squeeze=False)
    found = {
        name: np.sort(standardised(values, f"accuracies of the {name} pattern"))
        for name, values in accuracies.items()
    }
    end = max(3.5, *(np.ceil(2 * np.abs(z).max()) / 2 for z in found.values()))
    grid = np.linspace(-end, end, 200)
    for column, (name, z) in enumerate(found.items()):
        above, below = panels[:, column]
        colour = _PATTERN_COLOURS.get(name, PALETTE[column % len(PALETTE)])
        above.hist(z, bins=np.arange(-end, end + 0.1, 0.5), density=True, color=colour, alpha=0.75)
        above.plot(grid, norm.pdf(grid), color=INK, linewidth=1.6)
        steps = np.arange(len(z) + 1) / len(z)
        below.step([-end, *z, end], [*steps, 1], where="post", color=colour)
        below.plot(grid, norm.cdf(grid), color=INK, linewidth=1.4, linestyle="--")
        texts = [
            f"{test}: p " + (f"= {p:.3f}" if p >= 0.001 else "< 0.001")
            for test, p in p_values.get(name, {}).items()
        ]
        lines = [f"{name.capitalize()}, {len(z)} trials", *texts]
        above.set_title("\n".join(wrapped(line, 26) for line in lines), fontsize=10)
        below.set_xlabel("standardised accuracy")
    panels[0, 0].set_ylabel("density")
    panels[1, 0].set_ylabel("cumulative share")
    panels[1, 0].set(xlim=(-end, end), ylim=(0, 1.02))
    figure.legend(
        handles=[
            panels[0, 0].plot([], [], color=INK, linewidth=1.6, label="standard normal density")[0],
            panels[0, 0].plot([], [], color=INK, linestyle="--", linewidth=1.4,
                              label="its cumulative distribution")[0],
        ],
        loc="outside lower left",
    )  # fmt: skip
    figure_title(figure, title)
    return figure


@styled
def spread_by_method(accuracies, title=None):
    """Draw the accuracies of all trials by output determination method (SKIM paper, Figure 6).

    Parameters
    ----------
    accuracies : dict of str to (n_trials,) array_like of float
        By method: a box of the quartiles, whiskers to the ends, a point for each trial, and mean
        and SD in words.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        Without accuracies, and for a method without any.
    """
    if not accuracies or not all(len(values) for values in accuracies.values()):
        raise DataError("no accuracies were given: give {method: accuracies}, none empty")
    axes = new_axes(1.2 + 0.75 * len(accuracies), grid="x")
    names = list(accuracies)
    axes.boxplot(
        [np.asarray(accuracies[name], float) for name in names],
        positions=range(len(names)),
        orientation="horizontal",
        whis=(0, 100),
        widths=0.55,
        patch_artist=True,
        boxprops={"facecolor": "#DCEAF4", "edgecolor": BLUE},
        whiskerprops={"color": BLUE},
        capprops={"color": BLUE},
        medianprops={"color": BLUE, "linewidth": 2},
    )
    for place, name in enumerate(names):
        values = np.asarray(accuracies[name], float)
        jitter = np.linspace(-0.16, 0.16, len(values)) * (-1) ** np.arange(len(values))
        axes.plot(values, place + jitter, "o", markersize=3, color=INK, alpha=0.5, linewidth=0)
    axes.set_yticks(range(len(names)), [f"{n}\n{_mean_text(accuracies[n])}" for n in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.1%}")
    axes.xaxis.get_major_locator().set_params(nbins=5, steps=[1, 2, 5, 10])
    axes.set_xlabel("accuracy")
    figure_title(axes.figure, title)
    return axes.figure


def _mean_text(values):
    mean = f"{100 * np.mean(values):.2f}"
    return f"{mean} ± {100 * np.std(values, ddof=1):.2f} %" if len(values) > 1 else f"{mean} %"


@styled
def errors_by_pattern(accuracies, title=None):
    """Draw mean errors by method and training pattern with their SD (SKIM paper, Figure 7).

    Parameters
    ----------
    accuracies : dict of str to dict of str to (n_trials,) array_like of float
        {training pattern: {method: accuracy of each trial}}; all patterns have the same methods.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        Without accuracies, and for patterns whose methods differ.
    """
    methods = [list(found) for found in accuracies.values()]
    if not methods or not methods[0] or any(each != methods[0] for each in methods):
        raise DataError(
            f"the methods of the {len(methods)} training patterns are {methods}: give the same "
            "for each, {pattern: {method: accuracies}}"
        )
    n_patterns, height = len(accuracies), 0.8 / len(accuracies)
    axes = new_axes(1.3 + (0.3 * n_patterns + 0.15) * len(methods[0]))
    tallest = 0.0
    for index, (pattern, found) in enumerate(accuracies.items()):
        colour = _PATTERN_COLOURS.get(pattern, PALETTE[index % len(PALETTE)])
        for group, method in enumerate(methods[0]):
            errors = 100 * (1 - np.asarray(found[method], float))
            mean, sd = errors.mean(), errors.std(ddof=1) if len(errors) > 1 else 0.0
            place = group + (index - (n_patterns - 1) / 2) * height
            axes.barh(place, mean, height=0.92 * height, color=colour,
                      label=None if group else pattern.capitalize())  # fmt: skip
            if sd:
                axes.errorbar(mean, place, xerr=sd, color=INK, capsize=2.5, linewidth=1.2)
            text = f"{mean:.2f} ± {sd:.2f}" if sd else f"{mean:.2f}"
            axes.annotate(text, (mean + sd, place), xytext=(5, 0), va="center",
                          textcoords="offset points", fontsize=10)  # fmt: skip
            tallest = max(tallest, mean + sd)
    axes.set_yticks(range(len(methods[0])), [name.replace(" ", "\n") for name in methods[0]])
    axes.set_ylim(len(methods[0]) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, 1.32 * (tallest or 1))
    return finished(axes, "mean error (%)", title=title, key_columns=n_patterns)
