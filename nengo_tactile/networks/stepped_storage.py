"""Saved networks of any graph. What all saved networks share is in `networks.folders`."""

import dataclasses
import math

import numpy as np
import scipy.sparse

from nengo_tactile.errors import ConversionError
from nengo_tactile.events.spikes import SpikeLayout
from nengo_tactile.networks import folders, neurons
from nengo_tactile.networks.linear_maps import Convolution, Pooling, Sparse
from nengo_tactile.networks.stages import Graph, Link, Stage
from nengo_tactile.networks.stepped import SteppedNetwork

#: Of a stage: arrays that are left out where they hold nothing.
_ARRAYS = ("bias", "start", "step_bias")
_GEOMETRY = ("input_shape", "output_shape", "strides", "padding", "dilation", "groups")
_DTYPES = {"float32": np.float32, "float64": np.float64}
_CONVOLUTIONS = {"convolution": Convolution, "pooling": Pooling}


def described(network):
    """What a network is, all but its card: see `nengo_tactile.networks.folders.save`.

    Raises
    ------
    ConversionError
        For neurons that files have no name for.
    """
    arrays = {}
    description = {
        "kind": "stepped",
        "input_shape": network.graph.input_shape,
        "stages": [_told(stage, n, arrays) for n, stage in enumerate(network.graph)],
        "layout": dataclasses.asdict(network.layout),
        "classes": network.classes,
    }
    return description, {name: np.asarray(values, float) for name, values in arrays.items()}


def _told(stage, place, arrays):
    neuron = stage.neuron
    if neurons.KINDS.get(neuron.kind) is not type(neuron):
        raise ConversionError(
            f"stage {stage.name!r}: its neurons are {neuron}, which a SteppedNetwork's folder has "
            f"no name for: give one of {', '.join(neurons.KINDS)}"
        )
    numbers = dataclasses.asdict(neuron)
    finite = {k: v for k, v in numbers.items() if isinstance(v, str) or math.isfinite(v)}
    for name in _ARRAYS:
        if getattr(stage, name).any():
            arrays[f"{place}/{name}"] = getattr(stage, name)
    if stage.axon is not None:
        arrays[f"{place}/axon"] = stage.axon
    return {
        "name": stage.name,
        "shape": stage.shape,
        "layer": stage.layer,
        "neuron": {"kind": neuron.kind, **finite},
        "links": [_link_told(link, f"{place}/{n}", arrays) for n, link in enumerate(stage.links)],
    }


def _link_told(link, place, arrays):
    told = {"source": link.source, "delay": link.delay, "low_pass": link.low_pass}
    if link.target is not None:
        arrays[f"{place}/target"] = link.target
    arrays[f"{place}/weights"] = link.map.values
    told["dtype"] = str(link.map.values.dtype)
    if link.map.sparse:
        matrix = link.map.weights
        arrays[f"{place}/indices"], arrays[f"{place}/ends"] = matrix.indices, matrix.indptr
        return {**told, "map": "sparse", "n_in": link.map.n_in, "weighted": link.map.weighted}
    kind = "pooling" if link.map.pools else "convolution"
    geometry = {name: getattr(link.map, name) for name in (*_GEOMETRY, "transposed")}
    return {**told, "map": kind, **geometry}


def page(name, network):
    """Its card to read."""
    layout = network.layout
    rows = {
        "kind": "a graph of spiking neurons whose input comes step by step",
        "input": f"{' x '.join(map(str, network.graph.input_shape))}, {layout.n_steps} steps of "
        f"{layout.bin_us / 1000:g} ms",
        "stages": ", ".join(
            f"{stage.name} {' x '.join(map(str, stage.shape))} ({stage.neuron.kind})"
            for stage in network.graph
        ),
        "neurons": f"{network.n_neurons:,}",
        "classes": f"{len(network.classes)} ({', '.join(network.classes)})",
    }
    return folders.card_page(name, rows, network.card)


def restore(folder, description, arrays, card):
    """Make the network that a folder holds: see `nengo_tactile.saved.load`."""
    stages = [_stage(told, n, arrays) for n, told in enumerate(description["stages"])]
    graph = Graph(description["input_shape"], stages)
    layout = SpikeLayout(**description["layout"])
    return SteppedNetwork(graph, layout, tuple(description["classes"]), card)


def _stage(told, place, arrays):
    name, numbers = told["name"], dict(told["neuron"])
    kind = numbers.pop("kind")
    if kind not in neurons.KINDS:
        raise ConversionError(
            f"stage {name!r}: its neurons are {kind!r}: choose one of {', '.join(neurons.KINDS)}"
        )
    axon = arrays.get(f"{place}/axon")
    return Stage(
        name,
        told["shape"],
        neurons.KINDS[kind](**numbers),
        [_link(link, f"{place}/{number}", arrays) for number, link in enumerate(told["links"])],
        axon=None if axon is None else axon.astype(np.int64),
        layer=told["layer"],
        **{each: arrays.get(f"{place}/{each}") for each in _ARRAYS},
    )


def _link(told, place, arrays):
    weights = arrays[f"{place}/weights"].astype(_DTYPES[told["dtype"]])
    target = arrays.get(f"{place}/target")
    if told["map"] == "sparse":
        indices, ends = (arrays[f"{place}/{name}"].astype(np.int64) for name in ("indices", "ends"))
        shape = len(ends) - 1, told["n_in"]
        matrix = scipy.sparse.csr_matrix((weights, indices, ends), shape)
        matrix.check_format(full_check=True)
        linear = Sparse(matrix, told["weighted"])
    else:
        geometry = {name: told[name] for name in (*_GEOMETRY, "transposed")}
        linear = _CONVOLUTIONS[told["map"]](weights, **geometry)
    target = None if target is None else target.astype(np.int64)
    return Link(told["source"], linear, target, told["low_pass"], told["delay"])
