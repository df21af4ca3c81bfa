"""Recordings as sparse spikes, made once, and dense minibatches of them for training.

A recording becomes the list of its occupied places: the step of an event and its address in the
array, each place once. That takes 4 to 6 bytes per event, where a dense (steps, height, width,
channels) array of float32 would take 2.8 MB for one recording of N-MNIST.
"""

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from nengo_tactile.arguments import whole
from nengo_tactile.doors.archives import read_npz
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import DataError
from nengo_tactile.files import fingerprint, path_of, write_npz
from nengo_tactile.lazy import cached_property

#: Steps are stored as uint16.
MAX_STEPS = np.iinfo(np.uint16).max + 1


@dataclasses.dataclass(frozen=True, eq=False)
class SpikeSamples:
    """Recordings as spikes at steps and addresses; made by `spike_samples`.

    Attributes
    ----------
    shape : tuple of int
        Of one step: (height, width, channels) for pixels, with channel 0 OFF and 1 ON as in
        `spike_tensor`; any other shape of as many places for sensors without a grid.
    bin_us : float
        Width of a step in microseconds.
    n_steps : int
        Steps of the longest sample.
    offsets : (n_samples + 1,) int64 array
        The spikes of sample i are those from ``offsets[i]`` to before ``offsets[i + 1]``.
    steps : (n_spikes,) uint16 array
        Rising within a sample.
    addresses : (n_spikes,) uint16 or uint32 array
        Indices into the flattened ``shape``. No place comes twice in a sample.
    lengths : (n_samples,) int64 array
        Steps of each sample. What a dense array holds after them is padding.
    counts : (n_spikes,) uint16 or signed int array or None
        Events of each place, ON less OFF ones where both share it; None where each counts as one
        spike.
    labels : (n_samples,) int64 array or None
    """

    shape: tuple[int, ...]
    bin_us: float
    n_steps: int
    offsets: np.ndarray
    steps: np.ndarray
    addresses: np.ndarray
    lengths: np.ndarray
    counts: np.ndarray | None = None
    labels: np.ndarray | None = None

    def __len__(self):
        return len(self.lengths)

    def __repr__(self):
        return (
            f"SpikeSamples({len(self)} samples of {self.n_steps} steps of {self.bin_us:g} us, "
            f"shape {self.shape}, {len(self.steps)} spikes)"
        )

    def __iter__(self):
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index):
        """A sample as a dense array, (n_steps, *shape), or a slice of samples as one."""
        if isinstance(index, slice):
            return self.dense(np.arange(len(self))[index])
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        return self.dense(np.array([index % len(self)]))[0]

    @property
    def nbytes(self) -> int:
        """Memory of all arrays in bytes."""
        return sum(array.nbytes for array in _arrays(self).values())

    @cached_property
    def digest(self) -> str:
        """Of all spikes, lengths, labels and what a step is, in this order."""
        arrays = _arrays(self)
        about = [self.shape, self.bin_us, self.n_steps, list(arrays)]
        return fingerprint(about, *arrays.values())

    def dense(
        self,
        indices: np.ndarray,
        starts: int | np.ndarray = 0,
        n_steps: int | None = None,
        shifts: np.ndarray | None = None,
        dtype: DTypeLike = np.float32,
    ) -> np.ndarray:
        """Return samples, or windows of them, as one dense array.

        Parameters
        ----------
        indices : (n,) int array
            Samples, in any order; they may repeat.
        starts : int or (n,) int array
            First step of each window. The window is silent before step 0 (for negative starts)
            and after the sample's end.
        n_steps : int, optional
            Steps of the windows; by default those of the longest of all samples.
        shifts : (n, 2) int array, optional
            Pixels that the spikes of each sample move along (y, x). Spikes that leave the
            sensor are dropped. For shapes (height, width, channels) only.
        dtype : dtype
            Of the result, such as float32 or uint8.

        Returns
        -------
        (n, n_steps, *shape) array
            1 where there is a spike (or the number of events, where they were counted), else 0.

        Raises
        ------
        DataError
            For indices outside the samples, starts or shifts of another number, shifts of a
            shape without pixels, or counts that ``dtype`` does not hold.
        """
        indices, starts = self._windows(indices, starts)
        n_steps = self.n_steps if n_steps is None else whole("n_steps", n_steps)
        entry, sizes = _entries(*self._ranges(indices, starts, n_steps))
        window = np.repeat(np.arange(len(indices)), sizes)
        address = self.addresses[entry].astype(np.int64)
        if shifts is not None:
            address, inside = self._shifted(address, window, shifts, len(indices))
            window, entry, address = window[inside], entry[inside], address[inside]
        dense = np.zeros((len(indices), n_steps, *self.shape), dtype)
        step = self.steps[entry] - starts[window]
        place = (window * n_steps + step) * int(np.prod(self.shape)) + address
        dense.reshape(-1)[place] = 1 if self.counts is None else self._counts(entry, dense.dtype)
        return dense

    def lengths_within(
        self, indices: np.ndarray, starts: int | np.ndarray = 0, n_steps: int | None = None
    ) -> np.ndarray:
        """Steps of each window that the recording covers; a loss leaves the others out.

        Parameters
        ----------
        indices, starts, n_steps
            As for `dense`.

        Returns
        -------
        (n,) int64 array
            From 0 to ``n_steps``.
        """
        indices, starts = self._windows(indices, starts)
        n_steps = self.n_steps if n_steps is None else whole("n_steps", n_steps)
        return np.clip(self.lengths[indices] - starts, 0, n_steps)

    def random_starts(
        self, indices: np.ndarray, n_steps: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Draw where a stretch of each sample begins.

        Parameters
        ----------
        indices : (n,) int array
        n_steps : int
            Steps of the stretch. Samples that are no longer begin at step 0.
        rng : numpy.random.Generator

        Returns
        -------
        (n,) int64 array
            For `dense`; each start that keeps the stretch inside is as likely.
        """
        indices, _ = self._windows(indices, 0)
        spare = np.maximum(self.lengths[indices] - whole("n_steps", n_steps), 0)
        return rng.integers(0, spare + 1)

    def take(self, indices: np.ndarray) -> "SpikeSamples":
        """Return these samples, in this order, as `SpikeSamples` of the same ``n_steps``."""
        indices, starts = self._windows(indices, 0)
        entry, sizes = _entries(*self._ranges(indices, starts, self.n_steps))
        return dataclasses.replace(
            self,
            offsets=np.concatenate([[0], np.cumsum(sizes)]),
            steps=self.steps[entry],
            addresses=self.addresses[entry],
            lengths=self.lengths[indices],
            counts=None if self.counts is None else self.counts[entry],
            labels=None if self.labels is None else self.labels[indices],
        )

    def save(self, path: str | Path) -> None:
        """Write all arrays as one .npz file, atomically; `load_spike_samples` reads it."""
        about = {"shape": self.shape, "bin_us": self.bin_us, "n_steps": self.n_steps}
        write_npz(path, _arrays(self) | about, compress=False)

    def _windows(self, indices, starts) -> tuple[np.ndarray, np.ndarray]:
        """Return indices and starts as checked int64 arrays of one length."""
        indices = np.asarray(indices)
        if indices.ndim != 1 or (indices.size and indices.dtype.kind not in "iu"):
            raise DataError(
                f"indices have type {indices.dtype} and shape {indices.shape}: give whole numbers "
                "in one dimension"
            )
        indices = indices.astype(np.int64)
        wrong = (indices < 0) | (indices >= len(self))
        if wrong.any():
            raise DataError(f"index {indices[wrong][0]} is none of the {len(self)} samples")
        starts = np.asarray(starts)
        if starts.dtype.kind not in "iu" or starts.shape not in ((), indices.shape):
            raise DataError(
                f"starts have type {starts.dtype} and shape {starts.shape}: give one whole number, "
                f"or one for each of {len(indices)} samples"
            )
        return indices, np.broadcast_to(starts.astype(np.int64), indices.shape)

    def _ranges(self, indices, starts, n_steps):
        """Return the first entry of each window and the one after its last."""
        first, last = self.offsets[indices], self.offsets[indices + 1]
        if (starts <= 0).all() and (starts + n_steps >= self.lengths[indices]).all():
            return first, last
        ends = starts + n_steps
        for row in range(len(indices)):
            steps = self.steps[first[row] : last[row]]
            bounds = [_entry(steps, starts[row]), _entry(steps, ends[row])]
            first[row], last[row] = first[row] + bounds[0], first[row] + bounds[1]
        return first, last

    def _shifted(self, address, window, shifts, n_windows):
        """Return moved addresses, and which of them are inside the sensor."""
        shifts = np.asarray(shifts)
        if len(self.shape) != 3:
            raise DataError(
                f"spikes of shape {self.shape} lie on no pixels and cannot be shifted: leave "
                "shifts out, or make the samples with shape (height, width, channels)"
            )
        if shifts.shape != (n_windows, 2) or shifts.dtype.kind not in "iu":
            raise DataError(
                f"shifts have type {shifts.dtype} and shape {shifts.shape}, wanted whole numbers "
                f"of shape ({n_windows}, 2): (y, x) per sample"
            )
        height, width, channels = self.shape
        pixel, channel = np.divmod(address, channels)
        y, x = np.divmod(pixel, width)
        y, x = y + shifts[window, 0], x + shifts[window, 1]
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        return (y * width + x) * channels + channel, inside

    def _counts(self, entry, dtype):
        counts = self.counts[entry]
        if dtype.kind in "iu":
            least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
            for found, bound in ((counts.max(initial=0), most), (counts.min(initial=0), least)):
                if not least <= found <= most:
                    raise DataError(
                        f"a step holds {found} events of one address, {dtype} holds at "
                        f"{'most' if bound == most else 'least'} {bound}: use a wider dtype"
                    )
        return counts


def joined(parts):
    """Samples of several sets behind each other.

    Parameters
    ----------
    parts : sequence of SpikeSamples
        Of the same shape and steps, all with labels or all without, counted or not.

    Returns
    -------
    SpikeSamples

    Raises
    ------
    DataError
        If they differ.
    """
    first = parts[0]
    for name in ("shape", "bin_us", "n_steps"):
        found = [getattr(part, name) for part in parts]
        if len(set(found)) > 1:
            raise DataError(f"samples to be joined differ in {name}, {found}: bin them alike")
    arrays = {}
    for name in ("steps", "addresses", "lengths", "counts", "labels"):
        found = [getattr(part, name) for part in parts]
        missing = [values is None for values in found]
        if any(missing) and not all(missing):
            raise DataError(f"only some of the samples to be joined have {name}: bin them alike")
        arrays[name] = None if all(missing) else np.concatenate(found)
    begins = np.cumsum([0, *(part.offsets[-1] for part in parts)])
    offsets = [part.offsets[:-1] + begin for part, begin in zip(parts, begins)]
    return dataclasses.replace(first, offsets=np.concatenate([*offsets, begins[-1:]]), **arrays)


def random_shifts(n_samples: int, pixels: int, rng: np.random.Generator) -> np.ndarray:
    """Draw shifts by up to ``pixels`` along y and x.

    Parameters
    ----------
    n_samples, pixels : int
    rng : numpy.random.Generator

    Returns
    -------
    (n_samples, 2) int64 array
        For ``shifts`` of `SpikeSamples.dense`.
    """
    return rng.integers(-pixels, pixels + 1, (n_samples, 2))


def load_spike_samples(path: str | Path) -> SpikeSamples:
    """Read what `SpikeSamples.save` wrote.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    SpikeSamples

    Raises
    ------
    DataError
        For a file that is missing or damaged, or whose arrays do not fit each other.
    """
    path = path_of(path)
    door = Door(DataError, "make them afresh from the recordings")
    with door.guarded(path, "holds no spike samples"):
        stored = read_npz(path, door)
        scalars = [stored.pop(name) for name in ("shape", "bin_us", "n_steps")]
        samples = SpikeSamples(
            tuple(int(size) for size in scalars[0]), float(scalars[1]), int(scalars[2]), **stored
        )
        _check(samples)
    return samples


def _check(samples):
    """Raise unless the arrays fit each other."""
    n_spikes, n_samples = len(samples.steps), len(samples.lengths)
    for name, array in _arrays(samples).items():
        per_spike = name in ("steps", "addresses", "counts")
        wanted = n_spikes if per_spike else n_samples + (name == "offsets")
        kinds = "iu" if name == "counts" else "u"
        if array.dtype.kind not in kinds if per_spike else array.dtype != np.int64:
            raise ValueError(f"array {name!r} has type {array.dtype}")
        if array.shape != (wanted,):
            raise ValueError(f"array {name!r} has shape {array.shape}, wanted ({wanted},)")
    sizes = np.diff(samples.offsets)
    if samples.offsets[0] != 0 or samples.offsets[-1] != n_spikes or (sizes < 0).any():
        raise ValueError(f"array 'offsets' does not rise from 0 to {n_spikes}, the spikes")
    if samples.steps.dtype != np.uint16 or samples.addresses.max(initial=0) >= max(
        np.prod(samples.shape), 1
    ):
        raise ValueError(f"array 'steps' or 'addresses' has values outside shape {samples.shape}")
    longest = samples.lengths.max(initial=1)
    if samples.lengths.min(initial=1) < 1 or longest > min(samples.n_steps, MAX_STEPS):
        raise ValueError(f"array 'lengths' has values outside 1 to {samples.n_steps}, n_steps")
    if (samples.steps >= np.repeat(samples.lengths, sizes)).any():
        raise ValueError("array 'steps' has values after the end of their sample")
    falling = np.flatnonzero(samples.steps[1:] < samples.steps[:-1]) + 1
    if not np.isin(falling, samples.offsets).all():
        raise ValueError("array 'steps' falls within a sample")


def _arrays(samples):
    """The arrays of samples that are there, by name."""
    names = ("offsets", "steps", "addresses", "lengths", "counts", "labels")
    values = {name: getattr(samples, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _entries(first, last):
    """Return the numbers from each of ``first`` to before its ``last``, and how many each has."""
    sizes = last - first
    return np.arange(sizes.sum()) + np.repeat(first - np.cumsum(sizes) + sizes, sizes), sizes


def _entry(steps, bound):
    """Index of the first of the rising ``steps`` at or after ``bound``."""
    if bound >= MAX_STEPS:
        return len(steps)
    # a bound of the same type, else numpy copies all steps into a wider one
    return np.searchsorted(steps, np.uint16(max(bound, 0)))
