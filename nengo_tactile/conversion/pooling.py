"""Average pooling merged into the layer that reads it, max pooling moved behind neurons."""

import numpy as np

from nengo_tactile import stack
from nengo_tactile.conversion.activations import NEURONS, rectifier
from nengo_tactile.conversion.graph import (
    consumers,
    copy_layer,
    free_names,
    functional,
    rebuild,
    walk,
)

MAX_POOLING = ("MaxPooling1D", "MaxPooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D")


def pools_maxima(model):
    """Whether a functional model has max pooling."""
    return any(type(layer).__name__ in MAX_POOLING for layer in model.layers)


def analogue_poolings(model):
    """Names of the max pooling layers that pool what the image alone drives, not spikes.

    Parameters
    ----------
    model : tf.keras.Model
        Its activations are layers of their own.

    Returns
    -------
    set of str
    """
    spiking, found = set(), set()  # tensors that neurons reach
    for layer, inputs, output in walk(functional(model)):
        reached = any(id(tensor) in spiking for tensor in inputs)
        if reached or _rectifies(layer) or type(layer).__name__ in NEURONS:
            spiking.add(id(output))
        elif type(layer).__name__ in MAX_POOLING:
            found.add(layer.name)
    return found


def rectify_before_max_pooling(model):
    """Let max pooling and the rectifier behind it change places.

    The maximum of a window goes through any function that never falls, so both orders compute
    the same; in the new one the pooling reads the spikes of neurons, not their input currents.
    Flatten and Reshape may stand between the two. Where the image alone drives the pooling, both
    stay: its maximum is constant in time, and fewer neurons are left behind it.

    Parameters
    ----------
    model : tf.keras.Model

    Returns
    -------
    tf.keras.Model
        Same function; layers keep their names. The same model where nothing changes places.
    """
    model = functional(model)
    readers, analogue = consumers(model), analogue_poolings(model)
    before = {}  # name of the pooling to stand in front of -> rectifier
    source, kept = {}, {}
    made_by = {id(model.inputs[0]): model.layers[0]}
    for layer, inputs, output in walk(model):
        made_by[id(output)] = layer
        source[layer.name] = made_by[id(inputs[0])]
        if not _rectifies(layer):
            continue
        first, above = None, source[layer.name]
        while len(readers[above.name]) == 1 and _keeps_values(above):
            if type(above).__name__ in MAX_POOLING and above.name not in analogue:
                first = above
            above = source[above.name]
        if first is not None:
            before[first.name] = layer
            kept[layer.name] = first

    if not before:
        return model

    def replace(layer, inputs):
        if layer.name in kept:
            return inputs[0]
        if layer.name in before:
            return copy_layer(layer, [copy_layer(before[layer.name], inputs)])
        return None

    return rebuild(model, replace)


def _rectifies(layer):
    kind = type(layer).__name__
    if kind in ("Activation", "ReLU", "LeakyReLU"):
        return rectifier(layer) is not None
    return kind in ("ClipFloor", "SigmaDelta")


def _keeps_values(layer):
    return type(layer).__name__ in (*MAX_POOLING, "Flatten", "Reshape")


def merge_average_pooling(model):
    """Merge average pooling into the convolutions and dense layers that read it.

    Both are linear, so pooling over ``p x p`` followed by a ``k x k`` convolution is one
    convolution with a kernel of side ``(k - 1) * pool stride + p``. It saves adding up in between,
    for which the Loihi emulator has no place. A pooling that not all its readers can take in
    exactly stays as it is.

    Parameters
    ----------
    model : tf.keras.Model
        From `simplify`.

    Returns
    -------
    tf.keras.Model
        Same function.
    """
    tf = stack.tensorflow()
    model = functional(model)
    readers = consumers(model)
    by_name = {layer.name: layer for layer in model.layers}
    names = free_names(model)
    pooling, merged = {}, set()  # names of the layers that take a pooling in; of the poolings

    for layer in model.layers:
        if type(layer).__name__ in ("AveragePooling2D", "GlobalAveragePooling2D"):
            targets = _weighted_readers(layer, layer, readers, by_name)
            if targets:
                pooling.update({target.name: layer for target in targets})
                merged.add(layer.name)

    if not merged:
        return model

    def replace(layer, inputs):
        if layer.name in merged:
            return inputs[0]
        pool = pooling.get(layer.name)
        if pool is None:
            return None
        kernel, *bias = layer.get_weights()
        if type(layer).__name__ == "Dense":
            if len(inputs[0].shape) == 4:  # global pooling flattened nothing
                inputs = [tf.keras.layers.Flatten(name=names(f"{layer.name}_flatten"))(inputs[0])]
            return copy_layer(layer, inputs, [_dense_over_pool(kernel, pool), *bias])
        size, step = _pool_geometry(pool)
        kernel = _convolution_over_pool(kernel, size, step)
        return copy_layer(
            layer,
            inputs,
            [kernel, *bias],
            strides=tuple(s * p for s, p in zip(layer.strides, step)),
            kernel_size=kernel.shape[:2],
            padding="valid",  # pooling leaves incomplete windows out
        )

    return rebuild(model, replace)


def _weighted_readers(layer, pool, readers, by_name):
    """The conv and dense layers that take a pooling in, past Flatten; empty if not all can."""
    if getattr(pool, "padding", "valid") != "valid" or pool.data_format != "channels_last":
        return []
    found = []
    for name in readers[layer.name]:
        reader = by_name[name]
        kind = type(reader).__name__
        if kind == "Flatten":
            behind = _weighted_readers(reader, pool, readers, by_name)
            if not behind:
                return []
            found += behind
        elif (kind == "Dense" and len(reader.input_shape) == 2) or (
            kind == "Conv2D" and _takes_pooling(reader)
        ):
            found.append(reader)
        else:
            return []
    return found


def _takes_pooling(conv):
    whole = conv.padding == "valid" or tuple(conv.kernel_size) == (1, 1)
    return whole and tuple(conv.dilation_rate) == (1, 1)


def _pool_geometry(pool):
    """Window and stride in pixels, (rows, columns) each."""
    if type(pool).__name__ == "GlobalAveragePooling2D":
        side = pool.input_shape[1:3]
        return side, side
    return tuple(pool.pool_size), tuple(pool.strides)


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
    height, width, channels = pool.input_shape[1:]
    rows = (height - size[0]) // step[0] + 1
    columns = (width - size[1]) // step[1] + 1
    # a dense layer is a convolution with one window, which reads the whole image
    window = _convolution_over_pool(kernel.reshape(rows, columns, channels, -1), size, step)
    merged = np.zeros((height, width, *window.shape[2:]), kernel.dtype)
    merged[: window.shape[0], : window.shape[1]] = window  # no pool reaches the rest
    return merged.reshape(-1, kernel.shape[1])
