"""Folded models compute what the models with normalisation compute."""

import numpy as np
import pytest

from nengo_tactile.errors import ConversionError
from tests.support.passes import fold_batch_norm, fold_rescaling, simplify
from tests.support.random_models import apply_pass, assert_same, chain, keras, kinds, randomised

IMAGE, SEQUENCE = (8, 7, 4), (9, 4)


def norm(**options):
    return keras().layers.BatchNormalization(**options)


#: Layers with weights: name -> (shape of the input, maker).
WEIGHTED = {
    "dense": ((4,), lambda la, **o: la.Dense(3, **o)),
    "dense on an image": (IMAGE, lambda la, **o: la.Dense(3, **o)),
    "conv 1x1 same": (IMAGE, lambda la, **o: la.Conv2D(3, 1, padding="same", **o)),
    "separable 1d": (SEQUENCE, lambda la, **o: la.SeparableConv1D(3, 3, **o)),
    "grouped": (IMAGE, lambda la, **o: la.Conv2D(6, 3, groups=2, **o)),
    "dilated": (IMAGE, lambda la, **o: la.Conv2D(3, 2, dilation_rate=2, **o)),
    "causal": (SEQUENCE, lambda la, **o: la.Conv1D(3, 3, padding="causal", **o)),
    "same without overhang": (IMAGE, lambda la, **o: la.Conv2D(3, (2, 1), (2, 1), "same", **o)),
}
for _padding in ("valid", "same"):
    for _step in (1, 2):
        _both = {"padding": _padding, "strides": _step}
        _tag = f"{_padding} {_step}"
        WEIGHTED |= {
            f"conv {_tag}": (IMAGE, lambda la, b=_both, **o: la.Conv2D(3, 3, **b, **o)),
            f"conv 1d {_tag}": (SEQUENCE, lambda la, b=_both, **o: la.Conv1D(3, 3, **b, **o)),
            f"depthwise {_tag}": (
                IMAGE,
                lambda la, b=_both, **o: la.DepthwiseConv2D(3, depth_multiplier=2, **b, **o),
            ),
            f"depthwise 1d {_tag}": (
                SEQUENCE,
                lambda la, b=_both, **o: la.DepthwiseConv1D(3, depth_multiplier=2, **b, **o),
            ),
            f"separable {_tag}": (
                IMAGE,
                lambda la, b=_both, **o: la.SeparableConv2D(3, 3, depth_multiplier=2, **b, **o),
            ),
            f"transposed {_tag}": (
                IMAGE,
                lambda la, b=_both, **o: la.Conv2DTranspose(3, 3, **b, **o),
            ),
            f"transposed 1d {_tag}": (
                SEQUENCE,
                lambda la, b=_both, **o: la.Conv1DTranspose(3, 3, **b, **o),
            ),
        }


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("kind", WEIGHTED)
def test_norm_behind_a_layer_with_weights(kind, use_bias):
    shape, make = WEIGHTED[kind]
    model = chain(make(keras().layers, use_bias=use_bias), norm(), shape=shape)
    folded = apply_pass(fold_batch_norm, model)
    assert_same(model, folded)
    assert kinds(folded) == kinds(model)[:-1]  # nothing but the norm went


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("kind", WEIGHTED)
def test_norm_before_a_layer_with_weights(kind, use_bias):
    shape, make = WEIGHTED[kind]
    layer = make(keras().layers, use_bias=use_bias, activation="relu")
    model = chain(keras().layers.ReLU(), norm(), layer, shape=shape)
    folded = apply_pass(fold_batch_norm, model)
    assert_same(model, folded)
    fits = "1x1" in kind or "without" in kind
    padded = not fits and ("same" in kind or kind == "causal")
    stays = padded or kind.startswith("transposed")
    assert ("BatchNormalization" not in kinds(folded)) and len(folded.layers) == 3 + stays


@pytest.mark.parametrize("kind", [k for k in WEIGHTED if "same" in k or "transposed" in k])
def test_norm_without_shift_goes_behind_padding(kind):
    shape, make = WEIGHTED[kind]
    model = chain(keras().layers.ReLU(), norm(center=False), make(keras().layers), shape=shape)
    model.layers[2].moving_mean.assign(np.zeros(shape[-1]))
    folded = apply_pass(fold_batch_norm, model)
    assert_same(model, folded)
    assert len(folded.layers) == 3


