"""Networks of current-based neurons on nengo-loihi, which read spikes step by step.

The chip's neuron is the one that was trained, in integers: decays are multiples of 1/4096, weights
have 8 bits (even numbers where a core has both signs), the threshold is a multiple of 64, and what
decays is rounded towards zero at each step (nengo_loihi 1.1, ``builder/discretize.py`` and
``emulator/interface.py``). Spikes take a step from core to core, which is taken out of recordings.
"""

import contextlib
import dataclasses
import functools
import math

import numpy as np
import scipy.sparse

from nengo_tactile import arguments, stack
from nengo_tactile.engines.batches import batch_size_for, checked_counts
from nengo_tactile.engines.chip_program import layout_of
from nengo_tactile.engines.chip_report import ChipReport
from nengo_tactile.engines.chip_samples import (
    Memory,
    Readings,
    bring,
    compile_loops,
    spikes_of,
)
from nengo_tactile.engines.chip_stages import FLOOR, check_stage
from nengo_tactile.engines.chip_stepped import chip_form
from nengo_tactile.engines.core_shapes import cut_stages
from nengo_tactile.engines.emulator import each_sample, run_steps, verify_sample
from nengo_tactile.engines.placement import place
from nengo_tactile.engines.recording import Recording
from nengo_tactile.engines.state import State
from nengo_tactile.errors import EngineError
from nengo_tactile.lazy import kept_in
from nengo_tactile.nengo_runs import Rows
from nengo_tactile.networks.linear_maps import Sparse
from nengo_tactile.networks.nengo_network import build
from nengo_tactile.networks.neurons import IntegrateFire
from nengo_tactile.networks.stages import Link, Stage
from nengo_tactile.neurons.current_based import CurrentBased
from nengo_tactile.progress import track

#: The chip's decays are shares of this (12 bits).
DECAY_UNIT = 4096
_DECAYS = ("current_decay", "voltage_decay")
#: Name of the neurons on the host.
_SHOWN = "input spikes"
_REMEDY = "train with smaller weights, or fewer spikes"


@stack.guest()
def run(
    network, x, n_steps=None, progress=None, batch_size=None, threads=None, verify=0, rasters=0
):
    """Show each sample step by step to the chip's integers, samples side by side.

    Parameters
    ----------
    network : SlayerNetwork
        Of current-based neurons without delays. Its spikes are not the trained ones.
    x : (n_samples, n_steps, ...) array_like
        Zeros and ones.
    n_steps : int, optional
        Read no further; by default all of the samples.
    progress : bool, optional
    batch_size : int, optional
        Samples that are read and recorded at once.
    threads : int, optional
        Samples side by side; by default as many as there are processors.
    verify : int
        So many of the samples run on nengo-loihi's own emulator too, spikes, potentials and
        currents of every compartment compared; that is slow.
    rasters : int
        Samples of which all spikes are kept: see `Recording.rasters`.

    Returns
    -------
    Recording
        Without the chip's lag; see `nengo_tactile.engines.event.stepped.run`.

    Raises
    ------
    EngineError
        If the emulator does not run it, if integers overflow while it runs, for other input, or if
        ``verify`` finds a difference.
    """
    x = network.check_input(x)
    n_steps = network.steps_of(x, n_steps)
    verify = arguments.whole("verify", verify, least=0, error=EngineError)
    size = n_steps * math.prod(network.graph.input_shape)
    batch_size = batch_size_for(len(x), 4 * size) if batch_size is None else batch_size
    batch_size, threads = checked_counts(batch_size, threads)
    with stack.quiet_build():
        chip = _chip(network)
        threads = min(threads, len(x))
        parts = chip.recordings(x, n_steps, batch_size, threads, verify, progress, rasters)
        whole = Recording.concatenate(parts)
    # all layers are on the chip
    return dataclasses.replace(
        whole, chip_synops_over_time=whole.synops_over_time, notes=chip.notes
    )


