"""Functions that are layers in disguise: ``x + y``, ``x / 255``, ``tf.nn.relu(x)``.

A Keras model may call functions on its tensors, TensorFlow's in Keras 2 and ``keras.ops`` in
Keras 3. Those that a layer computes are built as that layer; others are refused by name.
"""

import numpy as np

from nengo_tactile.ann.layers import layer
from nengo_tactile.errors import ConversionError

#: The same function under its other names.
_ALIASES = {
    "truediv": "divide",
    "true_divide": "divide",
    "realdiv": "divide",
    "div_no_nan": "divide",
    "sub": "subtract",
    "mul": "multiply",
    "neg": "negative",
    "reduce_mean": "mean",
    "concat": "concatenate",
    "getitem": "get_item",
    "leakyrelu": "leaky_relu",
    "stop_gradient": "identity",
    "convert_to_tensor": "identity",
}
#: Functions without a layer -> what to use instead.
_INSTEAD = {
    "pad": "use ZeroPadding2D or ZeroPadding1D",
    "matmul": "use a Dense layer",
    "clip_by_value": "use ReLU(max_value=...)",
    "clip": "use ReLU(max_value=...)",
    "abs": "use Subtract and two ReLUs: |x| = relu(x) + relu(-x)",
    "maximum": "use Subtract, ReLU and Add: max(a, b) = b + relu(a - b)",
    "minimum": "use Subtract and ReLU: min(a, b) = a - relu(a - b)",
    "reduce_max": "use GlobalMaxPooling2D or MaxPooling2D",
    "max": "use GlobalMaxPooling2D or MaxPooling2D",
    "reduce_sum": "use GlobalAveragePooling2D, and a Rescaling by the number of pixels",
    "sum": "use GlobalAveragePooling2D, and a Rescaling by the number of pixels",
    "conv2d": "use a Conv2D layer",
    "max_pool2d": "use a MaxPooling2D layer",
    "avg_pool2d": "use an AveragePooling2D layer",
    "resize": "do it to the data, before the network",
}


def canonical(kind):
    """A function's own name: "tf.math.truediv" and "keras.ops.true_divide" -> "divide"."""
    word = str(kind).split(".")[-1].lower()
    return _ALIASES.get(word, word)


def problem_of(kind):
    """Why no layer stands for a function, and what to do; empty for those that are built."""
    word = canonical(kind)
    if word in _MAKERS:
        return ""
    instead = _INSTEAD.get(word, "build it from layers that docs/layers.md lists")
    return f"no layer here does the same; {instead}"


class _Refused(Exception):
    """Why one call of a function is no layer; its text becomes a ConversionError."""


def layer_of_function(call, arguments, keywords):
    """Make the layer that a call of a function is.

    Parameters
    ----------
    call : nengo_tactile.ann.description.Call
    arguments, keywords :
        The call's, with layers for its `Tensor`.

    Returns
    -------
    nengo_tactile.ann.layers.Layer

    Raises
    ------
    ConversionError
        Naming the function, what about the call no layer does, and the remedy.
    """
    settings = {
        key: value
        for key, value in {**call.part.config, **keywords}.items()
        if key not in ("name", "trainable", "dtype", "function")
    }
    settings.update({key: value for key, value in keywords.items() if key == "dtype"})
    try:
        return _MAKERS[canonical(call.kind)](_Use(call.name, list(arguments), settings))
    except _Refused as error:
        raise ConversionError(f"{call.label}: {error}") from None


class _Use:
    """One use of a function: its arguments by place or name."""

    def __init__(self, name, arguments, settings):
        self.name, self.arguments, self.settings = name, arguments, settings

    def layer(self, kind, *inputs, **config):
        """The layer that it is."""
        return layer(kind, self.name, inputs, **config)

    def get(self, place, *keys, default=None):
        """The argument at a place, or by one of its names."""
        for key in keys:
            if key in self.settings:
                return self.settings[key]
        return self.arguments[place] if place < len(self.arguments) else default

    def tensor(self, place=0, *keys):
        """An argument that has to be a tensor of the model."""
        value = self.get(place, *keys, "x", "input_tensor", "features", "logits", "input")
        if not _is_tensor(value):
            raise _Refused("its first argument is no tensor of the model; call it on one")
        return value


def _is_tensor(value):
    return hasattr(value, "sources")


