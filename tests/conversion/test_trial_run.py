"""Networks on calibration samples: the share of steps left out, and outputs that grow."""

import dataclasses
import warnings

import numpy as np
import pytest

from nengo_tactile import engines, stack
from nengo_tactile.ann.training import predict
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.neurons import IF
from nengo_tactile.conversion.trial_run import SHARES, TrialRun
from nengo_tactile.errors import ConversionWarning
from nengo_tactile.networks.read_out import ReadOut
from tests.support import random_models
from tests.support.passes import run_on, settled_discard


@pytest.fixture(scope="module")
def model():
    layers = stack.tensorflow().keras.layers
    network = random_models.chain(
        *(layers.Dense(12, activation="relu") for _ in range(2)), layers.Dense(4), shape=(6,)
    )
    return random_models.randomised(network, 3)


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(1).random((40, 6), np.float32)


def late_run(late, n_steps=8):
    """Three outputs of two samples that come ``late`` steps late, or in the first steps alone."""
    wanted = np.array([[3.0, 1.0, 0.0], [0.0, 1.0, 2.0]])
    steps = np.arange(n_steps)[:, None, None]
    before = steps < abs(late)
    off = np.where(before, wanted[:, ::-1] * 2, wanted)
    off = off if late >= 0 else np.where(before, wanted, -wanted)
    means = np.cumsum(off, axis=0) / (steps + 1)
    return TrialRun(wanted, means.swapaxes(0, 1), ReadOut.linear((3,)))


def test_outputs_are_the_mean_over_the_last_steps(model, x):
    """As an engine reads them, for every share."""
    network = convert(model, x, IF(), n_steps=10)
    run = run_on(network.ann, network.read_out, x, 10)
    np.testing.assert_allclose(run.wanted, predict(network.ann, x), rtol=1e-5)
    for share in SHARES:
        late = dataclasses.replace(network, discard=share)
        measured = engines.run(late, x, engine="event").outputs[:, -1]
        np.testing.assert_allclose(run.outputs(share), measured, atol=1e-4 * np.abs(measured).max())


@pytest.mark.parametrize(("late", "share"), [(0, 0.0), (2, 0.25), (3, 0.5), (6, 0.75)])
def test_the_share_is_as_large_as_late_outputs_ask_for(late, share):
    assert late_run(late).best_discard() == share
    assert not late_run(late).complaints(share)


def test_a_share_that_harms_is_said():
    (complaint,) = late_run(-5).complaints(0.5)
    assert "discard is 0.5: after 8 steps 0.000 of the decisions on 2" in complaint
    assert "without spikes, 1.000 without it: leave it out" in complaint
    assert not late_run(-5).complaints(0.0)


def test_outputs_of_more_than_twice_the_size_are_said():
    run = late_run(0)
    for factor, said in ((1.99, False), (2.01, True)):
        large = TrialRun(run.wanted, factor * run.means, run.read_out)
        assert [("output on 2" in text) for text in large.complaints(0.0)] == [True] * said


def test_conversion_chooses_and_says(model, x):
    """The network gets the share whose read-out is nearest."""
    snn = convert(model, x, IF(discard="tune"), n_steps=6)
    run = run_on(snn.ann, snn.read_out, x, 6)
    distances = {share: snn.read_out.distance(run.outputs(share), run.wanted) for share in SHARES}
    assert snn.discard == min(distances, key=distances.get)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ConversionWarning)
        assert convert(model, x, IF(discard=0.8), n_steps=6).discard == 0.8
    assert "discard is 0.8: after 6 steps" in str(said[0].message)


def test_corrections_that_enlarge_the_outputs_are_said():
    """Neurons that start at many thresholds fire at every step: 1 where a tenth is right."""
    layers = stack.tensorflow().keras.layers
    identity = random_models.chain(
        layers.Dense(2, activation="relu", name="hidden"), layers.Dense(2), shape=(2,)
    )
    identity.set_weights([np.eye(2), np.zeros(2)] * 2)
    x = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    snn = convert(identity, x, IF(correction="potential", percentile=100), n_steps=10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert settled_discard(snn.ann, snn.read_out, 0.1 * x, 10, corrected=True) == 0
    snn.ann.get_layer("hidden_relu").start_potential.assign([50.0, 50.0])
    with pytest.warns(ConversionWarning, match=r"on 2 calibration samples is 1, .* it is 0\.1:"):
        settled_discard(snn.ann, snn.read_out, 0.1 * x, 10, corrected=True)
