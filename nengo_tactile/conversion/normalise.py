"""Percentile and shortcut normalisation: every activation in units of its own scale.

Spiking ResNet paper, section 3.1 (weights times input scale over output scale, biases over output
scale) and section 3.2, equations 3-5 (shortcuts times input scale over output scale), for any
directed acyclic graph. A unit is an array of the shape of a sample: the value that counts as 1.
Two walks: against the flow, which unit each tensor is wanted in; with the flow, what it gets.
"""

import numpy as np

from nengo_tactile.conversion import support
from nengo_tactile.conversion.rescaling import per_channel, rescale, rescaled_weights
from nengo_tactile.conversion.simplify import WEIGHTED
from nengo_tactile.errors import ConversionError

_SUMS = ("Add", "Subtract", "Average")
_RESHAPING = ("Flatten", "Reshape", "Permute")
#: Layers that mix values of one channel only.
_WITHIN_CHANNELS = tuple(
    f"{kind}{n}D"
    for kind in (
        *("MaxPooling", "AveragePooling", "GlobalMaxPooling", "GlobalAveragePooling"),
        *("ZeroPadding", "Cropping", "UpSampling"),
    )
    for n in (1, 2)
)
_UNCHANGED = ("InputLayer", "Rescaling", *support.INACTIVE)


def normalise(layers, scales, shortcut_normalisation=True):
    """Divide every activation by its scale; the model's output stays the same.

    Layers with weights take their scales in. Where branches of an Add (Subtract, Average) come in
    different units, and the layer with weights before cannot take the factor in because others
    read it too or because there is none, a `DepthwiseConv2D` of 1 x 1 without bias named
    ``<add>_shortcut`` (``<add>_shortcut2``, ...) multiplies the branch by input scale over output
    scale (paper, equation 5); between two Reshapes where the tensor is no map. The same layer,
    named ``<layer>_scale``, brings a tensor into the unit its reader needs where no layer with
    weights can, which chains and residual networks have no need of.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        From `simplify` and `fold_batch_norm`: ``Activation("relu")``, ReLU (``max_value``),
        LeakyReLU and ClipFloor as layers of their own; all else linear, or max pooling.
    scales : dict of str to float or (channels,) array
        For each activation layer, from `activation_scales`.
    shortcut_normalisation : bool
        False is the paper's SNN-alpha (Table 2): the stacked layers are normalised, shortcuts are
        left as they were trained. An identity gets no factor; the weights of a projection stay,
        only its bias, a constant current, is brought to the unit of the output. The model then
        computes another function. A branch is a shortcut when every activation that feeds it
        also feeds another branch through further activations or, where the branch itself has no
        weights, through weights.

    Returns
    -------
    Layers
        The output of each activation layer is the original's over its scale; the model's output
        is the original's. A clipped ReLU's ``max_value`` and ClipFloor's ceiling are divided too.

    Raises
    ------
    ConversionError
        For scales that are missing, not above zero or of the wrong shape, layers that scales
        cannot pass, and an Add whose branches cannot have one unit, naming layer and values.
    """
    graph = _Graph(layers)
    units = _activation_units(graph, scales)
    wishes = _wishes(graph, units, _natural_units(graph, units))
    kept = set() if shortcut_normalisation else graph.shortcuts()
    return _Builder(graph, units, wishes, kept).build()


def is_activation(layer):
    """Whether a layer becomes neurons."""
    return layer.kind in ("ReLU", "LeakyReLU", "ClipFloor") or (
        layer.kind == "Activation" and support.activation_name(layer) == "relu"
    )


def _role(layer):
    """How units pass a layer."""
    kind = layer.kind
    activation = support.activation_name(layer)
    if is_activation(layer):
        threshold = layer.config.get("threshold")
        if threshold:
            raise ConversionError(
                f"{layer.label}: threshold is {threshold}: move it into the bias of the layer "
                "before"
            )
        return "activation"
    if kind in WEIGHTED and activation in (None, "linear"):
        return "weighted"
    if kind in _UNCHANGED or support.is_linear_activation(layer):
        return "unchanged"
    for role, kinds in {
        "sum": _SUMS,
        "reshaping": _RESHAPING,
        "within channels": _WITHIN_CHANNELS,
        "concatenation": ("Concatenate",),
    }.items():
        if kind in kinds:
            return role
    raise ConversionError(
        f"{layer.label}: scales cannot pass it; give every activation a layer of its own "
        "(simplify), fold batch normalisation (fold_batch_norm), and use layers that are linear, "
        "max pooling or ReLUs"
    )


