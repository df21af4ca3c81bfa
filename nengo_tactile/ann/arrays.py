"""Weights as plain arrays, so that a network trained elsewhere fits in.

Arrays are named ``layer/weight`` as in Keras: ``conv0/kernel``, ``logits/bias``,
``conv0_norm/moving_mean``. `load_arrays` takes them from an .npz or a dict; `from_torch` makes
such a dict of PyTorch's arrays:

================== ======================== =============================== ==================
layer              PyTorch                  Keras                           axes
================== ======================== =============================== ==================
Conv2D             weight (O, I, h, w)      kernel (h, w, I, O)             2, 3, 1, 0
Conv1D             weight (O, I, k)         kernel (k, I, O)                2, 1, 0
DepthwiseConv2D    weight (I m, 1, h, w)    depthwise_kernel (h, w, I, m)   (I, m, h, w): 2, 3, 0, 1
Dense              weight (O, I)            kernel (I, O)                   1, 0
these four         bias                     bias
BatchNormalization weight, bias             gamma, beta
BatchNormalization running_mean             moving_mean
BatchNormalization running_var              moving_variance                 plus PyTorch's epsilon
                                                                            minus Keras's
================== ======================== =============================== ==================

Two things are not in the arrays. A PyTorch convolution of stride 2 with ``padding=1`` pads both
sides, Keras's ``padding="same"`` the far side alone where one row is enough: write
``ZeroPadding2D(1)`` and ``padding="valid"`` for PyTorch's. And PyTorch flattens a feature map
channel by channel, Keras pixel by pixel: a Dense layer after Flatten needs its inputs in the
other order (after global pooling there is no difference).
"""

import numpy as np

from nengo_tactile import files
from nengo_tactile.doors.archives import read_npz
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import ModelFileError
from nengo_tactile.files import path_of


def named_weights(model):
    """Names of all weights, ``{"layer/weight": variable}``, in Keras's order."""
    named = {}
    for layer in model.layers:
        for variable in layer.weights:
            # Keras calls it "layer/weight:0"; what is nested has more parts
            inner = variable.name.split(":")[0].removeprefix(f"{layer.name}/")
            named[f"{layer.name}/{inner}"] = variable
    if len(named) != len(model.weights):
        raise ModelFileError(
            f"model '{model.name}' has {len(model.weights)} weights of {len(named)} names: give "
            "each weight of a layer a name of its own"
        )
    return named


def save_arrays(model, path):
    """Write all weights of a model as an .npz of arrays named ``layer/weight``, atomically.

    Parameters
    ----------
    model : tf.keras.Model
    path : path
    """
    files.write_npz(path, {name: v.numpy() for name, v in named_weights(model).items()})


def load_arrays(model, source):
    """Put plain arrays into a model's weights, all or none.

    Parameters
    ----------
    model : tf.keras.Model
        Its weights are replaced.
    source : path or dict of str to array
        An .npz or the arrays themselves, named ``layer/weight`` as `save_arrays` does.

    Raises
    ------
    ModelFileError
        If the file cannot be read, or arrays are missing, left over, of another shape, no real
        numbers, NaN or infinite: with one line per array. The model is then as it was.
    """
    if isinstance(source, dict):
        where, arrays = "arrays", source
    else:
        where, arrays = str(source), _read(path_of(source))
    named = named_weights(model)
    problems, values = [], {}
    for name, variable in named.items():
        if name not in arrays:
            problems.append(
                f"{where}: no array '{name}' of shape {tuple(variable.shape)}: add it under that "
                "name"
            )
            continue
        values[name] = np.asarray(arrays[name])
        problem = _problem(values[name], variable)
        if problem:
            problems.append(f"{where}: array '{name}' {problem}")
    problems += [
        f"{where}: array '{name}' belongs to no weight of model '{model.name}': leave it out or "
        "name it layer/weight"
        for name in arrays
        if name not in named
    ]
    if problems:
        raise ModelFileError("\n".join(problems))
    for name, variable in named.items():
        variable.assign(values[name].astype(variable.dtype.as_numpy_dtype))


