"""Augmentation of recordings: the same seed makes the same of the same events, in any order."""

import dataclasses
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from nengo_tactile.errors import DataError
from nengo_tactile.events import disturb
from nengo_tactile.events.labelled import named
from nengo_tactile.options import Options, documented, option


@documented
@dataclasses.dataclass(frozen=True, repr=False)
class Disturbance(Options):
    """How much may happen to a recording: each time anew, up to so much, evenly."""

    error = DataError

    drop: float = option(0.0, "Share of the events that are lost, at most", least=0, most=1)
    dead: float = option(0.0, "Share of the taxels that send nothing, at most", least=0, most=1)
    noise: float = option(0.0, "Random events more, at most, as a share of those there", least=0)
    noisy: float = option(
        0.0, "Share of the taxels, at most, that send as many random events as the busiest",
        least=0, most=1,
    )  # fmt: skip
    jitter_us: float = option(0.0, "Standard deviation of times in microseconds", least=0)
    jitter: float = option(0.0, "Standard deviation of places in taxels", least=0)
    shift: float = option(0.0, "Taxels that all is shifted by, at most, each way", least=0)
    rotate: float = option(0.0, "Degrees that all is turned by, at most, each way", least=0)
    scale: float = option(0.0, "Share that all is larger or smaller by, at most", least=0, below=1)
    stretch: float = option(
        0.0, "Share that times are longer or shorter by, at most", least=0, below=1
    )

    @classmethod
    def parsed(cls, text: str) -> "Disturbance":
        """What a text such as "drop=0.2,shift=1" says.

        Raises
        ------
        DataError
            Naming what is no option, or no number.
        """
        names, found = [field.name for field in dataclasses.fields(cls)], {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, sign, value = (piece.strip() for piece in part.partition("="))
            if name not in names or not sign:
                raise DataError(
                    f"augmentation {part!r} is none: give name=number, separated by commas, of "
                    f"{', '.join(names)}"
                )
            try:
                found[name] = float(value)
            except ValueError:
                raise DataError(f"augmentation {part!r}: {value!r} is no number") from None
        return cls(**found)


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """A transform of recordings, for data sets (``transform=``), SLAYER and image encodings.

    What is drawn depends on the seed, the round and the events alone, so that it is the same in
    whatever order recordings are read.

    Parameters
    ----------
    disturbance : Disturbance
    sensor_size : tuple of int
        (width, height, polarities).
    seed : int
    taxels : TaxelMap, optional
        Of skins that are no grid: places move through it.
    duration_us : float, optional
        Events that come to lie behind are lost, noise comes before. By default the recording's own
        end, stretched with it, is that of the noise.
    round : int
        Another one draws anew: see `of_round`.

    Raises
    ------
    DataError
        If the map does not fit the sensor; when called, for recordings of which nothing is left.
    """

    disturbance: Disturbance
    sensor_size: tuple
    seed: int = 0
    taxels: Any = None
    duration_us: float | None = None
    round: int = 0

    def __post_init__(self):
        disturb.cells_of(self.sensor_size, self.taxels)

    def of_round(self, number: int) -> "Augmentation":
        """The same that draws anew, such as in another epoch."""
        return dataclasses.replace(self, round=number)

    def __call__(self, events: np.ndarray, source: str = "a recording") -> np.ndarray:
        """What becomes of a recording.

        Parameters
        ----------
        events : (n_events,) structured array
        source : str
            What errors call it.

        Returns
        -------
        (n_events,) structured array
        """
        if not len(events):
            return events
        told, digest = self.disturbance, zlib.crc32(np.ascontiguousarray(events).tobytes())
        rng = np.random.default_rng((self.seed, self.round, digest))
        cells, places = disturb.cells_of(self.sensor_size, self.taxels)
        most = {field.name: getattr(told, field.name) for field in dataclasses.fields(told)}
        drawn = {name: value * rng.random() for name, value in most.items()}
        found = disturb.stretched(events, 1 + told.stretch * rng.uniform(-1, 1))
        if told.shift or told.rotate or told.scale or told.jitter:
            offset = told.shift * rng.uniform(-1, 1, 2)
            degrees, scale = (rng.uniform(-1, 1) * each for each in (told.rotate, told.scale))
            each = told.jitter * rng.normal(size=(len(found), 2))
            found = disturb.moved(found, cells, places, offset + each, degrees, 1 + scale)
        found = disturb.dropped(found, drawn["drop"], rng)
        found = disturb.dead(found, drawn["dead"], rng, cells)
        if told.jitter_us:
            found = disturb.late(found, told.jitter_us, rng)
        if self.duration_us is not None:
            found = found[found["t"] < self.duration_us]
        if not len(found):
            raise DataError(
                f"{source}: augmentation left none of its {len(events)} events ({told!r}): lower "
                "these numbers, or leave such recordings out"
            )
        end = self.duration_us or int(found["t"].max()) + 1
        told_noise = end, self.sensor_size[2]
        places = cells[rng.integers(0, len(cells), round(drawn["noise"] * len(found)))]
        found = disturb.noise(found, places, rng, *told_noise)
        loud = cells[rng.permutation(len(cells))[: int(drawn["noisy"] * len(cells) + 0.5)]]
        if len(loud):
            busiest = np.unique(found[["x", "y"]], return_counts=True)[1].max()
            found = disturb.noise(found, np.repeat(loud, busiest, axis=0), rng, *told_noise)
        return found

    def of_all(self, recordings: Iterable) -> Iterator[np.ndarray]:
        """What becomes of recordings, each named in errors: see `labelled.named`."""
        return (self(events, name) for name, events in named(recordings))


@dataclasses.dataclass(frozen=True)
class Seeded:
    """A transform of another library that draws from NumPy's global generator, seeded.

    ``Seeded(tonic.transforms.DropEvent(0.2), seed=1)`` makes the same of the same events; the
    global generator is left as it was. Not for threads.

    Parameters
    ----------
    transform : callable
        Of events; it may change what it is given, which is a copy.
    seed : int
    """

    transform: Callable
    seed: int = 0

    def __call__(self, events: np.ndarray) -> Any:
        """What the transform makes of events."""
        digest = zlib.crc32(np.ascontiguousarray(events).tobytes())
        before = np.random.get_state()  # noqa: NPY002
        own = np.random.SeedSequence((self.seed, digest)).generate_state(4)
        np.random.seed(own)  # noqa: NPY002
        try:
            return self.transform(events.copy())
        finally:
            np.random.set_state(before)  # noqa: NPY002


def augmented_epochs(
    recordings: list, labels: np.ndarray, layout: Any, augmentation: Augmentation
) -> Callable[[int], tuple[Any, np.ndarray]]:
    """Make ``epoch -> (x, y)`` of recordings augmented anew in each epoch.

    Parameters
    ----------
    recordings : list of event arrays
    labels : (n_samples,) int array
    layout : TactileImage or another layout
    augmentation : Augmentation

    Returns
    -------
    callable
        For `nengo_tactile.ann.training.train`.
    """

    def samples(epoch):
        changed = augmentation.of_round(epoch).of_all(recordings)
        return layout.batch(list(changed), progress=False), labels

    return samples
