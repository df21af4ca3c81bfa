"""What every kind of network is to engines, files, the command line and the report.

A kind of network is a class with the attributes and methods of `Network`. Nothing outside its own
room, and the engines that it names, asks which one it is.
"""

import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np

from nengo_tactile.arguments import nearest
from nengo_tactile.errors import DataError, EngineError
from nengo_tactile.events.labelled import Labelled
from nengo_tactile.networks.image_scale import ImageScale
from nengo_tactile.networks.read_out import ReadOut

#: Engines that take converted networks.
ENGINES = ("nengo-dl", "event", "loihi")


class Reference(NamedTuple):
    """The code that a run's accuracy or error is compared with, and how the two are told.

    Attributes
    ----------
    key : str
        Of its measure in results.json: "ann" makes ``ann_accuracy`` and ``ann_error``.
    name, measured : str
        Of what these measures are, in tables and on cards of a report.
    short : str
        The code beside curves.
    """

    key: str
    name: str
    measured: str
    short: str


@runtime_checkable
class Network(Protocol):
    """A network that can be run.

    Attributes
    ----------
    runners : dict of str to str
        Engine -> module whose ``run(network, x, n_steps, progress=..., **options)`` gives a
        `Recording`; with an argument ``engine`` where it serves several.
    engines : tuple of str
        Those of them that have its neurons.
    others : dict of str to str
        Why it does not run on other engines, as the end of "..., which ".
    reference : Reference
    is_timed : bool
        Whether samples come step by step in a recording's own time, so that they have a first
        event; others are shown as a whole.
    storage : str
        The module that says what a saved one holds, and makes it again: see `folders.save`.
    fastest : str
        The engine that runs it fastest.
    classes : tuple of str
        Names of what it decides between.
    read_out : ReadOut
        What outputs mean.
    decision : str
        How the outputs of a step are read, a sentence.
    scale : ImageScale or None
        How images of a data set become its input; None where they do not.
    input_shape : tuple of int
        Of one sample.
    sensor_size : tuple of int or None
        (width, height, polarities) of the recordings that it reads; None if it reads none.
    n_steps : int
        Time steps of a sample.
    dt : float
        Length of a step in seconds.
    n_neurons : int
        Spiking ones, without the input.
    relays : tuple of str
        Layers that have no neurons and send spikes of others on, which recordings count too: max
        poolings.
    ann_multiplications : int or None
        Of one sample in the ANN that it stands for; None where it stands for none.
    card : dict
        Where it comes from.
    """

    runners: ClassVar[dict[str, str]]
    others: ClassVar[dict[str, str]]
    reference: ClassVar[Reference]
    storage: ClassVar[str]
    is_timed: ClassVar[bool]

    @property
    def engines(self) -> tuple[str, ...]: ...

    @property
    def relays(self) -> tuple[str, ...]: ...

    @property
    def ann_multiplications(self) -> int | None: ...

    @property
    def classes(self) -> tuple[str, ...]: ...

    @property
    def card(self) -> dict[str, Any]: ...

    @property
    def fastest(self) -> str: ...

    @property
    def read_out(self) -> ReadOut: ...

    @property
    def decision(self) -> str: ...

    @property
    def scale(self) -> ImageScale | None: ...

    @property
    def input_shape(self) -> tuple[int, ...]: ...

    @property
    def sensor_size(self) -> tuple[int, ...] | None: ...

    @property
    def n_steps(self) -> int: ...

    @property
    def dt(self) -> float: ...

    @property
    def n_neurons(self) -> int: ...

    def encode(
        self,
        data: Any,
        indices: Sequence[int] | np.ndarray | None = None,
        progress: bool | None = None,
    ) -> tuple[Any, np.ndarray | None]:
        """Samples (or some of them) as what `nengo_tactile.run` takes, and labels or None."""

    def steps(self, n_steps: int | None = None) -> int | None:
        """Steps of a run that is asked for so many; None where engine or samples decide."""

    def compare(
        self, x: Any, labels: np.ndarray, recording: Any, progress: bool | None = None
    ) -> dict[str, float]:
        """Measures of the code that trained it on the samples of a recording."""

    def save(self, folder: str | Path) -> None:
        """Write it to a folder, whole or not at all."""


