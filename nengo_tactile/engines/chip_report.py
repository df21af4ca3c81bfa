"""How a network lies on the chip: cores, and what integers do to its layers."""

import dataclasses
from typing import ClassVar

from nengo_tactile.engines.placement import CORE_LIMITS, CORES_PER_CHIP
from nengo_tactile.progress import Tabular

#: Relative error of the worst neuron's weights from which on a layer is named. 8 bits and a sign
#: leave about 0.5 %.
WORST_ROUNDING = 0.1


@dataclasses.dataclass(frozen=True, repr=False)
class ChipReport(Tabular):
    """How a network lies on the chip.

    Attributes
    ----------
    cores : list of dict
        Per neuron core: layer, compartments, in_axons, out_axons, synapse_bits.
    on_host : tuple of str
        Layers whose neurons run on the host.
    rounding : dict of str to dict
        Per chip layer what the integers do to it, "median", "worst", "bias" and "lost_bits": see
        `nengo_tactile.engines.placement.rounding`.
    """

    width: ClassVar = 130

    cores: list
    on_host: tuple
    rounding: dict

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
                    "weight_error": self.rounding[layer]["median"],
                    "worst_weight_error": self.rounding[layer]["worst"],
                }
            )
        return rows

    def to_dict(self):
        """Everything as JSON takes it; ``ChipReport(**report.to_dict())`` gives it back."""
        return {**dataclasses.asdict(self), "on_host": list(self.on_host)}

    def warnings(self):
        """What the integers lose of layers, a sentence for each, with the remedy."""
        found = []
        for layer, lost in self.rounding.items():
            if lost["lost_bits"] <= 0 and lost["worst"] <= WORST_ROUNDING:
                continue
            found.append(
                f"layer '{layer}': the chip's integers move the weights of its worst neuron by "
                f"{lost['worst']:.1%} (median neuron: {lost['median']:.1%}), its bias by "
                f"{lost['bias']:.2g} thresholds, and leave {lost['lost_bits']} of 8 bits unused: "
                "its weights are small beside threshold and bias; train it with smaller biases, "
                "or with weights of more equal size"
            )
        return found

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
        for name in ("cores", "neurons", *CORE_LIMITS, "8-bit weight error", "worst neuron's"):
            table.add_column(name.replace("_", " "), justify="right")
        for row in self.rows():
            shares = [f"{row[limit] / CORE_LIMITS[limit]:.0%}" for limit in CORE_LIMITS]
            errors = [f"{row[name]:.2%}" for name in ("weight_error", "worst_weight_error")]
            table.add_row(row["layer"], str(row["cores"]), str(row["neurons"]), *shares, *errors)
        return table
