"""Encoders against closed forms."""

import numpy as np
import pytest

from nengo_tactile.errors import DataError
from nengo_tactile.events.encoders import (
    constant_current,
    delay_spikes,
    poisson_spikes,
    spike_delays,
)


def test_constant_current_repeats_without_copying(rng):
    values = rng.random((3, 4, 5, 1))
    steps = constant_current(values, 7)
    assert steps.shape == (3, 7, 4, 5, 1)
    assert (steps == values[:, None]).all()
    assert np.shares_memory(steps, values)


def test_poisson_rate_is_that_of_at_least_one_event_a_step():
    values = np.array([[0.0, 0.1, 0.5, 1.0]])
    n_steps, dt, max_rate = 100_000, 1e-3, 400.0
    share = poisson_spikes(values, n_steps, dt, max_rate, seed=1).mean(axis=1)[0]
    wanted = 1 - np.exp(-values[0] * max_rate * dt)
    sd = np.sqrt(wanted * (1 - wanted) / n_steps)
    assert (np.abs(share - wanted) <= 5 * sd).all()
    assert share[0] == 0


def test_poisson_steps_are_independent():
    spikes = poisson_spikes(np.full((1, 1), 0.5), 200_000, 1e-3, 500.0, 2)[0, :, 0].astype(float)
    correlation = np.corrcoef(spikes[1:], spikes[:-1])[0, 1]
    assert abs(correlation) < 5 / np.sqrt(200_000)


def test_poisson_seed_decides():
    values = np.full((2, 3), 0.3)
    first = poisson_spikes(values, 50, 1e-3, 300.0, 4)
    np.testing.assert_array_equal(first, poisson_spikes(values, 50, 1e-3, 300.0, 4))
    assert (first != poisson_spikes(values, 50, 1e-3, 300.0, 5)).any()


def test_delays_are_linear_bright_first_dark_silent():
    delays = spike_delays(np.array([1.0, 0.6, 0.2, 0.0]))
    np.testing.assert_allclose(delays, [0.0, 0.4, np.inf, np.inf])
    # the closed form with the paper's constants is 1 - v
    values = np.linspace(0.21, 1, 50)
    np.testing.assert_allclose(spike_delays(values), 1 - values, atol=1e-12)
    np.testing.assert_allclose(spike_delays(np.array([0.5]), 0.0, 2.0), [1.0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_cut_itself_is_silent_in_any_precision(dtype):
    grey = np.arange(256, dtype=dtype) / dtype(255)
    silent = np.isinf(spike_delays(grey))
    assert silent.sum() == 52 and silent[:52].all()


def test_delay_spikes_match_a_loop(rng):
    values = rng.random((4, 3, 2))
    spikes = delay_spikes(values, 18, 0.05)
    wanted = np.zeros((4, 18, 3, 2), int)
    for index in np.ndindex(values.shape):
        if values[index] > 0.2:
            step = int((1 - values[index]) / 0.05)
            wanted[(index[0], step, *index[1:])] = 1
    np.testing.assert_array_equal(spikes, wanted)
    assert spikes.sum(axis=1).max() <= 1


def test_delays_on_an_edge_belong_to_the_later_step():
    spikes = delay_spikes(np.array([[1.0, 0.9, 0.3]]), 9, 0.1)
    assert spikes[0].argmax(axis=0).tolist() == [0, 1, 7]


@pytest.mark.parametrize("encode", [
    lambda v: constant_current(v, 3),
    lambda v: poisson_spikes(v, 3, 1e-3, 100.0, 0),
    lambda v: delay_spikes(v, 20, 0.1),
])  # fmt: skip
def test_nan_is_named(encode):
    values = np.array([[0.5, np.nan]])
    with pytest.raises(DataError, match=r"value at index \(0, 1\) is nan"):
        encode(values)


def test_values_outside_0_to_1_are_refused():
    with pytest.raises(DataError, match=r"index \(0,\) is 1.5; wanted 0 to 1"):
        spike_delays(np.array([1.5]))
    with pytest.raises(DataError, match=r"is -0\.5"):
        poisson_spikes(np.array([[-0.5]]), 3, 1e-3, 100.0, 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: constant_current(np.float64(1), 3), "not a scalar"),
        (lambda: constant_current(np.ones((1, 1)), 0), "n_steps is 0"),
        (lambda: poisson_spikes(np.ones((1, 1)), 3, 0, 100.0, 0), "dt is 0"),
        (lambda: poisson_spikes(np.ones((1, 1)), 3, 1e-3, -1, 0), "max_rate is -1"),
        (lambda: spike_delays(np.ones(1), silent_up_to=1.0), "silent_up_to is 1.0"),
        (lambda: spike_delays(np.ones(1), span=0), "span is 0"),
        (lambda: delay_spikes(np.ones((1, 1)), 5, 0), "dt is 0"),
        (lambda: delay_spikes(np.ones((1, 1)), 8, 0.1), "give at least 9 steps"),
    ],
)
def test_bad_parameters_are_named(call, message):
    with pytest.raises(DataError, match=message):
        call()
