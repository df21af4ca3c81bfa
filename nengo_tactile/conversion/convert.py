"""One call from a trained Keras model to a spiking network."""

import dataclasses

from nengo_tactile.ann.lif import neuron_parameters
from nengo_tactile.conversion.accumulate import Accumulator
from nengo_tactile.conversion.calibration import activation_scales, check_calibration
from nengo_tactile.conversion.comparison import compare
from nengo_tactile.conversion.compensation import search_compensation
from nengo_tactile.conversion.convolutions import check_convolutions
from nengo_tactile.conversion.ends import read_out_of
from nengo_tactile.conversion.folding import fold_batch_norm, fold_rescaling
from nengo_tactile.conversion.graph import check_weights
from nengo_tactile.conversion.input_range import range_of
from nengo_tactile.conversion.network import SpikingNetwork
from nengo_tactile.conversion.normalise import normalise
from nengo_tactile.conversion.options import OPTIONS, kind_of_neurons, refuse_others
from nengo_tactile.conversion.passes import (
    layers_to_spike,
    use_if,
    use_lif,
    with_smoothing,
)
from nengo_tactile.conversion.pooling import merge_average_pooling
from nengo_tactile.conversion.reading import convertible
from nengo_tactile.conversion.sigma_delta import use_sigma_delta
from nengo_tactile.conversion.simplify import simplify
from nengo_tactile.conversion.spike_calibration import calibrate as calibrate_neurons
from nengo_tactile.conversion.tensorflow_errors import tensorflow_errors_named
from nengo_tactile.conversion.thresholds import thresholds_for
from nengo_tactile.conversion.trial_run import check_discard, settled_discard
from nengo_tactile.conversion.tuning import tune
from nengo_tactile.errors import ConversionError
from nengo_tactile.events.coding import named_coding

#: Firing rate in hertz at the calibration percentile before tuning.
START_RATE = 500.0
#: Presentation time in steps where calibration does not decide.
N_STEPS = 60
#: Steps to come to rest in, for sigma-delta neurons that no calibration data are given for.
SETTLING_STEPS = 28
#: Calibration samples, at equal distances, that compensation factors are tried on at most: each
#: factor is a simulation of all of them.
COMPENSATION_SAMPLES = 128


