"""Which rectifier an activation is: Keras has many spellings of three functions."""

import dataclasses

from nengo_tactile.ann.layers import layer
from nengo_tactile.conversion import support
from nengo_tactile.errors import ConversionError

#: Slope of "leaky_relu" by name (tf.nn.leaky_relu and Keras 3 alike).
NAMED_SLOPE = 0.2

#: Layer types of neurons and of the activations that become neurons, after `simplify`.
NEURONS = ("RateLIF", "RateIF", "SigmaDelta")
RECTIFIERS = ("ReLU", "LeakyReLU", "ClipFloor")


@dataclasses.dataclass(frozen=True)
class Rectifier:
    """``min(max(x, 0), ceiling) + slope * min(x, 0)``.

    Attributes
    ----------
    ceiling : float or None
        Largest output; None without one.
    slope : float
        Of the part below zero.
    """

    ceiling: float | None = None
    slope: float = 0.0

    def layer(self, name, inputs):
        """The canonical layer: Activation("relu"), ReLU(max_value) or LeakyReLU(alpha)."""
        if self.slope:
            return layer("LeakyReLU", name, inputs, alpha=self.slope)
        if self.ceiling is not None:
            return layer("ReLU", name, inputs, max_value=self.ceiling)
        return layer("Activation", name, inputs, activation="relu")

    @property
    def word(self):
        """Ending of a layer's name: "relu", "relu6", "leaky_relu"."""
        if self.slope:
            return "leaky_relu"
        return "relu" if self.ceiling is None else f"relu{self.ceiling:g}"


def accumulates(layers):
    """Whether a model's neurons add up what arrives, as sigma-delta neurons do, instead of rates.

    Raises
    ------
    ConversionError
        For a model that has both kinds.
    """
    by_kind = {each.kind: each.name for each in layers.of_kinds(*NEURONS)}
    others = [name for kind, name in by_kind.items() if kind != "SigmaDelta"]
    if "SigmaDelta" in by_kind and others:
        raise ConversionError(
            f"layer '{by_kind['SigmaDelta']}' (SigmaDelta) sends changes, '{others[0]}' rates, "
            "which do not add up in one network: use one kind of neurons"
        )
    return "SigmaDelta" in by_kind


def rectifier(layer):
    """Tell which rectifier a layer applies to its output, if any.

    Parameters
    ----------
    layer : nengo_tactile.ann.layers.Layer
        A ReLU, LeakyReLU or Activation layer, or one with a fused activation.

    Returns
    -------
    Rectifier or None
        None for other functions, "linear" among them.

    Raises
    ------
    ConversionError
        For rectifiers that no neuron computes: a threshold above zero, or a ceiling together
        with a slope, or a slope below zero.
    """
    function = support.activation_layer(layer) or layer
    named = {
        "relu": Rectifier(),
        "relu6": Rectifier(ceiling=6.0),
        "leaky_relu": Rectifier(slope=NAMED_SLOPE),
    }
    return _of_layer(function, layer.label) or named.get(support.activation_name(function))


def _of_layer(function, label):
    """Rectifier of a ReLU or LeakyReLU layer, which may also be another layer's activation."""
    config = function.config
    if function.kind == "LeakyReLU":
        ceiling, slope, threshold = None, float(config["alpha"]), 0.0
    elif function.kind == "ReLU":
        ceiling = None if config["max_value"] is None else float(config["max_value"])
        slope, threshold = float(config["negative_slope"] or 0), float(config["threshold"] or 0)
    else:
        return None
    if threshold:
        raise ConversionError(
            f"{label}: threshold is {threshold:g}, only 0 can be converted; move the threshold "
            "into the bias of the layer before"
        )
    if slope and ceiling is not None:
        raise ConversionError(
            f"{label}: negative_slope is {slope:g} and max_value {ceiling:g}, no neuron has both; "
            "leave one of them out"
        )
    if slope < 0:
        raise ConversionError(
            f"{label}: negative_slope is {slope:g}: choose it from 0 to 1, as of a LeakyReLU"
        )
    return Rectifier(ceiling, slope)
