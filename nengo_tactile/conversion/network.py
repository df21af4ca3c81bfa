"""The spiking network: a Keras model whose activations are firing rates, and how it is run."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from nengo_tactile import arguments, stack
from nengo_tactile.ann.convolutions import check_convolutions
from nengo_tactile.ann.layers import Layers
from nengo_tactile.ann.portable import keras_model
from nengo_tactile.ann.training import predict
from nengo_tactile.conversion.activations import accumulates
from nengo_tactile.conversion.bound import waiting_outputs
from nengo_tactile.conversion.changes import faster, rounded
from nengo_tactile.conversion.input_range import check_against, check_samples
from nengo_tactile.conversion.reading import plain
from nengo_tactile.conversion.stages import graph_of
from nengo_tactile.conversion.step_scales import Activations, chosen_anew
from nengo_tactile.conversion.trial_run import check_discard
from nengo_tactile.datasets.images import images_of
from nengo_tactile.errors import ConversionError, DataError, EngineError
from nengo_tactile.events.coding import CurrentCoding, DelayCoding
from nengo_tactile.events.images import TactileImage
from nengo_tactile.events.labelled import holds_images, is_recordings
from nengo_tactile.lazy import cached_property
from nengo_tactile.networks.base import GraphNetwork
from nengo_tactile.networks.image_scale import ImageScale
from nengo_tactile.networks.nengo_network import build
from nengo_tactile.networks.protocol import Reference, check_data, read
from nengo_tactile.networks.read_out import ReadOut
from nengo_tactile.networks.stages import Graph
from nengo_tactile.networks.targets import targets_of


@dataclasses.dataclass(frozen=True, repr=False)
class SpikingNetwork(GraphNetwork):
    """A spiking network and all that is needed to run it again.

    Attributes
    ----------
    ann : tf.keras.Model
        The Keras model it stands for; its neuron layers are `RateLIF`, `RateIF` or `SigmaDelta`,
        the static response of the spiking neurons.
    n_steps : int
        Time steps each sample is shown for.
    dt : float
        Length of a time step in seconds.
    synapse : float or None
        Time constant in seconds of the low-pass filter behind every spiking layer.
    min_voltage : float
        Floor of LIF neurons' membrane potential, in units of the threshold.
    initial_voltage : float
        LIF neurons' membrane potential at the start, in units of the threshold (the chip starts
        at 0). Integrate-and-fire neurons have their own in `ann`.
    discard : float
        Share of the steps so far that the read-out leaves out: see `engines.recording.read_out`.
        That of sigma-delta networks is what has arrived so far, and leaves nothing out.
    coding : DelayCoding, CurrentCoding or None
        How a sample arrives over time at sigma-delta neurons (see `events.coding`). Others are
        shown it as a constant current, and have none.
    image : TactileImage or None
        How recordings become its input.
    classes : tuple of str
        Names of what it decides between: of the outputs (of the last axis of a map), of a single
        one both classes or one name.
    read_out : ReadOut or None
        What the outputs mean in the terms of the model that was converted, whose last softmax or
        sigmoid ``ann`` has no longer; None for outputs as they are.
    on_host : tuple of str, str or None
        On the Loihi engine: layers that run on the host, from the first on; () for none, None for
        those that the image itself drives (see `engines.chip_host.layers_on_host`).
    chip_rate : float or None
        On the Loihi engine: factor on the firing rates (see `engines.loihi.chip_settings`). 1 for a
        network that runs there as it is, None for the engine's own.
    chip_offset : tuple of float or None
        On the Loihi engine: what is added to each output, from calibration samples.
    input_range : (float, float) or None
        Least and largest value of the calibration samples; `check_input` refuses samples of quite
        another range. None if unknown.
    scale : ImageScale
        How images of the data set that it was converted for become its input, on the command
        line; by default they are it.
    activations : dict of str to Activations
        By layer, in units of the highest rate, what that was chosen on for so many steps: see
        `with_steps`. Without any it does not depend on them.
    rate_factor : float
        Firing rates, relative to those that it was converted with: see `with_rates`.
    card : dict
        Where it comes from: command, data, seed, counts, accuracies.
    """

    runners: ClassVar = {
        "nengo-dl": "nengo_tactile.engines.nengo_dl",
        "event": "nengo_tactile.engines.event",
        "loihi": "nengo_tactile.engines.loihi",
    }
    others: ClassVar[dict[str, str]] = {}
    is_timed: ClassVar[bool] = False
    storage: ClassVar = "nengo_tactile.conversion.storage"
    reference: ClassVar = Reference("ann", "rates (Keras)", "spikes", "rates")

    ann: Any
    n_steps: int = 60
    dt: float = 0.001
    synapse: float | None = 0.005
    min_voltage: float = -1.0
    initial_voltage: float = 0.5
    discard: float = 0.5
    coding: DelayCoding | CurrentCoding | None = None
    image: TactileImage | None = None
    classes: tuple[str, ...] = ()
    # never None once it is made
    read_out: ReadOut = None  # type: ignore[assignment]
    on_host: tuple[str, ...] | str | None = None
    chip_rate: float | None = None
    chip_offset: tuple | None = None
    input_range: tuple | None = None
    scale: ImageScale = ImageScale()  # noqa: RUF009 (frozen)
    activations: dict[str, Activations] = dataclasses.field(default_factory=dict)
    rate_factor: float = 1.0
    card: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        self._check_read_out()
        steps = arguments.whole("n_steps", self.n_steps, error=ConversionError)
        object.__setattr__(self, "n_steps", steps)
        arguments.positive("dt", self.dt, "the length of a step in seconds", ConversionError)
        if self.synapse is not None and not self.synapse >= 0:
            raise ConversionError(
                f"synapse is {self.synapse}: give a time constant in seconds, or None"
            )
        if self.min_voltage > 0 or not self.min_voltage <= self.initial_voltage < 1:
            raise ConversionError(
                f"min_voltage is {self.min_voltage} and initial_voltage {self.initial_voltage}: "
                "wanted min_voltage <= 0 and min_voltage <= initial_voltage < 1 (the threshold)"
            )
        check_discard(self.discard)
        self._check_coding()
        if self.on_host is not None:
            names = [self.on_host] if isinstance(self.on_host, str) else self.on_host
            object.__setattr__(self, "on_host", tuple(str(name) for name in names))
        if self.chip_rate is not None and not 0 < self.chip_rate < math.inf:
            raise ConversionError(f"chip_rate is {self.chip_rate}: choose one above zero, or None")
        if self.chip_offset is not None:
            offset = tuple(float(value) for value in self.chip_offset)
            n_outputs = self.read_out.n_outputs
            if len(offset) != n_outputs or not all(map(math.isfinite, offset)):
                raise ConversionError(
                    f"chip_offset has {len(offset)} values for {n_outputs} outputs: give one "
                    "finite number each, or None"
                )
            object.__setattr__(self, "chip_offset", offset)
        if self.input_range is not None:
            least, largest = (float(value) for value in self.input_range)
            if not -math.inf < least <= largest < math.inf:
                raise ConversionError(
                    f"input_range is {self.input_range}: give the least and the largest value of "
                    "the calibration samples, or None"
                )
            object.__setattr__(self, "input_range", (least, largest))
        if self.image is not None and self.image.shape != self.input_shape:
            raise ConversionError(
                f"images have shape {self.image.shape}, the network takes {self.input_shape}: "
                "choose the TactileImage it was trained with"
            )

    def _check_read_out(self):
        n_outputs = math.prod(self.ann.output_shape[1:])
        read_out = self.read_out or ReadOut.linear(self.ann.output_shape[1:])
        if read_out.n_outputs != n_outputs:
            raise ConversionError(
                f"read_out is {read_out}, of {read_out.n_outputs} values, and the network has "
                f"{n_outputs} outputs: give one of the same"
            )
        object.__setattr__(self, "read_out", read_out)
        size = 1 if read_out.is_single else read_out.n_classes
        n_names = read_out.n_classes if read_out.activation == "sigmoid" else size
        classes = tuple(self.classes) or tuple(str(i) for i in range(n_names))
        if len(classes) not in {size, read_out.n_classes}:
            each = "one each" if size > 1 else "one, or one for each of two classes"
            raise ConversionError(
                f"{len(classes)} class names for a network with {size} outputs: give {each}"
            )
        object.__setattr__(self, "classes", classes)

    def _check_coding(self):
        if self.accumulates != (self.coding is not None):
            found = "has sigma-delta" if self.accumulates else "has no sigma-delta"
            raise ConversionError(
                f"the network {found} neurons and its input coding is {self.coding}: give "
                "DelayCoding() or CurrentCoding() with sigma-delta neurons, None with others"
            )
        if self.accumulates and self.synapse is not None:
            raise ConversionError(
                f"sigma-delta neurons add up what arrives, and synapse is {self.synapse}: give None"
            )

    @cached_property
    def accumulates(self) -> bool:
        """Whether neurons and read-out add up what arrives, as sigma-delta neurons do.

        Then a sample arrives once, over time, as `coding` says, and the read-out after a step is
        the potential that outputs have then. Other neurons answer a constant current with a rate.
        """
        return accumulates(self.layers)

    @property
    def is_for_few_steps(self) -> bool:
        """Whether spikes are taken back or worth several, or rates were chosen for the steps."""
        neurons = [layer.keras.parameters for layer in self.layers.of_kinds("RateIF")]
        return bool(self.activations) or any(n.signed or n.spikes_per_step > 1 for n in neurons)

    def ann_input(self, x: np.ndarray) -> np.ndarray:
        """What `ann` is to be given for samples: with sigma-delta neurons, all that arrives.

        Parameters
        ----------
        x : (n_samples, ...) array

        Returns
        -------
        (n_samples, ...) array
            ``x`` itself where no coding changes it. With `DelayCoding` the image of one bit: on
            it, ``ann`` is the quantised ANN of the sigma-delta paper, Table I.
        """
        return x if self.coding is None else self.coding.total(x)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample, (height, width, channels) or (features,)."""
        return tuple(self.ann.input_shape[1:])

    @cached_property
    @stack.guest()
    def layers(self) -> Layers:
        """`ann` as plain data, as it is when they are first asked for."""
        return plain(self.ann)

    @cached_property
    @stack.guest()
    def graph(self) -> Graph:
        """Stages of neurons and the links between them, which engines read."""
        return self._graph()

    def _graph(self, rates=False):
        membrane = self.min_voltage, self.initial_voltage
        return graph_of(self.layers, self.dt, self.synapse, *membrane, rates)

    @property
    def decision(self) -> str:
        """How the outputs of a step are read."""
        if self.coding is not None:
            return "The read-out is what has arrived so far."
        if not self.discard:
            return "The read-out is the mean over all steps so far."
        return f"The read-out is the mean over the last {1 - self.discard:.0%} of the steps so far."

    @property
    def fastest(self) -> str:
        """The engine that runs it fastest: that of events, if its neurons rest between them."""
        slow = self.synapse is not None or self.layers.of_kinds("RateLIF")
        return "nengo-dl" if slow else "event"

    @property
    def engines(self) -> tuple[str, ...]:
        """Those that have its neurons, which are at rest between events, or alike on the chip."""
        lacks = {"event": self.fastest != "event"}
        lacks["loihi"] = any(len(e.step_bias) or not e.neuron.on_chip for e in self.graph)
        return tuple(engine for engine in self.runners if not lacks.get(engine))

    @property
    def ann_multiplications(self) -> int:
        """See `nengo_tactile.networks.stages.Graph.multiplications`."""
        return self.graph.multiplications

    @property
    def spiking_layers(self) -> list[str]:
        """Names of the spiking layers in order."""
        return [stage.name for stage in self.graph if stage.spikes]

    def fan_out(self) -> dict[str, np.ndarray]:
        """Synapses that each neuron meets, {spiking layer: (n_neurons,) int array}."""
        counts = self.graph.fan_out()
        return {name: counts[name] for name in self.spiking_layers}

    def build(self, spiking: bool = True, present: Any = None) -> Any:
        """Make the Nengo network: see `nengo_tactile.networks.nengo_network.build`.

        Parameters
        ----------
        spiking : bool
            Spiking neurons, or (False) their rates, which equal the Keras model.
        present : callable or nengo.Process, optional
            Output of the input Node; by default the Node waits for data (NengoDL).
        """
        graph = self.graph if spiking else self._graph(rates=True)
        return build(graph, self.dt, present, rates=not spiking)

    @property
    def net(self) -> Any:
        """A new Nengo network to look into, connect and simulate."""
        return self.build().net

    def encode(
        self,
        data: Any,
        indices: Sequence[int] | np.ndarray | None = None,
        progress: bool | None = None,
    ) -> tuple[Any, np.ndarray | None]:
        """Turn recordings (or images) into the network's input.

        Parameters
        ----------
        data : data set of recordings or of images, list of recordings, or array
            A list may hold (events, label) pairs, a structured array is one recording. Another
            array is taken as input already; the images of a data set are brought to it by `scale`.
        indices : sequence of int, optional
            Some of the samples, in an order of their own; by default all.
        progress : bool, optional
            Show a bar; by default on a terminal.

        Returns
        -------
        x : (n_samples, height, width, channels) float32 array
        y : (n_samples,) int array or None
            None where the data have no labels.

        Raises
        ------
        DataError
            For data of another kind, sensor or shape.
        """
        if holds_images(data):
            chosen = slice(None) if indices is None else np.asarray(indices)
            check_data(self, data)
            x = self.scale.apply(images_of(data)[chosen])
            return self.check_input(x), np.asarray(data.targets, np.int64)[chosen]
        if not is_recordings(data):
            data = np.asarray(data)
            return self.check_input(data if indices is None else data[np.asarray(indices)]), None
        if self.image is None:
            raise DataError(
                "this network does not know how recordings become its input: give arrays of "
                f"shape (n_samples, {', '.join(map(str, self.input_shape))}), or set `image`"
            )
        return read(self, self.image, data, indices, progress)

    @property
    def layout(self) -> TactileImage | None:
        """How recordings become its input: `image`."""
        return self.image

    def steps_in(self, seconds: float) -> int | None:
        """Steps of a chunk of input that lasts so long; with a coding those in which it arrives."""
        return self.coding.n_steps if self.coding else max(1, round(seconds / self.dt))

    def steps(self, n_steps: int | None = None) -> int | None:
        """Steps of a run that is asked for so many: see `networks.protocol.Network.steps`.

        Raises
        ------
        EngineError
            For less than one, or part of one.
        """
        if n_steps is None:  # the emulator shows networks for longer than `n_steps`
            return None
        return arguments.whole("n_steps", n_steps, error=EngineError)

    def steps_of(self, x: np.ndarray, n_steps: int | None = None) -> int:
        """Steps of a run on samples, by default its own."""
        return self.n_steps if n_steps is None else n_steps

    def check_sums(self, x: np.ndarray) -> None:
        """Refuse convolutions that TensorFlow computes wrongly on this machine."""
        check_convolutions(self.layers, x)

    def compare(
        self, x: Any, labels: np.ndarray, recording: Any, progress: bool | None = None
    ) -> dict[str, float]:
        """Accuracy (or error) of the Keras model on the samples of a recording.

        And of a network for few steps with layers that wait, as ``bound_accuracy`` (or error): see
        `nengo_tactile.conversion.bound`.
        """
        targets = targets_of(self.read_out, labels)
        outputs = predict(self.ann, self.ann_input(x)).reshape(len(x), -1)
        found = {f"{self.reference.key}_{targets.what}": targets.measure(outputs)}
        if self.is_for_few_steps:
            outputs = waiting_outputs(self.layers, x, recording.n_steps).reshape(len(x), -1)
            found[f"bound_{targets.what}"] = targets.measure(outputs)
        return found

    def check_input(self, x: ArrayLike) -> np.ndarray:
        """Refuse arrays that are not this network's input; returns them as float32.

        Raises
        ------
        DataError
            For another shape, values that are not finite or that `coding` cannot send, and a range
            far from `input_range`.
        """
        x = check_samples(self.layers, x)
        check_against(self.input_range, x)
        if self.coding is not None:
            self.coding.check(x)
        return np.asarray(x, np.float32)

    def with_rates(self, factor: float) -> "SpikingNetwork":
        """The same function at ``factor`` times the firing rates.

        Parameters
        ----------
        factor : float
            Above zero. See `LIFParameters.faster` and `IFParameters.faster`.

        Returns
        -------
        SpikingNetwork

        Raises
        ------
        ConversionError
            Where it would be another function: integrate-and-fire neurons beyond the rates that
            they were converted with, at which the largest activations have one spike a step;
            below them, where the model itself clips at one spike a step; sigma-delta neurons.
        """
        return dataclasses.replace(self, **faster(self, factor))

    def with_steps(self, n_steps: int) -> "SpikingNetwork":
        """The network for another presentation time.

        Parameters
        ----------
        n_steps : int

        Returns
        -------
        SpikingNetwork
            Highest rates that were chosen for a number of steps, as ``nt.IF(thresholds="steps")``
            does, are chosen anew.

        Raises
        ------
        ConversionError
            For less than one step, or part of one; and where neurons were corrected for the steps
            that it has now, or have other rates, which takes a conversion with samples.
        """
        network = dataclasses.replace(self, n_steps=n_steps)
        if n_steps == self.n_steps or not self.activations:
            return network
        return dataclasses.replace(network, **chosen_anew(self, n_steps))

    def with_weight_bits(self, bits: int) -> "SpikingNetwork":
        """The network with weights rounded to so many bits, a scale for each filter.

        Parameters
        ----------
        bits : int
            From 2: whole numbers up to ``2 ** (bits - 1) - 1`` of both signs. Biases stay.

        Returns
        -------
        SpikingNetwork

        Raises
        ------
        ConversionError
        """
        return dataclasses.replace(self, ann=keras_model(rounded(plain(self.ann), bits)))

    def __reduce__(self):
        """What pickle, copy, joblib and Dask take along: what is saved, for Keras models fail."""
        from nengo_tactile.conversion.storage import described, unpickled

        return unpickled, (*described(self), self.card)
