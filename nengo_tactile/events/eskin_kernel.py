"""The e-skin's inner loop, compiled on first use."""

import math

import numpy as np


def taxel_messages(
    rng, row, column, force, first_s, step_s, sigma, peak, activation, floor, linear, vibration,
    gain, threshold, refractory_s, delay_s,
):  # fmt: skip
    """Turn the pen's way into the taxels' messages. Compiled by numba.

    Every taxel compares its signal with the one it last reported and sends a message when the
    difference passes its threshold, at the earliest one refractory time after its last message.
    Only changes are sent, so that a taxel adapts at once to a static force (FA).

    Parameters
    ----------
    rng : numpy Generator
    row, column : (n_steps,) float arrays
        Pen position in units of the taxel pitch, 0 at the centre of the first taxel.
    force : (n_steps,) float array
        Newton; 0 while the pen is up.
    first_s, step_s : float
        Time of the first step and between steps, in seconds.
    sigma : float
        Spread (SD) of the pressure field in units of the pitch.
    peak : float
        Pressure under the pen's centre per newton, in kilopascal.
    activation : float
        Pressure in kilopascal under which a taxel feels nothing.
    floor : float
        Pressure in kilopascal that scales the signal.
    linear : bool
        The signal is p / floor instead of log(1 + p / floor).
    vibration : float
        SD of the fluctuation of each taxel's pressure relative to the pressure.
    gain, threshold : (n_rows, n_columns) float arrays
        Sensitivity, and threshold in units of the signal.
    refractory_s : float
    delay_s : float
        A message is late by up to this time (uniform).

    Returns
    -------
    time_s : (n_messages,) float array
        In the order of the steps.
    rows, columns : (n_messages,) int arrays
    rises : (n_messages,) bool array
        True where the pressure rose.
    """
    n_rows, n_columns = gain.shape
    reported = np.zeros((n_rows, n_columns))
    free_at = np.full((n_rows, n_columns), -1.0)
    room = 1024
    times = np.empty(room)
    where = np.empty(room, np.int64)
    rises = np.empty(room, np.bool_)
    count = 0
    near_row = np.empty(n_rows)
    near_column = np.empty(n_columns)
    scale = -0.5 / (sigma * sigma)
    for step in range(row.size):
        now = first_s + step * step_s
        down = force[step] > 0
        if down:
            for i in range(n_rows):
                near_row[i] = math.exp(scale * (row[step] - i) ** 2) * force[step] * peak
            for j in range(n_columns):
                near_column[j] = math.exp(scale * (column[step] - j) ** 2)
        for i in range(n_rows):
            near = down and near_row[i] >= activation
            for j in range(n_columns):
                pressure = 0.0
                if near:
                    pressure = near_row[i] * near_column[j] * gain[i, j]
                if pressure < activation:
                    if reported[i, j] == 0:
                        continue
                    pressure = 0.0
                if now < free_at[i, j]:
                    continue
                signal = 0.0
                if pressure > 0:
                    felt = max(pressure * (1 + vibration * rng.standard_normal()), 0.0) / floor
                    signal = felt if linear else math.log1p(felt)
                change = signal - reported[i, j]
                if abs(change) > threshold[i, j]:
                    if count == room:
                        room *= 2
                        more_times = np.empty(room)
                        more_where = np.empty(room, np.int64)
                        more_rises = np.empty(room, np.bool_)
                        more_times[:count] = times
                        more_where[:count] = where
                        more_rises[:count] = rises
                        times, where, rises = more_times, more_where, more_rises
                    # the crossing lay somewhere in the step before, but not in refractory time
                    sent = max(now - step_s * rng.random(), free_at[i, j])
                    sent += delay_s * rng.random()
                    times[count] = sent
                    where[count] = i * n_columns + j
                    rises[count] = change > 0
                    count += 1
                    reported[i, j] = signal
                    free_at[i, j] = sent + refractory_s
                elif pressure == 0.0:
                    reported[i, j] = 0.0  # what is left of the last report leaks away in the air
    return (
        times[:count].copy(),
        where[:count] // n_columns,
        where[:count] % n_columns,
        rises[:count].copy(),
    )
