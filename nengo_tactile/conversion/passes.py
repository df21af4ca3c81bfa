"""Keras-to-Keras passes that put the firing rates of neurons where rectifiers are, and back."""

from nengo_tactile import stack
from nengo_tactile.ann.integrate_fire import rate_if_layer
from nengo_tactile.ann.lif import rate_lif_layer
from nengo_tactile.conversion.activations import NEURONS, RECTIFIERS, Rectifier, rectifier
from nengo_tactile.conversion.graph import check_weights, copy_layer, functional, rebuild
from nengo_tactile.conversion.reading import describe, problems, told
from nengo_tactile.errors import ConversionError


def check_layers(model):
    """Refuse a model with layers, or weights, that cannot be converted.

    Raises
    ------
    ConversionError
        With one line per layer: its name, type, the offending value and the remedy.
    """
    description = describe(functional(model))
    found = problems(description)
    if found:
        raise ConversionError(told(description, found))
    check_weights(model)


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

    Raises
    ------
    ConversionError
        For a rectifier with a ceiling or a slope below zero.
    """

    def replace(layer, inputs):
        if not _is_rectifier(layer):
            return None
        if not _is_plain(layer):
            raise ConversionError(
                f"layer '{layer.name}' ({type(layer).__name__}): the rate of a LIF neuron has no "
                "such ceiling, levels or negative part; use neuron=nt.IF(), or a plain ReLU"
            )
        lif = parameters[layer.name]
        return rate_lif_layer()(**vars(lif), sigma=sigma, name=layer.name)(inputs[0])

    return rebuild(functional(model), replace)


def use_if(model, **settings):
    """Put the rates of integrate-and-fire neurons where rectifiers are.

    Parameters
    ----------
    model : tf.keras.Model
        From `simplify`; normalised, because the rates end at one spike a step.
    **settings
        Of every `RateIF` layer, such as ``reset="zero"``.

    Returns
    -------
    tf.keras.Model
        Same weights; ``clip(x, 0, 1)`` where the ReLUs, clipped ReLUs and ClipFloors were, and
        a part below zero where the LeakyReLUs were.

    Raises
    ------
    ConversionError
        For a LeakyReLU that rises faster below zero than above, or with ``reset="zero"``.
    """

    def replace(layer, inputs):
        if not _is_rectifier(layer):
            return None
        options = {**settings, "clips": _ends_at_one(layer)}
        if type(layer).__name__ == "LeakyReLU":
            slope = options["negative_slope"] = rectifier(layer).slope
            if slope > 1:
                raise ConversionError(
                    f"layer '{layer.name}' (LeakyReLU): alpha is {slope:g}, negative spikes carry "
                    "at most what positive ones do; choose it from 0 to 1"
                )
            if slope and options.get("reset") == "zero":
                raise ConversionError(
                    f"layer '{layer.name}' (LeakyReLU): alpha is {slope:g} and reset 'zero', which "
                    "forgets the sign of what was left of the membrane potential; use "
                    "reset='subtract', or a ReLU"
                )
        return rate_if_layer()(**options, name=layer.name)(inputs[0])

    return rebuild(functional(model), replace)


def with_smoothing(model, sigma):
    """Smooth the rates of every LIF layer near the threshold; 0 makes them exact.

    Parameters
    ----------
    model : tf.keras.Model
        From `use_lif`.
    sigma : float

    Returns
    -------
    tf.keras.Model
    """

    def replace(layer, inputs):
        if type(layer).__name__ != "RateLIF":
            return None
        return copy_layer(layer, inputs, sigma=sigma)

    return rebuild(functional(model), replace)


def map_neurons(model, change, shift_factor=1.0):
    """Change the parameters of every layer of neurons.

    Parameters
    ----------
    model : tf.keras.Model
        With `RateLIF` or `RateIF` layers.
    change : callable
        ``parameters -> parameters`` (LIFParameters or IFParameters).
    shift_factor : float
        On the currents that calibration has added, which are in thresholds a step.

    Returns
    -------
    tf.keras.Model
        Same weights; membrane potentials at the start stay too.
    """

    def replace(layer, inputs):
        if type(layer).__name__ not in NEURONS:
            return None
        return copy_layer(layer, inputs, **vars(change(layer.parameters)))

    changed = rebuild(functional(model), replace)
    for layer in changed.layers:
        if type(layer).__name__ == "RateIF":
            layer.shift.assign(layer.shift * shift_factor)
    return changed


def use_relu(model):
    """Put ReLUs where LIF rates are: the inverse of `use_lif`."""
    tf = stack.tensorflow()

    def replace(layer, inputs):
        if type(layer).__name__ == "RateLIF":
            return tf.keras.layers.Activation("relu", name=layer.name)(inputs[0])
        return None

    return rebuild(functional(model), replace)


def use_rectifiers(model):
    """Put rectifiers where the rates of integrate-and-fire neurons are: the inverse of `use_if`.

    Parameters
    ----------
    model : tf.keras.Model
        Of neurons whose highest rate is worth 1.

    Returns
    -------
    tf.keras.Model
        Without the ceilings of rates that the model does not clip itself.
    """

    def replace(layer, inputs):
        if type(layer).__name__ != "RateIF":
            return None
        ceiling = 1.0 if layer.parameters.clips else None
        kind = Rectifier(ceiling, layer.parameters.negative_slope)
        return kind.layer(layer.name)(inputs[0])

    return rebuild(functional(model), replace)


def spiking_layers(model):
    """Names of the layers that are or become neurons, in the order of computation.

    Parameters
    ----------
    model : tf.keras.Model
        From `simplify` or a later pass.
    """
    return [
        layer.name
        for layer in functional(model).layers
        if type(layer).__name__ in NEURONS or _is_rectifier(layer)
    ]


def layers_to_spike(model):
    """`spiking_layers`, of which there must be one.

    Raises
    ------
    ConversionError
        For a model without any.
    """
    names = spiking_layers(model)
    if not names:
        raise ConversionError(
            f"model '{model.name}' has no ReLU, so nothing in it would spike: "
            "give its hidden layers activation='relu'"
        )
    return names


def _ends_at_one(layer):
    """Whether a normalised activation itself lets nothing above 1 through, rounding apart."""
    if type(layer).__name__ == "ClipFloor":
        return bool(layer.ceiling.numpy() <= 1.001)
    ceiling = rectifier(layer).ceiling
    return ceiling is not None and ceiling <= 1.001


def _is_plain(layer):
    return type(layer).__name__ in ("Activation", "ReLU") and rectifier(layer) == Rectifier()


def _is_rectifier(layer):
    return _is_plain(layer) or type(layer).__name__ in RECTIFIERS
