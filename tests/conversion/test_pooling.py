"""Merged average pooling and moved max pooling compute the same."""

import numpy as np
import pytest

from nengo_tactile.errors import ConversionError
from tests.support.passes import (
    analogue_poolings,
    merge_average_pooling,
    rectify_before_max_pooling,
    simplify,
)
from tests.support.random_models import (
    SHAPE,
    apply_pass,
    assert_same,
    chain,
    conv,
    keras,
    kinds,
    randomised,
)


@pytest.mark.parametrize("pool", [(2, 2), (2, 3), (3, 1)])
@pytest.mark.parametrize("step", [None, (1, 2), (3, 3)])
@pytest.mark.parametrize("reader", ["conv", "strided", "1x1 same", "dense"])
def test_merged_pooling_computes_the_same(pool, step, reader):
    layers = keras().layers
    target = {
        "conv": lambda: [conv(3, (2, 1))],
        "strided": lambda: [conv(3, (1, 2), (2, 1), use_bias=False)],
        "1x1 same": lambda: [conv(3, 1, (1, 2), padding="same")],
        "dense": lambda: [],
    }[reader]()
    model = chain(layers.AveragePooling2D(pool, step), *target, layers.Flatten(), layers.Dense(3))
    merged = apply_pass(merge_average_pooling, model)
    assert_same(model, merged)
    assert not any("Pooling" in type(layer).__name__ for layer in merged.layers)


@pytest.mark.parametrize("keepdims", [False, True])
def test_merged_global_pooling_computes_the_same(keepdims):
    layers = keras().layers
    rest = [layers.Flatten()] if keepdims else []
    model = chain(
        conv(4, 3, activation="relu"),
        layers.GlobalAveragePooling2D(keepdims=keepdims),
        *rest,
        layers.Dense(3),
    )
    assert_same(model, apply_pass(merge_average_pooling, simplify(model)))


def test_two_pools_in_one_network():
    layers = keras().layers
    model = chain(
        conv(3, 2, activation="relu"),
        layers.AveragePooling2D(2),
        conv(2, 2, activation="relu"),
        layers.AveragePooling2D((2, 1)),
        layers.Flatten(),
        layers.Dropout(0.2),
        layers.Dense(3),
    )
    assert_same(model, merge_average_pooling(simplify(model)))


@pytest.mark.parametrize(
    "readers",
    [
        lambda la: [la.ReLU(), la.Flatten(), la.Dense(2)],
        lambda la: [conv(2, 3, padding="same"), la.Flatten(), la.Dense(2)],
        lambda la: [conv(2, 2, dilation_rate=2), la.Flatten(), la.Dense(2)],
        lambda la: [la.Dense(2), la.Flatten(), la.Dense(2)],  # on a map, not on all of it
        lambda la: [la.AveragePooling2D(2, strides=1), la.ReLU()],
        lambda la: [],
    ],
)
def test_pooling_that_cannot_be_merged_stays(readers):
    layers = keras().layers
    model = chain(layers.AveragePooling2D((2, 1), name="pool"), *readers(layers))
    same = apply_pass(merge_average_pooling, model)
    assert kinds(same) == kinds(model)
    assert_same(model, same)


def test_pooling_stays_when_one_of_its_readers_cannot_take_it_in():
    layers = keras().layers
    inputs = keras().Input(SHAPE)
    pooled = layers.AveragePooling2D(2)(inputs)
    flat = layers.Flatten()
    outputs = [layers.Dense(2)(flat(pooled)), layers.Dense(2)(layers.Flatten()(conv(2, 2)(pooled)))]
    merging = layers.Add()(outputs)
    model = randomised(keras().Model(inputs, merging))
    merged = merge_average_pooling(model)
    assert "AveragePooling2D" not in kinds(merged)
    assert_same(model, merged)
    other = layers.Dense(2)(layers.Flatten()(layers.ReLU()(pooled)))
    model = randomised(keras().Model(inputs, layers.Add()([merging, other])))
    kept = merge_average_pooling(model)
    assert kinds(kept) == kinds(model)
    assert_same(model, kept)


def test_pooling_with_incomplete_windows_stays():
    layers = keras().layers
    pool = layers.AveragePooling2D(2, padding="same")
    model = chain(pool, conv(2, 2), layers.Flatten(), layers.Dense(2))
    kept = merge_average_pooling(model)
    assert kinds(kept) == kinds(model)
    assert_same(model, kept)


def spikes_first(*layers):
    """A chain of layers behind a rectifier."""
    return chain(keras().layers.ReLU(name="spikes"), *layers)


