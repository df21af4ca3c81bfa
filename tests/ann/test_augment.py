"""Augmentation: which images may come out, how often, and always the same."""

import numpy as np
import pytest

from nengo_tactile.ann.augment import cropped_epochs, flip, shift, shifted_epochs


@pytest.mark.parametrize("pixels", [1, 2])
def test_shift_moves_each_image_as_a_whole(rng, pixels):
    x = np.zeros((400, 5, 6, 1))
    x[:, 2, 3] = 1
    moved = shift(x, rng, pixels)
    rows, columns = (np.argmax(moved.sum(axis=a)[..., 0], axis=1) for a in (2, 1))
    assert (moved.sum(axis=(1, 2, 3)) == 1).all()
    steps = range(-pixels, pixels + 1)
    assert {*zip(rows - 2, columns - 3)} == {(r, c) for r in steps for c in steps}


def test_a_shifted_image_is_a_window_of_the_padded_one(rng):
    x = rng.integers(1, 255, (50, 5, 6, 3), dtype=np.uint8)
    moved = shift(x, rng, 2)
    for image, result in zip(x, moved):
        padded = np.zeros((9, 10, 3), np.uint8)
        padded[2:7, 2:8] = image
        windows = [padded[r : r + 5, c : c + 6] for r in range(5) for c in range(5)]
        assert any((result == window).all() for window in windows)


def test_flip_mirrors_about_half(rng):
    x = rng.integers(0, 255, (400, 3, 4, 2), dtype=np.uint8)
    y = flip(x, rng)
    mirrored = [(new == old[:, ::-1]).all() for old, new in zip(x, y)]
    kept = [(new == old).all() for old, new in zip(x, y)]
    assert all(m != k for m, k in zip(mirrored, kept))
    assert 160 < sum(mirrored) < 240  # 4 standard deviations


def test_shifted_epochs_repeat_themselves_and_take_turns(rng):
    x = rng.random((2, 30, 5, 5, 1))
    y = np.arange(60).reshape(2, 30)
    epochs = shifted_epochs(x, y, seed=1)
    assert (epochs(4)[0] == epochs(4)[0]).all() and (epochs(4)[0] != epochs(6)[0]).any()
    assert (epochs(3)[1] == y[1]).all() and (epochs(4)[1] == y[0]).all()
    assert (shifted_epochs(x, y, seed=2)(4)[0] != epochs(4)[0]).any()


@pytest.mark.parametrize("mirror", [False, True])
def test_cropped_epochs_stay_bytes_and_repeat_themselves(rng, mirror):
    x = np.zeros((300, 4, 5, 1), np.uint8)
    x[:, :, 0] = 200  # the left edge
    y = rng.integers(0, 3, 300)
    epochs = cropped_epochs(x, y, seed=1, pixels=1, mirror=mirror)
    images, labels = epochs(2)
    assert images.dtype == np.uint8 and images.shape == x.shape and labels is y
    assert (images == epochs(2)[0]).all() and (images != epochs(3)[0]).any()
    # a shift of 1 leaves the edge in columns 0 and 1 or pushes it out; mirrored: 4 and 3
    assert set(np.nonzero(images.any(axis=(0, 1, 3)))[0]) == ({0, 1, 3, 4} if mirror else {0, 1})
    assert not x[:, :, 1:].any() and (x[:, :, 0] == 200).all()
