"""One recording from the first touch to the decision: skin, image and network together."""

import dataclasses
from typing import Any

import numpy as np

from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import EVENT_DTYPE
from nengo_tactile.events.images import TactileImage
from nengo_tactile.play.deciding import Chunk, Listener
from nengo_tactile.play.skin import Replay, Skin


@dataclasses.dataclass(frozen=True)
class Progress:
    """What is new since the last time, and what has come of all so far.

    Attributes
    ----------
    t_us : float
        Until when the recording has come.
    events : (n_events,) structured array
        New ones.
    rows, columns : (n_events,) int arrays
        Where they are on the skin.
    image : (rows, columns) float array
        The tactile image so far, upright: events of each taxel, the most of any being 1.
    chunks : list of Chunk
        What the network did since.
    outputs : (n_outputs,) float array or None
        The last, None before the first decision.
    winner : int or None
        Number of the class that leads; None before the first decision.
    whole : int or None
        When the recording is over: the class of the whole of it, shown from the beginning.
    n_events, n_packets, n_synops : int
        So far.
    done : bool
        Whether the recording is over.
    """

    t_us: float
    events: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    image: np.ndarray
    chunks: list[Chunk]
    outputs: np.ndarray | None
    winner: int | None
    whole: int | None
    n_events: int
    n_packets: int
    n_synops: int
    done: bool

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; the margin after the last step of each chunk."""
        layers: dict[str, Any] = {}
        for chunk in self.chunks:
            for name, spikes in chunk.layers.items():
                layers[name] = layers.get(name, 0) + spikes
        events = self.events
        return {
            "t": self.t_us / 1e3,
            "events": np.stack(
                [events["t"] // 1000, self.rows, self.columns, events["p"]], axis=1
            ).tolist(),
            "image": np.round(self.image, 3).ravel().tolist(),
            "outputs": None if self.outputs is None else np.round(self.outputs, 4).tolist(),
            "winner": self.winner,
            "whole": self.whole,
            "margins": [
                [chunk.t_us[-1] / 1e3, round(float(chunk.margins[-1]), 4), int(chunk.winners[-1])]
                for chunk in self.chunks
            ],
            "layers": {name: spikes.ravel().tolist() for name, spikes in layers.items()},
            "counters": {
                "events": self.n_events,
                "packets": self.n_packets,
                "synops": self.n_synops,
            },
            "done": self.done,
        }


class Drawing:
    """Something touches a skin, and a network reads it.

    Parameters
    ----------
    source : Skin or Replay
        Where events come from.
    listener : Listener

    Attributes
    ----------
    t_us : float
        Until when it has come.
    done : bool
        Whether it is over.
    """

    def __init__(self, source: Skin | Replay, listener: Listener) -> None:
        self.source, self.listener = source, listener
        grid, duration = source.grid, int(source.duration_us)
        self._image = TactileImage(grid.sensor_size, upright=grid.downwards, duration_us=duration)
        self._counts = np.zeros(self._image.shape, np.float32)
        self._decider = listener.begin()
        self._events = [np.zeros(0, EVENT_DTYPE)]
        self._outputs: np.ndarray | None = None
        self._winner: int | None = None
        self._whole: int | None = None
        self._n_packets = self._n_synops = 0
        self.t_us, self.done = 0.0, False

    @property
    def events(self) -> np.ndarray:
        """All so far, (n_events,) structured array."""
        self._events = [np.concatenate(self._events)]
        return self._events[0]

    def advance(self, points: Any, until_us: float) -> Progress:
        """Go on until a time.

        Parameters
        ----------
        points : (n_points, 4) array_like
            What touched the skin since the last time: see `nengo_tactile.play.skin.Pen.move`.
        until_us : float
            Not before the last time, nor before a point.

        Returns
        -------
        Progress

        Raises
        ------
        DataError
            For points that are no numbers or not in order, and times that go back.
        """
        points = _checked(points, self.t_us, until_us)
        if not self.done:
            new = self.source.advance(points, until_us)
            self._events.append(new)
            self._counts += self._image.counts(new)
            self.t_us = min(until_us, self.source.duration_us)
            self.done = until_us >= self.source.duration_us
            # events of the skin's last step are still to come
            sure = self.t_us if self.done else max(0.0, self.t_us - 1e3)
            chunks = self._decider.advance(self.events, sure)
            if self.done:
                whole = self._decider.whole(self.events)
                self._whole = int(whole.winners[-1])
                chunks = chunks if self.listener.live else [whole]
        else:
            new, chunks = np.zeros(0, EVENT_DTYPE), []
        for chunk in chunks:
            self._outputs, self._winner = chunk.outputs, int(chunk.winners[-1])
            self._n_packets += chunk.packets
            self._n_synops += chunk.synops
        rows, columns = self.source.grid.places(new)
        return Progress(
            t_us=self.t_us,
            events=new,
            rows=rows,
            columns=columns,
            image=self._image.normalised(self._counts)[:, :, 0],
            chunks=chunks,
            outputs=self._outputs,
            winner=self._winner,
            whole=self._whole,
            n_events=len(self.events),
            n_packets=self._n_packets,
            n_synops=self._n_synops,
            done=self.done,
        )


def _checked(points, since_us, until_us):
    """Points in order, (n, 4) floats; what comes late counts as if it came now."""
    points = np.asarray(points, np.float64).reshape(-1, 4) if len(points) else np.zeros((0, 4))
    if not np.isfinite(points).all() or not np.isfinite(until_us):
        raise DataError("points and times have to be finite numbers")
    if until_us < since_us:
        raise DataError(f"time goes back from {since_us:g} to {until_us:g} us: begin anew")
    t_us = points[:, 0]
    if (np.diff(t_us) < 0).any() or (t_us > until_us).any() or (points[:, 3] < 0).any():
        raise DataError(
            f"points have to come in order, none after {until_us:g} us or with a pressure below 0"
        )
    points[:, 0] = np.maximum(t_us, since_us)
    return points
