"""A trained SLAYER network as plain arrays: what engines, files and the chip read."""

import dataclasses
import functools
import itertools

import numpy as np

from nengo_tactile.errors import ConversionError
from nengo_tactile.networks.linear_maps import Convolution, Pooling, same_padding

KINDS = ("dense", "conv", "pool")
PADDINGS = ("valid", "same")


@dataclasses.dataclass(frozen=True, eq=False)
class Stage:
    """One layer of spiking neurons and the connection into it.

    Attributes
    ----------
    name : str
    kind : {"dense", "conv", "pool"}
    weights : float32 array
        "dense": (n_inputs, n_neurons), inputs in the order of Keras's Flatten. "conv":
        (height, width, channels, filters). "pool": (), one weight for all pixels of a window.
    input_shape, shape : tuple of int
        Of the inputs and of the neurons, without samples and steps.
    neuron : SpikeResponseModel or CurrentBasedLIF
    stride : int
        Of "conv" and "pool"; a pooling window has this side too.
    padding : {"valid", "same"}
        Of "conv", as in Keras. A pooling leaves pixels out that do not fill a window.
    delays : (n_neurons,) int array or None
        Steps that spikes spend on each neuron's axon.
    recurrent : (n_neurons, n_neurons) float32 array or None
        Weights from the spikes of a step, after their delay, to the current of the next one; as
        of "dense", from rows to columns.
    """

    name: str
    kind: str
    weights: np.ndarray
    input_shape: tuple
    shape: tuple
    neuron: object
    stride: int = 1
    padding: str = "valid"
    delays: np.ndarray | None = None
    recurrent: np.ndarray | None = None

    @property
    def n_neurons(self) -> int:
        """Neurons of the stage."""
        return int(np.prod(self.shape))

    @functools.cached_property
    def map(self) -> Convolution:
        """What the connection into it computes, `nengo_tactile.networks.linear_maps.Map`."""
        weights = np.asarray(self.weights)
        if self.kind == "dense":
            return Convolution.matrix_of(weights)
        if self.kind == "pool":
            return Pooling.of(weights, self.stride, self.input_shape, self.shape)
        strides, padding = (self.stride,) * 2, ()
        if self.padding == "same":
            padding = same_padding(self.input_shape, self.shape, weights.shape[:2], strides)
        return Convolution(weights, self.input_shape, self.shape, strides, padding)


def check(stages):
    """Refuse what is not a network.

    Parameters
    ----------
    stages : sequence of Stage

    Raises
    ------
    ConversionError
        Naming the stage, what it has and what it should have.
    """
    if not len(stages):
        raise ConversionError("the network has no stages: give at least one")
    names = [stage.name for stage in stages]
    if len(set(names)) < len(names) or "input" in names:
        raise ConversionError(f"stages are named {names}: give each its own name, none 'input'")
    for stage in stages:
        _check_one(stage)
    for before, stage in itertools.pairwise(stages):
        n_inputs = int(np.prod(stage.input_shape))
        fits = before.n_neurons == n_inputs
        if stage.kind != "dense":
            fits = tuple(before.shape) == tuple(stage.input_shape)
        if not fits:
            raise ConversionError(
                f"stage {stage.name!r} reads inputs of shape {stage.input_shape}, but "
                f"{before.name!r} before it has neurons of shape {before.shape}: make them equal"
            )


def _check_one(stage):
    def refuse(what):
        raise ConversionError(f"stage {stage.name!r}: {what}")

    if stage.kind not in KINDS:
        refuse(f"its kind is {stage.kind!r}: choose one of {', '.join(KINDS)}")
    if stage.padding not in PADDINGS:
        refuse(f"its padding is {stage.padding!r}: choose one of {', '.join(PADDINGS)}")
    if int(stage.stride) != stage.stride or stage.stride < 1:
        refuse(f"its stride is {stage.stride}: give a whole number from 1")
    n, weights = stage.n_neurons, np.asarray(stage.weights)
    expected = {"dense": (int(np.prod(stage.input_shape)), n), "pool": ()}.get(stage.kind)
    if stage.kind == "conv":
        expected = (*weights.shape[:2], stage.input_shape[-1], stage.shape[-1])
    if weights.shape != expected or 0 in weights.shape:
        refuse(f"its weights have shape {weights.shape}: a {stage.kind} stage needs {expected}")
    wanted = stage.shape if stage.kind == "dense" else _map_shape(stage)
    if tuple(stage.shape) != wanted:
        refuse(f"its neurons have shape {stage.shape}: its inputs and weights make {wanted}")
    arrays = {"weights": (weights, weights.shape)}
    if stage.recurrent is not None:
        arrays["recurrent"] = (np.asarray(stage.recurrent), (n, n))
    if stage.delays is not None:
        delays = np.asarray(stage.delays)
        arrays["delays"] = (delays, (n,))
        if delays.dtype.kind not in "iu" or (delays.size and delays.min() < 0):
            refuse(f"its delays are {delays.dtype} from {delays.min()}: give integers from 0")
    for name, (values, shape) in arrays.items():
        if values.shape != shape:
            refuse(f"its {name} have shape {values.shape}: give {shape}")
        if not np.isfinite(values).all():
            refuse(f"its {name} are not finite: train it with a lower learning rate")


def _map_shape(stage):
    """Shape of the neurons of a "conv" or "pool" stage."""
    if len(stage.input_shape) != 3:
        raise ConversionError(
            f"stage {stage.name!r}: its inputs have shape {stage.input_shape}: a {stage.kind} "
            "stage reads (height, width, channels)"
        )
    sizes, stride = stage.input_shape[:2], stage.stride
    if stage.kind == "pool":
        return (*(size // stride for size in sizes), stage.input_shape[2])
    sides, filters = stage.weights.shape[:2], stage.weights.shape[3]
    if stage.padding == "same":
        return (*(-(-size // stride) for size in sizes), filters)
    return (*((size - side) // stride + 1 for size, side in zip(sizes, sides)), filters)
