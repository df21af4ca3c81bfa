"""Drop what does nothing at inference, give every activation a layer of its own."""

from nengo_tactile import stack
from nengo_tactile.conversion import support
from nengo_tactile.conversion.activations import rectifier
from nengo_tactile.conversion.ends import read_out_of
from nengo_tactile.conversion.graph import copy_layer, free_names, functional, rebuild
from nengo_tactile.conversion.pooling import pools_maxima, rectify_before_max_pooling
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


def simplify(model):
    """Bring a model to the few kinds of layers that the other passes know.

    - Dropout, noise and linear Activations go, and the activation that the model ends in: see
      `nengo_tactile.conversion.ends.read_out_of`.
    - Fused activations become layers: ``Conv2D(activation="relu", name="one")`` is a linear
      "one" and an Activation "one_relu".
    - Rectifiers become Activation("relu"), ReLU(max_value) or LeakyReLU(alpha).
    - A separable convolution "one" becomes a depthwise one, "one_depthwise", and a pointwise
      one, "one"; causal padding becomes a ZeroPadding1D, "one_padding".
    - Max pooling changes places with a rectifier behind it, so that it reads spikes.

    Returns
    -------
    tf.keras.Model
        Same function, but for a softmax, sigmoid, tanh or softplus at the end.

    Raises
    ------
    ConversionError
        For a softmax before the end and rectifiers that no neuron computes.
    """
    tf = stack.tensorflow()
    model = functional(model)
    _, end = read_out_of(model)
    names = free_names(model)

    def replace(layer, inputs):
        kind = type(layer).__name__
        activation = support.activation_name(layer)
        if kind in support.INACTIVE:
            return inputs[0]
        if kind == "Softmax" or (kind == "Activation" and activation in support.ENDS):
            _refuse_before_end(layer, end)
            return inputs[0]
        if kind == "Activation" and activation == "linear":
            return inputs[0]
        if kind in ("Activation", "ReLU", "LeakyReLU"):
            found = rectifier(layer)
            return None if found is None else found.layer(layer.name)(inputs[0])
        if kind in WEIGHTED:
            output = _linear_part(tf, layer, inputs[0], names)
            if activation == "linear" or layer.name == end:
                return output
            found = rectifier(layer)
            if found is not None:
                return found.layer(names(f"{layer.name}_{found.word}"))(output)
            _refuse_before_end(layer, end)
            name = names(f"{layer.name}_{activation.split('.')[-1]}")
            return tf.keras.layers.Activation(layer.activation, name=name)(output)
        return None

    model = rebuild(model, replace)
    return rectify_before_max_pooling(model) if pools_maxima(model) else model


def _refuse_before_end(layer, end):
    """Refuse a softmax anywhere but at the end."""
    is_softmax = type(layer).__name__ == "Softmax" or "softmax" in (
        support.activation_name(layer),
        type(getattr(layer, "activation", None)).__name__.lower(),
    )
    if is_softmax and layer.name != end:
        raise ConversionError(
            f"layer '{layer.name}' ({type(layer).__name__}): a softmax "
            f"{support.INSTEAD['softmax']}, and over the last axis"
        )


def _linear_part(tf, layer, x, names):
    """Output of a layer with weights before its activation."""
    kind = type(layer).__name__
    settings = {"activation": "linear"}
    if getattr(layer, "padding", None) == "causal":
        before = (layer.kernel_size[0] - 1) * layer.dilation_rate[0]
        x = tf.keras.layers.ZeroPadding1D((before, 0), name=names(f"{layer.name}_padding"))(x)
        settings["padding"] = "valid"
    if kind not in _SEPARABLE:
        return copy_layer(layer, [x], **settings)
    config, weights = {**layer.get_config(), **settings}, layer.get_weights()
    depthwise, pointwise = {
        "SeparableConv1D": (tf.keras.layers.DepthwiseConv1D, tf.keras.layers.Conv1D),
        "SeparableConv2D": (tf.keras.layers.DepthwiseConv2D, tf.keras.layers.Conv2D),
    }[kind]
    shared = ("kernel_size", "strides", "padding", "dilation_rate", "depth_multiplier")
    first = depthwise(
        **{key: config[key] for key in shared},
        data_format=config["data_format"],
        use_bias=False,
        name=names(f"{layer.name}_depthwise"),
    )
    second = pointwise(
        layer.filters,
        1,
        data_format=config["data_format"],
        use_bias=layer.use_bias,
        name=layer.name,
    )
    return _call(second, _call(first, x, weights[:1]), weights[1:])


def _call(layer, x, weights):
    output = layer(x)
    layer.set_weights(weights)
    return output
