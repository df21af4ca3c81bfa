"""An integrate-and-fire network on calibration samples, before it is handed out.

One simulation tells what the read-out after the last step would be for every share of the steps
that it may leave out (`SpikingNetwork.discard`), and whether corrections went astray.
"""

import dataclasses
import math
import warnings

import numpy as np

from nengo_tactile.conversion.layerwise import simulate
from nengo_tactile.errors import ConversionError, ConversionWarning

#: Shares of the steps that are compared.
SHARES = (0.0, 0.25, 0.5, 0.75)
#: Samples, at equal distances, and output values over samples and steps, that a run has at most.
SAMPLES, VALUES = 128, 2**26
#: Largest output, in units of the rate network's, that nothing is said about.
LARGEST = 2.0


def check_discard(value):
    """Refuse what is no share of the steps that a read-out can leave out.

    Raises
    ------
    ConversionError
        If it is not from 0 to below 1.
    """
    if isinstance(value, str) or not 0 <= value < 1:
        raise ConversionError(f"discard is {value!r}: choose a share from 0 to below 1")


@dataclasses.dataclass(frozen=True)
class TrialRun:
    """What a network did on calibration samples.

    Attributes
    ----------
    wanted : (n_samples, n_outputs) array
        The network's outputs without spikes.
    means : (n_samples, n_steps, n_outputs) array
        Mean of the outputs over the steps so far.
    read_out : ReadOut
    """

    wanted: np.ndarray
    means: np.ndarray
    read_out: object

    @property
    def n_steps(self):
        """Steps that were run."""
        return self.means.shape[1]

    def outputs(self, discard):
        """The read-out after the last step, (n_samples, n_outputs) float array.

        Parameters
        ----------
        discard : float
            See `SpikingNetwork`.
        """
        last, first = self.n_steps, math.floor(self.n_steps * discard)
        sums = last * self.means[:, -1].astype(float)
        if first:
            sums -= first * self.means[:, first - 1].astype(float)
        return sums / (last - first)

    def distance(self, discard):
        """How far the read-out is from `wanted`: see `ReadOut.distance`."""
        return self.read_out.distance(self.outputs(discard), self.wanted)

    def agreement(self, discard):
        """How far it says the same as `wanted`: see `ReadOut.agreement`."""
        return self.read_out.agreement(self.outputs(discard), self.wanted)

    def best_discard(self):
        """Of `SHARES` the one whose read-out is nearest to `wanted`, the least of equals.

        Distance decides, not agreement: on a hundred samples that differs by chance.
        """
        return min(SHARES, key=lambda share: round(self.distance(share), 6))

    def complaints(self, discard):
        """What is wrong with such a read-out, a list of sentences with their remedies.

        Parameters
        ----------
        discard : float
        """
        found = []
        before, after = self.agreement(0.0), self.agreement(discard)
        if after < before and self.distance(discard) > self.distance(0.0):
            found.append(
                f"discard is {discard:g}: after {self.n_steps} steps {after:.3f} of the decisions "
                f"on {len(self.wanted)} calibration samples are those of the network without "
                f"spikes, {before:.3f} without it: leave it out, give more n_steps, or "
                "discard='tune'"
            )
        top, reached = np.abs(self.wanted).max(), np.abs(self.outputs(discard)).max()
        if reached > LARGEST * top:
            found.append(
                f"after {self.n_steps} steps the largest output on {len(self.wanted)} calibration "
                f"samples is {reached:.3g}, without spikes it is {top:.3g}: give more n_steps, a "
                "smaller discard, or no correction and compensation"
            )
        return found


def run_on(layers, read_out, x, n_steps):
    """Simulate a network on some of its calibration samples.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        With `RateIF` ones.
    read_out : ReadOut
    x : (n_samples, ...) array
    n_steps : int

    Returns
    -------
    TrialRun
    """
    n_samples = max(1, min(SAMPLES, VALUES // (n_steps * read_out.n_outputs)))
    x = x[:: -(-len(x) // n_samples)]
    means = simulate(layers, x, n_steps).logits
    wanted = layers.outputs(x).reshape(len(x), -1)
    return TrialRun(wanted, means.reshape(len(x), n_steps, -1), read_out)


def settled_discard(layers, read_out, x, n_steps, discard=0.0, corrected=False):
    """The share of the steps that the read-out leaves out, tried on calibration samples.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        With `RateIF` ones.
    read_out : ReadOut
    x : (n_samples, ...) array
        Calibration samples.
    n_steps : int
        The presentation time.
    discard : float or "tune"
    corrected : bool
        Whether neurons or weights were corrected for ``n_steps``, so that outputs are looked at
        whatever ``discard`` is.

    Returns
    -------
    float

    Warns
    -----
    ConversionWarning
        For a share with which fewer decisions are right than without, and for outputs of more
        than twice the network's without spikes.
    """
    if not (discard or corrected):
        return 0.0
    run = run_on(layers, read_out, x, n_steps)
    chosen = run.best_discard() if discard == "tune" else discard
    for complaint in run.complaints(chosen):
        warnings.warn(f"model '{layers.name}': {complaint}", ConversionWarning, stacklevel=5)
    return chosen
