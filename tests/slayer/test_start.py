"""Weights that start from the data: rates by the slow reference, and learning from few events."""

import dataclasses

import numpy as np
import pytest

from nengo_tactile import engines
from nengo_tactile.events.spikes import SpikeLayout
from nengo_tactile.slayer import start
from nengo_tactile.slayer.classifier import SlayerNetwork
from nengo_tactile.slayer.losses import SpikemaxSoftmax, SpikeRate
from nengo_tactile.slayer.models import build, model_of, stages_of
from nengo_tactile.slayer.neurons import CurrentBasedLIF, SpikeResponseModel
from nengo_tactile.slayer.training import Recipe, evaluate, train
from tests.support import slayer_reference as reference
from tests.support.slayer_events import SHAPE, STEPS, samples

SRM, CUBA = SpikeResponseModel(3, 3), CurrentBasedLIF()


def rates(model, data, lengths=None):
    """Spikes per sample of the neurons that any spike reaches, by loops over closed forms."""
    x, found = data.dense(np.arange(len(data))), {}
    lengths = np.full(len(x), STEPS) if lengths is None else lengths
    spikes = x
    for stage, states in zip(stages_of(model), reference.run(stages_of(model), x)):
        active = np.stack([s[:n].any(0) for s, n in zip(spikes, lengths)])
        fired = sum(s[:n].sum() for s, n in zip(states.spikes, lengths))
        found[stage.name] = fired / reached(stage, active).sum()
        spikes = states.sent.reshape(*states.sent.shape[:2], *stage.shape)
    return found


def reached(stage, active):
    """Which neurons have an active input, (n_samples, ...)."""
    linear = stage.links[0].map
    if linear.dense:
        return np.repeat(active.any(tuple(range(1, active.ndim)))[:, None], stage.n_neurons, 1)
    side, stride = linear.sides[0], linear.strides[0]
    found = np.zeros((len(active), *stage.shape), bool)
    for row, column in np.ndindex(stage.shape[:2]):
        top, left = stride * row, stride * column
        window = active[:, top : top + side, left : left + side]
        if not linear.pools:
            found[:, row, column] = window.any((1, 2, 3))[:, None]
        else:
            found[:, row, column] = window.any((1, 2))
    return found


@pytest.mark.parametrize("events", [6, 600])
@pytest.mark.parametrize("neuron", [SRM, CUBA], ids=["srm", "cuba"])
def test_each_layer_fires_at_the_rate(neuron, events):
    model, data = build("8x8x2-3c3s2-2a-12-3o", neuron, max_delay=4, seed=1), samples(events, 12)
    found = start.scale_weights(model, start.look_at(data))
    by_hand = rates(model, data)
    assert found.keys() == {"conv1", "dense1", "output"}
    for name, (scale, rate) in found.items():
        assert float(model.get_layer(name).scale) == pytest.approx(scale)
        # float32 against float64: single spikes
        assert rate == pytest.approx(by_hand[name], rel=0.02)
        assert rate == pytest.approx(start.RATE, rel=start.TOLERANCE)


def test_another_rate_recurrence_and_padding():
    data = samples(200, 20)
    lengths = np.random.default_rng(1).integers(10, STEPS, 20)
    data = dataclasses.replace(data, lengths=lengths)  # spikes go on in the padding
    model = build("8x8x2-12-3o", SRM, recurrent=True)
    start.scale_weights(model, start.look_at(data, batch_size=7), rate=0.4)
    for rate in rates(model, data, lengths).values():
        assert rate == pytest.approx(0.4, rel=1.05 * start.TOLERANCE)
    dense = model.get_layer("dense1")
    links = stages_of(model).stages[0].links
    for own, link in zip((dense.kernel, dense.recurrent_kernel), links, strict=True):
        np.testing.assert_array_equal(link.map.kernel, own.numpy() * dense.scale.numpy())
    assert dense.scale > 1


def test_only_weights_as_drawn_and_without_a_gain_are_scaled():
    data = samples(60, 40)
    batches = start.look_at(data)
    model = build("8x8x2-12-8-3o", SRM, gains={"output": 7.0})
    model.get_layer("dense2").kernel.assign_add(np.full((12, 8), 1e-3))
    before = stages_of(model)
    assert start.scale_weights(model, batches).keys() == {"dense1"}
    after = stages_of(model)
    assert model.get_layer("output").scale is None
    for number in (1, 2):
        kernels = [graph.stages[number].links[0].map.kernel for graph in (before, after)]
        np.testing.assert_array_equal(*kernels)
    assert start.scale_weights(model, batches) == {}
    # the weights of a trained network stay, whatever their size
    assert start.scale_weights(model_of(after), batches) == {}
    # seeds choose samples, and nothing else is drawn
    scales = [
        start.scale_weights(build("8x8x2-12-3o", SRM), start.look_at(data, seed))
        for seed in (0, 0, 1)
    ]
    assert scales[0] == scales[1] != scales[2]


@pytest.mark.parametrize(
    ("events", "least"), [(6, 0.7), (60, 0.8), (600, 0.9)], ids=["6", "60", "600"]
)
@pytest.mark.parametrize("loss", [SpikemaxSoftmax(), SpikeRate(0.2, 0.03)], ids=["max", "rate"])
def test_networks_learn_however_many_events_there_are(events, least, loss):
    """Weights as slayerPytorch draws them stay silent under 6 events, and at chance under 60."""
    data, test = samples(events), samples(events, seed=1)
    model = build("8x8x2-32-3o", SRM)
    train(model, data, loss, Recipe(12, 15, 0.02))
    # the same accuracy by the event engine, spike by spike that of the slow reference
    network = SlayerNetwork(stages_of(model), SpikeLayout(SHAPE, 20_000, STEPS))
    recording = engines.run(network, data, engine="event")
    assert recording.accuracy(data.labels)[-1] >= least
    assert evaluate(model, test)["accuracy"] >= (0.5 if events == 6 else least - 0.1)
    wanted = reference.run(network.graph, data.dense(np.arange(10)))
    for stage, states in zip(network.graph, wanted):
        np.testing.assert_array_equal(
            recording.spike_counts[stage.name][:10].reshape(10, -1),
            states.spikes.sum(1).reshape(10, -1),
        )


def test_current_based_neurons_learn_too():
    data, test = samples(60), samples(60, seed=1)
    model = build("8x8x2-32-3o", CUBA, max_delay=0)
    train(model, data, SpikemaxSoftmax(), Recipe(12, 15, 0.02))
    assert evaluate(model, test)["accuracy"] >= 0.9
