"""Percentiles against numpy's, whatever the minibatch."""

import math
from fractions import Fraction

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.ann.clip_floor import clip_floor_layer
from nengo_tactile.conversion.activation_scales import N_BINS, N_CHANNEL_BINS
from nengo_tactile.errors import ConversionError, DataError
from tests.support.passes import activation_percentiles, activation_scales, check_input


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
def test_percentiles_equal_those_of_sorted_values(probe, rng, percentile, batch_size):
    x = rng.normal(size=(150, 40)).astype(np.float32)
    values = np.maximum(x, 0)
    found = activation_percentiles(probe, ["relu", "silent"], x, percentile, batch_size)
    # by whole numbers: NumPy's versions round 99.9 % of 6,000 differently
    rank = math.ceil(Fraction(str(percentile)) / 100 * values.size)
    wanted = np.sort(values, axis=None)[rank - 1]
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
    with pytest.raises(DataError, match=rf"calibration samples: value {bad} at index \(3, 17\)"):
        check_input(probe, x)
    with pytest.raises(DataError, match="at index"):
        activation_percentiles(probe, ["relu"], x)


@pytest.fixture
def channels():
    """Three channels, of which the last is dead, and one whole layer is dead."""
    keras = stack.tensorflow().keras
    inputs = keras.Input((6, 3), name="in")
    x = keras.layers.ReLU(name="relu")(inputs)
    leaky = keras.layers.LeakyReLU(0.5, name="leaky")(inputs)
    clipped = keras.layers.ReLU(max_value=0.75, name="clipped")(inputs)
    flat = keras.layers.Concatenate()([x, leaky, clipped])
    dead = keras.layers.ReLU(name="dead")(keras.layers.Rescaling(0.0, -1.0)(flat))
    return keras.Model(inputs, dead)


@pytest.fixture
def values(rng):
    values = rng.normal(size=(400, 6, 3)).astype(np.float32) * (1, 10, 1)
    values[..., 2] = -np.abs(values[..., 2])
    return values.astype(np.float32)


@pytest.mark.parametrize("percentile", [50, 99, 99.9, 100])
@pytest.mark.parametrize("nonzero", [False, True])
def test_percentiles_of_channels_equal_numpy(channels, values, percentile, nonzero):
    found = activation_percentiles(
        channels, ["relu", "leaky"], values, percentile, 7, channelwise=True, nonzero=nonzero
    )
    for name, activations in {
        "relu": np.maximum(values, 0),
        "leaky": np.maximum(np.abs(values) * np.where(values < 0, 0.5, 1), 0),
    }.items():
        for channel in range(3):
            wanted = activations[..., channel].ravel()
            wanted = wanted[wanted > 0] if nonzero and wanted.any() else wanted
            wanted, top = np.percentile(wanted, percentile, method="inverted_cdf"), wanted.max()
            assert abs(found[name][channel] - wanted) <= top / N_CHANNEL_BINS * 1.001
    layer = activation_percentiles(channels, ["relu"], values, percentile, nonzero=nonzero)
    wanted = np.maximum(values, 0).ravel()
    wanted = wanted[wanted > 0] if nonzero else wanted
    wanted = np.percentile(wanted, percentile, method="inverted_cdf")
    assert layer["relu"] == pytest.approx(wanted, abs=values.max() / N_BINS * 1.001)


def test_scales_are_percentiles_below_the_ceiling(channels, values):
    names = ["relu", "leaky", "clipped"]
    one = activation_scales(channels, names, values, 99)
    assert one["relu"] == activation_percentiles(channels, ["relu"], values, 99)["relu"]
    assert one["clipped"] == 0.75
    assert activation_scales(channels, names, values * 0.01, 99)["clipped"] < 0.75
    each = activation_scales(channels, names, values, 99, channelwise=True)
    wanted = activation_percentiles(channels, ["relu"], values, 99, channelwise=True)["relu"]
    assert wanted[2] == 0 and each["relu"].tolist() == [wanted[0], wanted[1], wanted[1]]
    assert each["clipped"] == 0.75


def test_what_enters_a_leaky_relu_scales_it(channels, values):
    """Negative spikes are as many as positive ones at the same input of the other sign."""
    one = activation_scales(channels, ["leaky"], values, 100)["leaky"]
    assert one == pytest.approx(np.abs(values).max(), rel=1e-6)
    each = activation_scales(channels, ["leaky"], values, 100, channelwise=True)["leaky"]
    assert each == pytest.approx(np.abs(values).max(axis=(0, 1)), rel=1e-6)


