"""Hidden activity against loops over the closed form, and against Nengo's LIF neurons."""

import nengo
import numpy as np
import pytest

from nengo_tactile.errors import DataError
from nengo_tactile.skim.activity import (
    check_pattern,
    hidden_activities,
    hidden_activity,
    prepare,
)
from nengo_tactile.skim.kernels import KINDS, draw_kernels, impulse_response
from nengo_tactile.skim.layer import HiddenLayer, draw_layer

N_STEPS, N_CHANNELS = 80, 7


def events(rng, n_samples=None):
    """Sparse patterns of small signed counts."""
    shape = (N_STEPS, N_CHANNELS) if n_samples is None else (n_samples, N_STEPS, N_CHANNELS)
    return rng.integers(-2, 3, shape) * (rng.random(shape) < 0.2).astype(float)


def currents(layer, pattern):
    """Each event's kernel, one by one, in closed form."""
    shape = impulse_response(layer.kernels, N_STEPS)
    total = np.tile(layer.bias, (N_STEPS, 1))
    for step, channel in np.argwhere(pattern):
        arrived = pattern[step, channel] * layer.input_weights[:, channel]
        total[step:] += shape[: N_STEPS - step] * arrived
    return total


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", [0, 60])
def test_tanh_by_brute_force(kind, first, rng):
    layer = draw_layer(300, N_CHANNELS, seed=1, kind=kind)  # three blocks, the last one not full
    pattern = events(rng)
    found = hidden_activity(prepare(layer), pattern, first)
    np.testing.assert_allclose(found, np.tanh(currents(layer, pattern))[first:], atol=1e-8)


def test_rectified_by_brute_force(rng):
    layer = draw_layer(10, N_CHANNELS, seed=1, nonlinearity="relu")
    pattern = events(rng)
    expected = currents(layer, pattern)
    assert (expected < 0).any()
    expected[expected < 0] = 0
    np.testing.assert_allclose(hidden_activity(prepare(layer), pattern), expected, atol=1e-10)


@pytest.mark.parametrize("kind", ["alpha", "delay-gaussian"])
def test_spikes_are_those_of_nengo(kind, rng):
    spans = {"tau": (4, 9)} | ({"delay": (0, 9)} if "delay" in kind else {})
    layer = draw_layer(20, N_CHANNELS, 1, kind, "lif", scale=10.0, **spans)
    pattern = events(rng)
    neurons = nengo.LIF(tau_rc=0.02, tau_ref=0.002, amplitude=0.001)
    state = {"voltage": np.zeros(20), "refractory_time": np.zeros(20)}
    output, trace, expected = np.zeros(20), np.zeros(20), []
    neurons.step(0.001, layer.bias.copy(), output, **state)  # currents come one step late
    assert not output.any()
    for drive in currents(layer, pattern):
        neurons.step(0.001, drive, output, **state)
        trace = np.exp(-1 / 20) * trace + (1 - np.exp(-1 / 20)) * output
        expected.append(trace)
    assert np.count_nonzero(np.diff(expected, axis=0) > 0) > 50  # there are spikes
    prepared = prepare(layer)
    np.testing.assert_allclose(hidden_activity(prepared, pattern), expected, atol=1e-8)
    np.testing.assert_allclose(hidden_activity(prepared, pattern, 70), expected[70:], atol=1e-8)


def test_samples_side_by_side_are_those_one_by_one(rng):
    prepared = prepare(draw_layer(30, N_CHANNELS, seed=2))
    patterns = events(rng, 5)
    found = hidden_activities(prepared, patterns, first=70, threads=2)
    for sample, activity in zip(patterns, found):
        np.testing.assert_array_equal(activity, hidden_activity(prepared, sample, 70))


def test_seeds_and_fingerprints():
    one, same, other = (draw_layer(9, 4, seed) for seed in (1, 1, 2))
    assert one.fingerprint() == same.fingerprint() != other.fingerprint()
    assert (one.input_weights != other.input_weights).all()
    assert np.abs(one.input_weights).max() <= 0.5  # over the root of the channels
    spiking = draw_layer(9, 4, 1, nonlinearity="lif")
    np.testing.assert_array_equal(spiking.input_weights, one.input_weights)
    assert spiking.fingerprint() != one.fingerprint()
    slower = HiddenLayer(one.input_weights, one.kernels, "tanh", one.bias, trace=30.0)
    assert slower.fingerprint() != one.fingerprint()


def layer_of(**changes):
    parts = {
        "input_weights": np.ones((3, 2)),
        "kernels": draw_kernels("alpha", 3, 0),
        "nonlinearity": "tanh",
        "bias": np.zeros(3),
    }
    return HiddenLayer(**{**parts, **changes})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layer_of(nonlinearity="cube"), "'cube': choose one of tanh"),
        (lambda: layer_of(input_weights=np.ones((4, 2))), r"\(4, 2\).*kernels for 3 hidden"),
        (lambda: layer_of(bias=np.zeros(4)), r"bias has shape \(4,\)"),
        (lambda: layer_of(bias=np.full(3, np.nan)), "bias has 3 values"),
        (lambda: layer_of(tau_rc=0.0), r"tau_rc is 0\.0 steps"),
        (lambda: layer_of(tau_ref=-1.0), r"tau_ref is -1\.0 steps"),
        (lambda: draw_layer(3, 0, 0), "for 0 channels"),
        (lambda: draw_layer(0, 3, 0), "for 0 neurons"),
        (lambda: draw_layer(3, 3, 0, scale=0), "scale of the input weights is 0"),
        (lambda: draw_layer(3, 3, 0, nonlinearity="cube"), "'cube': choose"),
        (lambda: check_pattern(np.ones((5, 2)), 5, 3, "sample 4: "), r"sample 4: .*\(5, 2\)"),
        (lambda: check_pattern(np.full((5, 2), np.inf), 5, 2), "10 values that are not finite"),
    ],
)
def test_bad_use_is_refused(make, message):
    with pytest.raises(DataError, match=message):
        make()
