"""What files of events hold: columns, unit of time, polarity, sensor. All said, or refused."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from nengo_tactile.arguments import whole
from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import EVENT_DTYPE, convention, make_events
from nengo_tactile.events.clocks import check_unit
from nengo_tactile.events.taxels import TaxelMap

#: What columns are called here; a taxel's address stands for x and y where there is a map.
NAMES = ("x", "y", "taxel", "t", "p")
REPEATS = ("error", "keep", "drop")
#: Errors list at most so many names.
_SHOWN = 12


@dataclasses.dataclass(frozen=True)
class Names:
    """Which columns are wanted of a file, and what it calls them.

    Attributes
    ----------
    wanted : tuple of str
        Our names.
    columns : dict, tuple or None
        See `EventColumns`.
    """

    wanted: tuple[str, ...]
    columns: Any = None

    def theirs(self, names: Iterable[str], source: Any) -> dict[str, str]:
        """What the file calls each column that is wanted.

        Parameters
        ----------
        names : iterable of str
            Of the columns that are there.
        source : path
            What errors call the file.
        """
        names = list(names)
        if isinstance(self.columns, tuple):
            raise DataError(
                f"{source}: its columns have names ({_told(names)}): say which are which, columns="
                "{'x': NAME, ...}"
            )
        found = {name: (self.columns or {}).get(name, name) for name in self.wanted}
        missing = {ours: name for ours, name in found.items() if name not in names}
        if missing:
            ours, name = next(iter(missing.items()))
            raise DataError(
                f"{source}: has no column {name!r} for {ours}, but {_told(names)}: say which is "
                f"meant, columns={{{ours!r}: NAME}}{_hint(ours, names)}"
            )
        return found

    def numbered(self, n_columns: int, source: Any) -> dict[str, int]:
        """Which column each that is wanted is, of a file without names."""
        order = self.columns
        if not isinstance(order, tuple):
            raise DataError(
                f"{source}: its {n_columns} columns have no names: say what they are in their "
                f"order, columns=({', '.join(map(repr, self.wanted))}), with None for others"
            )
        missing = [name for name in self.wanted if name not in order]
        if missing or len(order) != n_columns:
            raise DataError(
                f"{source}: has {n_columns} columns, columns={order!r} says {len(order)}"
                f"{f' and lacks {missing[0]!r}' if missing else ''}: give each of "
                f"{', '.join(map(repr, self.wanted))}, and None for others"
            )
        return {name: order.index(name) for name in self.wanted}


@dataclasses.dataclass(frozen=True)
class EventColumns:
    """How columns of numbers become events.

    Parameters
    ----------
    sensor_size : tuple of int
        (width, height), or (width, height, polarities) as in tonic. With one polarity there is no
        column p, and all events are ON. Not needed with ``taxels``, whose grid it is.
    time_unit : {"s", "ms", "us", "ns"}
    polarity : str
        The numbers that stand for OFF and ON: "0/1", "-1/1", "1/2"...
    columns : dict or sequence, optional
        Names in the files of x, y, t, p (and taxel), ``{"x": "col"}``, where they differ; of files
        without names our names in the order of the columns, with None for others: ``("t", "taxel",
        None, "p")``.
    taxels : TaxelMap, dict or array, optional
        Where taxels lie, of recordings that name taxels: see `nengo_tactile.events.TaxelMap.of`.
    repeats : {"error", "keep", "drop"}, optional
        What happens to several events of one taxel at one time. By default they are an error, but
        in the formats of event cameras, where they are kept.
    from_first : bool
        Times count from the first event of a recording, as those of clocks that never begin anew.

    Raises
    ------
    DataError
        For what is missing or not one of these, with the remedy.
    """

    sensor_size: tuple[int, ...] = None  # type: ignore[assignment]
    time_unit: str | None = None
    polarity: str = "0/1"
    columns: Any = None
    taxels: Any = None
    repeats: str | None = None
    from_first: bool = False

    def __post_init__(self):
        taxels = self.taxels
        if taxels is not None:
            taxels = TaxelMap.of(taxels)
        if self.repeats not in (None, *REPEATS):
            raise DataError(
                f"repeats is {self.repeats!r}: choose one of {', '.join(map(repr, REPEATS))}"
            )
        check_unit(self.time_unit)
        convention(self.polarity)
        if not isinstance(self.from_first, bool | np.bool_):
            raise DataError(f"from_first is {self.from_first!r}: give True or False")
        columns = self.columns
        if columns is not None:
            if not isinstance(columns, Iterable):
                columns = (columns,)
            columns = dict(columns) if isinstance(columns, Mapping) else tuple(columns)
            ours = [n for n in columns if n is not None]
            odd = any(n not in NAMES for n in ours) or len(set(ours)) < len(ours)
            theirs = columns.values() if isinstance(columns, dict) else ()
            if isinstance(self.columns, str) or odd or any(type(n) is not str for n in theirs):
                raise DataError(
                    f"columns is {self.columns!r}: give {{'x': NAME, ...}} for some of "
                    f"{', '.join(NAMES)}, or each of these once in the order of the columns"
                )
        object.__setattr__(self, "sensor_size", _size(self.sensor_size, taxels))
        object.__setattr__(self, "taxels", taxels)
        object.__setattr__(self, "columns", columns)

    @property
    def names(self) -> "Names":
        """Which columns are needed, and what files call them."""
        where = ("x", "y") if self.taxels is None else ("taxel",)
        one = self.sensor_size is not None and self.sensor_size[2] == 1
        return Names((*where, "t") if one else (*where, "t", "p"), self.columns)

    def events(self, tables: Iterable[dict[str, np.ndarray]], source: Any) -> Iterator[np.ndarray]:
        """Turn columns into events, part by part.

        Parameters
        ----------
        tables : iterable of {name: (n,) array}
            Our names.
        source : path
            What errors call the recording.

        Yields
        ------
        (n,) structured array of `nengo_tactile.events.EVENT_DTYPE`
        """
        self.check_said(source)
        done, first, tail = 0, None, np.zeros(0, EVENT_DTYPE)
        for table in tables:
            name = f"{source}, from event {done} on" if done else str(source)
            t = np.asarray(table["t"])
            if self.from_first and len(t) and t.dtype.kind in "iuf":
                t = t.astype(np.int64) if t.dtype.kind in "iu" else t
                first = t[0] if first is None else first
                t = t - first
            part = self._made(table, t, name)
            if len(tail) and len(part) and part["t"][0] < tail["t"][-1]:
                raise DataError(
                    f"{source}: event {done} has t = {part['t'][0]} us after {tail['t'][-1]}: "
                    "times must not decrease; sort the events by t"
                )
            done += len(part)
            part = self._without_repeats(tail, part, name)
            if len(part):
                tail = part[part["t"] == part["t"][-1]]
            yield part

    def check_said(self, source: Any) -> None:
        """Refuse columns whose sensor or unit of time nobody has said."""
        if self.sensor_size is None:
            raise DataError(
                f"{source}: the size of the sensor is not known: give sensor_size=(width, height), "
                "with a third number 1 where events have no polarity"
            )
        if self.time_unit is None:
            raise DataError(
                f"{source}: the unit of times is not known: give time_unit='s', 'ms', 'us' or 'ns'"
            )

    def _made(self, table, t, source):
        if self.taxels is None:
            x, y = table["x"], table["y"]
        else:
            x, y = self.taxels.places(table["taxel"], source)
        p = table["p"] if "p" in table else np.ones(len(t), bool)
        return make_events(
            x, y, t, p, time_unit=self.time_unit, polarity=self.polarity,
            sensor_size=self.sensor_size, source=source,
        )  # fmt: skip

    def _without_repeats(self, before, events, source):
        """Events without those whose place and time are those of one before them."""
        if self.repeats == "keep" or not len(events):
            return events
        t = events["t"]
        same = t[1:] == t[:-1]
        n_before = len(before) if len(before) and before["t"][-1] == t[0] else 0
        if not same.any() and not n_before:
            return events
        both = np.concatenate([before[:n_before], events])
        order = np.lexsort((both["y"], both["x"], both["t"]))  # stable: the first stays first
        one, other = both[order[:-1]], both[order[1:]]
        repeated = (one["t"] == other["t"]) & (one["x"] == other["x"]) & (one["y"] == other["y"])
        if not repeated.any():
            return events
        indices = order[1:][repeated]
        if self.repeats != "drop":
            index = int(indices.min())
            event = both[index]
            raise DataError(
                f"{source}: event {index - n_before} is the second at x = {event['x']}, y = "
                f"{event['y']} and t = {event['t']} us: pass repeats='drop' to leave such events "
                "out, or repeats='keep' where a taxel may send several at once"
            )
        return np.delete(both, indices)[n_before:]


def _size(size, taxels):
    """(width, height, polarities); None where nothing says it."""
    if size is None and taxels is None:
        return None
    size = tuple(size) if size is not None else (*taxels.grid, 2)
    if len(size) not in (2, 3):
        raise DataError(
            f"sensor_size is {size}: give (width, height) or (width, height, polarities)"
        )
    size = tuple(whole("sensor_size", n) for n in size) + (2,) * (len(size) == 2)
    if size[2] > 2:
        raise DataError(f"sensor_size is {size}: events have 1 or 2 polarities")
    if taxels is not None and size[:2] != taxels.grid:
        raise DataError(
            f"sensor_size is {size}, the taxel map's grid is {taxels.grid[0]} x {taxels.grid[1]}: "
            "leave sensor_size out, or give TaxelMap(..., grid=(width, height))"
        )
    return size


def _hint(ours, names):
    """What else may be meant."""
    if ours in ("x", "y") and any("taxel" in str(name).lower() for name in names):
        return "; or give taxels=, where each taxel lies"
    return "; or sensor_size=(width, height, 1), if all are of one polarity" * (ours == "p")


def _told(names):
    """Names in words, at most some."""
    names = [str(name) for name in names]
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "") or "none at all"
