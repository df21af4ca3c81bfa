"""ResNets and their plain counterparts: Spiking ResNet paper, section 4 and figure 5."""

import numpy as np

from nengo_tactile import stack
from nengo_tactile.errors import DataError, NotationError

#: Channels of the three groups of blocks on CIFAR (He et al. 2016, section 4.2).
WIDTHS = (16, 32, 64)
#: Images standardised at a time: 1,000 of CIFAR-10 are 25 MB as float64.
_AT_A_TIME = 1000


def resnet(depth, input_shape=(32, 32, 3), n_classes=10, seed=0, rescale=None, widths=WIDTHS):
    """Build a residual network of basic blocks, ``depth`` layers with weights.

    A block is two 3 x 3 convolutions and a shortcut, which is the identity, or a 1 x 1
    convolution of stride 2 where a group begins (paper, figure 2). Convolutions have no bias, as
    batch normalisation follows each, and begin with He's weights (He et al. 2015).

    Parameters
    ----------
    depth : int
        6 n + 2 with three widths: 8, 20, 32, 44, 56, 110. Projections are not counted.
    input_shape : tuple of int
        (height, width, channels): (32, 32, 3) for CIFAR-10, (28, 28, 1) for MNIST.
    n_classes : int
    seed : int
        Seed of the initial weights.
    rescale : (scale, offset), optional
        Numbers, or one per channel: the network begins with ``x * scale + offset``, so that it
        takes raw images. See `standardise`.
    widths : sequence of int
        Channels of each group; every group but the first begins with stride 2.

    Returns
    -------
    tf.keras.Model
        From images to logits.

    Raises
    ------
    NotationError
        For a depth that the groups cannot share evenly, and for widths that are no numbers of
        channels.
    """
    return _network("resnet", depth, input_shape, n_classes, seed, rescale, widths, shortcuts=True)


def plain(depth, input_shape=(32, 32, 3), n_classes=10, seed=0, rescale=None, widths=WIDTHS):
    """Build `resnet` without its shortcuts: a stack of 3 x 3 convolutions (paper, figure 5)."""
    return _network("plain", depth, input_shape, n_classes, seed, rescale, widths, shortcuts=False)


def standardise(images):
    """Feature standardisation of raw images as ``(scale, offset)``, one number per channel.

    Parameters
    ----------
    images : (n_samples, height, width, channels) array
        The training images.

    Returns
    -------
    scale, offset : list of float
        ``images * scale + offset`` has mean 0 and standard deviation 1 in each channel.

    Raises
    ------
    DataError
        For no images, and for a channel that is the same everywhere, NaN or infinite.
    """
    if images.ndim != 4 or not images.size:
        raise DataError(
            f"images: shape {images.shape}, wanted (n_samples, height, width, channels), at least "
            "one image: see datasets.images_of"
        )
    channels = images.shape[-1]
    mean = images.mean(axis=(0, 1, 2), dtype=float)
    squares = np.zeros((1, channels))  # summed pixel by pixel, with bounded memory
    for start in range(0, len(images), _AT_A_TIME):
        part = (images[start : start + _AT_A_TIME] - mean) ** 2
        squares = np.concatenate([squares, part.reshape(-1, channels)]).sum(0, keepdims=True)
    deviation = np.sqrt(squares[0] / (images.size // channels))
    if not (deviation > 0).all():
        raise DataError(
            f"images: channel {int(np.argmin(deviation > 0))} has standard deviation "
            f"{deviation.min()}: give several different, finite images"
        )
    return (1 / deviation).tolist(), (-mean / deviation).tolist()


def _network(kind, depth, input_shape, n_classes, seed, rescale, widths, shortcuts):
    tf = stack.tensorflow()
    if not len(widths) or not all(isinstance(w, int) and w > 0 for w in widths):
        raise NotationError(
            f"{kind}: widths are {widths}: give the channels of each group, such as {WIDTHS}"
        )
    per_group, rest = divmod(depth - 2, 2 * len(widths))
    if rest or per_group < 1:
        raise NotationError(
            f"{kind}: depth is {depth}; with {len(widths)} widths it is "
            f"{2 * len(widths)} n + 2: {', '.join(str(2 * len(widths) * n + 2) for n in (1, 3, 5))}"
        )
    layers = tf.keras.layers
    seeds = iter(range(seed * 1000, seed * 1000 + 1000))

    def convolution(x, channels, size, strides, name):
        x = layers.Conv2D(
            channels,
            size,
            strides,
            padding="same",
            use_bias=False,
            kernel_initializer=tf.keras.initializers.HeNormal(next(seeds)),
            name=name,
        )(x)
        return layers.BatchNormalization(name=f"{name}_norm")(x)

    x = inputs = layers.Input(input_shape, name="input")
    if rescale is not None:
        x = layers.Rescaling(*rescale, name="standardise")(x)
    x = layers.ReLU(name="relu0")(convolution(x, widths[0], 3, 1, "conv0"))
    for group, channels in enumerate(widths, 1):
        for block in range(1, per_group + 1):
            name = f"block{group}_{block}"
            strides = 2 if group > 1 and block == 1 else 1
            shortcut = x
            x = layers.ReLU(name=f"{name}_relu1")(
                convolution(x, channels, 3, strides, f"{name}_conv1")
            )
            x = convolution(x, channels, 3, 1, f"{name}_conv2")
            if shortcuts:
                if shortcut.shape[-1] != channels or strides != 1:
                    shortcut = convolution(shortcut, channels, 1, strides, f"{name}_shortcut")
                x = layers.Add(name=f"{name}_add")([x, shortcut])
            x = layers.ReLU(name=f"{name}_relu2")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(
        n_classes, kernel_initializer=tf.keras.initializers.HeNormal(next(seeds)), name="logits"
    )(x)
    return tf.keras.Model(inputs, x, name=f"{kind}{depth}")
