"""The end of a model: the activation behind the last potentials, which does not spike.

It is cut off, and kept as the network's `ReadOut`. Reshape, Flatten and what does nothing at
inference may stand behind it.
"""

from nengo_tactile.conversion import support
from nengo_tactile.networks.read_out import ReadOut


def read_out_of(layers):
    """What a model's outputs mean, and the layer whose activation says so.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers

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
    layer = layers[layers.output]
    while layer.sources:
        word = support.end_activation(layer)
        if word is not None:
            return ReadOut(word, layer.shape, layers.output_shape), layer.name
        if layer.kind not in support.PASSING and not support.is_linear_activation(layer):
            break
        layer = layers[layer.sources[0]]
    return ReadOut.linear(layers.output_shape), None
