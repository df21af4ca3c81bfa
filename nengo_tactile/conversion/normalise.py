"""Percentile and shortcut normalisation: every activation in units of its own scale.

Spiking ResNet paper, section 3.1 (weights times input scale over output scale, biases over output
scale) and section 3.2, equations 3-5 (shortcuts times input scale over output scale), for any
directed acyclic graph. A unit is an array of the shape of a sample: the value that counts as 1.
Two walks: against the flow, which unit each tensor is wanted in; with the flow, what it gets.
"""

import numpy as np

from nengo_tactile.ann.description import Names
from nengo_tactile.conversion import support
from nengo_tactile.conversion.graph import copy_layer, functional, rebuild, walk
from nengo_tactile.conversion.rescaling import per_channel, rescale, rescaled_weights
from nengo_tactile.errors import ConversionError

_SUMS = ("Add", "Subtract", "Average")
_RESHAPING = ("Flatten", "Reshape", "Permute")
_WEIGHTED = (
    *("Dense", "DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"),
    *(f"Conv{n}D" for n in (1, 2, 3)),
    *(f"Conv{n}DTranspose" for n in (1, 2, 3)),
)
#: Layers that mix values of one channel only.
_WITHIN_CHANNELS = tuple(
    f"{kind}{n}D"
    for kind in (
        *("MaxPooling", "AveragePooling", "GlobalMaxPooling", "GlobalAveragePooling"),
        *("ZeroPadding", "Cropping", "UpSampling"),
    )
    for n in (1, 2, 3)
)
_UNCHANGED = (
    *("InputLayer", "Rescaling", "Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout"),
    *(f"SpatialDropout{n}D" for n in (1, 2, 3)),
)


