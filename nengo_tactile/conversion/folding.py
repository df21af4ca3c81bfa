"""Batch normalisation and rescaling folded into the weights of other layers.

Both are channel maps, ``x * scale + shift`` with numbers for each channel. A channel map goes
into the layer with weights before it (scaled filters, another bias) or into all layers that read
it (scaled kernels, another bias), past layers that it commutes with. Where neither is exact it
becomes a layer with weights of its own, a depthwise convolution over one pixel.
"""

import dataclasses

import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann.layers import Layers
from nengo_tactile.ann.layers import layer as new_layer
from nengo_tactile.conversion import support
from nengo_tactile.conversion.channel_maps import (
    ChannelMap,
    commutes,
    scale_inputs,
    scale_outputs,
    with_bias,
)
from nengo_tactile.conversion.pooling import rectify_before_max_pooling
from nengo_tactile.conversion.simplify import WEIGHTED
from nengo_tactile.errors import ConversionError


def fold_batch_norm(layers):
    """Fold every BatchNormalization into the weights of other layers.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers

    Returns
    -------
    Layers
        Same function as at inference, without BatchNormalization. One that cannot be folded
        (between an Add and an activation, say) is a DepthwiseConv2D or DepthwiseConv1D of its
        name.

    Raises
    ------
    ConversionError
        If one normalises another axis than the last, or has a variance below zero.
    """
    return _fold(layers, {"BatchNormalization": _of_batch_norm})


def fold_rescaling(layers):
    """Fold every Rescaling and Normalization layer into the weights of other layers.

    The first convolution takes it in where that is exact: with padding, an image's border is
    zero after the rescaling, so that an offset cannot go behind it.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers

    Returns
    -------
    Layers
        Same function. A rescaling that cannot be folded is a DepthwiseConv2D or DepthwiseConv1D
        of its name.

    Raises
    ------
    ConversionError
        If one has other factors at each position, not only for each channel.
    """
    return _fold(layers, {"Rescaling": _of_rescaling, "Normalization": _of_normalization})


@dataclasses.dataclass
class _Plan:
    """What becomes of each layer, by name, while folding goes through a model."""

    layers: Layers
    maps: dict  # channel maps that are still layers
    weights: dict = dataclasses.field(default_factory=dict)  # of the layers that took one in
    gone: set = dataclasses.field(default_factory=set)

    def weights_of(self, layer):
        """Kernels and bias of a layer as they are by now."""
        return self.weights.get(layer.name) or with_bias(layer)

    def apply(self, edits):
        for name, value in edits.items():
            (self.maps if isinstance(value, ChannelMap) else self.weights)[name] = value


def _fold(layers, readings):
    """Fold the layers of the kinds in ``readings``, {kind: layer -> ChannelMap}."""
    plan = _Plan(
        layers, {each.name: readings[each.kind](each) for each in layers.of_kinds(*readings)}
    )
    for name in list(plan.maps):
        change = plan.maps[name]
        edits = {} if change.is_identity else _into_sources(plan, name, change)
        if edits is None:
            edits = _into_readers(plan, name, change)
        if edits is not None:
            plan.apply(edits)
            del plan.maps[name]
            plan.gone.add(name)
    if not plan.maps and not plan.gone:
        return layers
    names = layers.names()

    def replace(layer, inputs):
        if layer.name in plan.gone:
            return inputs[0]
        if layer.name in plan.maps:
            return _own_layers(layer, plan.maps[layer.name], inputs, names)
        if layer.name in plan.weights:
            return _with_weights(layer, plan.weights[layer.name], inputs)
        return None

    return rectify_before_max_pooling(layers.rebuilt(replace))


def _into_sources(plan, name, change):
    """Edits that apply ``change`` to all that a layer reads; None where that is not exact."""
    layer, edits = plan.layers[name], {}
    for number, source in enumerate(layer.sources):
        part = change
        if len(layer.sources) > 1:
            sizes = [shape[-1] for shape in layer.input_shapes]
            part = change.part_of(layer.kind, number, sizes)
        found = _into_output(plan, source, part)
        if found is None:
            return None
        edits.update(found)
    return edits


def _into_output(plan, name, change):
    """Edits after which the output of a layer is ``change`` of what it was, or None."""
    layer = plan.layers[name]
    if len(plan.layers.readers[name]) != 1 or not layer.sources:
        return None  # others read it unchanged, or it is the input
    if name in plan.maps:
        return {name: plan.maps[name].then(change)}
    if name in plan.gone:
        return _into_sources(plan, name, change)
    if layer.kind in WEIGHTED:
        if support.activation_name(layer) != "linear" or not layer.channels_last:
            return None
        return {name: scale_outputs(layer, plan.weights_of(layer), change)}
    if layer.kind in ("Flatten", "Reshape"):
        change = change.reshaped(layer.shape, layer.input_shapes[0])
        return None if change is None else _into_sources(plan, name, change)
    adds_up = layer.kind in ("Add", "Average", "Subtract") and _same_shapes(layer)
    joins = layer.kind == "Concatenate" and layer.config["axis"] in (-1, len(layer.shape))
    if adds_up or joins or commutes(layer, change):
        return _into_sources(plan, name, change)
    return None


