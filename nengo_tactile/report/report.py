"""One HTML file that holds everything: text, numbers, tables and pictures.

The page loads nothing from anywhere: style sheet and script are inline, the pictures are PNG data
and the page's own content policy forbids the rest, other scripts too. Every text is escaped by the
template, so labels and file names may hold anything. Without its script the page says the same;
with it, tables can be sorted, curves read, and samples stepped through.
"""

import base64
import dataclasses
import hashlib
import json
import math
import numbers
import struct
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nengo_tactile.errors import DataError
from nengo_tactile.files import atomic_write
from nengo_tactile.report.exploring import Explorer, Readings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DASH = "\N{EN DASH}"
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
# wider pictures get a row of their own; those of analysis.plots are 896 pixels wide
_NARROW_PIXELS = 1100


@dataclasses.dataclass(frozen=True)
class KeyNumber:
    """A number worth a tile of its own at the top of the page.

    Attributes
    ----------
    label : str
        What it is ("accuracy on the Loihi emulator").
    value : str or number
        As shown; numbers are written as in tables.
    note : str
        A few words beneath: the paper's number, the sample count.
    """

    label: str
    value: str | float
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Table:
    """A table that scrolls in its own box where the screen is narrow.

    Attributes
    ----------
    columns : sequence of str
    rows : sequence of sequences or of dicts
        One entry per column; dicts are read by column name. Strings are shown as they are,
        whole numbers with thousands separators, other numbers with as many decimals as
        give the column's largest four digits, None and NaN as a dash.
    caption : str
    """

    columns: Sequence[str]
    rows: Sequence[Sequence | Mapping]
    caption: str = ""


@dataclasses.dataclass(frozen=True)
class Picture:
    """A figure with its caption.

    Attributes
    ----------
    figure : matplotlib.figure.Figure or bytes
        A figure, or a finished PNG.
    caption : str
        What to see in it.
    alt : str
        What it shows, for those who cannot see it. Required.
    readings : Readings, optional
        Values of its curves, which the page's script tells at the pointer.
    """

    figure: "Figure | bytes"
    caption: str
    alt: str
    readings: Readings | None = None


@dataclasses.dataclass(frozen=True)
class Note:
    """A remark in a frame.

    Attributes
    ----------
    text : str
    warning : bool
        True for what could mislead the reader if overlooked.
    """

    text: str
    warning: bool = False


@dataclasses.dataclass(frozen=True)
class Section:
    """A heading, a paragraph, and what belongs under it.

    Attributes
    ----------
    title : str
    text : str
        A paragraph; empty lines separate several.
    items : sequence of Table, Picture, Note or Explorer
        In reading order; neighbouring pictures share a row where the screen is wide.
    scripted : bool
        Whether there is nothing of it on a page without its script.
    """

    title: str
    text: str = ""
    items: Sequence[Table | Picture | Note | Explorer] = ()
    scripted: bool = False


@dataclasses.dataclass(frozen=True)
class Report:
    """All a report says.

    Attributes
    ----------
    title : str
    lead : str
        The finding in a paragraph; empty lines separate several.
    metadata : dict of str to str or number
        How it was made: command, data, seed, sample counts, versions, date; numbers are
        written plainly.
    key_numbers : sequence of KeyNumber
    notes : sequence of Note
        What concerns the whole report, shown before the sections.
    sections : sequence of Section
    """

    title: str
    lead: str = ""
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    key_numbers: Sequence[KeyNumber] = ()
    notes: Sequence[Note] = ()
    sections: Sequence[Section] = ()


def _text(value):
    """Write a cell: strings as they are, numbers short, nothing as a dash."""
    if value is None:
        return _DASH
    if isinstance(value, str | bool) or not isinstance(value, numbers.Real):
        return str(value)
    if value != value:
        return _DASH
    if isinstance(value, numbers.Integral) or 1e4 <= abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _column_texts(values):
    """Write the cells of a column, numbers with the same decimals so that they line up."""
    alone = [_text(value) for value in values]
    fractions = [v for v in values if _is_number(v) and not isinstance(v, numbers.Integral)]
    sizes = [abs(v) for v in fractions if v == v and v != 0]
    if not sizes or max(sizes) == math.inf:
        return alone
    decimals = min(
        max(3 - math.floor(math.log10(max(sizes))), 0),
        max(len(f"{size:.4g}".partition(".")[2]) for size in sizes),
    )
    if min(sizes) < 0.5 * 10**-decimals or max(sizes) >= 1e15 or decimals > 6:
        return alone  # the column spans too much for one number of decimals
    return [
        f"{value:,.{decimals}f}" if _is_number(value) and value == value else text
        for value, text in zip(values, alone)
    ]