class SpikeChip:
    """A network of current-based neurons built for the chip, and what is kept of it between runs.

    Parameters
    ----------
    network : SlayerNetwork

    Attributes
    ----------
    network : SlayerNetwork
    notes : tuple of str
        What is different on the chip.
    layout : Layout
    report : ChipReport
    """

    def __init__(self, network):
        self.network, self._form = network, chip_form(network.graph, network.n_steps)
        graph, self.notes = self._form.graph, self._form.notes
        lags = _lags(graph)
        self._lag, last = max(lags.values()), graph.stages[-1]
        self._built, model, self.report = _placed(graph, network.dt)
        probes = self._built.spike_probes
        ensembles = {name: probe.target.ensemble for name, probe in probes.items()}
        shown = ensembles.pop(_SHOWN)
        host = {_SHOWN: (shown, shown.n_neurons)}
        self.layout = layout_of(model, ensembles, host)
        fan_out = graph.fan_out()
        read = self._form.places >= 0
        self._input_fan_out = np.where(read, fan_out["input"][self._form.places], 0)
        self._readings = Readings(
            self.layout,
            lags,
            fan_out,
            fan_out,
            {
                "dt": network.dt,
                "read_out": network.read_out,
                "chip_neurons": sum(stage.n_neurons for stage in graph),
            },
        )
        where = self.layout.chip[last.name]
        one_each = (
            np.ones(last.n_neurons),
            (np.arange(where.start, where.stop), np.arange(last.n_neurons)),
        )
        self._last = scipy.sparse.csr_matrix(one_each, (self.layout.n_senders, last.n_neurons))
        self._last_lag = lags[last.name]

    def recordings(self, x, n_steps, batch_size, threads, verify, progress=None, rasters=0):
        """Run samples; yields the Recording of each minibatch, in order."""
        memories = [Memory(self.layout) for _ in range(threads)]
        compile_loops(self.layout, progress)
        if verify:
            self._verify(x[:verify], n_steps, memories[0], progress)
        for start in track(
            range(0, len(x), batch_size), "running the chip's integers", progress=progress
        ):
            signal = self.network.coding.signal(x[start : start + batch_size], n_steps, start)
            sample = functools.partial(self._sample, signal, start)
            about = len(signal), n_steps, memories, sample, max(0, rasters - start)
            recording = self._readings.record(*about)
            yield recording.with_input(signal, self._input_fan_out)

    def signals(self, x, n_steps):
        """What arrives at each step of a chunk, (n_samples, n_steps, n_inputs)."""
        signals = self.network.coding.signal(x, n_steps, 0)
        for signal in signals:
            _spikes(signal)
        return signals

    def beginning(self, threads, progress=None):
        """What `State` makes room with."""
        compile_loops(self.layout, progress)
        readings = dataclasses.replace(self._readings, lags=dict.fromkeys(self._readings.lags, 0))

        def begin(n_samples):
            memories = [Memory(self.layout) for _ in range(n_samples)]
            so_far = np.zeros((n_samples, 1, self._last.shape[1]))

            def advance(signals, n_steps):
                def sample(index, memory):
                    shown = spikes_of(self._shown(signals[index]), self.layout.host[_SHOWN].start)
                    fired = memories[index].run(shown, n_steps, f"sample {index}, ", _REMEDY)
                    sent = so_far[index] + np.cumsum(bring(fired, n_steps, self._last), axis=0)
                    so_far[index] = sent[-1:]
                    return fired, n_steps, sent.astype(np.float32)

                recording = readings.record(n_samples, n_steps, memories[:threads], sample)
                recording = recording.with_input(signals, self._input_fan_out)
                return dataclasses.replace(
                    recording, chip_synops_over_time=recording.synops_over_time
                )

            return advance

        return begin

    def _verify(self, x, n_steps, memory, progress):
        whole = n_steps + self._lag
        signals = self.network.coding.signal(x, n_steps, 0)
        samples = each_sample(self._built.net, self.network.dt, len(x), whole, progress=progress)
        with contextlib.closing(samples):
            for index, sim in samples:
                self._built.input.output.rows = self._shown(signals[index]).astype(float)
                run_steps(sim, whole, index, _REMEDY)
                fired = self._fired(signals[index], index, memory)
                verify_sample(sim, self._built.spike_probes, fired, memory, index)

    def _shown(self, signal):
        return self._form.bordered(_spikes(signal))

    def _sample(self, signals, start, index, memory):
        """One of them: its spikes, their steps, and spikes of the last layer so far."""
        n_steps = signals.shape[1]
        fired = self._fired(signals[index], start + index, memory)
        sent = bring(fired, n_steps + self._lag, self._last)[self._last_lag :][:n_steps]
        return fired, n_steps + self._lag, np.cumsum(sent, axis=0).astype(np.float32)

    def _fired(self, signal, index, memory):
        memory.rest()
        late = np.pad(self._shown(signal), ((0, self._lag), (0, 0)))
        shown = spikes_of(late, self.layout.host[_SHOWN].start)
        return memory.run(shown, len(late), f"sample {index}, ", _REMEDY)


@stack.guest()
def start(network, threads=None, progress=None):
    """Begin a run in chunks on the chip's integers.

    Each layer's spikes are recorded at the step at which the chip sends them, a step later for
    each layer before it: `run` takes these lags out, for it knows what comes next.

    Parameters
    ----------
    network : SlayerNetwork
    threads, progress :
        As for `run`.

    Returns
    -------
    State

    Raises
    ------
    EngineError
        As `run`.
    """
    _, threads = checked_counts(1, threads)
    chip = _chip(network)
    return State(network, chip.beginning(threads, progress), chip.signals)


def _chip(network):
    """The network built for the chip, now or before."""
    with stack.quiet_build():
        return kept_in(network, "_chips", None, lambda: SpikeChip(network))


