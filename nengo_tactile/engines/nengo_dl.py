"""Running spiking networks in NengoDL, minibatch by minibatch."""

import numpy as np

from nengo_tactile import stack
from nengo_tactile.engines.recording import Recording
from nengo_tactile.progress import track

#: Values that the probes of one minibatch may hold (64 MB of float32).
_PROBE_BUDGET = 16_000_000
_LARGEST_BATCH = 256


def batch_size_for(network, n_steps, n_samples):
    """Samples that run side by side: as many as keep the probes within 64 MB."""
    per_sample = n_steps * sum(stage.n_neurons for stage in network.stages)
    return int(max(1, min(_LARGEST_BATCH, n_samples, _PROBE_BUDGET // per_sample)))


def configure(net, planner="noop"):
    """Set NengoDL up for inference.

    Parameters
    ----------
    net : nengo.Network
    planner : {"noop", "default"}
        "noop" keeps operators apart. NengoDL's default planner merges their signals and
        copies them at every step; benchmarks/nengo_dl_speed.py measures both.
    """
    nengo_dl = stack.nengo_dl()
    with net:
        nengo_dl.configure_settings(stateful=False, inference_only=True)
        if planner == "noop":
            nengo_dl.configure_settings(planner=nengo_dl.graph_optimizer.noop_planner)


def run(network, x, n_steps, batch_size=None, progress=None, planner="noop"):
    """Show each sample for ``n_steps`` as a constant input current.

    Parameters
    ----------
    network : SpikingNetwork
    x : (n_samples, ...) float array
    n_steps : int
    batch_size : int, optional
        Samples side by side.
    progress : bool, optional
    planner : str
        See `configure`.

    Returns
    -------
    Recording
    """
    nengo_dl = stack.nengo_dl()
    x = network.check_input(x)
    batch_size = batch_size or batch_size_for(network, n_steps, len(x))
    built = network.build()
    configure(built.net, planner)
    fan_out = network.fan_out()
    flat = x.reshape(len(x), 1, -1)
    parts = []
    with (
        stack.quiet_build(),
        nengo_dl.Simulator(
            built.net, dt=network.dt, minibatch_size=batch_size, progress_bar=False, seed=0
        ) as sim,
    ):
        starts = range(0, len(x), batch_size)
        for start in track(starts, "running NengoDL", progress=progress):
            batch = flat[start : start + batch_size]
            # the simulator's minibatch is fixed: fill the last one up and drop the extra
            padded = np.zeros((batch_size, 1, flat.shape[2]), np.float32)
            padded[: len(batch)] = batch
            data = sim.predict_on_batch({built.input: np.repeat(padded, n_steps, axis=1)})
            parts.append(_recording(network, built, data, len(batch), fan_out))
    return Recording.concatenate(parts)


def _recording(network, built, data, n, fan_out):
    outputs = read_out(data[built.output_probe][:n])
    counts, over_time, synops = {}, {}, {}
    for stage in network.stages[:-1]:
        fired = data[built.spike_probes[stage.name]][:n] > 0
        counts[stage.name] = fired.sum(axis=1, dtype=np.int32)
        over_time[stage.name] = fired.sum(axis=2, dtype=np.int64)
        # float32 holds these sums exactly (below 2**24 per neuron) and uses BLAS
        synops[stage.name] = np.rint(
            fired.astype(np.float32) @ fan_out[stage.name].astype(np.float32)
        ).astype(np.int64)
    return Recording(outputs, counts, over_time, synops, network.dt, "nengo-dl")


def read_out(potentials):
    """What a reader who stops after step t holds: the mean over steps t / 2 to t.

    Leaving out the first half drops the transient in which spikes have not yet reached the
    last layer; averaging over the second smooths the spikes.

    Parameters
    ----------
    potentials : (n_samples, n_steps, n_outputs) array

    Returns
    -------
    (n_samples, n_steps, n_outputs) float32 array
    """
    n_steps = potentials.shape[1]
    sums = np.zeros((len(potentials), n_steps + 1, potentials.shape[2]))
    np.cumsum(potentials, axis=1, out=sums[:, 1:])
    stop = np.arange(1, n_steps + 1)
    start = stop // 2
    means = (sums[:, stop] - sums[:, start]) / (stop - start)[None, :, None]
    return means.astype(np.float32)
