"""Networks whose input comes step by step: what can be done with any of them."""

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile.errors import DataError
from nengo_tactile.slayer.stages import chain
from tests.support.slayer_networks import conv, dense, network_of


def test_weights_have_so_many_bits(rng):
    layers = [conv(rng, "conv", (6, 6, 2), 3, 4), dense(rng, "out", (4, 4, 4), 3)]
    network = network_of(chain((6, 6, 2), layers))
    coarse = network.with_weight_bits(4)
    for stage, old in zip(coarse.graph, network.graph):
        found, kernel = stage.links[0].map.kernel, old.links[0].map.kernel
        assert found.dtype == kernel.dtype and (found != kernel).any()
        for channel in range(kernel.shape[-1]):
            step = np.abs(kernel[..., channel]).max() / 7
            wanted = np.rint(kernel[..., channel] / step) * step
            np.testing.assert_allclose(found[..., channel], wanted, rtol=1e-6)
    x = rng.integers(0, 2, (2, 12, 6, 6, 2)).astype(np.float32)
    runs = [
        nt.run(coarse, x, engine=engine, progress=False).spike_counts["conv"]
        for engine in ("event", "nengo")
    ]
    assert runs[0].any()
    np.testing.assert_array_equal(*runs)
    with pytest.raises(DataError, match="bits is 1: give a whole number of at least 2"):
        network.with_weight_bits(1)
