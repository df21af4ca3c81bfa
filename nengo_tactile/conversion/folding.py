"""Batch normalisation and rescaling folded into the weights of other layers.

Both are channel maps, ``x * scale + shift`` with numbers for each channel. A channel map goes
into the layer with weights before it (scaled filters, another bias) or into all layers that read
it (scaled kernels, another bias), past layers that it commutes with. Where neither is exact it
becomes a layer with weights of its own, a depthwise convolution over one pixel.
"""

import dataclasses

import numpy as np

from nengo_tactile import stack
from nengo_tactile.conversion import support
from nengo_tactile.conversion.channel_maps import (
    ChannelMap,
    commutes,
    scale_inputs,
    scale_outputs,
    with_bias,
)
from nengo_tactile.conversion.graph import (
    consumers,
    copy_layer,
    free_names,
    functional,
    rebuild,
    walk,
)
from nengo_tactile.conversion.pooling import pools_maxima, rectify_before_max_pooling
from nengo_tactile.conversion.simplify import WEIGHTED
from nengo_tactile.errors import ConversionError


def fold_batch_norm(model):
    """Fold every BatchNormalization into the weights of other layers.

    Parameters
    ----------
    model : tf.keras.Model

    Returns
    -------
    tf.keras.Model
        Same function as at inference, without BatchNormalization. One that cannot be folded
        (between an Add and an activation, say) is a DepthwiseConv2D or DepthwiseConv1D of its
        name.

    Raises
    ------
    ConversionError
        If one normalises another axis than the last, or has a variance below zero.
    """
    return _fold(model, {"BatchNormalization": _of_batch_norm})


def fold_rescaling(model):
    """Fold every Rescaling and Normalization layer into the weights of other layers.

    The first convolution takes it in where that is exact: with padding, an image's border is
    zero after the rescaling, so that an offset cannot go behind it.

    Parameters
    ----------
    model : tf.keras.Model

    Returns
    -------
    tf.keras.Model
        Same function. A rescaling that cannot be folded is a DepthwiseConv2D or DepthwiseConv1D
        of its name.

    Raises
    ------
    ConversionError
        If one has other factors at each position, not only for each channel.
    """
    return _fold(model, {"Rescaling": _of_rescaling, "Normalization": _of_normalization})


@dataclasses.dataclass
class _Plan:
    """What becomes of each layer, by name, while folding goes through a model."""

    layers: dict
    shapes: dict  # of the outputs, without the sample axis
    sources: dict
    readers: dict
    maps: dict  # channel maps that are still layers
    weights: dict  # kernels and bias of the layers that took one in
    gone: set = dataclasses.field(default_factory=set)

    def weights_of(self, layer):
        """Kernels and bias of a layer as they are by now."""
        return self.weights.get(layer.name) or with_bias(layer, self.shapes[layer.name][-1])

    def apply(self, edits):
        for name, value in edits.items():
            (self.maps if isinstance(value, ChannelMap) else self.weights)[name] = value


def _fold(model, readings):
    """Fold the layers of the types in ``readings``, {type: layer -> ChannelMap}."""
    model = functional(model)
    first = model.layers[0]
    plan = _Plan({}, {first.name: tuple(first.output.shape[1:])}, {}, consumers(model), {}, {})
    plan.layers[first.name], made_by = first, {id(model.inputs[0]): first.name}
    for layer, inputs, output in walk(model):
        name = made_by[id(output)] = layer.name
        plan.layers[name], plan.shapes[name] = layer, tuple(output.shape[1:])
        plan.sources[name] = [made_by[id(tensor)] for tensor in inputs]
        if type(layer).__name__ in readings:
            plan.maps[name] = readings[type(layer).__name__](layer, plan.shapes[name])
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
        return model
    names = free_names(model)

    def replace(layer, inputs):
        if layer.name in plan.gone:
            return inputs[0]
        if layer.name in plan.maps:
            return _own_layer(layer, plan.maps[layer.name], inputs[0], names)
        if layer.name in plan.weights:
            return _with_weights(layer, plan.weights[layer.name], inputs[0])
        return None

    model = rebuild(model, replace)
    return rectify_before_max_pooling(model) if pools_maxima(model) else model


def _into_sources(plan, name, change):
    """Edits that apply ``change`` to all that a layer reads; None where that is not exact."""
    sources = plan.sources[name]
    edits = {}
    for number, source in enumerate(sources):
        part = change
        if len(sources) > 1:
            sizes = [plan.shapes[s][-1] for s in sources]
            part = change.part_of(type(plan.layers[name]).__name__, number, sizes)
        found = _into_output(plan, source, part)
        if found is None:
            return None
        edits.update(found)
    return edits


