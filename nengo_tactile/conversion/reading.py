"""From what a user brings (an object of Keras 2 or 3, a file) to one flat tf.keras model."""

from pathlib import Path

import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann.keras2 import describe_keras2, is_flat
from nengo_tactile.ann.keras3 import compare_keras3, describe_keras3, difference, is_keras3, samples_for
from nengo_tactile.ann.keras_files import describe_file
from nengo_tactile.ann.portable import build
from nengo_tactile.conversion import support
from nengo_tactile.errors import ConversionError, ModelFileError

#: Largest difference of a model's output from that of what was read, in units of the largest.
TOLERANCE = 1e-4
#: The same, where the model computes in 16 bits.
COARSE = 0.1


def describe(model):
    """Describe a model of any form, before any of it is built.

    Parameters
    ----------
    model : tf.keras.Model, keras.Model or path
        Functional or sequential, built; or a .keras or .h5 file.

    Returns
    -------
    nengo_tactile.ann.description.Description

    Raises
    ------
    ConversionError
        For other kinds of models, naming the remedy.
    ModelFileError
        For files that cannot be read.
    """
    if isinstance(model, str | Path):
        return describe_file(model)
    if is_keras3(model):
        return describe_keras3(model)
    if is_keras2(model):
        return describe_keras2(model)
    kind = f"{type(model).__module__}.{type(model).__name__}"
    raise ConversionError(
        f"model is a {kind}: give a Keras model or the path of a saved one (.keras or .h5)"
    )


def read(model):
    """Read a model of any form as a functional tf.keras model of layers alone.

    Models inside the model are replaced by their layers, which keep their names where those are
    free and else get the inner model's name in front; functions by the layers that do the same; a
    layer that is called several times by several of the same weights. All compute in float32.
    Objects are compared with what was read, on two random samples.

    Parameters
    ----------
    model : tf.keras.Model, keras.Model or path
        It is not changed.

    Returns
    -------
    tf.keras.Model
        One that is already such a model is returned as it is.

    Raises
    ------
    ConversionError
        For models and layers that cannot be read, one line each, naming the remedy.
    ModelFileError
        The same for files.
    """
    if is_keras2(model) and is_flat(model):
        return model
    description = describe(model)
    if isinstance(model, str | Path):
        try:
            return build(description, support.remedy_of)
        except ConversionError as error:
            raise ModelFileError(f"{model}: {error}") from error
    return built(model, description)


def built(model, description):
    """Build the description of an object, and compare the two.

    Parameters
    ----------
    model : tf.keras.Model or keras.Model
    description : nengo_tactile.ann.description.Description

    Returns
    -------
    tf.keras.Model

    Raises
    ------
    ConversionError
        Also where their outputs differ.
    """
    flat = build(description, support.remedy_of)
    if is_keras3(model):
        compare_keras3(model, flat)
        return flat
    x = samples_for(model, flat.input_shape[1:])
    found = difference(model(x, training=False).numpy().astype(np.float32), flat(x).numpy())
    allowed = COARSE if any("16" in str(la.compute_dtype) for la in _leaves(model)) else TOLERANCE
    if not found <= allowed:
        raise ConversionError(
            f"model '{model.name}': its output differs by {found:.3g} of the largest value from "
            f"that of its layers one by one, at most {allowed:g} is allowed: a model or layer in "
            "it computes in a way of its own; build it from Keras's layers"
        )
    return flat


def _leaves(model):
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _leaves(layer)
        else:
            yield layer


def is_keras2(model):
    """Whether an object is a tf.keras model."""
    return isinstance(model, stack.tensorflow().keras.Model)
