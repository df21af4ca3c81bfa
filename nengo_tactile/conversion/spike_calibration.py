"""Calibration of spiking networks: few time steps give the rates of many.

Li et al. 2021, "A free lunch from ANN: towards efficient, accurate spiking neural networks
calibration": what a layer's rates lack on average, on calibration data and after the layers before
it are calibrated, is given back as a constant current or as membrane potential at the start.
"""

import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann.integrate_fire import rate_if_layer
from nengo_tactile.conversion.graph import functional, rebuild
from nengo_tactile.conversion.layerwise import Network, State, checked
from nengo_tactile.errors import ConversionError

KINDS = ("bias", "potential")
#: Corrections that are tried one after another; a silent or saturated neuron answers less than
#: asked, so that one is not enough.
ROUNDS = 3


def calibrate(model, x, n_steps, what="bias", per_neuron=False, batch_size=32):
    """Correct the mean firing rates of all layers of neurons, one after another.

    The reference is the static response of the model: the ReLU, clipped at one spike a step, of
    the inputs that it has in the network without spikes. The error is reference minus spikes over
    steps, averaged over samples (and positions). "bias" adds it to the layer's ``shift``,
    "potential" adds ``n_steps`` times it to ``start_potential``. Of what is tried (`ROUNDS`
    corrections and none) each channel or neuron keeps the one with the least mean error, so none
    gets worse; one that nothing moves stays as it is.

    Memory: four bytes for each neuron, step and sample of one layer (1 GiB for 512 samples and 32
    steps of 16384 neurons), one byte more for each of the layers that are still to be read, and
    four for each sum that several layers read.

    Parameters
    ----------
    model : tf.keras.Model
        With `RateIF` layers.
    x : (n_samples, ...) array
        Calibration data.
    n_steps : int
        The presentation time that the network is calibrated for.
    what : {"bias", "potential"}
    per_neuron : bool
        Correct every neuron by itself instead of every channel. It takes many samples: what is
        corrected for a few of them is noise for others.
    batch_size : int

    Returns
    -------
    tf.keras.Model
        The same function, other weights of the `RateIF` layers.

    Raises
    ------
    ConversionError
        For another ``what``, or a model without `RateIF` layers.
    DataError
        For data of another shape, or fewer than one step.
    """
    if what not in KINDS:
        raise ConversionError(f"calibrate: what is {what!r}; choose one of {KINDS}")
    network = Network(_with_own_weights(functional(model), per_neuron))
    x, n_steps = checked(network, x, n_steps)
    parts = [
        _Part(network, x[start : start + batch_size], n_steps)
        for start in range(0, len(x), batch_size)
    ]
    for name in network.neurons:
        _calibrate_layer(network, name, parts, n_steps, what)
        for part in parts:
            part.release()
    return network.model


def _with_own_weights(model, per_neuron):
    """A copy whose `RateIF` layers have a weight for each neuron where that is wanted."""
    layer_class = rate_if_layer()

    def replace(layer, inputs):
        if type(layer).__name__ != "RateIF" or layer.per_neuron or not per_neuron:
            return None
        new = layer_class.from_config({**layer.get_config(), "per_neuron": True})
        output = new(inputs[0])
        shape = tuple(output.shape[1:])
        new.set_weights([np.broadcast_to(weight, shape) for weight in layer.get_weights()])
        return output

    return rebuild(model, replace)


def _calibrate_layer(network, name, parts, n_steps, what):
    """Set one layer's ``shift`` or ``start_potential``; leave its spikes in the parts."""
    layer = network.layers[name]
    weight = layer.shift if what == "bias" else layer.start_potential
    per_error = 1 if what == "bias" else n_steps
    shape = tuple(weight.shape)
    axes = tuple(range(1 + len(network.shapes[name]) - len(shape)))
    best, least = weight.numpy(), np.full(shape, np.inf)
    for _ in range(ROUNDS + 1):
        tried = weight.numpy()
        error = sum(part.lacking(name).sum(axes) for part in parts)
        error /= sum(part.n_samples for part in parts) * np.prod(network.shapes[name]) / error.size
        better = np.abs(error) < least
        best = np.where(better, tried, best)
        least = np.minimum(np.abs(error), least)
        weight.assign(tried + per_error * error)
    weight.assign(best)
    if not better.all():  # else the spikes are those of the last round
        for part in parts:
            part.lacking(name)


def _kept_readers(network):
    """Which kept tensors are computed from each, {name: set of names}.

    Kept are the input, the outputs of neurons, and of other layers that several layers read.
    """
    several = {name for name, readers in network.readers.items() if len(readers) > 1}
    kept = {network.input, *network.neurons, *several}
    readers = {}
    for name in reversed(network.readers):  # against the flow
        reached = (({r} if r in kept else readers[r]) for r in network.readers[name])
        readers[name] = set().union(*reached)
    return {name: readers[name] for name in kept}


class _Kept(dict):
    """Tensors by layer name, and the names of all that there ever were."""

    def __init__(self):
        super().__init__()
        self.made = set()

    def __setitem__(self, name, value):
        super().__setitem__(name, value)
        self.made.add(name)

    def release(self, readers):
        """Forget the tensors whose readers have all been computed."""
        for name in [name for name in self if readers[name] <= self.made]:
            del self[name]


class _Part:
    """A minibatch on its way through the network, with spikes (all steps) and without.

    What is not kept is computed when it is asked for.
    """

    def __init__(self, network, x, n_steps):
        self.network, self.n_steps, self.n_samples = network, n_steps, len(x)
        self.constants = network.start(x).constants
        self.static, self.spikes = _Kept(), _Kept()  # spikes are (steps, samples, neurons) int8
        self.static[network.input] = stack.tensorflow().constant(x)
        self.readers = _kept_readers(network)
        self.current = None  # of the layer that is being calibrated, in all rounds

    def lacking(self, name):
        """Static rate minus spikes a step, (samples, ...) array; keeps the spikes."""
        network, layer = self.network, self.network.layers[name]
        (source,) = network.sources[name]
        if self.current is None:
            steps = self._steps(source)
            self.current = self.constants[source] if steps is None else steps
        spikes = network.spikes(name, self.current.numpy(), self._state(), self.n_steps)
        self.spikes[name] = spikes
        rate = (spikes > 0).sum(0) - layer.parameters.negative_slope * (spikes < 0).sum(0)
        static = self._static(name).numpy() / layer.parameters.amplitude
        return static - rate.reshape(static.shape) / self.n_steps

    def release(self):
        """Forget what no layer of neurons is going to read any more."""
        self.current = None
        self.static.release(self.readers)
        self.spikes.release(self.readers)

    def _state(self):
        return State(self.n_samples, self.constants)

    def _steps(self, name):
        """A layer's output at all steps, (steps * samples, ...) tensor; None if constant."""
        network = self.network
        if name in network.constant:
            return None
        if name in network.neurons:
            spikes = self.spikes[name].reshape(-1, *network.shapes[name])
            return network.worth(name, spikes)
        if name in self.spikes:
            return self.spikes[name]
        inputs = [self._steps(source) for source in network.sources[name]]
        value = network.layer_steps(name, inputs, self._state(), self.n_steps)
        if name in self.readers:
            self.spikes[name] = value
        return value

    def _static(self, name):
        """A layer's output in the network without spikes, (samples, ...) tensor."""
        if name in self.static:
            return self.static[name]
        inputs = [self._static(source) for source in self.network.sources[name]]
        value = self.network.apply(name, inputs)
        if name in self.readers:
            self.static[name] = value
        return value
