"""The simulated e-skin as a tonic data set."""

import numpy as np
import pytest
import tonic

from nengo_tactile.datasets.eskin import ESkin
from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import check_events
from nengo_tactile.events.eskin_table1 import fitted_parameters
from tests.support import scripts

comparison = scripts.load("tools/eskin_comparison.py")


@pytest.fixture(scope="module")
def digits():
    return ESkin(n_samples=40)


def test_it_is_a_tonic_data_set(digits):
    assert isinstance(digits, tonic.Dataset)
    assert digits.sensor_size == (10, 10, 2)
    assert len(digits.classes) == 10
    assert digits.ordering == ("x", "y", "t", "p")
    events, label = digits[3]
    assert label == digits.targets[3] == 3
    assert events.dtype == digits.dtype
    check_events(events, digits.sensor_size)
    with pytest.raises(IndexError):
        digits[40]


def test_tonics_transforms_apply():
    to_frame = tonic.transforms.ToFrame((10, 10, 2), time_window=10_000, include_incomplete=True)
    digits = ESkin(n_samples=2, transform=to_frame, target_transform=lambda label: -label)
    frames, label = digits[1]
    assert frames.shape[1:] == (2, 10, 10)
    assert label == -1
    assert frames.sum() == len(digits.read_events(1))


def test_order_of_access_does_not_matter(digits):
    last = digits[39][0]
    again = ESkin(n_samples=40)
    np.testing.assert_array_equal(again[39][0], last)
    for index, events in zip((5, 2), digits.recordings((5, 2), progress=False)):
        np.testing.assert_array_equal(events, again[index][0])
    assert len(list(digits.recordings(progress=False))) == 40


def test_seed_and_parameters_matter(digits):
    other = ESkin(n_samples=40, seed=1)[0][0]
    assert len(other) != len(digits[0][0]) or (other != digits[0][0]).any()
    plain = ESkin(n_samples=40, parameters=fitted_parameters("parametric").without_pace())
    mean = [
        np.mean([len(data[index][0]) for index in range(0, 40, 10)]) for data in (digits, plain)
    ]
    assert mean[0] != mean[1]


def test_splits_have_other_writers():
    train, test = ESkin(split="train"), ESkin(split="test")
    assert (len(train), len(test)) == (5400, 1500)
    assert not set(train.writers) & set(test.writers)


def test_errors_are_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        ESkin(tmp_path)
    with pytest.raises(DataError, match="split is 'all'"):
        ESkin(split="all")


def test_recorded_trajectories(data_dir):
    digits = ESkin(data_dir / "pendigits", "test", n_samples=30)
    assert len(digits) == 30
    for events in digits.recordings(progress=False):
        check_events(events, digits.sensor_size)
        assert len(events) > 20
    assert digits.parameters == fitted_parameters("pendigits")


def test_digits_differ_as_on_real_skin():
    """Digits are told apart by a plain classifier, from writers it has not seen."""
    from nengo_tactile.events.images import TactileImage

    image = TactileImage()
    sets = [ESkin(split=split, n_samples=n) for split, n in (("train", 600), ("test", 200))]
    x, x_test = (
        image.batch(data.recordings(progress=False), progress=False).reshape(len(data), -1)
        for data in sets
    )
    nearest = sets[0].targets[np.linalg.norm(x_test[:, None] - x, axis=2).argmin(axis=1)]
    assert np.mean(nearest == sets[1].targets) > 0.75


def test_comparison_with_the_paper(digits):
    result = comparison.compare_with_paper(digits, digits[0][0], progress=False)
    rows = comparison.statistics_of(digits, progress=False)
    zeros = rows[digits.targets == 0, 0]
    assert result["table1"]["on_events"]["mean"][0] == pytest.approx(zeros.mean())
    assert result["paper"]["on_events"]["mean"][0] == 1738.13
    counts = rows[:, :2].sum(axis=1)
    for index in comparison.samples_like(digits[0][0], rows, 5):
        assert 3 / 4 < counts[index] / len(digits[0][0]) < 4 / 3
    with pytest.raises(DataError, match="no simulated sample has about"):
        comparison.samples_like(digits[0][0][:1], rows, 5)


def test_nearest_neighbours_equal_a_loop(rng):
    """Distances of few values, so that many are equal: then the earlier one counts."""
    from collections import Counter

    known, labels = rng.integers(0, 4, (60, 2)), rng.integers(0, 5, 60)
    asked = rng.integers(0, 4, (40, 2))
    for point, label in zip(asked, comparison._nearest(known, labels, asked)):
        order = sorted(range(60), key=lambda i: (((known[i] - point) ** 2).sum(), i))
        votes = Counter(labels[order[:5]].tolist())
        assert label == min(votes, key=lambda each: (-votes[each], each))


def test_counts_tell_the_digit_only_with_its_pace():
    scores = comparison.pace_check(n_train=300, n_test=200, progress=False)
    assert scores["counts_with_pace"] < scores["images_with_pace"]
    assert scores["images_without_pace"] > 0.7
    assert scores["images_trained_with_tested_without"] > 0.7


def test_comparison_command(tmp_path, capsys, data_dir):
    recording = data_dir / "stmnist_sample" / "sample_stmnist.mat"
    comparison.main(["--samples", "200", "--recording", str(recording), "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "1738 (1366)" in printed
    assert "interval_ms" in printed
    assert (tmp_path / "comparison.json").stat().st_size > 1000
    assert (tmp_path / "comparison.png").stat().st_size > 10_000
