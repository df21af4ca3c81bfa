"""Runs over many images whose sums are kept in a file, so that an interrupted one goes on."""

import json

from nengo_tactile.errors import ModelFileError


def stored(path, mark, key="fingerprint"):
    """What a cell's file holds, None without one.

    Parameters
    ----------
    path : Path
    mark : object
        What it must agree with.
    key : str
        Where the file says what it comes from.

    Returns
    -------
    dict or None

    Raises
    ------
    ModelFileError
        If it is no such file, or comes from something else.
    """
    if not path.exists():
        return None
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        found = state[key]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelFileError(
            f"{path}: not a result of this command ({error}): delete it to run it again"
        ) from error
    if found != mark:
        raise ModelFileError(
            f"{path}: comes from other settings, weights or samples: choose another --out folder, "
            "or delete it"
        )
    return state
