import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nengo_tactile.analysis import accuracy as acc
from nengo_tactile.errors import DataError

curves = st.lists(st.integers(0, 100), min_size=1, max_size=30).map(lambda v: np.array(v) / 100)
tolerances = st.integers(0, 20).map(lambda v: v / 100)


def points(curve):
    return [round(100 * float(value)) for value in curve]


@given(curves, tolerances)
def test_latency_is_the_first_step_with_a_settled_rest(curve, tolerance):
    percent, limit = points(curve), round(100 * tolerance)
    expected = next(
        step
        for step in range(1, len(percent) + 1)
        if all(abs(value - percent[-1]) <= limit for value in percent[step - 1 :])
    )
    assert acc.latency_step(curve, tolerance) == expected


@given(curves, tolerances)
def test_first_step_within_may_leave_again_but_is_never_later(curve, tolerance):
    percent, limit = points(curve), round(100 * tolerance)
    expected = next(i for i, value in enumerate(percent, 1) if abs(value - percent[-1]) <= limit)
    assert acc.first_step_within(curve, tolerance) == expected
    assert expected <= acc.latency_step(curve, tolerance)


def test_latency_on_curves_read_by_eye():
    assert acc.latency_step([0.1, 0.5, 0.96, 0.2, 0.965, 0.97]) == 5
    assert acc.first_step_within([0.1, 0.5, 0.96, 0.2, 0.965, 0.97]) == 3
    assert acc.latency_step([0.1, 0.96, 0.97]) == 2  # 0.97 - 0.96 > 0.01 in binary
    assert acc.latency_step([0.1, 0.99, 0.9]) == 3  # above the end is not settled either
    assert acc.latency_step([0.4]) == acc.latency_step([0.4, 0.4]) == 1


def test_latency_on_few_samples_waits_for_no_single_one():
    curve = np.repeat([0.5, 0.9, 0.92, 0.96, 0.94], [10, 20, 30, 40, 20])
    assert acc.latency_step(curve) == 101
    # of 50 samples 47 are right: Wilson's interval is 0.838 to 0.979
    assert acc.latency_step(curve, n_samples=50) == 11
    assert acc.latency_step(curve, n_samples=10_000) == 101
    assert acc.latency_step([1.0, 0.99, 1.0], n_samples=100) == 1
    # 49 of 50 are right, whose interval ends below 50 of 50
    assert acc.latency_step([0.1, 1.0, 1.0, 0.98], n_samples=50) == 2
    assert acc.latency_step([0.1, 1.0, 1.0, 0.96], n_samples=50) == 4


def test_interval_is_scipys():
    from scipy.stats import binomtest

    for right, n in ((0, 7), (3, 7), (7, 7), (1720, 1748)):
        wanted = binomtest(right, n).proportion_ci(0.95, method="wilson")
        assert acc.accuracy_interval(right / n, n) == pytest.approx(tuple(wanted), abs=1e-6)
    assert acc.accuracy_text(0.984, 1748) == "98.40 % [97.7, 98.9] of 1,748"


@pytest.mark.parametrize("find", [acc.latency_step, acc.first_step_within])
@pytest.mark.parametrize(
    ("curve", "tolerance", "message"),
    [
        ([], 0.01, r"shape \(0,\).*at least one step"),
        ([[0.1, 0.2]], 0.01, r"shape \(1, 2\)"),
        ([0.1, np.nan, 0.2], 0.01, r"accuracy\[1\] is nan"),
        ([0.1, 0.2], -0.1, "tolerance is -0.1"),
        ([0.1, 0.2], np.nan, "tolerance is nan"),
    ],
)
def test_latency_refuses_what_is_no_curve(find, curve, tolerance, message):
    with pytest.raises(DataError, match=message):
        find(curve, tolerance)


def test_confusion_matrix_equals_counts_by_hand(rng):
    labels, predictions = rng.integers(0, 7, 300), rng.integers(0, 7, 300)
    matrix = acc.confusion_matrix(labels, predictions)
    pairs = list(zip(labels.tolist(), predictions.tolist()))
    np.testing.assert_array_equal(
        matrix, [[pairs.count((true, read)) for read in range(7)] for true in range(7)]
    )
    recalls = [statistics.fmean(r == t for t, r in pairs if t == true) for true in range(7)]
    np.testing.assert_allclose(acc.class_accuracy(matrix), recalls)


def test_confusion_matrix_keeps_classes_that_do_not_occur():
    matrix = acc.confusion_matrix(np.uint8([2, 0]), [1, 0], n_classes=4)
    assert matrix.shape == (4, 4)
    assert matrix.sum() == 2
    assert matrix[2, 1] == matrix[0, 0] == 1
    np.testing.assert_array_equal(acc.class_accuracy(matrix), [1, np.nan, 0, np.nan])
    assert acc.confusion_matrix(np.array([], int), np.array([], int)).shape == (0, 0)


@pytest.mark.parametrize(
    ("labels", "predictions", "n_classes", "message"),
    [
        ([0, 1], [0], None, r"labels have shape \(2,\) and predictions \(1,\)"),
        ([0.0, 1.0], [0, 1], None, "labels are float64"),
        ([0, 1], [0, -1], None, r"predictions\[1\] is -1, wanted a class index from 0 to 1"),
        ([0, 5], [0, 1], 3, r"labels\[1\] is 5, wanted a class index from 0 to 2"),
    ],
)
def test_confusion_matrix_refuses(labels, predictions, n_classes, message):
    with pytest.raises(DataError, match=message):
        acc.confusion_matrix(labels, predictions, n_classes)


def test_largest_confusions_by_hand():
    matrix = np.array([[8, 2, 0], [0, 5, 5], [1, 0, 3]])
    assert acc.largest_confusions(matrix, "abc", n=2) == [
        {"true": "b", "read_as": "c", "count": 5, "share": 0.5},
        {"true": "a", "read_as": "b", "count": 2, "share": 0.2},
    ]
    assert len(acc.largest_confusions(matrix)) == 3  # no rows without a mistake
    assert acc.largest_confusions(np.eye(3, dtype=int)) == []


def test_mean_and_sd_equal_the_standard_library(rng):
    values = rng.random(10).tolist()
    summary = acc.mean_and_sd(values)
    assert summary.mean == pytest.approx(statistics.mean(values))
    assert summary.sd == pytest.approx(statistics.stdev(values))
    assert summary.n_splits == 10
    assert str(acc.mean_and_sd([0.5, 0.7])) == "0.6000 (0.1414)"


def test_one_split_has_no_spread():
    assert acc.mean_and_sd([0.5]) == acc.SplitSummary(0.5, None, 1)
    assert str(acc.mean_and_sd([0.5])) == "0.5000"


def test_mean_and_sd_refuse():
    with pytest.raises(DataError, match="at least one split"):
        acc.mean_and_sd([])
    with pytest.raises(DataError, match="split 1 has the value nan"):
        acc.mean_and_sd([0.5, np.nan])


def test_standard_error_of_a_share():
    """100 digits, half of them right: the SD of 0 and 1 is 0.5, over the root of 100."""
    assert acc.standard_error(0.5, 100) == pytest.approx(0.05)


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (86, 100), (200, 200)])
def test_an_interval_ends_where_the_normal_approximation_stops_refusing(hits, n):
    for end in acc.accuracy_interval(hits / n, n):
        spread = (max(end * (1 - end), 0) / n) ** 0.5
        assert abs(hits / n - end) == pytest.approx(1.959964 * spread, abs=1e-6)
