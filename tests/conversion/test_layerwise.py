"""The layer-by-layer simulation against a plain loop over time steps and layers."""

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.ann.integrate_fire import rate_if_layer
from nengo_tactile.conversion import layerwise
from nengo_tactile.conversion.layerwise import Simulation
from nengo_tactile.conversion.reading import plain
from nengo_tactile.errors import ConversionError, DataError
from tests.support.passes import simulate
from tests.support.random_models import layers

SHAPE = (4, 4, 2)


def neurons(name, **options):
    return rate_if_layer()(name=name, **options)


def network(options, per_neuron=False):
    """A residual block, max pooling before and behind neurons, and the image in a later layer.

    Weights are multiples of 1/16, so that sums are exact in any order.
    """
    keras = stack.tensorflow().keras
    la = layers()
    inputs = keras.Input(SHAPE, name="in")
    options = {"per_neuron": per_neuron, **options}
    a = neurons("a", **options)(la.Conv2D(3, 3, padding="same", name="conv_a")(inputs))
    b = neurons("b", **options)(la.Conv2D(3, 3, padding="same", name="conv_b")(a))
    c = la.Add(name="sum")([la.Conv2D(3, 3, padding="same", name="conv_c")(b), a])
    c = neurons("c", **options)(la.MaxPooling2D(2, name="pool_c")(c))
    side = la.AveragePooling2D(2, name="side")(inputs)
    d = la.Concatenate(name="both")([c, la.MaxPooling2D(2, name="pool_b")(b), side])
    d = neurons("d", **options)(la.Dense(4, name="dense_d")(la.Flatten(name="flat")(d)))
    model = keras.Model(inputs, la.Dense(3, name="read")(d))
    rng = np.random.default_rng(5)
    weights = []
    for weight in model.weights:
        if "start_potential" in weight.name:
            weights.append(rng.integers(0, 8, weight.shape) / 8)
        elif "shift" in weight.name:
            weights.append(rng.integers(-2, 3, weight.shape) / 16)
        else:
            weights.append(rng.integers(-3, 5, weight.shape) / 16)
    model.set_weights(weights)
    return model


def images(n=7):
    return np.random.default_rng(3).integers(-2, 6, (n, *SHAPE)) / 4


def convolved(x, weights):
    """3 x 3, padding 'same', by loops over the kernel."""
    kernel, bias = weights
    n, height, width, _ = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    out = np.zeros((n, height, width, kernel.shape[-1])) + bias
    for row in range(3):
        for column in range(3):
            out += padded[:, row : row + height, column : column + width] @ kernel[row, column]
    return out


