"""Rebuilding Keras functional models: every pass returns a new model."""

from pathlib import Path

import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann.keras3 import from_keras3, is_keras3
from nengo_tactile.ann.keras_files import load_keras
from nengo_tactile.conversion import support
from nengo_tactile.errors import ConversionError


def functional(model):
    """Return ``model`` as a functional tf.keras model with one input and one output.

    Models inside the model are replaced by their layers (in float32), which keep their names
    where those are free and else get the inner model's name in front.

    Parameters
    ----------
    model : tf.keras.Model, keras.Model or path
        Functional or sequential, built. A Keras 3 model is translated, a .keras or .h5 file read.

    Returns
    -------
    tf.keras.Model

    Raises
    ------
    ConversionError
        For other kinds of models, naming the remedy.
    ModelFileError
        For files that cannot be read.
    """
    if isinstance(model, str | Path):
        model = load_keras(model, support.remedy_of)
    elif is_keras3(model):
        model = from_keras3(model, support.remedy_of)
    model = _inline(_graph(model))
    if None in model.input_shape[1:]:
        raise ConversionError(
            f"model '{model.name}' takes inputs of shape {model.input_shape[1:]}: a spiking "
            "network has a fixed number of neurons; build it with a fixed input shape"
        )
    return model


def _graph(model):
    """A tf.keras model of any kind as a functional one."""
    tf = stack.tensorflow()
    if not isinstance(model, tf.keras.Model):
        kind = f"{type(model).__module__}.{type(model).__name__}"
        raise ConversionError(
            f"model is a {kind}: give a Keras model or the path of a saved one (.keras or .h5)"
        )
    if isinstance(model, tf.keras.Sequential):
        if not model.built:
            raise ConversionError(
                f"model '{model.name}' has no input shape yet: add a tf.keras.Input in front or "
                "call model.build(input_shape)"
            )
        taken = {layer.name for layer in model.layers}
        name = next(n for n in ("input", "image", "network_input", None) if n not in taken)
        x = inputs = tf.keras.Input(model.input_shape[1:], name=name)
        for layer in model.layers:
            x = layer(x) if isinstance(layer, tf.keras.Model) else copy_layer(layer, [x])
        model = tf.keras.Model(inputs, x, name=model.name)
    if not hasattr(model, "_nodes_by_depth"):
        raise ConversionError(
            f"model '{model.name}' is a subclass of tf.keras.Model whose layers cannot be traced: "
            "write it as a functional model, tf.keras.Model(inputs, outputs)"
        )
    for kind, tensors in (("inputs", model.inputs), ("outputs", model.outputs)):
        if len(tensors) != 1:
            raise ConversionError(
                f"model '{model.name}' has {len(tensors)} {kind}, one is wanted: "
                "cut the part to convert out with tf.keras.Model(input, output)"
            )
    return model


def _inline(model):
    """Replace the models inside a functional model by their layers."""
    inner_models = [layer for layer in model.layers if _is_model(layer)]
    if not inner_models:
        return model
    taken = {layer.name for layer in model.layers}

    def replace(layer, inputs):
        if not _is_model(layer):
            return None
        return _run(_graph(layer), inputs[0], lambda inner, x: renamed(layer, inner, x))

    def renamed(outer, inner, inputs):
        if _is_model(inner):
            return _run(_graph(inner), inputs[0], lambda part, x: renamed(inner, part, x))
        name = inner.name if inner.name not in taken else f"{outer.name}_{inner.name}"
        taken.add(name)
        return copy_layer(inner, inputs, name=name)

    return rebuild(model, replace)


def _is_model(layer):
    return isinstance(layer, stack.tensorflow().keras.Model)


def walk(model):
    """Yield ``(layer, input tensors, output tensor)`` in the order of computation.

    Raises
    ------
    ConversionError
        If a layer is used several times (its copies would have to share weights).
    """
    tf = stack.tensorflow()
    seen = set()
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.is_input:
                continue
            if node.layer.name in seen:
                raise ConversionError(
                    f"layer '{node.layer.name}' ({type(node.layer).__name__}) is used more than "
                    "once: give each use a layer of its own"
                )
            seen.add(node.layer.name)
            yield node.layer, tf.nest.flatten(node.keras_inputs), node.outputs


def copy_layer(layer, inputs, weights=None, **settings):
    """Call a float32 copy of a layer on new inputs.

    Parameters
    ----------
    layer : tf.keras.layers.Layer
    inputs : list of tensors
    weights : list of array, optional
        By default those of ``layer``.
    **settings
        Entries of its config that change, such as ``name``.

    Returns
    -------
    tensor
        The copy's output.
    """
    copy = layer.__class__.from_config({**layer.get_config(), "dtype": "float32", **settings})
    output = copy(inputs[0] if len(inputs) == 1 else inputs)
    copy.set_weights(layer.get_weights() if weights is None else weights)
    return output


def rebuild(model, replace):
    """Make a new functional model, layer by layer.

    Parameters
    ----------
    model : tf.keras.Model
        A functional model; it is not changed.
    replace : callable
        ``replace(layer, inputs) -> output`` on new tensors; returns None to copy the layer.

    Returns
    -------
    tf.keras.Model
    """
    tf = stack.tensorflow()
    new_input = tf.keras.Input(model.inputs[0].shape[1:], name=model.input_names[0])
    return tf.keras.Model(new_input, _run(model, new_input, replace), name=model.name)


def _run(model, x, replace):
    """Call copies of a functional model's layers, or what ``replace`` gives, on a tensor."""
    new = {id(model.inputs[0]): x}
    for layer, inputs, output in walk(model):
        arguments = [new[id(tensor)] for tensor in inputs]
        result = replace(layer, arguments)
        new[id(output)] = copy_layer(layer, arguments) if result is None else result
    return new[id(model.outputs[0])]


def consumers(model):
    """Names of the layers that read each layer's output, {name: [name]}."""
    readers = {model.layers[0].name: []}
    made_by = {id(model.inputs[0]): model.layers[0].name}
    for layer, inputs, output in walk(model):
        readers.setdefault(layer.name, [])
        made_by[id(output)] = layer.name
        for tensor in inputs:
            readers[made_by[id(tensor)]].append(layer.name)
    return readers


def check_weights(model):
    """Refuse a model with weights that are not finite.

    Raises
    ------
    ConversionError
        With one line per layer: its name, type, the weight, where in it the first value stands
        that is NaN or infinite, and the remedy.
    """
    problems = []
    for layer in functional(model).layers:
        for variable in layer.weights:
            values = variable.numpy()
            bad = np.argwhere(~np.isfinite(values))
            if len(bad):
                index = tuple(bad[0].tolist())
                weight = variable.name.split("/")[-1].split(":")[0]
                problems.append(
                    f"layer '{layer.name}' ({type(layer).__name__}): weight '{weight}' is "
                    f"{values[index]} at index {index} ({len(bad)} of {values.size} values are "
                    "not finite); train again, with a lower learning rate, or load sound weights"
                )
                break
    if problems:
        raise ConversionError("\n".join(problems))
