"""For every layer of the table of support, small networks that have it between spiking layers.

All cases of a group stand side by side in one model: they read the same spikes and each has
outputs of its own, so that a group costs one build of a simulator.
"""

import dataclasses

import numpy as np

from tests.support import random_models
from tests.support.random_models import keras

SHAPE = (6, 5, 2)
N_OUTPUTS = 2


@dataclasses.dataclass(frozen=True)
class Case:
    """A piece of a network.

    Attributes
    ----------
    names : str
        Layer types that it tests, with spaces in between.
    make : callable
        ``make(layers, x)`` calls the layers of ``layers`` (tf.keras.layers) on a map of spikes of
        shape (6, 5, 4), or (10, 12) where `sequence` is set.
    sequence : bool
    relu : bool
        Whether a ReLU follows.
    chip : bool
        Whether the loihi engine takes it.
    """

    names: str
    make: object
    sequence: bool = False
    relu: bool = True
    chip: bool = True

    @property
    def kinds(self):
        """Layer types that it tests."""
        return self.names.split()


def _residual(layers, x):
    inner = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    return layers.Add()([layers.Conv2D(4, 3, padding="same")(inner), x])


def _normalization(layers, x):
    return layers.Normalization(mean=[0.1, 0.3, 0.2, 0.4], variance=[1.0, 0.5, 2.0, 1.5])(x)


