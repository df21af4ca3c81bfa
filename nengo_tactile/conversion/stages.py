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
from nengo_tactile.conversion.graph import (
    consumers,
    copy_layer,
    free_names,
    functional,
    rebuild,
    walk,
)
from nengo_tactile.conversion.mapping import linear_map, routing_indices
from nengo_tactile.conversion.pooling import MAX_POOLING
from nengo_tactile.errors import ConversionError
from nengo_tactile.networks import neurons as kinds
from nengo_tactile.networks.linear_maps import Sparse
from nengo_tactile.networks.stages import Graph, Link, Stage
from nengo_tactile.neurons.windows import pooling_windows

_SAME_ORDER = ("Flatten", "Reshape")


def graph_of(model, dt=0.001, synapse=None, min_voltage=-1.0, initial_voltage=0.5, rates=False):
    """Read the stages off a model whose activations are layers of neurons.

    Parameters
    ----------
    model : tf.keras.Model
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
    reader = _Reader(functional(model), dt, slow, (min_voltage, initial_voltage), rates)
    return Graph(model.input_shape[1:], reader.stages())


class _Reader:
    """Walks a model backwards from each layer of neurons to what drives it."""

    def __init__(self, model, dt, synapse, membrane, rates):
        self.model, self.dt, self.rates = model, dt, rates
        self.synapse, self.membrane = synapse, membrane
        self.add_up = accumulates(model)
        self.producer = {id(output): (layer, inputs) for layer, inputs, output in walk(model)}
        self.made = {id(model.inputs[0]): ("input",)}
        self.found = {}
        self.worth = {"input": 1.0}  # what a one that a source sends stands for
        # what is the same at every step; what adds up arrives over time, the image like spikes
        self.constant = set() if self.add_up else {"input"}
        layers = (getattr(layer, "parameters", None) for layer in model.layers)
        compensation = any(getattr(each, "compensation", 1.0) != 1 for each in layers)
        self.compensates = compensation and not rates
        self.readers = consumers(model)
        self.constants = _constants(model, self.add_up)

    def stages(self):
        """All stages, in the order of computation."""
        for layer, inputs, output in walk(self.model):
            if type(layer).__name__ in NEURONS:
                self._neurons(layer, inputs[0], output)
            elif type(layer).__name__ in MAX_POOLING:
                self._max_pool(layer, inputs[0], output)
        output, constant = self.model.outputs[0], self.constants[self.model.name]
        name = self.producer[id(output)][0].name
        if name in self.found:  # it reads neurons as they are
            name = f"{name}_output"
        neuron, values = kinds.Sum(), {"bias": constant}
        if self.add_up:
            neuron, values = kinds.Sum(decay=0.0), {"start": constant}
        links = self._links(output, None, 1.0)
        self._add(self._free(name), self.model.name, neuron, output.shape[1:], links, **values)
        return tuple(self.found.values())

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
        values = {key: np.broadcast_to(each, size) for key, each in values.items()}
        self.found[name] = Stage(name, shape, neuron, folded, layer=layer, **values)

    def _neurons(self, layer, tensor, output):
        before = self.producer.get(id(tensor), (None,))[0]
        name = layer.name
        if before is not None and before.weights and len(self.readers[before.name]) == 1:
            name = before.name
        name, shape = self._free(name), tuple(output.shape[1:])
        made = {"RateLIF": self._lif, "RateIF": self._integrate_fire, "SigmaDelta": self._changes}
        values = made[type(layer).__name__](layer, shape, self.constants[layer.name])
        self.worth[name], *values = values
        values = dict(zip(("neuron", "bias", "start"), values))
        links, parameters = self._links(tensor, None, 1.0), layer.parameters
        compensation = getattr(parameters, "compensation", 1.0) if self.compensates else 1.0
        settings = {"gain": parameters.gain, "compensation": compensation, **values}
        self._add(name, layer.name, shape=shape, links=links, **settings)
        self.made[id(output)] = (name,)

    def _lif(self, layer, shape, constant):
        """What a spike is worth, neurons, bias and potential at the start."""
        lif, (floor, start) = layer.parameters, self.membrane
        neuron = kinds.LIF(lif.tau_rc / self.dt, lif.tau_ref / self.dt, floor)
        return lif.amplitude / self.dt, neuron, lif.gain * constant + lif.offset, start

    def _integrate_fire(self, layer, shape, constant):
        spread = (layer.shift.numpy(), layer.start_potential.numpy())
        shift, start = (np.broadcast_to(each, shape).reshape(-1) for each in spread)
        bias, fires = layer.parameters.gain * constant, layer.parameters
        bias = bias if self.rates else bias + shift
        names = ("reset", "negative_slope", "signed", "spikes_per_step")
        neuron = kinds.IntegrateFire(**{name: getattr(fires, name) for name in names})
        return fires.amplitude, neuron, bias, start

    def _changes(self, layer, shape, constant):
        changes = layer.parameters
        if self.rates:
            raise ConversionError(
                f"layer '{layer.name}': sigma-delta neurons have no rates; see the network's `ann` "
                "for what they come to"
            )
        neuron = kinds.SigmaDelta(changes.threshold, changes.rectify)
        return changes.amplitude, neuron, 0.0, constant

    def _max_pool(self, layer, tensor, output):
        sources = self._sources(tensor)
        windows = pooling_windows(layer, tuple(tensor.shape[1:]))
        slots, constants = windows.reshape(-1), self.constants[layer.name]
        of_values = all(source in self.constant for source in sources)
        neuron = (kinds.Maximum if of_values else kinds.MaxPool)(windows.shape[1])
        linear = Sparse.routing(slots, len(constants))
        values = {"start" if self.add_up else "bias": constants[slots]}
        name, links = self._free(layer.name), [Link(source, linear) for source in sources]
        self._add(name, layer.name, neuron, tuple(output.shape[1:]), links, **values)
        self.made[id(output)] = (name,)

    def _sources(self, tensor):
        """Names of the stages that send ``tensor``; makes a relay for it if there is none.

        Two where neurons compensate what spikes bring and not the image, so that these come apart.
        """
        if id(tensor) in self.made:
            return self.made[id(tensor)]
        layer, inputs = self.producer[id(tensor)]
        if type(layer).__name__ in _SAME_ORDER:
            names = self._sources(inputs[0])
        else:
            names = (self._free(layer.name),)
            links = list(self._links(tensor, None, 1.0))
            image = [link for link in links if link.source in self.constant]
            if self.compensates and 0 < len(image) < len(links):
                names += (self._free(f"{names[0]}_analogue"),)
                self._add(names[1], layer.name, kinds.Sum(), tensor.shape[1:], image)
                links = [link for link in links if link not in image]
            self._add(names[0], layer.name, kinds.Sum(), tensor.shape[1:], links)
        self.made[id(tensor)] = names
        return names

    def _links(self, tensor, target, factor):
        """Yield the links that bring ``factor * tensor`` to the neurons ``target``."""
        layer, inputs = self.producer.get(id(tensor), (None, ()))
        size = math.prod(tensor.shape[1:])
        kind = type(layer).__name__
        if id(tensor) in self.made:
            yield from self._read(tensor, Sparse.routing(None, size, factor), target)
        elif kind in _SAME_ORDER:
            yield from self._links(inputs[0], target, factor)
        elif kind in ("Add", "Subtract", "Average"):
            factors = {"Add": [1] * len(inputs), "Subtract": [1, -1]}.get(
                kind, [1 / len(inputs)] * len(inputs)
            )
            for one, sign in zip(inputs, factors):
                if one.shape == tensor.shape:
                    yield from self._links(one, target, factor * sign)
                    continue
                indices = _spread(tuple(one.shape[1:]), tuple(tensor.shape[1:]))
                size = math.prod(one.shape[1:])
                yield from self._read(one, Sparse.routing(indices, size, factor * sign), target)
        elif kind in ("Concatenate", "ZeroPadding1D", "ZeroPadding2D"):
            for one, places in zip(inputs, _places(layer, inputs)):
                chosen = places if target is None else target[places]
                yield from self._links(one, chosen, factor)
        else:
            before, after = tuple(inputs[0].shape[1:]), tuple(tensor.shape[1:])
            if kind in ("Cropping1D", "Cropping2D", "Permute") or _repeats(layer):
                indices = routing_indices(layer, before)
                linear = Sparse.routing(indices, math.prod(before), factor)
            else:
                linear = linear_map(layer, before, after).scaled(factor)
            yield from self._read(inputs[0], linear, target)

    def _read(self, tensor, linear, target):
        for source in self._sources(tensor):
            yield Link(source, linear, target)


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


def _constants(model, add_up):
    """What arrives at layers at image zero while nothing is sent, {name: (n_inputs,) array}.

    Of neurons and max pooling, and of the read-out under the model's name. Where it adds up, max
    pooling begins with the largest constant of each window.
    """
    tf = stack.tensorflow()
    arriving, names, free = [], [], free_names(model)

    def replace(layer, arguments):
        pools, fires = (type(layer).__name__ in each for each in (MAX_POOLING, NEURONS))
        if not pools and not fires:
            return None
        arriving.append(arguments[0])
        names.append(layer.name)
        if fires:
            return tf.keras.layers.Rescaling(0.0, name=layer.name)(arguments[0])
        pooled = copy_layer(layer, arguments)
        if add_up:
            return pooled
        return tf.keras.layers.Rescaling(0.0, name=free(f"{layer.name}_silent"))(pooled)

    silent = rebuild(model, replace)
    silent = tf.keras.Model(silent.inputs, [*arriving, silent.outputs[0]])
    values = silent(np.zeros((1, *model.input_shape[1:]), np.float32))
    return {n: v.numpy().reshape(-1) for n, v in zip([*names, model.name], values)}
