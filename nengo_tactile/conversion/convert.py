"""One call from a trained Keras model to a spiking network."""

import dataclasses
from pathlib import Path

from nengo_tactile.ann.lif import neuron_parameters
from nengo_tactile.conversion.calibration import activation_percentiles, check_calibration
from nengo_tactile.conversion.network import SpikingNetwork
from nengo_tactile.conversion.passes import check_layers, map_lif, spiking_layers, use_lif
from nengo_tactile.conversion.pooling import merge_average_pooling
from nengo_tactile.conversion.simplify import simplify
from nengo_tactile.conversion.tuning import tune
from nengo_tactile.errors import ConversionError

#: Firing rate in hertz at the calibration percentile before tuning.
START_RATE = 500.0


def convert(
    model,
    calibration,
    neuron="lif",
    percentile=99.9,
    max_rate=None,
    synapse="tune",
    n_steps=60,
    dt=0.001,
    image=None,
    classes=(),
    progress=None,
):
    """Convert a Keras model to a spiking network.

    Parameters
    ----------
    model : tf.keras.Model or path
        Functional or sequential, or the path of a saved .keras or .h5 file. Models that have
        `RateLIF` layers already keep their neurons.
    calibration : (n_samples, ...) array
        Inputs like those the network will see; a few hundred.
    neuron : "lif" or nengo.LIF
        "lif" is a slow LIF neuron whose rate is almost that of a ReLU: no training is needed.
        A nengo.LIF gives its own time constants; its rate is far from a ReLU's, so train on
        afterwards (`nengo_tactile.conversion.lif_training`).
    percentile : float
        Percentile of each layer's activations that fires at ``max_rate``.
    max_rate : float, optional
        In hertz; by default it is tuned.
    synapse : float, None or "tune"
        Low-pass time constant in seconds behind every spiking layer.
    n_steps : int
        Presentation time of a sample, in steps.
    dt : float
        Length of a time step in seconds.
    image : TactileImage, optional
        How recordings become inputs.
    classes : sequence of str, optional
    progress : bool, optional

    Returns
    -------
    SpikingNetwork

    Raises
    ------
    ConversionError
        For layers that cannot be converted: one line each, with the remedy.
    DataError
        For calibration data of the wrong shape, empty, NaN or infinite.
    """
    if isinstance(model, str | Path):
        from nengo_tactile.ann.keras_files import load_keras

        model = load_keras(model)
    check_layers(model)
    plain = merge_average_pooling(simplify(model))
    calibration = check_calibration(plain, calibration)
    if any(type(layer).__name__ == "RateLIF" for layer in plain.layers):
        plain = map_lif(plain)  # without smoothing, which was for training
    else:
        names = spiking_layers(plain)
        if not names:
            raise ConversionError(
                f"model '{plain.name}' has no ReLU, so nothing in it would spike: "
                "give its hidden layers activation='relu'"
            )
        rate = START_RATE if max_rate is None else max_rate
        tops = activation_percentiles(plain, names, calibration, percentile)
        plain = use_lif(
            plain, {name: neuron_parameters(neuron, top, rate) for name, top in tops.items()}
        )
    network = SpikingNetwork(
        plain,
        n_steps=n_steps,
        dt=dt,
        synapse=0.005 if synapse == "tune" else synapse,
        image=image,
        classes=tuple(classes),
    )
    if len(network.spiking_layers) == 1:  # nothing would be left for the chip
        network = dataclasses.replace(network, first_layer="chip")
    if max_rate is None or synapse == "tune":
        network, _ = tune(
            network,
            calibration,
            rates=(0.5, 1.0) if max_rate is None else (1.0,),
            synapses=(0.002, 0.005) if synapse == "tune" else (synapse,),
            progress=progress,
        )
    return network
