"""What command lines choose: names separated by commas, and counts."""

from nengo_tactile.errors import DataError


def names_of(text, names, what, default=None):
    """Names of a list separated by commas.

    Parameters
    ----------
    text : str or None
    names : iterable of str
        Those that are known.
    what : str
        What they are names of, for the error.
    default : iterable of str, optional
        Where there is no text, by default all names.

    Returns
    -------
    tuple of str

    Raises
    ------
    DataError
        For names that are not known.
    """
    if text is None:
        return tuple(names if default is None else default)
    chosen = tuple(text.replace(" ", "").split(","))
    for name in chosen:
        if name not in names:
            raise DataError(f"{what} {name!r} is unknown: choose from {', '.join(names)}")
    return chosen


def check_counts(plan, *names):
    """Refuse counts below one; None stands for all.

    Parameters
    ----------
    plan : object
    *names : str
        Its attributes.

    Raises
    ------
    DataError
        By the name of the first bad one.
    """
    for name in names:
        value = getattr(plan, name)
        if value is not None and value < 1:
            raise DataError(f"{name} is {value}: give a number from 1")
