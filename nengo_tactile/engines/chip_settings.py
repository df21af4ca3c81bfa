"""Rates, steps and synapse with which a network holds on the chip, and whether it does."""

import dataclasses
import math

import numpy as np

from nengo_tactile.engines.chip_stages import refuse_changes
from nengo_tactile.errors import EngineError

#: Factor on the firing rates for the chip, and what networks without a synapse get there: its
#: time constant in seconds and `SpikingNetwork.discard`. See `chip_settings`.
CHIP_RATE = 0.5
CHIP_SYNAPSE = 0.005
CHIP_DISCARD = 0.5
#: Factors that `chip_settings` tries on calibration samples, and how many of these.
CHIP_RATES = (0.5, 0.25, 0.125, 0.0625)
CHIP_SAMPLES = 64
#: Agreement with the Keras model (`ReadOut.agreement`: the share of samples with its winner) below
#: which a run and settings are refused; of fewer samples than this many nothing is said.
LEAST_AGREEMENT, LEAST_SAMPLES = 0.9, 5


def chip_settings(network, rate=None, x=None, progress=None):
    """The network with the firing rates, presentation time and synapse that suit the chip.

    `run` applies them itself (without calibration samples), unless the network has them already;
    `Recording.notes` then says what was changed. Each sample is shown for ``n_steps / rate`` steps.
    A network without a synapse (``synapse=None``, as conversion to integrate-and-fire neurons
    leaves it) gets one of 5 ms, and its read-out leaves out the first half of the steps: the
    chip's reset to zero throws away what a spike's potential was above the threshold, which lower
    rates reduce only when the current no longer comes in whole spikes.

    With calibration samples, up to 64 of them run on the emulator at each rate, from 0.5 down to
    a sixteenth: the mean that the read-out lacks of the Keras model's goes into `chip_offset`, and
    the first rate is taken at which it then has the model's winners in at least 90 % of the
    samples (each sample judged with the offset of the others).

    Parameters
    ----------
    network : SpikingNetwork
    rate : float, optional
        Factor on the firing rates; the steps grow by as much, so that the number of spikes
        stays about the same. By default the network's `chip_rate`, or 0.5.
    x : (n_samples, ...) array, optional
        Calibration samples.
    progress : bool, optional

    Returns
    -------
    SpikingNetwork
        The same function of its input. Its `chip_rate` is 1, so that `run` takes it as it is.

    Raises
    ------
    EngineError
        If no rate that was tried gives the model's winners.

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
    for stage in network.graph:
        refuse_changes(stage)
    if x is None:
        return _at_rate(network, rate or network.chip_rate or CHIP_RATE)
    from nengo_tactile.engines.loihi import run

    x = network.check_input(x)[:CHIP_SAMPLES]
    if len(x) < LEAST_SAMPLES:
        raise EngineError(
            f"{len(x)} calibration samples: give at least {LEAST_SAMPLES}, or none at all"
        )
    wanted, shares = rates_of(network, x), {}
    for tried in CHIP_RATES if rate is None else (rate,):
        shown = _at_rate(network, tried)
        lacking = wanted - run(shown, x, progress=progress, least_agreement=0).outputs[:, -1]
        others = (lacking.sum(axis=0) - lacking) / (len(x) - 1)  # each without its own
        shares[tried] = network.read_out.agreement(wanted - lacking + others, wanted)
        if _holds(shares[tried], len(x)):
            return dataclasses.replace(shown, chip_offset=lacking.mean(axis=0))
    found = ", ".join(f"{share:.2f} at rates times {tried:g}" for tried, share in shares.items())
    best = max(shares, key=shares.get)
    lost, remedy = _lost(_at_rate(network, best), x, progress)
    raise EngineError(
        f"on the chip the network has the Keras model's winner in too few of {len(x)} calibration "
        f"samples ({found}; wanted {LEAST_AGREEMENT}, and a standard error more); {lost}. "
        f"Convert it with more steps (n_steps above {network.n_steps}), "
        f"train it with smaller biases (weight decay on them){remedy}"
    )


def _holds(share, n_samples):
    """Whether an agreement is large enough for other samples to have it too."""
    return share - math.sqrt(share * (1 - share) / n_samples) >= LEAST_AGREEMENT


def _lost(network, x, progress):
    """In words which layer loses a network on the chip and to what, and what else would help."""
    from nengo_tactile.engines.chip_agreement import chip_agreement

    found = chip_agreement(network, x, n_samples=LEAST_SAMPLES, progress=progress)
    where = f"layer '{found.loses}' loses most"
    names = [row["layer"] for row in found.layers]
    up_to = ",".join(names[: names.index(found.loses) + 1]) if found.loses else ""
    remedy = ""
    if up_to and found.loses != names[-1]:
        remedy = f", or let more layers run on the host: on_host='{up_to}' (--on-host {up_to})"
    if found.cause == "integers":
        return f"{where}, to the rounding of its weights and biases", remedy
    return (
        f"{where}: its neurons fire at whole steps there, and what that costs is as large as the "
        "differences between the outputs"
    ), remedy


def _at_rate(network, rate):
    slower, smooth = network.with_rates(rate), {"chip_rate": 1.0, "chip_offset": None}
    if network.synapse is None:
        smooth |= {"synapse": CHIP_SYNAPSE, "discard": CHIP_DISCARD}
    return dataclasses.replace(slower, n_steps=max(1, round(network.n_steps / rate)), **smooth)


def for_chip(network, rate):
    """The network as it runs on the chip: with `chip_settings`, or as it is when it has them."""
    if rate is None and network.chip_rate == 1:
        return network
    return chip_settings(network, rate)


def changes(network, shown, n_steps):
    """In words what is shown instead of a network."""
    if shown is network:
        return ()
    rate = shown.rate_factor / network.rate_factor
    note = f"firing rates times {rate:g}, {n_steps} steps"
    if n_steps == shown.n_steps:
        note += f" instead of {network.n_steps}"
    if shown.synapse != network.synapse:
        note += f", a synapse of {shown.synapse * 1000:g} ms"
    if shown.discard != network.discard:
        note += f", the first {shown.discard:.0%} of the steps left out of the read-out"
    return (f"for the chip: {note} (rate=1 and steps of your own keep the network's rates)",)


def rates_of(network, x):
    return np.asarray(network.ann(network.ann_input(x))).reshape(len(x), -1)