def normalise(model, scales, shortcut_normalisation=True):
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
    model : tf.keras.Model
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
    tf.keras.Model
        The output of each activation layer is the original's over its scale; the model's output
        is the original's. A clipped ReLU's ``max_value`` and ClipFloor's ceiling are divided too.

    Raises
    ------
    ConversionError
        For scales that are missing, not above zero or of the wrong shape, layers that scales
        cannot pass, and an Add whose branches cannot have one unit, naming layer and values.
    """
    model = functional(model)
    graph = _Graph(model)
    units = _activation_units(graph, scales)
    wishes = _wishes(graph, units, _natural_units(graph, units))
    kept = set() if shortcut_normalisation else graph.shortcuts()
    return _Builder(graph, units, wishes, kept).build(model)


def is_activation(layer):
    """Whether a layer becomes neurons."""
    kind = type(layer).__name__
    return kind in ("ReLU", "LeakyReLU", "ClipFloor") or (
        kind == "Activation" and support.activation_name(layer) == "relu"
    )


def _label(layer):
    return f"layer '{layer.name}' ({type(layer).__name__})"


def _role(layer):
    """How units pass a layer."""
    kind = type(layer).__name__
    activation = support.activation_name(layer)
    if is_activation(layer):
        if getattr(layer, "threshold", 0) not in (0, None):
            raise ConversionError(
                f"{_label(layer)}: threshold is {layer.threshold}: move it into the bias of the "
                "layer before"
            )
        return "activation"
    if kind in _WEIGHTED and activation in (None, "linear"):
        return "weighted"
    if kind in _UNCHANGED or (kind == "Activation" and activation == "linear"):
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
        f"{_label(layer)}: scales cannot pass it; give every activation a layer of its own "
        "(simplify), fold batch normalisation (fold_batch_norm), and use layers that are linear, "
        "max pooling or ReLUs"
    )


class _Graph:
    """Who reads what: dicts by layer name, in the order of computation."""

    def __init__(self, model):
        first = model.layers[0]
        made_by = {id(model.inputs[0]): first.name}
        self.layers, self.sources = {first.name: first}, {first.name: []}
        self.shapes = {first.name: tuple(model.inputs[0].shape[1:])}
        for layer, inputs, output in walk(model):
            self.layers[layer.name] = layer
            self.sources[layer.name] = [made_by[id(tensor)] for tensor in inputs]
            self.shapes[layer.name] = tuple(output.shape[1:])
            made_by[id(output)] = layer.name
        self.output = made_by[id(model.outputs[0])]
        self.roles = {name: _role(layer) for name, layer in self.layers.items()}
        self.readers = {name: [] for name in self.layers}
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
            raise ConversionError(f"{_label(layer)}: no scale given; see activation_scales")
        scale = np.asarray(scales[name], np.float32)
        if scale.shape not in ((), shape[-1:]):
            raise ConversionError(
                f"{_label(layer)}: its scale has shape {scale.shape}; give one number, or one "
                f"for each of the {shape[-1]} channels"
            )
        bad = scale[~(np.isfinite(scale) & (scale > 0))]
        if bad.size:
            raise ConversionError(
                f"{_label(layer)}: its scale is {bad[0]}; it must be finite and above zero, so "
                "calibrate with data that excite the layer"
            )
        clipped = type(layer).__name__ == "ClipFloor" or getattr(layer, "max_value", None)
        if clipped and np.ptp(scale):
            raise ConversionError(
                f"{_label(layer)}: its channels have scales from {scale.min()} to {scale.max()}, "
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
        axis = layer.axis if layer.axis < 0 else layer.axis - 1
        return np.concatenate(given, axis)
    if role == "reshaping":
        if type(layer).__name__ == "Permute":
            return given[0].transpose([d - 1 for d in layer.dims])
        return given[0].reshape(shape)
    if role == "within channels":
        unit = _spread(given[0], shape)
        return np.ones(shape, np.float32) if unit is None else unit
    return given[0]


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
            if type(layer).__name__ == "Permute":
                return wish.transpose(np.argsort(layer.dims))
            return wish.reshape(shape)
        if role == "within channels":
            return _spread(wish, shape)
        if role == "concatenation":
            axis = layer.axis if layer.axis < 0 else layer.axis - 1
            widths = [graph.shapes[source][axis] for source in graph.sources[reader]]
            return np.split(wish, np.cumsum(widths)[:-1], axis)[index]
        return wish

    for name in reversed(list(graph.layers)):
        # an activation cannot do without its unit, others can
        readers = sorted(graph.readers[name], key=lambda r: graph.roles[r[0]] != "activation")
        found = [wish_of(reader, index, graph.shapes[name]) for reader, index in readers]
        if name == graph.output:
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
        f"{_label(graph.layers[name])}: its branch '{graph.sources[name][index]}' has one value "
        f"for several of the sum's, whose scales go from {unit.min():.4g} to {unit.max():.4g}; "
        "normalise with one scale per layer"
    )


class _Builder:
    """Rebuilds the model with the flow, keeping the unit of every new tensor."""

    def __init__(self, graph, units, wishes, kept):
        self.graph, self.activations, self.wishes, self.kept = graph, units, wishes, kept
        self.units = {}
        self.names = Names(graph.layers)

    def build(self, model):
        first = next(iter(self.graph.layers))
        self.units[first] = np.ones(self.graph.shapes[first], np.float32)
        return rebuild(model, self._replace)

    def _replace(self, layer, inputs):
        graph, name = self.graph, layer.name
        role, shape = graph.roles[name], graph.shapes[name]
        given = [self.units[source] for source in graph.sources[name]]
        if role == "sum":
            unit = self.wishes[name]
            inputs = self._one_unit(name, inputs, given)
            output = copy_layer(layer, inputs)
        elif role == "activation":
            unit = self.activations[name]
            (x,) = self._brought_to(unit, inputs, given, name)
            output = _activation(layer, x, float(unit.flat[0]))
        elif role == "weighted" or role == "within channels" or type(layer).__name__ == "Rescaling":
            if per_channel(given[0]) is None:
                ones = np.ones(given[0].shape, np.float32)
                inputs, given = self._brought_to(ones, inputs, given, name), [ones]
            unit = _passed(graph, name, given)
            if role == "weighted":
                unit = _spread(self.wishes[name], shape)
                unit = np.ones(shape, np.float32) if unit is None else unit
            output = self._copy(layer, role, inputs, given[0], unit)
        else:
            unit = _passed(graph, name, given)
            output = copy_layer(layer, inputs)
        self.units[name] = unit
        if name == graph.output:
            (output,) = self._brought_to(np.ones(shape), [output], [unit], name)
        return output

    def _copy(self, layer, role, inputs, unit_in, unit_out):
        if role == "within channels":
            return copy_layer(layer, inputs)
        unit_in, unit_out = per_channel(unit_in), per_channel(unit_out)
        if role != "weighted":  # Rescaling
            return copy_layer(layer, inputs, offset=(np.asarray(layer.offset) / unit_out).tolist())
        kept = layer.name in self.kept
        weights = rescaled_weights(layer, None if kept else unit_in, unit_out)
        return copy_layer(layer, inputs, weights)

    def _brought_to(self, wanted, inputs, given, name):
        if np.array_equal(given[0], wanted):
            return inputs
        return [rescale(inputs[0], given[0] / wanted, f"{name}_scale", self.names)]

    def _one_unit(self, name, inputs, given):
        """The branches of a sum, scaled where they need it."""
        result, number = [], 0
        for index, (x, unit) in enumerate(zip(inputs, given)):
            wanted = _on_branch(self.graph, name, index, self.wishes[name])
            if (name, index) not in self.kept and not np.array_equal(unit, wanted):
                number += 1
                suffix = "" if number == 1 else number
                x = rescale(x, unit / wanted, f"{name}_shortcut{suffix}", self.names)
            result.append(x)
        return result


def _activation(layer, x, scale):
    """The same activation of ``x / scale``; ``scale`` matters where there is a ceiling."""
    ceiling = getattr(layer, "max_value", None)
    settings = {} if ceiling is None else {"max_value": float(ceiling) / scale}
    # the only weight that one of them has is the ceiling of ClipFloor
    return copy_layer(layer, [x], [w / scale for w in layer.get_weights()], **settings)
