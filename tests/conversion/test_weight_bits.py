"""Weights of few bits: what conversion rounds, what that costs, and sums of whole numbers."""

import dataclasses
import re

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import stack
from nengo_tactile.ann.training import predict
from nengo_tactile.conversion.network import SpikingNetwork
from nengo_tactile.engines.event.plan import plan_of
from nengo_tactile.errors import ConversionError
from tests.support import step_loop

FEW = {"signed": True, "thresholds": "steps", "channelwise": True}
NEURONS = {
    "LIF": nt.LIF(max_rate=200.0, synapse=0.005),
    "IF": nt.IF(),
    "signed": nt.IF(**FEW, correction="bias"),
    "several": nt.IF(**FEW, spikes_per_step=8),
    "learned": nt.IF(**FEW, correction="learned"),
    "sigma-delta": nt.SigmaDelta(threshold=0.25, coding="current"),
}


@pytest.fixture(scope="module")
def model():
    """Convolutions of strides 1 and 2 around a shortcut, a pooling, and dense layers."""
    la = stack.tensorflow().keras.layers
    x = inputs = la.Input((8, 8, 2))
    x = la.Conv2D(16, 3, padding="same", activation="relu", name="first")(x)
    y = la.Conv2D(16, 3, padding="same", activation="relu", name="second")(x)
    x = la.ReLU(name="joined")(la.Add()([x, la.Conv2D(16, 3, padding="same", name="third")(y)]))
    x = la.Conv2D(24, 3, 2, "same", activation="relu", name="strided")(x)
    x = la.Dense(30, activation="relu", name="dense")(la.Flatten()(la.MaxPooling2D()(x)))
    model = stack.tensorflow().keras.Model(inputs, la.Dense(4, name="last")(x))
    rng = np.random.default_rng(2)
    sizes = [np.sqrt(2 / max(w[..., 0].size, 1)) for w in model.get_weights()]
    model.set_weights([rng.normal(0, s, w.shape) for s, w in zip(sizes, model.get_weights())])
    return model


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).random((40, 8, 8, 2), dtype=np.float32)


def off_whole(network):
    """How far weights are from whole numbers up to 127, of each filter's largest."""
    kernels = [w.numpy() for w in network.ann.weights if "/kernel" in w.name]
    assert len(kernels) == 6
    tops = [np.abs(w).max(axis=tuple(range(w.ndim - 1))) for w in kernels]
    numbers = [127 * w / top for w, top in zip(kernels, tops)]
    return max(np.abs(each - np.rint(each)).max() for each in numbers)


@pytest.mark.parametrize("kind", NEURONS)
def test_every_neuron_takes_weights_of_eight_bits(kind, model, x, tmp_path):
    network = nt.convert(model, x, NEURONS[kind], quantise=8, n_steps=4, progress=False)
    assert off_whole(network) < 1e-3
    network.save(tmp_path / "saved")
    again = nt.load(tmp_path / "saved")
    for ours, theirs in zip(again.ann.get_weights(), network.ann.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert again.card["weights"] == network.card["weights"]


def test_weights_stay_where_nothing_is_asked(model, x):
    exact = nt.convert(model, x, nt.IF(), n_steps=4, progress=False)
    assert off_whole(exact) > 1e-3 and "weights" not in exact.card


def test_the_loss_is_that_of_rounded_weights(model, x):
    """Of 3 bits, so that some decisions change; LIF neurons leave weights as they are."""
    labels = predict(model, x).argmax(axis=1)
    network = nt.convert(model, x, NEURONS["LIF"], labels=labels, quantise=3, progress=False)
    coarse = stack.tensorflow().keras.models.clone_model(model)

    def near(w):
        step = np.abs(w).max(axis=tuple(range(w.ndim - 1))) / 3
        return np.rint(w / step) * step if w.ndim > 1 else w

    coarse.set_weights([near(w) for w in model.get_weights()])
    wanted, got = predict(model, x), predict(coarse, x)
    lost = 100 * (got.argmax(axis=1) != labels).mean()
    told = re.match(
        r"of 3 bits: (\S+) points of accuracy lost on 40 .* (\S+)% of their spread off",
        network.card["weights"],
    )
    assert float(told[1]) == pytest.approx(lost, abs=0.01) and 0 < lost < 100

    def standard(outputs):
        return (outputs - outputs.mean(1, keepdims=True)) / outputs.std(1, keepdims=True)

    def size(outputs):
        return np.sqrt(np.mean(outputs**2))

    mean = np.broadcast_to(wanted.mean(axis=0), wanted.shape)
    error = size(standard(got) - standard(wanted)) / size(standard(mean) - standard(wanted))
    assert float(told[2]) == pytest.approx(100 * error, abs=0.1)


@pytest.mark.parametrize("kind", ["IF", "signed", "several"])
def test_spikes_are_those_of_a_loop_over_whole_numbers(kind, model, x):
    network = nt.convert(model, x, NEURONS[kind], n_steps=8, quantise=8, progress=False)
    plan, _ = plan_of(network)
    # sums of 16 bits wherever they fit: eight times the weights of a dense layer do not
    assert plan.slides.narrow.all() if kind != "several" else len(plan.slides.narrow)
    recording = nt.run(network, x, engine="event", progress=False)
    sent = step_loop.shown(network.graph, x, 8)
    for layer, counts in recording.spike_counts.items():
        fired = sent[layer] != 0
        assert fired.any()
        np.testing.assert_array_equal(counts, fired.sum(axis=1), err_msg=layer)
        np.testing.assert_array_equal(recording.spikes_over_time[layer], fired.sum(axis=2))
        units = np.floor(np.abs(sent[layer]) + 0.5).clip(1) * fired
        np.testing.assert_array_equal(recording.units_over_time[layer], units.sum(axis=2))


def test_what_is_no_number_of_bits_is_refused(model, x):
    for bits in (1, 2.5, "8"):
        with pytest.raises(ConversionError, match=r"quantise is .*at least 2"):
            nt.convert(model, x, nt.IF(), quantise=bits, progress=False)


def test_rounding_twice_is_rounding_once(model, x):
    network = nt.convert(model, x, nt.IF(), n_steps=4, quantise=8, progress=False)
    for ours, theirs in zip(
        network.with_weight_bits(8).ann.get_weights(), network.ann.get_weights(), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    coarse = dataclasses.replace(network, n_steps=3).with_weight_bits(4)
    assert isinstance(coarse, SpikingNetwork) and off_whole(coarse) > 1e-3
