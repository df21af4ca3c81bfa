"""A converted Keras model as populations and the linear maps that connect them.

Between two layers of neurons a Keras model is linear (or pools maxima). `stages_of` reads off,
for any directed acyclic graph, which neurons drive which and with what weights. Constants
(biases, and what rescaling adds to an image) are found by running the model with all spikes at
zero, so they are right for every position of a padded map. What the image alone drives is the same
at every step, through its maxima too: these are taken of the values themselves, not of spikes.
"""

import dataclasses

import numpy as np

from nengo_tactile import stack
from nengo_tactile.conversion.activations import NEURONS, accumulates
from nengo_tactile.conversion.graph import (
    consumers,
    copy_layer,
    free_names,
    functional,
    rebuild,
    walk,
)
from nengo_tactile.conversion.mapping import linear_map, routing_indices
from nengo_tactile.conversion.pooling import MAX_POOLING, analogue_poolings
from nengo_tactile.networks.linear_maps import Sparse
from nengo_tactile.neurons.windows import pooling_windows

_SAME_ORDER = ("Flatten", "Reshape")


@dataclasses.dataclass(frozen=True)
class Link:
    """A connection into a stage.

    Attributes
    ----------
    source : str
        Name of a stage, or "input".
    map : nengo_tactile.networks.linear_maps.Map
    target : (n,) int array or None
        Which neurons of the stage it reaches, when not all.
    """

    source: str
    map: object
    target: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Stage:
    """A population, with everything that drives it.

    Attributes
    ----------
    name : str
        Name of the Keras layer with the weights where one stands directly before the neurons,
        else of the activation, pooling or other layer.
    layer : str
        Name of the Keras layer whose output it is.
    kind : {"neurons", "max-pool", "maximum", "relay", "read-out"}
        A max-pool sends spikes. A relay only adds up and passes on (Nengo: a Node). A maximum
        pools what the image alone drives: it passes on by how much the image raises the largest
        input of each window.
    shape : tuple of int
        (features,), (height, width, channels) or of any other rank; of the read-out, the shape
        of the model's output.
    links : tuple of Link
    bias : (n_neurons,) float32 array
        Constant input, in the unit of the links: what is there for an image of zeros without
        spikes; of a max-pool and a maximum, for each input of a window. With sigma-delta neurons
        0, but for the read-out, which starts there.
    neuron : LIFParameters, IFParameters, SigmaDeltaParameters or None
    start : (n_neurons,) float32 array or None
        Membrane potential at the start of neurons that bring their own. With sigma-delta neurons
        that is what biases come to, also for each input of a window of a max pooling.
    shift : (n_neurons,) float32 array or None
        Additional current of integrate-and-fire neurons.
    windows : (n_neurons, window) int array or None
        Inputs of each window of a max-pool or maximum.
    driven : bool
        Whether the analogue input reaches it without passing neurons.
    """

    name: str
    layer: str
    kind: str
    shape: tuple
    links: tuple
    bias: np.ndarray
    neuron: object = None
    start: np.ndarray | None = None
    shift: np.ndarray | None = None
    windows: np.ndarray | None = None
    driven: bool = False

    @property
    def n_neurons(self):
        """Neurons of the stage, or outputs of the read-out."""
        return int(np.prod(self.shape))

    @property
    def spikes(self):
        """Whether it sends spikes: neurons and max pooling."""
        return self.kind in ("neurons", "max-pool")


def analogue_sources(stages):
    """Names of the stages, and "input", that carry only the analogue input and no spikes."""
    found = {"input"}
    for stage in stages:
        passes_on = stage.kind in ("relay", "maximum")
        if passes_on and all(link.source in found for link in stage.links):
            found.add(stage.name)
    return found


def fan_outs(stages):
    """Synapses that leave each neuron, through relays too.

    A synapse is an entry of a map with weights. Passing a relay on the way costs nothing by
    itself.

    Parameters
    ----------
    stages : list of Stage

    Returns
    -------
    dict of str to (n_neurons,) int array
        For every stage that spikes, and for the input.
    """
    sizes = {stage.name: stage.n_neurons for stage in stages}
    result = {name: np.zeros(n, np.int64) for name, n in sizes.items()}
    for stage in reversed(stages):
        for link in stage.links:
            if stage.windows is not None:  # each input of each window
                reached = np.ones(stage.windows.size, np.int64)
            elif stage.kind == "relay":
                reached = result[stage.name] + int(link.map.weighted)
            else:
                reached = np.ones(stage.n_neurons, np.int64)
            if link.target is not None:
                reached = reached[link.target]
            count = link.map.fan_out(reached)
            result[link.source] = result.get(link.source, 0) + count
    spiking = {stage.name for stage in stages if stage.spikes} | {"input"}
    return {name: count for name, count in result.items() if name in spiking}


