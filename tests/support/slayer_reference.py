"""SLAYER networks by the book: closed-form kernels, loops over time, nothing recursive or clever.

Slow; the yardstick for the TensorFlow layers, for Nengo and for the event engine.
"""

import dataclasses

import numpy as np

from nengo_tactile.slayer.neurons import SpikeResponseModel
from nengo_tactile.slayer.stages import check


@dataclasses.dataclass(frozen=True)
class Activity:
    """What one stage did; three dots stand for the shape of its neurons.

    Attributes
    ----------
    current : (n_samples, n_steps, ...) float64 array
        ``I``: what arrives, recurrent spikes included.
    potential : (n_samples, n_steps, ...) float64 array
        ``u``, with refractoriness; of current-based neurons ``v`` before the reset.
    spikes : (n_samples, n_steps, ...) float32 array
        Zeros and ones, as the neurons fire.
    sent : (n_samples, n_steps, ...) float32 array
        The same after the delays of the axons: what the next stage sees.
    """

    current: np.ndarray
    potential: np.ndarray
    spikes: np.ndarray
    sent: np.ndarray


def run(stages, x):
    """Run a network on samples, one after the other.

    Parameters
    ----------
    stages : list of Stage
    x : (n_samples, n_steps, ...) array
        Spikes of the input.

    Returns
    -------
    list of Activity
        One for each stage.

    Raises
    ------
    ConversionError
        If the stages are not a network.
    """
    check(stages)
    result, arriving = [], np.asarray(x, float)
    for stage in stages:
        samples = [_stage(stage, sample) for sample in arriving]
        columns = [np.stack(column) for column in zip(*samples)]
        current, potential, spikes, sent = columns
        result.append(
            Activity(current, potential, spikes.astype(np.float32), sent.astype(np.float32))
        )
        arriving = sent
    return result


def outputs(stages, x):
    """The read-out, spikes of the last stage so far, (n_samples, n_steps, n_outputs) float32."""
    sent = run(stages, x)[-1].sent
    return np.cumsum(sent.reshape(*sent.shape[:2], -1), axis=1, dtype=np.float32)


def linear(stage, frame):
    """What the inputs of one step bring to the neurons, without recurrent spikes.

    Parameters
    ----------
    stage : Stage
    frame : array
        Of the stage's input shape.

    Returns
    -------
    float64 array
        Of the stage's shape.
    """
    weights = np.asarray(stage.weights, float)
    if stage.kind == "dense":
        return (frame.reshape(-1) @ weights).reshape(stage.shape)
    result = np.zeros(stage.shape)
    side = weights.shape[:2] if stage.kind == "conv" else (stage.stride, stage.stride)
    top, left = stage.map.padding
    for row in range(stage.shape[0]):
        for column in range(stage.shape[1]):
            for i in range(side[0]):
                for j in range(side[1]):
                    y, x = row * stage.stride + i - top, column * stage.stride + j - left
                    if not (0 <= y < stage.input_shape[0] and 0 <= x < stage.input_shape[1]):
                        continue
                    if stage.kind == "conv":
                        result[row, column] += frame[y, x] @ weights[i, j]
                    else:
                        result[row, column] += frame[y, x] * weights
    return result


def _stage(stage, frames):
    """Current, potential, spikes and what was sent, (n_steps, *shape) each, of one sample."""
    n_steps = len(frames)
    current, potential, spikes, sent = np.zeros((4, n_steps, *stage.shape))
    delays = np.zeros(stage.n_neurons, int) if stage.delays is None else np.asarray(stage.delays)
    for t in range(n_steps):
        current[t] = linear(stage, frames[t])
        if stage.recurrent is not None and t > 0:
            back = sent[t - 1].reshape(-1) @ np.asarray(stage.recurrent, float)
            current[t] += back.reshape(stage.shape)
        potential[t] = _potential(stage.neuron, current[: t + 1], spikes[:t])
        spikes[t] = potential[t] >= stage.neuron.threshold
        for neuron, delay in enumerate(delays):
            if t >= delay:
                sent[t].flat[neuron] = spikes[t - delay].flat[neuron]
    return current, potential, spikes, sent


def _potential(neuron, current, spikes):
    """At the last step of ``current``, (t + 1, *shape), after the spikes (t, *shape) before it."""
    t = len(spikes)
    if isinstance(neuron, SpikeResponseModel):
        response = neuron.response(t + 1)[::-1]  # eps(t) .. eps(0)
        refractoriness = neuron.refractoriness(t + 1)[:0:-1]  # nu(t) .. nu(1)
        return np.tensordot(response, current, 1) + np.tensordot(refractoriness, spikes, 1)
    # the leaky sum of leaky currents since the last reset
    result = np.zeros(current.shape[1:])
    for place in np.ndindex(result.shape):
        fired = np.flatnonzero(spikes[(slice(None), *place)])
        first = fired[-1] + 1 if len(fired) else 0
        for j in range(first, t + 1):
            decayed = (1 - neuron.current_decay) ** np.arange(j, -1, -1)
            leaky = decayed @ current[(slice(j + 1), *place)]
            result[place] += (1 - neuron.voltage_decay) ** (t - j) * leaky
    return result
