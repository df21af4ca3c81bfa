"""The model of a saved network, as a network of other neurons."""

import dataclasses
from typing import TYPE_CHECKING, Any

from nengo_tactile.ann.portable import keras_model
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.passes import use_relu
from nengo_tactile.errors import ConversionError

if TYPE_CHECKING:
    import numpy as np

    from nengo_tactile.conversion.network import SpikingNetwork
    from nengo_tactile.conversion.neurons.base import Neuron


def check(network: Any, neuron: "Neuron") -> None:
    """Refuse networks that `with_neuron` does not take.

    Raises
    ------
    ConversionError
    """
    if not (hasattr(network, "ann") and network.layers.of_kinds("RateLIF")):
        raise ConversionError(
            f"the network is {network!r} and not converted to LIF neurons: leave neuron out, or "
            f"convert the model that it was made of with neuron={neuron!r}"
        )


def with_neuron(
    network: "SpikingNetwork", neuron: "Neuron", x: "np.ndarray", n_steps: int | None = None
) -> "SpikingNetwork":
    """Convert the model of a network of LIF neurons, whose weights are its ReLUs', to others.

    Parameters
    ----------
    network : SpikingNetwork
        Of slow LIF neurons (``nt.LIF()``), whose rates are those of ReLUs.
    neuron : IF, SigmaDelta or LIF
    x : (n_samples, ...) array
        Calibration samples, see `nengo_tactile.convert`.
    n_steps : int, optional

    Returns
    -------
    SpikingNetwork
        With the same layout, classes and read-out.

    Raises
    ------
    ConversionError
        For a network of other neurons: what those were corrected by is no model any more.
    """
    check(network, neuron)
    found = convert(
        keras_model(use_relu(network.layers)),
        x,
        neuron,
        n_steps=n_steps,
        image=network.image,
        classes=network.classes,
        progress=False,
    )
    return dataclasses.replace(found, read_out=network.read_out, scale=network.scale)
