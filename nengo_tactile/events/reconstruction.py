"""What level crossing keeps of a signal: the staircase of its events beside it, by threshold."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nengo_tactile import arguments
from nengo_tactile.errors import DataError
from nengo_tactile.events.crossing import LevelCrossing, _placed


def reconstructed(
    events: np.ndarray, crossing: LevelCrossing, start: ArrayLike, n_steps: int, rate_hz: float
) -> np.ndarray:
    """The signal that events say: a step up or down by the threshold at each.

    Parameters
    ----------
    events : (n_events,) structured array
        Of signals (n_steps, height, width), or (n_steps, n_taxels) with y = 0.
    crossing : LevelCrossing
    start : (height, width) or (n_taxels,) array
        Signals at the first step, see `LevelCrossing.signal`.
    n_steps : int
    rate_hz : float

    Returns
    -------
    (n_steps, ...) float array
        At each step, with the events up to then.
    """
    start = np.asarray(start, np.float64)
    grid = start if start.ndim == 2 else start[None]
    changes = np.zeros((n_steps, *grid.shape))
    # an event counts from the first step at or after it
    step = np.ceil(events["t"] * (rate_hz * 1e-6) - 1e-3).astype(np.int64)
    kept = step < n_steps
    signs = np.where(events["p"], crossing.threshold, -crossing.threshold)
    np.add.at(changes, (step[kept], events["y"][kept], events["x"][kept]), signs[kept])
    return (grid + np.cumsum(changes, axis=0)).reshape(n_steps, *start.shape)


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """What level crossing keeps of signals, by threshold.

    Attributes
    ----------
    rows : tuple of dict
        ``threshold``; ``events`` per recording, and the share of ``on``; ``values_per_event``:
        numbers of the recording to one event; ``error``: root mean square difference of the
        reconstruction and the signal; ``relative_error``: the same over the signal's SD.
    n_samples : int
    """

    rows: tuple
    n_samples: int

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"n_samples": self.n_samples, "thresholds": list(self.rows)}

    def table(self) -> Any:
        """As a table, `rich.table.Table`."""
        from rich import box
        from rich.table import Table

        title = f"Level crossing of {self.n_samples} recordings"
        table = Table(title=title, box=box.SIMPLE_HEAD)
        for name in ("threshold", "events", "ON", "values per event", "error", "of the SD"):
            table.add_column(name, justify="right")
        for row in self.rows:
            told = [f"{row['threshold']:g}", f"{row['events']:.1f}"]
            told += ["-" if row[name] is None else f"{row[name]:.3g}" for name in _SHOWN]
            table.add_row(*told)
        return table


_SHOWN = ("on", "values_per_event", "error", "relative_error")


def compare_thresholds(
    signals: Any,
    rate_hz: float,
    thresholds: Sequence[float],
    crossing: LevelCrossing | None = None,
    seed: int = 0,
) -> Thresholds:
    """How many events each threshold makes, and how near these come to the signal.

    Parameters
    ----------
    signals : (n_samples, n_steps, ...) array, or sequence of (n_steps, ...) arrays
        See `LevelCrossing.__call__`.
    rate_hz : float
    thresholds : sequence of float
    crossing : LevelCrossing, optional
        All but the threshold; by default `LevelCrossing` without noise.
    seed : int

    Returns
    -------
    Thresholds

    Raises
    ------
    DataError
        As `LevelCrossing.__call__`, and for no signals or thresholds.
    """
    crossing = LevelCrossing() if crossing is None else crossing
    samples = [_placed(each, None, f"signals {n}")[0] for n, each in enumerate(signals)]
    if not samples or not len(thresholds):
        raise DataError(
            f"{len(samples)} signals and {len(thresholds)} thresholds: give at least one of each"
        )
    rate_hz = arguments.positive("rate_hz", rate_hz, "steps a second")
    wanted = [crossing.signal(sample) for sample in samples]
    spread = float(np.sqrt(np.mean([np.var(each) for each in wanted])))
    rows = []
    for threshold in thresholds:
        one = dataclasses.replace(crossing, threshold=threshold)
        n_events, n_on, squares = 0, 0, []
        for index, (sample, signal) in enumerate(zip(samples, wanted)):
            events = one(sample, rate_hz, (seed, index))
            found = reconstructed(events, one, signal[0], len(signal), rate_hz)
            squares.append(np.mean((found - signal) ** 2))
            n_events, n_on = n_events + len(events), n_on + int(events["p"].sum())
        n_values, error = sum(sample.size for sample in samples), float(np.sqrt(np.mean(squares)))
        rows.append(
            {
                "threshold": float(threshold),
                "events": n_events / len(samples),
                "on": n_on / n_events if n_events else None,
                "values_per_event": n_values / n_events if n_events else None,
                "error": error,
                "relative_error": error / spread if spread else None,
            }
        )
    return Thresholds(tuple(rows), len(samples))
