"""Compiled steps of the chip against nengo-loihi's own emulator: every integer of every step."""

import itertools
import warnings

import nengo
import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.engines.emulator import be_strict, compile_steps
from nengo_tactile.errors import EngineError

pytestmark = pytest.mark.stack
STATE = ("voltage", "current", "spiked", "ref_count", "spike_count")
ZERO = {"voltage": nengo.dists.Choice([0])}


def dense(rng, scale=1.0, mean=0.001, synapse=0.005, tau_ref=0.001, n=(30, 40, 20)):
    """A layer on the host and LIF layers on the chip, the last with a loop."""
    kind = nengo.LIF(tau_ref=tau_ref, min_voltage=-1.0, initial_state=ZERO)
    with nengo.Network(seed=0) as net:
        stack.nengo_loihi().add_params(net)
        shown, layers = nengo.Node(rng.uniform(0, 3, n[0])), []
        for k, size in enumerate(n):
            bias = rng.uniform(-0.5, 1.3, size) if k else np.zeros(size)
            layers.append(nengo.Ensemble(size, 1, neuron_type=kind, gain=np.ones(size), bias=bias))
        net.config[layers[0]].on_chip = False
        nengo.Connection(shown, layers[0].neurons, synapse=None)
        for a, b in [*itertools.pairwise(layers), (layers[-1], layers[-1])]:
            weights = scale * rng.normal(mean, 0.004, (b.n_neurons, a.n_neurons))
            nengo.Connection(a.neurons, b.neurons, transform=weights, synapse=synapse)
        nengo.Probe(layers[-1].neurons)
    return net


def convolutions(rng, cut=True):
    """Two convolutions on the chip, the second with strides; the first one's layer is cut."""
    kind = nengo.SpikingRectifiedLinear(initial_state=ZERO)
    first = nengo.Convolution(6, (8, 8, 2), init=rng.normal(0.05, 0.3, (3, 3, 2, 6)))
    kernel = rng.normal(0.05, 0.2, (3, 3, 6, 4))
    second = nengo.Convolution(4, first.output_shape, strides=(2, 2), padding="same", init=kernel)
    sizes = first.input_shape.size, first.output_shape.size, second.output_shape.size
    with nengo.Network(seed=0) as net:
        stack.nengo_loihi().add_params(net)
        shown = nengo.Node(rng.uniform(0, 300, sizes[0]))
        layers = [
            nengo.Ensemble(s, 1, neuron_type=kind, gain=np.ones(s), bias=np.full(s, 20.0))
            for s in sizes
        ]
        net.config[layers[0]].on_chip = False
        if cut:
            shape = stack.nengo_loihi().BlockShape((3, 3, 3), (6, 6, 6))
            net.config[layers[1]].block_shape = shape
        nengo.Connection(shown, layers[0].neurons, synapse=None)
        for a, b, transform in zip(layers, layers[1:], (first, second)):
            nengo.Connection(a.neurons, b.neurons, transform=transform, synapse=0.004)
        nengo.Probe(layers[2].neurons)
    return net


def heavy(rng, emulator):
    """Weights beyond the eight bits of any exponent, which fill the register of arriving sums."""
    for synapse in emulator.synapses.slices:
        for weights in synapse.weights:
            weights *= 100


def corners(rng, emulator):
    """Parameters that no builder gives: ends of registers, clips and of 32 bits."""
    state = emulator.compartment
    n = state.voltage.size
    state.decay_u[:] = rng.choice([0, 1, 741, 4094, 4095], n)
    state.decay_v[:] = rng.choice([0, 1, 20, 200, 4095, 4096], n)
    state.bias[:] = rng.integers(-(2**22), 2**22, n)
    state.vth[:] = 64 * rng.integers(1, 2**17, n)
    state.vmin[:] = 1 - 2.0 ** rng.integers(0, 32, n)
    state.vmax[:] = 2 ** (9 + 2 * rng.integers(0, 8, n)) - 1
    state.ref[:] = rng.integers(1, 6, n)
    state.decay_v[:9], state.bias[:9], state.vmin[:9] = 0, -(2**22), 1 - 2**31


def simulators(make, seed, change=None):
    """nengo-loihi's emulator as it comes, and compiled, of the same network."""
    with stack.quiet_build():
        for compiles in (False, True):
            net = make(np.random.default_rng(seed))
            sim = stack.nengo_loihi().Simulator(net, target="sim", seed=0, progress_bar=False)
            emulator = sim.sims["emulator"]
            if change is not None:
                change(np.random.default_rng(seed), emulator)
            if compiles:
                compile_steps(emulator)
            yield sim, emulator


def states(sim, emulator, n_steps):
    """What all compartments hold after each step, and the words of overflows."""
    found, step = {name: [] for name in STATE}, emulator.step

    def watched():
        step()
        for name in STATE:
            found[name].append(getattr(emulator.compartment, name).copy())

    emulator.step = watched
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        sim.run_steps(n_steps)
    words = {str(each.message).split(",")[0] for each in told if "Overflow" in str(each.message)}
    sim.close()
    return {name: np.array(values) for name, values in found.items()}, words


LOUD = {"scale": 40, "synapse": 0.05, "mean": 0.01, "n": (300, 120, 30)}


@pytest.mark.parametrize(
    ("make", "change", "registers"),
    [
        (dense, None, set()),
        (lambda rng: dense(rng, synapse=None, tau_ref=0.003), None, set()),
        (dense, heavy, {"q0"}),
        (lambda rng: dense(rng, **LOUD), None, {"current"}),
        (lambda rng: dense(rng, **{**LOUD, "scale": 4}), corners, {"current", "u2"}),
        (convolutions, None, set()),
    ],
    ids=["lif", "refractory", "heavy", "wrapping", "corners", "convolutions"],
)
def test_every_integer_is_that_of_nengo_loihi(make, change, registers):
    n_steps = 150 if change else 50
    own, compiled = (states(*each, n_steps) for each in simulators(make, 3, change))
    for name in STATE:
        np.testing.assert_array_equal(compiled[0][name], own[0][name])
    assert own[0]["spiked"].any()
    assert compiled[1] == own[1] >= {f"Overflow in {name}" for name in registers}


def test_an_overflow_ends_the_run_where_nengo_loihi_ends_it_and_names_the_place():
    ends = []
    for sim, emulator in simulators(lambda rng: dense(rng, **LOUD), 3):
        be_strict(emulator)
        with pytest.raises(nengo.exceptions.SimulationError, match="Overflow in") as raised:
            sim.run_steps(100)
        ends.append((emulator.t, str(raised.value)))
        sim.close()
    (at, words), (same, told) = ends
    assert at == same
    assert told.startswith(words)
    assert "block" in told and "compartment" in told


def test_learning_and_noise_are_refused():
    net = dense(np.random.default_rng(0))
    with stack.quiet_build():
        sim = stack.nengo_loihi().Simulator(net, target="simreal", progress_bar=False)
    with sim, pytest.raises(EngineError, match="float32 weights, 0 learning synapses and 0"):
        compile_steps(sim.sims["emulator"])
