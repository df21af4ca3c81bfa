"""nengo-loihi's own emulator: strict, set back to time zero, and compiled steps beside it."""

import numpy as np

from nengo_tactile import stack
from nengo_tactile.engines.chip_samples import overflow_told, raster_of
from nengo_tactile.errors import EngineError
from nengo_tactile.progress import track

#: Share by which sums of floats in another order may differ: a currents' single precision.
ROUNDING = 1e-5


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
    """nengo-loihi's simulator of a network, strict."""
    sim = stack.nengo_loihi().Simulator(net, dt=dt, target=target, seed=0, progress_bar=False)
    if target != "loihi":
        be_strict(sim.sims["emulator"])
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
        where = f"sample {index}, step {sim.sims['emulator'].t}: {error}"
        raise EngineError(overflow_told(where, remedy)) from error


def verify_sample(sim, probes, fired, memory, index):
    """Compare a sample with what nengo-loihi's emulator made of it: each spike, and the last state.

    Parameters
    ----------
    sim : nengo_loihi.Simulator
        Behind the sample.
    probes : dict of str to nengo.Probe
        Spikes of each layer.
    fired : Spikes
    memory : nengo_tactile.engines.chip_samples.Memory
        Behind it too.
    index : int
        Which it is.

    Raises
    ------
    EngineError
        Naming layer, neuron and step.
    """
    layout = memory.layout
    where = {**layout.chip, **layout.host}
    for name, probe in probes.items():
        wanted = np.asarray(sim.data[probe]) > 0
        different = np.argwhere(wanted != raster_of(fired, len(wanted), where[name]))
        if len(different):
            step, neuron = different[0]
            raise EngineError(
                f"sample {index}, step {step + 1}: neuron {neuron} of layer '{name}' "
                f"{'fires' if wanted[step, neuron] else 'is silent'} on nengo-loihi's emulator, "
                "and not so in the compiled steps: please report the network"
            )
    state = sim.sims["emulator"].compartment
    real = layout.numbers < len(state.voltage)
    for name in ("current", "voltage"):
        wanted = getattr(state, name)[layout.numbers[real]]
        got = getattr(memory.state, name)[real]
        if not np.array_equal(wanted, got):
            place = layout.place(np.flatnonzero(real)[np.flatnonzero(wanted != got)[0]])
            raise EngineError(
                f"sample {index}: {name} of {place} differs from nengo-loihi's emulator after "
                f"{sim.n_steps} steps: please report the network"
            )


def verify_outputs(wanted, values, index):
    """Compare the read-out of a sample, sums of floats on the host.

    Parameters
    ----------
    wanted, values : (n_steps, n_outputs) array
        nengo-loihi's, and ours.
    index : int

    Raises
    ------
    EngineError
        Naming the step.
    """
    wanted = np.asarray(wanted)
    off = np.abs(wanted - values).max(axis=1)
    if (off > ROUNDING * max(1.0, np.abs(wanted).max())).any():
        raise EngineError(
            f"sample {index}, step {off.argmax() + 1}: the read-out differs from nengo-loihi's by "
            f"{off.max():.3g}: please report the network"
        )
