"""Running spiking networks on nengo-loihi: the emulator of Intel's Loihi chip, or the chip.

Only the emulator (``target="sim"``) was tried. With Intel's NxSDK installed the same call
takes ``target="loihi"``.

The tactile image is a constant analogue current, which the chip cannot take in. Either the
first layer's neurons run on the host and send their spikes (``first_layer="host"``), or one
integrate-and-fire neuron per pixel does, and all layers are on the chip ("chip").

The chip's neurons start at zero, fire at whole steps and lose what their potential was above
the threshold, integrate-and-fire neurons with reset by subtraction too: a neuron that should
fire every 2.5 steps fires every 3. So fast neurons lose most, and the same network does better
there with lower rates, more steps and smoothed spikes: see `chip_settings`.
"""

import dataclasses
import io

import numpy as np

from nengo_tactile import stack
from nengo_tactile.conversion.build import build_nengo
from nengo_tactile.conversion.stages import fan_outs
from nengo_tactile.engines.chip_stages import (
    check_input,
    chip_stages,
    refuse_changes,
    register_neurons,
    spike_the_input,
    start_as_current,
)
from nengo_tactile.engines.emulator import be_strict, deliver_at_once, reset_emulator
from nengo_tactile.engines.nengo_dl import read_out
from nengo_tactile.engines.placement import (
    CORE_LIMITS,
    CORES_PER_CHIP,
    core_table,
    place,
    weight_errors,
)
from nengo_tactile.engines.recording import Recording
from nengo_tactile.errors import EngineError
from nengo_tactile.progress import track

#: Factor on the firing rates for the chip, and what networks without a synapse get there: its
#: time constant in seconds and `SpikingNetwork.discard`. See `chip_settings`.
CHIP_RATE = 0.5
CHIP_SYNAPSE = 0.005
CHIP_DISCARD = 0.5


