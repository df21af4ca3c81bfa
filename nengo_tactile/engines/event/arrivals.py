"""How samples arrive at a sigma-delta network, as events in the order of their times."""

import numpy as np

from nengo_tactile.engines.event.queue_kernel import Arrivals
from nengo_tactile.errors import EngineError


def arrivals_of(coding, x, n_frames=1, input_threshold=0.0):
    """What arrives of samples, or of the frames of streams.

    Only what a frame changes arrives. Nothing was there before the first frame of a stream, so a
    sample by itself arrives as a whole.

    Parameters
    ----------
    coding : DelayCoding or CurrentCoding
        With delays, a pixel that comes on sends a spike after the delay of its intensity, and one
        that goes out a negative spike at the frame's beginning. As a current, each pixel's change
        arrives in equal parts.
    x : (n_samples, ...) float array
        The streams' frames one after another.
    n_frames : int
        Of each stream.
    input_threshold : float
        A current changes when a pixel is so far from what has arrived of it, and other than it.

    Returns
    -------
    Arrivals

    Raises
    ------
    EngineError
        For a threshold below zero or not finite, and for one with delays, which send bits.
    """
    if not 0 <= input_threshold < np.inf:
        raise EngineError(f"input_threshold is {input_threshold}: give 0 or more")
    if coding.spikes:
        if input_threshold:
            raise EngineError(
                f"input_threshold is {input_threshold}, but {coding.kind} coding sends one bit per "
                "pixel: leave it out, or use CurrentCoding"
            )
        return _spikes(coding, x, n_frames)
    return _current(coding, x.reshape(len(x), -1), n_frames, input_threshold)


def _spikes(coding, x, n_frames):
    times = coding.times(x).reshape(len(x), -1)
    fires = np.isfinite(times).astype(np.int8).reshape(-1, n_frames, times.shape[1])
    change = np.diff(fires, axis=1, prepend=np.int8(0)).reshape(times.shape)
    times = np.where(change < 0, 0, np.where(change > 0, times, np.inf))
    unit = np.argsort(times, axis=1, kind="stable").astype(np.int32)
    times = np.take_along_axis(times, unit, axis=1)
    arrive = np.isfinite(times)
    value = np.take_along_axis(change, unit, axis=1) * float(coding.largest)
    step = coding.steps(times).astype(np.int32)
    return Arrivals(unit, times, value, step, arrive.sum(axis=1), 0, coding.n_steps)


def _current(coding, x, n_frames, input_threshold):
    frames = x.astype(float).reshape(-1, n_frames, x.shape[1])
    changes = np.empty_like(frames)
    arrived = np.zeros((len(frames), x.shape[1]))
    for frame in range(n_frames):
        change = frames[:, frame] - arrived
        change[np.abs(change) < input_threshold] = 0
        changes[:, frame] = change
        arrived += change
    changes = changes.reshape(x.shape) / coding.n_steps
    unit = np.argsort(changes == 0, axis=1, kind="stable").astype(np.int32)
    value = np.take_along_axis(changes, unit, axis=1)
    nowhere = np.full(x.shape, -1, np.int32)
    length = (value != 0).sum(axis=1)
    return Arrivals(unit, np.zeros(x.shape), value, nowhere, length, coding.n_steps, coding.n_steps)