#: Layers between a convolution and its norm: name -> (maker, folded back, folded ahead).
BETWEEN = {
    "max pooling": (lambda la: la.MaxPooling2D(2), False, False),
    "global max": (lambda la: la.GlobalMaxPooling2D(keepdims=True), False, False),
    "average same": (lambda la: la.AveragePooling2D(3, padding="same"), True, True),
    "average": (lambda la: la.AveragePooling2D(2), True, True),
    "global average": (lambda la: la.GlobalAveragePooling2D(keepdims=True), True, True),
    "padding": (lambda la: la.ZeroPadding2D(1), False, False),
    "cropping": (lambda la: la.Cropping2D(1), True, True),
    "nearest": (lambda la: la.UpSampling2D(2), True, True),
    "bilinear": (lambda la: la.UpSampling2D((3, 2), interpolation="bilinear"), True, True),
    "bicubic": (lambda la: la.UpSampling2D(2, interpolation="bicubic"), False, False),
    "permute": (lambda la: la.Permute((2, 1, 3)), True, True),
    "channels moved": (lambda la: la.Permute((3, 1, 2)), False, False),
    "reshape": (lambda la: la.Reshape((7, 8, 4)), True, True),
    "split pixels": (lambda la: la.Reshape((-1, 1, 2)), True, False),
    "dropout": (lambda la: la.Dropout(0.5), True, True),
    "relu": (lambda la: la.ReLU(), False, False),
}


@pytest.mark.parametrize("kind", BETWEEN)
def test_norm_with_a_layer_between_it_and_the_weights(kind):
    make, back, ahead = BETWEEN[kind]
    layers = keras().layers
    for folds, parts in (
        (back, [layers.Conv2D(4, 1), make(layers), norm(name="n"), layers.ReLU()]),
        (ahead, [layers.ReLU(), norm(name="n"), make(layers), layers.Conv2D(5, 1)]),
    ):
        model = chain(*parts, shape=IMAGE)
        folded = apply_pass(fold_batch_norm, model)
        assert_same(model, folded)
        assert "BatchNormalization" not in kinds(folded)
        assert ("n" in [layer.name for layer in folded.layers]) != folds


@pytest.mark.parametrize("position", ["behind", "before"])
def test_factors_above_zero_pass_max_pooling(position):
    layers = keras().layers
    conv, pool = layers.Conv2D(4, 2), layers.MaxPooling2D(2, padding="same")
    order = [conv, pool, norm()] if position == "behind" else [layers.ReLU(), norm(), pool, conv]
    model = chain(*order, shape=IMAGE)
    (found,) = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    found.gamma.assign(np.abs(found.gamma))
    folded = apply_pass(fold_batch_norm, model)
    assert_same(model, folded)
    assert len(folded.layers) == len(model.layers) - 1
    with_relu = chain(layers.ReLU(), conv, pool, found, layers.ReLU(), shape=IMAGE)
    found.gamma.assign(np.abs(found.gamma))
    swapped = fold_batch_norm(with_relu)
    assert kinds(swapped) == ["InputLayer", "ReLU", "Conv2D", "ReLU", "MaxPooling2D"]
    assert_same(with_relu, swapped)


@pytest.mark.parametrize("shape", [(6,), SEQUENCE, IMAGE])
@pytest.mark.parametrize(("center", "scale"), [(True, False), (False, True), (False, False)])
def test_norm_between_activations_is_a_layer_of_its_own(shape, center, scale):
    layers = keras().layers
    model = chain(
        layers.ReLU(), norm(center=center, scale=scale, name="n"), layers.ReLU(), shape=shape
    )
    folded = apply_pass(fold_batch_norm, model)
    assert_same(model, folded)
    assert type(folded.get_layer("n")).__name__.startswith("DepthwiseConv")


def test_norm_behind_flatten_goes_into_the_dense_layer():
    layers = keras().layers
    for order in (
        [layers.Conv2D(3, 2), layers.Flatten(), norm(), layers.Dense(3)],
        [layers.Conv2D(3, 2), layers.ReLU(), norm(), layers.Flatten(), layers.Dense(3)],
    ):
        model = chain(*order, shape=IMAGE)
        folded = apply_pass(fold_batch_norm, model)
        assert_same(model, folded)
        assert kinds(folded) == [k for k in kinds(model) if k != "BatchNormalization"]