def _into_readers(plan, name, change):
    """Edits after which all readers of a layer's output apply ``change`` to it, or None."""
    edits = {}
    for reader in plan.layers.readers[name]:
        layer = plan.layers[reader]
        found, passed_on = None, None
        if reader in plan.maps:
            found = {reader: change.then(plan.maps[reader])}
        elif layer.kind in WEIGHTED and layer.channels_last:
            weights = scale_inputs(layer, plan.weights_of(layer), change)
            found = None if weights is None else {reader: weights}
        elif layer.kind in ("Flatten", "Reshape"):
            passed_on = change.reshaped(layer.input_shapes[0], layer.shape)
        elif commutes(layer, change):
            passed_on = change
        if passed_on is not None:
            found = _into_readers(plan, reader, passed_on)
        if found is None:
            return None
        edits.update(found)
    return edits or None  # what ends the network has no reader


def _same_shapes(layer):
    """Whether a merging layer broadcasts none of its inputs."""
    return all(shape == layer.shape for shape in layer.input_shapes)


def _with_weights(layer, weights, inputs):
    """The layer with other weights, and a bias where it is needed."""
    use_bias = layer.config["use_bias"] or bool(weights[-1].any())
    return layer.changed(inputs, weights if use_bias else weights[:-1], use_bias=use_bias)


def _own_layers(layer, change, inputs, names):
    """A channel map as a depthwise convolution over one pixel."""
    shape, made = layer.shape, []
    if len(shape) not in (1, 2, 3):
        raise ConversionError(
            f"{layer.label}: its input has shape {shape}; features, sequences and images can be "
            "converted"
        )
    if len(shape) == 1:  # features are a sequence of one step
        made.append(
            new_layer("Reshape", names(f"{layer.name}_step"), inputs, target_shape=(1, *shape))
        )
        inputs = made
    axes = max(len(shape) - 1, 1)
    weights = [change.scale.reshape(*(1,) * axes, -1, 1), change.shift]
    made.append(new_layer(f"DepthwiseConv{axes}D", layer.name, inputs, weights, kernel_size=1))
    if len(shape) == 1:
        name = names(f"{layer.name}_features")
        made.append(new_layer("Reshape", name, made[-1:], target_shape=shape))
    return made


def _of_batch_norm(layer):
    axes, last = tuple(np.atleast_1d(layer.config["axis"]).tolist()), len(layer.shape)
    if axes not in ((last,), (-1,)):
        raise ConversionError(
            f"{layer.label}: axis is {axes}, only the last one, {last} here, can be converted; "
            "bring the channels there, with data_format='channels_last' or a Permute before it"
        )
    *trained, mean, variance = layer.weights
    variance = variance.astype(float) + layer.config["epsilon"]
    if not (variance > 0).all():
        raise ConversionError(
            f"{layer.label}: moving_variance has the value {layer.weights[-1].min()}; a variance "
            "is above zero: train again, or load sound weights"
        )
    scale = 1 / np.sqrt(variance)
    if layer.config["scale"]:
        scale = scale * trained[0]
    shift = -mean * scale
    if layer.config["center"]:
        shift = shift + trained[-1]
    return ChannelMap(scale, shift)


def _of_rescaling(layer):
    return ChannelMap(
        *(_per_channel(layer, name, layer.config[name]) for name in ("scale", "offset"))
    )


def _of_normalization(layer):
    mean, variance = (_per_channel(layer, *each) for each in standardisation(layer).items())
    smallest = stack.tensorflow().keras.backend.epsilon()
    deviation = np.maximum(np.sqrt(variance), smallest)
    if layer.config["invert"]:
        return ChannelMap(deviation, mean)
    return ChannelMap(1 / deviation, -mean / deviation)


def standardisation(layer):
    """Mean and variance of a Normalization layer by their names, given to it or measured."""
    measured = dict(zip(("mean", "variance"), layer.weights))
    # Keras computes in float32 with those that were given
    return measured or {n: np.float32(layer.config[n]) for n in ("mean", "variance")}


def _per_channel(layer, name, value):
    value, shape = np.asarray(value, float), layer.shape
    wide = value.shape[:-1] if value.ndim else ()
    if value.size != 1 and (value.shape[-1] != shape[-1] or set(wide) - {1}):
        raise ConversionError(
            f"{layer.label}: {name} has shape {value.shape}, only "
            f"a number, or one for each of the {shape[-1]} channels, can be converted; "
            "rescale the data before the network"
        )
    return np.broadcast_to(value.reshape(-1), shape[-1:])
