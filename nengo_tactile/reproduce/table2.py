"""The command behind ``nengo-tactile reproduce st-mnist``: results, table and report."""

import datetime
from pathlib import Path

from nengo_tactile import __version__, files
from nengo_tactile.analysis import plots
from nengo_tactile.datasets.stmnist import locate_stmnist
from nengo_tactile.errors import DataError
from nengo_tactile.report import KeyNumber, Note, Picture, Report, Section, write_report
from nengo_tactile.reproduce import pages, paths, st_mnist
from nengo_tactile.reproduce.tasks import TASKS, open_task, task_named


def run(
    task_name=None,
    n_splits=10,
    n_emulator=200,
    protocol="random",
    out="nengo-tactile-out/st-mnist",
    data_dir=None,
    seed=0,
    progress=None,
    say=print,
    plan=None,
    slayer=False,
    slayer_epochs=None,
):
    """Reproduce Table 2 of the ST-MNIST paper; write results.json and report.html.

    Parameters
    ----------
    task_name : str, optional
        By default ST-MNIST where ``data_dir`` holds it, else the e-skin driven by recorded
        trajectories where those are there, else the e-skin with invented writers.
    n_splits, n_emulator, seed : int
    protocol : {"random", "given"}
        See `nengo_tactile.reproduce.st_mnist.Plan`.
    out, data_dir : path
    progress : bool, optional
    say : callable
    plan : Plan, optional
        Instead of the one made from the arguments.
    slayer, slayer_epochs
        See `nengo_tactile.reproduce.st_mnist.Plan`.

    Returns
    -------
    rich.table.Table
    """
    out = Path(out)
    task = task_named(task_name or _best_task(data_dir, say), tactile=True)
    plan = plan or st_mnist.Plan(
        task,
        n_splits,
        protocol,
        n_emulator,
        seed=seed,
        slayer=slayer,
        slayer_epochs=slayer_epochs,
    )
    results, last = st_mnist.reproduce(plan, out, data_dir, progress, say)
    with files.atomic_write(out / "table2.png", "wb") as file:
        file.write(plots.png(plots.beside_paper(results["rows"])))
    if last is None and (out / "report.html").exists():
        say("every split was on disk: report.html is left as it is, with the last run's plots")
    else:
        write_report(out / "report.html", _report(plan, results, last, data_dir))
    say(f"wrote {out / 'results.json'}, table2.png and report.html")
    return table(results)


def _best_task(data_dir, say):
    for name, locate in (("stmnist", locate_stmnist), ("eskin-pendigits", _locate_pen)):
        try:
            locate(data_dir)
        except DataError as error:  # it is not there; a damaged one is an error when opened
            if name == "stmnist" and data_dir is not None:
                say(f"no ST-MNIST recordings: {error}")
        else:
            say(f"data: {TASKS[name].about}")
            return name
    say(f"data: {TASKS['eskin'].about}")
    return "eskin"


def _locate_pen(data_dir):
    open_task(task_named("eskin-pendigits"), "train", data_dir)


def table(results):
    from rich.table import Table

    title = f"{results['network']}, {results['data']}: mean accuracy (SD)"
    table = Table(title=title, title_justify="left")
    content = pages.paper_table(results["rows"])
    for column in content.columns:
        table.add_column(column)
    for row in content.rows:
        table.add_row(*(str(cell) for cell in row))
    return table


def _report(plan, results, last, data_dir):
    note = (
        "The paper's accuracies are on its own recordings, which are behind a form. Ours here "
        f"are on: {plan.task.about}. They say how the method works, not how it does on ST-MNIST."
    )
    sections = [
        Section(
            "Beside the paper",
            "",
            [
                pages.paper_table(results["rows"]),
                Picture(
                    plots.beside_paper(results["rows"]),
                    "Accuracy of each row, the paper's and ours.",
                    "Bars of accuracies beside the paper's",
                ),
            ],
        )
    ]
    if last is not None:
        numbers, network, measured = last
        curves = {
            name: measured[engine].recording.accuracy(measured[engine].labels)
            for name, engine in (("NengoDL", "nengo-dl"), ("Loihi emulator", "loihi"))
        }
        split = "all" if plan.task.dataset == "stmnist" else "train"
        dataset = open_task(plan.task, split, data_dir)
        sections.append(pages.input_section(plan.task, dataset, 0))
        sections += [
            pages.accuracy_section(curves, numbers["accuracy"]["CNN"], network.dt),
            pages.activity_section(measured["nengo-dl"]),
            pages.confusion_section(measured["nengo-dl"], network.classes),
            pages.chip_section(paths.on_chip(network)),
        ]
    rows = {row["name"]: row for row in results["rows"]}
    return Report(
        "Table 2 of the ST-MNIST paper",
        f"{results['network']}, {rows['CNN']['n_splits']} "
        + ("random 80-20 splits." if plan.protocol == "random" else "seeds, the given split."),
        {
            "command": st_mnist.command(plan),
            "data": f"{plan.task.about}, {results['n_samples']} samples",
            "nengo-tactile": __version__,
            "date": datetime.date.today().isoformat(),
        },
        [
            KeyNumber(name, f"{rows[name]['ours_mean']:.3f}", _beside(rows[name]))
            for name in ("CNN", "ANN-SNN (NengoDL)", "ANN-SNN (Loihi emulator)")
        ],
        [] if plan.task.dataset == "stmnist" else [Note(note, warning=True)],
        sections,
    )


def _beside(row):
    return f"paper, on its recordings: {row['paper']:.2f}"
