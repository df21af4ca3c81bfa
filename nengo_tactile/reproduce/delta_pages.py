"""Tables and pictures of the sigma-delta reproduction, on the terminal and in its report."""

import datetime

from nengo_tactile import __version__
from nengo_tactile.analysis import plots_delta
from nengo_tactile.report import KeyNumber, Note, Picture, Report, Section, Table
from nengo_tactile.reproduce.delta_plan import CODING, NEURONS, SETTINGS, SHOWN

_COLUMNS = [
    *("network", "paper", "ours", "lost, paper", "lost, ours"),
    *("spikes, paper", "spikes, ours", "accumulations"),
]
_CAPTION = (
    "Accuracy in per cent; lost: points less than the ANN has on the same grey images (negative: "
    f"more); spikes per image and neuron, of {NEURONS:,} neurons, pixels and outputs with them; "
    "accumulations: synaptic operations for an image."
)


def _cells(row):
    def number(value, form):
        return "-" if value is None else format(value, form)

    def percent(value):
        return "-" if value is None else f"{100 * value:.2f}"

    lost = None if row["name"] == "ANN" else row["lost_points"]
    return [
        row["name"],
        percent(row["paper"]),
        percent(row["ours_mean"]),
        number(row["paper_lost_points"], "+.2f"),
        number(lost, "+.2f"),
        number(row["paper_spikes"], ".2f"),
        number(row["spikes"], ".3f"),
        number(row["synops"], ",.0f"),
    ]


def terminal_table(results):
    """Table I as a rich table.

    Parameters
    ----------
    results : dict
        Of `sigma_delta.summarise`.
    """
    from rich.table import Table as RichTable

    n = max((row["n_test"] for row in results["rows"]), default=0)
    table = RichTable(title=f"Table I, {n:,} test images", title_justify="left")
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column == "network" else "right")
    for row in results["rows"]:
        table.add_row(*_cells(row))
    return table


def figures(results):
    """The pictures that the results are enough for, {file name: figure}."""
    found, first = {}, results["figure2"]
    if first:
        found["figure2-potentials"] = plots_delta.potentials_over_time(
            first["times"], first["outputs"], first["label"], CODING.span
        )
        found["figure2-spikes"] = plots_delta.input_spikes(
            first["input"]["times"], first["input"]["pixels"], first["image"]
        )
    curves = {curve["setting"]: curve for curve in results["curves"]}
    if not curves:
        return found
    ann = next(iter(curves.values()))["ann_accuracy"]
    changes = {key: curve for key, curve in curves.items() if SETTINGS[key].spikes_by_change}
    curves = changes | curves  # in an order that gives a setting the same colour everywhere

    def lines(chosen, cost):
        return {SETTINGS[k].title: (c[cost], c["accuracy"]) for k, c in chosen.items()}

    if changes:
        found["figure3-time"] = plots_delta.accuracy_by(
            lines(changes, "time"), "time (time units)", ann
        )
    found["figure3-spikes"] = plots_delta.accuracy_by(
        lines(curves, "spikes"), "spikes per neuron so far", ann
    )
    marks = {f"ANN, {name}": value for name, value in results["ann_operations"].items()}
    found["figure4"] = plots_delta.accuracy_by(
        lines(curves, "synops"), "accumulations for an image so far", ann, marks
    )
    return found


_PICTURES = {
    "figure2-potentials": (
        "Figure 2a: potentials of the outputs for the first test image, after each spike that "
        "changed them.",
        "Lines of ten membrane potentials over time",
    ),
    "figure2-spikes": (
        "Figures 2b and 2c: spikes of that image, one for each pixel brighter than a fifth.",
        "Spikes by time and pixel, and a handwritten digit",
    ),
    "figure3-time": (
        "Figure 3a: accuracy over time, if one stopped reading then.",
        "Accuracy rising over time towards the ANN's",
    ),
    "figure3-spikes": (
        "Figure 3b: accuracy over the spikes so far.",
        "Accuracy rising over spikes towards the ANN's",
    ),
    "figure4": (
        "Figure 4: accuracy over the accumulations so far. Vertical lines: multiplications of the "
        "ANN as two accumulations each, as the paper counts them (455 K, without the 16 channels "
        "that each filter of the second convolution reads), and all of them.",
        "Accuracy rising over operations towards the ANN's",
    ),
}


def report(results, pictures):
    """The report.

    Parameters
    ----------
    results : dict
    pictures : dict of str to figure
        From `figures`.

    Returns
    -------
    nengo_tactile.report.Report
    """
    shown = [row for row in results["rows"] if row["kind"] == "snn"]
    sections = [Section("Table I", "", [Table(_COLUMNS, [_cells(r) for r in results["rows"]],
                                              _CAPTION)])]  # fmt: skip
    sections += [
        Section(title, "", [Picture(pictures[n], *_PICTURES[n]) for n in names if n in pictures])
        for title, names in (
            ("Figure 2: one image", ("figure2-potentials", "figure2-spikes")),
            ("Figure 3: accuracy over time and spikes", ("figure3-time", "figure3-spikes")),
            ("Figure 4: accuracy over operations", ("figure4",)),
        )
        if any(name in pictures for name in names)
    ]
    sections.append(_cost_section(results))
    return Report(
        "Sigma-delta networks",
        "The paper's network for MNIST, 16C5-2MP2-8C5-2MP2-256FC-10FC, whose neurons send changes "
        "of their quantised activation, run spike by spike.",
        {
            "command": results["command"],
            "seed": results["seed"],
            "data": ", ".join(dict.fromkeys(row["data"] for row in results["rows"])),
            "nengo-tactile": __version__,
            "date": datetime.date.today().isoformat(),
        },
        [
            KeyNumber(
                row["name"],
                f"{row['ours_mean']:.2%}",
                f"{row['lost_points']:+.2f} points lost, {row['spikes']:.3f} spikes per neuron, "
                f"{row['n_test']:,} images",
            )
            for row in shown
            if row["setting"] in (SHOWN, "threshold-2")
        ],
        [
            Note(
                "Thresholds are in the unit of activations, and so depend on how a network was "
                "trained. Ours learnt with activations quantised at random thresholds of up to "
                "2, with a price on each spike, and with shifted images, half of them of one "
                "bit; the paper's with plain gradient descent. Thresholds by layer are chosen on "
                "training images. Rate coding takes the grey image as a constant current and our "
                "integrate-and-fire neurons, and what that current costs in the first layer, once, "
                "is not among its accumulations; the paper used another toolbox, in which pixels "
                "spike."
            )
        ],
        sections,
    )


def _cost_section(results):
    rows = [
        [
            SETTINGS[curve["setting"]].title,
            name,
            round(sums["spikes"], 1),
            round(sums["synops"]),
        ]
        for curve in results["curves"]
        for name, sums in curve["layers"].items()
    ]
    caption = (
        "For one image. Max pooling passes on changes of the largest sum; these are not counted "
        "as spikes of neurons, but what they cost is."
    )
    columns = ["setting", "layer", "spikes", "accumulations"]
    return Section("Activity and cost by layer", "", [Table(columns, rows, caption)])
