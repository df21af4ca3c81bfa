"""What each Keras layer becomes: the one table behind errors, ``check`` and docs/layers.md."""

import dataclasses

from nengo_tactile.ann.settings import AUGMENTATION, activation_part
from nengo_tactile.networks.protocol import ENGINES

#: Kinds of neurons, and what `convert` takes for them.
NEURONS = {"if": "nt.IF()", "lif": "nt.LIF()", "sigma-delta": "nt.SigmaDelta()"}
#: What messages call those that have plain ReLUs alone.
_PLAIN_NEURONS = {"lif": "LIF", "sigma-delta": "sigma-delta"}


@dataclasses.dataclass(frozen=True)
class Support:
    """How a layer type is treated.

    Attributes
    ----------
    becomes : str
        What it is in the spiking network; empty when it cannot be converted.
    engines : tuple of str
        Engines that run it.
    chip : str
        Where the loihi engine takes it, when not everywhere; what to use for it, when nowhere.
    neurons : tuple of str
        Kinds of neurons that a network with it can have.
    spikes : bool
        Whether it becomes neurons, or units that send spikes.
    limits : dict
        Setting -> (allowed values, remedy).
    plain : dict
        The same, when the neurons are LIF or sigma-delta.
    remedy : str
        What to use instead, for unsupported layers.
    """

    becomes: str = ""
    engines: tuple = ENGINES
    chip: str = ""
    neurons: tuple = tuple(NEURONS)
    spikes: bool = False
    limits: dict = dataclasses.field(default_factory=dict)
    plain: dict = dataclasses.field(default_factory=dict)
    remedy: str = ""


_OFF_CHIP = ("nengo-dl", "event")
_CHANNELS = {
    "data_format": (("channels_last",), "transpose the images to (height, width, channels)")
}
_TRANSPOSED = {
    **_CHANNELS,
    "dilation_rate": ((1, (1,), (1, 1)), "use a larger kernel without dilation"),
    "output_padding": ((None,), "leave it out and let a ZeroPadding layer follow"),
}
_THRESHOLD = {"threshold": ((0, None), "move the threshold into the bias of the layer before")}
_LAST_AXIS = {"axis": (("last",), "bring the channels to the last axis with a Permute before it")}
_PLAIN = {
    "max_value": ((None,), "use neuron=nt.IF(), or a plain ReLU"),
    "negative_slope": ((0, None), "use neuron=nt.IF(), or a plain ReLU"),
}
_INTERPOLATION = {
    **_CHANNELS,
    "interpolation": (("nearest", "bilinear", "bicubic"), "use one of these"),
}

_CONVOLUTION = Support("convolution", limits=_CHANNELS)
_SEPARABLE = Support(
    "two convolutions, depthwise and pointwise",
    _OFF_CHIP,
    "use a plain convolution, or a ReLU between a depthwise and a pointwise one",
    limits=_CHANNELS,
)
_TRANSPOSED_CONVOLUTION = Support(
    "transposed convolution",
    chip="with strides only for padding='valid'",
    limits=_TRANSPOSED,
)
_AVERAGE = Support(
    "merged into the convolution or dense layer behind, else a map of its own", limits=_CHANNELS
)
_AVERAGE_2D = dataclasses.replace(
    _AVERAGE, chip="where a Dense or a Conv2D with padding='valid' reads it"
)
_AVERAGE_1D = Support(
    "a map of its own", _OFF_CHIP, "use strides in the convolution before", limits=_CHANNELS
)
_MAXIMUM = Support(
    "units that pass a spike on when the largest sum of their windows rises; of what the image "
    "alone drives, its maximum, taken once",
    _OFF_CHIP,
    "only of what the image alone drives; elsewhere use average pooling or strides",
    spikes=True,
    limits=_CHANNELS,
)
_PLACES = Support(
    "connections to part of the neurons",
    _OFF_CHIP,
    "only of the image; elsewhere use padding='same' and strides",
    limits=_CHANNELS,
)
_COPIES = Support(
    "connections to several neurons each",
    _OFF_CHIP,
    "use a transposed convolution with padding='valid'",
)
_SUM = Support("several connections into the same neurons")
_SCALED = "folded into weights, else one weight a neuron"
_IN_FRONT = "where it can be folded, or a ReLU reads it"
_INACTIVE = Support("removed (inactive at inference)")
_NEURONS = Support("neurons", spikes=True)

