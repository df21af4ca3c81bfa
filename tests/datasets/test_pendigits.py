"""Recorded pen digits as a data set."""

import numpy as np
import pytest

from nengo_tactile.datasets.pendigits import FILE_NAME, PenDigits
from nengo_tactile.errors import DataError


def test_points_and_labels(tmp_path):
    xy = np.arange(24).reshape(12, 2).astype(np.int16)
    np.savez(
        tmp_path / FILE_NAME, xy_train=xy, stroke_train=np.repeat([0, 1, 0], 4),
        offsets_train=[0, 8, 12], label_train=[4, 7], writer_train=[1, 9],
    )  # fmt: skip
    digits = PenDigits(tmp_path, transform=lambda points: points[:3])
    assert len(digits) == 2
    points, label = digits[1]
    assert label == 7
    np.testing.assert_array_equal(np.stack([points["x"], points["y"]], 1), xy[8:11])
    assert digits.read_events(0)["stroke"].tolist() == [0] * 4 + [1] * 4
    assert digits.writers.tolist() == [1, 9]


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        PenDigits(tmp_path)


def test_real_digits(data_dir):
    digits = PenDigits(data_dir / "pendigits", "test")
    points, label = digits[0]
    assert len(digits) == 1748
    assert points.dtype == digits.dtype
    assert label in range(10)
    assert 0 <= points["x"].min() <= points["x"].max() < 500
