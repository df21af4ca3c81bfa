"""Networks as NIR graphs: stages as nodes with a state, links as linear nodes."""

import math

import numpy as np

from nengo_tactile.errors import ConversionError
from nengo_tactile.exchange.nir_files import NirGraph, Node
from nengo_tactile.exchange.nir_maps import channels_last, order_of
from nengo_tactile.exchange.profiles import Profile
from nengo_tactile.networks.linear_maps import Convolution
from nengo_tactile.networks.neurons import IntegrateFire, Sum
from nengo_tactile.networks.stages import Graph

#: The decay of neurons that do not leak, where a simulator has none without: of a million steps
#: it takes a thousandth.
_STILL = 1e-9
#: Weights of a matrix at most that stands for another map.
_LARGEST = 1 << 26


def nir_of(graph: Graph, profile: Profile, dt: float) -> NirGraph:
    """A graph in NIR's terms.

    Parameters
    ----------
    graph : Graph
    profile : Profile
        Of who shall read it.
    dt : float
        Seconds of a step.

    Returns
    -------
    NirGraph

    Raises
    ------
    ConversionError
        For what NIR or the reader has not, by name and with the remedy.
    """
    return _Nodes(graph, profile, profile.dt if profile.fixed_dt else dt).nir()


class _Nodes:
    """Makes nodes of stages."""

    def __init__(self, graph, profile, dt):
        self.graph, self.profile, self.dt = graph, profile, dt
        self.nodes: dict[str, Node] = {}
        self.edges: list[tuple[str, str]] = []
        shape = (graph.input_shape[-1], *graph.input_shape[:-1])
        # of the input and each stage: NIR's shape, and the nodes whose sum it sends
        self.shapes = {"input": shape}
        self.sent, self.there = {"input": ["input"]}, {"input"}
        self.names = names_of(graph)
        for stage in graph:
            if stage.fires:
                self.sent[stage.name] = [self.names[stage.name]]

    def nir(self):
        self.nodes["input"] = Node("Input", {"shape": np.array(self.shapes["input"])})
        for stage in self.graph:
            self._check(stage)
            self._stage(stage)
            self.there.add(stage.name)
        last = self.graph.stages[-1].name
        self.nodes["output"] = Node("Output", {"shape": np.array(self.shapes[last])})
        self.edges += [(name, "output") for name in self.sent[last]]
        missing = {node.kind for node in self.nodes.values()} - set(self.profile.nodes)
        if missing:
            name = next(n for n, node in self.nodes.items() if node.kind in missing)
            raise ConversionError(
                f"node {name!r} is a {self.nodes[name].kind}, which {self.profile.version} does "
                f"not read: {_REMEDIES.get(self.nodes[name].kind, _OTHER)}"
            )
        return NirGraph(self.nodes, self.edges)

    def _check(self, stage):
        def refuse(what, remedy):
            raise ConversionError(f"stage {stage.name!r}: {what}, which NIR has not: {remedy}")

        neuron = stage.neuron
        if not isinstance(neuron, IntegrateFire | Sum):
            refuse(f"its neurons are {type(neuron).__name__}", _NEURONS)
        if stage.fires and (neuron.signed or neuron.negative_slope):
            refuse("its spikes are taken back", "convert with nt.IF(signed=False)")
        if stage.fires and neuron.spikes_per_step not in (1, self.profile.spikes_per_step):
            refuse(f"it sends up to {neuron.spikes_per_step} spikes a step", "convert with 1")
        if stage.fires and neuron.whole:
            refuse("its states are whole numbers", "give a network that was not read from Lava")
        if len(stage.step_bias):
            refuse("it has currents of its own at the first steps", "convert without corrections")
        for link in stage.links:
            if link.low_pass is not None:
                refuse("a low-pass filters what arrives", "convert with synapse=None")
            if link.target is not None:
                refuse("a link reaches a part of it", "convert a model without concatenations")

    def _stage(self, stage):
        name, links = self.names[stage.name], stage.links
        weighted = [not _is_copy(link.map) for link in links]
        carrier = weighted.index(True) if any(weighted) else None
        if stage.bias.any() and carrier is None:
            raise ConversionError(
                f"stage {stage.name!r}: has a bias, and no weights that could carry it"
            )
        shapes, parts = [], []
        for number, link in enumerate(links):
            if link.source not in self.shapes:  # a loop: of its own shape
                self.shapes[link.source] = self._shape_of(self.graph, link.source)
            bias = stage.bias if number == carrier and stage.bias.any() else None
            label = f"{name}_in" if len(links) == 1 else f"{name}_in{number}"
            part, shape = self._link(link, label, bias, stage)
            parts += part
            shapes.append(shape)
        if any(shape != shapes[0] for shape in shapes):
            raise ConversionError(
                f"stage {stage.name!r}: its links bring shapes {shapes}: give them one shape"
            )
        self.shapes[stage.name] = shapes[0]
        if stage.neuron == Sum():
            self.sent[stage.name] = parts
        else:
            self.nodes[name] = self._node(stage, shapes[0])
            self.edges += [(part, name) for part in parts]
            self.sent[stage.name] = [name]
        if stage.axon is not None and stage.axon.any():
            order = order_of(shapes[0])
            steps = np.empty(len(order))
            steps[order] = stage.axon
            self._add(
                f"{name}_axons",
                "Delay",
                self.sent[stage.name],
                delay=steps.reshape(shapes[0]) * self.dt,
            )
            self.sent[stage.name] = [f"{name}_axons"]

    def _shape_of(self, graph, name):
        shape = next(stage.shape for stage in graph if stage.name == name)
        return (shape[-1], *shape[:-1])

    def _add(self, name, kind, sources, **values):
        self.nodes[name] = Node(kind, values)
        self.edges += [(source, name) for source in sources]

    # -- links ---------------------------------------------------------------------------------

    def _link(self, link, name, bias, stage):
        """Nodes that bring what a link does, and NIR's shape of it."""
        sources, shape = self.sent[link.source], self.shapes[link.source]
        steps = link.delay - (link.source not in self.there)  # a loop takes a step by itself
        if steps:
            late = f"{name}_delay"
            self._add(late, "Delay", sources, delay=np.full(shape, steps * self.dt))
            sources = [late]
        if _is_copy(link.map):
            return sources, shape
        if link.map.n_axes:
            return self._convolution(link.map, name, bias, sources, shape, stage)
        if link.map.diagonal is not None:
            return self._diagonal(link.map.diagonal, name, bias, sources, shape, stage)
        if link.map.sparse or not link.map.dense:
            if link.map.n_in * link.map.n_out > _LARGEST:
                raise ConversionError(
                    f"stage {stage.name!r}: its map from {link.source!r} is no convolution, and as "
                    f"a matrix too large ({link.map.n_in} x {link.map.n_out})"
                )
            matrix = link.map.matrix().toarray().T
        else:
            matrix = link.map.kernel
        return self._dense(np.asarray(matrix, np.float32), name, bias, sources, shape, stage)

    def _dense(self, matrix, name, bias, sources, shape, stage):
        n_out = matrix.shape[1]
        if len(stage.shape) > 1 and math.prod(stage.shape[:-1]) > 1:
            raise ConversionError(
                f"stage {stage.name!r}: a matrix leads into neurons of shape {stage.shape}, which "
                "NIR's Affine has not: give neurons in a row"
            )
        bias = np.zeros(n_out, np.float32) if bias is None else bias
        if len(shape) > 1 and not self.profile.flattens:
            if len(shape) != 3:
                raise ConversionError(f"stage {stage.name!r}: reads shape {shape}: give an image")
            kernel = matrix.reshape(*shape[1:], shape[0], n_out)
            steps = (max(shape[1:]),) * 2
            linear = Convolution(kernel, channels_last(shape), (1, 1, n_out), steps)
            return self._convolution(linear, name, bias, sources, shape, stage)
        if len(shape) > 1:
            flat = f"{name}_flat"
            self._add(flat, "Flatten", sources, input_type=np.array(shape), start_dim=0, end_dim=-1)
            columns = np.empty_like(matrix)
            columns[order_of(shape)] = matrix
            sources, matrix = [flat], columns
        self._add(name, "Affine", sources, weight=np.ascontiguousarray(matrix.T), bias=bias)
        return [name], (n_out,)

    def _conv2d(self, name, sources, shape, weight, bias, stride=(1, 1), padding=(0, 0)):
        self._add(
            name, "Conv2d", sources, input_shape=np.array(shape[1:]),
            weight=np.ascontiguousarray(weight, np.float32), stride=np.array(stride),
            padding=np.array(padding), dilation=np.array([1, 1]), groups=1,
            bias=np.asarray(bias, np.float32),
        )  # fmt: skip

    def _diagonal(self, weights, name, bias, sources, shape, stage):
        if len(shape) == 1:
            return self._dense(np.diag(np.float32(weights)), name, bias, sources, shape, stage)
        channels = shape[0]
        if not (weights.reshape(-1, channels) == weights[:channels]).all() or len(shape) != 3:
            raise ConversionError(
                f"stage {stage.name!r}: each of its inputs has a weight of its own: give one for "
                "each channel"
            )
        linear = Convolution(
            np.float32(weights[:channels])[None, None, None],
            *(channels_last(shape),) * 2,
            groups=channels,
        )
        return self._convolution(linear, name, bias, sources, shape, stage)

    def _convolution(self, linear, name, bias, sources, shape, stage):
        if linear.transposed:
            raise ConversionError(
                f"stage {stage.name!r}: a transposed convolution leads into it, which NIR has not: "
                "use UpSampling and a convolution"
            )
        if linear.groups > 1:  # of which the nir package tells wrong shapes
            linear = linear.plain()
        dilation = linear.dilation
        kernel, padding = _symmetric(linear, stage.name)
        filters = linear.output_shape[-1]
        per_channel = np.zeros(filters, np.float32)
        if bias is not None:
            per_channel = bias.reshape(-1, filters)[0]
            if not (bias.reshape(-1, filters) == per_channel).all():
                raise ConversionError(
                    f"stage {stage.name!r}: its bias differs from place to place, and NIR's "
                    "convolutions have one for each channel: convert a model without constants "
                    "before padded convolutions"
                )
        out = (filters, *linear.output_shape[:-1])
        weight = np.moveaxis(kernel, (-1, -2), (0, 1))
        if linear.n_axes == 1:
            self._add(
                name, "Conv1d", sources, input_shape=shape[1], weight=weight,
                stride=linear.strides[0], padding=padding[0], dilation=dilation[0],
                groups=1, bias=per_channel,
            )  # fmt: skip
        else:
            self._conv2d(name, sources, shape, weight, per_channel, linear.strides, padding)
            self.nodes[name].values["dilation"] = np.array(dilation)
        return [name], out

    # -- neurons -------------------------------------------------------------------------------

    def _node(self, stage, shape):
        def each(value):
            return np.full(shape, value, np.float64)

        neuron, unit = stage.neuron, each(1.0)
        if neuron.kind == Sum.kind:
            if neuron.decay == 0:
                return Node("I", {"r": each(1 / self.dt if self.profile.follows_r else 1.0)})
            gain = 1.0 if self.profile.unit_input else 1 / neuron.decay
            tau = each(self.profile.tau(neuron.decay, self.dt))
            return Node("LI", {"tau": tau, "r": each(gain), "v_leak": 0 * unit})
        threshold = np.float32(neuron.threshold)
        if self.profile.strict:  # above it, and so at ours
            threshold = np.nextafter(threshold, np.float32(-np.inf))
        # v_reset is 0, which nir 1.0.4 (sinabs wants it) has no field for
        common = {"v_threshold": each(threshold)}
        currents, leak = neuron.current_decay, neuron.voltage_decay
        kinds, name = self.profile.nodes, self.profile.name
        subtracts = neuron.reset == "subtract"
        cuba = currents < 1 or (name == "norse" and (leak or subtracts))
        if not cuba and not leak and name != "snntorch":
            r = 1 / self.dt if self.profile.follows_r else 1.0
            return Node("IF", {"r": each(r), **common})
        leak = leak or _STILL
        r = each(1.0 if self.profile.unit_input else 1 / leak)
        common |= {"v_leak": 0 * unit, "r": r}
        tau = each(self.profile.tau(leak, self.dt))
        if not cuba:
            return Node("LIF", {"tau": tau, **common})
        if "CubaLIF" not in kinds:
            raise ConversionError(
                f"stage {stage.name!r}: its neurons have a leaky current, which "
                f"{self.profile.version} does not read: choose another profile"
            )
        kept = min(currents, 1 - 1e-12) if not self.profile.euler else currents
        tau_syn = each(self.profile.tau(kept, self.dt))
        return Node(
            "CubaLIF", {"tau_syn": tau_syn, "tau_mem": tau, "w_in": each(1 / currents), **common}
        )