def in_windows(x):
    n, height, width, channels = x.shape
    return x.reshape(n, height // 2, 2, width // 2, 2, channels)


class Loop:
    """The network of `network`, one step and one layer after another."""

    def __init__(self, model, x):
        self.weights = {layer.name: layer.get_weights() for layer in model.layers}
        self.layers = {layer.name: layer for layer in model.layers}
        self.x, self.potential, self.count, self.sums, self.out = x, {}, {}, {}, {}
        self.net = {}  # positive less negative spikes
        self.rest = self.currents(first=True)

    def currents(self, first=False):
        """Input of every layer of neurons and the read-out in the next step, or without spikes."""
        w, x, found = self.weights, self.x, {}

        def emit(name, current):
            found[name] = current
            return np.zeros_like(current) if first else self.fire(name, current)

        a = emit("a", convolved(x, w["conv_a"]))
        b = emit("b", convolved(a, w["conv_b"]))
        c = emit("c", self.pool("pool_c", convolved(b, w["conv_c"]) + a, first))
        side = in_windows(x).mean((2, 4))
        d = np.concatenate([c, self.pool("pool_b", b, first), side], -1).reshape(len(x), -1)
        d = emit("d", d @ w["dense_d"][0] + w["dense_d"][1])
        found["read"] = d @ w["read"][0] + w["read"][1]
        return found

    def pool(self, name, x, first):
        if first:  # whatever comes out counts as spikes
            return np.zeros(in_windows(x).max((2, 4)).shape)
        self.sums[name] = self.sums.get(name, 0) + x
        before = self.out.get(name, 0)
        self.out[name] = in_windows(self.sums[name]).max((2, 4))
        return self.out[name] - before

    def fire(self, name, current):
        neuron = self.layers[name].parameters
        start, shift = self.weights[name]
        v = self.potential.setdefault(name, np.broadcast_to(start, current.shape).copy())
        count = self.count.setdefault(name, np.zeros(current.shape, int))
        net = self.net.setdefault(name, np.zeros(current.shape, int))

        def sent(n):
            return n if n >= 0 else neuron.negative_slope * n

        spikes = np.zeros(current.shape)
        for i in np.ndindex(current.shape):
            rest = self.rest[name][i]
            drive = rest + neuron.compensation * (current[i] - rest)
            v[i] += neuron.gain * drive + np.broadcast_to(shift, current.shape[1:])[i[1:]]
            worth, most = 0, neuron.spikes_per_step

            while v[i] >= 1 and worth < most:
                v[i], worth = 0 if neuron.reset == "zero" else v[i] - 1, worth + 1
            falls = v[i] < 0 if neuron.signed else neuron.negative_slope and v[i] <= -1
            while falls and (neuron.negative_slope or net[i] + worth > 0) and worth > -most:
                v[i], worth = v[i] + 1, worth - 1
                falls = v[i] < 0 if neuron.signed else v[i] <= -1
            spikes[i] = sent(net[i] + worth) - sent(net[i])
            count[i], net[i] = count[i] + (worth != 0), net[i] + worth
        return neuron.amplitude * spikes


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"reset": "zero"},
        {"negative_slope": 0.25},
        {"gain": 0.5, "amplitude": 2.0, "compensation": 1.25},
        {"compensation": 1.5, "negative_slope": 0.5},
        {"signed": True},
        {"signed": True, "spikes_per_step": 3, "amplitude": 0.5},
        {"negative_slope": 0.5, "signed": True, "spikes_per_step": 2},
    ],
    ids=str,
)
@pytest.mark.parametrize("per_neuron", [False, True])
@pytest.mark.parametrize("n_steps", [12, 11])
def test_equal_to_a_loop(monkeypatch, options, per_neuron, n_steps):
    monkeypatch.setattr(layerwise, "STEPS_AT_ONCE", 5)  # two whole stretches and 2 steps, or 1
    model, x = network(options, per_neuron), images()
    found = simulate(model, x, n_steps, batch_size=4, record=("b", "d"))
    loop = Loop(model, x)
    logits = np.stack([loop.currents()["read"] for _ in range(n_steps)], 1)
    wanted = np.cumsum(logits, 1) / np.arange(1, n_steps + 1)[:, None]
    assert np.array_equal(found.logits, wanted.astype(np.float32))
    assert np.ptp(found.logits[:, 2:], axis=1).max() > 0.01
    for name, count in loop.count.items():
        assert 0 < count.mean() < n_steps
        assert np.allclose(found.rates[name], count.mean(0) / n_steps)
        values, times = np.unique(count, return_counts=True)
        assert dict(zip(values, times)) == {i: n for i, n in enumerate(found.histograms[name]) if n}
    assert set(found.counts) == {"b", "d"}
    assert all(np.array_equal(found.counts[name], loop.count[name]) for name in "bd")


def test_neurons_that_read_nothing_but_the_image():
    """A network of one layer, driven by a constant, against the closed form."""
    keras = stack.tensorflow().keras
    inputs = keras.Input((5,))
    model = keras.Model(inputs, neurons("only")(layers().Rescaling(0.5)(inputs)))
    x = np.array([[-1.0, 0.5, 1.0, 1.75, 6.0]])
    found = simulate(model, x, 20, record=("only",))
    steps = np.arange(1, 21)[:, None]
    wanted = np.clip(np.floor(0.5 + steps * x / 2), 0, steps)
    assert np.allclose(found.logits[0], wanted / steps)
    assert np.array_equal(found.counts["only"][0], wanted[-1])


