"""Networks of inverted residual blocks with depthwise convolutions, for small images.

Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (arXiv:1801.04381),
table 1 and figure 3, with plain ReLUs and the strides that images of 32 x 32 pixels leave.
"""

from collections.abc import Sequence

from nengo_tactile import stack
from nengo_tactile.errors import NotationError

#: Name of the network on the command line and in weights files.
NAME = "mobilenet"
#: Blocks as (expansion, channels, strides): the paper's first four groups with an expansion of 4
#: and two strides of 2, the first of which makes an epoch a third as long.
BLOCKS = (
    *((1, 16, 1), (4, 24, 2), (4, 24, 1)),
    *((4, 32, 1), (4, 32, 1), (4, 64, 2), (4, 64, 1), (4, 64, 1)),
)
#: Channels of the first and of the last convolution.
STEM, HEAD = 32, 256


def mobilenet(
    input_shape: Sequence[int] = (32, 32, 3),
    n_classes: int = 10,
    seed: int = 0,
    rescale: tuple | None = None,
    blocks: Sequence[Sequence[int]] = BLOCKS,
):
    """Build a network of inverted residual blocks.

    A block widens its channels by a 1 x 1 convolution, filters each by a 3 x 3 one of its own, and
    narrows them by a linear 1 x 1 convolution; where nothing changes its shape, its input is added.
    Batch normalisation follows each convolution, a ReLU all but the linear ones.

    Parameters
    ----------
    input_shape : tuple of int
        (height, width, channels).
    n_classes : int
    seed : int
        Seed of the initial weights, He's (He et al. 2015).
    rescale : (scale, offset), optional
        See `nengo_tactile.ann.residual.resnet`.
    blocks : sequence of (int, int, int)
        Expansion, channels and strides of each.

    Returns
    -------
    tf.keras.Model
        From images to logits.

    Raises
    ------
    NotationError
        For blocks that are none.
    """
    for block in blocks:
        if len(block) != 3 or not all(int(n) == n and n > 0 for n in block):
            raise NotationError(
                f"{NAME}: a block is {block}: give expansion, channels and strides, such as "
                f"{BLOCKS[1]}"
            )
    tf = stack.tensorflow()
    layers, seeds = tf.keras.layers, iter(range(seed * 1000, seed * 1000 + 1000))

    def normed(layer, x, name, relu=True):
        x = layers.BatchNormalization(name=f"{name}_norm")(layer(x))
        return layers.ReLU(name=f"{name}_relu")(x) if relu else x

    def convolution(x, channels, size, strides, name, relu=True):
        start = tf.keras.initializers.HeNormal(next(seeds))
        options = {"padding": "same", "use_bias": False, "name": name}
        layer = layers.Conv2D(channels, size, strides, kernel_initializer=start, **options)
        return normed(layer, x, name, relu)

    def depthwise(x, strides, name):
        # of a channel alone nine weights come in, which He's initializer does not see
        start = tf.keras.initializers.RandomNormal(0, (2 / 9) ** 0.5, next(seeds))
        options = {"padding": "same", "use_bias": False, "name": name}
        layer = layers.DepthwiseConv2D(3, strides, depthwise_initializer=start, **options)
        return normed(layer, x, name)

    x = inputs = layers.Input(tuple(input_shape), name="input")
    if rescale is not None:
        x = layers.Rescaling(*rescale, name="standardise")(x)
    x = convolution(x, STEM, 3, 1, "stem")
    for number, (expansion, channels, strides) in enumerate(blocks, 1):
        name, before = f"block{number}", x
        if expansion > 1:
            x = convolution(x, int(expansion) * x.shape[-1], 1, 1, f"{name}_expand")
        x = depthwise(x, int(strides), f"{name}_depthwise")
        x = convolution(x, int(channels), 1, 1, f"{name}_project", relu=False)
        if before.shape == x.shape:
            x = layers.Add(name=f"{name}_add")([before, x])
    x = convolution(x, HEAD, 1, 1, "head")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    start = tf.keras.initializers.HeNormal(next(seeds))
    x = layers.Dense(n_classes, kernel_initializer=start, name="logits")(x)
    return tf.keras.Model(inputs, x, name=NAME)


def blocks_of(model):
    """The blocks of a network of `mobilenet`, [(expansion, channels, strides)]."""
    names, blocks = {layer.name: layer for layer in model.layers}, []
    while f"block{len(blocks) + 1}_depthwise" in names:
        name = f"block{len(blocks) + 1}"
        channels = names[f"{name}_project"].input_shape[-1]
        expansion = 1
        if f"{name}_expand" in names:
            expansion = channels // names[f"{name}_expand"].input_shape[-1]
        strides = names[f"{name}_depthwise"].strides[0]
        blocks.append((expansion, names[f"{name}_project"].filters, strides))
    return blocks
