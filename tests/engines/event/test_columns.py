"""Convolutions as slides bring what the map brings, whatever its shape and wherever it goes."""

import numpy as np
import pytest

from nengo_tactile.engines.event import kernel
from nengo_tactile.engines.event.columns import joined, slides_of
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
    "dense of 300": Convolution.matrix_of(
        np.random.default_rng(1).integers(-9, 10, (50, 300)).astype(np.float32)
    ),
}
#: What is brought event by event.
SCATTERED = {name for name in MAPS if name.startswith("transposed")}
SCATTERED |= {"depthwise", "diagonal", "sparse", "identity", "routing"}


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


@pytest.mark.parametrize("density", [0.02, 0.3, 1.0])
@pytest.mark.parametrize("name", [*MAPS, *WIDE])
def test_slides_bring_what_the_map_brings(name, density, rng):
    linear = {**MAPS, **WIDE}[name]
    if name not in WIDE:
        linear = linear.reweighted(lambda weights: np.round(8 * weights))
    n_out, filters = linear.n_out, getattr(linear, "output_shape", (linear.n_out,))[-1]
    channels = np.arange(n_out).reshape(-1, filters)
    for target in (
        None,
        np.arange(n_out) + 4,  # as Concatenate along rows has it
        (channels[:, :1] // filters * (filters + 3) + 2 + np.arange(filters)).ravel(),
    ):
        found = slides_of(linear, target)
        assert (found is None) == (name in SCATTERED)
        if found is None:
            return
        slides = joined([{**one, "source": 0, "table": 0} for one in found])
        goals = np.arange(n_out) if target is None else target
        for values in (None, rng.integers(-3, 4, linear.n_in).astype(np.float32)):
            active = rng.random(linear.n_in) < density
            wanted = np.zeros(goals.max() + 1)
            sent = active if values is None else active * values
            wanted[goals] = linear.forward(sent[None].astype(float))[0]
            got = brought(slides, linear, active, values, len(wanted))
            np.testing.assert_array_equal(got, wanted)
            assert density < 1 or got.any()


def test_targets_in_no_order_do_not_slide(rng):
    linear = MAPS["same"]
    assert slides_of(linear, rng.permutation(2 * linear.n_out)[: linear.n_out]) is None
