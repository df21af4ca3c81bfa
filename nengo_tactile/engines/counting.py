"""The network as NengoDL runs it: nothing is done at every step that can be done once.

Compared with `nengo_tactile.conversion.build.build_nengo`, whose network computes the same:

* what the input drives by itself is constant during a presentation: it is computed once per
  sample; sigma-delta neurons, which a sample reaches over time, have an input Node
* spikes are ones, their amplitude is in the weights they meet
* neurons count their spikes, and two sums per layer are recorded at each step, instead of all
  spikes at all steps
* the read-out's bias is added afterwards
"""

import dataclasses

import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann.lif import LIFParameters
from nengo_tactile.conversion.build import (
    connect,
    current_bias,
    integrate_fire,
    link_gain,
    max_pool,
    sends_changes,
    sigma_delta,
)
from nengo_tactile.conversion.stages import analogue_sources, silent_model
from nengo_tactile.errors import EngineError

#: Fan-outs are summed in two parts, ``fan_out % BASE`` and ``fan_out // BASE``, so that float32
#: holds the sums exactly for layers of up to 2**24 / 255 = 65,793 neurons.
BASE = 256


def configure(net, planner="noop"):
    """Set NengoDL up for inference.

    Parameters
    ----------
    net : nengo.Network
    planner : {"noop", "default"}
        "noop" keeps operators apart. NengoDL's default planner merges their signals and
        copies them at every step; benchmarks/nengo_dl_speed.py measures both.
    """
    if planner not in ("noop", "default"):
        raise EngineError(f"planner is {planner!r}: choose 'noop' or 'default'")
    nengo_dl = stack.nengo_dl()
    with net:
        nengo_dl.configure_settings(stateful=False, inference_only=True)
        if planner == "noop":
            nengo_dl.configure_settings(planner=nengo_dl.graph_optimizer.noop_planner)


