"""The pre-flight check: per layer, does it spike, on which engines, with which remedy."""

import dataclasses
import re
from typing import Any

from numpy.typing import ArrayLike

from nengo_tactile import stack
from nengo_tactile.ann import functions
from nengo_tactile.ann.portable import outline
from nengo_tactile.conversion import support
from nengo_tactile.conversion.activations import NEURONS
from nengo_tactile.conversion.comparison import compare
from nengo_tactile.conversion.convert import prepare
from nengo_tactile.conversion.ends import read_out_of
from nengo_tactile.conversion.input_range import check_input
from nengo_tactile.conversion.normalise import normalise
from nengo_tactile.conversion.passes import spiking_layers, use_if
from nengo_tactile.conversion.reading import check_weights, compared, describe, end_of, problems
from nengo_tactile.conversion.stages import graph_of
from nengo_tactile.conversion.tensorflow_errors import tensorflow_errors_named
from nengo_tactile.errors import ConversionError
from nengo_tactile.networks.protocol import ENGINES
from nengo_tactile.progress import Tabular

#: Kinds of neurons, and the engine that has not got them.
_APART = (("lif", "event"), ("sigma-delta", "loihi"))


@dataclasses.dataclass(frozen=True)
class LayerCheck:
    """One layer of a model.

    Attributes
    ----------
    name, type : str
        Of the Keras layer.
    becomes : str
        What it is in the spiking network; empty when it cannot be converted.
    spikes : bool
    neurons : tuple of str
        Kinds of neurons (``neuron`` of `convert`) that networks with it can have.
    engines : tuple of str
        Engines that run it where it stands.
    remedy : str
        Why it cannot be converted, and what to do; empty when it can.
    notes : dict of str to str
        The same for what alone cannot take it: "lif" and "sigma-delta" neurons, the "loihi"
        engine.
    """

    name: str
    type: str
    becomes: str
    spikes: bool
    neurons: tuple
    engines: tuple
    remedy: str
    notes: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, repr=False)
