"""Stages as a Nengo network: the last pass, shared by every engine.

Biases and gains sit in the ensembles and the weights, not in extra Nodes as
``nengo_dl.Converter`` has it, so that the same objects run in NengoDL, in Nengo and on the
Loihi emulator, which takes no bias through a host connection.
"""

import dataclasses

import numpy as np

from nengo_tactile.ann.lif import LIFParameters
from nengo_tactile.ann.sigma_delta import SigmaDeltaParameters
from nengo_tactile.conversion.stages import analogue_sources
from nengo_tactile.errors import ConversionError


@dataclasses.dataclass(frozen=True)
class Built:
    """A Nengo network and its handles.

    Attributes
    ----------
    net : nengo.Network
    input : nengo.Node
        Takes the flattened (height, width, channels) input of a sample.
    ensembles : dict of str to nengo.Ensemble
        Per spiking stage.
    output_probe : nengo.Probe
        The read-out; behind sigma-delta neurons the sum of what they have sent so far.
    spike_probes : dict of str to nengo.Probe
    """

    net: object
    input: object
    ensembles: dict
    output_probe: object
    spike_probes: dict


def build_nengo(
    stages,
    dt=0.001,
    synapse=0.005,
    min_voltage=-1.0,
    initial_voltage=0.5,
    spiking=True,
    present=None,
    on_chip=(),
    seed=0,
):
    """Make the Nengo network of a list of stages.

    Parameters
    ----------
    stages : list of Stage
    dt : float
        Time step in seconds it will be simulated with; integrate-and-fire neurons count in
        steps.
    synapse : float or None
        Time constant in seconds of the low-pass filter on every connection from neurons.
    min_voltage : float
        Floor of LIF neurons' membrane potential in units of the threshold. Below zero it keeps
        inhibition that arrives before excitation (Nengo's default 0 forgets it).
    initial_voltage : float
        LIF neurons' membrane potential at the start, in units of the threshold. Half of it
        rounds the first spike's time instead of delaying it.
    spiking : bool
        Spiking neurons, or (False) their rates, which equal the Keras model.
    present : callable or nengo.Process, optional
        Output of the input Node; by default the Node waits for data (NengoDL).
    on_chip : collection of str
        Stages for the Loihi engine's chip, which has neurons of its own and starts at zero.
    seed : int
        Nengo's seed; nothing here is random, but Nengo wants one.

    Returns
    -------
    Built
    """
    import nengo

    if spiking and any(compensation_of(stage) != 1 for stage in stages):
        stages = unmixed(stages)
    links = [link for stage in stages for link in stage.links]
    n_inputs = next(link.map.n_in for link in links if link.source == "input")
    by_name = {stage.name: stage for stage in stages}
    # rates lack nothing that would have to be compensated
    uncompensated = analogue_sources(stages) if spiking else {"input", *by_name}
    add_up = any(sends_changes(stage) for stage in stages)
    with nengo.Network(seed=seed) as net:
        source = nengo.Node(np.zeros(n_inputs) if present is None else present, label="input")
        objects, ensembles, spike_probes = {"input": source}, {}, {}
        for stage in stages:
            if stage.kind == "read-out" and add_up:
                post = objects[stage.name] = accumulate(stage)
            elif stage.kind in ("relay", "read-out"):
                post = nengo.Node(size_in=stage.n_neurons, label=stage.name)
                if stage.kind == "read-out":
                    constant = nengo.Node([1.0], label=f"{stage.name} bias")
                    nengo.Connection(constant, post, transform=stage.bias[:, None], synapse=None)
                objects[stage.name] = post
            elif stage.kind == "maximum":
                post = objects[stage.name] = maximum(stage)
            elif stage.kind == "max-pool":
                post, objects[stage.name] = max_pool(stage)
                spike_probes[stage.name] = nengo.Probe(
                    objects[stage.name], label=f"{stage.name} spikes"
                )
            else:
                start = 0.0 if stage.name in on_chip else initial_voltage
                ensemble = nengo.Ensemble(
                    stage.n_neurons,
                    1,
                    neuron_type=neuron_type(
                        stage, dt, spiking, stage.name in on_chip, min_voltage, start
                    ),
                    gain=np.ones(stage.n_neurons),
                    bias=current_bias(stage, spiking),
                    label=stage.name,
                )
                post = objects[stage.name] = ensemble.neurons
                ensembles[stage.name] = ensemble
                spike_probes[stage.name] = nengo.Probe(post, label=f"{stage.name} spikes")
            for link in stage.links:
                sender = by_name.get(link.source)
                filtered = spiking and sender is not None and sender.spikes
                connect(
                    link,
                    objects[link.source],
                    post,
                    link_gain(stage, link, uncompensated),
                    synapse if filtered and stage.kind != "max-pool" else None,
                )
        output_probe = nengo.Probe(objects[stages[-1].name], synapse=None, label="output")
    return Built(net, source, ensembles, output_probe, spike_probes)


