"""Ev-Touch from its files: events against the packed bits; what contradicts itself is refused."""

import numpy as np
import pytest

from nengo_tactile.datasets import EvTouch
from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import check_events
from tests.support.fake_formats import change


def ev_arrays(rng, n_classes=36, n_bins=250):
    bits = {side: rng.random((2 * n_classes, 39, 2, n_bins)) < 0.01 for side in ("train", "test")}
    arrays = {"bins": np.array(n_bins)}
    for side, values in bits.items():
        arrays[f"x_{side}"] = np.packbits(values, axis=-1)
        arrays[f"y_{side}"] = np.tile(np.arange(n_classes), 2).astype(np.uint8)
    return arrays, bits


@pytest.mark.parametrize(
    ("kind", "n_classes", "n_bins"), [("objects", 36, 250), ("containers", 20, 325)]
)
def test_ev_touch_equals_its_bits(kind, n_classes, n_bins, rng, tmp_path):
    arrays, bits = ev_arrays(rng, n_classes, n_bins)
    np.savez(tmp_path / f"ev_{kind}.npz", **arrays)
    dataset = EvTouch(tmp_path, kind=kind, split="test")
    assert (len(dataset), len(dataset.classes)) == (2 * n_classes, n_classes)
    for index, (events, label) in enumerate(dataset):
        check_events(events, dataset.sensor_size)
        again = np.zeros((39, 2, n_bins), bool)
        for x, y, t, p in events.tolist():
            assert y == 0
            again[x, 0 if p else 1, t // 20_000] = True
        np.testing.assert_array_equal(again, bits["test"][index])
        assert label == index % n_classes


@pytest.mark.parametrize(
    ("apply", "part"),
    [
        (lambda arrays: arrays.update(bins=np.array(240)), "'bins' is 240, wanted 250"),
        (lambda arrays: arrays.update(bins=np.array([250])), "'bins' has type"),
        (lambda arrays: arrays.update(y_train=arrays["y_train"][1:]), "packed bits"),
        (lambda arrays: arrays.update(x_train=arrays["x_train"][..., :30]), "packed bits"),
        (lambda arrays: arrays.update(x_train=arrays["x_train"].astype("u2")), "packed bits"),
        (change("x_train", 255), "bits after bin 249"),
        (change("y_train", 36, 4), "label 4 is 36, wanted 0 to 35"),
        (lambda arrays: arrays.pop("bins"), "no array 'bins'"),
    ],
)
def test_contradicting_ev_touch_files_are_refused(apply, part, rng, tmp_path):
    arrays, _ = ev_arrays(rng)
    apply(arrays)
    np.savez(tmp_path / "ev_objects.npz", **arrays)
    with pytest.raises(DataError, match=rf"ev_objects\.npz.*{part}"):
        EvTouch(tmp_path)


def test_ev_touch_arguments_are_checked(tmp_path):
    for arguments, part in (
        ({"kind": "cups"}, "'cups'"),
        ({"bin_us": 0}, "bin_us is 0"),
        ({"split": "all"}, "'all'"),
        ({}, r"ev_objects\.npz"),
    ):
        with pytest.raises(DataError, match=part):
            EvTouch(tmp_path, **arguments)


def test_ev_touch_of_the_project(data_dir):
    for kind, sizes, per_class in (("objects", (576, 144), 16), ("containers", (240, 60), 12)):
        sides = [EvTouch(data_dir, kind=kind, split=split) for split in ("train", "test")]
        assert tuple(map(len, sides)) == sizes
        assert set(np.bincount(sides[0].targets)) == {per_class}
