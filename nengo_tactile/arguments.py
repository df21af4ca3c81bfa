"""What arguments of functions have to be, checked before any work is done."""

import difflib
import math
import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np

from nengo_tactile.errors import DataError, TactileError

#: Of numbers of things: what does not fit into 32 bits is no number of steps or samples.
MOST = 2**31 - 1
#: Share of letters that a word has in common with the one that was meant (`difflib`).
_NEAR = 0.7


def whole(name: str, value: Any, least: int = 1, error: type[TactileError] = DataError) -> int:
    """A whole number as an int.

    Raises
    ------
    DataError
        Or another, for anything else, for less than ``least`` and more than `MOST`.
    """
    if not _is_number(value) or value != int(value) or not least <= value <= MOST:
        value = _plain(value)
        raise error(f"{name} is {value!r}: give a whole number of at least {least}, up to {MOST:,}")
    return int(value)


def nearest(given: Any, known: Iterable[str]) -> str:
    """What to say of a word that is none of those known: the nearest of them, if one is near."""
    found = difflib.get_close_matches(str(given).lower(), list(known), 1, _NEAR)
    return f" (did you mean {found[0]!r}?)" if found else ""


def positive(name: str, value: Any, what: str, error: type[TactileError] = DataError) -> float:
    """A finite number above zero as a float; ``what`` it is is told otherwise."""
    if not _is_number(value) or not value > 0:
        raise error(f"{name} is {_plain(value)!r}: give {what} above zero")
    return float(value)


def names(name: str, values: Any, error: type[TactileError] = DataError) -> tuple:
    """Names that differ, as a tuple."""
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise error(f"{name} is {values!r}: give a sequence of names")
    values = tuple(values)
    twice = [value for value in values if values.count(value) > 1]
    if twice:
        raise error(f"{name}: {_plain(twice[0])!r} is there twice: give each a name of its own")
    return values


def generator(name: str, seed: Any, error: type[TactileError] = DataError) -> np.random.Generator:
    """A generator of random numbers, of a seed."""
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as problem:
        raise error(
            f"{name} is {seed!r}: give a whole number from 0, several, or a generator"
        ) from problem


def array(name: str, value: Any, error: type[TactileError] = DataError) -> np.ndarray:
    """An array, of what may be made one."""
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as problem:  # rows of different lengths
        raise error(f"{name}: is no array ({problem}): give samples of one shape") from problem


def _plain(value):
    """What NumPy made of a number or text, as Python's own."""
    return value.item() if isinstance(value, np.generic) else value


def _is_number(value):
    return (
        isinstance(value, numbers.Real)
        and not isinstance(value, bool | np.bool_)
        and math.isfinite(value)
    )
