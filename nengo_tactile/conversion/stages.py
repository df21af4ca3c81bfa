"""From a Keras model whose activations are neurons to the stages of a spiking network.

Between two layers of neurons a Keras model is linear (or pools maxima). `graph_of` reads off, for
any directed acyclic graph, which neurons drive which and with what weights. Constants (biases, and
what rescaling adds to an image) are found by running the model with all spikes at zero, so they
are right for every position of a padded map. A spike becomes a one: what neurons multiply their
input and output with goes into the weights, in float32 and once, for another rounding would move
spikes.
"""

import dataclasses
import math

import numpy as np

from nengo_tactile import stack
from nengo_tactile.conversion.activations import NEURONS, accumulates
from nengo_tactile.conversion.mapping import linear_map, pooling_windows, routing_indices
from nengo_tactile.conversion.pooling import MAX_POOLING
from nengo_tactile.errors import ConversionError
from nengo_tactile.networks import neurons as kinds
from nengo_tactile.networks.linear_maps import Sparse
from nengo_tactile.networks.stages import Graph, Link, Stage

_SAME_ORDER = ("Flatten", "Reshape")


def graph_of(layers, dt=0.001, synapse=None, min_voltage=-1.0, initial_voltage=0.5, rates=False):
    """Read the stages off a model whose activations are layers of neurons.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        From `use_lif` or `use_if` (see `nengo_tactile.conversion.passes`), or `use_sigma_delta`.
    dt : float
        Length of a time step in seconds.
    synapse : float or None
        Time constant in seconds of the low-pass filter on every connection from neurons.
    min_voltage, initial_voltage : float
        Of LIF neurons: the least potential, and the first.
    rates : bool
        For neurons that send rates, which equal the Keras model: without what is for spikes
        alone, calibration's shifts and compensation.

    Returns
    -------
    Graph

    Raises
    ------
    ConversionError
        For layers that are neither linear nor neurons nor max pooling, naming them.
    """
    slow = None if synapse is None or rates else synapse / dt
    reader = _Reader(layers, dt, slow, (min_voltage, initial_voltage), rates)
    return Graph(layers.input_shape, reader.stages())


