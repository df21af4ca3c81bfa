"""Tables in words, for the terminal and a report alike, and how their numbers are written."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Part:
    """A table with its heading.

    Attributes
    ----------
    title : str
    columns : tuple of str
    rows : list of list of str
    caption : str
    short : bool
        Whether the terminal shows it as well.
    """

    title: str
    columns: tuple
    rows: list
    caption: str = ""
    short: bool = True


def percent(share):
    """Write a share in per cent, two digits after the point: "-" for None."""
    return "-" if share is None else f"{100 * share:.2f}"


def p_text(p):
    """Write a p value: three digits after the point, "-" for None."""
    if p is None:
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def points_text(difference):
    """Write a difference of accuracies in points, with its sign."""
    return f"{round(100 * difference, 2) + 0.0:+.2f}"  # + 0.0: no minus before zero


def rich_tables(parts):
    """The short ones as rich tables, columns of words to the left and of numbers to the right.

    Parameters
    ----------
    parts : iterable of Part
        Each with at least one row.

    Returns
    -------
    list of rich.table.Table
    """
    from rich.table import Table

    tables = []
    for part in parts:
        if not part.short:
            continue
        table = Table(title=part.title, title_justify="left")
        for column, cells in zip(part.columns, zip(*part.rows)):
            words = any(cell[0].isalpha() for cell in cells)
            table.add_column(column, justify="left" if words else "right")
        for row in part.rows:
            table.add_row(*row)
        tables.append(table)
    return tables
