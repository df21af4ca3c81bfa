"""Early exit: a sample is shown until its answer is clear, and no longer.

The margin of a decision is how far the outputs so far are from another one (see
`nengo_tactile.networks.read_out.ReadOut.margin`). Whoever stops at the first step after which it
passes a level saves steps on most samples. Early margins say less than late ones, so each step has
a level of its own, chosen on recordings of calibration samples (`exit_margin`); then recordings
tell what that saves (`exits`), and the event engine stops by itself, with
``nt.run(network, x, engine="event", margin=levels)``.
"""

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike

from nengo_tactile.engines.recording import Recording, exit_levels
from nengo_tactile.errors import DataError
from nengo_tactile.networks.read_out import ReadOut

#: Prices of a point that are tried, by halving, and rounds through all steps for each.
_PRICES, _ROUNDS = 40, 4
#: Levels for all steps that are tried.
_LEVELS = 500


@dataclasses.dataclass(frozen=True)
class Exits:
    """What one saves who stops early.

    Attributes
    ----------
    levels : (n_steps,) float array
        That a margin has to pass after each step.
    steps : (n_samples,) int array
        After which each sample is stopped.
    outputs : (n_samples, n_outputs) float32 array
        Then.
    read_out : ReadOut
    spikes, unit_spikes, synops : float
        Of a sample until then, on average: see `nengo_tactile.engines.recording.Recording`.
    decisions : (n_samples,) int array or None
        Then, of networks that do not choose the largest output.
    """

    levels: np.ndarray
    steps: np.ndarray
    outputs: np.ndarray
    read_out: ReadOut
    spikes: float
    unit_spikes: float
    synops: float
    decisions: np.ndarray | None = None

    @property
    def mean_steps(self) -> float:
        """Steps of a sample, on average."""
        return float(self.steps.mean())

    def accuracy(self, labels: ArrayLike) -> float:
        """Accuracy of the decisions when samples are stopped: see `Recording.accuracy`."""
        if self.decisions is None:
            return self.read_out.accuracy(self.outputs, labels)
        labels, _ = self.read_out.check_labels(labels, len(self.decisions))
        return float((self.decisions == labels).mean())


def exits(recording: Recording, margin: ArrayLike) -> Exits:
    """Stop the samples of a recording where the margin of their decision passes a level.

    Parameters
    ----------
    recording : Recording
    margin : float or (n_steps,) array
        From 0, for all steps or for each; in the units of the outputs. What never passes is shown
        to the end.

    Returns
    -------
    Exits

    Raises
    ------
    DataError
        For other levels, and recordings that tell no classes or choose them otherwise.
    """
    levels = exit_levels(margin, recording.n_steps)
    steps = _stops(_margins(recording), levels) + 1
    shown = np.arange(1, recording.n_steps + 1) <= steps[:, None]

    def mean(series):
        return float(sum((each * shown).sum() for each in series.values()) / len(steps))

    series = recording.spikes_over_time, recording.units_over_time, recording.synops_over_time
    then = np.arange(len(steps)), steps - 1
    decisions = None if recording.decisions is None else recording.decisions[then]
    spikes, units, synops = map(mean, series)
    outputs, told = recording.outputs[then], recording.read_out
    return Exits(levels, steps, outputs, told, spikes, units, synops, decisions)


def exit_margin(
    recording: Recording,
    labels: ArrayLike | None = None,
    max_loss: float = 0.2,
    same: bool = False,
) -> np.ndarray:
    """Choose the levels at which a sample can be stopped.

    Those of the fewest steps among levels that lose at most so many points: each step's in turn is
    the best for the others, at a price of a point in steps that rises until no more are lost. What
    may be lost besides is spent by lowering levels one by one, each as far as it goes, that first
    which saves the most steps.

    Parameters
    ----------
    recording : Recording
        Of calibration samples. A point of 500 is five of them: give thousands for small losses.
    labels : (n_samples, ...) int array, optional
        By default the decisions after the last step are what is right, which is more careful.
    max_loss : float
        Points of accuracy, from 0.
    same : bool
        One level for all steps, which fewer samples suffice for: of networks that have learnt these
        samples by heart, levels of late steps let all through.

    Returns
    -------
    (n_steps,) float array
        Infinite where no sample is to be stopped.

    Raises
    ------
    DataError
        For a loss below zero, labels that do not fit, and what `exits` refuses.
    """
    if not (isinstance(max_loss, int | float) and 0 <= max_loss < math.inf):
        raise DataError(f"max_loss is {max_loss!r}: give points of accuracy, from 0")
    margins, n_steps = _margins(recording), recording.n_steps
    right = right_over_time(recording, recording.predictions()[:, -1] if labels is None else labels)
    wanted = right[:, -1].mean() - max_loss / 100 - 1e-9
    if same:
        return _one_level(margins, right, wanted)
    low, high, chosen = 0.0, 1e6, np.full(n_steps, math.inf)
    for _ in range(_PRICES):
        price = math.sqrt(low * high) if low else high / 10
        levels = _best_levels(margins, right, price)
        stops = _stops(margins, levels)
        if np.take_along_axis(right, stops[:, None], 1).mean() < wanted:
            low = price
        else:
            high, chosen = price, levels
    while True:
        lower = [_lowered(margins, right, chosen, step, wanted) for step in range(n_steps - 1)]
        saved, levels = max(lower, key=lambda one: one[0], default=(0, chosen))
        if saved <= 0:
            return chosen
        chosen = levels


