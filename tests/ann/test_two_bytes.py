"""Kernels as whole numbers of two bytes, and files that hold them."""

import numpy as np
import pytest

from nengo_tactile import files
from nengo_tactile.ann.two_bytes import packed, unpacked
from nengo_tactile.commands import networks
from nengo_tactile.doors.archives import read_npz
from nengo_tactile.errors import ModelFileError

RESCALE = [0.02, 0.02, 0.02], [-1.0, -1.2, -1.1]


def test_no_weight_moves_further_than_half_a_step():
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 3, 4, 5)).astype(np.float32) * [1, 10, 1e-3, 0, 2]
    arrays = {"a/kernel": kernel.astype(np.float32), "a/bias": rng.normal(size=5)}
    found = packed(arrays)
    assert found["a/kernel"].dtype == np.int16 and found["scale/a/kernel"].shape == (5,)
    again = unpacked(found)
    assert again.keys() == arrays.keys() and again["a/kernel"].dtype == np.float32
    np.testing.assert_array_equal(again["a/bias"], arrays["a/bias"])
    largest = np.abs(arrays["a/kernel"]).max((0, 1, 2))
    moved = np.abs(again["a/kernel"].astype(float) - arrays["a/kernel"]).max((0, 1, 2))
    assert (moved <= largest / 32767 / 2 * 1.001 + 1e-7 * largest).all()


def test_files_of_them_are_networks(tmp_path):
    model = networks.network_named("resnet8", (8, 8, 3), 4, RESCALE, widths=(4, 6, 8))
    networks.write_weights(model, tmp_path / "w.npz")
    arrays = read_npz(tmp_path / "w.npz")
    files.write_npz(tmp_path / "small.npz", packed(arrays))
    x = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
    again = networks.read_weights(tmp_path / "small.npz")
    np.testing.assert_allclose(again(x), model(x), rtol=1e-3, atol=1e-3)
    for wrong, told in (
        ({"scale/conv0/kernel": np.ones(3, np.float32)}, r"scale/conv0/kernel' has shape \(3,\)"),
        ({"scale/conv0/kernel": np.full(4, np.nan, np.float32)}, "holds nan: wanted above zero"),
        ({"scale/none/kernel": np.ones(3, np.float32)}, "'none/kernel' is not there"),
        ({"conv0/kernel": np.ones((3, 3, 3, 4))}, "is float64 of"),
    ):
        files.write_npz(tmp_path / "wrong.npz", {**packed(arrays), **wrong})
        with pytest.raises(ModelFileError, match=told):
            networks.read_weights(tmp_path / "wrong.npz")
