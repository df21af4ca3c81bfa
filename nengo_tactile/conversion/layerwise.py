"""A fast simulation of integrate-and-fire networks, layer by layer.

Signals pass all layers in one time step and nothing flows back, so a layer's spikes for many steps
follow from its inputs for those steps: linear layers see steps as one large minibatch, and only
the membrane potentials go through time one by one. It is independent of Nengo.
"""

import dataclasses

import numpy as np

from nengo_tactile import arguments, stack
from nengo_tactile.conversion import support
from nengo_tactile.conversion.pooling import MAX_POOLING
from nengo_tactile.conversion.potentials import integrate
from nengo_tactile.errors import ConversionError, DataError
from nengo_tactile.lazy import compiled

#: Steps that pass a layer at once: enough to keep the processor busy with a small minibatch.
STEPS_AT_ONCE = 16


@dataclasses.dataclass(frozen=True)
class Simulation:
    """What a network did.

    Attributes
    ----------
    logits : (n_samples, n_steps, ...) float32 array
        Read-out after each step: the mean of the last layer's output over the steps so far.
    rates : dict of str to float32 array of the shape of a sample
        Mean spikes a step of each neuron of each `RateIF` layer over samples and steps; one of
        any sign and worth is one.
    histograms : dict of str to (n_steps + 1,) int array
        How many neurons, over all samples, fired 0, 1, ..., n_steps spikes.
    counts : dict of str to (n_samples, ...) int32 array
        Spikes of each neuron, of the layers that were to be recorded.
    """

    logits: np.ndarray
    rates: dict
    histograms: dict
    counts: dict

    def rate_at(self, name, percentile=100.0):
        """Firing rate of layer ``name`` at a percentile over its neurons and samples, per step."""
        return rate_at(self.histograms[name], percentile)


def rate_at(histogram, percentile=100.0):
    """Firing rate, in spikes a step, at a percentile over neurons and samples.

    Parameters
    ----------
    histogram : (n_steps + 1,) int sequence
        How many neurons fired 0, 1, ..., n_steps spikes.
    percentile : float

    Returns
    -------
    float

    Raises
    ------
    DataError
        For a histogram of nothing.
    """
    reached = np.cumsum(histogram)
    if not reached[-1]:
        raise DataError("the histogram is empty: show at least one sample")
    # in floating point 99.9 / 100 * 1000 is a little above 999
    rank = np.ceil(percentile / 100 * reached[-1] - 1e-6)
    return float(np.searchsorted(reached, rank) / (len(histogram) - 1))


def simulate(layers, x, n_steps, batch_size=32, record=()):
    """Run a network of integrate-and-fire neurons on constant inputs.

    At each step a neuron's membrane potential gains ``gain * (constant + compensation *
    (input - constant)) + shift``, where the constant is what the layers before give without any
    spike (biases, analogue input). See `RateIF` for what follows. Max pooling lets a spike out
    when the largest of its inputs' sums grows.

    Memory is bounded by ``batch_size * STEPS_AT_ONCE`` samples' worth of the activations that
    are alive at once; a tensor goes as soon as its last reader is done.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        Activations are `RateIF` ones; all else is linear or max pooling.
    x : (n_samples, ...) array
    n_steps : int
    batch_size : int
    record : sequence of str
        `RateIF` layers whose spike counts are returned for each sample.

    Returns
    -------
    Simulation

    Raises
    ------
    ConversionError
        For a model without `RateIF` layers, or with other activations.
    DataError
        For inputs of another shape, or fewer than one step.
    """
    network = Network(layers)
    x, n_steps = checked(network, x, n_steps)
    for name in record:
        if name not in network.neurons:
            raise ConversionError(
                f"record: '{name}' is no RateIF layer; the model's are {', '.join(network.neurons)}"
            )
    logits = []
    rates = {name: np.zeros(network.shapes[name]) for name in network.neurons}
    histograms = {name: np.zeros(n_steps + 1, np.int64) for name in network.neurons}
    counts = {name: [] for name in record}
    for start in range(0, len(x), batch_size):
        state = network.start(x[start : start + batch_size])
        steps = []
        for first in range(0, n_steps, STEPS_AT_ONCE):
            n = min(STEPS_AT_ONCE, n_steps - first)
            (outputs,) = network.advance(state, n, [network.output])
            steps.append(outputs.numpy().reshape(n, state.n_samples, *outputs.shape[1:]))
        steps = np.concatenate(steps)  # (steps, samples, outputs)
        so_far = np.cumsum(steps, 0, float).T / np.arange(1, n_steps + 1)
        logits.append(so_far.T.swapaxes(0, 1).astype(np.float32))
        for name, fired in state.counts.items():
            rates[name] += fired.sum(0, dtype=float)
            histograms[name] += np.bincount(fired.ravel(), minlength=n_steps + 1)
            if name in counts:
                counts[name].append(fired)
    return Simulation(
        np.concatenate(logits),
        {name: (rate / len(x) / n_steps).astype(np.float32) for name, rate in rates.items()},
        histograms,
        {name: np.concatenate(parts) for name, parts in counts.items()},
    )


