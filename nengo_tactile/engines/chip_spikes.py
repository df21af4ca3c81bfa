"""Networks of current-based neurons on nengo-loihi, which read spikes step by step.

The chip's neuron is the one that was trained, in integers: decays are multiples of 1/4096, weights
have 8 bits (even numbers where a core has both signs), the threshold is a multiple of 64, and what
decays is rounded towards zero at each step (nengo_loihi 1.1, ``builder/discretize.py`` and
``emulator/interface.py``). Spikes take a step from core to core, which is taken out of recordings.
"""

import contextlib
import dataclasses
import math

import numpy as np

from nengo_tactile import stack
from nengo_tactile.engines.chip_report import ChipReport
from nengo_tactile.engines.chip_stages import FLOOR, check_stage
from nengo_tactile.engines.core_shapes import cut_stages
from nengo_tactile.engines.emulator import each_sample, run_steps
from nengo_tactile.engines.placement import place, rounding
from nengo_tactile.engines.recording import Recording
from nengo_tactile.errors import EngineError
from nengo_tactile.nengo_runs import Rows
from nengo_tactile.networks.linear_maps import Sparse
from nengo_tactile.networks.nengo_network import build
from nengo_tactile.networks.neurons import IntegrateFire
from nengo_tactile.networks.stages import Link, Stage
from nengo_tactile.neurons.current_based import CurrentBased

#: The chip's decays are shares of this (12 bits).
DECAY_UNIT = 4096
_DECAYS = ("current_decay", "voltage_decay")
#: Name of the neurons on the host.
_SHOWN = "input spikes"
_REMEDY = "train with smaller weights, or fewer spikes"


def run(network, x, n_steps=None, progress=None):
    """Show each sample step by step on the emulator, one after another.

    Parameters
    ----------
    network : SlayerNetwork
        Of current-based neurons without delays. Its spikes are not the trained ones.
    x : (n_samples, n_steps, ...) array_like
        Zeros and ones.
    n_steps : int, optional
        Read no further; by default all of the samples.
    progress : bool, optional

    Returns
    -------
    Recording
        Without the chip's lag; see `nengo_tactile.engines.event.stepped.run`.

    Raises
    ------
    EngineError
        If the emulator does not run it, if integers overflow while it runs, or for other input.
    """
    graph, dt, parts = network.graph, network.dt, []
    x = network.check_input(x)
    n_steps = network.steps_of(x, n_steps)
    lags, fan_out = check_chip(graph), graph.fan_out()
    with stack.quiet_build():
        made = {}
        net, _, _ = place(_maker(graph, dt, made), dt, cut_stages(graph, ()))
        shown, probes = made["built"].input, made["built"].spike_probes
        samples = each_sample(net, dt, len(x), n_steps, progress=progress)
        with contextlib.closing(samples):
            for index, sim in samples:
                signal = network.coding.signal(x[index : index + 1], n_steps, index)
                shown.output.rows = _spikes(signal[0])
                run_steps(sim, n_steps + max(lags.values()), index, _REMEDY)
                sent = {
                    name: np.asarray(sim.data[probes[name]])[None, lag : lag + n_steps] > 0
                    for name, lag in lags.items()
                }
                outputs = np.cumsum(sent[graph.stages[-1].name], axis=1, dtype=np.float32)
                settings = {"dt": dt, "engine": "loihi", "read_out": network.read_out}
                recording = Recording.of_spikes(outputs, sent, fan_out, **settings)
                parts.append(recording.with_input(signal, fan_out["input"]))
    whole = Recording.concatenate(parts)
    return dataclasses.replace(  # all layers are on the chip
        whole,
        chip_synops_over_time=whole.synops_over_time,
        chip_neurons=sum(stage.n_neurons for stage in graph),
    )


def check_chip(graph):
    """Refuse what the emulator has not.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    dict of str to int
        Steps that each stage's spikes are late on the chip.

    Raises
    ------
    EngineError
        Naming the stage and the remedy.
    """
    lags = {"input": 0}
    for stage in graph:
        check_stage(stage)
        neuron = stage.neuron
        if not isinstance(neuron, IntegrateFire):
            raise EngineError(
                f"stage {stage.name!r}: its neurons are {type(neuron).__name__}, which have two "
                "alpha functions; the chip's have a leaky current and a reset: train the network "
                "with current-based neurons, or use engine='event'"
            )
        if stage.axon is not None and np.any(stage.axon):
            raise EngineError(
                f"stage {stage.name!r} has axonal delays up to {np.max(stage.axon)} steps, which "
                "nengo-loihi's emulator has not: train the network without, or use engine='event'"
            )
        for name in _DECAYS:
            share = getattr(neuron, name)
            if not 1 <= round(share * DECAY_UNIT) < DECAY_UNIT:
                raise EngineError(
                    f"stage {stage.name!r}: its {name} is {share:g}, the chip's decays go from "
                    f"1/{DECAY_UNIT} to {DECAY_UNIT - 1}/{DECAY_UNIT}: train it with one of these"
                )
        if not any(link.map.values.any() for link in stage.links):
            raise EngineError(f"stage {stage.name!r}: all its weights are zero: train the network")
        if neuron.reset != "zero" or stage.bias.any() or stage.start.any():
            raise EngineError(
                f"stage {stage.name!r}: on the chip a spike sets to zero, and what its neurons "
                "have at the start or get at each step would come before the spikes do: train "
                "the network without, or use engine='event'"
            )
        lags[stage.name] = next((lags[e.source] + 1 for e in stage.links if e.source in lags), 1)
    for stage in graph:
        for link in stage.links:
            if lags[link.source] + 1 - link.delay != lags[stage.name]:
                raise EngineError(
                    f"stage {stage.name!r}: spikes from {link.source!r} would come at another step "
                    "than those on its other ways, for each takes a step from core to core: lead "
                    "them through as many stages, or use engine='event'"
                )
    del lags["input"]
    return lags


