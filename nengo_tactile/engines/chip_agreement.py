"""How well a network holds on Loihi's emulator, layer by layer, and which layer loses it."""

import dataclasses
from typing import ClassVar

import numpy as np

from nengo_tactile.engines import loihi, nengo_dl
from nengo_tactile.engines.chip_settings import for_chip, rates_of
from nengo_tactile.errors import EngineError
from nengo_tactile.progress import Tabular


@dataclasses.dataclass(frozen=True, repr=False)
class ChipAgreement(Tabular):
    """The emulator beside NengoDL on the same samples, with the same rates and steps.

    Attributes
    ----------
    n_samples : int
    n_steps : int
    agreement : float
        Share of the samples in which the emulator's winner at the end is NengoDL's; of outputs that
        are values what `ReadOut.agreement` makes of their difference.
    unquantised : float
        The same of the emulator without integers: what is lost to whole steps alone.
    of_model : float
        Share of the samples in which the emulator's winner is the Keras model's.
    nengo_dl_of_model : float
        Share of the samples in which NengoDL's winner is the Keras model's.
    layers : list of dict
        Per spiking layer: ``layer``, ``where`` ("host" or "chip"), ``spikes``: the emulator's
        relative to NengoDL's, ``rate_error``: root mean square difference of the neurons' rates,
        relative to that of NengoDL's rates, ``unquantised_error``: the same without integers, and
        of layers on the chip ``median``, ``worst``, ``bias`` and ``lost_bits``: see
        `placement.rounding`.
    """

    width: ClassVar = 130

    n_samples: int
    n_steps: int
    agreement: float
    unquantised: float
    of_model: float
    nengo_dl_of_model: float
    layers: list

    @property
    def loses(self):
        """The layer in which the rates' error grows most, or None if it grows nowhere."""
        errors = [0.0, *(row["rate_error"] for row in self.layers)]
        growth = np.diff(np.maximum.accumulate(errors))
        on_chip = [row["where"] == "chip" for row in self.layers]
        growth = np.where(on_chip, growth, 0)
        return self.layers[int(growth.argmax())]["layer"] if growth.max() > 0 else None

    @property
    def cause(self):
        """What it is lost to there: "integers", "whole steps", or None."""
        if self.loses is None:
            return None
        row = next(row for row in self.layers if row["layer"] == self.loses)
        return "integers" if row["rate_error"] > 2 * row["unquantised_error"] else "whole steps"

    def to_dict(self):
        """Everything as JSON takes it, with ``loses`` and ``cause``."""
        return {**dataclasses.asdict(self), "loses": self.loses, "cause": self.cause}

    def table(self):
        """As a rich table."""
        from rich.table import Table

        where = "no layer" if self.loses is None else f"'{self.loses}', to {self.cause}"
        table = Table(
            title=f"emulator's winner is NengoDL's in {self.agreement:.0%} of {self.n_samples} "
            f"samples ({self.unquantised:.0%} without integers), the Keras model's in "
            f"{self.of_model:.0%} (NengoDL's: {self.nengo_dl_of_model:.0%}); lost most in {where}",
            title_justify="left",
        )
        table.add_column("layer")
        for name in (
            *("where", "spikes", "error of rates", "without integers"),
            *("weight error", "worst neuron's", "bias error", "bits unused"),
        ):
            table.add_column(name, justify="right")
        for row in self.layers:
            cells = [row["layer"], row["where"], f"{row['spikes']:.1%}"]
            cells += [f"{row[name]:.1%}" for name in ("rate_error", "unquantised_error")]
            if row["where"] == "chip":
                cells += [f"{row['median']:.2%}", f"{row['worst']:.2%}", f"{row['bias']:.2g}"]
                cells += [str(row["lost_bits"])]
            table.add_row(*cells)
        return table


def chip_agreement(network, x, on_host=None, rate=None, n_samples=32, progress=None):
    """Run samples on the emulator, on it without integers, and in NengoDL, and compare.

    Parameters
    ----------
    network : SpikingNetwork
        Run with `chip_settings`, unless it has them already.
    x : (n_samples, ...) float array
        Calibration samples, say.
    on_host, rate :
        As for `nengo_tactile.engines.loihi.run`.
    n_samples : int
        So many of them at most: the emulator is slow.
    progress : bool, optional

    Returns
    -------
    ChipAgreement
        ``print`` shows a table.
    """
    x = network.check_input(x)[:n_samples]
    if not len(x):
        raise EngineError("no samples were given: give at least one")
    shown = for_chip(network, rate)
    report = loihi.chip_report(shown, on_host)
    options = {"progress": progress, "on_host": on_host, "least_agreement": 0}
    chip, exact = (loihi.run(shown, x, target=target, **options) for target in ("sim", "simreal"))
    ours = nengo_dl.run(shown, x, shown.n_steps, progress=progress)
    layers = []
    for name in shown.spiking_layers:
        wanted = ours.spike_counts[name].astype(float)
        found = [recording.spike_counts[name] - wanted for recording in (chip, exact)]
        size = np.sqrt(np.mean(wanted**2)) or 1.0
        layers.append(
            {
                "layer": name,
                "where": "host" if name in report.on_host else "chip",
                "spikes": float(chip.spike_counts[name].sum() / max(wanted.sum(), 1)),
                "rate_error": float(np.sqrt(np.mean(found[0] ** 2)) / size),
                "unquantised_error": float(np.sqrt(np.mean(found[1] ** 2)) / size),
                **report.rounding.get(name, {}),
            }
        )
    chip, exact, ours = (recording.outputs[:, -1] for recording in (chip, exact, ours))
    model = rates_of(shown, x)
    pairs = (chip, ours), (exact, ours), (chip, model), (ours, model)
    shares = [shown.read_out.agreement(*pair) for pair in pairs]
    return ChipAgreement(len(x), shown.n_steps, *map(float, shares), layers)


__all__ = ["ChipAgreement", "chip_agreement"]