def test_norms_one_after_another():
    layers = keras().layers
    model = chain(
        norm(), norm(), layers.Conv2D(3, 3, padding="same"), norm(), layers.ReLU(), norm(), norm(),
        layers.ReLU(), norm(), layers.AveragePooling2D(2), norm(), layers.Conv2D(2, 2), norm(),
        shape=IMAGE,
    )  # fmt: skip
    folded = apply_pass(fold_batch_norm, model)
    assert_same(model, folded)
    assert kinds(folded) == [
        "InputLayer",
        "DepthwiseConv2D",
        "Conv2D",
        "ReLU",
        "DepthwiseConv2D",
        "ReLU",
        "AveragePooling2D",
        "Conv2D",
    ]


@pytest.mark.parametrize("merge", ["Add", "Subtract", "Average", "Concatenate"])
@pytest.mark.parametrize("place", ["branches", "behind", "shortcut behind", "before"])
def test_norm_around_merging_layers(merge, place):
    layers = keras().layers
    inputs = keras().Input(IMAGE)
    x = layers.Conv2D(4, 1, activation="relu")(inputs)
    if place == "before":
        x = norm()(x)
    a = layers.Conv2D(4, 3, padding="same")(x)
    b = x if place == "shortcut behind" else layers.Conv2D(4, 1, use_bias=False)(x)
    if place == "branches":
        a, b = norm()(a), norm()(b)
    x = getattr(layers, merge)()([a, b])
    if place.endswith("behind"):
        x = norm(name="n")(x)
    model = randomised(keras().Model(inputs, layers.Conv2D(2, 1)(layers.ReLU()(x))))
    folded = apply_pass(fold_batch_norm, model)
    assert_same(model, folded)
    left = {"shortcut behind": 1, "before": 1}.get(place, 0)
    assert kinds(folded).count("DepthwiseConv2D") == left
    assert "BatchNormalization" not in kinds(folded)


def test_a_layer_with_another_reader_keeps_its_weights():
    layers = keras().layers
    inputs = keras().Input(IMAGE)
    conv = layers.Conv2D(4, 1, name="conv")(inputs)
    normed = norm()(conv)
    one, two = layers.Conv2D(3, 2)(normed), layers.Conv2D(3, 2)(layers.Dropout(0.1)(normed))
    x = layers.Concatenate()([one, two, layers.Cropping2D(((0, 1), (1, 0)))(conv)])
    model = randomised(keras().Model(inputs, x))
    folded = apply_pass(fold_batch_norm, model)
    assert_same(model, folded)
    assert "DepthwiseConv2D" not in kinds(folded)  # both readers of the norm took it in
    assert (folded.get_layer("conv").kernel == model.get_layer("conv").kernel).numpy().all()


def test_norm_between_broadcasting_branches():
    layers = keras().layers
    inputs = keras().Input(IMAGE)
    a, b = layers.Conv2D(4, 1)(inputs), layers.Conv2D(1, 1)(inputs)
    model = randomised(keras().Model(inputs, norm()(layers.Add()([a, b]))))
    assert_same(model, apply_pass(fold_batch_norm, model))


@pytest.mark.parametrize("before", [True, False])
def test_residual_blocks(before):
    """Post-activation (He et al. 2016a) and pre-activation (2016b) blocks."""
    layers = keras().layers
    x = inputs = keras().Input(IMAGE)
    for _ in range(2):
        y = x
        for _ in range(2):
            if before:
                y = layers.Conv2D(4, 3, padding="same")(layers.ReLU()(norm()(y)))
            else:
                y = norm()(layers.Conv2D(4, 3, padding="same", use_bias=False)(y))
                y = layers.ReLU()(y)
        x = layers.Add()([x, y])
    model = randomised(keras().Model(inputs, layers.GlobalAveragePooling2D()(x)))
    folded = apply_pass(fold_batch_norm, simplify(model))
    assert_same(model, folded)
    # what follows an Add, or the image, has no weights before it
    assert kinds(folded).count("DepthwiseConv2D") == (2 if before else 0)


