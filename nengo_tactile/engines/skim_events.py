"""Running trained SKIM networks event by event: each adds its weights to the neurons' currents.

Kernels and neurons follow step by step, compiled, and the output weights at all steps at once. The
arithmetic is the trainer's (`nengo_tactile.skim.activity`), in float64 as Nengo's.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import threadpoolctl

from nengo_tactile import arguments
from nengo_tactile.engines.recording import Recording
from nengo_tactile.errors import DataError, EngineError
from nengo_tactile.memory import processors
from nengo_tactile.networks.read_out import ReadOut
from nengo_tactile.progress import track
from nengo_tactile.skim.activity import check_pattern, hidden_activity, prepare
from nengo_tactile.skim.supervision import scores_over_time


def run(network, patterns, n_steps=None, batch_size=16, threads=None, progress=None, rasters=0):
    """Show each pattern to a SKIM network, from rest.

    Parameters
    ----------
    network : SkimNetwork
    patterns : sequence of (n_steps, n_channels) float array, such as SpikeSamples
        See ``network.encode``.
    n_steps : int, optional
        A pattern's steps; there is no other choice.
    batch_size : int
        Samples that are dense at a time.
    threads : int, optional
        By default one for each processor. Results do not depend on it.
    progress : bool, optional
    rasters : int
        Samples of which all spikes are kept: see `Recording.rasters`.

    Returns
    -------
    Recording
        As of `nengo_tactile.engines.skim.run`, with outputs that differ in the order of sums.

    Raises
    ------
    EngineError
        If another number of steps is wanted, and for counts that are no whole numbers.
    DataError
        If a pattern does not fit, or there is none.
    """
    network.steps(n_steps)
    batch_size = arguments.whole("batch_size", batch_size, error=EngineError)
    threads = processors() if threads is None else threads
    threads = arguments.whole("threads", threads, error=EngineError)
    if not len(patterns):
        raise DataError("there are no samples to run: give at least one")
    prepared, parts = prepare(network.layer), []
    starts = range(0, len(patterns), batch_size)
    with ThreadPoolExecutor(threads) as pool, threadpoolctl.threadpool_limits(1):

        def part(numbers):
            kept = np.count_nonzero(numbers < rasters)
            return _part(network, prepared, patterns, numbers, kept)

        for start in track(starts, "running SKIM event by event", progress=progress):
            numbers = np.arange(start, min(start + batch_size, len(patterns)))
            parts += pool.map(part, np.array_split(numbers, min(threads, len(numbers))))
    return Recording.concatenate(parts)


def _part(network, prepared, patterns, numbers, rasters):
    """The recording of some samples, one after another."""
    layer, n_steps = network.layer, network.n_steps
    spiking = layer.nonlinearity == "lif"
    outputs = np.empty((len(numbers), n_steps, len(network.classes)))
    fired = np.zeros((len(numbers), n_steps if spiking else 0, layer.n_hidden), bool)
    activity = np.empty((n_steps, layer.n_hidden))  # 6 MB for 2,000 neurons: one for all
    shown = []
    for number, output, spikes in zip(numbers, outputs, fired):
        pattern = check_pattern(patterns[number], *network.input_shape, f"sample {number}: ")
        hidden_activity(prepared, pattern, out=activity, fired=spikes)
        np.matmul(activity, network.weights.T, out=output)
        shown.append(pattern)
    return recorded(network, "event", shown, outputs, fired if spiking else None, rasters)


def recorded(network, engine, patterns, outputs, fired, rasters):
    """A minibatch's recording.

    Parameters
    ----------
    network : SkimNetwork
    engine : str
    patterns : list of (n_steps, n_channels) array
    outputs : (n_samples, n_steps, n_classes) float array
        A step's have all that arrived until then.
    fired : (n_samples, n_steps, n_hidden) bool array or None
        Spikes of hidden neurons, if they spike.
    rasters : int

    Returns
    -------
    Recording
    """
    layers = {"input": np.stack([np.asarray(pattern) != 0 for pattern in patterns])}
    if fired is not None:
        layers["hidden"] = fired
    scores = scores_over_time(outputs, network.method, network.supervision)
    fan_out = {"input": network.layer.n_hidden, "hidden": len(network.classes)}
    return Recording.of_spikes(
        outputs.astype(np.float32),
        layers,
        {name: np.full(spikes.shape[2], fan_out[name]) for name, spikes in layers.items()},
        dt=network.dt,
        engine=engine,
        rasters=rasters,
        decisions=scores.argmax(-1),
        decision_margins=ReadOut.linear(scores.shape[2:]).margin(scores).astype(np.float32),
    )
