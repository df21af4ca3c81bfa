"""Convolutions as slides bring what the map brings, whatever its shape and wherever it goes."""

import numpy as np
import pytest

from nengo_tactile.engines.event import kernel
from nengo_tactile.engines.event.columns import SUM, joined, slides_of, whole_of
from nengo_tactile.engines.event.kernel import LAST, USUAL
from nengo_tactile.networks.linear_maps import Convolution
from tests.engines.event.test_links import MAPS, conv


def whole(shape, *more, seed=0, **settings):
    """A convolution whose weights are whole numbers, so that sums are exact in any order."""
    map_ = conv(shape, *more, **settings)
    numbers = np.random.default_rng(seed).integers(-9, 10, shape).astype(np.float32)
    return map_.reweighted(lambda _: numbers)


WIDE = {
    "many filters": whole((3, 3, 5, 116), (6, 7, 5), (6, 7, 116), padding=(1, 1)),
    "two columns at a time": whole((3, 3, 4, 16), (5, 8, 4), (5, 8, 16), padding=(1, 1)),
    "four columns at a time": whole((3, 2, 4, 8), (5, 8, 4), (3, 4, 8), (2, 2), (1, 0)),
    "high": whole((7, 5, 3, 20), (9, 8, 3), (9, 8, 20), padding=(3, 2)),
    "higher than its input": whole((5, 5, 3, 4), (2, 3, 3), (2, 3, 4), padding=(2, 2)),
    "far steps": whole((7, 7, 2, 6), (15, 13, 2), (5, 5, 6), (3, 3), (2, 3)),
    "pixel by pixel": whole((1, 1, 6, 40), (5, 4, 6), (5, 4, 40)),
    "every other pixel": whole((1, 1, 6, 33), (6, 5, 6), (3, 3, 33), (2, 2)),
    "transposed": whole((3, 4, 5, 20), (4, 3, 5), (8, 7, 20), (2, 2), (1, 1), transposed=True),
    "transposed far": whole((2, 5, 3, 16), (3, 4, 3), (11, 12, 16), (3, 4), transposed=True),
    "transposed once": whole((3, 3, 4, 8), (5, 4, 4), (5, 6, 8), padding=(1, 0), transposed=True),
    "dense of 300": Convolution.matrix_of(
        np.random.default_rng(1).integers(-9, 10, (50, 300)).astype(np.float32)
    ),
}
#: Of a slide by itself.
ALONE = {"source": 0, "table": 0, "most": LAST}
#: What is brought event by event.
SCATTERED = {"depthwise", "diagonal", "sparse", "identity", "routing"}


def brought(slides, linear, active, values, size):
    """What slides add to ``size`` sums, of which each is one before."""
    events = np.flatnonzero(active).astype(np.int32)
    sums = np.ones(size + 64, np.float32)
    for k, channels in enumerate(slides.channels):
        pixels = np.arange(0, linear.n_in, channels)
        table = np.searchsorted(events, pixels).astype(np.int32)
        pool = np.concatenate([events, np.full(USUAL, LAST), table, np.zeros(8)]).astype(np.int32)
        worth = np.full(len(pool), np.inf, np.float32)  # what is no event has no worth
        graded = values is not None
        worth[: len(events)] = values[events] if graded else 9
        kernel.slide(slides, k, sums, 0, pool, worth, graded, len(events), len(events) + USUAL)
    np.testing.assert_array_equal(sums[size:], 1)
    return sums[:size] - 1


