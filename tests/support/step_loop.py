"""A graph step by step in plain numpy and float64: slow, and what every engine must equal."""

import collections
import math

import numpy as np

from nengo_tactile.networks import neurons as kinds


def run(graph, signal):
    """What stages send at each step, before their axons.

    Parameters
    ----------
    graph : Graph
    signal : (n_samples, n_steps, ...) array
        What arrives as input.

    Returns
    -------
    dict of str to (n_samples, n_steps, n_neurons) float64 array
    """
    n, n_steps = signal.shape[:2]
    sent, states = {"input": signal.reshape(n, n_steps, -1).astype(float)}, {}
    axons = {stage.name: stage.axon for stage in graph if stage.axon is not None}
    for stage in graph:
        sent[stage.name] = np.zeros((n, n_steps, stage.n_neurons))
        start = np.tile(stage.start * 1.0, (n, 1))
        states[stage.name] = collections.defaultdict(float, v=start)
    for t in range(n_steps):
        for stage in graph:
            state, arrived = states[stage.name], np.tile(stage.bias * 1.0, (n, 1))
            if t < len(stage.step_bias):  # the same at all places of a map
                places = stage.n_inputs // stage.step_bias.shape[1]
                arrived = arrived + np.tile(stage.step_bias[t], places)
            for number, link in enumerate(stage.links):
                at = t - link.delay - axons.get(link.source, np.zeros(link.map.n_in, int))
                values = sent[link.source][:, np.maximum(at, 0), np.arange(len(at))] * (at >= 0)
                new = link.forward(values, stage.n_inputs)
                if link.low_pass is not None:
                    state[number] -= (new - state[number]) * math.expm1(-1 / link.low_pass)
                    new = state[number]
                arrived = arrived + new
            sent[stage.name][:, t] = fire(stage.neuron, state, arrived)
    return sent


def shown(graph, x, n_steps):
    """The same for samples that are shown all the time."""
    return run(graph, np.repeat(x.reshape(len(x), 1, -1), n_steps, axis=1))


def fire(neuron, s, arrived):
    """What neurons with the states ``s``, which are brought up, send, (n_samples, n_neurons)."""
    before, s["v"] = s["v"], s["v"] + arrived
    match neuron:
        case kinds.MaxPool():
            rows = (v.reshape(len(v), -1, neuron.window).max(2) for v in (s["v"], before))
            return np.subtract(*rows)
        case kinds.Maximum():
            return arrived.reshape(len(arrived), -1, neuron.window).max(2)
        case kinds.Sum():
            s["v"] = s["v"] - neuron.decay * before
            return s["v"]
        case kinds.SigmaDelta():
            v = np.maximum(s["v"], 0) if neuron.rectify else s["v"]
            off = v - neuron.threshold * s["sent"]
            spikes = 1.0 * (off >= neuron.threshold) - (off <= -neuron.threshold)
            s["sent"] = s["sent"] + spikes
        case kinds.SpikeResponse():
            for rise, level, tau in (("a", "b", neuron.tau_s), ("c", "d", neuron.tau_r)):
                kept = math.exp(-1 / tau)
                s[level], s[rise] = kept * (s[level] + s[rise]), kept * s[rise]
            depth = neuron.refractory * neuron.threshold * math.e / neuron.tau_r
            spikes = math.e / neuron.tau_s * s["b"] - depth * s["d"] >= neuron.threshold
            s["a"], s["c"] = s["a"] + arrived, s["c"] + spikes
        case kinds.IntegrateFire():
            rounded, unit = np.fix if neuron.whole else np.asarray, neuron.threshold
            s["i"] = rounded((1 - neuron.current_decay) * s["i"]) + arrived
            v = rounded((1 - neuron.voltage_decay) * before) + s["i"]
            v = np.where(v < neuron.floor, neuron.floor, v)
            spikes = np.zeros_like(v)
            for _ in range(neuron.spikes_per_step):  # one after another, each worth one
                up = v >= unit
                down = v < 0 if neuron.signed else (v <= -unit) & (neuron.negative_slope > 0)
                down &= (s["net"] + spikes > 0) | (neuron.negative_slope > 0)
                v = np.where(up, 0 if neuron.reset == "zero" else v - unit, v + unit * down)
                spikes += 1.0 * up - down
            net = s["net"]
            s["v"], s["net"] = v, net + spikes
            now, sent = (np.where(n > 0, n, neuron.negative_slope * n) for n in (s["net"], net))
            return now - sent
        case _:
            raise NotImplementedError(neuron)
    return spikes


def fan_outs(graph):
    """Weights that each neuron, and each unit of a relay, meets, counted one by one.

    What a relay copies from one place meets the weights behind the relay itself.
    """
    last = graph.stages[-1]
    sizes = {"input": math.prod(graph.input_shape)} | {s.name: s.n_neurons for s in graph}
    counts = {name: np.zeros(n, int) for name, n in sizes.items()}
    for stage in graph.stages[::-1]:
        relay, matrices = isinstance(stage.neuron, kinds.Sum) and stage is not last, []
        for link in stage.links:
            matrix = np.zeros((stage.n_inputs, link.map.n_in))
            matrix[slice(None) if link.target is None else link.target] = (
                link.map.matrix().toarray()
            )
            matrices.append(matrix)
        weighted = [link.map.weighted for link in stage.links]
        arriving = sum((matrix != 0).sum(axis=1) for matrix in matrices)
        copies = relay and not any(weighted) and arriving.max() <= 1
        behind = counts[stage.name].copy() if copies else np.ones(stage.n_inputs, int)
        if copies:
            counts[stage.name][:] = 0
        for link, matrix in zip(stage.links, matrices):
            if link.map.weighted or not relay or copies:
                for target, source in np.argwhere(matrix):
                    counts[link.source][source] += behind[target]
    return counts
