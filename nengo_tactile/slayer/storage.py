"""Saved SLAYER networks. What all saved networks share is in `nengo_tactile.networks.folders`."""

import dataclasses

import numpy as np

from nengo_tactile import stack
from nengo_tactile.errors import ConversionError
from nengo_tactile.events.spikes import SpikeLayout
from nengo_tactile.networks import folders
from nengo_tactile.slayer.classifier import SlayerNetwork
from nengo_tactile.slayer.neurons import from_config, to_config
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

_ARRAYS = ("weights", "delays", "recurrent", "late")


def described(network):
    """What a network is, all but its card: see `nengo_tactile.networks.folders.save`.

    Raises
    ------
    ConversionError
        If its graph is no chain of SLAYER's layers.
    """
    check(network.graph)
    arrays = {
        f"{stage.name}/{name}": np.asarray(values, np.float32)
        for stage in network.graph
        for name, values in _arrays(stage).items()
        if values is not None
    }
    description = {
        "kind": "slayer",
        "stages": _told(network.graph),
        "layout": dataclasses.asdict(network.layout),
        "classes": network.classes,
    }
    return description, arrays


def page(name, network):
    """Its card to read."""
    return folders.card_page(name, _rows(network), network.card)


def _arrays(stage):
    linear, late = synapses_of(stage)
    weights = linear.kernel.flat[0] if linear.pools else linear.kernel
    return {"weights": weights, "delays": stage.axon, "recurrent": loop_of(stage), "late": late}


def _told(graph):
    told, input_shape = [], graph.input_shape
    for stage in graph:
        linear, _ = synapses_of(stage)
        kind = "pool" if linear.pools else "dense" if linear.dense else "conv"
        told.append(
            {
                "name": stage.name,
                "kind": kind,
                "input_shape": input_shape,
                "shape": stage.shape,
                "stride": 1 if linear.dense else linear.strides[0],
                "padding": linear.padding_word() if kind == "conv" else "valid",
                "neuron": to_config(stage.neuron),
            }
        )
        input_shape = stage.shape
    return told


def _rows(network):
    layout, parts = network.layout, []
    for stage in network.graph:
        shape = " x ".join(map(str, stage.shape))
        parts.append(f"{stage.name} {shape}")
    kinds = {stage.neuron.kind: to_config(stage.neuron) for stage in network.graph}
    neurons = [
        f"{kind} ({', '.join(f'{k} {v:g}' for k, v in config.items() if k != 'kind')})"
        for kind, config in kinds.items()
    ]
    return {
        "kind": "SLAYER: spiking neurons, trained on spikes",
        "input": f"events of {' x '.join(map(str, layout.sensor_size))}, "
        f"{layout.n_steps} steps of {layout.bin_us / 1000:g} ms"
        f"{f', {layout.phases} phases' if layout.phases > 1 else ''}",
        "layers": ", ".join(parts),
        "neurons": "; ".join(neurons),
        "parameters": f"{n_parameters(network.graph):,}",
        "classes": f"{len(network.classes)} ({', '.join(network.classes)})",
    }


def n_parameters(graph):
    """Weights that were trained, without delays, which the papers do not count."""
    maps = [link.map for stage in graph for link in stage.links]
    return sum(linear.values.size for linear in maps if not linear.pools)


@stack.guest()
def restore(folder, description, arrays, card):
    """Make the network that a folder holds: see `nengo_tactile.saved.load`.

    Parameters
    ----------
    folder : Path
        For errors.
    description : dict
    arrays : dict of str to array
    card : dict

    Returns
    -------
    SlayerNetwork
    """
    stages = [_stage(told, arrays) for told in description["stages"]]
    graph = chain(description["stages"][0]["input_shape"], stages)
    layout = SpikeLayout(**description["layout"])
    return SlayerNetwork(graph, layout, tuple(description["classes"]), card)


def _stage(told, arrays):
    weights, delays, loop, late = (arrays.get(f"{told['name']}/{name}") for name in _ARRAYS)
    makers = {
        "dense": lambda: dense(weights),
        "conv": lambda: conv(weights, told["input_shape"], told["stride"], told["padding"]),
        "pool": lambda: pool(weights, told["stride"], told["input_shape"]),
    }
    if told["kind"] not in makers:
        raise ConversionError(
            f"stage {told['name']!r}: its kind is {told['kind']!r}: choose one of "
            f"{', '.join(makers)}"
        )
    linear = makers[told["kind"]]()
    delays, late = (None if each is None else each.astype(np.int32) for each in (delays, late))
    if late is not None and (late.shape != weights.shape or late.min() < 0):
        raise ConversionError(
            f"stage {told['name']!r}: its synapses have weights of shape {weights.shape} and "
            f"delays of shape {late.shape} from {late.min()}: the file is damaged, save the "
            "network again"
        )
    neuron, shape = from_config(told["neuron"]), tuple(told["shape"])
    if told["kind"] != "dense" and shape != linear.output_shape:
        raise ConversionError(
            f"stage {told['name']!r}: its neurons have shape {shape}, its inputs and weights make "
            f"{linear.output_shape}: the file is damaged, save the network again"
        )
    return layer_stage(told["name"], linear, neuron, shape, delays, loop, late)
