"""Keras models from plain data: an architecture as JSON values and weights as arrays.

Keras 2 and Keras 3 describe a model in nearly the same words. Both are read here, by an
allow-list: only the layers below are built, from the settings named below, so that nothing
a model file says is imported or executed (`tf.keras.models.load_model` imports any function
a file names).
"""

from nengo_tactile import stack
from nengo_tactile.ann.lif import rate_lif_layer
from nengo_tactile.errors import ConversionError, TactileError

_WINDOW = ("pool_size", "strides", "padding", "data_format")
_LIF = ("gain", "amplitude", "tau_rc", "tau_ref", "offset", "sigma")

#: Layer type -> the settings that decide what it computes. Initializers, regularizers and
#: constraints matter to training alone and are left behind.
SETTINGS = {
    "InputLayer": (),
    "Conv2D": (
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "data_format",
        "dilation_rate",
        "groups",
        "activation",
        "use_bias",
    ),
    "Dense": ("units", "activation", "use_bias"),
    "AveragePooling2D": _WINDOW,
    "MaxPooling2D": _WINDOW,
    "GlobalAveragePooling2D": ("data_format", "keepdims"),
    "Flatten": ("data_format",),
    "Activation": ("activation",),
    "ReLU": ("max_value", "negative_slope", "threshold"),
    "Softmax": ("axis",),
    "Dropout": ("rate",),
    "SpatialDropout2D": ("rate", "data_format"),
    "GaussianNoise": ("stddev",),
    "BatchNormalization": ("axis", "momentum", "epsilon", "center", "scale"),
    "Add": (),
    "Concatenate": ("axis",),
    "ZeroPadding2D": ("padding", "data_format"),
    "RateLIF": _LIF,
}


def layer_configs(architecture):
    """The layers of a sequential or functional architecture, as a list of dicts.

    Raises
    ------
    ConversionError
        If it is neither.
    """
    try:
        kind, layers = architecture["class_name"], architecture["config"]["layers"]
        if kind in ("Functional", "Model", "Sequential") and isinstance(layers, list):
            return layers
    except (TypeError, KeyError):
        kind = None
    raise ConversionError(
        f"the model is a {kind or 'thing without layers'}: save a functional or sequential model "
        "of standard layers"
    )


def layer_name(entry):
    """Name of a layer in `layer_configs`."""
    return str(entry["config"]["name"])


def class_name(entry):
    """Layer type without the package it was registered under ("nengo_tactile>RateLIF")."""
    return str(entry["class_name"]).rsplit(">", 1)[-1]


def model_from_config(architecture, weights):
    """Build a tf.keras model from an architecture and its weights.

    Parameters
    ----------
    architecture : dict
        What ``json.loads(model.to_json())`` gives, from Keras 2 or Keras 3.
    weights : callable
        ``weights(index, entry)`` gives the list of arrays of layer number ``index``, in
        Keras's order (kernel, bias), or None to leave the layer's first weights.

    Returns
    -------
    tf.keras.Model
        A functional model with the layers' names.

    Raises
    ------
    ConversionError
        For layers that are not built from data, layers used twice and models with several
        inputs, naming the layer, and for damaged architectures.
    """
    entries = layer_configs(architecture)
    for entry in entries:
        _check_entry(entry)
    try:
        return _build(architecture, entries, weights)
    except TactileError:
        raise
    except Exception as error:  # Keras raises whatever its parts raise on odd settings
        first = (str(error).strip().splitlines() or [""])[0][:300]
        raise ConversionError(
            f"the model's description is damaged ({type(error).__name__}: {first}): save the "
            "model again"
        ) from error


def _check_entry(entry):
    try:
        kind, label = class_name(entry), f"layer '{layer_name(entry)}' ({entry['class_name']})"
        activation = entry["config"].get("activation", "linear")
        n_uses = len(entry.get("inbound_nodes", ()))
    except (TypeError, KeyError, AttributeError) as error:
        raise ConversionError(
            f"a layer is {str(entry)[:80]!r}, wanted a type and a configuration: save the model "
            "again"
        ) from error
    if kind not in SETTINGS:
        raise ConversionError(
            f"{label} is never built from a description, whose code would have to be run: build "
            f"the model from standard layers ({', '.join(SETTINGS)})"
        )
    if not isinstance(activation, str):
        raise ConversionError(
            f"{label}: its activation is code, not a name: use activation='relu' or 'linear'"
        )
    if n_uses > 1:
        raise ConversionError(f"{label} is used {n_uses} times: give each use a layer of its own")


def _build(architecture, entries, weights):
    tf = stack.tensorflow()
    made, shape = {}, None
    config = architecture["config"]
    sequential = architecture["class_name"] == "Sequential"
    if sequential and class_name(entries[0]) != "InputLayer":
        shape = config.get("build_input_shape") or _input_shape(entries[0]["config"])
        inputs = x = tf.keras.Input(tuple(shape[1:]), name="input")
    for index, entry in enumerate(entries):
        name = layer_name(entry)
        if class_name(entry) == "InputLayer":
            if shape is not None:
                raise ConversionError(
                    f"layer '{name}' (InputLayer) is a second input, one is wanted: cut the part "
                    "to convert out with a model of one input"
                )
            shape = _input_shape(entry["config"])
            made[name] = inputs = x = tf.keras.Input(tuple(shape[1:]), name=name)
            continue
        if not sequential:
            arguments = [made[source] for source in _sources(entry["inbound_nodes"])]
            x = arguments[0] if len(arguments) == 1 else arguments
        layer = _layer(tf, entry)
        made[name] = x = layer(x)
        values = weights(index, entry)
        if values is not None:
            layer.set_weights(values)
    outputs = [x] if sequential else [made[n] for n in _sources(config["output_layers"])]
    if len(outputs) != 1:
        raise ConversionError(
            f"the model has {len(outputs)} outputs, one is wanted: cut the part to convert out "
            "with a model of one output"
        )
    return tf.keras.Model(inputs, outputs[0], name=config.get("name", "model"))


def _input_shape(config):
    return config.get("batch_input_shape") or config["batch_shape"]


def _layer(tf, entry):
    kind, config = class_name(entry), entry["config"]
    settings = {key: config[key] for key in SETTINGS[kind] if key in config}
    home = rate_lif_layer() if kind == "RateLIF" else getattr(tf.keras.layers, kind)
    return home(**settings, name=layer_name(entry))


def _sources(data):
    """Names of the layers that a piece of graph description points at, in order.

    Keras 2 writes ``[name, node, tensor, {}]``; Keras 3 writes ``[name, node, tensor]`` for
    outputs and ``{"class_name": "__keras_tensor__", ...}`` for inputs.
    """
    if isinstance(data, dict):
        if data.get("class_name") == "__keras_tensor__":
            return [str(data["config"]["keras_history"][0])]
        return [name for value in data.values() for name in _sources(value)]
    if isinstance(data, (list, tuple)):
        if len(data) >= 3 and isinstance(data[0], str) and isinstance(data[1], int):
            return [data[0]]
        return [name for value in data for name in _sources(value)]
    return []
