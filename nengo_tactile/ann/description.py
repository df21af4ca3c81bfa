"""A Keras model as a flat list of calls, before any of it is built.

Every way to bring a model ends in this form: an object of Keras 2 (`ann.keras2`), one of Keras 3
(`ann.keras3`), a file (`ann.keras_files`) and a saved network (`ann.portable`). Models inside
models are taken apart, a layer that is used several times becomes several, and what is called is
known by identity or by registered name, never by its class's name alone.
"""

import dataclasses
import re
from collections.abc import Callable

from nengo_tactile.errors import ConversionError


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor in the arguments of a call.

    Attributes
    ----------
    source : hashable
        In a `Graph`: its key there. In a `Call`: the name of the call that gives it.
    """

    source: object


@dataclasses.dataclass(frozen=True)
class Part:
    """A layer, a function or a model inside a graph.

    Attributes
    ----------
    name : str
        As its author called it.
    kind : str
        What Keras calls it ("Conv2D"); a function's name as it is written ("tf.nn.relu").
    role : {"input", "layer", "function", "foreign", "model"}
        "foreign" is a class that is neither Keras's nor this package's.
    config : dict
        Settings, plain data.
    weights : callable
        Gives the list of weights, in Keras's order; None leaves a layer's first ones.
    trainable : bool
        Batch normalisation that is not trainable is at inference even with ``training=True``.
    graph : Graph or None
        Of a model.
    problem : str
        Why it cannot be built, and what to do, where its reader knows.
    """

    name: str
    kind: str
    role: str
    config: dict
    weights: Callable = lambda: None
    trainable: bool = True
    graph: object = None
    problem: str = ""


@dataclasses.dataclass(frozen=True)
class Graph:
    """One model: its calls in the order of computation.

    Attributes
    ----------
    inputs, outputs : list of Tensor
    calls : list of (Part, arguments, keywords, list of Tensor)
        Arguments hold tensors and plain values; the last are the tensors that a call gives.
    """

    inputs: list
    outputs: list
    calls: list


@dataclasses.dataclass(frozen=True)
class Call:
    """One layer or function in the flat model.

    Attributes
    ----------
    name : str
        No other call's, and one that TensorFlow takes.
    part : Part
    arguments : tuple
        `Tensor` and plain values.
    keywords : dict
    training : bool
        Whether it was called with ``training=True``, or a model around it.
    """

    name: str
    part: Part
    arguments: tuple = ()
    keywords: dict = dataclasses.field(default_factory=dict)
    training: bool = False

    @property
    def kind(self):
        """What Keras calls it."""
        return self.part.kind

    @property
    def label(self):
        """For errors: "layer 'conv1' (Conv2D)"."""
        return label_of(self.name, self.part)

    @property
    def sources(self):
        """Names of the calls that it reads, in order."""
        return [tensor.source for tensor in tensors_in((self.arguments, self.keywords))]


@dataclasses.dataclass(frozen=True)
class Description:
    """A model of one input and one output.

    Attributes
    ----------
    name : str
    calls : list of Call
        In the order of computation; the first is the input.
    output : str
        Name of the call that gives the output.
    """

    name: str
    calls: list
    output: str

    @property
    def input_shape(self):
        """Of one sample."""
        return tuple(self.calls[0].part.config["shape"])

    def readers(self):
        """Names of the calls that read each call's output, {name: [name]}."""
        found = {call.name: [] for call in self.calls}
        for call in self.calls:
            for source in call.sources:
                found[source].append(call.name)
        return found


def label_of(name, part):
    """What errors call a part: its name and kind."""
    what = "function" if part.role == "function" else "layer"
    return f"{what} '{name}' ({part.kind})"


def tensors_in(value):
    """All `Tensor` in nested lists, tuples and dicts, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [tensor for part in value for tensor in tensors_in(part)]
    return []


def replaced(value, change):
    """Nested lists, tuples and dicts with ``change(tensor)`` for every `Tensor`."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: replaced(part, change) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(replaced(part, change) for part in value)
    return value


