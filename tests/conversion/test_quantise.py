"""Quantised networks against spiking neurons simulated in a loop, and their training."""

import dataclasses

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.ann.training import FINE_TUNE, Recipe, accuracy, predict, train
from nengo_tactile.conversion import reading
from nengo_tactile.conversion.comparison import compare, compared_outputs
from nengo_tactile.conversion.quantise import BEGIN, fine_tune
from nengo_tactile.errors import ConversionError, DataError, ModelFileError
from tests.support.passes import read_out_of, use_clip_floor


def network(activation="relu", units=20, n_classes=3, seed=0):
    layers = stack.tensorflow().keras.layers
    rng = np.random.default_rng(seed)
    x = inputs = layers.Input((4,), name="input")
    x = layers.BatchNormalization(name="norm")(layers.Dense(units, name="hidden")(x))
    if activation is not None:
        x = layers.Activation("relu", name="act")(x) if activation == "relu" else activation(x)
    outputs = layers.Dense(n_classes, name="logits")(x)
    model = stack.tensorflow().keras.Model(inputs, outputs, name="net")
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    norm = model.get_layer("norm")
    gamma, beta, mean, variance = norm.get_weights()
    norm.set_weights([gamma, beta, mean, np.abs(variance) + 0.5])
    return model


@pytest.mark.parametrize("levels", [1, 4, 8, 13])
def test_spikes_give_the_quantised_network_after_as_many_steps_as_levels(levels, rng):
    """One hidden layer, whose current is constant: no more than rounding may differ."""
    model = network()
    quantised = use_clip_floor(model, {"act": 1.7}, levels)
    x = rng.normal(size=(200, 4)).astype(np.float32)
    kernel, bias = model.get_layer("hidden").get_weights()
    gamma, beta, mean, variance = model.get_layer("norm").get_weights()
    readout, offset = model.get_layer("logits").get_weights()
    current = ((x @ kernel + bias - mean) / np.sqrt(variance + 1e-3) * gamma + beta) / 1.7
    potential, spikes = np.full(current.shape, 0.5), np.zeros(current.shape)
    for _ in range(levels):
        potential += current
        fires = potential >= 1
        potential -= fires
        spikes += fires
    wanted = (spikes * 1.7) @ readout / levels + offset
    assert 0 < spikes.mean() < levels
    # a current that is nearly at a step of the staircase may be rounded to either side
    ties = np.abs((current * levels + 0.5) % 1 - 0.5) > 0.4999
    exact = ~ties.any(axis=1)
    assert exact.mean() > 0.9
    np.testing.assert_allclose(predict(quantised, x)[exact], wanted[exact], atol=1e-4)


def test_a_level_that_rounding_moves_is_no_other_network(rng):
    """Some samples lie on the edge of a level: a rounding decides; all others are the same."""
    model = use_clip_floor(network(), {"act": 1.7}, 4)
    read, (read_out, _) = reading.read(model), read_out_of(model)
    x = rng.normal(size=(20, 4)).astype(np.float32)
    wanted = compared_outputs(model, read, x)
    some, all_of_them = np.zeros((2, 20, 1), np.float32)
    some[:9], all_of_them[:] = 0.03 * np.abs(wanted).max(), 0.03 * np.abs(wanted).max()
    assert compare(model, read, read, read_out, x, wanted + some) < 1e-6
    with pytest.raises(ConversionError, match=r"differs by 0\.0.* at most 0\.001"):
        compare(model, read, read, read_out, x, wanted + all_of_them)
    plain = network()
    read, wanted = reading.read(plain), compared_outputs(plain, reading.read(plain), x)
    with pytest.raises(ConversionError, match=r"at most 0\.001"):
        compare(plain, read, read, read_out, x, wanted + some)


def test_many_levels_give_the_clipped_network(rng):
    tf = stack.tensorflow()
    model, x = network(), rng.normal(size=(50, 4)).astype(np.float32)
    clipped = network(lambda x: tf.keras.layers.ReLU(1.5, name="act")(x))
    wanted = predict(clipped, x)
    assert np.abs(predict(model, x) - wanted).max() > 0.1  # some are above the ceiling
    for levels in (100, 1000):
        found = predict(use_clip_floor(model, {"act": 1.5}, levels), x)
        step = 1.5 / levels / 2 * np.abs(model.get_layer("logits").get_weights()[0]).sum(0).max()
        assert np.abs(found - wanted).max() <= step + 1e-4
    again = use_clip_floor(use_clip_floor(clipped, {"act": 9.0}, 2), {"act": 1.5}, 1000)
    np.testing.assert_allclose(predict(again, x), found, atol=1e-5)


