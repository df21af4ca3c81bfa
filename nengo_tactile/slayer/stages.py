"""Layers of SLAYER networks as stages of a graph: each reads the one before, and perhaps itself."""

import dataclasses
from typing import Any

import numpy as np
import scipy.sparse

from nengo_tactile.errors import ConversionError
from nengo_tactile.networks.linear_maps import Convolution, Pooling, Sparse, same_padding
from nengo_tactile.networks.stages import Graph, Link, Stage

PADDINGS = ("valid", "same")


def dense(weights: np.ndarray) -> Convolution:
    """The map of a dense layer, (n_inputs, n_neurons); inputs in the order of Keras's Flatten."""
    return Convolution.matrix_of(np.asarray(weights))


def conv(
    weights: np.ndarray, input_shape: tuple, stride: int = 1, padding: str = "valid"
) -> Convolution:
    """The map of a convolution.

    Parameters
    ----------
    weights : (height, width, channels, filters) array
    input_shape : tuple of int
        (height, width, channels).
    stride : int
    padding : {"valid", "same"}
        As in Keras.

    Raises
    ------
    ConversionError
        For another padding, and for weights that do not fit the inputs.
    """
    if padding not in PADDINGS:
        raise ConversionError(f"padding is {padding!r}: choose one of {', '.join(PADDINGS)}")
    weights, same = np.asarray(weights), padding == "same"
    sides = weights.shape[:2]
    size = [
        -(-n // stride) if same else (n - side) // stride + 1 for n, side in zip(input_shape, sides)
    ]
    shapes, strides = (tuple(input_shape), (*size, weights.shape[-1])), (stride, stride)
    padded = same_padding(*shapes, sides, strides) if same else ()
    return Convolution(weights, *shapes, strides, padded)


def pool(weight: float, side: int, input_shape: tuple) -> Pooling:
    """The map of an aggregate pooling; pixels that do not fill a window are left out."""
    *size, channels = input_shape
    output_shape = (*(n // side for n in size), channels)
    return Pooling.of(np.float32(weight), side, tuple(input_shape), output_shape)


def layer_stage(
    name: str,
    linear: Convolution,
    neuron: Any,
    shape: tuple | None = None,
    delays: np.ndarray | None = None,
    recurrent: np.ndarray | None = None,
    late: np.ndarray | None = None,
) -> Stage:
    """A layer's stage, which `chain` lets read the one before.

    Parameters
    ----------
    name : str
    linear : Convolution
    neuron : SpikeResponseModel or CurrentBasedLIF
    shape : tuple of int, optional
        Of the neurons, if they are not as the map has them.
    delays : (n_neurons,) int array, optional
        Steps that spikes spend on each neuron's axon.
    recurrent : (n_neurons, n_neurons) array, optional
        Weights from the spikes of a step, after their delay, to the current of the next one.
    late : (n_inputs, n_neurons) int array, optional
        Steps that spikes spend in each synapse of a dense layer.
    """
    links = [Link("input", linear)]
    if late is not None:
        links = [
            Link("input", Sparse(_of_delay(linear.kernel, late == steps)), delay=int(steps))
            for steps in np.unique(late)
        ]
    if recurrent is not None:
        links.append(Link(name, dense(recurrent), delay=1))
    shape = linear.output_shape if shape is None else shape
    return Stage(name, shape, neuron, tuple(links), axon=delays, layer=name)


def chain(input_shape: tuple, stages: list) -> Graph:
    """The graph of stages that each read the one before, and the first the input."""
    linked, source = [], "input"
    for one in stages:
        links = [
            link if link.source == one.name else dataclasses.replace(link, source=source)
            for link in one.links
        ]
        linked.append(dataclasses.replace(one, links=links))
        source = one.name
    return Graph(input_shape, tuple(linked))


def _of_delay(weights, chosen):
    """Weights of the synapses that have a delay, those of zero too, as `Sparse` has them."""
    rows, columns = np.nonzero(chosen.T)
    values = np.asarray(weights).T[rows, columns]
    return scipy.sparse.csr_matrix((values, (rows, columns)), chosen.T.shape)


def loop_of(stage: Stage) -> np.ndarray | None:
    """The weights of a stage's loop, (n_neurons, n_neurons), or None."""
    loops: list[Any] = [link.map for link in stage.links if link.source == stage.name]
    return loops[0].kernel if loops else None


def synapses_of(stage: Stage) -> tuple[Any, np.ndarray | None]:
    """What comes from the layer before, the other way round from `layer_stage`.

    Parameters
    ----------
    stage : Stage

    Returns
    -------
    linear : Convolution
    late : (n_inputs, n_neurons) int array or None
        Steps that spikes spend in each synapse, of those that have delays.
    """
    first = [link for link in stage.links if link.source != stage.name]
    linear: Any = first[0].map
    if not linear.sparse:
        return linear, None
    weights = np.zeros((linear.n_in, linear.n_out), linear.values.dtype)
    late = np.zeros(weights.shape, int)
    for link in first:
        matrix = link.map.matrix().tocoo()
        weights[matrix.col, matrix.row] = matrix.data
        late[matrix.col, matrix.row] = link.delay
    return dense(weights), late


def check(graph: Graph) -> None:
    """Refuse what is no chain of SLAYER's layers.

    Raises
    ------
    ConversionError
        Naming the stage.
    """
    source = "input"
    for one in graph:
        found = [(link.source, link.target is None, link.delay) for link in one.links]
        loops = [link for link in one.links if link.source == one.name]
        own = [(source, True, 0), (one.name, True, 1)]
        full = all(link.map.dense for link in loops)
        # synapses of a dense layer, those of each delay together
        if one.links and one.links[0].map.sparse:
            late = [link for link in one.links if link not in loops]
            own = [*((source, True, link.delay) for link in late), own[1]]
            maps: list[Any] = [link.map for link in late]
            full = full and all(each.sparse for each in maps)
            full = full and sum(each.values.size for each in maps) == maps[0].n_in * one.n_neurons
        quiet = not (one.bias.any() or one.start.any() or any(e.low_pass for e in one.links))
        fires = one.neuron.leaks and getattr(one.neuron, "reset", "zero") == "zero"
        if found not in (own[:-1], own) or not (full and quiet and fires):
            raise ConversionError(
                f"stage {one.name!r} is no layer of a SLAYER network: let it have spike response "
                f"or current-based neurons, read {source!r} and at most itself, a step later, "
                "without biases and low-passes of links"
            )
        source = one.name
