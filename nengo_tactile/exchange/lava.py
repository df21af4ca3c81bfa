"""Networks in lava-dl's exchange file, with Loihi's integers.

Read from lava-dl (tests/lava/lib/dl/netx, archived in 2026) and held to what Lava computed of its
files: at each step ``u = u (4096 - iDecay) / 4096 + 2**(6 + wgtExp) W s``, and
``v = v (4096 - vDecay) / 4096 + u + 64 bias``, both rounded towards zero where they decay; a spike
where ``v > 64 vThMant``, which sets ``v`` to zero. Lava's layers each lag a step, ours do not.
"""

import math
from pathlib import Path

import numpy as np

from nengo_tactile.arguments import positive
from nengo_tactile.doors import hdf5
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import ConversionError, ModelFileError
from nengo_tactile.events.spikes import SpikeLayout
from nengo_tactile.exchange.nir_files import Node
from nengo_tactile.exchange.nir_maps import LINEAR, channels_last, order_of
from nengo_tactile.networks.linear_maps import Sparse
from nengo_tactile.networks.neurons import IntegrateFire, Sum
from nengo_tactile.networks.stages import Graph, Link, Stage
from nengo_tactile.networks.stepped import SteppedNetwork

DOOR = Door(ModelFileError, "export the network again")
#: Decays are shares of it, weights and thresholds multiples of the other.
_SHARE, _UNIT = 4096, 64
#: Threshold of neurons that never fire: their potential is the output.
_NEVER = 131_071
_NEURONS = ("LOIHI", "CUBA")
#: Steps of a sample, where neither file nor caller says.
_STEPS = 100


def from_lava(
    file: str | Path,
    reads: str = "spikes",
    n_steps: int | None = None,
    dt: float = 0.001,
    classes: tuple[str, ...] = (),
) -> SteppedNetwork:
    """Read a network of lava-dl (SLAYER 2.0) from its exchange file.

    Parameters
    ----------
    file : path
        ``network.net``, HDF5.
    reads : {"spikes", "image"}
        Whether samples are the spikes of its input layer, or values that its input layer makes
        spikes of: ``weight * x + bias`` at each step. Files without such a layer read spikes.
    n_steps : int, optional
        Steps of a sample; by default the file's.
    dt : float
        Seconds of a step.
    classes : tuple of str, optional

    Returns
    -------
    SteppedNetwork
        In whole numbers, with channels last: (y, x, features) of Lava's x, y, features.

    Raises
    ------
    ModelFileError
        If the file is damaged, and for layers and neurons that no engine has, by name.
    ConversionError
        For another ``reads``.
    """
    if reads not in ("spikes", "image"):
        raise ConversionError(f"reads is {reads!r}: choose 'spikes' or 'image'")
    dt = positive("dt", dt, "the length of a step in seconds", ConversionError)
    with hdf5.opened(file, DOOR) as root:
        layers = root.group("layer")
        if layers is None or not layers.names():
            raise DOOR.refusal(file, "holds no layers of lava-dl under 'layer'")
        numbers = sorted(layers.names(), key=lambda name: (len(name), name))
        with DOOR.guarded(file, "is no network that can be run"):
            graph = _graph([(name, layers.group(name)) for name in numbers], reads == "image")
            if n_steps is None:
                told = root.group("simulation")
                n_steps = _STEPS
                if told is not None and told.holds("tSample"):
                    n_steps = int(told.numbers("tSample"))
            shape = graph.input_shape
            size = (shape[1], shape[0], shape[2]) if len(shape) == 3 else (math.prod(shape), 1, 1)
            layout = SpikeLayout(size, dt * 1e6, n_steps, shape=shape)
            card = {"summary": "Read from a file of lava-dl.", "file": Path(file).name}
            return SteppedNetwork(graph, layout, tuple(classes), card)


