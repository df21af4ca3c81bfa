"""OPIUM's weights for a whole data set at once, from its normal equations.

With the activities ``X`` and targets ``Y`` of all steps of all windows, OPIUM ends at
``(X^T X + ridge I)^-1 X^T Y``. Sums ``X^T X`` and ``X^T Y`` take in one chunk of samples after
another, so memory does not grow with their number, and both can be saved and gone on from.
"""

import hashlib
import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import blas, lapack

from nengo_tactile.doors.archives import read_npz
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import DataError, ModelFileError
from nengo_tactile.files import path_of, write_npz
from nengo_tactile.progress import track
from nengo_tactile.skim.activity import check_pattern, hidden_activities, prepare
from nengo_tactile.skim.memory import check_fits

if TYPE_CHECKING:
    from nengo_tactile.skim.layer import HiddenLayer
    from nengo_tactile.skim.supervision import Supervision

#: A window's directions of less than this share of its greatest (squared) count as rounding.
SMALLEST = 1e-15
#: Bytes that a chunk's activities take at most, and how many samples it has at most.
CHUNK_BYTES, CHUNK_SAMPLES = 64e6, 64
#: Rows of a matrix that are mirrored at a time.
_MIRRORED = 512


@dataclass
class NormalEquations:
    """Sums over all samples so far.

    Attributes
    ----------
    gram : (n_hidden, n_hidden) float array
        ``X^T X``; only the lower triangle is kept, solving uses the other one.
    cross : (n_hidden, n_outputs) float array
        ``X^T Y``.
    n_samples : int
        Samples in the sums.
    """

    gram: np.ndarray
    cross: np.ndarray
    n_samples: int = 0


def empty(n_hidden, n_outputs):
    """Sums over no samples yet."""
    return NormalEquations(np.zeros((n_hidden, n_hidden)), np.zeros((n_hidden, n_outputs)))


def accumulate(equations, activity, targets):
    """Take observations into the sums, in place.

    Parameters
    ----------
    equations : NormalEquations
    activity : (n_samples, window, n_hidden) float array
    targets : (n_samples, window, n_outputs) float array
    """
    rows = np.ascontiguousarray(condense(activity))
    # the upper triangle in Fortran's order is the lower one in C's
    gram = blas.dsyrk(1.0, rows.T, beta=1.0, c=equations.gram.T, overwrite_c=1)
    equations.gram = gram.T  # the same array, unless it came in another order
    flat = activity.reshape(-1, activity.shape[2])
    equations.cross += flat.T @ targets.reshape(len(flat), -1)
    equations.n_samples += len(activity)


def condense(activity):
    """Replace each sample's steps by fewer rows with the same correlation, to rounding.

    Slow kernels make a window's steps so much alike that a few directions hold all of them: with
    eigenvectors U of ``A A^T`` is ``A^T A = (U^T A)^T (U^T A)``, and rows of ``U^T A`` whose
    squared length is rounding alone can go. Alpha kernels and tanh leave about 8 rows of 45.

    Parameters
    ----------
    activity : (n_samples, window, n_hidden) float array

    Returns
    -------
    (n_rows, n_hidden) float array
    """
    if activity.shape[1] > activity.shape[2]:
        return activity.reshape(-1, activity.shape[2])
    rows = []
    for sample in activity:
        values, vectors = np.linalg.eigh(sample @ sample.T)
        kept = values > SMALLEST * values[-1]
        rows.append(sample if kept.all() else vectors[:, kept].T @ sample)
    return np.concatenate(rows)


def solve(equations, ridge=1.0):
    """Find the output weights.

    Parameters
    ----------
    equations : NormalEquations
    ridge : float
        What the squared weights cost; OPIUM's start is 1. With 0 the weights are those of the
        pseudoinverse, if the correlation is not singular.

    Returns
    -------
    (n_outputs, n_hidden) float array

    Raises
    ------
    DataError
        If the correlation is not finite, or is singular.
    """
    n_hidden = len(equations.gram)
    if not (math.isfinite(ridge) and ridge >= 0):
        raise DataError(f"the ridge is {ridge}: it must be finite and from 0")
    rows = (row[: number + 1] for number, row in enumerate(equations.gram))
    if not (all(np.isfinite(row).all() for row in rows) and np.isfinite(equations.cross).all()):
        raise DataError(
            f"the correlation of {n_hidden} hidden neurons over {equations.n_samples} samples is "
            "not finite: train anew with smaller input weights"
        )
    gram = equations.gram = np.ascontiguousarray(equations.gram)
    diagonal = gram.diagonal().copy()
    _mirror(gram)
    try:
        np.fill_diagonal(gram, diagonal + ridge)
        # the upper triangle in C's order is the lower one in Fortran's
        factor, failed = lapack.dpotrf(gram.T, lower=1, clean=0, overwrite_a=1)
        # the squared ratio of a factor's diagonal is at most the matrix's condition
        least, most = factor.diagonal().min(), factor.diagonal().max()
        weights, _ = lapack.dpotrs(factor, equations.cross, lower=1)
    finally:
        np.fill_diagonal(gram, diagonal)
    if failed or (least / most) ** 2 < n_hidden * np.finfo(float).eps:
        raise DataError(
            f"the correlation of {n_hidden} hidden neurons over {equations.n_samples} samples is "
            f"singular with ridge {ridge}: raise the ridge (OPIUM's is 1), show more samples, or "
            "use fewer hidden neurons"
        )
    return np.ascontiguousarray(weights.T)