def build_chip(graph, dt):
    """Make the network that runs on the chip, its input neurons on the host.

    Parameters
    ----------
    graph : Graph
    dt : float
        Seconds of a step.

    Returns
    -------
    nengo_tactile.networks.nengo_network.Built
        Its input is a Node with `Rows`.
    """
    nengo_loihi = stack.nengo_loihi()
    register_neurons()
    units = _in_units_of_the_chip(graph)
    built = build(units, dt, Rows(math.prod(graph.input_shape), dt), label="SLAYER on Loihi")
    nengo_loihi.add_params(built.net)
    built.net.config[built.neurons[_SHOWN].ensemble].on_chip = False
    return built


def _in_units_of_the_chip(graph):
    """The graph behind neurons that send what is shown, with nengo-loihi's thresholds and synapses.

    nengo-loihi's low-pass and membrane have unit gain, its threshold is one.
    """
    n = math.prod(graph.input_shape)
    shown = [Link("input", Sparse.routing(None, n))]
    stages = [Stage(_SHOWN, graph.input_shape, IntegrateFire(), shown, start=np.zeros(n))]
    for stage in graph:
        decays = {name: _rounded(getattr(stage.neuron, name)) for name in _DECAYS}
        gain = 1 / (stage.neuron.threshold * math.prod(decays.values()))
        links = [
            dataclasses.replace(
                link,
                source=_SHOWN if link.source == "input" else link.source,
                map=link.map.reweighted(lambda weights, gain=gain: gain * weights.astype(float)),
                low_pass=_time_constant(decays["current_decay"]),
                delay=1,
            )
            for link in stage.links
        ]
        neuron = IntegrateFire(**decays, reset="zero")
        stages.append(dataclasses.replace(stage, neuron=neuron, links=links))
    return dataclasses.replace(graph, stages=stages)


def _rounded(decay):
    """The decay that the chip has."""
    return round(decay * DECAY_UNIT) / DECAY_UNIT


def register_neurons():
    """Teach nengo-loihi `CurrentBased`, once.

    In its units: a threshold of one, and a membrane whose gain is one.
    """
    stack.nengo_loihi()
    from nengo_loihi.builder import Builder

    if CurrentBased in Builder.builders:
        return

    def build(model, neuron_type, neurons, block):
        compartment = block.compartment
        compartment.decay_v[:] = _as_share(neuron_type.voltage_decay)
        compartment.scale_v = True
        compartment.refract_delay[:] = 1  # fires at the next step again, if it can
        compartment.vth[:] = 1
        compartment.vmin = FLOOR

    Builder.builders[CurrentBased] = build


def chip_report(network, on_host=None):
    """Place a network on the chip and say what it takes.

    Parameters
    ----------
    network : SlayerNetwork
    on_host : None
        All its layers are on the chip.

    Returns
    -------
    ChipReport

    Raises
    ------
    EngineError
        If the emulator does not run it, or it does not fit.
    """
    graph, dt = network.graph, network.dt
    check_chip(graph)
    with stack.quiet_build():
        blocks = cut_stages(graph, ())
        _, _, cores = place(_maker(graph, dt), dt, blocks)
        return ChipReport(cores, (), rounding(_maker(graph, dt), dt, blocks))


def _maker(graph, dt, made=None):
    def make_network():
        built = build_chip(graph, dt)
        if made is not None:
            made["built"] = built
        return built.net, {s.name: (built.neurons[s.name].ensemble, s.shape) for s in graph}

    return make_network


def _spikes(sample):
    bad = (sample != 0) & (sample != 1)
    if bad.any():
        raise EngineError(
            f"the input has the value {sample[bad][0]:g}, the chip's spikes are zeros and ones: "
            "give one spike at most for each input and step"
        )
    return sample.astype(float)


def _as_share(decay):
    """A decay as nengo-loihi takes it: it makes integers of 4095 times a share."""
    return round(decay * DECAY_UNIT) / (DECAY_UNIT - 1)


def _time_constant(decay):
    """In steps, of the low-pass whose decay nengo-loihi makes that integer of."""
    share = _as_share(decay)
    return 0.0 if share == 1 else -1 / math.log1p(-share)


__all__ = ["build_chip", "check_chip", "chip_report", "register_neurons", "run"]
