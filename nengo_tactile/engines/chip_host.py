"""What of a network runs on the host beside the chip: leading layers, and the image as spikes."""

import numpy as np

from nengo_tactile.errors import EngineError

#: Firing rate in hertz of an input neuron for the value 1, where the chip takes the image.
INPUT_RATE = 500.0


def layers_on_host(graph, on_host=None):
    """Spiking layers whose neurons run on the host.

    Parameters
    ----------
    graph : Graph
    on_host : str, sequence of str or None
        Names of layers, as a sequence or joined by commas, from the input on without a gap; none
        at all for a network that is all on the chip. By default the layers that the image itself
        drives.

    Returns
    -------
    tuple of str
        Names of stages, in the order of computation.

    Raises
    ------
    EngineError
        For names of no spiking layer, gaps, and when nothing is left for the chip, with a choice
        that works.
    """
    spiking = [stage for stage in graph if stage.spikes]
    if on_host is None:
        host = tuple(stage.name for stage in spiking if stage.name in graph.driven)
    else:
        host = _named_layers(spiking, on_host)
        gap = next((n for name in host for n in _before(graph, name) if n not in host), None)
        if gap is not None:
            whole = {n for name in host for n in _before(graph, name)} | set(host)
            whole = ",".join(stage.name for stage in spiking if stage.name in whole)
            raise EngineError(
                f"on_host is {','.join(host)}: '{gap}' comes before and would be on the chip, but "
                f"what it sends cannot go back to the host; use on_host='{whole}' "
                f"(--on-host {whole})"
            )
    if len(host) == len(spiking):
        raise EngineError(
            f"all spiking layers ({', '.join(host)}) are on the host, and nothing is left for the "
            "chip: name fewer, or none: on_host=() (--on-host none)"
        )
    return host


def _named_layers(spiking, on_host):
    names = [on_host] if isinstance(on_host, str) else list(on_host)
    names = [part.strip() for name in names for part in name.split(",")]
    by_name = {stage.layer: stage.name for stage in spiking}
    by_name |= {stage.name: stage.name for stage in spiking}
    for name in names:
        if name not in by_name:
            raise EngineError(
                f"on_host names '{name}', which is no spiking layer of the network: choose from "
                f"{', '.join(stage.name for stage in spiking)}"
            )
    chosen = {by_name[name] for name in names}
    return tuple(stage.name for stage in spiking if stage.name in chosen)


def _before(graph, name):
    """Names of the spiking stages that a stage reads, directly or from afar."""
    by_name = {stage.name: stage for stage in graph}
    waiting, found = [name], set()
    while waiting:
        for link in by_name[waiting.pop()].links:
            if link.source in by_name and link.source not in found:
                found.add(link.source)
                waiting.append(link.source)
    return [stage.name for stage in graph if stage.name in found and stage.spikes]


def reads_spikes(stages, host):
    """Links to the image of stages on the chip, which take it as spikes, [(stage, link)]."""
    return [
        (stage, link)
        for stage in stages
        if stage.fires and stage.name not in host
        for link in stage.links
        if link.source == "input"
    ]


def spike_the_input(built, on_chip, synapse):
    """Put one neuron per pixel, on the host, between the input Node and the chip.

    Parameters
    ----------
    built : Built
        Gets a probe of these neurons' spikes, "input".
    on_chip : collection of str
        Stages that are on the chip.
    synapse : float or None
        Time constant in seconds.
    """
    import nengo

    net, n_pixels = built.net, built.input.size_out
    chip = {id(built.neurons[name].ensemble) for name in on_chip}
    with net:
        encoder = nengo.Ensemble(
            n_pixels,
            1,
            neuron_type=nengo.SpikingRectifiedLinear(
                amplitude=1 / INPUT_RATE, initial_state={"voltage": nengo.dists.Choice([0.5])}
            ),
            gain=np.full(n_pixels, INPUT_RATE),
            bias=np.zeros(n_pixels),
            label="input spikes",
        )
        net.config[encoder].on_chip = False
        readers = [
            c
            for c in net.connections
            if c.pre_obj is built.input and id(getattr(c.post_obj, "ensemble", None)) in chip
        ]
        nengo.Connection(built.input, encoder.neurons, synapse=None)
        for old in readers:
            net.connections.remove(old)
            nengo.Connection(encoder.neurons, old.post, transform=old.transform, synapse=synapse)
        built.spike_probes["input"] = nengo.Probe(encoder.neurons, label="input spikes")


def check_input(x, dt):
    """Refuse images that input neurons cannot send: one spike a step, none of them negative.

    Raises
    ------
    EngineError
        Naming the value, the limit and the remedy.
    """
    if x.min() < 0:
        raise EngineError(
            "with the first layer on the chip (on_host=()) pixels are sent as spikes, but the "
            f"input goes down to {x.min():.3g}: use images without negative values, or let the "
            "first layer run on the host (on_host=..., --on-host)"
        )
    most = 1 / (INPUT_RATE * dt)
    if x.max() > most:
        raise EngineError(
            "with the first layer on the chip (on_host=()) a pixel is at most one spike a step, "
            f"worth {most:.3g}, but the input goes up to {x.max():.3g}: scale the images to 0..1 "
            "and train the model on them, or, if the network has more than one spiking layer, let "
            "the first run on the host (on_host=..., --on-host)"
        )
