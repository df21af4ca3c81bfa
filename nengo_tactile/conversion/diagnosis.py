"""Which layer costs a network of few time steps its accuracy, and why.

A layer of integrate-and-fire neurons sends something else than the model's activation for four
reasons, in a chain from that activation to what was sent: its mean input over the steps is another
(inherited from layers before), the highest rate clips it, whole spikes round it, and spikes came at
another time than constant current would make them come (unevenness: too early to be taken back, or
too late). The four differences add up to the whole, neuron by neuron and sample by sample.
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nengo_tactile import stack
from nengo_tactile.conversion.layerwise import Network, State
from nengo_tactile.conversion.step_scales import limits
from nengo_tactile.engines.recording import read_out
from nengo_tactile.errors import ConversionError, DataError
from nengo_tactile.events.labelled import is_recordings
from nengo_tactile.networks.protocol import check_network
from nengo_tactile.progress import Tabular, track

if TYPE_CHECKING:
    from nengo_tactile.ann.layers import Layers
    from nengo_tactile.conversion.network import SpikingNetwork

#: Where an error comes from, in the order of the chain.
PARTS = ("inherited", "clipping", "quantisation", "unevenness")
#: Bytes of a minibatch's spikes and of what is computed from them, about.
MEMORY = 2**28


@dataclasses.dataclass(frozen=True)
class LayerDiagnosis:
    """Errors of one layer of neurons, as root mean squares over samples and neurons.

    All are of the mean output over the steps, in units of the root mean square of the model's own
    activation there.

    Attributes
    ----------
    name : str
    error : float
        Of all together.
    inherited : float
        The model's rectifier of the mean input that arrives here, less the model's activation.
    clipping : float
        What the highest rate cuts off.
    quantisation : float
        What neurons send of a constant current of that mean, less the clipped activation: rounding
        to whole spikes, and corrections of currents and potentials.
    unevenness : float
        What they did send, less that.
    exact : float
        Accuracy (or agreement) of the network when this layer alone sends the model's rectifier of
        its mean input, the same at every step.
    """

    name: str
    error: float
    inherited: float
    clipping: float
    quantisation: float
    unevenness: float
    exact: float


@dataclasses.dataclass(frozen=True, repr=False)
class Diagnosis(Tabular):
    """The result of `diagnose`; printing it shows a table.

    Attributes
    ----------
    layers : tuple of LayerDiagnosis
        In the order of computation.
    measure : {"accuracy", "agreement"}
        What `spiking`, `model` and `LayerDiagnosis.exact` are: agreement, with the model, where no
        labels were given (see `nengo_tactile.networks.read_out.ReadOut.agreement`).
    spiking, model : float
        Of the network as it is, and of the model without spikes.
    n_samples, n_steps : int
    """

    layers: tuple[LayerDiagnosis, ...]
    measure: str
    spiking: float
    model: float
    n_samples: int
    n_steps: int

    @property
    def costliest(self) -> LayerDiagnosis:
        """The layer whose being exact would help most; of equals the first."""
        return max(self.layers, key=lambda layer: layer.exact)

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {**dataclasses.asdict(self), "layers": [vars(layer) for layer in self.layers]}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "Diagnosis":
        """The inverse of `to_dict`."""
        layers = tuple(LayerDiagnosis(**layer) for layer in values["layers"])
        return Diagnosis(**{**values, "layers": layers})

    @property
    def title(self) -> str:
        """What was measured, in a sentence."""
        return (
            f"{self.measure} {self.spiking:.4f} after {self.n_steps} steps on {self.n_samples:,} "
            f"samples, {self.model:.4f} without spikes"
        )

    def rows(self) -> list[dict[str, str]]:
        """The table, as text: a row for each layer."""
        names = ("error", *PARTS)
        return [
            {
                "layer": layer.name,
                **{name: f"{100 * getattr(layer, name):.1f} %" for name in names},
                f"{self.measure} if exact": f"{layer.exact:.4f}",
                "points more": f"{100 * (layer.exact - self.spiking):+.2f}",
            }
            for layer in self.layers
        ]

    def table(self) -> Any:
        """As a rich table."""
        from rich.table import Table

        table, rows = Table(title=self.title, title_justify="left"), self.rows()
        for column in rows[0]:
            table.add_column(column, justify="left" if column == "layer" else "right")
        for row in rows:
            table.add_row(*row.values())
        return table


def check_neurons(network: Any) -> "Layers":
    """The layers of a network that can be diagnosed.

    Raises
    ------
    ConversionError
        For networks without integrate-and-fire neurons.
    EngineError
        For what is no network.
    """
    check_network(network)
    layers = getattr(network, "layers", None)
    if layers is None or not layers.of_kinds("RateIF"):
        raise ConversionError(
            f"network {network!r} has no integrate-and-fire neurons, whose errors a diagnosis "
            "takes apart: convert the model with nt.IF()"
        )
    return layers


@stack.guest()
def diagnose(
    network: "SpikingNetwork",
    x: Any,
    labels: Sequence[int] | np.ndarray | None = None,
    n_steps: int | None = None,
    progress: bool | None = None,
) -> Diagnosis:
    """Say which layer of a network costs accuracy, and why.

    It is simulated once as it is and once for each layer, layer by layer (see
    `nengo_tactile.conversion.layerwise`), in minibatches.

    Parameters
    ----------
    network : SpikingNetwork
        Of integrate-and-fire neurons.
    x : (n_samples, ...) array, data set or list of recordings
    labels : (n_samples, ...) int array, optional
        Classes; by default those of a data set, else agreement with the model counts.
    n_steps : int, optional
        By default the network's.
    progress : bool, optional

    Returns
    -------
    Diagnosis

    Raises
    ------
    ConversionError
        For networks of other neurons.
    DataError
        For samples and labels that do not fit the network, or none.
    """
    layers = check_neurons(network)
    if is_recordings(x):
        x, known = network.encode(x, progress=progress)
        labels = known if labels is None else labels
    x = network.check_input(x)
    if not len(x):
        raise DataError("no samples to diagnose the network on: give at least one")
    n_steps = network.steps_of(x, network.steps(n_steps))
    if labels is not None:
        network.read_out.check_labels(np.asarray(labels), len(x))
    model = _Layerwise(layers, limits(layers, network.activations), n_steps)
    squares: dict[str, np.ndarray] = {}
    outputs: dict[str, list[np.ndarray]] = {}
    wanted = []
    starts = range(0, len(x), model.batch_size)
    for start in track(starts, "diagnosing the network", progress=progress):
        batch = model.run(x[start : start + model.batch_size])
        for name, found in batch.squares.items():
            squares[name] = squares.get(name, 0) + found
        for name, found in batch.outputs.items():
            outputs.setdefault(name, []).append(read_out(found, network.discard)[:, -1])
        wanted.append(batch.wanted)
    wanted = np.concatenate(wanted)

    def measured(values):
        if labels is None:
            return network.read_out.agreement(values, wanted)
        return network.read_out.accuracy(values, labels)

    found = []
    for name, (size, *errors) in squares.items():
        values = np.sqrt(np.array(errors) / (size or math.inf)).tolist()
        values.append(measured(np.concatenate(outputs[name])))
        found.append(LayerDiagnosis(name, *values))
    return Diagnosis(
        tuple(found),
        "agreement" if labels is None else "accuracy",
        measured(np.concatenate(outputs[""])),
        measured(wanted),
        len(x),
        n_steps,
    )


@dataclasses.dataclass
class _Batch:
    """What a minibatch gave.

    Attributes
    ----------
    squares : dict of str to (2 + len(PARTS),) array
        Sums of squares of the model's activation, the whole error and its parts.
    outputs : dict of str to (n_samples, n_steps, n_outputs) array
        With that layer exact; of the network as it is under "".
    wanted : (n_samples, n_outputs) array
        Without spikes.
    """

    squares: dict
    outputs: dict
    wanted: np.ndarray


class _Layerwise:
    """A network layer by layer, beside the model that it stands for."""

    def __init__(self, layers, limits, n_steps):
        self.network, self.limits, self.n_steps = Network(layers), limits, n_steps
        neurons = sum(math.prod(self.network.shapes[name]) for name in self.network.neurons)
        self.batch_size = max(1, min(64, MEMORY // (8 * n_steps * neurons)))

    def run(self, x):
        network, names = self.network, {*self.network.neurons, self.network.output}
        walk = network.layers.values(x, names, instead={"RateIF": self._rectified})
        true = {layer.name: np.asarray(value) for layer, value in walk}
        state = network.start(x)
        means, spikes, outputs = self._as_it_is(state)
        squares, found = {}, {"": outputs}
        for name in network.neurons:
            exact, *steps = self._chain(name, means[name], state)
            squares[name] = _squares(true[name], exact, *steps, self._sent(name, state))
            found[name] = self._with_exact(name, exact, spikes, state)
        return _Batch(squares, found, true[network.output].reshape(len(x), -1))

    def _rectified(self, layer, x):
        """The model's own activation, in the units of the network."""
        x, slope = np.asarray(x), self.network.neurons[layer.name].negative_slope
        return np.clip(x, 0, self.limits[layer.name]) + slope * np.minimum(x, 0)

    def _as_it_is(self, state):
        """Mean inputs of layers of neurons, what these send at each step, and the outputs."""
        network, n_steps = self.network, self.n_steps
        values, means, spikes = {}, {}, {}
        order = network.needed([network.output])
        waiting = {name: set(readers) for name, readers in network.readers.items()}
        for name in order:
            sources = network.sources[name]
            values[name] = network.layer_steps(
                name, [values.get(s) for s in sources], state, n_steps
            )
            if name in network.neurons:
                (source,) = sources
                given = values.get(source)
                means[name] = (
                    state.constants[source].numpy() if given is None else self._mean(given, source)
                )
                spikes[name] = values[name]
            for source in sources:
                waiting[source].discard(name)
                if not waiting[source]:
                    values.pop(source, None)
        return means, spikes, self._steps(values[network.output])

    def _chain(self, name, mean, state):
        """From a mean input: the model's rectifier of it, clipped, and sent in whole spikes."""
        network, layer = self.network, self.network.layers[name]
        exact, clipped = self._rectified(layer, mean), layer([mean]).numpy()
        fresh = State(state.n_samples, state.constants)
        network.spikes(name, mean, fresh, self.n_steps)
        return exact, clipped, self._sent(name, fresh)

    def _sent(self, name, state):
        """Mean output of a layer of neurons over all steps."""
        neuron = self.network.neurons[name]
        return neuron.amplitude / self.n_steps * self.network.sent(name, state)

    def _with_exact(self, name, exact, spikes, state):
        """Outputs at each step when a layer sends the same exact values at all."""
        network = self.network
        behind = {name}
        for other, sources in network.sources.items():
            if behind.intersection(sources):
                behind.add(other)
        given = {other: sent for other, sent in spikes.items() if other not in behind}
        given[name] = np.tile(exact, (self.n_steps,) + (1,) * (exact.ndim - 1))
        fresh = State(state.n_samples, state.constants)
        (outputs,) = network.advance(fresh, self.n_steps, [network.output], given)
        return self._steps(outputs)

    def _mean(self, values, name):
        """Over the steps of a (steps * samples, ...) tensor of a layer's outputs."""
        shape = self.network.shapes[name]
        return (
            np.reshape(values, (self.n_steps, -1, *shape))
            .mean(axis=0, dtype=np.float64)
            .astype(np.float32)
        )

    def _steps(self, outputs):
        """Outputs as (samples, steps, outputs)."""
        outputs = np.asarray(outputs)
        by_step = outputs.reshape(self.n_steps, -1, math.prod(outputs.shape[1:]))
        return by_step.swapaxes(0, 1)


def _squares(*chain):
    """Sums of squares of the first, of the last less the first, and of all steps between."""
    first, last = chain[0], chain[-1]
    parts = [after - before for before, after in itertools.pairwise(chain)]
    return np.array(
        [np.sum(np.square(each, dtype=float)) for each in (first, last - first, *parts)]
    )
