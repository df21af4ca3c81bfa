"""Networks at least six layers deep, one for each kind of layer, with seeded random weights.

Each repeats a block `DEPTH` times and ends in a dense read-out. Inputs have both signs, and weights
keep the size of activations from layer to layer (He et al. 2015), so that no depth is silent.
"""

import dataclasses
import math

import numpy as np

from nengo_tactile import stack

DEPTH, N_OUTPUTS = 6, 5


@dataclasses.dataclass(frozen=True)
class Kind:
    """What a network is made of.

    Attributes
    ----------
    shape : tuple of int
        Of a sample.
    block : callable
        ``block(layers, x)`` calls layers of ``layers`` (tf.keras.layers) on ``x``.
    first : callable, optional
        Likewise, once before the first block.
    """

    shape: tuple
    block: object
    first: object = None


def _relu(la, x):
    return la.ReLU()(x)


def _conv(la, x, filters=8, **options):
    return la.Conv2D(filters, 3, padding="same", **options)(x)


def _spikes(la, x):
    return _relu(la, _conv(la, x))


def _activations(make):
    """Dense layers with an activation layer behind each."""
    return Kind((16,), lambda la, x: make(la)(la.Dense(48)(x)))


def _transposed(la, x):
    """Twice as large, and cut down to where it was."""
    x = _relu(la, la.Conv2DTranspose(8, 3, 2, "same")(x))
    return la.Cropping2D(((2, 4), (4, 2)))(x)


def _depthwise(la, x):
    """MobileNet's: mixing of channels behind each, or most of them would fall silent."""
    x = _relu(la, la.DepthwiseConv2D(3, padding="same")(x))
    return _relu(la, la.Conv2D(8, 1)(x))


def _residual(la, x):
    y = _conv(la, _relu(la, _conv(la, x)))
    return _relu(la, la.Add()([x, y]))


_IMAGE = (6, 6, 3)

#: {what is told apart: Kind}.
KINDS = {
    "Dense, ReLU": _activations(lambda la: la.ReLU()),
    "Conv1D": Kind((24, 3), lambda la, x: _relu(la, la.Conv1D(10, 3, padding="same")(x))),
    "Conv2D": Kind(_IMAGE, _spikes),
    "Conv2D, grouped": Kind(_IMAGE, lambda la, x: _relu(la, _conv(la, x, groups=2)), _spikes),
    "Conv2D, dilated": Kind(_IMAGE, lambda la, x: _relu(la, _conv(la, x, dilation_rate=2))),
    "DepthwiseConv2D": Kind(_IMAGE, _depthwise, _spikes),
    "SeparableConv2D": Kind(
        _IMAGE, lambda la, x: _relu(la, la.SeparableConv2D(8, 3, padding="same")(x))
    ),
    "Conv2DTranspose": Kind(_IMAGE, _transposed, _spikes),
    "MaxPooling1D": Kind(
        (64, 3),
        lambda la, x: la.MaxPooling1D(2)(_relu(la, la.Conv1D(10, 3, padding="same")(x))),
    ),
    "MaxPooling2D": Kind(_IMAGE, lambda la, x: la.MaxPooling2D(2, 1, "same")(_spikes(la, x))),
    "AveragePooling1D": Kind(
        (64, 3),
        lambda la, x: la.AveragePooling1D(2)(_relu(la, la.Conv1D(10, 3, padding="same")(x))),
    ),
    "AveragePooling2D": Kind(
        _IMAGE, lambda la, x: la.AveragePooling2D(2, 1, "same")(_spikes(la, x))
    ),
    "Add": Kind(_IMAGE, _residual, _spikes),
    "Concatenate": Kind(
        _IMAGE,
        lambda la, x: la.Concatenate()([x, _relu(la, _conv(la, x, 4))]),
        _spikes,
    ),
    "ReLU6": _activations(lambda la: la.ReLU(6.0)),
    "LeakyReLU(0.01)": _activations(lambda la: la.LeakyReLU(0.01)),
    "LeakyReLU(0.1)": _activations(lambda la: la.LeakyReLU(0.1)),
    "LeakyReLU(0.3)": _activations(lambda la: la.LeakyReLU(0.3)),
    "LeakyReLU(0.1), MaxPooling2D": Kind(
        _IMAGE,
        lambda la, x: la.MaxPooling2D(2, 1, "same")(la.LeakyReLU(0.1)(_conv(la, x))),
    ),
    "LeakyReLU(0.3), Add": Kind(
        _IMAGE,
        lambda la, x: la.LeakyReLU(0.3)(la.Add()([x, _conv(la, la.LeakyReLU(0.3)(_conv(la, x)))])),
        lambda la, x: la.LeakyReLU(0.3)(_conv(la, x)),
    ),
}


def model_of(name, seed=0):
    """The network of a kind, a tf.keras.Model."""
    keras, kind = stack.tensorflow().keras, KINDS[name]
    la = keras.layers
    x = inputs = keras.Input(kind.shape)
    if kind.first:
        x = kind.first(la, x)
    for _ in range(DEPTH):
        x = kind.block(la, x)
    model = keras.Model(inputs, la.Dense(N_OUTPUTS)(la.Flatten()(x)))
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        layer.set_weights([_random(rng, layer, weight) for weight in layer.weights])
    return model


def samples(name, n, seed=1):
    """Inputs of a kind's network, wide enough that a ReLU6 meets its ceiling."""
    shape = (n, *KINDS[name].shape)
    return np.random.default_rng(seed).normal(0, 3, shape).astype(np.float32)


def _random(rng, layer, weight):
    """Biases of a tenth, kernels of ``sqrt(2 / fan_in)``."""
    shape = tuple(weight.shape)
    if len(shape) == 1:
        return rng.normal(0, 0.1, shape)
    kind = type(layer).__name__
    fan_in = math.prod(shape[:-1])
    if "depthwise" in weight.name:
        fan_in = math.prod(shape[:-2])
    if "Transpose" in kind:
        fan_in = math.prod((*shape[:-2], shape[-1])) / math.prod(layer.strides)
    return rng.normal(0, math.sqrt(2 / fan_in), shape)