@pytest.mark.parametrize(
    ("ceilings", "message"),
    [
        ({}, r"layer 'act' \(Activation\): no ceiling given"),
        ({"act": 0.0}, r"layer 'act' \(Activation\): its ceiling is 0.0"),
        ({"act": -1.0}, "its ceiling is -1.0"),
        ({"act": np.nan}, "its ceiling is nan"),
        ({"act": np.inf}, "its ceiling is inf"),
    ],
)
def test_bad_ceilings_are_refused(ceilings, message):
    with pytest.raises(ConversionError, match=message):
        use_clip_floor(network(), ceilings)


def test_other_activations_are_refused():
    leaky = network(lambda x: stack.tensorflow().keras.layers.LeakyReLU(0.1, name="act")(x))
    with pytest.raises(ConversionError, match=r"'act' \(LeakyReLU\): only a ReLU"):
        use_clip_floor(leaky, {"act": 1.0})
    with pytest.raises(ConversionError, match="levels is 0"):
        use_clip_floor(network(), {"act": 1.0}, 0)


@pytest.fixture
def samples(rng):
    """Four values; the class is the largest of the first three."""
    x = rng.normal(size=(300, 4)).astype(np.float32)
    return x, x[:, :3].argmax(1)


QUICK = Recipe("sgd", 6, 25, 0.05, "cosine", 0.0, 1e-4)


def test_fine_tuning_gains_what_quantising_lost(samples, tmp_path):
    x, y = samples
    model = network()
    train(model, samples, dataclasses.replace(QUICK, epochs=15))
    before, exact = model.get_weights(), accuracy(model, x, y)
    path = tmp_path / "checkpoint.npz"
    settings = {"levels": 2, "seed": 3, "validation": samples}
    untrained = dataclasses.replace(QUICK, learning_rate=0.0, epochs=1)
    rough, _ = fine_tune(model, samples, x, recipe=untrained, **settings)
    fine, history = fine_tune(model, samples, x, recipe=QUICK, checkpoint=path, **settings)
    lost, left = exact - accuracy(rough, x, y), exact - accuracy(fine, x, y)
    assert lost > 0.02 and left < lost / 2
    assert history.validation_accuracy[-1] == accuracy(fine, x, y)
    # the ceiling begins at the percentile of the activations and is learned
    hidden = stack.tensorflow().keras.Model(model.inputs, model.get_layer("act").output)
    top = np.percentile(predict(hidden, x), BEGIN)
    ceilings = [float(m.get_layer("act").ceiling) for m in (rough, fine)]
    assert ceilings[0] == pytest.approx(top, rel=0.02)
    assert ceilings[1] > 0 and abs(ceilings[1] - ceilings[0]) > 1e-3
    assert fine.get_layer("act").levels == 2
    assert all((a == b).all() for a, b in zip(before, model.get_weights()))
    # a finished training is only read back; another number of levels is another network
    again, repeated = fine_tune(model, samples, x, recipe=QUICK, checkpoint=path, **settings)
    assert repeated == history
    assert all((a == b).all() for a, b in zip(fine.get_weights(), again.get_weights()))
    with pytest.raises(ModelFileError, match="belongs to another"):
        fine_tune(model, samples, x, recipe=QUICK, checkpoint=path, **(settings | {"levels": 3}))


def test_the_recipe_for_fine_tuning():
    assert FINE_TUNE.optimizer == "sgd" and FINE_TUNE.schedule == "cosine"
    assert FINE_TUNE.learning_rate < 0.1  # below that of the training before


def test_calibration_data_that_do_not_fit_are_refused(samples):
    x, _ = samples
    with pytest.raises(DataError, match="shape"):
        fine_tune(network(), samples, x[:, :3])
    with pytest.raises(DataError, match="no samples"):
        fine_tune(network(), samples, x[:0])
    dead = network()
    gamma, beta, mean, variance = dead.get_layer("norm").get_weights()
    dead.get_layer("norm").set_weights([gamma * 0, beta * 0 - 1, mean, variance])
    with pytest.raises(ConversionError, match=r"'act' .*never active"):
        fine_tune(dead, samples, x)
