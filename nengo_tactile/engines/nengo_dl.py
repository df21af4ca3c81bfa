"""Running spiking networks in NengoDL, minibatch by minibatch."""

import dataclasses
import math
import warnings

import numpy as np

from nengo_tactile import arguments, stack
from nengo_tactile.ann.convolutions import check_convolutions
from nengo_tactile.engines.counting import BASE, build_counting, spike_counts
from nengo_tactile.engines.recording import Recording
from nengo_tactile.errors import EngineError
from nengo_tactile.progress import track

#: Samples side by side at most: by benchmarks/nengo_dl_speed.py larger minibatches are not
#: faster on a processor, because a layer's state no longer stays in its cache.
LARGEST_BATCH = 64


def batch_size_for(n_samples):
    """Samples that run side by side: equal minibatches of at most `LARGEST_BATCH`."""
    return math.ceil(n_samples / math.ceil(n_samples / LARGEST_BATCH))


def run(network, x, n_steps=None, batch_size=None, progress=None, planner="noop"):
    """Show each sample for ``n_steps``: as a constant input current, or as ``network.coding`` says.

    Parameters
    ----------
    network : SpikingNetwork
    x : (n_samples, ...) float array
    n_steps : int, optional
        By default the network's.
    batch_size : int, optional
        Samples side by side.
    progress : bool, optional
    planner : str
        See `nengo_tactile.engines.counting.configure`.

    Returns
    -------
    Recording

    Raises
    ------
    ConversionError
        For convolutions that TensorFlow computes wrongly on this machine (see
        `nengo_tactile.ann.convolutions`).
    """
    return Recording.concatenate(list(stream(network, x, n_steps, batch_size, progress, planner)))


def stream(network, x, n_steps=None, batch_size=None, progress=None, planner="noop"):
    """Do what `run` does and yield the Recording of each minibatch, in order.

    Memory does not grow with the number of samples, if the caller keeps no recordings.
    """
    nengo_dl = stack.nengo_dl()
    n_steps = network.n_steps if n_steps is None else n_steps
    x = network.check_input(x)
    check_convolutions(network.ann, x)  # which may have been converted on another machine
    batch_size = batch_size_for(len(x)) if batch_size is None else batch_size
    batch_size = arguments.whole("batch_size", batch_size, error=EngineError)
    with stack.quiet_build():
        # NengoDL thinks that nobody wants one step of a network with filters
        warnings.filterwarnings("ignore", message="Running for one timestep")
        built = build_counting(network, batch_size, planner)
        with nengo_dl.Simulator(
            built.net, dt=network.dt, minibatch_size=batch_size, progress_bar=False, seed=0
        ) as sim:
            starts = range(0, len(x), batch_size)
            for start in track(starts, "running NengoDL", progress=progress):
                batch = x[start : start + batch_size]
                # the simulator's minibatch is fixed: fill the last one up and drop the extra
                padded = np.zeros((batch_size, *x.shape[1:]), np.float32)
                padded[: len(batch)] = batch
                inputs = None
                if network.accumulates:
                    inputs = {built.input: network.coding.signal(padded, n_steps)}
                    constants = network.graph.stages[-1].start[None]
                else:
                    constants = built.show(padded)
                data = sim.predict_on_batch(inputs, n_steps=n_steps)
                recording = _recording(network, built, data, constants[:, None], len(batch))
                if inputs is not None and network.coding.spikes:
                    signal = inputs[built.input][: len(batch)]
                    recording = _with_input(recording, signal, network.graph.fan_out()["input"])
                yield recording


def _recording(network, built, data, constants, n):
    stages = {stage.name: stage for stage in network.graph}
    potentials = data[built.output][:n]
    if network.accumulates:
        outputs = (np.cumsum(potentials, axis=1, dtype=float) + constants).astype(np.float32)
    else:
        outputs = read_out(potentials, network.discard) + constants[:n]
    counts = {name: spike_counts(stages[name], data[p][:n, -1]) for name, p in built.counts.items()}
    sums = {name: np.rint(data[p][:n]).astype(np.int64) for name, p in built.sums.items()}
    return Recording(
        outputs,
        counts,
        {name: s[:, :, 0] for name, s in sums.items()},
        {name: s[:, :, 1] + BASE * s[:, :, 2] for name, s in sums.items()},
        network.dt,
        "nengo-dl",
        units_over_time={name: s[:, :, 3 if s.shape[2] > 3 else 0] for name, s in sums.items()},
        read_out=network.read_out,
    )


def _with_input(recording, signal, fan_out):
    """Also record the spikes of the input, (n_samples, n_steps, n_pixels), as those of a layer."""
    fired = (signal != 0).astype(np.int64)
    added = {
        "spike_counts": fired.sum(axis=1).astype(np.int32),
        "spikes_over_time": fired.sum(axis=2),
        "synops_over_time": fired @ fan_out,
    }
    added["units_over_time"] = added["spikes_over_time"]
    layers = {name: {"input": new, **getattr(recording, name)} for name, new in added.items()}
    return dataclasses.replace(recording, **layers)


def read_out(potentials, discard=0.5):
    """What a reader who stops after step t holds: the mean over the last of the steps 1 to t.

    Leaving out the first half drops the transient in which filtered spikes have not yet reached
    the last layer; averaging over the second smooths the spikes. Networks without filters have
    no such transient and need every spike.

    Parameters
    ----------
    potentials : (n_samples, n_steps, n_outputs) array
    discard : float
        Share of the steps that is left out at the beginning.

    Returns
    -------
    (n_samples, n_steps, n_outputs) float32 array
    """
    n_steps = potentials.shape[1]
    sums = np.zeros((len(potentials), n_steps + 1, potentials.shape[2]))
    np.cumsum(potentials, axis=1, out=sums[:, 1:])
    stop = np.arange(1, n_steps + 1)
    start = np.floor(stop * discard).astype(int)
    means = (sums[:, stop] - sums[:, start]) / (stop - start)[None, :, None]
    return means.astype(np.float32)
