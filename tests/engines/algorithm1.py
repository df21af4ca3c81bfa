"""The sigma-delta paper's Algorithm 1 in plain Python: a list as queue, one neuron after another.

And small Keras models in pieces, so that weights can be read off piece by piece.
"""

import dataclasses

import numpy as np
from random_models import keras

from nengo_tactile.ann.sigma_delta import sigma_delta_layer
from nengo_tactile.conversion.network import SpikingNetwork


@dataclasses.dataclass
class Node:
    """A layer of neurons, a relay, a max pooling or the read-out: what is linear in front of it."""

    name: str
    kind: str
    sources: list
    linear: object = None  # Keras tensors -> Keras tensor
    threshold: float = 1.0
    rectify: bool = True
    pool: object = None  # Keras layer
    plus: str | None = None  # what is added as it is, of the same shape


def model_of(shape, nodes, seed=0, share=2 / 3):
    """The Keras model of nodes, with weights that are multiples of 1/8, some of them zero."""
    tensors = {"input": keras().Input(shape)}
    for node in nodes:
        x = [tensors[source] for source in node.sources]
        x = x[0] if node.linear is None else node.linear(*x)
        if node.plus:
            x = keras().layers.Add()([x, tensors[node.plus]])
        if node.kind == "neurons":
            layer = sigma_delta_layer()(node.threshold, node.rectify, name=node.name)
            x = layer(x)
        elif node.kind == "pool":
            x = node.pool(x)
        tensors[node.name] = x
    model = keras().Model(tensors["input"], x)
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if type(layer).__name__ != "SigmaDelta":
            drawn = [rng.integers(-4, 5, w.shape) / 8 for w in layer.get_weights()]
            layer.set_weights([w * (rng.random(w.shape) < share) for w in drawn])
    return model


def network_of(shape, nodes, coding, n_steps, **settings):
    """The spiking network of nodes."""
    model = model_of(shape, nodes, **settings)
    return SpikingNetwork(model, n_steps, synapse=None, coding=coding)


