"""Networks that end in maps and sequences: every engine reads them as Keras gives them.

Weights and images are multiples of 1/8 or 1/16, so that engines give the same numbers.
"""

import functools

import nengo
import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.ann.integrate_fire import rate_if_layer
from nengo_tactile.ann.sigma_delta import sigma_delta_layer
from nengo_tactile.conversion.check import check
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.network import SpikingNetwork
from nengo_tactile.conversion.neurons import IF, LIF, SigmaDelta
from nengo_tactile.engines import run
from nengo_tactile.events.coding import CurrentCoding
from nengo_tactile.saved import load
from tests.support.passes import Accumulator, simulate
from tests.support.random_models import keras

N_STEPS = 24


def autoencoder(la, x, neurons):
    """Down and up again with a transposed convolution; a linear end."""
    x = neurons(la.Conv2D(3, 3, 2, "same")(x))
    return la.Conv2DTranspose(1, 3, 2, "same", name="map")(neurons(la.Conv2D(2, 1)(x)))


def upsampled(la, x, neurons):
    """What is copied to several places is the read-out."""
    x = neurons(la.Conv2D(4, 2, 2)(x))
    return la.UpSampling2D(2, name="map")(la.Conv2D(2, 1)(x))


def unet(la, x, neurons):
    """A path beside the smaller map, joined; class scores at each pixel, and the image there."""
    first = neurons(la.Conv2D(3, 3, padding="same")(x))
    down = neurons(la.Conv2D(4, 3, padding="same")(la.MaxPooling2D(2)(first)))
    both = la.Concatenate()([la.UpSampling2D(2)(down), first, x])
    return la.Conv2D(3, 1, name="map")(neurons(la.Conv2D(3, 3, padding="same")(both)))


def sequence(la, x, neurons):
    """Tags of each step of a sequence."""
    x = neurons(la.Conv1D(4, 3, padding="same")(la.Reshape((18, 4))(x)))
    return la.Dense(5, name="map")(x)


def spikes(la, x, neurons):
    """Neurons are read as they are."""
    return neurons(la.Conv2D(2, 3, padding="same")(neurons(la.Conv2D(2, 3)(x))))


GRAPHS = {
    "autoencoder": (autoencoder, (6, 6, 1)),
    "upsampled": (upsampled, (6, 6, 2)),
    "unet": (unet, (6, 6, 3)),
    "sequence": (sequence, (18, 5)),
    "spikes": (spikes, (4, 4, 2)),
}
SHAPE = (6, 6, 2)


def images(n=3):
    return np.random.default_rng(5).integers(0, 17, (n, *SHAPE)).astype(np.float32) / 16


def graph_of(name, neurons):
    la, inputs = keras().layers, keras().Input(SHAPE)
    return keras().Model(inputs, GRAPHS[name][0](la, inputs, neurons))


def dyadic(model, high=6):
    rng = np.random.default_rng(2)
    for layer in model.layers:
        if type(layer).__name__ not in ("RateIF", "SigmaDelta"):
            layer.set_weights([rng.integers(-4, high, w.shape) / 16 for w in layer.get_weights()])
    return model


def varies(values):
    """Whether most of (n_samples, ...) outputs differ between samples."""
    return (np.ptp(values, axis=0) > 0).mean() > 0.5


@functools.lru_cache
def network(name):
    model = dyadic(graph_of(name, lambda x: rate_if_layer()(start=0.5)(x)))
    return SpikingNetwork(model, N_STEPS, synapse=None, discard=0.0)