def _mirror(matrix):
    """Write the lower triangle of a matrix into its upper one."""
    for first in range(0, len(matrix), _MIRRORED):
        rows = slice(first, first + _MIRRORED)
        matrix[:first, rows] = matrix[rows, :first].T
        square = matrix[rows, rows]
        square[:] = np.tril(square) + np.tril(square, -1).T


def needed_bytes(n_hidden, n_channels, n_outputs, n_samples, window):
    """Memory that training takes, in bytes.

    The sums, input weights twice, and the activities and targets of a chunk.
    """
    rows = n_samples * window
    numbers = n_hidden**2 + 2 * n_hidden * n_channels
    return 8 * (numbers + 2 * n_hidden * n_outputs + rows * (n_hidden + n_outputs))


def check_memory(layer, n_outputs, n_samples, window, available=None):
    """Refuse a hidden layer that does not fit into memory.

    Parameters
    ----------
    layer : HiddenLayer
    n_outputs, n_samples, window : int
        Samples of a chunk, and steps of each.
    available : float, optional
        Bytes; by default what the machine has.

    Raises
    ------
    DataError
        With the memory needed.
    """
    needed = needed_bytes(layer.n_hidden, layer.n_inputs, n_outputs, n_samples, window)
    check_fits("training", layer.n_hidden, needed, available)


