"""The saccade simulator's inner loop, compiled on first use."""

import math

import numpy as np


def pixel_events(
    rng, level, oversampling, origin_row, origin_column, margin, step_us, on, off,
    threshold_noise, refractory_us,
):  # fmt: skip
    """Move a picture past the pixels of a camera. Compiled by numba.

    A pixel remembers the level at its last reset. When the level has risen by its ON threshold
    or fallen by its OFF threshold, it sends an event, ignores the light for its refractory time,
    and then remembers the level of that moment. Levels are linear in time within a step. A
    threshold is drawn anew after each event, and is never under a tenth of its mean.

    Parameters
    ----------
    rng : numpy Generator
    level : (height, width) float array
        The picture's log intensity, ``oversampling`` values per sensor pixel.
    oversampling : int
    origin_row, origin_column : (n_steps + 1,) float arrays
        Where the picture lies at the start of each step and at the end of the last, in sensor
        pixels.
    margin : float
        Pixel (i, j) sees ``level`` at ``(margin - origin + (i, j)) * oversampling``.
    step_us : float
    on, off : (n_rows, n_columns) float arrays
        Thresholds in units of the level, over 0.
    threshold_noise : float
        SD of a threshold from event to event, relative to its mean.
    refractory_us : float

    Returns
    -------
    t_us : (n_events,) float array
    rows, columns : (n_events,) int arrays
    rises : (n_events,) bool array
        By pixel, and in order of time within a pixel.
    """
    n_rows, n_columns = on.shape
    n_places = origin_row.size
    first_row = np.empty(n_places, np.int64)
    first_column = np.empty(n_places, np.int64)
    weights = np.empty((n_places, 4))
    for step in range(n_places):
        down = (margin - origin_row[step]) * oversampling
        right = (margin - origin_column[step]) * oversampling
        first_row[step], first_column[step] = math.floor(down), math.floor(right)
        a, b = down - first_row[step], right - first_column[step]
        weights[step] = (1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b
    top, bottom = first_row.min(), first_row.max() + 2
    left, end = first_column.min(), first_column.max() + 2
    room = 8192
    times = np.empty(room)
    where = np.empty(room, np.int64)
    rises = np.empty(room, np.bool_)
    count = 0
    for pixel in range(n_rows * n_columns):
        i, j = pixel // n_columns, pixel % n_columns
        r, c = i * oversampling, j * oversampling
        window = level[top + r : bottom + r, left + c : end + c]
        if window.max() - window.min() < 1e-3 * min(on[i, j], off[i, j]):
            continue  # plain screen all the time
        rise = on[i, j] * max(1 + threshold_noise * rng.standard_normal(), 0.1)
        fall = off[i, j] * max(1 + threshold_noise * rng.standard_normal(), 0.1)
        before, reference, free_at = 0.0, 0.0, -1.0
        for step in range(n_places):
            y, x = first_row[step] + r, first_column[step] + c
            now = (
                weights[step, 0] * level[y, x] + weights[step, 1] * level[y, x + 1]
                + weights[step, 2] * level[y + 1, x] + weights[step, 3] * level[y + 1, x + 1]
            )  # fmt: skip
            if step == 0:
                # light that came before the recording left the reference somewhere between
                reference = now - rise + rng.random() * (rise + fall)
                before = now
                continue
            start = (step - 1) * step_us
            time = start  # how far the pixel has come within this step
            while free_at < start + step_us:
                if free_at > time:
                    time = free_at
                    reference = before + (now - before) * (time - start) / step_us
                if now > reference + rise:
                    reference, is_on = reference + rise, True
                elif now < reference - fall:
                    reference, is_on = reference - fall, False
                else:
                    break
                crossing = start + step_us * (reference - before) / (now - before)
                time = max(time, crossing)
                if count == room:
                    room *= 2
                    more_times = np.empty(room)
                    more_where = np.empty(room, np.int64)
                    more_rises = np.empty(room, np.bool_)
                    more_times[:count] = times
                    more_where[:count] = where
                    more_rises[:count] = rises
                    times, where, rises = more_times, more_where, more_rises
                times[count] = time
                where[count] = pixel
                rises[count] = is_on
                count += 1
                rise = on[i, j] * max(1 + threshold_noise * rng.standard_normal(), 0.1)
                fall = off[i, j] * max(1 + threshold_noise * rng.standard_normal(), 0.1)
                if refractory_us > 0:
                    free_at = time + refractory_us
            before = now
    return (
        times[:count].copy(),
        where[:count] // n_columns,
        where[:count] % n_columns,
        rises[:count].copy(),
    )
