"""The fit finds what recordings were made with."""

import dataclasses

import numpy as np
import pytest

from nengo_tactile.events import saccades_path
from nengo_tactile.events.saccades import SaccadeParameters, path, simulate
from tests.support import scripts

module = scripts.load("tools/saccades_fit.py")

TRUE = SaccadeParameters(
    path_ms=(0, 30, 80, 130, 180, 230, 290),
    path_x=(-2.5, -2.6, -1.0, -0.6, 2.2, 2.8, -2.1),
    path_y=(-2.0, -1.0, 3.4, 3.3, -1.2, -1.5, -1.7),
    noise_rate_hz=0.5,
    noise_mismatch=0.4,
    noise_on_share=0.8,
    hot_pixels=((30, 2, 40.0),),
)


@pytest.fixture(scope="module")
def images():
    """Blobs that fade out, in place of digits."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:28, :28]
    result = np.zeros((40, 28, 28))
    for image in result:
        for cy, cx in rng.uniform(8, 20, (4, 2)):
            image += 400 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 8)
    return np.clip(result, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def recordings(images):
    return [simulate(image, TRUE, np.random.default_rng([9, k])) for k, image in enumerate(images)]


def test_the_path_is_found(images, recordings):
    found = dataclasses.replace(TRUE, **saccades_path.register_path(recordings, images))
    t_ms = np.arange(15, 295, 5)
    error = path(found, t_ms) - path(TRUE, t_ms)
    assert np.sqrt((error**2).mean()) < 0.3
    assert np.abs(error).max() < 0.7


def test_a_corrected_path_is_nearer(images, recordings):
    found = dataclasses.replace(TRUE, **saccades_path.register_path(recordings, images))
    corrected = module.corrected_path(found, images, seed=2)
    t_ms = np.arange(15, 295, 5)
    errors = [np.square(path(p, t_ms) - path(TRUE, t_ms)).mean() for p in (found, corrected)]
    assert errors[1] < errors[0]


def test_noise_and_hot_pixels_are_found(images, recordings):
    images = np.where(images < 20, 0, images)  # blobs, unlike digits, have no end
    found = module.measure_noise(recordings, images, TRUE.duration_ms)
    assert found["noise_rate_hz"] == pytest.approx(0.5, rel=0.25)
    assert found["noise_on_share"] == pytest.approx(0.8, abs=0.05)
    # a pixel from the end of the lognormal may count as hot too
    hot = [pixel for pixel in found["hot_pixels"] if pixel[2] > 5]
    assert [(x, y) for x, y, _ in hot] == [(30, 2)]
    assert hot[0][2] == pytest.approx(40, rel=0.15)


def test_mismatch_is_found(images, recordings):
    even = dataclasses.replace(TRUE, threshold_mismatch=0.0)
    same = [simulate(image, even, np.random.default_rng([9, k])) for k, image in enumerate(images)]
    assert module.measure_mismatch(same) < module.measure_mismatch(recordings) < 0.2


def test_the_same_parameters_are_near_and_others_far(images, recordings):
    near = module.distance(TRUE, images, recordings, seed=1)
    far = module.distance(dataclasses.replace(TRUE, threshold=0.4), images, recordings, seed=1)
    assert near < 0.5 * far


def test_search_and_balance_come_nearer(images, recordings):
    few, recorded = images[:6], recordings[:6]
    start = dataclasses.replace(TRUE, threshold=0.3, on_share=0.55)
    calls = []
    found = module.search(start, few, recorded, 14, 1, lambda: calls.append(1))
    before, after = (module.distance(p, few, recorded, 1) for p in (start, found))
    assert after < 0.8 * before
    assert len(calls) == 14
    balanced = module.balance(start, few, recorded, 1)
    assert abs(balanced.on_share - 0.5) < abs(start.on_share - 0.5)


def test_what_varies_is_measured(images):
    varied = dataclasses.replace(TRUE, start_sd_ms=4.0, position_sd=0.8, contrast_sd=0.2)
    recordings = [
        simulate(image, varied, np.random.default_rng([9, k])) for k, image in enumerate(images)
    ]
    found = module.with_spread(TRUE, images, recordings, seed=0)
    assert found.start_sd_ms == pytest.approx(4, rel=0.35)
    assert found.position_sd == pytest.approx(0.8, rel=0.35)
    assert 0.1 < found.contrast_sd < 0.3
    still = module.with_spread(
        TRUE,
        images,
        [simulate(image, TRUE, np.random.default_rng([8, k])) for k, image in enumerate(images)],
        seed=0,
    )
    assert still.start_sd_ms < 0.6
    assert still.position_sd < 0.2
    assert still.contrast_sd < 0.05
