"""How well maps of classes lie on those of the labels."""

import numpy as np

from nengo_tactile.errors import DataError


def overlaps(decisions: np.ndarray, labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Places that decisions and labels share in each class, and those that either has.

    Parameters
    ----------
    decisions, labels : int arrays of one shape
        A class for each place of each sample.
    n_classes : int

    Returns
    -------
    (2, n_classes) int array
        Intersections and unions. Those of parts of the samples may be added up.

    Raises
    ------
    DataError
        For arrays of different shapes, and classes that there are not.
    """
    if decisions.shape != labels.shape:
        raise DataError(
            f"decisions have shape {decisions.shape}, labels {labels.shape}: give a label for each"
        )
    counts = []
    for name, classes in (("decisions", decisions), ("labels", labels)):
        if classes.size and not 0 <= classes.min() <= classes.max() < n_classes:
            raise DataError(
                f"{name} are from {classes.min()} to {classes.max()}, wanted 0 to {n_classes - 1}: "
                "give a number for each class"
            )
        counts.append(np.bincount(classes.ravel(), minlength=n_classes))
    shared = np.bincount(labels[decisions == labels], minlength=n_classes)
    return np.stack([shared, counts[0] + counts[1] - shared])


def mean_of_overlaps(shared: np.ndarray, either: np.ndarray) -> float:
    """Mean intersection over union of the classes that there are in decisions or labels.

    Parameters
    ----------
    shared, either : (n_classes,) int arrays
        From `overlaps`.

    Returns
    -------
    float
        NaN where there are no places at all.
    """
    shared, either = np.asarray(shared), np.asarray(either)
    seen = either > 0
    return float((shared[seen] / either[seen]).mean()) if seen.any() else float("nan")


def mean_overlap(decisions: np.ndarray, labels: np.ndarray, n_classes: int) -> float:
    """Mean intersection over union: see `overlaps` and `mean_of_overlaps`."""
    return mean_of_overlaps(*overlaps(decisions, labels, n_classes))
