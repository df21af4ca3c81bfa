"""Running spiking networks on nengo-loihi: the emulator of Intel's Loihi chip, or the chip.

Only the emulator (``target="sim"``) was tried. With Intel's NxSDK installed the same call
takes ``target="loihi"``.

The tactile image is a constant analogue current, which the chip cannot take in. Either leading
layers' neurons run on the host and send their spikes (``on_host``; the first layer by default),
or one integrate-and-fire neuron per pixel does, and all layers are on the chip (``on_host=()``).

The chip's neurons start at zero, fire at whole steps and lose what their potential was above
the threshold, integrate-and-fire neurons with reset by subtraction too: a neuron that should
fire every 2.5 steps fires every 3. So fast neurons lose most, and the same network does better
there with lower rates, more steps and smoothed spikes: see `chip_settings`, which `run` applies.
"""

import contextlib
import dataclasses
import sys
import warnings

import numpy as np

from nengo_tactile import arguments, stack
from nengo_tactile.engines import chip_spikes
from nengo_tactile.engines.batches import checked_counts
from nengo_tactile.engines.chip_build import Shown, placed, prepare
from nengo_tactile.engines.chip_host import check_input, layers_on_host
from nengo_tactile.engines.chip_images import ImageChip
from nengo_tactile.engines.chip_report import ChipReport
from nengo_tactile.engines.chip_settings import (
    CHIP_RATE,
    LEAST_AGREEMENT,
    LEAST_SAMPLES,
    chip_settings,
    for_chip,
    rates_of,
)
from nengo_tactile.engines.recording import Recording
from nengo_tactile.engines.state import State
from nengo_tactile.errors import EngineError, EngineWarning
from nengo_tactile.lazy import kept_in

#: Samples after which a run with too few of the Keras model's winners is refused, so that what
#: many samples take is not lost at their end.
REFUSED_AFTER = 32


def mode(network):
    """The module that runs a network: this one, or that of networks that read spikes."""
    return sys.modules[__name__] if network.coding is None else chip_spikes


def chip_report(network, on_host=None):
    """Place a network on the chip and say what it takes.

    Parameters
    ----------
    network : SpikingNetwork
        Placed as `run` would run it, with `chip_settings`.
    on_host : str or sequence of str, optional
        By default the network's own.

    Returns
    -------
    ChipReport
    """
    layers_on_host(network.graph, network.on_host if on_host is None else on_host)
    prepared = prepare(for_chip(network, None), on_host)
    with stack.quiet_build():
        return placed(prepared, Shown(network))[-1]


