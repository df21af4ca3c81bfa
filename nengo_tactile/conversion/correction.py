"""Correction of mean firing rates: few time steps give the rates of many.

Li et al. 2021, "A free lunch from ANN: towards efficient, accurate spiking neural networks
calibration": what a layer's rates lack on average, on calibration samples and after the layers
before it are corrected, is given back as a constant current or as membrane potential at the start.
"""

import numpy as np

from nengo_tactile.conversion.layerwise import STEPS_AT_ONCE, Network, checked
from nengo_tactile.errors import ConversionError
from nengo_tactile.progress import track

KINDS = ("bias", "potential", "steps")
#: Corrections that are tried one after another; a silent or saturated neuron answers less than
#: asked, so that one is not enough.
ROUNDS = 3
#: Corrections that follow at most while a channel's mean error is more than a share of its layer's
#: mean rate, and the factor by which they grow each time where half of the error is left. In layers
#: of hardly any spikes those few answer that fluctuations bring to the threshold; their error is
#: small in the mean over all, and what they need is not. Left as they are, such spikes add up from
#: layer to layer.
MORE_ROUNDS, SHARE, GROWTH = 3, 0.3, 4.0
#: Corrections of the currents of single steps, the share of the error that one takes back, and
#: samples that their means are of at least.
STEP_ROUNDS, STEP_SHARE, STEP_SAMPLES = 6, 0.5, 32
#: Bytes that are kept of all samples: inputs of the layer that is being corrected, 4 for each
#: neuron and step, and spikes that later layers read, an eighth. What of a minibatch does not fit
#: is computed again each time, from the spikes before it or else from its samples.
INPUT_MEMORY, SPIKE_MEMORY = 2**30, 2**28


def correct(
    layers,
    x,
    n_steps,
    by="bias",
    per_neuron=False,
    batch_size=32,
    reference=None,
    units=None,
    progress=None,
):
    """Correct the mean firing rates of all layers of neurons, one after another.

    The reference is by default the static response of the model: the ReLU, clipped at the highest
    rate, of the inputs that it has in the network without spikes. The error is reference minus
    spikes over steps, averaged over samples (and positions). "bias" adds it to the layer's
    ``shift``, "potential" adds ``n_steps`` times it to ``start_potential``. "steps" goes on from
    "bias": spikes come too late or too early too, so the same is done for each step by itself, by
    currents that add up to nothing (after Wu et al. 2024, "FTBC: forward temporal bias correction
    for optimizing ANN-SNN conversion"). Of what is tried
    (`ROUNDS` corrections and none, and up to `MORE_ROUNDS` bolder ones) each channel or neuron
    keeps the one with the least mean error, so none gets worse; one that nothing moves stays as it
    is.

    The samples pass in minibatches, `STEPS_AT_ONCE` steps at a time. Between the passes stay sums
    for each neuron and at most `INPUT_MEMORY` and `SPIKE_MEMORY` bytes, however many samples and
    steps there are.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        With `RateIF` ones.
    x : (n_samples, ...) array
        Calibration samples.
    n_steps : int
        The presentation time that the network is corrected for.
    by : {"bias", "potential", "steps"}
    per_neuron : bool
        Correct every neuron by itself instead of every channel. It takes many samples: what is
        corrected for a few of them is noise for others.
    batch_size : int
    reference : Layers, optional
        Whose layers of the same names have the activations that are wanted.
    units : dict of str to float or (channels,) array, optional
        By layer, what is worth 1 in ``layers`` and so much in ``reference``; by default 1.
    progress : bool, optional

    Returns
    -------
    Layers
        The same function, other weights of the `RateIF` layers.

    Raises
    ------
    ConversionError
        For another ``by``, or a model without `RateIF` layers; and for "steps" of single neurons,
        or of fewer than `STEP_SAMPLES` samples, of which the means of steps would be noise.
    DataError
        For data of another shape, or fewer than one step.
    """
    if by not in KINDS:
        raise ConversionError(f"correction is {by!r}: choose one of {KINDS}")
    network = Network(_with_own_weights(layers) if per_neuron else layers)
    x, n_steps = checked(network, x, n_steps)
    if by == "steps" and (per_neuron or len(x) < STEP_SAMPLES):
        raise ConversionError(
            f"correction 'steps' on {len(x)} samples, of single neurons {per_neuron}: it takes the "
            f"means of channels at each step, of at least {STEP_SAMPLES} samples; give more, or "
            "correction='bias'"
        )
    batches = [x[start : start + batch_size] for start in range(0, len(x), batch_size)]
    static = _static_rates(network, reference or layers, batches, units or {})
    rooms = _Room(INPUT_MEMORY), _Room(SPIKE_MEMORY)
    parts = [_Part(network, batch, n_steps, *rooms) for batch in batches]
    later_of = _read_later(network)
    for name in track(list(later_of), "correcting layer by layer", progress=progress):
        later = later_of[name]
        _correct_layer(network, name, static[name], parts, n_steps, by)
        if by == "steps":
            _correct_steps(network, name, static[name], parts, n_steps)
        for part in parts:
            part.finish(name, later)

    def replace(layer, inputs):
        if layer.name not in network.neurons:
            return None
        weights = [network.begin[layer.name], network.shift[layer.name]]
        early = network.step_shift[layer.name]
        weights += [early] if len(early) else []
        return layer.changed(inputs, weights, shift_steps=len(early))

    return network.layers.rebuilt(replace)


