"""Events counted in time bins: spike tensors of (steps, height, width, polarity)."""

import numpy as np

from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import check_events
from nengo_tactile.events.clocks import late_event


def spike_tensor(
    events: np.ndarray,
    sensor_size: tuple[int, ...],
    bin_us: int,
    n_steps: int,
    binary: bool = True,
    start_us: int = 0,
    source: str = "events",
) -> np.ndarray:
    """Count events in time bins.

    Parameters
    ----------
    events : (n_events,) structured array
        Fields x, y, t (microseconds), p.
    sensor_size : tuple of int
        (width, height, 2), as in tonic.
    bin_us : int
        Width of a bin in microseconds.
    n_steps : int
        Number of bins. Events from ``start_us + n_steps * bin_us`` on are an error, because
        dropping them would silently shorten the recording.
    binary : bool
        Mark bins with at least one event by 1 (spikes) instead of counting events.
    start_us : int
        Start of the first bin in microseconds.
    source : str
        What errors call the recording.

    Returns
    -------
    (n_steps, height, width, 2) array
        uint8 if ``binary``, else uint16 counts; channel 0 is OFF and 1 is ON, as in
        tonic.transforms.ToFrame. An empty recording gives zeros.

    Raises
    ------
    DataError
        For malformed events or events outside the bins.
    """
    events = check_events(events, sensor_size, source)
    if bin_us <= 0 or n_steps <= 0:
        raise DataError(f"bin_us is {bin_us} and n_steps {n_steps}: both must be positive")
    step = (events["t"] - start_us) // bin_us
    bins = f"the bins, which cover {start_us} to {start_us + n_steps * bin_us} us"
    if len(step) and step[0] < 0:
        raise DataError(
            f"{source}: event 0 at {events['t'][0]} us lies before {bins}: lower start_us, or cut "
            "the recording first"
        )
    if len(step) and step[-1] >= n_steps:
        index = int(np.searchsorted(step, n_steps))
        remedy = "raise n_steps or bin_us, or cut the recording first"
        raise late_event(events, index, source, bins, remedy)
    width, height = sensor_size[:2]
    shape = (n_steps, height, width, 2)
    cell = np.ravel_multi_index(
        (step, events["y"], events["x"], events["p"].astype(np.int64)), shape
    )
    counts = np.bincount(cell, minlength=np.prod(shape)).reshape(shape)
    if binary:
        return (counts > 0).astype(np.uint8)
    if counts.max(initial=0) > np.iinfo(np.uint16).max:
        raise DataError(f"{source}: a bin holds {counts.max()} events: use narrower bins")
    return counts.astype(np.uint16)
