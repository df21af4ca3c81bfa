"""Which files of a folder are recordings, what their labels are, and who made them."""

import csv
import dataclasses
import io
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from nengo_tactile.datasets.event_files import endings, is_recording
from nengo_tactile.datasets.sources import FolderSource
from nengo_tactile.doors.plain import DATA
from nengo_tactile.errors import DataError
from nengo_tactile.files import path_of

#: A class a folder.
PATTERN = "{label}/*"
#: Bytes of a table of files at most.
_LARGEST_TABLE = 1 << 26
_FIELD = re.compile(r"\{(\w+)\}|(\*+)")


@dataclasses.dataclass(frozen=True)
class Listed:
    """Recordings of a folder.

    Attributes
    ----------
    files : tuple of str
        Their paths in the folder.
    labels : tuple of str
        Of each.
    groups : dict of str to tuple of str
        Whatever else is known of each, such as its subject.
    """

    files: tuple
    labels: tuple
    groups: dict


def by_pattern(folder: Path, pattern: str, beside: Collection[Path] = ()) -> Listed:
    """List the files of a folder whose paths say their labels.

    Parameters
    ----------
    folder : Path
    pattern : str
        Path in the folder, such as "{label}/{subject}_{number}.csv"; ``*`` is anything. A pattern
        that ends with an ending leaves files of others out.
    beside : collection of Path
        Files that are no recordings, and may lie in the folder: see `file_beside`.

    Raises
    ------
    DataError
        For a file without a label, and a folder without files.
    """
    expression, names = _compiled(pattern)
    ending = Path(pattern).suffix.lower()
    ending = "" if "*" in ending or "}" in ending else ending
    rows = []
    own = {path.resolve() for path in beside}
    for name in FolderSource(folder).names:
        if own and (folder / name).resolve() in own:
            continue
        if ending and Path(name).suffix.lower() != ending:
            continue
        match = expression.fullmatch(name)
        if match and is_recording(name):
            rows.append((name, match.groupdict()))
        elif match or is_recording(name):
            raise DataError(_stray(folder, name, pattern, bool(match)))
    if not rows:
        raise DataError(
            f"{folder}: no file fits {pattern!r}: give a folder with a folder of files for each "
            f"class, or pattern=, or table=; files end in {endings()}"
        )
    groups = {n: tuple(row[n] for _, row in rows) for n in names if n != "label"}
    return Listed(tuple(name for name, _ in rows), tuple(r["label"] for _, r in rows), groups)


def by_table(folder: Path, table: Any, beside: Collection[Path] = ()) -> Listed:
    """List the files that a table names.

    Parameters
    ----------
    folder : Path
    table : str, Path or dict
        A CSV file with columns file, label and any others, such as subject; or a dict of them.
    beside : collection of Path
        Files that are no recordings, and may lie in the folder, as the table itself.

    Raises
    ------
    DataError
        For columns that are missing, files twice or not there, and files that no row names.
    """
    own = {path.resolve() for path in beside}
    if isinstance(table, str | Path):
        path = file_beside(folder, table)
        columns, name = _read_table(path), str(path)
        own.add(path.resolve())
    else:
        columns = {str(key): [str(v) for v in values] for key, values in dict(table).items()}
        name = "table"
    for needed in ("file", "label"):
        if needed not in columns:
            raise DataError(f"{name}: has no column {needed!r}, but {', '.join(columns)}: add it")
    lengths = {key: len(values) for key, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"{name}: columns have lengths {lengths}: give one value for each file")
    files = tuple(columns.pop("file"))
    source = FolderSource(folder)
    there = {n for n in source.names if is_recording(n) and (folder / n).resolve() not in own}
    for row, file in enumerate(files):
        if file not in there:
            what = "is no file of the folder" if is_recording(file) else f"is none of {endings()}"
            raise DataError(f"{name}: row {row} has a label for {file!r}, which {what}: remove it")
    twice = (
        [file for file in files if files.count(file) > 1] if len(set(files)) < len(files) else []
    )
    if twice:
        raise DataError(f"{name}: has two labels for {twice[0]!r}: give each file one row")
    without = sorted(there - set(files))
    if without:
        raise DataError(
            f"{name}: has no label for {len(without)} of {len(there)} files of {folder}, such as "
            f"{without[0]!r}: add rows, or move them away"
        )
    if not files:
        raise DataError(f"{name}: names no file: add rows")
    labels = tuple(columns.pop("label"))
    return Listed(files, labels, {key: tuple(values) for key, values in columns.items()})


def file_beside(folder: Path, name: str | Path) -> Path:
    """A file that belongs to a folder: in it, or elsewhere."""
    with DATA.guarded(f"{folder}: {str(name)[:100]!r}"):  # names may be too long for a file
        return folder / name if (folder / name).exists() else path_of(name)


def _compiled(pattern):
    """A pattern as a regular expression, and its names in order."""
    names = [match[1] for match in _FIELD.finditer(pattern) if match[1]]
    if "label" not in names or len(set(names)) < len(names):
        raise DataError(
            f"pattern is {pattern!r}: say where the label stands, such as {PATTERN!r} or "
            "'{label}/{subject}_{number}.csv', each name once"
        )
    expression, place = "", 0
    for match in _FIELD.finditer(pattern):
        expression += re.escape(pattern[place : match.start()])
        expression += (
            f"(?P<{match[1]}>[^/]+?)" if match[1] else (".*" if match[2] == "**" else "[^/]*")
        )
        place = match.end()
    return re.compile(expression + re.escape(pattern[place:])), names


def _stray(folder, name, pattern, fits):
    """What to say about a file that is no recording, or one without a label."""
    path = folder / name
    if fits:
        return (
            f"{path}: is no recording, files of events end in {endings()}: move it away, or give a "
            f"pattern with an ending, such as {PATTERN + '.csv'!r}"
        )
    return (
        f"{path}: has no label, it does not fit {pattern!r}: put it into a folder of its class, "
        "or say pattern='{label}/...' or table='labels.csv'"
    )


def _read_table(path):
    """Columns of text of a CSV file."""
    try:
        text = DATA.content(path, _LARGEST_TABLE).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is no text ({error}): give a CSV file") from error
    try:
        rows = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(f"{path}: is no CSV file ({error})") from error
    if not rows:
        raise DataError(f"{path}: is empty: give rows of file and label")
    names = [cell.strip() for cell in rows[0]]
    if len(set(names)) < len(names):
        raise DataError(f"{path}: two columns have one name: {', '.join(names)}")
    for number, row in enumerate(rows[1:], 1):
        if len(row) != len(names):
            raise DataError(
                f"{path}: row {number} has {len(row)} cells, the first row {len(names)}"
            )
    return {name: [row[i].strip() for row in rows[1:]] for i, name in enumerate(names)}
