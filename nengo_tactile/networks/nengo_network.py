"""A graph as a Nengo network, for Nengo, NengoDL and nengo-loihi.

Biases sit in the ensembles, gains in the weights, not in Nodes as ``nengo_dl.Converter`` has it:
the Loihi emulator takes no bias through a host connection. Spikes are ones. What a Nengo synapse
is late by is the delay of a link; without one, spikes pass all stages in a step.
"""

import dataclasses
import functools
import math

import numpy as np

from nengo_tactile.errors import EngineError
from nengo_tactile.networks import neurons as kinds


@dataclasses.dataclass(frozen=True)
class Built:
    """A Nengo network and its handles.

    Attributes
    ----------
    net : nengo.Network
    input : nengo.Node
        Takes the flattened input.
    neurons : dict of str to nengo Neurons
        Of the stages that spike: what fires.
    sent : dict of str to Nengo object
        Of all stages: what others read, behind axons; of max pooling a value for each window.
    late : dict of str to nengo.Node
        The same some steps later.
    spike_probes : dict of str to nengo.Probe
        Of what fires.
    output_probe : nengo.Probe
        The read-out; behind sigma-delta neurons the sum of what they have sent so far.
    """

    net: object
    input: object
    neurons: dict
    sent: dict
    late: dict
    spike_probes: dict
    output_probe: object = None


def build(graph, dt=0.001, present=None, rates=False, on_chip=(), probes=True, label=None):
    """Make the Nengo network of a graph.

    Parameters
    ----------
    graph : Graph
    dt : float
        Time step in seconds it will be simulated with: neurons count in steps.
    present : callable or nengo.Process, optional
        Output of the input Node; by default the Node waits for data (NengoDL).
    rates : bool
        Neurons that send their rates, in spikes a step.
    on_chip : collection of str
        Stages for the Loihi engine's chip, which has neurons of its own and starts at zero.
    probes : bool
        Whether spikes and the read-out are probed.
    label : str, optional
        Of the network.

    Returns
    -------
    Built

    Raises
    ------
    EngineError
        For delays that Nengo has no synapse for.
    """
    import nengo

    with nengo.Network(seed=0, label=label) as net:
        start = np.zeros(math.prod(graph.input_shape)) if present is None else present
        built = Built(net, nengo.Node(start, label="input"), {}, {}, {}, {})
        built.sent["input"] = built.input
        receives, later = {}, []
        for stage in graph:
            options = {"rates": rates, "on_chip": stage.name in on_chip}
            receives[stage.name], sent = _population(stage.neuron, stage, dt, **options)
            if stage.spikes:
                built.neurons[stage.name] = receives[stage.name]
                if probes:
                    probe = nengo.Probe(sent, label=f"{stage.name} spikes")
                    built.spike_probes[stage.name] = probe
            _early(stage, receives[stage.name], dt)
            built.sent[stage.name] = sent
            if stage.axon is not None and np.any(stage.axon):
                built.sent[stage.name] = _delays(stage.axon, sent, stage.name)
            for link in stage.links:
                if link.source not in built.sent:
                    later.append((stage, link))
                else:
                    _connect(built, receives[stage.name], stage, link, dt)
        for stage, link in later:  # loops
            _connect(built, receives[stage.name], stage, link, dt)
        probe = None
        if probes:
            probe = nengo.Probe(built.sent[stage.name], synapse=None, label="output")
    return dataclasses.replace(built, output_probe=probe)


