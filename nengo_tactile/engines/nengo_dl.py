"""Running spiking networks in NengoDL, minibatch by minibatch, and in Nengo's own simulator."""

import numpy as np

from nengo_tactile import nengo_runs, stack
from nengo_tactile.engines.batches import batch_size_for, checked_counts, checked_dtype
from nengo_tactile.engines.counting import BASE, build_counting, spike_counts
from nengo_tactile.engines.recording import Recording, read_out
from nengo_tactile.errors import EngineError
from nengo_tactile.progress import track

#: Samples side by side in float64 at most: of a large network each holds megabytes of states.
LARGEST_OF_FLOAT64 = 16


@stack.guest()
def run(
    network,
    x,
    n_steps=None,
    batch_size=None,
    progress=None,
    planner="noop",
    dtype=None,
    engine="nengo-dl",
    rasters=0,
):
    """Show each sample for ``n_steps``: as a constant input current, or as ``network.coding`` says.

    Parameters
    ----------
    network : SpikingNetwork or SlayerNetwork
    x : (n_samples, ...) float array
    n_steps : int, optional
        By default the network's, or all that samples have.
    batch_size : int, optional
        Samples side by side.
    progress : bool, optional
    planner : str
        See `nengo_tactile.engines.counting.configure`.
    dtype : {"float32", "float64"}, optional
        Of NengoDL's sums; by default float64 for neurons that remember when spikes arrived.
    engine : {"nengo-dl", "nengo"}
        Nengo's own simulator takes networks that have a coding. It computes in float64.
    rasters : int
        Samples of which all spikes are kept: see `Recording.rasters`. They run before the others.

    Returns
    -------
    Recording

    Raises
    ------
    ConversionError
        For convolutions that TensorFlow computes wrongly on this machine (see
        `nengo_tactile.ann.convolutions`).
    EngineError
        For settings out of range.
    """
    parts = stream(network, x, n_steps, batch_size, progress, planner, dtype, engine, rasters)
    return Recording.concatenate(list(parts))


def stream(
    network,
    x,
    n_steps=None,
    batch_size=None,
    progress=None,
    planner="noop",
    dtype=None,
    engine="nengo-dl",
    rasters=0,
):
    """Do what `run` does and yield the Recording of each minibatch, in order.

    Memory does not grow with the number of samples, if the caller keeps no recordings and ``x``
    reads a slice when it is asked for one.
    """
    if engine not in network.runners or engine not in nengo_runs.ENGINES:
        raise EngineError(f"engine {engine!r} runs no {type(network).__name__} here: leave it out")
    if engine == "nengo" and dtype is not None:
        raise EngineError(
            f"dtype is {dtype!r}, which engine 'nengo' has no choice of: leave it out, or use "
            "engine='event' or 'nengo-dl'"
        )
    x = network.check_input(x)
    network.check_sums(x)  # which may have been converted on another machine
    dtype = checked_dtype(network.graph, dtype)
    n_steps = network.steps_of(x, n_steps)
    if batch_size is None:
        batch_size = _batch_size(network, len(x), n_steps, dtype, engine)
    batch_size, _ = checked_counts(batch_size, 1)
    rasters = min(rasters, len(x))
    for first, last in ((0, rasters), (rasters, len(x))):
        if first < last:
            size = min(batch_size, last - first)
            built = build_counting(network, size, planner, dtype, engine, rasters=last == rasters)
            yield from _each(network, x, range(first, last, size), last, n_steps, built, progress)


def _each(network, x, starts, last, n_steps, built, progress):
    """The recordings of the minibatches that begin at ``starts``, the last one before ``last``."""
    engine, size = built.engine, starts.step
    with nengo_runs.opened(built.net, engine, size) as shown:
        for start in track(starts, f"running {engine}", progress=progress):
            batch = x[start : min(start + size, last)]
            if network.coding is None:
                padded = np.zeros((size, *x.shape[1:]), np.float32)
                padded[: len(batch)] = batch
                constants = built.show(padded)[:, None]
                data = shown(None, n_steps)
                yield _recording(network, built, data, len(batch), constants)
                continue
            signal = network.coding.signal(batch, n_steps, start)
            recording = _recording(network, built, shown(signal), len(batch))
            if network.coding.spikes:
                recording = recording.with_input(signal, network.graph.fan_out()["input"])
            yield recording


def _batch_size(network, n_samples, n_steps, dtype, engine):
    if engine == "nengo":  # runs one sample after another anyway
        return 1
    largest = {"largest": LARGEST_OF_FLOAT64} if dtype == "float64" else {}
    sample = 1 if network.coding is None else 4 * n_steps * int(np.prod(network.graph.input_shape))
    return batch_size_for(n_samples, sample, **largest)


def _recording(network, built, data, n, constants=0):
    stages, last = {stage.name: stage for stage in network.graph}, network.graph.stages[-1]
    sent = data[built.output][:n]
    if last.spikes:
        outputs = np.cumsum(np.rint(sent), axis=1, dtype=np.float32)
    elif last.neuron.decay == 0:
        outputs = (np.cumsum(sent, axis=1, dtype=float) + last.start).astype(np.float32)
    elif last.neuron.decay < 1:
        outputs = sent.astype(np.float32)
    else:
        outputs = read_out(sent, network.discard) + np.broadcast_to(constants, sent.shape)
    counts = {name: spike_counts(stages[name], data[p][:n, -1]) for name, p in built.counts.items()}
    sums = {name: np.rint(data[p][:n]).astype(np.int64) for name, p in built.sums.items()}
    rasters = {
        name: (data[p][:n, :, : stages[name].n_neurons] != 0).astype(np.uint16)
        for name, p in built.rasters.items()
    }
    return Recording(
        outputs,
        counts,
        {name: sums[name][:, :, 0] for name in counts},
        {name: s[:, :, 1] + BASE * s[:, :, 2] for name, s in sums.items()},
        network.dt,
        built.engine,
        units_over_time={
            name: sums[name][:, :, 3 if sums[name].shape[2] > 3 else 0] for name in counts
        },
        read_out=network.read_out,
        rasters=rasters,
    )
