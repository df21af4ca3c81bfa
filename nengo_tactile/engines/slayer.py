"""Running trained SLAYER networks in Nengo, in NengoDL and event by event."""

import itertools
import math

import numpy as np

from nengo_tactile import arguments, nengo_runs
from nengo_tactile.engines.counting import BASE, configure, event_sums, event_weights
from nengo_tactile.engines.nengo_dl import LARGEST_BATCH
from nengo_tactile.engines.recording import Recording
from nengo_tactile.errors import EngineError
from nengo_tactile.progress import track
from nengo_tactile.slayer.nengo_network import DT

ENGINES = ("event", "nengo-dl", "nengo", "loihi")
DTYPES = ("float64", "float32")
#: Engines whose sums have a type to choose.
_TYPED = ("event", "nengo-dl")
#: Samples side by side in NengoDL at most: of a large network each holds megabytes of states.
NENGO_DL_BATCH = 16
#: Bytes of dense input that are read at once, unless one sample has more.
INPUT_BYTES = 2**28


def run(
    network,
    x,
    n_steps=None,
    engine="event",
    batch_size=None,
    progress=None,
    dtype=None,
    threads=None,
):
    """Show each sample to a SLAYER network, from rest.

    Parameters
    ----------
    network : SlayerNetwork, or Graph
    x : (n_samples, n_steps, ...) array_like
        What arrives at each step: zeros and ones, or any finite numbers. Each that is not zero
        counts as one spike of the layer "input".
    n_steps : int, optional
        Read no further; by default all of the samples.
    engine : {"event", "nengo-dl", "nengo", "loihi"}
        "loihi", nengo-loihi's emulator, runs current-based neurons without delays, in the chip's
        integers (see `nengo_tactile.engines.slayer_chip`): its spikes are not the trained ones.
    batch_size : int, optional
        Samples that are read and recorded at once.
    progress : bool, optional
    dtype : {"float64", "float32"}, optional
        Of sums of the event engine and of NengoDL, by default float64; `nengo.Simulator` computes
        in float64. The three agree on every spike, unless a potential misses the threshold by less
        than rounding.
    threads : int, optional
        Of the event engine: samples side by side; by default as many as there are processors.

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
    parts = stream(network, x, n_steps, engine, batch_size, progress, dtype, threads)
    return Recording.concatenate(list(parts))


def stream(
    network,
    x,
    n_steps=None,
    engine="event",
    batch_size=None,
    progress=None,
    dtype=None,
    threads=None,
):
    """Do what `run` does and yield the Recording of each minibatch, in order.

    Memory does not grow with the number of samples, if the caller keeps no recordings and ``x``
    reads a slice when it is asked for one.
    """
    graph = getattr(network, "graph", network)
    shape = graph.input_shape
    n_steps = _checked(x, n_steps, shape)
    _check_engine(engine, dtype, threads)
    if batch_size is None:
        batch_size = _batch_size(len(x), 4 * n_steps * math.prod(shape), engine)
    batch_size = arguments.whole("batch_size", batch_size, error=EngineError)
    dt, fan_out = getattr(network, "dt", DT), graph.fan_out()
    if engine == "event":
        record = _event(graph, fan_out, dtype or DTYPES[0], threads, progress)
    elif engine == "loihi":
        record = _loihi(graph, fan_out, dt)
    else:
        record = _nengo(graph, fan_out, dt, engine, dtype or DTYPES[0])
    starts = range(0, len(x), int(batch_size))
    starts = track(starts, f"running SLAYER on {engine}", progress=progress)
    batches = (_batch(x[start : start + int(batch_size)], n_steps, start) for start in starts)
    running, shown = itertools.tee(batches)
    for (outputs, layers), batch in zip(record(running), shown):
        fired = batch != 0
        synops = np.einsum("nti,i->nt", fired, fan_out["input"])
        layers["input"] = fired.sum(1, dtype=np.int32), fired.sum(2, dtype=np.int64), synops
        names = "input", *(stage.name for stage in graph)
        parts = ({name: layers[name][part] for name in names} for part in range(3))
        yield Recording(outputs, *parts, dt, engine)


def _check_engine(engine, dtype, threads):
    if engine not in ENGINES:
        raise EngineError(f"engine {engine!r} is unknown: choose one of {', '.join(ENGINES)}")
    if dtype not in (None, *DTYPES):
        raise EngineError(f"dtype is {dtype!r}: choose one of {', '.join(DTYPES)}")
    for name, value, engines in (("dtype", dtype, _TYPED), ("threads", threads, ("event",))):
        if value is not None and engine not in engines:
            raise EngineError(
                f"{name} is {value!r}, which engine {engine!r} has no choice of: leave it out, or "
                f"use engine={' or '.join(map(repr, engines))}"
            )


def _checked(x, n_steps, shape):
    """The number of steps to run, once all is known to fit."""
    if not len(x):
        raise EngineError("there are no samples to run: give at least one")
    there = np.shape(x[0])
    if there[1:] != shape or not there[:1] or not there[0]:
        raise EngineError(
            f"samples have shape {there}: the network reads (steps, {', '.join(map(str, shape))})"
        )
    n_steps = there[0] if n_steps is None else n_steps
    if int(n_steps) != n_steps or not 1 <= n_steps <= there[0]:
        raise EngineError(
            f"n_steps is {n_steps}, samples have {there[0]} steps: give 1 to {there[0]}, or "
            "samples with as many steps without spikes at their end"
        )
    return int(n_steps)


def _batch(x, n_steps, start):
    """Samples as (n_samples, n_steps, n_inputs) float32."""
    x = np.asarray(x, np.float32)[:, :n_steps]
    # compiled loops know arrays that are in order and may be written
    x = np.require(x.reshape(*x.shape[:2], -1), requirements=["C", "W"])
    if not np.isfinite(x).all():
        bad = start + int(np.argmin(np.isfinite(x).all((1, 2))))
        raise EngineError(f"sample {bad} has values that are not finite: give spikes")
    return x


def _batch_size(n_samples, sample_bytes, engine):
    """Equal minibatches, as large as they may be."""
    # the other two run one sample after another anyway
    largest = {"nengo-dl": NENGO_DL_BATCH, "event": LARGEST_BATCH}.get(engine, 1)
    largest = max(1, min(largest, INPUT_BYTES // sample_bytes))
    return math.ceil(n_samples / math.ceil(n_samples / largest))


def _event(graph, fan_out, dtype, threads, progress):
    from nengo_tactile.engines.event.clocked import checked_counts
    from nengo_tactile.engines.slayer_event import EventNetwork

    _, threads = checked_counts(1, threads)
    network = EventNetwork(graph, fan_out, dtype, threads)
    network.compile(progress)

    def record(batches):
        for batch in batches:
            yield network.record(batch)

    return record


def _nengo(graph, fan_out, dt, engine, dtype):
    import nengo

    from nengo_tactile import stack
    from nengo_tactile.slayer import nengo_network

    net, probes = nengo_network.build(graph, dt, dtype), {}
    configure(net)
    with net:
        stack.nengo_dl().configure_settings(keep_history=True)  # lets each probe choose
        output = nengo.Probe(net.sent[graph.stages[-1].name])
        for name, neurons in net.neurons.items():
            count = nengo.Probe(neurons, "spike_count")
            net.config[count].keep_history = False
            probes[name] = count, event_sums(neurons, event_weights(fan_out[name]))

    def record(batches):
        for data in nengo_runs.show(net, batches, engine):
            layers = {}
            for name, (count, sums) in probes.items():
                total = np.rint(data[sums]).astype(np.int64)
                counts = np.rint(data[count][:, -1]).astype(np.int32)
                layers[name] = counts, total[..., 0], total[..., 1] + BASE * total[..., 2]
            yield np.cumsum(np.rint(data[output]), axis=1, dtype=np.float32), layers

    return record


def _loihi(graph, fan_out, dt):
    from nengo_tactile.engines import slayer_chip

    def record(batches):
        for found in slayer_chip.stream(graph, dt, batches):
            layers = {}
            for stage, fired in zip(graph, found):
                synops = fired.astype(np.int64) @ fan_out[stage.name]
                counts = fired.sum(1, dtype=np.int32), fired.sum(2, dtype=np.int64)
                layers[stage.name] = *counts, synops
            yield np.cumsum(found[-1], axis=1, dtype=np.float32), layers

    return record


def chip_report(network, on_host=None):
    """Place a network on the chip: see `nengo_tactile.engines.slayer_chip.chip_report`."""
    from nengo_tactile.engines import slayer_chip

    return slayer_chip.chip_report(network)


__all__ = ["ENGINES", "run", "stream"]