def _into_output(plan, name, change):
    """Edits after which the output of a layer is ``change`` of what it was, or None."""
    if len(plan.readers[name]) != 1 or name not in plan.sources:
        return None  # others read it unchanged, or it is the input
    layer = plan.layers[name]
    kind = type(layer).__name__
    if name in plan.maps:
        return {name: plan.maps[name].then(change)}
    if name in plan.gone:
        return _into_sources(plan, name, change)
    if kind in WEIGHTED:
        if support.activation_name(layer) != "linear" or not _channels_last(layer):
            return None
        return {name: scale_outputs(layer, plan.weights_of(layer), change)}
    if kind in ("Flatten", "Reshape"):
        before = plan.shapes[plan.sources[name][0]]
        change = change.reshaped(plan.shapes[name], before)
        return None if change is None else _into_sources(plan, name, change)
    adds_up = kind in ("Add", "Average", "Subtract") and _same_shapes(plan, name)
    joins = kind == "Concatenate" and layer.axis in (-1, len(plan.shapes[name]))
    if adds_up or joins or commutes(layer, change):
        return _into_sources(plan, name, change)
    return None


def _into_readers(plan, name, change):
    """Edits after which all readers of a layer's output apply ``change`` to it, or None."""
    edits = {}
    for reader in plan.readers[name]:
        layer = plan.layers[reader]
        kind = type(layer).__name__
        found, passed_on = None, None
        if reader in plan.maps:
            found = {reader: change.then(plan.maps[reader])}
        elif kind in WEIGHTED and _channels_last(layer):
            weights = scale_inputs(layer, plan.weights_of(layer), change, plan.shapes[name])
            found = None if weights is None else {reader: weights}
        elif kind in ("Flatten", "Reshape"):
            passed_on = change.reshaped(plan.shapes[name], plan.shapes[reader])
        elif commutes(layer, change):
            passed_on = change
        if passed_on is not None:
            found = _into_readers(plan, reader, passed_on)
        if found is None:
            return None
        edits.update(found)
    return edits or None  # what ends the network has no reader


def _channels_last(layer):
    return getattr(layer, "data_format", "channels_last") == "channels_last"


def _same_shapes(plan, name):
    """Whether a merging layer broadcasts none of its inputs."""
    return all(plan.shapes[source] == plan.shapes[name] for source in plan.sources[name])


def _with_weights(layer, weights, x):
    """Call a copy of a layer that has other weights, and a bias where it is needed."""
    use_bias = layer.use_bias or bool(weights[-1].any())
    return copy_layer(layer, [x], weights if use_bias else weights[:-1], use_bias=use_bias)


def _own_layer(layer, change, x, names):
    """Call a channel map as a depthwise convolution over one pixel."""
    layers = stack.tensorflow().keras.layers
    rank = len(x.shape) - 1
    if rank not in (1, 2, 3):
        raise ConversionError(
            f"layer '{layer.name}' ({type(layer).__name__}): its input has shape "
            f"{tuple(x.shape[1:])}; features, sequences and images can be converted"
        )
    shape = x.shape[1:]
    if rank == 1:  # features are a sequence of one step
        x = layers.Reshape((1, *shape), name=names(f"{layer.name}_step"))(x)
    new = (layers.DepthwiseConv2D if rank == 3 else layers.DepthwiseConv1D)(1, name=layer.name)
    output = new(x)
    new.set_weights([change.scale.reshape(new.depthwise_kernel.shape), change.shift])
    if rank == 1:
        output = layers.Reshape(shape, name=names(f"{layer.name}_features"))(output)
    return output


def _of_batch_norm(layer, shape):
    label = f"layer '{layer.name}' (BatchNormalization)"
    axes = tuple(layer.axis)
    if axes != (len(shape),):
        raise ConversionError(
            f"{label}: axis is {axes}, only the last one, {len(shape)} here, can be converted; "
            "bring the channels there, with data_format='channels_last' or a Permute before it"
        )
    variance = layer.moving_variance.numpy().astype(float)
    if not (variance + layer.epsilon > 0).all():
        raise ConversionError(
            f"{label}: moving_variance has the value {np.min(variance)}; a variance is above zero: "
            "train again, or load sound weights"
        )
    scale = 1 / np.sqrt(variance + layer.epsilon)
    if layer.scale:
        scale = scale * layer.gamma.numpy()
    shift = -layer.moving_mean.numpy() * scale
    if layer.center:
        shift = shift + layer.beta.numpy()
    return ChannelMap(scale, shift)


def _of_rescaling(layer, shape):
    return ChannelMap(
        _per_channel(layer, "scale", layer.scale, shape),
        _per_channel(layer, "offset", layer.offset, shape),
    )


def _of_normalization(layer, shape):
    mean = _per_channel(layer, "mean", layer.mean, shape)
    variance = _per_channel(layer, "variance", layer.variance, shape)
    smallest = stack.tensorflow().keras.backend.epsilon()
    deviation = np.maximum(np.sqrt(variance), smallest)
    if layer.invert:
        return ChannelMap(deviation, mean)
    return ChannelMap(1 / deviation, -mean / deviation)


def _per_channel(layer, name, value, shape):
    value = np.asarray(value, float)
    wide = value.shape[:-1] if value.ndim else ()
    if value.size != 1 and (value.shape[-1] != shape[-1] or set(wide) - {1}):
        raise ConversionError(
            f"layer '{layer.name}' ({type(layer).__name__}): {name} has shape {value.shape}, only "
            f"a number, or one for each of the {shape[-1]} channels, can be converted; "
            "rescale the data before the network"
        )
    return np.broadcast_to(value.reshape(-1), shape[-1:])
