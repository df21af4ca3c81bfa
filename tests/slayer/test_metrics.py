"""Accuracy by spike counts against numpy."""

import numpy as np
import pytest

from nengo_tactile.errors import DataError
from nengo_tactile.slayer.losses import SpikemaxSoftmax
from nengo_tactile.slayer.metrics import SpikeAccuracy, tf


@pytest.fixture
def batch(rng):
    """Few spikes, so that many counts are equal."""
    spikes = (rng.random((60, 9, 4)) < 0.2).astype(np.float32)
    return rng.integers(0, 4, 60), spikes


def test_is_numpys_argmax_of_counts(batch):
    labels, spikes = batch
    right = spikes.sum(1).argmax(1) == labels
    metric = SpikeAccuracy()
    metric.update_state(labels[:25], spikes[:25])
    metric.update_state(labels[25:, None], spikes[25:])
    assert float(metric.result()) == pytest.approx(right.mean())
    metric.reset_state()
    weights = np.linspace(0, 2, 60).astype(np.float32)
    metric.update_state(labels, spikes, sample_weight=weights)
    assert float(metric.result()) == pytest.approx(np.average(right, weights=weights))


def test_the_first_among_equals_and_silence():
    spikes = np.zeros((3, 4, 5), np.float32)
    spikes[0, :2, 3] = spikes[0, 1:3, 1] = 1
    for labels, wanted in (([1, 0, 0], 1), ([3, 0, 1], 1 / 3)):
        metric = SpikeAccuracy()
        metric.update_state(np.array(labels), spikes)
        assert float(metric.result()) == pytest.approx(wanted)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_in_keras_with_a_mask(jit_compile, batch, tmp_path):
    labels, spikes = batch
    spikes = spikes + np.float32(0.01)  # only padding is all zero, and so masked
    lengths = np.arange(60) % 5 + 5
    for sample, length in zip(spikes, lengths):
        sample[length:] = 0
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Input((9, 4)),
            tf.keras.layers.Masking(),
            # in the padding class 0 would win without the mask
            tf.keras.layers.Dense(
                4,
                kernel_initializer="identity",
                bias_initializer=tf.keras.initializers.Constant([9.0, 0.0, 0.0, 0.0]),
            ),
        ]
    )
    right = [
        (np.array([9, 0, 0, 0]) * n + s[:n].sum(0) * 50).argmax() == y
        for s, y, n in zip(spikes, labels, lengths)
    ]
    model.layers[-1].kernel.assign(50 * np.eye(4))
    model.compile(
        loss=SpikemaxSoftmax(),
        metrics=[SpikeAccuracy()],
        weighted_metrics=[SpikeAccuracy("weighted")],
        jit_compile=jit_compile,
    )
    unmasked = model(spikes).numpy().sum(1).argmax(1) == labels
    assert np.mean(unmasked) != np.mean(right)
    found = model.test_on_batch(spikes, labels, np.ones(60), return_dict=True)
    assert found["spike_accuracy"] == pytest.approx(np.mean(right))
    assert found["weighted"] == pytest.approx(np.mean(right))


def test_settings_survive():
    copy = SpikeAccuracy.from_config(SpikeAccuracy("test").get_config())
    assert copy.name == "test"


def test_other_shapes_are_refused():
    with pytest.raises(DataError, match=r"y_pred has the shape \(2, 5\)"):
        SpikeAccuracy().update_state([0, 1], np.zeros((2, 5), np.float32))
