"""Scales for a number of time steps: where clipping and rounding together cost least.

In ``n`` spikes a neuron tells an activation ``z`` as ``s clip(floor(z / s + 1/2), 0, n)``, with the
worth ``s`` of a spike. A large one rounds coarsely, a small one clips much. Huang et al. 2025
(arXiv:2503.00301) choose the one with the least mean squared error, here over a histogram of the
activations on calibration samples, from which it can be chosen again for another number of steps.
"""

import dataclasses

import numpy as np

from nengo_tactile.ann.layers import layer as new_layer
from nengo_tactile.ann.portable import keras_model
from nengo_tactile.conversion.activation_scales import histograms_of
from nengo_tactile.conversion.normalise import normalise
from nengo_tactile.conversion.passes import layers_to_spike, use_if, use_rectifiers
from nengo_tactile.errors import ConversionError

#: Bins of a histogram that is kept.
_BINS = 1024
#: Scales that are tried, as shares of the largest activation, and refinements of the best.
_SHARES = np.geomspace(0.02, 1.0, 64)
_REFINEMENTS = 10
#: Coarser ones that are tried, as multiples of the best.
_COARSER = np.geomspace(1.0, 3.0, 61)[1:]


@dataclasses.dataclass(frozen=True, eq=False)
class Activations:
    """How a layer's activations are distributed, all of them or channel by channel.

    Attributes
    ----------
    tops : (rows,) float32 array
        The largest, one row for all channels or one for each.
    shares : (rows, n_bins) float32 array
        Of those above zero, which lie in each part of the range up to it. Saved networks whose
        neurons were corrected for their steps keep none of them (``n_bins`` is 0): their rates
        cannot be chosen anew.
    ends : (rows,) float32 array
        One over the value that the model's own activation ends at; 0 where it does not end.
    """

    tops: np.ndarray
    shares: np.ndarray
    ends: np.ndarray

    def scales(self, n_spikes, coarseness=0.0):
        """The activation that becomes the highest rate, (rows,) float array; 0 without any.

        Parameters
        ----------
        n_spikes : int
            That a neuron sends at most.
        coarseness : float
            Share of the least squared error that the largest scale taken may add to it.
        """
        n_rows, n_bins = self.shares.shape
        values = (np.arange(n_bins) + 0.5) / n_bins  # in tops

        def told(shares):
            steps = (shares / n_spikes)[:, None]
            return steps, np.minimum(np.floor(values / steps + 0.5), n_spikes)

        def errors(shares):
            steps, whole = told(shares)
            return (self.shares * (steps * whole - values) ** 2).sum(axis=1)

        best, least = np.ones(n_rows), errors(np.ones(n_rows))
        for share in _SHARES:
            found = errors(np.full(n_rows, share))
            best, least = np.where(found < least, share, best), np.minimum(found, least)
        for _ in range(_REFINEMENTS):  # the best step for the levels that the last one gives
            _, whole = told(best)
            squares = (self.shares * whole**2).sum(axis=1)
            step = (self.shares * whole * values).sum(axis=1) / np.where(squares > 0, squares, 1)
            better = np.where(squares > 0, np.minimum(n_spikes * step, 1), best)
            best = np.where(errors(better) < errors(best), better, best)
        if coarseness:
            most, finest = (1 + coarseness) * errors(best), best
            for factor in _COARSER:
                best = np.where(errors(factor * finest) <= most, factor * finest, best)
        scales = np.where(self.shares.any(axis=1), best, 0) * self.tops
        at_end = scales * self.ends > 1 - 2 / n_bins
        return np.where(at_end, 1 / np.where(at_end, self.ends, 1), scales)

    def over(self, scales):
        """The same with every activation divided by its scale."""
        tops, ends = (self.tops / scales).astype(np.float32), self.ends * scales
        return dataclasses.replace(self, tops=tops, ends=ends.astype(np.float32))

    @property
    def clips(self):
        """Whether the model's own activation ends at 1, rounding apart, of any row."""
        return bool((self.ends > 0.999).any())


def activations(layers, x, channelwise=False):
    """Distributions of all layers' activations on calibration samples.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        From `nengo_tactile.conversion.convert.prepare`.
    x : (n_samples, ...) array
    channelwise : bool
        For each channel.

    Returns
    -------
    dict of str to Activations
        Without those of ClipFloor layers, whose levels are what they were trained for.

    Raises
    ------
    ConversionError
        For a layer that is never active, or whose values are not finite.
    """
    names = [name for name in layers_to_spike(layers) if layers[name].kind != "ClipFloor"]
    slopes = {name: layers[name].config.get("alpha", 0) for name in names}
    found = histograms_of(layers, names, x, 100.0, 256, channelwise, slopes) if names else {}
    for name, histogram in found.items():
        if not histogram.counts.any():
            raise ConversionError(
                f"{layers[name].label}: never active on the calibration samples; give "
                "samples like those the model was trained on, or retrain without this layer"
            )
    return {name: _coarse(found[name], layers[name].config.get("max_value")) for name in names}


