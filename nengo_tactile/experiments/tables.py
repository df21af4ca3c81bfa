"""Tables and figures as declarations: read off the results, written alike everywhere."""

import dataclasses
from collections.abc import Callable

from nengo_tactile import report


def form(spec):
    """A writer of numbers as ``format`` has it, "-" for None."""
    return lambda value: "-" if value is None else format(value, spec)


whole, ratio = form(",.0f"), form(".2f")


def percent(share):
    """A share in per cent, two digits after the point: "-" for None."""
    return "-" if share is None else f"{100 * share:.2f}"


def points(difference):
    """A difference of accuracies in points, with its sign: "-" for None."""
    return "-" if difference is None else f"{round(difference, 2) + 0.0:+.2f}"  # no minus zero


def p_value(p):
    """A p value, three digits after the point: "-" for None."""
    if p is None:
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def spread(write):
    """A writer of (mean, SD), whose SD may be None."""
    return lambda pair: write(pair[0]) + ("" if pair[1] is None else f" ({write(pair[1])})")


@dataclasses.dataclass(frozen=True)
class Table:
    """A table that is read off the results.

    Attributes
    ----------
    title : str
    rows : callable
        ``results -> iterable of rows``, which are dicts or anything that the columns read.
    columns : dict of str to (key or callable, callable)
        Title -> where a row has it, and how it is written.
    caption : str or callable
        Or ``results -> str``.
    short : bool
        Whether the terminal shows it as well.
    titled : bool
        Whether the title begins the caption, in reports.
    heading : callable, optional
        ``results -> str``: the title on the terminal, where it says more.
    """

    title: str
    rows: Callable
    columns: dict
    caption: object = ""
    short: bool = True
    titled: bool = True
    heading: Callable | None = None

    def cells(self, results):
        """Rows of texts (or of numbers, which the report writes itself)."""
        return [
            [write(get(row) if callable(get) else row[get]) for get, write in self.columns.values()]
            for row in self.rows(results)
        ]

    def item(self, results):
        """As `nengo_tactile.report.Table`, None without rows."""
        cells = self.cells(results)
        caption = self.caption(results) if callable(self.caption) else self.caption
        caption = f"{self.title}. {caption}" if self.titled else caption
        return report.Table(list(self.columns), cells, caption) if cells else None

    def rich(self, results):
        """As a rich table, columns of words to the left and of numbers to the right; or None."""
        cells = [[str(cell) for cell in row] for row in self.cells(results)]
        if not cells:
            return None
        title = self.heading(results) if self.heading else self.title
        return rich_table(title, list(self.columns), cells)


def rich_table(title, columns, cells):
    """A rich table of texts."""
    from rich.table import Table as RichTable

    table = RichTable(title=title, title_justify="left")
    for column, texts in zip(columns, zip(*cells)):
        first = "".join(text[:1] for text in texts)
        words = any(map(str.isalpha, first)) and not any(map(str.isdigit, first))
        table.add_column(column, justify="left" if words else "right")
    for row in cells:
        table.add_row(*row)
    return table


@dataclasses.dataclass(frozen=True)
class Figure:
    """A picture of the results.

    Attributes
    ----------
    draw : callable
        ``results -> figure``, or None where they do not suffice.
    caption, alt : str
        As of `nengo_tactile.report.Picture`.
    """

    draw: Callable
    caption: str
    alt: str


def pictures(figures, results):
    """Those that the results suffice for, {name: `nengo_tactile.report.Picture`}."""
    drawn = {name: figure.draw(results) for name, figure in figures.items()}
    return {
        name: report.Picture(drawn[name], figure.caption, figure.alt)
        for name, figure in figures.items()
        if drawn[name] is not None
    }
