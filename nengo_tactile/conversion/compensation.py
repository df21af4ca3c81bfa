"""Error compensation: weights slightly larger where spikes get lost (Spiking ResNet, section 3.3).

Discretisation errors add up over depth and lower the firing rates (figure 3). A factor on the
weights of the spikes that arrive brings them back; it is searched between 1 and the reciprocal of
the last layer's maximum firing rate. A factor in all layers multiplies from each to the next, so
that in a network of L layers the L-th root of that reciprocal already makes up for it: candidates
lie the denser the nearer to 1.
"""

import dataclasses

import numpy as np

from nengo_tactile.conversion.layerwise import Network, simulate
from nengo_tactile.errors import ConversionError, DataError
from nengo_tactile.networks.read_out import ReadOut
from nengo_tactile.progress import track


@dataclasses.dataclass(frozen=True)
class CompensationTrial:
    """One candidate and how it did on the calibration samples.

    Attributes
    ----------
    layer : str or None
        The layer whose factor it is; None for all.
    factor : float
    error : float
        How far the read-out is from the static network's logits after the last step: see
        `ReadOut.distance`.
    accuracy : float
        Share of samples with the right label, or without labels the static network's winner (see
        `ReadOut.agreement`).
    """

    layer: str | None
    factor: float
    error: float
    accuracy: float


def max_rates(layers, x, n_steps, percentile=99.9, batch_size=32):
    """Maximum firing rate of each layer of neurons, in spikes a step (paper, figure 3).

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        With `RateIF` ones.
    x : (n_samples, ...) array
    n_steps : int
    percentile : float
        Over neurons and samples. The one that the layers were normalised with makes it 1 in every
        layer without spikes, so what it lacks is lost to discretisation; 100 is the maximum, at
        which some neuron is saturated in most networks.
    batch_size : int

    Returns
    -------
    dict of str to float
        In the order of computation.
    """
    simulation = simulate(layers, x, n_steps, batch_size)
    return {name: simulation.rate_at(name, percentile) for name in simulation.histograms}


def with_compensation(layers, factors):
    """Set compensation factors.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
    factors : float or dict of str to float
        For all `RateIF` layers, or by name for some.

    Returns
    -------
    Layers
    """

    def replace(layer, inputs):
        if layer.kind != "RateIF":
            return None
        factor = factors.get(layer.name) if isinstance(factors, dict) else factors
        if factor is None:
            return None
        return layer.changed(inputs, compensation=float(factor))

    return layers.rebuilt(replace)


def factors_up_to(largest, n_layers, n):
    """Candidates below ``largest``, evenly spaced in the logarithm of their exponents.

    Parameters
    ----------
    largest : float
        Above 1.
    n_layers : int
        Layers that a factor multiplies in, one after another.
    n : int

    Returns
    -------
    (n,) float array
        From the ``n_layers``-th root of ``largest`` on, which over all layers is ``largest``. Of
        one layer that is ``largest`` itself, and half of it the least.
    """
    shares = np.arange(n, 0, -1) / n
    return largest ** (1 / max(n_layers, 2) ** shares)


def search_compensation(
    layers,
    x,
    n_steps,
    per_layer=False,
    n_candidates=5,
    labels=None,
    percentile=99.9,
    batch_size=32,
    read_out=None,
    progress=None,
):
    """Choose the compensation factor on calibration samples.

    The factor whose read-out comes closest to the network without spikes wins, not the most
    accurate one: on a few hundred samples accuracies differ by chance.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        With `RateIF` ones.
    x : (n_samples, ...) array
        Calibration samples, never test data.
    n_steps : int
    per_layer : bool
        A factor for each layer instead of one for all: layer after layer in the order of
        computation, each with the factors found before it.
    n_candidates : int
        Factors tried between 1 (which is tried too) and the reciprocal of the last layer's
        maximum firing rate, which is left out: see `factors_up_to`. None where that rate is 1.
    labels : (n_samples,) int array, optional
        Only for the trials' accuracy.
    percentile : float
        See `max_rates`.
    batch_size : int
    read_out : ReadOut, optional
        What the model's outputs mean; by default they are as they are.
    progress : bool, optional

    Returns
    -------
    layers : Layers
        With the chosen factors in its `RateIF` layers.
    trials : list of CompensationTrial
        In the order tried.

    Raises
    ------
    ConversionError
        If the last layer of neurons never fires.
    DataError
        If there are not as many labels as samples, or no candidates.
    """
    if n_candidates < 1:
        raise DataError(f"n_candidates is {n_candidates}: try at least one")
    if labels is not None and len(labels) != len(x):
        raise DataError(f"{len(labels)} labels for {len(x)} samples: give one for each")
    read_out = read_out or ReadOut.linear(layers.output_shape)
    logits = layers.outputs(x).reshape(len(x), -1)
    network = Network(layers)
    # a constant current is never enlarged
    names = [name for name in network.neurons if network.sources[name][0] not in network.constant]
    trials = []

    def run(candidate, layer, factor):
        simulation = simulate(candidate, x, n_steps, batch_size)
        last = simulation.logits[:, -1].reshape(len(x), -1)
        error = read_out.distance(last, logits)
        if labels is None:
            score = read_out.agreement(last, logits)
        else:
            score = read_out.accuracy(last, labels)
        trials.append(CompensationTrial(layer, float(factor), error, score))
        return error, simulation

    best = with_compensation(layers, 1.0)
    least, simulation = run(best, None, 1.0)
    name = list(network.neurons)[-1]
    highest = simulation.rate_at(name, percentile)
    if highest == 0:
        raise ConversionError(
            f"layer '{name}' (RateIF): fires at rate 0 at the {percentile} percentile, so there is "
            f"no factor to search up to; give more than {n_steps} steps"
        )
    factors = factors_up_to(1 / highest, len(names), n_candidates) if highest < 1 else []
    settings = [(layer, factor) for layer in (names if per_layer else [None]) for factor in factors]
    chosen = {}
    for layer, factor in track(settings, "searching compensation", progress=progress):
        trial = {**chosen, layer: factor} if per_layer else factor
        candidate = with_compensation(layers, trial)
        error, _ = run(candidate, layer, factor)
        if error < least:
            best, least = candidate, error
            chosen[layer] = factor
    return best, trials
