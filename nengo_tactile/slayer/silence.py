"""Networks that do not fire: said while they train, and refused at the end."""

import warnings

import numpy as np

from nengo_tactile.errors import DataError, SilenceError, SilenceWarning


def check_events(samples, description):
    """Say which samples have no events; nothing fires under them, so they teach nothing.

    Parameters
    ----------
    samples : SpikeSamples
    description : str

    Warns
    -----
    SilenceWarning
        With their number.

    Raises
    ------
    DataError
        If all samples are so.
    """
    empty = np.flatnonzero(np.diff(samples.offsets) == 0)
    if len(empty) == len(samples):
        raise DataError(
            f"{description}: none of the {len(samples)} samples has an event: look at the layout's "
            f"bins ({samples.n_steps} of {samples.bin_us:g} us) and at the recordings' times"
        )
    if len(empty):
        warnings.warn(
            f"{description}: {len(empty)} of {len(samples)} samples have no events (the first is "
            f"sample {empty[0]}): no neuron fires under them, and they count as class 0; leave "
            "them out, with samples.take",
            SilenceWarning,
            stacklevel=4,
        )


def events_per_sample(samples):
    """Mean number of spikes of the input, each place and step once."""
    return len(samples.steps) / len(samples)


def tell(layers, spikes, told, samples, what):
    """Warn of layers that did not fire at all.

    Parameters
    ----------
    layers : list
        The spiking layers.
    spikes : dict of str to float
        Spikes per sample by layer, in an epoch.
    told : frozenset of str
        Layers of which it was said.
    samples : SpikeSamples
    what : str
        The epoch, for the warning.

    Returns
    -------
    frozenset of str
        Layers of which it is said now.
    """
    silent = [layer.name for layer in layers if not spikes[layer.name]]
    new = [name for name in silent if name not in told]
    if new:
        names = ", ".join(map(repr, new))
        warnings.warn(
            f"{what}: no neuron of {'layer' if len(new) == 1 else 'layers'} {names} fired, under "
            f"{events_per_sample(samples):.3g} events a sample; spikes per sample: "
            f"{_counts(spikes)}. {_remedy(layers)}",
            SilenceWarning,
            stacklevel=3,
        )
    return told | frozenset(new)


def refuse(layers, spikes, samples, history, recipe, description):
    """Raise for a trained network whose outputs never fire.

    Parameters
    ----------
    layers, samples
        As for `tell`.
    spikes : dict of str to float
        Spikes per sample by layer, of the trained network.
    history : nengo_tactile.slayer.training.History
        Goes with the error.
    recipe : nengo_tactile.slayer.training.Recipe
    description : str

    Raises
    ------
    SilenceError
    """
    first = next(layer.name for layer in layers if not spikes[layer.name])
    raise SilenceError(
        f"{description}: after training the outputs (layer {layers[-1].name!r}) fire under none of "
        f"the {len(samples)} training samples, so that all count as class 0; the first silent "
        f"layer is {first!r}; events per sample: {events_per_sample(samples):.3g}, spikes: "
        f"{_counts(spikes)}. {_remedy(layers)}; if they fired at first, lower the learning rate "
        f"(now {recipe.learning_rate:g}). A checkpoint stays that of the last epoch in which they "
        "fired",
        history,
    )


def _counts(spikes):
    return ", ".join(f"{name} {count:.3g}" for name, count in spikes.items())


def _remedy(layers):
    given = {layer.name: layer.gain for layer in layers if getattr(layer, "gain", None) is not None}
    if not given:
        return "Look at the events, or give higher gains when you build the network"
    told = ", ".join(f"{name} {gain:g}" for name, gain in given.items())
    return (
        f"Build the network without gains (now {told}), so that its weights start from the data, "
        "or with higher ones"
    )
