"""Sigma-delta networks over time: the frames of a stream, of which only changes are sent.

Neurons keep what they have sent from frame to frame (O'Connor and Welling 2016, arXiv 1611.02024).
A frame that is like the one before costs nothing.
"""

from typing import TYPE_CHECKING

import numpy as np

from nengo_tactile.engines.batches import batch_size_for, checked_counts
from nengo_tactile.engines.event.arrivals import arrivals_of
from nengo_tactile.engines.event.asynchronous import Asynchronous
from nengo_tactile.engines.event.trace import SpikeRecording
from nengo_tactile.errors import DataError, EngineError
from nengo_tactile.progress import track

if TYPE_CHECKING:
    from nengo_tactile.conversion.network import SpikingNetwork
    from nengo_tactile.engines.recording import Recording


def run_streams(
    network: "SpikingNetwork",
    streams: np.ndarray,
    input_threshold: float = 0.0,
    keep_state: bool = True,
    batch_size: int | None = None,
    progress: bool | None = None,
    threads: int | None = None,
) -> "Recording":
    """Show streams frame by frame, each frame as ``network.coding`` says.

    What arrives of a frame is how it differs from what has arrived before: with `CurrentCoding` the
    change of each pixel, with `DelayCoding` a spike of each pixel that comes on, and a negative
    one, at the beginning of the frame, of each that goes out. A frame ends when no neuron is a
    threshold or more off.

    Parameters
    ----------
    network : SpikingNetwork
        Of sigma-delta neurons.
    streams : (n_streams, n_frames, ...) float array
    input_threshold : float
        With `CurrentCoding`: pixels that changed by less since they were last sent wait. What a
        pixel has sent is never further from it than this.
    keep_state : bool
        False begins each frame anew, as if it were a sample by itself, for comparison.
    batch_size : int, optional
        Streams that are recorded at once.
    progress : bool, optional
    threads : int, optional
        Streams side by side; by default as many as there are processors.

    Returns
    -------
    SpikeRecording
        Its samples are the frames, those of the first stream first. What arrives counts as spikes
        of a layer "input", also that of a current: a pixel that changed is one spike.

    Raises
    ------
    EngineError
        For integrate-and-fire neurons, a bad ``input_threshold``, and as
        `nengo_tactile.engines.event.asynchronous.run`.
    DataError
        For arrays of another shape, and values that the coding cannot send.
    """
    if network.coding is None:
        raise EngineError(
            "streams need sigma-delta neurons, which send changes: convert the model with "
            "neuron=nt.SigmaDelta()"
        )
    streams = np.asarray(streams)
    if streams.ndim != len(network.input_shape) + 2 or not streams.size:
        raise DataError(
            f"streams have shape {streams.shape}: give (n_streams, n_frames, "
            f"{', '.join(map(str, network.input_shape))}), at least one frame"
        )
    n_frames = streams.shape[1]
    x = network.check_input(streams.reshape(-1, *streams.shape[2:]))
    batch_size = batch_size_for(len(streams)) if batch_size is None else batch_size
    batch_size, threads = checked_counts(batch_size, threads)
    engine = Asynchronous(network, min(threads, len(streams)), progress)
    together = n_frames if keep_state else 1
    recordings = []
    starts = range(0, len(streams), batch_size)
    for start in track(starts, "running streams spike by spike", progress=progress):
        frames = x[start * n_frames : (start + batch_size) * n_frames]
        arrivals = arrivals_of(network.coding, frames, together, input_threshold)
        n_steps = network.coding.n_steps
        recordings.append(engine.record(arrivals, n_steps, together, count_input=True))
    return SpikeRecording.concatenate(recordings)
