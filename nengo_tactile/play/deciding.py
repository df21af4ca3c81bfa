"""A spiking network that reads a recording while it is being made."""

import dataclasses
from typing import Any, Protocol, runtime_checkable

import numpy as np

from nengo_tactile import engines
from nengo_tactile.engines.recording import Recording
from nengo_tactile.engines.state import State
from nengo_tactile.errors import DataError, EngineError, TactileError
from nengo_tactile.events.arrays import EVENT_DTYPE
from nengo_tactile.events.eskin import SENSOR_SIZE
from nengo_tactile.events.taxels import TaxelMap
from nengo_tactile.networks.protocol import Network
from nengo_tactile.networks.stages import Graph
from nengo_tactile.play.sensing import View
from nengo_tactile.play.skin import Grid

#: Engines that keep their state between chunks.
ENGINES = ("event", "loihi")
#: No recording is longer, in microseconds: the page and its server remember the whole of it.
LONGEST_US = 20_000_000
#: Rows and columns of the largest skin.
LARGEST = 32


@runtime_checkable
class LiveNetwork(Network, Protocol):
    """A network that reads recordings by a layout, and of which the engines know the graph.

    Attributes
    ----------
    graph : Graph
    layout : TactileImage, SpikeLayout or None
        How recordings become its input; None where it reads none.
    """

    @property
    def graph(self) -> Graph: ...

    @property
    def layout(self) -> Any: ...

    def steps_in(self, seconds: float) -> int | None:
        """Steps of a chunk that lasts so long; None for all that it has."""


@dataclasses.dataclass(frozen=True)
class Chunk:
    """What a network did since the last time.

    Attributes
    ----------
    t_us : (n_steps,) float array
        When each step ended.
    outputs : (n_outputs,) float array
        The last: what the Keras model gives, or spikes of each class.
    winners : (n_steps,) int array
        The class after each step.
    margins : (n_steps,) float array
        How far the outputs were from another one, in their own units.
    layers : dict of str to (height, width) int array
        Spikes of each layer, over its channels; of layers without places in one row.
    packets, synops : int
        Spikes of all layers, and the synaptic operations that they and the input's caused.
    """

    t_us: np.ndarray
    outputs: np.ndarray
    winners: np.ndarray
    margins: np.ndarray
    layers: dict[str, np.ndarray]
    packets: int
    synops: int


