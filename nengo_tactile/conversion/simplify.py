"""Drop what does nothing at inference, give every activation a layer of its own."""

from nengo_tactile.ann.layers import layer as new_layer
from nengo_tactile.conversion import support
from nengo_tactile.conversion.activations import rectifier
from nengo_tactile.conversion.ends import read_out_of
from nengo_tactile.conversion.pooling import rectify_before_max_pooling
from nengo_tactile.errors import ConversionError

_SEPARABLE = ("SeparableConv1D", "SeparableConv2D")
#: Layer types with weights and a fused activation.
WEIGHTED = (
    "Conv1D",
    "Conv2D",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    *_SEPARABLE,
    "Conv1DTranspose",
    "Conv2DTranspose",
)


def simplify(layers):
    """Bring a model to the few kinds of layers that the other passes know.

    - Dropout, noise and linear Activations go, and the activation that the model ends in: see
      `nengo_tactile.conversion.ends.read_out_of`.
    - Fused activations become layers: ``Conv2D(activation="relu", name="one")`` is a linear
      "one" and an Activation "one_relu".
    - Rectifiers become Activation("relu"), ReLU(max_value) or LeakyReLU(alpha).
    - A separable convolution "one" becomes a depthwise one, "one_depthwise", and a pointwise
      one, "one"; causal padding becomes a ZeroPadding1D, "one_padding".
    - Max pooling changes places with a rectifier behind it, so that it reads spikes.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers

    Returns
    -------
    Layers
        Same function, but for a softmax, sigmoid, tanh or softplus at the end.

    Raises
    ------
    ConversionError
        For a softmax before the end and rectifiers that no neuron computes.
    """
    _, end = read_out_of(layers)
    names = layers.names()

    def replace(layer, inputs):
        kind, activation = layer.kind, support.activation_name(layer)
        if kind in support.INACTIVE or support.is_linear_activation(layer):
            return inputs[0]
        if kind == "Softmax" or (kind == "Activation" and activation in support.ENDS):
            _refuse_before_end(layer, end)
            return inputs[0]
        if kind in ("Activation", "ReLU", "LeakyReLU"):
            found = rectifier(layer)
            return None if found is None else found.layer(layer.name, inputs)
        if kind not in WEIGHTED:
            return None
        linear = _linear_part(layer, inputs, names)
        if activation == "linear" or layer.name == end:
            return linear
        found = rectifier(layer)
        if found is not None:
            return [*linear, found.layer(names(f"{layer.name}_{found.word}"), linear[-1:])]
        _refuse_before_end(layer, end)
        name = names(f"{layer.name}_{activation or support.activation_layer(layer).kind.lower()}")
        function = layer.config["activation"]
        return [*linear, new_layer("Activation", name, linear[-1:], activation=function)]

    return rectify_before_max_pooling(layers.rebuilt(replace))


def _refuse_before_end(layer, end):
    """Refuse a softmax anywhere but at the end."""
    inner = support.activation_layer(layer)
    softmax = "Softmax" in (layer.kind, inner and inner.kind)
    if (softmax or support.activation_name(layer) == "softmax") and layer.name != end:
        raise ConversionError(
            f"{layer.label}: a softmax {support.INSTEAD['softmax']}, and over the last axis"
        )


def _linear_part(layer, inputs, names):
    """The layers that do what one with weights does before its activation."""
    config, made = {**layer.config, "activation": "linear"}, []
    if config.get("padding") == "causal":
        before = (config["kernel_size"][0] - 1) * config["dilation_rate"][0]
        name = names(f"{layer.name}_padding")
        made.append(new_layer("ZeroPadding1D", name, inputs, padding=(before, 0)))
        inputs, config["padding"] = made, "valid"
    if layer.kind not in _SEPARABLE:
        return [*made, layer.changed(inputs, **config)]
    axes = layer.kind.removeprefix("SeparableConv")
    depthwise, *pointwise = layer.weights
    name = names(f"{layer.name}_depthwise")
    first = new_layer(
        *(f"DepthwiseConv{axes}", name, inputs, [depthwise]), **{**config, "use_bias": False}
    )
    side = {"kernel_size": 1, "strides": 1, "padding": "valid", "dilation_rate": 1}
    second = new_layer(f"Conv{axes}", layer.name, [first], pointwise, **{**config, **side})
    return [*made, first, second]
