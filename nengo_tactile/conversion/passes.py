"""Keras-to-Keras passes: each returns a new model that computes the same function.

Only `use_lif` changes the function: it puts LIF rates where ReLUs were.
"""

from nengo_tactile import stack
from nengo_tactile.ann.lif import rate_lif_layer
from nengo_tactile.conversion import support
from nengo_tactile.conversion.graph import functional, rebuild
from nengo_tactile.errors import ConversionError


def check_layers(model):
    """Refuse a model with layers that cannot be converted.

    Raises
    ------
    ConversionError
        With one line per layer: its name, type, the offending value and the remedy.
    """
    problems = [text for text in map(support.problem, functional(model).layers) if text]
    if problems:
        raise ConversionError("\n".join(problems))


def use_lif(model, parameters, sigma=0.0):
    """Put the rates of LIF neurons where ReLUs are.

    Parameters
    ----------
    model : tf.keras.Model
        From `simplify`; its activations are layers of their own.
    parameters : dict of str to LIFParameters
        For each ReLU layer by name.
    sigma : float
        Smoothing near the threshold (soft LIF).

    Returns
    -------
    tf.keras.Model
        Same weights, other activations.
    """

    def replace(layer, inputs):
        if type(layer).__name__ == "Activation" and support.activation_name(layer) == "relu":
            lif = parameters[layer.name]
            return rate_lif_layer()(**vars(lif), sigma=sigma, name=layer.name)(inputs[0])
        return None

    return rebuild(functional(model), replace)


def map_lif(model, change=lambda lif: lif, sigma=0.0):
    """Change the parameters of every LIF layer.

    Parameters
    ----------
    model : tf.keras.Model
        From `use_lif`.
    change : callable
        ``LIFParameters -> LIFParameters``.
    sigma : float
        Smoothing of the new layers; 0 makes their rates exact.

    Returns
    -------
    tf.keras.Model
    """

    def replace(layer, inputs):
        if type(layer).__name__ != "RateLIF":
            return None
        lif = change(layer.parameters)
        return rate_lif_layer()(**vars(lif), sigma=sigma, name=layer.name)(inputs[0])

    return rebuild(functional(model), replace)


def use_relu(model):
    """Put ReLUs where LIF rates are: the inverse of `use_lif`."""
    tf = stack.tensorflow()

    def replace(layer, inputs):
        if type(layer).__name__ == "RateLIF":
            return tf.keras.layers.Activation("relu", name=layer.name)(inputs[0])
        return None

    return rebuild(functional(model), replace)


def spiking_layers(model):
    """Names of the layers that become neurons, in the order of computation."""
    return [
        layer.name
        for layer in functional(model).layers
        if type(layer).__name__ == "RateLIF"
        or (type(layer).__name__ == "Activation" and support.activation_name(layer) == "relu")
    ]
