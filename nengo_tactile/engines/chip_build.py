"""A converted network built for the chip: what lies where, at which scale, and in Nengo."""

import dataclasses
import math

import numpy as np

from nengo_tactile import stack
from nengo_tactile.engines.chip_host import (
    INPUT_RATE,
    layers_on_host,
    reads_spikes,
    spike_the_input,
)
from nengo_tactile.engines.chip_report import ChipReport
from nengo_tactile.engines.chip_scales import balanced
from nengo_tactile.engines.chip_stages import chip_graph, register_neurons, start_as_current
from nengo_tactile.engines.core_shapes import cut_stages
from nengo_tactile.engines.placement import place
from nengo_tactile.networks.nengo_network import build


class Shown:
    """The sample on show; the host's input Node reads it at every step."""

    def __init__(self, network):
        self.values = np.zeros(math.prod(network.input_shape))

    def __call__(self, t):
        return self.values


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A network as the chip takes it, before Nengo: graph, scales and cuts."""

    network: object
    host: tuple
    graph: object
    thresholds: dict
    blocks: dict

    @property
    def takes_spikes(self):
        """Whether the image goes to the chip, as spikes."""
        return bool(reads_spikes(self.graph, self.host))


def prepare(network, on_host=None, n_steps=None):
    """Stages with chip settings, for ``n_steps`` (by default the network's own) a sample."""
    host = layers_on_host(network.graph, network.on_host if on_host is None else on_host)
    graph = chip_graph(network.graph, host)
    blocks = cut_stages(graph, host)
    stages = [
        start_as_current(stage, n_steps or network.n_steps) if stage.name in blocks else stage
        for stage in graph
    ]
    graph = dataclasses.replace(graph, stages=stages)
    slow = network.synapse and network.synapse / network.dt
    graph, thresholds = balanced(graph, blocks, slow, 1 / INPUT_RATE / network.dt)
    return Prepared(network, host, graph, thresholds, blocks)


def nengo_network(prepared, shown):
    """Nengo network of a prepared one.

    Returns
    -------
    built : Built
    on_chip : dict of str to (ensemble, shape)
    """
    import nengo
    from nengo.params import Parameter

    nengo_loihi = stack.nengo_loihi()
    register_neurons()
    network, host = prepared.network, prepared.host
    chip = {s.name: s.shape for s in prepared.graph if s.name in prepared.blocks}
    built = build(prepared.graph, network.dt, shown, on_chip=chip)
    net, ensembles = built.net, {name: each.ensemble for name, each in built.neurons.items()}
    nengo_loihi.add_params(net)
    net.config[nengo.Ensemble].set_param(
        "threshold_factors", Parameter("threshold_factors", default=None, optional=True)
    )
    for name, factors in prepared.thresholds.items():
        net.config[ensembles[name]].threshold_factors = factors
    for ensemble in net.ensembles:
        if ensemble.label in host:
            net.config[ensemble].on_chip = False
    if prepared.takes_spikes:
        spike_the_input(built, chip, network.synapse)
    return built, {name: (ensembles[name], shape) for name, shape in chip.items()}


def placed(prepared, shown):
    """Build a prepared network in nengo-loihi.

    Parameters
    ----------
    prepared : Prepared
    shown : Shown

    Returns
    -------
    built : Built
    model : nengo_loihi.builder.Model
    report : ChipReport
    """
    made = {}

    def make_network():
        made["built"], on_chip = nengo_network(prepared, shown)
        return made["built"].net, on_chip

    model, cores, rounding = place(make_network, prepared.network.dt, prepared.blocks)
    return made["built"], model, ChipReport(cores, prepared.host, rounding)


__all__ = ["Prepared", "Shown", "nengo_network", "placed", "prepare"]