_SEQUENCE = "neurons here have no memory beyond their potential: give a fixed window of time as "
_SEQUENCE += "channels to Conv1D or Dense layers"
_PRODUCT = "spikes add up and are not multiplied: use Add or Concatenate and a Dense or Conv layer"
_MEASURED = "it divides by what it measures on each sample: use BatchNormalization, which is folded"
_SMOOTH = "use ReLU or LeakyReLU, and train again"
_SPACE = "use two dimensions, the third one as channels"
_PREPROCESS = "do it to the data, before the network"

#: The row of every layer type that is not in the table.
FALLBACK = Support(remedy="build it from layers that docs/layers.md lists")

#: Activation functions by Keras name -> what they become.
ACTIVATIONS = {
    "linear": "nothing (the layer is linear)",
    "relu": "neurons",
    "relu6": "neurons, whose rate has the ceiling",
    "leaky_relu": "neurons with spikes of both signs",
}
#: Those that a model may end in -> what becomes of them there.
ENDS = dict.fromkeys(("softmax", "sigmoid", "tanh", "softplus"), "kept as the read-out at the end")
#: Layer types that pass their input on at inference.
INACTIVE = (
    *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "AlphaDropout", "GaussianNoise"),
    *("GaussianDropout", "ActivityRegularization", "Identity"),
)

#: Those that pass values on in their order: an activation before them may be the model's end.
PASSING = (*INACTIVE, *AUGMENTATION, "Flatten", "Reshape")

_NO_NEURON = "has no spiking neuron here; use 'relu'"
#: Other activation functions, and those of `ENDS` elsewhere -> why not, and what to do.
INSTEAD = {
    "softmax": "before the end cannot be converted; use 'relu'",
    **dict.fromkeys(
        ("sigmoid", "hard_sigmoid", "tanh", "softsign"),
        "saturates on both sides, which no neuron here does; use 'relu6' and train again",
    ),
    **dict.fromkeys(
        (
            *(
                "elu",
                "selu",
                "celu",
                "gelu",
                "swish",
                "silu",
                "hard_swish",
                "hard_silu",
                "softplus",
            ),
            *("mish", "exponential", "log_sigmoid", "squareplus"),
        ),
        "is smooth, a firing rate has corners; use 'relu' and train again",
    ),
}

