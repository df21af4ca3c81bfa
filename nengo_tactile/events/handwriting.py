"""Two sources of labelled pen trajectories, recorded and parametric, and their simulation."""

import functools

import numpy as np

from nengo_tactile.arguments import whole
from nengo_tactile.errors import DataError
from nengo_tactile.events.eskin import Hand, simulate
from nengo_tactile.events.recorded import SPLITS, read_pendigits
from nengo_tactile.events.strokes import WriterStyle, digit_trajectory
from nengo_tactile.events.trajectories import from_recorded_points

# ST-MNIST section 2.2: 23 participants, 30 samples of each digit. 18 of ours are train writers
# (78 %), 5 are test writers, so that the split is near the paper's 80-20.
N_WRITERS = 23
N_TRAIN_WRITERS = 18
SAMPLES_PER_DIGIT = 30

# Branches of the seed, so that streams never meet.
_STYLE, _HAND, _SAMPLE, _SUBSET = range(4)


class ParametricHandwriting:
    """Digits written by invented writers.

    Parameters
    ----------
    split : {"train", "test"}
        Writers 0-17 or 18-22.
    n_samples : int, optional
        By default 30 of each digit and writer: 5,400 or 1,500. More go on in the same order
        (all digits of all writers, then the next repetition), fewer stop early.
    seed : int

    Attributes
    ----------
    labels, writers : (n_samples,) int arrays
    """

    name = "parametric"

    def __init__(self, split="train", n_samples=None, seed=0):
        _check(split, n_samples)
        first, last = (0, N_TRAIN_WRITERS) if split == "train" else (N_TRAIN_WRITERS, N_WRITERS)
        if n_samples is None:
            n_samples = (last - first) * 10 * SAMPLES_PER_DIGIT
        index = np.arange(n_samples)
        self.split, self.seed = split, seed
        self.labels = index % 10
        self.writers = first + index // 10 % (last - first)

    @functools.cache  # noqa: B019 - as many entries as writers, and they go with the object
    def _style(self, writer):
        return WriterStyle.draw(np.random.default_rng([self.seed, _STYLE, writer]))

    def trajectory(self, index, parameters, rng):
        """Write sample ``index``; return its Trajectory."""
        style = self._style(int(self.writers[index]))
        return digit_trajectory(
            int(self.labels[index]), style, rng, parameters.seconds_per_unit, parameters.lift_s
        )


class RecordedHandwriting:
    """The digits of pendigits, written by 30 train and 7 other test writers.

    Parameters
    ----------
    path : str or Path
        ``pendigits_traj.npz`` or its folder.
    split : {"train", "test"}
    n_samples : int, optional
        By default every recording once (7,494 or 1,748). Fewer are a random subset; more take
        each recording again, with other draws of hand and skin.
    seed : int
        Seed of the subset.

    Attributes
    ----------
    labels, writers : (n_samples,) int arrays
        Test writers are counted from 100, because the recordings number them afresh.
    """

    name = "pendigits"

    def __init__(self, path, split="train", n_samples=None, seed=0):
        _check(split, n_samples)
        self.split, self.seed = split, seed
        self.digits = read_pendigits(path, split)
        available = len(self.digits)
        self._take = np.arange(available if n_samples is None else n_samples) % available
        if n_samples is not None and n_samples < available:
            rng = np.random.default_rng([seed, _SUBSET])
            self._take = np.sort(rng.permutation(available)[:n_samples])
        self.labels = self.digits.labels[self._take].astype(np.int64)
        self.writers = self.digits.writers[self._take].astype(np.int64)
        if split == "test":
            self.writers += 100

    def trajectory(self, index, parameters, rng):
        """Return the Trajectory of sample ``index`` (``rng`` is not needed)."""
        xy, stroke = self.digits.points(self._take[index])
        return from_recorded_points(xy, stroke, parameters.seconds_per_unit, parameters.lift_s)


def _check(split, n_samples):
    if split not in SPLITS:
        raise DataError(f"split is {split!r}; choose one of {SPLITS}")
    if n_samples is not None:
        whole("n_samples", n_samples)


def handwriting(source="parametric", split="train", n_samples=None, seed=0):
    """Open a source of trajectories.

    Parameters
    ----------
    source : "parametric" or path
        The path of ``pendigits_traj.npz`` or its folder.
    split, n_samples, seed
        As in `ParametricHandwriting` and `RecordedHandwriting`.
    """
    if str(source) == "parametric":
        return ParametricHandwriting(split, n_samples, seed)
    return RecordedHandwriting(source, split, n_samples, seed)


def write_on_skin(writing, index, parameters, seed=0):
    """Simulate one sample: its events depend on nothing but the arguments.

    Parameters
    ----------
    writing : ParametricHandwriting or RecordedHandwriting
    index : int
    parameters : ESkinParameters
    seed : int
        Seed of hands and skin.

    Returns
    -------
    (n_events,) structured array
        As from `nengo_tactile.events.eskin.simulate`.
    """
    hand_rng = np.random.default_rng([seed, _HAND, int(writing.writers[index])])
    hand = Hand.draw(hand_rng, parameters)
    rng = np.random.default_rng([seed, _SAMPLE, SPLITS.index(writing.split), index])
    trajectory = writing.trajectory(index, parameters, rng)
    return simulate(trajectory, int(writing.labels[index]), parameters, hand, rng)
