"""Kernels: recursions against closed forms and a brute-force convolution."""

import numpy as np
import pytest

from nengo_tactile.errors import DataError
from nengo_tactile.skim.kernels import (
    KINDS,
    RANGES,
    SMALLEST,
    Kernels,
    draw_kernels,
    impulse_response,
    recursion,
    response,
)


def impulse(n_steps, n_neurons, at=0):
    currents = np.zeros((n_steps, n_neurons))
    currents[at] = 1
    return currents


@pytest.mark.parametrize("kind", KINDS)
def test_recursion_has_the_closed_form_as_impulse_response(kind):
    kernels = draw_kernels(kind, 23, seed=1)
    found = response(kernels, impulse(360, 23))
    np.testing.assert_allclose(found, impulse_response(kernels, 360), atol=2 * SMALLEST)


@pytest.mark.parametrize("kind", KINDS)
def test_response_is_the_convolution(kind, rng):
    kernels = draw_kernels(kind, 6, seed=2)
    currents = rng.normal(size=(90, 6))
    shape = impulse_response(kernels, 90)
    expected = np.zeros_like(currents)
    for step in range(90):
        for since in range(step + 1):
            expected[step] += shape[since] * currents[step - since]
    np.testing.assert_allclose(response(kernels, currents), expected, atol=1e-7)
    np.testing.assert_allclose(response(kernels, currents, first=70), expected[70:], atol=1e-7)


def test_closed_forms_by_hand():
    k = np.arange(50.0)
    cases = {
        "leaky": (Kernels("leaky", [7.0]), np.exp(-k / 7)),
        "alpha": (Kernels("alpha", [7.0]), k / 7 * np.exp(1 - k / 7)),
        "delay-alpha": (
            Kernels("delay-alpha", [7.0], [3]),
            np.where(k < 3, 0, (k - 3) / 7 * np.exp(1 - (k - 3) / 7)),
        ),
        "delay-gaussian": (
            Kernels("delay-gaussian", [7.0], [3]),
            np.where(k < 3, 0, np.exp(-((k - 3) ** 2) / 98)),
        ),
    }
    for kernels, expected in cases.values():
        np.testing.assert_allclose(impulse_response(kernels, 50)[:, 0], expected, atol=1e-15)
    wave = impulse_response(Kernels("resonance", [30.0], period=[40.0]), 50)[:, 0]
    shape = np.exp(-k / 30) * np.sin(2 * np.pi * k / 40)
    np.testing.assert_allclose(wave[1:] / wave[1], shape[1:] / shape[1], atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_peaks_are_one_and_100_steps_after_the_spike_on_average(kind):
    kernels = draw_kernels(kind, 500, seed=0)
    shape = impulse_response(kernels, 400)
    np.testing.assert_allclose(shape.max(0), 1, atol=0.01)
    if kind in ("alpha", "delay-alpha", "delay-gaussian"):
        assert abs(shape.argmax(0).mean() - 100) < 5


def test_draws_follow_the_seed_and_the_ranges():
    one, same, other = (draw_kernels("delay-alpha", 40, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.tau, same.tau)
    np.testing.assert_array_equal(one.delay, same.delay)
    assert (one.tau != other.tau).all()
    low, high = RANGES["delay-alpha"]["tau"]
    assert (low <= one.tau).all() and (one.tau <= high).all()
    kept = draw_kernels("alpha", 40, 0, tau=(5, 6))
    assert 5 <= kept.tau.min() < kept.tau.max() <= 6


def test_part_takes_some_neurons():
    kernels = draw_kernels("delay-alpha", 10, seed=0)
    part = kernels.part(slice(2, 5))
    np.testing.assert_array_equal(impulse_response(part, 99), impulse_response(kernels, 99)[:, 2:5])


def test_weights_hold_delay_and_taps():
    steps = recursion(Kernels("delay-gaussian", [1.0, 2.0], [0, 3]))
    weights = steps.weights
    assert weights[0, 0] == weights[3, 1] == 1
    assert (weights[:3, 1] == 0).all()
    assert weights[5, 1] == pytest.approx(np.exp(-0.5))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: draw_kernels("beta", 3, 0), "'beta': choose one of leaky"),
        (lambda: draw_kernels("alpha", 0, 0), "for 0 neurons"),
        (lambda: draw_kernels("alpha", 3, 0, tau=(9, 2)), "from 9 to 2 steps"),
        (lambda: draw_kernels("alpha", 3, 0, delay=(0, 2)), "take tau: delay is one too many"),
        (lambda: Kernels("resonance", [3.0]), "take tau and period: period is missing"),
        (lambda: Kernels("beta", [3.0]), "'beta': choose one of"),
        (lambda: Kernels("alpha", [3.0, 0.0]), "tau of 'alpha' kernels is 0.0 steps for neuron 1"),
        (lambda: Kernels("alpha", [np.nan]), "nan steps for neuron 0"),
        (lambda: Kernels("alpha", [[3.0]]), r"shape \(1, 1\)"),
        (lambda: Kernels("delay-alpha", [3.0], [0.5]), "must be whole and from 0"),
        (
            lambda: Kernels("delay-alpha", [3.0], [1, 2]),
            r"shape \(2,\).*tau, whose shape is \(1,\)",
        ),
        (lambda: Kernels("resonance", [3.0], period=[1.0]), "must be from 2"),
        (lambda: response(Kernels("alpha", [3.0]), np.zeros((5, 2))), r"give \(n_steps, 1\)"),
    ],
)
def test_bad_kernels_are_refused(make, message):
    with pytest.raises(DataError, match=message):
        make()
