"""Running sigma-delta networks spike by spike, in the order of time (their paper, section II).

There are no time steps. A spike waits in a queue, first in, first out, behind those of the same
time; when its turn comes it changes the membrane potentials of all that it reaches, and each of
these is looked at once, as the paper's Algorithm 1 says: it sends one spike at most. Delivery takes
no time, so all that an input spike leads to happens before the next one of a later time.

Order among equals: input spikes of the same time by the number of their pixel; neurons that a
spike makes fire, by stage in the order of computation, and by their number in it.

Samples run side by side, one on each processor. Memory grows with the neurons and with the samples
in flight, by what is recorded of them, and not with time; the trace, which one has to ask for,
grows with the spikes that change the read-out.
"""

import numpy as np

from nengo_tactile.engines.batches import Memories, batch_size_for, checked_counts, side_by_side
from nengo_tactile.engines.event.arrivals import Frames, arrivals_of
from nengo_tactile.engines.event.queue_kernel import DONE, FULL_QUEUE, ROWS, simulate
from nengo_tactile.engines.event.queue_plan import measured_of, memory_of, queue_plan
from nengo_tactile.engines.event.trace import SpikeRecording, Trace
from nengo_tactile.engines.state import State
from nengo_tactile.errors import EngineError
from nengo_tactile.lazy import kept_with
from nengo_tactile.progress import track

#: Spikes of one neuron for one sample at most.
MOST_SPIKES = 10_000
#: Rows that a trace has room for at the beginning.
TRACE_ROWS = 1024


def run(
    network,
    x,
    n_steps=None,
    batch_size=None,
    progress=None,
    threads=None,
    settle=True,
    trace=False,
    rasters=0,
):
    """Show samples as ``network.coding`` says, and handle every spike by itself.

    The steps of the recording are those of the coding: what arrives in a step is what arrives in it
    on the NengoDL engine, and all that it leads to happens in the same step.

    Parameters
    ----------
    network : SpikingNetwork
        Of sigma-delta neurons.
    x : (n_samples, ...) float array
    n_steps : int, optional
        Steps that are recorded; input spikes of later ones do not arrive.
    batch_size : int, optional
        Samples that are recorded at once.
    progress : bool, optional
    threads : int, optional
        Samples side by side; by default as many as there are processors.
    settle : bool
        A neuron whose potential jumps over several thresholds at once, or starts above one, sends
        one spike for each spike that reaches it, and so may still lack some when all is over. Then,
        in the step after the input (or the last), such neurons go on firing, layer by layer, so
        that all differ by less than a threshold from what they sent, as in the other engines. With
        False they do not: Algorithm 1 to the letter.
    trace : bool
        Also record the read-out after each spike that changes it.
    rasters : int
        Samples of which all spikes are kept: see `Recording.rasters`.

    Returns
    -------
    SpikeRecording
        With `DelayCoding` the input's spikes are those of a layer "input".

    Raises
    ------
    EngineError
        If a neuron fires more than `MOST_SPIKES` times for a sample, or more spikes wait than
        there is room for (`queue_plan.WAITING_PER_NEURON`), naming the layer.
    DataError
        For values that the coding cannot send.
    """
    return SpikeRecording.concatenate(
        stream(network, x, n_steps, batch_size, progress, threads, settle, trace, rasters)
    )


def stream(
    network,
    x,
    n_steps=None,
    batch_size=None,
    progress=None,
    threads=None,
    settle=True,
    trace=False,
    rasters=0,
):
    """Do what `run` does and yield the SpikeRecording of each minibatch, in order.

    Memory does not grow with the number of samples, if the caller keeps no recordings.
    """
    x = network.check_input(x)
    n_steps = network.steps_of(x, n_steps)
    batch_size = batch_size_for(len(x)) if batch_size is None else batch_size
    batch_size, threads = checked_counts(batch_size, threads)
    engine = Asynchronous(network, min(threads, len(x)), progress)
    for start in track(range(0, len(x), batch_size), "running spike by spike", progress=progress):
        arrivals = arrivals_of(network.coding, x[start : start + batch_size])
        options = {"settle": settle, "trace": trace, "rasters": max(0, rasters - start)}
        yield engine.record(arrivals, n_steps, **options)


def start(network, input_threshold=0.0, settle=True, threads=None, progress=None):
    """Begin a run in chunks, which are frames: of each, what it changes arrives.

    Parameters
    ----------
    network : SpikingNetwork
    input_threshold : float
        See `nengo_tactile.engines.event.run_streams`, which shows all frames at once.
    settle : bool
        See `run`.
    threads : int, optional
    progress : bool, optional

    Returns
    -------
    State
        What arrives counts as spikes of a layer "input".

    Raises
    ------
    EngineError
        As `run`, and for steps in which a frame would not arrive as a whole.
    """
    _, threads = checked_counts(1, threads)
    engine, least = Asynchronous(network, threads, progress), network.coding.n_steps
    frames = Frames(network.coding, input_threshold)

    def begin(n_samples):
        samples, shown = engine.samples(n_samples), False

        def advance(x, n_steps):
            nonlocal shown
            arrivals, anew = frames(x), 0 if shown else 1
            shown = True
            return engine.record(arrivals, n_steps, anew, settle, False, True, samples)

        return advance

    def read(x, n_steps):
        if n_steps < least:
            raise EngineError(
                f"n_steps is {n_steps}, a frame arrives in {least} steps: give as many or more"
            )
        return x

    return State(network, begin, read)


