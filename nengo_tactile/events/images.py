"""Tactile images: events aggregated per taxel, normalised (ST-MNIST paper, section 3.2.1)."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from nengo_tactile.arguments import whole
from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import check_events
from nengo_tactile.events.clocks import late_event
from nengo_tactile.events.labelled import named, recordings_of

#: How often the image of a recording that is still being made is renewed, in microseconds.
RENEWED_US = 50_000

_POLARITIES = ("merge", "split", "difference")
_NORMALISATIONS = ("max", "sum", "log", "root", "standard", "none")


@dataclasses.dataclass(frozen=True)
class TactileImage:
    """How a recording becomes an image.

    Parameters
    ----------
    sensor_size : tuple of int
        (width, height, 2), as in tonic.
    n_bins : int
        Equal time bins over ``duration_us``; each gives its own channels.
    polarity : {"merge", "split", "difference"}
        Count ON and OFF together (the paper's "aggregated FA responses"), in separate channels
        (OFF first, as in tonic), or ON minus OFF.
    normalise : {"max", "sum", "log", "root", "standard", "none"}
        Over the whole image: divide by the largest magnitude; by the sum of magnitudes; take
        sign(v) log(1 + abs(v)), or of sign(v) sqrt(abs(v)), whose chance is as large for all
        counts, and divide by its largest magnitude; subtract the mean and divide by the SD; or
        keep counts.
    duration_us : int
        Length of a recording in microseconds (2 s in ST-MNIST).
    upright : bool
        Let rows follow x instead of y. In ST-MNIST the top of a digit lies at low x and its
        right side at high y (see `nengo_tactile.events.eskin`), so this shows digits upright.

    Notes
    -----
    A recording without events gives a zero image under every normalisation: a network then
    sees "nothing", which is the truth.
    """

    sensor_size: tuple[int, ...] = (10, 10, 2)
    n_bins: int = 1
    polarity: str = "merge"
    normalise: str = "max"
    duration_us: int = 2_000_000
    upright: bool = False

    def __post_init__(self):
        size = tuple(whole("sensor_size", v) for v in self.sensor_size)
        object.__setattr__(self, "sensor_size", size)
        if len(self.sensor_size) != 3:
            raise DataError(
                f"sensor_size is {self.sensor_size}, wanted (width, height, 2), each at least 1"
            )
        for name, allowed in (("polarity", _POLARITIES), ("normalise", _NORMALISATIONS)):
            if getattr(self, name) not in allowed:
                raise DataError(
                    f"tactile image: {name} is {getattr(self, name)!r}; choose one of {allowed}"
                )
        for name in ("n_bins", "duration_us"):
            object.__setattr__(self, name, whole(f"tactile image: {name}", getattr(self, name)))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of an image; channels vary fastest over polarity."""
        width, height = self.sensor_size[:2]
        if self.upright:
            width, height = height, width
        return height, width, self.n_bins * (2 if self.polarity == "split" else 1)

    @property
    def in_parts(self) -> bool:
        """Whether recordings become images while they are made: not with time bins."""
        return self.n_bins == 1

    def arriving(
        self, events: np.ndarray, since_us: float, until_us: float
    ) -> tuple[np.ndarray, float] | None:
        """The image so far of a recording that is still being made, anew every `RENEWED_US`.

        Parameters
        ----------
        events : (n_events,) structured array
            All before ``until_us``, from the recording's beginning.
        since_us, until_us : float
            When the image was last renewed, and until when the recording is made.

        Returns
        -------
        x : (1, height, width, channels) float32 array
        reached_us : float
            Of which time it is. None before it is to be renewed; at the end of a recording it is.
        """
        reached = min(since_us + RENEWED_US, self.duration_us)
        if until_us < reached or since_us >= self.duration_us:
            return None
        return self.batch([events[events["t"] < reached]], progress=False), reached

    def counts(self, events: np.ndarray, source: str = "events") -> np.ndarray:
        """Aggregate without normalising.

        Parameters
        ----------
        events : (n_events,) structured array
            One recording with fields x, y, t (microseconds), p.
        source : str
            What errors call the recording.

        Returns
        -------
        (height, width, channels) float32 array

        Raises
        ------
        DataError
            For malformed events or events at or after ``duration_us``.
        """
        events = check_events(events, self.sensor_size, source)
        late = events["t"] >= self.duration_us
        if late.any():
            end = f"duration_us = {self.duration_us}"
            raise late_event(
                events, int(late.argmax()), source, end, "raise it or cut the recording"
            )
        width, height = self.sensor_size[:2]
        shape = (height, width, self.n_bins, 2)
        step = events["t"] * self.n_bins // self.duration_us
        on = events["p"].astype(np.int64)
        index = np.ravel_multi_index((events["y"], events["x"], step, on), shape)
        counts = np.bincount(index, minlength=np.prod(shape)).reshape(shape)
        if self.polarity == "merge":
            counts = counts.sum(axis=-1)
        elif self.polarity == "difference":
            counts = counts[..., 1] - counts[..., 0]
        image = counts.reshape(height, width, -1).astype(np.float32)
        return image.transpose(1, 0, 2) if self.upright else image

    def normalised(self, counts: np.ndarray) -> np.ndarray:
        """Normalise counts.

        Parameters
        ----------
        counts : (height, width, channels) array

        Returns
        -------
        (height, width, channels) float32 array
            All zeros where ``counts`` are all equal and the rule would divide by zero.
        """
        image = np.asarray(counts, np.float32)
        if self.normalise == "log":
            image = np.sign(image) * np.log1p(np.abs(image))
        if self.normalise == "root":
            image = np.sign(image) * np.sqrt(np.abs(image))
        if self.normalise in ("max", "log", "root"):
            scale = np.abs(image).max()
        elif self.normalise == "sum":
            scale = np.abs(image).sum()
        elif self.normalise == "standard":
            image = image - image.mean()
            scale = image.std()
        else:
            return image
        return image / scale if scale > 0 else np.zeros_like(image)

    def __call__(self, events, source="events"):
        """Turn one recording into its normalised image, float32 of `shape`."""
        return self.normalised(self.counts(events, source))

    def batch(self, recordings: Iterable, progress: bool | None = None) -> np.ndarray:
        """Turn recordings into images.

        Parameters
        ----------
        recordings : data set, list, or iterable of event arrays
            See `nengo_tactile.events.labelled.recordings_of`.
        progress : bool, optional
            Show a bar; by default on a terminal.

        Returns
        -------
        (n_samples, height, width, channels) float32 array
        """
        recordings = recordings_of(recordings, progress, self.sensor_size[:2])
        images = [self(events, name) for name, events in named(recordings)]
        return np.stack(images) if images else np.zeros((0, *self.shape), np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain JSON values."""
        return {**dataclasses.asdict(self), "sensor_size": list(self.sensor_size)}

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> "TactileImage":
        """Rebuild from `to_dict`'s values; unknown keys raise DataError."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(settings) - known)
        if unknown:
            raise DataError(f"tactile image: unknown settings {unknown}; known are {sorted(known)}")
        return cls(**settings)
