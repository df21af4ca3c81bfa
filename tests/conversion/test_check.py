"""The pre-flight check and the page of layers are made from the table of support."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.ann import portable
from nengo_tactile.ann.residual import resnet
from nengo_tactile.conversion.check import check
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.neurons import IF, LIF
from nengo_tactile.conversion.support import NEURONS, TABLE, remedy_of
from nengo_tactile.errors import ConversionError, ModelFileError
from nengo_tactile.networks.protocol import ENGINES
from tests.support import scripts
from tests.support.passes import graph_of
from tests.support.random_models import keras


def sequential(*layers):
    return keras().Sequential([keras().Input((6, 5, 1)), *layers], name="net")


def by_name(found):
    return {layer.name: layer for layer in found.layers}


def test_convergence_was_measured_for_every_row():
    results = Path(__file__).parents[2] / "docs" / "results" / "layer-convergence.json"
    if not results.exists():
        pytest.skip("docs are not beside these tests")
    found = json.loads(results.read_text(encoding="utf-8"))
    wanted = {name for name, row in TABLE.items() if row.becomes} - NOT_MEASURED
    assert set(found["errors"]) == wanted
    assert all(-1.2 < slope < -0.8 for slope in found["slopes"].values())


#: Rows that are the input, the output, or neurons already, and those of no effect.
NOT_MEASURED = {
    *("InputLayer", "Softmax", "ClipFloor", "RateIF", "RateLIF", "SigmaDelta"),
    *portable.AUGMENTATION,
}


def test_the_page_names_every_row():
    page = scripts.load("tools/layers_page.py").page()
    assert all(f"`{name}`" in page for name in TABLE)


def test_a_good_model(model):
    found = check(model)
    assert found.ok and [layer.name for layer in found.layers] == [la.name for la in model.layers]
    spikes = {layer.name: layer.spikes for layer in found.layers}
    assert [name for name, s in spikes.items() if s] == ["conv1", "dense1"]
    assert all(set(layer.engines) == set(ENGINES) for layer in found.layers)
    assert found.engines == ENGINES and found.neurons == tuple(NEURONS)
    text = str(found)
    text = " ".join(text.split())
    assert found.engines_with("if") == ENGINES
    assert found.engines_with("lif") == ("nengo-dl", "loihi")
    assert found.engines_with("sigma-delta") == ("nengo-dl", "event")
    apart = "lif not on event, sigma-delta not on loihi, if with signed or spikes_per_step not on"
    engines = f"on nengo-dl and event and loihi ({apart} loihi)"
    assert f"can be converted: neurons if or lif or sigma-delta, {engines}" in text
    assert "into neurons" in text
    assert found.rows()[1]["name"] == "conv1" and found.rows()[1]["notes"] == {}


def test_remedies_stand_beside_their_layers():
    layers = keras().layers
    model = sequential(
        layers.Conv2D(2, 2, activation="tanh", name="odd"),
        layers.LayerNormalization(name="norm"),
        layers.Flatten(name="flatten"),
        layers.Dense(2),
    )
    found = check(model)
    rows = by_name(found)
    assert not found.ok and "cannot be converted" in str(found)
    assert "use 'relu6'" in rows["odd"].remedy and not rows["odd"].spikes
    assert rows["norm"].remedy.endswith(TABLE["LayerNormalization"].remedy)
    assert rows["norm"].engines == () and not rows["flatten"].remedy
    with pytest.raises(ConversionError) as caught:
        convert(model, np.zeros((1, 6, 5, 1)))
    for name in ("odd", "norm"):
        assert rows[name].remedy in str(caught.value)


@pytest.mark.parametrize(
    ("layers", "named", "words"),
    [
        (lambda la: [la.Flatten(), la.Dense(3), la.Dense(2, name="d")], "d", "would spike"),
        (
            lambda la: [la.Flatten(), la.Dense(3, activation="softmax", name="s"), la.ReLU()],
            "s",
            "before the end",
        ),
        (
            lambda la: [la.Flatten(), la.Dense(3), la.ReLU(2.0, negative_slope=0.5, name="r")],
            "r",
            "no neuron has both",
        ),
        (
            lambda la: [la.Conv2D(2, 2), la.LeakyReLU(1.5, name="k"), la.Flatten(), la.Dense(2)],
            "k",
            "alpha is 1.5",
        ),
    ],
)
def test_orders_that_cannot_be_converted(layers, named, words):
    """What no row of the table can see is found by going through the conversion."""
    model = sequential(*layers(keras().layers))
    found = check(model)
    bad = [layer for layer in found.layers if layer.remedy]
    assert not found.ok and [layer.name for layer in bad] == [named] and words in bad[0].remedy
    assert found.engines == () and found.neurons == ()
    with pytest.raises(ConversionError):
        graph_of(convert(model, np.random.default_rng(0).random((3, 6, 5, 1)), IF()).ann)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (lambda la: la.MaxPooling2D(2, name="it"), "average pooling or strides"),
        (lambda la: la.ZeroPadding2D(1, name="it"), "padding='same'"),
        (lambda la: la.UpSampling2D(2, name="it"), "transposed convolution"),
        (lambda la: la.SeparableConv2D(2, 2, activation="relu", name="it"), "plain convolution"),
        (lambda la: la.LeakyReLU(0.1, name="it"), "one sign"),
        # found by the chip's own check, where they stand
        (lambda la: la.AveragePooling2D(2, padding="same", name="it"), "no place to add up"),
        (lambda la: la.Rescaling(1.0, offset=0.5, name="it"), "no place to add up"),
        (
            lambda la: la.Conv2DTranspose(2, 3, 2, "same", activation="relu", name="it"),
            "padding='valid'",
        ),
    ],
)
def test_what_keeps_a_model_off_the_chip(layer, words):
    layers = keras().layers
    found = check(
        sequential(
            layers.Conv2D(4, 2, activation="relu", name="conv"),
            layer(layers),
            layers.Conv2D(2, 2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(2),
        )
    )
    assert found.ok and found.engines == ("nengo-dl", "event")
    noted = {row.name: row.notes["loihi"] for row in found.layers if "loihi" in row.notes}
    assert list(noted) == ["it"] and words in noted["it"]
    assert [row.name for row in found.layers if "loihi" not in row.engines] == ["it"]
    assert "loihi: " in str(found)


def test_padding_of_the_image_is_done_on_the_host():
    layers = keras().layers
    found = check(
        sequential(
            layers.ZeroPadding2D(1),
            layers.Conv2D(2, 2, activation="relu"),
            layers.Conv2D(2, 2, activation="relu"),
            layers.Flatten(),
            layers.Dense(2),
        )
    )
    assert found.ok and found.engines == ENGINES


def test_what_lif_neurons_cannot_do_is_a_note():
    layers = keras().layers
    model = sequential(
        layers.Conv2D(2, 2, activation="relu6", name="six"), layers.Flatten(), layers.Dense(2)
    )
    found = check(model)
    assert found.ok and found.neurons == ("if",) and "neurons if, on" in str(found)
    assert "use neuron=nt.IF()" in by_name(found)["six"].notes["lif"]
    assert "sigma-delta neurons have 'relu' alone" in by_name(found)["six"].notes["sigma-delta"]
    x = np.random.default_rng(0).random((3, 6, 5, 1))
    with pytest.raises(ConversionError, match=r"use neuron=nt\.IF\(\)"):
        convert(model, x, LIF())
    assert convert(model, x, IF()).spiking_layers == ["six"]


def test_a_residual_network_runs_everywhere():
    found = check(resnet(6, (8, 8, 3), widths=(4, 6)))
    assert found.ok and found.engines == ENGINES and found.neurons == tuple(NEURONS)
    assert sum(layer.spikes for layer in found.layers) == 5


def test_layers_used_twice_stand_twice():
    x = inputs = keras().Input((3,))
    twin = keras().layers.Dense(3, activation="relu", name="twin")
    found = check(keras().Model(inputs, keras().layers.Dense(2)(twin(twin(x)))))
    assert found.ok and [la.name for la in found.layers if la.spikes] == ["twin", "twin_2"]


def test_weights_that_are_not_finite_are_reported():
    layers = keras().layers
    model = sequential(
        layers.Conv2D(2, 2, activation="relu", name="bad"), layers.Flatten(), layers.Dense(2)
    )
    kernel, bias = model.get_layer("bad").get_weights()
    kernel[1, 0, 0, 1] = np.nan
    model.get_layer("bad").set_weights([kernel, bias])
    found = check(model)
    assert "is nan at index (1, 0, 0, 1)" in by_name(found)["bad"].remedy and not found.ok


def test_models_inside_models_are_checked_layer_by_layer():
    layers = keras().layers
    inner = keras().Sequential(
        [keras().Input((6, 5, 1)), layers.Conv2D(2, 2, activation="relu", name="deep")], name="in"
    )
    inputs = keras().Input((6, 5, 1))
    model = keras().Model(inputs, layers.Dense(2)(layers.Flatten()(inner(inputs))))
    found = check(model)
    assert found.ok and by_name(found)["deep"].spikes


def test_models_of_several_inputs_or_outputs():
    layers = keras().layers
    one, two = keras().Input((3,)), keras().Input((3,))
    x = layers.Dense(2)(layers.Add()([one, two]))
    with pytest.raises(ConversionError, match=r"has 2 inputs .*one is wanted"):
        check(keras().Model([one, two], x))
    x = layers.ReLU()(layers.Dense(2)(one))
    with pytest.raises(ConversionError, match=r"has 2 outputs .*one is wanted"):
        check(keras().Model(one, [x, layers.Dense(2)(x)]))


def test_no_model_at_all(tmp_path):
    with pytest.raises(ConversionError, match=r"model is a builtins\.int"):
        check(3)
    with pytest.raises(ModelFileError, match="no such file"):
        check(tmp_path / "none.keras")


def with_layers(keras, *layers):
    x = inputs = keras.Input((6, 4))
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, keras.layers.Dense(2, name="out")(x))


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_files_have_the_remedies_of_the_table(tmp_path, keras3, version, ending):
    keras = keras3 if version == 3 else stack.tensorflow().keras
    la = keras.layers
    model = with_layers(keras, la.PReLU(name="slope"), la.LSTM(3, name="memory"))
    path = tmp_path / f"model.{ending}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras calls .h5 legacy
        model.save(path)
    found = check(path)
    assert [(la.name, la.remedy) for la in found.layers if la.remedy] == [
        ("slope", f"no engine runs it; {TABLE['PReLU'].remedy}"),
        ("memory", f"no engine runs it; {TABLE['LSTM'].remedy}"),
    ]
    with pytest.raises(ModelFileError) as caught:
        convert(path, np.zeros((1, 6, 4)))
    assert str(caught.value).splitlines() == [
        f"{path}: layer 'slope' (PReLU): no engine runs it; {TABLE['PReLU'].remedy}",
        f"layer 'memory' (LSTM): no engine runs it; {TABLE['LSTM'].remedy}",
    ]


def test_models_of_keras_3_have_the_remedies_of_the_table(keras3):
    model = with_layers(keras3, keras3.layers.PReLU(name="slope"))
    with pytest.raises(ConversionError) as caught:
        convert(model, np.zeros((1, 6, 4)))
    assert str(caught.value) == f"layer 'slope' (PReLU): {remedy_of('PReLU')}"
    assert by_name(check(model))["slope"].remedy in str(caught.value)


def test_like_lines_are_one():
    layers = keras().layers
    smooth = [layers.Activation("swish", name=f"act{n}") for n in range(5)]
    model = sequential(*smooth, layers.Flatten(), layers.Dense(2))
    found = check(model)
    assert sum(bool(layer.remedy) for layer in found.layers) == len(found.rows()) - 3 == 5
    assert str(found).count("is smooth") == 1
    with pytest.raises(ConversionError) as caught:
        convert(model, np.zeros((1, 6, 5, 1)))
    assert str(caught.value) == (
        f"layers 'act0', 'act1', 'act2' and 2 more (Activation): {by_name(found)['act0'].remedy}"
    )


def test_layers_of_code_are_never_built(keras3):
    class Own(keras3.layers.Layer):
        def call(self, x):
            return x

    for layer, kind in (
        (keras3.layers.Lambda(abs, name="odd"), "Lambda"),
        (Own(name="odd"), "Own"),
    ):
        model = with_layers(keras3, layer)
        words = "is never built" if kind == "Lambda" else "a class of its own"
        assert words in by_name(check(model))["odd"].remedy
        with pytest.raises(ConversionError, match=rf"layer 'odd' \({kind}\): .*{words}"):
            convert(model, np.zeros((1, 6, 4)))


def test_what_can_be_converted_can_be_in_a_file():
    built = {kind for kind, row in TABLE.items() if row.becomes}
    assert built <= set(portable.SETTINGS)
    for kind in built | {"Lambda", "Own"}:
        assert remedy_of(kind) is None
