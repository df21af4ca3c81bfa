"""Deeper networks from trained ones, computing the same function before they learn on.

Chen, Goodfellow and Shlens 2016 (Net2Net, arXiv:1511.05641), "Net2DeeperNet": new layers begin as
the identity, so that a deep network need not learn from nothing.
"""

import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann.arrays import load_arrays, named_weights
from nengo_tactile.errors import DataError, NotationError
from nengo_tactile.progress import track

#: Images run at a time: the activations of 250 of CIFAR-10 are 16 MB in each group.
_AT_A_TIME = 250


def deepen(model, deep, samples, progress=None):
    """Put a trained residual or plain network's weights into a deeper one of the same function.

    New blocks come last in each group. In a residual network the last batch normalisation of a
    new block has gamma 0, so that its shortcut alone passes. In a plain one both convolutions of
    a new block copy their input, and batch normalisation takes mean and deviation away and puts
    them back, as measured on ``samples``.

    Parameters
    ----------
    model : tf.keras.Model
        From `nengo_tactile.ann.residual.resnet` or `plain`, trained; not changed.
    deep : tf.keras.Model
        From the same function with the same widths and more layers; its weights are replaced.
    samples : (n_samples, height, width, channels) array
        Training images; a plain network's new layers are normalised by them.
    progress : bool, optional

    Raises
    ------
    NotationError
        If ``deep`` is not deeper, or differs in anything but its depth.
    DataError
        For samples that are no images of the network, NaN or infinite.
    """
    old = {name: variable.numpy() for name, variable in named_weights(model).items()}
    new = {name: variable.numpy() for name, variable in named_weights(deep).items()}
    shortcuts = _check(model, deep, old, new)
    arrays = {**new, **old}
    added = sorted({name.split("_conv")[0] for name in new.keys() - old.keys()})
    statistics = None if shortcuts else _statistics(model, added, samples, progress)
    for block in added:
        if shortcuts:
            arrays[f"{block}_conv2_norm/gamma"] = np.zeros_like(new[f"{block}_conv2_norm/gamma"])
            continue
        mean, variance = statistics[_group(block)]
        for layer in (f"{block}_conv1", f"{block}_conv2"):
            kernel = np.zeros_like(new[f"{layer}/kernel"])
            kernel[1, 1] = np.eye(len(mean))
            epsilon = deep.get_layer(f"{layer}_norm").epsilon
            arrays |= {
                f"{layer}/kernel": kernel,
                f"{layer}_norm/moving_mean": mean,
                f"{layer}_norm/moving_variance": variance,
                f"{layer}_norm/beta": mean,
                f"{layer}_norm/gamma": np.sqrt(variance + epsilon),
            }
    load_arrays(deep, arrays)


def _group(block):
    """Number of a block's group: 2 of "block2_4"."""
    return int(block.removeprefix("block").split("_")[0])


def _check(model, deep, old, new):
    """Whether both have shortcuts; refuse networks that differ in more than their depth."""
    kinds = [any(type(layer).__name__ == "Add" for layer in m.layers) for m in (model, deep)]
    if kinds[0] != kinds[1]:
        raise NotationError(
            f"'{deep.name}' from '{model.name}': one has shortcuts, the other has none: deepen a "
            "residual network to a residual one, a plain one to a plain one"
        )
    if not old.keys() < new.keys():
        raise NotationError(
            f"'{deep.name}' from '{model.name}': has {len(deep.layers)} layers, wanted those of "
            f"'{model.name}' ({len(model.layers)}) and more: give a greater depth"
        )
    scales = [
        [(layer.scale, layer.offset) for layer in m.layers if type(layer).__name__ == "Rescaling"]
        for m in (model, deep)
    ]
    if scales[0] != scales[1]:
        raise NotationError(
            f"'{deep.name}' from '{model.name}': standardises images by {scales[1]}, there "
            f"{scales[0]}: train on the same images, or give it that rescale"
        )
    wrong = next((name for name in old if old[name].shape != new[name].shape), None)
    if wrong is not None:
        raise NotationError(
            f"'{deep.name}' from '{model.name}': array '{wrong}' has shape {new[wrong].shape}, "
            f"there {old[wrong].shape}: build it with the same widths, classes and image channels"
        )
    return kinds[0]


def _statistics(model, added, samples, progress):
    """Mean and variance of each channel behind the last block of each group."""
    tf = stack.tensorflow()
    samples = np.asarray(samples)
    if samples.shape[1:] != tuple(model.input_shape[1:]) or not len(samples):
        raise DataError(
            f"samples: shape {samples.shape}, '{model.name}' wants images of "
            f"{tuple(model.input_shape[1:])}: give training images"
        )
    groups = sorted({_group(block) for block in added})
    names = [layer.name for layer in model.layers]
    last = [
        [name for name in names if name.startswith(f"block{g}_") and name.endswith("_relu2")][-1]
        for g in groups
    ]
    outputs = tf.keras.Model(model.input, [model.get_layer(name).output for name in last])
    sums = dict.fromkeys(groups, 0.0)
    count = dict.fromkeys(groups, 0)
    starts = range(0, len(samples), _AT_A_TIME)
    for start in track(starts, "statistics of the new layers", progress=progress):
        x = tf.constant(samples[start : start + _AT_A_TIME], tf.float32)
        values = outputs(x, training=False)
        for group, value in zip(groups, values if len(groups) > 1 else [values]):
            flat = value.numpy().reshape(-1, value.shape[-1]).astype(float)
            sums[group] = sums[group] + np.array([flat.sum(0), (flat**2).sum(0)])
            count[group] += len(flat)
    found = {}
    for group in groups:
        mean, square = sums[group] / count[group]
        if not np.isfinite(mean).all():
            raise DataError(
                f"samples: group {group} of '{model.name}' has mean activation {mean.max()}: "
                "give finite images"
            )
        found[group] = (mean.astype(np.float32), np.maximum(square - mean**2, 0).astype(np.float32))
    return found
