"""Spiking neurons over time against explicit loops over closed-form kernels, and back."""

import numpy as np
import pytest
from scipy.integrate import trapezoid

from nengo_tactile.errors import ConversionError
from nengo_tactile.slayer.delays import delayed
from nengo_tactile.slayer.dynamics import spikes_of, tf
from nengo_tactile.slayer.dynamics_kernel import BLOCK
from nengo_tactile.slayer.neurons import (
    CurrentBasedLIF,
    SpikeResponseModel,
    alpha,
    from_config,
    to_config,
)
from nengo_tactile.slayer.surrogates import KINDS, Surrogate

MODELS = [
    SpikeResponseModel(5.0, 5.0),
    SpikeResponseModel(1.0, 1.0, threshold=2.0),
    SpikeResponseModel(10.0, 3.0, refractory=0.0),
    CurrentBasedLIF(0.25, 0.03, threshold=3.0),
    CurrentBasedLIF(1.0, 1.0),
]


def potentials(model, current, recurrent=None):
    """Potentials and spikes of neurons, (n_steps, n_neurons), by sums over all steps before."""
    n_steps, n = current.shape
    response = model.response(n_steps)
    drive = current.copy()
    u, s = np.zeros((n_steps, n)), np.zeros((n_steps, n))
    for t in range(n_steps):
        if recurrent is not None and t:
            drive[t] += s[t - 1] @ recurrent
        if model.kind == "spike-response":
            nu = model.refractoriness(n_steps)
            for k in range(t + 1):
                u[t] += response[k] * drive[t - k] + nu[k] * s[t - k]
        else:
            for j in range(n):
                # the voltage that a current leaves; of what came before the last spike's step
                # only the current is left
                began = max((i + 1 for i in range(t) if s[i, j]), default=0)
                for step in range(began, t + 1):
                    i = sum(
                        (1 - model.current_decay) ** (step - k) * drive[k, j]
                        for k in range(step + 1)
                    )
                    u[t, j] += (1 - model.voltage_decay) ** (t - step) * i
        s[t] = u[t] >= model.threshold
    return u, s


def derivative(surrogate, u, threshold):
    x = abs(u - threshold) / (surrogate.width * threshold)
    height = surrogate.scale / (surrogate.width * threshold)
    if surrogate.kind == "exponential":
        return height * np.exp(-x)
    if surrogate.kind == "linear":
        return height * max(0.0, 1 - x)
    return height / (1 + x) ** 2


def assigned(model, surrogate, u, errors, recurrent=None):
    """Errors at the currents, (n_steps, n_neurons), by sums over all steps behind."""
    n_steps, n = u.shape
    response = model.response(n_steps)
    at_current = np.zeros_like(u)
    at_potential = np.zeros_like(u)
    for t in reversed(range(n_steps)):
        for j in range(n):
            error = errors[t, j]
            if recurrent is not None and t + 1 < n_steps:
                error += sum(at_current[t + 1, i] * recurrent[j, i] for i in range(n))
            at_potential[t, j] = error * derivative(surrogate, u[t, j], model.threshold)
            for k in range(n_steps - t):
                at_current[t, j] += response[k] * at_potential[t + k, j]
    return at_current


def drawn(model, n_steps=40, n=4, samples=3, seed=0):
    rng = np.random.default_rng(seed)
    return model.threshold * rng.normal(0.15, 0.5, (samples, n_steps, n))


