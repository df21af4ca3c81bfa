"""Where taxels lie: a table of addresses and positions, for skins that are no grid.

Events of such a skin become events of a grid in which every taxel has a cell of its own. So they go
the way of all others, through every layout, network and picture.
"""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nengo_tactile.arguments import array
from nengo_tactile.errors import DataError

#: Cells along a side of a grid at most.
_LARGEST_SIDE = 1024
#: By how much the pitch shrinks until every taxel has a cell of its own.
_SHRINK = 0.97
#: Errors list at most so many addresses.
_SHOWN = 8


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TaxelMap:
    """Positions of the taxels of a skin.

    Parameters
    ----------
    addresses : (n_taxels,) int array
        As recordings name the taxels; from 0 on, in any order, with gaps.
    positions : (n_taxels, 2) array
        x to the right and y down, in any unit of length.
    grid : (int, int), optional
        Width and height of the grid. By default whole numbers are taken as cells; other positions
        get the coarsest square grid in which each taxel has a cell of its own.

    Attributes
    ----------
    cells : (n_taxels, 2) int array
        x and y of each taxel on the grid.

    Raises
    ------
    DataError
        For addresses that are no whole numbers or come twice, positions that are not finite, and
        taxels that would share a cell; each is named.
    """

    addresses: np.ndarray
    positions: np.ndarray
    grid: Any = None  # (width, height) once it is made
    cells: np.ndarray = dataclasses.field(init=False)

    def __post_init__(self):
        addresses, positions = _checked(self.addresses, self.positions)
        cells, grid = _cells(addresses, positions, self.grid)
        table = np.full(addresses.max() + 1, -1, np.int64)
        table[addresses] = np.arange(len(addresses))
        values = {"addresses": addresses, "positions": positions, "grid": grid, "cells": cells}
        for name, value in (values | {"_row_of": table}).items():
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, table: Any, grid: tuple[int, int] | None = None) -> "TaxelMap":
        """The map that a table says.

        Parameters
        ----------
        table : TaxelMap, dict, or array of (n_taxels, 2) or (n_taxels, 3)
            A map itself; ``{address: (x, y)}``; rows of x and y, whose number is the address; or
            rows of address, x and y.
        grid : (int, int), optional
        """
        if isinstance(table, cls):
            return table if grid is None else cls(table.addresses, table.positions, grid)
        if isinstance(table, dict):
            places = array("taxel map", list(table.values()))
            return cls(array("taxel map", list(table)), places, grid)
        rows = array("taxel map", table)
        if rows.ndim != 2 or rows.shape[1] not in (2, 3):
            raise DataError(
                f"taxel map: the table has shape {rows.shape}: give rows of x and y, or of "
                "address, x and y"
            )
        if rows.shape[1] == 2:
            return cls(np.arange(len(rows)), rows, grid)
        return cls(rows[:, 0], rows[:, 1:], grid)

    def __len__(self):
        return len(self.addresses)

    def __repr__(self):
        return f"TaxelMap({len(self)} taxels on {self.grid[0]} x {self.grid[1]} cells)"

    def places(self, taxels: ArrayLike, source: str = "events") -> tuple[np.ndarray, np.ndarray]:
        """Cells of taxels on the grid.

        Parameters
        ----------
        taxels : (n_events,) array
            Their addresses.
        source : str
            What errors call the recording.

        Returns
        -------
        x, y : (n_events,) int64 arrays

        Raises
        ------
        DataError
            For a taxel that the map does not have.
        """
        taxels = np.asarray(taxels)
        if taxels.dtype.kind not in "iuf":
            raise DataError(f"{source}: taxels have type {taxels.dtype}: give their addresses")
        row_of = self._row_of  # type: ignore[attr-defined]
        known = (taxels >= 0) & (taxels < len(row_of)) & (taxels == np.floor(taxels))
        row = row_of[np.where(known, taxels, 0).astype(np.int64)]
        known &= row >= 0
        if not known.all():
            index = int(np.argmin(known))
            raise DataError(
                f"{source}: event {index} is of taxel {taxels[index]}, which the map does not "
                f"have: its {len(self)} taxels are {_told(self.addresses)}; add the taxel to the "
                "map, or leave out its events"
            )
        return self.cells[row, 0], self.cells[row, 1]

    def values(self, images: ArrayLike) -> np.ndarray:
        """What images on the grid have at the taxels, as pictures of the skin need it.

        Parameters
        ----------
        images : (..., height, width, channels) array

        Returns
        -------
        (..., n_taxels, channels) array
        """
        images = np.asarray(images)
        width, height = self.grid
        if images.ndim < 3 or images.shape[-3:-1] != (height, width):
            raise DataError(
                f"images have shape {images.shape}, the skin's grid is {width} wide and {height} "
                "high: give (..., height, width, channels)"
            )
        return images[..., self.cells[:, 1], self.cells[:, 0], :]


