"""Keras models from plain data: an architecture as JSON values and weights as arrays.

Keras 2 and Keras 3 describe a model in nearly the same words. Both are read here, by an
allow-list: only the layers below are built, from the settings named below, so that nothing
a model file says is imported or executed (`tf.keras.models.load_model` imports any function
a file names).
"""

import contextlib
import math

import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann import functions
from nengo_tactile.ann.clip_floor import clip_floor_layer
from nengo_tactile.ann.configs import describe, part_of
from nengo_tactile.ann.description import Names, replaced
from nengo_tactile.ann.integrate_fire import rate_if_layer
from nengo_tactile.ann.lif import rate_lif_layer
from nengo_tactile.ann.sigma_delta import sigma_delta_layer
from nengo_tactile.errors import ConversionError, TactileError
from nengo_tactile.memory import check_fits, told

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
_IF = (
    *("gain", "amplitude", "reset", "negative_slope", "compensation", "clips", "signed"),
    *("spikes_per_step", "start", "per_neuron"),
)

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

#: Layers that change images while training, and pass them on at inference.
AUGMENTATION = (
    *("RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom", "RandomContrast"),
    "RandomBrightness",
)
SETTINGS |= dict.fromkeys(AUGMENTATION, ())
#: Layers that draw at random while training.
RANDOM = (
    *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "AlphaDropout"),
    *("GaussianNoise", "GaussianDropout", *AUGMENTATION),
)
#: Layers that may be another one's activation.
ACTIVATION_LAYERS = ("ReLU", "LeakyReLU", "Softmax", "Activation")

#: Layer type -> what Keras 3 calls a setting, and Keras 2.
_RENAMED = {"LeakyReLU": {"negative_slope": "alpha"}}


#: Weights from which on a layer's shapes are asked for before it is built.
_LARGE = 1 << 24


def model_from_config(architecture, weights=lambda path: None, remedy=lambda kind: None, most=None):
    """Build a tf.keras model from an architecture and its weights.

    Parameters
    ----------
    architecture : dict
        What ``json.loads(model.to_json())`` gives, from Keras 2 or Keras 3.
    weights : callable
        See `nengo_tactile.ann.configs.describe`.
    remedy, most : optional
        See `build`.

    Returns
    -------
    tf.keras.Model
        See `build`.

    Raises
    ------
    ConversionError
        See `build`; also for damaged architectures.
    """
    return build(describe(architecture, weights), remedy, most)


def refusals(description, remedy=lambda kind: None):
    """Why parts of a model are not built, before any of it is.

    Parameters
    ----------
    description : nengo_tactile.ann.description.Description
    remedy : callable, optional
        ``remedy(kind)`` says for a layer type that is not built why, and what to use instead; None
        where it does not know.

    Returns
    -------
    dict of str to str
        Reason and remedy by name of the call, those that can be built left out.
    """
    found = {call.name: _refusal(call, remedy) for call in description.calls}
    return {name: text for name, text in found.items() if text}


def _refusal(call, remedy):
    part = call.part
    if part.role == "input":
        return ""
    if part.problem:
        return part.problem
    if part.role == "function":
        return functions.problem_of(part.kind)
    if part.kind not in SETTINGS:
        return remedy(part.kind) or (
            "is never built from a description, whose code would have to be run: build "
            f"the model from standard layers that can be converted ({', '.join(SETTINGS)})"
        )
    return _call_problem(call) or _setting_problem(part)


def _call_problem(call):
    """Why a layer cannot be built as it is called."""
    if call.training and call.part.trainable and call.kind == "BatchNormalization":
        return (
            "is called with training=True, where it divides by what it measures on each batch; "
            "call it without, or with training=False"
        )
    if call.training and call.kind in RANDOM:
        return (
            "is called with training=True, where it draws at random for each sample; call it "
            "without, or with training=False"
        )
    if call.keywords:
        told = ", ".join(f"{key}={str(value)[:40]}" for key, value in call.keywords.items())
        return f"is called with {told}, which a spiking network has not; call it on its input alone"
    return ""


def _setting_problem(part):
    data_format = part.config.get("data_format", "channels_last")
    if data_format != "channels_last" and "data_format" not in SETTINGS[part.kind]:
        return (
            f"data_format is {data_format!r}, which Keras 2 does not have there; bring the "
            "channels to the last axis"
        )
    activation = part.config.get("activation", "linear")
    if isinstance(activation, str) or activation is None:
        return ""
    inner = activation_part(activation)
    if inner is None or inner.role != "layer" or inner.kind not in ACTIVATION_LAYERS:
        return (
            "its activation is code, or no activation of Keras's: use activation='relu' or "
            "'linear', with a ReLU or LeakyReLU as a layer behind it"
        )
    return ""


def activation_part(value):
    """The `Part` of a layer that is another one's activation; None for what is no layer."""
    if not isinstance(value, dict) or not isinstance(value.get("config"), dict):
        return None
    try:
        return part_of(value)
    except ConversionError:
        return None


def layer_of(call):
    """Make the layer of a call, which is not built yet.

    Parameters
    ----------
    call : nengo_tactile.ann.description.Call
        Of a layer on the list.

    Returns
    -------
    tf.keras.layers.Layer

    Raises
    ------
    ConversionError
        For settings that Keras 2 refuses.
    """
    try:
        with float32():
            return _made(call.kind, call.part.config, call.name)
    except Exception as error:  # Keras raises whatever its parts raise on odd settings
        raise _damaged_layer(call, error) from error


def _made(kind, config, name):
    tf = stack.tensorflow()
    if kind in AUGMENTATION:
        return tf.keras.layers.Identity(name=name)
    home = _OWN[kind]() if kind in _OWN else getattr(tf.keras.layers, kind)
    return home(**_settings(kind, config), name=name)


