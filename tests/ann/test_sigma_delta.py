"""The quantised activation of sigma-delta networks against fractions and its straight gradient."""

import math
from fractions import Fraction

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.ann.sigma_delta import SigmaDeltaParameters, sigma_delta_layer
from nengo_tactile.errors import ConversionError


@pytest.mark.parametrize("threshold", [1.0, 0.25, 3.0])
@pytest.mark.parametrize("rectify", [True, False])
def test_equals_exact_fractions(threshold, rectify):
    x = np.arange(-400, 401, dtype=np.float32) / 32
    values = sigma_delta_layer()(threshold, rectify)(x[:, None]).numpy()[:, 0]
    for value, given in zip(values, x.tolist()):
        steps = math.trunc(Fraction(given) / Fraction(threshold))
        assert value == threshold * (max(steps, 0) if rectify else steps)


@pytest.mark.parametrize("rectify", [True, False])
def test_the_gradient_passes_the_floor(rectify, rng):
    tf = stack.tensorflow()
    x = rng.normal(size=(200, 1)).astype(np.float32)
    weight = rng.normal(size=x.shape).astype(np.float32)
    given = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(given)
        loss = tf.reduce_sum(weight * sigma_delta_layer()(0.3, rectify)(given))
    gradient = tape.gradient(loss, given).numpy()
    wanted = weight * (x > 0) if rectify else weight
    np.testing.assert_allclose(gradient, wanted, rtol=1e-6, atol=0)


def test_a_spike_is_worth_its_threshold():
    assert SigmaDeltaParameters(0.5).amplitude == 0.5
    assert vars(SigmaDeltaParameters(0.5)) == {"threshold": 0.5, "rectify": True}


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf"), "one"])
def test_thresholds_out_of_range_are_refused(bad):
    with pytest.raises(ConversionError, match=r"sigma-delta threshold is .*: give a finite number"):
        sigma_delta_layer()(bad)
    with pytest.raises(ConversionError, match="sigma-delta threshold is"):
        SigmaDeltaParameters(bad)