def _pair(use):
    """Both operands, each a tensor or an array of constants."""
    first = use.get(0, "x", "a", "value", "x1")
    second = use.get(1 if first is use.get(0) else 0, "y", "b", "bias", "x2")
    return [one if _is_tensor(one) else np.asarray(one, float) for one in (first, second)]


def _channels(values, tensor):
    """Constants as a number or one for each channel."""
    if values.size == 1:
        return float(values.reshape(()))
    n_channels = tensor.shape[-1]
    if values.shape[-1] != n_channels or values.size != n_channels:
        raise _Refused(
            f"its constant has shape {values.shape}, only a number, or one for each of the "
            f"{n_channels} channels, is a Rescaling; do it to the data, or with a Dense layer"
        )
    return values.reshape(-1).tolist()


def _rescaled(use, tensor, scale=1.0, offset=0.0):
    return use.layer("Rescaling", tensor, scale=scale, offset=offset)


def _merged(use, kind, one, other):
    if len(one.shape) != len(other.shape):
        raise _Refused(
            f"its tensors have shapes {one.shape} and {other.shape}; bring them to one number of "
            "axes with a Reshape"
        )
    return use.layer(kind, one, other)


def _add(use):
    one, other = _pair(use)
    if _is_tensor(one) and _is_tensor(other):
        return _merged(use, "Add", one, other)
    tensor, values = (one, other) if _is_tensor(one) else (other, one)
    return _rescaled(use, tensor, offset=_channels(values, tensor))


def _subtract(use):
    one, other = _pair(use)
    if _is_tensor(one) and _is_tensor(other):
        return _merged(use, "Subtract", one, other)
    if _is_tensor(one):
        return _rescaled(use, one, offset=_channels(-other, one))
    return _rescaled(use, other, -1.0, _channels(one, other))


def _multiply(use):
    one, other = _pair(use)
    if _is_tensor(one) and _is_tensor(other):
        raise _Refused(
            "spikes add up and are not multiplied: use Add or Concatenate and a Dense or Conv layer"
        )
    tensor, values = (one, other) if _is_tensor(one) else (other, one)
    return _rescaled(use, tensor, _channels(values, tensor))


def _divide(use):
    one, other = _pair(use)
    if not _is_tensor(one) or _is_tensor(other):
        raise _Refused("it divides by a tensor of the model, which no spikes can do: leave it out")
    if not other.all():
        raise _Refused("it divides by 0; give another number")
    return _rescaled(use, one, _channels(1 / other, one))


def _negative(use):
    return _rescaled(use, use.tensor(), -1.0)


def _activation(function):
    def make(use):
        return use.layer("Activation", use.tensor(), activation=function)

    return make


def _relu(use):
    ceiling = use.get(3, "max_value")
    slope = use.get(1, "negative_slope", "alpha", default=0.0) or 0.0
    threshold = use.get(2, "threshold", default=0.0) or 0.0
    if not (slope or threshold or ceiling is not None):
        return _activation("relu")(use)
    config = {"max_value": ceiling, "negative_slope": slope, "threshold": threshold}
    return use.layer("ReLU", use.tensor(), **config)


def _leaky_relu(use):
    slope = use.get(1, "alpha", "negative_slope", default=0.2)  # of TensorFlow and Keras 3 alike
    return use.layer("LeakyReLU", use.tensor(), alpha=slope)


def _softmax(use):
    return use.layer("Softmax", use.tensor(), axis=use.get(1, "axis", default=-1))


def _axes(use, tensor, value):
    """Axes as numbers from 0, the sample axis."""
    rank = len(tensor.shape) + 1
    if value is None:
        return tuple(range(rank))
    return tuple(int(axis) % rank for axis in np.atleast_1d(value))


def _mean(use):
    tensor = use.tensor()
    axes = _axes(use, tensor, use.get(1, "axis"))
    pooling = {
        (3, (1, 2)): "GlobalAveragePooling2D",
        (2, (1,)): "GlobalAveragePooling1D",
    }.get((len(tensor.shape), tuple(sorted(axes))))
    if pooling is None:
        raise _Refused(
            f"it takes the mean over the axes {axes}; only over height and width (axes 1 and 2), "
            "or the steps of a sequence (axis 1), is it global average pooling"
        )
    keep = bool(use.get(2, "keepdims", default=False))
    return use.layer(pooling, tensor, keepdims=keep)


