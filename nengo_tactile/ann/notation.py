"""The papers' network notation ("10x10-6c4-24c3-10o") as Keras models.

ST-MNIST paper, section 3.2: layers are separated by ``-``, the input's dimensions by ``x``,
``6c4`` is a convolution of 6 filters of 4 x 4, ``10o`` an output layer of 10 neurons.
SLAYER's paper (whose notation it adapts) adds ``2a``, average pooling over 2 x 2, and plain
numbers for dense layers; the sigma-delta paper writes ``16C5``, ``2MP2`` (max pooling over
2 x 2 in steps of 2) and ``256FC``. Ours alone: ``32c3s2``, a convolution in steps of 2.
"""

import dataclasses
import math
import re
from typing import Any

from nengo_tactile.errors import NotationError
from nengo_tactile.memory import check_fits

#: Characters of a network at most.
_LONGEST = 2000
_INPUT = re.compile(r"\d+(?:x\d+){0,2}")
_LAYERS = (
    ("conv", re.compile(r"(?P<units>\d+)[cC](?P<size>\d+)(?:s(?P<step>\d+))?")),
    ("average pool", re.compile(r"(?P<size>\d+)a")),
    ("max pool", re.compile(r"(?P<size>\d+)MP(?P<step>\d+)?")),
    ("output", re.compile(r"(?P<units>\d+)o")),
    ("dense", re.compile(r"(?P<units>\d+)(?:FC)?")),
)


@dataclasses.dataclass(frozen=True)
class LayerSpec:
    """One layer of the notation.

    Attributes
    ----------
    kind : str
        "conv", "average pool", "max pool", "dense" or "output".
    units : int
        Filters or neurons (0 for pooling).
    size : int
        Side of the kernel or pooling window in pixels (0 for dense layers).
    step : int
        Stride in pixels.
    """

    kind: str
    units: int = 0
    size: int = 0
    step: int = 1


def parse(notation: str) -> tuple[tuple[int, ...], list[LayerSpec]]:
    """Read a description such as ``"10x10-6c4-24c3-10o"``.

    Parameters
    ----------
    notation : str
        The papers' notation; ``×`` is read as ``x``, spaces are ignored.

    Returns
    -------
    input_shape : tuple of int
        (features,) or (height, width, channels); two dimensions mean one channel.
    layers : list of LayerSpec
        The last one is always the output.

    Raises
    ------
    NotationError
        Naming the part that cannot be read.
    """
    text = re.sub(r"\s", "", str(notation)).replace("\u00d7", "x")
    if len(text) > _LONGEST:
        raise NotationError(
            f"network {notation!r:.60}... has {len(text):,} characters: give at most {_LONGEST:,}"
        )
    head, *tokens = text.split("-")
    if not _INPUT.fullmatch(head):
        raise NotationError(
            f"network {notation!r}: the input {head!r} is not of the form 64, 10x10 or 10x10x2"
        )
    if not tokens:
        raise NotationError(f"network {notation!r}: no layers; end with an output such as -10o")
    input_shape = tuple(int(part) for part in head.split("x"))
    if len(input_shape) == 2:
        input_shape += (1,)
    layers = [_parse_layer(token, notation) for token in tokens]
    for layer, token in zip(layers[:-1], tokens):
        if layer.kind == "output":
            raise NotationError(f"network {notation!r}: output {token!r} must be the last layer")
    if layers[-1].kind not in ("output", "dense"):
        raise NotationError(
            f"network {notation!r}: the last layer {tokens[-1]!r} must be an output such as 10o"
        )
    layers[-1] = dataclasses.replace(layers[-1], kind="output")
    sizes = [layer.size for layer in layers if layer.kind not in ("dense", "output")]
    units = [layer.units for layer in layers if "pool" not in layer.kind]
    if min([*input_shape, *sizes, *units, *(layer.step for layer in layers)]) < 1:
        raise NotationError(f"network {notation!r}: every number must be 1 or more")
    return input_shape, layers


