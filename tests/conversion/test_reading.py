"""What users bring is read as what it computes, or refused by name: objects and files alike."""

import warnings

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.conversion import reading
from nengo_tactile.conversion.check import check
from nengo_tactile.conversion.comparison import compare
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.neurons import IF
from nengo_tactile.conversion.reading import functional
from nengo_tactile.errors import ConversionError, ModelFileError
from tests.support.passes import read_out_of
from tests.support.random_models import keras, randomised

SHAPE = (8, 8, 3)
X = np.random.default_rng(0).normal(size=(16, *SHAPE)).astype(np.float32)


def either(version, keras3):
    return keras3 if version == 3 else stack.tensorflow().keras


def forms(model, folder):
    """The model as an object and as files."""
    yield model
    for ending in ("keras", "h5"):
        path = folder / f"model.{ending}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras calls .h5 legacy
            model.save(path)
        yield path


def output(model):
    return np.asarray(model(X, training=False)).astype(np.float32)


def assert_same(model, flat):
    wanted = output(model)
    assert np.abs(output(flat) - wanted).max() <= 1e-5 * np.abs(wanted).max()


def backbone(k):
    """A functional model of branches, with batch normalisation."""
    la, i = k.layers, k.Input(SHAPE)
    x = la.ReLU(name="r")(la.BatchNormalization(name="n")(la.Conv2D(4, 3, name="c")(i)))
    y = la.Conv2D(4, 1, name="d")(x)
    return k.Model(i, la.Add(name="a")([x, y]), name="backbone")


def transfer(k):
    base = backbone(k)
    i = k.Input(SHAPE)
    x = k.layers.GlobalAveragePooling2D()(base(k.layers.Rescaling(2.0)(i), training=False))
    return k.Model(i, k.layers.Dense(3, name="c")(x))


def in_sequential(k):
    block = k.Sequential([k.Input((6, 6, 4)), k.layers.Conv2D(2, 1, activation="relu")], name="s")
    la = k.layers
    return k.Sequential([k.Input(SHAPE), backbone(k), block, la.Flatten(), la.Dense(2)])


def three_deep(k):
    inner = k.Sequential([k.Input((6, 6, 4)), k.layers.Conv2D(4, 3, activation="relu")], name="in")
    i = k.Input(SHAPE)
    middle = k.Model(i, inner(backbone(k)(i)), name="middle")
    return k.Sequential([k.Input(SHAPE), middle, k.layers.Flatten(), k.layers.Dense(2)])


def siamese(k):
    base, i = backbone(k), k.Input(SHAPE)
    x = k.layers.Subtract()([base(i), base(k.layers.ReLU()(i))])
    return k.Model(i, k.layers.Dense(2)(k.layers.Flatten()(x)))


def operators(k):
    i = k.Input(SHAPE)
    x = k.layers.Conv2D(4, 3, activation="relu")(i / 255 * 2 - 1)
    y = k.layers.Conv2D(4, 1)(x)
    x = 1.0 - (x + y) + np.arange(4, dtype=np.float32) - (x - y)
    return k.Model(i, k.layers.Dense(2)(k.layers.Flatten()(k.layers.ReLU()(-x))))


@pytest.mark.parametrize("make", [transfer, in_sequential, three_deep, siamese, operators])
@pytest.mark.parametrize("version", [2, 3])
def test_models_are_read_as_they_compute(tmp_path, keras3, version, make):
    model = randomised(make(either(version, keras3)))
    for form in forms(model, tmp_path):
        flat = functional(form)
        assert not any(isinstance(layer, keras().Model) for layer in flat.layers)
        assert_same(model, flat)


def test_frozen_parts_keep_their_weights(tmp_path, keras3):
    """An .h5 file lists weights of frozen layers in another order."""
    for k in (keras(), keras3):
        base = backbone(k)
        base.get_layer("c").trainable = False
        i = k.Input(SHAPE)
        model = randomised(k.Model(i, k.layers.Flatten()(base(i))))
        for form in forms(model, tmp_path):
            assert_same(model, functional(form))


def functions_of(tf):
    return {
        "relu": lambda x: tf.nn.relu(x),
        "relu6": lambda x: tf.nn.relu6(x),
        "leaky": lambda x: tf.nn.leaky_relu(x, 0.3),
        "mean": lambda x: tf.reduce_mean(x, [1, 2]),
        "mean kept": lambda x: tf.reduce_mean(x, (2, 1), keepdims=True),
        "concat": lambda x: tf.concat([x, 2.0 * x], -1),
        "reshape": lambda x: tf.reshape(x, (-1, 6, 24)),
        "transpose": lambda x: tf.transpose(x, (0, 2, 1, 3)),
        "channels": lambda x: x[..., ::-1],
        "some channels": lambda x: x[:, :, :, 1:3],
        "bias": lambda x: tf.nn.bias_add(x, tf.constant([1.0, -2, 3, 0])),
        "cast": lambda x: tf.cast(x, tf.float32),
        "both": lambda x: tf.math.add(x, y=tf.math.negative(x) / 4),
    }


