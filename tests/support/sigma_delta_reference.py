"""A small sigma-delta network by hand: neuron by neuron, weight by weight, no linear algebra."""

import itertools

import numpy as np

from tests.support import random_models
from tests.support.passes import simplify, use_sigma_delta

SIDE = 4
THRESHOLDS = {"conv": 0.5, "sum_relu": 1.0, "dense": 2.0}


def dyadic_model(seed=0):
    """Convolution, max pooling, a residual Add and dense layers, all weights multiples of 1/16."""
    layers = random_models.keras().layers
    inputs = random_models.keras().Input((SIDE, SIDE, 1))
    x = layers.Conv2D(2, 3, padding="same", activation="relu", name="conv")(inputs)
    x = pooled = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Conv2D(2, 3, padding="same", name="branch")(x)
    x = layers.ReLU(name="sum_relu")(layers.Add(name="sum")([x, pooled]))
    x = layers.Dense(4, activation="relu", name="dense")(layers.Flatten()(x))
    model = random_models.keras().Model(inputs, layers.Dense(3, name="logits")(x))
    rng = np.random.default_rng(seed)
    model.set_weights([np.round(12 * rng.normal(size=w.shape)) / 16 for w in model.get_weights()])
    return model


def quantised(output_threshold=None):
    """The same with sigma-delta neurons."""
    return use_sigma_delta(simplify(dyadic_model()), THRESHOLDS, output_threshold)


def convolution(kernel, side):
    """Every weight of a padded convolution: (input, output, weight), flattened positions."""
    rows, columns, n_in, n_out = kernel.shape
    for y, x, dy, dx in itertools.product(range(side), range(side), range(rows), range(columns)):
        from_y, from_x = y + dy - rows // 2, x + dx - columns // 2
        if 0 <= from_y < side and 0 <= from_x < side:
            for i, o in itertools.product(range(n_in), range(n_out)):
                source = (from_y * side + from_x) * n_in + i
                yield source, (y * side + x) * n_out + o, float(kernel[dy, dx, i, o])


def full(kernel):
    """Every weight of a dense layer."""
    for i, o in itertools.product(*map(range, kernel.shape)):
        yield i, o, float(kernel[i, o])


class Neurons:
    """The paper's Algorithm 1 for a layer; all that arrives in a step is one incoming spike."""

    def __init__(self, bias, threshold, rectify=True):
        self.v_mem, self.threshold, self.rectify = list(map(float, bias)), threshold, rectify
        self.v_mem_q = [0.0] * len(bias)

    def step(self, arriving):
        """Arriving spikes are (neuron, weight times sign); returns fired ones, (neuron, value)."""
        for neuron, weight in arriving:
            self.v_mem[neuron] += weight
        fired = []
        for neuron, v_mem in enumerate(self.v_mem):
            diff = (max(v_mem, 0.0) if self.rectify else v_mem) - self.v_mem_q[neuron]
            if diff >= self.threshold:
                self.v_mem_q[neuron] += self.threshold
                fired.append((neuron, self.threshold))
            if diff <= -self.threshold:
                self.v_mem_q[neuron] -= self.threshold
                fired.append((neuron, -self.threshold))
        return fired


class Pooling:
    """2 x 2 windows of a map of 2 channels: a spike for each change of the largest sum."""

    def __init__(self, side):
        self.sums = np.zeros((side, side, 2))

    def step(self, spikes):
        before = self.maxima()
        for neuron, value in spikes:
            self.sums[np.unravel_index(neuron, self.sums.shape)] += value
        change = self.maxima() - before
        return [(int(unit), float(change[unit])) for unit in np.flatnonzero(change)]

    def maxima(self):
        side = len(self.sums) // 2
        return np.array(
            [
                max(self.sums[2 * y + a, 2 * x + b, c] for a in (0, 1) for b in (0, 1))
                for y, x, c in itertools.product(range(side), range(side), range(2))
            ]
        )


def by_hand(signal, output_threshold=None):
    """Run the model of `quantised` on the input of one sample over time, (n_steps, n_pixels).

    Returns outputs over time, and {layer: list of fired (unit, value) for each step}.
    """
    model = dyadic_model()
    kernels = {la.name: la.get_weights()[0] for la in model.layers if la.weights}
    biases = {la.name: la.get_weights()[1].tolist() for la in model.layers if la.weights}
    conv = Neurons(biases["conv"] * SIDE**2, THRESHOLDS["conv"])
    pool = Pooling(SIDE)
    added = Neurons(biases["branch"] * (SIDE // 2) ** 2, THRESHOLDS["sum_relu"])
    dense = Neurons(biases["dense"], THRESHOLDS["dense"])
    outputs = Neurons(biases["logits"], output_threshold or np.inf, rectify=False)
    weights = {
        "conv": list(convolution(kernels["conv"], SIDE)),
        "branch": list(convolution(kernels["branch"], SIDE // 2)),
        "dense": list(full(kernels["dense"])),
        "logits": list(full(kernels["logits"])),
    }

    def through(name, spikes):
        values = dict(spikes)
        return [(o, w * values[i]) for i, o, w in weights[name] if i in values]

    fired = {name: [] for name in ("conv", "pool", "sum_relu", "dense", "logits")}
    over_time = []
    for pixels in signal:
        spikes = [(int(i), float(pixels[i])) for i in np.flatnonzero(pixels)]
        spikes = conv.step(through("conv", spikes))
        fired["conv"].append(spikes)
        pooled = pool.step(spikes)
        fired["pool"].append(pooled)
        spikes = added.step(through("branch", pooled) + pooled)
        fired["sum_relu"].append(spikes)
        spikes = dense.step(through("dense", spikes))
        fired["dense"].append(spikes)
        fired["logits"].append(outputs.step(through("logits", spikes)))
        over_time.append(list(outputs.v_mem_q if output_threshold else outputs.v_mem))
    return np.array(over_time), fired
