"""The table of support: what it says about layers, one by one."""

import re

import pytest

from nengo_tactile import stack
from nengo_tactile.ann.layers import Layer
from nengo_tactile.ann.settings import SETTINGS, settings_of
from nengo_tactile.conversion import support
from nengo_tactile.conversion.support import (
    ACTIVATIONS,
    FALLBACK,
    INSTEAD,
    NEURONS,
    TABLE,
)
from nengo_tactile.networks.protocol import ENGINES
from tests.support.random_models import layers

MAP, SEQUENCE = (6, 6, 4), (8, 4)


def plain(own, shape=MAP):
    """A layer of Keras as support is asked about it, of an input of a shape."""
    kind = type(own).__name__
    config = settings_of(own) if kind in SETTINGS else own.get_config()
    return Layer(own.name, kind, (), config, (), (shape,), shape)


def test_every_row_says_what_it_becomes_or_what_to_do():
    for name, row in TABLE.items():
        assert bool(row.becomes) != bool(row.remedy), name
        assert set(row.engines) <= set(ENGINES) and "nengo-dl" in row.engines, name
        assert row.neurons and set(row.neurons) <= set(NEURONS), name
        assert not row.becomes or "loihi" in row.engines or row.chip, f"{name}: no word on loihi"
        assert all(remedy for _, remedy in row.limits.values()), name
    assert FALLBACK.remedy and not FALLBACK.becomes
    assert not set(ACTIVATIONS) & set(INSTEAD)


def test_every_layer_of_keras_has_a_remedy():
    """What Keras calls a layer is in the table, or a user is sent to the page that lists them."""
    tf = stack.tensorflow()
    kinds = {
        kind.__name__
        for kind in vars(tf.keras.layers).values()
        if isinstance(kind, type) and issubclass(kind, tf.keras.layers.Layer)
    }
    own = {"ClipFloor", "RateIF", "RateLIF", "SigmaDelta"}
    assert set(TABLE) - own <= kinds
    wanted = "Conv Pooling Padding Cropping UpSampling Dense Norm ReLU Dropout Attention LSTM GRU"
    forgotten = {
        kind
        for kind in kinds - set(TABLE)
        if any(word in kind for word in wanted.split()) and not kind.endswith("Cell")
    }
    # aliases (Convolution2D) have their class under its other name
    assert {vars(tf.keras.layers)[kind].__name__ for kind in forgotten} <= {
        *TABLE,
        "SpatialDropout3D",
        "SpectralNormalization",
        "DenseFeatures",
    }


@pytest.mark.parametrize(
    ("make", "shape", "wanted"),
    [
        (
            lambda la: la.Conv2D(2, 2, data_format="channels_first"),
            MAP,
            "is 'channels_first', only",
        ),
        (lambda la: la.MaxPooling2D(data_format="channels_first"), MAP, "transpose the images"),
        (lambda la: la.Flatten(data_format="channels_first"), MAP, "transpose the images"),
        (lambda la: la.Conv2DTranspose(2, 2, dilation_rate=2), MAP, r"dilation_rate is \(2, 2\)"),
        (
            lambda la: la.Conv2DTranspose(2, 3, 2, output_padding=1),
            MAP,
            r"output_padding is \(1, 1\), only None .*ZeroPadding",
        ),
        (lambda la: la.BatchNormalization(axis=1), MAP, "axis is .*1.*, only 'last' .*Permute"),
        (lambda la: la.UpSampling2D(interpolation="lanczos3"), MAP, "'nearest' or 'bilinear'"),
        (lambda la: la.ReLU(threshold=0.5), MAP, r"threshold is 0\.5, only 0 .*into the bias"),
        (lambda la: la.Dense(2, activation="tanh"), MAP, "'tanh' saturates .*use 'relu6'"),
        (lambda la: la.Activation("swish"), MAP, "'swish' is smooth.*use 'relu'"),
        (lambda la: la.Dense(2, activation=la.PReLU()), (3,), r"its activation is a .*\(PReLU\)"),
        (lambda la: la.Dense(2, activation=la.ReLU(threshold=1.0)), (3,), r"threshold is 1\.0"),
        (lambda la: la.LSTM(3), SEQUENCE, "no engine runs it; .*window of time"),
        (lambda la: la.GRU(3), SEQUENCE, "window of time"),
        (lambda la: la.LayerNormalization(), MAP, "BatchNormalization"),
        (lambda la: la.PReLU(), MAP, "LeakyReLU"),
        (lambda la: la.ELU(), MAP, "LeakyReLU"),
        (lambda la: la.Lambda(lambda x: x + 1), MAP, "never run"),
        (lambda la: la.Masking(), SEQUENCE, r"no engine runs it; .*docs/layers\.md"),
    ],
)
def test_problems_name_layer_value_and_remedy(make, shape, wanted):
    layer = plain(make(layers()), shape)
    text = support.problem(layer)
    assert re.search(wanted, text), text


@pytest.mark.parametrize("kind", ["Multiply", "Maximum", "Minimum", "Dot", "Attention"])
def test_layers_of_two_inputs_have_remedies(kind):
    options = {"Dot": {"axes": 1}}.get(kind, {})
    layer = plain(getattr(layers(), kind)(**options), SEQUENCE)
    assert TABLE[kind].remedy in support.problem(layer)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda la: la.Conv2D(2, 2, dilation_rate=2), "convolution"),
        (lambda la: la.Conv2D(2, 2, groups=2), "convolution"),
        (lambda la: la.Conv2D(2, 2, activation="relu"), "convolution into neurons"),
        (lambda la: la.Dense(2, activation=la.LeakyReLU(0.1)), "into neurons with spikes of both"),
        (lambda la: la.BatchNormalization(), "folded"),
        (lambda la: la.BatchNormalization(axis=3), "folded"),
        (lambda la: la.ReLU(6.0), "ceiling"),
        (lambda la: la.Activation("relu6"), "ceiling"),
        (lambda la: la.Activation("linear"), "nothing"),
    ],
)
def test_what_becomes_of_layers(make, words):
    layer = plain(make(layers()))
    assert support.problem(layer) is None
    assert words in support.becomes(layer)
    spiking = "neurons" in words or "ceiling" in words
    assert support.spikes(layer) == spiking


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda la: la.ReLU(), None),
        (lambda la: la.ReLU(2.0), r"max_value is 2\.0.*use neuron=nt.IF"),
        (lambda la: la.ReLU(negative_slope=0.5), r"negative_slope is 0\.5"),
        (lambda la: la.LeakyReLU(), "use neuron=nt.IF"),
        (lambda la: la.Dense(2, activation="relu"), None),
        (lambda la: la.Dense(2, activation="relu6"), "'relu6', KIND neurons have 'relu' alone"),
        (lambda la: la.Dense(2, activation=la.LeakyReLU()), r"\(LeakyReLU\)"),
        (lambda la: la.MaxPooling2D(), None),
    ],
)
@pytest.mark.parametrize(("neuron", "kind"), [("lif", "LIF"), ("sigma-delta", "sigma-delta")])
def test_what_plain_neurons_have_not(neuron, kind, make, wanted):
    layer = plain(make(layers()))
    assert support.problem(layer) is None
    text = support.neuron_problem(layer, neuron)
    assert text is None if wanted is None else re.search(wanted.replace("KIND", kind), text)
