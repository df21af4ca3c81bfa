"""STEMNIST from its file: events against a loop over its arrays; what is damaged is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_tactile.datasets import STEMNIST
from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import check_events
from tests.support.damage import damaged
from tests.support.fake_formats import change, stemnist_arrays


@pytest.fixture
def stemnist(rng, tmp_path):
    arrays = stemnist_arrays(rng)
    np.savez(tmp_path / STEMNIST.filename, **arrays)
    return tmp_path, arrays


@pytest.mark.parametrize(("split", "code"), [("train", 0), ("test", 2)])
def test_stemnist_equals_a_loop_over_its_arrays(stemnist, split, code):
    folder, arrays = stemnist
    dataset = STEMNIST(folder, split=split)
    rows = [row for row in range(len(arrays["label"])) if arrays["split"][row] == code]
    assert len(dataset) == len(rows) == 70
    for index, row in enumerate(rows):
        events, label = dataset[index]
        assert label == arrays["label"][row]
        assert dataset.writers[index] == arrays["participant"][row]
        first, last = arrays["offsets"][row : row + 2]
        assert len(events) == last - first
        for event, place in zip(events, range(first, last)):
            assert (event["x"], event["y"]) == (arrays["x"][place], arrays["y"][place])
            # the middle of a bin of 1/120 s gives the bin back
            assert event["t"] * 120 // 10**6 == arrays["t"][place]
            assert event["p"]
        check_events(events, dataset.sensor_size)


@pytest.mark.parametrize(
    ("apply", "part"),
    [
        (lambda arrays: arrays.pop("label"), "no array 'label'"),
        (change("x", 16, 3), "'x', row 3 is 16, wanted 0 to 15"),
        (change("t", 240, 0), "'t', row 0 is 240"),
        (change("label", 35, 5), "'label', row 5 is 35, wanted 0 to 34"),
        (change("split", 3, 5), "'split', row 5 is 3"),
        (change("split", 1), "no sample has split code 0"),
        (change("offsets", 10**6, 2), "'offsets' must rise"),
        (change("offsets", 1, 0), "'offsets' must rise"),
        (change("names", "a", 0), "'names'"),
        (lambda arrays: arrays.update(offsets=arrays["offsets"][:-1]), "'offsets' must rise"),
        (lambda arrays: arrays.update(label=arrays["label"][:-1]), "one value per sample"),
        (lambda arrays: arrays.update(x=arrays["x"][:-1]), "one per event"),
        (lambda arrays: arrays.update(x=arrays["x"] * 1.0), "'x' has type float64"),
        (lambda arrays: arrays.update(x=arrays["x"][None]), "'x' has type uint8 and shape"),
        (lambda arrays: arrays.update(t=arrays["t"][::-1]), "times must not decrease"),
        (lambda arrays: arrays.update(names=arrays["names"].astype(object)), "pickle"),
    ],
)
def test_contradicting_stemnist_files_are_refused(stemnist, apply, part):
    folder, arrays = stemnist
    apply(arrays)
    np.savez(folder / STEMNIST.filename, **arrays)
    with pytest.raises(DataError, match=rf"(?s)stemnist_spikes_aer\.npz.*{part}"):
        STEMNIST(folder)


@given(st.data())
@settings(max_examples=60)
def test_mutated_stemnist_files_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "mutated.npz"
    np.savez(path, **stemnist_arrays(np.random.default_rng(0), per_class=1))
    path.write_bytes(damaged(data, path.read_bytes()))
    try:
        dataset = STEMNIST(path)
    except DataError:
        return
    assert len(dataset) == 35  # the changed bytes were padding or comments


def test_stemnist_of_the_project(data_dir):
    # the counts its README states
    train, test = STEMNIST(data_dir, split="train"), STEMNIST(data_dir, split="test")
    assert (len(train), len(test)) == (5390, 1155)
    assert set(np.bincount(train.targets)) == {154}
    assert set(np.bincount(test.targets)) == {33}
    assert len(set(train.writers) | set(test.writers)) == 34
    total = sum(len(events) for events in train.data) + sum(len(events) for events in test.data)
    assert total == 1_193_221