def _paragraphs(text):
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def _table(table):
    columns = [str(column) for column in table.columns]
    if not columns:
        raise DataError(f"the table {table.caption!r} has no columns: give at least one")
    rows = []
    for index, row in enumerate(table.rows):
        if isinstance(row, dict):
            missing = [column for column in columns if column not in row]
            if missing:
                raise DataError(
                    f"the table {table.caption!r}: row {index} has no {missing[0]!r}, only "
                    f"{sorted(row)}: give None for an empty cell"
                )
            row = [row[column] for column in columns]
        row = list(row)
        if len(row) != len(columns):
            raise DataError(
                f"the table {table.caption!r}: row {index} has {len(row)} cells, wanted "
                f"{len(columns)} ({', '.join(columns)})"
            )
        rows.append(row)
    numeric = [
        any(_is_number(row[place]) for row in rows)
        and all(row[place] is None or _is_number(row[place]) for row in rows)
        for place in range(len(columns))
    ]
    texts = [_column_texts([row[place] for row in rows]) for place in range(len(columns))]
    return {
        "kind": "table",
        "caption": table.caption,
        "columns": list(zip(columns, numeric)),
        "rows": [[_cell(text, n) for text, n in zip(row, numeric)] for row in zip(*texts)],
    }


def _cell(text, numeric):
    """A cell's text and class; short texts stay on one line."""
    return text, "number" if numeric else "short" if len(text) < 20 else "long"


def _picture(picture):
    if not picture.alt.strip():
        raise DataError(
            f"the picture {picture.caption!r} has no alt text: say in a sentence what it "
            "shows, for readers who cannot see it"
        )
    data = picture.figure
    if not isinstance(data, bytes):
        from nengo_tactile.analysis.style import png

        data = png(data)
    if not data.startswith(_PNG_MAGIC) or len(data) < 24:
        raise DataError(
            f"the picture {picture.caption!r} is not a PNG (it starts with {data[:8]!r}): "
            "give a matplotlib Figure or PNG bytes"
        )
    width, height = struct.unpack(">II", data[16:24])
    return {
        "kind": "picture",
        "caption": picture.caption,
        "alt": picture.alt,
        "width": width,
        "height": height,
        "wide": width > _NARROW_PIXELS,
        "source": "data:image/png;base64," + base64.b64encode(data).decode("ascii"),
        "readings": None if picture.readings is None else _data(picture.readings.to_dict()),
    }


def _data(values):
    """Values as JSON that ends no script, whatever texts are in it."""
    text = json.dumps(values, allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _item(item):
    if isinstance(item, Table):
        return _table(item)
    if isinstance(item, Picture):
        return _picture(item)
    if isinstance(item, Note):
        return {"kind": "note", "paragraphs": _paragraphs(item.text), "warning": item.warning}
    if isinstance(item, Explorer):
        return {"kind": "explorer", "data": _data(item.to_dict())}
    raise DataError(
        f"a report cannot show {type(item).__name__} {item!r:.80}: "
        "give a Table, a Picture, a Note or an Explorer"
    )


def _groups(items):
    """Put neighbouring pictures into one group, everything else alone."""
    groups = []
    for item in map(_item, items):
        if item["kind"] == "picture" and groups and groups[-1][0]["kind"] == "picture":
            groups[-1].append(item)
        else:
            groups.append([item])
    return groups


def render_report(report: Report) -> str:
    """Turn a report into the text of an HTML page.

    Parameters
    ----------
    report : Report

    Returns
    -------
    str
        A complete page that refers to nothing outside itself.

    Raises
    ------
    DataError
        If a table's rows do not fit its columns, a picture has no alt text or is no PNG,
        or an item is of an unknown kind.
    """
    import jinja2

    folder = resources.files("nengo_tactile.report")
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = f"\n{(folder / 'explore.js').read_text('utf-8')}"
    template = environment.from_string((folder / "template.html").read_text("utf-8"))
    return template.render(
        title=report.title,
        lead=_paragraphs(report.lead),
        # the package's own files: with data that have no signs of HTML, all that is not escaped
        style=environment.filters["safe"]((folder / "style.css").read_text("utf-8")),
        script=environment.filters["safe"](script),
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        metadata=[(str(key), str(value)) for key, value in report.metadata.items()],
        key_numbers=[(k.label, _text(k.value), k.note) for k in report.key_numbers],
        notes=[_item(note) for note in report.notes],
        sections=[
            {
                "id": f"section-{number}",
                "title": section.title,
                "scripted": section.scripted,
                "paragraphs": _paragraphs(section.text),
                "groups": _groups(section.items),
            }
            for number, section in enumerate(report.sections, 1)
        ],
    )


def write_report(path: str | Path, report: Report) -> None:
    """Write a report as one self-contained HTML file, whole or not at all.

    Parameters
    ----------
    path : str or Path
        The file to write; an existing one is replaced.
    report : Report

    Raises
    ------
    DataError
        As :func:`render_report`, before anything is written.
    """
    page = render_report(report)
    with atomic_write(path) as file:
        file.write(page)
