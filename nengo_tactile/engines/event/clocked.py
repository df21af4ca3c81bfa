"""Running integrate-and-fire networks step by step, visiting only the neurons that receive spikes.

Samples run side by side, one on each processor. Memory grows with the neurons, and with the
samples of a minibatch by what is recorded of them; not with the number of steps, but for the
read-out, spikes and synaptic operations that a recording holds of each step.
"""

import numpy as np

from nengo_tactile.engines.batches import Memories, batch_size_for, checked_counts, side_by_side
from nengo_tactile.engines.event.columns import aligned
from nengo_tactile.engines.event.kernel import BLOCK, Exit, Measured, Memory, Scratch, simulate
from nengo_tactile.engines.event.plan import n_driven, n_words, plan_of, pool_size
from nengo_tactile.engines.event.products import room_of
from nengo_tactile.engines.event.vectors import WORD
from nengo_tactile.engines.recording import ReadOutMean, Recording, exit_levels, read_out
from nengo_tactile.engines.state import State
from nengo_tactile.errors import EngineError
from nengo_tactile.lazy import kept_with
from nengo_tactile.progress import track

#: Steps whose spikes are told in two bytes a neuron: the sum of several of these fits too.
NARROW_STEPS = 4000


def run(
    network, x, n_steps=None, batch_size=None, progress=None, threads=None, margin=None, rasters=0
):
    """Show each sample for ``n_steps`` as a constant input current.

    The recording is that of the NengoDL engine where sums are exact in float32; otherwise rounding
    moves single spikes, as between NengoDL in float32 and float64.

    Parameters
    ----------
    network : SpikingNetwork
        Of integrate-and-fire neurons, without a synapse.
    x : (n_samples, ...) float array
    n_steps : int, optional
    batch_size : int, optional
        Samples that are recorded at once.
    progress : bool, optional
    threads : int, optional
        Samples side by side; by default as many as there are processors.
    margin : float or (n_steps,) array, optional
        Stop a sample when the margin of its decision passes this level, or that of a step: see
        `nengo_tactile.analysis.early_exit`.
    rasters : int
        Samples of which all spikes are kept: see `Recording.rasters`.

    Returns
    -------
    Recording

    Raises
    ------
    EngineError
        For LIF neurons, for a synapse, for numbers out of range, and for a margin of outputs that
        are a map.
    """
    engine, x, n_steps, batches = prepared(network, x, n_steps, batch_size, threads, margin)
    engine.compile(progress)
    batches = track(batches, "running the event engine", progress=progress)
    return engine.record(x, n_steps, rasters=rasters, batches=batches)


def stream(
    network, x, n_steps=None, batch_size=None, progress=None, threads=None, margin=None, rasters=0
):
    """Do what `run` does and yield the Recording of each minibatch, in order.

    Memory does not grow with the number of samples, if the caller keeps no recordings.
    """
    engine, x, n_steps, batches = prepared(network, x, n_steps, batch_size, threads, margin)
    engine.compile(progress)
    for batch in track(batches, "running the event engine", progress=progress):
        yield engine.record(x[batch], n_steps, rasters=max(0, rasters - batch.start))


def prepared(network, x, n_steps, batch_size, threads, margin):
    """Check a run; returns the engine, samples, steps and minibatches, as slices of samples."""
    x = network.check_input(x)
    n_steps = network.steps_of(x, n_steps)
    batch_size = batch_size_for(len(x)) if batch_size is None else batch_size
    batch_size, threads = checked_counts(batch_size, threads)
    levels = None
    if margin is not None:
        check_margin(network.read_out, margin)
        levels = exit_levels(margin, n_steps)
    engine = Clocked(network, min(threads, len(x)), levels)
    batches = [slice(k, k + batch_size) for k in range(0, len(x), batch_size)]
    return engine, x, n_steps, batches


