"""The network as NengoDL runs it: nothing is done at every step that can be done once.

Compared with the network of `nengo_tactile.networks.nengo_network`, which computes the same:

* what the input drives by itself is constant during a presentation: it is computed once per
  sample; sigma-delta neurons, which a sample reaches over time, have an input Node
* neurons count their spikes, and two sums per layer are recorded at each step, instead of all
  spikes at all steps
* the read-out's constants are added afterwards
"""

import dataclasses
import math

import numpy as np

from nengo_tactile import stack
from nengo_tactile.engines.recording import units_of
from nengo_tactile.errors import EngineError
from nengo_tactile.nengo_runs import Rows
from nengo_tactile.networks.nengo_network import build
from nengo_tactile.networks.neurons import Sum
from nengo_tactile.networks.stages import Graph

#: Fan-outs are summed in two parts, ``fan_out % BASE`` and ``fan_out // BASE``, so that float32
#: holds the sums exactly for layers of up to 2**24 / 255 = 65,793 neurons.
BASE = 256


def configure(net, planner="noop", dtype="float32"):
    """Set NengoDL up for inference.

    Parameters
    ----------
    net : nengo.Network
    planner : {"noop", "default"}
        "noop" keeps operators apart. NengoDL's default planner merges their signals and
        copies them at every step; benchmarks/nengo_dl_speed.py measures both.
    dtype : {"float32", "float64"}
        Of sums.
    """
    if planner not in ("noop", "default"):
        raise EngineError(f"planner is {planner!r}: choose 'noop' or 'default'")
    nengo_dl = stack.nengo_dl()
    with net:
        nengo_dl.configure_settings(stateful=False, inference_only=True, dtype=dtype)
        if planner == "noop":
            nengo_dl.configure_settings(planner=nengo_dl.graph_optimizer.noop_planner)


@dataclasses.dataclass(frozen=True)
class CountingNetwork:
    """A Nengo network for NengoDL and its handles.

    Attributes
    ----------
    graph : Graph
        What it is made of.
    net : nengo.Network
    input : nengo.Node
        Where samples arrive over time.
    currents : dict of str to Keras layer
        Of the stages that get a constant current: their ``current``, (batch_size, n_inputs).
    output : nengo.Probe
        The read-out without constants.
    counts : dict of str to nengo.Probe
        Per layer, at the last step: spikes of each neuron; of a max pooling those of each slot
        of its windows, see `spike_counts`.
    sums : dict of str to nengo.Probe
        Per layer and step: spikes, and the two parts of synaptic operations; of layers whose
        spikes are worth several also what they are worth. And of stages that only add up.
    rasters : dict of str to nengo.Probe
        Per layer and step: what each neuron sends; more behind it.
    engine : str
        That it is made for.
    """

    graph: object
    net: object
    input: object
    currents: dict
    output: object
    counts: dict
    sums: dict
    rasters: dict
    engine: str

    def show(self, x):
        """Set the currents for samples, (batch_size, ...), that are on show all the time.

        Returns
        -------
        (batch_size or 1, n_outputs) float32 array
            The read-out's constants.
        """
        silent = self.graph.silent(x)
        for name, layer in self.currents.items():
            layer.current.assign(silent[name])
        return silent[self.graph.stages[-1].name]


