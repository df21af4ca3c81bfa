"""One progress bar for everything that takes over two seconds."""

import sys

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
    if progress is None:
        progress = sys.stderr.isatty()
    if not progress:
        yield from sequence
        return
    if total is None and hasattr(sequence, "__len__"):
        total = len(sequence)
    with open_bar() as bar:
        task = bar.add_task(description, total=total)
        for item in sequence:
            yield item
            bar.advance(task)


def open_bar():
    """A `rich.progress.Progress` on the error stream, for bars whose words change."""
    from rich.console import Console

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)
