"""What each Keras layer becomes: the one table behind errors, ``check`` and docs/layers.md."""

import dataclasses

from nengo_tactile import stack

ENGINES = ("nengo-dl", "loihi")


@dataclasses.dataclass(frozen=True)
class Support:
    """How a layer type is treated.

    Attributes
    ----------
    becomes : str
        What it is in the spiking network; empty when it cannot be converted.
    engines : tuple of str
        Engines that run it.
    limits : dict
        Layer attribute -> (allowed values, remedy).
    remedy : str
        What to use instead, for unsupported layers.
    """

    becomes: str = ""
    engines: tuple = ENGINES
    limits: dict = dataclasses.field(default_factory=dict)
    remedy: str = ""


_CHANNELS = {
    "data_format": (("channels_last",), "transpose the images to (height, width, channels)")
}
_CONV = {
    **_CHANNELS,
    "dilation_rate": (((1, 1),), "use a larger kernel without dilation"),
    "groups": ((1,), "use one convolution per group, or groups=1"),
}
_POOL = {**_CHANNELS, "padding": (("valid",), "use padding='valid'")}
_RELU = {
    "max_value": ((None,), "use a plain ReLU: firing rates saturate by themselves"),
    "negative_slope": ((0, 0.0, None), "use a plain ReLU: spikes here have one sign"),
    "threshold": ((0, 0.0, None), "move the threshold into the bias of the layer before"),
}

#: The row of every layer type that is not in the table.
FALLBACK = Support(remedy="use Conv2D, Dense, AveragePooling2D, Flatten and ReLU")

#: Activation functions by Keras name.
ACTIVATIONS = {
    "linear": "nothing (the layer is linear)",
    "relu": "LIF neurons",
    "softmax": "removed at the end (it changes no winner)",
}

TABLE = {
    "InputLayer": Support("input current"),
    "Conv2D": Support("convolution connection", limits=_CONV),
    "Dense": Support("dense connection"),
    "AveragePooling2D": Support("merged into the next convolution or dense layer", limits=_POOL),
    "GlobalAveragePooling2D": Support("merged into the next dense layer", limits=_CHANNELS),
    "Flatten": Support("nothing (the order of neurons stays)", limits=_CHANNELS),
    "Activation": Support("LIF neurons"),
    "ReLU": Support("LIF neurons", limits=_RELU),
    "RateLIF": Support("LIF neurons"),
    "Dropout": Support("removed (inactive at inference)"),
    "SpatialDropout2D": Support("removed (inactive at inference)"),
    "GaussianNoise": Support("removed (inactive at inference)"),
    "Softmax": Support("removed at the end (it changes no winner)"),
    "MaxPooling2D": Support(remedy="use AveragePooling2D, or strides in the convolution before"),
    "BatchNormalization": Support(
        remedy="fold it into the weights of the layer before, or train without it"
    ),
    "Add": Support(remedy="let the layers follow one another: there are no residual paths yet"),
    "Lambda": Support(
        remedy="write it with standard layers: code inside a model file is never run"
    ),
}


def support_of(layer):
    """The table's row for a layer (an empty row for unknown types)."""
    return TABLE.get(type(layer).__name__, FALLBACK)


def activation_name(layer):
    """Keras name of a layer's activation function, or None without one."""
    activation = getattr(layer, "activation", None)
    return None if activation is None else getattr(activation, "__name__", str(activation))


def problem(layer):
    """Why a layer cannot be converted.

    Returns
    -------
    str or None
        "layer 'pool1' (MaxPooling2D): ...; remedy", or None when it can.
    """
    tf = stack.tensorflow()
    label = f"layer '{layer.name}' ({type(layer).__name__})"
    row = support_of(layer)
    if isinstance(layer, tf.keras.Model):
        return f"{label}: a model inside a model; call its layers one by one"
    if not row.becomes:
        return f"{label}: no engine runs it; {row.remedy}"
    if type(layer).__name__ == "Dense" and len(layer.get_input_shape_at(0)) != 2:
        shape = layer.get_input_shape_at(0)[1:]
        return f"{label}: its input has shape {shape}; put a Flatten before it"
    for name, (allowed, remedy) in row.limits.items():
        value = getattr(layer, name, None)
        value = tuple(value) if isinstance(value, (list, tuple)) else value
        value = value.item() if hasattr(value, "item") else value
        if hasattr(layer, name) and value not in allowed:
            return f"{label}: {name} is {value!r}, only {allowed[0]!r} can be converted; {remedy}"
    if hasattr(layer, "activation") and activation_name(layer) not in ACTIVATIONS:
        return (
            f"{label}: activation {activation_name(layer)!r} has no spiking neuron here; use 'relu'"
        )
    return None
