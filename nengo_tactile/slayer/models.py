"""The papers' notation ("34x34x2-16c5-2a-32c3-2a-64c3-512-10") as networks of spiking layers."""

from typing import TYPE_CHECKING, Any

import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann.notation import check_memory, parse
from nengo_tactile.errors import ConversionError, NotationError
from nengo_tactile.networks.stages import Graph
from nengo_tactile.slayer.dropout import HeldDropout
from nengo_tactile.slayer.layers import (
    MAX_DELAY,
    AggregatePooling2D,
    SpikingConv2D,
    SpikingDense,
)
from nengo_tactile.slayer.stages import chain, check, conv, dense, layer_stage, loop_of, pool

if TYPE_CHECKING:
    from nengo_tactile.slayer.surrogates import Surrogate

if TYPE_CHECKING:
    from nengo_tactile.slayer.neurons import CurrentBasedLIF, SpikeResponseModel
    from nengo_tactile.slayer.surrogates import Surrogate

tf = stack.tensorflow()

_SPIKING = (SpikingDense, SpikingConv2D, AggregatePooling2D)
_SILENT = (tf.keras.layers.InputLayer, tf.keras.layers.Dropout, HeldDropout)


def build(
    notation: str,
    neuron: "SpikeResponseModel | CurrentBasedLIF | None" = None,
    surrogate: "Surrogate | None" = None,
    n_steps: int | None = None,
    padding: str = "valid",
    max_delay: int = MAX_DELAY,
    dropout: float = 0.0,
    recurrent: bool = False,
    gains: dict[str, float] | None = None,
    seed: int = 0,
) -> Any:
    """Make a Keras model of spiking layers.

    Parameters
    ----------
    notation : str
        For example "10x10x2-6c2-24c3-10o"; ``2a`` is an aggregate pooling.
    neuron : SpikeResponseModel or CurrentBasedLIF, optional
    surrogate : Surrogate, optional
    n_steps : int, optional
        Steps of the inputs; by default any number.
    padding : {"valid", "same"}
        Of convolutions.
    max_delay : int
        Highest axonal delay of neurons of hidden convolutions and dense layers (Spikemax paper,
        section IV), in steps; 0 for none.
    dropout : float
        Share of the spiking neurons before dense and output layers that are left out in training;
        the same at all steps of a sample. Of the network's inputs none is.
    recurrent : bool
        Whether hidden dense layers are recurrent; those have no delays.
    gains : dict of str to float, optional
        Of "conv", "dense" and "output" layers' initial weights: see `layers.SpikingDense`. Layers
        without one start from the data: `training.train` scales their weights. slayerPytorch's
        are `layers.GAINS`.
    seed : int

    Returns
    -------
    tf.keras.Model
        From (n_samples, n_steps, ...features) to the output neurons' spikes, (n_samples, n_steps,
        n_classes).

    Raises
    ------
    NotationError, ConversionError
        For what cannot be read, and for what is no spiking layer here: max pooling, average
        pooling in other steps.
    """
    shape, specs = parse(notation)
    check_memory(notation, shape, specs, padding)
    x = inputs = tf.keras.Input((n_steps, *shape), name="events")
    counts: dict[str, int] = {}
    gains = gains or {}

    def name(kind):
        counts[kind] = counts.get(kind, 0) + 1
        return f"{kind}{counts[kind]}"

    for number, spec in enumerate(specs):
        shared: dict[str, Any] = {"neuron": neuron, "surrogate": surrogate}
        drawn: dict[str, Any] = {"seed": 1009 * seed + number, "gain": gains.get(spec.kind)}
        if spec.kind == "conv":
            layer = SpikingConv2D(
                spec.units, spec.size, spec.step, padding, max_delay=max_delay,
                name=name("conv"), **drawn, **shared,
            )  # fmt: skip
        elif spec.kind == "average pool":
            layer = AggregatePooling2D(spec.size, name=name("pool"), **shared)
        elif spec.kind in ("dense", "output"):
            hidden = spec.kind == "dense"
            if dropout and number > 0:
                x = HeldDropout(dropout, drawn["seed"], name=name("dropout"))(x)
            layer = SpikingDense(
                spec.units, recurrent=recurrent and hidden,
                max_delay=max_delay if hidden and not recurrent else 0,
                name=name("dense") if hidden else "output", **drawn, **shared,
            )  # fmt: skip
        else:
            raise NotationError(
                f"network {notation!r}: {spec.kind} is no layer of spiking neurons: use aggregate "
                f"pooling, such as {spec.size}a"
            )
        x = layer(x)
    return tf.keras.Model(inputs, x, name="slayer")


