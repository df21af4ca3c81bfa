"""The network as NengoDL runs it: nothing is done at every step that can be done once.

Compared with `nengo_tactile.conversion.build.build_nengo`, whose network computes the same:

* the first layer's current is constant during a presentation: it is computed once per sample
* spikes are ones, their amplitude is in the weights they meet
* neurons count their spikes, and two sums per layer are recorded at each step, instead of all
  spikes at all steps
* the read-out's bias is added afterwards
"""

import dataclasses

import numpy as np

from nengo_tactile import stack
from nengo_tactile.conversion.build import current_bias, transform

#: Fan-outs are summed in two parts, ``fan_out % BASE`` and ``fan_out // BASE``, so that float32
#: holds the sums exactly for layers of up to 2**24 / 255 = 65,793 neurons.
BASE = 256


@dataclasses.dataclass(frozen=True)
class CountingNetwork:
    """A Nengo network for NengoDL and its handles.

    Attributes
    ----------
    net : nengo.Network
    drive : tf.keras.layers.Layer
        Its weight ``current``, (minibatch, neurons of the first layer), is the first layer's
        current for the samples on show.
    output : nengo.Probe
        The read-out without its bias.
    counts : dict of str to nengo.Probe
        Per layer: spikes of each neuron, at the last step.
    sums : dict of str to nengo.Probe
        Per layer and step: spikes, and the two parts of synaptic operations.
    """

    net: object
    drive: object
    output: object
    counts: dict
    sums: dict


def build_counting(network, batch_size, planner="noop"):
    """Make the network that `nengo_tactile.engines.nengo_dl.run` simulates.

    Parameters
    ----------
    network : SpikingNetwork
    batch_size : int
    planner : {"noop", "default"}
        See `nengo_tactile.engines.nengo_dl.configure`.

    Returns
    -------
    CountingNetwork
    """
    import nengo

    from nengo_tactile.engines.nengo_dl import configure
    from nengo_tactile.neurons.exact_lif import ExactLIF

    nengo_dl = stack.nengo_dl()
    fan_out = network.fan_out()
    first, last = network.stages[0], network.stages[-1]
    objects, amplitudes, counts, sums = {}, {}, {}, {}
    with nengo.Network(seed=0) as net:
        configure(net, planner)
        nengo_dl.configure_settings(keep_history=True)  # lets each probe choose
        drive = _drive_layer(batch_size, first.n_neurons)
        node = nengo_dl.TensorNode(drive, shape_out=(first.n_neurons,), pass_time=True)
        for stage in network.stages:
            if stage is last:
                post, gain = nengo.Node(size_in=stage.n_neurons, label=stage.name), 1.0
            else:
                post, gain = _neurons(nengo, ExactLIF, network, stage), stage.lif.gain
                counts[stage.name] = nengo.Probe(post, "spike_count")
                net.config[counts[stage.name]].keep_history = False
                sums[stage.name] = _sums(nengo, post, fan_out[stage.name])
                # what a spike is worth as a filter's input
                amplitudes[stage.name] = stage.lif.amplitude / network.dt
            objects[stage.name] = post
            if stage is first:
                nengo.Connection(node, post, synapse=None)
            else:
                nengo.Connection(
                    objects[stage.source],
                    post,
                    transform=transform(stage, gain * amplitudes[stage.source]),
                    synapse=network.synapse,
                )
        output = nengo.Probe(objects[last.name], synapse=None)
    return CountingNetwork(net, drive, output, counts, sums)


def _neurons(nengo, neuron_type, network, stage):
    lif = stage.lif
    ensemble = nengo.Ensemble(
        stage.n_neurons,
        1,
        # with the time step as amplitude a spike is a one
        neuron_type=neuron_type(
            tau_rc=lif.tau_rc,
            tau_ref=lif.tau_ref,
            amplitude=network.dt,
            min_voltage=network.min_voltage,
            initial_state={"voltage": nengo.dists.Choice([network.initial_voltage])},
        ),
        gain=np.ones(stage.n_neurons),
        bias=current_bias(stage),
        label=stage.name,
    )
    return ensemble.neurons


def _sums(nengo, neurons, fan_out):
    weights = np.stack([np.ones_like(fan_out), fan_out % BASE, fan_out // BASE])
    node = nengo.Node(size_in=3)
    nengo.Connection(neurons, node, transform=weights, synapse=None)
    return nengo.Probe(node, synapse=None)


def _drive_layer(batch_size, n_neurons):
    tf = stack.tensorflow()

    class Drive(tf.keras.layers.Layer):
        """The same current at every step."""

        def build(self, input_shape):
            self.current = self.add_weight(
                name="current", shape=(batch_size, n_neurons), trainable=False
            )
            super().build(input_shape)

        def call(self, time):
            return tf.identity(self.current)

    return Drive()


def drive_current(stage, x):
    """Current that samples drive into the first layer, without its bias.

    Parameters
    ----------
    stage : Stage
    x : (n_samples, ...) float32 array

    Returns
    -------
    (n_samples, n_neurons) tensor
    """
    tf = stack.tensorflow()
    kernel = tf.constant(stage.kernel * np.float32(stage.lif.gain))
    if stage.kind == "dense":
        return tf.reshape(x, (len(x), -1)) @ kernel
    current = tf.nn.conv2d(x, kernel, stage.strides, stage.padding.upper())
    return tf.reshape(current, (len(x), -1))
