"""Firing rates of neurons where rectifiers were, and the refusal of what cannot be converted."""

import numpy as np
import pytest

from nengo_tactile.ann.clip_floor import clip_floor_layer
from nengo_tactile.ann.integrate_fire import IFParameters
from nengo_tactile.ann.lif import LIFParameters, rate_lif_layer
from nengo_tactile.conversion.reading import convertible
from nengo_tactile.errors import ConversionError
from tests.support.passes import (
    map_neurons,
    simplify,
    spiking_layers,
    use_if,
    use_lif,
    use_relu,
    with_smoothing,
)
from tests.support.random_models import SHAPE, apply_pass, assert_same, chain, conv, keras

X = np.random.default_rng(0).normal(size=(6, *SHAPE)).astype(np.float32)


def test_lif_passes():
    lif = LIFParameters(2.0, 0.01, offset=0.3)
    model = simplify(chain(conv(2, 3, activation="relu"), keras().layers.Flatten()))
    (name,) = spiking_layers(model)
    with_lif = apply_pass(lambda m: use_lif(m, {name: lif}, sigma=0.2), model)
    layer = with_lif.get_layer(name)
    assert layer.parameters == lif and layer.sigma == 0.2 and spiking_layers(with_lif) == [name]
    assert_same(apply_pass(use_relu, with_lif), model)
    exact = apply_pass(with_smoothing, with_lif, sigma=0.0)
    drive = keras().Model(model.inputs, model.layers[1].output)(X).numpy()
    wanted = (lif.amplitude * lif.rates(drive)).reshape(len(X), -1)
    assert np.allclose(exact(X).numpy(), wanted, rtol=1e-3, atol=1e-4)
    fast = map_neurons(exact, lambda p: p.faster(3))
    assert fast.get_layer(name).parameters == lif.faster(3)
    assert_same(exact, fast)


def test_lif_rates_want_plain_relus():
    layers = keras().layers
    for layer in (layers.ReLU(6.0, name="bad"), layers.LeakyReLU(name="bad")):
        with pytest.raises(ConversionError, match=r"layer 'bad'.*neuron=nt.IF\(\)"):
            use_lif(simplify(chain(conv(2, 3), layer)), {})


def rectifiers():
    layers = keras().layers
    return [
        layers.Activation("relu", name="plain"),
        layers.ReLU(6.0, name="clipped"),
        layers.LeakyReLU(0.25, name="leaky"),
        clip_floor_layer()(4, name="floor"),
    ]


def test_if_rates_take_the_place_of_every_rectifier():
    x = np.linspace(-2, 2, 81, dtype=np.float32)[:, None]
    for layer in rectifiers():
        model = chain(layer, shape=(1,))
        with_if = apply_pass(use_if, model, start=0.25)
        slope = 0.25 if layer.name == "leaky" else 0.0
        wanted = np.clip(x, 0, 1) + slope * np.clip(x, -1, 0)
        assert np.allclose(with_if(x).numpy(), wanted, atol=1e-6)
        neurons = with_if.get_layer(layer.name)
        # ClipFloor's ceiling is 1 and that of the clipped ReLU 6, which rates stay below
        assert neurons.parameters == IFParameters(negative_slope=slope, clips=layer.name == "floor")
        assert neurons.start_potential.numpy() == 0.25
        assert spiking_layers(model) == spiking_layers(with_if) == [layer.name]


def test_if_settings():
    model = chain(conv(2, 3), keras().layers.ReLU(name="one"))
    layer = use_if(model, reset="zero", amplitude=2.0, per_neuron=True).get_layer("one")
    assert layer.parameters == IFParameters(amplitude=2.0, reset="zero")
    assert layer.shift.shape == (7, 5, 2)
    steep = chain(conv(2, 3), keras().layers.LeakyReLU(1.5, name="steep"))
    with pytest.raises(ConversionError, match=r"layer 'steep' \(LeakyReLU\): alpha is 1\.5"):
        use_if(steep)


def test_neurons_of_both_signs_are_not_reset_to_zero():
    leaky = chain(conv(2, 3), keras().layers.LeakyReLU(0.25, name="leaky"))
    message = r"layer 'leaky' \(LeakyReLU\): alpha is 0\.25 and reset 'zero', .*reset='subtract'"
    with pytest.raises(ConversionError, match=message):
        use_if(leaky, reset="zero")
    flat = chain(conv(2, 3), keras().layers.LeakyReLU(0.0, name="flat"))
    assert use_if(flat, reset="zero").get_layer("flat").parameters == IFParameters(reset="zero")


def test_spiking_layers_in_order():
    model = chain(*[part for layer in rectifiers() for part in (conv(2, 2), layer)])
    assert spiking_layers(model) == ["plain", "clipped", "leaky", "floor"]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda la: la.Lambda(lambda x: x, name="bad"), "standard layers"),
        (lambda la: la.Conv2D(2, 2, activation="tanh", name="bad"), "activation 'tanh'"),
        (lambda la: la.Activation("sigmoid", name="bad"), "activation 'sigmoid'"),
        (lambda la: la.ReLU(threshold=1, name="bad"), "threshold is 1"),
        (
            lambda la: la.GlobalAveragePooling2D(data_format="channels_first", name="bad"),
            r"data_format is 'channels_first'.*transpose",
        ),
    ],
)
def test_layers_that_cannot_be_converted(layer, message):
    with pytest.raises(ConversionError, match=rf"layer 'bad' .*{message}"):
        convertible(chain(layer(keras().layers), keras().layers.Dense(2)))


def test_every_bad_layer_is_listed():
    layers = keras().layers
    model = chain(layers.Activation("elu", name="a"), layers.Activation("gelu", name="b"))
    with pytest.raises(ConversionError) as caught:
        convertible(model)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2 and "'a'" in lines[0] and "'b'" in lines[1]


def test_weights_are_checked_with_the_layers():
    model = chain(conv(2, 3, name="c"))
    model.layers[1].bias.assign([np.inf, 1])
    with pytest.raises(ConversionError, match=r"layer 'c' \(Conv2D\): weight 'bias' is inf"):
        convertible(model)


def test_rate_lif_is_supported():
    convertible(chain(conv(2, 3), rate_lif_layer()(1.0, 1.0), keras().layers.Flatten()))
