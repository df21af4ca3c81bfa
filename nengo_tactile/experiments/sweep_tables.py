"""What a sweep's results show: the table of all settings, and accuracy over cost."""

import csv

import numpy as np

from nengo_tactile import files
from nengo_tactile.analysis import plots_sweep
from nengo_tactile.analysis.accuracy import accuracy_interval
from nengo_tactile.analysis.energy import joules_text
from nengo_tactile.experiments.tables import Figure, Table, form, percent, rich_table, whole

#: Of columns that are told in other words than JSON's.
_TITLES = {
    "ann_multiplications": "multiplications of the ANN",
    "chip_joules_rough": "energy on the chip, rough",
}


def tables(results):
    """What a terminal shows of a sweep's results, a list of rich tables."""
    names = tuple(dict.fromkeys(name for row in results["rows"] for name in row["settings"]))
    failed = [[each["cell"], each["error"]] for each in results.get("failed", ())]
    found = [table_of(results, names).rich(results)]
    found += [rich_table("Cells that failed", ["cell", "error"], failed)] if failed else []
    return [table for table in found if table]


def table_of(results, names):
    """Rows of all settings, the best first."""
    given = {key for row in results["rows"] for key in row}
    what = "error" if "error" in given else "accuracy"
    columns: dict = {
        name: ((lambda row, name=name: row["settings"].get(name)), _written) for name in names
    }
    columns[f"{what}, %" if what == "accuracy" else what] = (
        lambda row: row.get(what),
        percent if what == "accuracy" else form(".4g"),
    )
    if {"accuracy", "n_test"} <= given:
        columns["95 % interval"] = (lambda row: row, _interval)
    others: dict = {
        "reference": percent if what == "accuracy" else form(".4g"),
        "bound": percent if what == "accuracy" else form(".4g"),
        "latency_step": whole,
        "spikes": whole,
        "unit_spikes": whole,
        "synops": whole,
        "ann_multiplications": whole,
        "chip_joules_rough": _energy,
        "seconds": form(".2f"),
    }
    own = sorted(given - {"settings", what, "n_test", "steps", "engine", *others})
    for name in [*(name for name in others if name in given), *own]:
        columns[_TITLES.get(name, name.replace("_", " "))] = (
            (lambda row, name=name: row.get(name)),
            others.get(name, _written),
        )
    sign = -1 if what == "accuracy" else 1
    rows = sorted(results["rows"], key=lambda row: sign * row[what])
    return Table("Settings", lambda results: rows, columns, "The best first.", titled=False)


def _written(value):
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value)


def _energy(joules):
    return "-" if joules is None else joules_text(joules)


def _interval(row):
    low, high = accuracy_interval(row["accuracy"], row["n_test"])
    return f"{100 * low:.1f} to {100 * high:.1f}"


def _draw(results):
    rows = [row for row in results["rows"] if "accuracy" in row]
    costs = {
        title: np.array([row[key] for row in rows], float)
        for key, title in (
            ("steps", "time steps"),
            ("spikes", "spikes"),
            ("synops", "synaptic operations"),
        )
        if rows and all(row.get(key) is not None for row in rows)
    }
    if not costs:
        return None
    references = {row.get("reference") for row in rows}
    reference = references.pop() if len(references) == 1 else None
    return plots_sweep.accuracy_over_costs(
        costs, np.array([row["accuracy"] for row in rows]), reference
    )


FIGURE = Figure(
    _draw,
    "Each point is one combination of settings; spikes and synaptic operations are those of a "
    "sample. The line joins those that no other one beats in "
    "both accuracy and cost.",
    "Accuracy over time steps, spikes and synaptic operations, with the best combinations joined",
)


def write_csv(path, rows):
    """The table for spreadsheets: settings first, then numbers."""

    names = list(dict.fromkeys(name for row in rows for name in row["settings"]))
    numbers = list(dict.fromkeys(key for row in rows for key in row if key != "settings"))
    with files.atomic_write(path) as file:
        writer = csv.writer(file)
        writer.writerow([*names, *numbers])
        for row in rows:
            settings = [row["settings"].get(name) for name in names]
            writer.writerow([*settings, *(row.get(key) for key in numbers)])
