"""Options as fields of dataclasses: what they may be and mean is said once.

The checks, the docstring, the command line and the docs are made from it.
"""

import dataclasses
import inspect
import math
import numbers
import textwrap
import types
import typing
from collections.abc import Collection
from typing import Any, ClassVar

from nengo_tactile.errors import TactileError

Kind = typing.TypeVar("Kind", bound="Options")

_BOUNDS = {
    "above": ("above {:g}", lambda value, bound: value > bound),
    "least": ("from {:g}", lambda value, bound: value >= bound),
    "below": ("below {:g}", lambda value, bound: value < bound),
    "most": ("at most {:g}", lambda value, bound: value <= bound),
}
#: What numbers are, by annotation.
_NUMBERS = {int: ("a whole number", numbers.Integral), float: ("a number", numbers.Real)}


def option(
    default: Any,
    text: str,
    *,
    flag: str | None = None,
    choices: Collection[str] | None = None,
    always: bool = False,
    **bounds: float,
) -> Any:
    """A field of an `Options`.

    Parameters
    ----------
    default : object
    text : str
        What it means.
    flag : str, optional
        Its name on the command line; by default its own.
    choices : container of str, optional
        Names that it is one of, or with the annotation ``tuple`` several of: the command line
        separates these by commas.
    always : bool
        Whether a command's text has it although it has its default.
    **bounds : float
        ``above`` or ``least``, ``below`` or ``most``: what a number has to be.
    """
    about = {"text": text, "flag": flag, "choices": choices, "always": always, "bounds": bounds}
    return dataclasses.field(default=default, metadata=about)


@dataclasses.dataclass(frozen=True, repr=False)
class Options:
    """Base of dataclasses whose fields are options; shows itself as one would type it.

    Attributes
    ----------
    error : type
        Raised for what an option cannot be.
    """

    error: ClassVar[type[TactileError]] = TactileError

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = _listed(getattr(self, field.name), field)
            kinds = [kind for kind in members(field.type) if _is(value, kind, field)]
            if not kinds:
                raise self.error(
                    f"{type(self).__name__} {field.name} is {value!r}: give {alternatives(field)}"
                )
            known = field.metadata["choices"]
            for name in value if isinstance(value, tuple) else (value,):
                if known is not None and name is not None and name not in known:
                    raise self.error(
                        f"{flag(field)}: {name!r} is unknown: choose from {', '.join(known)}"
                    )
            object.__setattr__(self, field.name, float(value) if float in kinds else value)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.changed().items())
        return f"{type(self).__name__}({given})"

    def changed(self) -> dict[str, Any]:
        """Options that have not got their defaults, {name: value}."""
        return {
            field.name: value
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) is not field.default and value != field.default
        }


def documented(cls: type[Kind]) -> type[Kind]:
    """Put the options of a class into its docstring, as numpydoc's parameters."""
    lines = [inspect.cleandoc(cls.__doc__ or ""), "", "Parameters", "----------"]
    for field in dataclasses.fields(cls):
        text = field.metadata["text"]
        lines.append(f"{field.name} : {alternatives(field)}")
        lines += textwrap.wrap(
            f"{text[0].upper()}{text[1:]}.", 96, initial_indent="    ", subsequent_indent="    "
        )
    cls.__doc__ = "\n".join([*lines, ""])
    return cls


def flag(field: dataclasses.Field) -> str:
    """An option's name on the command line."""
    return field.metadata["flag"] or f"--{field.name.replace('_', '-')}"


def members(annotation: Any) -> tuple:
    """The types that a union is of, with the values of its literals instead of these."""
    if typing.get_origin(annotation) is typing.Literal:
        return typing.get_args(annotation)
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return (annotation,)
    return tuple(member for part in typing.get_args(annotation) for member in members(part))


def alternatives(field: dataclasses.Field) -> str:
    """What an option may be, in words: "a number from 0, 'tune' or None"."""
    words = [_words(kind, field) for kind in members(field.type)]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _listed(value, field):
    """Of several names, which may be separated by commas, a tuple."""
    if field.type is not tuple or isinstance(value, tuple):
        return value
    return tuple(value.replace(" ", "").split(",") if isinstance(value, str) else value)


def _is(value, kind, field):
    """Whether a value is of a type, or is a literal."""
    if kind in _NUMBERS:
        number = isinstance(value, _NUMBERS[kind][1]) and not isinstance(value, bool)
        bounds = field.metadata["bounds"].items()
        return number and math.isfinite(value) and all(_BOUNDS[n][1](value, b) for n, b in bounds)
    if kind is type(None):
        return value is None
    return isinstance(value, kind) if isinstance(kind, type) else value == kind


def _words(kind, field):
    if kind in _NUMBERS:
        bounds = field.metadata["bounds"]
        words = [_BOUNDS[name][0].format(bound) for name, bound in bounds.items()]
        joined = (" to " if "least" in bounds else " and ").join(words)
        return f"{_NUMBERS[kind][0]} {joined}".strip()
    if kind is type(None):
        return "None"
    if kind is bool:
        return "True or False"
    return f"a {kind.__name__}" if isinstance(kind, type) else repr(kind)
