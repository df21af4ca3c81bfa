"""Running networks whose input comes step by step, each spike through the synapses that it has.

Samples run side by side, one on each processor. Memory grows with the neurons, and with the
samples of a minibatch by what is recorded of them.
"""

import functools
import math

import numpy as np

from nengo_tactile.engines.batches import (
    Memories,
    batch_size_for,
    checked_counts,
    checked_dtype,
    side_by_side,
)
from nengo_tactile.engines.event.plan import links_of
from nengo_tactile.engines.event.stepped_kernel import (
    CHUNK,
    CURRENT_BASED,
    RESPONSE,
    SHARED,
    SUM,
    Constants,
    Measured,
    Plan,
    Scratch,
    Stages,
    simulate,
)
from nengo_tactile.engines.recording import ReadOutMean, Recording
from nengo_tactile.engines.state import State
from nengo_tactile.errors import EngineError
from nengo_tactile.lazy import kept_with
from nengo_tactile.networks.neurons import IntegrateFire, SpikeResponse, Sum
from nengo_tactile.progress import track

#: Of stages whose spikes are all worth one and whose states are no whole numbers.
_NO_FLAGS = (False, 1, False)
#: Types that the loops are compiled for in this process.
_COMPILED: set[np.dtype] = set()


def run(
    network, x, n_steps=None, batch_size=None, progress=None, dtype=None, threads=None, rasters=0
):
    """Show each sample step by step, from rest.

    Parameters
    ----------
    network : SlayerNetwork
        Any network whose ``coding`` says what arrives at each step; of spike response neurons,
        integrate-and-fire neurons of one sign, and sums.
    x : (n_samples, n_steps, ...) array_like
        What arrives at each step: see ``network.coding``. Where it is spikes, each that is not
        zero counts as one of the layer "input".
    n_steps : int, optional
        Read no further; by default all of the samples.
    batch_size : int, optional
        Samples that are read and recorded at once.
    progress : bool, optional
    dtype : {"float64", "float32"}, optional
        Of sums, by default that of the graph. Nengo, NengoDL and this engine agree on every spike,
        unless a potential misses the threshold by less than rounding.
    threads : int, optional
        Samples side by side; by default as many as there are processors.
    rasters : int
        Samples of which all spikes are kept: see `Recording.rasters`.

    Returns
    -------
    Recording
        ``outputs`` are the spikes of the last stage so far, after their delays. Spikes and synaptic
        operations are counted when a neuron fires, before its delay.

    Raises
    ------
    EngineError
        If the engine does not run it, or the input does not fit.
    """
    parts = stream(network, x, n_steps, batch_size, progress, dtype, threads, rasters)
    return Recording.concatenate(list(parts))


def stream(
    network, x, n_steps=None, batch_size=None, progress=None, dtype=None, threads=None, rasters=0
):
    """Do what `run` does and yield the Recording of each minibatch, in order.

    Memory does not grow with the number of samples, if the caller keeps no recordings and ``x``
    reads a slice when it is asked for one.
    """
    x = network.check_input(x)
    n_steps = network.steps_of(x, n_steps)
    size = 4 * n_steps * math.prod(network.graph.input_shape)
    batch_size = batch_size_for(len(x), size) if batch_size is None else batch_size
    batch_size, threads = checked_counts(batch_size, threads)
    engine = Stepped(network, checked_dtype(network.graph, dtype), min(threads, len(x)))
    engine.compile(progress)
    starts = track(range(0, len(x), batch_size), "running the event engine", progress=progress)
    for start in starts:
        signal = network.coding.signal(x[start : start + batch_size], n_steps, start)
        recording = engine.record(signal, rasters=max(0, rasters - start))
        yield engine.with_input(recording, signal)


def start(network, dtype=None, threads=None, progress=None):
    """Begin a run in chunks: what each brings arrives after what came before.

    Parameters
    ----------
    network : SlayerNetwork
    dtype, threads
        As of `run`.
    progress : bool, optional

    Returns
    -------
    State

    Raises
    ------
    EngineError
        As `run`.
    """
    _, threads = checked_counts(1, threads)
    engine = Stepped(network, checked_dtype(network.graph, dtype), threads)
    engine.compile(progress)

    def begin(n_samples):
        samples, so_far = engine.samples(n_samples), engine.read_out()
        n_steps = 0

        def advance(signal, _):
            nonlocal n_steps
            recording = engine.record(signal, samples, n_steps, so_far)
            n_steps += signal.shape[1]
            return engine.with_input(recording, signal)

        return advance

    return State(network, begin, network.coding.signal)