def sends_changes(stage):
    """Whether a stage is made of sigma-delta neurons."""
    return isinstance(stage.neuron, SigmaDeltaParameters)


def connect(link, pre, post, gain, synapse):
    """Make the Nengo connection of a link."""
    import nengo

    indices = link.map.indices
    return nengo.Connection(
        pre if indices is None else pre[indices],
        post if link.target is None else post[link.target],
        transform=link.map.scaled(gain).transform(),
        synapse=synapse,
    )


def max_pool(stage, biased=True):
    """The neurons of a max pooling stage and the Node they send to, inside a Nengo network.

    Parameters
    ----------
    stage : Stage
    biased : bool
        Whether its constants are in the neurons; False where they come with what the image
        drives.

    Returns
    -------
    neurons : nengo Neurons
    output : nengo.Node
        One value per window.
    """
    import nengo

    from nengo_tactile.neurons.max_pool import MaxPool

    window = stage.windows.shape[1]
    start = None if stage.start is None else {"accumulated": stage.start}
    ensemble = nengo.Ensemble(
        stage.windows.size,
        1,
        neuron_type=MaxPool(window, initial_state=start),
        gain=np.ones(stage.windows.size),
        bias=stage.bias if biased else np.zeros_like(stage.bias),
        label=stage.name,
    )
    output = nengo.Node(size_in=stage.n_neurons, label=f"{stage.name} maximum")
    nengo.Connection(ensemble.neurons[::window], output, synapse=None)
    return ensemble.neurons, output


def maximum(stage):
    """The Node of a maximum stage, inside a Nengo network: takes the inputs of all windows.

    Returns
    -------
    nengo.Node
        By how much the largest input of each window exceeds that of an image of zeros.
    """
    import nengo

    at_zero = stage.bias.reshape(stage.windows.shape).max(axis=1)

    def rise(t, inputs):
        return (inputs + stage.bias).reshape(stage.windows.shape).max(axis=1) - at_zero

    return nengo.Node(rise, size_in=stage.windows.size, label=stage.name)


def neuron_type(stage, dt, spiking, on_chip, min_voltage, start):
    """The Nengo neuron type of a stage of neurons.

    ``start`` is the membrane potential at the start of neurons that do not bring their own.
    """
    import nengo

    from nengo_tactile.neurons.clipped_rate import ClippedRate
    from nengo_tactile.neurons.exact_lif import ExactLIF

    neuron = stage.neuron
    if isinstance(neuron, LIFParameters):
        membrane = {
            "tau_rc": neuron.tau_rc,
            "tau_ref": neuron.tau_ref,
            "amplitude": neuron.amplitude,
        }
        if not spiking:
            return nengo.LIFRate(**membrane)
        kind = nengo.LIF if on_chip else ExactLIF
        start = {"voltage": nengo.dists.Choice([start])}
        return kind(**membrane, min_voltage=min_voltage, initial_state=start)
    if sends_changes(stage):
        if not spiking:
            raise ConversionError(
                f"layer '{stage.name}': sigma-delta neurons have no rates; see the network's `ann` "
                "for what they come to"
            )
        return sigma_delta(stage)
    if not spiking:
        return ClippedRate(neuron.amplitude, neuron.negative_slope)
    return integrate_fire(stage, dt, neuron.amplitude * dt, chip=on_chip)


