"""Tables and pictures of the Spiking ResNet reproduction, on the terminal and in its report."""

import datetime

from nengo_tactile import __version__
from nengo_tactile.analysis import plots_resnet
from nengo_tactile.report import KeyNumber, Note, Picture, Report, Section, Table
from nengo_tactile.reproduce.resnet_plan import SETTINGS, Network
from nengo_tactile.reproduce.resnet_tables import TITLES, figure4_lines

_COLUMNS = ["network", "paper", "ours", "lost, paper", "lost, ours", "steps", "test images"]
_CAPTION = (
    "Accuracy in per cent; lost: points that the spiking network has less than its ANN on the same "
    "images (negative: more). The read-out is the mean over all steps; the late one, over the last "
    "half of them."
)


def _cells(row):
    def percent(value):
        return "-" if value is None else f"{100 * value:.2f}"

    def points(value):
        return "-" if value is None else f"{value:+.2f}"

    name = row["name"]
    if row.get("factor"):
        name += f" (factor {row['factor']:.3f})"
    return [
        name,
        percent(row["paper"]),
        percent(row["ours_mean"]) if row["n_test"] else "not run",
        points(row["paper_lost_points"]),
        points(row["lost_points"]),
        "-" if row["n_steps"] is None else str(row["n_steps"]),
        f"{row['n_test']:,}",
    ]


def terminal_tables(results):
    """One rich table for each of the paper's.

    Parameters
    ----------
    results : dict
        Of `spiking_resnet.summarise`.

    Returns
    -------
    list of rich.table.Table
    """
    from rich.table import Table as RichTable

    tables = []
    for part, title in TITLES.items():
        rows = [row for row in results["rows"] if row["table"] == part]
        if not rows:
            continue
        table = RichTable(title=title, title_justify="left")
        for column in _COLUMNS:
            table.add_column(column, justify="left" if column == "network" else "right")
        for row in rows:
            table.add_row(*_cells(row))
        tables.append(table)
    return tables


def figures(results):
    """The pictures that the results are enough for, {file name: figure}."""
    found = {}
    lines = figure4_lines(results["rows"])
    if lines:
        found["figure4"] = plots_resnet.loss_by_depth(lines)
    if results["figure3"]:
        for measure, key in (
            ("maximum firing rate", "maximum"),
            ("99.9th percentile of rates", "percentile_99_9"),
        ):
            rates = {Network(row["network"]).title: row[key] for row in results["figure3"]}
            found[f"figure3-{key.split('_')[0]}"] = plots_resnet.rates_by_layer(rates, measure)
    for name in dict.fromkeys(cell["network"] for cell in results["cells"]):
        cells = [cell for cell in results["cells"] if cell["network"] == name]
        most = max(cells, key=lambda cell: cell["n_test"])
        found[f"steps-{name}"] = plots_resnet.accuracy_over_steps(
            _curves(Network(name), cells, most["n_test"]),
            most["ann_accuracy"],
            title=f"{Network(name).title}, {most['n_test']:,} test images",
        )
    return found


def _curves(network, cells, n_test):
    """Lines of a network's picture, {name: accuracy after each step}."""
    curves = {}
    for cell in cells:
        setting, steps = SETTINGS[cell["setting"]], ""
        title = network.setting_title(cell["setting"])
        if setting.n_steps:
            steps = f" for {setting.n_steps} steps"
        images = "" if cell["n_test"] == n_test else f" ({cell['n_test']:,} images)"
        whole, late = cell["accuracy_over_time"], cell["late_accuracy_over_time"]
        if setting.n_steps is None and cell["setting"] != "channels":
            curves[f"{title}{images}"] = whole
        if setting.n_steps or cell["setting"] in ("beta", "channels"):
            curves[f"{title}{steps}, late read-out{images}"] = late
    return curves


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
    sections = []
    for part, title in TITLES.items():
        rows = [row for row in results["rows"] if row["table"] == part]
        if not rows:
            continue
        items = [Table(_COLUMNS, [_cells(row) for row in rows], _CAPTION)]
        if part == "figure4" and "figure4" in pictures:
            items.append(
                Picture(
                    pictures["figure4"],
                    "Accuracy lost by conversion over depth (paper, Figure 4).",
                    "Lines of points lost by plain and residual networks over their depth",
                )
            )
        if part == "steps":
            items += _steps_pictures(pictures)
        sections.append(Section(title, "", items))
    if not any(row["table"] == "steps" for row in results["rows"]) and _steps_pictures(pictures):
        sections.append(Section("Accuracy over time steps", "", _steps_pictures(pictures)))
    if results["figure3"]:
        sections.append(_figure3_section(results, pictures))
    if results["cells"]:
        sections.append(_cost_section(results))
    return Report(
        "Spiking ResNet",
        "Residual networks with batch normalisation, converted to integrate-and-fire neurons that "
        "fire at most once a time step. Run by the event engine, which fires NengoDL's spikes.",
        {
            "command": results["command"],
            "seed": results["seed"],
            "data": ", ".join(dict.fromkeys(row["data"] for row in results["rows"])),
            "nengo-tactile": __version__,
            "date": datetime.date.today().isoformat(),
        },
        [
            KeyNumber(
                row["name"].split(",")[0],
                f"{row['ours_mean']:.2%}",
                f"{row['lost_points']:+.2f} points lost, {row['n_steps']} steps, "
                f"{row['n_test']:,} images",
            )
            for row in results["rows"]
            if row["table"] == "table1" and row["lost_points"] is not None
        ],
        [
            Note(
                "Percentiles, compensation and calibration are chosen on training images alone. "
                "The paper does not say where its membrane potentials start; rows say where ours "
                "do. Its networks were trained with another schedule."
            )
        ],
        sections,
    )


def _steps_pictures(pictures):
    return [
        Picture(
            figure,
            "Accuracy if one stopped reading after each step.",
            "Accuracy of spiking networks rising over time steps towards the ANN's",
        )
        for name, figure in pictures.items()
        if name.startswith("steps-")
    ]


def _figure3_section(results, pictures):
    first = results["figure3"][0]
    return Section(
        "Figure 3: maximum firing rate by layer",
        f"On {first['n_train']:,} random training images (the paper: 10,000), {first['n_steps']} "
        "steps from zero, nothing compensated. The layers are normalised to the 99.9th percentile "
        "of their activations, so without discretisation that percentile would be 1 in all.",
        [
            Picture(
                pictures[f"figure3-{key}"],
                caption,
                "Firing rate of each layer over the depth of the network",
            )
            for key, caption in (
                ("maximum", "The largest rate of any neuron (paper, Figure 3)."),
                ("percentile", "The percentile that the layers are normalised with."),
            )
        ],
    )


def _cost_section(results):
    columns = [
        *("network", "setting", "steps", "agreement", "spikes", "synops"),
        *("images", "images a second"),
    ]
    rows = [
        [
            Network(cell["network"]).title,
            SETTINGS[cell["setting"]].title,
            cell["n_steps"],
            f"{cell['agreement']:.2%}",
            round(cell["spikes"]),
            round(cell["synops"]),
            cell["n_test"],
            round(cell["images_per_second"], 2),
        ]
        for cell in results["cells"]
    ]
    caption = (
        "Agreement of the spikes' winner with the converted network's; spikes and synaptic "
        "operations for one image over all steps."
    )
    return Section("Activity and cost", "", [Table(columns, rows, caption)])