def places(linear):
    """Where outputs go: to their own numbers, or as Concatenate along rows or channels has it."""
    n_out, filters = linear.n_out, getattr(linear, "output_shape", (linear.n_out,))[-1]
    channels = np.arange(n_out).reshape(-1, filters)
    return (
        None,
        np.arange(n_out) + 4,
        (channels[:, :1] // filters * (filters + 3) + 2 + np.arange(filters)).ravel(),
    )


@pytest.mark.parametrize("density", [0.02, 0.3, 1.0])
@pytest.mark.parametrize("name", [*MAPS, *WIDE])
def test_slides_bring_what_the_map_brings(name, density, rng):
    linear = {**MAPS, **WIDE}[name]
    if name not in WIDE:
        linear = linear.reweighted(lambda weights: np.round(8 * weights))
    for target in places(linear):
        found = slides_of(linear, target)
        assert (found is None) == (name in SCATTERED)
        if found is None:
            return
        slides = joined([{**one, **ALONE} for one in found])
        goals = np.arange(linear.n_out) if target is None else target
        for values in (None, rng.integers(-3, 4, linear.n_in).astype(np.float32)):
            active = rng.random(linear.n_in) < density
            wanted = np.zeros(goals.max() + 1)
            sent = active if values is None else active * values
            wanted[goals] = linear.forward(sent[None].astype(float))[0]
            got = brought(slides, linear, active, values, len(wanted))
            np.testing.assert_array_equal(got, wanted)
            assert density < 1 or got.any()


@pytest.mark.parametrize("density", [0.05, 1.0])
@pytest.mark.parametrize("name", WIDE)
def test_sums_of_sixteen_bits_bring_what_the_map_brings(name, density, rng):
    numbers = rng.integers(-127, 128, WIDE[name].kernel.shape)
    numbers.reshape(-1, numbers.shape[-1])[0] = 127
    scales = 2.0 ** rng.integers(-9, -5, numbers.shape[-1])
    linear = WIDE[name].reweighted(lambda _: (numbers * scales).astype(np.float32))
    for worth in ((0, 1), (-1, 1), (-3, 3)):
        slides = joined([{**one, **ALONE} for one in slides_of(linear, None, worth)])
        largest = worth[1] * np.abs(numbers).reshape(-1, numbers.shape[-1]).sum(axis=0).max()
        assert slides.narrow.all() or largest > SUM
        active = rng.random(linear.n_in) < density
        values = None if worth == (0, 1) else rng.choice(worth, linear.n_in).astype(np.float32)
        sent = active if values is None else active * values
        got = brought(slides, linear, active, values, linear.n_out)
        np.testing.assert_array_equal(got, linear.forward(sent[None].astype(float))[0])


def test_what_does_not_fit_sixteen_bits_is_summed_in_floats():
    linear = Convolution.matrix_of(np.full((300, 4), 127, np.float32) / 64)
    linear.kernel[0] /= 127  # so that they are no ones times a number
    active = np.ones(300, bool)
    wanted = linear.forward(active[None].astype(float))[0]
    for n_in, worth in ((300, (0, 1)), (130, (-2, 2))):
        part = Convolution.matrix_of(linear.kernel[:n_in])
        slides = joined([{**one, **ALONE} for one in slides_of(part, None, worth)])
        assert not slides.narrow.any() and not slides.whole.any()
    slides = joined([{**one, **ALONE} for one in slides_of(linear, None, (0, 1))])
    np.testing.assert_array_equal(brought(slides, linear, active, None, 4), wanted)
    part = Convolution.matrix_of(linear.kernel[:258])
    (one,) = slides_of(part, None, (0, 1))
    assert one["narrow"] and slides_of(part, None, None)[0]["narrow"] == 0


def test_weights_of_eight_bits_are_found(rng):
    numbers = rng.integers(-127, 128, (3, 3, 8, 5))
    numbers[0, 0, 0] = 127
    scales = rng.random(5) + 0.1
    found, factors = whole_of((numbers * scales).astype(np.float32) * np.float32(0.37))
    np.testing.assert_array_equal(found, numbers)
    np.testing.assert_allclose(factors, 0.37 * scales, rtol=1e-6)
    signs = np.float32(0.3) * rng.choice([-1, 0, 1], (50, 5)).astype(np.float32)
    found, factors = whole_of(signs)
    assert np.abs(found).max() == 1
    np.testing.assert_array_equal(found * factors, signs)
    kernel = rng.normal(size=(3, 3, 8, 5)).astype(np.float32)
    found, factors = whole_of(kernel)
    assert found is kernel and (factors == 1).all()


def test_targets_in_no_order_do_not_slide(rng):
    linear = MAPS["same"]
    assert slides_of(linear, rng.permutation(2 * linear.n_out)[: linear.n_out]) is None
