"""The papers' notation ("34x34x2-16c5-2a-32c3-2a-64c3-512-10") as networks of spiking layers."""

from typing import TYPE_CHECKING, Any

import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann.notation import check_memory, parse
from nengo_tactile.errors import ConversionError, NotationError
from nengo_tactile.networks.stages import Graph
from nengo_tactile.slayer.delays import groups_of
from nengo_tactile.slayer.dropout import HeldDropout
from nengo_tactile.slayer.layers import (
    MAX_DELAY,
    AggregatePooling2D,
    SpikingConv2D,
    SpikingDense,
)
from nengo_tactile.slayer.stages import (
    chain,
    check,
    conv,
    dense,
    layer_stage,
    loop_of,
    pool,
    synapses_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nengo_tactile.slayer.neurons import CurrentBasedLIF, SpikeResponseModel
    from nengo_tactile.slayer.surrogates import Surrogate

tf = stack.tensorflow()

_SPIKING = (SpikingDense, SpikingConv2D, AggregatePooling2D)
_SILENT = (tf.keras.layers.InputLayer, tf.keras.layers.Dropout, HeldDropout)


def build(
    notation: str,
    neuron: "SpikeResponseModel | CurrentBasedLIF | Sequence[Any] | None" = None,
    surrogate: "Surrogate | None" = None,
    n_steps: int | None = None,
    padding: str = "valid",
    max_delay: int | None = None,
    dropout: float = 0.0,
    recurrent: bool = False,
    gains: dict[str, float] | None = None,
    seed: int = 0,
    synaptic_delay: int = 0,
    delay_groups: int | None = None,
    learn_times: bool = False,
) -> Any:
    """Make a Keras model of spiking layers.

    Parameters
    ----------
    notation : str
        For example "10x10x2-6c2-24c3-10o"; ``2a`` is an aggregate pooling.
    neuron : SpikeResponseModel or CurrentBasedLIF, optional
        Or one for each layer.
    surrogate : Surrogate, optional
    n_steps : int, optional
        Steps of the inputs; by default any number.
    padding : {"valid", "same"}
        Of convolutions.
    max_delay : int, optional
        Highest axonal delay of neurons of hidden convolutions and dense layers (Spikemax paper,
        section IV), in steps; 0 for none. By default 62, or all steps but one where those are
        fewer.
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
    synaptic_delay : int
        Highest delay of synapses of dense and output layers, in steps; 0 for none.
    delay_groups : int, optional
        Groups of a neuron's synapses with one delay each; by default each synapse has its own.
    learn_times : bool
        Whether each layer's time constants are trained with its weights, from the same start.

    Returns
    -------
    tf.keras.Model
        From (n_samples, n_steps, ...features) to the output neurons' spikes, (n_samples, n_steps,
        n_classes).

    Raises
    ------
    NotationError, ConversionError
        For what cannot be read, and for what is no spiking layer here: max pooling, average
        pooling in other steps; for delays that are longer than the inputs.
    """
    shape, specs = parse(notation)
    if max_delay is None:
        max_delay = MAX_DELAY if n_steps is None else min(MAX_DELAY, n_steps - 1)
    for word, delay in (("max_delay", max_delay), ("synaptic_delay", synaptic_delay)):
        if n_steps is not None and delay >= n_steps:
            raise ConversionError(
                f"network {notation!r}: {word} is {delay} steps, of which a sample has {n_steps}: "
                f"spikes so late arrive behind its end, give at most {n_steps - 1}, or more steps"
            )
    check_memory(notation, shape, specs, padding)
    x = inputs = tf.keras.Input((n_steps, *shape), name="events")
    counts: dict[str, int] = {}
    gains = gains or {}
    neurons = _for_each(notation, neuron, specs)

    def name(kind):
        counts[kind] = counts.get(kind, 0) + 1
        return f"{kind}{counts[kind]}"

    for number, spec in enumerate(specs):
        shared: dict[str, Any] = {
            "neuron": neurons[number], "surrogate": surrogate, "learn_times": learn_times,
        }  # fmt: skip
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
                synaptic_delay=synaptic_delay, delay_groups=delay_groups,
                name=name("dense") if hidden else "output", **drawn, **shared,
            )  # fmt: skip
        else:
            raise NotationError(
                f"network {notation!r}: {spec.kind} is no layer of spiking neurons: use aggregate "
                f"pooling, such as {spec.size}a"
            )
        x = layer(x)
    return tf.keras.Model(inputs, x, name="slayer")


def _for_each(notation, neuron, specs):
    """A neuron model for each layer."""
    if neuron is None or hasattr(neuron, "kind"):
        return [neuron] * len(specs)
    if len(neuron) != len(specs):
        raise ConversionError(
            f"network {notation!r} has {len(specs)} layers, and {len(neuron)} neuron models are "
            "given: give one for each, or one for all"
        )
    return list(neuron)


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
    delays = loop = late = None
    if layer.delays is not None:
        delays = tf.cast(tf.floor(layer.delays), tf.int32).numpy()
    if isinstance(layer, SpikingDense):
        linear = dense(layer.scaled(layer.kernel).numpy())
        if layer.synaptic_delays is not None:
            late = np.floor(layer.synaptic_delays.numpy()).astype(int)
            late = late[groups_of(linear.n_in, len(late))]
        if layer.recurrent:
            loop = layer.scaled(layer.recurrent_kernel).numpy()
    elif isinstance(layer, SpikingConv2D):
        linear = conv(layer.scaled(layer.kernel).numpy(), before, layer.stride, layer.padding)
    else:
        linear = pool(layer.weight, layer.size, before)
    return layer_stage(layer.name, linear, layer.trained_neuron, shape, delays, loop, late)


def model_of(graph: Graph, surrogate: "Surrogate | None" = None) -> Any:
    """Make a Keras model with the weights of a graph, to look into or train on.

    Parameters
    ----------
    graph : Graph
    surrogate : Surrogate, optional

    Returns
    -------
    tf.keras.Model
        For any number of steps. Delays of whole steps begin at their middle; each synapse has its
        own.

    Raises
    ------
    ConversionError
        If it is no chain of SLAYER's layers, or a pooling has another weight than Keras layers.
    """
    check(graph)
    x = inputs = tf.keras.Input((None, *graph.input_shape), name="events")
    layer: Any
    for each in graph:
        linear, late = synapses_of(each)
        loop = loop_of(each)
        options: dict[str, Any] = {
            "neuron": each.neuron,
            "surrogate": surrogate,
            "name": each.name,
        }
        if each.axon is not None:
            options["max_delay"] = max(MAX_DELAY, int(each.axon.max()) + 1)
        if linear.dense:
            if late is not None:
                options["synaptic_delay"] = max(MAX_DELAY, int(late.max()) + 1)
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
        if late is not None:
            layer.synaptic_delays.assign(late + 0.5)
        if loop is not None:
            layer.recurrent_kernel.assign(loop)
        if each.axon is not None:
            layer.delays.assign(each.axon + 0.5)
    return tf.keras.Model(inputs, x, name="slayer")
