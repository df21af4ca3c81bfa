"""Networks that say of each pixel what it belongs to, for small images.

Ronneberger, Fischer and Brox 2015, "U-Net: Convolutional Networks for Biomedical Image
Segmentation" (arXiv:1505.04597), figure 1, with fewer groups and channels, maps of the images' own
size, and batch normalisation, which the paper does without.
"""

from collections.abc import Sequence

from nengo_tactile import stack
from nengo_tactile.errors import NotationError

#: Name of the network on the command line and in weights files.
NAME = "unet"
#: Channels of the groups of convolutions; the maps of each have half the last one's size.
WIDTHS = (12, 24, 48)


def unet(
    input_shape: Sequence[int] = (48, 48, 1),
    n_classes: int = 11,
    seed: int = 0,
    rescale: tuple | None = None,
    widths: Sequence[int] = WIDTHS,
):
    """Build a network of groups of two 3 x 3 convolutions, down to small maps and up again.

    Between groups the maps become half as large by maxima of 2 x 2, and on the way up twice as
    large by transposed convolutions of 2 x 2, beside which the maps of that size from the way down
    are laid. Batch normalisation and a ReLU follow each convolution of a group.

    Parameters
    ----------
    input_shape : tuple of int
        (height, width, channels); height and width divide by two as often as there are groups
        but one.
    n_classes : int
        Of a pixel.
    seed : int
        Seed of the initial weights, He's (He et al. 2015).
    rescale : (scale, offset), optional
        See `nengo_tactile.ann.residual.resnet`.
    widths : sequence of int

    Returns
    -------
    tf.keras.Model
        From images to logits of each pixel, (height, width, n_classes).

    Raises
    ------
    NotationError
        For widths that are no numbers of channels, and images that cannot be halved so often.
    """
    if len(widths) < 2 or not all(int(n) == n and n > 0 for n in widths):
        raise NotationError(
            f"{NAME}: widths are {widths}: give the channels of at least two groups, "
            f"such as {WIDTHS}"
        )
    part = 2 ** (len(widths) - 1)
    if any(n % part for n in input_shape[:2]):
        raise NotationError(
            f"{NAME}: images are {input_shape[0]} x {input_shape[1]}; {len(widths)} groups halve "
            f"them {len(widths) - 1} times: give sizes that divide by {part}, or fewer groups"
        )
    tf = stack.tensorflow()
    layers, seeds = tf.keras.layers, iter(range(seed * 1000, seed * 1000 + 1000))

    def start():
        return tf.keras.initializers.HeNormal(next(seeds))

    def group(x, channels, name):
        for number in (1, 2):
            x = layers.Conv2D(
                channels,
                3,
                padding="same",
                use_bias=False,
                kernel_initializer=start(),
                name=f"{name}_conv{number}",
            )(x)
            x = layers.BatchNormalization(name=f"{name}_norm{number}")(x)
            x = layers.ReLU(name=f"{name}_relu{number}")(x)
        return x

    x = inputs = layers.Input(tuple(input_shape), name="input")
    if rescale is not None:
        x = layers.Rescaling(*rescale, name="standardise")(x)
    beside = []
    for number, channels in enumerate(widths[:-1], 1):
        x = group(x, int(channels), f"down{number}")
        beside.append(x)
        x = layers.MaxPooling2D(2, name=f"down{number}_pool")(x)
    x = group(x, int(widths[-1]), "bottom")
    for number in range(len(beside), 0, -1):
        name, channels = f"up{number}", int(widths[number - 1])
        x = layers.Conv2DTranspose(
            channels, 2, strides=2, kernel_initializer=start(), name=f"{name}_transposed"
        )(x)
        x = layers.Concatenate(name=f"{name}_beside")([x, beside[number - 1]])
        x = group(x, channels, name)
    x = layers.Conv2D(n_classes, 1, kernel_initializer=start(), name="logits")(x)
    return tf.keras.Model(inputs, x, name=NAME)


def widths_of(weights):
    """The widths of a network of `unet` from its arrays, {"layer/weight": array}."""
    found = []
    while f"down{len(found) + 1}_conv1/kernel" in weights:
        found.append(weights[f"down{len(found) + 1}_conv1/kernel"].shape[-1])
    return [*found, weights["bottom_conv1/kernel"].shape[-1]]
