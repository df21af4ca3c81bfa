"""Percentiles against numpy's, whatever the minibatch."""

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.conversion.calibration import N_BINS, activation_percentiles, check_calibration
from nengo_tactile.errors import DataError


@pytest.fixture
def probe():
    """Two branches whose activations are known: rectified inputs and all zeros."""
    keras = stack.tensorflow().keras
    inputs = keras.Input((40,), name="in")
    x = keras.layers.ReLU(name="relu")(inputs)
    y = keras.layers.ReLU(max_value=0.0, name="silent")(x)
    return keras.Model(inputs, y)


@pytest.mark.parametrize("percentile", [1, 50, 90, 99, 99.9, 100])
@pytest.mark.parametrize("batch_size", [1000, 7])
def test_percentiles_equal_numpy(probe, rng, percentile, batch_size):
    x = rng.normal(size=(150, 40)).astype(np.float32)
    values = np.maximum(x, 0)
    found = activation_percentiles(probe, ["relu", "silent"], x, percentile, batch_size)
    wanted = np.percentile(values, percentile, method="inverted_cdf")
    assert abs(found["relu"] - wanted) <= values.max() / N_BINS * 1.001
    assert found["silent"] == 0


def test_one_layer_alone(probe, rng):
    x = rng.random((5, 40))
    assert activation_percentiles(probe, ["relu"], x, 100) == {"relu": pytest.approx(x.max())}


@pytest.mark.parametrize("percentile", [0, -1, 100.1, float("nan")])
def test_percentiles_out_of_range(probe, percentile):
    with pytest.raises(DataError, match="percentile is"):
        activation_percentiles(probe, ["relu"], np.zeros((1, 40)), percentile)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_named(probe, rng, bad):
    x = rng.random((5, 40))
    x[3, 17] = bad
    with pytest.raises(DataError, match=rf"calibration data: value {bad} at index \(3, 17\)"):
        check_calibration(probe, x)
    with pytest.raises(DataError, match="at index"):
        activation_percentiles(probe, ["relu"], x)
