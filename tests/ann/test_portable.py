"""Every layer that is converted is built from data, of Keras 2 and 3, and computes the same."""

import json
import warnings

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.ann import portable, settings
from nengo_tactile.ann.clip_floor import clip_floor_layer
from nengo_tactile.ann.integrate_fire import rate_if_layer
from nengo_tactile.ann.lif import rate_lif_layer
from nengo_tactile.ann.sigma_delta import sigma_delta_layer
from nengo_tactile.conversion.reading import functional
from nengo_tactile.errors import ConversionError, ModelFileError

IMAGE, SEQUENCE, FEATURES = (8, 6, 4), (8, 4), (6,)

#: name -> (input shape, maker); ``two`` merging layers get the input and a Dense of it.
LAYERS = {
    "Conv1D": (SEQUENCE, lambda la: la.Conv1D(6, 3, padding="same", activation="relu6")),
    "Conv1D causal": (SEQUENCE, lambda la: la.Conv1D(3, 3, padding="causal", use_bias=False)),
    "Conv2D": (IMAGE, lambda la: la.Conv2D(3, (2, 3), dilation_rate=2, activation="leaky_relu")),
    "Conv2D grouped": (IMAGE, lambda la: la.Conv2D(6, 2, groups=2, strides=(1, 2))),
    "DepthwiseConv1D": (SEQUENCE, lambda la: la.DepthwiseConv1D(3, depth_multiplier=2)),
    "DepthwiseConv2D": (IMAGE, lambda la: la.DepthwiseConv2D(3, 2, "same", depth_multiplier=2)),
    "SeparableConv1D": (SEQUENCE, lambda la: la.SeparableConv1D(3, 3, depth_multiplier=2)),
    "SeparableConv2D": (IMAGE, lambda la: la.SeparableConv2D(3, 3, 2, activation="relu")),
    "Conv1DTranspose": (SEQUENCE, lambda la: la.Conv1DTranspose(3, 3, 2, padding="same")),
    "Conv2DTranspose": (IMAGE, lambda la: la.Conv2DTranspose(3, 3, 2, output_padding=1)),
    "Dense": (IMAGE, lambda la: la.Dense(3, activation="relu")),
    "AveragePooling1D": (SEQUENCE, lambda la: la.AveragePooling1D(3, 2, "same")),
    "AveragePooling2D": (IMAGE, lambda la: la.AveragePooling2D((3, 2), padding="same")),
    "MaxPooling1D": (SEQUENCE, lambda la: la.MaxPooling1D(3, 2, "same")),
    "MaxPooling2D": (IMAGE, lambda la: la.MaxPooling2D((2, 3), 1)),
    "GlobalAveragePooling1D": (SEQUENCE, lambda la: la.GlobalAveragePooling1D(keepdims=True)),
    "GlobalAveragePooling2D": (IMAGE, lambda la: la.GlobalAveragePooling2D()),
    "GlobalMaxPooling1D": (SEQUENCE, lambda la: la.GlobalMaxPooling1D()),
    "GlobalMaxPooling2D": (IMAGE, lambda la: la.GlobalMaxPooling2D(keepdims=True)),
    "ZeroPadding1D": (SEQUENCE, lambda la: la.ZeroPadding1D((1, 2))),
    "ZeroPadding2D": (IMAGE, lambda la: la.ZeroPadding2D(((1, 2), (0, 3)))),
    "Cropping1D": (SEQUENCE, lambda la: la.Cropping1D((1, 2))),
    "Cropping2D": (IMAGE, lambda la: la.Cropping2D(((1, 2), (0, 3)))),
    "UpSampling1D": (SEQUENCE, lambda la: la.UpSampling1D(3)),
    "UpSampling2D": (IMAGE, lambda la: la.UpSampling2D((2, 3))),
    "UpSampling2D bilinear": (IMAGE, lambda la: la.UpSampling2D(2, interpolation="bilinear")),
    "Flatten": (IMAGE, lambda la: la.Flatten()),
    "Permute": (IMAGE, lambda la: la.Permute((2, 1, 3))),
    "Reshape": (IMAGE, lambda la: la.Reshape((-1, 2))),
    "Add": (IMAGE, lambda la: la.Add()),
    "Subtract": (IMAGE, lambda la: la.Subtract()),
    "Average": (IMAGE, lambda la: la.Average()),
    "Concatenate": (IMAGE, lambda la: la.Concatenate(axis=-1)),
    "Activation": (FEATURES, lambda la: la.Activation("relu6")),
    "Activation leaky": (FEATURES, lambda la: la.Activation("leaky_relu")),
    "ReLU": (FEATURES, lambda la: la.ReLU(max_value=0.7, negative_slope=0.1)),
    "LeakyReLU": (FEATURES, lambda la: la.LeakyReLU(0.25)),
    "Softmax": (FEATURES, lambda la: la.Softmax()),
    "BatchNormalization": (IMAGE, lambda la: la.BatchNormalization(epsilon=0.1, scale=False)),
    "Rescaling": (IMAGE, lambda la: la.Rescaling(0.1, offset=-3)),
    "Rescaling channels": (IMAGE, lambda la: la.Rescaling([1.0, 2, 3, 4], np.arange(4.0))),
    "Normalization": (IMAGE, lambda la: la.Normalization()),
    "Normalization given": (
        FEATURES,
        lambda la: la.Normalization(mean=np.arange(6.0), variance=list(range(1, 7)), invert=True),
    ),
    "Dropout": (FEATURES, lambda la: la.Dropout(0.4)),
    "SpatialDropout1D": (SEQUENCE, lambda la: la.SpatialDropout1D(0.4)),
    "SpatialDropout2D": (IMAGE, lambda la: la.SpatialDropout2D(0.4)),
    "GaussianNoise": (FEATURES, lambda la: la.GaussianNoise(0.5)),
    "GaussianDropout": (FEATURES, lambda la: la.GaussianDropout(0.4)),
    "AlphaDropout": (FEATURES, lambda la: la.AlphaDropout(0.4)),
    "ActivityRegularization": (FEATURES, lambda la: la.ActivityRegularization(0.1)),
    "Identity": (FEATURES, lambda la: la.Identity()),
    "RandomFlip": (IMAGE, lambda la: la.RandomFlip("horizontal")),
    "RandomRotation": (IMAGE, lambda la: la.RandomRotation(0.1)),
    "RandomTranslation": (IMAGE, lambda la: la.RandomTranslation(0.1, 0.2)),
    "RandomZoom": (IMAGE, lambda la: la.RandomZoom(0.1)),
    "RandomContrast": (IMAGE, lambda la: la.RandomContrast(0.1)),
    "RandomBrightness": (IMAGE, lambda la: la.RandomBrightness(0.1)),
}
OWN = {
    "RateLIF": lambda: rate_lif_layer()(2.0, 0.01, offset=0.3),
    "RateIF": lambda: rate_if_layer()(
        *(2.0, 0.5),
        **{"negative_slope": 0.5, "start": 0.1, "per_neuron": True, "clips": True},
        **{"signed": True, "spikes_per_step": 2},
    ),
    "ClipFloor": lambda: clip_floor_layer()(4),
    "SigmaDelta": lambda: sigma_delta_layer()(0.75, rectify=False),
}
MERGING = ("Add", "Subtract", "Average", "Concatenate")


