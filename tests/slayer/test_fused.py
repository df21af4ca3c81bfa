"""Layers in one pass against loops over pixels and taps in double precision; their gradients."""

import os
import subprocess
import sys

import numpy as np
import pytest

from nengo_tactile.slayer import build, dynamics, fused
from nengo_tactile.slayer.layers import AggregatePooling2D, SpikingConv2D, SpikingDense
from nengo_tactile.slayer.neurons import CurrentBasedLIF, SpikeResponseModel
from nengo_tactile.slayer.surrogates import KINDS, Surrogate
from tests.support.processors import AVX2, needs_avx2

tf = dynamics.tf
RESPONSE, CURRENT = SpikeResponseModel(3.0, 4.0, threshold=4.0), CurrentBasedLIF(0.5, 0.25, 4.0)


def spots(shape, n_steps, samples=3, share=0.1, seed=0):
    """Spikes, some of them worth two, (n_samples, n_steps, *shape) float32."""
    rng = np.random.default_rng(seed)
    shape = (samples, n_steps, *shape)
    return ((rng.random(shape) < share) * rng.integers(1, 3, shape)).astype(np.float32)


def quarters(shape, seed=1):
    """Weights whose sums have no rounding, float32."""
    return (np.random.default_rng(seed).integers(-8, 9, shape) / 4).astype(np.float32)


def taps(window):
    """Of each output pixel: the input pixels and taps of the kernel that it meets."""
    (rows, columns), (above, left) = window.sides, window.pads
    height, width, _ = window.input_shape
    for y, x, i, j in np.ndindex(rows, columns, window.size, window.size):
        from_y, from_x = y * window.stride + i - above, x * window.stride + j - left
        if 0 <= from_y < height and 0 <= from_x < width:
            yield (y, x), (from_y, from_x), (i, j)


def convolved(window, spikes, weights):
    """Currents, pixel by pixel and tap by tap."""
    found = np.zeros((*spikes.shape[:2], *window.sides, window.filters))
    for (y, x), (i, j), tap in taps(window):
        found[:, :, y, x] += spikes[:, :, i, j].astype(float) @ weights[tap]
    return found


def given_back(window, spikes, weights, assigned):
    """Errors of spikes and of weights from those of currents, likewise."""
    by_spikes, by_weights = np.zeros(spikes.shape), np.zeros(weights.shape)
    for (y, x), (i, j), tap in taps(window):
        error = assigned[:, :, y, x]
        by_spikes[:, :, i, j] += error @ weights[tap].T
        by_weights[tap] += np.einsum("ntc,ntf->cf", spikes[:, :, i, j].astype(float), error)
    return by_spikes, by_weights


def answered(currents, model, surrogate, errors):
    """Spikes of currents in double precision, and errors of currents: see test_dynamics."""
    flat = tf.constant(currents.reshape(*currents.shape[:2], -1))
    with tf.GradientTape() as tape:
        tape.watch(flat)
        spikes = dynamics.spikes_of(flat, model, surrogate)
    assigned = tape.gradient(spikes, flat, tf.constant(errors, tf.float64))
    return spikes.numpy(), assigned.numpy().reshape(currents.shape)


def in_one_pass(window, spikes, weights, model, surrogate, errors, learns_alone=False):
    """Spikes, their numbers, and errors of spikes and weights."""
    flat = tf.constant(spikes.reshape(*spikes.shape[:2], -1))
    weights = tf.constant(weights)
    with tf.GradientTape() as tape:
        tape.watch([flat, weights])
        told = window, model, surrogate, learns_alone
        fired, counts = fused.spikes_of(flat, weights, *told)
    by_spikes, by_weights = tape.gradient(fired, [flat, weights], tf.constant(errors, tf.float32))
    return fired.numpy(), counts.numpy(), by_spikes.numpy().reshape(spikes.shape), by_weights


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5 * abs(wanted).max())


