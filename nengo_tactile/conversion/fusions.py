"""A fault of TensorFlow's graph optimiser that makes ``model.predict`` wrong for some models.

TensorFlow 2.21 fuses Conv2D, bias, Add and LeakyReLU into one oneDNN kernel, which takes 0.2 for
the slope whatever the layer says. Conversion computes models layer by layer, where nothing is
fused; what a user measures with ``model.predict`` is off.
"""

import numpy as np

from nengo_tactile import stack

#: What rounding comes to, in units of the largest output.
TOLERANCE = 1e-3


def fused_difference():
    """How far ``predict`` of a small residual network of LeakyReLUs is from its layers one by one.

    Returns
    -------
    float
        In units of the largest output: up to 1e-6 where TensorFlow is right.
    """
    keras = stack.tensorflow().keras
    layers, rng = keras.layers, np.random.default_rng(0)
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(8, 3, padding="same")(inputs)
    y = layers.Conv2D(8, 3, padding="same")(layers.LeakyReLU(0.3)(x))
    x = layers.LeakyReLU(0.3)(layers.Add()([x, y]))
    model = keras.Model(inputs, layers.Dense(5)(layers.Flatten()(x)))
    model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
    samples = rng.normal(size=(16, 6, 6, 3)).astype(np.float32)
    wanted = model(samples, training=False).numpy()
    return float(np.abs(model.predict(samples, verbose=0) - wanted).max() / np.abs(wanted).max())
