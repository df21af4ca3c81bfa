"""Training for few time steps: activations quantised as spikes will quantise them.

Bu et al. 2022, "Optimal ANN-SNN conversion for high-accuracy and ultra-low-latency spiking neural
networks" (QCFS): a trained network learns on with `ClipFloor` activations.
"""

import math

from nengo_tactile.ann.clip_floor import LEVELS, check_levels
from nengo_tactile.ann.layers import layer as new_layer
from nengo_tactile.ann.portable import keras_model
from nengo_tactile.ann.training import FINE_TUNE, train
from nengo_tactile.conversion.activation_scales import activation_scales
from nengo_tactile.conversion.activations import NEURONS, rectifier
from nengo_tactile.conversion.passes import spiking_layers
from nengo_tactile.conversion.reading import convertible
from nengo_tactile.conversion.simplify import simplify
from nengo_tactile.errors import ConversionError

#: Percentile of a layer's activations where its ceiling begins. Ceilings hardly move in a few
#: epochs; from the 99.9th, ResNet-20's were so high that 16 time steps were too coarse.
BEGIN = 98.0


def use_clip_floor(layers, ceilings, levels=LEVELS):
    """Put `ClipFloor` where ReLUs and clipped ReLUs are.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        From `simplify`; BatchNormalization may still be there.
    ceilings : dict of str to float
        For each activation layer by name, the value that becomes one spike a step.
    levels : int
        Steps between 0 and the ceiling; as many time steps as levels are then enough.

    Returns
    -------
    Layers
        Same weights, other activations. A ClipFloor gets the new ceiling and levels.

    Raises
    ------
    ConversionError
        For a ceiling that is missing, or not finite and above zero, and for activations that
        have a part below zero or are neurons already.
    """
    levels = check_levels(levels)
    names = set(spiking_layers(layers))

    def replace(layer, inputs):
        if layer.name not in names:
            return None
        neurons = layer.kind in NEURONS
        if neurons or (layer.kind != "ClipFloor" and rectifier(layer).slope):
            raise ConversionError(
                f"{layer.label}: only a ReLU, with or without max_value, can be quantised; use "
                "'relu' and train again"
            )
        if layer.name not in ceilings:
            raise ConversionError(
                f"{layer.label}: no ceiling given, only for {sorted(ceilings)}: take "
                "activation_scales"
            )
        ceiling = float(ceilings[layer.name])
        if not (math.isfinite(ceiling) and ceiling > 0):
            raise ConversionError(
                f"{layer.label}: its ceiling is {ceiling}, wanted a finite number above zero: give "
                "calibration samples on which the layer is active"
            )
        return new_layer("ClipFloor", layer.name, inputs, [ceiling], levels=levels)

    return layers.rebuilt(replace)


def fine_tune(
    model,
    data,
    x,
    levels=LEVELS,
    recipe=FINE_TUNE,
    seed=0,
    percentile=BEGIN,
    validation=None,
    checkpoint=None,
    progress=None,
):
    """Let a trained network learn on with quantised activations.

    Parameters
    ----------
    model : tf.keras.Model
        Trained with ReLU; not changed. It ends in logits, or a softmax, which goes.
    data : (x, y) or callable
        Training samples, as in `nengo_tactile.ann.training.train`.
    x : (n_samples, ...) array
        Calibration samples: training samples whose activations the ceilings begin with.
    levels : int
    recipe : Recipe
    seed : int
        Seed of the order of the samples.
    percentile : float
        Of each layer's activations on the calibration samples, where its ceiling begins.
    validation : (x, y), optional
        Scored after each epoch.
    checkpoint : path, optional
        An .npz file rewritten after each epoch; when it exists training goes on from it.
    progress : bool, optional

    Returns
    -------
    model : tf.keras.Model
        New model with `ClipFloor` activations, to convert with ``neuron=IF()``.
    history : History

    Raises
    ------
    ConversionError
        For layers that cannot be converted, and layers that are never active.
    DataError
        For samples that cannot be trained on.
    ModelFileError
        If the checkpoint belongs to another network, recipe, seed or data.
    """
    check_levels(levels)
    simple = simplify(convertible(model))
    ceilings = activation_scales(simple, spiking_layers(simple), x, percentile)
    quantised = keras_model(use_clip_floor(simple, ceilings, levels))
    history = train(quantised, data, recipe, seed, validation, checkpoint, progress, "fine-tuning")
    return quantised, history
