"""The reader of pendigits_traj.npz, on files made here and on the real one."""

import numpy as np
import pytest

from nengo_tactile.errors import DataError
from nengo_tactile.events.recorded import FILE_NAME, read_pendigits


def arrays(split="train"):
    rng = np.random.default_rng(0)
    offsets = np.array([0, 5, 12, 20], np.int32)
    return {
        f"xy_{split}": rng.integers(0, 500, (20, 2)).astype(np.int16),
        f"stroke_{split}": np.zeros(20, np.uint8),
        f"offsets_{split}": offsets,
        f"label_{split}": np.array([3, 1, 4], np.uint8),
        f"writer_{split}": np.array([1, 2, 2], np.uint8),
    }


@pytest.fixture
def folder(tmp_path):
    np.savez(tmp_path / FILE_NAME, **arrays("train"), **arrays("test"))
    return tmp_path


def test_points_of_each_sample(folder):
    content = arrays()
    for path in (folder, folder / FILE_NAME, str(folder)):
        digits = read_pendigits(path, "train")
    assert len(digits) == 3
    xy, stroke = digits.points(1)
    np.testing.assert_array_equal(xy, content["xy_train"][5:12])
    assert len(stroke) == 7
    assert digits.labels.tolist() == [3, 1, 4]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label_train": None}, r"arrays \['label_train'\] are missing"),
        ({"label_train": np.array([3, 10, 4])}, "label 1 is 10, wanted a digit"),
        ({"stroke_train": np.zeros(19, int)}, "stroke has length 19, wanted 20"),
        ({"writer_train": np.zeros(4, int)}, "writers has length 4, wanted 3"),
        ({"offsets_train": np.array([0, 5, 20])}, "offsets has length 3, wanted 4"),
        ({"offsets_train": np.array([0, 5, 5, 20])}, "sample 1 has no points"),
        (
            {"offsets_train": np.array([0, 5, 12, 30])},
            "offsets run from 0 to 30, wanted 0 to 20",
        ),
        ({"offsets_train": np.zeros(4)}, r"offsets has shape \(4,\) and type float64"),
        ({"xy_train": np.zeros((20, 3), int)}, "xy columns has length 3, wanted 2"),
        ({"xy_train": np.zeros(20, int)}, "wanted 2 axes"),
        ({"xy_train": np.zeros((20, 2), [("a", int)])}, "wanted 2 axes of numbers"),
        ({"xy_train": np.full((20, 2), np.nan)}, "point 0 is .*wanted finite"),
    ],
)
def test_arrays_that_do_not_fit_are_named(tmp_path, change, message):
    content = {k: v for k, v in {**arrays(), **change}.items() if v is not None}
    np.savez(tmp_path / FILE_NAME, **content)
    with pytest.raises(DataError, match=message):
        read_pendigits(tmp_path, "train")


def test_missing_and_damaged_files_are_named(folder, tmp_path):
    with pytest.raises(DataError, match="no such file; give the folder that holds"):
        read_pendigits(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="split is 'valid'"):
        read_pendigits(folder, "valid")
    path = folder / FILE_NAME
    whole = path.read_bytes()
    for damaged in (b"", b"not a zip", whole[: len(whole) // 2], whole[:-30]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="is no readable zip archive"):
            read_pendigits(folder)
    np.save(path.with_suffix(".npy"), np.zeros(3))
    path.write_bytes(path.with_suffix(".npy").read_bytes())
    with pytest.raises(DataError, match="is no readable zip archive"):
        read_pendigits(folder)


def test_pickles_are_refused(tmp_path):
    content = {**arrays(), "label_train": np.array([{}, 1, 2], object)}
    np.savez(tmp_path / FILE_NAME, **content)
    with pytest.raises(DataError, match="pickled objects"):
        read_pendigits(tmp_path)


def test_real_file_has_the_documented_counts(data_dir):
    train, test = (read_pendigits(data_dir / "pendigits", split) for split in ("train", "test"))
    assert (len(train), len(test)) == (7494, 1748)
    assert (len(np.unique(train.writers)), len(np.unique(test.writers))) == (30, 7)
    assert np.bincount(train.labels).tolist() == [
        780,
        779,
        780,
        719,
        780,
        720,
        720,
        778,
        719,
        719,
    ]
