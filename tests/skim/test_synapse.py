"""The kernel synapse in Nengo and NengoDL against the vectorised response."""

import nengo
import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.errors import EngineError
from nengo_tactile.skim.kernels import KINDS, draw_kernels, response
from nengo_tactile.skim.synapse import KernelSynapse

N_STEPS, N_CHANNELS, N_NEURONS = 60, 5, 8


def small(kind, seed=0):
    spans = {"tau": (3, 12)}
    if "delay" in kind:
        spans["delay"] = (0, 9)
    if kind == "resonance":
        spans["period"] = (12, 30)
    return draw_kernels(kind, N_NEURONS, seed, **spans)


def network(kernels, weights):
    with nengo.Network(seed=0) as net:
        net.source = nengo.Node(np.zeros(N_CHANNELS))
        out = nengo.Node(size_in=N_NEURONS)
        nengo.Connection(net.source, out, transform=weights, synapse=KernelSynapse(kernels))
        net.probe = nengo.Probe(out)
    return net


@pytest.mark.parametrize("kind", KINDS)
def test_nengo_equals_the_vectorised_response(kind, rng):
    weights, inputs = rng.normal(size=(N_NEURONS, N_CHANNELS)), rng.normal(size=(N_STEPS, 5))
    net = network(small(kind), weights)
    net.source.output = nengo.processes.PresentInput(inputs, 0.001)
    with nengo.Simulator(net, progress_bar=False) as sim:
        for _ in range(2):  # a reset takes the states back to rest
            sim.run_steps(N_STEPS)
            # a synapse acts from the next step on
            expected = response(small(kind), inputs @ weights.T)[:-1]
            np.testing.assert_allclose(sim.data[net.probe][1:], expected, atol=1e-10)
            assert (sim.data[net.probe][0] == 0).all()
            sim.reset()


@pytest.mark.parametrize("kind", KINDS)
def test_nengo_dl_equals_the_vectorised_response(kind, rng):
    weights, inputs = rng.normal(size=(N_NEURONS, N_CHANNELS)), rng.normal(size=(3, N_STEPS, 5))
    net = network(small(kind), weights)
    with (
        stack.quiet_build(),
        stack.nengo_dl().Simulator(net, minibatch_size=3, progress_bar=False) as sim,
    ):
        found = sim.predict({net.source: inputs})[net.probe]
    expected = np.stack([response(small(kind), sample @ weights.T)[:-1] for sample in inputs])
    np.testing.assert_allclose(found[:, 1:], expected, atol=2e-5)


def test_two_kinds_in_one_network(rng):
    inputs = rng.normal(size=(1, N_STEPS, 2))
    kinds = ("delay-alpha", "leaky")
    with nengo.Network(seed=0) as net:
        source = nengo.Node(np.zeros(2))
        probes = []
        for column, kind in enumerate(kinds):
            out = nengo.Node(size_in=N_NEURONS)
            nengo.Connection(
                source[column],
                out,
                transform=np.ones((N_NEURONS, 1)),
                synapse=KernelSynapse(small(kind)),
            )
            probes.append(nengo.Probe(out))
    with stack.quiet_build(), stack.nengo_dl().Simulator(net, progress_bar=False) as sim:
        found = sim.predict({source: inputs})
    for column, (kind, probe) in enumerate(zip(kinds, probes)):
        currents = np.repeat(inputs[0, :, column : column + 1], N_NEURONS, axis=1)
        expected = response(small(kind), currents)[:-1]
        np.testing.assert_allclose(found[probe][0, 1:], expected, atol=2e-5)


def test_synapses_are_equal_when_their_kernels_are():
    assert KernelSynapse(small("alpha", 1)) == KernelSynapse(small("alpha", 1))
    assert KernelSynapse(small("alpha", 1)) != KernelSynapse(small("alpha", 2))
    assert KernelSynapse(small("alpha", 1)) != KernelSynapse(small("leaky", 1))
    assert "KernelSynapse" in repr(KernelSynapse(small("alpha")))


def test_filt_is_the_response(rng):
    currents = rng.normal(size=(N_STEPS, N_NEURONS))
    found = KernelSynapse(small("alpha")).filt(currents)
    np.testing.assert_allclose(found, response(small("alpha"), currents), atol=1e-12)


def test_bad_use_is_refused(rng):
    synapse = KernelSynapse(small("alpha"))
    with pytest.raises(EngineError, match=r"for 8 neurons, but its signal has shape \(3,\)"):
        synapse.filt(np.zeros((4, 3)))
    with pytest.raises(EngineError, match="starts at rest"):
        synapse.filt(np.zeros((4, N_NEURONS)), y0=1.0)