class Names:
    """Names that no two layers of a model share, and that TensorFlow takes.

    Parameters
    ----------
    taken : iterable of str
    """

    def __init__(self, taken=()):
        self._taken = set(taken)

    def __call__(self, wanted, within=""):
        """``wanted`` where it is free, else with ``within`` in front, else with a number.

        Characters that a TensorFlow scope cannot have become underscores.
        """
        name = _in_tensorflow(wanted)
        choices = [name, f"{_in_tensorflow(within)}_{name}"] if within else [name]
        free = next((choice for choice in choices if choice not in self._taken), None)
        number = 2
        while free is None:
            choice = f"{choices[-1]}_{number}"
            free, number = (None if choice in self._taken else choice), number + 1
        self._taken.add(free)
        return free


def _in_tensorflow(name):
    """A name that may begin a TensorFlow scope: letters, digits, ``. _ - /``."""
    name = re.sub(r"[^A-Za-z0-9_.\\/-]", "_", str(name))
    return name if re.match(r"[A-Za-z0-9.]", name) else f"layer{name}"


def _says_nothing(value):
    """Whether a keyword argument of a layer's call is as if it were not there."""
    return value is None or value is False


def flat(name, graph):
    """Take a graph apart into one list of calls.

    Parameters
    ----------
    name : str
        Of the model.
    graph : Graph

    Returns
    -------
    Description

    Raises
    ------
    ConversionError
        For a model of several inputs or outputs, naming them, or of an open input shape.
    """
    for kind, tensors in (("inputs", graph.inputs), ("outputs", graph.outputs)):
        if len(tensors) != 1:
            names = {
                tensor.source: part.name for part, *_, given in graph.calls for tensor in given
            }
            told = ", ".join(f"'{names.get(tensor.source, '?')}'" for tensor in tensors)
            raise ConversionError(
                f"model '{name}' has {len(tensors)} {kind} ({told}), one is wanted: cut the part "
                "to convert out with a model of one input and one output"
            )
    names = Names()
    # layers of the outermost model keep their names where they can
    parts = {part.name: part for part, *_ in graph.calls if part.role != "model"}
    outer = {name: names(name) for name in parts}
    calls = []
    values = _unroll(graph, None, False, "", calls, names, outer)
    description = Description(name, calls, values[0].source)
    if None in description.input_shape:
        raise ConversionError(
            f"model '{name}' takes inputs of shape {description.input_shape}: a spiking network "
            "has a fixed number of neurons; build it with a fixed input shape"
        )
    return description


def _unroll(graph, given, training, within, calls, names, outer):
    """Append the calls of a graph; returns the tensors of its outputs.

    Parameters
    ----------
    graph : Graph
    given : list of Tensor or None
        What its inputs are; None for the outermost, whose inputs are calls.
    training : bool
    within : str
        Name of the model around.
    calls : list of Call
    names : Names
    outer : dict of str to str
        Names of the outermost model's layers that are not called yet.
    """
    values = {}
    if given is not None:
        if len(given) != len(graph.inputs):
            raise ConversionError(
                f"model '{within}' is called with {len(given)} tensors and has "
                f"{len(graph.inputs)} inputs: call it with one tensor for each"
            )
        values = {tensor.source: value for tensor, value in zip(graph.inputs, given)}
    for part, arguments, keywords, outputs in graph.calls:
        if part.role == "input":
            if given is None:
                calls.append(Call(outer.pop(part.name), part))
                values[outputs[0].source] = Tensor(calls[-1].name)
            continue
        arguments, keywords = replaced((arguments, keywords), lambda t: values[t.source])
        trains = keywords.get("training", None)
        trains = training if trains is None else bool(trains)
        if part.role == "model":
            parts = tensors_in((arguments, keywords))
            inner = _unroll(part.graph, parts, trains, part.name, calls, names, {})
            if len(inner) != len(outputs):
                raise ConversionError(
                    f"model '{part.name}' has {len(inner)} outputs, of which {len(outputs)} are "
                    "known: give it one output"
                )
            values.update({tensor.source: value for tensor, value in zip(outputs, inner)})
            continue
        name = outer.pop(part.name, None) or names(part.name, within)
        rest = {
            key: value
            for key, value in keywords.items()
            if key != "training" and (part.role == "function" or not _says_nothing(value))
        }
        calls.append(Call(name, part, tuple(arguments), rest, trains))
        values.update({tensor.source: Tensor(name) for tensor in outputs})
    return [values[tensor.source] for tensor in graph.outputs]