class _Graph:
    """Who reads what: dicts by layer name, in the order of computation."""

    def __init__(self, layers):
        self.layers = layers
        self.sources = {layer.name: layer.sources for layer in layers}
        self.shapes = {layer.name: layer.shape for layer in layers}
        self.roles = {layer.name: _role(layer) for layer in layers}
        self.readers = {name: [] for name in self.sources}
        for name, sources in self.sources.items():
            for index, source in enumerate(sources):
                self.readers[source].append((name, index))

    def shortcuts(self):
        """Branches (add, index) that are shortcuts, and the layers with weights on them."""
        upstream, feeders = {}, {}  # activations before an activation; those that feed a tensor
        weighted = {}  # whether there are weights between a tensor and these
        for name, sources in self.sources.items():
            before = set().union(*(feeders[source] for source in sources))
            weighted[name] = self.roles[name] == "weighted" or any(weighted[s] for s in sources)
            if self.roles[name] == "activation" or not sources:
                upstream[name] = before.union(*(upstream[feeder] for feeder in before))
                before, weighted[name] = {name}, False
            feeders[name] = before
        kept = set()
        for name, sources in self.sources.items():
            if self.roles[name] != "sum":
                continue
            further = []  # what a shortcut beside each branch would read
            for source in sources:
                skipped = set().union(*(upstream[feeder] for feeder in feeders[source]))
                further.append(
                    (skipped, skipped | feeders[source] if weighted[source] else skipped)
                )
            for index, source in enumerate(sources):
                others = further[:index] + further[index + 1 :]
                if any(feeders[source] <= other[not weighted[source]] for other in others):
                    kept.add((name, index))
                    while self.roles[source] != "activation" and len(self.readers[source]) == 1:
                        kept.add(source)
                        if len(self.sources[source]) != 1:
                            break
                        source = self.sources[source][0]
        return kept


def _activation_units(graph, scales):
    """{activation layer: unit of its output} from checked scales."""
    names = [name for name, role in graph.roles.items() if role == "activation"]
    for name in scales:
        if name not in names:
            raise ConversionError(
                f"scales: '{name}' is no activation layer; the model's are {', '.join(names)}"
            )
    units = {}
    for name in names:
        layer, shape = graph.layers[name], graph.shapes[name]
        if name not in scales:
            raise ConversionError(f"{layer.label}: no scale given; see activation_scales")
        scale = np.asarray(scales[name], np.float32)
        if scale.shape not in ((), shape[-1:]):
            raise ConversionError(
                f"{layer.label}: its scale has shape {scale.shape}; give one number, or one "
                f"for each of the {shape[-1]} channels"
            )
        bad = scale[~(np.isfinite(scale) & (scale > 0))]
        if bad.size:
            raise ConversionError(
                f"{layer.label}: its scale is {bad[0]}; it must be finite and above zero, so "
                "calibrate with data that excite the layer"
            )
        clipped = layer.kind == "ClipFloor" or layer.config.get("max_value")
        if clipped and np.ptp(scale):
            raise ConversionError(
                f"{layer.label}: its channels have scales from {scale.min()} to {scale.max()}, "
                "but one ceiling: give it one scale"
            )
        units[name] = np.broadcast_to(scale, shape)
    return units


def _spread(unit, shape):
    """A unit per channel on another map with the same channels; None if it is not per channel."""
    channels = None if unit is None else per_channel(unit)
    return None if channels is None else np.broadcast_to(channels, shape)


def _natural_units(graph, units):
    """Units that tensors have without being asked; None behind weights, which can give any."""
    natural = {}
    for name, sources in graph.sources.items():
        role, shape = graph.roles[name], graph.shapes[name]
        given = [natural[source] for source in sources]
        if not sources:
            natural[name] = np.ones(shape, np.float32)
        elif role == "activation":
            natural[name] = units[name]
        elif role == "weighted" or (role == "concatenation" and any(u is None for u in given)):
            natural[name] = None
        elif role == "sum":
            fit = [u for u in given if u is not None and u.shape == shape]
            natural[name] = fit[0] if fit else None
        elif given[0] is None or role == "unchanged":
            natural[name] = given[0]
        else:
            natural[name] = _passed(graph, name, given)
    return natural


def _passed(graph, name, given):
    """Unit of a layer without weights, from those of its inputs (ones where it has none)."""
    layer, role, shape = graph.layers[name], graph.roles[name], graph.shapes[name]
    if role == "concatenation":
        return np.concatenate(given, _axis(layer))
    if role == "reshaping":
        if layer.kind == "Permute":
            return given[0].transpose([d - 1 for d in layer.config["dims"]])
        return given[0].reshape(shape)
    if role == "within channels":
        unit = _spread(given[0], shape)
        return np.ones(shape, np.float32) if unit is None else unit
    return given[0]


def _axis(layer):
    """The axis of a concatenation, among those of a sample."""
    axis = layer.config["axis"]
    return axis if axis < 0 else axis - 1


def _wishes(graph, units, natural):
    """The unit each tensor is wanted in, by what reads it; None where any will do."""
    wishes = {}

    def wish_of(reader, index, shape):
        """What ``reader`` wants its input ``index`` in."""
        role, layer = graph.roles[reader], graph.layers[reader]
        wish = units.get(reader, wishes[reader])
        if wish is None or role == "weighted":
            return None
        if role == "sum":
            return _on_branch(graph, reader, index, wish)
        if role == "reshaping":
            if layer.kind == "Permute":
                return wish.transpose(np.argsort(layer.config["dims"]))
            return wish.reshape(shape)
        if role == "within channels":
            return _spread(wish, shape)
        if role == "concatenation":
            axis = _axis(layer)
            widths = [graph.shapes[source][axis] for source in graph.sources[reader]]
            return np.split(wish, np.cumsum(widths)[:-1], axis)[index]
        return wish

    for name in reversed(graph.sources):
        # an activation cannot do without its unit, others can
        readers = sorted(graph.readers[name], key=lambda r: graph.roles[r[0]] != "activation")
        found = [wish_of(reader, index, graph.shapes[name]) for reader, index in readers]
        if name == graph.layers.output:
            found.insert(0, np.ones(graph.shapes[name], np.float32))
        if graph.roles[name] == "sum":
            found += [natural[name], np.ones(graph.shapes[name], np.float32)]
        wishes[name] = next((wish for wish in found if wish is not None), None)
    return wishes


