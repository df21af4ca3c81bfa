"""Thresholds of sigma-delta neurons: given, in proportion to the activations, or searched.

A coarse threshold saves spikes and costs accuracy (sigma-delta paper, Table I).
"""

import dataclasses

import numpy as np

from nengo_tactile.conversion.accumulate import LONGEST_REST, Accumulator, RestlessError
from nengo_tactile.conversion.activation_scales import activation_scales
from nengo_tactile.conversion.passes import layers_to_spike
from nengo_tactile.conversion.sigma_delta import use_sigma_delta
from nengo_tactile.errors import ConversionError
from nengo_tactile.events.coding import CurrentCoding
from nengo_tactile.networks.read_out import ReadOut

#: Percentile of a layer's activations that its threshold is in proportion to.
PERCENTILE = 99.9
#: Factors on these percentiles, as powers of two: from where hardly a neuron fires, in steps.
COARSEST, STEP = 2.0, 0.5
#: From here on whole octaves are tried: each takes twice the steps of the one before.
OCTAVES_FROM = -6.0
#: Times that the last step is halved.
HALVINGS = 3


@dataclasses.dataclass(frozen=True)
class Trial:
    """Thresholds that were tried on the calibration samples.

    Attributes
    ----------
    factor : float
        On the thresholds that the search began with.
    loss : float
        Points of accuracy less than the Keras model has; without labels, of samples with another
        winner (of a single output: its error in per cent of its standard deviation).
    spikes : float
        Spikes per neuron and sample.
    n_steps : int
        Steps until the last sample came to rest.
    """

    factor: float
    loss: float
    spikes: float
    n_steps: int


def percentile_thresholds(layers, x, factor=1.0):
    """Thresholds in proportion to each layer's percentile of its activations.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
    x : (n_samples, ...) array
        What arrives in all of calibration samples: ``coding.total(samples)``.
    factor : float

    Returns
    -------
    dict of str to float

    Raises
    ------
    ConversionError
        For a layer that is never active.
    """
    scales = activation_scales(layers, layers_to_spike(layers), x, PERCENTILE)
    return {name: factor * scale for name, scale in scales.items()}


def search_thresholds(
    layers,
    x,
    coding,
    max_loss=None,
    spike_budget=None,
    labels=None,
    ratios=None,
    read_out=None,
    progress=None,
):
    """Search one factor on all thresholds, on calibration samples.

    From coarse to fine, until the loss is small enough or the spikes are too many; then the last
    step is halved a few times. The search ends before that where the input as it arrives loses
    more by itself, and where a network takes more than `accumulate.LONGEST_REST` steps to come to
    rest. Memory does not grow with the samples.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        With ReLUs as layers of their own.
    x : (n_samples, ...) array
    coding : DelayCoding or CurrentCoding
    max_loss : float, optional
        The coarsest thresholds are wanted that lose at most so many points: see `Trial`.
    spike_budget : float, optional
        Or the finest ones with at most so many spikes per neuron and sample.
    labels : (n_samples,) int array, optional
        Or as `Recording.accuracy` takes them.
    ratios : dict of str to float, optional
        Thresholds in proportion to which all are chosen; by default `percentile_thresholds`.
    read_out : ReadOut, optional
        What the model's outputs mean; by default they are as they are.
    progress : bool, optional

    Returns
    -------
    thresholds : dict of str to float
    trials : list of Trial
        In the order tried.

    Raises
    ------
    ConversionError
        If no threshold fulfils the wish, with what is possible.
    DataError
        For labels that do not fit the samples.
    """
    if (max_loss is None) == (spike_budget is None):
        raise ConversionError(
            f"max_loss is {max_loss} and spike_budget {spike_budget}: give one of the two"
        )
    ratios = percentile_thresholds(layers, coding.total(x)) if ratios is None else ratios
    wanted = layers.outputs(x).reshape(len(x), -1)
    read_out = read_out or ReadOut.linear(layers.output_shape)
    score, reached = scored(wanted, labels, read_out)
    accumulator = Accumulator(use_sigma_delta(layers, ratios))
    n_neurons = sum(accumulator.neurons.values())
    trials = []

    def loss(logits):
        return 100 * (reached - score(logits.reshape(len(x), -1)))

    def fine(exponent):
        rest = accumulator.rest(x, coding, factor=2.0**exponent, longest=LONGEST_REST)
        spikes = sum(int(each.sum()) for each in rest.spikes.values()) / n_neurons / len(x)
        trials.append(Trial(2.0**exponent, loss(rest.logits), spikes, rest.n_steps))
        return trials[-1].spikes > spike_budget if max_loss is None else trials[-1].loss <= max_loss

    def own_loss():
        return loss(layers.outputs(coding.total(x)))

    def hopeless():
        return max_loss is not None and own_loss() > max_loss

    chosen = _walk(fine, max_loss is None, hopeless)
    if chosen is None and max_loss is not None:
        raise _no_loss_so_small(max_loss, coding, own_loss(), trials)
    if chosen is None:
        raise ConversionError(
            f"spike_budget is {spike_budget}, but with the coarsest thresholds that were tried "
            f"{trials[0].spikes:.3g} spikes per neuron are left: give a larger budget"
        )
    return {name: 2.0**chosen * ratio for name, ratio in ratios.items()}, trials


