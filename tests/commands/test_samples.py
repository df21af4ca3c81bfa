"""Samples named on the command line: files of arrays."""

import numpy as np
import pytest

from nengo_tactile.commands.samples import Files, files_of, read_array
from nengo_tactile.errors import DataError


@pytest.fixture
def folder(tmp_path):
    """Images of bytes and labels, in one file each and in one file together."""
    x = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
    y = np.arange(5)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "labels.npz", anything=y)
    np.savez(tmp_path / "both.npz", x=x, y=y)
    np.savez(tmp_path / "splits.npz", x_train=x, y_train=y, x_test=x[:2], y_test=y[:2])
    return tmp_path


@pytest.mark.parametrize(
    ("x", "y", "n"),
    [
        ("x.npy", "labels.npz", 5),
        ("both.npz", "both.npz", 5),
        ("splits.npz:x_test", "splits.npz:y_test", 2),
    ],
)
def test_arrays_are_read_by_name(folder, x, y, n):
    """With an axis for the one channel, which images in files have seldom."""
    images, labels = Files(str(folder / x), str(folder / y)).read((4, 3, 1))
    assert images.dtype == np.uint8 and images.shape == (n, 4, 3, 1)
    np.testing.assert_array_equal(images.ravel(), np.arange(n * 12))
    np.testing.assert_array_equal(labels, np.arange(n))


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("none.npy", "no such file"),
        ("splits.npz", "holds x_train, y_train, x_test, y_test: say which.*--x .*npz:x_train"),
        ("splits.npz:z", "has no array 'z', but x_train"),
        ("text.npy", "no readable array"),
        ("pickled.npy", "pickled objects"),
        ("words.npy", "give numbers"),
        ("empty.npz", "holds no array"),
    ],
)
def test_files_that_hold_no_samples_are_refused(folder, source, told):
    """By the file's name, and with what would do."""
    (folder / "text.npy").write_text("1, 2, 3")
    np.save(folder / "pickled.npy", np.array([{}], object), allow_pickle=True)
    np.save(folder / "words.npy", np.array(["a"]))
    np.savez(folder / "empty.npz")
    with pytest.raises(DataError, match=told):
        read_array(str(folder / source), "x")


def test_arrays_of_other_shapes_and_lengths_are_refused(folder):
    """With both shapes."""
    with pytest.raises(DataError, match=r"\(5, 4, 3\), the network takes \(n_samples, 8, 8, 1\)"):
        Files(str(folder / "x.npy")).read((8, 8, 1))
    short = Files(str(folder / "x.npy"), str(folder / "splits.npz:y_test"))
    with pytest.raises(DataError, match=r"\(2,\), .*x.npy has 5 samples"):
        short.read((4, 3))


def test_a_task_and_files_are_one_too_many():
    """And labels alone are too few."""
    assert files_of("eskin", None, None) is None
    assert files_of(None, "x.npy", None) == Files("x.npy")
    with pytest.raises(DataError, match="--task eskin and --x"):
        files_of("eskin", "x.npy", None)
    with pytest.raises(DataError, match="without --x"):
        files_of("eskin", None, "y.npy")