def check_memory(
    notation: str,
    input_shape: tuple[int, ...],
    layers: list[LayerSpec],
    padding: str,
    n_copies: int = 2,
) -> None:
    """Refuse a network that does not fit into memory, before anything of it is built.

    Parameters
    ----------
    notation : str
    input_shape, layers
        Of `parse`.
    padding : str
        Of convolutions.
    n_copies : int
        Of the weights, in 4 bytes: as they are drawn, and as variables.

    Raises
    ------
    NotationError
        With what the network needs.
    """
    shape, n_numbers = input_shape, math.prod(input_shape)
    for layer in layers:
        if layer.kind in ("dense", "output"):
            n_weights, shape = (math.prod(shape) + 1) * layer.units, (layer.units,)
        elif len(shape) == 3:
            same = padding == "same" and layer.kind == "conv"
            reach = layer.step - 1 if same else -layer.size
            sides = [max(0, (side + reach) // layer.step + (not same)) for side in shape[:2]]
            n_weights = (layer.size**2 * shape[2] + 1) * layer.units
            shape = *sides, layer.units or shape[2]
        else:  # a vector, which `build` refuses
            return
        n_numbers += n_copies * n_weights + math.prod(shape)
    what = f"network {notation!r}: a sample and {n_copies} copies of the weights"
    check_fits(what, 4 * min(n_numbers, 1 << 100), "give smaller layers", NotationError)


def _parse_layer(token, notation):
    for kind, pattern in _LAYERS:
        match = pattern.fullmatch(token)
        if match:
            numbers = {key: int(n) for key, n in match.groupdict().items() if n is not None}
            if "pool" in kind:
                numbers.setdefault("step", numbers["size"])
            return LayerSpec(kind, **numbers)
    raise NotationError(
        f"network {notation!r}: cannot read {token!r}; layers are 6c4 (convolution), 32c3s2 "
        "(with stride), 2a (average pooling), 2MP2 (max pooling), 128 or 128FC (dense), 10o"
    )


def build(notation: str, seed: int = 0, activation: str = "relu", padding: str = "valid") -> Any:
    """Make a Keras functional model from the notation.

    Parameters
    ----------
    notation : str
        For example ``"10x10-6c4-24c3-10o"``.
    seed : int
        Seed of the initial weights (Glorot uniform, as Keras has it).
    activation : str
        Keras name of the hidden layers' activation.
    padding : {"valid", "same"}
        Padding of the convolutions; the ST-MNIST paper's sizes need "valid".

    Returns
    -------
    tf.keras.Model
        Ends in logits: the softmax is left to the loss.

    Raises
    ------
    NotationError
        For what cannot be read, does not fit together, or does not fit into memory.
    """
    from nengo_tactile import stack

    tf = stack.tensorflow()
    keras_layers = tf.keras.layers
    input_shape, layers = parse(notation)
    check_memory(notation, input_shape, layers, padding)
    counts: dict[str, int] = {}

    def name(kind):
        counts[kind] = counts.get(kind, 0) + 1
        return f"{kind.replace(' ', '_')}{counts[kind]}"

    x = inputs = tf.keras.Input(input_shape, name="input")
    for index, layer in enumerate(layers):
        # seeds differ between layers, and between networks that differ in seed
        start = tf.keras.initializers.GlorotUniform(seed=seed * 1009 + index)
        if layer.kind in ("conv", "average pool", "max pool"):
            if len(x.shape) != 4:
                raise NotationError(
                    f"network {notation!r}: {layer.kind} number {index + 1} needs an image, but "
                    f"gets a vector of {x.shape[-1]}: place it before the dense layers"
                )
            side = min(x.shape[1:3])
            if layer.size > side and (padding == "valid" or layer.kind != "conv"):
                raise NotationError(
                    f"network {notation!r}: {layer.kind} of side {layer.size} is larger than its "
                    f"input of {x.shape[1]} x {x.shape[2]}"
                )
        if layer.kind == "conv":
            x = keras_layers.Conv2D(
                layer.units,
                layer.size,
                strides=layer.step,
                padding=padding,
                activation=activation,
                kernel_initializer=start,
                name=name("conv"),
            )(x)
        elif layer.kind == "average pool":
            x = keras_layers.AveragePooling2D(layer.size, layer.step, name=name("average_pool"))(x)
        elif layer.kind == "max pool":
            x = keras_layers.MaxPooling2D(layer.size, layer.step, name=name("max_pool"))(x)
        else:
            if len(x.shape) == 4:
                x = keras_layers.Flatten(name="flatten")(x)
            x = keras_layers.Dense(
                layer.units,
                activation=None if layer.kind == "output" else activation,
                kernel_initializer=start,
                name="output" if layer.kind == "output" else name("dense"),
            )(x)
    return tf.keras.Model(inputs, x, name="ann")


def notation_for(input_shape, body):
    """Put an input shape before the layers of a network.

    Parameters
    ----------
    input_shape : tuple of int
        For example (10, 10, 1).
    body : str
        For example ``"6c4-24c3-10o"``.

    Returns
    -------
    str
        ``"10x10-6c4-24c3-10o"``.
    """
    shape = input_shape[:2] if len(input_shape) == 3 and input_shape[2] == 1 else input_shape
    if math.prod(shape) < 1:
        raise NotationError(f"input shape {input_shape} has an empty dimension")
    return "x".join(str(n) for n in shape) + "-" + body
