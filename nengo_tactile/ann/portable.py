"""Keras models from plain data: an architecture as JSON values and weights as arrays.

Keras 2 and Keras 3 describe a model in nearly the same words. Both are read here, by an
allow-list: only the layers below are built, from the settings named below, so that nothing
a model file says is imported or executed (`tf.keras.models.load_model` imports any function
a file names).
"""

import math

from nengo_tactile import stack
from nengo_tactile.ann.clip_floor import clip_floor_layer
from nengo_tactile.ann.integrate_fire import rate_if_layer
from nengo_tactile.ann.lif import rate_lif_layer
from nengo_tactile.ann.sigma_delta import sigma_delta_layer
from nengo_tactile.errors import ConversionError, TactileError

#: Layers of this package, made on first use.
_OWN = {
    "RateLIF": rate_lif_layer,
    "RateIF": rate_if_layer,
    "ClipFloor": clip_floor_layer,
    "SigmaDelta": sigma_delta_layer,
}

_CONV = ("kernel_size", "strides", "padding", "data_format", "dilation_rate", "use_bias")
_FUSED = (*_CONV, "activation")
_WINDOW = ("pool_size", "strides", "padding", "data_format")
_GLOBAL = ("data_format", "keepdims")
_LIF = ("gain", "amplitude", "tau_rc", "tau_ref", "offset", "sigma")
_IF = ("gain", "amplitude", "reset", "negative_slope", "compensation", "start", "per_neuron")

#: Layer type -> the settings that decide what it computes. Initializers, regularizers and
#: constraints matter to training alone and are left behind.
SETTINGS = {
    "InputLayer": (),
    "Conv1D": ("filters", "groups", *_FUSED),
    "Conv2D": ("filters", "groups", *_FUSED),
    "DepthwiseConv1D": ("depth_multiplier", *_FUSED),
    "DepthwiseConv2D": ("depth_multiplier", *_FUSED),
    "SeparableConv1D": ("filters", "depth_multiplier", *_FUSED),
    "SeparableConv2D": ("filters", "depth_multiplier", *_FUSED),
    "Conv1DTranspose": ("filters", "output_padding", *_FUSED),
    "Conv2DTranspose": ("filters", "output_padding", *_FUSED),
    "Dense": ("units", "activation", "use_bias"),
    "AveragePooling1D": _WINDOW,
    "AveragePooling2D": _WINDOW,
    "MaxPooling1D": _WINDOW,
    "MaxPooling2D": _WINDOW,
    "GlobalAveragePooling1D": _GLOBAL,
    "GlobalAveragePooling2D": _GLOBAL,
    "GlobalMaxPooling1D": _GLOBAL,
    "GlobalMaxPooling2D": _GLOBAL,
    "ZeroPadding1D": ("padding",),
    "ZeroPadding2D": ("padding", "data_format"),
    "Cropping1D": ("cropping",),
    "Cropping2D": ("cropping", "data_format"),
    "UpSampling1D": ("size",),
    "UpSampling2D": ("size", "data_format", "interpolation"),
    "Flatten": ("data_format",),
    "Permute": ("dims",),
    "Reshape": ("target_shape",),
    "Add": (),
    "Subtract": (),
    "Average": (),
    "Concatenate": ("axis",),
    "Activation": ("activation",),
    "ReLU": ("max_value", "negative_slope", "threshold"),
    "LeakyReLU": ("alpha", "negative_slope"),
    "Softmax": ("axis",),
    "BatchNormalization": ("axis", "momentum", "epsilon", "center", "scale"),
    "Rescaling": ("scale", "offset"),
    "Normalization": ("axis", "mean", "variance", "invert"),
    "Dropout": ("rate",),
    "SpatialDropout1D": ("rate",),
    "SpatialDropout2D": ("rate", "data_format"),
    "GaussianNoise": ("stddev",),
    "GaussianDropout": ("rate",),
    "AlphaDropout": ("rate",),
    "ActivityRegularization": ("l1", "l2"),
    "Identity": (),
    "RateLIF": _LIF,
    "RateIF": _IF,
    "ClipFloor": ("levels",),
    "SigmaDelta": ("threshold", "rectify"),
}

#: Layer type -> what Keras 3 calls a setting, and Keras 2.
_RENAMED = {"LeakyReLU": {"negative_slope": "alpha"}}


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