class _Reader:
    """Walks a model backwards from each layer of neurons to what drives it."""

    def __init__(self, layers, dt, synapse, membrane, rates):
        self.layers, self.dt, self.rates = layers, dt, rates
        self.synapse, self.membrane = synapse, membrane
        self.add_up = accumulates(layers)
        self.made = {layers.input.name: ("input",)}  # stages that send what a layer gives
        self.found = {}
        self.worth = {"input": 1.0}  # what a one that a source sends stands for
        # what is the same at every step; what adds up arrives over time, the image like spikes
        self.constant = set() if self.add_up else {"input"}
        compensation = any(each.config["compensation"] != 1 for each in layers.of_kinds("RateIF"))
        self.compensates = compensation and not rates
        self.constants = _constants(layers, self.add_up)

    def stages(self):
        """All stages, in the order of computation."""
        for layer in self.layers:
            if layer.kind in NEURONS:
                self._neurons(layer)
            elif layer.kind in MAX_POOLING:
                self._max_pool(layer)
        last, constant = self.layers[self.layers.output], self.constants[""]
        name = last.name
        if name in self.found:  # it reads neurons as they are
            name = f"{name}_output"
        neuron, values = kinds.Sum(), {"bias": constant}
        if self.add_up:
            neuron, values = kinds.Sum(decay=0.0), {"start": constant}
        links = self._links(last, None, 1.0)
        self._add(self._free(name), self.layers.name, neuron, last.shape, links, **values)
        return tuple(self.found.values())

    def _inputs(self, layer):
        return [self.layers[source] for source in layer.sources]

    def _free(self, name):
        """``name``, unless another stage or the input has it already."""
        while name == "input" or name in self.found:
            name = f"{name}_stage"
        return name

    def _add(self, name, layer, neuron, shape, links, gain=1.0, compensation=1.0, **values):
        """Make a stage whose neurons multiply their input with ``gain``.

        What spikes bring is multiplied with ``compensation`` too (Spiking ResNet paper, section
        3.3).
        """
        folded = []
        for link in links:
            factor = gain * (1.0 if link.source in self.constant else compensation)
            source = self.found.get(link.source)
            slow = self.synapse is not None and source is not None and source.spikes
            if neuron.forwards:
                slow = False
                self.worth[name] = self.worth[link.source]
            else:
                factor *= self.worth[link.source]
            settings = {"low_pass": self.synapse, "delay": 1} if slow else {}
            linear = link.map.scaled(factor)
            folded.append(dataclasses.replace(link, map=linear, **settings))
        if not neuron.spikes and all(link.source in self.constant for link in folded):
            self.constant.add(name)
        self.worth.setdefault(name, 1.0)
        size = math.prod(shape) * neuron.window
        values = {
            key: each if key == "step_bias" else np.broadcast_to(each, size)
            for key, each in values.items()
        }
        self.found[name] = Stage(name, shape, neuron, folded, layer=layer, **values)

    def _neurons(self, layer):
        (before,) = self._inputs(layer)
        alone = before.weights and len(self.layers.readers[before.name]) == 1
        name = self._free(before.name if alone else layer.name)
        made = {"RateLIF": self._lif, "RateIF": self._integrate_fire, "SigmaDelta": self._changes}
        parameters, constant = layer.keras.parameters, self.constants[layer.name]
        self.worth[name], *values = made[layer.kind](layer, parameters, constant)
        values = dict(zip(("neuron", "bias", "start", "step_bias"), values))
        links = self._links(before, None, 1.0)
        compensation = getattr(parameters, "compensation", 1.0) if self.compensates else 1.0
        settings = {"gain": parameters.gain, "compensation": compensation, **values}
        self._add(name, layer.name, shape=layer.shape, links=links, **settings)
        self.made[layer.name] = (name,)

    def _lif(self, layer, lif, constant):
        """What a spike is worth, neurons, bias and potential at the start."""
        floor, start = self.membrane
        neuron = kinds.LIF(lif.tau_rc / self.dt, lif.tau_ref / self.dt, floor)
        return lif.amplitude / self.dt, neuron, lif.gain * constant + lif.offset, start

    def _integrate_fire(self, layer, fires, constant):
        first = layer.weights[:2]
        start, shift = (np.broadcast_to(each, layer.shape).reshape(-1) for each in first)
        bias = fires.gain * constant
        bias = bias if self.rates else bias + shift
        names = ("reset", "negative_slope", "signed", "spikes_per_step")
        neuron = kinds.IntegrateFire(**{name: getattr(fires, name) for name in names})
        more = () if self.rates else layer.weights[2:]
        return fires.amplitude, neuron, bias, start, *more

    def _changes(self, layer, changes, constant):
        if self.rates:
            raise ConversionError(
                f"{layer.label}: sigma-delta neurons have no rates; see the network's `ann` for "
                "what they come to"
            )
        neuron = kinds.SigmaDelta(changes.threshold, changes.rectify)
        return changes.amplitude, neuron, 0.0, constant

    def _max_pool(self, layer):
        (before,) = self._inputs(layer)
        sources = self._sources(before)
        windows = pooling_windows(layer)
        slots, constants = windows.reshape(-1), self.constants[layer.name]
        of_values = all(source in self.constant for source in sources)
        neuron = (kinds.Maximum if of_values else kinds.MaxPool)(windows.shape[1])
        linear = Sparse.routing(slots, len(constants))
        values = {"start" if self.add_up else "bias": constants[slots]}
        name, links = self._free(layer.name), [Link(source, linear) for source in sources]
        self._add(name, layer.name, neuron, layer.shape, links, **values)
        self.made[layer.name] = (name,)

    def _sources(self, layer):
        """Names of the stages that send what a layer gives; makes a relay if there is none.

        Two where neurons compensate what spikes bring and not the image, so that these come apart.
        """
        if layer.name in self.made:
            return self.made[layer.name]
        if layer.kind in _SAME_ORDER:
            names = self._sources(*self._inputs(layer))
        else:
            names = (self._free(layer.name),)
            links = list(self._links(layer, None, 1.0))
            image = [link for link in links if link.source in self.constant]
            if self.compensates and 0 < len(image) < len(links):
                names += (self._free(f"{names[0]}_analogue"),)
                self._add(names[1], layer.name, kinds.Sum(), layer.shape, image)
                links = [link for link in links if link not in image]
            self._add(names[0], layer.name, kinds.Sum(), layer.shape, links)
        self.made[layer.name] = names
        return names

    def _links(self, layer, target, factor):
        """Yield the links that bring ``factor`` times what a layer gives to neurons ``target``."""
        inputs, kind = self._inputs(layer), layer.kind
        if layer.name in self.made:
            linear = Sparse.routing(None, math.prod(layer.shape), factor)
            yield from self._read(layer, linear, target)
        elif kind in _SAME_ORDER:
            yield from self._links(inputs[0], target, factor)
        elif kind in ("Add", "Subtract", "Average"):
            factors = {"Add": [1] * len(inputs), "Subtract": [1, -1]}.get(
                kind, [1 / len(inputs)] * len(inputs)
            )
            for one, sign in zip(inputs, factors):
                if one.shape == layer.shape:
                    yield from self._links(one, target, factor * sign)
                    continue
                indices = _spread(one.shape, layer.shape)
                size = math.prod(one.shape)
                yield from self._read(one, Sparse.routing(indices, size, factor * sign), target)
        elif kind in ("Concatenate", "ZeroPadding1D", "ZeroPadding2D"):
            for one, places in zip(inputs, _places(layer)):
                chosen = places if target is None else target[places]
                yield from self._links(one, chosen, factor)
        else:
            if kind in ("Cropping1D", "Cropping2D", "Permute") or _repeats(layer):
                size = math.prod(inputs[0].shape)
                linear = Sparse.routing(routing_indices(layer), size, factor)
            else:
                linear = linear_map(layer).scaled(factor)
            yield from self._read(inputs[0], linear, target)

    def _read(self, layer, linear, target):
        for source in self._sources(layer):
            yield Link(source, linear, target)