def start(network, threads=None, progress=None):
    """Begin a run in chunks: each shows its image from where the last steps ended.

    Parameters
    ----------
    network : SpikingNetwork
    threads : int, optional
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
    engine = Clocked(network, threads)
    engine.compile(progress)

    def begin(n_samples):
        memory = engine.memory(n_samples)
        means = ReadOutMean(network.discard), ReadOutMean(network.discard)

        def advance(x, n_steps):
            nonlocal memory
            recording = engine.record(x, n_steps, memory, means)
            memory = memory._replace(n_steps=memory.n_steps + n_steps)
            return recording

        return advance

    return State(network, begin)


@kept_with
def layout_of(graph, network):
    """What is made of a network once: its plan, the plan's stages, memories of threads."""
    plan, stages = plan_of(network)
    return plan, stages, Memories(lambda: scratch_of(plan))


class Clocked:
    """A network laid out. Plans, and the memories of threads, are kept with its graph.

    Parameters
    ----------
    network : SpikingNetwork
    threads : int
    levels : (n_steps,) float array or None
        Of the margin at which samples are stopped.
    """

    def __init__(self, network, threads, levels=None):
        self.network, self.threads, self.levels = network, threads, levels
        self.plan, self.stages, self.memories = layout_of(network.graph, network)

    def compile(self, progress=None):
        """Compile the loops, where they are not yet."""
        if not simulate.signatures:
            for _ in track(range(1), "compiling the event engine, once", progress=progress):
                self._simulate(
                    np.zeros((0, *self.network.input_shape), np.float32), 1, None,
                    measured_of(self.plan, 0, 1, 0),
                )  # fmt: skip

    def memory(self, n_samples):
        """What steps of samples leave behind, at rest: see `record`."""
        state = np.tile(self.plan.start, (n_samples, 1))
        return Memory(state, np.zeros_like(state), True, 0)

    def record(self, x, n_steps, memory=None, means=None, rasters=0, batches=(slice(None),)):
        """Run samples side by side.

        Parameters
        ----------
        x : (n_samples, ...) float32 array
        n_steps : int
        memory : Memory, optional
            Of as many samples, which go on from there and leave it changed; by default all begin
            at rest.
        means : (ReadOutMean, ReadOutMean), optional
            Of the steps before: of the potentials of the read-out, and of what is constant in it.
        rasters : int
            See `run`.
        batches : iterable of slice
            Samples that are prepared at once; by default all.

        Returns
        -------
        Recording
        """
        plan, network = self.plan, self.network
        measured = measured_of(plan, len(x), n_steps, min(rasters, len(x)))
        constants = np.empty((len(x), measured.potentials.shape[2]), np.float32)
        for batch in batches:
            constants[batch] = self._simulate(
                x[batch], n_steps, memory, Measured(*(each[batch] for each in measured))
            )
        stops = self.levels is not None
        if means is None:
            outputs = read_out(measured.potentials, network.discard) + constants[:, None]
        else:
            potentials = measured.potentials
            constant = np.broadcast_to(constants[:, None], potentials.shape)
            outputs = means[0](potentials) + means[1](constant)
        if stops:  # outputs stay as they were then
            steps = np.minimum(np.arange(n_steps), measured.exit_steps[:, None] - 1)
            outputs = np.take_along_axis(outputs, steps[:, :, None], axis=1)
        counts, spikes, units, synops, kept = {}, {}, {}, {}, {}
        for index, stage in enumerate(self.stages[:-1]):
            begin = plan.stages.state[index]
            if stage.spikes or stage.name in network.graph.sums:
                synops[stage.name] = measured.synops[:, index]
            if stage.spikes:
                counts[stage.name] = measured.counts[:, begin : begin + stage.n_neurons]
                kept[stage.name] = measured.rasters[:, :, begin : begin + stage.n_neurons]
                spikes[stage.name] = measured.spikes[:, index]
                units[stage.name] = measured.units[:, index]
        return Recording(
            *(outputs, counts, spikes, synops, network.dt, "event"),
            units_over_time=units,
            read_out=network.read_out,
            rasters=kept if len(measured.rasters) else {},
            exit_steps=measured.exit_steps if stops else None,
        )

    def _simulate(self, x, n_steps, memory, measured):
        """Run samples side by side and fill in what is measured; returns constant outputs."""
        plan, network = self.plan, self.network
        currents, constants = self._currents(x)
        stops = self.levels is not None
        levels = np.zeros(n_steps, np.float32) if not stops else self.levels.astype(np.float32)
        by_sign = network.read_out.decides_by_sign
        exit = Exit(stops, levels, by_sign, constants, float(network.discard))
        narrow = measured.counts.dtype == np.int16

        def part(first, last, scratch):
            own = scratch.memory if memory is None else memory
            if narrow:
                simulate(plan, currents, n_steps, exit, first, last, scratch, own, measured)
                return
            row = measured._replace(counts=np.empty((1, len(plan.start)), np.int16))
            for sample in range(first, last):
                simulate(plan, currents, n_steps, exit, sample, sample + 1, scratch, own, row)
                measured.counts[sample] = scratch.counts

        scratch = self.memories.take(min(self.threads, max(len(x), 1)))
        side_by_side(len(x), scratch, part)
        self.memories.give_back(scratch)
        return constants

    def _currents(self, x):
        """What the input drives by itself: of all stages that fire, and of the read-out."""
        currents = aligned(np.zeros((len(x), n_driven(self.plan)), np.float32))
        silent = self.network.graph.silent(x)
        for stage, begin in zip(self.stages, self.plan.stages.drive):
            if begin >= 0:
                currents[:, begin : begin + stage.n_inputs] = silent[stage.name]
        # of layers that no sample changes there is one row
        outputs = np.broadcast_to(silent[self.stages[-1].name], (len(x), self.stages[-1].n_inputs))
        return currents, np.ascontiguousarray(outputs)


