"""Files of event columns, read part by part: CSV and text, .npy, .npz, .mat and HDF5.

Each reader is a generator ``read(path, names) -> {our name: (n,) array}`` of parts of a recording;
which columns those are, `nengo_tactile.datasets.event_columns.Names` says.
"""

import re
import warnings

import numpy as np

from nengo_tactile.datasets import text_kernel
from nengo_tactile.datasets.matfile import MAX_BYTES, read_mat
from nengo_tactile.doors import archives, hdf5
from nengo_tactile.doors.plain import DATA
from nengo_tactile.errors import DataError
from nengo_tactile.lazy import compiled

#: Events that are read at a time.
ROWS = 1 << 17
#: Bytes of text that are read at a time, of one line at most, and from which compiling is worth it.
_BLOCK, _LONGEST_LINE, _WORTH = 1 << 22, 1 << 16, 1 << 16
#: Between columns of text; without any of them there is white space.
_DELIMITERS = (",", ";", "\t")
#: Prophesee's own packing in the HDF5 files of Metavision.
_METAVISION_FILTER = "36559"
#: Groups and arrays of an HDF5 file that are looked at.
_MOST_PLACES = 100


def read_text(path, names):
    """Read rows of numbers in text, with a line of names or without; "#" begins a comment."""
    with DATA.opened(path) as (file, _):
        line, n_lines = _first_line(file, path)
        if line is None:
            return
        delimiter = next((each for each in _DELIMITERS if each in line), None)
        cells = [cell.strip().strip("\"'") for cell in line.split(delimiter)]
        if any(_is_number(cell) for cell in cells):
            found, n_lines = names.numbered(len(cells), path), n_lines - 1
            rest = (line + "\n").encode()
        else:
            theirs = names.theirs(cells, path)
            twice = [name for name in theirs.values() if cells.count(name) > 1]
            if twice:
                raise DataError(f"{path}: two columns are called {twice[0]!r}: rename one")
            found, rest = {ours: cells.index(name) for ours, name in theirs.items()}, b""
        chosen = list(found.values())
        for block in _blocks(file, rest, path):
            large = len(block) >= _WORTH
            values = _plain(block, delimiter, chosen, len(cells)) if large else None
            if values is None:
                values = _parsed(block, delimiter, chosen, len(cells), path, n_lines)
            n_lines += block.count(b"\n")
            yield dict(zip(found, values.T))


def read_npy(path, names):
    """Read an array with named fields, or of columns, (n_events, n_columns)."""
    for part in archives.npy_parts(path, DATA, ROWS):
        yield columns_of(part, names, path)


def read_npz(path, names):
    """Read arrays, one for each column; or one alone, as in .npy."""
    there = archives.npz_names(path, DATA)
    if len(there) == 1:
        for part in archives.npz_parts(path, DATA, ROWS, there):
            yield columns_of(part[there[0]], names, path)
        return
    theirs = names.theirs(there, path)
    for arrays in archives.npz_parts(path, DATA, ROWS, list(theirs.values())):
        _check_ends(arrays, theirs.values(), path)
        yield _checked({ours: np.squeeze(arrays[n]) for ours, n in theirs.items()}, theirs, path)


def read_matlab(path, names):
    """Read variables of a MATLAB file (version 5 to 7), one for each column."""
    variables = read_mat(DATA.content(path, MAX_BYTES), str(path))
    arrays = {n: np.squeeze(v) for n, v in variables.items() if isinstance(v, np.ndarray)}
    others = {n: v for n, v in variables.items() if n not in arrays}
    if len(arrays) == 1 and next(iter(arrays.values())).ndim == 2:
        yield from _in_parts(columns_of(next(iter(arrays.values())), names, path))
        return
    for name in names.theirs(variables, path).values():
        if name in others:
            raise DataError(
                f"{path}: variable {name!r} is of class {others[name]}: save the columns as arrays "
                "of numbers of their own"
            )
    yield from _in_parts(_of_arrays({n: np.atleast_1d(a) for n, a in arrays.items()}, names, path))


