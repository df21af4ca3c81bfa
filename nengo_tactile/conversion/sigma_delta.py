"""Sigma-delta neurons where rectifiers are.

Yousefzadeh et al., "Conversion of Synchronous Artificial Neural Network to Asynchronous Spiking
Neural Network using sigma-delta quantization". Weights and biases stay as they were trained; each
layer sends its activation in steps of its threshold.
"""

from collections.abc import Mapping

from nengo_tactile.ann.layers import layer as new_layer
from nengo_tactile.ann.sigma_delta import check_threshold
from nengo_tactile.conversion.activations import Rectifier, rectifier
from nengo_tactile.conversion.passes import layers_to_spike
from nengo_tactile.errors import ConversionError


def use_sigma_delta(layers, threshold, output_threshold=None):
    """Put the quantised response of sigma-delta neurons where ReLUs are.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        From `simplify`; its activations are layers of their own. BatchNormalization may still be
        there: such a model can be trained on, because gradients pass the quantisation.
    threshold : float or dict of str to float
        For all layers, or for each, by the name of the activation or of the layer before it.
    output_threshold : float, optional
        Lets the outputs spike too, without rectifier, in a layer ``<last layer>_spikes``.

    Returns
    -------
    Layers
        Same weights; `SigmaDelta` layers under the activations' names.

    Raises
    ------
    ConversionError
        For thresholds that are missing, of no layer, or not finite and above zero, and for
        activations with a ceiling or a part below zero.
    """
    thresholds = per_layer(layers, threshold)

    def replace(layer, inputs):
        if layer.name not in thresholds:
            return None
        if rectifier(layer) != Rectifier():
            raise ConversionError(
                f"{layer.label}: sigma-delta neurons send the value of a plain ReLU; use 'relu' "
                "and train again, or neuron=nt.IF()"
            )
        return new_layer("SigmaDelta", layer.name, inputs, threshold=thresholds[layer.name])

    changed = layers.rebuilt(replace)
    if output_threshold is None:
        return changed
    check_threshold(output_threshold, "output_threshold")
    name = changed.names()(f"{changed.output}_spikes")
    settings = {"threshold": output_threshold, "rectify": False}
    return changed.ending_in(new_layer("SigmaDelta", name, [changed[changed.output]], **settings))


def per_layer(layers, threshold):
    """Thresholds of all activations of a model, {layer name: float}.

    See `use_sigma_delta` for parameters and errors.
    """
    names = layers_to_spike(layers)
    if not isinstance(threshold, Mapping):
        return dict.fromkeys(names, check_threshold(threshold))
    known = {layers[name].sources[0]: name for name in names} | {name: name for name in names}
    unknown = [key for key in threshold if key not in known]
    if unknown:
        raise ConversionError(
            f"threshold: '{unknown[0]}' is no layer of neurons; those of model '{layers.name}' are "
            f"{', '.join(names)}"
        )
    given = {
        known[key]: check_threshold(value, f"layer '{key}': threshold")
        for key, value in threshold.items()
    }
    missing = [name for name in names if name not in given]
    if missing:
        raise ConversionError(
            f"layer '{missing[0]}': threshold has no entry for it, only for "
            f"{', '.join(threshold) or 'none'}: give one for each layer, or one number for all"
        )
    return given