def chunk_size(n_hidden, window):
    """Samples whose activities are computed at once."""
    return int(np.clip(CHUNK_BYTES // (8 * n_hidden * window), 1, CHUNK_SAMPLES))


def train(
    layer: "HiddenLayer",
    samples: Iterable,
    supervision: "Supervision",
    n_classes: int,
    ridge: float = 1.0,
    equations: NormalEquations | None = None,
    state_path: str | Path | None = None,
    save_every: int = 2000,
    threads: int | None = None,
    available: float | None = None,
    progress: bool | None = None,
) -> tuple[np.ndarray, NormalEquations]:
    """Train the output weights of a SKIM network on samples, in one pass.

    Parameters
    ----------
    layer : HiddenLayer
    samples : sequence or iterable of (pattern, label)
        Patterns are (n_steps, n_channels) arrays. They are read once, in their order.
    supervision : Supervision
    n_classes : int
    ridge : float
    equations : NormalEquations, optional
        Sums to go on from, changed in place; they are of other samples.
    state_path : str or Path, optional
        The file that keeps the sums. If it is there, its samples are the first of ``samples``: they
        are passed over, in a sequence without being read, and training goes on behind them.
    save_every : int
        Samples between two savings. It is also saved at the end.
    threads : int, optional
        By default one for each processor.
    available : float, optional
        Bytes of memory; by default what the machine has.
    progress : bool, optional
        Show a bar; by default on a terminal.

    Returns
    -------
    weights : (n_classes, n_hidden) float array
        OPIUM's after the same samples.
    equations : NormalEquations

    Raises
    ------
    DataError
        If a pattern or label does not fit, memory does not suffice, the correlation is singular, or
        there are no samples.
    ModelFileError
        If the file is damaged or of another network.
    """
    size = chunk_size(layer.n_hidden, supervision.window)
    check_memory(layer, n_classes, size, supervision.window, available)
    mark = fingerprint(layer, supervision, n_classes)
    if state_path is not None and equations is not None:
        raise DataError(
            f"both equations and state_path {state_path} are given: a state keeps the sums of "
            "these samples alone, so give one of them"
        )
    passed = 0
    if state_path is not None and path_of(state_path).exists():
        equations = load_equations(state_path, mark)
        passed = equations.n_samples
    equations = empty(layer.n_hidden, n_classes) if equations is None else equations
    rest, total = _behind(samples, passed, state_path)
    prepared, unsaved = prepare(layer), 0
    shown = track(rest, "training SKIM", total=total, progress=progress)
    while chunk := list(itertools.islice(shown, size)):
        activity, targets = observations(prepared, chunk, supervision, n_classes, passed, threads)
        accumulate(equations, activity, targets)
        passed += len(chunk)
        unsaved += len(chunk)
        if state_path is not None and unsaved >= save_every:
            save_equations(state_path, equations, mark)
            unsaved = 0
    if not equations.n_samples:
        raise DataError("there are no samples to train on: give at least one")
    if state_path is not None and unsaved:
        save_equations(state_path, equations, mark)
    return solve(equations, ridge), equations


def _behind(samples, passed, state_path):
    """The samples behind the first ones, which a sequence need not read, and their number."""
    if not (hasattr(samples, "__len__") and hasattr(samples, "__getitem__")):
        return itertools.islice(iter(samples), passed, None), None
    if passed > len(samples):
        raise DataError(
            f"{state_path} holds the training of {passed} samples, but {len(samples)} are given: "
            "give all of them again, or another file"
        )
    return (samples[number] for number in range(passed, len(samples))), len(samples) - passed


def observations(prepared, samples, supervision, n_classes, first=0, threads=None):
    """Activities and targets of the windows of some samples.

    Parameters
    ----------
    prepared : activity.Prepared
    samples : list of (pattern, label)
    supervision : Supervision
    n_classes : int
    first : int
        Number of the first sample, for errors.
    threads : int, optional

    Returns
    -------
    activity : (n_samples, window, n_hidden) float array
    targets : (n_samples, window, n_classes) float array
    """
    patterns, targets = [], []
    for number, (pattern, label) in enumerate(samples, first):
        who = f"sample {number}: "
        targets.append(supervision.targets(label, n_classes, who))
        patterns.append(check_pattern(pattern, supervision.n_steps, prepared.layer.n_inputs, who))
    activity = hidden_activities(prepared, patterns, supervision.first, threads)
    return activity, np.stack(targets)


def read_out(
    layer: "HiddenLayer",
    weights: np.ndarray,
    patterns: Iterable,
    supervision: "Supervision",
    threads: int | None = None,
    progress: bool | None = None,
) -> np.ndarray:
    """Outputs of a trained network in the window of each sample.

    Parameters
    ----------
    layer : HiddenLayer
    weights : (n_classes, n_hidden) float array
    patterns : iterable of (n_steps, n_channels) float array
    supervision : Supervision
    threads, progress
        As for `train`.

    Returns
    -------
    (n_samples, window, n_classes) float array

    Raises
    ------
    DataError
        If a pattern does not fit, or there is none.
    """
    prepared, found, number = prepare(layer), [], 0
    size = chunk_size(layer.n_hidden, supervision.window)
    shown = track(iter(patterns), "running SKIM", total=_length(patterns), progress=progress)
    while chunk := list(itertools.islice(shown, size)):
        checked = [
            check_pattern(pattern, supervision.n_steps, layer.n_inputs, f"sample {i}: ")
            for i, pattern in enumerate(chunk, number)
        ]
        number += len(chunk)
        found.append(hidden_activities(prepared, checked, supervision.first, threads) @ weights.T)
    if not found:
        raise DataError("there are no samples to run: give at least one")
    return np.concatenate(found)


def _length(sequence):
    return len(sequence) if hasattr(sequence, "__len__") else None


def fingerprint(layer, supervision, n_classes):
    """A text that differs when sums cannot be added: another network or supervision."""
    digest = hashlib.sha256(layer.fingerprint().encode())
    where = supervision.n_steps, supervision.window, supervision.onset, n_classes
    digest.update(f"{where}".encode())
    digest.update(supervision.pattern.tobytes())
    return digest.hexdigest()


def save_equations(path, equations, mark):
    """Write sums into a .npz file, whole or not at all; ``mark`` says what they are of."""
    arrays = {
        "gram": equations.gram,
        "cross": equations.cross,
        "n_samples": equations.n_samples,
        "mark": mark,
    }
    write_npz(path, arrays, compress=False)


def load_equations(path, mark):
    """Read sums.

    Raises
    ------
    ModelFileError
        If the file is damaged, or its sums are of another network.
    """
    door = Door(ModelFileError, "remove it to train anew")
    with door.guarded(path, "cannot be read as a state of training"):
        arrays = read_npz(path, door)
        gram, cross = arrays["gram"], arrays["cross"]
        n_samples, found = int(arrays["n_samples"]), str(arrays["mark"])
    if found != mark:
        raise ModelFileError(
            f"{path}: holds the training of another network or supervision ({found[:8]}, not "
            f"{mark[:8]}): give another file, or remove it to train anew"
        )
    return NormalEquations(np.ascontiguousarray(gram), np.ascontiguousarray(cross), n_samples)
