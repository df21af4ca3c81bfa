"""The .mat files of ST-MNIST: spike trains and the lookup table of taxel addresses."""

from pathlib import Path
from typing import BinaryIO

import numpy as np

from nengo_tactile.datasets.matfile import read_mat
from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import make_events
from nengo_tactile.events.taxels import TaxelMap
from nengo_tactile.files import path_of

N_TAXELS = 100  # ST-MNIST paper, 2.1
GRID = 10  # taxels per side: addresses X and Y run over 10 values each (paper, Figure 1)

# The paper's recordings last 2 s (2.2). An hour is far beyond any of them, so a later time
# means that the row holds other units than seconds.
LONGEST_S = 3600.0

# Used when no lookup table says otherwise: address = 10 * y + x, all counted from 0.
DEFAULT_TAXELS = TaxelMap.of(
    np.stack([np.arange(N_TAXELS) % GRID, np.arange(N_TAXELS) // GRID], axis=1)
)


def _content(file, source):
    """Return the bytes of a path, of an open file, or bytes as they are."""
    if isinstance(file, bytes):
        return file
    try:
        return path_of(file).read_bytes() if isinstance(file, (str, Path)) else file.read()
    except OSError as error:
        raise DataError(f"{source} cannot be read ({error}): check the path") from error


def _name(file):
    """What errors call a file."""
    return str(file) if isinstance(file, (str, Path)) else str(getattr(file, "name", "bytes"))


def read_spiketrain(
    file: str | Path | bytes | BinaryIO, taxels: TaxelMap | None = None, source: str | None = None
) -> np.ndarray:
    """Read one ST-MNIST recording.

    Parameters
    ----------
    file : path, bytes or binary file
        A .mat file with the array ``spiketrain``, (101, n): rows 0 to 99 are taxels with 1 (ON,
        FA+), -1 (OFF, FA-) or 0, row 100 is the time in seconds [1]_.
    taxels : nengo_tactile.events.TaxelMap, optional
        Where each taxel address lies; by default x = row % 10, y = row // 10.
    source : str, optional
        What errors call the file.

    Returns
    -------
    (n_events,) structured array
        x, y, t (microseconds, rounded to the nearest) and p. Several taxels in one column are
        several events at one time, in order of address.

    Raises
    ------
    DataError
        For a file that is no such recording; names file, row, column and value.

    References
    ----------
    .. [1] H. H. See et al., "ST-MNIST - The Spiking Tactile MNIST Neuromorphic Dataset", 2.3,
       arXiv:2005.04319, 2020.
    """
    source = _name(file) if source is None else source
    variables = read_mat(_content(file, source), source, {"spiketrain"})
    if "spiketrain" not in variables:
        raise DataError(f"{source} has no array 'spiketrain': give a recording of ST-MNIST")
    return events_of_spiketrain(variables["spiketrain"], taxels, source)


def events_of_spiketrain(spiketrain, taxels=None, source="spiketrain"):
    """Turn a (101, n) array into events; see `read_spiketrain`."""
    if not isinstance(spiketrain, np.ndarray) or spiketrain.dtype.kind not in "fiu":
        kind = getattr(spiketrain, "dtype", spiketrain)
        raise DataError(
            f"{source}: 'spiketrain' is of type {kind}, wanted a real numeric array of 101 rows"
        )
    if spiketrain.ndim != 2 or spiketrain.shape[0] != N_TAXELS + 1:
        raise DataError(
            f"{source}: 'spiketrain' has shape {spiketrain.shape}, wanted "
            "(101, n): 100 taxels and time"
        )
    times = spiketrain[N_TAXELS].astype(np.float64)
    _check_times(times, source)
    # MATLAB stores column by column: the transpose is contiguous, so one pass in memory order
    # finds the events already sorted by time
    by_column = spiketrain.T[:, :N_TAXELS]
    flat = np.flatnonzero(by_column != 0)
    column, taxel = np.divmod(flat, N_TAXELS)
    values = by_column[column, taxel]
    wrong = (values != 1) & (values != -1)
    if wrong.any():
        first = int(wrong.argmax())
        raise DataError(
            f"{source}: 'spiketrain' row {taxel[first]}, column {column[first]} is "
            f"{values[first]}, wanted 1 (ON), -1 (OFF) or 0: the file is damaged"
        )
    x, y = (DEFAULT_TAXELS if taxels is None else taxels).places(taxel, source)
    return make_events(x, y, times[column], values, time_unit="s", polarity="-1/1", source=source)


def _check_times(times, source):
    """Raise unless times are finite, from 0 on, in seconds and in order."""
    not_finite = ~np.isfinite(times)
    if not_finite.any():
        first = int(not_finite.argmax())
        raise DataError(
            f"{source}: 'spiketrain' row {N_TAXELS} (time), column {first} is {times[first]}, "
            "wanted a finite number of seconds: the file is damaged"
        )
    backwards = np.diff(times) < 0
    if backwards.any():
        first = int(backwards.argmax()) + 1
        raise DataError(
            f"{source}: 'spiketrain' row {N_TAXELS} (time), column {first} is {times[first]} "
            f"s, before the {times[first - 1]} s of its predecessor: sort the columns by time"
        )
    if times.size and (times[0] < 0 or times[-1] > LONGEST_S):
        value = times[0] if times[0] < 0 else times[-1]
        raise DataError(
            f"{source}: 'spiketrain' row {N_TAXELS} (time) holds {value}, wanted seconds from "
            f"0 to {LONGEST_S:.0f}: convert the times to seconds from the start"
        )


def read_lut(file: str | Path | bytes | BinaryIO, source: str | None = None) -> TaxelMap:
    """Read the lookup table from taxel addresses to X and Y addresses.

    The paper shows the table only as a picture (Figure 3), without variable names. Accepted are
    one numeric array of 100 rows (X and Y, or address, X and Y), its transpose, two arrays
    named X and Y with 100 values each, or a 10 x 10 array of addresses with rows Y and columns
    X; all counted from 0 or from 1.

    Parameters
    ----------
    file : path, bytes or binary file
    source : str, optional
        What errors call the file.

    Returns
    -------
    nengo_tactile.events.TaxelMap
        Of the addresses 0 to 99, on 10 x 10 cells.

    Raises
    ------
    DataError
        When the file holds no such table, or one that gives two taxels one place.
    """
    source = _name(file) if source is None else source
    variables = {
        name: np.squeeze(value)
        for name, value in read_mat(_content(file, source), source).items()
        if isinstance(value, np.ndarray)
    }
    by_lower = {name.lower(): value for name, value in variables.items()}
    if {"x", "y"} <= set(by_lower) and by_lower["x"].shape == by_lower["y"].shape == (N_TAXELS,):
        return _taxels_of_table(np.stack([by_lower["x"], by_lower["y"]], axis=1), source)
    tables = [value for value in variables.values() if value.size >= N_TAXELS]
    if len(tables) != 1:
        shapes = {name: value.shape for name, value in variables.items()}
        raise DataError(
            f"{source}: wanted one table of {N_TAXELS} taxels, found numeric arrays {shapes}: "
            "check that this is the LUT.mat of ST-MNIST"
        )
    table = tables[0]
    if table.shape == (GRID, GRID):
        addresses = _whole_numbers(table, source).ravel()
        addresses = addresses - _base(addresses, N_TAXELS, "taxel addresses", source)
        place = np.argsort(addresses)  # a permutation: the place of each address
        return TaxelMap.of(np.stack([place % GRID, place // GRID], axis=1))
    if table.ndim == 2 and table.shape[1] == N_TAXELS:
        table = table.T
    return _taxels_of_table(table, source)


def _whole_numbers(values, source):
    whole = np.rint(values)
    if not np.array_equal(whole, values) or np.abs(whole).max(initial=0) > 10**6:
        raise DataError(f"{source}: the table holds other values than small whole numbers")
    return whole.astype(np.int64)


def _base(values, count, what, source):
    """Return 0 or 1, whichever ``values`` count from; each of ``count`` values must occur."""
    found = np.unique(values)
    for base in (0, 1):
        if np.array_equal(found, np.arange(base, base + count)):
            return base
    raise DataError(
        f"{source}: {what} run from {found.min()} to {found.max()} with {len(found)} different "
        f"values, wanted each of {count} values from 0 or from 1"
    )


def _taxels_of_table(table, source):
    """Turn (100, 2) or (100, 3) values into a map of taxels."""
    if table.ndim != 2 or table.shape[0] != N_TAXELS or table.shape[1] not in (2, 3):
        raise DataError(
            f"{source}: the table has shape {table.shape}, wanted (100, 2), (100, 3), (10, 10)"
        )
    table = _whole_numbers(table, source)
    if table.shape[1] == 3:
        addresses = table[:, 0]
        addresses = addresses - _base(addresses, N_TAXELS, "taxel addresses", source)
        table = table[np.argsort(addresses), 1:]
    columns = [
        table[:, index] - _base(table[:, index], GRID, f"{name} addresses", source)
        for index, name in enumerate("XY")
    ]
    places_of = np.stack(columns, axis=1)
    places, counts = np.unique(places_of, axis=0, return_counts=True)
    if len(places) != N_TAXELS:
        twice = places[counts > 1][0]
        taxels = np.flatnonzero((places_of == twice).all(axis=1))
        raise DataError(
            f"{source}: taxels {taxels.tolist()} share the place x = {twice[0]}, y = {twice[1]}"
            " (counted from 0): each taxel needs its own"
        )
    return TaxelMap.of(places_of)