def _read(path):
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file: give the path of an .npz of weights")
    return read_npz(path, Door(ModelFileError, "write it with save_arrays or numpy.savez"))


def _problem(array, variable):
    """What keeps an array out of a weight, or None."""
    wanted = tuple(variable.shape)
    if array.dtype.kind not in "fiu":
        return f"holds {array.dtype}: give real numbers"
    if array.shape != wanted:
        remedy = "build the model with the sizes it was trained with"
        if sorted(array.shape) == sorted(wanted):
            remedy = "its axes are in another order (PyTorch's: see from_torch)"
        return f"has shape {array.shape}, the model wants {wanted}: {remedy}"
    with np.errstate(over="ignore"):
        finite = np.isfinite(array.astype(variable.dtype.as_numpy_dtype))
    if not finite.all():
        first = tuple(int(i) for i in np.argwhere(~finite)[0])
        return f"is {array[first]} at {first}: weights must be finite; train it again"
    return None


#: Layer type -> weight and its axes in PyTorch's order.
_KERNELS = {
    "Conv2D": ("kernel", (2, 3, 1, 0)),
    "Conv1D": ("kernel", (2, 1, 0)),
    "DepthwiseConv2D": ("depthwise_kernel", (2, 3, 0, 1)),
    "Dense": ("kernel", (1, 0)),
}


def from_torch(model, state, names, epsilon=1e-5):
    """Rename and transpose PyTorch's arrays for `load_arrays`: see the table above.

    Parameters
    ----------
    model : tf.keras.Model
        Of the same layers; it is not changed.
    state : dict of str to array
        ``{k: v.numpy() for k, v in module.state_dict().items()}``.
    names : dict of str to str
        For each layer with weights, by its name, the prefix in ``state``: ``{"conv0": "conv1"}``
        where that holds "conv1.weight".
    epsilon : float
        Of PyTorch's batch normalisation; the difference from Keras's goes into the variance, so
        that the function is exactly PyTorch's.

    Returns
    -------
    dict of str to array

    Raises
    ------
    ModelFileError
        For layers without a prefix, arrays that are not there, and layers that PyTorch stores in
        another way.
    """
    arrays = {}
    for layer in model.layers:
        if not layer.weights:
            continue
        kind = type(layer).__name__
        if layer.name not in names:
            raise ModelFileError(
                f"layer '{layer.name}' ({kind}): names has no prefix for it, only "
                f"{sorted(names)}: add it"
            )

        def array(part, layer=layer, kind=kind):
            key = f"{names[layer.name]}.{part}"
            if key not in state:
                raise ModelFileError(
                    f"layer '{layer.name}' ({kind}): the state has no array '{key}': give the "
                    "prefix under which PyTorch stores this layer"
                )
            return np.asarray(state[key])

        if kind == "BatchNormalization":
            found = {
                "moving_mean": array("running_mean"),
                "moving_variance": array("running_var") + (epsilon - layer.epsilon),
            }
            found |= {"gamma": array("weight")} if layer.scale else {}
            found |= {"beta": array("bias")} if layer.center else {}
        elif kind in _KERNELS:
            weight, axes = _KERNELS[kind]
            kernel = array("weight")
            if kernel.ndim != len(axes):
                raise ModelFileError(
                    f"layer '{layer.name}' ({kind}): '{names[layer.name]}.weight' has shape "
                    f"{kernel.shape}, wanted {len(axes)} axes: give the prefix of such a layer"
                )
            if kind == "DepthwiseConv2D":
                kernel = kernel.reshape(-1, layer.depth_multiplier, *kernel.shape[2:])
            found = {weight: kernel.transpose(axes)}
            found |= {"bias": array("bias")} if layer.use_bias else {}
        else:
            raise ModelFileError(
                f"layer '{layer.name}' ({kind}): its weights are not translated, only those of "
                f"{', '.join([*_KERNELS, 'BatchNormalization'])}: give them to load_arrays"
            )
        arrays |= {f"{layer.name}/{weight}": value for weight, value in found.items()}
    return arrays