def _damaged_layer(call, error):
    return ConversionError(
        f"{call.label}: its description is damaged or not one of Keras 2 "
        f"({_first_line(error)}): save the model again, or use another setting"
    )


def _first_line(error):
    text = (str(error).strip().splitlines() or [""])[0][:300]
    return f"{type(error).__name__}: {text}"


def build(description, remedy=lambda kind: None, most=None):
    """Build a description as a tf.keras model, in float32.

    Parameters
    ----------
    description : nengo_tactile.ann.description.Description
    remedy : callable, optional
        See `refusals`.
    most : int, optional
        Numbers that there are for a layer's weights, where the description has none itself.

    Returns
    -------
    tf.keras.Model
        A functional model of layers alone, one for each call; functions become layers.

    Raises
    ------
    ConversionError
        For layers and functions that are not built, one line each, and for a layer whose weights or
        output are larger than what there is.
    """
    problems = refusals(description, remedy)
    if problems:
        calls = {call.name: call for call in description.calls}
        raise ConversionError(
            "\n".join(f"{calls[name].label}: {text}" for name, text in problems.items())
        )
    tf = stack.tensorflow()
    names = Names(call.name for call in description.calls)
    made = {}
    with float32():
        for call in description.calls:
            if call.part.role == "input":
                shape = call.part.config["shape"]
                made[call.name] = inputs = tf.keras.Input(shape, name=call.name, dtype="float32")
                continue
            made[call.name] = output = _output(call, made, names, most)
            size = 4 * math.prod(n or 1 for n in output.shape[1:])
            remedy = "give a smaller model"
            check_fits(f"{call.label}: its output for one sample", size, remedy, ConversionError)
        return tf.keras.Model(inputs, made[description.output], name=description.name)


def _output(call, made, names, most):
    arguments, keywords = replaced((call.arguments, call.keywords), lambda t: made[t.source])
    try:
        if call.part.role == "function":
            return functions.function_output(call, arguments, keywords, names)
        return _call(call, arguments[0] if len(arguments) == 1 else list(arguments), most)
    except TactileError:
        raise
    except Exception as error:  # Keras raises whatever its parts raise on odd settings
        raise _damaged_layer(call, error) from error


def _call(call, x, most):
    """Make a layer, call it and give it its weights."""
    values = None if call.kind in AUGMENTATION else call.part.weights()
    if _may_be_large(call, x):
        # in a graph variables take no memory
        with stack.tensorflow().Graph().as_default():
            layer = layer_of(call)
            layer.build(x.shape)
            _check_weights(call, layer, values, most)
    layer = layer_of(call)
    output = layer(x)
    if values is None:
        return output
    _check_weights(call, layer, values, most)
    layer.set_weights([np.asarray(value, np.float32) for value in values])
    return output


def _may_be_large(call, x):
    sizes = [call.part.config.get(key) for key in SETTINGS[call.kind]]
    sizes = [n for size in sizes for n in (size if isinstance(size, list | tuple) else [size])]
    sizes = [n for n in sizes if isinstance(n, int) and n > 0]
    shape = [] if isinstance(x, list) else x.shape[1:]
    return bool(shape) and math.prod(sizes) * math.prod(n or 1 for n in shape) > _LARGE


def _check_weights(call, layer, values, most):
    """Refuse weights of other shapes than a layer's settings want, and more than there are."""
    wanted = [tuple(weight.shape) for weight in layer.weights]
    got = None if values is None else [tuple(np.shape(value)) for value in values]
    if got is not None and wanted != got:
        raise ConversionError(
            f"{call.label}: its weights have the shapes {got}, its settings want {wanted}: "
            "architecture and weights belong to different models; save the model again"
        )
    size = sum(map(math.prod, wanted))
    if most is not None and size > most:
        raise ConversionError(
            f"{call.label}: its settings want {size:,} weights ({told(4 * size)}), there are "
            f"{most:,}: architecture and weights belong to different models; save the model again"
        )
    check_fits(f"{call.label}: its weights", 4 * size, "give a smaller model", ConversionError)


@contextlib.contextmanager
def float32():
    """Layers that are made meanwhile compute in float32, whatever precision Keras is set to."""
    tf = stack.tensorflow()
    mixed, backend = tf.keras.mixed_precision, tf.keras.backend
    policy, floats = mixed.global_policy(), backend.floatx()
    if policy.name == floats == "float32":
        yield
        return
    backend.set_floatx("float32")
    mixed.set_global_policy("float32")
    try:
        yield
    finally:
        backend.set_floatx(floats)
        # without a policy of its own Keras goes by the type of floats
        mixed.set_global_policy(None if policy.name == floats else policy)


def _settings(kind, config):
    names = _RENAMED.get(kind, {})
    found = {key: _setting(key, config[key]) for key in SETTINGS[kind] if key in config}
    return {names.get(key, key): value for key, value in found.items()}


def _setting(key, value):
    inner = activation_part(value) if key == "activation" else None
    return _value(value) if inner is None else _made(inner.kind, inner.config, inner.name)


def _value(value):
    """A setting, which is a number, a word or a list of them."""
    if isinstance(value, dict) and value.get("class_name") in ("__numpy__", "__tuple__"):
        inner = value.get("config", value.get("items"))  # arrays of Keras 3, tuples of Keras 2
        value = inner["value"] if isinstance(inner, dict) else inner
    if isinstance(value, (np.generic, np.ndarray)):  # of objects
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_value(part) for part in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise ValueError(f"a setting is {str(value)[:80]}, wanted a finite number, a word or a list")