#: {group: {case: Case}}.
GROUPS = {
    "convolutions of images": {
        "conv": Case("Conv2D", lambda la, x: la.Conv2D(3, 3)(x)),
        "conv_same": Case("Conv2D", lambda la, x: la.Conv2D(3, (2, 3), 2, "same")(x)),
        "conv_dilated": Case(
            "Conv2D", lambda la, x: la.Conv2D(3, 2, dilation_rate=(2, 3), padding="same")(x)
        ),
        "conv_dilated_valid": Case("Conv2D", lambda la, x: la.Conv2D(3, 2, dilation_rate=2)(x)),
        "conv_groups": Case("Conv2D", lambda la, x: la.Conv2D(6, 2, groups=2)(x)),
        "conv_fused": Case(
            "Conv2D", lambda la, x: la.Conv2D(3, 2, activation="relu6")(x), relu=False
        ),
        "depthwise": Case("DepthwiseConv2D", lambda la, x: la.DepthwiseConv2D(3)(x)),
        "depthwise_wide": Case(
            "DepthwiseConv2D",
            lambda la, x: la.DepthwiseConv2D(2, 2, "same", depth_multiplier=2)(x),
        ),
        "depthwise_dilated": Case(
            "DepthwiseConv2D", lambda la, x: la.DepthwiseConv2D(2, dilation_rate=2)(x)
        ),
        "separable": Case("SeparableConv2D", lambda la, x: la.SeparableConv2D(3, 2)(x), chip=False),
        "separable_same": Case(
            "SeparableConv2D",
            lambda la, x: la.SeparableConv2D(3, 3, 2, "same", depth_multiplier=2)(x),
            chip=False,
        ),
        "transposed": Case("Conv2DTranspose", lambda la, x: la.Conv2DTranspose(2, 3)(x)),
        "transposed_same": Case(
            "Conv2DTranspose", lambda la, x: la.Conv2DTranspose(2, 3, 2, "same")(x), chip=False
        ),
        "transposed_wide": Case(
            "Conv2DTranspose", lambda la, x: la.Conv2DTranspose(2, 2, (3, 2))(x)
        ),
        "dense_on_maps": Case("Dense", lambda la, x: la.Dense(3)(x)),
        "dense": Case("Flatten Dense", lambda la, x: la.Dense(4)(la.Flatten()(x))),
    },
    "sequences": {
        "conv1": Case("Conv1D", lambda la, x: la.Conv1D(3, 3)(x), True),
        "conv1_same": Case("Conv1D", lambda la, x: la.Conv1D(3, 4, 2, "same")(x), True),
        "conv1_causal": Case(
            "Conv1D",
            lambda la, x: la.Conv1D(3, 2, padding="causal", dilation_rate=2)(x),
            True,
            chip=False,
        ),
        "conv1_groups": Case(
            "Conv1D", lambda la, x: la.Conv1D(4, 2, dilation_rate=3, groups=2)(x), True
        ),
        "depthwise1": Case(
            "DepthwiseConv1D", lambda la, x: la.DepthwiseConv1D(3, 2, "same")(x), True
        ),
        "separable1": Case(
            "SeparableConv1D", lambda la, x: la.SeparableConv1D(3, 3)(x), True, chip=False
        ),
        "transposed1": Case(
            "Conv1DTranspose",
            lambda la, x: la.Conv1DTranspose(2, 3, 2, "same")(x),
            True,
            chip=False,
        ),
        "transposed1_valid": Case(
            "Conv1DTranspose", lambda la, x: la.Conv1DTranspose(2, 3, 2)(x), True
        ),
        "average1": Case(
            "AveragePooling1D", lambda la, x: la.AveragePooling1D(3, 2)(x), True, chip=False
        ),
        "average1_same": Case(
            "AveragePooling1D", lambda la, x: la.AveragePooling1D(4, 3, "same")(x), True, chip=False
        ),
        "global_average1": Case(
            "GlobalAveragePooling1D", lambda la, x: la.GlobalAveragePooling1D()(x), True, chip=False
        ),
        "max1": Case(
            "MaxPooling1D", lambda la, x: la.MaxPooling1D(3, 2, "same")(x), True, False, chip=False
        ),
        "global_max1": Case(
            "GlobalMaxPooling1D", lambda la, x: la.GlobalMaxPooling1D()(x), True, False, chip=False
        ),
        "padding1": Case(
            "ZeroPadding1D", lambda la, x: la.ZeroPadding1D((1, 2))(x), True, chip=False
        ),
        "cropping1": Case("Cropping1D", lambda la, x: la.Cropping1D((1, 2))(x), True, chip=False),
        "upsampling1": Case("UpSampling1D", lambda la, x: la.UpSampling1D(2)(x), True, chip=False),
        "batch_norm1": Case(
            "BatchNormalization", lambda la, x: la.BatchNormalization()(la.Conv1D(3, 2)(x)), True
        ),
        "spatial_dropout1": Case(
            "SpatialDropout1D", lambda la, x: la.Conv1D(3, 2)(la.SpatialDropout1D(0.3)(x)), True
        ),
    },
    "pooling and places": {
        "average": Case("AveragePooling2D", lambda la, x: la.AveragePooling2D(2)(x), chip=False),
        "average_same": Case(
            "AveragePooling2D", lambda la, x: la.AveragePooling2D((3, 2), 2, "same")(x), chip=False
        ),
        "average_conv": Case(
            "AveragePooling2D", lambda la, x: la.Conv2D(3, 2)(la.AveragePooling2D(2)(x))
        ),
        "average_conv_same": Case(
            "AveragePooling2D",
            lambda la, x: la.Conv2D(3, 2, padding="same")(la.AveragePooling2D(2)(x)),
            chip=False,
        ),
        "global_average": Case(
            "GlobalAveragePooling2D", lambda la, x: la.GlobalAveragePooling2D()(x), chip=False
        ),
        "global_average_dense": Case(
            "GlobalAveragePooling2D Dense",
            lambda la, x: la.Dense(6)(la.GlobalAveragePooling2D()(x)),
        ),
        "global_average_kept": Case(
            "GlobalAveragePooling2D",
            lambda la, x: la.Conv2D(6, 1)(la.GlobalAveragePooling2D(keepdims=True)(x)),
        ),
        "max": Case("MaxPooling2D", lambda la, x: la.MaxPooling2D(2)(x), relu=False, chip=False),
        "max_same": Case(
            "MaxPooling2D",
            lambda la, x: la.MaxPooling2D((3, 2), 2, "same")(x),
            relu=False,
            chip=False,
        ),
        "max_before_relu": Case(
            "MaxPooling2D", lambda la, x: la.MaxPooling2D(2)(la.Conv2D(3, 2)(x)), chip=False
        ),
        "global_max": Case(
            "GlobalMaxPooling2D", lambda la, x: la.GlobalMaxPooling2D()(x), relu=False, chip=False
        ),
        "padding": Case(
            "ZeroPadding2D", lambda la, x: la.ZeroPadding2D(((1, 0), (2, 1)))(x), chip=False
        ),
        "padding_conv": Case(
            "ZeroPadding2D", lambda la, x: la.Conv2D(3, 3, 2)(la.ZeroPadding2D(1)(x)), chip=False
        ),
        "cropping": Case(
            "Cropping2D", lambda la, x: la.Cropping2D(((1, 2), (0, 1)))(x), chip=False
        ),
        "upsampling": Case("UpSampling2D", lambda la, x: la.UpSampling2D((2, 3))(x), chip=False),
        "bilinear": Case(
            "UpSampling2D",
            lambda la, x: la.UpSampling2D(2, interpolation="bilinear")(x),
            chip=False,
        ),
        "bicubic": Case(
            "UpSampling2D", lambda la, x: la.UpSampling2D(2, interpolation="bicubic")(x), chip=False
        ),
        "permute": Case("Permute", lambda la, x: la.Permute((3, 1, 2))(x), chip=False),
        "permute_conv": Case(
            "Permute", lambda la, x: la.Conv2D(2, 2)(la.Permute((2, 1, 3))(x)), chip=False
        ),
        "reshape": Case("Reshape", lambda la, x: la.Conv2D(2, 2)(la.Reshape((5, 6, 4))(x))),
    },
    "graphs and scales": {
        "add": Case("Add", _residual),
        "subtract": Case(
            "Subtract", lambda la, x: la.Subtract()([la.Conv2D(4, 1)(x), la.DepthwiseConv2D(1)(x)])
        ),
        "average_of_two": Case(
            "Average", lambda la, x: la.Average()([la.Conv2D(4, 1)(x), la.Conv2D(4, 1)(x), x])
        ),
        "concatenate": Case(
            "Concatenate",
            lambda la, x: la.Concatenate()([la.Conv2D(2, 3, padding="same")(x), x]),
            chip=False,
        ),
        "concatenate_rows": Case(
            "Concatenate",
            lambda la, x: la.Concatenate(axis=1)([la.Conv2D(4, 3)(x), la.Conv2D(4, (1, 3))(x)]),
            chip=False,
        ),
        "batch_norm": Case(
            "BatchNormalization", lambda la, x: la.BatchNormalization()(la.Conv2D(3, 2)(x))
        ),
        "batch_norm_before": Case(
            "BatchNormalization",
            lambda la, x: la.Conv2D(3, 2, padding="same")(la.BatchNormalization()(x)),
            chip=False,
        ),
        "batch_norm_alone": Case("BatchNormalization", lambda la, x: la.BatchNormalization()(x)),
        "rescaling": Case("Rescaling", lambda la, x: la.Rescaling(0.7, offset=0.1)(x)),
        "rescaling_conv": Case(
            "Rescaling",
            lambda la, x: la.Conv2D(3, 3, padding="same")(la.Rescaling(0.7, offset=0.2)(x)),
            chip=False,
        ),
        "normalization": Case("Normalization", _normalization),
        "dropouts": Case(
            "Dropout SpatialDropout2D GaussianNoise GaussianDropout AlphaDropout "
            "ActivityRegularization Identity",
            lambda la, x: la.Conv2D(3, 2)(
                la.Identity()(
                    la.ActivityRegularization(0.1)(
                        la.AlphaDropout(0.1)(
                            la.GaussianDropout(0.1)(
                                la.GaussianNoise(0.1)(la.SpatialDropout2D(0.1)(la.Dropout(0.1)(x)))
                            )
                        )
                    )
                )
            ),
        ),
        "relu": Case("ReLU", lambda la, x: la.ReLU()(la.Conv2D(3, 2)(x)), relu=False),
        "relu_clipped": Case("ReLU", lambda la, x: la.ReLU(0.9)(la.Conv2D(3, 2)(x)), relu=False),
        "relu_leaky": Case(
            "ReLU",
            lambda la, x: la.ReLU(negative_slope=0.2)(la.Conv2D(3, 2)(x)),
            relu=False,
            chip=False,
        ),
        "leaky_relu": Case(
            "LeakyReLU", lambda la, x: la.LeakyReLU(0.3)(la.Conv2D(3, 2)(x)), relu=False, chip=False
        ),
        "activation": Case(
            "Activation", lambda la, x: la.Activation("relu")(la.Conv2D(3, 2)(x)), relu=False
        ),
        "activation_relu6": Case(
            "Activation", lambda la, x: la.Activation("relu6")(la.Conv2D(3, 2)(x)), relu=False
        ),
        "activation_linear": Case(
            "Activation", lambda la, x: la.Activation("linear")(la.Conv2D(3, 2)(x))
        ),
    },
}


