"""Table 1 of the ST-MNIST paper, for any labelled set of event recordings."""

from typing import Any

import numpy as np

from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import check_events
from nengo_tactile.progress import track

# The rows of the paper's Table 1, in its order.
STATISTICS = ("ON events", "OFF events", "X mean", "Y mean", "X range", "Y range")
_OF_PLACES = STATISTICS[2:]  # undefined for a recording without events


class _Moments:
    """Mean and SD of a stream of numbers (Welford's recurrence)."""

    def __init__(self):
        self.count, self.mean, self._squares = 0, 0.0, 0.0

    def add(self, value):
        self.count += 1
        before = value - self.mean
        self.mean += before / self.count
        self._squares += before * (value - self.mean)

    def summary(self):
        """Mean and sample SD (n - 1), None where undefined."""
        return {
            "mean": self.mean if self.count else None,
            "sd": float(np.sqrt(self._squares / (self.count - 1))) if self.count > 1 else None,
        }


def sample_statistics(events, address_base=0):
    """Describe one recording.

    Parameters
    ----------
    events : (n_events,) structured array
    address_base : {0, 1}
        What addresses are counted from in the result: 1 as in the paper's Figure 1.

    Returns
    -------
    dict of str to float
        The entries of `STATISTICS`; the ranges are largest minus smallest address. Without
        events only the two counts are there.
    """
    events = check_events(events)
    on = int(np.count_nonzero(events["p"]))
    result = {"ON events": float(on), "OFF events": float(len(events) - on)}
    if len(events):
        for axis in "xy":
            places = events[axis]
            result[f"{axis.upper()} mean"] = float(places.mean()) + address_base
            result[f"{axis.upper()} range"] = float(int(places.max()) - int(places.min()))
    return result


def compute_statistics(
    dataset: Any, address_base: int = 0, progress: bool | None = None
) -> dict[str, dict[str, Any]]:
    """Mean and SD of the paper's statistics, per class, in one pass over the samples.

    Parameters
    ----------
    dataset : sequence of (events, label)
        Any tonic-style data set. Labels are indices into ``dataset.classes`` where there is
        such an attribute.
    address_base : {0, 1}
        What addresses are counted from: the paper's Table 1 counts from 1.
    progress : bool, optional
        Show a bar; by default only when the error stream is a terminal.

    Returns
    -------
    dict of str to dict
        Per class name: each of `STATISTICS` as ``{"mean", "sd"}`` (sample SD, None for one
        sample), "Sample size", and "Without events": samples that count in the event numbers
        only, as they have no place.

    Raises
    ------
    DataError
        For an empty set, malformed events, or a label outside ``classes``.
    """
    if address_base not in (0, 1):
        raise DataError(f"address_base is {address_base}, wanted 0 or 1")
    names = getattr(dataset, "classes", None)
    size = getattr(dataset, "sensor_size", None)
    moments: dict[int, dict] = {}
    total = len(dataset)
    for index in track(range(total), "describing recordings", total, progress):
        events, label = dataset[index]
        events = check_events(events, size, f"sample {index}")
        if names is not None and not 0 <= label < len(names):
            raise DataError(f"sample {index} has label {label}, wanted 0 to {len(names) - 1}")
        streams = moments.setdefault(label, {name: _Moments() for name in STATISTICS})
        for name, value in sample_statistics(events, address_base).items():
            streams[name].add(value)
    if not moments:
        raise DataError("the data set is empty: there is nothing to describe")
    result = {}
    for label in sorted(moments):
        streams = moments[label]
        entry = {name: stream.summary() for name, stream in streams.items()}
        entry["Sample size"] = streams["ON events"].count
        entry["Without events"] = entry["Sample size"] - streams["X mean"].count
        result[str(label if names is None else names[label])] = entry
    return result


def stmnist_table1() -> dict[str, dict[str, Any]]:
    """Return the ST-MNIST paper's Table 1 in the form that `table` and `to_dict` take.

    Returns
    -------
    dict of str to dict
        Per digit: each of `STATISTICS` as ``{"mean", "sd"}`` and "Sample size". Addresses count
        from 1: compare with ``compute_statistics(..., address_base=1)``.
    """
    from nengo_tactile.events import eskin_table1

    values = eskin_table1.table1()
    result = {}
    for digit, size in enumerate(eskin_table1.TABLE1_SAMPLES):
        entry = {}
        for name in STATISTICS:
            both = values[name.lower().replace(" ", "_")]
            entry[name] = {key: float(both[key][digit]) for key in ("mean", "sd")}
        result[str(digit)] = {**entry, "Sample size": size}
    return result


def to_dict(statistics, reference=None, **about):
    """Statistics as JSON takes them.

    Parameters
    ----------
    statistics : dict
        From `compute_statistics`.
    reference : dict, optional
        A table of the same form, kept beside.
    **about
        Anything else worth keeping: the name of the set, the seed.
    """
    content = {**about, "statistics": statistics}
    return content if reference is None else {**content, "reference": reference}


def table(statistics, reference=None, title="Statistics: mean (SD)"):
    """Lay statistics out like the paper's Table 1, one row per class.

    Parameters
    ----------
    statistics : dict
        From `compute_statistics`.
    reference : dict, optional
        ``{class name: {statistic: {"mean", "sd"} or (mean, sd), "Sample size": n}}``: printed
        below each of our rows, for instance `stmnist_table1`.
    title : str

    Returns
    -------
    rich.table.Table
    """
    from rich import box
    from rich.table import Table

    columns = [*STATISTICS, "Sample size"]
    if any(entry["Without events"] for entry in statistics.values()):
        columns.append("Without events")
    result = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    result.add_column("Class", no_wrap=True)
    for column in columns:
        result.add_column(column, justify="right", overflow="fold")
    for name, entry in statistics.items():
        result.add_row(name, *(_cell(entry[column]) for column in columns))
        if reference is not None:
            beside = reference.get(name, {})
            cells = (_cell(beside.get(column)) for column in columns)
            result.add_row("  reference", *cells, style="dim")
    return result


def _cell(value):
    """Print a number or a mean with its SD."""
    if value is None:
        return "-"
    if np.isscalar(value):
        return f"{value:g}"
    mean, sd = (value["mean"], value["sd"]) if isinstance(value, dict) else value
    if mean is None:
        return "-"
    return f"{mean:.2f}" + ("" if sd is None else f" ({sd:.2f})")
