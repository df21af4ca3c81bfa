"""OPIUM against the ridge solution of all observations, and against loops by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_tactile.errors import DataError, ModelFileError
from nengo_tactile.memory import available_bytes
from nengo_tactile.skim import opium
from nengo_tactile.skim.memory import check_fits
from tests.support.measures import relative
from tests.support.skim_networks import ridge_solution


def problem(seed, n_seen, n_hidden, n_outputs):
    rng = np.random.default_rng(seed)
    # activities of tanh neurons: bounded, correlated
    x = np.tanh(rng.normal(size=(n_seen, 4)) @ rng.normal(size=(4, n_hidden)))
    x += 0.1 * rng.normal(size=x.shape)
    return x, rng.normal(size=(n_seen, n_outputs))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_seen=st.integers(1, 150),
    n_hidden=st.integers(1, 40),
    n_outputs=st.integers(1, 10),
    ridge=st.floats(0.01, 100),
)
def test_opium_is_the_ridge_solution(seed, n_seen, n_hidden, n_outputs, ridge):
    x, y = problem(seed, n_seen, n_hidden, n_outputs)
    state = opium.start(n_outputs, n_hidden, ridge)
    for now, target in zip(x, y):
        opium.opium(state.weights, state.inverse, now, target)
    assert relative(state.weights, ridge_solution(x, y, ridge)) < 1e-6
    inverse = np.linalg.inv(x.T @ x + ridge * np.eye(n_hidden))
    assert relative(state.inverse, inverse) < 1e-6


@pytest.mark.parametrize("forgetting", [0.9, 0.99])
def test_forgetting_is_the_ridge_solution_of_fading_observations(forgetting):
    x, y = problem(1, 60, 12, 3)
    state = opium.start(3, 12, ridge=2.0)
    for now, target in zip(x, y):
        opium.opium(state.weights, state.inverse, now, target, forgetting)
    counts = forgetting ** np.arange(59, -1, -1)
    expected = ridge_solution(x, y, 2.0 * forgetting**60, counts)
    assert relative(state.weights, expected) < 1e-6


def test_errors_are_those_before_the_update():
    x, y = problem(2, 20, 5, 2)
    state = opium.start(2, 5)
    for step, (now, target) in enumerate(zip(x, y)):
        before = ridge_solution(x[:step], y[:step], 1.0)
        error = opium.opium(state.weights, state.inverse, now, target)
        np.testing.assert_allclose(error, target - before @ now, atol=1e-10)


def test_light_by_hand():
    x, y = problem(3, 30, 6, 2)
    weights = np.zeros((2, 6))
    expected = np.zeros((2, 6))
    for now, target in zip(x, y):
        opium.opium_light(weights, now, target, gain=0.5)
        norm = 2.0 + sum(value**2 for value in now)
        errors = [target[i] - sum(expected[i] * now) for i in range(2)]
        for i in range(2):
            for j in range(6):
                expected[i, j] += errors[i] * now[j] / norm
    np.testing.assert_allclose(weights, expected, atol=1e-12)


def test_light_learns_one_observation_at_once_with_a_large_gain():
    x, y = problem(4, 1, 6, 2)
    weights = np.zeros((2, 6))
    opium.opium_light(weights, x[0], y[0], gain=1e12)
    np.testing.assert_allclose(weights @ x[0], y[0], rtol=1e-9)


@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_dynamic_by_hand(alpha):
    x, y = problem(5, 30, 6, 3)
    state = opium.start(3, 6)
    p, m = np.eye(6), np.zeros((3, 6))
    for now, target in zip(x, y):
        opium.opium_dynamic(state.weights, state.inverse, now, target, alpha)
        column, error = now[:, None], (target - m @ now)[:, None]
        size = 1 - math.exp(-math.sqrt(float((error.T @ error)[0, 0])) / 3)
        m = m + error @ (p @ column).T / (1 + column.T @ p @ column)
        p = p - p @ column @ column.T @ p / (1 + column.T @ p @ column)
        p = (p + alpha * np.eye(6) * size) / (1 + alpha * size)
    np.testing.assert_allclose(state.weights, m, atol=1e-10)
    np.testing.assert_allclose(state.inverse, p, atol=1e-10)


def test_dynamic_follows_a_change_that_opium_averages_over():
    x, y = problem(6, 400, 5, 1)
    first, then = np.ones(5), -np.ones(5)
    y[:200, 0], y[200:, 0] = x[:200] @ first, x[200:] @ then
    state, still = opium.start(1, 5), opium.start(1, 5)
    for now, target in zip(x, y):
        opium.opium_dynamic(state.weights, state.inverse, now, target, alpha=0.5)
        opium.opium(still.weights, still.inverse, now, target)
    assert np.abs(state.weights[0] - then).max() < 0.1
    assert np.abs(still.weights[0] - then).max() > 0.5


def test_training_goes_on_from_a_file(tmp_path):
    x, y = problem(7, 40, 8, 2)
    state = opium.start(2, 8)
    for now, target in zip(x[:25], y[:25]):
        opium.opium(state.weights, state.inverse, now, target)
    opium.save_state(tmp_path / "state.npz", state)
    state = opium.load_state(tmp_path / "state.npz")
    for now, target in zip(x[25:], y[25:]):
        opium.opium(state.weights, state.inverse, now, target)
    assert relative(state.weights, ridge_solution(x, y, 1.0)) < 1e-6
    light = opium.OpiumState(state.weights)
    opium.save_state(tmp_path / "state.npz", light)
    assert opium.load_state(tmp_path / "state.npz").inverse is None
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "state.npz"
    with pytest.raises(ModelFileError, match="cannot be read"):
        opium.load_state(path)
    path.write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(ModelFileError, match=r"state\.npz"):
        opium.load_state(path)
    np.savez(path, weights=np.zeros((2, 3)), inverse=np.eye(4))
    with pytest.raises(ModelFileError, match=r"shape \(4, 4\)"):
        opium.load_state(path)
    np.savez(path, weights=np.full((2, 3), np.nan))
    with pytest.raises(ModelFileError, match="6 values that are not finite"):
        opium.load_state(path)


@pytest.mark.parametrize("ridge", [0.0, -1.0, np.inf, np.nan])
def test_bad_ridges_are_refused(ridge):
    with pytest.raises(DataError, match=f"ridge is {ridge}"):
        opium.start(1, 2, ridge)


def test_weights_have_two_axes():
    with pytest.raises(DataError, match=r"shape \(3,\)"):
        opium.OpiumState(np.zeros(3))


def test_sizes_beyond_memory_are_refused():
    with pytest.raises(DataError, match=r"OPIUM with 10000000 hidden neurons needs 1600000\.0 GB"):
        opium.start(10, 10_000_000)
    with pytest.raises(DataError, match=r"0\.4 GB of memory, but 0\.1 GB are free.*\(about 500\)"):
        check_fits("training", 1000, needed=4e8, available=1e8)
    check_fits("training", 1000, needed=1e8, available=1e8)
    assert 1e8 < available_bytes() < 1e14