@pytest.mark.parametrize("model", MODELS, ids=range(len(MODELS)))
@pytest.mark.parametrize("recurs", [False, True])
def test_spikes_and_gradients_are_those_of_loops(model, recurs):
    current, surrogate = drawn(model), Surrogate("exponential", 0.7, 2.0)
    rng = np.random.default_rng(1)
    recurrent = model.threshold * rng.normal(0, 0.3, (4, 4)) if recurs else None
    errors = rng.normal(size=current.shape)
    inputs = tf.constant(current)
    weights = None if recurrent is None else tf.constant(recurrent)
    with tf.GradientTape() as tape:
        tape.watch([inputs] if weights is None else [inputs, weights])
        spikes = spikes_of(inputs, model, surrogate, weights)
    found = tape.gradient(
        spikes, [inputs] if weights is None else [inputs, weights], tf.constant(errors)
    )
    by_weights = np.zeros((4, 4))
    for number, sample in enumerate(current):
        u, s = potentials(model, sample, recurrent)
        np.testing.assert_array_equal(spikes[number], s)
        wanted = assigned(model, surrogate, u, errors[number], recurrent)
        np.testing.assert_allclose(found[0][number], wanted, rtol=1e-9, atol=1e-12)
        for t in range(len(s) - 1):
            by_weights += np.outer(s[t], wanted[t + 1])
    assert 0.02 < spikes.numpy().mean() < 0.9
    if recurs:
        np.testing.assert_allclose(found[1], by_weights, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_all_surrogates_are_those_of_loops(kind):
    model, surrogate = MODELS[0], Surrogate(kind, 0.7, 2.0)
    current = drawn(model)
    errors = np.random.default_rng(1).normal(size=current.shape)
    inputs = tf.constant(current)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        spikes = spikes_of(inputs, model, surrogate)
    found = tape.gradient(spikes, inputs, tf.constant(errors))
    for number, sample in enumerate(current):
        u, _ = potentials(model, sample)
        wanted = assigned(model, surrogate, u, errors[number])
        np.testing.assert_allclose(found[number], wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("model", [MODELS[0], MODELS[3]], ids=["response", "current"])
def test_neurons_are_the_same_in_whatever_company(model):
    """They run in blocks, of which the last is not full: each alone does the same."""
    n, few = 2 * BLOCK + 76, [0, BLOCK - 1, BLOCK, 2 * BLOCK, 2 * BLOCK + 75]
    current, errors = drawn(model, 20, n, 3), np.random.default_rng(2).normal(size=(3, 20, n))
    found = []
    for chosen in (slice(None), few):
        inputs = tf.constant(current[..., chosen])
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            spikes = spikes_of(inputs, model, Surrogate())
        gradient = tape.gradient(spikes, inputs, tf.constant(errors[..., chosen]))
        found.append((spikes.numpy(), gradient.numpy()))
    (spikes, gradient), (wanted, back) = found
    assert spikes[..., few].any()
    np.testing.assert_array_equal(spikes[..., few], wanted)
    np.testing.assert_allclose(gradient[..., few], back, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", MODELS, ids=range(len(MODELS)))
def test_single_precision(model, kind):
    """Training is in float32: spikes differ at ties alone, gradients by rounding."""
    current, surrogate = drawn(model, 60, 8, 4), Surrogate(kind)
    found = []
    for dtype in (tf.float32, tf.float64):
        inputs = tf.constant(current, dtype)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            spikes = spikes_of(inputs, model, surrogate)
        gradient = tape.gradient(spikes, inputs)
        assert spikes.dtype == dtype
        found.append((spikes.numpy(), gradient.numpy()))
    (spikes, gradient), (exact, wanted) = found
    same = (spikes == exact).all((1, 2))
    assert same.mean() >= 0.75
    np.testing.assert_allclose(gradient[same], wanted[same], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_surrogates(kind):
    surrogate = Surrogate(kind, width=0.3, scale=1.5)
    u = np.linspace(-300, 320, 400_001)
    rho = surrogate.derivative(tf.constant(u), 10.0).numpy()
    wanted = [derivative(surrogate, value, 10.0) for value in u[::1000]]
    np.testing.assert_allclose(rho[::1000], wanted, rtol=1e-12)
    # integrals over the potential; a half-sigmoid has what lies outside left
    integral = trapezoid(rho, u)
    whole = {"exponential": 3.0, "linear": 1.5, "half-sigmoid": 3.0 - 2 * 1.5 / (1 + 310 / 3)}
    np.testing.assert_allclose(integral, whole[kind], rtol=1e-4)
    assert rho.argmax() == abs(u - 10).argmin()


def test_one_spike_in_closed_form():
    """One unit of current leaves the kernel; a spike the refractory kernel."""
    model = SpikeResponseModel(4.0, 2.0)
    current = np.zeros((1, 30, 1))
    current[0, 3] = 10.0  # the peak of the kernel is at the threshold, 4 steps later
    spikes = spikes_of(tf.constant(current), model, Surrogate()).numpy()[0, :, 0]
    np.testing.assert_array_equal(np.flatnonzero(spikes), [7])
    assert model.response(10)[4] == 1 == alpha(2.0, 10)[2]
    assert model.refractoriness(10)[2] == -20


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_delays(dtype):
    rng = np.random.default_rng(0)
    spikes = (rng.random((3, 12, 5)) < 0.4).astype(dtype)
    delays = np.array([0.0, 0.99, 1.0, 4.5, 20.0], dtype)
    errors = rng.normal(size=spikes.shape).astype(dtype)
    tensors = [tf.constant(spikes), tf.constant(delays)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        arrived = delayed(*tensors)
    by_spikes, by_delays = tape.gradient(arrived, tensors, tf.constant(errors))
    wanted, back, slopes = np.zeros_like(spikes), np.zeros_like(spikes), np.zeros(5)
    for sample in range(3):
        for t in range(12):
            for j, steps in enumerate((0, 0, 1, 4, 20)):
                if t >= steps:
                    wanted[sample, t, j] = spikes[sample, t - steps, j]
                    back[sample, t - steps, j] = errors[sample, t, j]
    for sample in range(3):
        for t in range(12):
            before = wanted[sample, t - 1] if t else 0
            slopes -= errors[sample, t] * (wanted[sample, t] - before)
    np.testing.assert_array_equal(arrived, wanted)
    np.testing.assert_array_equal(by_spikes, back)
    np.testing.assert_allclose(by_delays, slopes, rtol=1e-4, atol=1e-6)


def test_delay_gradient_is_that_of_the_filtered_spikes():
    """What slayerPytorch computes: the slope of the filtered spikes against errors there."""
    rng = np.random.default_rng(0)
    n_steps = 60
    kernel = np.zeros(n_steps)
    kernel[:20] = alpha(3.0, 20)
    spikes = np.zeros(n_steps)
    spikes[rng.integers(0, 30, 8)] = 1  # so that nothing is lost at the end
    errors = np.zeros(n_steps)
    errors[:55] = rng.normal(size=55)
    arrived = np.roll(spikes, 2)
    filtered = np.convolve(arrived, kernel)[:n_steps]
    wanted = -(errors * np.diff(filtered, prepend=0)).sum()
    at_spikes = np.array([kernel[: n_steps - t] @ errors[t:] for t in range(n_steps)])
    delays = tf.constant([2.0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(delays)
        out = delayed(tf.constant(spikes[None, :, None]), delays)
    found = tape.gradient(out, delays, tf.constant(at_spikes[None, :, None]))
    np.testing.assert_allclose(found, [wanted], rtol=1e-9)


@pytest.mark.parametrize("model", MODELS, ids=range(len(MODELS)))
def test_models_as_values(model):
    assert from_config(to_config(model)) == model
    assert from_config(model) is model


def test_time_constant_of_current_based_neurons():
    # equal decays: the response is an alpha function, a step earlier
    equal = CurrentBasedLIF(0.3, 0.3)
    ratio = equal.response(40) / alpha(equal.tau_s, 41)[1:]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)
    # others: the alpha function lags as much on average; both decays are slow against a step
    other, steps = CurrentBasedLIF(0.02, 0.01), np.arange(4000)
    lags = [w @ steps / w.sum() for w in (other.response(4000), alpha(other.tau_s, 4000))]
    assert lags[0] == pytest.approx(lags[1], rel=0.01)
    assert CurrentBasedLIF(1.0, 1.0).tau_s == 0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SpikeResponseModel(tau_s=0), "tau_s is 0: .*above zero"),
        (lambda: SpikeResponseModel(tau_r=float("nan")), "tau_r is nan"),
        (lambda: SpikeResponseModel(threshold=-1), "threshold is -1"),
        (lambda: SpikeResponseModel(refractory=-0.1), "refractory is -0.1: .*from zero"),
        (lambda: CurrentBasedLIF(current_decay=0), "current_decay is 0"),
        (lambda: CurrentBasedLIF(voltage_decay=1.5), "voltage_decay is 1.5"),
        (lambda: CurrentBasedLIF(threshold=0), "threshold is 0"),
        (lambda: Surrogate("step"), "'step' is unknown"),
        (lambda: Surrogate(width=0), "width is 0"),
        (lambda: from_config({"kind": "izhikevich"}), "'izhikevich' is unknown"),
    ],
)
def test_bad_values(make, words):
    with pytest.raises(ConversionError, match=words):
        make()
