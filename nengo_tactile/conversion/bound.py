"""What a network of integrate-and-fire neurons would say if every layer waited for the one before.

A layer that knows its mean input over ``n_steps`` can send that mean clipped and rounded to whole
spikes: then the network is an ANN of quantised activations, with ``n_steps * spikes_per_step``
levels. Spikes that come at other times than these lose more, or less: so this is what the number
of spikes costs by itself, beside which the rest is what their order costs.
"""

import functools

from nengo_tactile import stack
from nengo_tactile.ann.training import predict
from nengo_tactile.conversion.graph import functional, rebuild


def waiting_outputs(ann, x, n_steps):
    """Outputs of the network whose layers wait.

    Parameters
    ----------
    ann : tf.keras.Model
        With `RateIF` layers.
    x : (n_samples, ...) array
    n_steps : int

    Returns
    -------
    (n_samples, ...) float32 array
    """

    def replace(layer, inputs):
        if type(layer).__name__ != "RateIF":
            return None
        weights = layer.shift.numpy(), layer.start_potential.numpy()
        return _levels()(layer.parameters, *weights, n_steps, name=layer.name)(inputs[0])

    return predict(rebuild(functional(ann), replace), x)


@functools.cache
def _levels():
    tf = stack.tensorflow()

    class Levels(tf.keras.layers.Layer):
        """Spikes that neurons have sent after so many steps of constant current, by their number.

        Of neurons with a negative slope, those below zero count that much.
        """

        def __init__(self, neuron, shift, start, n_steps, **kwargs):
            super().__init__(**kwargs)
            self.neuron, self.n_steps = neuron, n_steps
            self.shift, self.start = tf.constant(shift), tf.constant(start)

        def call(self, x):
            neuron, n_steps = self.neuron, self.n_steps
            potential = n_steps * (neuron.gain * x + self.shift) + self.start
            whole = tf.floor(potential)
            if not neuron.signed:
                whole = tf.where(potential < 0, tf.math.ceil(potential), whole)
            most = float(n_steps * neuron.spikes_per_step)
            below = neuron.negative_slope * tf.clip_by_value(whole, -most, 0.0)
            sent = tf.clip_by_value(whole, 0.0, most) + below
            return neuron.amplitude / n_steps * sent

    return Levels