def _on_branch(graph, name, index, unit):
    """A sum's unit on one of its branches, which may be spread over the others' positions."""
    shape = graph.shapes[graph.sources[name][index]]
    if shape == unit.shape:
        return unit
    axes = tuple(a for a, (one, all_) in enumerate(zip(shape, unit.shape)) if one != all_)
    if len(shape) == len(unit.shape) and not np.ptp(unit, axes).any():
        return unit.max(axes, keepdims=True)
    raise ConversionError(
        f"{graph.layers[name].label}: its branch '{graph.sources[name][index]}' has one value "
        f"for several of the sum's, whose scales go from {unit.min():.4g} to {unit.max():.4g}; "
        "normalise with one scale per layer"
    )


class _Builder:
    """Rebuilds the model with the flow, keeping the unit of every new tensor."""

    def __init__(self, graph, units, wishes, kept):
        self.graph, self.activations, self.wishes, self.kept = graph, units, wishes, kept
        self.units = {}
        self.names = graph.layers.names()

    def build(self):
        first = self.graph.layers.input
        self.units[first.name] = np.ones(first.shape, np.float32)
        return self.graph.layers.rebuilt(self._replace)

    def _replace(self, layer, inputs):
        graph, name = self.graph, layer.name
        role, shape = graph.roles[name], graph.shapes[name]
        given = [self.units[source] for source in layer.sources]
        before = []
        if role == "sum":
            unit = self.wishes[name]
            before, inputs = self._one_unit(layer, inputs, given)
            new = layer.on(inputs)
        elif role == "activation":
            unit = self.activations[name]
            before = self._brought_to(unit, inputs[0], given[0], name)
            new = _activation(layer, before[-1:] or inputs, float(unit.flat[0]))
        elif role in ("weighted", "within channels") or layer.kind == "Rescaling":
            if per_channel(given[0]) is None:
                ones = np.ones(given[0].shape, np.float32)
                before = self._brought_to(ones, inputs[0], given[0], name)
                inputs, given = before[-1:] or inputs, [ones]
            unit = _passed(graph, name, given)
            if role == "weighted":
                unit = _spread(self.wishes[name], shape)
                unit = np.ones(shape, np.float32) if unit is None else unit
            new = self._scaled(layer, inputs, given[0], unit)
        else:
            unit = _passed(graph, name, given)
            new = layer.on(inputs)
        self.units[name] = unit
        behind = []
        if name == graph.layers.output:
            behind = self._brought_to(np.ones(shape), new, unit, name)
        return [*before, new, *behind]

    def _scaled(self, layer, inputs, unit_in, unit_out):
        """The layer in units of its input and output, which are the same at all positions."""
        if self.graph.roles[layer.name] == "within channels":
            return layer.on(inputs)
        unit_in, unit_out = per_channel(unit_in), per_channel(unit_out)
        if layer.kind == "Rescaling":
            offset = np.asarray(layer.config["offset"]) / unit_out
            return layer.changed(inputs, offset=offset.tolist())
        unit_in = None if layer.name in self.kept else unit_in
        return layer.changed(inputs, rescaled_weights(layer, unit_in, unit_out))

    def _brought_to(self, wanted, x, given, name):
        """Layers behind ``x`` that bring it from one unit to another; none where these are one."""
        if np.array_equal(given, wanted):
            return []
        return rescale(x, given / wanted, f"{name}_scale", self.names)

    def _one_unit(self, layer, inputs, given):
        """Layers that scale the branches of a sum where they need it, and what it then reads."""
        made, branches, number = [], [], 0
        for index, (x, unit) in enumerate(zip(inputs, given)):
            wanted = _on_branch(self.graph, layer.name, index, self.wishes[layer.name])
            branches.append(x)
            if (layer.name, index) not in self.kept and not np.array_equal(unit, wanted):
                number += 1
                suffix = "" if number == 1 else number
                name = f"{layer.name}_shortcut{suffix}"
                made += rescale(x, unit / wanted, name, self.names)
                branches[-1] = made[-1]
        return made, branches


def _activation(layer, inputs, scale):
    """The same activation of its input over ``scale``, which matters where there is a ceiling."""
    ceiling = layer.config.get("max_value")
    settings = {} if ceiling is None else {"max_value": float(ceiling) / scale}
    # the only weight that one of them has is the ceiling of ClipFloor
    return layer.changed(inputs, [w / scale for w in layer.weights], **settings)
