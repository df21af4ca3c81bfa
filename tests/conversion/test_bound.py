"""The network whose layers wait: against loops, and against the network whose layers do not."""

import numpy as np
import pytest

from nengo_tactile.ann.integrate_fire import rate_if_layer
from nengo_tactile.conversion.bound import _levels, waiting_outputs
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.layerwise import Network
from nengo_tactile.conversion.neurons import IF
from nengo_tactile.conversion.reading import plain
from tests.support.passes import simulate
from tests.support.random_models import keras

N_STEPS = 6


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"signed": True, "spikes_per_step": 2, "gain": 2.0, "amplitude": 0.5},
        {"negative_slope": 0.25, "start": 0.25},
        {"negative_slope": 0.25, "signed": True},
    ],
    ids=str,
)
def test_one_layer_of_constant_current_sends_what_its_neurons_do(options):
    """The simulation's last step: nothing comes before, so there is nothing to wait for."""
    keras_ = keras()
    inputs = keras_.Input((200,))
    model = keras_.Model(inputs, rate_if_layer()(**options)(keras_.layers.Rescaling(1.0)(inputs)))
    # faster ones below zero fall short of a spike a step at first, because of where they start
    x = np.random.default_rng(0).uniform(-0.7, 1.5, (3, 200)).astype(np.float32)
    wanted = simulate(model, x, N_STEPS).logits[:, -1]
    np.testing.assert_allclose(waiting_outputs(plain(model), x, N_STEPS), wanted, atol=1e-6)
    assert np.ptp(wanted) > 0.9


def random_network(seed):
    """Of four layers, with a shortcut, normalised by conversion."""
    la, rng = keras().layers, np.random.default_rng(seed)
    inputs = keras().Input((8, 8, 3))
    x = la.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    for _ in range(2):
        y = la.Conv2D(8, 3, padding="same", activation="relu")(x)
        x = la.Activation("relu")(la.Add()([la.Conv2D(8, 3, padding="same")(y), x]))
    model = keras().Model(inputs, la.Dense(5)(la.GlobalAveragePooling2D()(x)))
    shapes = [w.shape for w in model.get_weights()]
    model.set_weights([rng.normal(0, np.sqrt(2 / max(np.prod(s[:-1]), 9)), s) for s in shapes])
    return model


def rms(one, other):
    return np.sqrt(np.mean((one - other) ** 2))


@pytest.mark.parametrize("seed", range(3))
def test_signed_networks_come_nearer_to_it_than_plain_ones(seed):
    """And lose hardly more than it against the network without spikes."""
    model, x = random_network(seed), np.random.default_rng(9).random((24, 8, 8, 3), np.float32)
    wanted, spikes = model.predict(x, verbose=0), {}
    for signed in (False, True):
        options = {"signed": signed, "spikes_per_step": 4, "channelwise": True}
        ann = convert(model, x, IF(thresholds="steps", **options), n_steps=8).ann
        spikes[signed] = simulate(ann, x, 8).logits[:, -1]
        bound = waiting_outputs(plain(ann), x, 8)  # the same: signed or not is no matter there
    assert rms(spikes[True], bound) < 0.6 * rms(spikes[False], bound)
    assert rms(spikes[True], wanted) < 1.2 * rms(bound, wanted)


def layer_errors(layers, x, n_steps):
    """Of each layer against the network without spikes: of spikes, and where layers wait."""
    names = [layer.name for layer in layers.of_kinds("RateIF")]
    network = Network(layers)
    state = network.start(x)
    network.advance(state, n_steps, [network.output])
    waiting = {"RateIF": lambda layer, value: _levels(n_steps, layer, value)}
    rates = layers.values(x, names)
    for (layer, rate), (_, waits) in zip(rates, layers.values(x, names, instead=waiting)):
        mean = network.sent(layer.name, state) * network.neurons[layer.name].amplitude / n_steps
        yield rms(mean, rate.numpy()), rms(waits.numpy(), rate.numpy())


@pytest.mark.parametrize(("n_steps", "spikes_per_step"), [(8, 1), (16, 1), (4, 4)])
@pytest.mark.parametrize("seed", range(3))
def test_layers_of_signed_networks_are_within_a_tenth_of_it(seed, n_steps, spikes_per_step):
    """Whatever they read comes in any order; layers of plain neurons are not."""
    model, x = random_network(seed), np.random.default_rng(9).random((16, 8, 8, 3), np.float32)
    ratios = {}
    for signed in (True, False):
        options = {"signed": signed, "spikes_per_step": spikes_per_step, "channelwise": True}
        network = convert(model, x, IF(thresholds="steps", **options), n_steps=n_steps)
        errors = list(layer_errors(network.layers, x, n_steps))
        assert len(errors) == 5 and all(waits > 0 for _, waits in errors)
        ratios[signed] = [spikes / waits for spikes, waits in errors]
    assert max(ratios[True]) < 1.1
    assert max(ratios[False]) > 1.1 or spikes_per_step > 1
