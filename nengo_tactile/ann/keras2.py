"""tf.keras (Keras 2) models as descriptions, with every class and function known by identity."""

import functools

from nengo_tactile import stack
from nengo_tactile.ann.configs import OWN_PACKAGE
from nengo_tactile.ann.description import Graph, Part, Tensor, flat
from nengo_tactile.errors import ConversionError

_FUNCTIONS = ("TFOpLambda", "SlicingOpLambda")


def describe_keras2(model):
    """Read a tf.keras model.

    Parameters
    ----------
    model : tf.keras.Model
        Functional or sequential, built; it is not changed.

    Returns
    -------
    nengo_tactile.ann.description.Description

    Raises
    ------
    ConversionError
        For other kinds of models, naming the remedy.
    """
    return flat(model.name, _graph(model))


def _graph(model):
    """The `Graph` of a tf.keras model."""
    tf = stack.tensorflow()
    if isinstance(model, tf.keras.Sequential):
        return _chain(model)
    if not hasattr(model, "_nodes_by_depth"):
        raise ConversionError(
            f"model '{model.name}' is a subclass of tf.keras.Model whose layers cannot be traced: "
            "write it as a functional model, tf.keras.Model(inputs, outputs)"
        )
    calls = []
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            given = [Tensor(id(tensor)) for tensor in tf.nest.flatten(node.outputs)]
            arguments, keywords = _tensors((tuple(node.call_args), dict(node.call_kwargs)))
            if node.is_input:
                arguments, keywords = (), {}
            calls.append((_part(node.layer), arguments, keywords, given))
    ends = ([Tensor(id(tensor)) for tensor in end] for end in (model.inputs, model.outputs))
    return Graph(*ends, calls)


def _chain(model):
    """The `Graph` of a sequential model, which may have none of its own."""
    if not model.built or getattr(model, "input_shape", None) is None:
        raise ConversionError(
            f"model '{model.name}' has no input shape yet: add a tf.keras.Input in front or "
            "call model.build(input_shape)"
        )
    names = {layer.name for layer in model.layers}
    name = next(n for n in ("input", "image", "network_input") if n not in names)
    dtype = model.inputs[0].dtype.name if getattr(model, "inputs", None) else "float32"
    shape = tuple(model.input_shape[1:])
    part = Part(name, "InputLayer", "input", {"shape": shape, "dtype": dtype})
    calls = [(part, (), {}, [Tensor(0)])]
    for number, layer in enumerate(model.layers):
        calls.append((_part(layer), (Tensor(number),), {}, [Tensor(number + 1)]))
    return Graph([Tensor(0)], [Tensor(len(model.layers))], calls)


def _tensors(value):
    """Nested arguments with `Tensor` for Keras's own; constants as arrays."""
    tf = stack.tensorflow()
    if hasattr(value, "_keras_history"):
        return Tensor(id(value))
    if isinstance(value, (tf.Tensor, tf.Variable)):
        return value.numpy()
    if isinstance(value, dict):
        return {key: _tensors(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_tensors(part) for part in value)
    return value


def _part(layer):
    """The `Part` of a layer object."""
    tf = stack.tensorflow()
    kind = type(layer).__name__
    if isinstance(layer, tf.keras.layers.InputLayer):
        shape = tuple(layer.output.shape[1:])
        return Part(layer.name, kind, "input", {"shape": shape, "dtype": layer.dtype})
    if isinstance(layer, tf.keras.Model):
        if type(layer).call not in _model_calls():
            return Part(layer.name, kind, "foreign", {}, problem=_foreign(layer))
        return Part(layer.name, kind, "model", {}, graph=_graph(layer))
    if kind in _FUNCTIONS and is_known(type(layer)):
        return Part(layer.name, f"tf.{layer.symbol or layer.function.__name__}", "function", {})
    if not is_known(type(layer)):
        return Part(layer.name, kind, "foreign", {}, problem=_foreign(layer))
    problem, config = "", {}
    function = getattr(layer, "activation", None)
    if function is not None and not isinstance(function, tf.keras.layers.Layer):
        word = known_function(function)
        if word is None:
            home = f"{getattr(function, '__module__', '?')}.{getattr(function, '__name__', '?')}"
            problem = (
                f"its activation is a function of its own ({home}), whose code cannot be read: use "
                "an activation of Keras's, such as 'relu' or a LeakyReLU layer"
            )
        config = {"activation": word}
    elif function is not None and not is_known(type(function)):
        problem = f"its activation {_foreign(function)}"
    if not problem:  # Keras warns about functions that it cannot describe
        config = {**layer.get_config(), **config}
    return Part(
        layer.name, kind, "layer", config, layer.get_weights, bool(layer.trainable), problem=problem
    )


@functools.cache
def _model_calls():
    keras = stack.tensorflow().keras
    return {keras.Model.call, keras.Sequential.call, type(_tiny()).call}


def _tiny():
    keras = stack.tensorflow().keras
    inputs = keras.Input((1,))
    return keras.Model(inputs, keras.layers.Flatten()(inputs))


def _foreign(layer):
    kind = type(layer)
    return (
        f"is a class of its own ({kind.__module__}.{kind.__qualname__}), whose code cannot be "
        "read: build the model from Keras's layers"
    )


@functools.cache
def _known_classes():
    """Keras's own layers, under all their names."""
    tf = stack.tensorflow()
    homes = (tf.keras.layers, tf.keras.layers.experimental.preprocessing, tf.compat.v1.keras.layers)
    return {
        kind
        for home in homes
        for kind in vars(home).values()
        if isinstance(kind, type) and issubclass(kind, tf.keras.layers.Layer)
    }


def is_known(kind):
    """Whether a class is a layer of Keras 2 or of this package."""
    if kind in _known_classes():
        return True
    home = kind.__module__.split(".")[0]
    # functions on tensors, and what Keras makes of its layers by itself
    return home in ("tf_keras", OWN_PACKAGE)


@functools.cache
def _known_functions():
    """Activation functions of Keras and TensorFlow by identity, {id: (function, Keras's name)}."""
    tf = stack.tensorflow()
    words = [
        *("linear", "relu", "relu6", "leaky_relu", "softmax", "sigmoid", "hard_sigmoid", "tanh"),
        *("softsign", "elu", "selu", "gelu", "swish", "silu", "softplus", "mish", "exponential"),
    ]
    found = {}
    for word in words:
        candidates = [getattr(home, word, None) for home in (tf.keras.activations, tf.nn, tf.math)]
        for function in [*candidates, tf.keras.activations.get(word)]:
            if callable(function):
                found[id(function)] = (function, word)
    for function, word in ((tf.identity, "linear"), (tf.exp, "exponential")):
        found[id(function)] = (function, word)
    return found


def known_function(function):
    """Keras's name of an activation function, by identity; None for one of the user's own."""
    entry = _known_functions().get(id(function))
    return None if entry is None else entry[1]
