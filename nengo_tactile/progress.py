"""One progress bar for everything that takes over two seconds."""

import contextlib
import html
import importlib.util
import io
import sys
from typing import Any, ClassVar

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


def track(sequence, description, total=None, progress=None):
    """Iterate over ``sequence`` with a bar on the error stream.

    Parameters
    ----------
    sequence : iterable
    description : str
        What is being done, in a few words ("simulating e-skin").
    total : int, optional
        The number of items, for iterables without a length.
    progress : bool, optional
        Show the bar; by default only when the error stream is a terminal.

    Yields
    ------
    item
        The items of ``sequence``, unchanged.
    """
    if not shown(progress):
        yield from sequence
        return
    if total is None and hasattr(sequence, "__len__"):
        total = len(sequence)
    with open_bar(progress) as bar:
        task = bar.add_task(description, total=total)
        try:
            for item in sequence:
                yield item
                bar.advance(task)
        finally:
            bar.remove_task(task)


def shown(progress=None):
    """Whether bars are shown: see `track`."""
    return sys.stderr.isatty() if progress is None else progress


def console(**options):
    """A `rich.console.Console` that prints names as they are: brackets are no markup."""
    from rich.console import Console

    return Console(markup=False, emoji=False, **{"force_jupyter": False, **options})


def table_text(table, width):
    """A rich table as text of a width."""
    file = io.StringIO()
    # plain, also where colours are forced, as in notebooks
    console(width=width, file=file, force_terminal=False).print(table)
    return file.getvalue().rstrip()


class Tabular:
    """What has a ``table()``, and shows as one: printed, at a prompt, and in a notebook."""

    #: Characters of a line.
    width: ClassVar[int] = 110

    def table(self) -> Any:
        """As a rich table."""
        raise NotImplementedError

    def __str__(self) -> str:
        return table_text(self.table(), self.width)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


#: The bars that are open; those inside of another are lines of it.
_OPEN: list[Progress] = []


def _place():
    """Where bars are drawn, and how often a second."""
    made = console(stderr=True, force_jupyter=None)
    if not made.is_jupyter or importlib.util.find_spec("ipywidgets") is not None:
        return {"console": made}
    # as on a terminal, seldom, because notebooks keep each drawing; rich would warn that it wants
    # ipywidgets
    return {"console": console(stderr=True, force_terminal=True), "refresh_per_second": 2}


@contextlib.contextmanager
def open_bar(progress=None):
    """A `rich.progress.Progress` on the error stream, for bars whose words change.

    Parameters
    ----------
    progress : bool, optional
        See `track`; without it nothing is drawn.
    """
    if _OPEN:
        yield _OPEN[-1]
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    options = {"transient": True, "disable": not shown(progress), "redirect_stdout": False}
    with Progress(*columns, **_place(), **options) as bar:
        _OPEN.append(bar)
        try:
            yield bar
        finally:
            _OPEN.pop()
