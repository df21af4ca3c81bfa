"""Saved SKIM networks. A hidden layer is not stored if it can be drawn again.

What all saved networks share is in `nengo_tactile.networks.folders`.
"""

import dataclasses

import numpy as np

from nengo_tactile import stack
from nengo_tactile.errors import ModelFileError
from nengo_tactile.events.patterns import PatternLayout
from nengo_tactile.networks import folders
from nengo_tactile.skim.classifier import SkimNetwork
from nengo_tactile.skim.kernels import Kernels
from nengo_tactile.skim.layer import HiddenLayer, draw_layer
from nengo_tactile.skim.memory import check_fits
from nengo_tactile.skim.supervision import Supervision

_TIMES = ("tau_rc", "tau_ref", "trace")
_KERNELS = ("tau", "delay", "period")


def described(network):
    """What a network is, all but its card: see `nengo_tactile.networks.folders.save`.

    Of a hidden layer of `draw_layer` its arguments and its fingerprint are kept, of others their
    arrays.
    """
    layer, supervision = network.layer, network.supervision
    arrays = {"output_weights": network.weights, "training_pattern": supervision.pattern}
    if _drawn_again(layer):
        about = {"drawn": layer.drawn, "numpy": np.__version__}
    else:
        about = {
            "kernels": layer.kernels.kind,
            "nonlinearity": layer.nonlinearity,
            **{name: getattr(layer, name) for name in _TIMES},
        }
        arrays |= {"input_weights": layer.input_weights, "bias": layer.bias}
        kernels = {name: getattr(layer.kernels, name) for name in _KERNELS}
        arrays |= {name: values for name, values in kernels.items() if values is not None}
    description = {
        "kind": "skim",
        "layer": {**about, "fingerprint": layer.fingerprint()},
        "supervision": {
            name: getattr(supervision, name) for name in ("n_steps", "window", "onset")
        },
        "method": network.method,
        "layout": dataclasses.asdict(network.layout),
        "classes": network.classes,
    }
    return description, arrays


def page(name, network):
    """Its card to read."""
    return folders.card_page(name, _rows(network), network.card)


def _drawn_again(layer):
    """Whether drawing gives this very layer; one that was changed by hand it does not give."""
    return layer.drawn is not None and (
        draw_layer(**layer.drawn).fingerprint() == layer.fingerprint()
    )


def _rows(network):
    layer, layout, supervision = network.layer, network.layout, network.supervision
    width, height = layout.sensor_size[:2]
    first, length = supervision.first + supervision.onset, len(supervision.pattern)
    return {
        "kind": "SKIM: random synaptic kernels, output weights in closed form",
        "input": f"events of {width} x {height} pixels as {layer.n_inputs} channels",
        "time steps": f"{network.n_steps} of {network.dt * 1000:g} ms",
        "hidden neurons": f"{layer.n_hidden:,} {layer.nonlinearity}, {layer.kernels.kind} kernels",
        "training pattern": f"{length} steps from step {first} on",
        "output determination": network.method,
        "classes": f"{len(network.classes)} ({', '.join(network.classes)})",
    }


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
    SkimNetwork

    Raises
    ------
    ModelFileError
        If another hidden layer is drawn than was saved.
    """
    weights, layout = arrays["output_weights"], PatternLayout(**description["layout"])
    return SkimNetwork(
        _layer(folder, description["layer"], arrays, weights.shape[-1], layout.n_channels),
        weights,
        Supervision(arrays["training_pattern"], **description["supervision"]),
        description["method"],
        layout,
        tuple(description["classes"]),
        card,
    )


def _layer(folder, about, arrays, n_hidden, n_channels):
    drawn = about.get("drawn")
    if drawn is None:
        kernels = Kernels(about["kernels"], *(arrays.get(name) for name in _KERNELS))
        times = {name: about[name] for name in _TIMES}
        layer = HiddenLayer(
            arrays["input_weights"], kernels, about["nonlinearity"], arrays["bias"], **times
        )
    else:
        if (drawn["n_hidden"], drawn["n_channels"]) != (n_hidden, n_channels):
            raise ModelFileError(
                f"{folder / 'network.json'}: a hidden layer of {drawn['n_hidden']} neurons and "
                f"{drawn['n_channels']} channels, the output weights and the layout have "
                f"{n_hidden} and {n_channels}: restore the folder from its source"
            )
        check_fits("drawing", n_hidden, 8 * n_hidden * n_channels)
        layer = draw_layer(**drawn)
    if layer.fingerprint() != about["fingerprint"]:
        raise ModelFileError(
            f"{folder}: the hidden layer has fingerprint {layer.fingerprint()[:8]}, the one that "
            f"the weights were trained with has {about['fingerprint'][:8]}: it was drawn with "
            f"numpy {about.get('numpy')}, here is {np.__version__}; install that one, or train anew"
        )
    return layer