_NEURONS = "convert with nt.IF(), or train with nt.slayer.CurrentBasedLIF()"
_OTHER = "choose another profile, or a model without it"
_REMEDIES = {"Delay": "train with max_delay=0, or use profile='portable'"}


def names_of(graph: Graph) -> dict[str, str]:
    """Stages' names as HDF5 and simulators take them, whose modules have no dots in theirs."""
    names: dict[str, str] = {}
    for stage in graph:
        plain = stage.name.replace("/", "_").replace(".", "_")
        while plain in ("input", "output", *names.values()):
            plain += "_"
        names[stage.name] = plain
    return names


def _is_copy(linear):
    """Whether a map passes on what it gets as it is."""
    return (
        linear.diagonal is not None and not linear.weighted and bool((linear.diagonal == 1).all())
    )


def _symmetric(linear, name):
    """A kernel with zeros around it so that padding is the same on both sides; and that padding.

    Its sides are equal, for the nir package takes the first for all.
    """
    largest = max(linear.sides)
    axes = range(linear.n_axes)
    for side in range(largest, 2 * largest + max(linear.strides) + 1):
        fronts = [_front(linear, axis, side) for axis in axes]
        if None not in fronts:
            break
    else:
        raise ConversionError(
            f"stage {name!r}: its convolution pads {linear.padding} in front for outputs of "
            f"{linear.output_shape[:-1]}, which no symmetric padding gives: use padding 'valid' or "
            "'same'"
        )
    room = [(front, side - each - front) for front, each in zip(fronts, linear.sides)]
    kernel = np.pad(linear.kernel, [*room, (0, 0), (0, 0)])
    padding = tuple(
        before + front * step
        for before, front, step in zip(linear.padding, fronts, linear.dilation)
    )
    return kernel, padding


def _front(linear, axis, side):
    """Zeros in front of a kernel of so many places with which both sides may be padded alike."""
    reach = (side - 1) * linear.dilation[axis] + 1
    for front in range(side - linear.sides[axis] + 1):
        padded = 2 * (linear.padding[axis] + front * linear.dilation[axis])
        outputs = (linear.input_shape[axis] + padded - reach) // linear.strides[axis] + 1
        if outputs == linear.output_shape[axis]:
            return front
    return None


__all__ = ["names_of", "nir_of"]
