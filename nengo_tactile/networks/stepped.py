"""Networks whose input comes step by step, as one object: encoded, saved, loaded and run."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from nengo_tactile import arguments
from nengo_tactile.errors import DataError, EngineError
from nengo_tactile.events.coding import StepCoding
from nengo_tactile.events.labelled import is_recordings
from nengo_tactile.events.spikes import SpikeLayout
from nengo_tactile.networks.base import GraphNetwork, SpikeInputNetwork
from nengo_tactile.networks.protocol import Reference, chosen, read, runner
from nengo_tactile.networks.stages import Graph
from nengo_tactile.networks.targets import targets_of


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SteppedNetwork(SpikeInputNetwork, GraphNetwork):
    """A network of any graph whose input comes step by step: spikes of any worth.

    Attributes
    ----------
    graph : Graph
    layout : SpikeLayout
        How recordings become its input.
    classes : tuple of str
        Names of the outputs.
    card : dict
        Where it comes from: file, command, data, seed, counts, accuracies.

    Raises
    ------
    DataError
        If layout or classes do not fit the graph.
    """

    runners: ClassVar = {
        "event": "nengo_tactile.engines.event",
        "nengo-dl": "nengo_tactile.engines.nengo_dl",
        "nengo": "nengo_tactile.engines.nengo_dl",
        "loihi": "nengo_tactile.engines.loihi",
    }
    others: ClassVar[dict[str, str]] = {}
    storage: ClassVar = "nengo_tactile.networks.stepped_storage"
    reference: ClassVar = Reference("exact", "exact sums", "network", "exact sums")
    fastest: ClassVar = "event"
    coding: ClassVar = StepCoding()
    discard: ClassVar = 0.0

    graph: Graph
    layout: SpikeLayout
    classes: tuple = ()
    card: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        self._name_classes(self.graph.stages[-1].n_neurons)
        if self.layout.shape != self.graph.input_shape:
            raise DataError(
                f"the layout makes steps of shape {self.layout.shape}, the network reads "
                f"{self.graph.input_shape}: give the layout that it was trained with"
            )

    @property
    def engines(self) -> tuple[str, ...]:
        """Those that have its neurons and axons."""
        chip: Any = runner(self, "loihi")
        try:
            chip.check_chip(self.graph)
        except EngineError:
            return tuple(engine for engine in self.runners if engine != "loihi")
        return tuple(self.runners)

    @property
    def decision(self) -> str:
        """How the outputs of a step are read."""
        last: Any = self.graph.stages[-1]
        if last.spikes:
            return "The class is that of the output neuron with the most spikes so far."
        if last.neuron.decay == 1:
            return "The class is that of the output whose mean over all steps so far is largest."
        return "The class is that of the output whose potential is largest."

    @property
    def n_steps(self) -> int:
        """Steps of a sample."""
        return self.layout.n_steps

    @property
    def dt(self) -> float:
        """Length of a step in seconds."""
        return self.layout.bin_us / 1e6

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of a sample, (n_steps, ...)."""
        return (self.n_steps, *self.layout.shape)

    def build(self, **options: Any) -> Any:
        """Make the Nengo network: see `nengo_tactile.networks.stepped_nengo.build`."""
        from nengo_tactile.networks.stepped_nengo import build

        return build(self.graph, self.dt, **options)

    def encode(
        self,
        data: Any,
        indices: Sequence[int] | np.ndarray | None = None,
        progress: bool | None = None,
    ) -> tuple[Any, np.ndarray | None]:
        """Turn recordings into the network's input.

        Parameters
        ----------
        data : data set of recordings, list of recordings, or spikes
            A list may hold (events, label) pairs, a structured array is one recording. Spikes are
            SpikeSamples, or an array (n_samples, n_steps, ...).
        indices : sequence of int, optional
            Some of the samples, in an order of their own; by default all.
        progress : bool, optional
            Show a bar; by default on a terminal.

        Returns
        -------
        x : SpikeSamples, or array
            Sparse; a slice of it is a dense array.
        labels : (n_samples,) int array or None
            None where the data have no labels.

        Raises
        ------
        DataError
            If recordings do not fit the layout, or an array not the network.
        """
        if is_recordings(data):
            return read(self, self.layout, data, indices, progress)
        sparse = hasattr(data, "dense")
        shape = data.shape if sparse else np.shape(data)[2:]
        if tuple(shape) != self.layout.shape:
            shape = shape if sparse else np.shape(data)
            raise DataError(
                f"spikes have shape {shape}: give (n_samples, n_steps, "
                f"{', '.join(map(str, self.layout.shape))})"
            )
        return chosen(data, indices)

    def steps_in(self, seconds: float) -> None:
        """Steps of a chunk of input that lasts so long: all that it has."""

    def steps(self, n_steps: int | None = None) -> int | None:
        """Steps of a run that is asked for so many; None for all that samples have."""
        return n_steps

    def check_input(self, x: Any) -> Any:
        """Refuse samples that are not this network's input; returns them as they are.

        Raises
        ------
        EngineError
            For no samples, and another shape.
        """
        if not len(x):
            raise EngineError("there are no samples to run: give at least one")
        there, shape = np.shape(x[0]), self.graph.input_shape
        if there[1:] != shape or not there[:1] or not there[0]:
            sizes = ", ".join(map(str, shape))
            raise EngineError(f"samples have shape {there}: the network reads (steps, {sizes})")
        return x

    def steps_of(self, x: Any, n_steps: int | None = None) -> int:
        """Steps of a run on samples, by default all that they have.

        Raises
        ------
        EngineError
            For other steps than they have.
        """
        most = np.shape(x[0])[0]
        n_steps = most if n_steps is None else n_steps
        if int(n_steps) != n_steps or not 1 <= n_steps <= most:
            raise EngineError(
                f"n_steps is {n_steps}, samples have {most} steps: give 1 to {most}, or samples "
                "with as many steps without spikes at their end"
            )
        return int(n_steps)

    def with_weight_bits(self, bits: int) -> "SteppedNetwork":
        """The network with weights rounded to so many bits, a scale for each output or channel.

        Parameters
        ----------
        bits : int
            From 2: whole numbers up to ``2 ** (bits - 1) - 1`` of both signs. Biases stay.

        Raises
        ------
        DataError
        """
        most = 2 ** (arguments.whole("bits", bits, least=2) - 1) - 1

        def rounded(link):
            largest = link.map.largest()
            step = np.where(largest > 0, largest / most, 1)
            counts = link.map.outputs_scaled(1 / step).reweighted(np.rint)
            dtype = link.map.values.dtype
            found = counts.outputs_scaled(step).reweighted(lambda weights: weights.astype(dtype))
            return dataclasses.replace(link, map=found)

        stages = [
            dataclasses.replace(stage, links=tuple(map(rounded, stage.links)))
            for stage in self.graph
        ]
        return dataclasses.replace(
            self, graph=dataclasses.replace(self.graph, stages=tuple(stages))
        )

    def check_sums(self, x: Any) -> None:
        """Find nothing wrong: sums in float64 are not those of the kernels that ever were."""

    def compare(
        self, x: Any, labels: np.ndarray, recording: Any, progress: bool | None = None
    ) -> dict[str, float]:
        """Accuracy of sums that no chip rounds, on the samples of a recording, after its steps."""
        if recording.engine == "loihi":
            event = runner(self, "event")
            recording = event.run(self, x, recording.n_steps, progress=progress)
        targets = targets_of(self.read_out, labels)
        outputs = recording.outputs[:, -1]
        return {f"{self.reference.key}_{targets.what}": targets.measure(outputs)}
