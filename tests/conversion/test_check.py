"""The pre-flight check and the page of layers are made from the table of support."""

from pathlib import Path

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.conversion import check, convert
from nengo_tactile.conversion.layers_page import markdown
from nengo_tactile.conversion.support import ENGINES, FALLBACK, TABLE
from nengo_tactile.errors import ConversionError, ModelFileError


def keras():
    return stack.tensorflow().keras


def sequential(*layers):
    return keras().Sequential([keras().Input((6, 5, 1)), *layers], name="net")


def test_the_page_is_up_to_date():
    page = Path(__file__).parents[2] / "docs" / "layers.md"
    if not page.exists():
        pytest.skip("docs are not beside these tests")
    assert page.read_text(encoding="utf-8") == markdown()


def test_every_row_says_what_it_becomes_or_what_to_do():
    for name, row in TABLE.items():
        assert bool(row.becomes) != bool(row.remedy), name
        assert set(row.engines) <= set(ENGINES)
    assert FALLBACK.remedy and not FALLBACK.becomes


def test_a_good_model(model):
    found = check(model)
    assert found.ok and [layer.name for layer in found.layers] == [la.name for la in model.layers]
    spikes = {layer.name: layer.spikes for layer in found.layers}
    assert [name for name, s in spikes.items() if s] == ["conv1", "dense1"]
    assert all(set(layer.engines) == set(ENGINES) for layer in found.layers)
    text = str(found)
    assert "can be converted" in text and "into LIF neurons" in text
    assert found.rows()[1]["name"] == "conv1"


def test_remedies_stand_beside_their_layers():
    layers = keras().layers
    model = sequential(
        layers.Conv2D(2, 2, activation="tanh", name="odd"),
        layers.MaxPooling2D(2, name="pool"),
        layers.Flatten(name="flatten"),
        layers.Dense(2),
    )
    found = check(model)
    by_name = {layer.name: layer for layer in found.layers}
    assert not found.ok and "cannot be converted" in str(found)
    assert by_name["odd"].remedy.endswith("use 'relu'") and not by_name["odd"].spikes
    assert by_name["pool"].remedy.endswith(TABLE["MaxPooling2D"].remedy)
    assert by_name["pool"].engines == () and not by_name["flatten"].remedy
    with pytest.raises(ConversionError) as caught:
        convert(model, np.zeros((1, 6, 5, 1)))
    for name in ("odd", "pool"):
        assert by_name[name].remedy in str(caught.value)


@pytest.mark.parametrize(
    ("layers", "named"),
    [
        (lambda la: [la.Flatten(), la.Dense(3, name="a"), la.Dense(2)], "dense"),
        (
            lambda la: [
                la.Conv2D(2, 2, activation="relu"),
                la.AveragePooling2D(2, name="pool"),
                la.Conv2D(2, 2, padding="same", activation="relu"),
                la.Flatten(),
                la.Dense(2),
            ],
            "pool",
        ),
        (
            lambda la: [la.Flatten(), la.Dense(3, activation="softmax", name="s"), la.ReLU()],
            "s",
        ),
    ],
)
def test_orders_that_cannot_be_converted(layers, named):
    found = check(sequential(*layers(keras().layers)))
    bad = [layer.name for layer in found.layers if layer.remedy]
    assert not found.ok and len(bad) == 1 and bad[0].startswith(named)


def test_layers_used_twice_are_reported():
    x = inputs = keras().Input((3,))
    twin = keras().layers.Dense(3, activation="relu", name="twin")
    found = check(keras().Model(inputs, keras().layers.Dense(2)(twin(twin(x)))))
    assert [layer.name for layer in found.layers if layer.remedy] == ["twin"]


def test_no_model_at_all(tmp_path):
    with pytest.raises(ConversionError, match=r"model is a builtins\.int"):
        check(3)
    with pytest.raises(ModelFileError, match="no such file"):
        check(tmp_path / "none.keras")