def integrate_fire(stage, dt, amplitude, chip=False):
    """`IntegrateFire` for a stage, with its membrane potentials at the start."""
    import nengo

    from nengo_tactile.neurons.integrate_fire import IntegrateFire

    neuron = stage.neuron
    start = np.zeros(stage.n_neurons) if chip else stage.start
    same = (start == start[0]).all()
    voltage = nengo.dists.Choice([float(start[0])]) if same else nengo.dists.Samples(start[:, None])
    return IntegrateFire(
        max_rate=1 / dt,
        amplitude=amplitude,
        reset=neuron.reset,
        negative_slope=neuron.negative_slope,
        initial_state={"voltage": voltage},
    )


def sigma_delta(stage, amplitude=None):
    """`SigmaDelta` for a stage; ``amplitude`` is the output per spike, by default the threshold."""
    from nengo_tactile.neurons.sigma_delta import SigmaDelta

    return SigmaDelta(
        stage.neuron.threshold, stage.neuron.rectify, amplitude, {"voltage": stage.start}
    )


def accumulate(stage):
    """The neurons of a read-out that adds up what arrives, inside a Nengo network."""
    import nengo

    from nengo_tactile.neurons.sigma_delta import Accumulate

    return nengo.Ensemble(
        stage.n_neurons,
        1,
        neuron_type=Accumulate({"voltage": stage.bias}),
        gain=np.ones(stage.n_neurons),
        bias=np.zeros(stage.n_neurons),
        label=stage.name,
    ).neurons


def current_bias(stage, spiking=True):
    """Constant current of every neuron of a stage of neurons, (n_neurons,) array.

    Calibration's ``shift`` is for spikes alone: rates are those of the Keras model without it.
    """
    bias = stage.neuron.gain * stage.bias
    if isinstance(stage.neuron, LIFParameters):
        return bias + stage.neuron.offset
    return bias if stage.shift is None or not spiking else bias + stage.shift


def compensation_of(stage):
    """Factor on what spikes bring to a stage's neurons; 1 where there is none."""
    return getattr(stage.neuron, "compensation", 1.0)


def link_gain(stage, link, uncompensated):
    """Factor that neurons put on a link: their gain, and compensation of what spikes bring.

    ``uncompensated`` are the names of the sources that bring something else.
    """
    if stage.kind != "neurons":
        return 1.0
    factor = 1.0 if link.source in uncompensated else compensation_of(stage)
    return stage.neuron.gain * factor


def unmixed(stages):
    """The stages with two relays in place of each that adds up spikes and the analogue input.

    Neurons compensate what spikes bring and not the analogue input (Spiking ResNet paper, section
    3.3), so both must reach them apart.

    Parameters
    ----------
    stages : list of Stage

    Returns
    -------
    list of Stage
        Relays for the spikes under the old names; in front of each, as ``<name>_analogue``, the
        one for the analogue input. What reads one reads the other with the same map.
    """
    analogue, taken = analogue_sources(stages), {stage.name for stage in stages}
    twins, result = {}, []
    for stage in stages:
        links = [
            dataclasses.replace(link, source=source)
            for link in stage.links
            for source in (link.source, twins.get(link.source))
            if source is not None
        ]
        if stage.kind == "relay" and stage.driven and stage.name not in analogue:
            twin = f"{stage.name}_analogue"
            while twin in taken:
                twin = f"{twin}_analogue"
            twins[stage.name] = twin
            constant = tuple(link for link in links if link.source in analogue)
            result.append(dataclasses.replace(stage, name=twin, links=constant))
            links = [link for link in links if link.source not in analogue]
            stage = dataclasses.replace(stage, driven=False)
            taken.add(twin)
            analogue.add(twin)
        result.append(dataclasses.replace(stage, links=tuple(links)))
    return result