class Loop:
    """The network once more, in plain Python, of the nodes and the layers that they hold."""

    def __init__(self, shape, nodes):
        self.nodes = {node.name: node for node in nodes}
        self.order = [node.name for node in nodes]
        sizes, shapes = {"input": int(np.prod(shape))}, {"input": tuple(shape)}
        self.synapses = {name: {} for name in ["input", *self.order]}
        self.biases, self.windows = {}, {}
        constants = {"input": np.zeros((1, *shape), np.float32)}  # what stages send from the start
        for node in nodes:
            before = [constants[source] for source in node.sources]
            start = before[0] if node.linear is None else np.array(node.linear(*before))
            self.biases[node.name] = [float(v) for v in start.ravel()]
            constants[node.name] = start if node.kind == "relay" else np.zeros_like(start)
            if node.kind == "pool":
                constants[node.name] = np.array(node.pool(start))
            zeros = [np.zeros_like(one) for one in before]
            bias = zeros[0] if node.linear is None else np.array(node.linear(*zeros))
            for index, source in enumerate(node.sources):
                units = np.eye(sizes[source], dtype=np.float32).reshape(-1, *shapes[source])
                many = [np.repeat(one, len(units), axis=0) for one in zeros]
                many[index] = units
                if node.linear is None:
                    matrix = units.reshape(len(units), -1)
                else:
                    matrix = (np.array(node.linear(*many)) - bias).reshape(len(units), -1)
                for unit, target in zip(*np.nonzero(matrix)):
                    listed = self.synapses[source].setdefault(int(unit), [])
                    listed.append((node.name, int(target), float(matrix[unit, target])))
            for unit in range(sizes[node.plus] if node.plus else 0):
                self.synapses[node.plus].setdefault(unit, []).append((node.name, unit, 1.0))
            shapes[node.name] = tuple(bias.shape[1:])
            if node.kind == "pool":
                self._read_windows(node, bias.shape[1:])
                shapes[node.name] = tuple(node.pool.compute_output_shape(bias.shape)[1:])
            sizes[node.name] = int(np.prod(shapes[node.name]))
        self.sizes = sizes
        self.costs = self._costs()

    def _read_windows(self, node, shape):
        """Which inputs each window of a pooling has: those that raise it when they are largest."""
        size = int(np.prod(shape))
        ones = np.eye(size, dtype=np.float32).reshape(-1, *shape)
        raised = np.array(node.pool(ones)).reshape(size, -1)
        self.windows[node.name] = [np.flatnonzero(column).tolist() for column in raised.T]

    def _costs(self):
        """Synapses that leave each unit, through relays too."""
        costs = {}
        for name in reversed(["input", *self.order]):
            costs[name] = [0] * self.sizes[name]
            for unit, synapses in self.synapses[name].items():
                for target, index, _ in synapses:
                    kind = self.nodes[target].kind
                    if kind == "pool":  # one for each window that it is in
                        within = sum(index in window for window in self.windows[target])
                        costs[name][unit] += within
                    elif kind == "relay":
                        costs[name][unit] += 1 + costs[target][index]
                    else:
                        costs[name][unit] += 1
        return costs

    def reset(self):
        """What is when a frame begins."""
        self.v_mem = {name: list(bias) for name, bias in self.biases.items()}
        self.v_mem_q = {n: [0.0] * len(v) for n, v in self.v_mem.items()}
        self.tops = {
            name: [max(self.v_mem[name][i] for i in window) for window in windows]
            for name, windows in self.windows.items()
        }
        for name, node in self.nodes.items():
            if node.kind == "relay":
                self.v_mem[name] = [0.0] * len(self.v_mem[name])

    def run(self, arriving, n_steps, settled=None, current=False):
        """One sample or frame.

        ``arriving``: for each step, groups of the same time; a group is a list of (pixel, value).
        With ``current`` a group arrives at once. ``settled``: the step in which neurons that are
        still off fire.
        """
        self.queue = []
        self.spikes = {name: [[0] * n_steps for _ in range(n)] for name, n in self.sizes.items()}
        self.handled = dict.fromkeys(["input", *self.order], 0)
        self.synops = {name: [0] * n_steps for name in ["input", *self.order]}
        outputs, self.trace = [], []
        self._note()
        for step in range(n_steps):
            self.step = step
            for group in arriving[step] if step < len(arriving) else []:
                if current:
                    self._current(group)
                else:
                    for pixel, value in group:
                        self.queue.append(("input", pixel, value))
                        self.spikes["input"][pixel][step] += 1
                self._drain()
            if step == settled:
                self._settle()
            outputs.append(list(self.v_mem[self.order[-1]]))
        return outputs

    def _drain(self):
        while self.queue:
            name, unit, value = self.queue.pop(0)
            self.handled[name] += 1
            self.synops[name][self.step] += self.costs[name][unit]
            touched = {}
            self._add(name, unit, value, touched)
            self._answer(touched)

    def _add(self, name, unit, value, touched):
        """Add to all that a spike reaches; relays pass on when all has arrived at them."""
        waiting = {}
        self._add_direct(name, unit, value, touched, waiting)
        self._empty(waiting, touched)

    def _add_direct(self, name, unit, value, touched, waiting):
        for target, index, weight in self.synapses[name].get(unit, []):
            self.v_mem[target][index] += weight * value
            relay = self.nodes[target].kind == "relay"
            (waiting if relay else touched).setdefault(target, set()).add(index)

    def _empty(self, waiting, touched):
        for name in self.order:
            for unit in sorted(waiting.get(name, ())):
                value, self.v_mem[name][unit] = self.v_mem[name][unit], 0.0
                if value:
                    self._add_direct(name, unit, value, touched, waiting)

    def _answer(self, touched):
        """Algorithm 1 for all that was reached, in order."""
        for name in self.order:
            node = self.nodes[name]
            if name not in touched:
                continue
            if node.kind == "pool":
                for unit, window in enumerate(self.windows[name]):
                    top = max(self.v_mem[name][i] for i in window)
                    if top != self.tops[name][unit]:
                        self._send(name, unit, top - self.tops[name][unit])
                        self.tops[name][unit] = top
            elif node.kind == "neurons":
                for unit in sorted(touched[name]):
                    self._algorithm_1(node, unit)
        if self.order[-1] in touched:
            self._note()

    def _algorithm_1(self, node, unit):
        v_mem = self.v_mem[node.name][unit]
        diff = (max(v_mem, 0.0) if node.rectify else v_mem) - self.v_mem_q[node.name][unit]
        if diff >= node.threshold:
            self._send(node.name, unit, node.threshold)
            self.v_mem_q[node.name][unit] += node.threshold
        if diff <= -node.threshold:
            self._send(node.name, unit, -node.threshold)
            self.v_mem_q[node.name][unit] -= node.threshold

    def _send(self, name, unit, value):
        self.queue.append((name, unit, value))
        self.spikes[name][unit][self.step] += 1

    def _current(self, group):
        """What arrives at once, at all neurons of the layers that it reaches."""
        touched = {}
        waiting = {}
        for pixel, value in group:
            self._add_direct("input", pixel, value, touched, waiting)
        self._empty(waiting, touched)
        if group:
            driven = self._driven()
            self._answer({name: set(range(self.sizes[name])) for name in driven})

    def _driven(self):
        found, new = set(), {"input"}
        while new:
            new = {t for n in new for listed in self.synapses[n].values() for t, _, _ in listed}
            found |= new
            new = {name for name in new if self.nodes[name].kind == "relay"}
        return {name for name in found if self.nodes[name].kind != "relay"}

    def _settle(self):
        for name in self.order:
            if self.nodes[name].kind != "neurons":
                continue
            while True:
                for unit in range(self.sizes[name]):
                    self._algorithm_1(self.nodes[name], unit)
                if not self.queue:
                    break
                self._drain()

    def _note(self):
        total = sum(self.handled.values()), sum(map(sum, self.synops.values()))
        self.trace.append((*total, list(self.v_mem[self.order[-1]])))