def _concatenate(use):
    tensors = use.get(0, "values", "xs")
    if _is_tensor(tensors):  # of one
        return tensors
    if not all(_is_tensor(tensor) for tensor in tensors):
        raise _Refused("one of its parts is no tensor of the model; give it as an input")
    axis = int(use.get(1, "axis", default=0))
    if axis % (len(tensors[0].shape) + 1) == 0:
        raise _Refused("axis is 0, the samples': give axis=-1, the channels'")
    return use.layer("Concatenate", *tensors, axis=axis)


def _reshape(use):
    tensor = use.tensor(0, "tensor")
    shape = [int(n) for n in np.atleast_1d(use.get(1, "shape", "newshape"))]
    if shape[0] != -1 and shape[0] is not None:
        raise _Refused(f"its shape {tuple(shape)} names a number of samples; give -1 there")
    return use.layer("Reshape", tensor, target_shape=tuple(shape[1:]))


def _transpose(use):
    tensor = use.tensor(0, "a")
    order = use.get(1, "perm", "axes")
    if order is None or int(order[0]) != 0:
        raise _Refused(f"its order of axes is {order}; the samples' axis has to stay the first")
    return use.layer("Permute", tensor, dims=tuple(int(axis) for axis in order[1:]))


def _squeeze(use):
    tensor = use.tensor()
    axes = use.get(1, "axis")
    shape = tensor.shape
    gone = {a - 1 for a in _axes(use, tensor, axes)} if axes is not None else None
    kept = tuple(n for a, n in enumerate(shape) if n != 1 or (gone is not None and a not in gone))
    return use.layer("Reshape", tensor, target_shape=kept or (1,))


def _expand_dims(use):
    tensor = use.tensor()
    axis = int(use.get(1, "axis"))
    shape = tensor.shape
    place = axis % (len(shape) + 2) - 1
    if place < 0:
        raise _Refused("axis is 0, the samples': give another one")
    return use.layer("Reshape", tensor, target_shape=(*shape[:place], 1, *shape[place:]))


def _cast(use):
    kind = use.get(1, "dtype")
    kind = getattr(kind, "name", kind)
    if not str(kind).startswith(("float", "bfloat")):
        raise _Refused(f"it casts to {kind}; only to floating point changes nothing")
    return _identity(use)


def _identity(use):
    return use.layer("Identity", use.tensor(0, "value", "tensor"))


def _get_item(use):
    """A choice of channels, as a Dense layer without bias of zeros and ones."""
    tensor = use.tensor(0, "tensor")
    spec = use.get(1, "slice_spec", "key")
    spec = [_slice(part) for part in (spec if isinstance(spec, (list, tuple)) else [spec])]
    if not spec or any(part is not Ellipsis and part != slice(None) for part in spec[:-1]):
        raise _Refused("it cuts pixels or samples out; use Cropping2D, or cut the data")
    whole = len(spec) == len(tensor.shape) + 1 or Ellipsis in spec[:-1]
    if not whole or not isinstance(spec[-1], slice):
        raise _Refused(
            "only a slice of the channels, x[..., a:b], can be converted; use Cropping2D"
        )
    n_channels = tensor.shape[-1]
    chosen = np.arange(n_channels)[spec[-1]]
    if not len(chosen):
        raise _Refused("it chooses no channel; leave it out")
    kernel = np.zeros((n_channels, len(chosen)), np.float32)
    kernel[chosen, np.arange(len(chosen))] = 1
    return layer("Dense", use.name, [tensor], [kernel], units=len(chosen), use_bias=False)


def _slice(part):
    if isinstance(part, dict) and set(part) == {"start", "stop", "step"}:
        return slice(part["start"], part["stop"], part["step"])
    return part


_MAKERS = {
    "add": _add,
    "bias_add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "negative": _negative,
    "relu": _relu,
    "relu6": _activation("relu6"),
    "leaky_relu": _leaky_relu,
    "sigmoid": _activation("sigmoid"),
    "tanh": _activation("tanh"),
    "softplus": _activation("softplus"),
    "softmax": _softmax,
    "mean": _mean,
    "concatenate": _concatenate,
    "reshape": _reshape,
    "transpose": _transpose,
    "squeeze": _squeeze,
    "expand_dims": _expand_dims,
    "cast": _cast,
    "identity": _identity,
    "get_item": _get_item,
}
