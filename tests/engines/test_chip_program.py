"""Compiled steps of the chip against nengo-loihi's own emulator: every integer of every step."""

import itertools

import nengo
import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.engines.chip_program import BRIDGED, layout_of
from nengo_tactile.engines.chip_samples import Memory, joined, spikes_of
from nengo_tactile.engines.emulator import be_strict
from nengo_tactile.errors import EngineError

pytestmark = pytest.mark.stack
STATE = {"voltage": "voltage", "current": "current", "spiked": "spiked", "waiting": "ref_count"}
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


def heavy(rng, blocks):
    """Weights beyond the eight bits of any exponent, which fill the register of arriving sums."""
    for block in blocks:
        for synapse in block.synapses:
            for weights in synapse.weights:
                weights *= 100


def corners(rng, blocks):
    """Parameters that no builder gives: ends of registers, clips and of 32 bits."""
    for block in blocks:
        compartment, n = block.compartment, block.n_neurons
        compartment.decay_u[:] = rng.choice([0, 1, 741, 4094, 4095], n)
        compartment.decay_v[:] = rng.choice([0, 1, 20, 200, 4095, 4096], n)
        compartment.bias[:] = rng.integers(-(2**22), 2**22, n)
        compartment.vth[:] = 64 * rng.integers(1, 2**17, n)
        compartment.vmin = 1 - 2.0 ** rng.integers(0, 32, n)
        compartment.vmax = 2 ** (9 + 2 * rng.integers(0, 8, n)) - 1
        compartment.refract_delay[:] = rng.integers(1, 6, n)
        compartment.decay_v[:3], compartment.bias[:3] = 0, -(2**22)
        compartment.vmin[:3] = 1 - 2**31  # reached after 512 steps; then 32 bits wrap around


class Beside:
    """A network in nengo-loihi, and laid out for compiled steps."""

    def __init__(self, make, seed, change=None):
        with stack.quiet_build():
            from nengo_loihi.emulator import EmulatorInterface
            from nengo_loihi.simulator import StepRunner

            net = make(np.random.default_rng(seed))
            sim = stack.nengo_loihi().Simulator(net, target="sim", seed=0, progress_bar=False)
            if change is not None:
                change(np.random.default_rng(seed), sim.model.blocks)
                sim.sims["emulator"] = EmulatorInterface(sim.model, seed=0)
                sim._runner = StepRunner(sim.model, sim.sims, sim.precompute, sim.timers)
        self.sim, self.emulator = sim, sim.sims["emulator"]
        be_strict(self.emulator)
        layers = {str(number): each for number, each in enumerate(net.ensembles)}
        shown = layers.pop("0")
        host = {"0": (shown, shown.n_neurons)}
        self.layout = layout_of(sim.model, layers, host)
        self.sources = list(sim.model.inputs)
        self.first = self.layout.host["0"].start

    def states(self, n_steps):
        """nengo-loihi's: what the host sends, what compartments hold; and the last words."""
        found, sent, step = {name: [] for name in STATE}, [], self.emulator.step

        def watched():
            now = self.emulator.t + 1  # the host has taken this step already
            sent.append([np.array(s.spikes.get(now, []), int) for s in self.sources])
            step()
            for name, theirs in STATE.items():
                found[name].append(getattr(self.emulator.compartment, theirs).copy())

        self.emulator.step = watched
        words = ""
        try:
            self.sim.run_steps(n_steps)
        except nengo.exceptions.SimulationError as error:
            words = str(error)
        self.sim.close()
        return {name: np.array(values) for name, values in found.items()}, sent, words


LOUD = {"scale": 40, "synapse": 0.05, "mean": 0.01, "n": (300, 120, 30)}
MANY = {
    "lif": (dense, None, 50, ""),
    "refractory": (lambda rng: dense(rng, synapse=None, tau_ref=0.003), None, 50, ""),
    "many sums": (lambda rng: dense(rng, n=(300, 120, 30)), None, 50, ""),
    "heavy": (dense, heavy, 50, "q0"),
    "loud": (lambda rng: dense(rng, **LOUD), None, 50, "current"),
    "corners": (dense, corners, 700, ""),
    "convolutions": (convolutions, None, 50, ""),
    "uncut": (lambda rng: convolutions(rng, cut=False), None, 50, ""),
}