def model_of(keras, kind):
    shape, make = LAYERS[kind]
    layer, rng = make(keras.layers), np.random.default_rng(0)
    inputs = keras.Input(shape)
    x = [inputs, keras.layers.Dense(shape[-1], name="other")(inputs)] if kind in MERGING else inputs
    model = keras.Model(inputs, layer(x))
    if kind == "Normalization":
        layer.adapt(rng.normal(3, 2, size=(50, *shape)))
    else:
        model.set_weights([0.2 + rng.random(w.shape) for w in model.get_weights()])
    return model


def output(model):
    x = np.random.default_rng(1).normal(size=(3, *model.input_shape[1:])).astype(np.float32)
    return np.asarray(model(x, training=False))


def check_same(model, other):
    wanted = output(model)
    assert np.abs(output(other) - wanted).max() <= 1e-5 * np.abs(wanted).max()
    assert [layer.name for layer in other.layers] == [layer.name for layer in model.layers]


@pytest.mark.parametrize("kind", LAYERS)
def test_layers_of_keras_3(keras3, kind):
    model = model_of(keras3, kind)
    config = keras3.layers.Conv2DTranspose(1, 1).get_config()
    if kind == "Conv2DTranspose" and "output_padding" not in config:
        # Keras 3.12 forgets it, in its own files too
        with pytest.raises(ConversionError, match=r"\(Conv2DTranspose\): its output in Keras 3"):
            functional(model)
        return
    check_same(model, functional(model))


