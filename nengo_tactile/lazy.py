"""What waits for its first use: names of a package, compiled loops."""

import functools
import importlib
import sys


def attributes(package, homes):
    """Make ``__getattr__`` and ``__dir__`` of a package whose modules load on first use.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    homes : dict of str to str
        Public name -> module of the package that holds it.

    Returns
    -------
    callable, callable
    """

    def load(name):
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    def names():
        return sorted({*vars(sys.modules[package]), *homes})

    return load, names


@functools.cache
def compiled(function):
    """Compile a function with numba, kept on disk where a cache can be written."""
    import numba

    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # read-only install without a writable user cache: compile each time
        return numba.njit(nogil=True)(function)
