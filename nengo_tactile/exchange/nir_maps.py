"""NIR's linear nodes as the maps of links.

NIR's arrays have channels first, as torch has them, ours last. A value's ``order`` says for each of
our numbers which of NIR's, flattened, it is.
"""

import dataclasses
import functools
import math
from collections.abc import Callable

import numpy as np

from nengo_tactile.errors import ConversionError
from nengo_tactile.exchange.nir_files import Node
from nengo_tactile.networks.linear_maps import Convolution, Map


@dataclasses.dataclass(frozen=True, eq=False)
class Linear:
    """What a linear node does.

    Attributes
    ----------
    shape : tuple of int
        Of what comes out, as NIR has it.
    order : (n_out,) int array
    map : Map or None
        None where numbers only get another shape.
    bias : (n_out,) array or None
    """

    shape: tuple[int, ...]
    order: np.ndarray
    map: Map | None = None
    bias: np.ndarray | None = None


def order_of(shape: tuple[int, ...]) -> np.ndarray:
    """Channels last of a shape that has them first."""
    places = np.arange(math.prod(shape)).reshape(shape)
    return np.moveaxis(places, 0, -1).ravel()


def channels_last(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The same shape with its first axis last."""
    return (*shape[1:], shape[0])


def _affine(node, shape, order):
    weight = np.asarray(node.values["weight"])
    if weight.ndim != 2 or weight.shape[1] != math.prod(shape):
        raise ConversionError(
            f"its weight has shape {weight.shape}, {math.prod(shape)} values arrive: give a matrix "
            f"of shape (n, {math.prod(shape)})"
        )
    n_out = len(weight)
    kernel = np.ascontiguousarray(weight.T[order], np.float32)
    bias = _bias(node, n_out)
    return Linear((n_out,), np.arange(n_out), Convolution.matrix_of(kernel), bias)


def _bias(node, n_out):
    if "bias" not in node.values:
        return None
    bias = np.ravel(node.values["bias"])
    if bias.shape != (n_out,):
        raise ConversionError(f"its bias has {bias.size} values, its weight {n_out} outputs")
    return bias if bias.any() else None


def _scale(node, shape, order):
    n = math.prod(shape)
    try:
        weights = np.broadcast_to(node.values["scale"], shape).ravel()[order]
    except ValueError:
        raise ConversionError(
            f"its scale has shape {np.shape(node.values['scale'])}, what arrives {shape}"
        ) from None
    kernel = np.ascontiguousarray(weights, np.float32)[None]
    return Linear(shape, order, Convolution(kernel, (n,), (n,), groups=n))


def _convolution(node, shape, order, n_axes):
    weight = np.asarray(node.values["weight"])
    if weight.ndim != n_axes + 2 or len(shape) != n_axes + 1:
        raise ConversionError(
            f"its weight has shape {weight.shape} and what arrives {shape}: give {n_axes + 2} and "
            f"{n_axes + 1} axes, channels first"
        )
    _check_order(shape, order)
    told = node.values.get("input_shape")
    if told is not None and np.ravel(told).tolist() != list(shape[1:]):
        raise ConversionError(f"its input_shape is {np.ravel(told)}, what arrives has {shape[1:]}")
    sides = weight.shape[2:]
    geometry = _geometry(node, sides, ("stride", "dilation"))
    groups = int(np.ravel(node.values.get("groups", 1))[0])
    kernel = np.ascontiguousarray(np.moveaxis(weight, (0, 1), (-1, -2)), np.float32)
    reach = [(side - 1) * step + 1 for side, step in zip(sides, geometry["dilation"])]
    before, behind = _padding(node, reach, geometry["stride"])
    size = _sizes(shape[1:], reach, geometry["stride"], before, behind)
    linear = Convolution(
        kernel,
        channels_last(shape),
        (*size, weight.shape[0]),
        geometry["stride"],
        before,
        geometry["dilation"],
        groups,
    )
    bias = _bias(node, weight.shape[0])
    bias = None if bias is None else np.tile(bias, math.prod(size))
    out = (weight.shape[0], *size)
    return Linear(out, order_of(out), linear, bias)


def _pooling(node, shape, order, mean):
    if len(shape) != 3:
        raise ConversionError(f"what arrives has shape {shape}: give (channels, height, width)")
    _check_order(shape, order)
    sides = _pair(node, "kernel_size", 2)
    geometry = _geometry(node, sides, ("stride",))
    before, behind = _padding(node, sides, geometry["stride"])
    size = _sizes(shape[1:], sides, geometry["stride"], before, behind)
    weight = 1 / math.prod(sides) if mean else 1.0
    kernel = np.full((*sides, 1, shape[0]), weight, np.float32)
    shapes = channels_last(shape), (*size, shape[0])
    linear = Convolution(kernel, *shapes, geometry["stride"], before, groups=shape[0])
    out = (shape[0], *size)
    return Linear(out, order_of(out), linear)


def _flatten(node, shape, order):
    rank = len(shape)
    first, last = (
        int(np.ravel(node.values.get(name, default))[0])
        for name, default in (("start_dim", 1), ("end_dim", -1))
    )
    if not (-rank <= first < rank and -rank <= last < rank) or first % rank > last % rank:
        raise ConversionError(
            f"it flattens the axes {first} to {last}, what arrives has {rank} (without samples)"
        )
    first, last = first % rank, last % rank
    flat = (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])
    return Linear(flat, order)


def _same(node, shape, order):
    return Linear(shape, order)


def _check_order(shape, order):
    if not np.array_equal(order, order_of(shape)):
        raise ConversionError("what arrives was flattened before: give it with its axes")


def _geometry(node, sides, names):
    return {name: _pair(node, name, len(sides)) for name in names}


def _pair(node, name, n_axes):
    values = np.ravel(node.values.get(name, 1))
    values = np.broadcast_to(values, n_axes) if values.size in (1, n_axes) else values
    if values.size != n_axes or (values != np.rint(values)).any() or (values < 1).any():
        raise ConversionError(f"its {name} is {values}: give a whole number from 1 for each axis")
    return tuple(int(value) for value in values)


def _padding(node, reach, strides):
    """Zeros in front of each axis, and behind it."""
    given = node.values.get("padding", 0)
    if isinstance(given, str):
        if given == "same" and max(strides) > 1:
            raise ConversionError("its padding is 'same' with a stride, which torch has not")
        if given not in ("same", "valid"):
            raise ConversionError(f"its padding is {given!r}: give numbers, 'same' or 'valid'")
        total = [(side - 1) * (given == "same") for side in reach]
        return tuple(each // 2 for each in total), tuple(each - each // 2 for each in total)
    values = np.ravel(given)
    values = np.broadcast_to(values, len(reach)) if values.size in (1, len(reach)) else values
    whole = values.size == len(reach) and (values == np.rint(values)).all()
    if not whole or (values < 0).any() or (values > 1 << 16).any():
        raise ConversionError(f"its padding is {values}: give a whole number from 0 for each axis")
    both = tuple(int(value) for value in values)
    return both, both


def _sizes(wide, reach, strides, before, behind):
    sizes = [
        (n + front + back - side) // step + 1
        for n, side, step, front, back in zip(wide, reach, strides, before, behind)
    ]
    if min(sizes) < 1:
        raise ConversionError(f"windows of {tuple(reach)} do not fit into {tuple(wide)}")
    return sizes


#: How each linear node is read: ``read(node, shape, order)``.
LINEAR: dict[str, Callable[[Node, tuple[int, ...], np.ndarray], Linear]] = {
    "Affine": _affine,
    "Linear": _affine,
    "Scale": _scale,
    "Conv1d": functools.partial(_convolution, n_axes=1),
    "Conv2d": functools.partial(_convolution, n_axes=2),
    "SumPool2d": functools.partial(_pooling, mean=False),
    "AvgPool2d": functools.partial(_pooling, mean=True),
    "Flatten": _flatten,
    "Identity": _same,
    "Output": _same,
}
