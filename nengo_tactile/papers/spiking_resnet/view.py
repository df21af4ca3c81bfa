"""Tables and pictures of the Spiking ResNet reproduction."""

import functools

from nengo_tactile.analysis import plots_resnet
from nengo_tactile.experiments.tables import Figure, Table, form, percent, points
from nengo_tactile.papers.spiking_resnet.numbers import figure4_lines
from nengo_tactile.papers.spiking_resnet.plan import SETTINGS, Network
from nengo_tactile.report import KeyNumber

#: Table or figure -> its title.
TITLES = {
    "table1": "Table 1: the ANN and its spiking network",
    "table2": "Table 2: shortcut normalisation",
    "table3": "Table 3: error compensation",
    "figure4": "Figure 4: plain and residual networks",
    "steps": "Accuracy after few time steps",
}
CAPTION = (
    "Accuracy in per cent; lost: points that the spiking network has less than its ANN on the same "
    "images (negative: more). The read-out is the mean over all steps; the late one, over the last "
    "half of them."
)


def _name(row):
    return row["name"] + (f" (factor {row['factor']:.3f})" if row.get("factor") else "")


def _ours(row):
    return percent(row["ours_mean"]) if row["n_test"] else "not run"


COLUMNS = {
    "network": (_name, str),
    "paper": ("paper", percent),
    "ours": (_ours, str),
    "lost, paper": ("paper_lost_points", points),
    "lost, ours": ("lost_points", points),
    "steps": ("n_steps", form("d")),
    "test images": ("n_test", form(",")),
}


def _rows(part, results):
    return [row for row in results["rows"] if row["table"] == part]


TABLES = {
    f"rows-{part}": Table(title, functools.partial(_rows, part), COLUMNS, CAPTION, titled=False)
    for part, title in TITLES.items()
}
TABLES["cost"] = Table(
    "Activity and cost",
    lambda results: results["cells"],
    {
        "network": (lambda cell: Network(cell["network"]).title, str),
        "setting": (lambda cell: SETTINGS[cell["setting"]].title, str),
        "steps": ("n_steps", int),
        "agreement": ("agreement", form(".2%")),
        "spikes": ("spikes", round),
        "synops": ("synops", round),
        "images": ("n_test", int),
        "images a second": ("images_per_second", lambda value: round(value, 2)),
    },
    "Agreement of the spikes' winner with the converted network's; spikes and synaptic operations "
    "for one image over all steps.",
    short=False,
    titled=False,
)


def _loss_by_depth(results):
    lines = figure4_lines(results["rows"])
    return (lines and plots_resnet.loss_by_depth(lines)) or None


def _rates(key, measure, results):
    rates = {Network(row["network"]).title: row[key] for row in results["figure3"]}
    return (rates and plots_resnet.rates_by_layer(rates, measure)) or None


def _over_steps(name, results):
    cells = [cell for cell in results["cells"] if cell["network"] == name]
    most = max(cells, key=lambda cell: cell["n_test"])
    return plots_resnet.accuracy_over_steps(
        _curves(Network(name), cells, most["n_test"]),
        most["ann_accuracy"],
        title=f"{Network(name).title}, {most['n_test']:,} test images",
    )


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


_RATES_ALT = "Firing rate of each layer over the depth of the network"
FIGURES = {
    "figure4": Figure(
        _loss_by_depth,
        "Accuracy lost by conversion over depth (paper, Figure 4).",
        "Lines of points lost by plain and residual networks over their depth",
    ),
    "figure3-maximum": Figure(
        functools.partial(_rates, "maximum", "maximum firing rate"),
        "The largest rate of any neuron (paper, Figure 3).",
        _RATES_ALT,
    ),
    "figure3-percentile": Figure(
        functools.partial(_rates, "percentile_99_9", "99.9th percentile of rates"),
        "The percentile that the layers are normalised with.",
        _RATES_ALT,
    ),
}


def _networks(results):
    return list(dict.fromkeys(cell["network"] for cell in results["cells"]))


def figures(results):
    """The paper's, and one of accuracy over time steps for each network."""
    return FIGURES | {
        f"steps-{name}": Figure(
            functools.partial(_over_steps, name),
            "Accuracy if one stopped reading after each step.",
            "Accuracy of spiking networks rising over time steps towards the ANN's",
        )
        for name in _networks(results)
    }


def sections(results):
    """One for each table, figure 3, and what it costs."""
    steps = tuple(f"steps-{name}" for name in _networks(results))
    pictures = {"figure4": ("figure4",), "steps": steps}
    few_steps = TITLES["steps"] if _rows("steps", results) else "Accuracy over time steps"
    found = []
    for part, title in (TITLES | {"steps": few_steps}).items():
        # the table, and behind it the picture of the same name
        shown = (f"rows-{part}",) if _rows(part, results) else ()
        found.append((title, "", (*shown, *pictures.get(part, ()))))
    for first in results["figure3"][:1]:
        text = (
            f"On {first['n_train']:,} random training images (the paper: 10,000), "
            f"{first['n_steps']} steps from zero, nothing compensated. The layers are normalised "
            "to the 99.9th percentile of their activations, so without discretisation that "
            "percentile would be 1 in all."
        )
        keys = ("figure3-maximum", "figure3-percentile")
        found.append(("Figure 3: maximum firing rate by layer", text, keys))
    return [*found, ("Activity and cost", "", ("cost",))]


NOTE = (
    "Percentiles, compensation and corrections are chosen on training images alone. The paper "
    "does not say where its membrane potentials start; rows say where ours do. Its networks were "
    "trained with another schedule."
)


def key_numbers(results):
    """Tiles of Table 1."""
    return [
        KeyNumber(
            row["name"],
            f"{row['ours_mean']:.2%}",
            f"{row['lost_points']:+.2f} points lost, {row['n_steps']} steps, "
            f"{row['n_test']:,} images",
        )
        for row in results["rows"]
        if row["table"] == "table1" and row["lost_points"] is not None
    ]