@pytest.mark.parametrize("name", MANY)
def test_every_integer_is_that_of_nengo_loihi(name):
    make, change, n_steps, register = MANY[name]
    both = Beside(make, 3, change)
    wanted, sent, words = both.states(n_steps)
    assert words == (f"Overflow in {register}" if register else "")
    n_done = len(wanted["voltage"])
    assert words or (wanted["spiked"].any() and n_done == n_steps)
    memory, numbers = Memory(both.layout), both.layout.numbers
    real = numbers < wanted["voltage"].shape[1]
    for step in range(n_done):
        parts = [spikes_of(np.bincount(each, minlength=1)[None], both.first) for each in sent[step]]
        memory.run(joined(parts[:1], 1), 1)
        for field in STATE:
            got = getattr(memory.state, field)[real]
            np.testing.assert_array_equal(
                got, wanted[field][step][numbers[real]], f"{step} {field}"
            )
    if words:
        rest = spikes_of(np.zeros((1, 1)), both.first)
        with pytest.raises(EngineError, match=rf"{words}, block .* compartment \d+: more current"):
            memory.run(rest, 1)


def test_steps_in_pieces_are_the_same_and_room_grows():
    both = Beside(convolutions, 5)
    rng = np.random.default_rng(0)
    n_host = both.layout.host["0"].stop - both.first
    shown = spikes_of(rng.random((40, n_host)) < 0.2, both.first)
    whole = Memory(both.layout).run(shown, 40)
    memory, pieces = Memory(both.layout), []
    memory._room = 1  # each piece must be done again with more
    at = 0
    for length in (1, 2, 17, 20):
        ends = shown.ends[at : at + length + 1]
        part = type(shown)(shown.senders[ends[0] : ends[-1]], ends - ends[0])
        found = memory.run(part, length)
        pieces.append(type(found)(found.senders[: found.ends[-1]].copy(), found.ends.copy()))
        at += length
    assert memory.state.steps[0] == 40
    np.testing.assert_array_equal(
        np.concatenate([piece.senders for piece in pieces]), whole.senders[: whole.ends[-1]]
    )
    np.testing.assert_array_equal(
        np.concatenate([np.diff(piece.ends) for piece in pieces]), np.diff(whole.ends)
    )
    both.sim.close()


def test_runs_hold_each_synapse_and_bridge_short_gaps_alone():
    both = Beside(convolutions, 5)
    program, n = both.layout.program, both.layout.n_compartments
    for sender in (both.first, both.first + 77, 0, 40):
        runs = range(program.first[sender], program.first[sender + 1])
        got, covered = np.zeros(n, int), np.zeros(n, int)
        for run in runs:
            where = slice(program.targets[run], program.targets[run] + program.lengths[run])
            place = program.places[run]
            got[where] += program.weights[place : place + program.lengths[run]]
            covered[where] += 1
        assert covered.max() == 1
        wanted = np.zeros(n, int)
        for axon, number in axons_of(both, sender):
            spike = axon.map_spikes(np.array([number]))[0]
            base = None if spike is None else axon.target.axon_compartment_base(spike.axon_idx)
            if base is not None:
                weights, indices = axon.target.axon_weights_indices(spike.axon_idx, spike.atom)
                begin = both.emulator.synapses.slices[axon.target].start
                np.add.at(wanted, new_numbers(both)[begin + base + indices], weights)
        np.testing.assert_array_equal(got, wanted)
        used = np.flatnonzero(wanted)
        assert covered.sum() <= len(used) + BRIDGED * len(runs) * 2 or not len(used)
        assert all(np.diff(used) > 0)
    both.sim.close()


def new_numbers(both):
    n = int((both.layout.numbers < len(both.emulator.compartment.voltage)).sum())
    places = np.zeros(n, int)
    places[both.layout.numbers[both.layout.numbers < n]] = np.flatnonzero(both.layout.numbers < n)
    return places


def axons_of(both, sender):
    """nengo-loihi's axons of a sender, each with its number there."""
    if sender >= both.first:
        return [(axon, sender - both.first) for s in both.sources for axon in s.axons]
    number = both.layout.numbers[sender]
    found = both.emulator.block_info.slices.items()
    block, part = next((b, p) for b, p in found if p.start <= number < p.stop)
    return [(axon, number - part.start) for axon in block.axons]


def test_learning_noise_and_floats_are_refused():
    net = dense(np.random.default_rng(0))
    with stack.quiet_build():
        sim = stack.nengo_loihi().Simulator(net, target="simreal", progress_bar=False)
    layers = {str(number): each for number, each in enumerate(net.ensembles)}
    with sim, pytest.raises(EngineError, match="float32 thresholds, 0 learning synapses"):
        layout_of(sim.model, {"1": layers["1"], "2": layers["2"]}, {"0": (layers["0"], 30)})
