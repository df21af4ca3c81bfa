"""Settings of a study: one declaration makes options, checks and the command's text."""

import dataclasses

from nengo_tactile.errors import DataError


def option(default, flag, about, choices=None, many=False, least=None, always=False, kind=None):
    """A field of a `Plan`: its default, its option on the command line, and what it may be.

    Parameters
    ----------
    default : object
    flag : str
    about : str
        The option's help.
    choices : container of str, optional
        Names that it is one of.
    many : bool
        Whether it is several of them, which the command line separates by commas.
    least : int, optional
        The smallest number.
    always : bool
        Whether `Plan.command` writes the option although it has its default.
    kind : type, optional
        Of the option on the command line; by default the default's.

    Returns
    -------
    dataclasses.Field
    """
    if kind is None:
        kind = str if many else type(default)
    return dataclasses.field(
        default=default,
        metadata={
            **{"flag": flag, "about": about, "choices": choices, "many": many},
            **{"least": least, "always": always, "kind": kind},
        },
    )


def names(text, flag, choices):
    """Names of a list separated by commas, a tuple; a tuple is taken as it is.

    Raises
    ------
    DataError
        For names that are not among ``choices``.
    """
    chosen = tuple(text.replace(" ", "").split(",")) if isinstance(text, str) else tuple(text)
    for name in chosen:
        if name not in choices:
            raise DataError(f"{flag}: {name!r} is unknown: choose from {', '.join(choices)}")
    return chosen


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a study runs; a study adds its own fields with `option`.

    Raises
    ------
    DataError
        For names that are not known and numbers that are too small.
    """

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value, about = getattr(self, field.name), field.metadata
            if value is None:
                continue
            if about["choices"] is not None:  # what has none, a study reads itself
                listed = value if about["many"] else (value,)
                chosen = names(listed, about["flag"], about["choices"])
                object.__setattr__(self, field.name, chosen if about["many"] else chosen[0])
            if about["least"] is not None and value < about["least"]:
                raise DataError(f"{field.name} is {value}: give a number from {about['least']}")

    def command(self, name):
        """The command line ``nengo-tactile NAME`` that runs it."""
        words = [f"nengo-tactile {name}"]
        for field in dataclasses.fields(self):
            value, about = getattr(self, field.name), field.metadata
            if not about["always"] and value == field.default:
                continue
            if isinstance(value, bool):
                words.append(about["flag"])
            else:
                text = ",".join(map(str, value)) if isinstance(value, tuple) else value
                words.append(f"{about['flag']} {text}")
        return " ".join([*words, "--data-dir DATA"])
