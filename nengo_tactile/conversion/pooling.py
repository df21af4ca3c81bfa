"""Average pooling merged into the layer that reads it, max pooling moved behind neurons."""

import numpy as np

from nengo_tactile.ann.layers import layer as new_layer
from nengo_tactile.conversion.activations import NEURONS, rectifier

MAX_POOLING = ("MaxPooling1D", "MaxPooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D")


def analogue_poolings(layers):
    """Names of the max pooling layers that pool what the image alone drives, not spikes.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        Activations are layers of their own.

    Returns
    -------
    set of str
    """
    spiking, found = set(), set()  # layers that neurons reach
    for layer in layers:
        if spiking.intersection(layer.sources) or _rectifies(layer) or layer.kind in NEURONS:
            spiking.add(layer.name)
        elif layer.kind in MAX_POOLING:
            found.add(layer.name)
    return found


def rectify_before_max_pooling(layers):
    """Let max pooling and the rectifier behind it change places.

    The maximum of a window goes through any function that never falls, so both orders compute
    the same; in the new one the pooling reads the spikes of neurons, not their input currents.
    Flatten and Reshape may stand between the two. Where the image alone drives the pooling, both
    stay: its maximum is constant in time, and fewer neurons are left behind it.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers

    Returns
    -------
    Layers
        Same function; layers keep their names. The same model where nothing changes places.
    """
    if not layers.of_kinds(*MAX_POOLING):
        return layers
    analogue = analogue_poolings(layers)
    before = {}  # name of the pooling to stand in front of -> rectifier
    kept = set()
    for layer in layers:
        if not _rectifies(layer):
            continue
        first, above = None, layers[layer.sources[0]]
        while len(layers.readers[above.name]) == 1 and _keeps_values(above):
            if above.kind in MAX_POOLING and above.name not in analogue:
                first = above
            above = layers[above.sources[0]]
        if first is not None:
            before[first.name] = layer
            kept.add(layer.name)

    def replace(layer, inputs):
        if layer.name in kept:
            return inputs[0]
        if layer.name in before:
            rectified = before[layer.name].on(inputs)
            return [rectified, layer.on([rectified])]
        return None

    return layers.rebuilt(replace) if before else layers


def _rectifies(layer):
    if layer.kind in ("Activation", "ReLU", "LeakyReLU"):
        return rectifier(layer) is not None
    return layer.kind in ("ClipFloor", "SigmaDelta")


def _keeps_values(layer):
    return layer.kind in (*MAX_POOLING, "Flatten", "Reshape")


def merge_average_pooling(layers):
    """Merge average pooling into the convolutions and dense layers that read it.

    Both are linear, so pooling over ``p x p`` followed by a ``k x k`` convolution is one
    convolution with a kernel of side ``(k - 1) * pool stride + p``. It saves adding up in between,
    for which the Loihi emulator has no place. A pooling that not all its readers can take in
    exactly stays as it is.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        From `simplify`.

    Returns
    -------
    Layers
        Same function.
    """
    names = layers.names()
    pooling, merged = {}, set()  # names of the layers that take a pooling in; of the poolings
    for layer in layers.of_kinds("AveragePooling2D", "GlobalAveragePooling2D"):
        targets = _weighted_readers(layer, layer, layers)
        if targets:
            pooling.update({target.name: layer for target in targets})
            merged.add(layer.name)

    def replace(layer, inputs):
        if layer.name in merged:
            return inputs[0]
        pool = pooling.get(layer.name)
        if pool is None:
            return None
        kernel, *bias = layer.weights
        if layer.kind == "Dense":
            made = []
            if len(inputs[0].shape) == 3:  # global pooling flattened nothing
                inputs = made = [new_layer("Flatten", names(f"{layer.name}_flatten"), inputs)]
            return [*made, layer.changed(inputs, [_dense_over_pool(kernel, pool), *bias])]
        size, step = _pool_geometry(pool)
        kernel = _convolution_over_pool(kernel, size, step)
        return layer.changed(
            inputs,
            [kernel, *bias],
            strides=tuple(s * p for s, p in zip(layer.config["strides"], step)),
            kernel_size=kernel.shape[:2],
            padding="valid",  # pooling leaves incomplete windows out
        )

    return layers.rebuilt(replace) if merged else layers


def _weighted_readers(layer, pool, layers):
    """The conv and dense layers that take a pooling in, past Flatten; empty if not all can."""
    if pool.config.get("padding", "valid") != "valid" or not pool.channels_last:
        return []
    found = []
    for name in layers.readers[layer.name]:
        reader = layers[name]
        if reader.kind == "Flatten":
            behind = _weighted_readers(reader, pool, layers)
            if not behind:
                return []
            found += behind
        elif (reader.kind == "Dense" and len(reader.shape) == 1) or (
            reader.kind == "Conv2D" and _takes_pooling(reader.config)
        ):
            found.append(reader)
        else:
            return []
    return found


def _takes_pooling(conv):
    whole = conv["padding"] == "valid" or tuple(conv["kernel_size"]) == (1, 1)
    return whole and tuple(conv["dilation_rate"]) == (1, 1)


def _pool_geometry(pool):
    """Window and stride in pixels, (rows, columns) each."""
    if pool.kind == "GlobalAveragePooling2D":
        side = pool.input_shapes[0][:2]
        return side, side
    return tuple(pool.config["pool_size"]), tuple(pool.config["strides"])


def _convolution_over_pool(kernel, size, step):
    """Kernel (rows, columns, inputs, filters) of the pooling and convolution together."""
    rows, columns = kernel.shape[:2]
    sides = ((rows - 1) * step[0] + size[0], (columns - 1) * step[1] + size[1])
    merged = np.zeros((*sides, *kernel.shape[2:]), kernel.dtype)
    for row, column in np.ndindex(rows, columns):
        top, left = row * step[0], column * step[1]
        merged[top : top + size[0], left : left + size[1]] += kernel[row, column]
    return merged / (size[0] * size[1])


def _dense_over_pool(kernel, pool):
    """Dense weights (pixels * channels, units) that read the map before the pooling."""
    size, step = _pool_geometry(pool)
    height, width, channels = pool.input_shapes[0]
    rows = (height - size[0]) // step[0] + 1
    columns = (width - size[1]) // step[1] + 1
    # a dense layer is a convolution with one window, which reads the whole image
    window = _convolution_over_pool(kernel.reshape(rows, columns, channels, -1), size, step)
    merged = np.zeros((height, width, *window.shape[2:]), kernel.dtype)
    merged[: window.shape[0], : window.shape[1]] = window  # no pool reaches the rest
    return merged.reshape(-1, kernel.shape[1])
