"""The pre-flight check: per layer, does it spike, on which engines, with which remedy."""

import dataclasses
from pathlib import Path

from nengo_tactile.conversion import support
from nengo_tactile.conversion.graph import functional
from nengo_tactile.conversion.passes import spiking_layers
from nengo_tactile.conversion.pooling import merge_average_pooling
from nengo_tactile.conversion.simplify import simplify
from nengo_tactile.errors import ConversionError


@dataclasses.dataclass(frozen=True)
class LayerCheck:
    """One layer of a model."""

    name: str
    type: str
    becomes: str
    spikes: bool
    engines: tuple
    remedy: str


@dataclasses.dataclass(frozen=True)
class Check:
    """The result of `check`; printing it shows a table."""

    model: str
    layers: tuple

    @property
    def ok(self):
        """Whether the model can be converted as it is."""
        return not any(layer.remedy for layer in self.layers)

    def __str__(self):
        from rich.console import Console

        console = Console(width=110, record=True, file=_Nowhere())
        console.print(self.table())
        return console.export_text().rstrip()

    def table(self):
        """As a rich table."""
        from rich.table import Table

        title = "can be converted" if self.ok else "cannot be converted as it is"
        table = Table(title=f"model '{self.model}' {title}", title_justify="left")
        for column in ("layer", "type", "becomes", "spikes", "engines", "remedy"):
            table.add_column(column, overflow="fold")
        for layer in self.layers:
            table.add_row(
                layer.name,
                layer.type,
                layer.becomes or "-",
                "yes" if layer.spikes else "no",
                ", ".join(layer.engines) or "none",
                layer.remedy or "-",
            )
        return table

    def rows(self):
        """As a list of dicts."""
        return [dataclasses.asdict(layer) for layer in self.layers]


class _Nowhere:
    def write(self, text):
        return len(text)

    def flush(self):
        pass


def check(model):
    """Say what would become of each layer, before converting.

    Whether the layers fit Loihi's cores depends on how they are cut:
    `nengo_tactile.engines.loihi.chip_report` places the converted network and says.

    Parameters
    ----------
    model : tf.keras.Model or path

    Returns
    -------
    Check
        ``print(check(model))`` shows a table; ``.ok`` tells whether conversion will work.
    """
    if isinstance(model, str | Path):
        from nengo_tactile.ann.keras_files import load_keras

        model = load_keras(model)
    model = functional(model)
    rows = []
    for layer in model.layers:
        problem = support.problem(layer)
        row = support.support_of(layer)
        activation = support.activation_name(layer)
        neuron = type(layer).__name__ in ("ReLU", "RateLIF") or activation == "relu"
        becomes = row.becomes
        if neuron and type(layer).__name__ in ("Conv2D", "Dense"):
            becomes += " into LIF neurons"
        elif type(layer).__name__ == "Activation" and activation in support.ACTIVATIONS:
            becomes = support.ACTIVATIONS[activation]
        rows.append(
            LayerCheck(
                layer.name,
                type(layer).__name__,
                "" if problem else becomes,
                neuron and not problem,
                () if problem else row.engines,
                "" if problem is None else problem.split(": ", 1)[1],
            )
        )
    if not any(row.remedy for row in rows):
        rows = _graph_problem(model, rows)
    return Check(model.name, tuple(rows))


def _graph_problem(model, rows):
    """Find what the table cannot see: layers in an order that cannot be converted."""
    from nengo_tactile.ann.lif import linear_parameters
    from nengo_tactile.conversion.passes import use_lif
    from nengo_tactile.conversion.stages import stages_of

    try:
        plain = merge_average_pooling(simplify(model))
        lif = {name: linear_parameters(1.0, 100.0) for name in spiking_layers(plain)}
        if not lif:
            raise ConversionError(
                f"layer '{rows[-1].name}' ({rows[-1].type}): nothing in the model would spike; "
                "give the hidden layers activation='relu'"
            )
        stages_of(use_lif(plain, lif))
    except ConversionError as error:
        named = [row for row in rows if f"'{row.name}'" in str(error)] or [rows[-1]]
        return [
            dataclasses.replace(row, becomes="", spikes=False, engines=(), remedy=str(error))
            if row is named[0]
            else row
            for row in rows
        ]
    return rows
