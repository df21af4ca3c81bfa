"""From pressure to events: level crossing, the electronics of event-based skins.

What a taxel of the simulated e-skin does with its pressure, for recorded pressure, force or stretch
of any sensor.
"""

import dataclasses
import math
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from nengo_tactile import arguments
from nengo_tactile.errors import DataError, TactileError
from nengo_tactile.events.arrays import EVENT_DTYPE
from nengo_tactile.events.crossing_kernel import TaxelMemory, at_rest, crossings
from nengo_tactile.lazy import compiled
from nengo_tactile.options import Options, documented, option


@documented
@dataclasses.dataclass(frozen=True, repr=False)
class LevelCrossing(Options):
    """How taxels send changes of their signals: ON after a rise by a threshold, OFF after a fall.

    Called with signals, it gives events; see `LevelCrossing.__call__`.
    """

    threshold: float = option(0.1, "change of the signal that makes an event", above=0)
    hysteresis: float = option(
        0.0, "by how much more the signal has to turn back for an event of the other sign", least=0
    )
    refractory_us: float = option(0.0, "least time between two events of a taxel", least=0)
    noise: float = option(0.0, "SD of what is added to the signal at each step", least=0)
    vibration: float = option(0.0, "SD of each step's pressure relative to itself", least=0)
    mismatch: float = option(0.0, "lognormal SD of the threshold over taxels", least=0)
    device_seed: int = option(0, "which array: its taxels' thresholds", least=0)
    delay_us: float = option(0.0, "by how much events are late at most", least=0)
    reset: Literal["level", "signal"] = option(
        "level",
        "after an event, 'level': the reference moves by one threshold, several events may come in "
        "a step, at the times at which a straight line crosses; 'signal': it is the signal of the "
        "step, as in the e-skin, one event a step",
    )
    response: Literal["linear", "log"] = option(
        "linear", "the signal is p / floor, or log(1 + p / floor)"
    )
    floor: float = option(1.0, "pressure that scales the signal", above=0)
    activation: float | None = option(
        None, "pressure under which a taxel feels nothing, and forgets what it has sent"
    )

    error: ClassVar[type[TactileError]] = DataError

    def __call__(
        self,
        signals: ArrayLike,
        rate_hz: float,
        seed: Any = 0,
        taxels: Any = None,
        source: str = "signals",
    ) -> np.ndarray:
        """Events of one recording.

        Parameters
        ----------
        signals : (n_steps, height, width) or (n_steps, n_taxels) array
            Pressure, force, stretch, in any unit. The first step is where taxels begin: it makes
            no events.
        rate_hz : float
            Steps a second.
        seed : int, sequence of int or numpy Generator
            Of noise, vibration and delays.
        taxels : nengo_tactile.events.TaxelMap, optional
            Where taxels lie, in the order of its addresses; by default x is the taxel and y is 0.
        source : str
            What errors call the recording.

        Returns
        -------
        (n_events,) structured array of `nengo_tactile.events.EVENT_DTYPE`
            Times from the first step on.

        Raises
        ------
        DataError
            For signals of another shape, that are no finite numbers, or more taxels than a map has.
        """
        values, x, y = _placed(signals, taxels, source)
        step_s = 1 / arguments.positive("rate_hz", rate_hz, "steps a second")
        start = self.signal(values[0]) if len(values) else np.zeros(values.shape[1])
        rng = arguments.generator("seed", seed)
        time_s, taxel, rises = self.messages(values, rng, step_s, at_rest(start))
        order = np.argsort(time_s, kind="stable")
        events = np.empty(len(order), EVENT_DTYPE)
        events["t"] = np.rint(time_s[order] * 1e6)
        events["x"], events["y"], events["p"] = x[taxel[order]], y[taxel[order]], rises[order]
        return events

    def recordings(
        self, signals: Iterable, rate_hz: float, seed: int = 0, taxels: Any = None
    ) -> Iterator[np.ndarray]:
        """Events of several recordings, one after the other.

        Parameters
        ----------
        signals : iterable of arrays as for `__call__`
            Such as one array of (n_samples, n_steps, n_taxels).
        rate_hz, seed, taxels
            As for `__call__`. Recording i depends on ``seed`` and i.
        """
        for index, each in enumerate(signals):
            yield self(each, rate_hz, (seed, index), taxels, f"signals {index}")

    def signal(self, pressure: ArrayLike) -> np.ndarray:
        """What a taxel without noise makes of pressures, an array of the same shape."""
        pressure = np.asarray(pressure, np.float64)
        if self.activation is not None:
            pressure = np.where(pressure < self.activation, 0.0, pressure)
        if self.response == "linear":
            return pressure / self.floor
        return np.log1p(np.maximum(pressure, 0) / self.floor)

    def messages(
        self,
        pressure: np.ndarray,
        rng: np.random.Generator,
        step_s: float,
        memory: TaxelMemory,
        factors: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What taxels send.

        Parameters
        ----------
        pressure : (n_steps, n_taxels) float array
        rng : numpy Generator
        step_s : float
            Seconds between steps.
        memory : TaxelMemory
            What taxels keep of the steps before, from `at_rest` on; changed.
        factors : (n_taxels,) array, optional
            Of the thresholds; by default those of ``mismatch`` and ``device_seed``.

        Returns
        -------
        time_s : (n_messages,) float array
            In the order of the steps.
        taxels : (n_messages,) int64 array
        rises : (n_messages,) bool array
        """
        n_taxels = pressure.shape[1]
        if factors is None:
            device = np.random.default_rng(self.device_seed)
            factors = np.exp(device.normal(0, self.mismatch, n_taxels))
        activation = -math.inf if self.activation is None else float(self.activation)
        return compiled(crossings)(
            rng, np.ascontiguousarray(pressure, np.float64), memory, step_s, activation, self.floor,
            self.response == "log", self.vibration, self.noise,
            factors * self.threshold, self.hysteresis, self.refractory_us * 1e-6,
            self.delay_us * 1e-6, self.reset == "level",
        )  # fmt: skip


def _placed(signals, taxels, source):
    """Signals as (n_steps, n_taxels), and where the taxels lie."""
    values = arguments.array(source, signals)
    if values.dtype.kind not in "biuf" or values.ndim not in (2, 3):
        raise DataError(
            f"{source}: have type {values.dtype} and shape {values.shape}: give numbers, (n_steps, "
            "n_taxels) or (n_steps, height, width)"
        )
    flat = values.reshape(len(values), math.prod(values.shape[1:])).astype(np.float64)
    wrong = ~np.isfinite(flat)
    if wrong.any():
        step, taxel = np.argwhere(wrong)[0]
        raise DataError(
            f"{source}: step {step}, taxel {taxel} is {flat[step, taxel]}: give finite numbers"
        )
    if taxels is not None:
        if values.ndim == 3 or values.shape[1] != len(taxels):
            raise DataError(
                f"{source}: have shape {values.shape}, the map has {len(taxels)} taxels: give "
                "(n_steps, n_taxels) in the order of the map"
            )
        return flat, *taxels.cells.T
    width = values.shape[-1]
    y, x = np.divmod(np.arange(flat.shape[1]), max(width, 1))
    return flat, x, y