def spiking_layers(model):
    """The spiking layers of a model, in order.

    Raises
    ------
    ConversionError
        If it is no chain of them, with dropout in between at most.
    """
    found = []
    for layer in model.layers:
        if isinstance(layer, _SPIKING):
            found.append(layer)
        elif not isinstance(layer, _SILENT):
            raise ConversionError(
                f"layer {layer.name!r} ({type(layer).__name__}) is no spiking layer: use those of "
                "nengo_tactile.slayer, and dropout"
            )
        if len(layer.inbound_nodes) != 1 or len(tf.nest.flatten(layer.input)) != 1:
            raise ConversionError(
                f"layer {layer.name!r} has several inputs or is used twice: make a chain of layers"
            )
    if not found:
        raise ConversionError("the model has no spiking layer: use nengo_tactile.slayer.build")
    return found


def stages_of(model: Any) -> Graph:
    """Return a trained network as a graph, one stage for each spiking layer.

    Parameters
    ----------
    model : tf.keras.Model
        From `build`, or a chain of the same layers.

    Returns
    -------
    Graph
    """
    layers = spiking_layers(model)
    return chain(tuple(layers[0].input.shape[2:]), [_stage(layer) for layer in layers])


def _stage(layer):
    before, shape = (tuple(int(n) for n in each.shape[2:]) for each in (layer.input, layer.output))
    delays = loop = None
    if layer.delays is not None:
        delays = tf.cast(tf.floor(layer.delays), tf.int32).numpy()
    if isinstance(layer, SpikingDense):
        linear = dense(layer.scaled(layer.kernel).numpy())
        if layer.recurrent:
            loop = layer.scaled(layer.recurrent_kernel).numpy()
    elif isinstance(layer, SpikingConv2D):
        linear = conv(layer.scaled(layer.kernel).numpy(), before, layer.stride, layer.padding)
    else:
        linear = pool(layer.weight, layer.size, before)
    return layer_stage(layer.name, linear, layer.neuron, shape, delays, loop)


def model_of(graph: Graph, surrogate: "Surrogate | None" = None) -> Any:
    """Make a Keras model with the weights of a graph, to look into or train on.

    Parameters
    ----------
    graph : Graph
    surrogate : Surrogate, optional

    Returns
    -------
    tf.keras.Model
        For any number of steps. Axonal delays of whole steps begin at their middle.

    Raises
    ------
    ConversionError
        If it is no chain of SLAYER's layers, or a pooling has another weight than Keras layers.
    """
    check(graph)
    x = inputs = tf.keras.Input((None, *graph.input_shape), name="events")
    layer: Any
    for each in graph:
        linear: Any = each.links[0].map
        loop = loop_of(each)
        options: dict[str, Any] = {
            "neuron": each.neuron,
            "surrogate": surrogate,
            "name": each.name,
        }
        if each.axon is not None:
            options["max_delay"] = max(MAX_DELAY, int(each.axon.max()) + 1)
        if linear.dense:
            layer = SpikingDense(each.n_neurons, recurrent=loop is not None, **options)
        elif not linear.pools:
            word = linear.padding_word()
            layer = SpikingConv2D(
                each.shape[-1], linear.sides[0], linear.strides[0], word, **options
            )
        else:
            layer = AggregatePooling2D(linear.sides[0], **options)
            if not np.allclose(linear.kernel, layer.weight):
                raise ConversionError(
                    f"stage {each.name!r} pools with the weight {linear.kernel.flat[0]}, Keras "
                    f"layers have {layer.weight:g}: train another network, or run the graph itself"
                )
        x = layer(x)
        if not linear.pools:
            layer.kernel.assign(linear.kernel)
        if loop is not None:
            layer.recurrent_kernel.assign(loop)
        if each.axon is not None:
            layer.delays.assign(each.axon + 0.5)
    return tf.keras.Model(inputs, x, name="slayer")
