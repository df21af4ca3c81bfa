"""docs/results.md: results_page.md, filled from docs/results/*.json and the shipped models' cards.

    python tools/results_page.py

Writes the page and prints README's table of results. A test says when they are to be made again.
"""

import json
import statistics
from pathlib import Path

import jinja2

from nengo_tactile.analysis.accuracy import accuracy_interval
from nengo_tactile.files import atomic_write
from nengo_tactile.papers.few_steps.plan import NETWORKS, SETTINGS
from nengo_tactile.papers.spikemax.findings import at_equal_accuracy

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "results.md"
#: Accuracies on no more samples than this get an interval.
FEW = 2000


def page():
    """The page's text."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    environment.globals.update(
        result=result, card=card, accuracies=accuracies, measured=measured, few_steps=few_steps,
        over_seeds=over_seeds, at_equal_accuracy=at_equal_accuracy,
    )  # fmt: skip
    environment.filters.update(percent=percent, share=share, count=count, card=card)
    source = Path(__file__).with_suffix(".md").read_text("utf-8")
    return environment.from_string(source).render()


def result(name):
    """A file of docs/results."""
    return json.loads((ROOT / "docs" / "results" / f"{name}.json").read_text("utf-8"))


def card(name):
    """The card of a shipped model."""
    return json.loads((ROOT / "models" / name / "card.json").read_text("utf-8"))


def percent(accuracy, digits=2):
    """Write a share in per cent; "-" for None."""
    return "-" if accuracy is None else f"{100 * accuracy:.{digits}f}"


def count(number):
    """Write a whole number; "-" for None."""
    return "-" if number is None else f"{number:,.0f}"


def share(accuracy, n, sd=None):
    """Write an accuracy in per cent, with its standard deviation, and interval where n is few."""
    text = percent(accuracy)
    if accuracy is None:
        return text
    if sd is not None:
        text += f" ({percent(sd)})"
    if n <= FEW:
        text += " [{}, {}]".format(*(percent(end, 1) for end in accuracy_interval(accuracy, n)))
    return text


def measured(name, row):
    """Our accuracy and its number of samples, of a row of a result, as two cells."""
    row = next(one for one in result(name)["rows"] if one["name"] == row)
    return f"{share(row['ours_mean'], row['n_test'], row['ours_sd'])} | {count(row['n_test'])}"


def over_seeds(name, key="accuracy"):
    """Mean over the seeds of a sweep, as a cell."""
    rows = result(name)["rows"]
    values = [row[key] for row in rows]
    return share(statistics.mean(values), rows[0]["n_test"], statistics.stdev(values))


def accuracies(name, group=None, all_rows=True):
    """Rows of a result, ours beside the paper's.

    Parameters
    ----------
    name : str
        File of docs/results.
    group : str, optional
        Value of the rows' ``table``; by default all.
    all_rows : bool
        The paper's too that were not run.
    """
    rows = [row for row in result(name)["rows"] if group in (None, row.get("table"))]
    rows = [row for row in rows if all_rows or row["ours_mean"] is not None]
    more = [kind for kind in _MORE if any(row.get(kind) is not None for row in rows)]
    with_paper = any(row["paper"] is not None for row in rows)
    columns = ["", *["paper"] * with_paper, "ours", *(_MORE[kind][0] for kind in more)]
    cells = []
    for row in rows:
        paper = [_paper(row)] * with_paper
        n_test = count(row["n_test"]) if row["ours_mean"] is not None else "-"
        ours = share(row["ours_mean"], row["n_test"], row["ours_sd"])
        cells.append([row["name"], *paper, ours, *(_MORE[k][1](row) for k in more), n_test])
    columns.append("test samples")
    lines = [columns, ["---"] * len(columns), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def few_steps(name):
    """Points lost and packets by kind of spikes and number of steps, a table for each network."""
    rows, tables = result(name)["rows"], []
    for network in dict.fromkeys(row["network"] for row in rows):
        own = [row for row in rows if row["network"] == network]
        steps = sorted({row["n_steps"] for row in own})
        lines = [["spikes, steps:", *map(str, steps)], ["---"] * (1 + len(steps))]
        for setting in dict.fromkeys(row["setting"] for row in own):
            cells = {row["n_steps"]: _few(row) for row in own if row["setting"] == setting}
            lines.append([SETTINGS[setting].title, *(cells.get(n, "") for n in steps)])
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        ann, n = own[0]["ann"], own[0]["n_test"]
        tables.append(f"{NETWORKS[network]}: {percent(ann)} % of {count(n)} samples\n\n{table}")
    return "\n\n".join(tables)


def _few(row):
    return f"{row['lost_points'] + 0.0:.2f} / {count(row['spikes'])}"


def _paper(row):
    spread = "" if row["paper_sd"] is None else f" ({percent(row['paper_sd'])})"
    return percent(row["paper"]) + spread


def _lost(row):
    points = [row["lost_points"], row["paper_lost_points"]]
    return _beside(*(None if one is None else f"{one + 0.0:+.2f}" for one in points))


def _spikes(row):
    ours, paper = row["spikes"], row["paper_spikes"]
    return _beside(ours and f"{ours:.3f}", paper and f"{paper:.2f}")


def _beside(ours, paper):
    return (ours or "-") + (f" ({paper})" if paper else "")


#: What rows of a paper tell beside accuracies: heading, and how it is written.
_MORE = {
    "lost_points": ("points lost (paper)", _lost),
    "n_steps": ("steps", lambda row: count(row["n_steps"])),
    "spikes": ("spikes per neuron (paper)", _spikes),
    "synops": ("accumulations", lambda row: count(row["synops"])),
}


def short():
    """README's table of results, which the page begins with."""
    return page().split("## In short\n\n")[1].split("\n\n")[0]


def main():
    """Write the page, and print README's table."""
    with atomic_write(PAGE) as file:
        file.write(page())
    print(short())


if __name__ == "__main__":
    main()