def checked(network, x, n_steps):
    """Inputs as float32 and steps as an int, or an error that says what is wrong with them."""
    from nengo_tactile.conversion.input_range import check_input

    n_steps = arguments.whole("n_steps", n_steps)
    return check_input(network.layers, x, "input").astype(np.float32), n_steps


@dataclasses.dataclass
class State:
    """What a minibatch carries from step to step, by layer name."""

    n_samples: int
    constants: dict  # outputs without spikes, (samples, ...) tensors
    potentials: dict = dataclasses.field(default_factory=dict)
    counts: dict = dataclasses.field(default_factory=dict)
    net: dict = dataclasses.field(default_factory=dict)  # what they were worth, with its sign
    done: dict = dataclasses.field(default_factory=dict)  # steps so far
    sums: dict = dataclasses.field(default_factory=dict)  # what max pooling has got so far
    pooled: dict = dataclasses.field(default_factory=dict)  # and put out


class Network:
    """A model as a list of layers with what they read, in the order of computation.

    Attributes
    ----------
    layers : nengo_tactile.ann.layers.Layers
    sources, shapes, readers : dict by layer name
        Names of the layers it reads, shape of a sample, names of the layers that read it.
    neurons : dict of str to IFParameters
        Of its `RateIF` layers.
    begin, shift, step_shift : dict of str to array
        Their potential at the start, additional current a step, and what is added to that at each
        of the first steps, which a correction changes.
    constant : set of str
        Layers that no spike reaches: their outputs are the same at every step.
    """

    def __init__(self, layers):
        self.layers, self.readers = layers, layers.readers
        self.input, self.output = layers.input.name, layers.output
        self.sources = {layer.name: layer.sources for layer in layers if layer.sources}
        self.shapes = {layer.name: layer.shape for layer in layers}
        self.constant = {self.input}
        for name, sources in self.sources.items():
            _check_kind(layers[name])
            if self.kind(name) != "neurons" and self.constant.issuperset(sources):
                self.constant.add(name)
        found = layers.of_kinds("RateIF")
        if not found:
            raise ConversionError(
                f"model '{layers.name}' has no RateIF layer: convert it first (use_if)"
            )
        self.neurons = {layer.name: layer.keras.parameters for layer in found}
        self.begin, self.shift = (
            {layer.name: layer.weights[place] for layer in found} for place in (0, 1)
        )
        self.step_shift = {
            layer.name: (*layer.weights, np.zeros((0, layer.shape[-1]), np.float32))[2]
            for layer in found
        }

    def kind(self, name):
        """One of "neurons", "max pooling" and "linear"."""
        kind = self.layers[name].kind
        if kind == "RateIF":
            return "neurons"
        return "max pooling" if kind in MAX_POOLING else "linear"

    def start(self, x):
        """State before the first step for (samples, ...) inputs."""
        tf = stack.tensorflow()
        constants = {self.input: tf.constant(x, tf.float32)}
        compensated = {name for name in self.neurons if self._compensates(name)}
        waiting = {name: set(readers) for name, readers in self.readers.items()}
        for name, sources in self.sources.items():
            if compensated or name in self.constant:
                inputs = [constants[source] for source in sources]
                spiking = name not in self.constant and self.kind(name) != "linear"
                if spiking:
                    constants[name] = tf.zeros((len(x), *self.shapes[name]))
                else:
                    constants[name] = self.layers[name](inputs)
            for source in sources:
                waiting[source].discard(name)
                readers = set(self.readers[source])
                later = readers - self.constant if source in self.constant else compensated
                if not waiting[source] and not readers & later:
                    constants.pop(source, None)
        return State(len(x), constants)

    def needed(self, wanted, given=()):
        """Layers with spikes in them that ``wanted`` are computed from, in order.

        Parameters
        ----------
        wanted : collection of str
            Among the result, if they are not given.
        given : collection of str
            Layers whose outputs are known, and not what comes before them.

        Returns
        -------
        list of str
        """
        found = set(wanted).difference(given, self.constant)
        for name in reversed(self.sources):
            if name in found:
                found.update(set(self.sources[name]).difference(given, self.constant))
        return [name for name in self.sources if name in found]

    def advance(self, state, n_steps, wanted, given=None):
        """Outputs of layers at the next steps, (steps * samples, ...) tensors.

        Parameters
        ----------
        state : State
            Brought up to date.
        n_steps : int
        wanted : list of str
            Layers that are not constant.
        given : dict of str to (steps * samples, ...) tensor, optional
            Outputs that are known: see `needed`.

        Returns
        -------
        list of tensor
        """
        values = dict(given or {})
        order = self.needed(wanted, values)
        waiting = {name: set(readers).intersection(order) for name, readers in self.readers.items()}
        for name in order:
            inputs = [values.get(source) for source in self.sources[name]]
            values[name] = self.layer_steps(name, inputs, state, n_steps)
            for source in self.sources[name]:
                waiting[source].discard(name)
                if not waiting[source] and source not in wanted:
                    values.pop(source, None)
        return [values[name] for name in wanted]

    def layer_steps(self, name, inputs, state, n_steps):
        """One layer's output for the next steps, (steps * samples, ...) tensor.

        ``inputs`` are tensors of that shape; None stands for a constant.
        """
        tf = stack.tensorflow()
        given = [state.constants.get(source) for source in self.sources[name]]
        if self.kind(name) == "neurons":
            current = given[0] if inputs[0] is None else inputs[0]
            spikes = self.spikes(name, current.numpy(), state, n_steps)
            return self.worth(name, *spikes)
        inputs = [
            tf.repeat(constant[None], n_steps, 0) if value is None else value
            for value, constant in zip(inputs, given)
        ]
        inputs = [
            tf.reshape(value, (-1, *self.shapes[source]))
            for value, source in zip(inputs, self.sources[name])
        ]
        if self.kind(name) == "linear":
            return self.layers[name](inputs)
        by_step = tf.reshape(inputs[0], (n_steps, -1, *inputs[0].shape[1:]))
        sums = tf.cumsum(by_step) + state.sums.get(name, 0.0)
        pooled = self.layers[name]([tf.reshape(sums, inputs[0].shape)])
        pooled = tf.reshape(pooled, (n_steps, -1, *pooled.shape[1:]))
        before = state.pooled.get(name, tf.zeros_like(pooled[0]))
        state.sums[name], state.pooled[name] = sums[-1], pooled[-1]
        out = pooled - tf.concat([before[None], pooled[:-1]], 0)
        return tf.reshape(out, (-1, *pooled.shape[2:]))

    def worth(self, name, spikes, below=None):
        """Output of a layer of neurons, (steps * samples, ...) tensor, for what `spikes` gives."""
        tf = stack.tensorflow()
        neuron, shape = self.neurons[name], (-1, *self.shapes[name])
        value = tf.cast(spikes.reshape(shape), tf.float32)
        if below is not None:
            lower = tf.cast(below.reshape(shape), tf.float32)
            value = (value - lower) + neuron.negative_slope * lower
        return value if neuron.amplitude == 1 else neuron.amplitude * value

    def sent(self, name, state):
        """What each neuron has sent so far, in units of a whole spike: (samples, ...) array."""
        slope, net = self.neurons[name].negative_slope, state.net[name]
        return np.where(net >= 0, net, slope * net) if slope else net

    def spikes(self, name, current, state, n_steps):
        """Spikes in the next steps, one or two (steps, samples, neurons) int8 arrays.

        By how much each changes the net count, and with a negative slope the part of it that lies
        below zero, which is worth the slope.
        ``current`` is the layer's input, for each step and sample or for each sample alone. The
        state's potentials and counts are brought up to date.
        """
        neuron, n_samples = self.neurons[name], state.n_samples
        size = int(np.prod(self.shapes[name]))

        def per_neuron(weight):
            return np.broadcast_to(weight[name], self.shapes[name]).reshape(size)

        if name not in state.potentials:
            start = np.broadcast_to(per_neuron(self.begin), (n_samples, size))
            # neuron by neuron of a sample in memory, as the loops go
            state.potentials[name] = np.array(start, np.float32, order="C")
            for counts in (state.counts, state.net):
                counts[name] = np.zeros((n_samples, *self.shapes[name]), np.int32)
        done = state.done.get(name, 0)
        state.done[name] = done + n_steps
        current = np.asarray(current).reshape(-1, n_samples, size)
        constant, compensation = np.zeros((1, 1), np.float32), 1.0
        if self._compensates(name):
            constant = state.constants[self.sources[name][0]].numpy().reshape(n_samples, size)
            compensation = neuron.compensation
        leaky = neuron.negative_slope > 0
        spikes, *below = np.empty((1 + leaky, n_steps, n_samples, size), np.int8)
        compiled(integrate)(
            current,
            constant,
            self.shifts(name, done, n_steps),
            *(np.float32(neuron.gain), np.float32(compensation)),
            *(neuron.reset == "zero", neuron.signed, neuron.spikes_per_step, leaky),
            state.potentials[name],
            *(counts[name].reshape(n_samples, size) for counts in (state.counts, state.net)),
            spikes,
            below[0] if leaky else spikes,
        )
        return spikes, *below

    def shifts(self, name, first, n_steps):
        """Currents besides at the next steps, (1 or n_steps, neurons) float32 array."""
        shape = self.shapes[name]
        always = np.broadcast_to(self.shift[name], shape).reshape(1, -1)
        early = self.step_shift[name][first : first + n_steps]
        if not len(early):
            return np.ascontiguousarray(always, np.float32)
        result = np.repeat(always, n_steps, 0).reshape(n_steps, *shape)
        for step, more in enumerate(early):
            result[step] += more
        return result.reshape(n_steps, -1)

    def _compensates(self, name):
        source = self.sources[name][0]
        return self.neurons[name].compensation != 1 and source not in self.constant


def _check_kind(layer):
    if layer.kind in ("ReLU", "LeakyReLU", "ClipFloor", "RateLIF", "SigmaDelta") or (
        support.activation_name(layer) not in (None, "linear")
    ):
        raise ConversionError(
            f"{layer.label}: is neither linear nor made of integrate-and-fire neurons: put RateIF "
            "in its place (use_if)"
        )