def build_counting(
    network, batch_size, planner="noop", dtype="float32", engine="nengo-dl", rasters=False
):
    """Make the network that `nengo_tactile.engines.nengo_dl.run` simulates.

    Parameters
    ----------
    network : SpikingNetwork or SlayerNetwork
    batch_size : int
    planner, dtype : str
        See `configure`.
    engine : {"nengo-dl", "nengo"}
    rasters : bool
        Whether all spikes are probed.

    Returns
    -------
    CountingNetwork
    """
    import nengo

    nengo_dl = stack.nengo_dl()
    graph, fan_out, constant = network.graph, network.graph.fan_out(), network.coding is None
    driven = graph.driven if constant else set()
    shown = graph.varying() if constant else graph
    *stages, last = shown.stages
    if not last.spikes and last.neuron.decay == 0:  # sums over time are taken afterwards
        last = dataclasses.replace(last, neuron=Sum(), start=None)
    rows = None if constant else Rows(math.prod(graph.input_shape), network.dt)
    built = build(Graph(shown.input_shape, [*stages, last]), network.dt, rows, probes=False)
    built.net.input, built.net.dt, built.net.lag = built.input, network.dt, 0
    counts, sums, currents, kept = {}, {}, {}, {}
    graded = _graded(shown, set() if constant else {"input"})
    with built.net:
        configure(built.net, planner, dtype)
        nengo_dl.configure_settings(keep_history=True)  # lets each probe choose
        for stage in stages if not last.spikes else [*stages, last]:
            if not stage.spikes and stage.name not in graph.sums:
                continue
            neurons, events = built.neurons.get(stage.name), built.sent[stage.name]
            if stage.axon is not None and stage.spikes:
                events = neurons
            weights = event_weights(fan_out[stage.name])
            if stage.name in graded:
                events = _events(events, stage.n_neurons, engine)
                # a one for each spike, and behind all of them what each is worth
                zeros, ones = np.zeros_like(weights), np.ones((1, stage.n_neurons))
                weights = np.block([[weights, zeros], [0 * ones, ones]])
            sums[stage.name] = event_sums(events, weights)
            if not stage.spikes:
                continue
            counts[stage.name] = nengo.Probe(neurons, "spike_count")
            built.net.config[counts[stage.name]].keep_history = False
            if rasters:
                kept[stage.name] = nengo.Probe(events, synapse=None)
            if stage.name in driven:
                layer = currents[stage.name] = _constant_layer(batch_size, stage.n_inputs)
                shape = (stage.n_inputs,)
                current = nengo_dl.TensorNode(layer, shape_out=shape, pass_time=True)
                nengo.Connection(current, neurons, synapse=None)
        output = nengo.Probe(built.sent[last.name], synapse=None)
    handles = built.input, currents, output, counts, sums, kept
    return CountingNetwork(graph, built.net, *handles, engine)


def _graded(graph, graded):
    """Names of the stages that send other values than ones, and those in ``graded``."""
    for stage in graph:
        # maxima are taken of ones, unless a relay has made values of them
        passed = stage.neuron.forwards and stage.links[0].source in graded
        if passed or stage.neuron.graded or not stage.spikes:
            graded.add(stage.name)
    return graded


def spike_counts(stage, counted):
    """Spikes of each neuron from what the probe in ``counts`` holds, (n_samples, n_neurons)."""
    return np.rint(counted[:, :: stage.neuron.window]).astype(np.int32)


def event_weights(fan_out):
    """What sums up spikes, and the synapses that they reach in two parts (see `BASE`).

    Parameters
    ----------
    fan_out : (n_neurons,) int array

    Returns
    -------
    (3, n_neurons) int array
        Ones, ``fan_out % BASE`` and ``fan_out // BASE``.
    """
    return np.stack([np.ones_like(fan_out), fan_out % BASE, fan_out // BASE])


def event_sums(spikes, weights):
    """Probe weighted sums of the spikes at a step.

    Parameters
    ----------
    spikes : Nengo object
        A one for each spike.
    weights : (n_sums, n_spikes) array

    Returns
    -------
    nengo.Probe
    """
    import nengo

    node = nengo.Node(size_in=len(weights))
    nengo.Connection(spikes, node, transform=weights, synapse=None)
    return nengo.Probe(node, synapse=None)


def _events(spikes, n_neurons, engine):
    """A one for each spike, whatever its value, and behind all what each is worth: `units_of`."""
    import nengo

    tf, nengo_dl = stack.tensorflow(), stack.nengo_dl()

    def parts(values):
        ones, size = tf.cast(tf.not_equal(values, 0), values.dtype), tf.abs(values)
        return tf.concat([ones, tf.maximum(tf.floor(size + 0.5), ones)], axis=-1)

    if engine == "nengo":
        node = nengo.Node(
            lambda t, values: np.concatenate([values != 0, units_of(values)]), size_in=n_neurons
        )
    else:
        shape = (2 * n_neurons,)
        node = nengo_dl.TensorNode(parts, shape_in=(n_neurons,), shape_out=shape, pass_time=False)
    nengo.Connection(spikes, node, synapse=None)
    return node


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
