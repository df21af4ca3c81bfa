"""The sigma-delta paper's Algorithm 1 in plain Python: a list as queue, one neuron after another.

And small Keras models in pieces, so that weights can be read off piece by piece.
"""

import dataclasses
import functools

import numpy as np

from nengo_tactile.ann.sigma_delta import sigma_delta_layer
from nengo_tactile.conversion.network import SpikingNetwork
from nengo_tactile.events.coding import CurrentCoding, DelayCoding
from tests.support.random_models import keras


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
        """Synapses that each unit meets."""
        costs = {}
        for name in ["input", *self.order]:
            costs[name] = [0] * self.sizes[name]
            for unit, synapses in self.synapses[name].items():
                for target, index, _ in synapses:
                    kind = self.nodes[target].kind
                    if kind == "pool":  # one for each window that it is in
                        within = sum(index in window for window in self.windows[target])
                        costs[name][unit] += within
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

    def _empty(self, waiting, touched, counted=True):
        for name in self.order:
            for unit in sorted(waiting.get(name, ())):
                value, self.v_mem[name][unit] = self.v_mem[name][unit], 0.0
                if value:
                    self.synops[name][self.step] += counted * self.costs[name][unit]
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
        self._empty(waiting, touched, counted=self.step == 0)  # the same at each step
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


SHAPE = (6, 6, 2)
CODINGS = {"delay": DelayCoding(8), "current": CurrentCoding(4)}


def images(n=3, shape=SHAPE, seed=0):
    """Intensities in steps of 1/16, so that many pixels fire at the same time."""
    return np.random.default_rng(seed).integers(0, 17, (n, *shape)).astype(np.float32) / 16


def everything():
    """Strided, dilated, depthwise convolutions, poolings, Add, Concatenate, a linear layer."""
    la = keras().layers

    def conv(filters, side, **options):
        return la.Conv2D(filters, side, padding="same", **options)

    branch, straight = conv(3, 2, dilation_rate=2), conv(2, 3, strides=2)
    average, linear, late = la.AveragePooling2D(3, strides=1), la.Dense(4), la.Dense(4)
    last, early = la.Dense(3), la.Dense(3)
    return [
        Node("a", "neurons", ["input"], conv(3, 3), 0.5),
        Node("pool", "pool", ["a"], pool=la.MaxPooling2D(2, strides=1)),
        Node("b", "neurons", ["pool"], la.DepthwiseConv2D(3, padding="same", dilation_rate=2), 0.5),
        Node("c", "neurons", ["pool", "b"], lambda p, b: la.Add()([p, branch(b)]), 1.0),
        Node(
            "d", "neurons", ["a", "c"],
            lambda a, c: la.Concatenate()([straight(a), average(c)]), 0.75,
        ),
        Node("linear", "relay", ["d"], lambda d: linear(la.Flatten()(d))),
        Node("e", "neurons", ["linear"], late, 0.25, rectify=False),
        Node(
            "out", "read-out", ["e", "linear"],
            lambda e, x: la.Add()([last(e), early(x)]),
        ),
    ]  # fmt: skip


def groups(coding, x, n_steps):
    """What arrives in each step, as `Loop.run` wants it: (pixel, value) by time, then pixel."""
    x = x.ravel()
    if not coding.spikes:
        part = [(int(i), float(x[i]) / coding.n_steps) for i in np.flatnonzero(x)]
        return [[part]] * coding.n_steps
    steps = [[] for _ in range(coding.n_steps)]
    for intensity in sorted({float(v) for v in x if v > 0.2}, reverse=True):
        step = min(int((1 - intensity) / 0.8 * coding.n_steps + 1e-6), coding.n_steps - 1)
        steps[step].append([(int(i), 1.0) for i in np.flatnonzero(x == intensity)])
    return steps[:n_steps]


@functools.lru_cache
def built(coding, make=everything):
    nodes = make()
    network = network_of(SHAPE, nodes, CODINGS[coding], 10, seed=7)
    return network, Loop(SHAPE, nodes)


def names_of(network, loop):
    """Each stage that spikes by the name of its node."""
    by_layer = {stage.layer: stage.name for stage in network.graph}
    pools = iter([s.name for s in network.graph if s.neuron.forwards])
    return {
        name: next(pools) if node.kind == "pool" else by_layer[name]
        for name, node in loop.nodes.items()
        if node.kind in ("pool", "neurons")
    }


def assert_equal(recording, network, loop, x, n_steps, settle, frames=None):
    """Every spike, operation and output, in the same order; ``frames`` follow one another."""
    names, coding = names_of(network, loop), network.coding
    assert list(names.values()) == network.spiking_layers, "the loop must have the stages' order"
    last = min(coding.n_steps, n_steps - 1) if settle else None
    for sample in range(len(x)):
        if frames is None or sample == 0:
            loop.reset()
        arriving = groups(coding, x[sample], n_steps) if frames is None else frames[sample]
        outputs = loop.run(arriving, n_steps, last, current=not coding.spikes)
        np.testing.assert_array_equal(recording.outputs[sample], outputs)
        wanted = dict(names, input="input") if coding.spikes else names
        assert set(recording.spike_counts) - {"input"} == set(names.values())
        assert ("input" in recording.spike_counts) == bool(coding.spikes or frames)
        for node, layer in wanted.items():
            spikes = np.array(loop.spikes[node])
            np.testing.assert_array_equal(recording.spike_counts[layer][sample], spikes.sum(1))
            np.testing.assert_array_equal(recording.spikes_over_time[layer][sample], spikes.sum(0))
            np.testing.assert_array_equal(
                recording.synops_over_time[layer][sample], loop.synops[node]
            )
        relays = [name for name, node in loop.nodes.items() if node.kind == "relay"]
        sums = [stage.name for stage in network.graph.stages[:-1] if stage.adds_up]
        for node, layer in zip(relays, sums, strict=True):
            if not any(loop.costs[node]):  # all weights behind it are zero
                assert layer not in recording.synops_over_time
                continue
            found = recording.synops_over_time[layer][sample]
            np.testing.assert_array_equal(found, loop.synops[node])
        for node, layer in wanted.items():
            if node in loop.nodes and loop.nodes[node].kind == "neurons":
                sent = np.array(loop.v_mem_q[node]) / loop.nodes[node].threshold
                np.testing.assert_array_equal(recording.sent[layer][sample], sent)
        if recording.trace is not None:
            rows = recording.trace.of(sample)
            assert len(rows.time) == len(loop.trace)
            spikes, synops, potentials = map(list, zip(*loop.trace))
            np.testing.assert_array_equal(rows.outputs, potentials)
            np.testing.assert_array_equal(sum(rows.spikes.values()), spikes)
            np.testing.assert_array_equal(sum(rows.synops.values()), synops)
