"""Max pooling of what the image drives: the same network fed with what loops have pooled.

Weights and images are multiples of 1/8 or 1/16, so that every engine must give the same numbers.
"""

import functools

import numpy as np
import pytest

import nengo_tactile
from nengo_tactile.ann.integrate_fire import rate_if_layer
from nengo_tactile.ann.lif import rate_lif_layer
from nengo_tactile.ann.sigma_delta import sigma_delta_layer
from nengo_tactile.conversion.check import check
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.network import SpikingNetwork
from nengo_tactile.conversion.neurons import IF, LIF
from nengo_tactile.engines import run
from nengo_tactile.errors import EngineError
from nengo_tactile.events.coding import CurrentCoding, DelayCoding
from nengo_tactile.networks.neurons import Maximum
from tests.support.measures import KINDS, assert_same_recordings
from tests.support.passes import Accumulator, simulate
from tests.support.random_models import keras

IMAGE, SEQUENCE = (7, 6, 2), (12, 3)
N_STEPS = 32


def pooled(x, size, step):
    """Maxima of windows that lie in the map, by a loop; any number of axes before the channels."""
    places = [(n - k) // s + 1 for n, k, s in zip(x.shape[1:-1], size, step)]
    out = np.empty((len(x), *places, x.shape[-1]), x.dtype)
    for place in np.ndindex(*places):
        window = tuple(slice(p * s, p * s + k) for p, s, k in zip(place, step, size))
        part = x[(slice(None), *window)]
        out[(slice(None), *place)] = part.reshape(len(x), -1, x.shape[-1]).max(axis=1)
    return out


def convolved(x, kernel, bias):
    """A convolution without padding, by a loop over the kernel."""
    sides = kernel.shape[:-2]
    places = [n - k + 1 for n, k in zip(x.shape[1:-1], sides)]
    out = np.zeros((len(x), *places, kernel.shape[-1])) + bias
    for offset in np.ndindex(*sides):
        window = tuple(slice(o, o + n) for o, n in zip(offset, places))
        out += x[(slice(None), *window)] @ kernel[offset]
    return out


def padded(x):
    return np.pad(x, [(0, 0), *[(1, 1)] * (x.ndim - 2), (0, 0)])


def of_pixels(la, x):
    return la.MaxPooling2D(3, 2)(x)


def of_pixels_by_loops(x, weights):
    return pooled(x, (3, 3), (2, 2))


def stem(la, x):
    """As in ResNet50V2: convolution, padding, pooling, and a batch normalisation that falls."""
    x = la.MaxPooling2D(3, 2)(la.ZeroPadding2D(1)(la.Conv2D(3, 2, name="conv")(x)))
    return la.DepthwiseConv2D(1, name="norm")(x)


def stem_by_loops(x, weights):
    x = pooled(padded(convolved(x, *weights["conv"])), (3, 3), (2, 2))
    scale, shift = weights["norm"]
    return x * scale[0, 0, :, 0] + shift


def of_everything(la, x):
    """Global maxima, of the image and of what a layer makes of both."""
    wide = la.Add()([la.Conv2D(2, 1, name="conv")(x), x])
    return la.Concatenate()([la.GlobalMaxPooling2D()(wide), la.GlobalMaxPooling2D()(x)])


def of_everything_by_loops(x, weights):
    wide = convolved(x, *weights["conv"]) + x
    return np.concatenate([wide.max((1, 2)), x.max((1, 2))], axis=-1)


def twice(la, x):
    """A pooling of what another pooling drives."""
    x = la.Conv2D(3, 2, name="conv")(la.MaxPooling2D(2, 1)(x))
    return la.MaxPooling2D((1, 2), 1)(x)


def twice_by_loops(x, weights):
    return pooled(convolved(pooled(x, (2, 2), (1, 1)), *weights["conv"]), (1, 2), (1, 1))


def of_sequences(la, x):
    return la.MaxPooling1D(3, 2)(la.Conv1D(4, 2, name="conv")(x))


def of_sequences_by_loops(x, weights):
    return pooled(convolved(x, *weights["conv"]), (3,), (2,))


FRONTS = {
    "pixels": (IMAGE, of_pixels, of_pixels_by_loops),
    "stem": (IMAGE, stem, stem_by_loops),
    "everything": (IMAGE, of_everything, of_everything_by_loops),
    "twice": (IMAGE, twice, twice_by_loops),
    "sequences": (SEQUENCE, of_sequences, of_sequences_by_loops),
}
NEURONS = {
    "if": lambda: rate_if_layer()(start=0.5),
    "lif": lambda: rate_lif_layer()(gain=8.0, amplitude=1 / 128, offset=0.5),
}


def images(shape, n=3):
    return np.random.default_rng(5).integers(0, 17, (n, *shape)).astype(np.float32) / 16


def dyadic(model, seed=0):
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if type(layer).__name__ not in ("RateIF", "RateLIF", "SigmaDelta"):
            layer.set_weights([rng.integers(-4, 9, w.shape) / 16 for w in layer.get_weights()])
    return model


def behind(la, x, neurons):
    """Two layers of neurons and a read-out."""
    x = neurons()(la.Dense(8, name="first")(la.Flatten()(x)))
    return la.Dense(3, name="out")(neurons()(la.Dense(6, name="second")(x)))


@functools.lru_cache
def networks(name, kind):
    """The whole network, the same behind the maxima, samples, and what loops make of these."""
    shape, front, by_loops = FRONTS[name]
    la = keras().layers
    inputs = keras().Input(shape)
    model = dyadic(keras().Model(inputs, behind(la, front(la, inputs), NEURONS[kind])))
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    x = images(shape)
    maxima = by_loops(x, weights).astype(np.float32)
    inputs = keras().Input(maxima.shape[1:])
    rest = keras().Model(inputs, behind(la, inputs, NEURONS[kind]))
    for layer in rest.layers:
        if layer.name in ("first", "second", "out"):
            layer.set_weights(weights[layer.name])
    synapse = None if kind == "if" else 0.004
    made = [SpikingNetwork(one, N_STEPS, synapse=synapse) for one in (model, rest)]
    return *made, x, maxima


def assert_same(got, wanted):
    assert_same_recordings(got, wanted)
    assert all(values.any() for kind in KINDS for values in getattr(wanted, kind).values())


@pytest.mark.parametrize("name", FRONTS)
@pytest.mark.parametrize(("kind", "engine"), [("if", "nengo-dl"), ("if", "event"), ("lif", None)])
def test_every_spike_is_that_of_maxima_made_before(name, kind, engine):
    whole, rest, x, maxima = networks(name, kind)
    assert Maximum in [type(stage.neuron) for stage in whole.graph]
    assert whole.spiking_layers == rest.spiking_layers == ["first", "second"]
    engine = engine or "nengo-dl"
    assert_same(run(whole, x, N_STEPS, engine=engine), run(rest, maxima, N_STEPS, engine=engine))


@pytest.mark.parametrize("name", FRONTS)
def test_layer_by_layer_too(name):
    whole, rest, x, maxima = networks(name, "if")
    got, wanted = simulate(whole.ann, x, N_STEPS), simulate(rest.ann, maxima, N_STEPS)
    np.testing.assert_array_equal(got.logits, wanted.logits)
    assert wanted.logits.any()


@pytest.mark.parametrize("name", ["stem", "sequences"])
def test_on_the_emulators_host(name):
    """Only spikes go to the chip, so that its integers are the same."""
    whole, rest, x, maxima = networks(name, "lif")
    assert_same(
        run(whole, x[:2], N_STEPS, engine="loihi"), run(rest, maxima[:2], N_STEPS, engine="loihi")
    )


def test_pixels_that_come_as_spikes_are_not_pooled():
    whole, _, x, _ = networks("pixels", "lif")
    with pytest.raises(EngineError, match=r"layer 'max_pooling2d.*run on the host"):
        run(whole, x, N_STEPS, engine="loihi", on_host=())


def mixed(la, x, neurons):
    """Windows with pixels, spikes, and sums of both."""
    first = neurons()(la.Conv2D(2, 3, padding="same")(x))
    both = la.Add()([la.Conv2D(2, 3, padding="same")(first), x])
    return la.MaxPooling2D(2)(la.Concatenate()([both, first, x]))


@pytest.mark.parametrize("coding", [CurrentCoding(4), DelayCoding(8)], ids=["current", "delay"])
@pytest.mark.parametrize("name", ["stem", "twice", "mixed", "sequences"])
def test_sigma_delta_neurons_get_the_maximum_of_what_has_arrived(name, coding):
    """At each step what Keras makes of the sums so far: nothing is constant in time there."""

    def neurons():
        return sigma_delta_layer()(0.5)

    la = keras().layers
    shape = IMAGE if name == "mixed" else FRONTS[name][0]
    inputs = keras().Input(shape)
    front = mixed(la, inputs, neurons) if name == "mixed" else FRONTS[name][1](la, inputs)
    model = dyadic(keras().Model(inputs, behind(la, front, neurons)))
    network, x = SpikingNetwork(model, N_STEPS, synapse=None, coding=coding), images(shape)
    assert Maximum not in [type(stage.neuron) for stage in network.graph]
    recording = nengo_tactile.run(network, x, engine="nengo-dl")
    accumulator, signal = Accumulator(model), coding.signal(x, N_STEPS)
    sent, arrived, fired = accumulator.start(len(x)), 0, 0
    for step in range(N_STEPS):
        arrived = arrived + signal[:, step]
        outputs, sent, now = accumulator.step(arrived.reshape(x.shape), sent)
        np.testing.assert_array_equal(recording.outputs[:, step], outputs)
        fired = fired + now.numpy()
    layers = [stage.name for stage in network.graph if stage.fires]
    for layer, wanted in zip(layers, fired):
        np.testing.assert_array_equal(recording.spikes_over_time[layer].sum(axis=1), wanted)
        assert wanted.any()


def resnet_v2_stem(gamma, beta):
    """The beginning of keras.applications.ResNet50V2, with one channel's factor and a shift."""
    la = keras().layers
    keras().utils.set_random_seed(0)
    inputs = keras().Input((12, 12, 2))
    x = la.ZeroPadding2D(1)(la.Conv2D(4, 3, name="conv1_conv")(inputs))
    norm = la.BatchNormalization(name="preact_bn")
    pre = la.ReLU()(norm(la.MaxPooling2D(3, 2, name="pool1_pool")(x)))
    x = la.Add()([la.Conv2D(6, 1)(pre), la.Conv2D(6, 3, padding="same")(pre)])
    x = la.GlobalAveragePooling2D()(la.ReLU()(la.BatchNormalization()(x)))
    model = keras().Model(inputs, la.Dense(3)(x))
    norm.gamma.assign(np.array([gamma, 1, 1, 1], np.float32))
    norm.beta.assign(np.full(4, beta, np.float32))
    return model


@pytest.mark.parametrize(("gamma", "beta"), [(1.0, 0.0), (1.0, 0.25), (-0.5, 0.25)])
def test_training_changes_nothing_about_what_check_says(gamma, beta):
    found = check(resnet_v2_stem(gamma, beta))
    before = check(resnet_v2_stem(1.0, 0.0))
    rows = [[{**row, "name": None} for row in one.rows()] for one in (found, before)]
    assert found.ok and rows[0] == rows[1]
    assert found.engines == ("nengo-dl", "event", "loihi")
    pool = next(row for row in found.layers if row.name == "pool1_pool")
    assert not pool.spikes and "taken once" in pool.becomes


@pytest.mark.parametrize(
    "neuron",
    [
        IF(correction="potential", percentile=100),
        IF(start=0.25, channelwise=True, percentile=100),
        LIF(max_rate=400.0, synapse=0.002, percentile=100),
    ],
    ids=repr,
)
def test_converted_it_comes_to_keras(neuron):
    """Correction and normalisation see the maxima as every engine does."""
    model = resnet_v2_stem(-0.5, 0.25)
    x = np.random.default_rng(1).random((16, 12, 12, 2)).astype(np.float32)
    network = convert(model, x, neuron, n_steps=32, progress=False)
    wanted = model(x).numpy()
    outputs = run(network, x, 512, progress=False).outputs
    error = np.sqrt(np.mean((outputs - wanted[:, None]) ** 2, axis=(0, 2))) / np.abs(wanted).max()
    assert error[511] < 0.02
    if neuron.layer == "RateIF":
        assert np.abs(network.ann(x) - wanted).max() <= 1e-5 * np.abs(wanted).max()
        assert error[511] < error[31] / 4