#: Input shape, filters, size, stride, padding, steps: rows of less and more than a vector, a
#: group of vectors and a tile; steps that fill chunks and tiles, and that do not.
WINDOWS = {
    "same": ((6, 7, 3), 5, 3, 1, "same", 37),
    "valid": ((6, 5, 2), 24, 2, 1, "valid", 16),
    "even-same": ((5, 5, 4), 8, 4, 1, "same", 9),
    "strided": ((9, 8, 2), 6, 5, 2, "same", 20),
    "gaps": ((8, 9, 2), 17, 2, 3, "valid", 11),
    "left-over": ((5, 5, 1), 4, 2, 2, "valid", 10),
    "wide": ((3, 12, 20), 9, 3, 1, "same", 33),
    "point": ((4, 3, 5), 33, 1, 1, "valid", 8),
    "dense": ((1, 1, 78), 36, 1, 1, "valid", 26),
    "dense-straight": ((1, 1, 48), 70, 1, 1, "valid", 72),
    "one": ((1, 1, 1), 1, 1, 1, "valid", 1),
}


@pytest.mark.parametrize("model", [RESPONSE, CURRENT], ids=["response", "current"])
@pytest.mark.parametrize("name", WINDOWS)
def test_spikes_and_gradients_are_those_of_loops(name, model):
    shape, filters, size, stride, padding, n_steps = WINDOWS[name]
    window = fused.Window(shape, filters, size, stride, padding)
    spikes, weights = spots(shape, n_steps), quarters((size, size, shape[2], filters))
    known = tf.nn.conv2d(spikes[:, 0], weights, stride, padding.upper())
    currents = convolved(window, spikes, weights)
    np.testing.assert_array_equal(currents[:, 0], known)
    surrogate = Surrogate(KINDS[len(name) % 3], 0.7, 2.0)
    errors = np.random.default_rng(2).normal(size=(3, n_steps, known[0].numpy().size))
    wanted, assigned = answered(currents, model, surrogate, errors)
    by_spikes, by_weights = given_back(window, spikes, weights, assigned)
    for alone in (False, True):
        found = in_one_pass(window, spikes, weights, model, surrogate, errors, alone)
        np.testing.assert_array_equal(found[0], wanted)
        np.testing.assert_array_equal(found[1], wanted.sum((1, 2)))
        close(found[2], by_spikes)
        close(found[3], by_weights)
    if name != "one":
        assert 0 < wanted.mean() < 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_surrogate(kind):
    window, surrogate = fused.Window((1, 1, 9), 20), Surrogate(kind, 0.3, 1.5)
    spikes, weights = spots((1, 1, 9), 40, share=0.3), quarters((1, 1, 9, 20))
    errors = np.random.default_rng(2).normal(size=(3, 40, 20))
    told = convolved(window, spikes, weights), RESPONSE, surrogate, errors
    by_spikes, by_weights = given_back(window, spikes, weights, answered(*told)[1])
    found = in_one_pass(window, spikes, weights, RESPONSE, surrogate, errors)
    close(found[2], by_spikes)
    close(found[3], by_weights)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("channels", [1, 20])
def test_pooling_is_a_sum_over_windows(size, channels):
    shape = (7, 8, channels)
    pooling, spikes = fused.Pooling(shape, size), spots(shape, 21)
    rows, columns = 7 // size, 8 // size
    inside = spikes[:, :, : rows * size, : columns * size].astype(float)
    parts = inside.reshape(3, 21, rows, size, columns, size, channels)
    errors = np.random.default_rng(2).normal(size=(3, 21, rows * columns * channels))
    wanted, assigned = answered(1.25 * parts.sum((3, 5)), RESPONSE, Surrogate(), errors)
    by_spikes = np.zeros(spikes.shape)
    by_spikes[:, :, : rows * size, : columns * size] = 1.25 * assigned.repeat(size, 2).repeat(
        size, 3
    )
    weight = np.float32(1.25)
    for alone in (False, True):
        found = in_one_pass(pooling, spikes, weight, RESPONSE, Surrogate(), errors, alone)
        np.testing.assert_array_equal(found[0], wanted)
        np.testing.assert_array_equal(found[1], wanted.sum((1, 2)))
        close(found[2], by_spikes)
        assert found[3] == 0


