"""The event-driven engine for SLAYER networks: networks as flat arrays, samples side by side."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from nengo_tactile.engines.event.clocked import PARTS
from nengo_tactile.engines.slayer_kernel import (
    CHUNK,
    CONV,
    CURRENT_BASED,
    DENSE,
    POOL,
    RESPONSE,
    SHARED,
    Constants,
    Measured,
    Plan,
    Scratch,
    Stages,
    simulate,
)
from nengo_tactile.progress import track
from nengo_tactile.slayer.neurons import SpikeResponseModel

#: Types that the loops are compiled for in this process.
_COMPILED: set[tuple] = set()
_KINDS = {"dense": DENSE, "conv": CONV, "pool": POOL}


class EventNetwork:
    """A network laid out, with the memory of each thread.

    Parameters
    ----------
    stages : sequence of Stage
    fan_outs : list of (n_neurons,) int array
        Of each stage.
    dtype : {"float64", "float32"}
        Of all sums.
    threads : int
    """

    def __init__(self, stages, fan_outs, dtype, threads):
        self.stages, self.threads = stages, threads
        self.plan = plan_of(stages, fan_outs, dtype)
        n_inputs = math.prod(stages[0].input_shape)
        self.scratch = [scratch_of(self.plan, n_inputs) for _ in range(threads)]

    def compile(self, progress=None):
        """Compile the loops, where they are not yet."""
        dtype = self.plan.weights.dtype
        if dtype not in _COMPILED:
            nothing = np.zeros((0, 1, math.prod(self.stages[0].input_shape)), np.float32)
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
        shape = len(x), len(self.stages), n_steps
        measured = Measured(
            outputs=np.zeros((len(x), n_steps, self.stages[-1].n_neurons), np.float32),
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
            for s, stage in enumerate(self.stages)
        }
        return measured.outputs, layers


def plan_of(stages, fan_outs, dtype):
    """Lay a network out for `nengo_tactile.engines.slayer_kernel`.

    Parameters
    ----------
    stages, fan_outs, dtype
        As for `EventNetwork`.

    Returns
    -------
    Plan
    """
    rows, constants, weights, delays, synapses = [], [], [], [], []
    place = dict.fromkeys(("first", "weight", "slot", "sent"), 0)
    for stage, fan_out in zip(stages, fan_outs):
        room = -(-stage.n_neurons // CHUNK) * CHUNK
        own = np.zeros(room, np.int64)
        if stage.delays is not None:
            own[: stage.n_neurons] = stage.delays
        depth = int(own.max()) + 2  # also the step before: recurrent spikes are read then
        row = {**place, **_geometry(stage), "model": _model(stage.neuron), "depth": depth}
        parts = [_laid_out(stage)]
        row["recurrent"] = -1
        if stage.recurrent is not None:
            row["recurrent"] = place["weight"] + parts[0].size
            parts.append(np.ravel(stage.recurrent))
        rows.append(row)
        constants.append(_constants(stage.neuron))
        weights += parts
        delays.append(own)
        synapses.append(np.pad(fan_out, (0, room - stage.n_neurons)))
        place["first"] += room
        place["weight"] += sum(part.size for part in parts)
        place["slot"] += depth
        place["sent"] += depth * stage.n_neurons
    return Plan(
        Stages(*(np.array([row[name] for row in rows], np.int64) for name in Stages._fields)),
        Constants(*(np.array(column, dtype) for column in zip(*constants))),
        np.concatenate(weights).astype(dtype),
        np.concatenate(delays),
        np.concatenate(synapses).astype(np.int64),
    )


def scratch_of(plan, n_inputs):
    """What a thread needs for itself, for any number of steps."""
    dtype, n_neurons, stages = plan.weights.dtype, len(plan.delays), plan.stages
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


def _geometry(stage):
    linear = stage.map
    row = {"kind": _KINDS[stage.kind], "size": stage.n_neurons, "stride": stage.stride}
    for names, values in (
        (("height", "width"), linear.sides),
        (("top", "left"), linear.padding),
        (("in_columns", "in_channels"), linear.input_shape[1:]),
        (("rows", "columns", "channels"), linear.output_shape),
    ):
        row |= dict(zip(names, values)) if linear.n_axes else dict.fromkeys(names, 1)
    return row


def _laid_out(stage):
    weights = np.asarray(stage.weights)
    if stage.kind == "conv":  # windows meet neighbours from right to left
        weights = weights[:, ::-1].transpose(0, 2, 1, 3)
    return weights.ravel()


def _model(neuron):
    if not isinstance(neuron, SpikeResponseModel):
        return CURRENT_BASED
    return SHARED if neuron.tau_s == neuron.tau_r else RESPONSE


def _constants(neuron):
    if not isinstance(neuron, SpikeResponseModel):
        kept = 1 - neuron.current_decay, 1 - neuron.voltage_decay
        return *kept, 0.0, 0.0, 0.0, neuron.threshold
    deepest = neuron.refractory * neuron.threshold
    return (
        math.exp(-1 / neuron.tau_s),
        math.exp(-1 / neuron.tau_r),
        math.e / neuron.tau_s,
        deepest * math.e / neuron.tau_r,
        deepest,
        neuron.threshold,
    )


__all__ = ["EventNetwork", "plan_of", "scratch_of"]
