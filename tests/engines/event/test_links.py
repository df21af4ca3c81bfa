"""Links as runs of weights: the matrix that they stand for is the map's."""

import numpy as np
import pytest
import scipy.sparse

from nengo_tactile.engines.event.kernel import SHIFT
from nengo_tactile.engines.event.links import runs_of
from nengo_tactile.engines.event.plan import reciprocal_of
from nengo_tactile.errors import EngineError
from nengo_tactile.networks.linear_maps import Convolution, Pooling, Sparse
from nengo_tactile.networks.stages import Link


def matrix_of(runs, n_out):
    """Every weight at its place, (n_out, n_in)."""
    n_pixels, channels = len(runs.pointers) - 1, len(runs.weights)
    matrix = np.zeros((n_out, n_pixels * channels), np.float32)
    for pixel in range(n_pixels):
        for run in range(runs.pointers[pixel], runs.pointers[pixel + 1]):
            for channel in range(channels):
                first = runs.targets[run]
                first += 0 if runs.shifts is None else runs.shifts[channel]
                for k in range(runs.lengths[run]):
                    weight = runs.weights[channel, runs.offsets[run] + k]
                    matrix[first + k, pixel * channels + channel] += weight
    return matrix


def kernel(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def conv(shape, input_shape, output_shape, strides=(1, 1), padding=(0, 0), dilation=(), **more):
    return Convolution(
        kernel(*shape), input_shape, output_shape, strides, padding, dilation, **more
    )


MAPS = {
    "same": conv((3, 3, 2, 4), (5, 6, 2), (5, 6, 4), padding=(1, 1)),
    "even": conv((2, 4, 2, 3), (5, 6, 2), (5, 6, 3), padding=(0, 1)),
    "valid": conv((3, 2, 2, 4), (5, 6, 2), (3, 5, 4)),
    "strided": conv((3, 3, 2, 4), (5, 6, 2), (3, 3, 4), (2, 2), (1, 0)),
    "far": conv((2, 2, 2, 4), (7, 6, 2), (2, 2, 4), (3, 4)),
    "dilated": conv((3, 3, 2, 4), (6, 7, 2), (6, 7, 4), (1, 1), (2, 2), (2, 2)),
    "depthwise": conv((3, 3, 1, 4), (5, 4, 4), (5, 4, 4), padding=(1, 1), groups=4),
    "multiplied": conv((3, 2, 1, 6), (5, 4, 3), (3, 2, 6), (2, 2), (1, 0), groups=3),
    "grouped": conv((2, 2, 2, 6), (4, 4, 4), (3, 3, 6), groups=2),
    "sequence": conv((3, 2, 5), (8, 2), (4, 5), (2,), (0,)),
    "transposed": conv((2, 3, 2, 4), (3, 4, 2), (4, 6, 4), transposed=True),
    "transposed same": conv((3, 3, 2, 4), (3, 4, 2), (6, 8, 4), (2, 2), transposed=True),
    "transposed far": conv((2, 2, 2, 3), (2, 3, 2), (6, 9, 3), (3, 3), transposed=True),
    "pooling": Pooling.of(np.float32(0.25), 2, (5, 4, 3), (2, 2, 3)),
    "dense": Convolution.matrix_of(kernel(7, 5)),
    "diagonal": Convolution.diagonal_of(kernel(12)),
    "sparse": Sparse(
        scipy.sparse.random(9, 14, 0.3, random_state=1, dtype=np.float32, format="csr")
    ),
    "identity": Sparse.routing(None, 11, 0.5),
    "routing": Sparse.routing(np.array([3, 0, 3, 5, 1]), 6, -1.5),
}


@pytest.mark.parametrize("name", MAPS)
def test_all_neurons_are_reached(name):
    linear = MAPS[name]
    n_out = linear.n_out
    matrix = matrix_of(runs_of(Link("one", linear.scaled(2.0))), n_out)
    for values in np.random.default_rng(4).normal(size=(2, linear.n_in)):
        wanted = 2.0 * linear.forward(values[None])[0]
        assert np.abs(wanted).max() > 0.1
        np.testing.assert_allclose(matrix @ values, wanted, atol=1e-5)


@pytest.mark.parametrize("kind", ["side by side", "channels", "anywhere"])
@pytest.mark.parametrize("name", MAPS)
def test_part_of_the_neurons_are_reached(name, kind):
    """As Concatenate along rows or channels has it, and in any order."""
    linear = MAPS[name]
    n_out = linear.n_out
    filters = getattr(linear, "output_shape", (n_out,))[-1]
    target = {
        "side by side": np.arange(n_out) + 4,
        "channels": (np.arange(n_out).reshape(-1, filters)[:, :1] // filters * (filters + 3) + 2)
        + np.arange(filters),
        "anywhere": np.random.default_rng(2).permutation(3 * n_out)[:n_out],
    }[kind].reshape(-1)
    size = target.max() + 1
    matrix = matrix_of(runs_of(Link("one", linear, target)), size)
    wanted = np.zeros((size, linear.n_in))
    wanted[target] = matrix_of(runs_of(Link("one", linear)), n_out)
    np.testing.assert_array_equal(matrix, wanted)


def test_outputs_side_by_side_are_one_run():
    runs = runs_of(Link("one", MAPS["same"]))
    inside = 1 * 6 + 2  # row 1, column 2
    first, last = runs.pointers[inside : inside + 2]
    assert runs.lengths[first:last].tolist() == [3 * 4] * 3
    assert runs.targets[first:last].tolist() == [(row * 6 + 1) * 4 for row in (0, 1, 2)]
    assert runs_of(Link("one", MAPS["depthwise"])).weights.shape == (4, 9)


@pytest.mark.parametrize("channels", [1, 2, 3, 7, 16, 100, 1000, 4095])
def test_division_by_the_channels_is_exact(channels):
    n_pixels = min(2**16, 2**24 // channels)
    reciprocal = int(reciprocal_of(channels, n_pixels))
    pixels = np.unique(np.r_[0:100, n_pixels - 100 : n_pixels, np.arange(0, n_pixels, 997)])
    for first in pixels.tolist():
        for i in (first * channels, (first + 1) * channels - 1):
            assert i * reciprocal < 2**64 and i * reciprocal >> SHIFT == first
    assert reciprocal_of(channels, 1) == 0  # all neurons belong to the one pixel


def test_what_cannot_be_divided_is_refused():
    with pytest.raises(EngineError, match=r"65536 pixels of 8192 channels.*nengo-dl"):
        reciprocal_of(8192, 65536)
