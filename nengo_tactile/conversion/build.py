"""Stages as a Nengo network: the last pass, shared by every engine.

Biases and gains sit in the ensembles and the weights, not in extra Nodes as
``nengo_dl.Converter`` has it, so that the same objects run in NengoDL, in Nengo and on the
Loihi emulator, which takes no bias through a host connection.
"""

import dataclasses

import numpy as np


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
        The read-out.
    spike_probes : dict of str to nengo.Probe
    """

    net: object
    input: object
    ensembles: dict
    output_probe: object
    spike_probes: dict


def build_nengo(
    stages,
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
    synapse : float or None
        Time constant in seconds of the low-pass filter on every connection from neurons.
    min_voltage : float
        Floor of the membrane potential in units of the threshold. Below zero it keeps
        inhibition that arrives before excitation (Nengo's default 0 forgets it).
    initial_voltage : float
        Membrane potential at the start, in units of the threshold. Half of it rounds the
        first spike's time instead of delaying it.
    spiking : bool
        LIF neurons, or (False) their rates, which equal the Keras model.
    present : callable or nengo.Process, optional
        Output of the input Node; by default the Node waits for data (NengoDL).
    on_chip : collection of str
        Stages for the Loihi engine's chip, which has Nengo's own LIF neurons and starts at
        zero; all others are `ExactLIF`.
    seed : int
        Nengo's seed; nothing here is random, but Nengo wants one.

    Returns
    -------
    Built
    """
    import nengo

    with nengo.Network(seed=seed) as net:
        n_inputs = stages[0].n_inputs
        source = nengo.Node(np.zeros(n_inputs) if present is None else present, label="input")
        objects, ensembles, spike_probes = {"input": source}, {}, {}
        for stage in stages:
            pre = objects[stage.source]
            filtered = synapse if stage.source != "input" and spiking else None
            if stage.lif is None:
                post = nengo.Node(size_in=stage.n_neurons, label=stage.name)
                constant = nengo.Node([1.0], label=f"{stage.name} bias")
                nengo.Connection(
                    constant, post, transform=stage.neuron_bias()[:, None], synapse=None
                )
                gain = 1.0
            else:
                gain = stage.lif.gain
                start = 0.0 if stage.name in on_chip else initial_voltage
                ensemble = nengo.Ensemble(
                    stage.n_neurons,
                    1,
                    neuron_type=_neuron_type(
                        stage, spiking, stage.name in on_chip, min_voltage, start
                    ),
                    gain=np.ones(stage.n_neurons),
                    bias=current_bias(stage),
                    label=stage.name,
                )
                post = ensemble.neurons
                ensembles[stage.name] = ensemble
                spike_probes[stage.name] = nengo.Probe(post, label=f"{stage.name} spikes")
            nengo.Connection(pre, post, transform=transform(stage, gain), synapse=filtered)
            objects[stage.name] = post
        output_probe = nengo.Probe(objects[stages[-1].name], synapse=None, label="output")
    return Built(net, source, ensembles, output_probe, spike_probes)


def _neuron_type(stage, spiking, on_chip, min_voltage, start):
    import nengo

    from nengo_tactile.neurons.exact_lif import ExactLIF

    lif = stage.lif
    membrane = {"tau_rc": lif.tau_rc, "tau_ref": lif.tau_ref, "amplitude": lif.amplitude}
    if not spiking:
        return nengo.LIFRate(**membrane)
    kind = nengo.LIF if on_chip else ExactLIF
    start = {"voltage": nengo.dists.Choice([start])}
    return kind(**membrane, min_voltage=min_voltage, initial_state=start)


def current_bias(stage):
    """Constant current of every neuron of a spiking stage, (n_neurons,) array."""
    return stage.lif.gain * stage.neuron_bias() + stage.lif.offset


def transform(stage, gain):
    """A stage's weights times ``gain`` as the transform of a Nengo connection."""
    import nengo

    kernel = stage.kernel * np.float32(gain)
    if stage.kind == "dense":
        return kernel.T
    return nengo.Convolution(
        n_filters=kernel.shape[-1],
        input_shape=stage.input_shape,
        kernel_size=kernel.shape[:2],
        strides=stage.strides,
        padding=stage.padding,
        init=kernel,
    )
