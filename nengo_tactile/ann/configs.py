"""Architectures as plain data, of Keras 2 and Keras 3, read as graphs of calls.

Both describe a model in nearly the same words: ``json.loads(model.to_json())``, or config.json of
a .keras archive, or the attribute model_config of an .h5 file. Nothing here imports what a
description names.
"""

import re

import numpy as np

from nengo_tactile.ann.description import Graph, Part, Tensor, flat, tensors_in
from nengo_tactile.errors import ConversionError

_MODELS = ("Functional", "Model", "Sequential")
#: Layers by which Keras 2 calls a TensorFlow function on its tensors.
_FUNCTIONS = ("TFOpLambda", "SlicingOpLambda")
#: Where Keras's own classes come from; Keras 2's .h5 files do not say.
_HOMES = ("keras", "tf_keras", "tensorflow")
#: What this package registers its own layers under.
OWN_PACKAGE = "nengo_tactile"


def describe(architecture, weights):
    """Read an architecture.

    Parameters
    ----------
    architecture : dict
        What ``json.loads(model.to_json())`` gives, from Keras 2 or Keras 3.
    weights : callable
        ``weights(path)`` gives the list of arrays of the layer at ``path``, names from the
        outermost model's to the layer's own, in Keras's order (kernel, bias), or None to leave
        the layer's first weights.

    Returns
    -------
    Description

    Raises
    ------
    ConversionError
        For what is no functional or sequential model, and damaged descriptions.
    """
    layer_configs(architecture)
    config = architecture["config"]
    name = config.get("name", "model") if isinstance(config, dict) else "model"
    return flat(str(name), _graph(architecture, weights, ()))


def layer_configs(architecture):
    """The layers of a sequential or functional architecture, as a list of dicts.

    Raises
    ------
    ConversionError
        If it is neither.
    """
    try:
        kind, layers = architecture["class_name"], architecture["config"]["layers"]
        if kind in _MODELS and isinstance(layers, list):
            return layers
    except (TypeError, KeyError):
        kind = None
    raise ConversionError(
        f"the model is a {kind or 'thing without layers'}: save a functional or sequential model "
        "of standard layers"
    )


def layer_name(entry):
    """Name of a layer in `layer_configs`."""
    return str(entry["config"]["name"])


def is_model(entry):
    """Whether an entry of `layer_configs` is a model of its own."""
    return entry["class_name"] in _MODELS and isinstance(entry["config"].get("layers"), list)


def is_function(entry):
    """Whether an entry of `layer_configs` is a function, which Keras 3 does not call a layer."""
    if entry.get("module"):
        return str(entry["module"]).startswith(("keras.src.ops", "keras.ops"))
    # .h5 files name no module; only layers have a type to compute in
    by_keras3 = any(isinstance(node, dict) for node in entry.get("inbound_nodes") or ())
    return by_keras3 and not {"trainable", "dtype"} & set(entry["config"]) and not is_model(entry)


def _graph(architecture, weights, path):
    """The `Graph` of a model's entry."""
    entries = layer_configs(architecture)
    parts = [part_of(entry, weights, path) for entry in entries]
    if architecture["class_name"] == "Sequential":
        return _chain(architecture["config"], entries, parts)
    config = architecture["config"]
    outputs = _specs(config.get("output_layers"))
    uses = _uses(entries, parts, outputs)
    inputs = _specs(config.get("input_layers"))
    if not inputs:
        inputs = [Tensor((part.name, 0, 0)) for part in parts if part.role == "input"]
    calls = _in_order(uses)
    known = {tensor.source for *_, given in calls for tensor in given}
    missing = [tensor.source[0] for tensor in outputs if tensor.source not in known]
    if missing or not outputs:
        raise ConversionError(
            f"the model's description is damaged (its output '{(missing or ['?'])[0]}' is no "
            "layer's): save the model again"
        )
    return Graph(inputs, outputs, calls)