def scored(wanted, labels, read_out):
    """A measure of outputs, from 0 to 1, and what the Keras model has by it.

    Parameters
    ----------
    wanted : (n_samples, n_outputs) array
        The model's own outputs.
    labels : (n_samples,) int array or None
        Without any it is the agreement with these outputs.
    read_out : ReadOut
    """
    if labels is not None:
        labels, _ = read_out.check_labels(labels, len(wanted))
        return lambda outputs: read_out.accuracy(outputs, labels), read_out.accuracy(wanted, labels)
    return lambda outputs: read_out.agreement(outputs, wanted), 1.0


def _no_loss_so_small(max_loss, coding, own_loss, trials):
    """The error for a loss that no threshold comes to: why, and what does.

    ``own_loss`` is what the input as it arrives loses without any quantisation after it.
    """
    best = min(trials, key=lambda trial: trial.loss)
    found = (
        f"max_loss is {max_loss:g} and the input coding {coding}; the least that was found is "
        f"{best.loss:.3g} points, at {best.factor:.3g} times the {PERCENTILE}th percentiles"
    )
    enough = np.ceil(100 * best.loss) / 100
    if own_loss > max_loss:
        other = "" if isinstance(coding, CurrentCoding) else "coding='current', or "
        return ConversionError(
            f"{found}; the input as it arrives loses {own_loss:.3g} by itself, which no threshold "
            f"wins back: give {other}max_loss={enough:g}"
        )
    return ConversionError(
        f"{found}; thresholds below {trials[-1].factor:.3g} times them take more than "
        f"{LONGEST_REST} steps to come to rest: give max_loss={enough:g}, or neuron=nt.IF()"
    )


def _walk(fine, coarser, hopeless):
    """The exponent beside the border between coarse and fine, or None if that side was not met.

    ``fine`` tells for an exponent; ``coarser`` whether the coarse side of the border is wanted;
    ``hopeless``, asked once where the octaves begin, whether going on is in vain. The walk ends
    with the thresholds that come to rest in time.
    """
    last, exponent = None, COARSEST
    try:
        while not fine(exponent):
            if exponent == OCTAVES_FROM and hopeless():
                return None
            last, exponent = exponent, exponent - (STEP if exponent > OCTAVES_FROM else 1.0)
    except RestlessError:
        if last is None:
            raise
        return last if coarser else None
    if last is None:
        return None if coarser else exponent
    for _ in range(HALVINGS):
        middle = (last + exponent) / 2
        if fine(middle):
            exponent = middle
        else:
            last = middle
    return last if coarser else exponent
