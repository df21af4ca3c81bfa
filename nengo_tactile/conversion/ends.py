"""The end of a model: the activation behind the last potentials, which does not spike.

It is cut off, and kept as the network's `ReadOut`. Reshape, Flatten and what does nothing at
inference may stand behind it.
"""

from nengo_tactile.conversion import support
from nengo_tactile.conversion.graph import functional, walk
from nengo_tactile.networks.read_out import ReadOut


def read_out_of(model):
    """What a model's outputs mean, and the layer whose activation says so.

    Parameters
    ----------
    model : tf.keras.Model

    Returns
    -------
    read_out : ReadOut
    name : str or None
        The layer; None where the model ends in potentials.

    Raises
    ------
    ConversionError
        For a softmax over one value, which is always 1.
    """
    model = functional(model)
    producers = {id(output): (layer, inputs) for layer, inputs, output in walk(model)}
    tensor, shape = model.outputs[0], tuple(model.output_shape[1:])
    while id(tensor) in producers:
        layer, inputs = producers[id(tensor)]
        word = support.end_activation(layer, len(tensor.shape))
        if word is not None:
            return ReadOut(word, tuple(tensor.shape[1:]), shape), layer.name
        linear = type(layer).__name__ == "Activation" and support.activation_name(layer) == "linear"
        if type(layer).__name__ not in support.PASSING and not linear:
            break
        tensor = inputs[0]
    return ReadOut.linear(shape), None
