"""Networks for the e-skin's spikes: chosen on writers held out, read on test writers."""

import dataclasses

import numpy as np
import pytest

from nengo_tactile.datasets import ESkin
from nengo_tactile.papers.spikemax import e_skin, runs
from nengo_tactile.papers.spikemax.plan import SETTINGS


@pytest.fixture
def opened(monkeypatch):
    """Splits and seeds that were read; a few digits of invented writers."""
    found = []

    def few(name, split, data_dir=None, seed=0):
        found.append((split, seed))
        return ESkin(split=split, n_samples=30, seed=seed)

    monkeypatch.setattr(e_skin, "open_dataset", few)
    monkeypatch.setattr(runs, "open_dataset", few)
    e_skin._simulated.cache_clear()
    yield found
    e_skin._simulated.cache_clear()


def test_times_stay_as_long_in_other_steps():
    fine, coarse = SETTINGS["eskin"], e_skin.setting_of(bin_ms=40, recipe={"epochs": 3})
    spans = [each.layout.n_steps * each.layout.bin_us for each in (fine, coarse)]
    assert spans == [2_000_000, 2_000_000]
    assert coarse.window * coarse.layout.bin_us == fine.window * fine.layout.bin_us
    assert coarse.neuron.tau_s * coarse.layout.bin_us == fine.neuron.tau_s * fine.layout.bin_us
    assert coarse.max_delay == 49, "of 50 steps"
    assert coarse.recipe == dataclasses.replace(fine.recipe, epochs=3)


def test_held_out_writers_are_those_of_no_recording_that_is_learnt_from(opened, monkeypatch):
    seen, train_and_test = [], runs.train_and_test

    def noted(setting, parts, *rest, **options):
        seen.append((setting, parts))
        return train_and_test(setting, parts, *rest, **options)

    monkeypatch.setattr(runs, "train_and_test", noted)
    settings = {"network": "10x10x2-12-10o", "bin_ms": 100, "simulations": 2, "own_start": True}
    found = e_skin.held_out(n_folds=2, epochs=1, max_delay=3, **settings)
    writers = ESkin(split="train", n_samples=30).writers
    kept = np.isin(writers, np.unique(writers)[::2])
    (setting, (train, test)), *_ = seen
    assert (setting.network, setting.max_delay) == ("10x10x2-12-10o", 3)
    assert found["n_test"] == len(test) == kept.sum() and len(train) == 2 * (~kept).sum()
    labels = np.asarray(ESkin(split="train", n_samples=30).targets)
    np.testing.assert_array_equal(test.labels, labels[kept])
    np.testing.assert_array_equal(train.labels, np.tile(labels[~kept], 2))
    half = len(train) // 2
    assert not np.array_equal(train[:half], train[half:]), "another simulation"
    assert set(opened) == {("train", 0), ("train", 1)}, "the test writers are not looked at"
    tested = e_skin.tested(epochs=1, max_delay=3, **settings)
    assert len(seen[-1][1][0]) == 60 and tested["n_test"] == 30
    assert opened[-1] == ("test", 0)


def test_a_reproduction_reads_as_many_simulations(opened):
    setting = e_skin.setting_of(bin_ms=100, simulations=3)
    data = runs._read(setting, "eskin", None, None, 0, None, "", False)
    assert (len(data.train), len(data.test)) == (90, 30)
    first = setting.layout.batch(ESkin(split="train", n_samples=30), progress=False)
    np.testing.assert_array_equal(data.train[:30], first[:])
    assert opened == [("train", 0), ("test", 0), ("train", 1), ("train", 2)]
