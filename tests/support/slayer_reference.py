"""SLAYER networks by the book: closed-form kernels, loops over time, nothing recursive or clever.

Slow; the yardstick for the TensorFlow layers, for Nengo and for the event engine.
"""

import dataclasses

import numpy as np

from nengo_tactile.slayer.neurons import SpikeResponseModel
from nengo_tactile.slayer.stages import check, loop_of, synapses_of


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


def run(graph, x):
    """Run a network on samples, one after the other.

    Parameters
    ----------
    graph : Graph
    x : (n_samples, n_steps, ...) array
        Spikes of the input.

    Returns
    -------
    list of Activity
        One for each stage.
    """
    check(graph)
    result, arriving = [], np.asarray(x, float)
    for stage in graph:
        samples = [_stage(stage, sample) for sample in arriving]
        columns = [np.stack(column) for column in zip(*samples)]
        current, potential, spikes, sent = columns
        result.append(
            Activity(current, potential, spikes.astype(np.float32), sent.astype(np.float32))
        )
        arriving = sent
    return result


def outputs(graph, x):
    """The read-out, spikes of the last stage so far, (n_samples, n_steps, n_outputs) float32."""
    sent = run(graph, x)[-1].sent
    return np.cumsum(sent.reshape(*sent.shape[:2], -1), axis=1, dtype=np.float32)


def linear(stage, frame):
    """What the inputs of one step bring to the neurons, without recurrent spikes.

    Parameters
    ----------
    stage : Stage
    frame : array
        Of the map's inputs.

    Returns
    -------
    float64 array
        Of the stage's shape.
    """
    linear, _ = synapses_of(stage)
    weights = np.asarray(linear.kernel, float)
    if linear.dense:
        return (frame.reshape(-1) @ weights).reshape(stage.shape)
    frame = frame.reshape(linear.input_shape)
    result = np.zeros(stage.shape)
    stride, (top, left) = linear.strides[0], linear.padding
    for row in range(stage.shape[0]):
        for column in range(stage.shape[1]):
            for i in range(weights.shape[0]):
                for j in range(weights.shape[1]):
                    y, x = row * stride + i - top, column * stride + j - left
                    if not (0 <= y < frame.shape[0] and 0 <= x < frame.shape[1]):
                        continue
                    if linear.pools:
                        result[row, column] += frame[y, x] * weights[i, j, 0]
                    else:
                        result[row, column] += frame[y, x] @ weights[i, j]
    return result


def _stage(stage, frames):
    """Current, potential, spikes and what was sent, (n_steps, *shape) each, of one sample."""
    n_steps = len(frames)
    current, potential, spikes, sent = np.zeros((4, n_steps, *stage.shape))
    delays = np.zeros(stage.n_neurons, int) if stage.axon is None else stage.axon
    loop = loop_of(stage)
    for t in range(n_steps):
        current[t] = _arrived(stage, frames, t)
        if loop is not None and t > 0:
            back = sent[t - 1].reshape(-1) @ np.asarray(loop, float)
            current[t] += back.reshape(stage.shape)
        potential[t] = _potential(stage.neuron, current[: t + 1], spikes[:t])
        spikes[t] = potential[t] >= stage.neuron.threshold
        for neuron, delay in enumerate(delays):
            if t >= delay:
                sent[t].flat[neuron] = spikes[t - delay].flat[neuron]
    return current, potential, spikes, sent


def _arrived(stage, frames, t):
    """What the inputs bring at a step, each after its time in its synapse."""
    layer, late = synapses_of(stage)
    if late is None:
        return linear(stage, frames[t])
    result = np.zeros(stage.n_neurons)
    for i in range(layer.n_in):
        for j in range(stage.n_neurons):
            if t >= late[i, j]:
                result[j] += frames[t - late[i, j]].flat[i] * float(layer.kernel[i, j])
    return result.reshape(stage.shape)


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
