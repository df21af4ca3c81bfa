"""Accuracy over time, latency, confusion between classes, spread over random splits."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from nengo_tactile.errors import DataError

# accuracies are ratios of counts: 0.97 - 0.96 exceeds 0.01 by one rounding error
_ROUNDING = 1e-9


def _within(accuracy, tolerance, n_samples=None):
    """Tell for each step whether the accuracy is as good as the last one."""
    accuracy = np.asarray(accuracy, dtype=float)
    if accuracy.ndim != 1 or accuracy.size == 0:
        raise DataError(
            f"accuracy has shape {accuracy.shape}, wanted (n_steps,) with at least one step: "
            "give Recording.accuracy(labels)"
        )
    if not np.isfinite(accuracy).all():
        bad = int(np.flatnonzero(~np.isfinite(accuracy))[0])
        raise DataError(
            f"accuracy[{bad}] is {accuracy[bad]}, wanted a finite number: "
            "give Recording.accuracy(labels) of a recording with at least one sample"
        )
    if not tolerance >= 0:
        raise DataError(f"tolerance is {tolerance}, wanted zero or more (0.01 is one point)")
    tolerance = tolerance if n_samples is None else max(tolerance, 1 / max(n_samples, 1))
    low, high = accuracy[-1] - tolerance, accuracy[-1] + tolerance
    if n_samples is not None:
        ends = accuracy_interval(accuracy[-1], n_samples)
        low, high = min(low, ends[0]), max(high, ends[1])
    return (accuracy >= low - _ROUNDING) & (accuracy <= high + _ROUNDING)


def latency_step(accuracy: ArrayLike, tolerance: float = 0.01, n_samples: int | None = None) -> int:
    """First step from which the accuracy stays within ``tolerance`` of the final one.

    On few samples one of them is more than that, and the step would be chance: given their
    number, the accuracy may also differ by as much as its 95 % interval (`accuracy_interval`),
    and by one sample: near 0 and 1 the interval is narrower than that on one side.

    Steps count from 1: after ``k`` steps the accuracy is ``accuracy[k - 1]`` and ``k * dt``
    seconds have passed. Both sides count: an accuracy that overshoots its final value by
    more than the tolerance has not settled yet.

    Parameters
    ----------
    accuracy : (n_steps,) array_like of float
        Accuracy after each step, :meth:`Recording.accuracy`.
    tolerance : float
        Largest distance from the final accuracy, as a fraction (0.01 is one point).
    n_samples : int, optional
        That the accuracy is of. Whichever is wider counts: its interval, a sample, the tolerance.

    Returns
    -------
    int
        Between 1 and n_steps.

    Raises
    ------
    DataError
        If the accuracy is empty, not one-dimensional or not finite, or the tolerance
        is negative.
    """
    within = _within(accuracy, tolerance, n_samples)
    outside = np.flatnonzero(~within)
    return int(outside[-1]) + 2 if outside.size else 1


def first_step_within(accuracy: ArrayLike, tolerance: float = 0.01) -> int:
    """First step at which the accuracy is within ``tolerance`` of the final one.

    Unlike :func:`latency_step` the accuracy may leave the band again afterwards, so this
    is never later. Parameters, step count and errors are those of :func:`latency_step`.
    """
    return int(_within(accuracy, tolerance).argmax()) + 1


def confusion_matrix(
    labels: ArrayLike, predictions: ArrayLike, n_classes: int | None = None
) -> np.ndarray:
    """Count how often each true class (row) was read as each class (column).

    Parameters
    ----------
    labels, predictions : (n_samples,) array_like of int
        Class indices from 0.
    n_classes : int, optional
        Number of classes; by default one more than the largest index present.

    Returns
    -------
    (n_classes, n_classes) int array

    Raises
    ------
    DataError
        If the shapes differ, a class index is not an integer or lies outside the classes.
    """
    arrays = {"labels": np.asarray(labels), "predictions": np.asarray(predictions)}
    shapes = {name: array.shape for name, array in arrays.items()}
    if shapes["labels"] != shapes["predictions"] or len(shapes["labels"]) != 1:
        raise DataError(
            f"labels have shape {shapes['labels']} and predictions {shapes['predictions']}: "
            "give one true and one predicted class per sample, both (n_samples,)"
        )
    if n_classes is None:
        n_classes = 1 + max((int(a.max()) for a in arrays.values() if a.size), default=-1)
    for name, array in arrays.items():
        if not np.issubdtype(array.dtype, np.integer):
            raise DataError(f"{name} are {array.dtype}, wanted integer class indices")
        bad = np.flatnonzero((array < 0) | (array >= n_classes))
        if bad.size:
            raise DataError(
                f"{name}[{bad[0]}] is {array[bad[0]]}, wanted a class index from 0 to "
                f"{n_classes - 1}: check the labels or give n_classes"
            )
    flat = arrays["labels"].astype(np.int64) * n_classes + arrays["predictions"]
    return np.bincount(flat, minlength=n_classes**2).reshape(n_classes, n_classes)


def class_accuracy(matrix: ArrayLike) -> np.ndarray:
    """Share of each true class that was read correctly.

    Parameters
    ----------
    matrix : (n_classes, n_classes) int array
        From :func:`confusion_matrix`.

    Returns
    -------
    (n_classes,) float array
        NaN for classes without samples.
    """
    matrix = np.asarray(matrix)
    totals = matrix.sum(axis=1)
    return np.where(totals > 0, np.diag(matrix) / np.maximum(totals, 1), np.nan)


def largest_confusions(
    matrix: ArrayLike, names: Sequence[str] | None = None, n: int = 5
) -> list[dict[str, Any]]:
    """Name the most frequent mistakes.

    Parameters
    ----------
    matrix : (n_classes, n_classes) int array
        From :func:`confusion_matrix`.
    names : sequence of str, optional
        Class names; by default the indices.
    n : int
        How many to list at most.

    Returns
    -------
    list of dict
        ``{"true", "read_as", "count", "share"}``, most frequent first; ``share`` is the
        fraction of the true class. Ties are kept in the order of the classes.
    """
    matrix = np.asarray(matrix)
    names = [str(i) for i in range(len(matrix))] if names is None else list(names)
    mistakes = matrix - np.diag(np.diag(matrix))
    rows = []
    for flat in np.argsort(-mistakes, axis=None, kind="stable")[:n]:
        true, read = (int(i) for i in np.unravel_index(flat, matrix.shape))
        count = int(mistakes[true, read])
        if count == 0:
            break
        share = count / int(matrix[true].sum())
        rows.append({"true": names[true], "read_as": names[read], "count": count, "share": share})
    return rows


@dataclasses.dataclass(frozen=True)
class SplitSummary:
    """Mean and spread of one figure over random splits.

    Attributes
    ----------
    mean : float
    sd : float or None
        Sample standard deviation (n - 1 in the denominator); None with a single split,
        where there is no spread to speak of.
    n_splits : int
    """

    mean: float
    sd: float | None
    n_splits: int

    def __str__(self):
        return f"{self.mean:.4f}" if self.sd is None else f"{self.mean:.4f} ({self.sd:.4f})"


def mean_and_sd(values: ArrayLike) -> SplitSummary:
    """Mean and sample standard deviation over splits, as in Table 2 of the ST-MNIST paper.

    Parameters
    ----------
    values : (n_splits,) array_like of float

    Returns
    -------
    SplitSummary

    Raises
    ------
    DataError
        If there is no value or one is not finite.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or values.size == 0:
        raise DataError(
            f"values have shape {values.shape}, wanted (n_splits,): give at least one split"
        )
    if not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values))[0])
        raise DataError(f"split {bad} has the value {values[bad]}: run it again or leave it out")
    sd = float(values.std(ddof=1)) if values.size > 1 else None
    return SplitSummary(mean=float(values.mean()), sd=sd, n_splits=int(values.size))