class Stepped:
    """A network laid out, with the memory of each thread.

    Parameters
    ----------
    network : SlayerNetwork
    dtype : {"float64", "float32"}
        Of all sums.
    threads : int
    """

    def __init__(self, network, dtype, threads):
        self.network, self.graph, self.threads = network, network.graph, threads
        layouts = layouts_of(self.graph)
        if dtype not in layouts:
            plan = plan_of(self.graph, dtype)
            layouts[dtype] = plan, Memories(lambda: scratch_of(plan))
        self.plan, self.memories = layouts[dtype]

    def compile(self, progress=None):
        """Compile the loops, where they are not yet."""
        dtype = self.plan.start.dtype
        if dtype not in _COMPILED:
            nothing = np.zeros((0, 1, math.prod(self.graph.input_shape)), np.float32)
            for _ in track(range(1), "compiling the event engine, once", progress=progress):
                self.record(nothing)
            _COMPILED.add(dtype)

    def samples(self, n_samples):
        """What steps of samples leave behind, before the first: see `record`."""
        return [scratch_of(self.plan) for _ in range(n_samples)]

    def read_out(self):
        """Makes outputs of what the last stage sent, chunk by chunk."""
        last = self.graph.stages[-1].neuron
        if last == Sum():
            return ReadOutMean(self.network.discard)
        return _Total() if last.spikes else np.asarray  # a potential has all of it

    def record(self, signal, samples=None, since=0, so_far=None, rasters=0):
        """Run samples side by side.

        Parameters
        ----------
        signal : (n_samples, n_steps, n_inputs) float32 array
        samples : list of Scratch, optional
            Of each sample, which goes on from there; by default all begin at rest.
        since : int
            Steps before.
        so_far : callable, optional
            The `read_out` of these.
        rasters : int
            See `run`.

        Returns
        -------
        Recording
        """
        plan, last, (n, n_steps, _) = self.plan, self.graph.stages[-1], signal.shape
        shape = n, len(self.graph.stages), n_steps
        measured = Measured(
            outputs=np.zeros((n, n_steps, last.n_neurons), np.float32),
            counts=np.zeros((n, len(plan.delays)), np.int32),
            spikes=np.zeros(shape, np.int64),
            units=np.zeros(shape, np.int64),
            synops=np.zeros(shape, np.int64),
            rasters=np.zeros((min(rasters, n), n_steps, len(plan.delays)), np.uint16),
        )
        threads = self.memories.take(min(self.threads, max(n, 1)))

        def part(first, end, scratch):
            if samples is None:
                simulate(plan, signal, 0, first, end, scratch, measured)
                return
            for sample in range(first, end):
                own = samples[sample]._replace(stop=scratch.stop)
                simulate(plan, signal, since, sample, sample + 1, own, measured)

        side_by_side(n, threads, part)
        self.memories.give_back(threads)
        rows = [(s, stage) for s, stage in enumerate(self.graph) if stage.spikes]
        begins, kept = plan.stages.first, measured.rasters
        return Recording(
            (so_far or self.read_out())(measured.outputs),
            {e.name: measured.counts[:, begins[s] : begins[s] + e.n_neurons] for s, e in rows},
            {e.name: measured.spikes[:, s] for s, e in rows},
            {
                e.name: measured.synops[:, s]
                for s, e in enumerate(self.graph)
                if e.spikes or e.name in self.graph.sums
            },
            self.network.dt,
            "event",
            units_over_time={e.name: measured.units[:, s] for s, e in rows},
            read_out=self.network.read_out,
            rasters={e.name: kept[:, :, begins[s] : begins[s] + e.n_neurons] for s, e in rows}
            if len(kept)
            else {},
        )

    def with_input(self, recording, signal):
        """The recording with spikes that arrive as a layer "input"."""
        if not self.network.coding.spikes:
            return recording
        return recording.with_input(signal, self.graph.fan_out()["input"])


class _Total:
    """Spikes of all steps so far, chunk by chunk."""

    def __init__(self):
        self.before = np.float32(0)

    def __call__(self, outputs):
        outputs += self.before
        self.before = outputs[:, -1:].copy()
        return outputs


@kept_with
def layouts_of(graph):
    """What is made of a graph once: by the type of its sums a plan and memories of threads."""
    return {}


