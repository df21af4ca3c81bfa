"""Passes that put the firing rates of neurons where rectifiers are, and back."""

from nengo_tactile.ann.layers import layer as new_layer
from nengo_tactile.conversion.activations import NEURONS, RECTIFIERS, Rectifier, rectifier
from nengo_tactile.errors import ConversionError


def use_lif(layers, parameters, sigma=0.0):
    """Put the rates of LIF neurons where ReLUs are.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        From `simplify`; its activations are layers of their own.
    parameters : dict of str to LIFParameters
        For each ReLU layer by name.
    sigma : float
        Smoothing near the threshold (soft LIF).

    Returns
    -------
    Layers
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
                f"{layer.label}: the rate of a LIF neuron has no such ceiling, levels or negative "
                "part; use neuron=nt.IF(), or a plain ReLU"
            )
        lif = parameters[layer.name]
        return new_layer("RateLIF", layer.name, inputs, **vars(lif), sigma=sigma)

    return layers.rebuilt(replace)


def use_if(layers, **settings):
    """Put the rates of integrate-and-fire neurons where rectifiers are.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        From `simplify`; normalised, because the rates end at one spike a step.
    **settings
        Of every `RateIF` layer, such as ``reset="zero"``.

    Returns
    -------
    Layers
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
        if layer.kind == "LeakyReLU":
            slope = options["negative_slope"] = rectifier(layer).slope
            if slope > 1:
                raise ConversionError(
                    f"{layer.label}: alpha is {slope:g}, negative spikes carry "
                    "at most what positive ones do; choose it from 0 to 1"
                )
            if slope and options.get("reset") == "zero":
                raise ConversionError(
                    f"{layer.label}: alpha is {slope:g} and reset 'zero', which "
                    "forgets the sign of what was left of the membrane potential; use "
                    "reset='subtract', or a ReLU"
                )
        return new_layer("RateIF", layer.name, inputs, **options)

    return layers.rebuilt(replace)


def with_smoothing(layers, sigma):
    """Smooth the rates of every LIF layer near the threshold; 0 makes them exact.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        From `use_lif`.
    sigma : float

    Returns
    -------
    Layers
    """

    def replace(layer, inputs):
        return layer.changed(inputs, sigma=sigma) if layer.kind == "RateLIF" else None

    return layers.rebuilt(replace)


def map_neurons(layers, change, shift_factor=1.0):
    """Change the parameters of every layer of neurons.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        With `RateLIF` or `RateIF` layers.
    change : callable
        ``parameters -> parameters`` (LIFParameters or IFParameters).
    shift_factor : float
        On the currents that calibration has added, which are in thresholds a step.

    Returns
    -------
    Layers
        Same weights; membrane potentials at the start stay too.
    """

    def replace(layer, inputs):
        if layer.kind not in NEURONS:
            return None
        weights = layer.weights
        if layer.kind == "RateIF":
            start, *shifts = weights
            weights = [start, *(shift * shift_factor for shift in shifts)]
        return layer.changed(inputs, weights, **vars(change(layer.keras.parameters)))

    return layers.rebuilt(replace)


def use_relu(layers):
    """Put ReLUs where LIF rates are: the inverse of `use_lif`."""

    def replace(layer, inputs):
        if layer.kind != "RateLIF":
            return None
        return new_layer("Activation", layer.name, inputs, activation="relu")

    return layers.rebuilt(replace)


def use_rectifiers(layers):
    """Put rectifiers where the rates of integrate-and-fire neurons are: the inverse of `use_if`.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        Of neurons whose highest rate is worth 1.

    Returns
    -------
    Layers
        Without the ceilings of the rates.
    """

    def replace(layer, inputs):
        if layer.kind != "RateIF":
            return None
        return Rectifier(None, layer.config["negative_slope"]).layer(layer.name, inputs)

    return layers.rebuilt(replace)


def spiking_layers(layers):
    """Names of the layers that are or become neurons, in the order of computation.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        From `simplify` or a later pass.
    """
    return [layer.name for layer in layers if layer.kind in NEURONS or _is_rectifier(layer)]


def layers_to_spike(layers):
    """`spiking_layers`, of which there must be one.

    Raises
    ------
    ConversionError
        For a model without any.
    """
    names = spiking_layers(layers)
    if not names:
        raise ConversionError(
            f"model '{layers.name}' has no ReLU, so nothing in it would spike: "
            "give its hidden layers activation='relu'"
        )
    return names


def _ends_at_one(layer):
    """Whether a normalised activation itself lets nothing above 1 through, rounding apart."""
    if layer.kind == "ClipFloor":
        (ceiling,) = layer.weights
        return bool(ceiling <= 1.001)
    ceiling = rectifier(layer).ceiling
    return ceiling is not None and ceiling <= 1.001


def _is_plain(layer):
    return layer.kind in ("Activation", "ReLU") and rectifier(layer) == Rectifier()


def _is_rectifier(layer):
    return _is_plain(layer) or layer.kind in RECTIFIERS
