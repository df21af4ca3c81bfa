"""LIF rates against Nengo's simulator and against the formulas."""

import math

import nengo
import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.ann.lif import (
    LIFParameters,
    current_for_rate,
    parameters_for,
    rate_lif_layer,
)
from nengo_tactile.conversion.neurons import LIF
from nengo_tactile.errors import ConversionError

LIFS = [
    LIFParameters(2.0, 0.01),
    LIFParameters(0.5, 1.0, tau_rc=0.1, tau_ref=0.0, offset=0.5),
    LIFParameters(30.0, 0.004, tau_rc=0.01, tau_ref=0.005, offset=-0.5),
]


@pytest.mark.parametrize("lif", LIFS)
def test_rates_are_what_spiking_neurons_do(lif):
    x = np.array([-1.0, 0.0, 0.5 / lif.gain, 1.2 / lif.gain, 3 / lif.gain, 8 / lif.gain])
    with nengo.Network(seed=0) as net:
        current = nengo.Node(lif.gain * x)
        neurons = nengo.Ensemble(
            len(x),
            1,
            neuron_type=nengo.LIF(lif.tau_rc, lif.tau_ref),
            gain=np.ones(len(x)),
            bias=np.full(len(x), lif.offset),
        ).neurons
        nengo.Connection(current, neurons, synapse=None)
        probe = nengo.Probe(neurons)
    with stack.quiet_build(), nengo.Simulator(net, dt=0.0005, progress_bar=False) as sim:
        sim.run(4.0)
    spikes = (sim.data[probe] > 0).sum(axis=0)
    rates = lif.rates(x)
    if lif.tau_ref == 0:  # Nengo then begins every interval with a step: whole steps only
        rates[rates > 0] = 1 / (np.ceil(1 / rates[rates > 0] / 0.0005) * 0.0005)
    assert np.allclose(spikes / 4.0, rates, rtol=0.01, atol=0.5)


@pytest.mark.parametrize("rate", [10.0, 100.0, 400.0])
@pytest.mark.parametrize("times", [(0.02, 0.002), (0.1, 0.0)])
def test_current_for_rate_inverts_the_rate(rate, times):
    current = current_for_rate(rate, *times)
    assert LIFParameters(1.0, 1.0, *times).rates(current) == pytest.approx(rate, rel=1e-9)


def test_impossible_rates_are_refused():
    for rate in (0, -1, 500, math.inf, math.nan):
        with pytest.raises(ConversionError, match="cannot fire at"):
            current_for_rate(rate, tau_ref=0.002)
    assert current_for_rate(5000, tau_ref=0.0) > 1


def test_faster_keeps_the_function(rng):
    x = rng.normal(size=100)
    for lif in LIFS:
        fast = lif.faster(2.5)
        assert np.allclose(fast.rates(x), 2.5 * lif.rates(x))
        assert np.allclose(fast.amplitude * fast.rates(x), lif.amplitude * lif.rates(x))
        back = fast.faster(1 / 2.5)
        assert np.allclose([*vars(back).values()], [*vars(lif).values()])


@pytest.mark.parametrize("activation", [0.03, 7.0])
def test_parameters_hit_the_activation_at_the_rate(activation):
    lif = parameters_for(activation, 250.0)
    assert lif.rates(activation) == pytest.approx(250)
    assert lif.amplitude * lif.rates(activation) == pytest.approx(activation)


@pytest.mark.parametrize("max_rate", [100.0, 250.0, 500.0])
def test_slow_neurons_stay_close_to_a_relu(max_rate):
    lif = LIF(max_rate=max_rate).parameters(1.0)
    x = np.linspace(-1, 2, 5001)
    error = lif.amplitude * lif.rates(x) - np.maximum(x, 0)
    # current c = tau * rate + 1/2 there; below the threshold the whole input, 1/2 of 1/gain, is
    # lost; above it the next term of the expansion is 1 / (12 (c - 1/2))
    assert np.abs(error[x <= 0]).max() == 0
    assert np.abs(error).max() <= 0.51 / lif.gain
    above = lif.gain * x > 2
    assert np.abs(error[above]).max() <= 1.1 / 12 / 1.5 / lif.gain


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"gain": 0}, "gain"),
        ({"gain": math.nan}, "gain"),
        ({"amplitude": -1}, "amplitude"),
        ({"tau_rc": math.inf}, "tau_rc"),
        ({"tau_ref": -0.1}, "tau_ref"),
        ({"offset": 1.5}, "offset"),
        ({"offset": math.nan}, "offset"),
    ],
)
def test_bad_parameters_are_named(change, name):
    with pytest.raises(ConversionError, match=f"LIF {name} is"):
        LIFParameters(**{"gain": 1.0, "amplitude": 1.0, **change})


@pytest.mark.parametrize("activation", [0.0, -1.0, math.nan, math.inf])
def test_layers_without_activity_are_refused(activation):
    with pytest.raises(ConversionError, match="calibration samples"):
        parameters_for(activation, 100.0)


@pytest.mark.parametrize("lif", LIFS)
def test_layer_equals_the_closed_form(lif, rng):
    x = rng.normal(size=(50, 4)).astype(np.float32) * 5 / lif.gain
    layer = rate_lif_layer()(**vars(lif))
    assert np.allclose(layer(x).numpy(), lif.amplitude * lif.rates(x), rtol=1e-4, atol=1e-5)
    copy = type(layer).from_config(layer.get_config())
    assert copy.parameters == lif and copy.sigma == 0


@pytest.mark.parametrize("lif", LIFS)
@pytest.mark.parametrize("sigma", [0.02, 0.1, 1.0])
def test_soft_layer_equals_the_formula(lif, sigma, rng):
    x = rng.normal(size=500) * 3 / lif.gain
    # Hunsberger and Eliasmith 2016, eq. 5, in float64
    scaled = (lif.gain * x + lif.offset - 1) / sigma
    soft = sigma * np.logaddexp(0, np.maximum(scaled, -30))
    # log(1 + 1 / soft) for soft = sigma exp(scaled), below what float64 holds
    interval = np.where(scaled > -30, np.log1p(1 / soft), -scaled - np.log(sigma))
    wanted = lif.amplitude / (lif.tau_ref + lif.tau_rc * interval)
    layer = rate_lif_layer()(**vars(lif), sigma=sigma)
    assert np.allclose(layer(x.astype(np.float32)).numpy(), wanted, rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize("lif", LIFS)
@pytest.mark.parametrize("sigma", [0.0, 0.02, 0.5])
def test_gradients_are_finite_everywhere(lif, sigma):
    tf = stack.tensorflow()
    threshold = (1 - lif.offset) / lif.gain
    around = [np.nextafter(np.float32(threshold), np.float32(s)) for s in (-1e9, 1e9)]
    x = tf.constant([-1e30, -100, -1, 0, threshold, *around, 1, 100, 1e6], tf.float32)
    layer = rate_lif_layer()(**vars(lif), sigma=sigma)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
    slope = tape.gradient(y, x).numpy()
    assert np.isfinite(y.numpy()).all() and np.isfinite(slope).all(), slope
    assert (slope >= 0).all()