@kept_with
def layout_of(graph, network):
    """What is made of a network once: its plan and the memories of threads."""
    plan = queue_plan(network)
    return plan, Memories(lambda: memory_of(plan))


class Asynchronous:
    """A network laid out, with the memory of each thread.

    Parameters
    ----------
    network : SpikingNetwork
    threads : int
    progress : bool, optional
    """

    def __init__(self, network, threads, progress=None):
        self.network, self.threads = network, threads
        self.plan, self.memories = layout_of(network.graph, network)
        if not simulate.signatures:
            for _ in track(range(1), "compiling the event engine, once", progress=progress):
                nothing = np.zeros((1, *network.input_shape), np.float32)
                self.record(arrivals_of(network.coding, nothing), 1)

    def samples(self, n_samples):
        """What frames of samples leave behind, before the first: see `record`."""
        return [memory_of(self.plan) for _ in range(n_samples)]

    def record(
        self,
        arrivals,
        n_steps,
        n_frames=1,
        settle=True,
        trace=False,
        count_input=None,
        samples=None,
        rasters=0,
    ):
        """Run samples side by side.

        Parameters
        ----------
        arrivals : Arrivals
            From `nengo_tactile.engines.event.arrivals.arrivals_of`.
        n_steps : int
        n_frames : int
            Samples that follow one another without a reset; 0 if none has one.
        settle, trace, rasters
            See `run`.
        count_input : bool, optional
            Whether what arrives is recorded as spikes of a layer "input"; by default if it is
            spikes.
        samples : list of Memory, optional
            Of each sample, which goes on from there; by default samples share those of threads.

        Returns
        -------
        SpikeRecording
        """
        plan, n_samples = self.plan, len(arrivals.length)
        measured = measured_of(plan, n_samples, n_steps, min(rasters, n_samples))
        n_rows, n_outputs = measured.spikes.shape[1], measured.potentials.shape[2]
        room = TRACE_ROWS if trace else 1

        def part(first, last, memory):
            result, stage, *rows = simulate(
                plan, arrivals, n_steps, n_frames, settle, first, last, memory, measured,
                MOST_SPIKES, np.empty((room, 1 + 2 * n_rows), np.int64),
                np.empty((room, 1 + n_outputs)),
            )  # fmt: skip
            rows = [array[: memory.cursor[ROWS]] for array in rows]
            if result != DONE:
                raise self._restless(result, stage, memory)
            return rows

        def parts(first, last, memory):
            for sample in range(first, last):
                part(sample, sample + 1, samples[sample]._replace(stop=memory.stop))

        threads = self.memories.take(min(self.threads, max(n_samples, 1)))
        rows = side_by_side(
            n_samples, threads, part if samples is None else parts, max(n_frames, 1)
        )
        self.memories.give_back(threads)
        return self._recording(
            measured,
            rows if trace else None,
            not arrivals.parts if count_input is None else count_input,
        )

    def _recording(self, measured, rows, count_input):
        counts, spikes, synops, sent, kept, row_of = {}, {}, {}, {}, {}, {}
        stages = [(None, self.plan.stages[-1])] if count_input else []
        stages += zip(self.network.graph, self.plan.stages)
        for stage, row in stages:
            if row["row"] < 0:
                continue
            name = "input" if stage is None else stage.name
            if stage is not None and not stage.spikes and name not in self.network.graph.sums:
                continue
            synops[name] = measured.synops[:, row["row"]]
            row_of[name] = 1 + row["row"]
            if stage is not None and not stage.spikes:
                continue
            units = slice(row["unit"], row["unit"] + row["size"])
            counts[name] = measured.counts[:, units]
            spikes[name] = measured.spikes[:, row["row"]]
            kept[name] = measured.rasters[:, :, units]
            if stage is not None and stage.fires:
                sent[name] = measured.sent[:, units]
        trace = None
        if rows is not None:
            whole, values = (np.concatenate(parts) for parts in zip(*rows))
            half = measured.spikes.shape[1]
            trace = Trace(
                whole[:, 0],
                values[:, 0],
                values[:, 1:],
                {name: whole[:, row_of[name]] for name in spikes},
                {name: whole[:, half + row] for name, row in row_of.items()},
                self.network.read_out,
            )
        dt = self.network.dt
        return SpikeRecording(
            measured.potentials,
            counts,
            spikes,
            synops,
            dt,
            "event",
            sent,
            trace,
            read_out=self.network.read_out,
            rasters=kept if len(measured.rasters) else {},
        )

    def _restless(self, result, index, memory):
        names = [stage.name for stage in self.network.graph]
        name = "input" if index == len(names) else names[index]
        if result == FULL_QUEUE:
            what = f"its spikes find no room behind the {len(memory.queue)} that wait"
        else:
            what = f"a neuron fires more than {MOST_SPIKES} times for one sample"
        return EngineError(
            f"layer '{name}': {what}; thresholds are so fine that spikes make ever more spikes: "
            "choose larger ones"
        )
