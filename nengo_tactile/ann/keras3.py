"""Keras 3 models as tf.keras (Keras 2) models, which NengoDL needs."""

import dataclasses
import json
import types

import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann.configs import describe, layer_configs
from nengo_tactile.errors import ConversionError

#: Largest difference between the two models, in units of the largest value of a layer: what
#: rounding comes to in the coarsest type a layer computes in.
TOLERANCE = {"float64": 1e-4, "float32": 1e-4, "float16": 2e-2, "bfloat16": 0.1}


def is_keras3(model):
    """Whether an object is a Keras 3 model (Keras need not be loaded to tell)."""
    return any(kind.__module__.split(".")[0] == "keras" for kind in type(model).__mro__)


def describe_keras3(model):
    """Read a Keras 3 model as a description.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential, built; it is not changed.

    Returns
    -------
    nengo_tactile.ann.description.Description

    Raises
    ------
    ConversionError
        For other kinds of models, naming the remedy.
    """
    label = f"model '{getattr(model, 'name', '?')}'"
    if not getattr(model, "built", False):
        raise ConversionError(
            f"{label} has no input shape yet: add a keras.Input in front or call "
            "model.build(input_shape)"
        )
    try:
        architecture = json.loads(model.to_json())
        layer_configs(architecture)
    except (NotImplementedError, TypeError, ConversionError) as error:
        first = (str(error).strip().splitlines() or [""])[0][:200]
        raise ConversionError(
            f"{label} ({type(model).__name__}) cannot be described by its layers ({first}): write "
            "it as a functional model of Keras's layers, keras.Model(inputs, outputs)"
        ) from error
    description = describe(architecture, lambda path: _weights(_at(model, path)))
    foreign = dict(_foreign_functions(model))
    return dataclasses.replace(
        description, calls=[_with_problem(call, foreign) for call in description.calls]
    )


def _at(model, path):
    for name in path:
        model = model.get_layer(name)
    return model


def _weights(layer):
    if getattr(layer, "lora_enabled", False):
        # the kernel with what LoRA adds
        kernel, bias = layer.kernel, getattr(layer, "bias", None)
        return [_array(kernel)] + ([] if bias is None else [_array(bias)])
    return layer.get_weights()


def _array(variable):
    import keras

    return keras.ops.convert_to_numpy(variable)


def _foreign_functions(model):
    """Layers of a model whose activation is a function of the user's: (config's key, told).

    A description names functions by their name alone, even the user's own.
    """
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _foreign_functions(layer)
            continue
        function = getattr(layer, "activation", None)
        if isinstance(function, types.FunctionType) and not _is_known(function):
            yield layer.name, f"{function.__module__}.{function.__qualname__}"


def _is_known(function):
    import keras

    if function.__module__.split(".")[0] in ("keras", "tensorflow", "tf_keras"):
        return True
    return any(
        getattr(home, function.__name__, None) is function
        for home in (keras.activations, keras.ops, stack.tensorflow().nn)
    )


def _with_problem(call, foreign):
    if call.part.name not in foreign or call.part.role != "layer":
        return call
    problem = (
        f"its activation is a function of its own ({foreign[call.part.name]}), whose code cannot "
        "be read: use an activation of Keras's, such as 'relu' or a LeakyReLU layer"
    )
    return dataclasses.replace(call, part=dataclasses.replace(call.part, problem=problem))


def compare_keras3(model, layers):
    """Refuse a translation that computes something else, naming the layer that begins it.

    Both get two random samples, whole numbers from 0 to 255 where the model takes integers.

    Parameters
    ----------
    model : keras.Model
    layers : nengo_tactile.ann.layers.Layers

    Raises
    ------
    ConversionError
    """
    x = samples_for(model, layers.input_shape)
    tolerance = max(TOLERANCE.get(layer.compute_dtype, 0) for layer in model.layers)
    if difference(output_of(model, x), layers.outputs(x)) <= tolerance:
        return
    import keras

    known = {layer.name: layer for layer in model.layers}
    # others are inside a model, or functions
    alike = {layer.name for layer in layers if layer.sources and layer.name in known}
    for layer, value in layers.values(x, alike):
        original = known[layer.name]
        wanted = output_of(keras.Model(model.inputs[0], original.output), x)
        part = difference(wanted, value.numpy())
        if not part <= tolerance:
            raise ConversionError(
                f"layer '{layer.name}' ({type(original).__name__}): its output in Keras 3 and in "
                f"Keras 2 differs by {part:.3g} of the largest value, at most {tolerance:g} "
                "is allowed; write it with other standard layers"
            )
    raise ConversionError(
        f"model '{model.name}' gives another output in Keras 2, though each of its layers gives "
        "the same: give every layer one input and one output"
    )


def samples_for(model, shape):
    """Two random samples of the type that a Keras 2 or 3 model takes."""
    rng = np.random.default_rng(0)
    dtype = str(getattr((getattr(model, "inputs", None) or [None])[0], "dtype", "float32"))
    if "int" in dtype:
        return rng.integers(0, 256, (2, *shape)).astype(dtype.split("'")[-1] or "uint8")
    return rng.normal(size=(2, *shape)).astype(np.float32)


def output_of(model, x):
    """A Keras 3 model's output for samples at inference, as a float32 array.

    Parameters
    ----------
    model : keras.Model
    x : (n_samples, ...) array

    Returns
    -------
    (n_samples, ...) float32 array

    Raises
    ------
    ConversionError
        If the model itself cannot be called, whatever its backend says.
    """
    import keras

    # a functional model takes a tensor, a list or a dict, as it was made; a sequential one has
    # no such property
    inputs = keras.tree.map_structure(lambda _: x, getattr(model, "input", x))
    try:
        (output,) = keras.tree.flatten(model(inputs, training=False))
    except stack.tensorflow().errors.OpError:  # has a remedy of its own
        raise
    except Exception as error:  # each backend has error classes of its own
        told = " ".join(str(error).replace("\x1b[1m", "").replace("\x1b[0m", "").split())[:300]
        raise ConversionError(
            f"model '{model.name}' cannot be called on {x.dtype} samples of shape {x.shape[1:]} "
            f"({told}): mend it until model(x) works, or save it and give its .keras file"
        ) from error
    return keras.ops.convert_to_numpy(output).astype(np.float32)


def difference(wanted, got):
    """Largest difference in units of the largest value; values that are not finite count too.

    Parameters
    ----------
    wanted, got : arrays

    Returns
    -------
    float
    """
    if wanted.shape != got.shape:
        return np.inf
    alike = (wanted == got) | (np.isnan(wanted) & np.isnan(got))
    if alike.all():
        return 0.0
    top = np.abs(wanted[np.isfinite(wanted)]).max(initial=0.0)
    return float((np.abs(wanted - got)[~alike]).max() / max(top, np.finfo(np.float32).tiny))
