"""Running spiking networks on nengo-loihi: the emulator of Intel's Loihi chip, or the chip.

Only the emulator (``target="sim"``) was tried. With Intel's NxSDK installed the same call
takes ``target="loihi"``.

The tactile image is a constant analogue current, which the chip cannot take in. Either leading
layers' neurons run on the host and send their spikes (``on_host``; the first layer by default),
or one integrate-and-fire neuron per pixel does, and all layers are on the chip (``on_host=()``).

The chip's neurons start at zero, fire at whole steps and lose what their potential was above
the threshold, integrate-and-fire neurons with reset by subtraction too: a neuron that should
fire every 2.5 steps fires every 3. So fast neurons lose most, and the same network does better
there with lower rates, more steps and smoothed spikes: see `chip_settings`, which `run` applies.
"""

import contextlib
import dataclasses
import sys
import warnings

import numpy as np

from nengo_tactile import stack
from nengo_tactile.engines import chip_spikes
from nengo_tactile.engines.chip_host import (
    INPUT_RATE,
    check_input,
    layers_on_host,
    reads_spikes,
    spike_the_input,
)
from nengo_tactile.engines.chip_report import ChipReport
from nengo_tactile.engines.chip_scales import balanced
from nengo_tactile.engines.chip_settings import (
    CHIP_RATE,
    LEAST_AGREEMENT,
    LEAST_SAMPLES,
    changes,
    chip_settings,
    for_chip,
    rates_of,
)
from nengo_tactile.engines.chip_stages import (
    chip_graph,
    register_neurons,
    start_as_current,
)
from nengo_tactile.engines.core_shapes import cut_stages
from nengo_tactile.engines.emulator import each_sample, run_steps
from nengo_tactile.engines.placement import core_table, place, rounding
from nengo_tactile.engines.recording import Recording, operations, read_out
from nengo_tactile.errors import EngineError, EngineWarning
from nengo_tactile.networks.nengo_network import build

#: Samples after which a run with too few of the Keras model's winners is refused, so that the
#: hours which thousands of samples take are not lost at their end.
REFUSED_AFTER = 32
_REMEDY = "lower the firing rates (`network.with_rates(0.5)`) or train with smaller weights"


def mode(network):
    """The module that runs a network: this one, or that of networks that read spikes."""
    return sys.modules[__name__] if network.coding is None else chip_spikes


class _Input:
    """The sample on show; the host's input Node reads it at every step."""

    def __init__(self, size):
        self.values = np.zeros(size)

    def __call__(self, t):
        return self.values


@dataclasses.dataclass(frozen=True)
class _Prepared:
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


def _prepare(network, on_host=None, n_steps=None):
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
    return _Prepared(network, host, graph, thresholds, blocks)


def _network(prepared, shown):
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


def chip_report(network, on_host=None):
    """Place a network on the chip and say what it takes.

    Parameters
    ----------
    network : SpikingNetwork
        Placed as `run` would run it, with `chip_settings`.
    on_host : str or sequence of str, optional
        By default the network's own.

    Returns
    -------
    ChipReport
    """
    layers_on_host(network.graph, network.on_host if on_host is None else on_host)
    prepared = _prepare(for_chip(network, None), on_host)
    with stack.quiet_build():
        _, _, cores = _placed(prepared, _Input(_n_inputs(network)))
        return _report(prepared, cores)


def _report(prepared, cores):
    maker = _maker(prepared, _Input(_n_inputs(prepared.network)))
    return ChipReport(cores, prepared.host, rounding(maker, prepared.network.dt, prepared.blocks))


def _n_inputs(network):
    return int(np.prod(network.input_shape))


def _maker(prepared, shown, made=None):
    def make_network():
        built, on_chip = _network(prepared, shown)
        if made is not None:
            made["built"] = built
        return built.net, on_chip

    return make_network


def _placed(prepared, shown):
    made = {}
    _, model, cores = place(_maker(prepared, shown, made), prepared.network.dt, prepared.blocks)
    return made["built"], model, cores