def summary(network: Network) -> str:
    """A network in one line, as it is printed, and in another how it was chosen."""
    chosen = network.card.get("chosen")
    shapes = network.input_shape, network.read_out.output_shape
    here, there = (" x ".join(map(str, shape)) for shape in shapes)
    neurons = f"{network.n_neurons:,}" if network.n_neurons else "no spiking"
    return (
        f"{type(network).__name__}({here} -> {there}, "
        f"{neurons} neurons, {network.n_steps} steps of {network.dt * 1000:g} ms, "
        f"runs on {', '.join(network.engines)})" + (f"\nchosen: {chosen}" if chosen else "")
    )


def check_network(network: Any) -> None:
    """Refuse what is no network, with the remedy where it is the name of one.

    Raises
    ------
    EngineError
    """
    if not hasattr(network, "runners"):
        named = isinstance(network, str | Path)
        remedy = (
            f"nengo_tactile.load({str(network)!r})" if named else "nengo_tactile.convert(model, x)"
        )
        raise EngineError(
            f"network is a {type(network).__name__}, no spiking network: give {remedy}"
        )


def runner(network: Network, engine: str) -> ModuleType:
    """The module that runs a network on an engine.

    Raises
    ------
    EngineError
        If there is none, with the engines that there are.
    """
    if engine not in network.runners:
        why = network.others.get(engine, f"is unknown{nearest(engine, network.runners)}")
        raise EngineError(
            f"a {type(network).__name__} on engine {engine!r}, which {why}: use "
            f"{' or '.join(map(repr, network.runners))}"
        )
    module = importlib.import_module(network.runners[engine])
    return module.mode(network) if hasattr(module, "mode") else module


def check_data(network: Network, data) -> None:
    """Refuse recordings of another sensor or of other classes, where the data set says which.

    Parameters
    ----------
    network : Network
    data : data set, list or array

    Raises
    ------
    DataError
    """
    size, classes = getattr(data, "sensor_size", None), getattr(data, "classes", None)
    n_classes = network.read_out.n_classes
    own = network.sensor_size
    if size is not None and own is not None and tuple(size[:2]) != tuple(own[:2]):
        (width, height), (there_w, there_h) = own[:2], size[:2]
        raise DataError(
            f"the network reads {width} x {height} pixels, {data!r} has {there_w} x {there_h}: "
            "choose another data set (--task)"
        )
    if classes is not None and len(classes) != n_classes:
        raise DataError(
            f"the network has {n_classes} classes, {data!r} has {len(classes)}: choose "
            "another data set (--task)"
        )


def read(network: Network, layout, data, indices=None, progress=None) -> tuple[Any, Any]:
    """Recordings as a network's input, and their labels.

    Parameters
    ----------
    network : Network
    layout : nengo_tactile.events.layouts.Layout
    data : data set of recordings, list of recordings, or one recording
    indices : sequence of int, optional
        Some of the samples, in an order of their own; by default all.
    progress : bool, optional

    Returns
    -------
    samples : SpikeSamples or array
        Of the layout.
    labels : (n_samples,) int array or None
        None where the data have no labels.

    Raises
    ------
    DataError
        For another sensor or other classes, and recordings that do not fit the layout.
    """
    check_data(network, data)
    recordings = Labelled(data, indices, progress)
    return layout.batch(recordings), recordings.labels


def chosen(samples, indices=None) -> tuple[Any, Any]:
    """Some of the samples that are a network's input already, and their labels.

    Parameters
    ----------
    samples : SpikeSamples or array
    indices : sequence of int, optional
        By default all.

    Returns
    -------
    samples : SpikeSamples or array
    labels : (n_samples,) int array or None
        None for arrays.
    """
    if indices is not None:
        numbers = np.asarray(indices)
        sparse = hasattr(samples, "dense")
        samples = samples.take(numbers) if sparse else np.asarray(samples)[numbers]
    return samples, getattr(samples, "labels", None)
