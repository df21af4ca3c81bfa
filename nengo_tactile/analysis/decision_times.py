"""How soon a network decides: accuracy and decisions over time since a recording's first event.

The window in which a network reads begins when someone starts to record, and the touch only with
its first event: the time that a user waits for an answer is counted from there. In a recording of a
network whose samples come step by step (`since_first_event`) each sample is shifted to its first
event; a network that is shown images is shown that of the events so far, again and again
(`as_events_come`). Whoever stops when the margin of the decision is large enough
(`nengo_tactile.analysis.early_exit`) has a time to decision for each recording, whose percentiles
`DecisionTimes` gives.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nengo_tactile import arguments, engines
from nengo_tactile.analysis.accuracy import Percentile, accuracy_interval, percentile
from nengo_tactile.analysis.early_exit import exit_margin, exits, right_over_time
from nengo_tactile.engines.recording import Recording
from nengo_tactile.errors import DataError
from nengo_tactile.events.labelled import Labelled
from nengo_tactile.lazy import cached_property
from nengo_tactile.networks.protocol import Network, check_data

#: Percentiles of the time to decision that tables give.
PERCENTS = (50, 95, 99)
#: Times at which a network of images is shown what has come.
N_TIMES = 20


@dataclasses.dataclass(frozen=True)
class DecisionTimes:
    """When each recording is decided, counted from its first event, and whether rightly.

    Attributes
    ----------
    seconds : (n_samples,) float array
        Of recordings that are never clear, all that they last.
    clear : (n_samples,) bool array
        Whether it was decided before its end.
    right, right_at_end : (n_samples,) float array
        Whether the decision is right, then and at the end; shares, of several for one sample.
    levels : (n_steps,) float array
        That the margin has to pass after each step since the first event.
    """

    seconds: np.ndarray
    clear: np.ndarray
    right: np.ndarray
    right_at_end: np.ndarray
    levels: np.ndarray

    @property
    def accuracy(self) -> float:
        """Of the decisions when they are made."""
        return float(self.right.mean())

    @property
    def lost(self) -> float:
        """Points of accuracy less than at the end; below zero where it is more."""
        return 100 * float((self.right_at_end - self.right).mean())

    def percentile(self, percent: float) -> Percentile:
        """Of the seconds to decision: see `percentile`."""
        return percentile(self.seconds, percent)

    def numbers(self) -> dict[str, Any]:
        """Plain numbers for JSON; times in milliseconds."""
        n = len(self.seconds)
        low, high = accuracy_interval(self.accuracy, n)

        def row(percent):
            ms = [None if s is None else 1e3 * s for s in self.percentile(percent)]
            return {"percent": percent, **dict(zip(("ms", "low_ms", "high_ms"), ms))}

        return {
            "accuracy": self.accuracy,
            "low": low,
            "high": high,
            "lost_points": self.lost,
            "clear_share": float(self.clear.mean()),
            "percentiles": [row(percent) for percent in PERCENTS],
            "ms": [float(ms) for ms in 1e3 * self.seconds],
        }


@dataclasses.dataclass(frozen=True, eq=False)
class SinceFirstEvent:
    """A run on recordings, each from its first event on.

    Attributes
    ----------
    recording : Recording
        Whose outputs after step k are those when k steps have passed since the first event, from
        1 on; of timed samples since the beginning of the step that it came in, so that times are
        at most a step too long. A sample that is over keeps its last outputs.
    labels : (n_samples, ...) int array
    ends : (n_samples,) int array
        Steps from the first event to the end of the window.
    kept : (n_samples,) int array
        Which of the samples that were shown: those that have events.
    n_empty : int
        How many have none, and are left out.
    """

    recording: Recording
    labels: np.ndarray
    ends: np.ndarray
    kept: np.ndarray
    n_empty: int = 0

    @cached_property
    def accuracy(self) -> np.ndarray:
        """If one stopped reading so many steps after the first event, (n_steps,)."""
        return self.recording.accuracy(self.labels)

    @property
    def seconds(self) -> np.ndarray:
        """Since the first event, after each step, (n_steps,)."""
        return self.recording.dt * np.arange(1, self.recording.n_steps + 1)

    def levels(self, max_loss: float, same: bool = True) -> np.ndarray:
        """Levels of the margin that lose at most so many points: see `exit_margin`.

        To be chosen on training recordings, and used on others. They are few and learnt by heart,
        so that one level for all steps keeps better what it promises than one for each.
        """
        return exit_margin(self.recording, self.labels, max_loss, same)

    def decisions(self, margin: ArrayLike) -> DecisionTimes:
        """Stop each recording where the margin of its decision passes a level.

        Parameters
        ----------
        margin : float or (n_steps,) array
            From 0: for all steps, or for each since the first event, as `levels` gives them.

        Returns
        -------
        DecisionTimes

        Raises
        ------
        DataError
            For a number that no recording's margin reaches before its end, and what `exits`
            refuses.
        """
        found = exits(self.recording, margin)
        steps = np.minimum(found.steps, self.ends)
        clear = found.steps < self.ends
        if np.ndim(margin) == 0 and not clear.any():
            before = np.arange(1, self.recording.n_steps + 1) < self.ends[:, None]
            largest = np.where(before, self.recording.margins(), 0).max()
            raise DataError(
                f"margin is {margin}, which none of {len(steps)} recordings passes before its end, "
                f"where the largest is {largest:.4g}: give at most that, or the levels of "
                "training recordings (`levels(max_loss)`)"
            )
        right = right_over_time(self.recording, self.labels)
        then = right[np.arange(len(steps)), steps - 1]
        return DecisionTimes(steps * self.recording.dt, clear, then, right[:, -1], found.levels)


def first_steps(x: Any) -> np.ndarray:
    """Step in which the first event of each sample comes.

    Parameters
    ----------
    x : SpikeSamples, or (n_samples, n_steps, ...) array

    Returns
    -------
    (n_samples,) int array
        From 0; -1 of samples without events.
    """
    if hasattr(x, "offsets"):
        there = np.diff(x.offsets) > 0
        found = np.full(len(x), -1)
        found[there] = x.steps[x.offsets[:-1][there]]
        return found
    x = np.asarray(x)
    there = (x.reshape(*x.shape[:2], -1) != 0).any(axis=2)
    return np.where(there.any(axis=1), there.argmax(axis=1), -1)


def since_first_event(
    network: Network, recording: Recording, x: Any, labels: ArrayLike, leave_out: bool = False
) -> SinceFirstEvent:
    """Count a run's time from the first event of each recording.

    Parameters
    ----------
    network : Network
        Whose samples come step by step: trained on spikes, SKIM's, or another simulator's.
    recording : Recording
        Of `nengo_tactile.run`, without a margin.
    x : SpikeSamples or (n_samples, n_steps, ...) array
        That it was shown, as ``network.encode`` gives them.
    labels : (n_samples,) int array
    leave_out : bool
        Leave recordings without events out, which otherwise are an error.

    Returns
    -------
    SinceFirstEvent

    Raises
    ------
    DataError
        For networks that are shown images, recordings without events, runs that were stopped by
        a margin, and samples, labels and recordings that do not fit.
    """
    if not network.is_timed:
        raise DataError(
            f"a {type(network).__name__} is shown each sample as a whole from its first step on, "
            "so that there is no time since its first event: of recordings use "
            "as_events_come(network, data); of images count steps, with recording.accuracy(labels)"
        )
    labels, first = np.asarray(labels), first_steps(x)
    if not len(first) == len(labels) == recording.n_samples:
        raise DataError(
            f"{len(first)} samples, {len(labels)} labels and a recording of {recording.n_samples}: "
            "give the samples that ran, and a label for each"
        )
    if recording.exit_steps is not None:
        raise DataError(
            "the run was stopped by a margin: run it without, and give the margin to `decisions`"
        )
    # a run may end before its samples do, and before their first event
    first[first >= recording.n_steps] = -1
    kept = _with_events(first >= 0, leave_out)
    shifted = _shifted(recording, kept, first[kept])
    ends = recording.n_steps - first[kept]
    return SinceFirstEvent(shifted, labels[kept], ends, kept, len(first) - len(kept))


def as_events_come(
    network: Network,
    data: Any,
    indices: Sequence[int] | np.ndarray | None = None,
    n_times: int = N_TIMES,
    engine: str | None = None,
    n_steps: int | None = None,
    leave_out: bool = False,
    progress: bool | None = None,
    **options: Any,
) -> SinceFirstEvent:
    """Show a network of images those of the events so far, at times since the first.

    Each time it begins anew and answers after ``n_steps``, which come on top of the time.

    Parameters
    ----------
    network : Network
        That reads recordings.
    data : data set of recordings, or list of (events, label)
    indices : sequence of int, optional
        Some of them; by default all.
    n_times : int
        Into so many equal parts the window is cut; the last ends with all that it holds.
    engine, n_steps, progress
        See `nengo_tactile.run`.
    leave_out : bool
        Leave recordings without events out, which otherwise are an error.
    **options
        Of the engine.

    Returns
    -------
    SinceFirstEvent
        Its steps are the parts; it has no spikes.

    Raises
    ------
    DataError
        For networks that read no recordings, recordings without events or labels, and what the
        network's ``encode`` refuses.
    """
    layout = getattr(network, "layout", None)
    if layout is None:
        raise DataError(
            f"a {type(network).__name__} of images is shown each as a whole from the first step "
            "on, so that there is no time since the first event: give a network of recordings, "
            "or count steps, with recording.accuracy(labels) and exit_margin"
        )
    n_times = arguments.whole("n_times", n_times)
    check_data(network, data)
    recordings = Labelled(data, indices, progress)
    kept_events = list(recordings)
    if recordings.labels is None:
        raise DataError(f"{data!r}: the recordings have no labels: give some that have")
    kept = _with_events(np.array([len(events) > 0 for events in kept_events], bool), leave_out)
    events, labels = [kept_events[i] for i in kept], recordings.labels[kept]
    starts = np.array([each["t"].min() for each in events], float)
    part_us = layout.duration_us / n_times
    outputs, decisions, margins = [], [], []
    for number in range(1, n_times + 1):
        until = starts + number * part_us
        so_far = [each[each["t"] < end] for each, end in zip(events, until)]
        x, _ = network.encode(so_far, progress=False)
        shown = engines.run(network, x, n_steps, engine, progress, **options)
        outputs.append(shown.outputs[:, -1])
        margins.append(shown.margins()[:, -1])
        decisions.append(None if shown.decisions is None else shown.decisions[:, -1])
    own = shown.decisions is not None
    recording = dataclasses.replace(
        shown,
        outputs=np.stack(outputs, axis=1),
        spike_counts={}, spikes_over_time={}, synops_over_time={}, units_over_time={},
        chip_synops_over_time={}, rasters={}, dt=part_us / 1e6,
        decisions=np.stack(decisions, axis=1) if own else None,
        decision_margins=np.stack(margins, axis=1) if own else None,
    )  # fmt: skip
    ends = np.ceil((layout.duration_us - starts) / part_us - 1e-9).astype(int).clip(1, n_times)
    return SinceFirstEvent(recording, labels, ends, kept, len(kept_events) - len(kept))


def _with_events(there, leave_out):
    """Indices of recordings that have events; refuses others unless they are to be left out."""
    kept = np.flatnonzero(there)
    if not len(kept):
        raise DataError(
            f"none of {len(there)} recordings has an event, so there is no first: give recordings "
            "of touch"
        )
    if len(kept) < len(there) and not leave_out:
        raise DataError(
            f"recording {int(np.flatnonzero(~there)[0])} has no event, so there is no time since "
            f"its first ({len(there) - len(kept)} of {len(there)} are such): leave it out, or give "
            "leave_out=True"
        )
    return kept


def _shifted(recording, kept, first):
    """The recording of some samples, each from a step on, its last outputs kept at the end."""
    steps = np.minimum(np.arange(recording.n_steps) + first[:, None], recording.n_steps - 1)
    over = np.arange(recording.n_steps) + first[:, None] >= recording.n_steps
    rows = kept[:, None]

    def held(array):
        return None if array is None else array[rows, steps]

    def ended(series):
        return {name: np.where(over, 0, each[rows, steps]) for name, each in series.items()}

    return dataclasses.replace(
        recording,
        outputs=held(recording.outputs),
        decisions=held(recording.decisions),
        decision_margins=held(recording.decision_margins),
        spike_counts={name: each[kept] for name, each in recording.spike_counts.items()},
        spikes_over_time=ended(recording.spikes_over_time),
        units_over_time=ended(recording.units_over_time),
        synops_over_time=ended(recording.synops_over_time),
        chip_synops_over_time=ended(recording.chip_synops_over_time),
        rasters={},
    )