def _early(stage, target, dt):
    """What arrives besides at the first steps."""
    import nengo

    table = stage.step_bias
    if not len(table):
        return
    ended = np.zeros(table.shape[1])

    def at(t):
        step = round(t / dt) - 1
        return table[step] if step < len(table) else ended

    node = nengo.Node(at, label=f"{stage.name} first steps")
    channels = np.tile(np.arange(len(ended)), stage.n_inputs // len(ended))
    nengo.Connection(node[channels], target, synapse=None)


def _connect(built, target, stage, link, dt):
    import nengo

    source = _behind(built, link)
    indices = link.map.indices
    nengo.Connection(
        source if indices is None else source[indices],
        target if link.target is None else target[link.target],
        transform=link.map.transform(),
        synapse=_synapse(stage, link, dt),
    )


def _synapse(stage, link, dt):
    """The synapse of a connection, exact step by step."""
    import nengo

    if link.low_pass is not None and not link.delay:
        raise EngineError(
            f"stage {stage.name!r}: its link from {link.source!r} has a low-pass and no delay, and "
            "Nengo's filters take a step: give it one, or use engine='event'"
        )
    if link.low_pass is not None:
        if _response(stage.neuron, recurrent=False) is not None:
            raise EngineError(
                f"stage {stage.name!r}: filters what arrives, and its link from {link.source!r} "
                "has a low-pass besides, which Nengo has not: lead it through a stage of its own"
            )
        return nengo.Lowpass(link.low_pass * dt)
    return _response(stage.neuron, recurrent=link.delay > 0)


def _behind(built, link):
    """What a link reads: a Node where it is later than the one step that synapses have."""
    source, steps = built.sent[link.source], link.delay - 1
    if steps < 1:
        return source
    name = f"{link.source}, {steps} steps late"
    if name not in built.late:
        built.late[name] = _delays(np.full(source.size_out, steps), source, name)
    return built.late[name]


def _delays(steps, source, label):
    import nengo

    from nengo_tactile.neurons.axonal_delay import AxonalDelay

    node = nengo.Node(AxonalDelay(steps), size_in=len(steps), label=label)
    nengo.Connection(source, node, synapse=None)
    return node


def _ensemble(stage, kind):
    import nengo

    n = stage.n_inputs
    settings = {"gain": np.ones(n), "bias": stage.bias, "label": stage.name}
    return nengo.Ensemble(n, 1, neuron_type=kind, **settings).neurons


@functools.singledispatch
def _response(neuron, recurrent):
    """The synapse of a connection to neurons that has no low-pass of its own."""
    import nengo

    return nengo.Lowpass(0) if recurrent else None  # a low-pass of no time is one step late


@_response.register
def _(neuron: kinds.SpikeResponse, recurrent):
    # eps(k) = e / tau k r**k: in the z-transform e / tau r z / (z - r)**2. Nengo takes the one step
    # out of it that its synapses are late by. `nengo.Alpha` has unit area, and is sampled otherwise
    import nengo

    r = math.exp(-1 / neuron.tau_s)
    peak = math.e / neuron.tau_s * r
    numerator = [peak] if recurrent else [peak, 0]
    return nengo.LinearFilter(numerator, [1, -2 * r, r * r], analog=False)


@functools.singledispatch
def _population(neuron, stage, dt, rates, on_chip):
    """What receives the links of a stage, and what others read."""
    raise EngineError(f"stage {stage.name!r}: Nengo has no {type(neuron).__name__}")


@_population.register
def _(neuron: kinds.IntegrateFire, stage, dt, rates, on_chip):
    from nengo_tactile.neurons.clipped_rate import ClippedRate
    from nengo_tactile.neurons.current_based import CurrentBased
    from nengo_tactile.neurons.integrate_fire import IntegrateFire

    current_based = neuron.remembers or neuron.threshold != 1
    if current_based and (neuron.signed or neuron.negative_slope):
        raise EngineError(
            f"stage {stage.name!r}: Nengo has no {neuron}: neurons that take spikes back have no "
            "leaks, no floor, and a threshold of 1 (divide weights, bias and start by theirs)"
        )
    if current_based:
        own = ("current_decay", "voltage_decay", "threshold", "reset", "spikes_per_step")
        settings = {name: getattr(neuron, name) for name in (*own, "floor", "whole")}
        state = {"voltage": _distribution(stage.start)}
        kind = CurrentBased(**settings, amplitude=dt, initial_state=state)
    elif rates:
        kind = ClippedRate(1.0, neuron.negative_slope, float(neuron.spikes_per_step))
    else:
        start = np.zeros(stage.n_neurons) if on_chip else stage.start
        names = ("reset", "negative_slope", "signed", "spikes_per_step")
        settings = {name: getattr(neuron, name) for name in names}
        state = {"voltage": _distribution(start)}
        kind = IntegrateFire(1 / dt, amplitude=dt, initial_state=state, **settings)
    return (_ensemble(stage, kind),) * 2


@_population.register
def _(neuron: kinds.LIF, stage, dt, rates, on_chip):
    import nengo

    from nengo_tactile.neurons.exact_lif import ExactLIF

    membrane = {"tau_rc": neuron.tau_rc * dt, "tau_ref": neuron.tau_ref * dt, "amplitude": dt}
    if rates:
        kind = nengo.LIFRate(**membrane)
    else:
        state = {"voltage": nengo.dists.Choice([0.0]) if on_chip else _distribution(stage.start)}
        kind = nengo.LIF if on_chip else ExactLIF
        kind = kind(**membrane, min_voltage=neuron.floor, initial_state=state)
    return (_ensemble(stage, kind),) * 2


@_population.register
def _(neuron: kinds.SpikeResponse, stage, dt, rates, on_chip):
    from nengo_tactile.neurons.spike_response import SpikeResponse

    if stage.bias.any() or stage.start.any():
        raise EngineError(
            f"stage {stage.name!r}: its neurons respond to spikes and have a bias or a potential "
            "at the start, which nothing filters: leave both out"
        )
    kind = SpikeResponse(neuron.tau_r, neuron.threshold, neuron.refractory, amplitude=dt)
    return (_ensemble(stage, kind),) * 2


@_population.register
def _(neuron: kinds.SigmaDelta, stage, dt, rates, on_chip):
    from nengo_tactile.neurons.sigma_delta import SigmaDelta

    state = {"voltage": stage.start}
    return (_ensemble(stage, SigmaDelta(neuron.threshold, neuron.rectify, 1.0, state)),) * 2


@_population.register
def _(neuron: kinds.MaxPool, stage, dt, rates, on_chip):
    import nengo

    from nengo_tactile.neurons.max_pool import MaxPool

    neurons = _ensemble(stage, MaxPool(neuron.window, initial_state={"accumulated": stage.start}))
    output = nengo.Node(size_in=stage.n_neurons, label=f"{stage.name} maximum")
    nengo.Connection(neurons[:: neuron.window], output, synapse=None)
    return neurons, output


@_population.register
def _(neuron: kinds.Maximum, stage, dt, rates, on_chip):
    import nengo

    def largest(t, inputs):
        return (inputs + stage.bias).reshape(-1, neuron.window).max(axis=1)

    return (nengo.Node(largest, size_in=stage.n_inputs, label=stage.name),) * 2


@_population.register
def _(neuron: kinds.Sum, stage, dt, rates, on_chip):
    import nengo

    from nengo_tactile.neurons.sigma_delta import Accumulate

    if neuron.decay < 1:
        state = {"voltage": stage.start}
        return (_ensemble(stage, Accumulate(state, decay=neuron.decay)),) * 2
    node = nengo.Node(size_in=stage.n_neurons, label=stage.name)
    if stage.bias.any():
        constant = nengo.Node([1.0], label=f"{stage.name} bias")
        nengo.Connection(constant, node, transform=stage.bias[:, None], synapse=None)
    return node, node


def _distribution(values):
    """Potentials at the start; one number where all are the same."""
    import nengo

    if (values == values[0]).all():
        return nengo.dists.Choice([float(values[0])])
    return nengo.dists.Samples(values[:, None])


__all__ = ["Built", "build"]
