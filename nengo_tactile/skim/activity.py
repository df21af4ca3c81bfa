"""Hidden activity of SKIM networks for many samples: vectorised, on all processors.

Input patterns are sparse: a few thousand events in 360 steps of 1,156 channels. So currents are
sums over events, block of neurons by block of neurons, as many as fit into the processor's cache.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from nengo_tactile.errors import DataError
from nengo_tactile.lazy import compiled
from nengo_tactile.memory import processors
from nengo_tactile.skim.kernels import Recursion, filter_currents, recursion

#: Neurons at a time: their weights from 1,156 channels take 1 MB.
BLOCK = 128


class Block(NamedTuple):
    """Some of a layer's neurons, ready for the loops."""

    neurons: slice
    weights: np.ndarray
    steps: Recursion
    bias: np.ndarray


class Prepared(NamedTuple):
    """A layer cut into blocks, so that this is done once for all samples."""

    layer: object
    blocks: list


def prepare(layer):
    """Cut a hidden layer into blocks of neurons.

    Parameters
    ----------
    layer : HiddenLayer

    Returns
    -------
    Prepared
    """
    blocks = []
    for low in range(0, layer.n_hidden, BLOCK):
        neurons = slice(low, min(low + BLOCK, layer.n_hidden))
        weights = np.ascontiguousarray(layer.input_weights[neurons].T)
        steps = recursion(layer.kernels.part(neurons))
        blocks.append(Block(neurons, weights, steps, layer.bias[neurons].copy()))
    return Prepared(layer, blocks)


def check_shape(shape, n_steps, n_channels, sample=""):
    """Refuse patterns of another shape.

    Raises
    ------
    DataError
    """
    if shape != (n_steps, n_channels):
        raise DataError(
            f"{sample}input pattern has shape {shape}, but the network takes "
            f"{n_steps} steps of {n_channels} channels: make it of shape {(n_steps, n_channels)}"
        )


def check_pattern(pattern, n_steps, n_channels, sample=""):
    """Return an input pattern as an array of numbers; ``sample`` says in errors whose it is.

    Raises
    ------
    DataError
        If its shape is another, or a value is not finite.
    """
    try:
        pattern = np.asarray(pattern)
        pattern = pattern if pattern.dtype == np.float32 else pattern.astype(float)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{sample}input pattern is no array of numbers: give {n_steps} steps of {n_channels} "
            "channels"
        ) from error
    check_shape(pattern.shape, n_steps, n_channels, sample)
    with np.errstate(invalid="ignore", over="ignore"):
        suspect = not np.isfinite(pattern.sum())
    if suspect and not np.isfinite(pattern).all():
        raise DataError(
            f"{sample}input pattern has {np.count_nonzero(~np.isfinite(pattern))} values that are "
            "not finite: leave such events out"
        )
    return pattern


def hidden_activity(prepared, pattern, first=0, out=None, fired=None):
    """Activity of all hidden neurons for one sample, from rest.

    Parameters
    ----------
    prepared : Prepared
    pattern : (n_steps, n_channels) float array
    first : int
        The first step to return.
    out : (n_steps - first, n_hidden) float array, optional
    fired : (n_steps, n_hidden) bool array, optional
        Where LIF neurons' spikes are written.

    Returns
    -------
    (n_steps - first, n_hidden) float array
        A step's activity has all that arrived until then, in this step too.
    """
    layer = prepared.layer
    n_steps = pattern.shape[0]
    events = compiled(list_events)(np.asarray(pattern, float))
    if out is None:
        out = np.empty((n_steps - first, layer.n_hidden))
    spiking = layer.nonlinearity == "lif"
    fired = np.empty((0, layer.n_hidden), bool) if fired is None else fired
    rooms = np.empty((2, n_steps * min(BLOCK, layer.n_hidden)))  # one for all blocks
    for block in prepared.blocks:
        n = len(block.bias)
        currents, filtered = (room[: n_steps * n].reshape(n_steps, n) for room in rooms)
        currents[:] = 0
        compiled(add_events)(*events, block.weights, currents)
        # kernels without memory and neurons without memory need the last steps alone
        begin = first if block.steps.memoryless and not spiking else 0
        compiled(filter_currents)(currents, *block.steps, begin, filtered)
        if spiking:
            times = layer.tau_rc, layer.tau_ref, math.exp(-1 / layer.trace)
            compiled(lif_traces)(
                filtered, block.bias, *times, first, out, fired, block.neurons.start
            )
            continue
        current = filtered[first:]
        current += block.bias
        if layer.nonlinearity == "tanh":
            _tanh(current, out[:, block.neurons])
        else:
            np.maximum(current, 0, out=out[:, block.neurons])
    return out


