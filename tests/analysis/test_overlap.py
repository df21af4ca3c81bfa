"""Intersection over union, against counting place by place."""

import numpy as np
import pytest

from nengo_tactile.analysis.overlap import mean_of_overlaps, mean_overlap, overlaps
from nengo_tactile.errors import DataError


def test_counted_place_by_place(rng):
    decisions, labels = rng.integers(0, 3, (2, 4, 5, 6))
    decisions[decisions == 2] = 0
    shares = []
    for k in range(3):
        pairs = list(zip(decisions.ravel() == k, labels.ravel() == k))
        shares.append(sum(a and b for a, b in pairs) / sum(a or b for a, b in pairs))
    assert mean_overlap(decisions, labels, 3) == pytest.approx(np.mean(shares))
    # a class that is nowhere does not count; parts add up
    assert mean_overlap(decisions, labels, 5) == pytest.approx(np.mean(shares))
    parts = overlaps(decisions[:1], labels[:1], 3) + overlaps(decisions[1:], labels[1:], 3)
    assert mean_of_overlaps(*parts) == pytest.approx(np.mean(shares))
    assert mean_overlap(labels, labels, 3) == 1
    assert np.isnan(mean_of_overlaps([0, 0], [0, 0]))


def test_what_is_refused():
    labels = np.zeros((2, 3), int)
    with pytest.raises(DataError, match=r"decisions have shape \(2, 2\), labels \(2, 3\)"):
        mean_overlap(labels[:, :2], labels, 2)
    with pytest.raises(DataError, match="labels are from 0 to 2, wanted 0 to 1"):
        mean_overlap(labels, labels + np.arange(3), 2)
