"""A study as a declaration: cells, numbers, tables, figures; and what runs and shows it."""

import dataclasses
import datetime
from collections.abc import Callable

from nengo_tactile import __version__, files
from nengo_tactile.analysis import plots
from nengo_tactile.datasets.sources import data_root
from nengo_tactile.experiments.studies import Study
from nengo_tactile.experiments.tables import pictures, rich_table
from nengo_tactile.experiments.workers import Crew, Failure
from nengo_tactile.progress import open_bar
from nengo_tactile.report import Note, Report, Section, write_report


def _nothing(*_):
    return ()


def _settled(plan, data_dir, say):
    return plan


def _data(results):
    return ", ".join(dict.fromkeys(row["data"] for row in results["rows"]))


@dataclasses.dataclass(frozen=True)
class Paper:
    """A reproduction of a paper.

    Attributes
    ----------
    name, title : str
        Of the command; of the report.
    lead : str or callable
        What the report is about, or ``results -> str``.
    about : str
        The command's help.
    source : str
        Which paper, tables and figures.
    plan : type
        A `plans.Plan`.
    settle : callable
        ``(plan, data_dir, say) -> plan``, with what it leaves open.
    cells : callable
        ``(plan, data_dir) -> list of workers.Cell``, in the order of running.
    summarise : callable
        ``(plan, {cell's key: state}) -> dict``, the numbers of results.json. States may be
        missing, or None.
    tables, figures : callable
        ``results -> dict`` of `tables.Table` and `tables.Figure` by key; the terminal shows the
        short tables in this order.
    sections : callable
        ``results -> [(title, text, keys of tables and figures)]``.
    line : callable
        ``(plan, cell's key, state) -> str`` for the terminal when a cell is finished, or None.
    notes, key_numbers : callable
        ``results -> list`` of `nengo_tactile.report.Note`, of `nengo_tactile.report.KeyNumber`.
    data : callable
        ``results -> str``, what the report says of the data.
    details : callable
        ``(plan, results, folder, data_dir) -> list of nengo_tactile.report.Section`` that follow:
        what files in the study's folder show.
    """

    name: str
    title: str
    lead: object
    about: str
    source: str
    plan: type
    cells: Callable
    summarise: Callable
    tables: Callable
    figures: Callable
    sections: Callable
    line: Callable
    notes: Callable = _nothing
    key_numbers: Callable = _nothing
    data: Callable = _data
    settle: Callable = _settled
    details: Callable = _nothing

    @property
    def command(self):
        """The command's words behind ``nengo-tactile``."""
        return f"reproduce {self.name}"

    def results(self, plan, states, failures=()):
        """All numbers, as in results.json."""
        head = {"paper": self.source, "command": plan.command(self.command), "seed": plan.seed}
        failed = [{"cell": f.cell, "error": f.error, "trace": f.trace} for f in failures]
        return head | self.summarise(plan, states) | ({"failed": failed} if failed else {})

    def run(self, plan, out=None, data_dir=None, crew=Crew(), progress=None, say=print):  # noqa: B008
        """Run a plan, or go on with it; write results.json, pictures and report.html.

        Parameters
        ----------
        plan : Plan
        out : path, optional
            Gets cells/, anew after every part of a cell, networks/, results.json, anew after each
            cell, pictures and report.html in the end.
        data_dir : path, optional
        crew : Crew
            Who runs the cells.
        progress : bool, optional
        say : callable

        Returns
        -------
        dict
            As in results.json; ``failed`` lists cells that raised.

        Raises
        ------
        TactileError
            What the first cell raised, if all failed: then nothing is left in ``out``. And for a
            ``data_dir`` that is not there.
        """
        data_dir = None if data_dir is None else str(data_root(data_dir).absolute())
        plan = self.settle(plan, data_dir, say)
        with Study(out or f"nengo-tactile-out/{self.name}", self.command) as study:
            return self._run(plan, study, data_dir, crew, progress, say)

    def _run(self, plan, study, data_dir, crew, progress, say):
        cells, states, failures = self.cells(plan, data_dir), {}, {}
        results = self.results(plan, states)
        with open_bar(progress) as bar:
            task = bar.add_task(self.title, total=len(cells))
            for cell, state in crew.run(cells, study, progress):
                if isinstance(state, Failure):
                    failures[cell.key] = state
                    say(f"{cell.key}: {state.error}")
                else:
                    states[cell.key] = state
                    if line := state and self.line(plan, cell.key, state):
                        say(line)
                bar.advance(task)
                order = [cell.key for cell in cells if cell.key in states]
                results = self.results(plan, {key: states[key] for key in order}, failures.values())
                files.write_json(study.folder / "results.json", results)
        if failures and not states:
            raise next(iter(failures.values())).exception()
        self.write_report(plan, results, study.folder, data_dir)
        say(f"wrote {study.folder / 'results.json'}, pictures and report.html")
        return results

    def state(self, cell, out, progress=None):
        """The state of one cell, which is run in this process if it is not finished.

        Raises
        ------
        TactileError
            What the cell raises.
        """
        with Study(out, self.command) as study:
            ((_, state),) = Crew().run([cell], study, progress)
        if isinstance(state, Failure):
            raise state.exception()
        return state

    def write_report(self, plan, results, folder, data_dir=None):
        """Write the pictures and report.html."""
        drawn = pictures(self.figures(results), results)
        for name, picture in drawn.items():
            with files.atomic_write(folder / f"{name}.png", "wb") as file:
                file.write(plots.png(picture.figure))
        details = self.details(plan, results, folder, data_dir)
        write_report(folder / "report.html", self.report(results, drawn, details))

    def terminal_tables(self, results):
        """The short tables that have rows, as rich tables."""
        found = [t.rich(results) for t in self.tables(results).values() if t.short]
        failed = [[each["cell"], each["error"]] for each in results.get("failed", ())]
        if failed:
            found.append(rich_table("Cells that failed", ["cell", "error"], failed))
        return [table for table in found if table]

    def report(self, results, drawn, details=()):
        """The report.

        Parameters
        ----------
        results : dict
        drawn : dict of str to Picture
            From `tables.pictures`.
        details : sequence of Section
        """
        tables = self.tables(results)

        def items(keys):
            found = [
                drawn.get(key) or (key in tables and tables[key].item(results)) for key in keys
            ]
            return [item for item in found if item]

        sections = [
            Section(title, text, items(keys)) for title, text, keys in self.sections(results)
        ]
        failed = [
            Note(f"Cell {each['cell']} failed: {each['error']}", warning=True)
            for each in results.get("failed", ())
        ]
        return Report(
            self.title,
            self.lead(results) if callable(self.lead) else self.lead,
            {
                "command": results["command"],
                "seed": results["seed"],
                "data": self.data(results),
                "nengo-tactile": __version__,
                "date": datetime.date.today().isoformat(),
            },
            list(self.key_numbers(results)),
            [*failed, *self.notes(results)],
            [*(section for section in sections if section.items), *details],
        )
