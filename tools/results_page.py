"""docs/results.md: results_page.md, filled from docs/results/*.json and the shipped models' cards.

    python tools/results_page.py

Writes the page and prints README's table of results. A test says when they are to be made again.
"""

import json
from pathlib import Path

import jinja2

from nengo_tactile.analysis.accuracy import accuracy_interval
from nengo_tactile.files import atomic_write

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
        result=result, card=card, accuracies=accuracies, shipped=shipped, sizes=sizes, losses=losses
    )
    environment.filters.update(percent=percent, share=share, count=count, joined=", ".join)
    source = Path(__file__).with_suffix(".md").read_text("utf-8")
    made = "Made by `python tools/results_page.py` from the results and model cards that it names."
    return environment.from_string(source).render(made=made)


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


def table(columns, rows):
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def accuracies(name, group=None):
    """Rows of a result, ours beside the paper's.

    Parameters
    ----------
    name : str
        File of docs/results.
    group : str, optional
        Value of the rows' ``table``; by default all.
    """
    rows = [row for row in result(name)["rows"] if group in (None, row.get("table"))]
    more = [kind for kind in _MORE if any(row.get(kind) is not None for row in rows)]
    with_paper = any(row["paper"] is not None for row in rows)
    columns = ["", *["paper"] * with_paper, "ours", *(_MORE[kind][0] for kind in more)]
    cells = []
    for row in rows:
        paper = [_paper(row)] * with_paper
        n_test = count(row["n_test"]) if row["ours_mean"] is not None else "-"
        ours = share(row["ours_mean"], row["n_test"], row["ours_sd"])
        cells.append([row["name"], *paper, ours, *(_MORE[k][1](row) for k in more), n_test])
    return table([*columns, "test samples"], cells)


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


def shipped(*names):
    """Converted models beside one another, of their cards."""
    cards = [card(name) for name in names]
    dl, chip = ([one[engine] for one in cards] for engine in ("NengoDL", "Loihi emulator"))
    samples = [one["test samples"] for one in cards]
    on_the_same = "CNN accuracy on the emulator's samples"
    emulated = [
        f"{share(run['accuracy'], run['n_test'])} of {count(run['n_test'])} samples, the CNN on "
        f"the same: {percent(one[on_the_same])}"
        for one, run in zip(cards, chip)
    ]
    rows = {
        "network": [one["network"] for one in cards],
        "test samples": map(count, samples),
        "CNN": [share(one["CNN accuracy"], n) for one, n in zip(cards, samples)],
        "spiking, NengoDL": [share(run["accuracy"], run["n_test"]) for run in dl],
        "Loihi emulator": emulated,
        "latency: within 1 point of the end, NengoDL": [
            f"step {run['latency_step']} of {run['n_steps']}" for run in dl
        ],
        "spikes per sample up to there": [count(run["spikes_to_latency"]) for run in dl],
        "synaptic operations per sample up to there": [
            count(run["synops_to_latency"]) for run in dl
        ],
        "Loihi cores": [count(run["cores"]) for run in chip],
    }
    return table(["", *(f"`{name}`" for name in names)], [[k, *v] for k, v in rows.items()])


def sizes(**kernels):
    """SKIM's accuracies by hidden neurons.

    Parameters
    ----------
    **kernels : str
        Kind of kernel -> file of docs/results.
    """
    growth = {kind: result(name) for kind, name in kernels.items()}
    papers = {
        row["n_hidden"]: row for one in growth.values() for row in one["rows"] if row["paper"]
    }
    tests = {"simulated": "final", "recordings of training digits": "recordings"}
    tests["recordings of test digits"] = "recorded_test"
    columns = ["hidden neurons", "paper", *(f"{kind}, {test}" for kind in growth for test in tests)]
    cells = {}
    for number in sorted({one["n_hidden"] for all_ in growth.values() for one in all_["growth"]}):
        paper = papers.get(number)
        of_paper = "-" if paper is None else f"{_paper(paper)} ({count(paper['n_train'])} digits)"
        cells[number] = [count(number), of_paper]
        for kind in growth:
            there = [one for one in growth[kind]["growth"] if one["n_hidden"] == number]
            for key in tests.values():
                cell = share(there[0][key]["accuracy"], there[0][key]["n_test"]) if there else "-"
                cells[number].append(cell)
    return table(columns, cells.values())


def losses(name):
    """The Spikemax paper's losses on our data: accuracy, latency and spikes."""
    cells = []
    for one in result(name)["measures"]:
        accuracy, sd = one["accuracy_over_time"][-1], one["accuracy_sd_over_time"][-1]
        latency = f"{one['latency']['ms'] / 1000:.2f} s"
        spikes = count(one["all_spikes"]["mean"])
        shown = share(accuracy, one["n_test"], sd)
        cells.append([one["title"], one["loss"], shown, latency, spikes, count(one["n_test"])])
    columns = ["data", "loss", "accuracy (SD)", "latency", "spikes of a sample", "test samples"]
    return table(columns, cells)


#: Rows of README's table: network, data, file of docs/results, rows of the network and its ANN.
_SHORT = (
    (
        "ST-MNIST paper's CNN, slow LIF neurons",
        "simulated e-skin, other writers",
        "eskin-pendigits-given",
        ("ANN-SNN (NengoDL)", "CNN"),
    ),
    ("the same", "STEMNIST", "stemnist-given", ("ANN-SNN (NengoDL)", "CNN")),
    (
        "ResNet-8, integrate-and-fire, 128 steps",
        "MNIST",
        "spiking-resnet",
        ("ResNet-8, SNN-beta, from half the threshold, late read-out", "ResNet-8, ANN"),
    ),
    (
        "ResNet-20, integrate-and-fire, 32 steps",
        "CIFAR-10",
        "spiking-resnet",
        ("ResNet-20, corrected potential, late read-out, 32 steps", "ResNet-20, ANN"),
    ),
    (
        "sigma-delta paper's CNN, one spike for four neurons",
        "MNIST",
        "sigma-delta",
        ("SNN, threshold 1.0", "ANN"),
    ),
    (
        "SKIM, 10,000 hidden neurons, trained in closed form",
        "simulated N-MNIST",
        "skim",
        ("10,000 hidden neurons, 60,000 training samples",),
    ),
    (
        "78-512-36, trained on spikes, spikemax_s loss",
        "Ev-Objects, 36 objects",
        "spikemax",
        ("Ev-Objects, spikemax_s",),
    ),
)


def short():
    """README's table of results."""
    cells = []
    for network, data, name, rows in _SHORT:
        found = result(name)["rows"]
        shown = [next(row for row in found if row["name"] == wanted) for wanted in rows]
        accuracy = [share(row["ours_mean"], row["n_test"], row["ours_sd"]) for row in shown]
        ann = accuracy[1] if len(rows) == 2 else "-"
        cells.append([network, data, accuracy[0], ann, count(shown[0]["n_test"])])
    return table(["network", "data", "accuracy, %", "its ANN's", "test samples"], cells)


def main():
    """Write the page, and print README's table."""
    with atomic_write(PAGE) as file:
        file.write(page())
    print(short())


if __name__ == "__main__":
    main()
