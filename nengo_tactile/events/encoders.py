"""From values in space to signals in time: constant current, Poisson spikes, delays."""

import numpy as np

from nengo_tactile.errors import DataError

# "Sigma-delta" paper, section III: pixels of 0.2 or less stay silent, brighter ones fire once,
# the brightest first, over 0.8 time units.
SILENT_UP_TO = 0.2
DELAY_SPAN = 0.8


def constant_current(values: np.ndarray, n_steps: int) -> np.ndarray:
    """Show the same values at every time step.

    Parameters
    ----------
    values : (n_samples, ...) array
    n_steps : int

    Returns
    -------
    (n_samples, n_steps, ...) array
        A read-only view: nothing is copied.

    Raises
    ------
    DataError
        For values that are not finite or a step count below 1.
    """
    values = _checked(values, n_steps)
    shape = (values.shape[0], n_steps, *values.shape[1:])
    return np.broadcast_to(values[:, None], shape)


def poisson_spikes(
    values: np.ndarray, n_steps: int, dt: float, max_rate: float, seed: int | np.random.Generator
) -> np.ndarray:
    """Draw spikes whose firing rate follows the values.

    A step holds at most one spike, with probability 1 - exp(-rate dt): that of at least one
    event of a Poisson process in ``dt``.

    Parameters
    ----------
    values : (n_samples, ...) array
        Between 0 and 1; 1 fires at ``max_rate``.
    n_steps : int
    dt : float
        Time step in seconds.
    max_rate : float
        Firing rate of value 1 in hertz.
    seed : int or numpy Generator

    Returns
    -------
    (n_samples, n_steps, ...) uint8 array

    Raises
    ------
    DataError
        For values outside 0..1, or a ``dt`` or ``max_rate`` that is not positive.
    """
    values = _checked(values, n_steps, unit_range=True)
    for name, number in (("dt", dt), ("max_rate", max_rate)):
        if not number > 0:
            raise DataError(f"Poisson encoder: {name} is {number}; it must be positive")
    probability = -np.expm1(-values.astype(np.float64) * max_rate * dt)
    rng = np.random.default_rng(seed)
    shape = (values.shape[0], n_steps, *values.shape[1:])
    return (rng.random(shape, dtype=np.float32) < probability[:, None]).astype(np.uint8)


def spike_delays(
    values: np.ndarray, silent_up_to: float = SILENT_UP_TO, span: float = DELAY_SPAN
) -> np.ndarray:
    """Turn intensity into the time of at most one spike, bright first.

    ``delay = span * (1 - v) / (1 - silent_up_to)``: value 1 fires at 0, values just
    above the cut at ``span``, the cut and below never ("Sigma-delta" paper, section III).

    Parameters
    ----------
    values : array
        Between 0 and 1.
    silent_up_to : float
        Values up to this cut stay silent; at least 0 and below 1.
    span : float
        Latest spike time, in the paper's time units.

    Returns
    -------
    float64 array of the same shape
        Spike times; infinity for silent values.

    Raises
    ------
    DataError
        For values outside 0..1 or parameters out of range.
    """
    values = _checked(values, 1, unit_range=True)
    if not 0 <= silent_up_to < 1:
        raise DataError(f"delay encoder: silent_up_to is {silent_up_to}; give 0 <= cut < 1")
    if not span > 0:
        raise DataError(f"delay encoder: span is {span}; it must be positive")
    # in the values' own precision: 51 / 255 is 0.2 in float32, which is above 0.2 in float64
    cut = values.dtype.type(silent_up_to) if values.dtype.kind == "f" else silent_up_to
    delays = span * (1 - values.astype(np.float64)) / (1 - silent_up_to)
    return np.where(values <= cut, np.inf, delays)


def delay_spikes(
    values: np.ndarray,
    n_steps: int,
    dt: float,
    silent_up_to: float = SILENT_UP_TO,
    span: float = DELAY_SPAN,
) -> np.ndarray:
    """Turn intensity into spike tensors with at most one spike per value, bright first.

    Parameters
    ----------
    values : (n_samples, ...) array
        Between 0 and 1.
    n_steps : int
        Must cover ``span``: floor(span / dt) < n_steps.
    dt : float
        Time step, in the unit of ``span``.
    silent_up_to, span : float
        As in `spike_delays`.

    Returns
    -------
    (n_samples, n_steps, ...) uint8 array
        A spike at delay d lies in step floor(d / dt).

    Raises
    ------
    DataError
        As `spike_delays`, and when the steps end before the latest spike.
    """
    delays = spike_delays(_checked(values, n_steps), silent_up_to, span)
    if not dt > 0:
        raise DataError(f"delay encoder: dt is {dt}; it must be positive")
    # 1e-9: spikes meant to lie on a step's edge must not slip into the step before
    last = int(np.floor(span / dt + 1e-9))
    if last >= n_steps:
        raise DataError(
            f"delay encoder: {n_steps} steps of {dt} end before the span of {span}; "
            f"give at least {last + 1} steps"
        )
    fires = np.isfinite(delays)
    steps = np.floor(np.where(fires, delays, 0) / dt + 1e-9).astype(np.int64)
    spikes = np.zeros((delays.shape[0], n_steps, *delays.shape[1:]), np.uint8)
    np.put_along_axis(spikes, steps[:, None], fires[:, None].astype(np.uint8), axis=1)
    return spikes


def _checked(values, n_steps, unit_range=False):
    """Return ``values`` as an array of finite numbers with a sample axis."""
    values = np.asarray(values)
    if values.ndim == 0:
        raise DataError("encoder: give an array with samples along its first axis, not a scalar")
    if n_steps < 1:
        raise DataError(f"encoder: n_steps is {n_steps}; give at least 1")
    bad = ~np.isfinite(values)
    if unit_range:
        bad |= (values < 0) | (values > 1)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        wanted = "0 to 1 (normalise images by their maximum)" if unit_range else "finite"
        raise DataError(f"encoder: value at index {where} is {values[where]}; wanted {wanted}")
    return values
