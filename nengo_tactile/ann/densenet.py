"""Densely connected networks, for small images.

Huang et al. 2017, "Densely Connected Convolutional Networks" (arXiv:1608.06993), section 3 and
table 1: DenseNet-BC, with bottlenecks and compression, as they are used for images of 32 x 32.
"""

from collections.abc import Sequence

from nengo_tactile import stack
from nengo_tactile.errors import NotationError

#: Name of the network on the command line and in weights files.
NAME = "densenet"
#: Layers of each block, channels that a layer adds, and strides of the first convolution. The
#: paper's smallest of this kind has (16, 16, 16), 12 and 1, 100 convolutions and dense layers in
#: all; this one has 28, and the strides make an epoch a quarter as long.
LAYERS, GROWTH, STRIDES = (4, 4, 4), 16, 2
#: Channels between a layer's two convolutions, in those that it adds (section 3, "Bottleneck").
BOTTLENECK = 4


def densenet(
    input_shape: Sequence[int] = (32, 32, 3),
    n_classes: int = 10,
    seed: int = 0,
    rescale: tuple | None = None,
    layers: Sequence[int] = LAYERS,
    growth: int = GROWTH,
    strides: int = STRIDES,
):
    """Build a network of blocks in which each layer sees the outputs of all before it.

    A layer is batch normalisation, ReLU, a 1 x 1 convolution to four times as many channels as it
    adds, and the same with a 3 x 3 one, beside whose outputs its input is laid. Between blocks a
    1 x 1 convolution halves the channels, and an average pooling the maps.

    Parameters
    ----------
    input_shape : tuple of int
        (height, width, channels); behind the first convolution height and width divide by two
        as often as there are blocks but one.
    n_classes : int
    seed : int
        Seed of the initial weights, He's (He et al. 2015), as in the paper.
    rescale : (scale, offset), optional
        See `nengo_tactile.ann.residual.resnet`.
    layers : sequence of int
        Layers of each block.
    growth : int
        Channels that a layer adds.
    strides : int
        Of the first convolution.

    Returns
    -------
    tf.keras.Model
        From images to logits.

    Raises
    ------
    NotationError
        For blocks without layers, layers without channels, no strides, and images that cannot be
        halved so often.
    """
    if not layers or not all(int(n) == n and n > 0 for n in (*layers, growth, strides)):
        raise NotationError(
            f"{NAME}: blocks have {tuple(layers)} layers that add {growth} channels each, behind "
            f"strides of {strides}: give whole numbers above zero, such as {LAYERS}, {GROWTH} and "
            f"{STRIDES}"
        )
    part = strides * 2 ** (len(layers) - 1)
    if any(n % part for n in input_shape[:2]):
        raise NotationError(
            f"{NAME}: images are {input_shape[0]} x {input_shape[1]}; strides of {strides} and "
            f"{len(layers)} blocks make them {part} times smaller: give sizes that divide by "
            f"{part}, or fewer blocks"
        )
    tf = stack.tensorflow()
    keras_layers, seeds = tf.keras.layers, iter(range(seed * 1000, seed * 1000 + 1000))

    def convolution(x, channels, size, name, strides=1):
        start = tf.keras.initializers.HeNormal(next(seeds))
        options = {"padding": "same", "use_bias": False, "kernel_initializer": start}
        return keras_layers.Conv2D(int(channels), size, strides, name=name, **options)(x)

    def active(x, name):
        x = keras_layers.BatchNormalization(name=f"{name}_norm")(x)
        return keras_layers.ReLU(name=f"{name}_relu")(x)

    x = inputs = keras_layers.Input(tuple(input_shape), name="input")
    if rescale is not None:
        x = keras_layers.Rescaling(*rescale, name="standardise")(x)
    x = convolution(x, 2 * growth, 3, "first", int(strides))
    for block, n_layers in enumerate(layers, 1):
        for number in range(1, int(n_layers) + 1):
            name = f"block{block}_{number}"
            added = active(x, f"{name}_narrow")
            added = convolution(added, BOTTLENECK * growth, 1, f"{name}_narrow")
            added = convolution(active(added, f"{name}_add"), growth, 3, f"{name}_add")
            x = keras_layers.Concatenate(name=f"{name}_beside")([x, added])
        if block < len(layers):
            x = convolution(active(x, f"half{block}"), x.shape[-1] // 2, 1, f"half{block}")
            x = keras_layers.AveragePooling2D(2, name=f"half{block}_pool")(x)
    x = keras_layers.GlobalAveragePooling2D(name="pool")(active(x, "last"))
    start = tf.keras.initializers.HeNormal(next(seeds))
    x = keras_layers.Dense(n_classes, kernel_initializer=start, name="logits")(x)
    return tf.keras.Model(inputs, x, name=NAME)


def blocks_of(weights):
    """Layers of each block and growth of a network of `densenet`, from its arrays by name."""
    layers: list[int] = []
    while f"block{len(layers) + 1}_1_add/kernel" in weights:
        block, n_layers = len(layers) + 1, 1
        while f"block{block}_{n_layers + 1}_add/kernel" in weights:
            n_layers += 1
        layers.append(n_layers)
    return layers, weights["block1_1_add/kernel"].shape[-1]