def _in_parts(table):
    """Columns that are in memory, as many rows at a time as are looked at quickly."""
    n_rows = max(map(len, table.values()))
    for start in range(0, max(n_rows, 1), ROWS):
        yield {name: column[start : start + ROWS] for name, column in table.items()}


def read_hdf5(path, names):
    """Read arrays of a file or a group, or fields of records, "GROUP/ARRAY/FIELD"."""
    try:
        with hdf5.opened(path, DATA) as file:
            yield from _hdf5_tables(file, _hdf5_places(file, names, path), path)
    except DataError as error:
        if f"filter {_METAVISION_FILTER}" not in str(error):
            raise
        raise DataError(
            f"{path}: is packed with Metavision's own codec (filter {_METAVISION_FILTER}), which "
            "is not read: convert it to RAW with Metavision's tools, or write it with gzip"
        ) from error


def _first_line(file, path):
    """The first line that is no comment, and how many lines were read; None if there is none."""
    n_lines = 0
    while True:
        line = file.readline(_LONGEST_LINE + 1)
        n_lines += 1
        if len(line) > _LONGEST_LINE:
            raise DataError(f"{path}: line {n_lines} is too long: it is no text of columns")
        if not line:
            return None, n_lines
        try:
            text = line.decode("utf-8-sig" if n_lines == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: line {n_lines} is no text ({error})") from error
        text = text.split("#")[0].strip("\r\n \x00")
        if text:
            return text, n_lines


def _is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _blocks(file, rest, path):
    """Whole lines of a file, many at a time."""
    while block := file.read(_BLOCK):
        end = block.rfind(b"\n") + 1
        if not end and len(rest) + len(block) > _BLOCK + _LONGEST_LINE:
            raise DataError(f"{path}: holds a line of more than {_BLOCK:,} bytes: no text of rows")
        if not end:
            rest += block
            continue
        yield rest + block[:end]
        rest = block[end:]
    if rest.strip():
        yield rest


def _plain(block, delimiter, chosen, n_columns):
    """Numbers of some columns, (n, n_chosen) float64, where text is plain; None where it is not."""
    places = np.full(n_columns, -1)
    places[chosen] = np.arange(len(chosen))
    content, code = np.frombuffer(block, np.uint8), ord(delimiter) if delimiter else 0
    values, n_rows = compiled(text_kernel.parse)(
        content, code, places, n_columns, block.count(b"\n") + 1, text_kernel.POWERS,
        text_kernel.EXACT,
    )  # fmt: skip
    return values[:n_rows] if n_rows >= 0 else None


def _parsed(block, delimiter, chosen, n_columns, path, n_lines):
    """Numbers of some columns, (n, n_chosen) float64."""
    try:
        lines = block.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: after line {n_lines}: {error}: give text") from error
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="loadtxt: input contained no data")
            values = np.loadtxt(lines, np.float64, "#", delimiter, ndmin=2)
    except (ValueError, OverflowError) as error:
        raise DataError(f"{path}: {_what_is_no_number(error, n_lines, path)}") from error
    if values.size and values.shape[1] != n_columns:
        raise DataError(
            f"{path}: rows after line {n_lines} have {values.shape[1]} columns, the first has "
            f"{n_columns}: give each row the same"
        )
    return values[:, chosen] if values.size else np.zeros((0, len(chosen)))


def _what_is_no_number(error, n_lines, path):
    """The place of what cannot be read in text, and the remedy."""
    row = re.search(r"at row (\d+)", str(error))
    place = f" (row {n_lines + int(row[1])} of its lines)" if row else ""
    first = str(error).splitlines()[0].split(" at row")[0]
    return (
        f"{first}{place}: columns are numbers with a point, one row an event; leave others out "
        "of the file, and write polarities as two whole numbers"
    )


