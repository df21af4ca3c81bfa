"""Sigma-delta networks step by step, as forward passes of Keras on what was sent so far.

What neurons have sent up to a step is their quantised potential. All between two layers of neurons
is linear, or takes a maximum, so the potentials after a step are what Keras makes of the quantised
potentials before them, biases, sums and max pooling included. Only the hysteresis has a memory. It
is independent of Nengo.
"""

import dataclasses

import numpy as np

from nengo_tactile import stack
from nengo_tactile.conversion.activations import accumulates
from nengo_tactile.errors import ConversionError

#: Steps that a network may still fire for when all input has arrived.
LONGEST_REST = 10_000


class RestlessError(ConversionError):
    """A network takes too many steps to come to rest."""


@dataclasses.dataclass(frozen=True)
class Rest:
    """What a network came to when nothing fires any more.

    Attributes
    ----------
    logits : (n_samples, n_outputs) float32 array
    spikes : dict of str to (n_samples,) int array
        Spikes of each layer of neurons, of either sign.
    n_steps : int
        Steps until the last spike of the sample that took longest, or the end of the input.
    """

    logits: np.ndarray
    spikes: dict
    n_steps: int


class Accumulator:
    """A model of sigma-delta neurons and how a step changes what they have sent.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        With `SigmaDelta` ones.

    Attributes
    ----------
    neurons : dict of str to int
        Neurons of each layer, in the order of computation.
    thresholds : (n_layers,) float32 array
    """

    def __init__(self, layers):
        tf = stack.tensorflow()
        if not accumulates(layers):
            raise ConversionError(
                f"model '{layers.name}' has no SigmaDelta layer: convert it first (use_sigma_delta)"
            )
        self.layers = layers
        for layer in layers:
            if layer.sources:  # a compiled function can make none
                layer.keras  # noqa: B018
        found = layers.of_kinds("SigmaDelta")
        self.shapes = {layer.name: layer.shape for layer in found}
        self.neurons = {name: int(np.prod(shape)) for name, shape in self.shapes.items()}
        thresholds = [layer.keras.parameters.threshold for layer in found]
        self.thresholds = np.array(thresholds, np.float32)
        self._step = tf.function(self._advance, reduce_retracing=True)

    def start(self, n_samples):
        """What neurons have sent before the first step: nothing, a tensor for each layer."""
        tf = stack.tensorflow()
        return [tf.zeros((n_samples, *shape)) for shape in self.shapes.values()]

    def step(self, x, sent, factor=1.0):
        """Let all layers fire once.

        Parameters
        ----------
        x : (n_samples, ...) array
            What of the input has arrived so far.
        sent : list of tensors
            Quantised potentials before the step, in thresholds.
        factor : float
            On all thresholds.

        Returns
        -------
        logits : (n_samples, n_outputs) tensor
        sent : list of tensors
        fired : (n_layers, n_samples) tensor
            Spikes in this step.
        """
        tf = stack.tensorflow()
        thresholds = tf.constant(np.float32(factor) * self.thresholds)
        return self._step(tf.constant(x, tf.float32), sent, thresholds)

    def _advance(self, x, sent, thresholds):
        tf = stack.tensorflow()
        values, after, fired = {self.layers.input.name: x}, [], []
        before = zip(sent, tf.unstack(thresholds, len(sent)))
        for layer in self.layers:
            if not layer.sources:
                continue
            arguments = [values[source] for source in layer.sources]
            if layer.name in self.shapes:
                old, threshold = next(before)
                (value,) = arguments
                missing = tf.nn.relu(value) if layer.config["rectify"] else value
                missing -= threshold * old
                spikes = tf.cast(missing >= threshold, x.dtype)
                spikes -= tf.cast(missing <= -threshold, x.dtype)
                after.append(old + spikes)
                fired.append(tf.reduce_sum(tf.abs(spikes), range(1, len(old.shape))))
                values[layer.name] = threshold * after[-1]
            else:
                values[layer.name] = layer(arguments)
        return values[self.layers.output], after, tf.stack(fired)

    def rest(self, x, coding, factor=1.0, batch_size=64, longest=LONGEST_REST):
        """Show samples until nothing fires any more.

        Memory holds one minibatch's activations and input over time.

        Parameters
        ----------
        x : (n_samples, ...) array
        coding : DelayCoding or CurrentCoding
        factor : float
            On all thresholds.
        batch_size : int
        longest : int
            Steps that it may take after the end of the input.

        Returns
        -------
        Rest

        Raises
        ------
        RestlessError
            If a layer still fires after ``longest`` steps, naming it.
        """
        logits, spikes, n_steps = [], [], coding.n_steps
        for first in range(0, len(x), batch_size):
            batch = x[first : first + batch_size]
            signal = coding.signal(batch, coding.n_steps)
            arrived = np.zeros((len(batch), signal.shape[2]), np.float32)
            sent, total, step = self.start(len(batch)), 0, 0
            while True:
                if step < coding.n_steps:
                    arrived += signal[:, step]
                outputs, sent, fired = self.step(arrived.reshape(batch.shape), sent, factor)
                fired = np.rint(fired.numpy()).astype(np.int64)
                total = total + fired
                if step >= coding.n_steps and not fired.any():
                    break
                step += 1
                if step > coding.n_steps + longest:
                    raise self._restless(fired, factor, longest)
            n_steps = max(n_steps, step)
            logits.append(outputs.numpy())
            spikes.append(total)
        spikes = dict(zip(self.neurons, np.concatenate(spikes, axis=1)))
        return Rest(np.concatenate(logits), spikes, n_steps)

    def _restless(self, fired, factor, longest):
        index = int(np.argmax(fired.sum(axis=1)))
        return RestlessError(
            f"layer '{list(self.neurons)[index]}': still fires {longest} steps after all input has "
            f"arrived; its threshold of {factor * self.thresholds[index]:g} is too fine for at "
            "most one spike a step: choose larger thresholds"
        )