TABLE = {
    "InputLayer": Support("constant input current; for sigma-delta the sample once, over time"),
    "Conv2D": _CONVOLUTION,
    "Conv1D": dataclasses.replace(_CONVOLUTION, chip="not with padding='causal'"),
    "DepthwiseConv2D": _CONVOLUTION,
    "DepthwiseConv1D": _CONVOLUTION,
    "SeparableConv2D": _SEPARABLE,
    "SeparableConv1D": _SEPARABLE,
    "Conv2DTranspose": _TRANSPOSED_CONVOLUTION,
    "Conv1DTranspose": _TRANSPOSED_CONVOLUTION,
    "Dense": Support("dense connection; on a map, a convolution over one pixel"),
    "AveragePooling2D": _AVERAGE_2D,
    "AveragePooling1D": _AVERAGE_1D,
    "GlobalAveragePooling2D": _AVERAGE_2D,
    "GlobalAveragePooling1D": _AVERAGE_1D,
    "MaxPooling2D": _MAXIMUM,
    "MaxPooling1D": _MAXIMUM,
    "GlobalMaxPooling2D": _MAXIMUM,
    "GlobalMaxPooling1D": _MAXIMUM,
    "ZeroPadding2D": _PLACES,
    "ZeroPadding1D": dataclasses.replace(_PLACES, limits={}),
    "Cropping2D": _PLACES,
    "Cropping1D": dataclasses.replace(_PLACES, limits={}),
    "UpSampling2D": dataclasses.replace(_COPIES, limits=_INTERPOLATION),
    "UpSampling1D": _COPIES,
    "Permute": Support(
        "another order of the same neurons", _OFF_CHIP, "only of the image; train without it"
    ),
    "Reshape": Support("nothing (the order of neurons stays)"),
    "Flatten": Support("nothing (the order of neurons stays)", limits=_CHANNELS),
    "Add": _SUM,
    "Subtract": _SUM,
    "Average": _SUM,
    "Concatenate": Support(
        "connections to part of the neurons each", _OFF_CHIP, "use Add, of convolutions"
    ),
    "BatchNormalization": Support(_SCALED, chip=_IN_FRONT, limits=_LAST_AXIS),
    "Rescaling": Support(_SCALED, chip=_IN_FRONT),
    "Normalization": Support(_SCALED, chip=_IN_FRONT),
    "Activation": _NEURONS,
    "ReLU": Support(
        "neurons; max_value is the ceiling of their rate, negative_slope gives spikes of both "
        "signs",
        chip="without negative_slope",
        spikes=True,
        limits=_THRESHOLD,
        plain=_PLAIN,
    ),
    "LeakyReLU": Support(
        "neurons with spikes of both signs",
        _OFF_CHIP,
        "use a ReLU: the chip's spikes have one sign",
        neurons=("if",),
        spikes=True,
    ),
    "ClipFloor": dataclasses.replace(_NEURONS, neurons=("if",)),
    "RateIF": dataclasses.replace(_NEURONS, neurons=("if",)),
    "RateLIF": dataclasses.replace(_NEURONS, engines=("nengo-dl", "loihi"), neurons=("lif",)),
    "SigmaDelta": dataclasses.replace(
        _NEURONS,
        engines=_OFF_CHIP,
        chip="use a ReLU: the chip's spikes have one sign",
        neurons=("sigma-delta",),
    ),
    "Softmax": Support(
        "kept as the read-out at the end",
        limits={"axis": (("last",), "take it over the last axis, with a Permute before it")},
    ),
    **dict.fromkeys((*INACTIVE, *AUGMENTATION), _INACTIVE),
    **dict.fromkeys(
        ("LSTM", "GRU", "SimpleRNN", *(f"ConvLSTM{n}D" for n in (1, 2, 3)), "Bidirectional"),
        Support(remedy=_SEQUENCE),
    ),
    "TimeDistributed": Support(
        remedy="call the layer inside on the whole array, or with one axis more (Conv2D of "
        "kernel (1, k) for Conv1D)"
    ),
    **dict.fromkeys(
        ("Attention", "AdditiveAttention", "MultiHeadAttention", "Dot", "Multiply"),
        Support(remedy=_PRODUCT),
    ),
    "Maximum": Support(remedy="use Subtract, ReLU and Add: max(a, b) = b + relu(a - b)"),
    "Minimum": Support(remedy="use Subtract and ReLU: min(a, b) = a - relu(a - b)"),
    **dict.fromkeys(
        ("LayerNormalization", "GroupNormalization", "UnitNormalization"),
        Support(remedy=_MEASURED),
    ),
    **dict.fromkeys(("PReLU", "ELU"), Support(remedy=_SMOOTH)),
    "ThresholdedReLU": Support(remedy="use a ReLU, and move the threshold into the bias before"),
    "Embedding": Support(remedy="look the vectors up first and give them as the input"),
    "LocallyConnected2D": Support(remedy="use Conv2D, or Flatten and Dense"),
    "LocallyConnected1D": Support(remedy="use Conv1D, or Flatten and Dense"),
    "EinsumDense": Support(remedy="use Permute, Reshape and Dense"),
    "RepeatVector": Support(remedy="use Reshape((1, n)) and UpSampling1D"),
    **dict.fromkeys(
        (
            *("Conv3D", "Conv3DTranspose", "AveragePooling3D", "MaxPooling3D"),
            *("GlobalAveragePooling3D", "GlobalMaxPooling3D", "UpSampling3D", "ZeroPadding3D"),
            "Cropping3D",
        ),
        Support(remedy=_SPACE),
    ),
    **dict.fromkeys(
        ("Resizing", "CenterCrop", "RandomCrop"),
        Support(remedy=_PREPROCESS),
    ),
    "Lambda": Support(
        remedy="write it with standard layers: code inside a model file is never run"
    ),
}


def support_of(layer):
    """The table's row for a layer (an empty row for unknown types)."""
    return TABLE.get(layer.kind, FALLBACK)


def activation_name(layer):
    """Keras name of a layer's activation function; None without one, and where it is a layer."""
    word = layer.config.get("activation")
    return None if isinstance(word, dict) else word


def activation_layer(layer):
    """The layer that is another one's activation, under its name; None where it is none."""
    part = activation_part(layer.config.get("activation"))
    if part is None:
        return None
    return dataclasses.replace(layer, kind=part.kind, config=part.config, weights=())


def is_linear_activation(layer):
    """Whether it is an Activation layer that does nothing."""
    return layer.kind == "Activation" and layer.config["activation"] == "linear"


def end_activation(layer):
    """The activation that a layer ends a model in, of `ENDS`; None for others.

    Parameters
    ----------
    layer : nengo_tactile.ann.layers.Layer
        A softmax has to go over its last axis.
    """
    softmax = activation_layer(layer) or layer
    if softmax.kind == "Softmax":
        return "softmax" if _value(softmax, "axis") == "last" else None
    name = activation_name(softmax)
    return name if name in ENDS else None


