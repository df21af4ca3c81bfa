"""How recordings become spikes at time steps."""

import dataclasses
from collections.abc import Iterable
from typing import ClassVar

import numpy as np

from nengo_tactile.arguments import positive, whole
from nengo_tactile.errors import DataError
from nengo_tactile.events.labelled import recordings_of
from nengo_tactile.events.sparse import SpikeSamples
from nengo_tactile.events.sparse_build import LATE, check_phases, spike_samples


@dataclasses.dataclass(frozen=True)
class SpikeLayout:
    """How recordings become spikes at time steps.

    Parameters
    ----------
    sensor_size : tuple of int
        (width, height, polarities), as in tonic.
    bin_us : float
        Width of a step in microseconds.
    n_steps : int
        Steps of a sample.
    shape : tuple of int, optional
        Of one step, as `nengo_tactile.events.spike_samples` takes it; by default (height, width,
        phases * polarities).
    late : {"error", "drop"}
        What happens to events after the last step.
    phases : int
        Into how many parts a sample's time is cut that have inputs of their own.

    Raises
    ------
    DataError
        If a value is out of its range.
    """

    sensor_size: tuple[int, ...]
    bin_us: float
    n_steps: int
    # never None once it is made
    shape: tuple[int, ...] = None  # type: ignore[assignment]
    late: str = "error"
    phases: int = 1

    def __post_init__(self):
        size = tuple(whole("sensor_size", n) for n in self.sensor_size)
        if len(size) != 3:
            raise DataError(f"sensor_size is {size}: give (width, height, polarities)")
        n_steps = whole("n_steps", self.n_steps)
        phases = check_phases(self.phases, n_steps)
        shape = (size[1], size[0], phases * size[2])
        if self.shape is not None:
            shape = tuple(whole("shape", n) for n in self.shape)
        if np.prod(shape) != phases * np.prod(size):
            raise DataError(
                f"shape {shape} has {np.prod(shape)} places, the sensor {size} has "
                f"{phases * np.prod(size)}{f' in {phases} phases' if phases > 1 else ''}: give as "
                "many"
            )
        positive("bin_us", self.bin_us, "microseconds")
        if self.late not in LATE:
            raise DataError(f"late is {self.late!r}: choose one of {', '.join(LATE)}")
        for name, value in (
            ("sensor_size", size),
            ("shape", shape),
            ("n_steps", n_steps),
            ("phases", phases),
        ):
            object.__setattr__(self, name, value)

    #: Recordings become samples while they are made: see `arriving`.
    in_parts: ClassVar = True

    @property
    def duration_us(self) -> float:
        """Length of a recording in microseconds."""
        return self.n_steps * self.bin_us

    def arriving(
        self, events: np.ndarray, since_us: float, until_us: float
    ) -> tuple[np.ndarray, float] | None:
        """All whole steps that are new of a recording that is still being made.

        Parameters
        ----------
        events : (n_events,) structured array
            All before ``until_us``, from the recording's beginning.
        since_us, until_us : float
            Until when steps were taken, and until when the recording is made.

        Returns
        -------
        x : (1, n_steps, ...) float array
        reached_us : float
            When the last of these steps ends. None where no step is over.
        """
        first = round(since_us / self.bin_us)
        last = min(int(until_us / self.bin_us + 1e-9), self.n_steps)
        if last <= first:
            return None
        return self.batch([events], progress=False)[0:1][:, first:last], last * self.bin_us

    def batch(self, recordings: Iterable, progress: bool | None = None) -> SpikeSamples:
        """Turn recordings into spikes at steps, sparse ones.

        Parameters
        ----------
        recordings : data set, list, or iterable of event arrays
            See `nengo_tactile.events.labelled.recordings_of`.
        progress : bool, optional
            Show a bar; by default on a terminal.

        Returns
        -------
        SpikeSamples
            With labels, where the recordings have them.

        Raises
        ------
        DataError
            As `nengo_tactile.events.spike_samples`.
        """
        recordings = recordings_of(recordings, progress, self.sensor_size)
        samples = spike_samples(
            recordings,
            self.sensor_size,
            self.bin_us,
            self.n_steps,
            shape=self.shape,
            late=self.late,
            phases=self.phases,
            source=getattr(recordings, "name", "recording"),
        )
        return dataclasses.replace(samples, labels=getattr(recordings, "labels", None))