def test_norms_that_cannot_be_folded_are_named():
    model = chain(norm(axis=1, name="n"), shape=IMAGE)
    with pytest.raises(ConversionError, match=r"layer 'n' \(Batch.*axis is \(1,\).*Permute"):
        fold_batch_norm(model)
    model = chain(norm(name="n"), shape=IMAGE)
    model.layers[1].moving_variance.assign([1, 1, -2, 1])
    with pytest.raises(ConversionError, match=r"layer 'n'.*moving_variance has the value -2"):
        fold_batch_norm(model)
    model = chain(keras().layers.ReLU(), norm(name="n"), shape=(2, 2, 2, 2))
    with pytest.raises(ConversionError, match=r"layer 'n'.*shape \(2, 2, 2, 2\)"):
        fold_batch_norm(model)


RESCALINGS = {
    "numbers": lambda la: la.Rescaling(0.25, -0.5, name="r"),
    "channels": lambda la: la.Rescaling([1.0, -2, 0.3, 4], np.arange(4.0), name="r"),
    "channels and number": lambda la: la.Rescaling([[[1.0, -2, 0.3, 4]]], 1, name="r"),
    "adapted": lambda la: la.Normalization(name="r"),
    "inverted": lambda la: la.Normalization(invert=True, name="r"),
    "given": lambda la: la.Normalization(mean=[1, 2, 3, 4.0], variance=[1, 2, 3, 4.0], name="r"),
    "one for all": lambda la: la.Normalization(axis=None, mean=2.0, variance=3.0, name="r"),
}
READERS = {
    "valid": (lambda la: [la.Conv2D(3, 3)], True),
    "strided": (lambda la: [la.Conv2D(3, 3, 2, activation="relu")], True),
    "1x1": (lambda la: [la.Conv2D(3, 1, padding="same")], True),
    "dense": (lambda la: [la.Flatten(), la.Dense(3)], True),
    "depthwise": (lambda la: [la.DepthwiseConv2D(2)], True),
    "same": (lambda la: [la.Conv2D(3, 3, padding="same")], False),
    "padded": (lambda la: [la.ZeroPadding2D(1), la.Conv2D(3, 3)], False),
    "relu": (lambda la: [la.ReLU()], False),
    "norm": (lambda la: [norm(), la.Conv2D(3, 3, padding="same")], False),
}


@pytest.mark.parametrize("kind", RESCALINGS)
@pytest.mark.parametrize("reader", READERS)
def test_rescaling_of_images(kind, reader):
    layers = keras().layers
    make, folds = READERS[reader]
    rescale = RESCALINGS[kind](layers)
    model = chain(rescale, make(layers), shape=IMAGE)
    if kind in ("adapted", "inverted"):
        rescale.adapt(np.random.default_rng(0).normal(3, 2, size=(20, *IMAGE)))
    folded = apply_pass(fold_rescaling, fold_batch_norm(model))
    assert_same(model, folded)
    assert not {"Rescaling", "Normalization"} & set(kinds(folded))
    if reader != "norm":
        assert ("r" in [layer.name for layer in folded.layers]) != folds


def test_rescaling_without_offset_goes_behind_padding():
    layers = keras().layers
    model = chain(
        layers.Rescaling(0.1), layers.ZeroPadding2D(1), layers.Conv2D(3, 3, padding="same"),
        shape=IMAGE,
    )  # fmt: skip
    folded = apply_pass(fold_rescaling, model)
    assert_same(model, folded)
    assert kinds(folded) == ["InputLayer", "ZeroPadding2D", "Conv2D"]


def test_rescaling_by_one_is_dropped():
    layers = keras().layers
    model = chain(layers.Rescaling(1.0), layers.ReLU(), shape=IMAGE)
    assert kinds(fold_rescaling(model)) == ["InputLayer", "ReLU"]


@pytest.mark.parametrize("value", [np.ones((8, 7, 4)), np.ones((7, 1)), np.ones(3)])
def test_factors_at_each_position_are_refused(value):
    model = chain(keras().layers.Rescaling(np.ones(4), name="r"), shape=IMAGE)
    model.layers[1].scale = value
    with pytest.raises(ConversionError, match=r"layer 'r' \(Rescaling\): scale has shape \("):
        fold_rescaling(model)