def _chain(config, entries, parts):
    """The graph of a sequential model."""
    calls, tensor = [], None
    if not parts or parts[0].role != "input":
        shape = config.get("build_input_shape") or (
            _input_shape(entries[0]["config"]) if entries else None
        )
        if shape is None:
            raise ConversionError(
                f"model '{config.get('name', '?')}' has no input shape yet: add an Input in front "
                "and save it again"
            )
        taken = {part.name for part in parts}
        name = next(n for n in ("input", "image", "network_input") if n not in taken)
        tensor = Tensor((name, 0, 0))
        calls.append((_input_part(name, shape, "float32"), (), {}, [tensor]))
    for part in parts:
        given = [Tensor((part.name, 0, 0))]
        if part.role == "input":
            if tensor is not None:
                raise ConversionError(
                    f"layer '{part.name}' (InputLayer) is a second input, one is wanted: cut the "
                    "part to convert out with a model of one input"
                )
            calls.append((part, (), {}, given))
        else:
            calls.append((part, (tensor,), {}, given))
        tensor = given[0]
    return Graph([calls[0][3][0]], [tensor], calls)


def part_of(entry, weights=lambda path: None, path=()):
    """The `Part` of an entry of `layer_configs`."""
    try:
        kind, config, name = str(entry["class_name"]), dict(entry["config"]), layer_name(entry)
    except (TypeError, KeyError, ValueError) as error:
        raise ConversionError(
            f"a layer is {str(entry)[:80]!r}, wanted a type and a configuration: save the model "
            "again"
        ) from error
    path = (*path, name)
    if kind == "InputLayer":
        return _input_part(name, _input_shape(config), config.get("dtype"))
    registered = entry.get("registered_name") or kind
    if is_function(entry):
        return Part(name, f"keras.ops.{snake_case(kind)}", "function", config)
    foreign = ">" in registered or (
        "module" in entry and not str(entry["module"]).startswith(_HOMES)
    )
    if registered.split(">")[0] == OWN_PACKAGE and ">" in registered:
        kind, foreign = registered.split(">")[1], False
    if foreign:
        return Part(name, kind.split(">")[-1], "foreign", config, problem=_foreign(registered))
    if kind in _FUNCTIONS:
        return Part(name, f"tf.{config.get('function')}", "function", config)
    if is_model(entry):
        return Part(name, kind, "model", {}, graph=_graph(entry, weights, path))
    return Part(
        name,
        kind,
        "layer",
        config,
        lambda: weights(path),
        bool(config.get("trainable", True)),
        problem=_quantised(config),
    )


def _input_part(name, shape, dtype):
    dtype = dtype if isinstance(dtype, str) else "float32"
    return Part(name, "InputLayer", "input", {"shape": tuple(shape)[1:], "dtype": dtype})


def _input_shape(config):
    return config.get("batch_input_shape") or config.get("batch_shape")


def _foreign(registered):
    return (
        f"is a class of its own ({registered}), whose code is never run here: build the model from "
        "Keras's layers"
    )


def _quantised(config):
    """Why a layer of a quantised model is refused, or nothing."""
    policy = config.get("dtype")
    inner = policy.get("config") if isinstance(policy, dict) else None
    mode = config.get("quantization_mode") or (inner or {}).get("mode")
    name = str(policy.get("class_name", "")) if isinstance(policy, dict) else ""
    if mode or name.startswith("Quantized"):
        return (
            f"its weights are quantised ({mode or name}): give the model as it was before "
            "model.quantize()"
        )
    return ""


def _uses(entries, parts, outputs):
    """Every use of every layer: (part, arguments, keywords, tensors it gives)."""
    names = {part.name for part in parts}
    nodes = {}
    for entry, part in zip(entries, parts):
        listed = entry.get("inbound_nodes") or []
        if not isinstance(listed, list):
            raise ConversionError(
                f"the model's description is damaged (layer '{part.name}' is called "
                f"{str(listed)[:40]!r}): save the model again"
            )
        nodes[part.name] = [_arguments(node, names, part) for node in listed]
    # the first node of a model is the one it was made by
    used = {}
    for name, node, _ in (t.source for t in tensors_in([nodes, outputs])):
        used[name] = max(used.get(name, 0), node)
    result = []
    for part in parts:
        if part.role == "input":
            result.append((part, (), {}, [Tensor((part.name, 0, 0))]))
            continue
        uses = nodes[part.name]
        offset = int(part.role == "model" and used.get(part.name, 0) >= len(uses))
        n_outputs = len(part.graph.outputs) if part.role == "model" else 1
        for number, (arguments, keywords) in enumerate(uses):
            given = [Tensor((part.name, number + offset, k)) for k in range(n_outputs)]
            result.append((part, arguments, keywords, given))
    return result


