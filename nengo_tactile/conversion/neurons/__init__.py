"""The neurons that a model can be converted to: their options, and how they are put into it."""

from nengo_tactile.ann.layers import Layers
from nengo_tactile.conversion.neurons.base import Blueprint, Neuron
from nengo_tactile.conversion.neurons.integrate_fire import IF
from nengo_tactile.conversion.neurons.lif import LIF
from nengo_tactile.conversion.neurons.sigma_delta import SigmaDelta
from nengo_tactile.errors import ConversionError

#: By their names on the command line.
NEURONS = {kind.name: kind for kind in (LIF, IF, SigmaDelta)}

__all__ = ["IF", "LIF", "NEURONS", "Blueprint", "Neuron", "SigmaDelta", "neuron_for", "own_neuron"]


def neuron_for(layers: Layers, neuron: Neuron | None = None) -> Neuron:
    """The neurons that a model becomes: what is asked for, which fits what it brings along.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        As neurons are put into it.
    neuron : Neuron, optional
        By default those of the model's own layers; of a model without any, `LIF`.

    Returns
    -------
    Neuron

    Raises
    ------
    ConversionError
        For neurons, or options, that are not those of the model's own layers.
    """
    own = own_neuron(layers)
    if own is None:
        return LIF() if neuron is None else neuron
    if neuron is None:
        return own()
    if neuron.layer != own.layer:
        raise ConversionError(
            f"model '{layers.name}' has {own.layer} layers, neuron is {neuron}: give the model "
            f"with its ReLUs, or neuron=nt.{own.__name__}()"
        )
    neuron.check_settled(layers)
    return neuron


def own_neuron(layers: Layers) -> type[Neuron] | None:
    """The kind of a model's own layers of neurons, where it has any."""
    return next((kind for kind in NEURONS.values() if kind.is_in(layers)), None)


def check_neuron(neuron):
    """Refuse what is no `Neuron`, by name and with the one that was meant.

    Raises
    ------
    ConversionError
    """
    if neuron is None or isinstance(neuron, Neuron):
        return
    meant = "nt.LIF(), nt.IF() or nt.SigmaDelta()"
    if hasattr(neuron, "tau_rc") and hasattr(neuron, "tau_ref"):  # a nengo.LIF
        meant = f"nt.LIF(tau_rc={neuron.tau_rc:g}, tau_ref={neuron.tau_ref:g}, offset=0)"
    for kind in NEURONS.values():
        if neuron is kind or str(neuron) == kind.name:
            meant = f"nt.{kind.__name__}()"
    raise ConversionError(f"neuron is {neuron!r}: give an object, such as neuron={meant}")
