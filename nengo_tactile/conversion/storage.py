"""Spiking networks as folders: architecture and settings as JSON, weights as .npz.

What all saved networks share is in `nengo_tactile.networks.folders`. Nothing in such a folder is
ever executed: see `nengo_tactile.ann.portable`.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann.portable import model_from_config
from nengo_tactile.conversion.network import SpikingNetwork
from nengo_tactile.conversion.step_scales import Activations, corrected
from nengo_tactile.errors import ConversionError, ModelFileError
from nengo_tactile.events.coding import coding_from_dict, coding_to_dict
from nengo_tactile.events.images import TactileImage
from nengo_tactile.networks.image_scale import ImageScale
from nengo_tactile.networks.read_out import ReadOut

_SETTINGS = (
    "n_steps",
    "dt",
    "synapse",
    "min_voltage",
    "initial_voltage",
    "discard",
    "classes",
    "on_host",
    "chip_rate",
    "chip_offset",
    "input_range",
    "rate_factor",
)


def described(network):
    """What a network is, all but its card.

    Returns
    -------
    description : dict
        As JSON.
    arrays : dict of str to array
    """
    description = {
        "architecture": json.loads(network.ann.to_json()),
        "settings": {name: getattr(network, name) for name in _SETTINGS},
        "image": None if network.image is None else network.image.to_dict(),
        "coding": coding_to_dict(network.coding),
        "scale": dataclasses.asdict(network.scale),
        "read_out": network.read_out.to_dict(),
    }
    arrays = {f"{i:03d}": array for i, array in enumerate(network.ann.get_weights())}
    # from shares rates are chosen for other steps, which neurons that were corrected cannot have
    keys = ("tops", "ends") if corrected(network.layers) else ("tops", "shares", "ends")
    for name, found in network.activations.items():
        arrays |= {f"activations/{key}/{name}": getattr(found, key) for key in keys}
    return description, arrays


def page(name, network):
    """Its card to read."""
    from nengo_tactile.conversion.cards import card_text

    return card_text(name, network)


def unpickled(description, arrays, card):
    """Make the network that a pickle or a copy holds."""
    return restore(Path("a pickled network"), description, arrays, card)


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
    SpikingNetwork
    """
    weights = [array for name, array in sorted(arrays.items()) if "/" not in name]
    model = _model(folder, description["architecture"], weights)
    image, read_out = description["image"], description.get("read_out")
    return SpikingNetwork(
        model,
        image=None if image is None else TactileImage.from_dict(image),
        coding=coding_from_dict(description.get("coding")),
        read_out=None if read_out is None else ReadOut.from_dict(read_out),
        scale=ImageScale(**description.get("scale", {})),
        activations=_activations(folder, model, arrays),
        card=card,
        **_settings(description["settings"]),
    )


def _activations(folder, model, arrays):
    """Distributions of activations by layer: see `SpikingNetwork.activations`."""
    found = {}
    for name, array in arrays.items():
        kind, _, rest = name.partition("/")
        if kind == "activations":
            key, _, layer = rest.partition("/")
            found.setdefault(layer, {})[key] = array
    neurons = {la.name: la for la in model.layers if type(la).__name__ == "RateIF"}
    bare = any(neuron.is_corrected for neuron in neurons.values())
    for layer, parts in found.items():
        if bare and "tops" in parts:
            parts.setdefault("shares", np.zeros((*parts["tops"].shape[:1], 0), np.float32))
        shapes = {key: array.shape for key, array in parts.items()}
        n_rows = {1, neurons[layer].output_shape[-1]} if layer in neurons else set()
        rows, bins = shapes.get("shares", ()) if len(shapes.get("shares", ())) == 2 else (0, 0)
        wanted = {"tops": (rows,), "shares": (rows, bins), "ends": (rows,)}
        if shapes != wanted or rows not in n_rows or not (bins or bare):
            raise ModelFileError(
                f"{folder / 'weights.npz'}: activations of layer '{layer}' have shapes {shapes}: "
                "restore the file"
            )
    return {layer: Activations(**parts) for layer, parts in found.items()}


def _settings(stored):
    """Settings by today's names: networks saved before layers had names there say "first_layer"."""
    settings = dict(stored)
    where = settings.pop("first_layer", None)
    if where is not None:
        settings["on_host"] = () if where == "chip" else None
    return settings


def _model(folder, architecture, arrays):
    try:
        most = sum(array.size for array in arrays)
        model = model_from_config(architecture, most=most)
    except ConversionError as error:
        raise ModelFileError(f"{folder / 'network.json'}: {error}") from error
    wanted = [tuple(w.shape) for w in model.weights]
    if [a.shape for a in arrays] != wanted:
        raise ModelFileError(
            f"{folder / 'weights.npz'}: arrays of shapes {[a.shape for a in arrays]}, the "
            f"architecture wants {wanted}: the two files belong to different networks"
        )
    model.set_weights(arrays)
    return model
