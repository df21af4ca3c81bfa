"""A trained SKIM network as one object: from recordings to classes, saved, loaded and run."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from nengo_tactile.errors import DataError, EngineError
from nengo_tactile.events.labelled import is_recordings
from nengo_tactile.events.patterns import PatternLayout, event_pattern
from nengo_tactile.networks.base import SpikeInputNetwork
from nengo_tactile.networks.protocol import Reference, chosen, read
from nengo_tactile.skim.activity import check_pattern, check_shape
from nengo_tactile.skim.layer import HiddenLayer, check_weights
from nengo_tactile.skim.supervision import Supervision, check_method, determine


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SkimNetwork(SpikeInputNetwork):
    """A trained SKIM classifier and all that is needed to run it again.

    `nengo_tactile.run` runs it event by event, in NengoDL and in Nengo.

    Attributes
    ----------
    layer : HiddenLayer
    weights : (n_classes, n_hidden) float array
        Of `trainer.train`, or of a state that OPIUM has learnt.
    supervision : Supervision
        Where in a pattern it was trained and is read.
    method : {"max", "area", "weighted-max", "weighted-area"}
        Output determination.
    layout : PatternLayout
        How recordings become patterns; by default the paper's for N-MNIST.
    classes : tuple of str
        Names of the outputs.
    card : dict
        Where it comes from: command, data, seed, counts, accuracies.

    Raises
    ------
    DataError
        If one of them does not fit the others.
    """

    engines: ClassVar = ("event", "nengo-dl", "nengo")
    runners: ClassVar = {
        "event": "nengo_tactile.engines.skim_events",
        "nengo-dl": "nengo_tactile.engines.skim",
        "nengo": "nengo_tactile.engines.skim",
    }
    others: ClassVar = {
        "loihi": "filters a connection with one low-pass, as nengo-loihi does; SKIM has a synaptic "
        "kernel for each neuron",
    }
    relays: ClassVar[tuple[str, ...]] = ()
    storage: ClassVar = "nengo_tactile.skim.storage"
    reference: ClassVar = Reference("batch", "batch code", "network", "batch code")
    decision: ClassVar = (
        "From the first step of the training pattern on the class is that of the network's output "
        "determination with the steps so far; before, that of the highest output."
    )
    fastest: ClassVar = "event"

    layer: HiddenLayer
    weights: np.ndarray
    supervision: Supervision
    method: str = "area"
    layout: PatternLayout = PatternLayout()  # noqa: RUF009 (frozen)
    classes: tuple = ()
    card: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        weights = check_weights(self.layer, self.weights)
        self._name_classes(len(weights))
        check_method(self.method)
        pairs = {
            "channels": (self.layout.n_channels, self.layer.n_inputs, "the hidden layer"),
            "steps": (self.layout.n_steps, self.supervision.n_steps, "the supervision"),
        }
        for what, (found, wanted, whose) in pairs.items():
            if found != wanted:
                raise DataError(
                    f"the pattern layout has {found} {what}, {whose} {wanted}: give the layout "
                    "that the network was trained with"
                )
        object.__setattr__(self, "weights", weights)

    @property
    def n_steps(self) -> int:
        """Steps of a pattern."""
        return self.supervision.n_steps

    @property
    def dt(self) -> float:
        """Length of a step in seconds."""
        return self.layout.step_us / 1e6

    @property
    def input_shape(self) -> tuple[int, int]:
        """Shape of a pattern, (n_steps, n_channels)."""
        return self.n_steps, self.layer.n_inputs

    @property
    def n_neurons(self) -> int:
        """Spiking neurons."""
        return self.layer.n_hidden if self.layer.nonlinearity == "lif" else 0

    def build(self, rule: Any = None) -> Any:
        """Make the Nengo network: see `nengo_tactile.skim.network.build`."""
        from nengo_tactile.skim.network import build

        return build(self.layer, self.weights, rule, self.dt)

    def encode(
        self,
        data: Any,
        indices: Sequence[int] | np.ndarray | None = None,
        progress: bool | None = None,
    ) -> tuple[Any, np.ndarray | None]:
        """Turn recordings (or patterns) into the network's input.

        Parameters
        ----------
        data : data set of recordings, list of recordings, or patterns
            A list may hold (events, label) pairs, a structured array is one recording. Patterns
            are an array (n_samples, n_steps, n_channels), or SpikeSamples.
        indices : sequence of int, optional
            Some of the samples, in an order of their own; by default all.
        progress : bool, optional
            Show a bar; by default on a terminal.

        Returns
        -------
        patterns : SpikeSamples, or array
            Of recordings the entries that are not zero: 20 KB for one of N-MNIST, whose whole
            pattern takes 1.7 MB. One of them, or a slice, is a dense array.
        labels : (n_samples,) int array or None
            None where the data have no labels.

        Raises
        ------
        DataError
            If a recording does not fit the layout, or is empty; or a pattern does not fit.
        """
        if is_recordings(data):
            return read(self, self.layout, data, indices, progress)
        data, labels = chosen(data, indices)
        if hasattr(data, "dense"):  # sparse: nothing but their shape can be wrong
            check_shape((data.n_steps, *data.shape), *self.input_shape)
            return data, labels
        for number, pattern in enumerate(data):
            check_pattern(pattern, *self.input_shape, f"sample {number}: ")
        return data, labels

    def steps(self, n_steps: int | None = None) -> int:
        """Steps of a run: a pattern's, there is no other choice.

        Raises
        ------
        EngineError
            If another number is asked for.
        """
        if n_steps not in (None, self.n_steps):
            raise EngineError(
                f"n_steps is {n_steps}, a SKIM network reads patterns of {self.n_steps} steps: "
                "leave n_steps out"
            )
        return self.n_steps

    def compare(
        self, x: Any, labels: np.ndarray, recording: Any, progress: bool | None = None
    ) -> dict[str, float]:
        """Accuracy of the batch code, and how far outputs in the window are from its."""
        batch = self.window_outputs(x, progress=progress)
        classes = determine(batch, self.method, self.supervision)
        difference = np.abs(recording.outputs[:, self.supervision.first :] - batch).max()
        return {
            f"{self.reference.key}_accuracy": float((classes == labels).mean()),
            "largest_difference": float(difference),
        }

    def outputs(
        self,
        patterns: Any,
        engine: str = "nengo-dl",
        batch_size: int = 16,
        progress: bool | None = None,
    ) -> np.ndarray:
        """Run the Nengo network: see `nengo_tactile.skim.network.outputs`.

        Returns
        -------
        (n_samples, n_steps, n_classes) float array
        """
        from nengo_tactile.skim.network import outputs

        return outputs(self.build(), patterns, engine, batch_size, progress)

    def window_outputs(
        self, patterns: Any, threads: int | None = None, progress: bool | None = None
    ) -> np.ndarray:
        """Outputs in the window, from the batch code: see `nengo_tactile.skim.trainer.read_out`.

        Returns
        -------
        (n_samples, window, n_classes) float array
        """
        from nengo_tactile.skim.trainer import read_out

        return read_out(self.layer, self.weights, patterns, self.supervision, threads, progress)

    def predict(
        self, patterns: Any, threads: int | None = None, progress: bool | None = None
    ) -> np.ndarray:
        """Choose classes with the batch code, without Nengo.

        Parameters
        ----------
        patterns : iterable of (n_steps, n_channels) float array
        threads, progress
            As for `nengo_tactile.skim.trainer.train`.

        Returns
        -------
        (n_samples,) int array
        """
        return determine(
            self.window_outputs(patterns, threads, progress), self.method, self.supervision
        )


class Samples:
    """A data set's samples as event patterns, made when they are asked for: (pattern, label).

    So training and testing stream, in memory that does not grow with the number of samples.

    Parameters
    ----------
    dataset : data set of (events, label)
    layout : PatternLayout
    indices : sequence of int, optional
        Some of the samples, in an order of their own; by default all.
    """

    def __init__(
        self, dataset: Any, layout: PatternLayout, indices: Sequence[int] | np.ndarray | None = None
    ) -> None:
        self.dataset, self.layout = dataset, layout
        self.indices = range(len(dataset)) if indices is None else np.asarray(indices)

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, number):
        index = int(self.indices[number])
        events, label = self.dataset[index]
        return event_pattern(events, self.layout, f"sample {index}"), int(label)
