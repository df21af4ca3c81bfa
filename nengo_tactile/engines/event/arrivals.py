"""How samples arrive at a sigma-delta network, as events in the order of their times."""

import numpy as np

from nengo_tactile.engines.event.queue_kernel import Arrivals
from nengo_tactile.errors import EngineError
from nengo_tactile.lazy import compiled


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
    return Frames(coding, input_threshold)(x, n_frames)


class Frames:
    """What arrives of streams that come a chunk of frames at a time.

    Parameters
    ----------
    coding, input_threshold
        As of `arrivals_of`.
    """

    def __init__(self, coding, input_threshold=0.0):
        check_threshold(coding, input_threshold)
        self.coding, self.input_threshold = coding, input_threshold
        self.arrived = 0  # of each pixel of each stream, (n_streams, n_pixels)

    def __call__(self, x, n_frames=1):
        """The `Arrivals` of the next ``n_frames`` of each stream."""
        x = x.reshape(len(x), -1)
        if self.coding.spikes:
            arrivals, self.arrived = _spikes(self.coding, x, n_frames, self.arrived)
        else:
            arrivals, self.arrived = _current(
                self.coding, x, n_frames, self.input_threshold, self.arrived
            )
        return arrivals


def check_threshold(coding, input_threshold):
    """Refuse a threshold of the input that is none.

    Raises
    ------
    EngineError
    """
    if not 0 <= input_threshold < np.inf:
        raise EngineError(f"input_threshold is {input_threshold}: give 0 or more")
    if coding.spikes and input_threshold:
        raise EngineError(
            f"input_threshold is {input_threshold}, but {coding.kind} coding sends one bit per "
            "pixel: leave it out, or use CurrentCoding"
        )


def _spikes(coding, x, n_frames, arrived):
    times = coding.times(x)
    fires = np.isfinite(times).astype(np.int8).reshape(-1, n_frames, times.shape[1])
    before = np.broadcast_to(np.int8(arrived), fires[:, 0].shape)
    change = np.diff(fires, axis=1, prepend=before[:, None]).reshape(times.shape)
    times = np.where(change < 0, 0, np.where(change > 0, times, np.inf))
    unit, length = _in_order(times)
    times = np.take_along_axis(times, unit, axis=1)
    value = np.take_along_axis(change, unit, axis=1) * float(coding.largest)
    step = coding.steps(times).astype(np.int32)
    return Arrivals(unit, times, value, step, length, 0, coding.n_steps), fires[:, -1]


@compiled
def _in_order(times):
    """Pixels of each sample whose times are finite, by time and then by number; how many."""
    n_samples, n_pixels = times.shape
    found, keys = np.empty(n_pixels, np.int32), np.empty(n_pixels)
    unit, length = np.zeros((n_samples, n_pixels), np.int32), np.zeros(n_samples, np.int64)
    for sample in range(n_samples):
        n = 0
        for pixel in range(n_pixels):
            if times[sample, pixel] < np.inf:
                found[n], keys[n] = pixel, times[sample, pixel]
                n += 1
        unit[sample, :n] = found[np.argsort(keys[:n], kind="mergesort")]
        length[sample] = n
    most = max(1, length.max()) if n_samples else 1
    return unit[:, :most].copy(), length


def _current(coding, x, n_frames, input_threshold, arrived):
    frames = x.astype(float).reshape(-1, n_frames, x.shape[1])
    changes = np.empty_like(frames)
    arrived = np.zeros((len(frames), x.shape[1])) + arrived
    for frame in range(n_frames):
        change = frames[:, frame] - arrived
        change[np.abs(change) < input_threshold] = 0
        changes[:, frame] = change
        arrived += change
    changes = changes.reshape(x.shape) / coding.n_steps
    unit = np.argsort(changes == 0, axis=1, kind="stable").astype(np.int32)
    value = np.take_along_axis(changes, unit, axis=1)
    nowhere = np.full(x.shape, -1, np.int32)
    length, n_steps = (value != 0).sum(axis=1), coding.n_steps
    return Arrivals(unit, np.zeros(x.shape), value, nowhere, length, n_steps, n_steps), arrived