def _one_level(margins, right, wanted):
    """The level of the fewest steps, of those that leave so many right."""
    n_steps = margins.shape[1]
    best, chosen = math.inf, math.inf
    for level in np.unique(
        np.quantile(margins[:, :-1], np.linspace(0, 1, _LEVELS), method="lower")
    ):
        stops = _stops(margins, np.full(n_steps, level))
        enough = np.take_along_axis(right, stops[:, None], 1).mean() >= wanted
        if enough and stops.sum() < best:
            best, chosen = stops.sum(), level
    return np.full(n_steps, chosen)


def right_over_time(recording: Recording, labels: ArrayLike) -> np.ndarray:
    """Share of each sample's decisions that is right after each step.

    Parameters
    ----------
    recording : Recording
    labels : (n_samples, ...) int array
        See `Recording.accuracy`.

    Returns
    -------
    (n_samples, n_steps) float array

    Raises
    ------
    DataError
        For labels that do not fit.
    """
    told, outputs = recording.read_out, recording.outputs
    if recording.decisions is not None:
        labels, _ = told.check_labels(labels, recording.n_samples)
        return (recording.decisions == labels[:, None]).astype(float)
    steps = range(recording.n_steps)
    return np.stack([told.right(outputs[:, step], labels) for step in steps], axis=1)


def _lowered(margins, right, levels, step, wanted):
    """Steps saved by the lowest level of a step that leaves so many right, and the levels then."""
    stops, levels = _stops(margins, levels), levels.copy()
    later = np.flatnonzero(stops > step)
    order = later[np.argsort(-margins[later, step], kind="stable")]
    gains = right[order, step].astype(int) - right[order, stops[order]]
    left = np.take_along_axis(right, stops[:, None], 1).sum() + np.cumsum(gains)
    # samples of one margin stop together
    ends = np.diff(margins[order, step], append=-np.inf) < 0
    (enough,) = np.nonzero((left >= wanted * len(margins)) & ends)
    if not len(enough):
        return 0, levels
    levels[step] = margins[order[enough[-1]], step]
    return (stops[order[: enough[-1] + 1]] - step).sum(), levels


def _best_levels(margins, right, price):
    """Levels of the least steps, with ``price`` steps for each decision that is no longer right."""
    n_samples, n_steps = margins.shape
    levels, cost = np.full(n_steps, math.inf), np.arange(n_steps) - price * right
    for _ in range(_ROUNDS):
        before = levels.copy()
        for step in reversed(range(n_steps - 1)):
            levels[step] = math.inf
            stops = _stops(margins, levels)
            there = stops > step
            saved = cost[np.arange(n_samples), stops] - cost[:, step]
            order = np.flatnonzero(there)[np.argsort(-margins[there, step], kind="stable")]
            sums = np.concatenate([[0.0], np.cumsum(saved[order])])
            best = int(sums.argmax())
            if best:
                levels[step] = margins[order[best - 1], step]
        if np.array_equal(levels, before):
            break
    return levels


def _stops(margins, levels):
    """Index of the step after which each sample is stopped."""
    passed = margins >= levels.astype(np.float32)
    passed[:, -1] = True
    return passed.argmax(axis=1)


def _margins(recording):
    """Of each sample and step, (n_samples, n_steps) float32 array."""
    if not recording.n_samples:
        raise DataError("the recording has no samples: give at least one")
    return recording.margins()
