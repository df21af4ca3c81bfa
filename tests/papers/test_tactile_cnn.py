"""Networks for tactile images: chosen on training writers, read on test writers."""

import dataclasses

import numpy as np
import pytest

from nengo_tactile.commands.tasks import open_task, task_named
from nengo_tactile.errors import DataError
from nengo_tactile.papers import tactile_cnn


@pytest.fixture
def opened(monkeypatch):
    """Splits that were read; a few digits of invented writers in place of recorded trajectories."""
    splits = []

    def few(task, split, data_dir=None, seed=0):
        splits.append(split)
        return open_task(task_named("eskin"), split, n_samples=40, seed=seed)

    monkeypatch.setattr(tactile_cnn, "open_task", few)
    tactile_cnn.shown.cache_clear()
    yield splits
    tactile_cnn.shown.cache_clear()


def test_writers_that_are_held_out_are_those_of_no_image_that_is_learnt_from(opened, monkeypatch):
    small = dataclasses.replace(
        tactile_cnn.MODELS["eskin-cnn"], layers="2c4-10o", simulations=2, n_steps=10
    )
    small = dataclasses.replace(small, training=dataclasses.replace(small.training, epochs=1))
    monkeypatch.setitem(tactile_cnn.MODELS, "eskin-cnn", small)
    seen, train_cnn = [], tactile_cnn.paths.train_cnn

    def noted(notation, data, *rest, **options):
        seen.append((notation, data(0), data(1)))
        return train_cnn(notation, data, *rest, **options)

    monkeypatch.setattr(tactile_cnn.paths, "train_cnn", noted)
    found = tactile_cnn.held_out(n_folds=2, layers="3c4-10o", epochs=2)
    data = open_task(task_named("eskin"), "train", n_samples=40)
    kept = np.isin(data.writers, np.unique(data.writers)[::2])
    (notation, first, second), *_ = seen
    assert notation == "10x10-3c4-10o" and found["n_test"] == kept.sum()
    assert (first[1] == np.asarray(data.targets)[~kept]).all()
    assert not np.array_equal(first[0], second[0])
    assert set(opened) == {"train"}, "the test writers are not looked at"
    tested = tactile_cnn.tested(seed=1, layers="3c4-10o")
    assert seen[-1][0] == "10x10-3c4-10o" and len(seen[-1][1][1]) == 40, "all writers train"
    assert tested.pop("n_test") == 40 and all(0 <= share <= 1 for share in tested.values())
    assert set(tested) == {"accuracy", "cnn_accuracy", "event_accuracy", "chip_accuracy"}
    assert set(opened) == {"train", "test"}


def test_no_writers_are_held_out_whom_nobody_knows(monkeypatch):
    images = np.zeros((3, 16, 16, 4), np.float32), np.arange(3), None
    monkeypatch.setattr(tactile_cnn, "shown", lambda *names, **more: images)
    with pytest.raises(DataError, match=r"stemnist-cnn: nobody knows who wrote .*'eskin-cnn'"):
        tactile_cnn.held_out("stemnist-cnn")
