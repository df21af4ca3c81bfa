"""Splits: proportions, seeds, writers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_tactile.datasets import (
    repeated_splits,
    split_by_writer,
    split_indices,
    stratified_folds,
)
from nengo_tactile.errors import DataError


@given(
    st.lists(st.integers(10, 60), min_size=1, max_size=12),
    st.floats(0.15, 0.85),
    st.integers(0, 2**32),
)
@settings(max_examples=60)
def test_every_sample_once_and_every_class_in_proportion(sizes, share, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    train, test = split_indices(labels, share, seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(len(labels)))
    assert abs(len(test) - share * len(labels)) <= 0.5 + 1e-9
    for label, size in enumerate(sizes):
        assert abs((labels[test] == label).sum() - share * size) < 1


def test_the_paper_s_class_sizes_split_80_to_20():
    sizes = [697, 690, 699, 690, 690, 693, 698, 704, 697, 695]  # ST-MNIST paper, Table 1
    train, test = split_indices(np.repeat(np.arange(10), sizes), 0.2, 0)
    assert (len(train), len(test)) == (5562, 1391)  # 6,953 samples


def test_the_seed_decides():
    labels = np.tile(list("abc"), 30)
    first, again, other = (split_indices(labels, seed=seed)[1] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert first.tolist() != other.tolist()


def test_every_sample_is_drawn_equally_often():
    labels = np.repeat([0, 1], [20, 30])
    splits = repeated_splits(labels, 2000, 0.2, seed=1)
    counts = np.bincount(np.concatenate([test for _, test in splits]), minlength=50)
    # binomial with p = 0.2: five standard deviations
    assert np.abs(counts - 400).max() < 5 * np.sqrt(2000 * 0.2 * 0.8)


def test_repeated_splits_do_not_depend_on_how_many_there_are():
    labels = np.tile(np.arange(4), 10)
    few, many = repeated_splits(labels, 2, seed=5), repeated_splits(labels, 6, seed=5)
    for (_, test_few), (_, test_many) in zip(few, many):
        np.testing.assert_array_equal(test_few, test_many)
    assert len({tuple(test) for _, test in many}) == 6
    with pytest.raises(DataError, match="n_splits is 0"):
        repeated_splits(labels, 0)


@given(st.integers(2, 12), st.floats(0.05, 0.95), st.integers(0, 1000))
@settings(max_examples=40)
def test_no_writer_is_on_both_sides(n_writers, share, seed):
    writers = np.random.default_rng(seed).integers(0, n_writers, 200)
    writers[:n_writers] = np.arange(n_writers)
    train, test = split_by_writer(writers, test_share=share, seed=seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(200))
    sides = set(writers[train]), set(writers[test])
    assert not sides[0] & sides[1]
    assert abs(len(sides[1]) - share * n_writers) <= 1


@pytest.mark.parametrize(("n_folds", "seed"), [(2, 0), (5, 1), (7, 2)])
def test_folds_hold_every_sample_once_and_every_class_evenly(n_folds, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat([3, 4, 9], [7, 20, 33]))
    folds = stratified_folds(labels, n_folds, seed)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(60))
    for train, test in folds:
        assert sorted([*train, *test]) == list(range(60))
        for label, size in ((3, 7), (4, 20), (9, 33)):
            assert abs((labels[test] == label).sum() - size / n_folds) < 1
    again = stratified_folds(labels, n_folds, seed + 1)
    assert any(set(a[1]) != set(b[1]) for a, b in zip(folds, again))


def test_named_writers_are_the_test_writers():
    train, test = split_by_writer(np.array(["ann", "bob", "ann", "cem"]), ["ann"])
    assert (train.tolist(), test.tolist()) == ([1, 3], [0, 2])


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: split_indices([], 0.2), "one per sample"),
        (lambda: split_indices([[1, 2]], 0.2), "one per sample"),
        (lambda: split_indices([0.5, 1.5], 0.2), "one per sample"),
        (lambda: split_indices([1] * 10, 1.5), "test_share is 1.5"),
        (lambda: split_indices([1] * 10, np.nan), "test_share is nan"),
        (lambda: split_indices([0] * 20 + [1], 0.2), "class 1 has 1 samples"),
        (
            lambda: stratified_folds([0, 0, 0, 1], 3),
            "class 1 has 1 samples, fewer than the 3 folds",
        ),
        (lambda: stratified_folds([0, 0], 1), "n_folds is 1"),
        (lambda: split_by_writer([1, 2], [3]), r"\[3\] are not among"),
        (lambda: split_by_writer([1, 2], [1, 2]), "2 of 2 writers"),
        (lambda: split_by_writer([1, 2], []), "0 of 2 writers"),
        (lambda: split_by_writer([1, 1]), "0 of 1 writers"),
    ],
)
def test_impossible_splits_are_refused(call, part):
    with pytest.raises(DataError, match=part):
        call()
