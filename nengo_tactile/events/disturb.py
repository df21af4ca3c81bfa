"""What may happen to recorded events: lost, late, elsewhere, added ones; seeded by a generator.

Each function takes events and returns others, in the order of time, and leaves what it is given as
it is. (tonic has the like as ``tonic.functional``, from one global generator.)
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from nengo_tactile.errors import DataError

#: A moved taxel meets another within so many pitches, half a diagonal: farther there is none.
_REACH = 0.71


def dropped(events: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Without a share of the events, to the nearest number, any of them as likely."""
    n_lost = int(share * len(events) + 0.5)
    return np.delete(events, rng.permutation(len(events))[:n_lost])


def cells_of(sensor_size: tuple, taxels=None) -> tuple[np.ndarray, np.ndarray]:
    """Cells of taxels on the grid, (n, 2), and where they lie, (n, 2).

    Parameters
    ----------
    sensor_size : tuple of int
        (width, height, polarities).
    taxels : TaxelMap, optional
        Of skins that are no grid.

    Raises
    ------
    DataError
        If the map has another grid.
    """
    if taxels is None:
        y, x = np.mgrid[: sensor_size[1], : sensor_size[0]]
        cells = np.stack([x.ravel(), y.ravel()], 1)
        return cells, cells.astype(float)
    if tuple(taxels.grid) != tuple(sensor_size[:2]):
        raise DataError(
            f"{taxels!r}: its grid is {taxels.grid[0]} x {taxels.grid[1]}, the sensor "
            f"{sensor_size[0]} x {sensor_size[1]}: give the map that the recordings were read with"
        )
    return taxels.cells, np.asarray(taxels.positions, float)


def dead(
    events: np.ndarray, share: float, rng: np.random.Generator, cells: np.ndarray
) -> np.ndarray:
    """Without the events of a share of the taxels, to the nearest number.

    Parameters
    ----------
    events : structured array
    share : float
    rng : numpy Generator
    cells : (n_taxels, 2) int array
        From `cells_of`.
    """
    lost = cells[rng.permutation(len(cells))[: int(share * len(cells) + 0.5)]]
    width = int(cells[:, 0].max()) + 1 if len(cells) else 1
    places = events["x"].astype(np.int64) + width * events["y"].astype(np.int64)
    return events[~np.isin(places, lost @ [1, width])]


def noise(
    events: np.ndarray,
    places: np.ndarray,
    rng: np.random.Generator,
    duration_us: float,
    n_polarities: int = 2,
) -> np.ndarray:
    """With an event more at each of some places, at times and of polarities that are as likely.

    Parameters
    ----------
    events : structured array
    places : (n, 2) int array
        x and y of each.
    rng : numpy Generator
    duration_us : float
        They come before.
    n_polarities : int
    """
    added = np.zeros(len(places), events.dtype)
    added["x"], added["y"] = np.asarray(places).reshape(-1, 2).T
    added["t"] = rng.integers(0, max(int(duration_us), 1), len(places))
    added["p"] = rng.integers(0, n_polarities, len(places))
    return _in_order(np.concatenate([events, added]))


def stretched(events: np.ndarray, factor: float) -> np.ndarray:
    """With times that are so many times as long, to the microsecond."""
    found = events.copy()
    found["t"] = np.rint(events["t"] * factor)
    return found


def late(events: np.ndarray, deviation_us: float, rng: np.random.Generator) -> np.ndarray:
    """With times that are off by a normal deviation, none before the recording's beginning."""
    found = events.copy()
    found["t"] = np.maximum(np.rint(events["t"] + rng.normal(0, deviation_us, len(events))), 0)
    return _in_order(found)


def moved(
    events: np.ndarray,
    cells: np.ndarray,
    places: np.ndarray,
    offset: ArrayLike = (0.0, 0.0),
    degrees: float = 0.0,
    scale: float = 1.0,
) -> np.ndarray:
    """As if the skin had been touched elsewhere: events of the taxels where others are moved to.

    Parameters
    ----------
    events : structured array
    cells, places : (n_taxels, 2) arrays
        From `cells_of`.
    offset : (2,) or (n_events, 2) array
        In the taxels' pitch (the median distance to the nearest neighbour).
    degrees, scale : float
        About the middle of the skin.

    Returns
    -------
    structured array
        Without events that come to lie where no taxel is.

    Raises
    ------
    DataError
        For an event where the map has no taxel.
    """
    if not len(events):
        return events
    width, height = cells.max(0) + 1
    number = np.full((width, height), -1)
    number[cells[:, 0], cells[:, 1]] = np.arange(len(cells))
    x, y = events["x"].astype(np.int64), events["y"].astype(np.int64)
    inside = (x < width) & (y < height)
    taxel = np.where(inside, number[x * inside, y * inside], -1)
    if (taxel < 0).any():
        first = int(np.argmax(taxel < 0))
        raise DataError(
            f"event {first} is at ({x[first]}, {y[first]}), where the taxel map has no taxel: give "
            "the map that the recordings were read with"
        )
    tree = cKDTree(places)
    pitch = np.median(tree.query(places, 2)[0][:, 1]) if len(places) > 1 else 1.0
    middle, angle = (places.max(0) + places.min(0)) / 2, np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    goals = middle + scale * (places[taxel] - middle) @ turn.T + np.asarray(offset) * pitch
    distance, nearest = tree.query(goals)
    found = events.copy()
    found["x"], found["y"] = cells[nearest].T
    return found[distance <= _REACH * pitch]


def _in_order(events):
    return events[np.argsort(events["t"], kind="stable")]
