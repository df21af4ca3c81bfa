"""Saved SLAYER networks. What all saved networks share is in `nengo_tactile.networks.folders`."""

import dataclasses

import numpy as np

from nengo_tactile.networks import folders
from nengo_tactile.slayer.classifier import SlayerNetwork, SpikeLayout
from nengo_tactile.slayer.neurons import from_config, to_config
from nengo_tactile.slayer.stages import Stage

_ARRAYS = ("weights", "delays", "recurrent")


def save(network, folder):
    """Write a network to a folder, whole or not at all.

    Parameters
    ----------
    network : SlayerNetwork
    folder : path
        Gets network.json, weights.npz, card.json and card.md; an existing folder is replaced
        only if it holds a saved network (or nothing).

    Raises
    ------
    ModelFileError
        If the folder holds something else.
    """
    folder = folders.check_folder(folder)
    arrays = {
        f"{stage.name}/{name}": np.asarray(getattr(stage, name), np.float32)
        for stage in network.stages
        for name in _ARRAYS
        if getattr(stage, name) is not None
    }
    description = {
        "kind": "slayer",
        "stages": [_told(stage) for stage in network.stages],
        "layout": dataclasses.asdict(network.layout),
        "classes": network.classes,
    }
    page = folders.card_page(folder.name, _rows(network), network.card)
    folders.write(folder, description, arrays, network.card, page)


def _told(stage):
    names = ("name", "kind", "input_shape", "shape", "stride", "padding")
    return {name: getattr(stage, name) for name in names} | {"neuron": to_config(stage.neuron)}


def _rows(network):
    layout, parts = network.layout, []
    for stage in network.stages:
        shape = " x ".join(map(str, stage.shape))
        parts.append(f"{stage.name} {shape}")
    kinds = {stage.neuron.kind: to_config(stage.neuron) for stage in network.stages}
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
        "parameters": f"{n_parameters(network.stages):,}",
        "classes": f"{len(network.classes)} ({', '.join(network.classes)})",
    }


def n_parameters(stages):
    """Weights that were trained, without delays, which the papers do not count."""
    trained = [stage for stage in stages if stage.kind != "pool"]
    recurrent = [stage.recurrent for stage in trained if stage.recurrent is not None]
    return sum(stage.weights.size for stage in trained) + sum(each.size for each in recurrent)


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
    layout = SpikeLayout(**description["layout"])
    return SlayerNetwork(stages, layout, tuple(description["classes"]), card)


def _stage(told, arrays):
    found = {name: arrays.get(f"{told['name']}/{name}") for name in _ARRAYS}
    if found["delays"] is not None:
        found["delays"] = found["delays"].astype(np.int32)
    return Stage(
        told["name"],
        told["kind"],
        found["weights"],
        tuple(told["input_shape"]),
        tuple(told["shape"]),
        from_config(told["neuron"]),
        told["stride"],
        told["padding"],
        found["delays"],
        found["recurrent"],
    )
