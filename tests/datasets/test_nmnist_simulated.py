"""Simulated N-MNIST as a tonic data set, and beside the recordings."""

import numpy as np
import pytest
import tonic

from nengo_tactile.datasets import compute_statistics, open_dataset
from nengo_tactile.datasets import nmnist_simulated as module
from nengo_tactile.datasets.nmnist_simulated import SimulatedNMNIST
from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import check_events
from nengo_tactile.events.saccades import SaccadeParameters, fitted_saccades, simulate
from tests.support import scripts
from tests.support.fake_formats import nmnist_bytes, write_zip

comparison = scripts.load("tools/nmnist_comparison.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve invented images, and recordings of the first six simulated with another seed."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(4)
    images = np.zeros((12, 28, 28), np.uint8)
    for image in images:
        row, column = rng.integers(4, 14, 2)
        image[row : row + 8, column : column + 5] = 255
    labels = np.arange(12) % 3
    np.savez(folder / "mnist.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    members = {}
    for index in range(6):
        events = simulate(images[index], fitted_saccades(), np.random.default_rng([77, index]))
        for side in ("Train", "Test"):
            members[f"{side}/{labels[index]}/{index + 1:05}.bin"] = nmnist_bytes(events)
    write_zip(folder / "nmnist_small.zip", members)
    return folder


def test_it_is_a_tonic_data_set(folder):
    digits = SimulatedNMNIST(folder)
    assert isinstance(digits, tonic.Dataset)
    assert (len(digits), digits.sensor_size) == (12, (34, 34, 2))
    events, label = digits[4]
    assert label == 1
    check_events(events, digits.sensor_size)
    with pytest.raises(IndexError):
        digits[12]


def test_order_of_access_does_not_matter(folder):
    digits, again = SimulatedNMNIST(folder), SimulatedNMNIST(folder, n_samples=9)
    last = digits[8][0]
    np.testing.assert_array_equal(list(again.recordings(progress=False))[8], last)
    for index, events in zip((5, 2), again.recordings((5, 2), progress=False)):
        np.testing.assert_array_equal(events, digits[index][0])
    shared = list(digits.recordings(progress=False, workers=3))
    assert len(shared) == 12
    for index, events in enumerate(shared):
        np.testing.assert_array_equal(events, digits[index][0])


def test_seed_split_and_parameters_matter(folder):
    events = SimulatedNMNIST(folder)[0][0]
    for options in (
        {"seed": 1},
        {"split": "test"},
        {"parameters": SaccadeParameters()},
    ):
        other = SimulatedNMNIST(folder, **options)[0][0]
        assert len(other) != len(events) or (other != events).any()


def test_by_name(folder):
    digits = open_dataset("nmnist-simulated", split="test", data_dir=folder, n_samples=5, seed=3)
    assert (type(digits).__name__, len(digits), digits.seed) == ("SimulatedNMNIST", 5, 3)


def test_statistics_of_it(folder):
    digits = open_dataset("nmnist-simulated", data_dir=folder, n_samples=6)
    found = compute_statistics(digits, progress=False)
    on = [np.count_nonzero(digits[index][0]["p"]) for index in (1, 4)]
    assert found["1"]["ON events"]["mean"] == pytest.approx(np.mean(on))


def test_errors_are_named(folder, tmp_path):
    with pytest.raises(DataError, match="MNIST was not found"):
        SimulatedNMNIST(tmp_path)
    with pytest.raises(DataError, match="n_samples is 13; give 1 to 12, the number of train"):
        SimulatedNMNIST(folder, n_samples=13)


def test_pairs_show_the_same_digits(folder):
    data, found = SimulatedNMNIST(folder), module.recorded_digits(folder)
    recorded, indices = comparison.pairs(*found, data, odd=True)
    np.testing.assert_array_equal(indices, [1, 3, 5])
    wanted = simulate(data.images[3], fitted_saccades(), np.random.default_rng([77, 3]))
    np.testing.assert_array_equal(recorded[1], wanted)
    few = SimulatedNMNIST(folder, n_samples=3)
    with pytest.raises(DataError, match=r"shows image 5, .* ends at 2"):
        comparison.pairs(*found, few, odd=True)
    data.targets = data.targets[::-1]
    with pytest.raises(DataError, match="another label than image 0"):
        comparison.pairs(*found, data, odd=False)


def test_recordings_need_numbers_as_names(tmp_path):
    write_zip(tmp_path / "train.zip", {"Train/1/first.bin": b"\0" * 5})
    with pytest.raises(DataError, match=r"first\.bin is not named <number from 1>.bin"):
        module.recorded_digits(tmp_path)


def test_the_command_compares(folder, tmp_path, capsys):
    comparison.main(["--data-dir", str(folder), "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "3 digits of odd index" in printed
    assert "interval_ms" in printed
    assert "image_correlation" in printed
    assert (tmp_path / "comparison.json").stat().st_size > 1000
    assert (tmp_path / "comparison.png").stat().st_size > 10_000


def test_the_fit_comes_near(folder):
    data = SimulatedNMNIST(folder, parameters=SaccadeParameters())
    recorded, indices = comparison.pairs(*module.recorded_digits(folder), data, odd=False)
    found = comparison.fit_to_recordings(
        data, recorded, indices, n_samples=3, rounds=1, evaluations=12, progress=False
    )
    ours = np.mean(
        [len(simulate(data.images[k], found, np.random.default_rng(k))) for k in indices]
    )
    assert ours == pytest.approx(np.mean([len(events) for events in recorded]), rel=0.3)


def test_real_recordings_are_matched(data_dir):
    """The fitted simulator beside recordings it was not fitted to."""
    data = SimulatedNMNIST(data_dir)
    recorded, indices = comparison.pairs(
        *module.recorded_digits(data_dir), data, odd=True, n_samples=60
    )
    result, _ = comparison.compare_with_recordings(data, recorded, indices, progress=False)
    table = result["distributions"]
    assert table["events"]["mean"] == pytest.approx(table["events"]["mean_real"], rel=0.1)
    assert table["on_percent"]["mean"] == pytest.approx(table["on_percent"]["mean_real"], abs=1)
    for name in ("events_per_pixel", "interval_ms", "run_length", "time_ms"):
        assert table[name]["ks"] < 0.1
    assert result["scores"]["count_correlation"] > 0.95
    assert result["scores"]["image_correlation"] > 0.85