@tensorflow_errors_named
def convert(
    model,
    calibration=None,
    neuron="lif",
    percentile=99.9,
    channelwise=False,
    nonzero=False,
    max_rate=None,
    synapse="tune",
    shortcut_normalisation=True,
    start=0.5,
    reset="subtract",
    calibrate=None,
    compensation=None,
    discard=None,
    threshold=None,
    threshold_factor=None,
    max_loss=None,
    spike_budget=None,
    labels=None,
    output_threshold=None,
    coding=None,
    n_steps=None,
    dt=0.001,
    image=None,
    classes=(),
    progress=None,
):
    """Convert a Keras model to a spiking network.

    Parameters
    ----------
    model : tf.keras.Model or path
        Functional or sequential, or the path of a saved .keras or .h5 file; Keras 3 models too.
        Models that have `RateLIF`, `RateIF` or `SigmaDelta` layers already keep their neurons.
    calibration : (n_samples, ...) array
        Inputs like those the network will see, a few hundred, from the training data. Their range
        is kept with the network: samples of quite another one are refused when it runs. Only
        sigma-delta neurons of a given ``threshold`` can do without.
    neuron : "lif", "if", "sigma-delta" or nengo.LIF
        "lif" is a slow LIF neuron whose rate is almost that of a ReLU: no training is needed.
        "if" integrates its input and fires at most once a step, for deep networks; weights are
        normalised to it. "sigma-delta" sends changes of its quantised activation, as spikes of
        both signs; a sample comes once, over time, and the network comes to rest. A nengo.LIF
        gives its own time constants; its rate is far from a ReLU's, so train on afterwards
        (`nengo_tactile.conversion.lif_training`).
    percentile : float
        Percentile of each layer's activations that fires at ``max_rate``.
    channelwise, nonzero : bool
        One percentile per channel ("if" only); percentiles of the activations above zero.
    max_rate : float, optional
        "lif": firing rate in hertz; by default it is tuned. "if" fires at every step, ``1 / dt``.
    synapse : float, None or "tune"
        "lif": low-pass time constant in seconds behind every spiking layer. "if" has none.
    shortcut_normalisation : bool
        "if": scale shortcuts like the weights (see `normalise`); False only to see what it is
        good for.
    start : float
        "if": membrane potential at the start, in thresholds.
    reset : {"subtract", "zero"}
        "if": what a spike does to the membrane potential.
    calibrate : {None, "bias", "potential"}
        "if": correct the neurons' mean error after ``n_steps`` on the calibration samples, by
        constant currents or by membrane potentials at the start (see `spike_calibration`).
    compensation : {None, "network", "layer"}
        "if": search factors on the weights that make up for late spikes (see
        `compensation.search_compensation`).
    discard : float or "tune"
        "lif", "if": share of the steps so far that the read-out leaves out, because deep layers
        have not settled yet; by default 0.5 and 0. "tune" ("if") chooses it for ``n_steps``: 0.5
        is better for deep networks of few steps and harms shallow ones (see `trial_run`).
    threshold : float or dict of str to float
        "sigma-delta": step of the quantisation, of all layers or by the layer's name. This or one
        of the next three decides the thresholds; without them ``max_loss`` is 1.
    threshold_factor : float
        "sigma-delta": thresholds as a share of each layer's 99.9th percentile.
    max_loss : float
        "sigma-delta": the coarsest thresholds, in proportion to these percentiles, that lose at
        most so many points of accuracy on the calibration data (without ``labels``: that give at
        most so many points of them another winner than the Keras model).
    spike_budget : float
        "sigma-delta": the finest such thresholds with at most so many spikes per neuron and
        sample.
    labels : (n_samples,) int array
        "sigma-delta": of the calibration data, for ``max_loss``.
    output_threshold : float
        "sigma-delta": lets the outputs spike too. By default the read-out is their potential.
    coding : {"delay", "current"}, DelayCoding or CurrentCoding
        "sigma-delta": how a sample arrives over time (see `nengo_tactile.events.coding`). By
        default "delay", one spike per pixel brighter than a fifth of 1 (of 255 for bytes).
    n_steps : int
        Presentation time of a sample, in steps; by default 60. "sigma-delta": by default as many
        as it takes until nothing fires on the calibration data.
    dt : float
        Length of a time step in seconds.
    image : TactileImage, optional
        How recordings become inputs.
    classes : sequence of str, optional
    progress : bool, optional

    Returns
    -------
    SpikingNetwork

    The outputs of what was converted, with rectifiers for its neurons, are compared with the
    model's on up to 32 of the calibration samples.

    Raises
    ------
    ConversionError
        For layers that cannot be converted: one line for each reason, with the remedy; where
        the comparison finds more than rounding; and for convolutions that TensorFlow computes
        wrongly on this machine (see `convolutions`).
    ModelFileError
        For files that cannot be read, or have such layers.
    DataError
        For calibration data of the wrong shape, empty, NaN or infinite.

    Warns
    -----
    ConversionWarning
        "if": for a ``discard`` that harms on the calibration samples, and where ``calibrate`` or
        ``compensation`` leads to outputs of more than twice the size.
    """
    given = {name: value for name, value in locals().items() if name in OPTIONS}
    brought, model = model, convertible(model)
    check_weights(model)
    if calibration is not None:
        calibration = check_calibration(model, calibration)
    check_convolutions(model, calibration)
    linear = prepare(model)
    kinds = {type(layer).__name__ for layer in linear.layers}
    kind = kind_of_neurons(model, neuron, kinds)
    refuse_others(kind, given)
    if discard is not None and (kind, discard) != ("if", "tune"):
        check_discard(discard)
    if calibration is None and kind != "sigma-delta":
        raise ConversionError(
            f"neuron is {kind!r}, which needs calibration data: give a few hundred samples from "
            "the training set"
        )
    settings = {
        "dt": dt,
        "image": image,
        "classes": tuple(classes),
        "input_range": None if calibration is None else range_of(calibration),
        "read_out": read_out_of(model)[0],
    }
    if calibration is not None:
        compare(brought, model, linear, settings["read_out"], calibration)
    if kind == "sigma-delta":
        coding = named_coding("delay" if coding is None else coding, _dtype(calibration))
        wishes = (threshold, threshold_factor, max_loss, spike_budget, labels)
        ann = linear
        if "SigmaDelta" not in kinds:
            thresholds = thresholds_for(
                linear, calibration, coding, *wishes, settings["read_out"], progress
            )
            ann = use_sigma_delta(linear, thresholds, output_threshold)
        elif any(wish is not None for wish in (*wishes, output_threshold)):
            raise ConversionError(
                f"model '{model.name}' has SigmaDelta layers, which have thresholds: give none, or "
                "the model with its ReLUs"
            )
        n_steps = _steps_to_rest(ann, calibration, coding) if n_steps is None else n_steps
        return SpikingNetwork(ann, n_steps, synapse=None, coding=coding, **settings)
    n_steps = settings["n_steps"] = N_STEPS if n_steps is None else n_steps
    if kind == "if":
        if "RateIF" not in kinds:
            scales = _scales(linear, calibration, percentile, channelwise, nonzero)
            linear = normalise(linear, scales, shortcut_normalisation)
            if shortcut_normalisation:  # without it another function is wanted
                compare(brought, model, linear, settings["read_out"], calibration)
            linear = use_if(linear, start=start, reset=reset)
        wishes = (calibrate, compensation, settings["read_out"])
        ann = _correct(linear, calibration, n_steps, *wishes, progress)
        corrected = calibrate is not None or compensation is not None
        settings["discard"] = settled_discard(
            ann, settings["read_out"], calibration, n_steps, discard, corrected
        )
        return _on_chip_if_alone(SpikingNetwork(ann, synapse=None, **settings))
    if discard is not None:
        settings["discard"] = discard
    if "RateLIF" in kinds:
        ann = with_smoothing(linear, 0.0)  # it was for training
    else:
        rate = START_RATE if max_rate is None else max_rate
        tops = _scales(linear, calibration, percentile, False, nonzero)
        ann = use_lif(
            linear, {name: neuron_parameters(neuron, top, rate) for name, top in tops.items()}
        )
    synapse_first = 0.005 if synapse == "tune" else synapse
    network = _on_chip_if_alone(SpikingNetwork(ann, synapse=synapse_first, **settings))
    if max_rate is None or synapse == "tune":
        network, _ = tune(
            network,
            calibration,
            rates=(0.5, 1.0) if max_rate is None else (1.0,),
            synapses=(0.002, 0.005) if synapse == "tune" else (synapse,),
            progress=progress,
        )
    return network


