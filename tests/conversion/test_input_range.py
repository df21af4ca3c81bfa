"""Samples in the wrong range are refused, ordinary ones never."""

import dataclasses

import numpy as np
import pytest

import nengo_tactile
from nengo_tactile import stack
from nengo_tactile.conversion.input_range import check_against, range_of
from nengo_tactile.engines import nengo_dl
from nengo_tactile.errors import ConversionError, DataError
from nengo_tactile.saved import load
from tests.support.passes import check_first_layer, check_input
from tests.support.random_models import layers

#: Mean and standard deviation of CIFAR-10's green pixels, in 0..1.
MEAN, DEVIATION = 0.4822, 0.2435


def pictures(n=60, seed=0):
    """Images of 0..1 with dark and bright parts."""
    rng = np.random.default_rng(seed)
    return rng.beta(0.7, 0.8, (n, 6, 6, 2)).astype(np.float32)


def starting_with(*first):
    """A small network on 6 x 6 x 2 images behind other layers."""
    keras = stack.tensorflow().keras
    x = inputs = keras.Input((6, 6, 2))
    for layer in first:
        x = layer(x)
    x = layers().Conv2D(3, 3, activation="relu", padding="same")(x)
    x = layers().Conv2D(3, 3, activation="relu")(x)
    return keras.Model(inputs, layers().Dense(2)(layers().Flatten()(x)))


def trained_normalisation(x):
    layer = layers().Normalization(name="norm")
    layer.adapt(x)
    return layer


def trained_batch_norm(x, n_steps=1000):
    """As it is after some training steps on ``x``, at Keras's momentum."""
    layer = layers().BatchNormalization(name="norm", scale=False, center=False)
    layer.build((None, 6, 6, 2))
    left = 0.99**n_steps
    layer.set_weights([(1 - left) * x.mean((0, 1, 2)), left + (1 - left) * x.var((0, 1, 2))])
    return layer


RANGES = {
    "bytes": lambda x: np.round(255 * x),
    "0..1": lambda x: x,
    "-1..1": lambda x: 2 * x - 1,
    "standardised": lambda x: (x - MEAN) / DEVIATION,
}


@pytest.mark.parametrize(
    ("calibrated", "shown"),
    [
        ("0..1", "bytes"),
        ("0..1", "-1..1"),
        ("0..1", "standardised"),
        ("-1..1", "bytes"),
        ("standardised", "bytes"),
        ("bytes", "0..1"),
        ("bytes", "-1..1"),
        ("bytes", "standardised"),
    ],
)
def test_other_ranges_are_refused(calibrated, shown):
    known = range_of(RANGES[calibrated](pictures()))
    for x in (pictures(40, 1), pictures(1, 2)):
        check_against(known, RANGES[calibrated](x))
        with pytest.raises(DataError, match=r"values from .* calibrated on .* like the calibr"):
            check_against(known, RANGES[shown](x))


def test_the_message_has_both_ranges():
    x = np.linspace(0, 255, 40).reshape(4, 10)
    with pytest.raises(DataError, match=r"input: values from 0 to 255, .* on 0 to 1; 4 of 4 samp"):
        check_against((0.0, 1.0), x)
    with pytest.raises(DataError, match=r"values from 0 to 1, .* on 0 to 255, .* fill 0\.39%"):
        check_against((0.0, 255.0), x / 255)


@pytest.mark.parametrize("kind", RANGES)
def test_ordinary_samples_pass(kind):
    known = range_of(RANGES[kind](pictures(16)))
    x = RANGES[kind](pictures(400, 3))
    width = known[1] - known[0]
    for shown in (x, x[:1], x + 0.3 * width, known[0] + 1.4 * (x - known[0]), 0.1 * x):
        check_against(known, shown)
    outlier = x.copy()
    outlier[3, 2, 2, 0] = 1e4 * width  # a hot pixel
    check_against(known, outlier)