def _with_own_weights(layers):
    """The model with weights for each neuron in its `RateIF` layers."""

    def replace(layer, inputs):
        if layer.kind != "RateIF" or layer.config["per_neuron"]:
            return None
        weights = [np.broadcast_to(weight, layer.shape) for weight in layer.weights]
        return layer.changed(inputs, weights, per_neuron=True)

    return layers.rebuilt(replace)


def _static_rates(network, reference, batches, units):
    """Sums over samples of each neuron's output in a network without spikes, in spikes a step.

    Returns
    -------
    dict of str to float array of the shape of a sample
    """
    sums = {name: np.zeros(network.shapes[name]) for name in network.neurons}
    for batch in batches:
        for layer, value in reference.values(batch, network.neurons):
            spike = network.neurons[layer.name].amplitude * units.get(layer.name, 1.0)
            sums[layer.name] += value.numpy().sum(0, dtype=float) / spike
    return sums


def _read_later(network):
    """Whose spikes the layers of neurons behind a layer are computed from, {name: set of names}.

    Only of layers of neurons up to that layer, itself included.
    """
    found = {}
    names = list(network.neurons)
    for number, name in enumerate(names, 1):
        known = set(network.needed(names[:number])).intersection(names)
        behind = network.needed(names[number:], known)
        found[name] = {source for one in behind for source in network.sources[one]} & known
    return found


def _correct_layer(network, name, static, parts, n_steps, by):
    """Set one layer's ``shift`` or ``start_potential``."""
    weights = network.begin if by == "potential" else network.shift
    per_error = n_steps if by == "potential" else 1
    shape = weights[name].shape
    axes = tuple(range(static.ndim - len(shape)))
    n_values = sum(part.n_samples for part in parts) * static.size / np.prod(shape)
    enough = SHARE * static.mean() / sum(part.n_samples for part in parts)
    best, least, before = weights[name], np.full(shape, np.inf), np.zeros(shape)
    for number in range(ROUNDS + MORE_ROUNDS + 1):
        tried = weights[name]
        rates = sum(part.fired(name) for part in parts) / n_steps
        error = (static - rates).sum(axes) / n_values
        best = np.where(np.abs(error) < least, tried, best)
        least = np.minimum(np.abs(error), least)
        if number >= ROUNDS:
            if (least <= enough).all():
                break
            slow = error * before > before**2 / 2
            per_error = np.where(slow, GROWTH, 1) * per_error
        before = error
        weights[name] = (tried + per_error * error).astype(np.float32)
    weights[name] = best


def _correct_steps(network, name, static, parts, n_steps):
    """Set one layer's ``step_shift``: its steps add up to zero.

    Each channel keeps what has the least error after all steps and root mean square of the errors
    of single steps, added up.
    """
    n_channels = static.shape[-1]
    n_values = sum(part.n_samples for part in parts) * static.size / n_channels
    wanted = static.reshape(-1, n_channels).sum(axis=0)
    tried = np.zeros((n_steps, n_channels))
    best, least = tried, np.full(n_channels, np.inf)
    for _ in range(STEP_ROUNDS + 1):
        network.step_shift[name] = tried.astype(np.float32)
        error = (wanted - sum(part.course(name) for part in parts)) / n_values
        size = np.abs(error.sum(axis=0)) + np.sqrt((error**2).mean(axis=0))
        best, least = np.where(size < least, tried, best), np.minimum(size, least)
        tried = tried + STEP_SHARE * (error - error.mean(axis=0))
    network.step_shift[name] = best.astype(np.float32)


class _Room:
    """Bytes that are still free."""

    def __init__(self, n_bytes):
        self.free = n_bytes

    def take(self, n_bytes):
        """Whether there are as many; if so they are taken."""
        fits = n_bytes <= self.free
        self.free -= n_bytes * fits
        return fits


