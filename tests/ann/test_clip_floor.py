"""The quantised activation against integrate-and-fire neurons in exact fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.ann.clip_floor import clip_floor_layer
from nengo_tactile.errors import ConversionError


def layer_with(levels, ceiling):
    layer = clip_floor_layer()(levels)
    layer.build((None, 1))
    layer.ceiling.assign(ceiling)
    return layer


def spikes_of(current, steps):
    """Count the spikes for a constant current (in thresholds), starting at half the threshold."""
    potential, count = Fraction(1, 2), 0
    for _ in range(steps):
        potential += current
        if potential >= 1:
            potential -= 1
            count += 1
    return count


@pytest.mark.parametrize("levels", [1, 2, 3, 8, 16])
@pytest.mark.parametrize("ceiling", [1.0, 0.25, 8.0])
def test_equals_a_spiking_neuron_after_as_many_steps_as_levels(levels, ceiling):
    # a power of two as ceiling and 64ths of it (64 / 3 levels: no ties but at halves) are exact
    currents = [Fraction(k, 64) for k in range(-40, 140)]
    x = np.array([float(c) for c in currents], np.float32) * np.float32(ceiling)
    values = layer_with(levels, ceiling)(x[:, None]).numpy()[:, 0]
    wanted = [ceiling * spikes_of(c, levels) / levels for c in currents]
    assert np.allclose(values, wanted, rtol=1e-6, atol=0)


def test_equals_the_formula(rng):
    x = rng.normal(size=(50, 3, 2)).astype(np.float32)
    values = layer_with(5, 0.7)(x).numpy()
    for value, given in zip(values.ravel(), x.ravel().tolist()):
        wanted = 0.7 * min(max(math.floor(given * 5 / 0.7 + 0.5) / 5, 0), 1)
        assert value == pytest.approx(wanted, abs=1e-6)


def test_gradients_pass_the_floor_but_not_the_clipping(rng):
    tf = stack.tensorflow()
    levels, ceiling = 4, 1.5
    x = (rng.random(400, dtype=np.float32) * 4 - 1)[:, None]
    weight = rng.normal(size=x.shape).astype(np.float32)  # of each output in the loss
    layer = layer_with(levels, ceiling)
    given = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(given)
        loss = tf.reduce_sum(weight * layer(given))
    to_x, to_ceiling = tape.gradient(loss, [given, layer.ceiling])
    inside = (x > 0) & (x < ceiling)
    assert np.allclose(to_x.numpy(), weight * inside, atol=1e-6)
    share = x.astype(float) / ceiling
    rounding = np.floor(share * levels + 0.5) / levels - share
    slope = np.where(inside, rounding, share >= 1)
    assert float(to_ceiling) == pytest.approx(float((weight * slope).sum()), rel=1e-4)


def test_the_gradient_of_the_ceiling_is_that_of_the_mean_staircase():
    """Averaged over inputs, the ceiling's slope is that of the real, discontinuous function."""
    tf = stack.tensorflow()
    x = np.linspace(0, 3, 300_001)[1:, None]
    layer = layer_with(4, 2.0)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(layer(tf.constant(x, tf.float32)))
    slope = float(tape.gradient(loss, layer.ceiling))
    # mean over 0..3 of the staircase: it rounds evenly, so that c * c / 2 lies below it up to c
    # and c * (3 - c) beyond; d/dc of (3 c - c * c / 2) / 3 at c = 2
    assert slope == pytest.approx((3 - 2) / 3, abs=1e-3)


def test_training_keeps_the_ceiling_above_zero():
    tf = stack.tensorflow()
    layer = layer_with(4, 0.5)
    optimizer = tf.keras.optimizers.SGD(1.0)
    with tf.GradientTape() as tape:
        loss = 100 * tf.reduce_sum(layer(tf.constant([[1.0]])))
    optimizer.apply_gradients([(tape.gradient(loss, layer.ceiling), layer.ceiling)])
    assert 0 < float(layer.ceiling) < 1e-5
    assert np.isfinite(layer(np.array([[-1.0], [0.0], [1.0]], np.float32)).numpy()).all()


def test_settings_survive_saving():
    layer = layer_with(6, 0.5)
    copy = type(layer).from_config(layer.get_config())
    copy.build((None, 1))
    assert copy.levels == 6 and float(copy.ceiling) == 1
    assert [w.name.split(":")[0] for w in layer.weights] == ["ceiling"]


@pytest.mark.parametrize("levels", [0, -1, 2.5, True, "8", None])
def test_bad_levels_are_refused(levels):
    with pytest.raises(ConversionError, match=f"levels is {levels!r}"):
        clip_floor_layer()(levels)
