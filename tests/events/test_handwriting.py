"""Sources of trajectories, and samples that depend on nothing but their arguments."""

import numpy as np
import pytest

from nengo_tactile.errors import DataError
from nengo_tactile.events.eskin import ESkinParameters
from nengo_tactile.events.handwriting import (
    ParametricHandwriting,
    RecordedHandwriting,
    handwriting,
    write_on_skin,
)
from nengo_tactile.events.recorded import FILE_NAME

PARAMETERS = ESkinParameters()


@pytest.fixture
def folder(tmp_path):
    """Five circles of two writers, in the form of pendigits."""
    angle = np.linspace(0, 6, 20)
    xy = (250 + 100 * np.stack([np.cos(angle), np.sin(angle)], 1)).astype(np.int16)
    content = {}
    for split in ("train", "test"):
        content[f"xy_{split}"] = np.tile(xy, (5, 1))
        content[f"stroke_{split}"] = np.zeros(100, np.uint8)
        content[f"offsets_{split}"] = np.arange(0, 101, 20)
        content[f"label_{split}"] = np.array([0, 1, 2, 3, 4], np.uint8)
        content[f"writer_{split}"] = np.array([1, 1, 2, 2, 2], np.uint8)
    np.savez(tmp_path / FILE_NAME, **content)
    return tmp_path


def test_parametric_default_counts_are_the_papers():
    train, test = ParametricHandwriting("train"), ParametricHandwriting("test")
    for writing, n_writers in ((train, 18), (test, 5)):
        pairs, counts = np.unique(writing.writers * 10 + writing.labels, return_counts=True)
        assert len(pairs) == 10 * n_writers
        assert (counts == 30).all()
    assert not set(train.writers) & set(test.writers)


def test_recorded_subsets_and_repetitions(folder):
    assert RecordedHandwriting(folder).labels.tolist() == [0, 1, 2, 3, 4]
    subset = RecordedHandwriting(folder, n_samples=3, seed=1).labels
    assert len(set(subset)) == 3
    np.testing.assert_array_equal(subset, RecordedHandwriting(folder, n_samples=3, seed=1).labels)
    again = RecordedHandwriting(folder, n_samples=7)
    assert again.labels.tolist() == [0, 1, 2, 3, 4, 0, 1]
    first, second = (write_on_skin(again, index, PARAMETERS) for index in (0, 5))
    assert len(first) != len(second) or (first != second).any()


def test_splits_have_other_writers_and_noise(folder):
    train, test = (RecordedHandwriting(folder, split) for split in ("train", "test"))
    assert not set(train.writers) & set(test.writers)
    a, b = write_on_skin(train, 0, PARAMETERS), write_on_skin(test, 0, PARAMETERS)
    assert len(a) != len(b) or (a != b).any()


def test_handwriting_opens_both(folder):
    assert isinstance(handwriting(), ParametricHandwriting)
    assert isinstance(handwriting(folder, "test"), RecordedHandwriting)
    with pytest.raises(DataError, match="no such file"):
        handwriting("nowhere")


@pytest.mark.parametrize("make", [ParametricHandwriting, lambda *a: RecordedHandwriting("", *a)])
def test_bad_arguments_are_named(make):
    with pytest.raises(DataError, match="split is 'both'"):
        make("both")
    with pytest.raises(DataError, match="n_samples is 0"):
        make("train", 0)


def test_samples_do_not_depend_on_order_or_number():
    few, many = ParametricHandwriting(n_samples=5), ParametricHandwriting(n_samples=50)
    forward = [write_on_skin(few, index, PARAMETERS) for index in range(5)]
    backward = [write_on_skin(many, index, PARAMETERS) for index in (4, 3, 2, 1, 0)][::-1]
    for a, b in zip(forward, backward):
        np.testing.assert_array_equal(a, b)
    other = write_on_skin(few, 0, PARAMETERS, seed=1)
    assert len(other) != len(forward[0]) or (other != forward[0]).any()


def test_writers_keep_their_style():
    writing = ParametricHandwriting(n_samples=2000)

    def heights_over_widths(writer):
        own = np.flatnonzero((writing.writers == writer) & (writing.labels == 0))
        boxes = [writing.trajectory(i, PARAMETERS, np.random.default_rng(int(i))) for i in own]
        return [np.ptp(box.y) / np.ptp(box.x) for box in boxes]

    shapes = [heights_over_widths(writer) for writer in range(6)]
    within = np.mean([np.var(s) for s in shapes])
    between = np.var([np.mean(s) for s in shapes])
    assert between > within