@stack.guest()
def run(
    network,
    x,
    n_steps=None,
    progress=None,
    target="sim",
    on_host=None,
    rate=None,
    least_agreement=LEAST_AGREEMENT,
):
    """Show each sample for ``n_steps`` on the emulator, one after another.

    Parameters
    ----------
    network : SpikingNetwork
        Run with `chip_settings`, unless it has them already.
    x : (n_samples, ...) float array
    n_steps : int, optional
        By default the network's own, more of them by as much as its rates are lowered.
    progress : bool, optional
    target : {"sim", "simreal", "loihi"}
        The integer emulator, the emulator without quantisation, or the chip (with NxSDK;
        not tried).
    on_host : str or sequence of str, optional
        Layers whose neurons run on the host: see `engines.chip_host.layers_on_host`. By default
        the network's own.
    rate : float, optional
        Factor on the firing rates: see `chip_settings`. 1 keeps them.
    least_agreement : float
        Of five samples or more, the share that must have the Keras model's winner at the end (see
        `ReadOut.agreement`): the run is refused after the first 32, and warned of when it falls
        short later. 0 takes what comes.

    Returns
    -------
    Recording
        Its spikes and synaptic operations include the host's layers; where the chip takes the
        image (``on_host=()``) the input neurons are the layer "input". ``notes`` say what was
        changed for the chip.

    Raises
    ------
    EngineError
        If the network cannot be placed, if integers overflow while it runs, or if it does not give
        the Keras model's winners there.

    Warns
    -----
    EngineWarning
        Of layers that lose their weights to rounding.
    """
    nengo_loihi = stack.nengo_loihi()
    if target not in ("sim", "simreal", "loihi"):
        raise EngineError(f"target is {target!r}: choose 'sim', 'simreal' or 'loihi'")
    if target == "loihi" and not nengo_loihi.hardware.HAS_NXSDK:
        raise EngineError(
            "target='loihi' needs Intel's NxSDK, which is not installed: use target='sim'"
        )
    x = network.check_input(x)
    layers_on_host(network.graph, network.on_host if on_host is None else on_host)
    shown_network = for_chip(network, rate)
    n_steps = n_steps or shown_network.n_steps
    notes = changes(network, shown_network, n_steps)
    network = shown_network
    prepared = _prepare(network, on_host, n_steps)
    chip = [stage for stage in network.graph if stage.name in prepared.blocks]
    chip_fan_out = network.graph.fan_out([stage.name for stage in chip])
    # the host's synapses of the image itself carry no spikes
    fan_out = network.fan_out() | {"input": chip_fan_out["input"]}
    chip_neurons = sum(stage.n_neurons for stage in chip)
    if prepared.takes_spikes and len(x):
        check_input(x, network.dt)
    flat = x.reshape(len(x), -1)
    shown = _Input(flat.shape[1])
    parts = []
    with stack.quiet_build():
        built, _, cores = _placed(prepared, shown)
        if target != "simreal":
            for text in _report(prepared, cores).warnings():
                warnings.warn(text, EngineWarning, stacklevel=2)
        samples = each_sample(built.net, network.dt, len(x), n_steps, target, progress)
        with contextlib.closing(samples):
            for index, sim in samples:
                shown.values = flat[index].astype(float)
                run_steps(sim, n_steps, index, _REMEDY)
                parts.append(_recording(network, built, sim, fan_out, chip_fan_out, chip_neurons))
                if len(parts) == min(len(x), REFUSED_AFTER):
                    told = _disagreement(network, x, parts, least_agreement)
                    if told is not None:
                        raise EngineError(told)
    if len(x) > REFUSED_AFTER:
        told = _disagreement(network, x, parts, least_agreement)
        if told is not None:
            warnings.warn(told, EngineWarning, stacklevel=2)
    return dataclasses.replace(Recording.concatenate(parts), notes=notes)


def _disagreement(network, x, parts, least_agreement):
    """What to say when the samples that were run have too seldom the Keras model's winner."""
    n = len(parts)
    outputs = np.concatenate([part.outputs[:, -1] for part in parts])
    share = network.read_out.agreement(outputs, rates_of(network, x[:n]))
    if n < LEAST_SAMPLES or share >= least_agreement or (1 - share) * n <= 1:  # one may be chance
        return None
    return (
        f"on the Loihi emulator {n} samples agree with the Keras model by {share:.2f}, wanted "
        f"{least_agreement:g}: choose settings on calibration samples "
        "(`engines.loihi.chip_settings(snn, x=x)`; convert --for-chip), or take what "
        "comes with least_agreement=0 (--least-agreement 0); "
        "`engines.chip_agreement.chip_agreement(snn, x)` says which layer loses it"
    )


def _recording(network, built, sim, fan_out, chip_fan_out, chip_neurons):
    potentials = np.asarray(sim.data[built.output_probe], np.float32)[None]
    outputs = read_out(potentials, network.discard)
    if network.chip_offset is not None:
        outputs = outputs + np.asarray(network.chip_offset, np.float32)
    fired = {name: np.asarray(sim.data[p])[None] > 0 for name, p in built.spike_probes.items()}
    settings = {
        "dt": network.dt,
        "engine": "loihi",
        "read_out": network.read_out,
        "chip_synops_over_time": operations(fired, chip_fan_out),
        "chip_neurons": chip_neurons,
    }
    return Recording.of_spikes(outputs, fired, fan_out, **settings)


__all__ = [
    "CHIP_RATE",
    "ChipReport",
    "chip_report",
    "chip_settings",
    "core_table",
    "run",
]
