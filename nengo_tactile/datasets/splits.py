"""Seeded train/test splits: stratified by class, by writer, repeated."""

import numbers

import numpy as np
from numpy.typing import ArrayLike

from nengo_tactile.arguments import whole
from nengo_tactile.errors import DataError


def _labels(labels, name="labels"):
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.size == 0 or labels.dtype.kind not in "iubUS":
        raise DataError(
            f"{name} have shape {labels.shape} and type {labels.dtype}: give one per sample"
        )
    return labels


def _share(test_share):
    if not (isinstance(test_share, numbers.Real) and 0 < test_share < 1):
        raise DataError(f"test_share is {test_share!r}, wanted a number between 0 and 1")
    return test_share


def _round_up_fairly(exact):
    """Round shares to integers of the same sum (largest remainders first)."""
    counts = np.floor(exact).astype(int)
    missing = int(np.rint(exact.sum())) - counts.sum()
    order = np.argsort(counts - exact, kind="stable")
    counts[order[:missing]] += 1
    return counts


def split_indices(
    labels: np.ndarray, test_share: float = 0.2, seed: int | np.random.Generator = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Split at random, every class in the same proportion.

    Parameters
    ----------
    labels : (n_samples,) int or str array
    test_share : float
        Share of test samples. The ST-MNIST paper (3.2) uses 80-20 splits: 0.2.
    seed : int or numpy.random.Generator

    Returns
    -------
    train, test : int arrays
        Sorted indices, together every sample once. The number of test samples is ``test_share``
        of all, rounded; each class's is its share rounded down or up.

    Raises
    ------
    DataError
        When a side would lack a class: then a class has too few samples for this share.
    """
    labels, test_share = _labels(labels), _share(test_share)
    rng = np.random.default_rng(seed)
    classes, members = np.unique(labels, return_inverse=True)
    sizes = np.bincount(members)
    counts = _round_up_fairly(sizes * test_share)
    short = np.flatnonzero((counts == 0) | (counts == sizes))
    if short.size:
        first = short[0]
        raise DataError(
            f"class {classes[first]} has {sizes[first]} samples, {counts[first]} of them would "
            f"be test samples at test_share {test_share}: change the share or add samples"
        )
    drawn = [
        rng.permutation(np.flatnonzero(members == index))[:count]
        for index, count in enumerate(counts)
    ]
    test = np.sort(np.concatenate(drawn))
    return np.setdiff1d(np.arange(len(labels)), test), test


def stratified_folds(
    labels: np.ndarray, n_folds: int = 5, seed: int | np.random.Generator = 0
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Deal samples to folds at random, every class evenly, for cross-validation.

    Parameters
    ----------
    labels : (n_samples,) int or str array
    n_folds : int
        Two at least.
    seed : int or numpy.random.Generator

    Returns
    -------
    list of (train, test)
        Sorted indices; every sample is in one ``test``, and in the ``train`` of the others.

    Raises
    ------
    DataError
        For fewer than two folds, or a class with fewer samples than folds.
    """
    labels, n_folds = _labels(labels), whole("n_folds", n_folds, least=2)
    rng = np.random.default_rng(seed)
    classes, members = np.unique(labels, return_inverse=True)
    sizes = np.bincount(members)
    if sizes.min() < n_folds:
        first = sizes.argmin()
        raise DataError(
            f"class {classes[first]} has {sizes[first]} samples, fewer than the {n_folds} folds: "
            f"give at most {sizes[first]} folds, or more samples"
        )
    order = np.concatenate(
        [rng.permutation(np.flatnonzero(members == c)) for c in np.unique(members)]
    )
    fold = np.empty(len(labels), int)
    fold[order] = np.arange(len(labels)) % n_folds
    return [(np.flatnonzero(fold != one), np.flatnonzero(fold == one)) for one in range(n_folds)]


def split_by_writer(
    writers: np.ndarray,
    test_writers: ArrayLike | None = None,
    test_share: float = 0.2,
    seed: int | np.random.Generator = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Split so that no writer is on both sides.

    Parameters
    ----------
    writers : (n_samples,) int or str array
        Who made each sample.
    test_writers : sequence, optional
        The writers of the test side; without them ``test_share`` of the writers is drawn.
    test_share : float
        Share of writers (not of samples), rounded, at least one on each side.
    seed : int or numpy.random.Generator

    Returns
    -------
    train, test : int arrays
        Sorted indices.

    Raises
    ------
    DataError
        For writers that are not there, or a side without writers.
    """
    writers = _labels(writers, "writers")
    known = np.unique(writers)
    if test_writers is None:
        count = min(max(1, round(len(known) * _share(test_share))), len(known) - 1)
        test_writers = np.random.default_rng(seed).permutation(known)[:count]
    chosen = np.unique(np.asarray(test_writers))
    unknown = np.setdiff1d(chosen, known)
    if unknown.size:
        raise DataError(f"test_writers {unknown.tolist()} are not among {known.tolist()}")
    if not 0 < len(chosen) < len(known):
        raise DataError(
            f"{len(chosen)} of {len(known)} writers would be test writers: "
            "each side needs at least one"
        )
    is_test = np.isin(writers, chosen)
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def repeated_splits(
    labels: np.ndarray, n_splits: int = 10, test_share: float = 0.2, seed: int = 0
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Draw several independent stratified splits, as the ST-MNIST paper's ten (3.2).

    Parameters
    ----------
    labels : (n_samples,) int or str array
    n_splits : int
    test_share : float
    seed : int
        Split k is the same whatever ``n_splits`` is.

    Returns
    -------
    list of (train, test)
        As `split_indices` gives them.
    """
    if n_splits < 1:
        raise DataError(f"n_splits is {n_splits}, wanted at least 1")
    children = np.random.SeedSequence(seed).spawn(n_splits)
    return [split_indices(labels, test_share, np.random.default_rng(child)) for child in children]
