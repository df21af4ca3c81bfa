"""The emulator inside a nengo-loihi simulator: set back to time zero, strict, and faster.

``nengo_loihi`` 1.1 delivers spikes one by one in Python, and advances compartments array by array.
Here both are compiled (`engines.chip_kernel`); a test compares every integer with nengo-loihi's
own.
"""

import functools

import numpy as np

from nengo_tactile import stack
from nengo_tactile.engines.chip_kernel import REGISTERS, deliver, update
from nengo_tactile.errors import EngineError
from nengo_tactile.lazy import compiled
from nengo_tactile.progress import track


class Deliveries:
    """What arrives where when a neuron spikes, by all synapses of an emulator.

    Parameters
    ----------
    axons : list of (nengo_loihi Axon, int, int)
        With the number of the first of its neurons among all senders, and how many they are.
    slices : dict of nengo_loihi Synapse to slice
        Compartments of the synapse's block.
    n_senders : int
    """

    def __init__(self, axons, slices, n_senders):
        numbers, targets, weights, found = {}, [], [], []
        for axon, first, n_neurons in axons:
            synapse = axon.target
            for neuron, spike in enumerate(axon.map_spikes(np.arange(n_neurons))):
                base = None if spike is None else synapse.axon_compartment_base(spike.axon_idx)
                if base is None:  # this neuron does not reach this block
                    continue
                # neurons share rows: of a convolution all with the same channel and neighbours
                key = synapse, synapse.axon_weight_idx(spike.axon_idx), spike.atom
                if key not in numbers:
                    numbers[key] = len(targets)
                    row, indices = synapse.axon_weights_indices(spike.axon_idx, atom=spike.atom)
                    targets.append(np.asarray(indices, np.int32))
                    weights.append(np.asarray(row, np.int32))
                found.append((first + neuron, numbers[key], slices[synapse].start + base))
        order = np.array(sorted(found), np.int64).reshape(-1, 3).T
        none = [np.zeros(0, np.int32)]
        self.arrays = (
            np.searchsorted(order[0], np.arange(n_senders + 1)),
            *order[1:].astype(np.int32),
            np.cumsum([0, *map(len, targets)]),
            np.concatenate(targets or none),
            np.concatenate(weights or none),
        )

    def add(self, senders, arriving):
        """Add what the neurons numbered ``senders`` send to (n_compartments,) int32 sums."""
        compiled(deliver)(senders, *self.arrays, arriving)


def compile_steps(emulator):
    """Let an emulator's steps be compiled; its results stay the same integers.

    Parameters
    ----------
    emulator : nengo_loihi.emulator.EmulatorInterface
        Discretised, without learning and noise.

    Raises
    ------
    EngineError
        For another one.
    """
    synapses, state = emulator.synapses, emulator.compartment
    noise = np.count_nonzero(state.noise.enabled)
    if synapses.dtype != np.int32 or synapses.traces or noise:
        raise EngineError(
            f"the emulator has {np.dtype(synapses.dtype).name} weights, {len(synapses.traces)} "
            f"learning synapses and {noise} neurons with noise: steps are compiled for integers "
            "without learning and noise"
        )
    axons = [(axon, part.start, part.stop - part.start) for axon, part in emulator.axons.items()]
    n_senders, places = state.n_compartments, {}
    for source in emulator.inputs:
        places[source] = n_senders
        axons += [(axon, n_senders, source.n_neurons) for axon in source.axons]
        n_senders += source.n_neurons
    deliveries = Deliveries(axons, synapses.slices, n_senders)
    arriving = np.zeros(state.n_compartments, np.int32)

    @functools.cache
    def neurons():
        keep = 4095 - state.decay_u, 4096 - state.decay_v
        rest = state.bias, state.vth, state.vmin, state.vmax, state.ref
        return np.array([*keep, *rest], np.int32)

    def inject_current(t, inputs, axons, spiked):
        arriving[:] = 0
        deliveries.add(spiked.nonzero()[0], arriving)
        if t >= 2:  # the host's spikes take one step to arrive
            for source in inputs:
                senders = np.asarray(source.spike_idxs(t - 1), np.int64)
                deliveries.add(places[source] + senders, arriving)

    def advance(rng):
        moved = state.current, state.voltage, state.spiked, state.ref_count, state.spike_count
        over = compiled(update)(arriving, *moved, neurons())
        for name, where in zip(REGISTERS, over.tolist()):
            if where >= 0:
                state.error(f"Overflow in {name}, {_place(emulator, where)}")

    synapses.inject_current, state.update = inject_current, advance
    synapses.update_input = lambda current: None