def rectifier(kind):
    layers = keras().layers
    return {
        "relu": lambda: layers.Activation("relu", name="r"),
        "clipped": lambda: layers.ReLU(0.7, name="r"),
        "leaky": lambda: layers.LeakyReLU(0.3, name="r"),
    }[kind]()


@pytest.mark.parametrize("kind", ["relu", "clipped", "leaky"])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_max_pooling_comes_behind_the_rectifier(kind, padding):
    layers = keras().layers
    for rest in ([], [layers.GlobalMaxPooling2D(name="g")], [layers.Flatten(name="g")]):
        pool = layers.MaxPooling2D(2, padding=padding, name="p")
        end = layers.Flatten(name="f")
        model = spikes_first(conv(3, 2, name="c"), pool, *rest, rectifier(kind), end)
        moved = apply_pass(rectify_before_max_pooling, model)
        assert_same(model, moved)
        names = [layer.name for layer in moved.layers][1:]
        assert names == ["spikes", "c", "r", "p", *(layer.name for layer in rest), "f"]


def test_max_pooling_of_sequences():
    layers = keras().layers
    model = chain(
        layers.ReLU(), layers.Conv1D(3, 2), layers.MaxPooling1D(2), layers.ReLU(), shape=(8, 2)
    )
    moved = rectify_before_max_pooling(model)
    assert_same(model, moved)
    assert kinds(moved) == ["InputLayer", "ReLU", "Conv1D", "ReLU", "MaxPooling1D"]


def test_two_max_poolings_and_rectifiers():
    layers = keras().layers
    first, second = layers.MaxPooling2D(2), layers.MaxPooling2D(2)
    model = spikes_first(conv(3, 2), first, layers.ReLU(), second, layers.ReLU(0.5))
    moved = rectify_before_max_pooling(model)
    assert_same(model, moved)
    wanted = ["InputLayer", "ReLU", "Conv2D", "ReLU", "MaxPooling2D", "ReLU", "MaxPooling2D"]
    assert kinds(moved) == wanted
    assert moved.layers[3].max_value is None and moved.layers[5].max_value == 0.5


def test_poolings_of_the_image_stay_in_front_of_the_rectifier():
    """Behind it others would only move in front of it."""
    layers = keras().layers
    inputs = keras().Input(SHAPE)
    image = layers.MaxPooling2D(2, name="image")(layers.Add()([conv(2, 1)(inputs), inputs]))
    again = layers.MaxPooling2D(2, 1, name="again")(layers.ZeroPadding2D(1)(image))
    spikes = layers.ReLU()(again)
    both = layers.Concatenate()([layers.Cropping2D(((1, 0), (1, 0)))(spikes), image])
    x = layers.ReLU()(layers.MaxPooling2D(2, name="both")(both))
    model = randomised(keras().Model(inputs, x))
    assert analogue_poolings(model) == {"image", "again"}
    moved = rectify_before_max_pooling(model)
    assert_same(model, moved)
    assert analogue_poolings(moved) == {"image", "again"}
    assert kinds(moved)[-2:] == ["ReLU", "MaxPooling2D"]


def test_max_pooling_with_another_reader_stays():
    layers = keras().layers
    inputs = keras().Input(SHAPE)
    pooled = layers.MaxPooling2D(2)(conv(3, 2)(layers.ReLU()(inputs)))
    model = randomised(keras().Model(inputs, layers.Add()([layers.ReLU()(pooled), pooled])))
    moved = rectify_before_max_pooling(model)
    assert_same(model, moved)
    assert kinds(moved) == kinds(model)


def test_functions_that_fall_stay_behind_max_pooling():
    layers = keras().layers
    model = spikes_first(conv(3, 2), layers.MaxPooling2D(2), layers.Activation("gelu"))
    assert kinds(rectify_before_max_pooling(model)) == kinds(model)
    falling = layers.LeakyReLU(0.3)
    falling.alpha = np.float32(-0.3)
    with pytest.raises(ConversionError, match=r"negative_slope is -0\.3"):
        rectify_before_max_pooling(chain(conv(3, 2), layers.MaxPooling2D(2), falling))


def test_average_pooling_stays_before_the_rectifier():
    layers = keras().layers
    pools = layers.MaxPooling2D(2), layers.AveragePooling2D(2)
    model = spikes_first(conv(3, 2), *pools, layers.ReLU())
    moved = rectify_before_max_pooling(model)
    assert_same(model, moved)
    assert kinds(moved) == kinds(model)
