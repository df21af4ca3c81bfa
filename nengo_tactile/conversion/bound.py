"""What a network of integrate-and-fire neurons would say if every layer waited for the one before.

A layer that knows its mean input over ``n_steps`` can send that mean clipped and rounded to whole
spikes: then the network is an ANN of quantised activations, with ``n_steps * spikes_per_step``
levels. Spikes that come at other times than these lose more, or less: so this is what the number
of spikes costs by itself, beside which the rest is what their order costs.
"""

import functools

from nengo_tactile import stack


def waiting_outputs(layers, x, n_steps):
    """Outputs of the network whose layers wait.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        With `RateIF` ones: `SpikingNetwork.layers`.
    x : (n_samples, ...) array
    n_steps : int

    Returns
    -------
    (n_samples, ...) float32 array
    """
    return layers.outputs(x, instead={"RateIF": functools.partial(_levels, n_steps)})


def _levels(n_steps, layer, x):
    """Spikes that neurons have sent after so many steps of constant current, by their number.

    Of neurons with a negative slope, those below zero count that much.
    """
    tf = stack.tensorflow()
    (start, shift, *early), neuron = layer.weights, layer.keras.parameters
    potential = n_steps * (neuron.gain * x + shift) + start
    for steps in early:
        potential += steps[:n_steps].sum(axis=0)
    whole = tf.floor(potential)
    if not neuron.signed:
        whole = tf.where(potential < 0, tf.math.ceil(potential), whole)
    most = float(n_steps * neuron.spikes_per_step)
    below = neuron.negative_slope * tf.clip_by_value(whole, -most, 0.0)
    sent = tf.clip_by_value(whole, 0.0, most) + below
    return neuron.amplitude / n_steps * sent
