"""The sigma-delta paper's network: its numbers, and which runs give ours."""

import dataclasses
from pathlib import Path

from nengo_tactile.ann.digits import NAME
from nengo_tactile.commands.networks import train_command, weights_file
from nengo_tactile.conversion.neurons import IF, SigmaDelta
from nengo_tactile.errors import DataError
from nengo_tactile.events.coding import DelayCoding
from nengo_tactile.experiments.plans import Plan
from nengo_tactile.options import option

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
ANN_OPERATIONS = {"paper's count": 2 * PAPER_MACS, "all channels": 2 * MACS}


@dataclasses.dataclass(frozen=True)
class Setting:
    """One way to convert and run the network.

    Attributes
    ----------
    title : str
    neuron : SigmaDelta or IF
    n_steps : int
    paper : dict
        Table I: ``ann``, ``quantised``, ``snn`` (accuracy) and ``spikes`` per neuron and image.
    budget : float or None
        Spikes per neuron and image that thresholds by layer are searched for.
    """

    title: str
    neuron: object
    n_steps: int = N_STEPS
    paper: dict = dataclasses.field(default_factory=dict)
    budget: float | None = None

    @property
    def spikes_by_change(self):
        """Whether neurons are sigma-delta ones; else they fire at rates."""
        return self.neuron.sends_changes


def _delta(title, paper=None, budget=None, **options):
    return Setting(title, SigmaDelta(coding=CODING, **options), N_STEPS, paper or {}, budget)


def _rate(n_steps, snn, spikes):
    paper = {"ann": 0.9921, "snn": snn, "spikes": spikes}
    return Setting(f"rate coding, {n_steps} steps", IF(), n_steps, paper)


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
class DeltaPlan(Plan):
    """Settings, how many random test images (None: all), folder of weights (None: the package's),
    seed of the choice of images.
    """

    settings: tuple = option(
        tuple(SETTINGS),
        "threshold-1,rate-25,... (default: all).",
        choices=SETTINGS,
    )
    n_samples: int | None = option(None, "Use so many random samples.", flag="--samples", least=1)
    weights: str | Path | None = option(None, "Folder of trained weights (default: the package's).")
    seed: int = option(0, "Seed of every random draw.", always=True)

    def __post_init__(self):
        super().__post_init__()
        if not weights_file(WEIGHTS, self.weights):
            raise DataError(
                f"the network is not trained: train it with\n  "
                f"{train_command(WEIGHTS, f'{WEIGHTS}.npz')}\nand give its folder (--weights)"
            )