def samples(n=4, seed=1):
    """Images for the models below."""
    return np.random.default_rng(seed).random((n, *SHAPE), dtype=np.float32)


def spikes_first(layers, inputs, name="spikes"):
    """A map of spikes of shape (6, 5, 4)."""
    return layers.Conv2D(4, 3, padding="same", activation="relu", name=name)(inputs)


def branch(case, name, x):
    """The case's layers on a map of spikes, and outputs of its own."""
    layers = keras().layers
    if case.sequence:
        x = layers.Reshape((10, 12))(x)
    x = case.make(layers, x)
    if case.relu:
        x = layers.ReLU()(x)
    return layers.Dense(N_OUTPUTS, name=f"{name}_out")(layers.Flatten()(x))


def model_of(cases, seed=0):
    """One model with all cases side by side.

    Parameters
    ----------
    cases : dict of str to Case

    Returns
    -------
    tf.keras.Model
        Its outputs are those of the cases one after another, `N_OUTPUTS` each.
    """
    layers = keras().layers
    inputs = keras().Input(SHAPE)
    x = spikes_first(layers, inputs)
    outputs = [branch(case, name, x) for name, case in cases.items()]
    output = outputs[0] if len(outputs) == 1 else layers.Concatenate(name="all")(outputs)
    return random_models.randomised(keras().Model(inputs, output), seed)