def _coarse(histogram, ceiling):
    n_rows = len(histogram.top)
    counts = histogram.counts.reshape(n_rows, _BINS, -1).sum(axis=2)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ends = np.full(n_rows, 1 / ceiling if ceiling else 0, np.float32)
    return Activations(histogram.top.astype(np.float32), shares.astype(np.float32), ends)


def ceilings(layers):
    """Ceilings of the ClipFloor layers, {name: float}."""
    return {layer.name: float(layer.weights[0]) for layer in layers.of_kinds("ClipFloor")}


def limits(layers, found):
    """Where the model's own activations end, in units of the highest rates.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        With `RateIF` ones.
    found : dict of str to Activations
        In these units.

    Returns
    -------
    dict of str to float32 array
        One number, or one for each channel; infinite without an end.
    """
    ends = {layer.name: np.float32(layer.config["clips"]) for layer in layers.of_kinds("RateIF")}
    ends |= {name: one.ends if len(one.ends) > 1 else one.ends[0] for name, one in found.items()}
    with np.errstate(divide="ignore"):
        return {name: np.float32(1) / end for name, end in ends.items()}


def step_scales(found, n_spikes, coarseness=0.0):
    """The activation of each layer that becomes the highest rate.

    Parameters
    ----------
    found : dict of str to Activations
    n_spikes : int
        That a neuron sends at most: steps times spikes a step.
    coarseness : float
        See `Activations.scales`.

    Returns
    -------
    dict of str to float or (channels,) array
        A channel that is never active gets the largest scale of its layer.
    """
    scales = {}
    for name, one in found.items():
        scale = one.scales(n_spikes, coarseness)
        scale = np.where(scale > 0, scale, scale.max())
        scales[name] = scale if len(scale) > 1 else float(scale[0])
    return scales


def placed(layers, scales, found, check, **settings):
    """Put integrate-and-fire neurons where rectifiers are, with scales for a number of steps.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        From `nengo_tactile.conversion.convert.prepare`.
    scales : dict of str to float or (channels,) array
        Of all rectifiers.
    found : dict of str to Activations
        What they were chosen on, in units of these scales.
    check : callable
        Takes the normalised layers, whose output has to be the model's.
    **settings
        As of `nengo_tactile.conversion.passes.use_if`.

    Returns
    -------
    Layers
    """
    # the layers of a ceiling that all channels share come in one unit first
    apart = [name for name, one in found.items() if one.ends.any()]
    whole = {name: np.max(scale) if name in apart else scale for name, scale in scales.items()}
    layers = normalise(layers, whole, settings.pop("shortcut_normalisation"))
    check(layers)
    layers = use_if(layers, **settings)
    own = {name: scales[name] / whole[name] for name in apart if np.ptp(scales[name])}
    return rescaled(layers, own, found) if own else layers


def rescaled(layers, scales, found):
    """A network of integrate-and-fire neurons with other highest rates.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        With `RateIF` ones.
    scales : dict of str to float or (channels,) array
        By layer, what becomes the highest rate, in units of what is it now; others keep theirs.
    found : dict of str to Activations
        In units of the new rates.

    Returns
    -------
    Layers
        What was corrected for a number of steps is gone.
    """
    neurons = {layer.name: layer for layer in layers.of_kinds("RateIF")}
    scales = {name: scales.get(name, 1.0) for name in neurons}

    def replace(layer, inputs):
        if layer.name not in neurons:
            return None
        settings = {**neurons[layer.name].config, "per_neuron": False, "shift_steps": 0}
        if layer.name in found:
            settings["clips"] = found[layer.name].clips
        return new_layer("RateIF", layer.name, inputs, **settings)

    return normalise(use_rectifiers(layers), scales).rebuilt(replace)


def corrected(layers):
    """The name of the first layer whose neurons were corrected for a number of steps, or None."""
    return next((each.name for each in layers.of_kinds("RateIF") if each.keras.is_corrected), None)


def chosen_anew(network, n_steps):
    """What a network becomes when its highest rates are chosen for another number of steps.

    Parameters
    ----------
    network : SpikingNetwork
        With `activations`.
    n_steps : int

    Returns
    -------
    dict
        The attributes that change, "ann" and "activations".

    Raises
    ------
    ConversionError
        Where neurons were corrected for the steps that it has, or have other rates.
    """
    neurons, name = network.layers.of_kinds("RateIF"), corrected(network.layers)
    if name is not None or network.rate_factor != 1:
        why = f"its rates are {network.rate_factor:g} times those of its conversion"
        if name is not None:
            why = f"layer '{name}' was corrected for {network.n_steps}"
        raise ConversionError(
            f"n_steps is {n_steps}, and {why}: convert the model again, with samples and "
            f"n_steps={n_steps}"
        )
    scales = step_scales(network.activations, neurons[0].config["spikes_per_step"] * n_steps)
    found = {name: one.over(scales[name]) for name, one in network.activations.items()}
    layers = rescaled(network.layers, scales, found)
    return {"ann": keras_model(layers), "activations": found}
