"""Keras 3 models as tf.keras (Keras 2) models, which NengoDL needs."""

import json

from nengo_tactile.ann.portable import class_name, layer_configs, layer_name, model_from_config
from nengo_tactile.errors import ConversionError


def is_keras3(model):
    """Whether an object is a Keras 3 model (Keras need not be loaded to tell)."""
    return any(kind.__module__.split(".")[0] == "keras" for kind in type(model).__mro__)


def from_keras3(model):
    """Translate a Keras 3 model into a tf.keras model that computes the same.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential, built, of standard layers; it is not changed.

    Returns
    -------
    tf.keras.Model

    Raises
    ------
    ConversionError
        For other kinds of models and for layers that cannot be translated.
    """
    label = f"model '{getattr(model, 'name', '?')}'"
    if not getattr(model, "built", False):
        raise ConversionError(
            f"{label} has no input shape yet: add a keras.Input in front or call "
            "model.build(input_shape)"
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
    return model_from_config(
        architecture, lambda index, entry: model.get_layer(layer_name(entry)).get_weights()
    )