@dataclasses.dataclass(frozen=True)
class CountingNetwork:
    """A Nengo network for NengoDL and its handles.

    Attributes
    ----------
    net : nengo.Network
    drives : Drives or None
        What the samples on show drive by themselves.
    input : nengo.Node or None
        Where they arrive over time instead.
    output : nengo.Probe
        The read-out without constants.
    counts : dict of str to nengo.Probe
        Per layer, at the last step: spikes of each neuron; of a max pooling those of each slot
        of its windows, see `spike_counts`.
    sums : dict of str to nengo.Probe
        Per layer and step: spikes, and the two parts of synaptic operations.
    """

    net: object
    drives: object
    input: object
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
        See `configure`.

    Returns
    -------
    CountingNetwork
    """
    import nengo

    nengo_dl = stack.nengo_dl()
    fan_out = network.fan_out()
    stages = network.stages
    coded = network.accumulates
    analogue = set() if coded else analogue_sources(stages)
    objects, counts, sums = {}, {}, {}
    worth = {}  # what a one from a stage stands for
    graded = set()  # stages that send other values than ones
    with nengo.Network(seed=0) as net:
        configure(net, planner)
        nengo_dl.configure_settings(keep_history=True)  # lets each probe choose
        drives = node = None
        if coded:
            graded.add("input")
            node = objects["input"] = nengo.Node(np.zeros(int(np.prod(network.input_shape))))
            worth["input"] = 1.0
        else:
            drives = Drives(network, batch_size)
        for stage in stages:
            if stage.name in analogue:
                continue
            if stage.kind in ("relay", "read-out"):
                post = objects[stage.name] = nengo.Node(size_in=stage.n_neurons, label=stage.name)
                worth[stage.name] = 1.0
                graded.add(stage.name)
            elif stage.kind == "max-pool":
                post, objects[stage.name] = max_pool(stage, biased=not _has_drive(stage, coded))
                # maxima are taken of ones, unless a relay has made values of them
                source = stage.links[0].source
                worth[stage.name] = worth[source]
                if source in graded:
                    graded.add(stage.name)
                counts[stage.name] = nengo.Probe(post, "spike_count")
            else:
                post = objects[stage.name] = _neurons(nengo, network, stage)
                worth[stage.name] = spike_value(stage, network.dt)
                if coded or getattr(stage.neuron, "negative_slope", 0):
                    graded.add(stage.name)
                counts[stage.name] = nengo.Probe(post, "spike_count")
            if stage.spikes:
                net.config[counts[stage.name]].keep_history = False
                events = objects[stage.name]
                if stage.name in graded:
                    events = _events(events, stage.n_neurons)
                sums[stage.name] = event_sums(events, fan_out[stage.name])
            if _has_drive(stage, coded):
                current = nengo_dl.TensorNode(
                    drives.layer(stage), shape_out=(drive_size(stage),), pass_time=True
                )
                nengo.Connection(current, post, synapse=None)
            for link in stage.links:
                if link.source in analogue:
                    continue
                gain = link_gain(stage, link, analogue)
                if stage.kind != "max-pool":
                    gain *= worth[link.source]
                filtered = link.source in sums and stage.kind != "max-pool"
                synapse = network.synapse if filtered else None
                connect(link, objects[link.source], post, gain, synapse)
        output = nengo.Probe(objects[stages[-1].name], synapse=None)
    return CountingNetwork(net, drives, node, output, counts, sums)


def drive_size(stage):
    """Currents that a stage of neurons, or a max pooling, takes."""
    return stage.windows.size if stage.kind == "max-pool" else stage.n_neurons


def _has_drive(stage, coded):
    """Whether the image drives a stage by itself, the same at every step."""
    return stage.driven and stage.kind in ("neurons", "max-pool") and not coded


def spike_value(stage, dt):
    """What a spike adds to the input of a link, in its time step."""
    neuron = stage.neuron
    return neuron.amplitude / dt if isinstance(neuron, LIFParameters) else neuron.amplitude


def spike_counts(stage, counted):
    """Spikes of each neuron from what the probe in ``counts`` holds, (n_samples, n_neurons)."""
    if stage.kind == "max-pool":
        counted = counted.reshape(len(counted), *stage.windows.shape)[:, :, 0]
    return np.rint(counted).astype(np.int32)


def _neurons(nengo, network, stage):
    # with the time step as amplitude a spike is a one; sigma-delta neurons do not divide by it
    if isinstance(stage.neuron, LIFParameters):
        from nengo_tactile.neurons.exact_lif import ExactLIF

        kind = ExactLIF(
            tau_rc=stage.neuron.tau_rc,
            tau_ref=stage.neuron.tau_ref,
            amplitude=network.dt,
            min_voltage=network.min_voltage,
            initial_state={"voltage": nengo.dists.Choice([network.initial_voltage])},
        )
    elif sends_changes(stage):
        kind = sigma_delta(stage, amplitude=1.0)
    else:
        kind = integrate_fire(stage, network.dt, network.dt)
    ensemble = nengo.Ensemble(
        stage.n_neurons,
        1,
        neuron_type=kind,
        gain=np.ones(stage.n_neurons),
        bias=np.zeros(stage.n_neurons) if stage.driven else current_bias(stage),
        label=stage.name,
    )
    return ensemble.neurons


def event_sums(spikes, fan_out):
    """Probe how many neurons spike at a step, and synapses reached, in two parts (see `BASE`).

    Parameters
    ----------
    spikes : Nengo object
        A one for each spike.
    fan_out : (n_neurons,) int array

    Returns
    -------
    nengo.Probe
        Spikes, and ``fan_out % BASE`` and ``fan_out // BASE`` of those that spike, summed.
    """
    import nengo

    weights = np.stack([np.ones_like(fan_out), fan_out % BASE, fan_out // BASE])
    node = nengo.Node(size_in=3)
    nengo.Connection(spikes, node, transform=weights, synapse=None)
    return nengo.Probe(node, synapse=None)


def _events(spikes, n_neurons):
    """A one for each spike, whatever its value."""
    import nengo

    tf, nengo_dl = stack.tensorflow(), stack.nengo_dl()

    def ones(values):
        return tf.cast(tf.not_equal(values, 0), values.dtype)

    node = nengo_dl.TensorNode(ones, shape_in=(n_neurons,), shape_out=(n_neurons,), pass_time=False)
    nengo.Connection(spikes, node, synapse=None)
    return node


class Drives:
    """Currents that the samples on show drive by themselves, biases included.

    Parameters
    ----------
    network : SpikingNetwork
    batch_size : int
    """

    def __init__(self, network, batch_size):
        tf = stack.tensorflow()
        silent, names = silent_model(network.ann)
        outputs = dict(zip(names, silent.outputs))
        self.stages = [stage for stage in network.stages if stage.driven and _ends(stage)]
        self.batch_size = batch_size
        self.model = tf.keras.Model(silent.inputs, [outputs[s.layer] for s in self.stages])
        self.layers = {}

    def layer(self, stage):
        """A Keras layer that gives the current of a stage at every step."""
        self.layers[stage.name] = _constant_layer(self.batch_size, drive_size(stage))
        return self.layers[stage.name]

    def currents(self, x):
        """What samples (n_samples, ...) drive by themselves.

        Returns
        -------
        currents : dict of str to (n_samples, n_neurons) tensor
            Of the stages of neurons that the input reaches; of max poolings that spikes reach
            too, for each input of a window.
        read_out : (n_samples, n_outputs) array, or None
            The read-out's own part, when the input reaches it.
        """
        tf = stack.tensorflow()
        values = tf.nest.flatten(self.model(tf.constant(x, tf.float32)))
        currents, read_out = {}, None
        for stage, value in zip(self.stages, values):
            value = tf.reshape(value, (len(x), -1))
            if stage.kind == "read-out":
                read_out = value.numpy()
                continue
            if stage.kind == "max-pool":
                currents[stage.name] = tf.gather(value, stage.windows.ravel(), axis=1)
                continue
            neuron = stage.neuron
            more = neuron.offset if isinstance(neuron, LIFParameters) else stage.shift
            currents[stage.name] = neuron.gain * value + more
        return currents, read_out

    def show(self, x):
        """Set the currents for samples (batch_size, ...); returns the read-out's own part.

        Returns
        -------
        (batch_size, n_outputs) array, or None when the input does not reach it by itself
        """
        currents, read_out = self.currents(x)
        for name, current in currents.items():
            self.layers[name].current.assign(current)
        return read_out


def _ends(stage):
    return stage.kind in ("neurons", "max-pool", "read-out")


def _constant_layer(batch_size, n_neurons):
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