def _tanh(x, out):
    """Hyperbolic tangent to 4e-16 absolutely, in less than half of `numpy.tanh`'s time.

    ``x`` is used up.
    """
    with np.errstate(over="ignore"):
        x *= 2
        np.exp(x, out=x)
        x += 1
        np.divide(2, x, out=x)
        np.subtract(1, x, out=out)


def hidden_activities(prepared, patterns, first=0, threads=None):
    """Activities for several samples, side by side: (n_samples, n_steps - first, n_hidden).

    Parameters
    ----------
    prepared : Prepared
    patterns : sequence of (n_steps, n_channels) float array
    first : int
    threads : int, optional
        By default one for each processor.
    """
    n_steps = patterns[0].shape[0]
    out = np.empty((len(patterns), n_steps - first, prepared.layer.n_hidden))
    threads = min(threads or processors(), len(patterns))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda p, o: hidden_activity(prepared, p, first, o), patterns, out))
    return out


def list_events(pattern):
    """List what is not zero in a pattern, (n_steps, n_channels). Compiled by numba.

    Returns
    -------
    pointers : (n_steps + 1,) int array
        Where each step's events begin.
    channels : (n_events,) int array
    values : (n_events,) float array
    """
    n_steps, n_channels = pattern.shape
    pointers = np.zeros(n_steps + 1, np.int64)
    for step in range(n_steps):
        count = 0
        for channel in range(n_channels):
            count += pattern[step, channel] != 0
        pointers[step + 1] = pointers[step] + count
    channels = np.empty(pointers[-1], np.int64)
    values = np.empty(pointers[-1])
    event = 0
    for step in range(n_steps):
        if pointers[step] == pointers[step + 1]:
            continue
        for channel in range(n_channels):
            if pattern[step, channel] != 0:
                channels[event] = channel
                values[event] = pattern[step, channel]
                event += 1
    return pointers, channels, values


def add_events(pointers, channels, values, weights, currents):
    """Add the weighted events of each step to its currents, (n_steps, n). Compiled by numba."""
    n = currents.shape[1]
    for step in range(currents.shape[0]):
        row = currents[step]
        for event in range(pointers[step], pointers[step + 1]):
            value = values[event]
            weight = weights[channels[event]]
            for j in range(n):
                row[j] += value * weight[j]


def lif_traces(currents, bias, tau_rc, tau_ref, decay, first, out, fired, low):
    """Filtered spikes of `nengo.LIF` neurons under currents. Compiled by numba.

    Times are in steps, spikes have an area of one step. Neurons have felt their bias for one step
    when the first current comes, as in Nengo, where a synapse is one step late. ``out`` is filled
    from step ``first`` on and neuron ``low`` on, and so is ``fired`` with the spikes of all steps,
    unless it has none.
    """
    n_steps, n = currents.shape
    for j in range(n):
        voltage, refractory, trace = 0.0, 0.0, 0.0
        for step in range(-1, n_steps):
            drive = bias[j] + (currents[step, j] if step >= 0 else 0.0)
            refractory -= 1
            free = min(max(1 - refractory, 0.0), 1.0)
            voltage -= (drive - voltage) * math.expm1(-free / tau_rc)
            spike = 0.0
            if voltage > 1:
                spike = 1.0
                since = tau_rc * math.log1p(-(voltage - 1) / (drive - 1))
                refractory = tau_ref + 1 + since
                voltage = 0.0
            voltage = max(voltage, 0.0)
            trace = decay * trace + (1 - decay) * spike
            if 0 <= step < len(fired):
                fired[step, low + j] = spike > 0
            if step >= first:
                out[step - first, low + j] = trace
