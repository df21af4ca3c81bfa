"""Convolutions that TensorFlow's oneDNN kernels get wrong, found by a sum of our own.

TensorFlow 2.21 on processors with AVX-512 (seen on an AMD EPYC of Zen 5) returns wrong sums, some
of them different at each call, for a two-dimensional convolution of several samples with one input
channel whose output is one column wide but several rows high, with a horizontal stride above 1, a
vertical stride of 1 and a kernel more than one column wide, unless the kernel covers the whole
width and the stride divides it (``python benchmarks/onednn_convolution.py``). Conv1D, depthwise,
separable, grouped and transposed convolutions and pooling were never wrong; Conv3D is, but is not
converted. What is compared here is a little wider than that: all of one channel, one column and a
stride above 1.
"""

import itertools

import numpy as np

from nengo_tactile import stack
from nengo_tactile.errors import ConversionError

#: Samples that are compared; a single one is never wrong.
SAMPLES = 4
#: Largest difference that is rounding, in units of the largest sum of magnitudes.
TOLERANCE = 1e-3

REMEDY = (
    "set the environment variable TF_ENABLE_ONEDNN_OPTS=0 before Python starts, and train the "
    "model again if it was trained without"
)


def plain_convolution(x, kernel, strides=(1, 1), padding="valid", dilation=(1, 1)):
    """A two-dimensional convolution as a sum over the kernel's places, in float64.

    Parameters
    ----------
    x : (n_samples, height, width, channels) array
    kernel : (rows, columns, channels, filters) array
    strides, dilation : (int, int)
        Along rows and columns.
    padding : {"valid", "same"}
        As TensorFlow has it: "same" pads the end more than the beginning.

    Returns
    -------
    (n_samples, new height, new width, filters) float64 array
    """
    x, kernel = np.asarray(x, np.float64), np.asarray(kernel, np.float64)
    pads, sizes = [], []
    for axis in (0, 1):
        length, reach = x.shape[1 + axis], (kernel.shape[axis] - 1) * dilation[axis] + 1
        size = -(-length // strides[axis])
        missing = max((size - 1) * strides[axis] + reach - length, 0)
        if padding == "valid":
            size, missing = (length - reach) // strides[axis] + 1, 0
        pads.append((missing // 2, missing - missing // 2))
        sizes.append(size)
    x = np.pad(x, ((0, 0), *pads, (0, 0)))
    total = np.zeros((len(x), *sizes, kernel.shape[3]))
    for place in itertools.product(range(kernel.shape[0]), range(kernel.shape[1])):
        rows, columns = (
            slice(at * step, at * step + (size - 1) * stride + 1, stride)
            for at, step, size, stride in zip(place, dilation, sizes, strides)
        )
        total += x[:, rows, columns] @ kernel[place]
    return total


def check_convolutions(layers, x):
    """Refuse a model with a convolution that TensorFlow computes wrongly on this machine.

    Only layers of the shapes that were ever wrong are computed again (see above), so that models
    without them cost nothing.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
    x : (n_samples, ...) array or None
        Samples, of which a few are used. Without them random ones are.

    Raises
    ------
    ConversionError
        With one line for each such layer: its name, both sums where they differ most, the
        remedy.
    """
    suspects = [layer for layer in layers if _is_suspect(layer)]
    if not suspects:
        return
    tf = stack.tensorflow()
    if x is None:
        x = np.random.default_rng(0).random((SAMPLES, *layers.input_shape))
    x = np.asarray(x)[np.arange(SAMPLES) % len(x)]
    before = {layer.sources[0] for layer in suspects}
    inputs = {layer.name: value for layer, value in layers.values(x, before)}
    problems = []
    for layer in suspects:
        values, kernel = inputs[layer.sources[0]], layer.weights[0]
        settings = [layer.config[name] for name in ("strides", "padding", "dilation_rate")]
        found = layer.keras.convolution_op(values, kernel).numpy()
        difference = compared(found, values.numpy(), kernel, *settings)
        if difference:
            problems.append(
                f"{layer.label}: TensorFlow {tf.__version__} gives {difference}; "
                f"this is a fault of its oneDNN kernels (docs/stack.md), {REMEDY}"
            )
    if problems:
        raise ConversionError("\n".join(problems))


def compared(found, x, kernel, strides, padding, dilation=(1, 1)):
    """Say where sums differ from the plain ones by more than rounding.

    Parameters
    ----------
    found : (n_samples, new height, new width, filters) array
        The sums of some convolution of ``x`` with ``kernel``.

    Returns
    -------
    str
        Empty if they do not.
    """
    wanted = plain_convolution(x, kernel, strides, padding, dilation)
    largest = plain_convolution(np.abs(x), np.abs(kernel), strides, padding, dilation).max()
    distance = np.abs(found.astype(np.float64) - wanted)
    distance[np.isnan(distance)] = np.inf
    worst = np.unravel_index(distance.argmax(), distance.shape)
    if distance[worst] <= TOLERANCE * largest:
        return ""
    share = (distance > TOLERANCE * largest).mean()
    return (
        f"{found[worst]:.4g} where the plain sum is {wanted[worst]:.4g} ({share:.0%} of its sums "
        "are wrong)"
    )


def self_test():
    """Try shapes that are wrong on some machines, and common ones.

    Returns
    -------
    corners, common : list of str
        What is wrong with each shape, of those known to be wrong somewhere and of common ones;
        empty where TensorFlow's sums are right.
    """
    tf = stack.tensorflow()
    rng = np.random.default_rng(0)
    corners = itertools.product((2, 5), (1, 2, 3), (1, 3), (2, 3), (2, 3))
    common = itertools.product((5,), (6,), (1, 3), (3,), (1, 2))
    found = []
    for shapes, channels in ((corners, 1), (common, 3)):
        wrong = []
        for height, width, rows, columns, stride in shapes:
            if channels == 1 and -(-width // stride) > 1:
                continue  # more than one column of output
            strides = (1, stride) if channels == 1 else (stride, stride)
            x = rng.normal(size=(SAMPLES, height, width, channels)).astype(np.float32)
            kernel = rng.normal(size=(rows, columns, channels, 4)).astype(np.float32)
            sums = tf.nn.conv2d(x, kernel, strides, "SAME").numpy()
            difference = compared(sums, x, kernel, strides, "same")
            if difference:
                shape = f"{height} x {width}, kernel {rows} x {columns}, strides {strides}"
                wrong.append(f"{shape}: {difference}")
        found.append(wrong)
    return tuple(found)


def _is_suspect(layer):
    return (
        layer.kind == "Conv2D"
        and layer.channels_last
        and layer.input_shapes[0][-1] == 1
        and layer.shape[1] == 1
        and layer.config["strides"][1] > 1
    )