def plan_of(graph, dtype):
    """Lay a network out for `nengo_tactile.engines.event.stepped_kernel`.

    Parameters
    ----------
    graph : Graph
    dtype : {"float64", "float32"}

    Returns
    -------
    Plan
    """
    spans, links = links_of(graph.stages)
    late = dict.fromkeys(("input", *(stage.name for stage in graph)), 0)
    for stage in graph:
        _check(stage)
        for link in stage.links:
            late[link.source] = max(late[link.source], link.delay)
    rows, constants, columns = [], [], []
    first = slot = sent = 0
    for stage, span in zip(graph, spans):
        room = -(-stage.n_neurons // CHUNK) * CHUNK
        model, numbers, flags = _model(stage.neuron, stage)
        axon = np.zeros(stage.n_neurons, np.int64) if stage.axon is None else stage.axon
        depth = int(axon.max()) + late[stage.name] + 1
        row = model, first, stage.n_neurons, *span, depth, slot, sent, late[stage.name]
        rows.append((*row, stage.bias.any(), *flags))
        constants.append(numbers)
        values = axon, graph.fan_out()[stage.name], stage.bias, stage.start
        columns.append([np.pad(each, (0, room - stage.n_neurons)) for each in values])
        first, slot, sent = first + room, slot + depth, sent + depth * stage.n_neurons
    n_inputs = math.prod(graph.input_shape)
    rows.append(
        (-1, 0, n_inputs, 0, 0, late["input"] + 1, slot, sent, late["input"], 0, *_NO_FLAGS)
    )
    delays, fan_out, bias, start = (np.concatenate(column) for column in zip(*columns))
    busy = (bias != 0) | (start != 0)
    return Plan(
        Stages(*np.array(rows, np.int64).T.copy()),
        Constants(*(np.array(column, dtype) for column in zip(*constants))),
        links._replace(weights=links.weights.astype(dtype)),
        np.array([link.delay for stage in graph for link in stage.links], np.int64),
        delays.astype(np.int64),
        fan_out.astype(np.int64),
        bias.astype(dtype),
        start.astype(dtype),
        busy.reshape(-1, CHUNK).any(axis=1).astype(np.uint8),
    )


def scratch_of(plan):
    """What a thread needs for itself, for any number of steps."""
    dtype, n_neurons, stages = plan.start.dtype, len(plan.start), plan.stages
    room = int((stages.depth * stages.size).sum())
    return Scratch(
        *(np.zeros(n_neurons, dtype) for _ in range(4)),
        potential=np.zeros(CHUNK, dtype),
        awake=np.zeros(n_neurons // CHUNK, np.uint8),
        sent=np.zeros(room, np.int32),
        worth=np.zeros(room, dtype),
        slots=np.zeros(int(stages.depth.sum()), np.int64),
        stop=np.zeros(1, np.uint8),
    )


def _check(stage):
    if len(stage.step_bias):
        raise EngineError(
            f"stage {stage.name!r}: has currents of its own at the first steps, which the event "
            "engine has not for input step by step: use engine='nengo-dl'"
        )
    for link in stage.links:
        if link.low_pass is not None:
            raise EngineError(
                f"stage {stage.name!r}: what comes from {link.source!r} has a low-pass of "
                f"{link.low_pass:g} steps, the event engine passes spikes on as they are: use "
                "engine='nengo-dl'"
            )


@functools.singledispatch
def _model(neuron, stage):
    """The model of neurons, its `Constants`, and the last of its `Stages`."""
    raise EngineError(
        f"stage {stage.name!r}: its neurons are {type(neuron).__name__}, the event engine shows "
        "input step by step to spike response and current-based neurons and sums: use "
        "engine='nengo-dl'"
    )


@_model.register
def _(neuron: IntegrateFire, stage):
    if neuron.signed or neuron.negative_slope:
        raise EngineError(
            f"stage {stage.name!r}: its neurons take spikes back, which the event engine has not "
            "for input step by step: use engine='nengo-dl'"
        )
    kept = 1 - neuron.current_decay, 1 - neuron.voltage_decay
    flags = neuron.reset == "zero", neuron.spikes_per_step, neuron.whole
    return CURRENT_BASED, (*kept, 0.0, 0.0, 0.0, neuron.threshold, neuron.floor), flags


@_model.register
def _(neuron: SpikeResponse, stage):
    if stage.start.any():
        raise EngineError(
            f"stage {stage.name!r}: its neurons respond to what arrives, and have a potential at "
            "the start, which nothing brought: leave it out"
        )
    deepest = neuron.refractory * neuron.threshold
    numbers = (
        math.exp(-1 / neuron.tau_s),
        math.exp(-1 / neuron.tau_r),
        math.e / neuron.tau_s,
        deepest * math.e / neuron.tau_r,
        deepest,
        neuron.threshold,
        -math.inf,
    )
    return SHARED if neuron.tau_s == neuron.tau_r else RESPONSE, numbers, _NO_FLAGS


@_model.register
def _(neuron: Sum, stage):
    return SUM, (0.0, 1 - neuron.decay, 0.0, 0.0, 0.0, 0.0, -math.inf), _NO_FLAGS


__all__ = ["Stepped", "plan_of", "run", "scratch_of", "start", "stream"]