@stack.guest()
def run(
    network,
    x,
    n_steps=None,
    progress=None,
    target="sim",
    on_host=None,
    rate=None,
    least_agreement=LEAST_AGREEMENT,
    threads=None,
    verify=0,
    rasters=0,
):
    """Show each sample for ``n_steps`` to the chip's integers, or to nengo-loihi itself.

    nengo-loihi builds the network; its integers are stepped by compiled loops
    (`engines.chip_kernel`), samples side by side, with the spikes that nengo-loihi's own emulator
    has. What was built is kept for the next run of the same network object.

    Parameters
    ----------
    network : SpikingNetwork
        Run with `chip_settings`, unless it has them already.
    x : (n_samples, ...) float array
    n_steps : int, optional
        By default the network's own, more of them by as much as its rates are lowered.
    progress : bool, optional
    target : {"sim", "simreal", "loihi"}
        The chip's integers, nengo-loihi's emulator without quantisation, one sample after another,
        or the chip (with NxSDK; not tried).
    on_host : str or sequence of str, optional
        Layers whose neurons run on the host: see `engines.chip_host.layers_on_host`. By default
        the network's own.
    rate : float, optional
        Factor on the firing rates: see `chip_settings`. 1 keeps them.
    least_agreement : float
        Of five samples or more, the share that must have the Keras model's winner at the end (see
        `ReadOut.agreement`): the run is refused after the first 32, and warned of when it falls
        short later. 0 takes what comes.
    threads : int, optional
        Samples side by side; by default as many as there are processors.
    verify : int
        So many of the samples run on nengo-loihi's own emulator too, spikes, potentials and
        currents of every compartment compared; that takes minutes for large networks.
    rasters : int
        Samples of which all spikes are kept: see `Recording.rasters`.

    Returns
    -------
    Recording
        Its spikes and synaptic operations include the host's layers; where the chip takes the
        image (``on_host=()``) the input neurons are the layer "input". ``notes`` say what was
        changed for the chip.

    Raises
    ------
    EngineError
        If the network cannot be placed, if integers overflow while it runs, if it does not give
        the Keras model's winners there, or if ``verify`` finds a difference.

    Warns
    -----
    EngineWarning
        Of layers that lose their weights to rounding.
    """
    nengo_loihi = stack.nengo_loihi()
    if target not in ("sim", "simreal", "loihi"):
        raise EngineError(f"target is {target!r}: choose 'sim', 'simreal' or 'loihi'")
    if target == "loihi" and not nengo_loihi.hardware.HAS_NXSDK:
        raise EngineError(
            "target='loihi' needs Intel's NxSDK, which is not installed: use target='sim'"
        )
    _, threads = checked_counts(1, threads)
    verify = arguments.whole("verify", verify, least=0, error=EngineError)
    x = network.check_input(x)
    chip = _chip(network, on_host, rate, n_steps)
    if chip.prepared.takes_spikes and len(x):
        check_input(x, chip.network.dt)
    if target != "simreal":
        for text in chip.report.warnings():
            warnings.warn(text, EngineWarning, stacklevel=2)
    batches = chip.recordings(x, target, threads, verify, REFUSED_AFTER, progress, rasters)
    parts, n_done, judged = [], 0, min(len(x), REFUSED_AFTER)
    with stack.quiet_build(), contextlib.closing(batches):
        for part in batches:
            parts.append(part)
            n_done += part.n_samples
            if n_done == judged:
                told = _disagreement(chip.network, x, parts, least_agreement)
                if told is not None:
                    raise EngineError(told)
    if len(x) > REFUSED_AFTER:
        told = _disagreement(chip.network, x, parts, least_agreement)
        if told is not None:
            warnings.warn(told, EngineWarning, stacklevel=2)
    return dataclasses.replace(Recording.concatenate(parts), notes=chip.notes)


@stack.guest()
def start(network, n_steps=None, on_host=None, rate=None, threads=None, progress=None):
    """Begin a run in chunks on the chip's integers: each shows its image from where it stands.

    Parameters
    ----------
    network : SpikingNetwork
        With `chip_settings`, or they are applied.
    n_steps : int, optional
        Steps of all chunks together: what integrate-and-fire neurons hold at the start comes as a
        constant current over so many. By default as of `run`.
    on_host, rate, threads, progress :
        As for `run`.

    Returns
    -------
    State

    Raises
    ------
    EngineError
        As `run`, and for layers on the host that see more than the image.
    """
    _, threads = checked_counts(1, threads)
    chip = _chip(network, on_host, rate, n_steps)
    if not chip.in_chunks:
        raise EngineError(
            "a run in chunks on the chip takes layers on the host that see the image alone: name "
            "fewer of them (on_host=...), or use engine='event'"
        )
    return State(network, chip.beginning(threads, progress))


def _chip(network, on_host, rate, n_steps):
    """The network built for the chip, now or before."""
    on_host = network.on_host if on_host is None else on_host
    key = layers_on_host(network.graph, on_host), rate, n_steps
    with stack.quiet_build():
        return kept_in(network, "_chips", key, lambda: ImageChip(network, on_host, rate, n_steps))


def _disagreement(network, x, parts, least_agreement):
    """What to say when the samples that were run have too seldom the Keras model's winner."""
    outputs = np.concatenate([part.outputs[:, -1] for part in parts])
    n = len(outputs)
    share = network.read_out.agreement(outputs, rates_of(network, x[:n]))
    if n < LEAST_SAMPLES or share >= least_agreement or (1 - share) * n <= 1:  # one may be chance
        return None
    return (
        f"on the Loihi emulator {n} samples agree with the Keras model by {share:.2f}, wanted "
        f"{least_agreement:g}: choose settings on calibration samples "
        "(`engines.loihi.chip_settings(snn, x=x)`; convert --for-chip), or take what "
        "comes with least_agreement=0 (--least-agreement 0); "
        "`engines.chip_agreement.chip_agreement(snn, x)` says which layer loses it"
    )


__all__ = [
    "CHIP_RATE",
    "ChipReport",
    "chip_report",
    "chip_settings",
    "run",
    "start",
]
