"""Sigma-delta neurons where rectifiers are.

Yousefzadeh et al., "Conversion of Synchronous Artificial Neural Network to Asynchronous Spiking
Neural Network using sigma-delta quantization". Weights and biases stay as they were trained; each
layer sends its activation in steps of its threshold.
"""

from collections.abc import Mapping

from nengo_tactile import stack
from nengo_tactile.ann.sigma_delta import check_threshold, sigma_delta_layer
from nengo_tactile.conversion.activations import Rectifier, rectifier
from nengo_tactile.conversion.graph import free_names, functional, rebuild, walk
from nengo_tactile.conversion.passes import layers_to_spike
from nengo_tactile.errors import ConversionError


def use_sigma_delta(model, threshold, output_threshold=None):
    """Put the quantised response of sigma-delta neurons where ReLUs are.

    Parameters
    ----------
    model : tf.keras.Model
        From `simplify`; its activations are layers of their own. BatchNormalization may still be
        there: such a model can be trained on, because gradients pass the quantisation.
    threshold : float or dict of str to float
        For all layers, or for each, by the name of the activation or of the layer before it.
    output_threshold : float, optional
        Lets the outputs spike too, without rectifier, in a layer ``<last layer>_spikes``.

    Returns
    -------
    tf.keras.Model
        Same weights; `SigmaDelta` layers under the activations' names.

    Raises
    ------
    ConversionError
        For thresholds that are missing, of no layer, or not finite and above zero, and for
        activations with a ceiling or a part below zero.
    """
    model = functional(model)
    thresholds = per_layer(model, threshold)

    def replace(layer, inputs):
        if layer.name not in thresholds:
            return None
        if rectifier(layer) != Rectifier():
            raise ConversionError(
                f"layer '{layer.name}' ({type(layer).__name__}): sigma-delta neurons send the "
                "value of a plain ReLU; use 'relu' and train again, or neuron=nt.IF()"
            )
        return sigma_delta_layer()(thresholds[layer.name], name=layer.name)(inputs[0])

    changed = rebuild(model, replace)
    if output_threshold is None:
        return changed
    check_threshold(output_threshold, "output_threshold")
    output = changed.outputs[0]
    last = next(layer.name for layer, _, tensor in walk(changed) if tensor is output)
    spikes = sigma_delta_layer()(
        output_threshold, rectify=False, name=free_names(changed)(f"{last}_spikes")
    )
    return stack.tensorflow().keras.Model(changed.inputs, spikes(output), name=changed.name)


def per_layer(model, threshold):
    """Thresholds of all activations of a model, {layer name: float}.

    See `use_sigma_delta` for parameters and errors.
    """
    names = layers_to_spike(model)
    if not isinstance(threshold, Mapping):
        return dict.fromkeys(names, check_threshold(threshold))
    before = _layers_before(model)
    known = {before[name]: name for name in names} | {name: name for name in names}
    unknown = [key for key in threshold if key not in known]
    if unknown:
        raise ConversionError(
            f"threshold: '{unknown[0]}' is no layer of neurons; those of model '{model.name}' are "
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


def _layers_before(model):
    """Name of the layer whose output each layer reads first."""
    made_by = {id(model.inputs[0]): model.layers[0].name}
    before = {}
    for layer, inputs, output in walk(model):
        before[layer.name] = made_by[id(inputs[0])]
        made_by[id(output)] = layer.name
    return before
