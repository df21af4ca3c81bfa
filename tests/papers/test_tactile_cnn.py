"""Networks for tactile images: chosen on training writers, read on test writers."""

import dataclasses

import numpy as np
import pytest

from nengo_tactile.commands.tasks import open_task, task_named
from nengo_tactile.papers import tactile_cnn


@pytest.fixture
def opened(monkeypatch):
    """Splits that were read; a few digits of invented writers in place of recorded trajectories."""
    splits = []

    def few(task, split, data_dir=None, seed=0):
        splits.append(split)
        return open_task(task_named("eskin"), split, n_samples=40, seed=seed)

    monkeypatch.setattr(tactile_cnn, "open_task", few)
    tactile_cnn.simulated.cache_clear()
    yield splits
    tactile_cnn.simulated.cache_clear()


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
    assert tested["n_test"] == 40 and 0 <= tested["accuracy"] <= 1
    assert set(opened) == {"train", "test"}