def test_a_layer_that_is_seldom_active_has_a_scale(channels):
    x = np.full((200, 6, 3), -1.0)
    x[3, 0] = 2.0  # 1 of 1200 values of a channel
    one = activation_scales(channels, ["relu"], x, 99.9)["relu"]
    each = activation_scales(channels, ["relu"], x, 99.9, channelwise=True)["relu"]
    assert one == pytest.approx(2) and each == pytest.approx([2, 2, 2])


def test_the_ceiling_of_a_quantised_activation_is_its_scale(rng):
    keras = stack.tensorflow().keras
    inputs = keras.Input((4,))
    model = keras.Model(inputs, clip_floor_layer()(8, name="floor")(inputs))
    model.set_weights([np.array(1.5)])
    x = rng.random((20, 4))
    assert activation_scales(model, ["floor"], x) == {"floor": 1.5}
    assert activation_scales(model, ["floor"], x, channelwise=True) == {"floor": 1.5}


def test_dead_layers_are_named(channels, values):
    message = (
        r"layer 'dead' \(ReLU\): never active on the calibration samples, all 21600 values are 0"
    )
    for channelwise in (False, True):
        with pytest.raises(ConversionError, match=message):
            activation_scales(channels, ["relu", "dead"], values, channelwise=channelwise)


@pytest.fixture
def growing():
    """Layers of weights 1e20 with the given activation between; the second overflows at 1."""
    la = stack.tensorflow().keras.layers
    inputs = stack.tensorflow().keras.Input((3,), name="in")

    def make(activation):
        x = la.Activation(activation, name="act1")(la.Dense(2, name="dense1")(inputs))
        x = la.Activation(activation, name="act2")(la.Dense(2, name="dense2")(x))
        model = stack.tensorflow().keras.Model(inputs, la.Dense(2, name="out")(x))
        for layer in model.layers:
            layer.set_weights([np.full(w.shape, 1e20) for w in layer.get_weights()])
        return model

    return make


@pytest.mark.parametrize("activation", ["relu", "relu6"])
@pytest.mark.parametrize("channelwise", [False, True])
def test_layers_that_overflow_are_named(growing, activation, channelwise):
    x = np.zeros((20, 3))
    x[17] = 10.0
    model = growing(activation)
    bias = [np.zeros_like(w) if w.ndim == 1 else w for w in model.get_weights()]
    model.set_weights(bias)
    # clipped at 6, the second layer stays below 1e38; as many of weight 1e38 do not
    model.get_layer("dense2").set_weights([np.full((2, 2), 3e38), np.zeros(2)])
    message = (
        r"layer 'dense2' \(Dense\): its output for calibration sample 17 has the value inf at "
        r"index \(0,\) \(2 of .* samples are NaN or infinite\), inputs go from 0 to 10: give cal"
    )
    with pytest.raises(ConversionError, match=message):
        activation_scales(model, ["act1", "act2"], x, batch_size=6, channelwise=channelwise)


def test_a_read_out_that_overflows_is_named(growing):
    model = growing("relu6")
    model.get_layer("out").set_weights([np.full((2, 2), 3e38), np.zeros(2)])
    with pytest.raises(ConversionError, match=r"layer 'out' \(Dense\): its output .* value inf"):
        activation_scales(model, ["act1", "act2"], np.ones((5, 3)))


def test_nan_inside_is_no_dead_layer():
    """Infinity minus infinity, in front of a ReLU that would be called never active."""
    keras = stack.tensorflow().keras
    inputs = keras.Input((2,))
    grown = keras.layers.Rescaling(1e38, name="grown")(inputs)
    x = keras.layers.Subtract(name="difference")([grown, keras.layers.Rescaling(1.0)(grown)])
    model = keras.Model(inputs, keras.layers.ReLU(name="relu")(x))
    with pytest.raises(ConversionError, match=r"layer 'grown' \(Rescaling\): .* value inf"):
        activation_scales(model, ["relu"], np.full((3, 2), 1e3))


@pytest.mark.parametrize(("scale", "offset"), [(1 / 255, 0.0), ([1 / 62, 1 / 66], [-2.0, -1.9])])
def test_images_that_were_rescaled_before_are_refused(rng, scale, offset):
    keras = stack.tensorflow().keras
    inputs = keras.Input((4, 2))
    layer = keras.layers.Rescaling(scale, offset, name="rescale")
    model = keras.Model(inputs, keras.layers.ReLU()(layer(inputs)))
    x = rng.random((20, 4, 2))
    check_input(model, 255 * x)
    check_input(model, np.zeros((1, 4, 2)))
    with pytest.raises(DataError, match=r"values from .* to .* layer 'rescale' .*0\.\.255"):
        check_input(model, x)
