"""Neurons own their options: what each refuses, and what a model's own layers have settled."""

import dataclasses

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import stack
from nengo_tactile.ann.integrate_fire import rate_if_layer
from nengo_tactile.ann.lif import rate_lif_layer
from nengo_tactile.conversion.neurons import IF, LIF, NEURONS, SigmaDelta
from nengo_tactile.errors import ConversionError, DataError


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (IF, {"percentile": 0}, r"IF percentile is 0: give a number above 0 and at most 100"),
        (IF, {"start": float("nan")}, "IF start is nan"),
        (IF, {"start": 1.0}, "IF start is 1.0: give a number below 1"),
        (IF, {"reset": "soft"}, "IF reset is 'soft': give 'subtract' or 'zero'"),
        (IF, {"correction": "all"}, "IF correction is 'all': give 'bias', 'potential', 'steps'"),
        (IF, {"compensation": "all"}, "IF compensation is 'all': give 'network', 'layer' or None"),
        (IF, {"discard": 1}, "IF discard is 1: give a number from 0 to below 1 or 'tune'"),
        (IF, {"discard": "late"}, "IF discard is 'late'"),
        (LIF, {"discard": "tune"}, "LIF discard is 'tune': give a number from 0 to below 1"),
        (LIF, {"max_rate": 0.0}, r"LIF max_rate is 0\.0: give a number above 0 or None"),
        (LIF, {"synapse": -0.1}, r"LIF synapse is -0\.1: give a number from 0, 'tune' or None"),
        (LIF, {"tau_rc": 0}, "LIF tau_rc is 0"),
        (LIF, {"offset": 1.5}, r"LIF offset is 1\.5: give a number at most 1"),
        (SigmaDelta, {"coding": "rate"}, "SigmaDelta coding is 'rate': give 'delay', 'current', a"),
        (SigmaDelta, {"threshold": 1.0, "max_loss": 1.0}, "threshold and max_loss are given"),
    ],
)
def test_options_are_checked_where_they_are_given(kind, options, message):
    with pytest.raises(ConversionError, match=message):
        kind(**options)


@pytest.mark.parametrize("kind", NEURONS.values())
def test_an_option_of_others_is_a_type_error(kind):
    own = {field.name for field in dataclasses.fields(kind)}
    others = {f.name for each in NEURONS.values() for f in dataclasses.fields(each)} - own
    assert others
    for name in others:
        with pytest.raises(TypeError, match=name):
            kind(**{name: 1.0})


def own_layers(layer):
    """A model that has neurons already."""
    keras = stack.tensorflow().keras
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4), layer, keras.layers.Dense(2)], name="own"
    )
    # rates of up to 0.75: in four steps from a quarter of a threshold neurons lack spikes
    model.layers[0].set_weights([np.full((3, 4), 0.5), np.zeros(4)])
    return model


@pytest.fixture
def x():
    return np.random.default_rng(0).random((8, 3), np.float32)


@pytest.mark.parametrize(
    ("layer", "neuron", "message"),
    [
        (
            "if",
            IF(reset="zero"),
            "'own' has RateIF layers, which settle reset, .* is 'zero'",
        ),
        ("if", IF(percentile=99.0), "RateIF layers, which settle percentile"),
        ("if", LIF(), r"'own' has RateIF layers, neuron is LIF\(\): .*or neuron=nt.IF\(\)"),
        ("lif", LIF(tau_rc=0.02), "RateLIF layers, which settle tau_rc"),
        ("lif", SigmaDelta(), r"RateLIF layers, neuron is SigmaDelta\(\)"),
    ],
)
def test_what_layers_of_neurons_have_settled_is_refused(x, layer, neuron, message):
    layers = {"if": rate_if_layer(), "lif": rate_lif_layer()}
    settings = {"if": {}, "lif": {"gain": 2.0, "amplitude": 0.01}}
    model = own_layers(layers[layer](**settings[layer]))
    with pytest.raises(ConversionError, match=message):
        nt.convert(model, x, neuron)


def test_a_model_with_neurons_keeps_them(x):
    """Their options that are not settled count."""
    model = own_layers(rate_if_layer()(gain=0.5, amplitude=2.0, start=0.25, name="neurons"))
    plain = nt.convert(model, x, n_steps=4)
    corrected = nt.convert(model, x, nt.IF(correction="bias"), n_steps=4)
    layers = [network.ann.get_layer("neurons") for network in (plain, corrected)]
    assert [layer.parameters.gain for layer in layers] == [0.5, 0.5]
    assert [layer.start_potential.numpy().tolist() for layer in layers] == [[0.25] * 4] * 2
    assert not layers[0].shift.numpy().any() and layers[1].shift.numpy().any()


def test_labels_are_for_all_neurons(x):
    """Whether they fit is looked at with each."""
    keras = stack.tensorflow().keras
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4, activation="relu"), keras.layers.Dense(2)]
    )
    assert nt.convert(model, x, nt.IF(), labels=np.arange(8) % 2)
    with pytest.raises(DataError, match="label"):
        nt.convert(model, x, nt.IF(), labels=np.full(8, 2))
