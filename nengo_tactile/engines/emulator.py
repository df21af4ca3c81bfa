"""The emulator inside a nengo-loihi simulator: set back to time zero, strict, and faster.

``nengo_loihi`` 1.1 delivers spikes one by one in Python. On the chip's integers the order of
additions does not matter, so all spikes of a step are delivered at once here; a test compares
every integer with nengo-loihi's own way.
"""

import numpy as np

from nengo_tactile import stack
from nengo_tactile.errors import EngineError
from nengo_tactile.progress import track


class Deliveries:
    """What arrives where when a neuron spikes, all synapses of one sender population.

    Parameters
    ----------
    axons : list of (nengo_loihi Axon, int, int)
        With the number of the sender's first neuron in the population, and how many they are.
    slices : dict of nengo_loihi Synapse to slice
        Compartments of the synapse's block.
    n_senders : int
        Neurons of the population.
    """

    def __init__(self, axons, slices, n_senders):
        senders, targets, weights = [], [], []
        for axon, first, n_neurons in axons:
            synapse = axon.target
            for neuron, spike in enumerate(axon.map_spikes(np.arange(n_neurons))):
                base = None if spike is None else synapse.axon_compartment_base(spike.axon_idx)
                if base is None:  # this neuron does not reach this block
                    continue
                w, indices = synapse.axon_weights_indices(spike.axon_idx, atom=spike.atom)
                senders.append(np.full(len(w), first + neuron))
                targets.append(slices[synapse].start + base + np.asarray(indices, np.int64))
                weights.append(np.asarray(w))
        empty = [np.zeros(0, np.int64)]
        order = np.argsort(np.concatenate(senders or empty), kind="stable")
        self.targets = np.concatenate(targets or empty)[order]
        self.weights = np.concatenate(weights or empty)[order].astype(np.float64)
        counts = np.bincount(np.concatenate(senders or empty), minlength=n_senders)
        self.starts = np.concatenate([[0], np.cumsum(counts)])

    def __call__(self, spiking, n_compartments):
        """Add up what the neurons numbered ``spiking`` send, (n_compartments,) float64.

        float64 holds sums of the chip's integers exactly.
        """
        starts, stops = self.starts[spiking], self.starts[spiking + 1]
        lengths = stops - starts
        ends = np.cumsum(lengths)
        # positions of all entries of the chosen neurons, one run after the other
        chosen = np.repeat(stops - ends, lengths) + np.arange(ends[-1] if len(ends) else 0)
        return np.bincount(self.targets[chosen], self.weights[chosen], n_compartments)


def deliver_at_once(emulator):
    """Make an emulator deliver each step's spikes at once; its results stay the same integers.

    Parameters
    ----------
    emulator : nengo_loihi.emulator.EmulatorInterface
        Discretised, without learning.
    """
    state, n_compartments = emulator.synapses, emulator.compartment.n_compartments
    if state.dtype != np.int32 or state.traces:
        raise EngineError(
            f"the emulator has {np.dtype(state.dtype).name} weights and {len(state.traces)} "
            "learning synapses: spikes can be delivered at once only as integers without learning"
        )
    on_chip = Deliveries(
        [(axon, s.start, s.stop - s.start) for axon, s in emulator.axons.items()],
        state.slices,
        n_compartments,
    )
    from_host = {
        source: Deliveries(
            [(axon, 0, source.n_neurons) for axon in source.axons],
            state.slices,
            source.n_neurons,
        )
        for source in emulator.inputs
    }
    arriving = np.zeros(n_compartments, np.int32)

    def inject_current(t, inputs, axons, spiked):
        total = on_chip(spiked.nonzero()[0], n_compartments)
        if t >= 2:  # the host's spikes take one step to arrive
            for source in inputs:
                spiking = np.asarray(source.spike_idxs(t - 1), int)
                total = total + from_host[source](spiking, n_compartments)
        arriving[:] = total

    def update_input(current):
        current[0] += arriving

    state.inject_current, state.update_input = inject_current, update_input
    noise = emulator.compartment.noise
    if not noise.enabled.any():
        # drawing random numbers to multiply them with zero takes a fifth of the time
        silence = np.zeros(n_compartments, np.int32)
        noise.sample = lambda rng: silence


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
        deliver_at_once(sim.sims["emulator"])
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
