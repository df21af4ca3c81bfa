"""NIR graphs in plain numpy with channels first, node by node and step by step; files of them."""

import math

import h5py
import numpy as np


def write(path, nodes, edges):
    """Write a file as `nir.write` does; nodes are (kind, values), or (nodes, edges) of a graph."""
    texts = h5py.string_dtype()

    def graph(place, nodes, edges):
        place.create_dataset("type", data="NIRGraph", dtype=texts)
        place.create_dataset("edges", data=edges)
        for name, (kind, values) in nodes.items():
            inner = place.create_group(f"nodes/{name}")
            if isinstance(kind, dict):
                graph(inner, kind, values)
                continue
            inner.create_dataset("type", data=kind, dtype=texts)
            for key, value in values.items():
                if isinstance(value, str):
                    inner.create_dataset(key, data=value, dtype=texts)
                elif isinstance(value, np.ndarray):
                    inner.create_dataset(key, data=value, compression="gzip")
                else:
                    inner.create_dataset(key, data=value)

    with h5py.File(path, "w") as file:
        file.create_dataset("version", data="1.0.8", dtype=texts)
        graph(file.create_group("node"), nodes, edges)
    return path


def run(nodes, edges, x, dt, late=(), **rules):
    """What nodes put out at each step.

    Parameters
    ----------
    nodes : dict of str to (kind, values)
        In the order of computation.
    edges : list of (str, str)
    x : (n_steps, ...) array
    dt : float
    late : collection of (str, str)
        Edges that bring what was put out at the step before.
    **rules
        See `Neurons`.

    Returns
    -------
    dict of str to list of arrays
    """
    sent = {name: [] for name in nodes}
    states = {name: Neurons(dt, **rules) for name in nodes}
    for t, arriving in enumerate(x):
        for name, (kind, values) in nodes.items():
            parts = []
            for source, target in edges:
                if target != name:
                    continue
                if (source, target) not in late:
                    parts.append(sent[source][t])
                elif t:
                    parts.append(sent[source][t - 1])
            total = arriving if kind == "Input" else sum(parts)
            sent[name].append(step(kind, values, np.asarray(total, float), states[name]))
    return sent


class Neurons:
    """States of a node, and how they are stepped."""

    def __init__(self, dt, euler=False, unit_r=False, reset="zero", most=1, floor=-math.inf):
        self.dt, self.euler, self.unit_r, self.reset = dt, euler, unit_r, reset
        self.most, self.floor, self.before = most, floor, []
        self.i = self.v = None

    def decay(self, tau):
        return self.dt / tau if self.euler else 1 - np.exp(-self.dt / tau)

    def fire(self, p):
        reset = p.get("v_reset", 0.0)
        self.v = np.maximum(self.v, reset + self.floor * (p["v_threshold"] - reset))
        spikes = np.zeros_like(self.v)
        for _ in range(self.most):
            over = self.v > p["v_threshold"]
            spikes += over
            lost = self.v - (p["v_threshold"] - reset) if self.reset == "subtract" else reset
            self.v = np.where(over, lost, self.v)
        return spikes


def step(kind, p, x, s):
    """What a node puts out of what arrives."""
    if s.v is None:
        leak = p.get("v_leak", 0.0)
        s.i, s.v = np.zeros_like(x), np.zeros_like(x) + leak
    match kind:
        case "Input" | "Output":
            return x
        case "Affine" | "Linear":
            return p["weight"] @ x + p.get("bias", 0.0)
        case "Scale":
            return p["scale"] * x
        case "Flatten":
            first, last = p["start_dim"] % x.ndim, p["end_dim"] % x.ndim
            return x.reshape(*x.shape[:first], -1, *x.shape[last + 1 :])
        case "Conv1d" | "Conv2d":
            return convolution(p, x)
        case "SumPool2d" | "AvgPool2d":
            k = np.broadcast_to(p["kernel_size"], 2)
            value = 1.0 if kind == "SumPool2d" else 1 / k.prod()
            weight = np.full((len(x), 1, *k), value)
            return convolution({**p, "weight": weight, "groups": len(x)}, x)
        case "Delay":
            s.before.append(x)
            steps = np.broadcast_to(np.rint(p["delay"] / s.dt).astype(int), x.shape)
            now = len(s.before) - 1
            return sum((steps == k) * s.before[now - k] for k in range(now + 1))
        case "I" | "IF":
            s.v = s.v + x * (1 if s.unit_r else p["r"] * s.dt)
            return s.v if kind == "I" else s.fire(p)
        case "LI" | "LIF":
            s.v = s.v + s.decay(p["tau"]) * (p["v_leak"] - s.v + p["r"] * x)
            return s.v if kind == "LI" else s.fire(p)
        case "CubaLI" | "CubaLIF":
            s.i = s.i + s.decay(p["tau_syn"]) * (p["w_in"] * x - s.i)
            s.v = s.v + s.decay(p["tau_mem"]) * (p["v_leak"] - s.v + p["r"] * s.i)
            return s.v if kind == "CubaLI" else s.fire(p)
        case "Threshold":
            return 1.0 * (x > p["threshold"])
    raise NotImplementedError(kind)


def convolution(p, x):
    """By a loop over outputs: (channels, size...) to (filters, size...)."""
    w, axes = p["weight"], x.ndim - 1
    stride, dilation = (np.broadcast_to(p.get(name, 1), axes) for name in ("stride", "dilation"))
    sides = (np.array(w.shape[2:]) - 1) * dilation + 1
    padding = p.get("padding", 0)
    if isinstance(padding, str):
        total = (sides - 1) * (padding == "same")
        pads = [(n // 2, n - n // 2) for n in total]
    else:
        pads = [(n, n) for n in np.broadcast_to(padding, axes)]
    wide = np.pad(x, [(0, 0), *pads])
    size = (np.array(wide.shape[1:]) - sides) // stride + 1
    groups = p.get("groups", 1)
    inputs, filters = len(x) // groups, len(w) // groups
    result = np.zeros((len(w), *size))
    for f in range(len(w)):
        channels = wide[f // filters * inputs :][:inputs]
        for place in np.ndindex(*size):
            window = tuple(
                slice(i * s, i * s + side, d)
                for i, s, side, d in zip(place, stride, sides, dilation)
            )
            result[(f, *place)] = (channels[(slice(None), *window)] * w[f]).sum()
    bias = np.asarray(p.get("bias", np.zeros(len(w))))
    return result + bias.reshape(-1, *(1,) * axes)