def _on_chip_if_alone(network):
    """With one spiking layer on the host nothing would be left for the Loihi engine's chip."""
    if len(network.spiking_layers) > 1:
        return network
    return dataclasses.replace(network, on_host=())


def prepare(model):
    """Bring a model into the form that neurons are put in: rectifiers, and linear layers between.

    Nothing but its last softmax changes: see `simplify`, `fold_batch_norm`, `fold_rescaling`
    and `merge_average_pooling`.

    Parameters
    ----------
    model : tf.keras.Model

    Returns
    -------
    tf.keras.Model
    """
    return merge_average_pooling(fold_rescaling(fold_batch_norm(simplify(model))))


def _dtype(calibration):
    return "float32" if calibration is None else calibration.dtype


def _steps_to_rest(model, calibration, coding):
    if calibration is None:
        return coding.n_steps + SETTLING_STEPS
    return Accumulator(model).rest(calibration, coding).n_steps


def _scales(model, calibration, percentile, channelwise, nonzero):
    names = layers_to_spike(model)
    return activation_scales(
        model, names, calibration, percentile, channelwise=channelwise, nonzero=nonzero
    )


def _correct(model, calibration, n_steps, calibrate, compensation, read_out, progress):
    """Calibrate integrate-and-fire neurons and search compensation, as far as wanted."""
    if compensation not in (None, "network", "layer"):
        raise ConversionError(
            f"compensation is {compensation!r}: choose None, 'network' or 'layer'"
        )
    if calibrate is not None:
        model = calibrate_neurons(model, calibration, n_steps, what=calibrate)
    if compensation is None:
        return model
    some = calibration[:: -(-len(calibration) // COMPENSATION_SAMPLES)]
    model, _ = search_compensation(
        model,
        some,
        n_steps,
        per_layer=compensation == "layer",
        read_out=read_out,
        progress=progress,
    )
    return model