class Listener:
    """A network on an engine, ready to read the recordings of a skin as they are made.

    Parameters
    ----------
    network : LiveNetwork
    engine : {"event", "loihi"}, optional
        By default the first that takes it.
    name : str
        What errors and the page call it.
    n_steps : int, optional
        That each image is shown for, of networks that see images; by default their own.
    taxels : TaxelMap, optional
        Where the network's own sensor has taxels, of one that is no grid.

    Attributes
    ----------
    engine : str
    grid : Grid
        The skin that is drawn on: its own, of a sensor that is a square grid, or the e-skin.
    seen : View
        The skin's events as the network's own sensor has them.
    live : bool
        Whether it decides while the recording is made, or at its end.

    Raises
    ------
    DataError
        For networks that read no recordings, without classes, or of too long recordings.
    EngineError
        Where no engine runs it in chunks.
    """

    def __init__(
        self,
        network: LiveNetwork,
        engine: str | None = None,
        name: str = "network",
        n_steps: int | None = None,
        taxels: TaxelMap | None = None,
    ) -> None:
        self.network, self.name, self.n_steps = network, name, n_steps
        self.grid, self.seen = self._sensor(taxels)
        self.engine = self._engine(engine)
        self._check()
        self.live = network.layout.in_parts
        # compiles what engines compile
        decider, nothing = self.begin(), np.zeros(0, EVENT_DTYPE)
        decider.advance(nothing, self.duration_us)
        decider.whole(nothing)

    @property
    def duration_us(self) -> float:
        """Length of the recordings that it reads, in microseconds."""
        return self.network.layout.duration_us

    def _engine(self, engine):
        tried = (engine,) if engine else ENGINES
        reasons = []
        for each in tried:
            try:
                engines.start(self.network, each, threads=1)
            except TactileError as error:
                reasons.append(str(error))
            else:
                return each
        raise EngineError(f"{self.name}: {'; '.join(reasons)}")

    def _sensor(self, taxels):
        """The skin that is drawn on, and how the network sees it."""
        size = self.network.sensor_size
        if size is None:
            raise DataError(
                f"{self.name} reads no recordings: choose a network that was trained on some, such "
                "as eskin-cnn"
            )
        if taxels is not None and taxels.grid != tuple(size[:2]):
            raise DataError(
                f"{self.name} reads {size[0]} x {size[1]} cells, the map of taxels has "
                f"{taxels.grid[0]} x {taxels.grid[1]}: give the map that it was trained with"
            )
        if taxels is not None or size[0] != size[1] or size[0] > LARGEST:
            return Grid(), View(tuple(size), taxels)
        # networks that see no images keep the e-skin's way of counting
        downwards = getattr(self.network.layout, "upright", True)
        return Grid(int(size[0]), downwards, int(size[2])), View(SENSOR_SIZE)

    def _check(self):
        network, read_out = self.network, self.network.read_out
        if self.n_steps is not None and network.coding is not None:
            raise DataError(
                f"{self.name} takes what comes at each step, and steps are {self.n_steps}: they "
                "are for networks that are shown images for a while; leave them out"
            )
        if read_out.decides_by_sign or read_out.n_outputs != len(network.classes):
            raise DataError(
                f"{self.name} has {read_out.n_outputs} outputs and {len(network.classes)} classes: "
                "choose a network with an output for each class"
            )
        if not self.duration_us <= LONGEST_US:
            raise DataError(
                f"{self.name} reads recordings of {self.duration_us / 1e6:g} s, here they last "
                f"{LONGEST_US / 1e6:g} s at most: choose a network of shorter ones"
            )

    def steps_in(self, seconds: float) -> int | None:
        """Steps of a chunk that lasts so long; None for all that it has."""
        return self.network.steps_in(seconds) if self.n_steps is None else self.n_steps

    def begin(self) -> "Decider":
        """Read a new recording."""
        state = engines.start(self.network, self.engine, progress=False, threads=1)
        return Decider(self, state)

    def to_dict(self) -> dict[str, Any]:
        """What the page shows of it, as plain JSON values."""
        network = self.network
        return {
            "name": self.name,
            "engine": self.engine,
            "about": repr(network).splitlines()[0],
            "decision": network.decision,
            "live": self.live,
            "classes": list(network.classes),
            "duration_ms": self.duration_us / 1e3,
            "side": self.grid.side,
            "multiplications": network.graph.multiplications,
            "layers": {n: list(m.shape) for n, m in self.maps({}).items()},
        }

    def maps(self, counts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Spikes of neurons as maps, {layer: (height, width) int array}; without any of zeros."""
        maps = {}
        for stage in self.network.graph:
            if stage.spikes:
                spikes = counts.get(stage.name, np.zeros((1, stage.n_neurons), np.int64))[0]
                shape = stage.shape if len(stage.shape) == 3 else (1, -1, 1)
                maps[stage.name] = spikes.reshape(shape).sum(axis=2)
        return maps


class Decider:
    """A network in the middle of a recording.

    Made by `Listener.begin`.
    """

    def __init__(self, listener: Listener, state: State) -> None:
        self._listener, self._state = listener, state
        self._since_us = 0.0

    def advance(self, events: np.ndarray, until_us: float) -> list[Chunk]:
        """Go on until a time.

        Parameters
        ----------
        events : (n_events,) structured array
            All of the recording so far.
        until_us : float

        Returns
        -------
        list of Chunk
            Of input that was due: none, one, or several.
        """
        network, duration = self._listener.network, self._listener.duration_us
        events = self._listener.seen(events)
        chunks: list[Chunk] = []
        while self._listener.live:
            arriving = network.layout.arriving(events, self._since_us, min(until_us, duration))
            if arriving is None:
                return chunks
            x, reached = arriving
            n_steps = self._listener.steps_in((reached - self._since_us) * 1e-6)
            recording = self._state.step(x, n_steps)
            t_us = np.linspace(self._since_us, reached, recording.n_steps + 1)[1:]
            chunks.append(self._chunk(recording, t_us))
            self._since_us = reached
        return chunks

    def whole(self, events: np.ndarray) -> Chunk:
        """What `nengo_tactile.run` makes of a whole recording, shown from the beginning."""
        network, engine = self._listener.network, self._listener.engine
        x, _ = network.encode([self._listener.seen(events)], progress=False)
        recording = engines.run(
            network, x, self._listener.n_steps, engine, progress=False, threads=1
        )
        return self._chunk(recording, np.full(recording.n_steps, self._listener.duration_us))

    def _chunk(self, recording: Recording, t_us: np.ndarray) -> Chunk:
        def total(by_layer, names):
            return int(sum(by_layer[name].sum() for name in names))

        layers = self._listener.maps(recording.spike_counts)
        packets = recording.spikes_over_time
        return Chunk(
            t_us=t_us,
            outputs=recording.predict()[0].ravel(),
            winners=recording.predictions()[0],
            margins=recording.read_out.margin(recording.outputs)[0],
            layers=layers,
            packets=total(packets, [name for name in packets if name in layers]),
            synops=total(recording.synops_over_time, recording.synops_over_time),
        )
