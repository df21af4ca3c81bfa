"""Firing rates and synapses chosen on calibration samples instead of by guess."""

import dataclasses

import numpy as np

from nengo_tactile.ann.training import predict
from nengo_tactile.progress import track

#: Calibration samples that tuning runs at most.
MAX_SAMPLES = 256


@dataclasses.dataclass(frozen=True)
class Trial:
    """One candidate setting and how it did on the calibration samples.

    Attributes
    ----------
    rate_factor : float
        Firing rates relative to the network that was given.
    synapse : float or None
        Low-pass time constant in seconds.
    score : float
        Share of samples with the Keras model's winner, over the last tenth of the steps (see
        `ReadOut.agreement`).
    error : float
        How far the read-out is from the Keras model's logits after the last step: see
        `ReadOut.distance`.
    spikes : float
        Spikes per sample over the whole presentation.
    """

    rate_factor: float
    synapse: float | None
    score: float
    error: float
    spikes: float


def tune(
    network,
    x,
    rates=(0.5, 1.0),
    synapses=(0.002, 0.005),
    error_margin=1.1,
    max_samples=MAX_SAMPLES,
    progress=None,
    run=None,
):
    """Choose firing rates and synapse on calibration samples.

    The setting whose read-out comes closest to the Keras model's logits wins, not the most
    accurate one: on a few hundred samples, most of them easy, accuracies differ by chance.

    Parameters
    ----------
    network : SpikingNetwork
    x : (n_samples, ...) array
    rates : sequence of float
        Factors on the firing rates; the function of the network stays the same
        (`LIFParameters.faster`).
    synapses : sequence of float or None
        Low-pass time constants in seconds.
    error_margin : float
        Of the settings whose error is within this factor of the least, the one with the
        fewest spikes wins.
    max_samples : int
        The first so many samples are run.
    progress : bool, optional
    run : callable, optional
        Engine, ``run(network, x, n_steps) -> Recording``; by default NengoDL.

    Returns
    -------
    network : SpikingNetwork
        With the chosen setting.
    trials : list of Trial
        All candidates, in the order tried.
    """
    if run is None:
        # engines are a floor above conversion; only this choice reaches up, at call time
        from nengo_tactile.engines.nengo_dl import run
    x = x[:max_samples]
    logits = predict(network.ann, x).reshape(len(x), -1)
    tail = max(1, network.n_steps // 10)
    trials, candidates = [], []
    settings = [(rate, synapse) for rate in rates for synapse in synapses]
    for rate, synapse in track(settings, "tuning rates and synapse", progress=progress):
        candidate = dataclasses.replace(network, synapse=synapse)
        if rate != 1:
            candidate = candidate.with_rates(rate)
        recording = run(candidate, x, network.n_steps, progress=False)
        last = (recording.outputs[:, -1 - step] for step in range(tail))
        score = float(np.mean([network.read_out.agreement(outputs, logits) for outputs in last]))
        spikes = sum(float(s.sum()) for s in recording.spikes_over_time.values()) / len(x)
        error = network.read_out.distance(recording.outputs[:, -1], logits)
        trials.append(Trial(rate, synapse, score, error, spikes))
        candidates.append(candidate)
    least = min(trial.error for trial in trials)
    close = [i for i, trial in enumerate(trials) if trial.error <= error_margin * least]
    return candidates[min(close, key=lambda i: trials[i].spikes)], trials
