"""What the e-skin's pen presses, compiled on first use."""

import math

import numpy as np


def pressures(row, column, force, sigma, peak, activation, gain):
    """Pressure at every taxel, of a pen on its way. Compiled by numba.

    Parameters
    ----------
    row, column : (n_steps,) float arrays
        Pen position in units of the taxel pitch, 0 at the centre of the first taxel.
    force : (n_steps,) float array
        Newton; 0 while the pen is up.
    sigma : float
        Spread (SD) of the pressure field in units of the pitch.
    peak : float
        Pressure under the pen's centre per newton, in kilopascal.
    activation : float
        Rows whose pressure stays under this, in kilopascal, feel nothing.
    gain : (n_rows, n_columns) float array
        Sensitivity.

    Returns
    -------
    (n_steps, n_rows * n_columns) float array
        Kilopascal, times the gain.
    """
    n_rows, n_columns = gain.shape
    field = np.zeros((row.size, n_rows * n_columns))
    near_column = np.empty(n_columns)
    scale = -0.5 / (sigma * sigma)
    for step in range(row.size):
        if not force[step] > 0:
            continue
        for j in range(n_columns):
            near_column[j] = math.exp(scale * (column[step] - j) ** 2)
        for i in range(n_rows):
            near_row = math.exp(scale * (row[step] - i) ** 2) * force[step] * peak
            if near_row >= activation:
                for j in range(n_columns):
                    field[step, i * n_columns + j] = near_row * near_column[j] * gain[i, j]
    return field
