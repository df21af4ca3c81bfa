"""From what a user brings (an object of Keras 2 or 3, a file) to layers as plain data."""

from pathlib import Path

import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann import functions
from nengo_tactile.ann.keras2 import describe_keras2
from nengo_tactile.ann.keras3 import (
    compare_keras3,
    describe_keras3,
    difference,
    is_keras3,
    samples_for,
)
from nengo_tactile.ann.keras_files import describe_file
from nengo_tactile.ann.portable import keras_model, layers_of, outline, refusals
from nengo_tactile.conversion import support
from nengo_tactile.conversion.comparison import COARSE, is_coarse
from nengo_tactile.errors import ConversionError, ModelFileError

#: Largest difference of a model's output from that of what was read, in units of the largest.
TOLERANCE = 1e-4
#: Functions that pass values on in their order, as layers of `support.PASSING` do.
_PASSING_FUNCTIONS = ("reshape", "identity", "cast", "squeeze", "expand_dims")
#: Names that a message lists, of layers that are refused for the same reason.
_LISTED = 3


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
    if hasattr(model, "_orig_mod"):  # what torch.compile makes of a model
        raise ConversionError(
            f"model is a {kind}, compiled by torch: give the original, model._orig_mod"
        )
    raise ConversionError(
        f"model is a {kind}: give a Keras model or the path of a saved one (.keras or .h5)"
    )


def problems(description):
    """Why layers and functions of a model cannot be converted, as far as each one tells by itself.

    Parameters
    ----------
    description : nengo_tactile.ann.description.Description

    Returns
    -------
    dict of str to str
        Reason and remedy by name of the call, in the order of computation.
    """
    found, ends = refusals(description, support.remedy_of), end_of(description)
    for call in description.calls:
        if call.name in found or call.part.role == "input":
            continue
        text = _problem(call, call.name in ends)
        if text is not None:
            found[call.name] = text
    return {call.name: found[call.name] for call in description.calls if call.name in found}


def _problem(call, at_end):
    """Reason and remedy for a call that can be built, or None."""
    if call.part.role == "function":
        word = functions.canonical(call.kind)
        refused = word in support.INSTEAD and not at_end
        return f"activation {word!r} {support.INSTEAD[word]}" if refused else None
    word = call.part.config.get("activation")
    if isinstance(word, str) and not support.has_activation(word, at_end):
        return support.unknown_activation(word)
    try:
        return support.problem(outline(call), at_end)
    except ConversionError as error:
        return str(error).split(": ", 1)[1]


def told(description, found):
    """Problems in words: one line for each reason, which names the layers.

    Parameters
    ----------
    description : nengo_tactile.ann.description.Description
    found : dict of str to str
        From `problems`.

    Returns
    -------
    str
    """
    alike = {}
    for call in description.calls:
        if call.name in found:
            alike.setdefault((call.kind, call.part.role, found[call.name]), []).append(call)
    lines = []
    for (kind, role, text), calls in alike.items():
        if len(calls) == 1:
            lines.append(f"{calls[0].label}: {text}")
            continue
        names = ", ".join(f"'{call.name}'" for call in calls[:_LISTED])
        more = f" and {len(calls) - _LISTED} more" if len(calls) > _LISTED else ""
        what = "functions" if role == "function" else "layers"
        lines.append(f"{what} {names}{more} ({kind}): {text}")
    return "\n".join(lines)


def convertible(model):
    """Read a model that is to be converted: see `read`.

    Raises
    ------
    ConversionError
        Also for layers that no neuron or connection stands for, and weights that are not finite.
    ModelFileError
        The same for files, but for weights.
    """
    description = describe(model)
    found = problems(description)
    if not found:
        layers = compared(model, description)
        check_weights(layers)
        return layers
    if isinstance(model, str | Path):
        raise ModelFileError(f"{model}: {told(description, found)}")
    raise ConversionError(told(description, found))


def read(model):
    """Read a model of any form as layers alone.

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
    nengo_tactile.ann.layers.Layers

    Raises
    ------
    ConversionError
        For models and layers that cannot be read, one line each, naming the remedy.
    ModelFileError
        The same for files.
    """
    return compared(model, describe(model))


def functional(model):
    """`read` as a functional tf.keras model of layers alone."""
    return keras_model(read(model))


def plain(model):
    """The layers of a tf.keras model of conversion's own, which is as `read` reads it.

    Parameters
    ----------
    model : tf.keras.Model

    Returns
    -------
    nengo_tactile.ann.layers.Layers
    """
    return layers_of(describe_keras2(model))


def compared(model, description):
    """The layers of a description, compared with the model where that is an object.

    Parameters
    ----------
    model : tf.keras.Model, keras.Model or path
    description : nengo_tactile.ann.description.Description

    Returns
    -------
    nengo_tactile.ann.layers.Layers

    Raises
    ------
    ConversionError
        Also where their outputs differ.
    ModelFileError
        The same for files.
    """
    if isinstance(model, str | Path):
        try:
            return layers_of(description, support.remedy_of)
        except ConversionError as error:
            raise ModelFileError(f"{model}: {error}") from error
    layers = layers_of(description, support.remedy_of)
    if is_keras3(model):
        compare_keras3(model, layers)
        return layers
    x = samples_for(model, layers.input_shape)
    wanted = model(x, training=False).numpy().astype(np.float32)
    found = difference(wanted, layers.outputs(x))
    allowed = COARSE if is_coarse(model) else TOLERANCE
    if not found <= allowed:
        raise ConversionError(
            f"model '{model.name}': its output differs by {found:.3g} of the largest value from "
            f"that of its layers one by one, at most {allowed:g} is allowed: a model or layer in "
            "it computes in a way of its own; build it from Keras's layers"
        )
    return layers


def check_weights(layers):
    """Refuse a model with weights that are not finite.

    Raises
    ------
    ConversionError
        With one line per layer: its name, type, the weight, where in it the first value stands
        that is NaN or infinite, and the remedy.
    """
    problems = []
    for layer in layers:
        for number, values in enumerate(layer.weights):
            bad = np.argwhere(~np.isfinite(values))
            if len(bad):
                index = tuple(bad[0].tolist())
                weight = layer.keras.weights[number].name.split("/")[-1].split(":")[0]
                problems.append(
                    f"{layer.label}: weight '{weight}' is {values[index]} at index {index} "
                    f"({len(bad)} of {values.size} values are not finite); train again, with a "
                    "lower learning rate, or load sound weights"
                )
                break
    if problems:
        raise ConversionError("\n".join(problems))


def is_keras2(model):
    """Whether an object is a tf.keras model."""
    return isinstance(model, stack.tensorflow().keras.Model)


def end_of(description):
    """Names of the calls behind which nothing but reshaping follows.

    Parameters
    ----------
    description : nengo_tactile.ann.description.Description

    Returns
    -------
    set of str
        The last of them may have an activation that becomes the read-out.
    """
    calls = {call.name: call for call in description.calls}
    found, name = set(), description.output
    while True:
        call = calls[name]
        found.add(name)
        passes = call.kind in support.PASSING or (
            call.kind == "Activation" and call.part.config.get("activation") == "linear"
        )
        if call.part.role == "function":
            passes = functions.canonical(call.kind) in _PASSING_FUNCTIONS
        if not passes or not call.sources:
            return found
        name = call.sources[0]
