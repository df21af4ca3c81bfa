"""Sigma-delta networks (Yousefzadeh et al.): the paper's numbers, and which runs give ours.

The paper's thresholds are in the unit of its own network's activations. Ours are in a
unit in which a threshold of 1.0 takes about the paper's spikes (`nengo_tactile.ann.digits`).
"""

import dataclasses

from nengo_tactile.ann.digits import NAME
from nengo_tactile.errors import DataError
from nengo_tactile.events.coding import DelayCoding
from nengo_tactile.reproduce.choices import names_of
from nengo_tactile.reproduce.networks import train_command, weights_file

#: Name of the trained weights.
WEIGHTS = f"mnist-{NAME}"
#: The input's spikes of 0.8 time units, recorded in steps of 0.01.
CODING = DelayCoding(n_steps=80, largest=255.0)
#: One more step, in which neurons that still lack a spike fire.
N_STEPS = CODING.n_steps + 1
#: Neurons that the paper's 15k are: pixels, two convolutions, dense layer, outputs.
NEURONS = 28 * 28 + 28 * 28 * 16 + 14 * 14 * 8 + 256 + 10
#: Multiplications of the ANN by the paper's footnote 10, which leaves out that each filter of the
#: second convolution reads 16 channels; and with them. Each is counted as two accumulations.
PAPER_MACS = 28 * 28 * 16 * 25 + 14 * 14 * 8 * 25 + 256 * 7 * 7 * 8 + 10 * 256
MACS = PAPER_MACS + 15 * 14 * 14 * 8 * 25
#: Accumulations for the ANN's accuracy: "less than 600K" (paper, section III).
PAPER_OPERATIONS = 600e3


@dataclasses.dataclass(frozen=True)
class Setting:
    """One way to convert and run the network.

    Attributes
    ----------
    title : str
        For tables.
    options : dict
        For `nengo_tactile.conversion.convert.convert`.
    n_steps : int
    paper : dict
        What the paper's Table I has: ``ann``, ``quantised``, ``snn`` (accuracy) and ``spikes``
        per neuron and image.
    budget : float or None
        Spikes per neuron and image that thresholds by layer are searched for.
    """

    title: str
    options: dict
    n_steps: int = N_STEPS
    paper: dict = dataclasses.field(default_factory=dict)
    budget: float | None = None

    @property
    def spikes_by_change(self):
        """Whether neurons are sigma-delta ones; else they fire at rates."""
        return self.options["neuron"] == "sigma-delta"


def _delta(title, paper=None, budget=None, **options):
    options = {"neuron": "sigma-delta", "coding": CODING, **options}
    return Setting(title, options, N_STEPS, paper or {}, budget)


def _rate(n_steps, snn, spikes):
    paper = {"ann": 0.9921, "snn": snn, "spikes": spikes}
    return Setting(f"rate coding, {n_steps} steps", {"neuron": "if"}, n_steps, paper)


#: Table I, then what is ours alone.
SETTINGS = {
    "threshold-1": _delta(
        "threshold 1.0",
        {"ann": 0.9921, "quantised": 0.9881, "snn": 0.9919, "spikes": 0.25},
        threshold=1.0,
    ),
    "threshold-2": _delta(
        "threshold 2.0",
        {"ann": 0.9921, "quantised": 0.9644, "snn": 0.9726, "spikes": 0.08},
        threshold=2.0,
    ),
    "rate-25": _rate(25, 0.9918, 0.48),
    "rate-15": _rate(15, 0.9880, 0.26),
    "outputs": _delta("threshold 1.0, outputs spike too", threshold=1.0, output_threshold=1.0),
    "threshold-0.5": _delta("threshold 0.5", threshold=0.5),
    "budget-0.1": _delta("threshold by layer, at most 0.10", budget=0.10),
    "budget-0.05": _delta("threshold by layer, at most 0.05", budget=0.05),
}
#: Setting that the figures show.
SHOWN = "threshold-1"


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a reproduction runs.

    Attributes
    ----------
    settings : tuple of str
        Of `SETTINGS`.
    n_samples : int or None
        Random test images, None for all.
    seed : int
        Of the choice of images.
    weights : path or None
        Folder of the weights; by default that of the package.
    """

    settings: tuple = tuple(SETTINGS)
    n_samples: int | None = None
    seed: int = 0
    weights: object = None

    def command(self):
        """The command line that runs it."""
        settings = f" --settings {','.join(self.settings)}"
        samples = "" if self.n_samples is None else f" --samples {self.n_samples}"
        weights = "" if self.weights is None else f" --weights {self.weights}"
        return (
            f"nengo-tactile reproduce sigma-delta"
            f"{'' if self.settings == tuple(SETTINGS) else settings}{samples}{weights} --seed "
            f"{self.seed} --data-dir DATA"
        )


def make_plan(settings=None, **options):
    """A plan from what a command line gives.

    Parameters
    ----------
    settings : str, optional
        Separated by commas; by default all.
    **options
        See `Plan`.

    Returns
    -------
    Plan

    Raises
    ------
    DataError
        For settings that are not known, and without trained weights.
    """
    plan = Plan(names_of(settings, SETTINGS, "setting"), **options)
    if not weights_file(WEIGHTS, plan.weights):
        raise DataError(
            f"the network is not trained: train it with\n  "
            f"{train_command(WEIGHTS, f'{WEIGHTS}.npz')}\nand give its folder (--weights)"
        )
    return plan
