"""Model files of Keras 2 and Keras 3 are read as data; nothing in them is run."""

import json
import warnings
import zipfile

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nengo_tactile import stack
from nengo_tactile.ann.keras3 import is_keras3
from nengo_tactile.ann.lif import LIFParameters, rate_lif_layer
from nengo_tactile.ann.portable import model_from_config
from nengo_tactile.conversion.reading import functional
from nengo_tactile.errors import ConversionError, ModelFileError
from tests.support.damage import damaged

X = np.random.default_rng(1).normal(size=(5, 9, 8, 2)).astype(np.float32)


def branched(keras):
    """Every kind of layer that both Keras versions have, in one graph."""
    layers = keras.layers
    inputs = keras.Input((9, 8, 2))
    x = layers.Conv2D(3, (3, 2), strides=(2, 1), padding="same", activation="relu")(inputs)
    y = layers.Conv2D(3, 1, use_bias=False, strides=(2, 1))(inputs)
    y = layers.BatchNormalization(epsilon=0.01)(y)
    z = layers.ReLU(max_value=0.8)(layers.Add()([x, y]))
    z = layers.Concatenate()([z, layers.SpatialDropout2D(0.1)(x)])
    z = layers.ZeroPadding2D((0, 1))(layers.AveragePooling2D((2, 3), strides=1)(z))
    z = layers.MaxPooling2D(2, padding="same")(z)
    a = layers.GlobalAveragePooling2D()(z)
    b = layers.GaussianNoise(0.2)(layers.Flatten()(z))
    c = layers.Concatenate()([layers.Dense(4, activation="tanh")(b), a])
    c = layers.Activation("relu")(layers.Dense(4)(c))
    c = layers.Dropout(0.3)(layers.Dense(4, use_bias=False, activation="relu")(c))
    return keras.Model(inputs, layers.Softmax()(c))


def sequential(keras):
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((9, 8, 2)),
            layers.Conv2D(3, 3, activation="relu"),
            layers.Conv2D(2, 2),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(4, activation="relu"),
            layers.Dense(3),
        ]
    )


def randomised(model):
    rng = np.random.default_rng(2)
    model.set_weights(
        [rng.random(w.shape, np.float32) - 0.3 * (w.ndim > 1) for w in model.get_weights()]
    )
    return model


def output(model):
    return np.asarray(model(X, training=False))


def save(model, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras calls .h5 legacy
        model.save(path)
    return path


@pytest.mark.parametrize("make", [branched, sequential])
@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("version", [2, 3])
def test_files_compute_the_same(tmp_path, keras3, make, ending, version):
    keras = keras3 if version == 3 else stack.tensorflow().keras
    model = randomised(make(keras))
    loaded = functional(save(model, tmp_path / f"model.{ending}"))
    assert isinstance(loaded, stack.tensorflow().keras.Model)
    assert np.allclose(output(loaded), output(model), atol=1e-5)
    assert [w.shape for w in loaded.get_weights()] == [w.shape for w in model.get_weights()]


@pytest.mark.parametrize("make", [branched, sequential])
def test_keras_3_objects_compute_the_same(keras3, make):
    model = randomised(make(keras3))
    assert is_keras3(model) and not is_keras3(make(stack.tensorflow().keras))
    before = model.get_weights()
    for translated in (functional(model), functional(model)):
        assert np.allclose(output(translated), output(model), atol=1e-5)
    assert all((a == b).all() for a, b in zip(before, model.get_weights()))


def test_rate_lif_layers_come_back(tmp_path):
    keras = stack.tensorflow().keras
    lif = LIFParameters(3.0, 0.01, offset=0.2)
    inputs = keras.Input((9, 8, 2))
    x = rate_lif_layer()(**vars(lif), sigma=0.1)(keras.layers.Conv2D(2, 3)(inputs))
    model = keras.Model(inputs, x)
    for ending in ("keras", "h5"):
        loaded = functional(save(model, tmp_path / f"model.{ending}"))
        assert loaded.layers[-1].parameters == lif and loaded.layers[-1].sigma == 0.1
        assert np.allclose(output(loaded), output(model))


def test_sequential_without_input_layer(tmp_path):
    keras = stack.tensorflow().keras
    model = keras.Sequential([keras.layers.Flatten(input_shape=(9, 8, 2)), keras.layers.Dense(3)])
    loaded = functional(save(model, tmp_path / "model.keras"))
    assert np.allclose(output(loaded), output(model), atol=1e-6)


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("version", [2, 3])
def test_lambda_layers_are_refused_and_not_run(tmp_path, keras3, ending, version):
    keras = keras3 if version == 3 else stack.tensorflow().keras
    trace = tmp_path / "was run"

    def code(x, trace=str(trace)):
        open(trace, "w").close()
        return x

    inputs = keras.Input((9, 8, 2))
    layer = keras.layers.Lambda(code, output_shape=(9, 8, 2), name="evil")
    model = keras.Model(inputs, keras.layers.Flatten()(layer(inputs)))
    path = save(model, tmp_path / f"model.{ending}")
    trace.unlink(missing_ok=True)
    with pytest.raises(ModelFileError, match=r"layer 'evil' \(Lambda\)") as caught:
        functional(path)
    assert str(path) in str(caught.value) and not trace.exists()


@pytest.mark.parametrize("key", ["activation", "kernel_initializer", "kernel_regularizer"])
def test_functions_named_in_a_file_are_not_called(tmp_path, key):
    """Keras's own loader imports what such an entry names."""
    keras = stack.tensorflow().keras
    model = keras.Sequential([keras.Input((9, 8, 2)), keras.layers.Conv2D(1, 1, name="odd")])
    source, path = save(model, tmp_path / "good.keras"), tmp_path / "bad.keras"
    trace = tmp_path / "was run"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                config["config"]["layers"][1]["config"][key] = {
                    "module": "os",
                    "class_name": "function",
                    "config": "mkdir",
                    "registered_name": "mkdir",
                    "args": [str(trace)],
                }
                content = json.dumps(config)
            new.writestr(name, content)
    if key == "activation":
        with pytest.raises(ModelFileError, match=r"layer 'odd'.*activation is code"):
            functional(path)
    else:  # only what decides the output is read
        assert np.allclose(output(functional(path)), output(model), atol=1e-6)
    assert not trace.exists()


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    keras = stack.tensorflow().keras
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="only")])
    folder = tmp_path_factory.mktemp("models")
    return {e: save(model, folder / f"good.{e}") for e in ("keras", "h5")}


