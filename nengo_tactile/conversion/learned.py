"""Thresholds and currents that are learned, for a network of few time steps.

What learns is the threshold of each layer (or channel), and a constant current for each channel;
weights stay as they are. The network is shown samples without labels, spikes step by step, and is
asked for the model's own outputs. Spikes have no gradient: it is that of the rate which they stand
for, the rectifier with its ceiling, at the mean input over the steps (the straight-through
estimator, as in quantised networks). That suffices, for all between the neurons is linear or, of
max pooling, a maximum of sums: mean inputs follow from mean outputs.
"""

import math

import numpy as np

from nengo_tactile import stack
from nengo_tactile.conversion.layerwise import STEPS_AT_ONCE, Network
from nengo_tactile.conversion.step_scales import limits, rescaled
from nengo_tactile.progress import track

#: Steps of the optimiser, and samples that each looks at.
UPDATES, BATCH = 256, 32
#: Rate at which logarithms of thresholds, and currents, are learned at first; it falls to zero as a
#: cosine does.
RATE = 5e-3


def learn(layers, found, wanted, x, n_steps, channelwise=False, seed=0, progress=None):
    """Learn thresholds and currents for a number of steps.

    Neither memory nor time grow with the samples.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        With `RateIF` ones.
    found : dict of str to Activations
        Of these, in units of their highest rates; none are needed.
    wanted : (n_samples, ...) array
        Outputs of the model without spikes.
    x : (n_samples, ...) array
    n_steps : int
    channelwise : bool
        A threshold for each channel, or for each layer.
    seed : int
        Of the order of the samples.
    progress : bool, optional

    Returns
    -------
    Layers
        Other thresholds and currents of the `RateIF` layers.
    dict of str to float or (channels,) array
        By layer, what became the highest rate, in units of what was it.
    """
    tf = stack.tensorflow()
    x, rng = np.asarray(x, np.float32), np.random.default_rng(seed)
    learner = _Learner(layers, limits(layers, found), n_steps, channelwise)
    size = max(float(np.std(wanted)), np.finfo(np.float32).tiny)
    optimizer = tf.keras.optimizers.legacy.Adam(RATE)
    order = np.zeros(0, int)
    for update in track(range(UPDATES), "learning thresholds", progress=progress):
        optimizer.learning_rate = RATE * (1 + math.cos(math.pi * update / UPDATES)) / 2
        if not len(order):
            order = rng.permutation(len(x))
        chosen, order = order[:BATCH], order[BATCH:]
        sent = learner.sent(x[chosen])
        with tf.GradientTape() as tape:
            off = (learner.outputs(x[chosen], sent) - wanted[chosen]) / size
            loss = tf.reduce_mean(off**2)
        variables = learner.variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return learner.learned(found)


class _Learner:
    """A network whose thresholds and currents are variables.

    Attributes
    ----------
    logarithms : dict of str to tf.Variable
        Of thresholds, in units of those that the layers have.
    shifts : dict of str to tf.Variable
        In spikes a step.
    """

    def __init__(self, layers, tops, n_steps, channelwise):
        tf = stack.tensorflow()
        self.layers, self.tops, self.n_steps = layers, tops, n_steps
        self.network, self.logarithms, self.shifts = _Scaled(layers), {}, {}
        for layer in layers.of_kinds("RateIF"):
            shape = layer.shape[-1:] if channelwise else ()
            self.logarithms[layer.name] = tf.Variable(tf.zeros(shape))
            self.shifts[layer.name] = tf.Variable(layer.weights[1])

    @property
    def variables(self):
        """All that is learned."""
        return [*self.logarithms.values(), *self.shifts.values()]

    def _scale(self, name):
        """A layer's threshold; the model's own ceiling is the highest."""
        tf = stack.tensorflow()
        return tf.minimum(tf.exp(self.logarithms[name]), self.tops[name])

    def sent(self, x):
        """Mean spikes a step of each neuron, {layer: (samples, ...) array}."""
        network = self.network
        network.scales = {name: self._scale(name).numpy() for name in self.shifts}
        network.shift = {name: shift.numpy() for name, shift in self.shifts.items()}
        state = network.start(x)
        for first in range(0, self.n_steps, STEPS_AT_ONCE):
            steps = min(STEPS_AT_ONCE, self.n_steps - first)
            network.advance(state, steps, [network.output])
        return {
            name: (network.sent(name, state) / self.n_steps).astype(np.float32)
            for name in self.shifts
        }

    def outputs(self, x, sent):
        """Mean outputs over the steps, whose gradients are those of rates."""
        tf = stack.tensorflow()

        def told(layer, mean):
            neuron, scale = self.network.neurons[layer.name], self._scale(layer.name)
            drive = neuron.gain * mean / scale + self.shifts[layer.name]
            top = float(neuron.spikes_per_step)
            rate = tf.clip_by_value(drive, 0.0, top)
            if neuron.negative_slope:
                rate += neuron.negative_slope * tf.clip_by_value(drive, -top, 0.0)
            return scale * neuron.amplitude * (rate + tf.stop_gradient(sent[layer.name] - rate))

        walk = self.layers.values(x, {self.layers.output}, instead={"RateIF": told})
        ((_, outputs),) = walk
        return outputs

    def learned(self, found):
        """Layers with what was learned, and thresholds: see `learn`."""
        scales = {name: self._scale(name).numpy() for name in self.shifts}
        found = {name: one.over(scales[name]) for name, one in found.items()}

        def replace(layer, inputs):
            if layer.name not in self.shifts:
                return None
            before = self.layers[layer.name]
            weights = [before.weights[0], self.shifts[layer.name].numpy()]
            return layer.changed(inputs, weights, per_neuron=before.config["per_neuron"])

        return rescaled(self.layers, scales, found).rebuilt(replace), scales


class _Scaled(Network):
    """A network whose thresholds are ``scales``, in units of those that its layers have."""

    def spikes(self, name, current, state, n_steps):
        """See `Network.spikes`."""
        return super().spikes(name, current / self.scales[name], state, n_steps)

    def worth(self, name, *spikes):
        """See `Network.worth`."""
        return super().worth(name, *spikes) * self.scales[name]