def test_weights_come_back_from_their_table():
    for size, stride in ((1, 1), (3, 1), (5, 2), (2, 3)):
        window = fused.Window((6, 7, 3), 5, size, stride)
        weights = quarters((size, size, 3, 5))
        np.testing.assert_array_equal(window.weights_of(window.table(weights)), weights)


def test_layers_take_one_pass_where_they_can():
    """And in double precision, or with more weights than that pays for, the two of before."""
    neuron = {"neuron": RESPONSE}
    x = tf.constant(spots((8, 8, 2), 30))
    for layer in (SpikingConv2D(4, 3, gain=40, **neuron), AggregatePooling2D(2, **neuron)):
        found = layer(x)
        assert layer.window is not None
        np.testing.assert_array_equal(found, layer.answer(layer.currents(x)))
        assert found.numpy().any()
    small, large = SpikingDense(3, **neuron), SpikingDense(fused.MOST_DENSE // 100, **neuron)
    small(x), large(x)
    assert small.window is not None
    assert large.window is None
    learns = SpikingDense(3, learn_times=True, **neuron)
    loop = SpikingDense(3, recurrent=True, **neuron)
    learns(x), loop(x)
    assert loop.window is None
    np.testing.assert_array_equal(learns(x), learns.answer(learns.currents(x)))


def test_only_what_reads_the_inputs_of_a_model_learns_alone():
    model = build("8x8x2-4c3-2a-5-3o")
    first, *others = (layer for layer in model.layers[1:])
    assert first._is_first()
    assert not any(layer._is_first() for layer in others)
    assert not SpikingDense(3)._is_first()


def test_errors_of_a_models_inputs():
    """Asked for though nothing learns from them."""
    model = build("6x6x1-2c3-3o", neuron=RESPONSE, max_delay=0)
    model.layers[1].kernel.assign(quarters((3, 3, 1, 2)))
    x = tf.constant(spots((6, 6, 1), 20))
    grads = []
    for layers in ([model], model.layers[1:]):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x
            for layer in layers:
                y = layer(y)
            total = tf.reduce_sum(y * np.arange(20, dtype=np.float32)[:, None])
        grads.append(tape.gradient(total, x).numpy())
    np.testing.assert_array_equal(*grads)
    assert grads[0].any()


def test_no_samples_and_no_steps():
    window = fused.Window((1, 1, 9), 20)
    for shape in ((0, 5, 9), (2, 0, 9)):
        flat, weights = tf.zeros(shape), tf.constant(quarters((1, 1, 9, 20)))
        with tf.GradientTape() as tape:
            tape.watch([flat, weights])
            fired, counts = fused.spikes_of(flat, weights, window, RESPONSE, Surrogate())
        by_spikes, by_weights = tape.gradient(fired, [flat, weights])
        assert fired.shape == (*shape[:2], 20)
        assert not counts.numpy().any()
        assert by_spikes.shape == shape
        assert not by_weights.numpy().any()


#: The tests of this file that are named, on the processor that numba is told of.
REPEAT = """
import sys
import pytest
from numba.core.registry import cpu_target
assert "avx512" not in cpu_target.target_context.codegen().magic_tuple()[2]
chosen = "strided or dense or every_surrogate or pooling"
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-k", chosen, sys.argv[1]]))
"""


@needs_avx2
def test_processors_without_the_widest_instructions():
    command = [sys.executable, "-c", REPEAT, __file__]
    done = subprocess.run(command, env={**os.environ, **AVX2}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
