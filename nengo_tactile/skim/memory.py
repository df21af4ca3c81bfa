"""Memory: whether a hidden layer's correlations fit, asked before they are made; what was used."""

import math
import sys

from nengo_tactile.errors import DataError
from nengo_tactile.memory import available_bytes


def check_fits(what, n_hidden, needed, available=None):
    """Refuse work on a hidden layer that needs more memory than there is.

    Parameters
    ----------
    what : str
        The work ("training").
    n_hidden : int
    needed : float
        Bytes, of which correlations take the greater part.
    available : float, optional
        Bytes; by default what the machine has.

    Raises
    ------
    DataError
        With the memory needed.
    """
    available = available_bytes() if available is None else available
    if needed > available:
        fits = int(n_hidden * math.sqrt(available / needed))
        raise DataError(
            f"{what} {n_hidden} hidden neurons needs {needed / 1e9:.1f} GB of memory, but "
            f"{available / 1e9:.1f} GB are free: use fewer hidden neurons (about {fits})"
        )


def peak_bytes():
    """Greatest memory of this process so far; Linux counts in KiB, macOS in bytes."""
    import resource  # Windows has none; all else here works there

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