def problem(layer, at_end=False):
    """Why a layer cannot be converted.

    Parameters
    ----------
    layer : nengo_tactile.ann.layers.Layer
        Shapes and weights may be missing.
    at_end : bool
        Whether nothing but reshaping follows, so that its activation can be the read-out.

    Returns
    -------
    str or None
        Reason and remedy, or None when it can.
    """
    row = support_of(layer)
    if not row.becomes:
        return _refusal(row)
    text = _beyond(row.limits, layer)
    if text is None and layer.kind == "Softmax" and not at_end:
        text = f"a softmax {INSTEAD['softmax']}"
    return text or _activation_problem(layer, at_end)


def remedy_of(kind):
    """Why a layer type cannot be converted, and what to use instead, in the words of `problem`.

    Parameters
    ----------
    kind : str
        As Keras calls it.

    Returns
    -------
    str or None
        None for types that can be converted, that the table lacks, or whose code is in the model
        (Lambda).
    """
    row = TABLE.get(kind)
    return None if row is None or row.becomes or kind == "Lambda" else _refusal(row)


def _refusal(row):
    return f"no engine runs it; {row.remedy}"


def neuron_problem(layer, neuron):
    """Why a layer cannot be converted to a kind of neurons, beyond `problem`.

    Parameters
    ----------
    layer : nengo_tactile.ann.layers.Layer
    neuron : {"lif", "sigma-delta"}

    Returns
    -------
    str or None
    """
    row, kind = support_of(layer), _PLAIN_NEURONS[neuron]
    if neuron not in row.neurons:
        return (
            f"{kind} neurons have no such response; use neuron={NEURONS[row.neurons[0]]}, or a "
            "plain ReLU"
        )
    if activation_name(layer) in ("relu6", "leaky_relu"):
        text = f"activation is {activation_name(layer)!r}, {kind} neurons have 'relu' alone"
        return f"{text}; use neuron=nt.IF()"
    inner = activation_layer(layer)
    if inner is None:
        return _beyond(row.plain, layer)
    return _of_activation(inner, neuron_problem(inner, neuron))


def spikes(layer):
    """Whether neurons, or units that send spikes, come of a layer or of its fused activation."""
    word, inner = activation_name(layer), activation_layer(layer)
    if inner is not None:
        return support_of(inner).spikes
    return support_of(layer).spikes if word is None else "neurons" in ACTIVATIONS.get(word, "")


def becomes(layer):
    """What becomes of a layer, with its fused activation, in words."""
    row, word, inner = support_of(layer), activation_name(layer), activation_layer(layer)
    if word is None and inner is None:
        return row.becomes
    words = {**ACTIVATIONS, **ENDS}.get(word, "") if inner is None else support_of(inner).becomes
    if layer.kind == "Activation":
        return words
    return f"{row.becomes} into {words}" if spikes(layer) else row.becomes


def _beyond(limits, layer):
    """What about a layer is beyond the limits of its row."""
    for name, (allowed, remedy) in limits.items():
        if name not in layer.config:
            continue
        value = _value(layer, name)
        if value not in allowed:
            only = " or ".join(repr(one) for one in allowed)
            return f"{name} is {value!r}, only {only} can be converted; {remedy}"
    return None


def _value(layer, name):
    """A layer's setting; an axis that is the last one as "last"."""
    value = layer.config[name]
    value = tuple(value) if isinstance(value, (list, tuple)) else value
    if name == "axis":
        axes = value if isinstance(value, tuple) else (value,)
        # only what has a shape knows which one is the last
        if axes == (-1,) or not layer.shape or axes == (len(layer.shape),):
            return "last"
    return value


def _activation_problem(layer, at_end):
    name, inner = activation_name(layer), activation_layer(layer)
    if inner is not None:
        return _of_activation(inner, problem(inner, at_end))
    return None if name is None or has_activation(name, at_end) else unknown_activation(name)


def _of_activation(inner, text):
    return None if text is None else f"its activation is a layer ({inner.kind}): {text}"


def has_activation(name, at_end):
    """Whether an activation function can be converted, at the model's end or before it."""
    return name in ACTIVATIONS or (at_end and name in ENDS)


def unknown_activation(name):
    """Why an activation function cannot be converted, and what to use instead."""
    return f"activation {name!r} {INSTEAD.get(name, _NO_NEURON)}"
