"""What the command line's commands share: options, and how results are printed."""

import dataclasses
import functools
import inspect
import json
from pathlib import Path
from typing import Annotated

import typer

from nengo_tactile import files
from nengo_tactile.errors import ConversionError
from nengo_tactile.options import flag, members
from nengo_tactile.progress import console

Task = Annotated[
    str,
    typer.Option(
        help="eskin, eskin-pendigits, stemnist, stmnist; images: mnist, cifar10, cifar100, "
        "scenes; or a folder of recordings of your own."
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of recordings (default: $NENGO_TACTILE_DATA)."),
]
_FILE = ".npy, or .npz (with the array's name behind a colon)"
X = Annotated[str | None, typer.Option("--x", help=f"File of samples, {_FILE}.")]
Y = Annotated[str | None, typer.Option("--y", help="File of their labels, or values.")]
Scale = Annotated[
    str | None,
    typer.Option(help="What images are multiplied with, such as 1/255; with an offset: 2/255,-1."),
]
Out = Annotated[Path, typer.Option(help="Folder for the results.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every random draw.")]
Split = Annotated[str, typer.Option(help="train or test.")]
Jobs = Annotated[
    int | None,
    typer.Option(min=1, help="Run cells in so many processes (default: in this one)."),
]
Scheduler = Annotated[
    str | None, typer.Option(help="Or on the Dask cluster of the scheduler at this address.")
]
Threads = Annotated[int, typer.Option(min=1, help="Threads that a cell computes with.")]
Samples = Annotated[int | None, typer.Option(min=1, help="Use so many random samples.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON instead of tables; messages go to stderr.")
]


#: Where `--help` shows what `options_of` adds.
_PANEL = "Options of neurons"


def say(text):
    """Print a line of result."""
    typer.echo(text)


def saying(as_json):
    """What prints messages: `say`, or to stderr where JSON is printed."""
    return functools.partial(typer.echo, err=True) if as_json else say


def show_or_write(as_json, content, tables):
    """Print tables, or what they are made of as JSON."""
    if as_json:
        typer.echo(json.dumps(content, indent=2, default=files.plain))
        return
    for table in tables:
        show(table)


def show(table):
    """Print a rich table."""
    terminal = console()
    if not terminal.is_terminal:  # a file or a pipe has no width: leave the columns whole
        terminal = console(width=160)
    terminal.print(table)


def number_or_word(text):
    """A number where it is one; a word is for the command to judge."""
    try:
        return float(text)
    except ValueError:
        return text


def parameter(name, kind, default=None):
    """A parameter of a command that is made, not written: see `taking`."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, default=default, annotation=kind)


def taking(command, parameters, text):
    """Let typer see parameters, and a help, instead of a function's own; returns the function."""
    command.__signature__ = inspect.Signature(parameters)
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    command.__doc__ = text
    return command


def options_of(kinds):
    """Let a command take the options of several kinds of objects, such as neurons.

    What was given comes to the command as a dict, ``given``, for `chosen`; but an option that the
    command has a parameter for.

    Parameters
    ----------
    kinds : dict of str to type
        `nengo_tactile.options.Options` by their names on the command line.

    Returns
    -------
    callable
        Decorator; a command's own parameters come first.
    """
    fields = {}
    for name, kind in kinds.items():
        for field in dataclasses.fields(kind):
            fields.setdefault(field.name, {})[name] = field

    def decorate(command):
        taken = inspect.signature(command).parameters
        added = {n: _parameter_of(n, owners) for n, owners in fields.items() if n not in taken}

        def with_given(**values):
            given = {name: values.pop(name) for name in added}
            command(**values, given={n: v for n, v in given.items() if v is not None})

        own = [
            parameter(name, each.annotation, each.default)
            for name, each in taken.items()
            if name != "given"
        ]
        with_given.__name__ = command.__name__
        return taking(with_given, [*own, *added.values()], command.__doc__)

    return decorate


def chosen(kinds, option, name, given):
    """The object that a command line names and gives options of.

    Parameters
    ----------
    kinds : dict of str to type
        As in `options_of`.
    option : str
        That chooses between them, "--neuron".
    name : str
        What it is.
    given : dict
        Options by name.

    Returns
    -------
    nengo_tactile.options.Options

    Raises
    ------
    ConversionError
        For another name, and an option that only others have.
    """
    if name not in kinds:
        raise ConversionError(f"{option} is {name!r}: choose one of {', '.join(kinds)}")
    fields = {field.name: field for cls in kinds.values() for field in dataclasses.fields(cls)}
    for each, value in given.items():
        owners = [kind for kind, cls in kinds.items() if hasattr(cls, each)]
        if name not in owners:
            raise ConversionError(
                f"{flag(fields[each])} is {value}, which only {option} {' or '.join(owners)} has: "
                "leave it out, or choose that"
            )
    return kinds[name](**{each: None if v == "none" else v for each, v in given.items()})


def plain_type(kinds):
    """The type that an option is read as on the command line; None where words are possible."""
    found = [kind for kind in (bool, int, float) if kind in kinds]
    return found[0] if found and not set(kinds) - {*found, type(None), dict} else None


def _parameter_of(name, owners):
    """A command's parameter for an option, {kind: its field}; None where it is not given."""
    texts = {}
    for kind, field in owners.items():
        texts.setdefault(field.metadata["text"], []).append(kind)
    text = "; ".join(f"{', '.join(kinds)}: {text}" for text, kinds in texts.items())
    kinds = {member for field in owners.values() for member in members(field.type)}
    shown = {kind: field.default for kind, field in owners.items() if field.default is not None}
    defaults, of, declared = set(shown.values()), plain_type(kinds), flag(field)
    if of is bool:
        declared = f" /--no-{declared[2:]}" if defaults == {True} else declared
    elif len(defaults) == 1:
        text += f" (default: {defaults.pop()})"
    elif defaults:
        text += f" (default: {', '.join(f'{k} {v}' for k, v in shown.items())})"
    parser = None if of else number_or_word
    option = typer.Option(declared, help=text, parser=parser, rich_help_panel=_PANEL)
    return parameter(name, Annotated[(of or str) | None, option])