@pytest.mark.parametrize("name", functions_of(None))
def test_functions_of_tensorflow_are_read_as_layers(name):
    k = keras()
    i = k.Input(SHAPE)
    x = functions_of(stack.tensorflow())[name](k.layers.Conv2D(4, 3)(i))
    model = randomised(k.Model(i, k.layers.Dense(2)(k.layers.Flatten()(x))))
    assert_same(model, functional(model))
    assert check(model).ok == (name in ("relu", "relu6", "leaky"))  # else nothing spikes


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "mean", "concatenate", "reshape", "item"])
def test_functions_of_keras_3_are_read_as_layers(tmp_path, keras3, name):
    ops = keras3.ops
    make = {
        "relu": ops.relu,
        "leaky_relu": lambda x: ops.leaky_relu(x, negative_slope=0.1),
        "mean": lambda x: ops.mean(x, axis=(1, 2)),
        "concatenate": lambda x: ops.concatenate([x, x * 2], axis=-1),
        "reshape": lambda x: ops.reshape(x, (-1, 6, 24)),
        "item": lambda x: x[..., 1:3],
    }[name]
    i = keras3.Input(SHAPE)
    x = keras3.layers.Flatten()(make(keras3.layers.Conv2D(4, 3)(i)))
    model = randomised(keras3.Model(i, keras3.layers.Dense(2)(x)))
    for form in (model, *list(forms(model, tmp_path))[1:2]):
        assert_same(model, functional(form))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda tf, x: tf.math.exp(x), "no layer here does the same"),
        (lambda tf, x: tf.abs(x), "Subtract and two ReLUs"),
        (lambda tf, x: x * x, "not multiplied"),
        (lambda tf, x: x / (x + 1.0), "divides by a tensor"),
        (lambda tf, x: x + np.ones((6, 1, 1), np.float32), r"shape \(6, 1, 1\).*4 channels"),
        (lambda tf, x: tf.reduce_mean(x, -1), r"axes \(3,\)"),
        (lambda tf, x: x[:, 1:3], "Cropping2D"),
        (lambda tf, x: tf.concat([x, x], 0), "axis is 0"),
        (lambda tf, x: tf.cast(tf.cast(x, "int32"), "float32"), "casts to int32"),
    ],
)
def test_other_functions_are_refused_by_name(function, words):
    k = keras()
    i = k.Input(SHAPE)
    x = function(stack.tensorflow(), k.layers.Conv2D(4, 3, activation="relu")(i))
    model = k.Model(i, k.layers.Dense(2)(k.layers.Flatten()(x)))
    with pytest.raises(ConversionError, match=rf"function 'tf[^']*' \(tf\..*{words}"):
        convert(model, X, IF())
    assert not check(model).ok


def leaky_relu(x):
    return stack.tensorflow().nn.leaky_relu(x, alpha=0.01)


def relu(x):
    return stack.tensorflow().clip_by_value(x, 0.0, 0.3)