class _Part:
    """A minibatch, and what is kept of it; the rest is computed when it is asked for.

    Attributes
    ----------
    kept : dict of str to list of list of list of uint8 array
        Spikes of layers of neurons, packed, for each stretch of steps: see `_packed`. Once there is
        no room for those of a layer, none are kept any more.
    inputs : list of float32 array
        Inputs of the layer that is being corrected, for each stretch; empty while they are
        unknown, and where there is no room.
    """

    def __init__(self, network, x, n_steps, input_room, spike_room):
        self.network, self.x, self.n_samples = network, x, len(x)
        firsts = range(0, n_steps, STEPS_AT_ONCE)
        self.stretches = [min(STEPS_AT_ONCE, n_steps - first) for first in firsts]
        self.input_room, self.spike_room = input_room, spike_room
        self.kept, self.inputs, self.keeps = {}, [], True

    def fired(self, name):
        """What each neuron sends over samples and steps, in units of a whole spike."""
        state = self.network.start(self.x)
        for _ in self._spikes(name, state, remember=True):
            pass
        return self.network.sent(name, state).sum(0, dtype=float)

    def course(self, name):
        """What each channel sends at each step over samples, (n_steps, channels) array."""
        network, state, parts = self.network, self.network.start(self.x), []
        slope, n_channels = network.neurons[name].negative_slope, network.shapes[name][-1]
        for spikes, *below in self._spikes(name, state, remember=True):
            for array, worth in zip((spikes, *below), (1.0, slope - 1.0)):
                by_channel = array.reshape(len(array), -1, n_channels)
                parts.append(worth * by_channel.sum(axis=1, dtype=float))
        kinds = 2 if slope else 1
        return sum(np.concatenate(parts[k::kinds]) for k in range(kinds))

    def finish(self, name, later):
        """Keep a corrected layer's spikes if they are in ``later``, and forget what is not."""
        for other in set(self.kept) - later:
            self._forget(other)
        if name in later and self.keeps:
            self.keeps = self.spike_room.take(self._n_bytes(name))
            if self.keeps:
                state = self.network.start(self.x)
                self.kept[name] = [self._packed(name, s) for s in self._spikes(name, state)]
            for other in set() if self.keeps else set(self.kept):
                self._forget(other)
        self.input_room.free += sum(current.nbytes for current in self.inputs)
        self.inputs = []

    def _spikes(self, name, state, remember=False):
        """Yield the spikes of a layer of neurons in each stretch: see `Network.spikes`."""
        network = self.network
        (source,) = network.sources[name]
        constant = source in network.constant
        needed = network.needed([source], self.kept)
        read = {source, *(one for layer in needed for one in network.sources[layer])}
        n_bytes = 4 * sum(self.stretches) * self.n_samples * int(np.prod(network.shapes[name]))
        remember = remember and not (constant or self.inputs) and self.input_room.take(n_bytes)
        for number, n_steps in enumerate(self.stretches):
            if constant:
                current = state.constants[source].numpy()
            elif self.inputs and not remember:
                current = self.inputs[number]
            else:
                given = {one: self._kept(one, number) for one in read.intersection(self.kept)}
                (current,) = network.advance(state, n_steps, [source], given)
                current = current.numpy()
            if remember:
                self.inputs.append(current)
            yield network.spikes(name, current, state, n_steps)

    def _n_bits(self, name):
        """Bits of what a layer's spike is worth, and values that it can have below zero."""
        neuron = self.network.neurons[name]
        most = neuron.spikes_per_step
        below = most if neuron.signed or neuron.negative_slope else 0
        return (most + below).bit_length(), below

    def _n_bytes(self, name):
        """Bytes of a layer's packed spikes."""
        n_neurons = int(np.prod(self.network.shapes[name]))
        slope = self.network.neurons[name].negative_slope
        planes = self._n_bits(name)[0] * (2 if slope else 1)
        return planes * sum(-(-n * self.n_samples * n_neurons // 8) for n in self.stretches)

    def _packed(self, name, spikes):
        """Spikes at a bit each, or as many as they need, for each array of `Network.spikes`."""
        n_bits, below = self._n_bits(name)
        return [
            [
                np.packbits((values.view(np.uint8) + np.uint8(below)) >> bit & 1)
                for bit in range(n_bits)
            ]
            for values in spikes
        ]

    def _kept(self, name, number):
        """Output of a layer of neurons in a stretch, (steps * samples, ...) tensor."""
        size = self.stretches[number] * self.n_samples * int(np.prod(self.network.shapes[name]))
        _, below = self._n_bits(name)
        spikes = []
        for planes in self.kept[name][number]:
            values = np.full(size, -below, np.int8).view(np.uint8)
            for bit, plane in enumerate(planes):
                values += np.unpackbits(plane, count=size) << np.uint8(bit)
            spikes.append(values.view(np.int8))
        return self.network.worth(name, *spikes)

    def _forget(self, name):
        self.spike_room.free += self._n_bytes(name)
        del self.kept[name]
