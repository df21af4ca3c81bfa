"""Dropping what does nothing at inference: every activation a layer of its own."""

from nengo_tactile import stack
from nengo_tactile.conversion import support
from nengo_tactile.conversion.graph import consumers, functional, rebuild
from nengo_tactile.errors import ConversionError

_INACTIVE = ("Dropout", "SpatialDropout2D", "GaussianNoise")


def simplify(model):
    """Drop what does nothing at inference and give every activation a layer of its own.

    Dropout and noise go; a softmax at the end goes (the largest logit wins all the same);
    ``Conv2D(activation="relu")`` becomes a linear Conv2D and an Activation.

    Returns
    -------
    tf.keras.Model
        Same function, but for a softmax at the end.
    """
    tf = stack.tensorflow()
    model = functional(model)
    readers = consumers(model)

    def refuse_softmax(layer):
        if readers[layer.name]:
            raise ConversionError(
                f"layer '{layer.name}' ({type(layer).__name__}): a softmax before the end cannot "
                "be converted; use 'relu'"
            )

    def replace(layer, inputs):
        kind = type(layer).__name__
        activation = support.activation_name(layer)
        if kind in _INACTIVE:
            return inputs[0]
        if kind == "Softmax" or (kind == "Activation" and activation == "softmax"):
            refuse_softmax(layer)
            return inputs[0]
        if kind == "Activation" and activation == "linear":
            return inputs[0]
        if kind == "ReLU":
            return tf.keras.layers.Activation("relu", name=layer.name)(inputs[0])
        if kind in ("Conv2D", "Dense") and activation != "linear":
            if activation == "softmax":
                refuse_softmax(layer)
            config = {**layer.get_config(), "activation": "linear"}
            linear = layer.__class__.from_config(config)
            output = linear(inputs[0])
            linear.set_weights(layer.get_weights())
            if activation == "softmax":
                return output
            name = f"{layer.name}_{activation}"
            return tf.keras.layers.Activation(activation, name=name)(output)
        return None

    return rebuild(model, replace)