def test_a_single_neuron_does_not_compensate_the_image():
    keras = stack.tensorflow().keras
    inputs = keras.Input((1,))
    x = np.array([[0.25], [0.5], [-1.0], [0.75]])
    model = keras.Model(inputs, neurons("only", compensation=2.0)(inputs))
    found = simulate(model, x, 4, record=("only",))
    assert found.counts["only"].ravel().tolist() == [1, 2, 0, 3]


def test_layers_before_what_is_given_are_not_needed():
    net = layerwise.Network(plain(network({})))
    before = ["a", "conv_b", "b", "conv_c", "sum", "pool_c", "c"]
    assert set(net.needed(["c"])) == set(before)  # what the image reaches alone is constant
    assert set(net.needed(["c"], ["b"])) == {"a", "conv_c", "sum", "pool_c", "c"}
    assert net.needed(["c", "pool_c"], ["a", "b"]) == ["conv_c", "sum", "pool_c", "c"]
    assert net.needed(["b", "side"], ["b"]) == []


def test_outputs_follow_from_those_given():
    net, x = layerwise.Network(plain(network({"compensation": 1.25}))), images()
    names = ["a", "b", "c", "d"]
    all_at_once = dict(zip(names, net.advance(net.start(x), 7, names)))
    state, given = net.start(x), {name: all_at_once[name] for name in "ab"}
    found = net.advance(state, 7, ["d", "b", "c"], given)
    for name, values in zip(["d", "b", "c"], found):
        assert np.array_equal(values, all_at_once[name])
    assert set(state.counts) == {"c", "d"}


def test_rates_converge_to_the_static_response():
    model = network({})
    for name in "abcd":
        layer = model.get_layer(name)
        layer.set_weights([np.full(w.shape, v) for w, v in zip(layer.get_weights(), (0.5, 0))])
    x = images()
    static = model(x.astype(np.float32)).numpy()
    errors = np.abs(simulate(model, x, 512).logits - static[:, None]).max((0, 2))
    assert errors[511] < 0.02 and errors[511] < errors[31] / 4


def test_rate_at_a_percentile():
    histogram = np.array([90, 5, 4, 0, 1])
    simulation = Simulation(None, {}, {"a": histogram}, {})
    counts = np.repeat(np.arange(5), histogram)
    for percentile in (1, 90, 90.5, 95, 97, 99, 99.5, 100):
        wanted = np.percentile(counts, percentile, method="inverted_cdf") / 4
        assert simulation.rate_at("a", percentile) == wanted
    assert simulation.rate_at("a") == 1


def test_bad_calls_are_refused():
    keras = stack.tensorflow().keras
    model = network({})
    with pytest.raises(DataError, match=r"input: shape \(7, 3\)"):
        simulate(model, np.zeros((7, 3)), 4)
    with pytest.raises(DataError, match="n_steps is 0"):
        simulate(model, images(), 0)
    with pytest.raises(ConversionError, match=r"'read' is no RateIF layer.*a, b, c, d"):
        simulate(model, images(), 4, record=("read",))
    inputs = keras.Input((3,))
    with pytest.raises(ConversionError, match="has no RateIF layer"):
        simulate(keras.Model(inputs, layers().Dense(2)(inputs)), np.zeros((1, 3)), 4)
    relu = keras.Model(inputs, layers().ReLU(name="r")(inputs))
    with pytest.raises(ConversionError, match=r"layer 'r' \(ReLU\): is neither linear nor"):
        simulate(relu, np.zeros((1, 3)), 4)


def test_a_read_out_that_is_a_map():
    keras = stack.tensorflow().keras
    inputs = keras.Input((3, 3, 2))  # as many steps as rows
    model = keras.Model(inputs, neurons("n", start=0.0)(layers().Rescaling(0.5)(inputs)))
    x = np.random.default_rng(0).integers(-4, 5, (2, 3, 3, 2)) / 4
    steps = np.arange(1, 4)[:, None, None, None]
    wanted = np.clip(np.floor(steps * x[:, None] / 2), 0, steps) / steps
    assert np.allclose(simulate(model, x, 3).logits, wanted)
