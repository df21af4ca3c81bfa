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
from typing import ClassVar

from nengo_tactile.errors import TactileError

_BOUNDS = {
    "above": ("above {:g}", lambda value, bound: value > bound),
    "least": ("from {:g}", lambda value, bound: value >= bound),
    "below": ("below {:g}", lambda value, bound: value < bound),
    "most": ("at most {:g}", lambda value, bound: value <= bound),
}


def option(default, text, **bounds):
    """A field of an `Options`.

    Parameters
    ----------
    default : object
    text : str
        What it means, without a full stop.
    **bounds : float
        ``above`` or ``least``, ``below`` or ``most``: what a number has to be.
    """
    return dataclasses.field(default=default, metadata={"text": text, "bounds": bounds})


class Options:
    """Base of dataclasses whose fields are options; shows itself as one would type it.

    Attributes
    ----------
    error : type
        Raised for what an option cannot be.
    """

    error: ClassVar[type] = TactileError

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            kinds = [kind for kind in members(field.type) if _is(value, kind, field)]
            if not kinds:
                raise self.error(
                    f"{type(self).__name__} {field.name} is {value!r}: give {choices(field)}"
                )
            if float in kinds:
                object.__setattr__(self, field.name, float(value))

    def __repr__(self):
        given = ", ".join(f"{name}={value!r}" for name, value in self.changed().items())
        return f"{type(self).__name__}({given})"

    def changed(self):
        """Options that have not got their defaults, {name: value}."""
        return {
            field.name: value
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) is not field.default and value != field.default
        }


def documented(cls):
    """Put the options of a class into its docstring, as numpydoc's parameters."""
    lines = [inspect.cleandoc(cls.__doc__), "", "Parameters", "----------"]
    for field in dataclasses.fields(cls):
        text = field.metadata["text"]
        lines.append(f"{field.name} : {choices(field)}")
        lines += textwrap.wrap(
            f"{text[0].upper()}{text[1:]}.", 96, initial_indent="    ", subsequent_indent="    "
        )
    cls.__doc__ = "\n".join([*lines, ""])
    return cls


def members(annotation):
    """The types that a union is of, with the values of its literals instead of these."""
    if typing.get_origin(annotation) is typing.Literal:
        return typing.get_args(annotation)
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return (annotation,)
    return tuple(member for part in typing.get_args(annotation) for member in members(part))


def choices(field):
    """What an option may be, in words: "a number from 0, 'tune' or None"."""
    words = [_words(kind, field) for kind in members(field.type)]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _is(value, kind, field):
    """Whether a value is of a type, or is a literal."""
    if kind is float:
        number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        bounds = field.metadata["bounds"].items()
        return number and math.isfinite(value) and all(_BOUNDS[n][1](value, b) for n, b in bounds)
    if kind is type(None):
        return value is None
    return isinstance(value, kind) if isinstance(kind, type) else value == kind


def _words(kind, field):
    if kind is float:
        bounds = field.metadata["bounds"]
        words = [_BOUNDS[name][0].format(bound) for name, bound in bounds.items()]
        return f"a number {(' to ' if 'least' in bounds else ' and ').join(words)}".strip()
    if kind is type(None):
        return "None"
    if kind is bool:
        return "True or False"
    return f"a {kind.__name__}" if isinstance(kind, type) else repr(kind)