@pytest.mark.parametrize("function", [leaky_relu, relu, lambda x: x])
@pytest.mark.parametrize("version", [2, 3])
def test_functions_called_like_keras_s_are_refused(keras3, version, function):
    k = either(version, keras3)
    la = k.layers
    conv = la.Conv2D(4, 3, activation=function, name="own")
    model = k.Sequential([k.Input(SHAPE), conv, la.Flatten(), la.Dense(2)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras 3 cannot describe a lambda
        with pytest.raises(ConversionError, match=r"layer 'own' \(Conv2D\).*"):
            convert(model, X, IF())
        assert [row.name for row in check(model).layers if row.remedy] == ["own"]


def test_functions_of_keras_and_tensorflow_are_known_by_identity(keras3):
    tf, k = stack.tensorflow(), keras()
    for function in (tf.nn.relu, k.activations.relu, "relu"):
        assert check(
            k.Sequential([k.Input((4,)), k.layers.Dense(3, activation=function), k.layers.Dense(2)])
        ).ok
    for function in (keras3.activations.relu, keras3.ops.relu, tf.nn.relu):
        la = keras3.layers
        hidden = la.Dense(3, activation=function)
        assert check(keras3.Sequential([keras3.Input((4,)), hidden, la.Dense(2)])).ok


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("kind", ["Conv2D", "Identity", "BatchNormalization", "ReLU"])
def test_classes_called_like_keras_s_are_refused(tmp_path, keras3, version, kind):
    k = either(version, keras3)

    def call(self, x):
        return x * 3.0

    own = type(kind, (k.layers.Layer,), {"call": call})
    la = k.layers
    model = k.Sequential([k.Input(SHAPE), own(name="own"), la.ReLU(), la.Flatten(), la.Dense(2)])
    model.save(tmp_path / "m.keras")
    for form in (model, tmp_path / "m.keras"):
        with pytest.raises((ConversionError, ModelFileError), match=r"'own'.*a class of its own"):
            convert(form, X, IF())


def test_models_with_a_call_of_their_own_are_refused():
    class Twice(keras().Model):
        def call(self, x, training=None, mask=None):
            return 2 * super().call(x, training=training, mask=mask)

    i = keras().Input(SHAPE)
    base = backbone(keras())
    twice = Twice(base.inputs, base.outputs, name="twice")
    with pytest.raises(ConversionError, match=r"model 'twice'.*a way of its own"):
        functional(twice)
    outer = keras().Model(i, keras().layers.Flatten()(twice(i)))
    with pytest.raises(ConversionError, match=r"layer 'twice' \(Twice\).*class of its own"):
        functional(outer)


@pytest.mark.parametrize("kind", ["BatchNormalization", "Dropout", "GaussianNoise", "RandomFlip"])
def test_training_true_is_refused(kind):
    la = keras().layers
    options = {"Dropout": [0.5], "GaussianNoise": [0.5]}.get(kind, [])
    i = keras().Input(SHAPE)
    x = getattr(la, kind)(*options, name="it")(la.Conv2D(4, 3)(i), training=True)
    model = keras().Model(i, la.Dense(2)(la.Flatten()(la.ReLU()(x))))
    with pytest.raises(ConversionError, match=rf"layer 'it' \({kind}\): is called with training="):
        convert(model, X, IF())
    inner = keras().Model(i, getattr(la, kind)(*options, name="it")(la.Conv2D(4, 3)(i)))
    model = keras().Model(i, la.Dense(2)(la.Flatten()(la.ReLU()(inner(i, training=True)))))
    with pytest.raises(ConversionError, match=rf"layer 'it' \({kind}\): is called with training="):
        convert(model, X, IF())


def test_frozen_batch_normalisation_does_not_train():
    la, i = keras().layers, keras().Input(SHAPE)
    norm = la.BatchNormalization(trainable=False)
    x = la.ReLU()(norm(la.Conv2D(4, 3)(i), training=True))
    model = randomised(keras().Model(i, la.Dense(2)(la.Flatten()(x))))
    assert_same(model, functional(model))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float64"])
def test_the_precision_that_is_set_does_not_matter(policy):
    mixed, la = keras().mixed_precision, keras().layers
    model = randomised(
        keras().Sequential(
            [
                keras().Input(SHAPE),
                la.Conv2D(4, 3, dtype="float32"),
                la.BatchNormalization(dtype="float32"),
                la.ReLU(dtype="float32"),
                la.Flatten(dtype="float32"),
                la.Dense(2, dtype="float32"),
            ]
        )
    )
    plain = convert(model, X, IF()).ann
    mixed.set_global_policy(policy)
    try:
        ann = convert(model, X, IF()).ann
        assert mixed.global_policy().name == policy
    finally:
        mixed.set_global_policy(None)
    assert {layer.compute_dtype for layer in ann.layers} == {"float32"}
    assert np.array_equal(ann(X), plain(X))


@pytest.mark.parametrize("name", ["dense 1", "größe", "fc:1", "_fc", "fc(1)"])
def test_names_that_tensorflow_has_not_are_changed(tmp_path, keras3, name):
    la = keras3.layers
    model = keras3.Sequential(
        [keras3.Input((4,)), la.Dense(5, "relu", name=name), la.Dense(2, name="dense_1")]
    )
    x = np.random.default_rng(0).random((16, 4), np.float32)
    for form in (model, *list(forms(model, tmp_path))[1:2]):
        snn = convert(form, x, IF(percentile=100))
        assert len(snn.spiking_layers) == 1 and "dense_1" in [la.name for la in snn.ann.layers]
        assert np.allclose(snn.ann(x), np.asarray(model(x)), atol=1e-5)


@pytest.mark.parametrize(
    "names", [("conv1", "conv1_relu"), ("conv", "conv_relu"), ("one_relu", "one")]
)
def test_names_that_passes_make_are_free(names):
    la = keras().layers
    model = randomised(
        keras().Sequential(
            [
                keras().Input(SHAPE),
                la.SeparableConv2D(4, 3, activation="relu", name=names[0]),
                la.Conv2D(4, 1, activation="relu", name=f"{names[0]}_depthwise"),
                la.BatchNormalization(name=names[1]),
                la.Conv2D(4, 1, activation="relu", name=f"{names[0]}_scale"),
                la.Flatten(name=f"{names[0]}_shortcut"),
                la.Dense(2),
            ]
        )
    )
    assert check(model).ok
    snn = convert(model, X, IF(percentile=100))
    assert np.allclose(snn.ann(X), model(X), atol=1e-4 * np.abs(model(X)).max())


def test_integers_are_read(keras3):
    la = keras3.layers
    model = keras3.Sequential(
        [
            keras3.Input(SHAPE, dtype="uint8"),
            la.Rescaling(1 / 255),
            la.Conv2D(4, 3, activation="relu"),
            la.Flatten(),
            la.Dense(2),
        ]
    )
    x = np.random.default_rng(0).integers(0, 256, (8, *SHAPE)).astype(np.uint8)
    snn = convert(model, x, IF(percentile=100))
    assert np.allclose(snn.ann(x), np.asarray(model(x)), atol=1e-5)


def test_quantised_models_and_those_with_lora_are_told_apart(keras3):
    la = keras3.layers

    def model():
        return keras3.Sequential(
            [keras3.Input((6,)), la.Dense(5, "relu", name="d"), la.Dense(2, name="e")]
        )

    quantised = model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantised.quantize("int8")
    assert "quantised (int8)" in check(quantised).layers[1].remedy
    adapted, x = model(), np.random.default_rng(0).random((8, 6), np.float32)
    adapted.get_layer("d").enable_lora(2)
    lora = adapted.get_layer("d").lora_kernel_b
    lora.assign(np.full(lora.shape, 0.1))
    adapted.get_layer("d").bias.assign(np.ones(5))
    snn = convert(adapted, x, IF(percentile=100))
    assert np.allclose(snn.ann(x), np.asarray(adapted(x)), atol=1e-5)


def test_saved_model_folders_say_what_to_do(tmp_path):
    model = keras().Sequential([keras().Input((4,)), keras().layers.Dense(2)])
    stack.tensorflow().saved_model.save(model, str(tmp_path / "saved"))
    with pytest.raises(ModelFileError, match=r"SavedModel folder.*model\.save\('model\.keras'\)"):
        check(tmp_path / "saved")


def test_a_wrong_pass_is_found_on_calibration_samples(monkeypatch):
    la = keras().layers
    model = randomised(
        keras().Sequential(
            [keras().Input(SHAPE), la.Conv2D(4, 3, activation="relu"), la.Flatten(), la.Dense(2)]
        )
    )
    layers = reading.read(model)
    read_out = read_out_of(model)[0]
    assert compare(model, layers, layers, read_out, X) < 1e-6

    def larger(layer, inputs):
        return layer.changed(inputs, [1.01 * weight for weight in layer.weights])

    wrong = layers.rebuilt(larger)
    with pytest.raises(ConversionError, match=r"differs by 0\.0.* at most 0\.001"):
        compare(model, layers, wrong, read_out, X)
    found = check(model, X)
    assert found.difference < 1e-6 and "its rates differ by" in " ".join(str(found).split())


def test_failures_of_tensorflow_are_named(monkeypatch):
    tf = stack.tensorflow()
    message = "Graph execution error:\n\nStatus: 2, message: could not create a primitive, in file"

    def fail(*arguments, **options):
        raise tf.errors.AbortedError(None, None, message)

    monkeypatch.setattr("nengo_tactile.conversion.neurons.lif.tune", fail)
    la = keras().layers
    model = keras().Sequential([keras().Input((4,)), la.Dense(3, "relu"), la.Dense(2)])
    x = np.random.default_rng(0).random((8, 4), np.float32)
    with pytest.raises(ConversionError, match=r"Aborted.*primitive.*TF_ENABLE_ONEDNN_OPTS=0"):
        convert(model, x)


def test_the_types_of_keras_are_as_they_were():
    """A policy that was not set stays unset: layers go on by the type of floats."""
    la, backend = keras().layers, keras().backend
    model = keras().Sequential([keras().Input((4,)), la.Dense(3, "relu"), la.Dense(2)])
    x = np.random.default_rng(0).random((8, 4), np.float32)
    convert(model, x, IF())
    backend.set_floatx("float64")
    try:
        convert(model, x, IF())
        assert la.Dense(2).compute_dtype == "float64"
    finally:
        backend.set_floatx("float32")
    assert la.Dense(2).compute_dtype == "float32"


@pytest.mark.parametrize("word", ["hard_swish", "celu", "glu", "squareplus"])
def test_activations_that_only_keras_3_has_are_refused_by_name(keras3, word):
    la = keras3.layers
    model = keras3.Sequential(
        [keras3.Input((4,)), la.Dense(6), la.Activation(word, name="it"), la.Dense(2)]
    )
    (remedy,) = [row.remedy for row in check(model).layers if row.remedy]
    assert remedy.startswith("activation '") and "use 'relu'" in remedy
