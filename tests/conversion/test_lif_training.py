"""Training with LIF rates in NengoDL, step by step beside Keras."""

import dataclasses

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.ann.notation import build
from nengo_tactile.ann.training import Recipe, predict, train
from nengo_tactile.conversion import lif_training
from nengo_tactile.conversion.lif_training import (
    LIFRecipe,
    lif_network,
    nengo_dl_converter,
    train_in_nengo_dl,
)
from nengo_tactile.conversion.neurons import LIF
from nengo_tactile.errors import ConversionError, DataError, ModelFileError
from tests.support.passes import simplify, spiking_layers, use_lif, with_smoothing

SHORT = LIFRecipe(epochs=3, batch_size=4, sigma=0.1)


def forward(converter, x):
    nengo_dl = stack.nengo_dl()
    node = converter.inputs[converter.model.inputs[0]]
    probe = converter.outputs[converter.model.outputs[0]]
    with (
        stack.quiet_build(),
        nengo_dl.Simulator(converter.net, minibatch_size=len(x), progress_bar=False) as sim,
    ):
        return sim.predict_on_batch({node: x.reshape(len(x), 1, -1)})[probe][:, 0]


@pytest.fixture
def offset_model(model, x):
    """Linear neurons, each layer with its own gain and an offset."""
    plain = simplify(build("6x5-3c2-4-3o"))
    plain.set_weights([np.random.default_rng(4).normal(0.2, 0.6, w.shape) for w in plain.weights])
    first, second = spiking_layers(plain)
    fast, slow = LIF(max_rate=100.0), LIF(max_rate=50.0)
    return use_lif(plain, {first: fast.parameters(1.5), second: slow.parameters(4.0)})


@pytest.mark.parametrize("sigma", [0.0, 0.1])
@pytest.mark.parametrize("which", ["lif_model", "offset_model"])
def test_converter_computes_what_keras_does(request, which, sigma, x):
    lif_model = request.getfixturevalue(which)
    wanted = predict(with_smoothing(lif_model, sigma=sigma), x)
    assert np.allclose(forward(nengo_dl_converter(lif_model, sigma), x), wanted, atol=1e-4)


def equal(one, other, atol=0.0):
    return all(
        np.allclose(a, b, rtol=0, atol=atol) for a, b in zip(one.get_weights(), other.get_weights())
    )


@pytest.mark.parametrize("which", ["lif_model", "offset_model"])
def test_one_step_equals_the_same_step_in_keras(request, which, x, labels):
    lif_model = request.getfixturevalue(which)
    recipe = LIFRecipe(epochs=1, batch_size=12, sigma=0.2, learning_rate=0.01, schedule="constant")
    trained, history = train_in_nengo_dl(lif_model, (x, labels), recipe)
    soft = with_smoothing(lif_model, sigma=0.2)
    same_recipe = Recipe("rmsprop", 1, 12, 0.01, "constant", 0.0, 0.0)
    wanted = train(soft, (x, labels), same_recipe)
    assert history.loss == pytest.approx(wanted.loss, rel=1e-4)
    assert equal(trained, soft, atol=2e-4) and not equal(trained, lif_model, atol=2e-3)


def test_learns_exports_exactly_and_repeats_itself(model, x):
    y = (x[:, :, :3].mean(axis=(1, 2, 3)) > x[:, :, 2:].mean(axis=(1, 2, 3))).astype(int)
    lif_model = lif_network(model, x, LIF(max_rate=200.0, tau_rc=0.02, tau_ref=0.002, offset=0))
    before = lif_model.get_weights()
    seen = {}

    def export(sim, converter, given):
        shown = x[:4].reshape(4, 1, -1)
        node = converter.inputs[converter.model.inputs[0]]
        probe = converter.outputs[converter.model.outputs[0]]
        seen["soft"] = sim.predict_on_batch({node: shown})[probe][:, 0]
        return original(sim, converter, given)

    original, lif_training._export = lif_training._export, export
    try:
        recipe = LIFRecipe(sigma=0.1, epochs=15, batch_size=4, learning_rate=2e-2)
        trained, history = train_in_nengo_dl(lif_model, (x, y), recipe, validation=(x, y))
    finally:
        lif_training._export = original
    assert history.loss[-1] < 0.5 * history.loss[0] and history.accuracy[-1] >= 0.9
    assert history.validation_accuracy == history.accuracy
    assert np.allclose(predict(with_smoothing(trained, sigma=0.1), x[:4]), seen["soft"], atol=1e-4)
    assert all((a == b).all() for a, b in zip(before, lif_model.get_weights()))
    for old, new in zip(lif_model.layers, trained.layers):
        if hasattr(old, "parameters"):  # neurons are not trained
            assert new.parameters == old.parameters and new.sigma == 0


class Interrupted(Exception):
    pass


def test_resumed_training_equals_an_uninterrupted_one(lif_model, x, labels, tmp_path):
    path = tmp_path / "checkpoint.npz"

    def samples(epoch):
        return np.roll(x, epoch, axis=1), labels

    def until_two(epoch):
        if epoch == 2:
            raise Interrupted
        return samples(epoch)

    whole, wanted = train_in_nengo_dl(lif_model, samples, SHORT, seed=3)
    with pytest.raises(Interrupted):
        train_in_nengo_dl(lif_model, until_two, SHORT, seed=3, checkpoint=path)
    again, history = train_in_nengo_dl(lif_model, samples, SHORT, seed=3, checkpoint=path)
    assert equal(whole, again) and history.loss == wanted.loss
    with pytest.raises(ModelFileError, match="belongs to another"):
        train_in_nengo_dl(lif_model, samples, SHORT, seed=4, checkpoint=path)
    other = dataclasses.replace(SHORT, sigma=0.2)
    with pytest.raises(ModelFileError, match="belongs to another"):
        train_in_nengo_dl(lif_model, samples, other, seed=3, checkpoint=path)


def test_refusals(model, lif_model, x, labels):
    with pytest.raises(ConversionError, match="no LIF rates to train"):
        train_in_nengo_dl(model, (x, labels), SHORT)
    with pytest.raises(DataError, match="from 0 to 2"):
        train_in_nengo_dl(lif_model, (x, labels + 3), SHORT)
    with pytest.raises(DataError, match="nan"):
        train_in_nengo_dl(lif_model, (x * np.nan, labels), SHORT)
    with pytest.raises(DataError, match="nan"):
        lif_network(model, x * np.nan)
