"""The layers that are built from plain data, and the settings that decide what each computes.

An allow-list: only the layers below are built, from the settings named below, so that nothing a
model file says is imported or executed (`tf.keras.models.load_model` imports any function a file
names).
"""

import contextlib
import math

import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann.clip_floor import clip_floor_layer
from nengo_tactile.ann.configs import part_of
from nengo_tactile.ann.integrate_fire import rate_if_layer
from nengo_tactile.ann.keras2 import known_function
from nengo_tactile.ann.lif import rate_lif_layer
from nengo_tactile.ann.sigma_delta import sigma_delta_layer
from nengo_tactile.errors import ConversionError

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
    *("spikes_per_step", "start", "per_neuron", "shift_steps"),
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


def activation_part(value):
    """The `Part` of a layer that is another one's activation; None for what is no layer."""
    if not isinstance(value, dict) or not isinstance(value.get("config"), dict):
        return None
    try:
        return part_of(value)
    except ConversionError:
        return None


def made(kind, config, name):
    """Make a layer of Keras 2, in float32, which is not built yet.

    Parameters
    ----------
    kind : str
        Of `SETTINGS`.
    config : dict
        Its settings in the words of Keras 2 or 3; others are left out.
    name : str

    Returns
    -------
    tf.keras.layers.Layer
    """
    with float32():
        return _made(kind, config, name)


def _made(kind, config, name):
    layers = stack.tensorflow().keras.layers
    if kind in AUGMENTATION:
        return layers.Identity(name=name)
    home = _OWN[kind]() if kind in _OWN else getattr(layers, kind)
    return home(**_settings(kind, config), name=name)


def settings_of(layer):
    """All settings of a layer of Keras 2 that decide what it computes, in Keras 2's words.

    Parameters
    ----------
    layer : tf.keras.layers.Layer

    Returns
    -------
    dict
        An activation is a name, or a dict where it is a layer.
    """
    config = layer.get_config()
    words = [key for key in SETTINGS[type(layer).__name__] if key in config]
    found = {key: _plain(config[key]) for key in words}
    word = known_function(getattr(layer, "activation", None))
    return found if word is None else {**found, "activation": word}


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


def _plain(value):
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value


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
    value = _plain(value)
    if isinstance(value, (list, tuple)):
        return [_value(part) for part in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise ValueError(f"a setting is {str(value)[:80]}, wanted a finite number, a word or a list")