@dataclasses.dataclass(frozen=True)
class ChipReport:
    """How a network lies on the chip.

    Attributes
    ----------
    cores : list of dict
        Per neuron core: layer, compartments, in_axons, out_axons, synapse_bits.
    on_host : tuple of str
        Layers whose neurons run on the host.
    weight_error : dict of str to float
        Per chip layer: root mean square of (8-bit weights - weights), relative to the root
        mean square of the weights.
    """

    cores: list
    on_host: tuple
    weight_error: dict

    @property
    def n_chips(self):
        """Chips needed, at 128 cores each."""
        return -(-len(self.cores) // CORES_PER_CHIP)

    def rows(self):
        """One dict per layer on the chip: its cores, and the fullest of them in each respect."""
        layers = dict.fromkeys(core["layer"] for core in self.cores)
        rows = []
        for layer in layers:
            cores = [core for core in self.cores if core["layer"] == layer]
            most = {limit: max(core[limit] for core in cores) for limit in CORE_LIMITS}
            rows.append(
                {
                    "layer": layer,
                    "cores": len(cores),
                    "neurons": sum(core["compartments"] for core in cores),
                    **most,
                    "weight_error": self.weight_error.get(layer),
                }
            )
        return rows

    def to_dict(self):
        """Everything as JSON takes it; ``ChipReport(**report.to_dict())`` gives it back."""
        return {**dataclasses.asdict(self), "on_host": list(self.on_host)}

    def table(self):
        """As a rich table; shares are of the core's limit, on the layer's fullest core."""
        from rich.table import Table

        host = ", ".join(self.on_host) or "none"
        table = Table(
            title=f"{len(self.cores)} cores of {self.n_chips} Loihi chip(s); layers on the host: "
            f"{host}",
            title_justify="left",
        )
        table.add_column("layer")
        for name in ("cores", "neurons", *CORE_LIMITS, "8-bit weight error"):
            table.add_column(name.replace("_", " "), justify="right")
        for row in self.rows():
            shares = [f"{row[limit] / CORE_LIMITS[limit]:.0%}" for limit in CORE_LIMITS]
            error = "-" if row["weight_error"] is None else f"{row['weight_error']:.2%}"
            table.add_row(row["layer"], str(row["cores"]), str(row["neurons"]), *shares, error)
        return table

    def __str__(self):
        from rich.console import Console

        console = Console(width=110, file=io.StringIO())
        console.print(self.table())
        return console.file.getvalue().rstrip()


class _Input:
    """The sample on show; the host's input Node reads it at every step."""

    def __init__(self, size):
        self.values = np.zeros(size)

    def __call__(self, t):
        return self.values


def on_host(network, first_layer):
    """Names of the layers whose neurons run on the host: those that read the image itself."""
    if first_layer == "chip":
        return []
    return [stage.name for stage in network.stages if stage.driven and stage.kind == "neurons"]


def _network(network, shown, first_layer, n_steps=None):
    """Nengo network with chip settings, for ``n_steps`` (by default the network's own) a sample.

    Returns
    -------
    built : Built
    on_chip : dict of str to (ensemble, shape)
    """
    nengo_loihi = stack.nengo_loihi()
    host = on_host(network, first_layer)
    chip = {s.name: s.shape for s in network.stages if s.kind == "neurons" and s.name not in host}
    register_neurons()
    stages = [
        start_as_current(stage, n_steps or network.n_steps) if stage.name in chip else stage
        for stage in chip_stages(network.stages, first_layer)
    ]
    built = build_nengo(
        stages,
        network.dt,
        network.synapse,
        network.min_voltage,
        network.initial_voltage,
        present=shown,
        on_chip=chip,
    )
    net = built.net
    nengo_loihi.add_params(net)
    for name in host:
        net.config[built.ensembles[name]].on_chip = False
    if first_layer == "chip":
        spike_the_input(network, built)
    return built, {name: (built.ensembles[name], shape) for name, shape in chip.items()}


def _check(network, x, first_layer):
    if first_layer not in ("host", "chip"):
        raise EngineError(f"first_layer is {first_layer!r}: choose 'host' or 'chip'")
    host = on_host(network, first_layer)
    if not set(network.spiking_layers) - set(host):
        raise EngineError(
            f"the network has one spiking layer ({host[0]}); with it on the host "
            "nothing is left for the chip: use first_layer='chip' (--first-layer chip)"
        )
    if first_layer == "chip" and len(x):
        check_input(x, network.dt)
    chip_stages(network.stages, first_layer)


def chip_settings(network, rate=CHIP_RATE):
    """The network with the firing rates, presentation time and synapse that suit the chip.

    Nothing changes behind a caller's back: `run` takes the network and the number of steps it
    is given. ``run(chip_settings(network), x, engine="loihi")`` shows each sample for
    ``n_steps / rate`` steps. A network without a synapse (``synapse=None``, as conversion to
    integrate-and-fire neurons leaves it) gets one of 5 ms, and its read-out leaves out the first
    half of the steps: the chip's reset to zero throws away what a spike's potential was above the
    threshold, which lower rates reduce only when the current no longer comes in whole spikes.

    Parameters
    ----------
    network : SpikingNetwork
    rate : float
        Factor on the firing rates; the steps grow by as much, so that the number of spikes
        stays about the same.

    Returns
    -------
    SpikingNetwork
        The same function of its input.

    Notes
    -----
    Measured on 200 STEMNIST test samples (16x16-6c4-24c3-35o trained for 10 epochs, 500 Hz at
    the 99.9th percentile), read-out error against the Keras model and agreement with its
    winners: rates as they are, 60 steps 0.59 and 97.5 %, 120 steps 0.47 and 98.5 %; half the
    rates, 60 steps 0.74 and 96.0 %, 120 steps 0.43 and 97.5 %; a quarter, 120 steps 0.51 and
    96.0 %, 240 steps 0.27 and 100 %.

    Measured on integrate-and-fire neurons (2 random 8x8x2 images; convolution of 4 filters, 3
    residual blocks of as many, dense layer of 3, random weights; 60 steps, root mean square error
    against the Keras model, whose outputs have a standard deviation of 0.73): without a synapse
    0.60 at ``rate`` 1, 0.59 at 0.5, 0.55 at 0.25; with 5 ms and the first half of the steps left
    out 0.28 at 0.5 and 0.18 at 0.25; with 20 ms, too slow to settle in 120 steps, 0.60 and 0.23.
    """
    for stage in network.stages:
        refuse_changes(stage)
    slower, smooth = network.with_rates(rate), {}
    if network.synapse is None:
        smooth = {"synapse": CHIP_SYNAPSE, "discard": CHIP_DISCARD}
    return dataclasses.replace(slower, n_steps=max(1, round(network.n_steps / rate)), **smooth)


def chip_report(network, first_layer=None):
    """Place a network on the chip and say what it takes.

    Parameters
    ----------
    network : SpikingNetwork
    first_layer : {"host", "chip"}, optional
        By default the network's own.

    Returns
    -------
    ChipReport
    """
    first_layer = first_layer or network.first_layer
    _check(network, np.zeros((0,)), first_layer)
    with stack.quiet_build():
        _, on_chip, cores = _placed(network, _Input(_n_inputs(network)), first_layer)
        error = _weight_error(network, first_layer)
    host = tuple(name for name in network.spiking_layers if name not in on_chip)
    return ChipReport(cores, host, error)


def _n_inputs(network):
    return int(np.prod(network.input_shape))


def _placed(network, shown, first_layer, n_steps=None):
    made = {}

    def make_network():
        made["built"], made["on_chip"] = _network(network, shown, first_layer, n_steps)
        return made["built"].net, made["on_chip"]

    _, cores = place(make_network, network.dt)
    return made["built"], made["on_chip"], cores


def _weight_error(network, first_layer):
    def make_network():
        built, on_chip = _network(network, _Input(_n_inputs(network)), first_layer)
        return built.net, on_chip

    return weight_errors(make_network, network.dt)


def run(network, x, n_steps, progress=None, target="sim", first_layer=None):
    """Show each sample for ``n_steps`` on the emulator, one after another.

    Parameters
    ----------
    network : SpikingNetwork
    x : (n_samples, ...) float array
    n_steps : int
    progress : bool, optional
    target : {"sim", "simreal", "loihi"}
        The integer emulator, the emulator without quantisation, or the chip (with NxSDK;
        not tried).
    first_layer : {"host", "chip"}, optional
        By default the network's own.

    Returns
    -------
    Recording
        Its spikes and synaptic operations include the host's layers; with
        ``first_layer="chip"`` the input neurons are the layer "input".

    Raises
    ------
    EngineError
        If the network cannot be placed, or if integers overflow while it runs.
    """
    nengo_loihi = stack.nengo_loihi()
    if target not in ("sim", "simreal", "loihi"):
        raise EngineError(f"target is {target!r}: choose 'sim', 'simreal' or 'loihi'")
    if target == "loihi" and not nengo_loihi.hardware.HAS_NXSDK:
        raise EngineError(
            "target='loihi' needs Intel's NxSDK, which is not installed: use target='sim'"
        )
    first_layer = first_layer or network.first_layer
    x = network.check_input(x)
    _check(network, x, first_layer)
    flat = x.reshape(len(x), -1)
    shown = _Input(flat.shape[1])
    fan_out = network.fan_out()
    if first_layer == "chip":
        fan_out["input"] = fan_outs(network.stages)["input"]
    parts = []
    with stack.quiet_build():
        built, _, _ = _placed(network, shown, first_layer, n_steps)
        sim = _simulator(nengo_loihi, built, network, target)
        try:
            for index in track(range(len(x)), "running the Loihi emulator", progress=progress):
                if index:
                    if target == "loihi":  # the chip's state is cleared by loading it anew
                        sim.close()
                        sim = _simulator(nengo_loihi, built, network, target)
                    else:
                        reset_emulator(sim)
                shown.values = flat[index].astype(float)
                _run_steps(sim, n_steps, index)
                parts.append(_recording(network, built, sim, fan_out))
        finally:
            sim.close()
    return Recording.concatenate(parts)


def _simulator(nengo_loihi, built, network, target):
    sim = nengo_loihi.Simulator(built.net, dt=network.dt, target=target, seed=0)
    if target != "loihi":
        be_strict(sim.sims["emulator"])
    if target == "sim":
        deliver_at_once(sim.sims["emulator"])
    return sim


def _run_steps(sim, n_steps, index):
    from nengo.exceptions import SimulationError

    try:
        sim.run_steps(n_steps)
    except SimulationError as error:
        if "Overflow" not in str(error):
            raise
        step = sim.sims["emulator"].t
        raise EngineError(
            f"sample {index}, step {step}: {error}: more current arrives at a neuron than Loihi's "
            "registers hold (21 bits of input, 23 bits of current), and it would wrap around; "
            "lower the firing rates (`network.with_rates(0.5)`) or train with smaller weights"
        ) from error


def _recording(network, built, sim, fan_out):
    potentials = np.asarray(sim.data[built.output_probe], np.float32)[None]
    outputs = read_out(potentials, network.discard)
    counts, over_time, synops = {}, {}, {}
    for name, probe in built.spike_probes.items():
        fired = np.asarray(sim.data[probe])[None] > 0
        counts[name] = fired.sum(axis=1, dtype=np.int32)
        over_time[name] = fired.sum(axis=2, dtype=np.int64)
        synops[name] = fired.astype(np.int64) @ fan_out[name]
    return Recording(
        outputs, counts, over_time, synops, network.dt, "loihi", read_out=network.read_out
    )


__all__ = ["ChipReport", "chip_report", "chip_settings", "core_table", "reset_emulator", "run"]