def silent_model(model):
    """The model with no neuron spiking: what biases and the analogue input drive by themselves.

    Parameters
    ----------
    model : tf.keras.Model
        With `RateIF`, `RateLIF` or `SigmaDelta` layers.

    Returns
    -------
    silent : tf.keras.Model
        From the input to a list of tensors. Max pooling of spikes gives nothing, unless what
        arrives adds up: then it begins with the largest constant of each window. Max pooling of
        what the image alone drives gives its maximum.
    names : list of str
        The layer of neurons (or max pooling) whose input each tensor is; the last, the model's
        own name, is the read-out.
    """
    tf = stack.tensorflow()
    model = functional(model)
    add_up, analogue = accumulates(model), analogue_poolings(model)
    inputs, names, free = [], [], free_names(model)

    def replace(layer, arguments):
        kind = type(layer).__name__
        if kind in MAX_POOLING:
            inputs.append(arguments[0])
            names.append(layer.name)
            pooled = copy_layer(layer, arguments)
            if add_up or layer.name in analogue:
                return pooled
            return tf.keras.layers.Rescaling(0.0, name=free(f"{layer.name}_silent"))(pooled)
        if kind not in NEURONS:
            return None
        inputs.append(arguments[0])
        names.append(layer.name)
        return tf.keras.layers.Rescaling(0.0, name=layer.name)(arguments[0])

    silent = rebuild(model, replace)
    outputs = [*inputs, silent.outputs[0]]
    return tf.keras.Model(silent.inputs, outputs), [*names, model.name]


def stages_of(model):
    """Read the stages off a model whose activations are layers of neurons.

    Parameters
    ----------
    model : tf.keras.Model
        From `use_lif` or `use_if` (see `nengo_tactile.conversion.passes`), or `use_sigma_delta`.

    Returns
    -------
    list of Stage
        In the order of computation, the read-out last.

    Raises
    ------
    ConversionError
        For layers that are neither linear nor neurons nor max pooling, naming them.
    """
    return _Reader(functional(model)).stages()