def standard_error(accuracy: float, n_test: int) -> float:
    """Of one network's accuracy, because its test samples are few: binomial."""
    return (accuracy * (1 - accuracy) / n_test) ** 0.5


def accuracy_interval(accuracy: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of an accuracy on n samples.

    Parameters
    ----------
    accuracy : float
    n : int

    Returns
    -------
    (float, float)

    References
    ----------
    Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    z = 1.959964
    centre = accuracy + z**2 / (2 * n)
    half = z * (accuracy * (1 - accuracy) / n + (z / (2 * n)) ** 2) ** 0.5
    low, high = (centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)
    return max(0.0, low), min(1.0, high)  # rounding may step over the ends


def accuracy_text(accuracy: float, n: int) -> str:
    """An accuracy with its 95 % interval and the number of samples, in percent.

    Examples
    --------
    >>> accuracy_text(0.984, 1748)
    '98.40 % [97.7, 98.9] of 1,748'
    """
    low, high = accuracy_interval(accuracy, n)
    return f"{100 * accuracy:.2f} % [{100 * low:.1f}, {100 * high:.1f}] of {n:,}"


class Percentile(NamedTuple):
    """A percentile of some samples with its 95 % interval.

    Attributes
    ----------
    value : float
        The smallest that so many per cent of the samples do not exceed.
    low, high : float or None
        None where the samples are too few to bound it: of 144 nothing bounds the 99th from above.
    """

    value: float
    low: float | None
    high: float | None


def percentile(values: ArrayLike, percent: float) -> Percentile:
    """A percentile with a 95 % interval that holds for any distribution.

    The number of samples below the true percentile is binomial; the interval lies between the
    order statistics that bound it (Hahn and Meeker 1991, "Statistical Intervals", section 5.2).

    Parameters
    ----------
    values : (n_samples,) array_like of float
    percent : float
        Above 0 and below 100.

    Returns
    -------
    Percentile

    Raises
    ------
    DataError
        For no values, and a percentage that is none.
    """
    from scipy import stats

    values, share = np.sort(np.asarray(values, float)), percent / 100
    n = len(values)
    if values.ndim != 1 or not n or not 0 < share < 1:
        raise DataError(
            f"percentile {percent} of {values.shape} values: give at least one value, and a "
            "percentage between 0 and 100"
        )
    low, high = (int(rank) for rank in stats.binom.ppf((0.025, 0.975), n, share))
    return Percentile(
        float(values[int(np.ceil(share * n - 1e-9)) - 1]),
        float(values[low - 1]) if low else None,
        float(values[high]) if high < n else None,
    )
