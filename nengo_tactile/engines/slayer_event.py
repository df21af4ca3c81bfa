"""The event-driven engine for SLAYER networks: networks as flat arrays, samples side by side."""

import functools
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from nengo_tactile.engines.event.clocked import PARTS
from nengo_tactile.engines.event.plan import links_of
from nengo_tactile.engines.slayer_kernel import (
    CHUNK,
    CURRENT_BASED,
    RESPONSE,
    SHARED,
    Constants,
    Measured,
    Plan,
    Scratch,
    Stages,
    simulate,
)
from nengo_tactile.errors import EngineError
from nengo_tactile.networks.neurons import IntegrateFire, SpikeResponse
from nengo_tactile.progress import track
from nengo_tactile.slayer.stages import check

#: Types that the loops are compiled for in this process.
_COMPILED: set[tuple] = set()


class EventNetwork:
    """A network laid out, with the memory of each thread.

    Parameters
    ----------
    graph : Graph
        A chain, as `nengo_tactile.slayer.stages.check` has it.
    fan_out : dict of str to (n_neurons,) int array
        Of each stage.
    dtype : {"float64", "float32"}
        Of all sums.
    threads : int
    """

    def __init__(self, graph, fan_out, dtype, threads):
        self.graph, self.threads = graph, threads
        self.plan = plan_of(graph, fan_out, dtype)
        n_inputs = math.prod(graph.input_shape)
        self.scratch = [scratch_of(self.plan, n_inputs) for _ in range(threads)]

    def compile(self, progress=None):
        """Compile the loops, where they are not yet."""
        dtype = self.plan.links.weights.dtype
        if dtype not in _COMPILED:
            nothing = np.zeros((0, 1, math.prod(self.graph.input_shape)), np.float32)
            for _ in track(range(1), "compiling the event engine, once", progress=progress):
                self.record(nothing)
            _COMPILED.add(dtype)

    def record(self, x):
        """Run samples side by side.

        Parameters
        ----------
        x : (n_samples, n_steps, n_inputs) float32 array

        Returns
        -------
        outputs : (n_samples, n_steps, n_outputs) float32 array
            Spikes of the last stage so far, after their delays.
        layers : dict of str to tuple
            Spikes of each neuron, (n_samples, n_neurons); spikes and synaptic operations of all,
            (n_samples, n_steps).
        """
        first, n_steps = self.plan.stages.first, x.shape[1]
        shape = len(x), len(self.graph.stages), n_steps
        measured = Measured(
            outputs=np.zeros((len(x), n_steps, self.graph.stages[-1].n_neurons), np.float32),
            counts=np.zeros((len(x), len(self.plan.delays)), np.int32),
            spikes=np.zeros(shape, np.int64),
            synops=np.zeros(shape, np.int64),
        )
        free = list(self.scratch)

        def part(begin, end):
            scratch = free.pop()
            simulate(self.plan, x, begin, end, scratch, measured)
            free.append(scratch)

        size = max(1, -(-len(x) // (PARTS * self.threads)))
        begins = range(0, len(x), size) if len(x) else [0]
        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(part, begins, (min(begin + size, len(x)) for begin in begins)))
        layers = {
            stage.name: (
                measured.counts[:, first[s] : first[s] + stage.n_neurons],
                measured.spikes[:, s],
                measured.synops[:, s],
            )
            for s, stage in enumerate(self.graph)
        }
        return measured.outputs, layers


def plan_of(graph, fan_out, dtype):
    """Lay a network out for `nengo_tactile.engines.slayer_kernel`.

    Parameters
    ----------
    graph, fan_out, dtype
        As for `EventNetwork`.

    Returns
    -------
    Plan
    """
    check(graph)
    spans, links = links_of(graph.stages)
    rows, constants, delays, synapses = [], [], [], []
    first = slot = sent = 0
    for stage, span in zip(graph, spans):
        room = -(-stage.n_neurons // CHUNK) * CHUNK
        own = np.zeros(room, np.int64)
        if stage.axon is not None:
            own[: stage.n_neurons] = stage.axon
        depth = int(own.max()) + 2  # also the step before: recurrent spikes are read then
        model, numbers = _neuron(stage.neuron, stage.name)
        rows.append((model, first, stage.n_neurons, *span, depth, slot, sent))
        constants.append(numbers)
        delays.append(own)
        synapses.append(np.pad(fan_out[stage.name], (0, room - stage.n_neurons)))
        first, slot, sent = first + room, slot + depth, sent + depth * stage.n_neurons
    return Plan(
        Stages(*np.array(rows, np.int64).T.copy()),
        Constants(*(np.array(column, dtype) for column in zip(*constants))),
        links._replace(weights=links.weights.astype(dtype)),
        np.concatenate(delays),
        np.concatenate(synapses).astype(np.int64),
    )


def scratch_of(plan, n_inputs):
    """What a thread needs for itself, for any number of steps."""
    dtype, n_neurons, stages = plan.links.weights.dtype, len(plan.delays), plan.stages
    room = max(n_inputs, int(stages.size.max()))
    return Scratch(
        *(np.zeros(n_neurons, dtype) for _ in range(4)),
        potential=np.zeros(CHUNK, dtype),
        awake=np.zeros(n_neurons // CHUNK, np.uint8),
        events=np.zeros(room, np.int32),
        values=np.ones(2 * room, dtype),  # spikes, then what the input has
        sent=np.zeros(int((stages.depth * stages.size).sum()), np.int32),
        slots=np.zeros(int(stages.depth.sum()), np.int64),
    )


@functools.singledispatch
def _neuron(neuron, name):
    """The model of neurons, and its `Constants`."""
    raise EngineError(
        f"stage {name!r}: its neurons are {type(neuron).__name__}, the event engine runs networks "
        "of spike response and current-based neurons: use engine='nengo'"
    )


@_neuron.register
def _(neuron: IntegrateFire, name):
    kept = 1 - neuron.current_decay, 1 - neuron.voltage_decay
    return CURRENT_BASED, (*kept, 0.0, 0.0, 0.0, neuron.threshold)


@_neuron.register
def _(neuron: SpikeResponse, name):
    deepest = neuron.refractory * neuron.threshold
    return SHARED if neuron.tau_s == neuron.tau_r else RESPONSE, (
        math.exp(-1 / neuron.tau_s),
        math.exp(-1 / neuron.tau_r),
        math.e / neuron.tau_s,
        deepest * math.e / neuron.tau_r,
        deepest,
        neuron.threshold,
    )


__all__ = ["EventNetwork", "plan_of", "scratch_of"]
