"""Keras models from plain data: an architecture as JSON values and weights as arrays.

Keras 2 and Keras 3 describe a model in nearly the same words. Both are read here, by the
allow-list of `nengo_tactile.ann.settings`.
"""

import math

from nengo_tactile import stack
from nengo_tactile.ann import functions
from nengo_tactile.ann.configs import describe
from nengo_tactile.ann.description import replaced
from nengo_tactile.ann.layers import Layer, Layers, check_shapes, input_layer, layer
from nengo_tactile.ann.settings import (
    ACTIVATION_LAYERS,
    AUGMENTATION,
    RANDOM,
    SETTINGS,
    activation_part,
    float32,
    made,
    settings_of,
)
from nengo_tactile.errors import ConversionError, TactileError
from nengo_tactile.memory import check_fits, told

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
        See `layers_of`.

    Returns
    -------
    tf.keras.Model
        A functional model of layers alone, one for each call, in float32.

    Raises
    ------
    ConversionError
        See `layers_of`; also for damaged architectures.
    """
    return keras_model(layers_of(describe(architecture, weights), remedy, most))


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


def _damaged_layer(call, error):
    return ConversionError(
        f"{call.label}: its description is damaged or not one of Keras 2 "
        f"({_first_line(error)}): save the model again, or use another setting"
    )


def _first_line(error):
    text = (str(error).strip().splitlines() or [""])[0][:300]
    return f"{type(error).__name__}: {text}"


def outline(call):
    """The layer of a call by itself, without weights and shapes.

    Parameters
    ----------
    call : nengo_tactile.ann.description.Call
        Of a layer on the list.

    Returns
    -------
    nengo_tactile.ann.layers.Layer

    Raises
    ------
    ConversionError
        For settings that Keras 2 refuses.
    """
    try:
        own = made(call.kind, call.part.config, call.name)
    except Exception as error:  # Keras raises whatever its parts raise on odd settings
        raise _damaged_layer(call, error) from error
    sources = tuple(call.sources)
    return Layer(call.name, type(own).__name__, sources, settings_of(own), (), (), ())


def layers_of(description, remedy=lambda kind: None, most=None):
    """Read a description as layers alone; functions become the layers that do the same.

    Parameters
    ----------
    description : nengo_tactile.ann.description.Description
    remedy : callable, optional
        See `refusals`.
    most : int, optional
        Numbers that there are for a layer's weights, where the description has none itself.

    Returns
    -------
    Layers

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
    standing = {}
    for call in description.calls:
        if call.part.role == "input":
            standing[call.name] = input_layer(call.name, call.part.config["shape"])
            continue
        given = replaced((call.arguments, call.keywords), lambda t: standing[t.source])
        standing[call.name] = found = _layer(call, *given, most)
        what, size = f"{call.label}: its output for one sample", 4 * math.prod(found.shape)
        check_fits(what, size, "give a smaller model", ConversionError)
    return _needed(description.name, standing, standing[description.output])


def _layer(call, arguments, keywords, most):
    is_function = call.part.role == "function"
    weights = None if call.kind in AUGMENTATION else call.part.weights()
    try:
        if is_function:
            return functions.layer_of_function(call, arguments, keywords)
        first = arguments[0]
        inputs = first if isinstance(first, (list, tuple)) else arguments
        if _may_be_large(call, inputs):
            # in a graph variables take no memory
            with stack.tensorflow().Graph().as_default():
                own = made(call.kind, call.part.config, call.name)
                own.build((None, *inputs[0].shape))
                _check_weights(call, own, weights, most)
        found = layer(call.kind, call.name, inputs, weights, **call.part.config)
        if weights is not None:
            found.keras  # noqa: B018 (refuses weights that do not fit)
        return found
    except Exception as error:  # Keras raises whatever its parts raise on odd settings
        if isinstance(error, TactileError) and str(error).startswith(call.label):
            raise
        raise _damaged_layer(call, error) from error


def _may_be_large(call, inputs):
    sizes = [call.part.config.get(key) for key in SETTINGS[call.kind]]
    sizes = [n for size in sizes for n in (size if isinstance(size, list | tuple) else [size])]
    sizes = [n for n in sizes if isinstance(n, int) and n > 0]
    shape = inputs[0].shape if len(inputs) == 1 else ()
    return bool(shape) and math.prod(sizes) * math.prod(shape) > _LARGE


def _check_weights(call, own, values, most):
    """Refuse weights of other shapes than a layer's settings want, and more than there are."""
    wanted = [tuple(weight.shape) for weight in own.weights]
    if values is not None:
        check_shapes(call.label, wanted, values)
    size = sum(map(math.prod, wanted))
    if most is not None and size > most:
        raise ConversionError(
            f"{call.label}: its settings want {size:,} weights ({told(4 * size)}), there are "
            f"{most:,}: architecture and weights belong to different models; save the model again"
        )
    check_fits(f"{call.label}: its weights", 4 * size, "give a smaller model", ConversionError)


def _needed(name, standing, output):
    """The layers that an output is computed from, in order."""
    by_name = {each.name: each for each in standing.values()}
    needed = {output.name}
    for each in reversed(by_name.values()):
        if each.name in needed:
            needed.update(each.sources)
    found = tuple(each for each in by_name.values() if each.name in needed or not each.sources)
    return Layers(name, found, output.name)


def keras_model(layers):
    """Build layers as a functional tf.keras model, in float32.

    Parameters
    ----------
    layers : Layers

    Returns
    -------
    tf.keras.Model
        Of one layer for each, with weights of its own.
    """
    tf = stack.tensorflow()
    tensors = {}
    with float32():
        for each in layers:
            if not each.sources:
                shape = each.shape
                tensors[each.name] = inputs = tf.keras.Input(shape, name=each.name, dtype="float32")
                continue
            own = each.fresh()
            given = [tensors[source] for source in each.sources]
            tensors[each.name] = own(given[0] if len(given) == 1 else given)
            own.set_weights(each.weights)
        return tf.keras.Model(inputs, tensors[layers.output], name=layers.name)
