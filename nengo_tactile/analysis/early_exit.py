"""Early exit: a sample is shown until its answer is clear, and no longer.

The margin of a decision is how far the outputs so far are from another one (see
`nengo_tactile.networks.read_out.ReadOut.margin`). Whoever stops at the first step after which it
passes a level saves steps on most samples. The level is chosen on recordings of calibration samples
(`exit_margin`); then recordings tell what it saves (`exits`), and the event engine stops by itself,
with ``nt.run(network, x, engine="event", margin=level)``.
"""

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike

from nengo_tactile.engines.recording import Recording
from nengo_tactile.errors import DataError
from nengo_tactile.networks.read_out import ReadOut

#: Levels that are tried.
_LEVELS = 1000


@dataclasses.dataclass(frozen=True)
class Exits:
    """What one saves who stops early.

    Attributes
    ----------
    margin : float
        The level that a margin has to pass.
    steps : (n_samples,) int array
        After which each sample is stopped.
    outputs : (n_samples, n_outputs) float32 array
        Then.
    read_out : ReadOut
    spikes, unit_spikes, synops : float
        Of a sample until then, on average: see `nengo_tactile.engines.recording.Recording`.
    """

    margin: float
    steps: np.ndarray
    outputs: np.ndarray
    read_out: ReadOut
    spikes: float
    unit_spikes: float
    synops: float

    @property
    def mean_steps(self) -> float:
        """Steps of a sample, on average."""
        return float(self.steps.mean())

    def accuracy(self, labels: ArrayLike) -> float:
        """Accuracy of the decisions when samples are stopped: see `Recording.accuracy`."""
        return self.read_out.accuracy(self.outputs, labels)


def exits(recording: Recording, margin: float) -> Exits:
    """Stop the samples of a recording where the margin of their decision passes a level.

    Parameters
    ----------
    recording : Recording
    margin : float
        From 0; in the units of the outputs. What never passes it is shown to the end.

    Returns
    -------
    Exits

    Raises
    ------
    DataError
        For a level below zero, and recordings that tell no classes or choose them otherwise.
    """
    if not (isinstance(margin, int | float) and margin >= 0):
        raise DataError(f"margin is {margin!r}: give a number from 0")
    passed = _margins(recording) >= margin
    passed[:, -1] = True
    steps = passed.argmax(axis=1) + 1
    shown = np.arange(1, recording.n_steps + 1) <= steps[:, None]

    def mean(series):
        return float(sum((each * shown).sum() for each in series.values()) / len(steps))

    return Exits(
        float(margin),
        steps,
        recording.outputs[np.arange(len(steps)), steps - 1],
        recording.read_out,
        *map(
            mean,
            (recording.spikes_over_time, recording.units_over_time, recording.synops_over_time),
        ),
    )


def exit_margin(
    recording: Recording, labels: ArrayLike | None = None, max_loss: float = 0.2
) -> float:
    """Choose the level at which a sample can be stopped.

    The lowest with which, and with all above it, at most so many points are lost.

    Parameters
    ----------
    recording : Recording
        Of calibration samples. A point of 500 is five of them: give thousands for small losses.
    labels : (n_samples, ...) int array, optional
        By default the decisions after the last step are what is right.
    max_loss : float
        Points of accuracy, from 0.

    Returns
    -------
    float

    Raises
    ------
    DataError
        For a loss below zero, labels that do not fit, and what `exits` refuses.
    """
    if not (isinstance(max_loss, int | float) and 0 <= max_loss < math.inf):
        raise DataError(f"max_loss is {max_loss!r}: give points of accuracy, from 0")
    margins, outputs, told = _margins(recording), recording.outputs, recording.read_out
    labels = told.decide(outputs[:, -1]) if labels is None else np.asarray(labels)
    right = np.stack([told.right(outputs[:, t], labels) for t in range(recording.n_steps)], axis=1)
    wanted = right[:, -1].mean() - max_loss / 100 - 1e-9
    levels = np.unique(np.quantile(margins, np.linspace(0, 1, _LEVELS)))
    chosen, samples = math.inf, np.arange(len(margins))
    for level in levels[::-1]:
        passed = margins >= level
        passed[:, -1] = True
        if right[samples, passed.argmax(axis=1)].mean() < wanted:
            break
        chosen = float(level)
    return chosen


def _margins(recording):
    """Of each sample and step, (n_samples, n_steps) float32 array."""
    if recording.decisions is not None:
        raise DataError(
            "the recording's decisions are no largest outputs, which have a margin: only networks "
            "that are read by their outputs can be stopped early"
        )
    if not recording.n_samples:
        raise DataError("the recording has no samples: give at least one")
    return recording.read_out.margin(recording.outputs)