def _place(emulator, compartment):
    """Block and compartment of one by its number among all."""
    for block, part in emulator.block_info.slices.items():
        if part.start <= compartment < part.stop:
            return f"block {block.label!r}, compartment {compartment - part.start}"
    raise EngineError(f"compartment {compartment} is in no block of the emulator")


def be_strict(emulator):
    """Let overflows end the run with ``nengo.exceptions.SimulationError``."""
    emulator.compartment.strict = emulator.synapses.strict = True


def reset_emulator(sim):
    """Put an emulator and its host back to time zero, so that no state leaks.

    ``nengo_loihi.Simulator.reset`` is not implemented in 1.1.0. Everything that changes while
    it runs is set back here: compartments, spikes under way, probes, host simulators and the
    queues between them. A test compares a sample after others with the sample alone.

    Parameters
    ----------
    sim : nengo_loihi.Simulator
        With target "sim" or "simreal", without learning.
    """
    from nengo_loihi.simulator import StepRunner

    emulator = sim.sims["emulator"]
    state = emulator.compartment
    for name in ("input", "current", "voltage", "spiked", "spike_count", "ref_count"):
        getattr(state, name)[...] = 0
    for queue in emulator.synapses.spikes_in.values():
        queue.clear()
    for spike_input in emulator.inputs:
        spike_input.spikes.clear()
    for probe in emulator.probes.outputs:
        emulator.probes.clear_probe(probe)
    emulator.probes.probe_filter = type(emulator.probes.probe_filter)(dt=sim.dt)
    emulator.t = 0
    for name in ("host_pre", "host"):
        if name in sim.sims:
            sim.sims[name].reset()
    sim.clear_probes()
    sim._n_steps = 0
    sim._probe_step_time()
    # the runner holds on to step functions that the host's reset replaced
    sim._runner = StepRunner(sim.model, sim.sims, sim.precompute, sim.timers)


def each_sample(net, dt, n_samples, n_steps, target="sim", progress=None):
    """Yield the number of each sample and nengo-loihi's simulator, strict and at rest.

    Parameters
    ----------
    net : nengo.Network
    dt : float
        Seconds of a step.
    n_samples, n_steps : int
        Steps are what the progress bar says.
    target : {"sim", "simreal", "loihi"}
    progress : bool, optional
    """
    sim, doing = None, f"running the Loihi emulator, {n_steps} steps"
    try:
        for index in track(range(n_samples), doing, progress=progress):
            if sim is not None and target != "loihi":
                reset_emulator(sim)
            else:
                if sim is not None:  # the chip's state is cleared by loading it anew
                    sim.close()
                sim = simulator(net, dt, target)
            yield index, sim
    finally:
        if sim is not None:
            sim.close()


def simulator(net, dt, target="sim"):
    """nengo-loihi's simulator of a network: strict, and as fast as it goes."""
    sim = stack.nengo_loihi().Simulator(net, dt=dt, target=target, seed=0, progress_bar=False)
    if target != "loihi":
        be_strict(sim.sims["emulator"])
    if target == "sim":
        compile_steps(sim.sims["emulator"])
    return sim


def run_steps(sim, n_steps, index, remedy):
    """Run a sample.

    Raises
    ------
    EngineError
        Where integers overflow, naming sample, step and ``remedy``.
    """
    from nengo.exceptions import SimulationError

    try:
        sim.run_steps(n_steps)
    except SimulationError as error:
        if "Overflow" not in str(error):
            raise
        raise EngineError(
            f"sample {index}, step {sim.sims['emulator'].t}: {error}: more current arrives at a "
            "neuron than Loihi's registers hold (21 bits of input, 23 bits of current), and it "
            f"would wrap around; {remedy}"
        ) from error
