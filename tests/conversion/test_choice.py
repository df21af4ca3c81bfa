"""Neurons chosen for a number of steps, or for a loss, on samples held out."""

import re

import numpy as np
import pytest

from nengo_tactile.conversion import choice
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.neurons import IF, LIF, SigmaDelta
from nengo_tactile.engines import run
from nengo_tactile.errors import ConversionError, DataError
from tests.support.random_models import keras


@pytest.fixture(scope="module")
def model():
    """Layers of random weights, the second of which inhibits: spikes come too early."""
    la = keras().layers
    inputs = keras().Input((6, 6, 2))
    x = la.Conv2D(6, 3, padding="same", activation="relu")(inputs)
    x = la.Conv2D(6, 3, padding="same", activation="relu")(x)
    x = la.Conv2D(8, 3, activation="relu")(x)
    model = keras().Model(inputs, la.Dense(4)(la.GlobalAveragePooling2D()(x)))
    rng = np.random.default_rng(5)
    model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.weights])
    return model


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).random((80, 6, 6, 2), np.float32)


def fields(network):
    """What the card says of each trial: (neuron, steps, loss, packets, synops)."""
    pattern = r"(IF\(.*\)) for (\d+) steps?: (-?[\d.]+) points .*, ([\d,]+) packets and ([\d,]+) "
    found = [re.match(pattern, line).groups() for line in network.card["tried"]]
    return [
        (eval(neuron), int(steps), float(loss), *(int(n.replace(",", "")) for n in numbers))
        for neuron, steps, loss, *numbers in found
    ]


def lost(network, model, x, wanted):
    """Points of agreement with decisions, and packets and synaptic operations of a sample."""
    recording = run(network, x, engine="event", progress=False)
    decided = recording.outputs[:, -1].argmax(axis=1)
    cost = [
        sum(steps.sum() for steps in over.values()) / len(x)
        for over in (recording.spikes_over_time, recording.synops_over_time)
    ]
    own = (model(x).numpy().argmax(axis=1) == wanted).mean()
    return 100 * (own - (decided == wanted).mean()), *cost


@pytest.mark.parametrize("n_steps", [1, 4, 64])
def test_few_steps_get_neurons_that_send_more(model, x, n_steps):
    network = convert(model, x, n_steps=n_steps)
    assert network.n_steps == n_steps
    assert network.card["chosen"] in repr(network)
    parameters = network.layers.of_kinds("RateIF")[0].keras.parameters
    assert parameters.spikes_per_step in {1: (8,), 4: (4, 8), 64: (1,)}[n_steps]
    tried = fields(network)
    assert all(steps == n_steps for _, steps, *_ in tried)
    # nearer to the model than the neurons that one would get without being asked
    wanted = model(x).numpy()
    errors = [
        np.sqrt(np.mean((run(one, x, engine="event", progress=False).outputs[:, -1] - wanted) ** 2))
        for one in (network, convert(model, x, IF(), n_steps=n_steps))
    ]
    assert errors[0] < 0.5 * errors[1] or n_steps == 64
    assert parameters.signed or n_steps == 64


@pytest.mark.parametrize("minimise", ["steps", "packets", "synops"])
@pytest.mark.parametrize("labelled", [False, True])
def test_the_cheapest_network_within_a_loss(model, x, minimise, labelled):
    own = model(x).numpy().argmax(axis=1)
    labels = np.where(np.arange(len(x)) % 7 == 0, 0, own) if labelled else None
    options = {"max_loss": 5, "minimise": minimise}
    network = convert(model, x, labels=labels, **options)
    held = slice(1, None, 2)
    wanted = own[held] if labels is None else labels[held]
    tried = fields(network)
    index = {"steps": 1, "packets": 3, "synops": 4}[minimise]
    cheapest = min((one for one in tried if one[2] <= 5), key=lambda one: one[index])
    assert network.card["chosen"].startswith(f"{cheapest[0]!r} for {cheapest[1]} step")
    assert any(one[0].coarseness for one in tried) == (minimise != "steps")
    # what the engine measures is what the card says
    loss, packets, synops = lost(network, model, x[held], wanted)
    np.testing.assert_allclose([loss, packets, synops], cheapest[2:], rtol=1e-2, atol=0.02)
    assert loss <= 5


def test_given_neurons_keep_their_options(model, x):
    neuron = IF(signed=True, thresholds="steps", correction="bias")
    network = convert(model, x, neuron, max_loss=5)
    assert {one[0] for one in fields(network)} == {neuron}
    assert {len(one.tops) for one in network.activations.values()} == {1}
    assert convert(model, x, neuron, n_steps=32, max_loss=5).n_steps == 32


def test_what_is_not_wanted_is_not_chosen(model, x):
    assert "chosen" not in convert(model, x, IF(), n_steps=4).card
    again = convert(convert(model, x, IF(), n_steps=4).ann, x, n_steps=8)
    assert again.n_steps == 8 and "chosen" not in again.card


def test_a_loss_that_nothing_comes_to(model, x, monkeypatch):
    monkeypatch.setattr(choice, "STEPS", (1,))
    with pytest.raises(ConversionError, match=r"max_loss is 0\.01; layers that wait lose [\d.]+"):
        convert(model, x, IF(), max_loss=0.01)
    monkeypatch.setattr(choice, "LUCK", 100.0)
    with pytest.raises(ConversionError, match=r"that was found are IF\(\) for 1 step: [\d.]+ poi"):
        convert(model, x, IF(), max_loss=0.01)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_loss": -1}, ConversionError, "max_loss is -1: give points above zero"),
        ({"max_loss": "half"}, ConversionError, "max_loss is 'half'"),
        ({"max_loss": 1, "minimise": "energy"}, ConversionError, "minimise is 'energy': choose"),
        ({"minimise": "steps"}, ConversionError, "minimise is 'steps' without a max_loss"),
        ({"max_loss": 1, "neuron": LIF()}, ConversionError, r"neuron LIF\(\): give nt.IF"),
        ({"max_loss": 1, "neuron": SigmaDelta()}, ConversionError, r"SigmaDelta\(max_loss="),
        ({"max_loss": 1, "labels": [0, 1]}, DataError, "labels have shape"),
        ({"max_loss": 1, "labels": [9] * 80}, DataError, r"label 9 at index \(0,\)"),
        ({"n_steps": 0}, ConversionError, "n_steps is 0"),
    ],
)
def test_wishes_that_cannot_be(model, x, options, error, message):
    with pytest.raises(error, match=message):
        convert(model, x, **options)


def test_too_few_samples_and_none(model, x):
    for options in ({"n_steps": 8}, {"max_loss": 1}):
        with pytest.raises(ConversionError, match=r"15 calibration samples, half .* at least 16"):
            convert(model, x[:15], **options)
        with pytest.raises(ConversionError, match="needs calibration samples"):
            convert(model, **options)
    settled = convert(model, x, IF(), n_steps=4).ann
    with pytest.raises(ConversionError, match="has RateIF layers, whose neurons are settled"):
        convert(settled, x, max_loss=1)
