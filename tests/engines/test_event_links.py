"""Links as runs of weights: the matrix that they stand for is the map's."""

import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

sys.path.append(str(Path(__file__).parents[1] / "conversion"))

import test_stages as graphs

from nengo_tactile.conversion import linear_maps as maps
from nengo_tactile.conversion.stages import Link
from nengo_tactile.engines.event.kernel import SHIFT
from nengo_tactile.engines.event.links import runs_of
from nengo_tactile.engines.event.plan import reciprocal_of
from nengo_tactile.errors import EngineError


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


def of_groups(*shape, groups):
    """A kernel in which a channel reaches the filters of its group alone."""
    full, (channels, filters) = kernel(*shape), shape[-2:]
    of_channel = np.arange(channels) * groups // channels
    of_filter = np.arange(filters) * groups // filters
    return full * (of_channel[:, None] == of_filter)


def dilated(*shape):
    full = np.zeros((5, 5, *shape[2:]), np.float32)
    full[::2, ::2] = kernel(*shape)
    return full


MAPS = {
    "same": maps.Convolution(kernel(3, 3, 2, 4), (1, 1), "same", (5, 6, 2), (5, 6, 4)),
    "even": maps.Convolution(kernel(2, 4, 2, 3), (1, 1), "same", (5, 6, 2), (5, 6, 3)),
    "valid": maps.Convolution(kernel(3, 2, 2, 4), (1, 1), "valid", (5, 6, 2), (3, 5, 4)),
    "strided": maps.Convolution(kernel(3, 3, 2, 4), (2, 2), "same", (5, 6, 2), (3, 3, 4)),
    "far": maps.Convolution(kernel(2, 2, 2, 4), (3, 4), "valid", (7, 6, 2), (2, 2, 4)),
    "dilated": maps.Convolution(dilated(3, 3, 2, 4), (1, 1), "same", (6, 7, 2), (6, 7, 4)),
    "depthwise": maps.Convolution(
        of_groups(3, 3, 4, 4, groups=4), (1, 1), "same", (5, 4, 4), (5, 4, 4)
    ),
    "multiplied": maps.Convolution(
        of_groups(3, 2, 3, 6, groups=3), (2, 2), "same", (5, 4, 3), (3, 2, 6)
    ),
    "grouped": maps.Convolution(
        of_groups(2, 2, 4, 6, groups=2), (1, 1), "valid", (4, 4, 4), (3, 3, 6)
    ),
    "sequence": maps.Convolution(kernel(3, 2, 5), (2,), "same", (8, 2), (4, 5)),
    "transposed": maps.TransposedConvolution(
        kernel(2, 3, 2, 4), (1, 1), "valid", (3, 4, 2), (4, 6, 4)
    ),
    "transposed same": maps.TransposedConvolution(
        kernel(3, 3, 2, 4), (2, 2), "same", (3, 4, 2), (6, 8, 4)
    ),
    "transposed far": maps.TransposedConvolution(
        kernel(2, 2, 2, 3), (3, 3), "valid", (2, 3, 2), (6, 9, 3)
    ),
    "dense": maps.Dense(kernel(7, 5)),
    "diagonal": maps.Diagonal(kernel(12), (2, 3, 2)),
    "sparse": maps.Sparse(
        scipy.sparse.random(9, 14, 0.3, random_state=1, dtype=np.float32, format="csr")
    ),
    "identity": maps.Routing(None, 11, 0.5),
    "routing": maps.Routing(np.array([3, 0, 3, 5, 1]), 6, -1.5),
}


def size_out(linear):
    """Outputs of a map."""
    if isinstance(linear, maps.Routing) and linear.indices is None:
        return linear.n_in
    if isinstance(linear, maps.Convolution | maps.TransposedConvolution):
        return int(np.prod(linear.output_shape))
    return len(graphs.applied(linear, np.zeros(linear.n_in)))


@pytest.mark.parametrize("name", MAPS)
def test_all_neurons_are_reached(name):
    linear = MAPS[name]
    n_out = size_out(linear)
    matrix = matrix_of(runs_of(Link("one", linear), 2.0), n_out)
    for values in np.random.default_rng(4).normal(size=(2, linear.n_in)):
        wanted = 2.0 * graphs.applied(linear, values)
        assert np.abs(wanted).max() > 0.1
        np.testing.assert_allclose(matrix @ values, wanted, atol=1e-5)


@pytest.mark.parametrize("kind", ["side by side", "channels", "anywhere"])
@pytest.mark.parametrize("name", MAPS)
def test_part_of_the_neurons_are_reached(name, kind):
    """As Concatenate along rows or channels has it, and in any order."""
    linear = MAPS[name]
    n_out = size_out(linear)
    filters = getattr(linear, "output_shape", (n_out,))[-1]
    target = {
        "side by side": np.arange(n_out) + 4,
        "channels": (np.arange(n_out).reshape(-1, filters)[:, :1] // filters * (filters + 3) + 2)
        + np.arange(filters),
        "anywhere": np.random.default_rng(2).permutation(3 * n_out)[:n_out],
    }[kind].reshape(-1)
    size = target.max() + 1
    matrix = matrix_of(runs_of(Link("one", linear, target), 1.0), size)
    wanted = np.zeros((size, linear.n_in))
    wanted[target] = matrix_of(runs_of(Link("one", linear), 1.0), n_out)
    np.testing.assert_array_equal(matrix, wanted)


def test_outputs_side_by_side_are_one_run():
    runs = runs_of(Link("one", MAPS["same"]), 1.0)
    inside = 1 * 6 + 2  # row 1, column 2
    first, last = runs.pointers[inside : inside + 2]
    assert runs.lengths[first:last].tolist() == [3 * 4] * 3
    assert runs.targets[first:last].tolist() == [(row * 6 + 1) * 4 for row in (0, 1, 2)]
    assert runs_of(Link("one", MAPS["depthwise"]), 1.0).weights.shape == (4, 9)


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


def test_an_unknown_map_is_refused():
    with pytest.raises(EngineError, match=r"'one' is a object.*nengo-dl"):
        runs_of(Link("one", object()), 1.0)
