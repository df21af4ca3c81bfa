"""Model, rates and spikes side by side on samples that conversion has not seen."""

import dataclasses
import itertools

import numpy as np

from nengo_tactile import engines
from nengo_tactile.ann.training import predict

#: Training samples that are held out of calibration, at most, and the least share that is left.
MOST_SAMPLES, SHARE = 256, 0.2
#: Points, or hundredths of the values' spread, that are no matter for a warning.
TOLERANCE = 0.02


def split(n_samples, n_calibration, seed=0):
    """Random samples for calibration, and others that are held out.

    Parameters
    ----------
    n_samples, n_calibration : int
        How many there are, and how many calibration takes at most.
    seed : int

    Returns
    -------
    calibration, held_out : int arrays
    """
    order = np.random.default_rng(seed).permutation(n_samples)
    n_held = min(MOST_SAMPLES, max(n_samples - n_calibration, int(SHARE * n_samples)))
    first = min(n_calibration, n_samples - n_held)
    return order[:first], order[first : first + n_held]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Accuracy, or error, of the same samples at each stage of conversion.

    Attributes
    ----------
    what : str
        "accuracy" or "error".
    measured : dict of str to float
        Of "Keras", "rates" and "spikes".
    warnings : tuple of str
    n_samples : int
    """

    what: str
    measured: dict
    warnings: tuple
    n_samples: int

    def __str__(self):
        values = ", ".join(f"{name} {value:.4g}" for name, value in self.measured.items())
        kind = "RMS error" if self.what == "error" else self.what
        return f"{kind} on {self.n_samples} held-out training samples: {values}"


#: What loses more than it should, and what to do, by the stage that loses it.
_REMEDIES = {
    "rates": "the largest activations are clipped (raise --percentile), or the input arrives "
    "otherwise than in the Keras model (--scale, --coding)",
    "spikes": "give more --steps, or --neuron if with --correction bias or potential",
}


def compare(model, network, x, targets, progress=None):
    """Measure a Keras model and the network made of it on the same samples.

    Parameters
    ----------
    model : tf.keras.Model
    network : SpikingNetwork
    x : (n_samples, ...) array
        As both take them.
    targets : Targets
        Of these samples, with the network's read-out.
    progress : bool, optional

    Returns
    -------
    Comparison
    """
    given = predict(model, x)
    rates = predict(network.ann, network.ann_input(x)).reshape(len(x), -1)
    lif = any(stage.neuron.leaks for stage in network.graph)
    engine = "nengo-dl" if lif or network.synapse is not None else "event"
    spikes = engines.run(network, x, engine=engine, progress=progress).outputs[:, -1]
    measured = {
        "Keras": targets.measure_model(given),
        "rates": targets.measure(rates),
        "spikes": targets.measure(spikes),
    }
    stages = list(measured)
    warnings = []
    for before, after in itertools.pairwise(stages):
        lost = targets.score(measured[before]) - targets.score(measured[after])
        # two standard errors of a difference of shares, of which the larger is known
        share = min(max(targets.score(measured[before]), 0.0), 1.0)
        chance = 0.0 if targets.are_values else 2 * np.sqrt(2 * share * (1 - share) / len(x))
        if lost > max(TOLERANCE, chance):
            warnings.append(
                f"warning: {after} lose {lost:.3g} "
                f"{'of the standard deviation' if targets.are_values else 'of the accuracy'} "
                f"against {before} on held-out training samples: {_REMEDIES[after]}"
            )
    return Comparison(targets.what, measured, tuple(warnings), len(x))
