"""Keras 3 models as tf.keras (Keras 2) models, which NengoDL needs."""

import json

import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann.portable import class_name, layer_configs, layer_name, model_from_config
from nengo_tactile.errors import ConversionError

#: Largest difference between the two models, in units of the largest value of a layer: what
#: rounding comes to in the coarsest type a layer computes in.
TOLERANCE = {"float64": 1e-4, "float32": 1e-4, "float16": 2e-2, "bfloat16": 0.1}


def is_keras3(model):
    """Whether an object is a Keras 3 model (Keras need not be loaded to tell)."""
    return any(kind.__module__.split(".")[0] == "keras" for kind in type(model).__mro__)


def from_keras3(model, remedy=lambda kind: None):
    """Translate a Keras 3 model into a tf.keras model that computes the same.

    The two are compared on random input.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential, built, of standard layers; it is not changed.
    remedy : callable, optional
        See `nengo_tactile.ann.portable.model_from_config`.

    Returns
    -------
    tf.keras.Model

    Raises
    ------
    ConversionError
        For other kinds of models, for layers that cannot be translated and for the first layer
        whose output differs, by name.
    """
    label = f"model '{getattr(model, 'name', '?')}'"
    if not getattr(model, "built", False):
        raise ConversionError(
            f"{label} has no input shape yet: add a keras.Input in front or call "
            "model.build(input_shape)"
        )
    shape = getattr(model, "input_shape", None)
    if isinstance(shape, tuple) and None in shape[1:]:
        raise ConversionError(
            f"{label} takes inputs of shape {shape[1:]}: a spiking network has a fixed number of "
            "neurons; build it with a fixed input shape"
        )
    try:
        architecture = json.loads(model.to_json())
        layers = layer_configs(architecture)
    except (NotImplementedError, TypeError, ConversionError) as error:
        raise ConversionError(
            f"{label} ({type(model).__name__}) cannot be described by its layers: write it as a "
            "functional model, keras.Model(inputs, outputs)"
        ) from error
    for entry in layers:
        entry["class_name"] = class_name(entry)
    translated = model_from_config(
        architecture, lambda index, entry: model.get_layer(layer_name(entry)).get_weights(), remedy
    )
    _compare(model, translated)
    return translated


def _compare(model, translated):
    """Refuse a translation that computes something else, naming the layer that begins it."""
    shape = translated.input_shape[1:]
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    tolerance = max(TOLERANCE.get(layer.compute_dtype, 0) for layer in model.layers)
    if _difference(_output(model, x), translated(x).numpy()) <= tolerance:
        return
    import keras

    tf = stack.tensorflow()
    for layer in translated.layers[1:]:
        original = model.get_layer(layer.name)
        wanted = _output(keras.Model(model.inputs[0], original.output), x)
        got = tf.keras.Model(translated.inputs, layer.output)(x).numpy()
        difference = _difference(wanted, got)
        if not difference <= tolerance:
            raise ConversionError(
                f"layer '{layer.name}' ({type(original).__name__}): its output in Keras 3 and in "
                f"Keras 2 differs by {difference:.3g} of the largest value, at most {tolerance:g} "
                "is allowed; write it with other standard layers"
            )
    raise ConversionError(
        f"model '{model.name}' gives another output in Keras 2, though each of its layers gives "
        "the same: give every layer one input and one output"
    )


def _output(model, x):
    import keras

    # a functional model takes a tensor, a list or a dict, as it was made; a sequential one has
    # no such property
    inputs = keras.tree.map_structure(lambda _: x, getattr(model, "input", x))
    (output,) = keras.tree.flatten(model(inputs, training=False))
    return keras.ops.convert_to_numpy(output).astype(np.float32)


def _difference(wanted, got):
    """Largest difference in units of the largest value; values that are not finite count too."""
    if wanted.shape != got.shape:
        return np.inf
    alike = (wanted == got) | (np.isnan(wanted) & np.isnan(got))
    if alike.all():
        return 0.0
    top = np.abs(wanted[np.isfinite(wanted)]).max(initial=0.0)
    return float((np.abs(wanted - got)[~alike]).max() / max(top, np.finfo(np.float32).tiny))
