"""Rebuilding Keras functional models: every pass returns a new model."""

import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann.description import Names
from nengo_tactile.ann.portable import float32
from nengo_tactile.conversion.reading import read
from nengo_tactile.errors import ConversionError


def functional(model):
    """Return ``model`` as a functional tf.keras model of layers alone, one input and one output.

    See `nengo_tactile.conversion.reading.read`.
    """
    return read(model)


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


def free_names(model):
    """Names for layers that a pass makes beside those of a model.

    Returns
    -------
    nengo_tactile.ann.description.Names
        ``names("conv1_relu")`` gives that, or a name near it where it is taken.
    """
    return Names(layer.name for layer in model.layers)


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
    config = {**layer.get_config(), "dtype": "float32", **settings}
    # weights are given below: drawing large ones at random takes seconds
    config |= {key: "zeros" for key in config if key.endswith("_initializer")}
    copy = layer.__class__.from_config(config)
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
    with float32():
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