def test_missing_and_foreign_files(tmp_path, good):
    with pytest.raises(ModelFileError, match="no such file"):
        functional(tmp_path / "none.h5")
    with pytest.raises(ModelFileError, match="a folder, no model file"):
        functional(tmp_path)
    for content in (b"", b"text", b"PK\x05\x06" + bytes(18), good["h5"].read_bytes()[:1000]):
        path = tmp_path / "bad.h5"
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=r"bad\.h5: (is no readable HDF5|has no member)"):
            functional(path)
    h5py.File(tmp_path / "weights.h5", "w").close()
    with pytest.raises(ModelFileError, match="holds no architecture, perhaps weights alone"):
        functional(tmp_path / "weights.h5")


@pytest.mark.parametrize("ending", ["keras", "h5"])
@given(st.data())
@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_damaged_files_load_or_are_refused(ending, good, tmp_path, data):
    path = tmp_path / "damaged"
    path.write_bytes(damaged(data, good[ending].read_bytes(), most=20))
    try:
        loaded = functional(path)
    except ModelFileError as error:
        assert "damaged" in str(error)
    else:
        assert loaded.output_shape[0] is None


def description(layers, **changes):
    """A functional architecture; each layer reads the one before."""
    entries, before = [], None
    for kind, config in layers:
        nodes = [] if before is None else [[[before, 0, 0, {}]]]
        before = config["name"]
        entries.append({"class_name": kind, "config": config, "inbound_nodes": nodes})
    config = {"layers": entries, "output_layers": [[before, 0, 0]], **changes}
    return {"class_name": "Functional", "config": config}


INPUT = ("InputLayer", {"name": "in", "batch_input_shape": [None, 4]})
DENSE = ("Dense", {"name": "d", "units": 2})


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ([], "thing without layers"),
        ({"class_name": "Model", "config": {}}, "thing without layers"),
        ({"class_name": "Custom", "config": {"layers": []}}, "Custom"),
        ({"class_name": "Functional", "config": {"layers": [3]}}, "a layer is '3'"),
        (description([INPUT, ("GRU", {"name": "g"})]), r"layer 'g' \(GRU\): is never built"),
        (description([INPUT, ("Functional", {"name": "f", "layers": []})]), "damaged"),
        (description([INPUT, ("Dense", {"name": "d", "units": -1})]), "damaged"),
        (description([INPUT, ("Dense", {"name": "d"})]), "damaged"),
        (description([INPUT, INPUT]), "2 inputs"),
        (description([INPUT, DENSE], output_layers=[["no", 0, 0]]), "damaged"),
        (description([INPUT, DENSE], output_layers=[["d", 0, 0], ["in", 0, 0]]), "2 outputs"),
    ],
)
def test_descriptions_that_are_refused(architecture, message):
    with pytest.raises(ConversionError, match=message):
        model_from_config(architecture, lambda path: None)


@pytest.mark.parametrize("form", ["object", "keras", "h5"])
@pytest.mark.parametrize("version", [2, 3])
def test_layers_used_twice_become_two_of_the_same_weights(tmp_path, keras3, version, form):
    keras = keras3 if version == 3 else stack.tensorflow().keras
    inputs = keras.Input((9, 8, 2))
    twin, pool = keras.layers.Conv2D(2, 3, padding="same", name="twin"), keras.layers.MaxPooling2D()
    model = randomised(keras.Model(inputs, pool(twin(pool(twin(inputs))))))
    flat = functional(model if form == "object" else save(model, tmp_path / f"m.{form}"))
    assert [layer.name for layer in flat.layers][1::2] == ["twin", "twin_2"]
    assert np.allclose(output(flat), output(model), atol=1e-5)


def test_keras_3_models_without_a_graph_are_refused(keras3):
    class Own(keras3.Model):
        def call(self, x):
            return x

    own = Own(name="own")
    with pytest.raises(ConversionError, match="model 'own' has no input shape"):
        functional(own)
    own.build((None, 3))
    with pytest.raises(ConversionError, match=r"'own'.*functional model"):
        functional(own)
    with pytest.raises(ConversionError, match="no input shape"):
        functional(keras3.Sequential([keras3.layers.Dense(2)]))