def model_from_config(architecture, weights, remedy=lambda kind: None):
    """Build a tf.keras model from an architecture and its weights.

    Parameters
    ----------
    architecture : dict
        What ``json.loads(model.to_json())`` gives, from Keras 2 or Keras 3.
    weights : callable
        ``weights(index, entry)`` gives the list of arrays of layer number ``index``, in
        Keras's order (kernel, bias), or None to leave the layer's first weights.
    remedy : callable, optional
        ``remedy(kind)`` says for a layer type that is not built why, and what to use instead; None
        where it does not know.

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
    _check_kinds(entries, remedy)
    for entry in entries:
        _check_entry(entry)
    try:
        return _build(architecture, entries, weights)
    except TactileError:
        raise
    except Exception as error:  # Keras raises whatever its parts raise on odd settings
        raise ConversionError(
            f"the model's description is damaged ({_first_line(error)}): save the model again"
        ) from error


def _first_line(error):
    text = (str(error).strip().splitlines() or [""])[0][:300]
    return f"{type(error).__name__}: {text}"


def _parts(entry):
    """Type, label, configuration and number of uses of a layer."""
    try:
        n_uses = len(entry.get("inbound_nodes", ()))
        return class_name(entry), _label(entry), dict(entry["config"]), n_uses
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise ConversionError(
            f"a layer is {str(entry)[:80]!r}, wanted a type and a configuration: save the model "
            "again"
        ) from error


def _check_kinds(entries, remedy):
    """Refuse layers that are never built, with one line for each."""
    problems = []
    for entry in entries:
        kind, label, _, _ = _parts(entry)
        if kind in SETTINGS:
            continue
        known = remedy(kind)
        problems.append(
            f"{label} is never built from a description, whose code would have to be run: build "
            f"the model from standard layers that can be converted ({', '.join(SETTINGS)})"
            if known is None
            else f"{label}: {known}"
        )
    if problems:
        raise ConversionError("\n".join(problems))


def _check_entry(entry):
    kind, label, config, n_uses = _parts(entry)
    activation = config.get("activation", "linear")
    data_format = config.get("data_format", "channels_last")
    if data_format != "channels_last" and "data_format" not in SETTINGS[kind]:
        raise ConversionError(
            f"{label}: data_format is {data_format!r}, which Keras 2 does not have there; "
            "bring the channels to the last axis"
        )
    if not isinstance(activation, str):
        raise ConversionError(
            f"{label}: its activation is code, not a name: use activation='relu' or 'linear', "
            "with a ReLU or LeakyReLU as a layer behind it"
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
        made[name] = x = _call(tf, entry, x, weights(index, entry))
    outputs = [x] if sequential else [made[n] for n in _sources(config["output_layers"])]
    if len(outputs) != 1:
        raise ConversionError(
            f"the model has {len(outputs)} outputs, one is wanted: cut the part to convert out "
            "with a model of one output"
        )
    return tf.keras.Model(inputs, outputs[0], name=config.get("name", "model"))


def _input_shape(config):
    return config.get("batch_input_shape") or config["batch_shape"]


def _label(entry):
    return f"layer '{layer_name(entry)}' ({class_name(entry)})"


def _call(tf, entry, x, values):
    """Make a layer, call it and give it its weights."""
    kind = class_name(entry)
    try:
        home = _OWN[kind]() if kind in _OWN else getattr(tf.keras.layers, kind)
        layer = home(**_settings(kind, entry["config"]), name=layer_name(entry))
        output = layer(x)
    except Exception as error:  # Keras raises whatever its parts raise on odd settings
        raise ConversionError(
            f"{_label(entry)}: its description is damaged or not one of Keras 2 "
            f"({_first_line(error)}): save the model again, or use another setting"
        ) from error
    if values is None:
        return output
    wanted, got = [tuple(w.shape) for w in layer.weights], [tuple(v.shape) for v in values]
    if wanted != got:
        raise ConversionError(
            f"{_label(entry)}: its weights have the shapes {got}, its settings want {wanted}: "
            "architecture and weights belong to different models; save the model again"
        )
    layer.set_weights(values)
    return output


def _settings(kind, config):
    names = _RENAMED.get(kind, {})
    found = {key: _value(config[key]) for key in SETTINGS[kind] if key in config}
    return {names.get(key, key): value for key, value in found.items()}


def _value(value):
    """A setting, which is a number, a word or a list of them."""
    if isinstance(value, dict) and value.get("class_name") in ("__numpy__", "__tuple__"):
        inner = value.get("config", value.get("items"))  # arrays of Keras 3, tuples of Keras 2
        value = inner["value"] if isinstance(inner, dict) else inner
    if isinstance(value, (list, tuple)):
        return [_value(part) for part in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise ValueError(f"a setting is {str(value)[:80]}, wanted a finite number, a word or a list")


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
