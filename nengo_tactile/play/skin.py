"""The simulated e-skin while somebody writes on it."""

import dataclasses

import numpy as np

from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import EVENT_DTYPE
from nengo_tactile.events.crossing_kernel import at_rest
from nengo_tactile.events.eskin import (
    N_TAXELS,
    TREMOR_HZ,
    ESkinParameters,
    electronics,
    felt,
    repeats,
    taxel_mismatch,
)


@dataclasses.dataclass(frozen=True)
class Grid:
    """Where the taxels of a square skin lie, and what their events say.

    Attributes
    ----------
    side : int
        Rows and columns.
    downwards : bool
        Whether x is the row and y the column, as on the e-skin; otherwise x runs to the right.
    polarities : int
        2, or 1 where all events are ON.
    """

    side: int = N_TAXELS
    downwards: bool = True
    polarities: int = 2

    @property
    def sensor_size(self) -> tuple[int, int, int]:
        """(width, height, polarities)."""
        return self.side, self.side, self.polarities

    @property
    def n_taxels(self) -> int:
        """Of the whole skin."""
        return self.side**2

    def events(self, time_us: np.ndarray, taxels: np.ndarray, on: np.ndarray) -> np.ndarray:
        """Messages of taxels, numbered row by row, as events.

        Returns
        -------
        (n_events,) structured array of `nengo_tactile.events.EVENT_DTYPE`
        """
        events = np.empty(len(time_us), EVENT_DTYPE)
        row, column = ("x", "y") if self.downwards else ("y", "x")
        events[row], events[column] = np.divmod(taxels, self.side)
        events["t"], events["p"] = time_us, on | (self.polarities == 1)
        return events

    def places(self, events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of events, two (n_events,) arrays."""
        places = events["x"], events["y"]
        return places if self.downwards else places[::-1]


class Pen:
    """A pen whose way is told piece by piece.

    Between the points that are told it moves in straight lines; after the last one it stays.
    Its force follows the pressure that is told, at most so fast as a hand's.

    Parameters
    ----------
    parameters : ESkinParameters
        ``force_n``, ``force_ramp_s``, ``tremor`` and ``step_us`` count.
    rng : numpy Generator
        Of the tremor's frequency and phase.
    """

    def __init__(self, parameters: ESkinParameters, rng: np.random.Generator) -> None:
        self._step_us = parameters.step_us
        self._newton, self._tremor = parameters.force_n, parameters.tremor
        self._rise = parameters.step_us * 1e-6 / max(parameters.force_ramp_s, 1e-9)
        self._hz, self._phase = rng.uniform(*TREMOR_HZ), rng.random()
        self._at_us, self._place, self._down = 0.0, np.zeros(3), False
        self._pressure, self._n_steps = 0.0, 0

    def move(
        self, points: np.ndarray, until_us: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Go on until a time.

        Parameters
        ----------
        points : (n_points, 4) float array
            Time in microseconds, not falling; column and row in taxel pitches; pressure relative
            to the writer's mean, 0 where the pen is lifted.
        until_us : float
            Not before the last point.

        Returns
        -------
        row, column, force : (n_steps,) float arrays
            At all steps up to ``until_us`` that have not been yet; newton.
        """
        last = int(np.floor(until_us / self._step_us + 1e-9)) + 1
        t_us = np.arange(self._n_steps, max(last, self._n_steps)) * self._step_us
        way = np.empty((len(t_us), 3))
        done = 0
        for at_us, *place in points:
            upto = max(done, int(np.searchsorted(t_us, at_us)))
            wanted = np.array(place)
            way[done:upto] = self._between(t_us[done:upto], at_us, wanted)
            self._at_us, self._place, self._down = at_us, wanted, place[2] > 0
            done = upto
        way[done:] = self._place
        self._at_us, self._n_steps = max(until_us, self._at_us), max(last, self._n_steps)
        shaken = 1 + self._tremor * np.sin(2 * np.pi * (self._hz * t_us * 1e-6 + self._phase))
        return way[:, 1], way[:, 0], self._newton * self._ramp(way[:, 2]) * shaken

    def _between(self, t_us, at_us, wanted):
        """Column, row and pressure on the way to the next point."""
        if not self._down:  # it is in the air, and comes down there
            return np.broadcast_to(self._place * (1.0, 1.0, 0.0), (len(t_us), 3))
        share = (t_us - self._at_us) / max(at_us - self._at_us, 1e-9)
        way = self._place + share[:, None] * (wanted - self._place)
        if not wanted[2] > 0:
            way[:, 2] = self._place[2]  # it is lifted at the point, not on the way
        return way

    def _ramp(self, wanted):
        """What the hand makes of pressures: it rises and falls only so fast."""
        pressure = np.empty(len(wanted))
        for step, value in enumerate(wanted):
            self._pressure += min(max(value - self._pressure, -self._rise), self._rise)
            pressure[step] = self._pressure
        return pressure


class Skin:
    """The e-skin during one recording: what touches it becomes events as time goes on.

    The same touches give the same events, in whatever pieces they come, as long as these end at
    points.

    Parameters
    ----------
    parameters : ESkinParameters
    duration_us : float
        Length of the recording.
    dead : float
        Share of the taxels that send nothing. With the same seed more of them are those and others.
    seed : int
        Of all that is drawn.
    grid : Grid
        Taxels lie a millimetre apart, however many there are.

    Raises
    ------
    DataError
        For a share that is none.
    """

    def __init__(
        self,
        parameters: ESkinParameters,
        duration_us: float,
        dead: float = 0.0,
        seed: int = 0,
        grid: Grid = Grid(),
    ) -> None:
        if not 0 <= dead <= 1:
            raise DataError(f"dead is {dead}: give the share of taxels that send nothing, 0 to 1")
        self.parameters, self.duration_us, self.grid = parameters, duration_us, grid
        n = grid.n_taxels
        once, self._noise, self._decoder = np.random.default_rng(seed).spawn(3)
        self._gain, factors = taxel_mismatch(parameters, grid.side)
        self._factors = factors.ravel()
        self._dead = np.zeros(n, bool)
        self._dead[once.permutation(n)[: round(dead * n)]] = True
        self._gain.flat[self._dead] = 0.0
        self._electronics, self._taxels = electronics(parameters), at_rest(np.zeros(n))
        self._pen = Pen(parameters, once)
        self._spread = np.exp(once.normal(0, parameters.repeats_spread))
        self._waiting = self._repeated(*self._strays(once))

    @property
    def dead(self) -> np.ndarray:
        """Taxels that send nothing, (rows, columns) bool array."""
        return self._dead.reshape(self.grid.side, self.grid.side)

    def _strays(self, rng):
        """Messages of the whole recording that come from nothing."""
        n_taxels = self.grid.n_taxels
        n = rng.poisson(self.parameters.noise_rate_hz * n_taxels * self.duration_us * 1e-6)
        time_us, taxels = rng.uniform(0, self.duration_us, n), rng.integers(0, n_taxels, n)
        alive = ~self._dead[taxels]
        return time_us[alive], taxels[alive], (rng.random(n) < 0.5)[alive]

    def _repeated(self, time_us, taxels, on):
        """Messages as the decoder repeats them: (times, taxels, polarities)."""
        times = repeats(self.parameters, on, self._spread, self._decoder)
        return np.repeat(time_us, times), np.repeat(taxels, times), np.repeat(on, times)

    def advance(self, points: np.ndarray, until_us: float) -> np.ndarray:
        """Go on until a time.

        Parameters
        ----------
        points : (n_points, 4) float array
            As of `Pen.move`: x to the right and y downwards.
        until_us : float
            Not before the last point; what lies behind the recording's end does not count.

        Returns
        -------
        (n_events,) structured array of `nengo_tactile.events.EVENT_DTYPE`
            That came since the last time, sorted, with places as the grid has them. Those of the
            last step come with the next.
        """
        until_us = min(until_us, self.duration_us)
        row, column, force = self._pen.move(points, until_us)
        field = felt(self.parameters, row, column, force, self._gain)
        step_s = self.parameters.step_us * 1e-6
        time_s, taxels, rises = self._electronics.messages(
            field, self._noise, step_s, self._taxels, self._factors
        )
        time_us = np.maximum(time_s * 1e6, 0.0)  # a touch at once is noticed before the first step
        new = self._repeated(time_us, taxels, rises == (self.parameters.onset_polarity > 0))
        time_us, taxels, on = (np.concatenate(pair) for pair in zip(self._waiting, new))
        # a message lies in the step before the one that notices it: those of the next step may
        # still come before the last of this one
        sure = (self._taxels.n_steps[0] - 1) * self.parameters.step_us
        sure = self.duration_us if until_us >= self.duration_us else sure
        now = time_us < sure
        self._waiting = tuple(each[~now] for each in (time_us, taxels, on))
        order = np.argsort(time_us[now], kind="stable")
        return self.grid.events(*(each[now][order] for each in (time_us, taxels, on)))


class Replay:
    """A recording that is played again as time goes on.

    Parameters
    ----------
    events : (n_events,) structured array
        Sorted by time.
    duration_us : float
        Later events are left out.
    grid : Grid
    """

    def __init__(self, events: np.ndarray, duration_us: float, grid: Grid = Grid()) -> None:
        self.duration_us, self.grid = duration_us, grid
        self._events = events[(events["t"] >= 0) & (events["t"] < duration_us)]
        self._n_shown = 0

    @property
    def dead(self) -> np.ndarray:
        """No taxel is known to be dead."""
        return np.zeros((self.grid.side, self.grid.side), bool)

    def advance(self, points: np.ndarray, until_us: float) -> np.ndarray:
        """Events since the last time; what touches the skin meanwhile does not count."""
        first = self._n_shown
        self._n_shown = max(first, int(np.searchsorted(self._events["t"], until_us)))
        return self._events[first : self._n_shown]