@pytest.mark.parametrize("kind", LAYERS)
def test_layers_of_keras_2(kind):
    model = model_of(stack.tensorflow().keras, kind)
    weights = {(layer.name,): layer.get_weights() for layer in model.layers}
    built = portable.model_from_config(json.loads(model.to_json()), weights.get)
    check_same(model, built)


@pytest.mark.parametrize("kind", OWN)
def test_own_layers(kind):
    keras = stack.tensorflow().keras
    model = keras.Sequential([keras.Input(FEATURES), OWN[kind]()])
    rng = np.random.default_rng(0)
    weights = [0.2 + rng.random(w.shape) for w in model.get_weights()]
    built = portable.model_from_config(json.loads(model.to_json()), lambda path: weights)
    model.set_weights(weights)
    assert np.array_equal(output(built), output(model))
    for one, other in zip(built.get_weights(), model.get_weights()):
        assert np.array_equal(one, other)
    assert built.layers[-1].get_config() == model.layers[-1].get_config()


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_all_kinds_of_weights_from_files(tmp_path, keras3, ending, version):
    keras = keras3 if version == 3 else stack.tensorflow().keras
    for kind in ("Conv1D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose",
                 "SeparableConv1D", "Normalization", "Normalization given", "Rescaling channels",
                 "BatchNormalization", "LeakyReLU"):  # fmt: skip
        path, model = tmp_path / f"{kind}.{ending}", model_of(keras, kind)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras calls .h5 legacy
            model.save(path)
        if version == 3:  # Keras 3.12 loses an option
            model = keras.models.load_model(path, compile=False)
        check_same(model, functional(path))


def test_every_layer_of_the_list_is_tried():
    tried = {kind.split()[0] for kind in LAYERS} | set(OWN)
    assert tried == set(settings.SETTINGS) - {"InputLayer"}


def description(kind, shape=FEATURES, **config):
    layers = [
        {"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [None, *shape]}},
        {"class_name": kind, "config": {"name": "bad", **config}},
    ]
    return {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        (description("LSTM", units=2), r"\(LSTM\): is never built.*Conv2D, .*Rescaling"),
        (description("Dense", units=2, activation="celu"), r"\(Dense\).*'celu'"),
        (description("Dense", units={"class_name": "Lambda"}), r"\(Dense\).*Lambda"),
        (description("Rescaling", scale=float("nan")), r"\(Rescaling\).*nan.*finite number"),
        (description("RateIF", gain=-1.0), r"\(RateIF\).*gain is -1"),
        (description("Permute", dims=[3, 1]), r"\(Permute\).*damaged"),
        (
            description("ZeroPadding1D", SEQUENCE, data_format="channels_first"),
            r"\(ZeroPadding1D\): data_format is 'channels_first'.*last axis",
        ),
    ],
)
def test_the_layer_that_cannot_be_built_is_named(architecture, message):
    with pytest.raises(ConversionError, match=rf"layer 'bad' {message}"):
        portable.model_from_config(architecture, lambda path: None)