def check_margin(read_out, margin):
    """Refuse a margin of outputs that are values, or a map.

    Raises
    ------
    EngineError
    DataError
    """
    if not (read_out.decides_by_sign or read_out.n_outputs == read_out.n_classes):
        raise EngineError(
            f"margin is {margin!r}, and the network's outputs are a map of shape "
            f"{read_out.output_shape}: leave it out, or stop a recording afterwards "
            "(analysis.exits)"
        )
    read_out.margin(np.zeros((0, read_out.n_outputs)))  # refuses values


def scratch_of(plan):
    """What a thread needs for itself, for any number of steps."""
    stages, n_events = plan.stages, pool_size(plan)
    largest = int(stages.padded.max())
    rest = aligned(np.zeros((1, len(plan.start)), np.float32))
    return Scratch(
        memory=Memory(rest, aligned(rest), False, 0),
        fired=aligned(np.zeros(WORD, np.float32)),
        words=np.zeros(largest // WORD + 1, np.uint64),
        ranks=np.zeros(largest // WORD + 1, np.int64),
        bits=np.zeros(n_words(plan), np.uint64),
        recent=aligned(np.zeros(len(plan.start), np.uint8)),
        counts=np.zeros(len(plan.start), np.int32),
        marks=np.zeros(largest // WORD, np.uint64),
        events=np.empty(n_events, np.int32),
        values=np.empty(n_events, np.float32),
        begins=np.zeros((len(stages.kind), BLOCK), np.int64),
        ends=np.zeros((len(stages.kind), BLOCK), np.int64),
        awake=np.zeros(len(stages.kind), np.uint8),
        room=aligned(np.zeros(room_of(plan.products), np.float32)),
        stop=np.zeros(1, np.uint8),
    )


def measured_of(plan, n_samples, n_steps, n_rasters):
    """Room for what is measured of some samples."""
    n_sending = len(plan.stages.kind) - 1
    return Measured(
        potentials=np.zeros((n_samples, n_steps, int(plan.stages.size[-1])), np.float32),
        # each row is written whole; what is not zeroed is mapped in large pages
        counts=np.empty(
            (n_samples, len(plan.start)), np.int16 if n_steps <= NARROW_STEPS else np.int32
        ),
        exit_steps=np.full(n_samples, n_steps, np.int32),
        rasters=np.zeros((n_rasters, n_steps, len(plan.start)), np.uint16),
        **{
            name: np.zeros((n_samples, n_sending, n_steps), np.int64)
            for name in ("spikes", "units", "synops")
        },
    )