class Check(Tabular):
    """The result of `check`; printing it shows a table.

    Attributes
    ----------
    model : str
        Its name.
    layers : tuple of LayerCheck
    difference : float or None
        Of the network's outputs, with rectifiers for neurons, from the model's, in units of the
        largest: measured where samples were given.
    nir : dict of str to list or str
        What it would lose, with ``nt.IF()``, in each simulator that reads NIR, by profile, or why
        it cannot be written for it: see `nengo_tactile.exchange.nir_losses`. Where it was asked.
    """

    model: str
    layers: tuple
    difference: float | None = None
    nir: dict = dataclasses.field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the model can be converted as it is."""
        return not any(layer.remedy for layer in self.layers)

    @property
    def neurons(self):
        """Kinds of neurons that the whole model can be converted to."""
        return self._in_all("neurons", support.NEURONS)

    @property
    def engines(self):
        """Engines that run the whole model."""
        return self._in_all("engines", ENGINES)

    def engines_with(self, neuron):
        """Engines that run the whole model with one kind of neurons.

        Parameters
        ----------
        neuron : str
            Of `neurons`.
        """
        return tuple(engine for engine in self.engines if (neuron, engine) not in _APART)

    def _in_all(self, attribute, names):
        return tuple(n for n in names if all(n in getattr(la, attribute) for la in self.layers))

    def table(self):
        """As a rich table."""
        from rich.table import Table

        title = "cannot be converted as it is"
        if self.ok:
            title = f"can be converted: neurons {' or '.join(self.neurons)}, on "
            title += " and ".join(self.engines)
            apart = [pair for pair in _APART if pair[0] in self.neurons and pair[1] in self.engines]
            lacks = [f"{neuron} not on {engine}" for neuron, engine in apart]
            if "if" in self.neurons and "loihi" in self.engines:
                lacks.append("if with signed or spikes_per_step not on loihi")
            title += f" ({', '.join(lacks)})" * bool(lacks)
        if self.difference is not None:
            title += (
                f"; on the samples its rates differ by {self.difference:.1g} of the largest output"
            )
        table = Table(title=f"model '{self.model}' {title}", title_justify="left")
        for column in ("layer", "type", "becomes", "spikes", "engines", "remedy"):
            table.add_column(column, overflow="fold")
        for names, layer in self._alike():
            notes = [f"{name}: {text}" for name, text in layer.notes.items()]
            table.add_row(
                names,
                layer.type,
                layer.becomes or "-",
                "yes" if layer.spikes else "no",
                ", ".join(layer.engines) or "none",
                "\n".join([layer.remedy] * bool(layer.remedy) + notes) or "-",
            )
        if self.nir:
            from nengo_tactile.exchange import losses_text

            told = (f"NIR for {name}: {losses_text(found)}" for name, found in self.nir.items())
            table.caption, table.caption_justify = "\n".join(told), "left"
        return table

    def _alike(self):
        """Rows of the table: layers that are refused for the same reason share one."""
        groups = {}
        for number, layer in enumerate(self.layers):
            key = (layer.type, layer.remedy) if layer.remedy else number
            groups.setdefault(key, []).append(layer)
        for layers in groups.values():
            names = ", ".join(layer.name for layer in layers[:3])
            yield names + (f" and {len(layers) - 3} more" if len(layers) > 3 else ""), layers[0]

    def rows(self):
        """As a list of dicts."""
        return [dataclasses.asdict(layer) for layer in self.layers]


@stack.guest()
@tensorflow_errors_named
def check(model: Any, x: ArrayLike | None = None, nir: bool = False) -> Check:
    """Say what would become of each layer, before converting.

    The table of support is asked about each layer, and then the model goes through all passes of
    the conversion but calibration, and past the loihi engine's own check, which says from shapes
    alone whether the layers fit Loihi's cores.

    Parameters
    ----------
    model : tf.keras.Model, keras.Model or path
    x : (n_samples, ...) array, optional
        Samples on which the network's outputs are compared with the model's; see
        `Check.difference`.
    nir : bool
        Also say what other simulators would do otherwise: see `Check.nir`.

    Returns
    -------
    Check
        ``print(check(model))`` shows a table; ``.ok`` tells whether conversion will work, and
        ``.neurons`` and ``.engines`` with what.

    Raises
    ------
    ConversionError
        For what is no model of one input and one output.
    ModelFileError
        For files that cannot be read.
    """
    description = describe(model)
    found, ends = problems(description), end_of(description)
    rows = [_by_table(call, found.get(call.name), call.name in ends) for call in description.calls]
    if found:
        return Check(description.name, tuple(rows))
    difference = None
    try:
        layers = compared(model, description)
        check_weights(layers)
        linear = prepare(layers)
        graph = _graph(layers, linear)
        if x is not None:
            x = check_input(layers, x, "x")
            difference = compare(model, layers, linear, read_out_of(layers)[0], x)
    except ConversionError as error:
        return Check(description.name, tuple(_blame(rows, error)))
    rows = _off_chip(_with_maxima(rows, graph), _chip_problems(graph))
    return Check(description.name, tuple(rows), difference, _nir(graph) if nir else {})


def _nir(graph):
    """What other simulators would do otherwise, of neurons as conversion leaves them."""
    from nengo_tactile.exchange import nir_losses

    return nir_losses(graph)


def _by_table(call, problem, at_end):
    """What the table says about a layer or function."""
    if problem is not None:
        return LayerCheck(call.name, call.kind, "", False, (), (), problem)
    if call.part.role == "function":
        return LayerCheck(
            call.name,
            call.kind,
            "the layer that does the same",
            functions.canonical(call.kind) in ("relu", "relu6", "leaky_relu"),
            tuple(support.NEURONS),
            ENGINES,
            "",
        )
    if call.part.role == "input":
        row = support.TABLE["InputLayer"]
        return LayerCheck(call.name, call.kind, row.becomes, False, row.neurons, row.engines, "")
    layer, row, notes = outline(call), support.TABLE[call.kind], {}
    neurons = row.neurons
    for neuron in ("lif", "sigma-delta"):
        text = support.neuron_problem(layer, neuron)
        if text is not None:
            neurons = tuple(name for name in neurons if name != neuron)
            notes[neuron] = text
    becomes, spikes = support.becomes(layer), support.spikes(layer)
    return LayerCheck(call.name, call.kind, becomes, spikes, neurons, row.engines, "", notes)


def _graph(layers, linear):
    """Stages of the model, as conversion makes them after calibration."""
    names = spiking_layers(linear)
    if not names:
        last = layers[layers.output]
        raise ConversionError(
            f"{last.label}: nothing in the model would spike; give "
            "the hidden layers activation='relu'"
        )
    if not linear.of_kinds(*NEURONS):
        # scales that differ, as calibration gives them: where units do not fit, layers come in
        scales = {name: 1.0 + 0.01 * number for number, name in enumerate(names)}
        linear = use_if(normalise(linear, scales))
    return graph_of(linear)


def _with_maxima(rows, graph):
    """The rows, with what max pooling is where the image alone drives it."""
    maxima = {s.layer for s in graph if not s.spikes and s.neuron.window > 1}
    as_maximum = {
        "becomes": "the maximum of what the image drives, taken once",
        "spikes": False,
        "engines": ENGINES,
    }
    return [dataclasses.replace(r, **as_maximum) if r.name in maxima else r for r in rows]


def _chip_problems(graph):
    """Why the loihi engine refuses stages, {stage name: reason and remedy}."""
    # engines are floors above; the chip's limits are theirs to know
    from nengo_tactile.engines.core_shapes import chip_refusals

    return chip_refusals(graph)


def _off_chip(rows, problems):
    """Note what keeps the model off the chip: layers that never go there, else where they stand."""
    if not problems:
        return [dataclasses.replace(row, engines=_with_chip(row.engines)) for row in rows]
    never = [row.name for row in rows if "loihi" not in row.engines]
    reasons = {}
    for name, text in problems.items():
        if never:
            break
        reasons.setdefault(_row_named(rows, name).name, text)
    for row in rows:
        if row.name in never:
            reasons[row.name] = f"not there; {support.TABLE[row.type].chip}"
    return [
        row
        if row.name not in reasons
        else dataclasses.replace(
            row,
            engines=tuple(engine for engine in row.engines if engine != "loihi"),
            notes={**row.notes, "loihi": reasons[row.name]},
        )
        for row in rows
    ]


def _with_chip(engines):
    """The engines and loihi, in the table's order."""
    return tuple(name for name in ENGINES if name in (*engines, "loihi"))


def _blame(rows, error):
    """Put an error of the passes beside the layer that it names."""
    names = [*re.findall(r"'([^']+)'", str(error)), rows[-1].name]
    found = next(row for row in (_row_named(rows, name, None) for name in names) if row)
    failed = dataclasses.replace(
        found, becomes="", spikes=False, neurons=(), engines=(), remedy=str(error)
    )
    return [failed if row is found else row for row in rows]


def _row_named(rows, name, default=-1):
    """The row of a layer, or of the layer that a pass made ``name`` of ("conv1_relu")."""
    found = [row for row in rows if name == row.name or name.startswith(f"{row.name}_")]
    if not found and default is None:
        return None
    return max(found, key=lambda row: len(row.name)) if found else rows[default]