def test_callers_say_what_to_use_instead():
    """One line for each layer; what they do not know is said to be never built."""
    architecture = description("PReLU")
    layers = architecture["config"]["layers"]
    layers += [{"class_name": kind, "config": {"name": kind.lower()}} for kind in ("Own", "Dense")]
    said = {"PReLU": "use a ReLU", "Dense": "not asked for"}
    with pytest.raises(ConversionError) as caught:
        portable.model_from_config(architecture, lambda path: None, said.get)
    first, second = str(caught.value).splitlines()
    assert first == "layer 'bad' (PReLU): use a ReLU"
    assert second.startswith("layer 'own' (Own): is never built") and "Conv2D" in second


@pytest.mark.parametrize("arrays", [[], [np.zeros((6, 2))], [np.zeros((5, 2)), np.zeros(2)]])
def test_weights_that_do_not_fit_are_named(arrays):
    architecture = description("Dense", units=2)
    message = r"layer 'bad' \(Dense\): its weights have the shapes .*settings want \[\(6, 2\), \(2"
    with pytest.raises(ConversionError, match=message):
        portable.model_from_config(architecture, lambda path: arrays)


def test_a_layer_for_inputs_of_no_dimensions_is_named():
    architecture = description("Conv2D", (), filters=2, kernel_size=3)
    with pytest.raises(ConversionError, match=r"layer 'bad' \(Conv2D\)"):
        portable.model_from_config(architecture, lambda path: [np.zeros((3, 3, 1, 2)), np.zeros(2)])


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_file_with_weights_of_another_model(tmp_path, keras3, ending, version):
    import io
    import zipfile

    import h5py

    keras = keras3 if version == 3 else stack.tensorflow().keras
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras calls .h5 legacy
        for units in (2, 3):
            model = keras.Sequential(
                [keras.Input(FEATURES), keras.layers.Dense(units, name="bad")], name="m"
            )
            model.save(tmp_path / f"{units}.{ending}")
    path = tmp_path / f"mixed.{ending}"
    two, three = tmp_path / f"2.{ending}", tmp_path / f"3.{ending}"
    if ending == "keras":
        with zipfile.ZipFile(path, "w") as new:
            for source, name in ((two, "config.json"), (three, "model.weights.h5")):
                with zipfile.ZipFile(source) as old:
                    new.writestr(name, old.read(name))
    else:
        content = io.BytesIO(three.read_bytes())
        with h5py.File(content, "r+") as file, h5py.File(two, "r") as other:
            file.attrs["model_config"] = other.attrs["model_config"]
        path.write_bytes(content.getvalue())
    with pytest.raises(ModelFileError, match=r"mixed.*layer 'bad' \(Dense\).*\(6, 3\).*\(6, 2\)"):
        functional(path)


@pytest.mark.parametrize("given", ["weights", "most"])
def test_layers_larger_than_their_weights_are_not_built(given):
    keras = stack.tensorflow().keras
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, name="small")])
    config = json.loads(model.to_json())
    config["config"]["layers"][-1]["config"]["units"] = 2_000_000_000
    weights = {("small",): model.get_weights()} if given == "weights" else {}
    most = 21 if given == "most" else None
    words = "settings want .*2000000000|14,000,000,000 weights .56.0 GB., there are 21"
    with pytest.raises(ConversionError, match=f"'small' .*{words}"):
        portable.model_from_config(config, weights.get, most=most)


def test_outputs_larger_than_memory_are_refused():
    keras = stack.tensorflow().keras
    model = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.UpSampling2D(name="up")])
    config = json.loads(model.to_json())
    config["config"]["layers"][-1]["config"]["size"] = [1_000_000, 1_000_000]
    with pytest.raises(ConversionError, match=r"'up' .*output for one sample needs 144\.0 TB"):
        portable.model_from_config(config)