def columns_of(array, names, path):
    """Columns of one array, {our name: (n,) array}: of its fields, or of (n_events, n_columns)."""
    if array.dtype.names is not None:
        theirs = names.theirs(array.dtype.names, path)
        return _checked({ours: array[name] for ours, name in theirs.items()}, theirs, path)
    if array.ndim != 2:
        raise DataError(
            f"{path}: holds an array of type {array.dtype} and shape {array.shape}: give one with "
            "fields, or (n_events, n_columns)"
        )
    places = names.numbered(array.shape[1], path)
    return _checked({name: array[:, place] for name, place in places.items()}, places, path)


def _of_arrays(arrays, names, path):
    """Columns that are arrays of their own."""
    theirs = names.theirs(arrays, path)
    return _checked({ours: np.squeeze(arrays[name]) for ours, name in theirs.items()}, theirs, path)


def _checked(table, theirs, path):
    """Refuse columns of another kind, or of other lengths."""
    for name, column in table.items():
        if column.dtype.kind not in "iufb":
            raise DataError(
                f"{path}: column {theirs[name]!r} is of type {column.dtype}: give numbers"
            )
    shapes = {str(theirs[name]): column.shape for name, column in table.items()}
    table = {name: np.atleast_1d(column) for name, column in table.items()}
    if len(set(shapes.values())) > 1 or any(column.ndim != 1 for column in table.values()):
        raise DataError(f"{path}: columns have shapes {shapes}: give as many numbers in each")
    return table


def _check_ends(rows, names, path):
    """Refuse columns of which some have ended and others go on."""
    for name in names:
        if name not in rows:
            raise DataError(f"{path}: {name!r} is shorter than other columns: give as many numbers")


def _hdf5_tables(file, places, path):
    """Columns of an opened file, part by part; arrays that hold several are read once."""
    arrays = {array for array, _ in places.values()}
    n_rows = max(file.whole_chunks(array, ROWS) for array in arrays)
    parts = {array: file.rows(array, n_rows) for array in arrays}
    told = {ours: "/".join(filter(None, place)) for ours, place in places.items()}
    while True:
        rows = {array: next(part, None) for array, part in parts.items()}
        rows = {array: part for array, part in rows.items() if part is not None}
        if not rows:
            return
        _check_ends(rows, arrays, path)
        table = {}
        for ours, (array, field) in places.items():
            table[ours] = rows[array] if field is None else rows[array][field]
        yield _checked(table, told, path)


def _hdf5_places(file, names, path):
    """{our name: (array, field or None)} in an HDF5 file."""
    if isinstance(names.columns, dict):
        theirs = {ours: names.columns.get(ours, ours) for ours in names.wanted}
    else:
        where = _hdf5_group(file, names.wanted, path)
        theirs = {ours: f"{where}{ours}" for ours in names.wanted}
    places = {}
    for ours, name in theirs.items():
        above, _, field = name.strip("/").rpartition("/")
        if file.type_of(name) is not None:
            places[ours] = name, None
        elif above and field in (getattr(file.type_of(above), "names", None) or ()):
            places[ours] = above, field
        else:
            raise DataError(
                f"{path}: has no array {name!r} for {ours}, but {', '.join(file.names()[:12])}: "
                f"say which is meant, columns={{{ours!r}: 'GROUP/ARRAY'}}"
            )
    return places


def _hdf5_group(file, wanted, path):
    """Where the columns lie under our names: the file itself, or the one place below it."""
    found, left, n_seen = [], [""], 0
    while left and n_seen < _MOST_PLACES:
        place, n_seen = left.pop(0), n_seen + 1
        dtype = file.type_of(place.rstrip("/")) if place else None
        group = file.group(place) if dtype is None else None
        there = (dtype.names or ()) if group is None and dtype is not None else ()
        if group is not None:
            there = group.names()
            left += [f"{place}{name}/" for name in there[:_MOST_PLACES] if name not in wanted]
        if set(wanted) <= set(there):
            found.append(place)
    if len(found) != 1:
        where = " and ".join(map(repr, found)) if found else "no place"
        raise DataError(
            f"{path}: {where} has the columns {', '.join(wanted)}; it holds "
            f"{', '.join(file.names()[:12])}: say which are meant, columns={{'x': 'GROUP/ARRAY'}}"
        )
    return found[0]