def _checked(addresses, positions):
    """Addresses as int64 and positions as float64, or what is wrong with them."""
    addresses, positions = np.asarray(addresses), np.asarray(positions)
    if addresses.ndim != 1 or not len(addresses) or positions.shape != (len(addresses), 2):
        raise DataError(
            f"taxel map: addresses have shape {addresses.shape} and positions {positions.shape}: "
            "give (n_taxels,) and (n_taxels, 2), at least one"
        )
    for name, values in (("addresses", addresses), ("positions", positions)):
        if values.dtype.kind not in "iuf":
            raise DataError(f"taxel map: {name} are of {values.dtype}: give numbers")
    positions = positions.astype(np.float64)
    wrong = ~np.isfinite(positions).all(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"taxel map: taxel {addresses[row]} lies at {positions[row]}: give finite positions"
        )
    wrong = ~((addresses >= 0) & (addresses < 2**20) & (addresses == np.floor(addresses)))
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"taxel map: row {row} has address {addresses[row]}: give whole numbers from 0 to "
            f"{2**20 - 1}"
        )
    addresses = addresses.astype(np.int64)
    values, counts = np.unique(addresses, return_counts=True)
    if (counts > 1).any():
        raise DataError(
            f"taxel map: address {values[counts > 1][0]} is there twice: give each taxel one row"
        )
    return addresses, positions


def _cells(addresses, positions, grid):
    """Cells of a grid, (n, 2), and its width and height."""
    offsets = positions - positions.min(axis=0)
    extent = offsets.max(axis=0)
    if grid is not None:
        grid = tuple(int(n) for n in grid)
        if len(grid) != 2 or min(grid) < 1 or max(grid) > _LARGEST_SIDE:
            raise DataError(f"taxel map: grid is {grid}: give (width, height), 1 to 1,024 each")
        pitch = [e / (n - 1) if n > 1 and e > 0 else np.inf for e, n in zip(extent, grid)]
        cells = np.rint(offsets / pitch).astype(np.int64)
        _check_own_cells(addresses, positions, cells, grid)
        return cells, grid
    if np.array_equal(offsets, np.rint(offsets)) and extent.max() < _LARGEST_SIDE:
        cells = offsets.astype(np.int64)
    else:
        cells = _finest(offsets, extent)
    grid = tuple(int(n) + 1 for n in cells.max(axis=0))
    _check_own_cells(addresses, positions, cells, grid)
    return cells, grid


def _finest(offsets, extent):
    """Cells of the coarsest square grid in which no two share one, as far as there is one."""
    pitch = extent.max() / max(np.ceil(np.sqrt(len(offsets))) - 1, 1)
    while True:
        cells = np.rint(offsets / pitch).astype(np.int64)
        if len(np.unique(cells, axis=0)) == len(cells):
            return cells
        pitch *= _SHRINK
        if extent.max() / pitch > _LARGEST_SIDE - 1:
            return cells


def _check_own_cells(addresses, positions, cells, grid):
    """Refuse taxels that share a cell."""
    places, counts = np.unique(cells, axis=0, return_counts=True)
    if (counts == 1).all():
        return
    shared = int(np.argmax(counts > 1))
    one, other = np.flatnonzero((cells == places[shared]).all(axis=1))[:2]
    same = (positions[one] == positions[other]).all()
    remedy = "give each a place of its own" if same else "give a larger grid=(width, height)"
    raise DataError(
        f"taxel map: taxels {addresses[one]} and {addresses[other]}, at "
        f"{positions[one].tolist()} and {positions[other].tolist()}, share a cell of the grid of "
        f"{grid[0]} x {grid[1]}: {remedy}"
    )


def _told(addresses):
    """Addresses in words."""
    values = sorted(addresses.tolist())
    if values == list(range(values[0], values[-1] + 1)):
        return f"{values[0]} to {values[-1]}"
    return ", ".join(map(str, values[:_SHOWN])) + (", ..." if len(values) > _SHOWN else "")