@pytest.mark.parametrize("name", GRAPHS)
def test_all_simulations_give_the_same_map(name):
    snn, x, shape = network(name), images(), GRAPHS[name][1]
    assert (
        snn.ann.output_shape[1:] == snn.graph.stages[-1].shape == snn.read_out.output_shape == shape
    )
    assert snn.classes == tuple(str(i) for i in range(max(shape[-1], 1)))
    wanted = simulate(snn.ann, x, N_STEPS).logits
    assert wanted.shape == (3, N_STEPS, *shape) and varies(wanted[:, -1])
    for engine in ("nengo-dl", "event"):
        recording = run(snn, x, N_STEPS, engine=engine)
        assert recording.outputs.shape == (3, N_STEPS, int(np.prod(shape)))
        found = recording.outputs.reshape(wanted.shape)
        assert np.allclose(found, wanted, rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(recording.predict(), found[:, -1])
        np.testing.assert_array_equal(recording.predict(4), found[:, 4])


@pytest.mark.parametrize("name", GRAPHS)
def test_nengo_itself_gives_it_too(name):
    snn, x = network(name), images(1)
    built = snn.build(present=x[0].ravel())
    with stack.quiet_build(), nengo.Simulator(built.net, progress_bar=False, optimize=False) as sim:
        sim.run_steps(N_STEPS)
    so_far = np.cumsum(sim.data[built.output_probe], axis=0) / np.arange(1, N_STEPS + 1)[:, None]
    wanted = run(snn, x, N_STEPS).outputs[0]
    assert np.allclose(so_far, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", GRAPHS)
def test_sigma_delta_networks_too(name):
    model = dyadic(graph_of(name, lambda x: sigma_delta_layer()(0.25)(x)), 9)
    coding, x = CurrentCoding(4), images()
    rest = Accumulator(model).rest(x, coding)
    snn = SpikingNetwork(model, rest.n_steps, synapse=None, coding=coding)
    assert rest.logits.shape == (3, *GRAPHS[name][1]) and varies(rest.logits)
    got = run(snn, x, engine="nengo-dl")
    np.testing.assert_array_equal(got.predict(), rest.logits)
    event = run(snn, x, engine="event")
    # neurons that are at rest may differ by a spike between the two orders of time
    assert np.abs(event.predict() - model(x)).max() < 2 * np.abs(rest.logits - model(x)).max() + 1


@pytest.mark.parametrize(
    ("name", "neuron"),
    [
        ("autoencoder", LIF(max_rate=400.0, synapse=0.002)),
        ("unet", IF(percentile=100)),
        ("sequence", SigmaDelta(threshold_factor=0.02, coding="current")),
    ],
)
def test_converted_maps_come_to_keras(name, neuron, tmp_path):
    model = dyadic(graph_of(name, lambda x: keras().layers.ReLU()(x)), 9)
    x = np.random.default_rng(1).random((12, *SHAPE)).astype(np.float32)
    names = tuple("abcde"[: GRAPHS[name][1][-1]])
    convert(model, x, neuron, classes=names, progress=False).save(tmp_path / "net")
    snn = load(tmp_path / "net")
    assert snn.classes == names and snn.graph.stages[-1].shape == GRAPHS[name][1]
    wanted, steps = model(x).numpy(), snn.n_steps if neuron.sends_changes else 256
    recording = run(snn, x, steps, progress=False)
    off = np.abs(recording.predict() - wanted)
    assert recording.predict().shape == wanted.shape
    assert off.max() < 0.1 * np.abs(wanted).max()


@pytest.mark.parametrize("name", GRAPHS)
def test_check_agrees(name):
    model = graph_of(name, lambda x: keras().layers.ReLU()(x))
    assert check(model).ok and {"nengo-dl", "event"} <= set(check(model).engines)


def test_the_emulator_reads_maps_of_dense_layers():
    """With the Reshape at the end it is the same network."""
    la, inputs = keras().layers, keras().Input(SHAPE)
    x = la.Conv2D(3, 3, activation="relu")(la.Conv2D(2, 3, activation="relu")(inputs))
    flat = la.Dense(12, name="out")(la.Flatten()(x))
    plain = dyadic(keras().Model(inputs, flat), 9)
    model = keras().Model(inputs, la.Reshape((3, 4, 1))(flat))
    assert "loihi" in check(model).engines
    made = [
        convert(m, images(), LIF(max_rate=200.0, synapse=0.005), progress=False)
        for m in (model, plain)
    ]
    got, wanted = (run(snn, images(1), 40, engine="loihi", progress=False) for snn in made)
    assert got.predict().shape == (1, 3, 4, 1) and wanted.outputs.any()
    np.testing.assert_array_equal(got.outputs, wanted.outputs)