def _in_order(uses):
    """Uses in the order of computation, else as they are listed."""
    known, waiting, result = set(), list(uses), []
    while waiting:
        later = []
        for use in waiting:
            if all(tensor.source in known for tensor in tensors_in(use[1:3])):
                result.append(use)
                known.update(tensor.source for tensor in use[3])
            else:
                later.append(use)
        if len(later) == len(waiting):
            raise ConversionError(
                f"the model's description is damaged (layer '{later[0][0].name}' reads what no "
                "layer gives): save the model again"
            )
        waiting = later
    return result


def _arguments(node, names, part):
    """Arguments and keywords of one use, from either Keras's description of it."""
    if isinstance(node, dict):
        if "args" not in node and "kwargs" not in node:
            return (list(_specs(node)),), {}
        keywords = _plain(node.get("kwargs", {}), names)
        keywords.pop("training", None)  # what Keras 3 predicts with comes before what it noted
        return tuple(_plain(node.get("args", ()), names)), keywords
    if _is_spec(node):
        first, keywords = _spec(node)
        return (first,), _plain(keywords, names)
    specs = [_spec(one) for one in node]
    tensors, keywords = [tensor for tensor, _ in specs], specs[0][1] if specs else {}
    single = len(tensors) == 1 and part.role != "function"
    return (tensors[0] if single else tensors,), _plain(keywords, names)


def _is_spec(node):
    """Whether it is one tensor in Keras 2's words, ``[name, node, tensor, keywords]``."""
    return (
        isinstance(node, (list, tuple))
        and len(node) in (3, 4)
        and isinstance(node[0], str)
        and isinstance(node[1], int)
    )


def _spec(node):
    """A tensor, or a constant, and the call's keywords."""
    if not _is_spec(node):
        raise ConversionError(
            f"the model's description is damaged ({str(node)[:60]!r} is no tensor): save the model "
            "again"
        )
    name, number, tensor, *rest = node
    value = tensor if name == "_CONSTANT_VALUE" else Tensor((name, number, tensor))
    return value, dict(rest[0]) if rest else {}


def _specs(data):
    """The tensors of ``input_layers`` or ``output_layers``, in any nesting."""
    if _is_spec(data):
        return [_spec(data)[0]]
    if isinstance(data, dict):
        data = list(data.values())
    if isinstance(data, (list, tuple)):
        return [tensor for part in data for tensor in _specs(part)]
    return []


def _plain(value, names):
    """Arguments with `Tensor`, slices and arrays where a description has words for them."""
    if isinstance(value, dict):
        kind, config = value.get("class_name"), value.get("config")
        if kind == "__keras_tensor__":
            return Tensor(tuple(config["keras_history"]))
        if kind == "__ellipsis__":
            return Ellipsis
        if kind == "__slice__":
            return slice(*(_plain(config[key], names) for key in ("start", "stop", "step")))
        if kind in ("__numpy__", "__tensor__", "__tuple__"):
            inner = value.get("items", config)
            inner = inner["value"] if isinstance(inner, dict) and "value" in inner else inner
            return np.asarray(inner) if kind != "__tuple__" else tuple(_plain(inner, names))
        if set(value) == {"start", "stop", "step"}:
            return slice(value["start"], value["stop"], value["step"])
        return {key: _plain(part, names) for key, part in value.items()}
    if _is_spec(value) and len(value) == 3 and value[0] in names and isinstance(value[2], int):
        return Tensor(tuple(value))
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(part, names) for part in value)
    return value


def snake_case(name):
    """Keras's group names: "Conv2D" -> "conv2d", "GlobalAveragePooling2D" -> "global_a...2d"."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
