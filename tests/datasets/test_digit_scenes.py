"""Scenes of digits: what is drawn, digit by digit, and what is refused."""

import numpy as np
import pytest

from nengo_tactile.datasets import DigitScenes, images_of, open_dataset
from nengo_tactile.datasets import digit_scenes as scenes
from nengo_tactile.errors import DataError
from tests.support.image_sets import write_bars


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_bars(tmp_path_factory.mktemp("digits"))


def test_each_pixel_has_the_class_of_the_digit_that_lies_there(rng, monkeypatch):
    """Without noise: a scene is made again, pixel by pixel, from what was drawn."""
    monkeypatch.setattr(scenes, "NOISE", 0)
    digits = rng.integers(0, 256, (7, 28, 28), dtype=np.uint8)
    labels = np.arange(7) % 10
    for seed in range(5):
        image, classes = np.zeros((2, scenes.SIDE, scenes.SIDE), np.uint8)
        scenes.lay_digits(image, classes, digits, labels, np.random.default_rng(seed))
        drawn = np.random.default_rng(seed)
        again, of = np.zeros((2, scenes.SIDE, scenes.SIDE), int)
        for chosen in drawn.integers(7, size=drawn.integers(1, 4)):
            top, left = drawn.integers(29, size=2)
            for row in range(20):
                for column in range(20):
                    value = int(digits[chosen, row + 4, column + 4])
                    place = top + row, left + column
                    if value >= 96:
                        again[place], of[place] = value, 1 + labels[chosen]
                    else:
                        again[place] = max(again[place], value)
        np.testing.assert_array_equal(image, again)
        np.testing.assert_array_equal(classes, of)


def test_splits_and_seeds(folder):
    train = DigitScenes(folder, n_samples=6)
    assert train.images.shape == train.targets.shape == (6, 48, 48)
    assert images_of(train).shape == (6, 48, 48, 1) and len(train.classes) == 11
    image, classes = train[2]
    np.testing.assert_array_equal(image, train.images[2])
    np.testing.assert_array_equal(classes, train.targets[2])
    # a longer set begins with the same scenes; other seeds and splits have others
    np.testing.assert_array_equal(DigitScenes(folder, n_samples=9).images[:6], train.images)
    others = DigitScenes(folder, n_samples=6, seed=1), DigitScenes(folder, "test", n_samples=6)
    assert all((other.images != train.images).mean() > 0.2 for other in others)
    # noise has the deviation that it is said to have, where nothing cuts it off
    whole = DigitScenes(folder, n_samples=200)
    lit = whole.images[(whole.targets == 0) & (whole.images > 0)]
    assert 0.3 < (whole.images[whole.targets == 0] == 0).mean() < 0.6
    assert np.median(lit) == pytest.approx(0.674 * 24, abs=1.5)


def test_what_is_refused(folder, tmp_path):
    with pytest.raises(DataError, match="n_samples is 0: give a whole number of at least 1"):
        DigitScenes(folder, n_samples=0)
    with pytest.raises(DataError, match="MNIST"):
        open_dataset("scenes", data_dir=tmp_path)
    assert len(open_dataset("scenes", "test", folder, n_samples=3)) == 3