def _repeats(layer):
    """Whether it is an upsampling that copies pixels."""
    nearest = layer.config.get("interpolation", "nearest") == "nearest"
    return layer.kind in ("UpSampling1D", "UpSampling2D") and nearest


def _spread(shape, wide):
    """Which value of an array stands where when it is broadcast, (n_out,) array."""
    numbers = np.arange(math.prod(shape)).reshape(shape)
    return np.broadcast_to(numbers, wide).reshape(-1)


def _places(layer):
    """For each input of a concatenation or padding, where its values stand in the output."""
    numbers = np.arange(math.prod(layer.shape)).reshape(layer.shape)
    if layer.kind == "Concatenate":
        axis = layer.config["axis"]
        axis = axis - 1 if axis > 0 else axis
        ends = np.cumsum([shape[axis] for shape in layer.input_shapes])[:-1]
        return [part.reshape(-1) for part in np.split(numbers, ends, axis=axis)]
    padding = layer.config["padding"]
    padding = padding if isinstance(padding[0], (tuple, list)) else [padding]
    inside = tuple(slice(a, n - b) for (a, b), n in zip(padding, layer.shape))
    return [numbers[inside].reshape(-1)]


def _constants(layers, add_up):
    """What arrives at layers at image zero while nothing is sent, {name: (n_inputs,) array}.

    Of neurons and max pooling, and of the read-out under "". Where it adds up, max pooling begins
    with the largest constant of each window.
    """
    tf = stack.tensorflow()
    sent, arriving = {layers.input.name: tf.zeros((1, *layers.input_shape))}, {}
    for layer in layers:
        inputs = [sent[source] for source in layer.sources]
        pools, fires = (layer.kind in each for each in (MAX_POOLING, NEURONS))
        if pools or fires:
            arriving[layer.name] = inputs[0].numpy().reshape(-1)
        if fires or (pools and not add_up):
            sent[layer.name] = tf.zeros((1, *layer.shape))
        elif inputs:
            sent[layer.name] = layer(inputs)
    return {**arriving, "": sent[layers.output].numpy().reshape(-1)}