class _Reader:
    """Walks a model backwards from each layer of neurons to what drives it."""

    def __init__(self, model):
        self.model = model
        self.add_up = accumulates(model)
        self.producer = {id(output): (layer, inputs) for layer, inputs, output in walk(model)}
        self.made = {id(model.inputs[0]): "input"}
        self.found = []
        self.driven = {"input"}
        self.readers = consumers(model)
        self.constants = _constants(model)

    def stages(self):
        for layer, inputs, output in walk(self.model):
            if type(layer).__name__ in NEURONS:
                self._neurons(layer, inputs[0], output)
            elif type(layer).__name__ in MAX_POOLING:
                self._max_pool(layer, inputs[0], output)
        output = self.model.outputs[0]
        name = self.producer[id(output)][0].name
        bias = self.constants[self.model.name]
        if name in {stage.name for stage in self.found}:  # it reads neurons as they are
            name = f"{name}_output"
        name = self._free(name)
        self._add(name, self.model.name, "read-out", output, output.shape[1:], bias)
        return self.found

    def _free(self, name):
        """``name``, unless another stage or the input has it already."""
        taken = {"input", *(stage.name for stage in self.found)}
        while name in taken:
            name = f"{name}_stage"
        return name

    def _add(self, name, layer, kind, tensor, shape, bias, **more):
        """Make the stage that ``tensor`` drives."""
        links = tuple(self._links(tensor, None, 1.0))
        driven = any(link.source in self.driven for link in links)
        if kind == "relay" and driven:
            self.driven.add(name)
        size = int(np.prod(shape))
        bias = np.broadcast_to(bias, size).astype(np.float32)
        self.found.append(
            Stage(name, layer, kind, tuple(shape), links, bias, driven=driven, **more)
        )

    def _neurons(self, layer, tensor, output):
        before = self.producer.get(id(tensor), (None,))[0]
        name = layer.name
        if before is not None and before.weights and len(self.readers[before.name]) == 1:
            name = before.name
        name = self._free(name)
        shape = tuple(output.shape[1:])
        more = {"neuron": layer.parameters}
        if type(layer).__name__ == "RateIF":
            for key, weight in (("start", layer.start_potential), ("shift", layer.shift)):
                more[key] = np.broadcast_to(weight.numpy(), shape).reshape(-1).astype(np.float32)
        bias = self.constants[layer.name]
        if self.add_up:
            more["start"], bias = bias, 0.0
        self._add(name, layer.name, "neurons", tensor, shape, bias, **more)
        self.made[id(output)] = name

    def _max_pool(self, layer, tensor, output):
        source = self._source(tensor)
        # what adds up arrives over time, the image like spikes
        analogue = not self.add_up and source in analogue_sources(self.found)
        kind = "maximum" if analogue else "max-pool"
        shape = tuple(output.shape[1:])
        windows = pooling_windows(layer, tuple(tensor.shape[1:]))
        slots = windows.reshape(-1)
        link = Link(source, Sparse.routing(slots, int(np.prod(tensor.shape[1:]))))
        bias, start = self.constants[layer.name][slots].astype(np.float32), None
        if self.add_up:
            bias, start = np.zeros_like(bias), bias
        name = self._free(layer.name)
        more = {"start": start, "windows": windows, "driven": source in self.driven}
        self.found.append(Stage(name, layer.name, kind, shape, (link,), bias, **more))
        if analogue:
            self.driven.add(name)
        self.made[id(output)] = name

    def _source(self, tensor):
        """Name of the stage whose output ``tensor`` is; makes a relay for it if there is none."""
        if id(tensor) in self.made:
            return self.made[id(tensor)]
        layer, inputs = self.producer[id(tensor)]
        if type(layer).__name__ in _SAME_ORDER:
            name = self._source(inputs[0])
        else:
            name = self._free(layer.name)
            shape = tuple(tensor.shape[1:])
            self._add(name, layer.name, "relay", tensor, shape, 0.0)
        self.made[id(tensor)] = name
        return name

    def _links(self, tensor, target, factor):
        """Yield the links that bring ``factor * tensor`` to the neurons ``target``."""
        if id(tensor) in self.made:
            size = int(np.prod(tensor.shape[1:]))
            yield Link(self.made[id(tensor)], Sparse.routing(None, size, factor), target)
            return
        layer, inputs = self.producer[id(tensor)]
        kind = type(layer).__name__
        if kind in _SAME_ORDER:
            yield from self._links(inputs[0], target, factor)
        elif kind in ("Add", "Subtract", "Average"):
            factors = {"Add": [1] * len(inputs), "Subtract": [1, -1]}.get(
                kind, [1 / len(inputs)] * len(inputs)
            )
            for one, sign in zip(inputs, factors):
                if one.shape == tensor.shape:
                    yield from self._links(one, target, factor * sign)
                    continue
                size = int(np.prod(one.shape[1:]))
                indices = _spread(tuple(one.shape[1:]), tuple(tensor.shape[1:]))
                yield Link(self._source(one), Sparse.routing(indices, size, factor * sign), target)
        elif kind in ("Concatenate", "ZeroPadding1D", "ZeroPadding2D"):
            for one, places in zip(inputs, _places(layer, inputs)):
                chosen = places if target is None else target[places]
                yield from self._links(one, chosen, factor)
        elif kind in ("Cropping1D", "Cropping2D", "Permute") or _repeats(layer):
            indices = routing_indices(layer, tuple(inputs[0].shape[1:]))
            size = int(np.prod(inputs[0].shape[1:]))
            yield Link(self._source(inputs[0]), Sparse.routing(indices, size, factor), target)
        else:
            linear = linear_map(layer, tuple(inputs[0].shape[1:]), tuple(tensor.shape[1:]))
            yield Link(self._source(inputs[0]), linear.scaled(factor), target)


def _repeats(layer):
    """Whether it is an upsampling that copies pixels."""
    kind = type(layer).__name__
    return kind == "UpSampling1D" or (
        kind == "UpSampling2D" and getattr(layer, "interpolation", "nearest") == "nearest"
    )


def _spread(shape, wide):
    """Which value of an array stands where when it is broadcast, (n_out,) array."""
    numbers = np.arange(int(np.prod(shape))).reshape(shape)
    return np.broadcast_to(numbers, wide).reshape(-1)


def _places(layer, inputs):
    """For each input of a concatenation or padding, where its values stand in the output."""
    shape = layer.output_shape[1:]
    numbers = np.arange(int(np.prod(shape))).reshape(shape)
    if type(layer).__name__ == "Concatenate":
        axis = layer.axis - 1 if layer.axis > 0 else layer.axis
        ends = np.cumsum([tensor.shape[1:][axis] for tensor in inputs])[:-1]
        return [part.reshape(-1) for part in np.split(numbers, ends, axis=axis)]
    padding = layer.padding if isinstance(layer.padding[0], (tuple, list)) else [layer.padding]
    inside = tuple(slice(a, n - b) for (a, b), n in zip(padding, shape))
    return [numbers[inside].reshape(-1)]


def _constants(model):
    """Input of each layer of neurons, and of the read-out, at image zero without spikes."""
    silent, names = silent_model(model)
    zeros = np.zeros((1, *model.input_shape[1:]), np.float32)
    values = silent(zeros)
    return {name: value.numpy().reshape(-1) for name, value in zip(names, values)}