def _graph(layers, image):
    """Stages of layers, of the input layer only where values arrive."""
    stages, source = [], "input"
    first, group = layers[0]
    if _kind(first, group) == "input":
        shape = tuple(int(size) for size in group.numbers("shape"))
        layers = layers[1:]
        order, input_shape = order_of(shape), channels_last(shape)
        if image:
            stages.append(_input_stage(group, shape))
            source = "spikes"
    else:
        shape = (int(group.numbers("inFeatures")),)
        order, input_shape = order_of(shape), shape
    for name, group in layers:
        kind = _kind(name, group)
        if kind == "flatten":
            shape = (math.prod(shape),)
            continue
        if kind not in ("dense", "conv"):
            raise ConversionError(
                f"layer {name} is of type {kind!r}: read are input, dense, conv and flatten"
            )
        try:
            stage, shape, order = _stage(name, kind, group, source, shape, order)
        except ConversionError as error:
            raise ConversionError(f"layer {name} ({kind}): {error}") from error
        stages.append(stage)
        source = stage.name
    if not stages:
        raise ConversionError("has an input layer alone: export the whole network")
    last = stages[-1]
    if last.neuron.threshold > _UNIT * _NEVER and not last.neuron.voltage_decay:
        stages[-1] = Stage(last.name, last.shape, Sum(0.0), last.links, last.bias, layer=last.layer)
    return Graph(input_shape, stages)


def _kind(name, group):
    if group is None:
        raise ConversionError(f"layer {name} holds no values of its own")
    return group.text("type")


def _input_stage(group, shape):
    """Neurons that get ``weight * x + bias`` at each step."""
    weight, bias = (float(np.ravel(group.numbers(name))[0]) for name in ("weight", "bias"))
    n = math.prod(shape)
    link = Link("input", Sparse.routing(None, n, _UNIT * weight))
    bias = np.full(n, _UNIT * bias)
    return Stage("spikes", channels_last(shape), _neuron(group.group("neuron")), [link], bias)


def _neuron(group):
    """Neurons in whole numbers."""
    kind = group.text("type")
    if kind not in _NEURONS:
        raise ConversionError(f"its neurons are {kind}: read are {', '.join(_NEURONS)}")

    def number(name, default=None):
        if default is not None and not group.holds(name):
            return default
        return int(np.ravel(group.numbers(name))[0])

    if number("refDelay", 1) != 1:
        raise ConversionError(
            f"its neurons rest for {number('refDelay')} steps after a spike, which no engine has: "
            "train it with a refractory delay of 1"
        )
    if number("gradedSpike", 0):
        raise ConversionError("its spikes are graded, which no engine has: train it without")
    return IntegrateFire(
        number("iDecay") / _SHARE,
        number("vDecay") / _SHARE,
        # whole numbers above it
        threshold=_UNIT * number("vThMant") + 1,
        reset="zero",
        whole=True,
    )


def _stage(name, kind, group, source, shape, order):
    """A layer with weights; returns its stage, shape and order of its neurons."""
    told = group.group("neuron")
    neuron = _neuron(told)
    exponent = int(np.ravel(told.numbers("wgtExp"))[0]) if told.holds("wgtExp") else 0
    weight = np.asarray(group.numbers("weight"), float)
    values = {}
    if kind == "conv":
        weight = weight[..., 0] if weight.ndim == 5 else weight  # of one step
        values = {
            key: group.numbers(key)
            for key in ("stride", "padding", "dilation", "groups")
            if group.holds(key)
        }
    elif weight.ndim == 1:
        weight = weight[None]
    elif weight.ndim > 2:
        weight = weight.reshape(weight.shape[:2])
    if kind == "dense" and len(shape) > 1:
        shape = (math.prod(shape),)
    node = Node(kind, {**values, "weight": weight * 2.0 ** (6 + exponent)})
    found = LINEAR["Conv2d" if kind == "conv" else "Affine"](node, shape, order)
    bias = np.zeros(1)
    if group.holds("bias"):
        bias = _UNIT * np.ravel(group.numbers("bias")).astype(float)
    if bias.any() and neuron.current_decay < 1:
        raise ConversionError(
            "its neurons have biases and a current that decays, through which they would go here: "
            "train it without biases, or with an iDecay of 4096"
        )
    n, channels = len(found.order), found.shape[0]
    if bias.size not in (1, channels, n):
        raise ConversionError(f"its bias has {bias.size} values for {channels} features")
    if bias.size in (1, channels):  # channels are last
        bias = np.tile(bias, n // bias.size)
    axon = None
    if group.holds("delay"):
        delay = np.rint(np.ravel(group.numbers("delay"))).astype(np.int64)
        axon = np.tile(delay, n // delay.size)
    size = channels_last(found.shape)
    links = [Link(source, found.map)]
    stage = Stage(f"layer{name}", size, neuron, links, bias, axon=axon, layer=f"layer{name}")
    return stage, found.shape, found.order


__all__ = ["from_lava"]
