"""Sparse spike samples from recordings or from a data set."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from nengo_tactile.arguments import whole
from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import check_events
from nengo_tactile.events.clocks import late_event
from nengo_tactile.events.sparse import MAX_STEPS, SpikeSamples

LATE = ("error", "drop")


def spike_samples(
    recordings: Iterable[np.ndarray],
    sensor_size: tuple[int, ...],
    bin_us: float,
    n_steps: int | None = None,
    shape: tuple[int, ...] | None = None,
    binary: bool = True,
    late: str = "error",
    durations_us: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    source: str = "sample",
    phases: int = 1,
) -> SpikeSamples:
    """Bin recordings into sparse spikes, one recording at a time.

    Parameters
    ----------
    recordings : iterable of (n_events,) structured arrays
        Fields x, y, t (microseconds from the start of the recording), p. A recording without
        events is a sample of silence.
    sensor_size : tuple of int
        (width, height, polarities) as in tonic. With one polarity all events must be ON.
    bin_us : float
        Width of a step in microseconds.
    n_steps : int, optional
        Steps of every sample. Without it, each sample is as long as its recording: up to
        ``durations_us``, or else up to the step of its last event (one step if it has none).
    shape : tuple of int, optional
        Of one step: any shape of as many places as (height, width, phases * polarities), which
        is the default, in the same order. 64 channels of sensor size (64, 1, 1) can be ``(64,)``,
        39 taxels of (39, 1, 2) ``(39, 2)`` or ``(78,)``.
    binary : bool
        Several events of one address in one step count as one spike. Otherwise they are counted.
    late : {"error", "drop"}
        What happens to events after the last step of their sample. Recordings of which nothing
        would be left are an error in any case.
    durations_us : (n_samples,) array, optional
        Length of each recording in microseconds. A sample ends with the step that holds the end,
        or after ``n_steps``, whichever comes first.
    labels : (n_samples,) int array, optional
        Kept beside the samples.
    source : str
        What errors call a recording, before its number.
    phases : int
        Into how many parts of equal length the ``n_steps`` are cut. Events come on channels of
        their own in each: what a contact's beginning and its end say are then different inputs.

    Returns
    -------
    SpikeSamples

    Raises
    ------
    DataError
        For malformed, unsorted or negative-time events, addresses outside the sensor, events
        after the last step (unless dropped), more than 65,536 steps, more than 65,535 events of
        one address in one step, labels or durations of another number than recordings, or phases
        without ``n_steps`` or more than these.
    """
    if not bin_us > 0 or not np.isfinite(bin_us):
        raise DataError(f"bin_us is {bin_us}: give microseconds above 0")
    if late not in LATE:
        raise DataError(f"late is {late!r}, wanted one of {', '.join(map(repr, LATE))}")
    limit = MAX_STEPS if n_steps is None else whole("n_steps", n_steps)
    if limit > MAX_STEPS:
        raise DataError(f"n_steps is {n_steps}, at most {MAX_STEPS} can be stored: use wider bins")
    phases = check_phases(phases, n_steps)
    width, height, n_polarities = sensor_size
    shape = _step_shape(shape, (height, width, n_polarities), phases)
    n_places = int(np.prod(shape))

    def binned():
        for index, events in enumerate(recordings):
            name = f"{source} {index}"
            events = _checked(events, sensor_size, name)
            step = events["t"] // bin_us
            duration = None if durations_us is None else _item(durations_us, index, "durations_us")
            length = _length(events, step, bin_us, n_steps, duration, limit, name)
            end = _first_late(events, step, length, bin_us, late, name)
            step = step[:end].astype(np.int64)
            keys, times = _occupied(events[:end], step, step * phases // limit, phases, sensor_size)
            if not binary and times.max(initial=0) > np.iinfo(np.uint16).max:
                raise DataError(
                    f"{name}: one address has {times.max()} events in one step: use narrower bins"
                )
            yield *np.divmod(keys, n_places), times, length

    samples = collected(binned(), shape, bin_us, n_steps, None if binary else np.uint16)
    if labels is not None:
        labels = np.array(labels, np.int64)
    for what, values in (("labels", labels), ("durations_us", durations_us)):
        if values is not None and len(values) != len(samples):
            raise DataError(f"{what} holds {len(values)} values for {len(samples)} recordings")
    return dataclasses.replace(samples, labels=labels)


def collected(entries, shape, bin_us, n_steps=None, counts=None):
    """Sparse samples from what each holds, one after another.

    Parameters
    ----------
    entries : iterable of (steps, addresses, counts, length)
        Of a sample: int arrays of its occupied places, rising, what is there, and its steps.
    shape : tuple of int
        Of one step.
    bin_us : float
    n_steps : int, optional
        By default those of the longest.
    counts : type, optional
        That counts are kept as; by default they are not.

    Returns
    -------
    SpikeSamples
    """
    address_type = np.dtype(np.uint16 if np.prod(shape) <= 2**16 else np.uint32)
    # byte arrays grow in place; lists of arrays would take twice the memory at the end
    steps, addresses, kept = bytearray(), bytearray(), bytearray()
    sizes, lengths = [], []
    for step, address, times, length in entries:
        steps += step.astype(np.uint16).tobytes()
        addresses += address.astype(address_type).tobytes()
        kept += b"" if counts is None else times.astype(counts).tobytes()
        sizes.append(len(step))
        lengths.append(length)
    return SpikeSamples(
        shape=tuple(shape),
        bin_us=float(bin_us),
        n_steps=max(lengths, default=1) if n_steps is None else int(n_steps),
        offsets=np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]),
        steps=np.frombuffer(steps, np.uint16),
        addresses=np.frombuffer(addresses, address_type),
        lengths=np.array(lengths, np.int64),
        counts=None if counts is None else np.frombuffer(kept, counts),
    )


def spike_samples_of(
    dataset: Any,
    bin_us: float,
    n_steps: int | None = None,
    indices: np.ndarray | None = None,
    progress: bool | None = None,
    **options: Any,
) -> SpikeSamples:
    """Bin the recordings of a data set, one at a time, with a progress bar.

    Parameters
    ----------
    dataset : EventDataset
        Transforms are left out.
    bin_us, n_steps
        As for `spike_samples`.
    indices : (n,) int array, optional
        Samples to take, in this order; by default all.
    progress : bool, optional
        Show the bar; by default only on a terminal.
    **options
        Passed to `spike_samples`: ``shape``, ``binary``, ``late``, ``phases``, ``durations_us``
        (of all samples of the data set).

    Returns
    -------
    SpikeSamples
        With the labels of the data set.

    Raises
    ------
    DataError
        As `spike_samples`.
    """
    indices = np.arange(len(dataset)) if indices is None else np.asarray(indices)
    if options.get("durations_us") is not None:
        options["durations_us"] = np.asarray(options["durations_us"])[indices]
    return spike_samples(
        dataset.recordings(indices.tolist(), progress),
        dataset.sensor_size,
        bin_us,
        n_steps,
        labels=np.asarray(dataset.targets)[indices],
        source=f"{dataset!r}, sample",
        **options,
    )


def check_phases(phases, n_steps):
    """Return the number of phases, which steps of a known number are cut into."""
    phases = whole("phases", phases)
    if phases > 1 and (n_steps is None or phases > n_steps):
        raise DataError(
            f"phases is {phases}, n_steps {n_steps}: give at least as many steps, alike for all "
            "samples"
        )
    return phases


def _step_shape(shape, grid, phases):
    """Return the shape of one step, which must have as many places as the sensor and phases."""
    if grid[2] > 2:
        raise DataError(f"the sensor has {grid[2]} polarities, wanted 1 or 2")
    grid = (*grid[:2], phases * grid[2])
    shape = grid if shape is None else tuple(shape)
    if any(size < 1 for size in (*shape, *grid)) or np.prod(shape) != np.prod(grid):
        raise DataError(
            f"shape is {shape}: give one of as many places as (height, width, "
            f"{'phases * ' if phases > 1 else ''}polarities) {grid}, {np.prod(grid)}"
        )
    return tuple(int(size) for size in shape)


def _checked(events, sensor_size, name):
    """Return the events if they are well formed and fit the sensor, else raise."""
    events = check_events(events, sensor_size, name)
    width, height, n_polarities = sensor_size
    if n_polarities == 1 and not events["p"].all():
        raise DataError(
            f"{name} has OFF events, but sensor_size {tuple(sensor_size)} one polarity: give "
            f"({width}, {height}, 2)"
        )
    return events


def _occupied(events, step, phase, phases, sensor_size):
    """Return the occupied places as step * n_places + address, rising, and their events."""
    width, height, n_polarities = sensor_size
    polarity = events["p"].astype(np.int64) if n_polarities == 2 else 0
    pixel = (step * height + events["y"]) * width + events["x"]
    key = (pixel * phases + phase) * n_polarities + polarity
    return np.unique(key, return_counts=True)


def _item(values, index, what):
    """Return value ``index`` as microseconds above 0."""
    if index >= len(values):
        raise DataError(f"{what} holds {len(values)} values for more recordings")
    if not (np.isfinite(values[index]) and values[index] > 0):
        raise DataError(f"{what}, value {index} is {values[index]}: give microseconds above 0")
    return float(values[index])


def _length(events, step, bin_us, n_steps, duration, limit, name):
    """Steps of a sample."""
    if duration is not None:
        wanted = int(np.ceil(duration / bin_us))
    elif n_steps is not None:
        wanted = limit
    else:
        wanted = int(step[-1]) + 1 if len(step) else 1
    if n_steps is None and wanted > limit:
        remedy = "use wider bins, or cut it with n_steps and late='drop'"
        if len(step) and step[0] >= limit:
            end = f"the {limit} steps of {bin_us} us that can be stored"
            raise late_event(events, 0, name, end, remedy)
        raise DataError(
            f"{name} lasts {wanted} steps of {bin_us} us, at most {limit} can be stored: {remedy}"
        )
    return min(wanted, limit)


def _first_late(events, step, length, bin_us, late, name):
    """Index of the first event after the sample's end."""
    index = int(np.searchsorted(step, length))
    # where all events are late nothing would be left of the recording, which no one can want
    if index < len(events) and (late == "error" or index == 0):
        drop = f"pass late='drop' to leave out such events ({len(events) - index} here)"
        remedy = f"raise n_steps or bin_us, or {'leave it out' if late == 'drop' else drop}"
        raise late_event(events, index, name, f"the last of {length} steps of {bin_us} us", remedy)
    return index
