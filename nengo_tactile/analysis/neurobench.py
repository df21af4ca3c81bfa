"""A run in the terms of NeuroBench, and beside a quantised network of equal bits.

References
----------
.. [1] J. Yik et al., "The NeuroBench framework for benchmarking neuromorphic computing algorithms
   and systems", Nature Communications 16, 2025; definitions as in neurobench 2.3.0.
.. [2] Z. Yan, Z. Bai, K. Tang, W.-F. Wong, "Reconsidering the energy efficiency of spiking neural
   networks", arXiv:2409.08290v4, 2026: rates over T steps stand for values of
   ``ceil(log2(T + 1))`` bits; with memory and data movement counted, a spiking network of 5 steps
   takes less than the quantised one below 5.7 % spikes a neuron and step.
.. [3] M. Horowitz, "Computing's Energy Problem (and what we can do about it)", ISSCC 2014,
   Figure 1.1.9: at 45 nm an 8-bit multiplication takes 0.2 pJ, a 32-bit addition 0.1 pJ.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from nengo_tactile.engines.recording import Recording
    from nengo_tactile.networks.stages import Graph, Link

# Joules, both from [3]
MULTIPLY_8_BITS = 0.2e-12
ADD_32_BITS = 0.1e-12
#: Spikes a neuron and step, at 5 steps, below which a spiking network takes less: [2].
PUBLISHED_RATE = 0.057
#: Bytes of a number.
_FLOAT = 4
#: Samples whose input is looked through at once.
_AT_ONCE = 64


def neurobench(network: Any, recording: "Recording", x: Any) -> dict[str, Any]:
    """NeuroBench's metrics of a network and its run [1]_.

    Poolings and copies are no synapses there. A constant image counts once a sample, spikes each
    time they are sent, also behind a pooling, which only adds them up. What weights add up without
    neurons, as in linear bottlenecks, are values, which are multiplied.

    Parameters
    ----------
    network : SpikingNetwork, SlayerNetwork or SteppedNetwork
    recording : Recording
        Of a run on all of ``x``.
    x : samples

    Returns
    -------
    dict
        ``footprint`` (bytes of weights, biases and states in 32 bits), ``connection_sparsity``
        (share of weights that are zero), ``activation_sparsity`` (share of neurons, steps and
        samples without a spike), and of ``synaptic_operations`` a sample ``Effective_MACs`` (with
        values other than 0, 1 and -1), ``Effective_ACs``, and ``Dense`` (as if all neurons sent at
        all steps and no weight were zero).
    """
    graph = network.graph
    weights = [link.map.values for _, link in _weighted(graph)]
    n_weights = sum(values.size for values in weights)
    zeros = sum(int((values == 0).sum()) for values in weights)
    macs, acs = _effective(network, recording, x)
    return {
        "footprint": _footprint(graph, n_weights),
        "connection_sparsity": zeros / n_weights if n_weights else 0.0,
        "activation_sparsity": 1 - spike_rate(graph, recording),
        "synaptic_operations": {
            "Effective_MACs": macs,
            "Effective_ACs": acs,
            "Dense": _dense(network, recording),
        },
    }


def spike_rate(graph: "Graph", recording: "Recording") -> float:
    """Spikes a neuron and step, as packets; of neurons, not of the input and of max pooling."""
    counts = [recording.spike_counts[stage.name] for stage in graph if stage.fires]
    places = sum(each.size for each in counts) * recording.n_steps
    return float(sum(each.sum() for each in counts) / places) if places else 0.0


def beside_quantised(
    rate: float, n_steps: int, multiplications: int | None, operations: dict[str, float]
) -> dict[str, Any]:
    """Arithmetic of a spiking network, and of a quantised one whose values have equal bits [2]_.

    Without any memory: 8-bit weights, sums of 32 bits [3]_; a product takes in proportion to the
    bits of the value.

    Parameters
    ----------
    rate : float
        Spikes a neuron and step.
    n_steps : int
    multiplications : int or None
        Of the network of rates; None where there is none.
    operations : dict
        ``synaptic_operations`` of `neurobench`.

    Returns
    -------
    dict
        ``bits``, ``spikes_per_neuron_and_step``, ``spiking_joules_rough``, and where there is a
        network of rates ``quantised_joules_rough`` and ``break_even``, the spikes a neuron and
        step at which both would take the same.
    """
    bits = math.ceil(math.log2(n_steps + 1))
    added = operations["Effective_ACs"] * ADD_32_BITS
    once = operations["Effective_MACs"] * (MULTIPLY_8_BITS + ADD_32_BITS)
    told = {
        "bits": bits,
        "spikes_per_neuron_and_step": rate,
        "spiking_joules_rough": added + once,
    }
    if multiplications is None:
        return told
    quantised = multiplications * (MULTIPLY_8_BITS * bits / 8 + ADD_32_BITS)
    room = max(quantised - once, 0.0)
    return {
        **told,
        "quantised_joules_rough": quantised,
        "break_even": rate * room / added if added else None,
    }


def _has_weights(link: "Link"):
    return link.map.weighted and not link.map.pools


def _weighted(graph):
    """Links with weights of their own, [(stage, link)]."""
    return [(stage, link) for stage in graph for link in stage.links if _has_weights(link)]


def _footprint(graph, n_weights):
    """Bytes: kernels once, biases of a channel where its neurons share them, states of neurons."""
    numbers = n_weights
    for stage in graph:
        by_channel = stage.bias.reshape(-1, stage.shape[-1])
        if stage.bias.any():
            shared = (by_channel == by_channel[0]).all()
            numbers += by_channel.shape[-1] if shared else stage.bias.size
        if stage.spikes:
            current = getattr(stage.neuron, "current_decay", 1.0) < 1
            numbers += stage.n_inputs * (2 if current else 1)
    return numbers * _FLOAT


def _effective(network, recording, x):
    """Multiplications and additions a sample, where neither activation nor weight is zero."""
    leaving = network.graph.fan_out(weights_only=True)
    graded = {stage.name for stage in network.graph if getattr(stage.neuron, "negative_slope", 0)}
    macs = acs = 0.0
    for name, counts in recording.spike_counts.items():
        units, spikes = recording.units_over_time[name], recording.spikes_over_time[name]
        operations = float(counts.sum(axis=0, dtype=np.int64) @ leaving[name]) / len(counts)
        if name in graded or units.sum() != spikes.sum() or (name == "input" and _values(x)):
            macs += operations
        else:
            acs += operations
    if "input" not in recording.spike_counts:
        macs += _of_input(network, recording, x, leaving["input"])
    return macs + _of_sums(network, recording, leaving), acs


def _values(x):
    """Whether what arrives at steps is more than spikes of one, of either sign."""
    if hasattr(x, "counts"):
        return x.counts is not None and bool((np.abs(x.counts) > 1).any())
    parts = (np.asarray(x[first : first + _AT_ONCE]) for first in range(0, len(x), _AT_ONCE))
    return any(((part != 0) & (np.abs(part) != 1)).any() for part in parts)


def _of_input(network, recording, x, leaving):
    """Multiplications a sample of images: once where they are constant."""
    total = 0
    for first in range(0, len(x), _AT_ONCE):
        part = x[first : first + _AT_ONCE]
        if network.coding is not None:
            part = network.coding.signal(part, recording.n_steps, first)
        part = np.asarray(part)
        total += int(((part != 0).reshape(-1, len(leaving)) @ leaving).sum())
    return total / len(x)


def _of_sums(network, recording, leaving):
    """Multiplications a sample of what weights have added up before: constant ones once."""
    graph, every = network.graph, network.graph.fan_out()
    constant = graph.constant & graph.sums if network.coding is None else set()
    total = float(sum(leaving[name].sum() for name in constant))
    for name in recording.synops.keys() - recording.spike_counts.keys():
        share = leaving[name].sum() / every[name].sum()  # of synapses that are no pooling
        total += float(recording.synops[name].mean() * share)
    return total


def _dense(network, recording):
    """Operations a sample where all send at all steps, over weights of zero too."""
    once = network.graph.constant if network.coding is None else set()
    total = 0
    for _, link in _weighted(network.graph):
        ones = link.map.reweighted(np.ones_like)
        n = int(ones.fan_out(np.ones(ones.n_out, np.int64)).sum())
        total += n if link.source in once else n * recording.n_steps
    return float(total)


__all__ = ["beside_quantised", "neurobench", "spike_rate"]