def check_chip(graph, n_steps=1):
    """Refuse what the emulator has not.

    Parameters
    ----------
    graph : Graph
    n_steps : int
        Steps of a sample.

    Returns
    -------
    dict of str to int
        Steps that each stage's spikes are late on the chip.

    Raises
    ------
    EngineError
        Naming the stage and the remedy.
    """
    return _lags(chip_form(graph, n_steps).graph)


def _lags(graph):
    """Steps by which each stage of a graph in the chip's form is late, all of it checked."""
    lags = {"input": 0}
    for stage in graph:
        _check(stage)
        lags[stage.name] = next((lags[e.source] + 1 for e in stage.links if e.source in lags), 1)
    before = {"input"}
    for stage in graph:
        for link in stage.links:
            if lags[link.source] + 1 - link.delay == lags[stage.name]:
                continue
            if link.source in before and any(each.delay > 1 for each in stage.links):
                raise EngineError(
                    f"stage {stage.name!r} has synapses that delay by up to "
                    f"{max(each.delay for each in stage.links)} steps, which nengo-loihi's "
                    "emulator has not: train the network without, or use engine='event'"
                )
            raise EngineError(
                f"stage {stage.name!r}: spikes from {link.source!r} would come at another step "
                "than those on its other ways, for each takes a step from core to core: lead "
                "them through as many stages, or use engine='event'"
            )
        before.add(stage.name)
    del lags["input"]
    return lags


def _check(stage):
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
    for name, whole in zip(_DECAYS, (1, 0)):  # a current of its step alone, a potential that stays
        share = getattr(neuron, name)
        if share != whole and not 1 <= round(share * DECAY_UNIT) < DECAY_UNIT:
            raise EngineError(
                f"stage {stage.name!r}: its {name} is {share:g}, the chip's decays go from "
                f"1/{DECAY_UNIT} to {DECAY_UNIT - 1}/{DECAY_UNIT}: train it with one of these"
            )
    if not any(link.map.values.any() for link in stage.links):
        raise EngineError(f"stage {stage.name!r}: all its weights are zero: train the network")
    if stage.start.any() or (stage.bias.any() and neuron.current_decay < 1):
        raise EngineError(
            f"stage {stage.name!r}: the chip's leaky neurons begin at zero, and what they get at "
            "each step does not pass their current: train the network without, or use "
            "engine='event'"
        )
    for link in stage.links:
        if link.map.n_axes == 2 and link.map.padding_word() is None:
            raise EngineError(
                f"stage {stage.name!r}: nengo-loihi has no word for its padding of "
                f"{link.map.padding} at strides of {link.map.strides}: pad as TensorFlow does "
                "(valid or same), or use engine='event'"
            )


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
        membrane = stage.neuron.threshold * (decays["voltage_decay"] or 1)
        gain = 1 / (membrane * decays["current_decay"])
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
        floor = max(stage.neuron.floor / stage.neuron.threshold, FLOOR)
        neuron = IntegrateFire(**decays, reset="zero", floor=floor)
        bias = stage.bias / np.float32(membrane)
        stages.append(dataclasses.replace(stage, neuron=neuron, links=links, bias=bias))
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
        compartment.scale_v = neuron_type.voltage_decay > 0
        compartment.refract_delay[:] = 1  # fires at the next step again, if it can
        compartment.vth[:] = 1
        compartment.vmin = neuron_type.floor

    Builder.builders[CurrentBased] = build


@stack.guest()
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
    graph = chip_form(network.graph, network.n_steps).graph
    _lags(graph)
    with stack.quiet_build():
        return _placed(graph, network.dt)[-1]


def _placed(graph, dt):
    made = {}

    def make_network():
        built = made["built"] = build_chip(graph, dt)
        return built.net, {s.name: (built.neurons[s.name].ensemble, s.shape) for s in graph}

    model, cores, rounding = place(make_network, dt, cut_stages(graph, ()))
    return made["built"], model, ChipReport(cores, (), rounding)


def _spikes(sample):
    bad = (sample != 0) & (sample != 1)
    if bad.any():
        raise EngineError(
            f"the input has the value {sample[bad][0]:g}, the chip's spikes are zeros and ones: "
            "give one spike at most for each input and step"
        )
    return sample.reshape(len(sample), -1)


def _as_share(decay):
    """A decay as nengo-loihi takes it: it makes integers of 4095 times a share."""
    return round(decay * DECAY_UNIT) / (DECAY_UNIT - 1)


def _time_constant(decay):
    """In steps, of the low-pass whose decay nengo-loihi makes that integer of."""
    share = _as_share(decay)
    return 0.0 if share >= 1 else -1 / math.log1p(-share)


__all__ = ["build_chip", "check_chip", "chip_report", "register_neurons", "run", "start"]