@pytest.mark.parametrize("seed", range(5))
def test_counts_with_heavy_tails_pass(seed):
    """Images of event counts, whose maxima differ by far, against few calibration samples."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.lognormal(0, 1, (1000, 1, 1)), (1000, 8, 8))
    for n in (8, 32, 256):
        check_against(range_of(counts[:n]), counts[n:])
        check_against(range_of(counts[:n]), np.zeros((3, 8, 8)))


def test_nothing_is_known_of_constant_or_no_calibration():
    check_against(None, pictures())
    check_against((0.5, 0.5), pictures())


@pytest.mark.parametrize("first", [trained_normalisation, trained_batch_norm])
@pytest.mark.parametrize("kind", RANGES)
def test_standardised_inputs_pass_in_the_range_of_training(first, kind):
    x = RANGES[kind](pictures())
    check_first_layer(starting_with(first(x)), RANGES[kind](pictures(200, 4)))
    check_first_layer(starting_with(first(x)), RANGES[kind](pictures(1, 4)))
    check_first_layer(starting_with(first(x)), x[:3] * 0 + x.mean())


@pytest.mark.parametrize(
    ("trained", "shown", "message"),
    [
        ("0..1", "bytes", r"from 0 to 255 are up to .* standard deviations .* 'norm' \({}, mean"),
        ("standardised", "bytes", r"are up to .* standard deviations .* 'norm' \({}, mean"),
        ("bytes", "0..1", r"differ by 0\.0.* after layer 'norm' \({}, mean"),
    ],
)
@pytest.mark.parametrize("first", [trained_normalisation, trained_batch_norm])
def test_standardised_inputs_of_another_range_are_refused(first, trained, shown, message):
    layer = first(RANGES[trained](pictures()))
    with pytest.raises(DataError, match=message.format(type(layer).__name__)):
        nengo_tactile.convert(
            starting_with(layer), RANGES[shown](pictures(20, 1)), nengo_tactile.IF()
        )


def test_standardised_images_are_refused_where_bytes_were_normalised():
    layer = trained_normalisation(RANGES["bytes"](pictures()))
    with pytest.raises(DataError, match=r"differ by 0\.0.* after layer 'norm'"):
        check_first_layer(starting_with(layer), RANGES["standardised"](pictures(20, 1)))


@pytest.mark.parametrize("n_steps", [1, 3, 30, 300])
@pytest.mark.parametrize("kind", RANGES)
def test_batch_norm_that_was_trained_for_a_few_steps_passes(n_steps, kind):
    x = RANGES[kind](pictures())
    check_first_layer(starting_with(trained_batch_norm(x, n_steps)), RANGES[kind](pictures(9, 1)))


def test_layers_that_tell_nothing_are_skipped():
    x = RANGES["bytes"](pictures())
    for layer in (
        layers().BatchNormalization(),  # never trained
        layers().Normalization(mean=[0.5, 0.5], variance=[0.1, 0.1], invert=True),
        layers().Conv2D(2, 3),
    ):
        check_first_layer(starting_with(layer), x)
    check_first_layer(starting_with(layers().ReLU(), trained_batch_norm(pictures())), x)


def test_bytes_do_not_wrap_around():
    x = (255 * pictures()).astype(np.uint8)
    check_input(starting_with(trained_normalisation(x.astype(np.float32))), x)


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(0)
    model = starting_with(layers().Rescaling(1 / 255))
    model.set_weights([rng.normal(0.1, 0.3, w.shape) for w in model.get_weights()])
    x = RANGES["bytes"](pictures()).astype(np.uint8)
    return nengo_tactile.convert(model, x, nengo_tactile.IF(), n_steps=4)


def test_a_network_refuses_other_ranges_on_every_engine(network, tmp_path):
    low, high = network.input_range
    assert (low, high) == range_of(RANGES["bytes"](pictures()))
    network.save(tmp_path / "net")
    x = pictures(3, 1)
    for snn in (network, load(tmp_path / "net"), network.with_rates(0.5)):
        assert snn.input_range == (low, high)
        nengo_tactile.run(snn, 255 * x, 2)
        with pytest.raises(DataError, match=r"input: values from .* was calibrated on"):
            nengo_tactile.run(snn, x, 2)
        with pytest.raises(DataError, match="was calibrated on"):
            nengo_tactile.run(snn, x, 2, engine="loihi")
        with pytest.raises(DataError, match="was calibrated on"):
            next(nengo_dl.stream(snn, x, 2))
        with pytest.raises(DataError, match="was calibrated on"):
            snn.encode(x)
    nengo_tactile.run(dataclasses.replace(network, input_range=None), x, 2)


@pytest.mark.parametrize("bad", [(1, 0), (0, float("nan")), (-float("inf"), 1)])
def test_ranges_that_are_none_are_refused(network, bad):
    with pytest.raises(ConversionError, match="input_range is"):
        dataclasses.replace(network, input_range=bad)
